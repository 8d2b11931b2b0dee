"""Connections: what may be used again, who closes them, and what breaking one off leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from conftest import TRUSTED, Api, begin, eventually, program, read_all, with_client
from wire import (
    CLOSE,
    HANG,
    KEY,
    RUN,
    Gate,
    Request,
    Script,
    Serve,
    Server,
    a_page,
    a_run,
    answer,
    error,
    head,
    ids,
    runs,
    until,
)

import facade
from facade._network_bytes import BaseWire
from facade._sync import pool

PATIENCE_SEC = 3.0
"""How long a test waits for what should come at once, before it fails."""


def get(client: Any, run_id: str = "run_1", **options: Any) -> Any:
    """The call that most cases make."""
    return client.runs.get("thread_1", run_id, **options)


def chunked(body: bytes) -> bytes:
    """A whole answer in one chunk."""
    return head(200, {"Transfer-Encoding": "chunked"}) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def echo(request: Request) -> bytes:
    """A run with the id that was asked for."""
    return answer(a_run(request.path.rpartition("/run_")[2]))


FIRST = answer(a_run("first"))
FORGED = answer(a_run("forged"))
LEFT_OVER: dict[str, bytes] = {
    "whole answer": FIRST + FORGED,
    "two whole answers": FIRST + FORGED + FORGED,
    "half an answer": FIRST + FORGED[:-20],
    "head of an answer": FIRST + FORGED[: FORGED.index(b"\r\n\r\n") + 4],
    "garbage": FIRST + b"garbage",
    "one byte": FIRST + b"\0",
    "empty line": FIRST + b"\r\n",
    "chunked, whole answer": chunked(FIRST.partition(b"\r\n\r\n")[2]) + FORGED,
    "chunked, chunked answer": chunked(FIRST.partition(b"\r\n\r\n")[2]) + chunked(FORGED.partition(b"\r\n\r\n")[2]),
    "chunked, garbage": chunked(FIRST.partition(b"\r\n\r\n")[2]) + b"0\r\n\r\n",
    "longer than its length": head(200, {"Content-Length": str(len(FIRST.partition(b"\r\n\r\n")[2]))})
    + FIRST.partition(b"\r\n\r\n")[2]
    + b"}" * 9,
}
LEFT_BEHIND_ERRORS: dict[str, bytes] = {
    "404": error(404) + FORGED,
    "500": error(500) + FORGED,
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\n\r\n" + FORGED,
    "204 with a body": b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED,
    "304 in bare lines": (b"HTTP/1.1 304 Not Modified\r\n\r\n" + FORGED).replace(b"\r", b""),
    "304 in mixed lines": b"HTTP/1.1 304 Not Modified\n\r\n" + FORGED.replace(b"\r\n\r\n", b"\n\r\n"),
    "not JSON": answer(b"<html>") + FORGED,
}


class TestLeftOver:
    """Bytes behind an answer are nobody's answer."""

    @pytest.mark.parametrize("name", LEFT_OVER)
    def test_next_call(self, api: Api, serve: Serve, name: str) -> None:
        """A connection with anything behind an answer is dropped: the next call asks on another, and gets its own."""
        server = serve(LEFT_OVER[name], answer(a_run("second")))
        client = api.client(server)
        assert get(client).id == "run_first"
        assert get(client).id == "run_second"
        assert get(client).id == "run_second"
        assert [request.connection for request in server.requests] == [1, 2, 2]

    @pytest.mark.parametrize("name", LEFT_BEHIND_ERRORS)
    def test_next_call_after_an_error(self, api: Api, serve: Serve, name: str) -> None:
        """The same behind an answer that is an error."""
        server = serve(LEFT_BEHIND_ERRORS[name], answer(a_run("second")))
        client = api.client(server)
        with pytest.raises(facade.APIError):
            get(client)
        assert get(client).id == "run_second"
        assert [request.connection for request in server.requests] == [1, 2]

    def test_retry(self, api: Api, serve: Serve) -> None:
        """A retry does not take what came behind the error that it follows."""
        server = serve(error(503, {"Retry-After-Ms": "1"}) + FORGED, answer(a_run("second")))
        assert get(api.client(server, max_retry_count=1)).id == "run_second"

    def test_next_page(self, api: Api, serve: Serve) -> None:
        """A walk does not take what came behind a page for the next one."""
        server = serve(answer(a_page([a_run(1)], True)) + answer(a_page([a_run("forged")])), answer(a_page([a_run(2)])))
        assert ids(api.client(server).runs.all("thread_1")) == ["run_1", "run_2"]

    def test_tls(self, api: Api, serve: Serve, certified: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        """TLS is no different."""
        own, trusting = certified
        server = serve(LEFT_OVER["whole answer"], answer(a_run("second")), tls=own)
        client = api.client(server, verify=trusting)
        assert get(client).id == "run_first"
        assert get(client).id == "run_second"

    def test_said_while_nobody_asks(self, api: Api, serve: Serve) -> None:
        """What comes between two calls drops the connection too."""
        said = threading.Event()

        def first() -> Iterator[Any]:
            yield FIRST
            said.wait(PATIENCE_SEC)
            yield FORGED
            said.clear()

        server = serve(lambda request: first() if request.number == 1 else answer(a_run("second")))
        client = api.client(server)
        assert get(client).id == "run_first"
        said.set()
        assert api.until(lambda: not said.is_set())
        assert get(client).id == "run_second"

    @pytest.mark.parametrize("name", LEFT_OVER)
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
    def test_pieces(self, name: str, size: int) -> None:
        """However the bytes are cut on their way, all of the answer is handed over and nothing of what is behind it."""
        said = LEFT_OVER[name]
        first = chunked(FIRST.partition(b"\r\n\r\n")[2]) if name.startswith("chunked") else FIRST
        incoming = BaseWire()
        taken = b""
        headers = {"content-length": str(len(FIRST.partition(b"\r\n\r\n")[2]))}
        for at in range(0, len(said), size):
            data = said[at : at + size]
            while data and taken != first:
                taken += incoming.hand_over(data)
                data = incoming.pending
                if taken.endswith(b"\r\n\r\n") and taken.count(b"\r\n\r\n") == 1:
                    incoming.body_begins({"transfer-encoding": "chunked"} if first is not FIRST else headers)
            if taken == first:
                assert incoming.is_at_end is (not data)
                return
            assert not incoming.is_at_end
        pytest.fail("the answer's end was not found")

    @pytest.mark.parametrize(
        "framing",
        [("content-length", "400000"), ("transfer-encoding", "chunked"), ("connection", "close")],
        ids=["length", "chunked", "to its end"],
    )
    def test_blank_lines(self, framing: tuple[str, str]) -> None:
        """A body that is all line breaks is handed over as it came, not line by line: it costs what others do."""
        body = b"\r\n" * 200_000
        incoming = BaseWire()
        incoming.hand_over(b"HTTP/1.1 200 Spoken\r\n\r\n")
        incoming.body_begins(dict([framing]))
        sent = b"%x\r\n%b\r\n" % (len(body), body) if framing[1] == "chunked" else body
        assert incoming.hand_over(sent) == sent

    def test_clean_connection_is_kept(self, api: Api, serve: Serve) -> None:
        """An answer that ends where it should leaves its connection for the next call, chunked or not."""
        numbered = answer(a_run("first"), headers={"Age": "5", "X-Count": "7"})
        server = serve(FIRST, chunked(FIRST.partition(b"\r\n\r\n")[2]), error(404), numbered, FIRST)
        client = api.client(server)
        for _ in range(6):
            with contextlib.suppress(facade.NotFoundError):
                get(client)
        assert server.connections == 1


@pytest.fixture(scope="module")
def certified() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A TLS context of a server on 127.0.0.1, and one that trusts it."""
    authority = trustme.CA()
    own, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(own)
    authority.configure_trust(trusting)
    return own, trusting


def is_clear(failure: BaseException | None) -> bool:
    """Whether a call's error says that its client was closed."""
    return isinstance(failure, (facade.APIConnectionError, RuntimeError)) and "closed" in str(failure)


class TestClosing:
    """A client that is closed while calls are under way."""

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
    @pytest.mark.parametrize("timeout_sec", [0, 60], ids=["no limit", "limit"])
    def test_calls_under_way(self, serve: Serve, certified: Any, tls: bool, timeout_sec: float) -> None:
        """Sync: they end at once with an error that says so, and read from nobody's descriptors afterwards."""
        own, trusting = certified
        late = threading.Event()

        def say(request: Request) -> Script:
            late.wait(3 * PATIENCE_SEC)
            return answer(a_run())

        server = serve(say, tls=own if tls else None)
        client = facade.Client(KEY, api_base=server.url, verify=trusting, timeout_sec=timeout_sec)
        calls = [begin(get, client, f"run_{n}") for n in range(8)]
        assert until(lambda: server.busy == 8)
        client.close()
        pairs = [socket.socketpair() for _ in range(24)]  # they take the numbers that have become free
        for mine, _ in pairs:
            mine.sendall(b"somebody else's")
        ended = until(lambda: all(call.done() for call in calls))
        late.set()
        assert ended
        assert all(is_clear(call.exception()) for call in calls)
        assert all(getattr(call.exception(), "sent", None) for call in calls)
        for mine, other in pairs:
            with mine, other:
                other.setblocking(False)
                assert other.recv(99) == b"somebody else's"
        assert until(lambda: server.open_connections == 0)

    def test_leaving_with(self, serve: Serve) -> None:
        """Leaving `with` is closing."""
        server = serve((HANG,))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            call = begin(get, client)
            assert until(lambda: server.busy == 1)
        assert is_clear(call.exception(PATIENCE_SEC))

    @pytest.mark.parametrize(
        "script",
        [(head(200, {"Content-Length": "999"}), b"{", HANG), (head()[:20], HANG)],
        ids=["in the body", "in the head"],
    )
    def test_half_an_answer(self, serve: Serve, script: Script) -> None:
        """A call that has half of its answer ends at once as well."""
        server = serve(script)
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED)
        call = begin(get, client)
        assert until(lambda: server.busy == 1)
        client.close()
        assert is_clear(call.exception(PATIENCE_SEC))

    def test_connecting(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call that is about to connect when its client is closed ends with an error, and leaves no connection."""
        resolving, closed = threading.Event(), threading.Event()
        resolve = socket.getaddrinfo

        def slow(*arguments: Any, **options: Any) -> Any:
            resolving.set()
            closed.wait(PATIENCE_SEC)
            return resolve(*arguments, **options)

        server = serve(RUN)
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        failure = self.closed_under(api, server.url.replace("127.0.0.1", "localhost"), resolving.is_set, closed.set)
        assert is_clear(failure)
        assert failure.sent is False
        assert until(lambda: server.open_connections == 0)

    def test_handshake(self, api: Api) -> None:
        """So does one that is in the midst of the TLS handshake."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            accepted = begin(lambda: silent.accept()[0])
            failure = self.closed_under(api, f"https://127.0.0.1:{silent.getsockname()[1]}/v1", accepted.done)
            accepted.result().close()
        assert is_clear(failure)
        assert failure.sent is False

    @staticmethod
    def closed_under(
        api: Api, base: str, is_under_way: Callable[[], bool], then: Callable[[], None] = lambda: None
    ) -> Any:
        """What becomes of a call whose client is closed once something holds; `then` is called after that."""
        if api.kind == "sync":
            client = api.client(base)
            call = begin(get, client)
            assert until(is_under_way)
            client.close()
            then()
            return call.exception(PATIENCE_SEC)

        async def work() -> Any:
            client = facade.AsyncClient(KEY, api_base=base, verify=TRUSTED)
            task = asyncio.create_task(client.runs.get("thread_1", "run_1"))
            assert await eventually(is_under_way)
            await client.aclose()
            then()
            return (await asyncio.gather(task, return_exceptions=True))[0]

        return asyncio.run(work())

    def test_about_to_be_under_way(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call that takes its connection in the very moment of closing ends too."""

        class Late(pool.Connection):
            def __init__(self, *arguments: Any) -> None:
                client.close()
                super().__init__(*arguments)

        server = serve((HANG,))
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED)
        monkeypatch.setattr(pool, "Connection", Late)
        assert is_clear(begin(get, client).exception(PATIENCE_SEC))
        assert until(lambda: server.open_connections == 0)

    def test_waiting_for_a_retry(self, serve: Serve) -> None:
        """A call that waits for its retry sends no more once its client is closed."""
        server = serve(error(503, {"Retry-After-Ms": "300"}), RUN)
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED, max_retry_count=1)
        call = begin(get, client)
        assert until(lambda: len(server.requests) == 1 and server.busy == 0)
        client.close()
        assert isinstance(call.exception(PATIENCE_SEC), (facade.APIError, RuntimeError))
        assert len(server.requests) == 1

    def test_view_is_closed_with_it(self, serve: Serve) -> None:
        """A view's call under way ends too; closing the view alone ends nothing."""
        late = threading.Event()

        def say(request: Request) -> Script:
            late.wait(PATIENCE_SEC)
            return RUN

        server = serve(say)
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED)
        view = client.with_options(timeout_sec=60)
        call = begin(get, client)
        assert until(lambda: server.busy == 1)
        view.close()
        late.set()
        assert call.result(PATIENCE_SEC).id == "run_1"
        late.clear()
        call = begin(get, view)
        assert until(lambda: server.busy == 1)
        client.close()
        try:
            assert is_clear(call.exception(PATIENCE_SEC))
        finally:
            late.set()

    def test_walk_over_many(self, api: Api, serve: Serve) -> None:
        """A walk whose client is closed under it ends with an error, and its threads or tasks with it."""
        server = serve(lambda r: answer(a_page(runs(2), True)) if not r.value("after") else (HANG,))
        client = api.client(server)
        walk = client.runs.all([f"thread_{n}" for n in range(6)], concurrency=6)
        next(walk)
        client.close()
        _, failure = read_all(walk)
        assert isinstance(failure, (facade.APIError, RuntimeError))
        assert api.until(lambda: not api.threads() and not api.tasks())
        assert api.until(lambda: server.open_connections == 0)

    def test_async_calls_under_way(self, serve: Serve) -> None:
        """Async: the same for tasks."""
        server = serve((HANG,))

        async def work(client: facade.AsyncClient) -> list[Any]:
            calls = [asyncio.create_task(client.runs.get("thread_1", f"run_{n}")) for n in range(8)]
            assert await eventually(lambda: server.busy == 8)
            await client.aclose()
            async with asyncio.timeout(PATIENCE_SEC):
                return await asyncio.gather(*calls, return_exceptions=True)

        assert all(is_clear(failure) for failure in with_client(server, work))
        assert until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
    def test_aclose_cancelled(self, serve: Serve, certified: Any, tls: bool) -> None:
        """`aclose()` that is cancelled half way loses no connection: called again, it closes what is left."""
        own, trusting = certified
        server = serve((0.01, RUN), tls=own if tls else None)

        async def work() -> None:
            for rounds in range(12):
                client = facade.AsyncClient(KEY, api_base=server.url, verify=trusting)
                await asyncio.gather(*(client.runs.get("thread_1", "run_1") for _ in range(5)))
                closing = asyncio.create_task(client.aclose())
                for _ in range(rounds):
                    await asyncio.sleep(0)
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
                await client.aclose()
                assert await eventually(lambda: server.open_connections == 0)

        asyncio.run(work())


class SoftLimitError(Exception):
    """What a signal handler raises."""


@contextlib.contextmanager
def raising(number: int = signal.SIGALRM) -> Iterator[None]:
    """A signal raises SoftLimitError; so it does where a test hangs."""

    def handle(*_: Any) -> None:
        raise SoftLimitError

    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(number, before)


def interrupt_main(*parts: Any) -> Iterator[Any]:
    """Says something, then sends this process's main thread the signal, then hangs."""
    yield from parts
    yield 0.02
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
    yield HANG


class Points:
    """Where a signal's exception can come: as a function begins, and as one that is not Python's own is over."""

    def __init__(self) -> None:
        self.seen = 0

    @contextlib.contextmanager
    def raising_at(self, number: int) -> Iterator[None]:
        """Raises SoftLimitError at the point with that number, in this thread; `seen` says how many there were."""
        self.seen = 0

        def see(frame: Any, event: str, _: Any) -> None:
            if event not in ("call", "c_return") or not _is_of_a_walk(frame):
                return
            self.seen += 1
            if self.seen == number:
                raise SoftLimitError

        sys.setprofile(see)
        try:
            yield
        finally:
            sys.setprofile(None)


def _is_of_a_walk(frame: Any) -> bool:
    """Whether a walk over several is at work; not the start of a thread, where Python's own library would hang."""
    names = []
    while frame is not None:
        names.append((frame.f_globals.get("__name__"), frame.f_code.co_name))
        frame = frame.f_back
    return ("threading", "start") not in names and any(module == "facade._sync.walks" for module, _ in names)


MOMENTS: dict[str, tuple[Any, ...]] = {
    "before the head": (),
    "in the head": (head()[:30],),
    "in the body": (head(200, {"Content-Length": "999"}), b'{"id":'),
    "in a chunk": (head(200, {"Transfer-Encoding": "chunked"}), b"40\r\n{"),
}


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals to threads")
class TestSignals:
    """An exception that a signal handler raises in the middle of a sync call."""

    @pytest.mark.parametrize("name", MOMENTS)
    @pytest.mark.parametrize("timeout_sec", [0, 60], ids=["no limit", "limit"])
    def test_next_call(self, serve: Serve, name: str, timeout_sec: float) -> None:
        """It comes out as it is; the connection is dropped, and the next call gets its own answer on another."""
        server = serve(lambda r: echo(r) if "run_good" in r.path else interrupt_main(*MOMENTS[name]))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED, timeout_sec=timeout_sec) as client, raising():
            for _ in range(2):
                with pytest.raises(SoftLimitError):
                    get(client, "run_bad")
                signal.setitimer(signal.ITIMER_REAL, PATIENCE_SEC)  # the next call must not hang
                assert get(client, "run_good").id == "run_good"
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert until(lambda: server.busy == 0)
            assert until(lambda: server.open_connections == 1)
        assert until(lambda: server.open_connections == 0)

    @pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    )  # ssl leaves its socket to the collector
    def test_in_a_handshake(self, serve: Serve) -> None:
        """In a TLS handshake it leaves no connection open."""
        server = serve(lambda request: RUN)
        with socket.create_server(("127.0.0.1", 0)) as mute, raising():
            client = facade.Client(KEY, api_base=f"https://127.0.0.1:{mute.getsockname()[1]}/v1", verify=TRUSTED)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(SoftLimitError):
                get(client)
            sock, _ = mute.accept()
            with sock:
                sock.settimeout(PATIENCE_SEC)
                with contextlib.suppress(ConnectionResetError):
                    while sock.recv(65_536):  # a hello, then the end
                        pass
            client.close()
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            assert get(client).id == "run_1"

    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    def test_walk(self, serve: Serve, many: bool) -> None:
        """In a walk it ends the walk; nothing of it goes on, and the client can be used."""

        def say(request: Request) -> Script:
            if not request.path.endswith("/runs"):
                return echo(request)
            return interrupt_main() if request.path.endswith("thread_1/runs") else (HANG,)

        server = serve(say)
        threads = [f"thread_{n}" for n in range(1, 5)]
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client, raising():
            with pytest.raises(SoftLimitError):
                list(client.runs.all(threads if many else "thread_1"))
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_SEC)
            assert get(client, "run_good").id == "run_good"
            assert until(lambda: server.busy == 0)

    def test_at_any_moment(self, serve: Serve) -> None:
        """Whenever it comes, the next call gets its own answer."""
        server = serve(lambda request: (0.001, echo(request)))
        text = f"""
        class SoftLimitError(Exception):
            pass

        def handle(*_):
            raise SoftLimitError

        signal.signal(signal.SIGALRM, handle)
        client = facade.Client(api_base=BASE)
        client.runs.get("thread_1", "run_1")
        for number in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 * (number + 1))
                client.runs.get("thread_1", f"run_cut_{{number}}", timeout_sec=60)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except SoftLimitError:
                pass
            signal.setitimer(signal.ITIMER_REAL, {2 * PATIENCE_SEC})
            assert client.runs.get("thread_1", f"run_{{number}}").id == f"run_{{number}}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        client.close()
        print("whole", flush=True)
        sys.stdin.read()
        """
        with program(server, text, warnings="ignore", stdin=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            none_left = until(lambda: server.open_connections == 0)
            _, errors = process.communicate(timeout=30)
        assert line == "whole\n", errors
        assert none_left

    @pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    )  # where Python forgets a thread, nobody can be told
    @pytest.mark.parametrize("kind", [list, iter])
    def test_at_any_point_of_a_walk(self, serve: Serve, kind: Callable[[list[str]], Any]) -> None:
        """Wherever in the caller's thread it comes, it ends the walk and its threads, and the client goes on."""
        server = serve(lambda r: answer(a_page([a_run(1)])) if r.path.endswith("/runs") else echo(r))
        points = Points()

        def walk(number: int) -> int:
            threads = kind([f"thread_{n}" for n in range(4)])
            with points.raising_at(number), contextlib.suppress(SoftLimitError):
                return len(list(client.runs.all(threads, concurrency=3)))
            return 0

        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            for number in range(0, 2000, 3):
                count = begin(walk, number).result(10 * PATIENCE_SEC)
                assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("facade")])
                if number > points.seen:
                    break
                if number % 50 < 3:
                    assert begin(get, client).result(10 * PATIENCE_SEC).id == "run_1"
        assert count == 4
        assert number > 100

    def test_cmdlets(self, serve: Serve) -> None:
        """The cmdlet functions' shared connections bear it as well."""
        server = serve(lambda r: echo(r) if "run_good" in r.path else interrupt_main())
        with raising():
            with pytest.raises(SoftLimitError):
                facade.get_thread_run("thread_1", "run_bad", api_base=server.url, api_key=KEY)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_SEC)
            assert facade.get_thread_run("thread_1", "run_good", api_base=server.url, api_key=KEY).id == "run_good"


