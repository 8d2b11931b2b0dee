"""The public contract, line by line: what calls send, what they take and refuse, and what they give."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import typing
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import attrs
import httpx
import pytest
from conftest import Api, read_all
from wire import KEY, Request, Server, a_page, a_run, a_step, again, answer, error, library, runs, steps

import facade

pytestmark = pytest.mark.filterwarnings("error")

Serve = Callable[..., Server]

RUN = answer(a_run())
STEP = answer(a_step())
PAGE = answer(a_page(runs(2)))
EMPTY = answer(a_page([]))

PUBLIC = {
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncClient",
    "AsyncWalk",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "FILE_SEARCH_RESULT_CONTENT",
    "InternalServerError",
    "MoreDataWarning",
    "NotFoundError",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "Run",
    "RunStep",
    "UnprocessableEntityError",
    "Walk",
    "configure",
    "get_thread_run",
    "get_thread_run_step",
}


def sent(server: Server) -> list[tuple[str, list[tuple[str, str]]]]:
    """The paths below the base, and queries, of all requests."""
    return [(request.path.removeprefix("/v1"), request.query) for request in server.requests]


def paths(server: Server) -> list[str]:
    """The paths below the base of all requests."""
    return [path for path, _ in sent(server)]


def ids(items: Iterable[Any]) -> list[str]:
    """The ids of runs or steps."""
    return [item.id for item in items]


class TestSurface:
    """The names that callers rely on."""

    def test_public_names_are_there(self) -> None:
        """Every name of the contract can be imported and is listed."""
        assert set(facade.__all__) >= PUBLIC
        for name in facade.__all__:
            assert getattr(facade, name) is not None

    def test_public_names_are_sorted(self) -> None:
        """`__all__` lists constants, then classes, then functions, each sorted."""

        def rank(name: str) -> tuple[int, str]:
            return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

        assert facade.__all__ == sorted(facade.__all__, key=rank)

    def test_nothing_else_is_public(self) -> None:
        """A name without underscore that `facade` defines itself is listed in `__all__`."""
        for name in dir(facade):
            defined = getattr(getattr(facade, name), "__module__", "")
            if not name.startswith("_") and str(defined).startswith("facade"):
                assert name in facade.__all__

    def test_unknown_name(self) -> None:
        """A name that is not there is an AttributeError that names it."""
        with pytest.raises(AttributeError, match="get_thread_runs"):
            facade.get_thread_runs  # noqa: B018

    @pytest.mark.parametrize(
        "name", [name for name in facade.__all__ if not name.startswith("_") and name != "FILE_SEARCH_RESULT_CONTENT"]
    )
    def test_docstrings(self, name: str) -> None:
        """Every public class and function says what it is."""
        value = getattr(facade, name)
        assert inspect.getdoc(value)
        assert value.__doc__ != dict.__doc__

    @pytest.mark.parametrize(
        "method",
        [
            f"{kind}.{name}"
            for kind in ("Runs", "Steps", "AsyncRuns", "AsyncSteps")
            for name in ("get", "list", "all", "refresh")
        ],
    )
    def test_methods_have_docstrings(self, method: str) -> None:
        """Every method says what it does."""
        kind, name = method.split(".")
        assert getattr(getattr(importlib.import_module("facade.resources"), kind), name).__doc__

    @pytest.mark.parametrize(
        ("child", "parent"),
        [
            (facade.ConfigurationError, ValueError),
            (facade.APIStatusError, facade.APIError),
            (facade.APIConnectionError, facade.APIError),
            (facade.APIResponseError, facade.APIError),
            (facade.PaginationError, facade.APIError),
            (facade.APITimeoutError, facade.APIConnectionError),
            (facade.APITimeoutError, TimeoutError),
            (facade.BadRequestError, facade.APIStatusError),
            (facade.AuthenticationError, facade.APIStatusError),
            (facade.PermissionDeniedError, facade.APIStatusError),
            (facade.NotFoundError, facade.APIStatusError),
            (facade.ConflictError, facade.APIStatusError),
            (facade.UnprocessableEntityError, facade.APIStatusError),
            (facade.RateLimitError, facade.APIStatusError),
            (facade.InternalServerError, facade.APIStatusError),
            (facade.MoreDataWarning, UserWarning),
        ],
        ids=lambda cls: cls.__name__,
    )
    def test_error_tree(self, child: type, parent: type) -> None:
        """Each error is what the contract says it is."""
        assert issubclass(child, parent)

    def test_configuration_is_no_api_error(self) -> None:
        """A bad configuration and a failed call are told apart."""
        assert not issubclass(facade.ConfigurationError, facade.APIError)

    def test_models_are_the_generated_ones(self) -> None:
        """`Run` and `RunStep` are the generated attrs classes, as upstream names the components."""
        from openai_thread_runs_api.models import RunObject, RunStepObject

        assert facade.Run is RunObject
        assert facade.RunStep is RunStepObject
        assert {"id", "object_", "status", "usage"} <= {field.name for field in attrs.fields(facade.Run)}
        assert {"id", "type_", "step_details"} <= {field.name for field in attrs.fields(facade.RunStep)}

    def test_sync_and_async_take_the_same(self) -> None:
        """Clients and resources have the same parameters on both sides."""
        resources = importlib.import_module("facade.resources")
        assert inspect.signature(facade.Client) == inspect.signature(facade.AsyncClient)
        for kind in ("Runs", "Steps"):
            for name in ("get", "list", "all", "refresh"):
                one, other = (getattr(getattr(resources, prefix + kind), name) for prefix in ("", "Async"))
                assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)

    def test_positions(self) -> None:
        """Key, organization and base come by position, in the contract's order; the rest by name."""
        parameters = inspect.signature(facade.Client).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["api_key", "organization", "api_base"]
        assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == {
            "timeout_sec",
            "deadline_sec",
            "max_retry_count",
            "auth_type",
            "additional_query",
            "additional_headers",
            "max_response_bytes",
            "verify",
            "proxy",
            "transport",
        }


LIST = [("limit", "20"), ("order", "asc")]
WALK = [("limit", "100"), ("order", "asc")]
KNOWN = "step_details.tool_calls[*].file_search.results[*].content"

REQUESTS: dict[str, tuple[Callable[[Any], Any], bytes, str, list[tuple[str, str]]]] = {
    "runs.get": (lambda c: c.runs.get("thread_1", "run_1"), RUN, "/threads/thread_1/runs/run_1", []),
    "runs.list": (lambda c: c.runs.list("thread_1"), PAGE, "/threads/thread_1/runs", LIST),
    "runs.list, all parameters": (
        lambda c: c.runs.list("thread_1", limit=3, order="desc", after="run_a", before="run_b"),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "3"), ("order", "desc"), ("after", "run_a"), ("before", "run_b")],
    ),
    "runs.list, limit 1": (
        lambda c: c.runs.list("thread_1", limit=1),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "1"), ("order", "asc")],
    ),
    "runs.list, limit 100": (lambda c: c.runs.list("thread_1", limit=100), PAGE, "/threads/thread_1/runs", WALK),
    "runs.all": (lambda c: list(c.runs.all("thread_1")), PAGE, "/threads/thread_1/runs", WALK),
    "runs.all, all parameters": (
        lambda c: list(c.runs.all("thread_1", order="desc", after="run_9", concurrency=1)),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "100"), ("order", "desc"), ("after", "run_9")],
    ),
    "runs.refresh": (lambda c: c.runs.refresh(a_run()), RUN, "/threads/thread_1/runs/run_1", []),
    "steps.get": (
        lambda c: c.steps.get("run_1", "step_1", thread_id="thread_1"),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [],
    ),
    "steps.get, include": (
        lambda c: c.steps.get("run_1", "step_1", thread_id="thread_1", include=facade.FILE_SEARCH_RESULT_CONTENT),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [("include[]", KNOWN)],
    ),
    "steps.list": (
        lambda c: c.steps.list("run_1", thread_id="thread_1"),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        LIST,
    ),
    "steps.list, all parameters": (
        lambda c: c.steps.list(
            "run_1",
            thread_id="thread_1",
            limit=7,
            order="desc",
            after="step_a",
            before="step_b",
            include=["x", "y[*].z"],
        ),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        [
            ("after", "step_a"),
            ("before", "step_b"),
            ("include[]", "x"),
            ("include[]", "y[*].z"),
            ("limit", "7"),
            ("order", "desc"),
        ],
    ),
    "steps.all": (
        lambda c: list(c.steps.all("run_1", thread_id="thread_1")),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        WALK,
    ),
    "steps.all, all parameters": (
        lambda c: list(c.steps.all("run_1", thread_id="thread_1", order="desc", after="step_9", include=(KNOWN,))),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        [("after", "step_9"), ("include[]", KNOWN), ("limit", "100"), ("order", "desc")],
    ),
    "steps.refresh": (
        lambda c: c.steps.refresh(a_step(), include="more"),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [("include[]", "more")],
    ),
}


