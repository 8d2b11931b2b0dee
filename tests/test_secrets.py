"""Where the key goes: to its own host, and nowhere else."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from html import escape
from types import FunctionType, ModuleType, TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from conftest import Api, read_all
from rich.traceback import Traceback
from wire import (
    CLOSE,
    HANG,
    KEY,
    RESET,
    Script,
    Serve,
    Server,
    a_page,
    a_run,
    again,
    answer,
    error,
    head,
    refused_url,
    runs,
)

import facade
from facade._auth import Secret, also_redacting, redactor

SECRET = 'sk-Q7"x\\/+=%zz secret&<'
"""A key that JSON, addresses and reprs each spell in a way of their own."""

PLAIN = "sk-plain-7d4f1c9b2e"


def spellings(key: str) -> set[str]:
    """A key as texts, JSON, reprs and addresses spell it."""
    return {key, json.dumps(key)[1:-1], repr(key)[1:-1], quote(key, safe=""), quote(key)}


def shows(text: str, key: str) -> bool:
    """Whether a text has a key in it, however spelt."""
    return any(spelling in text for spelling in spellings(key))


def attributes(value: Any, depth: int = 6, seen: set[int] | None = None) -> Iterator[Any]:
    """Everything that hangs on an object by attributes, items and slots, itself included; no modules, no code."""
    seen = set() if seen is None else seen
    if id(value) in seen or depth < 0 or isinstance(value, (type, ModuleType, FunctionType, TracebackType)):
        return
    seen.add(id(value))
    yield value
    inner: list[Any] = []
    if isinstance(value, dict):
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner += list(value)
    if not isinstance(value, (str, bytes, int, float)):
        inner += list(getattr(value, "__dict__", {}).values())
        for cls in type(value).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                inner.append(getattr(value, slot, None))
    for each in inner:
        yield from attributes(each, depth - 1, seen)


def told(failure: BaseException) -> str:
    """All that a failure tells: texts, attributes, pickle, and tracebacks with the local variables of each frame.

    As the standard library shows those and as rich does, which looks into containers. The frames of the tests
    themselves, which hold the key, are left out.
    """
    said = [str(failure), repr(failure), *(repr(value) for value in attributes(failure))]
    try:
        said.append(repr(pickle.loads(pickle.dumps(failure)).__dict__))
        said.append(repr(pickle.dumps(failure)))
    except Exception as problem:
        said.append(str(problem))
    chain: BaseException | None = failure
    while chain is not None:
        frames = chain.__traceback__
        while frames is not None and "/tests/" in frames.tb_frame.f_code.co_filename:
            frames = frames.tb_next
        shown = traceback.TracebackException(type(chain), chain, frames, capture_locals=True)
        said += shown.format(chain=False)
        if frames is not None:
            whole: Any = {"locals_max_length": None, "locals_max_string": None}
            trace = Traceback.extract(type(chain), chain, frames, show_locals=True, **whole)
            for stack in trace.stacks[:1]:
                for frame in stack.frames:
                    said += [f"{name} = {pretty_text(node)}" for name, node in (frame.locals or {}).items()]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(said)


def pretty_text(node: Any) -> str:
    """What rich shows of a local variable."""
    return node.render(max_width=1_000_000) if hasattr(node, "render") else str(node)


ECHO = f"Incorrect API key provided: {SECRET} or {PLAIN}. See https://x.example/?key={quote(SECRET)}"

FAILURES: dict[str, Script] = {
    "401 that echoes it": error(401, message=ECHO, code=PLAIN, param=SECRET, type=PLAIN),
    "401 that echoes it elsewhere": answer({"error": {"message": "no", "deep": [{PLAIN: SECRET}]}, SECRET: 1}, 401),
    "403 in plain text": answer(ECHO.encode(), 403),
    "500 in a flat body": answer({"message": ECHO}, 500),
    "in the request id": error(400, {"X-Request-Id": PLAIN}),
    "in the reason": b"HTTP/1.1 401 " + PLAIN.encode() + b"\r\nContent-Length: 0\r\n\r\n",
    "in a location": answer(b"", 302, {"Location": f"https://x.example/?key={PLAIN}"}),
    "in other headers": error(
        429, {"WWW-Authenticate": f"Bearer {PLAIN}", "Retry-After": PLAIN, "X-Should-Retry": PLAIN}
    ),
    "in the content type": answer(b"", 502, {"Content-Type": PLAIN}),
    "in the encoding": answer(b"x", 200, {"Content-Encoding": PLAIN}),
    "200 that echoes it": answer(ECHO.encode()),
    "200 without an id that echoes it": answer({"key": PLAIN, SECRET: PLAIN}),
    "broken head that echoes it": (f"HTTP/1.1 200 OK\r\n{PLAIN}\r\n\r\n".encode(), CLOSE),
    "no HTTP that echoes it": (f"{PLAIN} {SECRET}\r\n".encode(), CLOSE),
    "cut short": (head(200, {"Content-Length": "999"}), PLAIN.encode(), CLOSE),
    "chunks that echo it": (head(200, {"Transfer-Encoding": "chunked"}), f"{PLAIN}\r\n".encode(), CLOSE),
    "reset": (RESET,),
    "timeout": (HANG,),
    "cursor that echoes it": answer(a_page([a_run()], True, last_id=PLAIN)),
}


@pytest.fixture(params=[PLAIN, SECRET], ids=["plain key", "odd key"])
def key(request: pytest.FixtureRequest) -> str:
    """A key."""
    return str(request.param)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What every logger says at its lowest level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s %(exc_text)s"))
    root = logging.getLogger()
    before, named = root.level, [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in named]
    for logger in named:
        logger.setLevel(logging.DEBUG)
    root.setLevel(1)
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)
    for logger, level in levels:
        logger.setLevel(level)


class TestFailures:
    """A failed call tells everything but the key."""

    @pytest.mark.parametrize("auth_type", ["openai", "azure"])
    @pytest.mark.parametrize("name", FAILURES)
    def test_error(self, api: Api, serve: Serve, name: str, auth_type: str, key: str, log: io.StringIO) -> None:
        """Neither text, attributes, pickle nor traceback of an error, nor any log, shows the key, echoed or not."""
        client = api.client(serve(FAILURES[name]), api_key=key, auth_type=auth_type, timeout_sec=0.15)
        _, failure = read_all(client.runs.all("thread_1"))
        assert isinstance(failure, facade.APIError)
        assert not shows(told(failure), key)
        assert not shows(log.getvalue(), key)
        assert "facade" in log.getvalue()

    def test_many(self, api: Api, serve: Serve, key: str, log: io.StringIO) -> None:
        """Nor where several are read at once, in threads or tasks of the client's own."""
        client = api.client(serve(FAILURES["401 that echoes it"]), api_key=key)
        _, failure = read_all(client.runs.all(["thread_1", "thread_2", "thread_3"]))
        assert isinstance(failure, facade.AuthenticationError)
        assert not shows(told(failure), key)
        assert not shows(log.getvalue(), key)

    def test_refused(self, api: Api, key: str, log: io.StringIO) -> None:
        """Nor where nobody listens."""
        _, failure = read_all(api.client(refused_url(), api_key=key).runs.all("thread_1"))
        assert isinstance(failure, facade.APIConnectionError)
        assert not shows(told(failure) + log.getvalue(), key)

    def test_transport_that_echoes(self, api: Api, key: str) -> None:
        """Nor where a transport of the caller's own puts the request's headers into its error."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError(f"could not send {dict(request.headers)}")

        _, failure = read_all(api.client(api_key=key, transport=httpx.MockTransport(fail)).runs.all("thread_1"))
        assert isinstance(failure, facade.APIConnectionError)
        assert not shows(told(failure), key)

    def test_transport_that_breaks(self, api: Api, key: str) -> None:
        """Nor where a transport fails in a way of its own, which comes out as it is."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise LookupError("the transport is broken")

        _, failure = read_all(api.client(api_key=key, transport=httpx.MockTransport(fail)).runs.all("thread_1"))
        assert isinstance(failure, LookupError)
        frames = failure.__traceback__
        while frames is not None:
            if "/facade/" in frames.tb_frame.f_code.co_filename:
                assert not shows(repr(frames.tb_frame.f_locals), key), frames.tb_frame
            frames = frames.tb_next

    def test_good_call(self, api: Api, serve: Serve, key: str, log: io.StringIO) -> None:
        """No log of a good call, retries and pages included, shows the key."""
        server = serve(
            again(message=ECHO), answer(a_page(runs(2), True), headers={"X-Echo": PLAIN}), answer(a_page([]))
        )
        list(api.client(server, api_key=key, organization="org-1", max_retry_count=1).runs.all("thread_1"))
        assert "Bearer" not in log.getvalue()
        assert key not in log.getvalue()
        assert "httpcore.http11 DEBUG" in log.getvalue()
        assert "/threads/thread_1/runs" in log.getvalue()

    def test_log_after_the_call(self, api: Api, serve: Serve, key: str, log: io.StringIO) -> None:
        """Closing the client logs nothing of it either."""
        client = api.client(serve(answer(a_run())), api_key=key)
        client.runs.get("thread_1", "run_1")
        client.close()
        assert key not in log.getvalue()


