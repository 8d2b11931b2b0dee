"""Options that there are not, values that are none, and types that can be asked for."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import OPTIONS, Api
from wire import KEY, RUN, Serve, a_page, a_run, answer, ids, library, paths, runs, sent, steps

import facade

INSIDE = ("Limits", "override", "_Client", "__init__", "__new__", "_start")
"""Names that no caller has ever called."""

METHODS: dict[str, Callable[..., Any]] = {
    "runs.get": lambda client, **options: client.runs.get("thread_1", "run_1", **options),
    "runs.list": lambda client, **options: client.runs.list("thread_1", **options),
    "runs.all": lambda client, **options: client.runs.all("thread_1", **options),
    "runs.refresh": lambda client, **options: client.runs.refresh(a_run(), **options),
    "steps.get": lambda client, **options: client.steps.get(a_run(), "step_1", **options),
    "steps.list": lambda client, **options: client.steps.list(a_run(), **options),
    "steps.all": lambda client, **options: client.steps.all(a_run(), **options),
    "with_options": lambda client, **options: client.with_options(**options),
}
MEANT = {"timeout": "timeout_sec", "max_retries": "max_retry_count", "deadline": "deadline_sec"}
CLIENT_MEANT = {**MEANT, "base_url": "api_base", "apikey": "api_key", "organisation": "organization"}


def refusal(work: Callable[[], Any]) -> str:
    """What a TypeError says."""
    with pytest.raises(TypeError) as caught:
        work()
    text = str(caught.value)
    assert not [name for name in INSIDE if name in text]
    return text


class TestUnknownOptions:
    """An option that there is not."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("given", MEANT)
    def test_of_a_method(self, api: Api, serve: Serve, method: str, given: str) -> None:
        """The method that was called is named, and the option that was meant; nothing is sent."""
        server = serve(RUN)
        client = api.client(server)
        text = refusal(lambda: METHODS[method](client, **{given: 1}))
        assert method.rpartition(".")[2] in text
        assert repr(given) in text
        assert MEANT[given] in text
        assert not server.requests

    @pytest.mark.parametrize("given", CLIENT_MEANT)
    @pytest.mark.parametrize("name", ["Client", "AsyncClient", "configure"])
    def test_of_a_client(self, name: str, given: str) -> None:
        """So it is for clients and `configure`."""
        kind = getattr(facade, name)
        text = refusal(lambda: kind(**{given: "x"}))
        assert name in text
        assert repr(given) in text
        assert CLIENT_MEANT[given] in text

    @pytest.mark.parametrize("given", CLIENT_MEANT)
    @pytest.mark.parametrize("name", ["get_thread_run", "get_thread_run_step"])
    def test_of_a_cmdlet(self, name: str, given: str) -> None:
        """And for the cmdlet functions."""
        text = refusal(lambda: getattr(facade, name)("thread_1", **{given: "x"}))
        assert name in text
        assert CLIENT_MEANT[given] in text

    @pytest.mark.parametrize("method", ["runs.all", "steps.all"])
    def test_limit_of_a_walk(self, api: Api, method: str) -> None:
        """A walk has no limit, and says what to use."""
        client = api.client("http://127.0.0.1:1")
        for given in ("limit", "page_size"):
            text = refusal(lambda: METHODS[method](client, **{given: 5}))  # noqa: B023  # called at once
            assert "limit" in text
            assert "list" in text

    @pytest.mark.parametrize(
        ("method", "given", "meant"),
        [("runs.list", "page_size", "limit"), ("runs.list", "ordr", "order"), ("steps.get", "includes", "include")],
    )
    def test_parameter_of_a_method(self, api: Api, method: str, given: str, meant: str) -> None:
        """What a method takes by name beside the limits is suggested too."""
        client = api.client("http://127.0.0.1:1")
        assert f"did you mean {meant}?" in refusal(lambda: METHODS[method](client, **{given: 5}))
        assert f" {meant}," in refusal(lambda: METHODS[method](client, zzz=5))

    @pytest.mark.parametrize(("given", "meant"), [("page_size", "limit"), ("ordr", "order")])
    def test_parameter_of_a_cmdlet(self, given: str, meant: str) -> None:
        """So it is for the cmdlet functions."""
        call: Callable[..., Any] = facade.get_thread_run
        assert f"did you mean {meant}?" in refusal(lambda: call("thread_1", **{given: 5}))

    def test_cmdlet_with_a_client(self, serve: Serve) -> None:
        """With a client of one's own, a cmdlet function takes none of what makes a client, and says so by its name."""
        server = serve(RUN)
        with facade.Client(KEY, api_base=server.url) as client:
            text = refusal(lambda: facade.get_thread_run("thread_1", client=client, api_base="http://127.0.0.1:1"))
        assert text.startswith("get_thread_run() has no option 'api_base'")
        assert "client" in text

    def test_option_of_the_client_in_a_call(self, api: Api) -> None:
        """An option of the client that is given to a call is said to be the client's."""
        client = api.client("http://127.0.0.1:1")
        assert "client" in refusal(lambda: METHODS["runs.get"](client, base_url="x")).lower()

    @pytest.mark.parametrize("method", METHODS)
    def test_among_others(self, api: Api, method: str) -> None:
        """It is found behind options that there are."""
        client = api.client("http://127.0.0.1:1")
        assert "'timeout'" in refusal(lambda: METHODS[method](client, deadline_sec=5, timeout=5))

    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            ("api_version", 'additional_query={"api-version": …}'),
            ("extra_headers", "additional_headers"),
            ("http_client", "transport"),
            ("azure_endpoint", "api_base"),
        ],
    )
    def test_words_of_other_libraries(self, given: str, meant: str) -> None:
        """What others call an option is answered with ours."""
        make: Callable[..., Any] = facade.Client
        assert f"did you mean {meant}?" in refusal(lambda: make(KEY, **{given: "x"}))

    def test_nothing_like_it(self, api: Api) -> None:
        """Where nothing is like it, the options that there are are listed."""
        client = api.client("http://127.0.0.1:1")
        assert "max_retry_count" in refusal(lambda: METHODS["runs.get"](client, zzz=1))

    def test_key_is_not_shown(self, api: Api) -> None:
        """Its value is not shown: it may be a key under another name."""
        for work in (lambda: facade.Client(token=KEY), lambda: facade.configure(secret=KEY)):  # type: ignore[call-arg]
            assert KEY not in refusal(work)