class TestRequests:
    """What goes over the wire."""

    @pytest.mark.parametrize("name", REQUESTS)
    def test_request(self, api: Api, serve: Serve, name: str) -> None:
        """A call sends one GET with exactly its path and query."""
        ask, said, path, query = REQUESTS[name]
        server = serve(said)
        ask(api.client(server))
        assert [request.method for request in server.requests] == ["GET"]
        assert [(p, sorted(q)) for p, q in sent(server)] == [(path, sorted(query))]

    def test_include_is_repeated_in_order(self, api: Api, serve: Serve) -> None:
        """Several `include` values are several `include[]` parameters, in the caller's order."""
        server = serve(EMPTY)
        api.client(server).steps.list("run_1", thread_id="thread_1", include=["b", "a", KNOWN])
        assert [value for name, value in server.requests[0].query if name == "include[]"] == ["b", "a", KNOWN]

    def test_headers(self, api: Api, serve: Serve) -> None:
        """Each request has the beta header, a bearer key, JSON wanted, and a user agent that names the project."""
        server = serve(RUN)
        api.client(server).runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert headers["openai-beta"] == "assistants=v2"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["accept"] == "application/json"
        assert headers["user-agent"] == f"openai-thread-runs/{facade.__version__}"
        assert not {"api-key", "openai-organization", "cookie"} & headers.keys()

    @pytest.mark.parametrize("call", ["get", "list", "all"])
    def test_beta_header_on_every_call(self, api: Api, serve: Serve, call: str) -> None:
        """`OpenAI-Beta: assistants=v2` goes with every operation, on every page."""
        server = serve(answer(a_step())) if call == "get" else serve(answer(a_page(steps(1), True)), EMPTY)
        client = api.client(server)
        if call == "get":
            client.steps.get("run_1", "step_1", thread_id="thread_1")
        elif call == "list":
            client.steps.list("run_1", thread_id="thread_1")
        else:
            list(client.steps.all("run_1", thread_id="thread_1"))
        assert {request.headers["openai-beta"] for request in server.requests} == {"assistants=v2"}

    @pytest.mark.parametrize(
        ("auth_type", "wanted", "unwanted"),
        [
            ("openai", {"authorization": f"Bearer {KEY}", "openai-organization": "org-1"}, ["api-key"]),
            ("azure", {"api-key": KEY}, ["authorization", "openai-organization"]),
            ("azure_ad", {"authorization": f"Bearer {KEY}"}, ["api-key", "openai-organization"]),
        ],
    )
    def test_auth_types(
        self, api: Api, serve: Serve, auth_type: str, wanted: dict[str, str], unwanted: list[str]
    ) -> None:
        """Each kind of authentication sends the key in its own header, and only OpenAI's sends the organization."""
        server = serve(RUN)
        api.client(server, auth_type=auth_type, organization="org-1").runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert {name: headers.get(name) for name in wanted} == wanted
        assert not headers.keys() & set(unwanted)

    def test_additional_headers_win(self, api: Api, serve: Serve) -> None:
        """Additional headers take the place of the client's own, whatever their case, and are sent once."""
        server = serve(RUN)
        client = api.client(
            server,
            additional_headers={"openai-beta": "assistants=v1", "USER-AGENT": "bakery/1", "x-oven": "2"},
        )
        client.runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["openai-beta"], headers["user-agent"], headers["x-oven"]) == ("assistants=v1", "bakery/1", "2")
        assert server.requests[0].head.lower().count(b"openai-beta:") == 1
        assert server.requests[0].head.lower().count(b"user-agent:") == 1

    def test_additional_headers_win_over_the_key(self, api: Api, serve: Serve) -> None:
        """A caller's own Authorization header takes the place of the key's."""
        server = serve(RUN)
        client = api.client(server, additional_headers={"Authorization": "Custom token"})
        client.runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == "Custom token"
        assert KEY.encode() not in server.requests[0].head

    def test_additional_query_wins(self, api: Api, serve: Serve) -> None:
        """Additional query parameters go along on every request and take the place of the client's own."""
        server = serve(EMPTY)
        client = api.client(server, additional_query={"api-version": "v1", "order": "desc", "tag": ["a", "b"]})
        client.runs.list("thread_1", limit=5)
        assert sorted(server.requests[0].query) == [
            ("api-version", "v1"),
            ("limit", "5"),
            ("order", "desc"),
            ("tag", "a"),
            ("tag", "b"),
        ]

    @pytest.mark.parametrize(
        ("suffix", "path"),
        [
            ("", "/v1/threads/thread_1/runs/run_1"),
            ("/", "/v1/threads/thread_1/runs/run_1"),
            ("/openai", "/v1/openai/threads/thread_1/runs/run_1"),
            ("/api/projects/my%20project/", "/v1/api/projects/my%20project/threads/thread_1/runs/run_1"),
        ],
    )
    def test_base_paths(self, api: Api, serve: Serve, suffix: str, path: str) -> None:
        """A base address may have a path of its own, with or without a slash at its end."""
        server = serve(RUN)
        api.client(server.url + suffix).runs.get("thread_1", "run_1")
        assert server.requests[0].path == path

    def test_base_query(self, api: Api, serve: Serve) -> None:
        """The query of a base address, Azure's `api-version` for one, goes along on every request."""
        server = serve(EMPTY)
        api.client(server.url + "?api-version=2024-05-01-preview").runs.list("thread_1")
        assert server.requests[0].path == "/v1/threads/thread_1/runs"
        assert ("api-version", "2024-05-01-preview") in server.requests[0].query

    def test_connection_is_reused(self, api: Api, serve: Serve) -> None:
        """Calls one after the other share a connection, errors in between included."""
        server = serve(RUN, error(404), RUN)
        client = api.client(server)
        client.runs.get("thread_1", "run_1")
        with pytest.raises(facade.NotFoundError):
            client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_no_cookie_is_kept(self, api: Api, serve: Serve) -> None:
        """A cookie that a server sets is not sent back."""
        server = serve(answer(a_run(), headers={"Set-Cookie": "session=1; Path=/"}))
        client = api.client(server)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        assert "cookie" not in server.requests[1].headers

    def test_netrc_is_not_asked(self, api: Api, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A password for the host in a netrc file does not take the key's place."""
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login baker password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        server = serve(RUN)
        api.client(server).runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


BAD_TIMES = [
    pytest.param(-1, ValueError, id="negative"),
    pytest.param(-0.001, ValueError, id="just negative"),
    pytest.param(float("nan"), ValueError, id="NaN"),
    pytest.param(float("-inf"), ValueError, id="negative infinity"),
    pytest.param("5", TypeError, id="text"),
    pytest.param([1], TypeError, id="list"),
]
BAD_RETRY_COUNTS = [
    pytest.param(-1, ValueError, id="-1"),
    pytest.param(101, ValueError, id="101"),
    pytest.param(1.5, TypeError, id="float"),
    pytest.param("3", TypeError, id="text"),
]


class TestArguments:
    """What is refused before any request."""

    @pytest.mark.parametrize("limit", [0, -1, 101, 10**9, 1.0, 20.5, "20", None, True, [20]], ids=repr)
    @pytest.mark.parametrize("resource", ["runs", "steps"])
    def test_limit(self, api: Api, serve: Serve, limit: Any, resource: str) -> None:
        """A limit that is no whole number from 1 to 100 is refused."""
        server = serve(PAGE)
        resources = getattr(api.client(server), resource)
        with pytest.raises((ValueError, TypeError), match="limit"):
            resources.list(a_run(), limit=limit)
        assert not server.requests

    @pytest.mark.parametrize("order", ["", "ASC", "ascending", "asc ", None, 1, ["asc"]], ids=repr)
    @pytest.mark.parametrize("method", ["list", "all"])
    def test_order(self, api: Api, serve: Serve, order: Any, method: str) -> None:
        """An order other than asc and desc is refused, in a walk when it is made."""
        server = serve(PAGE)
        client = api.client(server)
        for resource in (client.runs, client.steps):
            with pytest.raises((ValueError, TypeError), match="order"):
                getattr(resource, method)(a_run(), order=order)
        assert not server.requests

    @pytest.mark.parametrize("concurrency", [0, 65, -1, 1.0, "8", None, True], ids=repr)
    def test_concurrency(self, api: Api, serve: Serve, concurrency: Any) -> None:
        """A concurrency that is no whole number from 1 to 64 is refused when the walk is made."""
        server = serve(PAGE)
        client = api.client(server)
        for resource in (client.runs, client.steps):
            with pytest.raises((ValueError, TypeError), match="concurrency"):
                resource.all([a_run()], concurrency=concurrency)
        assert not server.requests

    @pytest.mark.parametrize("concurrency", [1, 64])
    def test_concurrency_bounds(self, api: Api, serve: Serve, concurrency: int) -> None:
        """1 and 64 are within the range of concurrency."""
        walk = api.client(serve(PAGE)).runs.all(["thread_1"], concurrency=concurrency)
        assert ids(walk) == ["run_1", "run_2"]

    @pytest.mark.parametrize("option", ["timeout_sec", "deadline_sec"])
    @pytest.mark.parametrize(("value", "kind"), BAD_TIMES)
    def test_times(self, api: Api, serve: Serve, option: str, value: Any, kind: type[Exception]) -> None:
        """A time below 0 or NaN is a ValueError, no number a TypeError: at construction, in a view and in a call."""
        server = serve(RUN)
        with pytest.raises(kind, match=option):
            api.client(server, **{option: value})
        client = api.client(server)
        with pytest.raises(kind, match=option):
            client.with_options(**{option: value})
        with pytest.raises(kind, match=option):
            client.runs.get("thread_1", "run_1", **{option: value})
        with pytest.raises(kind, match=option):
            client.steps.all(a_run(), **{option: value})
        assert not server.requests

    @pytest.mark.parametrize(("value", "kind"), BAD_RETRY_COUNTS)
    def test_retry_count(self, api: Api, serve: Serve, value: Any, kind: type[Exception]) -> None:
        """A number of retries that is no whole number from 0 to 100 is refused, wherever it is given."""
        server = serve(RUN)
        with pytest.raises(kind, match="max_retry_count"):
            api.client(server, max_retry_count=value)
        client = api.client(server)
        with pytest.raises(kind, match="max_retry_count"):
            client.with_options(max_retry_count=value)
        with pytest.raises(kind, match="max_retry_count"):
            client.runs.get("thread_1", "run_1", max_retry_count=value)
        assert not server.requests

    @pytest.mark.parametrize("value", [0, None, 0.0, 30, 1e9, float("inf")], ids=repr)
    def test_good_times(self, api: Api, serve: Serve, value: Any) -> None:
        """0, None and any time above are taken, in the constructor and in a call."""
        server = serve(RUN)
        client = api.client(server, timeout_sec=value, deadline_sec=value, max_retry_count=100)
        assert client.runs.get("thread_1", "run_1", timeout_sec=value, deadline_sec=value).id == "run_1"

    @pytest.mark.parametrize("value", [1, b"step_1", "", " ", ["step_1"]], ids=repr)
    @pytest.mark.parametrize("name", ["after", "before"])
    def test_cursors(self, api: Api, serve: Serve, name: str, value: Any) -> None:
        """A cursor that is no str, or blank, is refused."""
        server = serve(PAGE)
        with pytest.raises((ValueError, TypeError), match=name):
            api.client(server).runs.list("thread_1", **{name: value})
        assert not server.requests

    @pytest.mark.parametrize("include", [1, b"x", [1], [b"x"], [None], "", [" "], {"x": 1}, "a\r\nb"], ids=repr)
    def test_include(self, api: Api, serve: Serve, include: Any) -> None:
        """An include that holds anything but texts that name something is refused."""
        server = serve(STEP)
        with pytest.raises((ValueError, TypeError), match="include"):
            api.client(server).steps.get("run_1", "step_1", thread_id="thread_1", include=include)
        assert not server.requests

    @pytest.mark.parametrize("method", ["get", "list", "all"])
    def test_unknown_option(self, api: Api, serve: Serve, method: str) -> None:
        """An option that a method does not have is a TypeError that names it."""
        server = serve(RUN)
        arguments = ("thread_1", "run_1") if method == "get" else ("thread_1",)
        with pytest.raises(TypeError, match="timeout"):
            getattr(api.client(server).runs, method)(*arguments, timeout=5)
        assert not server.requests

    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "64"], ids=repr)
    def test_max_response_bytes(self, api: Api, value: Any) -> None:
        """A size that is no whole number above 0 is refused."""
        with pytest.raises((ValueError, TypeError), match="max_response_bytes"):
            api.client("http://127.0.0.1:1", max_response_bytes=value)

    @pytest.mark.parametrize("name", ["additional_query", "additional_headers"])
    @pytest.mark.parametrize("value", ["a=b", [("a", "b")], 1], ids=repr)
    def test_mappings(self, api: Api, name: str, value: Any) -> None:
        """Additional query and headers are mappings."""
        with pytest.raises((ValueError, TypeError), match=name):
            api.client("http://127.0.0.1:1", **{name: value})

    @pytest.mark.parametrize(
        "headers",
        [{"x y": "1"}, {"": "1"}, {"x": "1\r\nz: 2"}, {"x": "ü"}, {"x\r\nz": "1"}, {"x": 1}, {1: "x"}, {"x": None}],
        ids=repr,
    )
    def test_bad_headers(self, api: Api, headers: Any) -> None:
        """Headers that no request can carry are refused."""
        with pytest.raises((ValueError, TypeError), match="additional_headers"):
            api.client("http://127.0.0.1:1", additional_headers=headers)