class TestObjects:
    """Objects that hold the key do not show it."""

    def objects(self, api: Api, server: Server, key: str) -> list[Any]:
        """A client, a view, its parts, and walks, used and unused."""
        client = api.client(server, api_key=key, organization="org-1", additional_headers={"x-token": "HIDDEN-7"})
        client.runs.get("thread_1", "run_1")
        walk = client.runs.all("thread_1")
        made = [
            client,
            client.with_options(timeout_sec=5),
            client.runs,
            client.steps,
            walk,
            client.runs.all(["thread_1"]),
        ]
        return [getattr(each, "target", each) for each in made]

    def test_reprs(self, api: Api, serve: Serve, key: str) -> None:
        """No text of a client shows the key, a header's value, or the query's."""
        for each in self.objects(api, serve(answer(a_run())), key):
            for text in (repr(each), str(each), f"{each}", f"{[each]}"):
                assert not shows(text, key)
                assert "HIDDEN-7" not in text

    def test_attributes(self, api: Api, serve: Serve, key: str) -> None:
        """No attribute, however deep, is the key, has it inside or shows it in its repr."""
        for each in self.objects(api, serve(answer(a_run())), key):
            for value in attributes(each, 8):
                assert not shows(repr(value), key), type(value)

    @pytest.mark.parametrize("work", [pickle.dumps, copy.deepcopy, copy.copy], ids=lambda work: work.__name__)
    def test_pickles(self, api: Api, serve: Serve, key: str, work: Callable[[Any], Any]) -> None:
        """A pickle or copy of a client holds no key that shows; where none can be made, the error shows none."""
        for each in self.objects(api, serve(answer(a_run())), key):
            try:
                made = repr(work(each))
            except Exception as problem:
                made = told(problem)
            assert not shows(made, key)

    def test_results(self, api: Api, serve: Serve, key: str) -> None:
        """Nothing that a call gives holds the key."""
        client = api.client(serve(answer(a_run()), answer(a_page(runs(2)))), api_key=key)
        for each in (client.runs.get("thread_1", "run_1"), client.runs.list("thread_1")):
            assert key.encode() not in pickle.dumps(each)
            assert not [value for value in attributes(each) if value is key]

    def test_callable(self, api: Api, serve: Serve, key: str, log: io.StringIO) -> None:
        """A key that a callable gives is kept as well."""
        client = api.client(serve(FAILURES["401 that echoes it"]), api_key=lambda: key)
        _, failure = read_all(client.runs.all("thread_1"))
        assert isinstance(failure, facade.AuthenticationError)
        assert not shows(told(failure) + log.getvalue(), key)

    def test_bad_key_of_a_callable(self, api: Api, serve: Serve, log: io.StringIO) -> None:
        """A key that a callable gives and that no header can carry is not shown."""
        client = api.client(serve(answer(a_run())), api_key=lambda: "sk-bad-7d4f\r\nX-Evil: 1")
        _, failure = read_all(client.runs.all("thread_1"))
        assert isinstance(failure, facade.ConfigurationError)
        assert "7d4f" not in told(failure) + log.getvalue()

    @pytest.mark.parametrize("name", ["Client", "AsyncClient", "configure", "get_thread_run"])
    def test_option_that_there_is_not(self, name: str, key: str) -> None:
        """Nor is what was given under a name that no option has: it may well be a key."""
        positional = ["thread_1"] if name == "get_thread_run" else []
        with pytest.raises(TypeError) as caught:
            getattr(facade, name)(*positional, token=key)
        assert not shows(told(caught.value), key)

    def test_configure(self, key: str) -> None:
        """What `configure` was told is not shown by the module."""
        facade.configure(api_key=key)
        package = sys.modules["facade"]
        for module in [package, *(m for name, m in sys.modules.items() if name.startswith("facade."))]:
            for name, value in vars(module).items():
                if not name.startswith("__"):
                    assert key not in repr(value), (module, name)

    @pytest.mark.parametrize("variable", ["api_key", "environment"])
    def test_bad_key_is_not_shown(
        self, api: Api, variable: str, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
    ) -> None:
        """A key that is refused is shown neither in the error nor in the local variables of its traceback."""
        bad = "sk-bad-7d4f\r\nX-Evil: 1"
        if variable == "environment":
            monkeypatch.setenv("OPENAI_API_KEY", bad)
        with pytest.raises(facade.ConfigurationError) as caught:
            api.bare_client(**({"api_key": bad} if variable == "api_key" else {}))
        assert "7d4f" not in told(caught.value) + log.getvalue()

    def test_bad_argument_beside_a_key(self, api: Api, key: str) -> None:
        """A key beside another bad argument is not shown in the traceback's local variables."""
        for options in ({"timeout_sec": -1}, {"api_base": "nowhere"}, {"auth_type": "x"}, {"additional_headers": 5}):
            with pytest.raises((ValueError, TypeError)) as caught:
                api.client(api_key=key, **options)
            assert not shows(told(caught.value), key)

    def test_cmdlets(self, serve: Serve, key: str) -> None:
        """A cmdlet that fails does not show the key it was given."""
        server = serve(error(401, message=key))
        with pytest.raises(facade.AuthenticationError) as caught:
            facade.get_thread_run("thread_1", "run_1", api_key=key, api_base=server.url)
        assert not shows(told(caught.value), key)

    @pytest.mark.parametrize("wrong", [{}, {"apikey": PLAIN}, {"thread": "thread_1", "message": "Hello"}])
    def test_start_thread_run(self, serve: Serve, key: str, wrong: Any) -> None:
        """Nor does the one that takes a run's fields beside its options, whatever is wrong."""
        server = serve(error(401, message=key))
        with pytest.raises((facade.AuthenticationError, TypeError)) as caught:
            facade.start_thread_run(assistant_id="asst_1", api_key=key, api_base=server.url, **wrong)
        assert not shows(told(caught.value), key)
        assert not shows(told(caught.value), PLAIN)