class TestIdle:
    """Connections that nobody uses."""

    def test_given_up(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that nobody has wanted for a while are closed when another comes back."""
        monkeypatch.setattr("facade._route.KEEP_SEC", 0.3)
        gate = Gate(6, PATIENCE_SEC)

        def say(request: Request) -> Script:
            if request.path.endswith("/runs"):
                gate.pass_through()
                return answer(a_page(runs(1)))
            return RUN

        server = serve(say)
        client = api.client(server)
        assert len(list(client.runs.all([f"thread_{n}" for n in range(6)], concurrency=6))) == 6
        get(client)
        assert server.open_connections == 6
        api.rest(0.4)
        get(client)
        assert api.until(lambda: server.open_connections == 1)

    def test_given_up_elsewhere(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """So are those to another server, which clients that share connections no longer ask."""
        monkeypatch.setattr("facade._route.KEEP_SEC", 0.1)
        one, other = serve(RUN), serve(RUN)
        facade.get_thread_run("thread_1", "run_1", api_base=one.url, api_key=KEY)
        assert one.open_connections == 1
        threading.Event().wait(0.2)
        facade.get_thread_run("thread_1", "run_1", api_base=other.url, api_key=KEY)
        assert until(lambda: one.open_connections == 0)
        assert other.open_connections == 1

    def test_too_old(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that was idle for too long is not used again: servers close theirs about then."""
        monkeypatch.setattr("facade._route.KEEP_SEC", 0.1)
        server = serve(RUN)
        client = api.client(server)
        get(client)
        get(client)
        assert server.connections == 1
        api.rest(0.2)
        get(client)
        assert server.connections == 2
        assert api.until(lambda: server.open_connections == 1)

    def test_closed_by_the_server(self, api: Api, serve: Serve) -> None:
        """Nor is one that the server has closed, of however many."""
        server = serve(lambda request: (RUN, CLOSE) if request.number <= 4 else RUN)
        client = api.client(server)
        for _ in range(4):
            assert get(client).id == "run_1"
            assert api.until(lambda: server.open_connections == 0)
        assert get(client).id == "run_1"

    @pytest.mark.parametrize("has_poll", [True, False], ids=["poll", "select"])
    def test_closed_while_the_loop_stands_still(
        self, api: Api, serve: Serve, has_poll: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor is one that it has closed while no task could notice, whatever the system has to look with."""
        if not has_poll:
            monkeypatch.delattr(select, "poll")
        server = serve((RUN, 0.1, CLOSE), RUN)
        client = api.client(server)
        get(client)
        assert until(lambda: server.open_connections == 0)
        assert get(client).id == "run_1"

    def test_walk_that_is_over_leaves_others_alone(self, serve: Serve) -> None:
        """Closing a walk breaks off what it does itself, not a call that uses a connection after it."""
        late = threading.Event()

        def say(request: Request) -> Script:
            if request.path.endswith("/runs"):
                return answer(a_page(runs(2)))
            late.wait(PATIENCE_SEC)
            return RUN

        server = serve(say)
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            walk = client.runs.all(["thread_1", "thread_2"], concurrency=2)
            next(walk)
            assert until(lambda: len(server.requests) == 2 and server.busy == 0)
            threading.Event().wait(0.1)  # the second answer is read by then
            calls = [begin(get, client) for _ in range(2)]
            assert until(lambda: server.busy == 2)
            assert server.connections == 2
            walk.close()
            late.set()
            assert [call.result(PATIENCE_SEC).id for call in calls] == ["run_1", "run_1"]


@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def eight_pages(request: Request) -> Script:
    """A list of eight pages, with one run each, which come slowly but for the first thread's."""
    page = int((request.value("after") or "run_0").rpartition("_")[2]) + 1
    return (0.0 if "thread_0" in request.path else 0.03, answer(a_page([a_run(page)], page < 8)))


class TestForkedWalks:
    """A walk under way when its process forks."""

    LEAVING: dict[str, str] = {  # noqa: RUF012  # a table
        "closes it": "walk.close()",
        "forgets it": "del walk; gc.collect()",
        "ends": "",
        "closes the client": "client.close()",
        "raises": "raise SystemExit(0)",
    }

    @staticmethod
    def forked(server: Server, many: bool, in_child: str) -> tuple[list[str], str]:
        """What a program prints that forks within a walk and ends it in the parent, and its errors."""
        threads = [f"thread_{n}" for n in range(6)] if many else "thread_1"
        text = f"""
        import gc
        client = facade.Client(api_base=BASE)
        walk = client.runs.all({threads!r}, concurrency=6)
        next(walk)
        child = os.fork()
        if child == 0:
{textwrap.indent(textwrap.dedent(in_child), " " * 12)}
            sys.exit(0)
        status = os.waitpid(child, 0)[1]
        print(status, 1 + len(list(walk)))
        client.close()
        """
        with program(server, text, warnings="ignore") as process:
            output, errors = process.communicate(timeout=30)
        return output.split(), errors

    @pytest.mark.parametrize(("how", "many"), [("closes it", False), *((how, True) for how in LEAVING)])
    def test_child_leaves(self, serve: Serve, how: str, many: bool) -> None:
        """Whatever a child does to end its parent's walk, the parent's goes on to its end."""
        printed, errors = self.forked(serve(eight_pages), many, self.LEAVING[how])
        assert printed == ["0", "48" if many else "8"], errors
        assert "Traceback" not in errors

    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    def test_child_goes_on(self, serve: Serve, many: bool) -> None:
        """A child that goes on with its parent's walk over many is told that it cannot; the parent can."""
        going_on = """
        try:
            print(1 + len(list(walk)), flush=True)
        except (RuntimeError, facade.APIError) as error:
            print("process" in str(error), flush=True)
        os._exit(0)
        """
        (child, status, parent), errors = self.forked(serve(eight_pages), many, going_on)
        assert (status, parent) == ("0", "48" if many else "8"), errors
        assert child == "True" or (not many and child == "8")  # one list alone may go on


class TestDropped:
    """A walk that is dropped, wherever its end is noticed."""

    def test_in_its_own_thread(self, serve: Serve) -> None:
        """The collector that runs in one of a walk's own threads ends it there, without a word or a hang."""
        dropped, collected = threading.Event(), threading.Event()
        count = 0
        lock = threading.Lock()

        def key() -> str:
            nonlocal count
            with lock:
                count += 1
                is_later = count > 4
            if is_later:
                dropped.wait(PATIENCE_SEC)
                gc.collect()
                collected.set()
            return KEY

        class Holder:
            walk: Any
            own: Any

        server = serve(lambda request: answer(a_page([a_run(request.number)], True)))
        with facade.Client(key, api_base=server.url, verify=TRUSTED) as client:
            holder = Holder()
            holder.own = holder
            holder.walk = client.runs.all([f"thread_{n}" for n in range(4)], concurrency=4)
            next(holder.walk)
            gc.disable()
            try:
                del holder
                dropped.set()
                assert until(collected.is_set)
            finally:
                gc.enable()
            gc.collect()
            assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("facade")])
            assert until(lambda: server.busy == 0)

    def test_in_another_thread(self, serve: Serve) -> None:
        """A walk may be dropped, or closed, by another thread than the one that read it."""
        server = serve(lambda r: answer(a_page([a_run(r.number)], True)) if "thread_0" in r.path else (HANG,))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            for end in (list.clear, lambda held: held[0].close()):
                held = [client.runs.all([f"thread_{n}" for n in range(4)], concurrency=4)]
                next(held[0])
                begin(end, held).result(PATIENCE_SEC)
                assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("facade")])
                assert until(lambda: server.busy == 0)

    def test_closed_while_it_is_read(self, serve: Serve) -> None:
        """A walk that another thread closes while one waits for its next object ends there."""
        server = serve((HANG,))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            walk = client.runs.all(["thread_1", "thread_2"])
            reading = begin(read_all, walk)
            assert until(lambda: server.busy == 2)
            walk.close()
            items, _ = reading.result(PATIENCE_SEC)
            assert items == []