NEVER_IDS = ["", " ", "\t", ".", "..", None, 1, 1.5, True, b"thread_1", ["thread_1"], ("thread_1",)]
ODD_IDS = [
    "a/b",
    "../x",
    "a/../../b",
    "a?b",
    "a#b",
    "a%2fb",
    "%2e%2e",
    "%2e",
    "%",
    "a\r\nX-Evil: 1",
    "a\nb",
    "a\0b",
    "a b",
    " a",
    "a ",
    "a;b",
    "a\\b",
    "..\\..",
    "a&b=c",
    "a:b@c",
    "a+b",
    "ä",
    "線",
    "\u202e",
    "a\ud800",
    "…",
    "...",
    "[x]",
    "*",
    "a" * 1000,
]


class TestIdentifiers:
    """Nobody reaches another endpoint through an id."""

    @pytest.mark.parametrize("value", NEVER_IDS, ids=repr)
    @pytest.mark.parametrize(
        ("thread", "run", "step"),
        [(True, False, False), (False, True, False), (False, False, True)],
        ids=["thread", "run", "step"],
    )
    def test_no_ids(self, api: Api, serve: Serve, value: Any, thread: bool, run: bool, step: bool) -> None:
        """What is no id is refused before any request, wherever an id is taken."""
        server = serve(RUN)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError)):
            client.steps.get(
                value if run else "run_1", value if step else "step_1", thread_id=value if thread else "thread_1"
            )
        if not step:
            with pytest.raises((ValueError, TypeError)):
                client.runs.get(value if thread else "thread_1", value if run else "run_1")
            with pytest.raises((ValueError, TypeError)):
                list(client.steps.all(value if run else "run_1", thread_id=value if thread else "thread_1"))
        assert not server.requests

    @pytest.mark.parametrize("value", NEVER_IDS, ids=repr)
    def test_no_ids_in_objects(self, api: Api, serve: Serve, value: Any) -> None:
        """What is no id is refused in a mapping and in an object too."""
        server = serve(RUN)
        client = api.client(server)
        for run in ({"id": value, "thread_id": "thread_1"}, SimpleNamespace(run_id="run_1", thread_id=value)):
            with pytest.raises((ValueError, TypeError)):
                client.runs.refresh(run)
        assert not server.requests

    @pytest.mark.parametrize("value", ODD_IDS, ids=lambda value: ascii(value)[:20])
    @pytest.mark.parametrize("place", [0, 1, 2], ids=["thread", "run", "step"])
    def test_odd_ids(self, api: Api, serve: Serve, value: str, place: int) -> None:
        """An odd id is one quoted segment of the path, or refused; the path has no more parts and no query."""
        server = serve(STEP)
        given = ["thread_1", "run_1", "step_1"]
        given[place] = value
        try:
            api.client(server).steps.get(given[1], given[2], thread_id=given[0])
        except ValueError:
            assert not server.requests
            return
        (request,) = server.requests
        assert "?" not in request.target
        assert request.head.count(b"\r\n") == len(request.headers) + 2
        assert "x-evil" not in request.headers
        names = request.target.removeprefix("/v1/").split("/")
        assert names[0::2] == ["threads", "runs", "steps"]
        assert [unquote(name) for name in names[1::2]] == given

    @pytest.mark.parametrize(
        ("thread", "run", "step"),
        [
            ("run_1", "run_1", "step_1"),
            ("step_1", "run_1", "step_1"),
            ("asst_1", "run_1", "step_1"),
            ("thread_1", "thread_1", "step_1"),
            ("thread_1", "step_1", "step_1"),
            ("thread_1", "run_1", "run_1"),
            ("thread_1", "run_1", "thread_1"),
        ],
    )
    def test_ids_of_another_kind(self, api: Api, serve: Serve, thread: str, run: str, step: str) -> None:
        """An id of a known other kind is refused, and the error says which it is."""
        server = serve(STEP)
        with pytest.raises(ValueError, match="id of a"):
            api.client(server).steps.get(run, step, thread_id=thread)
        assert not server.requests

    @pytest.mark.parametrize("value", ["t1", "5b1c3d2e-0000-4000-8000-000000000000", "Thread_1", "1", "thr_1"])
    def test_unknown_prefixes(self, api: Api, serve: Serve, value: str) -> None:
        """An id with a prefix of a server's own passes."""
        server = serve(STEP)
        api.client(server).steps.get(value, value, thread_id=value)
        assert paths(server) == [f"/threads/{value}/runs/{value}/steps/{value}"]