BAD: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "timeout_sec": ({"timeout_sec": -1}, ValueError),
    "timeout_sec, text": ({"timeout_sec": "5"}, TypeError),
    "deadline_sec": ({"deadline_sec": float("nan")}, ValueError),
    "max_retry_count": ({"max_retry_count": 101}, ValueError),
    "auth_type": ({"auth_type": "bearer"}, ValueError),
    "api_key": ({"api_key": "  "}, facade.ConfigurationError),
    "api_key, inner": ({"api_key": "sk-bad\nkey"}, facade.ConfigurationError),
    "organization": ({"organization": "örg"}, facade.ConfigurationError),
    "api_base": ({"api_base": "ftp://host.example"}, facade.ConfigurationError),
    "additional_query": ({"additional_query": "a=b"}, TypeError),
    "additional_headers": ({"additional_headers": {"x y": "1"}}, ValueError),
    "max_response_bytes": ({"max_response_bytes": 0}, ValueError),
    "verify": ({"verify": "/nope.pem"}, facade.ConfigurationError),
    "verify, number": ({"verify": 5}, TypeError),
    "proxy": ({"proxy": "ftp://127.0.0.1:1"}, facade.ConfigurationError),
    "transport": ({"transport": "tcp"}, TypeError),
}


class TestConfigure:
    """`configure` checks what it is given."""

    @pytest.mark.parametrize("name", BAD)
    def test_refused(self, name: str) -> None:
        """A value that no client takes is refused when it is set, and named."""
        options, kind = BAD[name]
        with pytest.raises(kind, match=f"(?i){name.partition(',')[0].partition('_')[0]}") as caught:
            facade.configure(**options)
        assert "bad" not in str(caught.value)

    def test_all_or_nothing(self, api: Api, serve: Serve) -> None:
        """Where one of several is refused, none is set."""
        server = serve(RUN)
        with pytest.raises(ValueError, match="max_retry_count"):
            facade.configure(api_base="http://127.0.0.1:1", organization="org-1", max_retry_count=-1)
        api.client(server).runs.get("thread_1", "run_1")
        assert "openai-organization" not in server.requests[0].headers

    def test_old_value_stays(self, api: Api, serve: Serve) -> None:
        """A refused value leaves the one that was set before."""
        server = serve(RUN)
        facade.configure(organization="org-before")
        with pytest.raises(facade.ConfigurationError):
            facade.configure(organization="örg")
        api.client(server).runs.get("thread_1", "run_1")
        assert server.requests[0].headers["openai-organization"] == "org-before"

    def test_good_ones(self, api: Api, serve: Serve) -> None:
        """Every option's usual value can be set, and cleared again."""
        server = serve(RUN)
        facade.configure(verify=False, transport=httpx.HTTPTransport(), proxy="http://127.0.0.1:1", auth_type="azure")
        facade.configure(**dict.fromkeys(OPTIONS))
        assert api.client(server).runs.get("thread_1", "run_1").id == "run_1"