def test_stream_that_nobody_reads(api: Api, serve: Serve) -> None:
    """What comes on a stream is not taken in before somebody reads it."""
    sent = 0

    def story() -> Iterator[Any]:
        nonlocal sent
        yield head(200, {"Content-Type": "text/event-stream"})
        for _ in range(1_000):
            yield b": nothing\n" * 6_000
            sent += 1
        yield HANG

    server = serve(lambda request: story())
    with api.client(server).runs.stream("thread_1", "asst_1"):
        api.rest(0.5)
        assert 0 < sent < 900


class TestSharing:
    """Connections and transports that several clients share."""

    @pytest.mark.filterwarnings("ignore:.*verify:DeprecationWarning")
    @pytest.mark.parametrize("kind", ["context", "path"])
    def test_configured_trust(self, serve: Serve, tmp_path: Path, kind: str) -> None:
        """The cmdlet functions trust whom `configure` says now, whatever it said before and wherever that lay."""

        def trust(path: Path) -> Any:  # another object each time
            return "".join(str(path)) if kind == "path" else ssl.create_default_context(cafile=path)

        makers: dict[str, Callable[[], Any]] = {}
        certificates = {}
        for name in ("a", "b"):
            authority = trustme.CA()
            certificates[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(certificates[name])
            path = tmp_path / f"{name}.pem"
            authority.cert_pem.write_to_path(str(path))
            makers[name] = partial(trust, path)
        server = serve(RUN, tls=certificates["a"])

        def ask() -> str:
            return facade.get_thread_run("thread_1", "run_1", api_base=server.url, api_key=KEY).id

        for _ in range(3):
            facade.configure(verify=makers["a"]())
            assert ask() == "run_1"
            facade.configure(verify=None)
            gc.collect()
            facade.configure(verify=makers["b"]())
            with pytest.raises(facade.APIConnectionError, match=r"(?i)certificate"):
                ask()
            facade.configure(verify=None)
            gc.collect()

    def test_replaced_connections_are_closed(self, serve: Serve) -> None:
        """What `configure` replaces is closed then, not when the process ends."""
        server = serve(RUN)
        for _ in range(5):
            facade.configure(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, api_key=KEY)
        assert until(lambda: server.open_connections <= 1)

    def test_replaced_under_a_walk(self, serve: Serve) -> None:
        """A walk that is under way when `configure` replaces its connections goes on to its end."""
        server = serve(lambda r: answer(a_page([a_run(r.number)], r.number < 5)))
        walk = facade.get_thread_run("thread_1", all=True, api_base=server.url, api_key=KEY)
        next(walk)
        facade.configure(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        other = serve(RUN)
        facade.get_thread_run("thread_1", "run_1", api_base=other.url, api_key=KEY)
        items, failure = read_all(walk)
        assert (len(items), failure) == (4, None)

    def test_many_clients_on_one_transport(self, api: Api, serve: Serve) -> None:
        """A transport may serve one client after another, as many as there are."""
        server = serve(
            lambda r: answer(a_run(), headers={"Connection": "close" if r.number % 200 == 0 else "keep-alive"})
        )
        transport = httpx.HTTPTransport() if api.kind == "sync" else httpx.AsyncHTTPTransport()
        clients = [api.client(server, transport=transport) for _ in range(1_100)]
        for client in clients:
            assert get(client).id == "run_1"

    @pytest.mark.parametrize("end", ["whole", "broken", "too large"])
    def test_stream_of_a_transport(self, api: Api, end: str) -> None:
        """What a transport of the caller's own gives is closed, however reading it ends."""
        ended = []

        class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield RUN.partition(b"\r\n\r\n")[2]
                if end == "broken":
                    raise httpx.ReadError("gone")

            async def __aiter__(self) -> AsyncIterator[bytes]:
                for chunk in self:
                    yield chunk

            def close(self) -> None:
                ended.append(end)

            async def aclose(self) -> None:
                self.close()

        limit = 100 if end == "too large" else 100_000
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Stream()))
        client = api.client("https://bakery.example/v1", transport=transport, max_response_bytes=limit)
        with contextlib.nullcontext() if end == "whole" else pytest.raises(facade.APIError):
            get(client)
        assert ended == [end]

    def test_cut_call_on_a_shared_transport(self, api: Api, serve: Serve) -> None:
        """A call that is cut short leaves the caller's own transport open for the others."""

        class Counting(httpx.HTTPTransport if api.kind == "sync" else httpx.AsyncHTTPTransport):  # type: ignore[misc]
            closed = 0

            def close(self) -> None:
                type(self).closed += 1
                super().close()

            async def aclose(self) -> None:
                type(self).closed += 1
                await super().aclose()

        server = serve((HANG,), RUN)
        client = api.client(server, transport=Counting())
        with pytest.raises(facade.APITimeoutError):
            get(client, timeout_sec=0.2)
        assert get(client).id == "run_1"
        assert Counting.closed == 0
        client.close()
        assert Counting.closed == 1