class Thing:
    """An object of somebody else's library."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


THREADS: dict[str, Any] = {
    "id": "thread_1",
    "mapping of a thread": {"id": "thread_1", "object": "thread"},
    "mapping with an id alone": {"id": "thread_1"},
    "mapping with a thread_id": {"thread_id": "thread_1"},
    "mapping of a message": {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1"},
    "mapping of a run": a_run(),
    "object of a thread": Thing(id="thread_1", object="thread"),
    "object with a thread_id": Thing(id="msg_1", thread_id="thread_1"),
    "run": facade.Run.from_dict(a_run()),
    "step": facade.RunStep.from_dict(a_step()),
}
NO_THREADS: dict[str, Any] = {
    "run without thread": {"id": "run_1", "object": "thread.run"},
    "another kind of object": {"id": "x", "object": "assistant"},
    "object of another kind": Thing(id="x", object="assistant"),
    "run model without thread": facade.Run.from_dict({"id": "x", "object": "thread.run"}),
    "empty mapping": {},
    "object without ids": Thing(),
    "number": 5,
    "None": None,
}
RUNS: dict[str, Any] = {
    "mapping of a run": a_run(),
    "mapping of a step": a_step(),
    "mapping of both ids": {"run_id": "run_1", "thread_id": "thread_1"},
    "mapping with an id": {"id": "run_1", "thread_id": "thread_1"},
    "object of a run": Thing(id="run_1", thread_id="thread_1", object="thread.run"),
    "object with both ids": Thing(id="msg_1", run_id="run_1", thread_id="thread_1"),
    "run": facade.Run.from_dict(a_run()),
    "step": facade.RunStep.from_dict(a_step()),
}
NO_RUNS: dict[str, Any] = {
    "run without thread": {"id": "run_1", "object": "thread.run"},
    "message without run": {"id": "msg_1", "object": "thread.message", "run_id": None, "thread_id": "thread_1"},
    "thread": {"id": "thread_1", "object": "thread"},
    "empty mapping": {},
    "object without ids": Thing(),
    "id without thread": "run_1",
    "None": None,
    "number": 5,
}


class TestPipeline:
    """What one call gives goes into the next."""

    @pytest.mark.parametrize("name", THREADS)
    def test_threads(self, api: Api, serve: Serve, name: str) -> None:
        """A thread is its id, an object or mapping with a thread_id, or a thread itself."""
        server = serve(EMPTY)
        runs = api.client(server).runs
        runs.list(THREADS[name])
        list(runs.all(THREADS[name]))
        list(runs.all([THREADS[name]]))
        assert paths(server) == ["/threads/thread_1/runs"] * 3

    @pytest.mark.parametrize("name", NO_THREADS)
    def test_no_threads(self, api: Api, serve: Serve, name: str) -> None:
        """What names no thread is refused before any request."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError)):
            client.runs.list(NO_THREADS[name])
        with pytest.raises((ValueError, TypeError)):
            list(client.runs.all(NO_THREADS[name]))
        with pytest.raises((ValueError, TypeError)):
            list(client.runs.all([NO_THREADS[name]]))
        assert not server.requests

    @pytest.mark.parametrize("name", RUNS)
    def test_runs(self, api: Api, serve: Serve, name: str) -> None:
        """A run is a run, or an object or mapping with a run_id and thread_id; a step names its run."""
        server = serve(EMPTY)
        steps = api.client(server).steps
        steps.list(RUNS[name])
        list(steps.all(RUNS[name]))
        list(steps.all([RUNS[name]]))
        assert paths(server) == ["/threads/thread_1/runs/run_1/steps"] * 3

    @pytest.mark.parametrize("name", NO_RUNS)
    def test_no_runs(self, api: Api, serve: Serve, name: str) -> None:
        """What names no run is refused before any request."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError)):
            client.steps.list(NO_RUNS[name])
        with pytest.raises((ValueError, TypeError)):
            list(client.steps.all(NO_RUNS[name]))
        with pytest.raises((ValueError, TypeError)):
            list(client.steps.all([NO_RUNS[name]]))
        assert not server.requests

    def test_run_with_a_thread_of_another(self, api: Api, serve: Serve) -> None:
        """A thread_id that contradicts the run's own is refused; the same one is taken."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises(ValueError, match="thread_2"):
            client.steps.list(a_run(), thread_id="thread_2")
        assert not server.requests
        client.steps.list(a_run(), thread_id="thread_1")
        assert paths(server) == ["/threads/thread_1/runs/run_1/steps"]

    def test_steps_of_all_runs(self, api: Api, serve: Serve) -> None:
        """`steps.all(runs.all(thread))` gives every step of every run, grouped, in order."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(7)}
        for run in lists["/threads/thread_1/runs"]:
            lists[f"/threads/thread_1/runs/{run['id']}/steps"] = steps(3, run["id"])
        client = api.client(serve(library(lists)))
        found = list(client.steps.all(client.runs.all("thread_1")))
        assert ids(found) == [f"step_run_{run}_{step}" for run in range(1, 8) for step in range(1, 4)]

    @pytest.mark.parametrize("concurrency", [1, 2, 8, 64])
    def test_many_threads(self, api: Api, serve: Serve, concurrency: int) -> None:
        """`runs.all` of many threads comes grouped in the order given, whatever the concurrency and the delays."""
        lists = {f"/threads/thread_{n}/runs": [a_run(f"{n}_{i}", f"thread_{n}") for i in range(3)] for n in range(9)}
        said = library(lists)

        def late(request: Request) -> list[Any]:
            return [0.002 * (len(request.path) * 7 % 5 + hash(request.path) % 5), said(request)]

        order = [4, 0, 8, 2, 6, 4, 1]
        walk = api.client(serve(late)).runs.all((f"thread_{n}" for n in order), concurrency=concurrency)
        assert ids(walk) == [f"run_{n}_{i}" for n in order for i in range(3)]

    def test_runs_of_several_threads(self, api: Api, serve: Serve) -> None:
        """Runs as ids share the `thread_id` that is given with them."""
        server = serve(EMPTY)
        assert list(api.client(server).steps.all(["run_1", "run_2"], thread_id="thread_1", concurrency=1)) == []
        assert paths(server) == ["/threads/thread_1/runs/run_1/steps", "/threads/thread_1/runs/run_2/steps"]

    def test_none_of_many(self, api: Api, serve: Serve) -> None:
        """A walk over no threads ends at once, without a request."""
        server = serve(EMPTY)
        assert list(api.client(server).runs.all([])) == []
        assert not server.requests

    def test_after_with_many(self, api: Api, serve: Serve) -> None:
        """`after` goes with a single thread or run only."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError), match="after"):
            client.runs.all(["thread_1", "thread_2"], after="run_1")
        with pytest.raises((ValueError, TypeError), match="after"):
            client.steps.all([a_run()], after="step_1")
        assert not server.requests

    def test_page_as_input(self, api: Api, serve: Serve) -> None:
        """A page of runs is many runs."""
        server = serve(PAGE, EMPTY)
        client = api.client(server)
        assert list(client.steps.all(client.runs.list("thread_1"), concurrency=1)) == []
        assert paths(server)[1:] == ["/threads/thread_1/runs/run_1/steps", "/threads/thread_1/runs/run_2/steps"]

    def test_bad_one_among_many(self, api: Api, serve: Serve) -> None:
        """A bad run among many is refused when its turn comes, after the steps of those before it."""
        client = api.client(serve(library({"/threads/thread_1/runs/run_1/steps": steps(2)})))
        walk = client.steps.all([a_run(), {"id": "run_2"}])
        found, failure = read_all(walk)
        assert ids(found) == ["step_run_1_1", "step_run_1_2"]
        assert isinstance(failure, ValueError)
        assert list(walk) == []

    def test_error_of_the_input(self, api: Api, serve: Serve) -> None:
        """An error of the caller's own iterable comes out as it is, after what was read before."""

        def threads() -> Iterable[str]:
            yield "thread_1"
            raise KeyError("the caller's own")

        found, failure = read_all(api.client(serve(PAGE)).runs.all(threads()))
        assert ids(found) == ["run_1", "run_2"]
        assert isinstance(failure, KeyError)

    def test_endless_input(self, api: Api, serve: Serve) -> None:
        """Of an endless iterable no more is taken than is read at once."""
        taken: list[int] = []

        def threads() -> Iterable[str]:
            while True:
                taken.append(1)
                yield f"thread_{len(taken)}"

        with api.client(serve(PAGE)).runs.all(threads(), concurrency=4) as walk:
            next(walk)
            assert len(taken) <= 5

    def test_async_iterables(self, api: Api, serve: Serve) -> None:
        """An async client walks async iterables; a sync one says that it does not."""

        async def threads() -> AsyncIterator[str]:
            yield "thread_1"
            yield "thread_2"

        server = serve(PAGE)
        client = api.client(server)
        if api.kind == "sync":
            with pytest.raises(TypeError, match="AsyncClient"):
                client.runs.all(threads())
            assert not server.requests
        else:
            assert ids(client.runs.all(threads())) == ["run_1", "run_2"] * 2