HEADER_VALUE = "gateway-token-3f9a27c1"
PASSWORD = "dough-8c41d2-pw"
"""The password of a proxy."""

QUIET_FAILURES: dict[str, Script] = {
    "404": error(404),
    "500": error(500),
    "no JSON": answer(b"<html>"),
    "reset": (RESET,),
    "cut short": (head(200, {"Content-Length": "999"}), b"{", CLOSE),
    "timeout": (HANG,),
    "loop": answer(a_page(runs(1), True)),
}


def tells(failure: BaseException, *secrets: str) -> list[str]:
    """Which of some secrets a failure tells."""
    return [secret for secret in secrets if shows(told(failure), secret)]


def test_every_spelling_is_blanked() -> None:
    """A secret is blanked whole, as addresses, forms, JSON, reprs and HTML spell it too, and beside a longer one."""
    spelt = {*spellings(SECRET), quote_plus(SECRET), escape(SECRET)}
    assert len(spelt) == 7
    for redact in (redactor(SECRET), redactor(SECRET[:8], SECRET), also_redacting(redactor(PLAIN), (SECRET,))):
        assert [redact(f"<{each}>") for each in spelt] == ["<***>"] * 7


def test_short_texts_are_no_secrets(api: Api, serve: Serve) -> None:
    """A key below four characters, or a header's value below eight, is left in a server's words, a longer one not."""
    said = error(400, message="not with abc, abcd, version or versions")
    for key, value, words in (
        ("abc", "version", "abc, abcd, version or versions"),
        ("abcd", "versions", "abc, ***, version or ***"),
        ("abcd, version", "or versions", "abc, *** ***"),
    ):
        with pytest.raises(facade.BadRequestError) as caught:
            api.client(serve(said), api_key=key, additional_headers={"x-v": value}).runs.get("thread_1", "run_1")
        assert caught.value.message == f"not with {words}"