class TestConstruction:
    """What a client refuses when it is made."""

    def test_certificates_that_are_not_there(self, api: Api) -> None:
        """A file of certificates that is not there fails at construction, and is named."""
        with pytest.raises(facade.ConfigurationError, match=r"/nope\.pem"):
            api.client("https://bakery.example/v1", verify="/nope.pem")

    @pytest.mark.parametrize("verify", [5, b"/nope.pem", [], {}], ids=repr)
    def test_verify_of_another_kind(self, api: Api, verify: Any) -> None:
        """What verifies nothing is refused."""
        with pytest.raises((ValueError, TypeError), match="verify"):
            api.client("https://bakery.example/v1", verify=verify)

    def test_transport_of_the_other_kind(self, api: Api) -> None:
        """A sync client takes no async transport, an async one no sync one, neither anything else."""
        other: Any = httpx.AsyncHTTPTransport() if api.kind == "sync" else httpx.HTTPTransport()
        for transport in (other, object(), "tcp", httpx.HTTPTransport):
            with pytest.raises(TypeError, match="transport"):
                api.client("http://127.0.0.1:1", transport=transport)

    def test_transport_of_both_kinds(self, api: Api) -> None:
        """A transport of both kinds, httpx's mock for one, does for both."""
        client = api.client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=a_run())))
        assert client.runs.get("thread_1", "run_1").id == "run_1"

    @pytest.mark.parametrize("kind", [facade.Client, facade.AsyncClient], ids=lambda kind: kind.__name__)
    def test_type_hints(self, kind: Any) -> None:
        """The types of a client's options can be asked for, each of them."""
        hints = typing.get_type_hints(kind.__init__)
        assert set(OPTIONS) <= hints.keys()


class TestPipelineOfCmdlets:
    """Many things as input of a cmdlet function, as from the cmdlets' pipeline."""

    @pytest.fixture(autouse=True)
    def base(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Any:
        """A thread of three runs with 25, 0 and 2 steps."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(3), "/threads/thread_2/runs": runs(1, "thread_2", 9)}
        lists |= {
            f"/threads/thread_1/runs/run_{n}/steps": steps(count, f"run_{n}") for n, count in ((1, 25), (2, 0), (3, 2))
        }
        server = serve(library(lists))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        return server

    def test_page_of_runs(self, base: Any) -> None:
        """A page of runs gives the first page of each run's steps, one after the other."""
        page = facade.get_thread_run("thread_1")
        with pytest.warns(facade.MoreDataWarning, match="run_1"):
            found = list(facade.get_thread_run_step(page))
        assert ids(found) == [f"step_run_1_{n}" for n in range(1, 21)] + ["step_run_3_1", "step_run_3_2"]
        assert [path for path in paths(base) if path.endswith("/steps")] == [
            f"/threads/thread_1/runs/run_{n}/steps" for n in (1, 2, 3)
        ]

    def test_limit_and_order(self, base: Any) -> None:
        """The limit and the order hold for each run; with a limit nothing is warned of."""
        found = list(facade.get_thread_run_step(facade.get_thread_run("thread_1"), limit=2, order="desc"))
        assert ids(found) == ["step_run_1_25", "step_run_1_24", "step_run_3_2", "step_run_3_1"]
        assert {query[1] for path, query in sent(base) if path.endswith("/steps") for _ in query} == {("order", "desc")}

    @pytest.mark.parametrize("kind", [list, tuple, iter], ids=["list", "tuple", "iterator"])
    def test_threads(self, base: Any, kind: Any) -> None:
        """Several threads give the first page of each thread's runs."""
        assert ids(facade.get_thread_run(kind(["thread_1", "thread_2"]))) == ["run_1", "run_2", "run_3", "run_9"]

    def test_walk_of_runs(self, base: Any) -> None:
        """A walk over runs does as well."""
        found = list(facade.get_thread_run_step(facade.get_thread_run("thread_1", all=True), limit=1))
        assert ids(found) == ["step_run_1_1", "step_run_3_1"]

    def test_everything(self, base: Any) -> None:
        """With `all` every page of every run comes."""
        assert len(list(facade.get_thread_run_step(facade.get_thread_run("thread_1"), all=True))) == 27

    def test_one_step_of_many(self, base: Any) -> None:
        """A step id belongs to one run: with several it is refused before any request."""
        page = facade.get_thread_run("thread_1")
        asked = len(base.requests)
        with pytest.raises((TypeError, ValueError)):
            facade.get_thread_run_step(page, step_id="step_run_1_1")  # type: ignore[call-overload]
        assert len(base.requests) == asked


class TestHasMore:
    """What counts as more, in pages and walks."""

    @pytest.mark.parametrize("more", [True, 1, "true"], ids=repr)
    def test_more(self, api: Api, serve: Serve, more: Any) -> None:
        """`true`, 1 and "true" promise more, and a walk goes on."""
        client = api.client(
            serve(answer(a_page(runs(1), more)), answer(a_page(runs(2), more)), answer(a_page(runs(1, begin=3))))
        )
        assert client.runs.list("thread_1").has_more is True
        assert ids(client.runs.all("thread_1")) == ["run_1", "run_2", "run_3"]

    @pytest.mark.parametrize("more", [False, None, 0, 2, "false", "yes", "", [], {}], ids=repr)
    def test_no_more(self, api: Api, serve: Serve, more: Any) -> None:
        """Anything else does not."""
        client = api.client(serve(answer(a_page(runs(1), more))))
        assert client.runs.list("thread_1").has_more is False
        assert ids(client.runs.all("thread_1")) == ["run_1"]