class TestConfiguration:
    """Where options come from, and which are refused."""

    @pytest.mark.parametrize(
        ("key", "word"),
        [
            (None, "OPENAI_API_KEY"),
            ("", "blank"),
            ("  \t", "blank"),
            ("\n", "blank"),
            ("sk-bad\r\nX-Evil: 1", "OPENAI_API_KEY"),
            ("sk-bad\nkey", "OPENAI_API_KEY"),
            ("sk-bad\0key", "OPENAI_API_KEY"),
            ("sk-bad\tkey", "OPENAI_API_KEY"),
            ("sk-bäd", "OPENAI_API_KEY"),
            ("sk-bad\u200bkey", "OPENAI_API_KEY"),
            ("sk-bad\x7fkey", "OPENAI_API_KEY"),
            (b"sk-bad", "OPENAI_API_KEY"),
            (12345, "OPENAI_API_KEY"),
        ],
        ids=ascii,
    )
    def test_bad_keys(self, api: Api, key: Any, word: str) -> None:
        """No key, or one that no header can carry, is refused at construction, naming the variable, not the value."""
        with pytest.raises(facade.ConfigurationError, match=word) as caught:
            api.bare_client(key)
        assert "OPENAI_API_KEY" in str(caught.value)
        assert "bad" not in str(caught.value)
        assert "bäd" not in str(caught.value)
        assert "12345" not in str(caught.value)

    @pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"\t{KEY}\r\n "], ids=["before", "newline", "both"])
    def test_key_is_trimmed(self, api: Api, serve: Serve, key: str) -> None:
        """White space around a key is not part of it."""
        server = serve(RUN)
        api.client(server, api_key=key).runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("organization", ["org\r\nX-Evil: 1", "org\n1", "örg", "org\x00", 5, b"org"], ids=ascii)
    def test_bad_organizations(self, api: Api, organization: Any) -> None:
        """An organization that no header can carry is refused, naming the variable."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_ORGANIZATION"):
            api.client("http://127.0.0.1:1", organization=organization)

    @pytest.mark.parametrize("organization", ["", "  "], ids=repr)
    def test_blank_organization(
        self, api: Api, serve: Serve, organization: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A blank organization is not sent, and takes the place of the environment's."""
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        server = serve(RUN)
        api.client(server, organization=organization).runs.get("thread_1", "run_1")
        assert "openai-organization" not in server.requests[0].headers

    @pytest.mark.parametrize(
        "base",
        [
            "",
            " ",
            "host.example/v1",
            "//host.example",
            "ftp://host.example",
            "file:///etc/passwd",
            "http://",
            "https:///v1",
            "http://host:99999/v1",
            "http://host:port/v1",
            "http://host example/v1",
            "http://host/v1\r\nX: 1",
            "http://user:hunter2@host/v1",
            "http://host/v1#part",
            "http://[::1/v1",
            "http://host\\evil/v1",
            5,
            b"http://host",
        ],
        ids=ascii,
    )
    def test_bad_bases(self, api: Api, base: Any) -> None:
        """What is no http(s) address is refused at construction, naming the variable, not what may be secret in it."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_BASE") as caught:
            api.client(api_base=base)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("auth_type", ["azure", "azure_ad"])
    def test_azure_needs_a_base(self, api: Api, auth_type: str) -> None:
        """Both azure kinds refuse to be without an address of their own."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_BASE"):
            api.client(auth_type=auth_type)

    @pytest.mark.parametrize("auth_type", ["", "Azure", "bearer", 1], ids=repr)
    def test_bad_auth_type(self, api: Api, auth_type: Any) -> None:
        """An unknown kind of authentication is refused."""
        with pytest.raises(ValueError, match="auth_type"):
            api.client("http://127.0.0.1:1", auth_type=auth_type)

    def test_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """Key, organization and base come from the environment."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["authorization"], headers["openai-organization"]) == ("Bearer sk-env", "org-env")

    def test_second_names_of_the_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """OPENAI_ORG_ID and OPENAI_BASE_URL are read too."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-id")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        assert server.requests[0].headers["openai-organization"] == "org-id"

    def test_first_names_win(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """OPENAI_ORGANIZATION and OPENAI_API_BASE win over their second names."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-first")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-second")
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
        api.client().runs.get("thread_1", "run_1")
        assert server.requests[0].headers["openai-organization"] == "org-first"

    def test_configure_wins_over_the_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """What `configure` set wins over the environment, and None clears it."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        facade.configure(api_key="sk-configured", organization="org-configured", api_base=server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        facade.configure(api_key=None, organization=None)
        api.bare_client().runs.get("thread_1", "run_1")
        said = [(r.headers["authorization"], r.headers["openai-organization"]) for r in server.requests]
        assert said == [("Bearer sk-configured", "org-configured"), ("Bearer sk-env", "org-env")]

    def test_arguments_win_over_configure(self, api: Api, serve: Serve) -> None:
        """An argument wins over what `configure` set."""
        server = serve(RUN)
        facade.configure(api_key="sk-configured", api_base="http://127.0.0.1:1", organization="org-configured")
        api.client(server, organization="org-argument").runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["authorization"], headers["openai-organization"]) == (f"Bearer {KEY}", "org-argument")

    def test_configure_takes_any_option(self, api: Api, serve: Serve) -> None:
        """`configure` sets the default of every option of a client."""
        server = serve(again(), again(), RUN)
        facade.configure(
            api_base=server.url,
            api_key=lambda: "sk-callable",
            timeout_sec=5,
            deadline_sec=50,
            max_retry_count=2,
            auth_type="azure",
            additional_query={"api-version": "v1"},
            additional_headers={"x-oven": "2"},
            max_response_bytes=100_000,
        )
        assert api.bare_client().runs.get("thread_1", "run_1").id == "run_1"
        request = server.requests[2]
        assert request.headers["api-key"] == "sk-callable"
        assert request.headers["x-oven"] == "2"
        assert request.query == [("api-version", "v1")]

    def test_configured_times_can_be_undone(self, api: Api, serve: Serve) -> None:
        """A client's own 0 or None means no limit, whatever is configured."""
        server = serve((0.15, RUN))
        facade.configure(timeout_sec=0.05)
        with pytest.raises(facade.APITimeoutError):
            api.client(server).runs.get("thread_1", "run_1")
        for value in (0, None):
            assert api.client(server, timeout_sec=value).runs.get("thread_1", "run_1").id == "run_1"

    def test_configure_refuses_unknown_options(self) -> None:
        """An option that no client has is a TypeError that names it."""
        with pytest.raises(TypeError, match="apikey"):
            facade.configure(apikey="sk-x")

    def test_live_clients_stay_as_they_are(self, api: Api, serve: Serve) -> None:
        """`configure` is for clients made from then on."""
        server = serve(RUN)
        client = api.client(server)
        facade.configure(api_key="sk-later")
        client.runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_callable_key(self, api: Api, serve: Serve) -> None:
        """A callable key is asked before each attempt, retries included, and not at construction."""
        server = serve(again(401, {"X-Should-Retry": "true"}), RUN)
        keys = iter(["sk-first", "sk-second", "sk-third"])
        client = api.client(server, api_key=lambda: next(keys), max_retry_count=1)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        said = [request.headers["authorization"] for request in server.requests]
        assert said == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-third"]

    def test_coroutine_function_as_key(self, api: Api, serve: Serve) -> None:
        """An async client's key may be a coroutine function; a sync client refuses what it cannot await."""

        async def key() -> str:
            return "sk-coroutine"

        server = serve(RUN)
        if api.kind == "async":
            api.client(server, api_key=key).runs.get("thread_1", "run_1")
            assert server.requests[0].headers["authorization"] == "Bearer sk-coroutine"
        else:
            with pytest.raises((ValueError, TypeError)):
                api.client(server, api_key=key).runs.get("thread_1", "run_1")
            assert not server.requests

    @pytest.mark.parametrize("given", ["", "a\r\nb", None, b"sk"], ids=repr)
    def test_callable_that_gives_no_key(self, api: Api, serve: Serve, given: Any) -> None:
        """A callable that gives no usable key is a ConfigurationError, before any request."""
        server = serve(RUN)
        with pytest.raises(facade.ConfigurationError):
            api.client(server, api_key=lambda: given).runs.get("thread_1", "run_1")
        assert not server.requests

    def test_callable_that_fails(self, api: Api, serve: Serve) -> None:
        """An error of the callable itself comes out as it is."""

        def key() -> str:
            raise LookupError("the vault is shut")

        server = serve(RUN)
        with pytest.raises(LookupError, match="the vault is shut"):
            api.client(server, api_key=key).runs.get("thread_1", "run_1")
        assert not server.requests

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1", "api.localhost"])
    def test_no_warning_on_loopback(self, api: Api, host: str) -> None:
        """Plain http to loopback is nobody's concern."""
        api.client(f"http://{host}:8000/v1")

    def test_plain_http_is_warned_of_once(self, api: Api) -> None:
        """Plain http to another host warns once of each host, pointing at the caller, without the key."""
        base = f"http://{api.kind}.bakery.example/v1"
        with pytest.warns(UserWarning, match=f"{api.kind}.bakery.example") as caught:
            api.client(base)
        api.client(base)
        assert len(caught) == 1
        assert KEY not in str(caught[0].message)
        assert Path(caught[0].filename).name == "conftest.py"  # where the harness makes the client

    def test_https_is_not_warned_of(self, api: Api) -> None:
        """https to any host warns of nothing."""
        api.client("https://bakery.example/v1")

    def test_transport(self, api: Api) -> None:
        """A transport of the caller's own takes the network's place, at the default address."""
        seen = []

        def say(request: httpx.Request) -> httpx.Response:
            seen.append(str(request.url))
            return httpx.Response(200, json=a_run())

        client = api.client(transport=httpx.MockTransport(say))
        assert client.runs.get("thread_1", "run_1").status == "completed"
        assert seen == ["https://api.openai.com/v1/threads/thread_1/runs/run_1"]