def test_secrets_that_are_the_same() -> None:
    """Two secrets are equal where what they hold is: by it connections through proxies are kept apart."""
    assert Secret("dough") == Secret("dough")
    assert Secret("dough") != Secret("crust")
    assert Secret("crust") != Secret("dough")
    assert Secret("dough") != "dough"


class TestOtherSecrets:
    """The values of additional headers and a proxy's password are no less secret than the key."""

    @pytest.mark.parametrize("name", QUIET_FAILURES)
    def test_header_values(self, api: Api, serve: Serve, name: str, log: io.StringIO) -> None:
        """No error, traceback with locals or log shows a header's value, which is sent all the same."""
        server = serve(QUIET_FAILURES[name])
        client = api.client(server, additional_headers={"x-gateway": HEADER_VALUE}, timeout_sec=0.3)
        for work in (
            lambda: client.runs.get("thread_1", "run_1"),
            lambda: list(client.runs.all("thread_1")),
            lambda: list(client.steps.all([a_run(1), a_run(2)])),
        ):
            with pytest.raises(facade.APIError) as caught:
                work()
            assert not tells(caught.value, HEADER_VALUE, KEY)
        assert server.requests[0].headers["x-gateway"] == HEADER_VALUE
        assert HEADER_VALUE not in log.getvalue()

    @pytest.mark.parametrize("name", QUIET_FAILURES)
    def test_password_of_a_proxy(self, api: Api, serve: Serve, name: str, log: io.StringIO) -> None:
        """Nor is a proxy's password shown, where it is reached or not."""
        proxy = serve(QUIET_FAILURES[name]).url.removesuffix("/v1").replace("://", f"://baker:{PASSWORD}@")
        client = api.client("http://127.0.0.1:1/v1", proxy=proxy, timeout_sec=0.3)
        for work in (lambda: client.runs.get("thread_1", "run_1"), lambda: list(client.runs.all("thread_1"))):
            with pytest.raises(facade.APIError) as caught:
                work()
            assert not tells(caught.value, PASSWORD, KEY)
        assert PASSWORD not in log.getvalue()

    @pytest.mark.parametrize("base", ["http://127.0.0.1:1/v1", "https://127.0.0.1:1/v1"])
    def test_proxy_that_is_not_there(self, api: Api, base: str, log: io.StringIO, monkeypatch: Any) -> None:
        """Nor where it is not there, or refuses a tunnel; given as an argument or by the environment."""
        proxy = refused_url().removesuffix("/v1").replace("://", f"://baker:{PASSWORD}@")
        clients = [api.client(base, proxy=proxy)]
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, proxy)
        clients.append(api.client(base.replace("127.0.0.1", "bakery.localhost")))
        for client in clients:
            with pytest.raises(facade.APIConnectionError) as caught:
                client.runs.get("thread_1", "run_1")
            assert not tells(caught.value, PASSWORD, KEY)
        assert PASSWORD not in log.getvalue()

    def test_tunnel_that_is_refused(self, api: Api, serve: Serve, log: io.StringIO) -> None:
        """Nor what a proxy says that echoes it."""
        said = answer(b"", 407, {"Proxy-Authenticate": f"Basic {PASSWORD}"}).replace(b"Spoken", PASSWORD.encode())
        proxy = serve((said, CLOSE)).url.removesuffix("/v1").replace("://", f"://baker:{PASSWORD}@")
        with pytest.raises(facade.APIConnectionError) as caught:
            api.client("https://127.0.0.1:1/v1", proxy=proxy).runs.get("thread_1", "run_1")
        assert not tells(caught.value, PASSWORD, KEY)

    @pytest.mark.parametrize(
        "options",
        [
            {"timeout_sec": -1},
            {"api_base": "ftp://x"},
            {"organization": "ö"},
            {"verify": "/nope.pem"},
            {"transport": "tcp"},
            {"auth_type": "bearer"},
            {"max_response_bytes": 0},
            {"additional_query": 5},
            {"timeouts": 5},
        ],
        ids=str,
    )
    def test_bad_argument_beside_them(self, api: Api, options: dict[str, Any]) -> None:
        """A bad argument's traceback does not show them either, whatever it is beside."""
        given = {
            "additional_headers": {"x-gateway": HEADER_VALUE},
            "proxy": f"http://baker:{PASSWORD}@127.0.0.1:1",
            **options,
        }
        with pytest.raises((ValueError, TypeError)) as caught:
            api.bare_client(KEY, **given)
        assert not tells(caught.value, HEADER_VALUE, PASSWORD, KEY)
        with pytest.raises((ValueError, TypeError)) as caught:
            facade.configure(**given)
        assert not tells(caught.value, HEADER_VALUE, PASSWORD)

    @pytest.mark.parametrize("bad", [f"{HEADER_VALUE}\r\nx: y", f"{HEADER_VALUE}ü", [HEADER_VALUE], 5], ids=ascii)
    def test_bad_header_value(self, api: Api, bad: Any) -> None:
        """A header's value that cannot be sent is not shown as it is refused."""
        headers = {"x-first": HEADER_VALUE, "x-gateway": bad}
        for make in (lambda **options: api.client("http://127.0.0.1:1", **options), facade.configure):
            with pytest.raises((ValueError, TypeError)) as caught:
                make(additional_headers=headers)
            assert not tells(caught.value, HEADER_VALUE)

    def test_reprs(self, api: Api, serve: Serve) -> None:
        """No repr, and no attribute of a client, shows them."""
        proxy = f"http://baker:{PASSWORD}@127.0.0.1:1"
        client = api.client(serve(QUIET_FAILURES["404"]), additional_headers={"x-gateway": HEADER_VALUE}, proxy=proxy)
        target = getattr(client, "target", client)
        for value in (target, target.runs, target.with_options(timeout_sec=5)):
            for each in attributes(value):
                assert HEADER_VALUE not in repr(each)
                assert PASSWORD not in repr(each)

    def test_cmdlets(self, log: io.StringIO) -> None:
        """The cmdlet functions keep them as well, in tracebacks from their callers on."""
        options: dict[str, Any] = {"api_base": refused_url(), "additional_headers": {"x-gateway": HEADER_VALUE}}
        facade.configure(proxy=refused_url().removesuffix("/v1").replace("://", f"://baker:{PASSWORD}@"))
        get: Callable[..., Any] = facade.get_thread_run
        for call in (
            lambda: get("thread_1", "run_1", api_key=KEY, **options),
            lambda: list(facade.get_thread_run_step("run_1", "thread_1", all=True, api_key=KEY, **options)),
            lambda: get("thread_1", limit=500, api_key=KEY, **options),
            lambda: get("thread_1", timeout=5, api_key=KEY, **options),
        ):
            with pytest.raises((facade.APIError, ValueError, TypeError)) as caught:
                call()
            assert not tells(caught.value, HEADER_VALUE, PASSWORD, KEY)
        assert HEADER_VALUE not in log.getvalue()

    def test_configured(self, serve: Serve) -> None:
        """What `configure` was given is not shown by clients that take it up."""
        facade.configure(additional_headers={"x-gateway": HEADER_VALUE}, api_key=KEY)
        with pytest.raises(ValueError, match="timeout_sec") as caught:
            facade.Client(timeout_sec=-1)
        assert not tells(caught.value, HEADER_VALUE, KEY)