class TestViews:
    """`with_options` and the options of single calls."""

    def test_view_has_its_own_limits(self, api: Api, serve: Serve) -> None:
        """A view retries as it was told, and the client that it came from as before."""
        server = serve(again(), RUN, again(), RUN)
        client = api.client(server)
        view = client.with_options(max_retry_count=1)
        assert view.runs.get("thread_1", "run_1").id == "run_1"
        with pytest.raises(facade.InternalServerError):
            client.runs.get("thread_1", "run_1")

    def test_view_shares_connections(self, api: Api, serve: Serve) -> None:
        """A view, and a view of it, use the same connection."""
        server = serve(RUN)
        client = api.client(server)
        view = client.with_options(timeout_sec=5)
        for each in (client, view, view.with_options(deadline_sec=5)):
            each.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_view_keeps_what_it_is_not_told(self, api: Api, serve: Serve) -> None:
        """What a view is not told stays as the client has it."""
        server = serve(again(), RUN)
        view = api.client(server, max_retry_count=1).with_options(timeout_sec=5)
        assert view.runs.get("thread_1", "run_1").id == "run_1"

    def test_closing_a_view_closes_nothing(self, api: Api, serve: Serve) -> None:
        """After a view is closed, the client goes on with the same connection."""
        server = serve(RUN)
        client = api.client(server)
        with client.with_options(timeout_sec=5) as view:
            view.runs.get("thread_1", "run_1")
        view.close()
        client.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_unknown_option(self, api: Api) -> None:
        """A view takes the three limits and nothing else."""
        with pytest.raises(TypeError):
            api.client("http://127.0.0.1:1").with_options(api_key="sk-x")

    @pytest.mark.parametrize("method", ["runs.get", "runs.list", "runs.all", "steps.get", "steps.list", "steps.all"])
    def test_options_of_one_call(self, api: Api, serve: Serve, method: str) -> None:
        """Every method takes timeout_sec, deadline_sec and max_retry_count for that call alone."""
        server = serve(again(), RUN if method == "runs.get" else STEP if method == "steps.get" else PAGE)
        client = api.client(server)
        resource, name = method.split(".")
        arguments = ("thread_1", "run_1") if method == "runs.get" else (a_run(),)
        arguments += ("step_1",) if method == "steps.get" else ()
        given = getattr(getattr(client, resource), name)(*arguments, timeout_sec=5, deadline_sec=5, max_retry_count=1)
        if name == "all":
            list(given)
        assert len(server.requests) == 2

    def test_call_can_ask_for_less(self, api: Api, serve: Serve) -> None:
        """A call's own 0 retries win over the client's."""
        server = serve(again())
        with pytest.raises(facade.InternalServerError):
            api.client(server, max_retry_count=5).runs.get("thread_1", "run_1", max_retry_count=0)
        assert len(server.requests) == 1

    def test_closed_client(self, api: Api, serve: Serve) -> None:
        """A closed client says so instead of asking, and its views with it; closing twice is no error."""
        server = serve(RUN)
        client = api.client(server)
        view = client.with_options(timeout_sec=5)
        client.runs.get("thread_1", "run_1")
        client.close()
        client.close()
        for each in (client, view):
            with pytest.raises(RuntimeError, match="closed"):
                each.runs.get("thread_1", "run_1")
        assert api.until(lambda: server.open_connections == 0)

    def test_context_manager(self, api: Api, serve: Serve) -> None:
        """Leaving the `with` block closes the connections."""
        server = serve(RUN)
        with api.client(server) as client:
            client.runs.get("thread_1", "run_1")
            assert server.open_connections == 1
        assert api.until(lambda: server.open_connections == 0)


class TestAnswers:
    """What calls give."""

    def test_get(self, api: Api, serve: Serve) -> None:
        """`get` gives a typed run, its fields under the wire's names."""
        run = api.client(serve(RUN)).runs.get("thread_1", "run_1")
        assert type(run) is facade.Run
        assert (run.id, run.object_, run.status, run.model) == ("run_1", "thread.run", "completed", "gpt-4o")
        assert run.usage.total_tokens == 42
        assert run.to_dict() == a_run()

    def test_get_step(self, api: Api, serve: Serve) -> None:
        """`steps.get` gives a typed step, its details by their type."""
        step = api.client(serve(STEP)).steps.get(a_run(), "step_1")
        assert type(step) is facade.RunStep
        assert (step.id, step.type_, step.run_id) == ("step_1", "message_creation", "run_1")
        assert step.step_details.message_creation.message_id == "msg_1"

    def test_refresh(self, api: Api, serve: Serve) -> None:
        """`refresh` reads the same run or step afresh and leaves the one given as it is."""
        client = api.client(serve(answer(a_run(status="queued")), RUN, answer(a_step(status="in_progress")), STEP))
        run = client.runs.get("thread_1", "run_1")
        fresh = client.runs.refresh(run)
        assert (run.status, fresh.status) == ("queued", "completed")
        step = client.steps.get(fresh, "step_1")
        assert client.steps.refresh(step).status == "completed"
        assert step.status == "in_progress"

    @pytest.mark.parametrize(
        "step", ["step_1", b"step_1", {"id": "step_1"}, {"run_id": "run_1"}, None, a_run()], ids=str
    )
    def test_refresh_of_no_step(self, api: Api, serve: Serve, step: Any) -> None:
        """What does not know its run and thread cannot be refreshed."""
        server = serve(STEP)
        with pytest.raises((ValueError, TypeError)):
            api.client(server).steps.refresh(step)
        assert not server.requests

    def test_page(self, api: Api, serve: Serve) -> None:
        """A page is a sequence with data, has_more, first_id and last_id."""
        page = api.client(serve(answer(a_page(runs(3), True)))).runs.list("thread_1")
        assert isinstance(page, facade.Page)
        assert isinstance(page, Sequence)
        assert len(page) == 3
        assert ids(page) == ids(page.data) == ["run_1", "run_2", "run_3"]
        assert (page[0].id, page[-1].id, ids(page[1:])) == ("run_1", "run_3", ["run_2", "run_3"])
        assert page[1] in page
        assert (page.has_more, page.first_id, page.last_id) == (True, "run_1", "run_3")
        with pytest.raises(IndexError):
            page[3]
        assert "3 items" in repr(page)

    @pytest.mark.parametrize("has_more", [False, None, 0, "true", 1, [], "yes"], ids=repr)
    def test_more_is_true_only_where_it_says_so(self, api: Api, serve: Serve, has_more: Any) -> None:
        """Only `true` means more."""
        assert api.client(serve(answer(a_page(runs(1), has_more)))).runs.list("thread_1").has_more is False

    def test_small_page(self, api: Api, serve: Serve) -> None:
        """A page that is only its data has no more, and None for its ids."""
        page = api.client(serve(answer({"data": []}))).runs.list("thread_1")
        assert (len(page), page.has_more, page.first_id, page.last_id) == (0, False, None, None)
        assert not page

    def test_walk(self, api: Api, serve: Serve) -> None:
        """A walk is an iterator and a context manager with `close` and `after`."""
        walk = api.client(serve(PAGE)).runs.all("thread_1", after="run_0")
        target = getattr(walk, "target", walk)
        assert isinstance(target, facade.Walk if api.kind == "sync" else facade.AsyncWalk)
        assert iter(walk) is walk
        with walk:
            assert walk.after == "run_0"
            assert next(walk).id == "run_1"
            assert walk.after == "run_1"
        assert list(walk) == []
        assert walk.after == "run_1"
        walk.close()