class TestDestinations:
    """The key goes to its own host and port only."""

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
    @pytest.mark.parametrize("auth_type", ["openai", "azure", "azure_ad"])
    def test_redirects(self, api: Api, serve: Serve, status: int, auth_type: str) -> None:
        """A redirect to another port or host is an error: nobody else is asked, whatever the authentication."""
        other = serve(answer(a_run()))
        server = serve(answer(b"", status, {"Location": f"{other.url}/threads/thread_1/runs/run_1"}))
        client = api.client(server, auth_type=auth_type, organization="org-1", max_retry_count=2)
        with pytest.raises(facade.APIStatusError):
            client.runs.get("thread_1", "run_1")
        assert len(server.requests) == 1
        assert not other.requests
        assert not other.connections

    def test_other_ways_to_be_sent_on(self, api: Api, serve: Serve) -> None:
        """Refresh, Alt-Svc and Link headers send nobody anywhere."""
        other = serve(answer(a_run()))
        headers = {
            "Refresh": f"0; url={other.url}",
            "Alt-Svc": f'h2="127.0.0.1:{other.port}"',
            "Link": f"<{other.url}>; rel=next",
            "Content-Location": other.url,
        }
        client = api.client(serve(answer(a_page(runs(1), True), headers=headers), answer(a_page([]))))
        assert len(list(client.runs.all("thread_1"))) == 1
        assert not other.connections

    def test_cursor_that_is_an_address(self, api: Api, serve: Serve) -> None:
        """A cursor that is an address is sent as a value, not followed."""
        other = serve(answer(a_page([])))
        server = serve(answer(a_page(runs(1), True, last_id=other.url)), answer(a_page([])))
        list(api.client(server).runs.all("thread_1"))
        assert server.requests[1].value("after") == other.url
        assert not other.connections

    def test_keys_of_clients_are_kept_apart(self, api: Api, serve: Serve) -> None:
        """Each client sends its own key, and a view its client's."""
        server = serve(answer(a_run()))
        for each in ("sk-a", "sk-b"):
            client = api.client(server, api_key=each)
            client.runs.get("thread_1", "run_1")
            client.with_options(timeout_sec=5).runs.get("thread_1", "run_1")
        said = [request.headers["authorization"] for request in server.requests]
        assert said == ["Bearer sk-a", "Bearer sk-a", "Bearer sk-b", "Bearer sk-b"]

    def test_key_in_no_address(self, api: Api, serve: Serve) -> None:
        """The key goes in a header, never in an address or body."""
        server = serve(answer(a_run()))
        api.client(server, api_key=PLAIN).runs.get("thread_1", "run_1")
        request = server.requests[0]
        assert PLAIN not in request.target
        assert request.head.count(PLAIN.encode()) == 1


@pytest.mark.parametrize("key", ["null", "error", "message", "e", "x", "1"])
def test_dummy_key_spoils_no_error(api: Api, serve: Serve, key: str) -> None:
    """A server of one's own may take any key: its errors stay readable, whatever the key is."""
    server = serve(error(404, message="Nothing is here.", code="not_found"))
    with pytest.raises(facade.NotFoundError) as caught:
        api.client(server, api_key=key).runs.get("thread_1", "run_1")
    assert caught.value.code == "not_found"
    if key not in ("e", "error", "message", "null"):
        assert "Nothing is here." in str(caught.value)