class TestLog:
    """The logger `facade`."""

    def test_one_line_an_attempt(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """One DEBUG line an attempt: method, path, status, seconds, request id."""
        caplog.set_level(logging.DEBUG, "facade")
        server = serve(again(503, {"X-Request-Id": "req_a"}), answer(a_run(), headers={"X-Request-Id": "req_b"}))
        api.client(server, max_retry_count=1).runs.get("thread_1", "run_1")
        lines = [r.getMessage() for r in caplog.records if r.name == "facade" and r.levelno == logging.DEBUG]
        assert len(lines) == 2
        for line, status, request_id in zip(lines, ("503", "200"), ("req_a", "req_b"), strict=True):
            for part in ("GET", "/threads/thread_1/runs/run_1", status, request_id, " s"):
                assert part in line

    def test_warning_before_a_wait(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """A WARNING before the wait for each retry, none otherwise."""
        caplog.set_level(logging.WARNING, "facade")
        server = serve(again(), again(429), RUN)
        client = api.client(server, max_retry_count=5)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        lines = [record.getMessage() for record in caplog.records if record.name == "facade"]
        assert len(lines) == 2
        assert "503" in lines[0]
        assert "429" in lines[1]

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"status": "failed", "last_error": {"code": "server_error", "message": "PRIVATE"}}, "server_error"),
            (
                {"status": "incomplete", "incomplete_details": {"reason": "max_prompt_tokens"}},
                "max_prompt_tokens",
            ),
        ],
        ids=["failed", "incomplete"],
    )
    def test_failed_run(
        self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], word: str
    ) -> None:
        """`get` of a run that failed or is incomplete logs a WARNING with its id and code, without content."""
        caplog.set_level(logging.WARNING, "facade")
        api.client(serve(answer(a_run(**fields)))).runs.get("thread_1", "run_1")
        (record,) = [record for record in caplog.records if record.name == "facade"]
        assert "run_1" in record.getMessage()
        assert word in record.getMessage()
        assert "PRIVATE" not in record.getMessage()

    def test_failed_step(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """`get` of a failed step logs a WARNING; of a good one nothing."""
        caplog.set_level(logging.WARNING, "facade")
        failed = a_step(2, status="failed", last_error={"code": "rate_limit_exceeded", "message": "PRIVATE"})
        client = api.client(serve(STEP, answer(failed)))
        client.steps.get(a_run(), "step_1")
        assert not caplog.records
        client.steps.get(a_run(), "step_2")
        (record,) = caplog.records
        assert "step_2" in record.getMessage()
        assert "rate_limit_exceeded" in record.getMessage()

    def test_walk_counts(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """One WARNING at the end of a walk counts what failed; none before, and none where nothing did."""
        caplog.set_level(logging.WARNING, "facade")
        failed = {"last_error": {"code": "server_error", "message": "PRIVATE"}}
        first = [a_run(1, **failed), a_run(2), a_run(3, incomplete_details={"reason": "content_filter"})]
        client = api.client(serve(answer(a_page(first, True)), answer(a_page([a_run(4, **failed)])), PAGE))
        walk = client.runs.all("thread_1")
        for _ in range(4):
            next(walk)
        assert not caplog.records
        assert list(walk) == []
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        for part in ("3", "4", "2 server_error", "1 content_filter"):
            assert part in record.getMessage()
        assert "PRIVATE" not in record.getMessage()
        list(client.runs.all("thread_1"))
        assert len(caplog.records) == 1

    def test_no_content(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """At DEBUG, no logger of the package shows what a run says."""
        caplog.set_level(logging.DEBUG, "facade")
        api.client(serve(answer(a_run(instructions="PRIVATE")))).runs.get("thread_1", "run_1")
        assert "PRIVATE" not in caplog.text

    def test_header_values_are_not_logged(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """The values of additional headers appear in no log."""
        caplog.set_level(logging.DEBUG)
        api.client(serve(RUN), additional_headers={"astra-api-token": "HIDDEN"}).runs.get("thread_1", "run_1")
        assert "HIDDEN" not in caplog.text


class TestCmdlets:
    """`get_thread_run` and `get_thread_run_step`."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cmdlets find their key in the environment."""
        monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def test_one_run(self, serve: Serve) -> None:
        """Thread and run by position give that run."""
        server = serve(RUN)
        run = facade.get_thread_run("thread_1", "run_1", api_base=server.url)
        assert type(run) is facade.Run
        assert sent(server) == [("/threads/thread_1/runs/run_1", [])]

    def test_one_step(self, serve: Serve) -> None:
        """Run, thread and step by position give that step."""
        server = serve(STEP)
        step = facade.get_thread_run_step("run_1", "thread_1", "step_1", api_base=server.url, include="x")
        assert type(step) is facade.RunStep
        assert sent(server) == [("/threads/thread_1/runs/run_1/steps/step_1", [("include[]", "x")])]

    def test_page(self, serve: Serve) -> None:
        """Without an id one page of 20 comes, ascending."""
        server = serve(PAGE)
        assert isinstance(facade.get_thread_run("thread_1", api_base=server.url), facade.Page)
        assert isinstance(facade.get_thread_run_step("run_1", "thread_1", api_base=server.url), facade.Page)
        assert [query for _, query in sent(server)] == [LIST, LIST]

    def test_limit_and_order(self, serve: Serve) -> None:
        """A limit and an order are sent as given."""
        server = serve(PAGE)
        facade.get_thread_run("thread_1", limit=100, order="desc", api_base=server.url)
        assert sent(server)[0][1] == [("limit", "100"), ("order", "desc")]

    def test_all(self, serve: Serve) -> None:
        """With `all` a walk over every page comes, and `limit` is ignored."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(150)}
        lists["/threads/thread_1/runs/run_1/steps"] = steps(3)
        server = serve(library(lists))
        walk = facade.get_thread_run("thread_1", all=True, limit=7, api_base=server.url)
        assert isinstance(walk, facade.Walk)
        assert len(list(walk)) == 150
        assert {request.value("limit") for request in server.requests} == {"100"}
        assert len(list(facade.get_thread_run_step("run_1", "thread_1", all=True, limit=1, api_base=server.url))) == 3

    def test_pipeline(self, serve: Serve) -> None:
        """`get_thread_run_step(get_thread_run(…, all=True), all=True)` is the cmdlets' pipeline."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(3)}
        lists |= {f"/threads/thread_1/runs/run_{n}/steps": steps(2, f"run_{n}") for n in (1, 2, 3)}
        facade.configure(api_base=serve(library(lists)).url)
        found = facade.get_thread_run_step(facade.get_thread_run("thread_1", all=True), all=True)
        assert ids(found) == [f"step_run_{n}_{i}" for n in (1, 2, 3) for i in (1, 2)]

    def test_pipeline_input(self, serve: Serve) -> None:
        """A thread, a run and a step are taken as the cmdlets take them from the pipeline."""
        server = serve(RUN, EMPTY, EMPTY, EMPTY)
        facade.configure(api_base=server.url)
        run = facade.get_thread_run({"id": "thread_1", "object": "thread"}, "run_1")
        facade.get_thread_run(run)
        facade.get_thread_run_step(run)
        facade.get_thread_run_step(a_step())
        assert paths(server) == [
            "/threads/thread_1/runs/run_1",
            "/threads/thread_1/runs",
            "/threads/thread_1/runs/run_1/steps",
            "/threads/thread_1/runs/run_1/steps",
        ]

    @pytest.mark.parametrize("more", [{"all": True}, {"limit": 5}, {"all": True, "limit": 5}], ids=str)
    def test_parameter_sets(self, serve: Serve, more: dict[str, Any]) -> None:
        """An id together with `all` or `limit` is a TypeError, before any request."""
        server = serve(RUN)
        with pytest.raises(TypeError, match="run_id"):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, **more)
        with pytest.raises(TypeError, match="step_id"):
            facade.get_thread_run_step("run_1", "thread_1", "step_1", api_base=server.url, **more)
        assert not server.requests

    def test_more_data(self, serve: Serve) -> None:
        """A page that leaves more behind warns, naming the thread or run and pointing at the caller."""
        facade.configure(api_base=serve(answer(a_page(runs(2), True))).url)
        with pytest.warns(facade.MoreDataWarning, match="thread_1") as caught:
            facade.get_thread_run("thread_1")
        assert caught[0].filename == __file__
        with pytest.warns(facade.MoreDataWarning, match="run_9") as caught:
            facade.get_thread_run_step("run_9", "thread_1")
        assert caught[0].filename == __file__

    def test_no_warning(self, serve: Serve) -> None:
        """With a limit, with `all`, or with nothing left there is no warning."""
        server = serve(answer(a_page(runs(2), True)), PAGE)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            facade.get_thread_run("thread_1", limit=2, api_base=server.url)
            facade.get_thread_run("thread_1", api_base=server.url)
            list(facade.get_thread_run("thread_1", all=True, api_base=server.url))
        assert not [w for w in caught if issubclass(w.category, facade.MoreDataWarning)]

    def test_connections_are_shared(self, serve: Serve) -> None:
        """Calls share connections, whatever their key, and each sends its own."""
        server = serve(RUN)
        for key in ("sk-a", "sk-b", "sk-a"):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, api_key=key)
        facade.get_thread_run("thread_1", "run_1", api_base=server.url, timeout_sec=5, max_retry_count=1)
        assert server.connections == 1
        assert [request.headers["authorization"][7:] for request in server.requests] == ["sk-a", "sk-b", "sk-a", KEY]

    def test_options(self, serve: Serve) -> None:
        """Retries, organization, auth, query and headers are the cmdlets' too."""
        server = serve(again(), RUN, RUN)
        options: dict[str, Any] = {
            "api_base": server.url,
            "timeout_sec": 5,
            "max_retry_count": 1,
            "additional_query": {"api-version": "v1"},
            "additional_headers": {"x-oven": "2"},
        }
        facade.get_thread_run("thread_1", "run_1", organization="org-1", **options)
        facade.get_thread_run("thread_1", "run_1", auth_type="azure", **options)
        first, last = server.requests[0], server.requests[2]
        assert first.headers["openai-organization"] == "org-1"
        assert (first.query, first.headers["x-oven"]) == ([("api-version", "v1")], "2")
        assert last.headers["api-key"] == KEY

    def test_timeout(self, serve: Serve) -> None:
        """timeout_sec bounds an attempt here too."""
        server = serve((0.5, RUN))
        with pytest.raises(facade.APITimeoutError):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, timeout_sec=0.1)

    @pytest.mark.parametrize("option", ["timeout", "apikey", "concurrency"])
    def test_unknown_option(self, option: str) -> None:
        """A parameter that the cmdlets do not have is a TypeError that names it."""
        with pytest.raises(TypeError, match=option):
            facade.get_thread_run("thread_1", **{option: 5})  # type: ignore[call-overload]

    @pytest.mark.parametrize("limit", [0, 101, "5", 2.5], ids=repr)
    def test_bad_limit(self, serve: Serve, limit: Any) -> None:
        """A bad limit is refused before any request."""
        server = serve(PAGE)
        with pytest.raises((ValueError, TypeError), match="limit"):
            facade.get_thread_run("thread_1", limit=limit, api_base=server.url)
        assert not server.requests

    def test_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a key the cmdlets say how to set one."""
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_KEY"):
            facade.get_thread_run("thread_1", "run_1")

    def test_positions(self) -> None:
        """The parameters come by position as in the cmdlets, the rest by name."""

        def positional(function: Callable[..., Any]) -> list[str]:
            return [
                p.name for p in inspect.signature(function).parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD
            ]

        assert positional(facade.get_thread_run) == ["thread_id", "run_id"]
        assert positional(facade.get_thread_run_step) == ["run_id", "thread_id", "step_id"]

    def test_overloads(self) -> None:
        """Each parameter set has a type of its own."""
        for function in (facade.get_thread_run, facade.get_thread_run_step):
            returns = {overload.__annotations__["return"].split("[")[0] for overload in typing.get_overloads(function)}
            assert len(returns) == 3
            assert {"Walk", "Page"} < returns


def test_environment_is_read_late(api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set after the import counts; one that is blank does not."""
    server = serve(RUN)
    monkeypatch.setenv("OPENAI_API_BASE", "")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-late")
    api.bare_client().runs.get("thread_1", "run_1")
    assert server.requests[0].headers["authorization"] == "Bearer sk-late"


def test_to_dict_is_json(api: Api, serve: Serve) -> None:
    """What `to_dict` gives can be written as JSON as it is."""
    for run in api.client(serve(PAGE)).runs.list("thread_1"):
        assert json.loads(json.dumps(run.to_dict())) == run.to_dict()
