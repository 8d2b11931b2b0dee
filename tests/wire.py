"""A server that says exactly what a test tells it to, byte by byte over real sockets; and runs, steps and pages to say.

A script is what one request is answered with: bytes, or a tuple (or any iterable) of

    bytes   sent as they are
    float   a pause of so many seconds, which ends early where the client leaves
    CLOSE   the connection is closed in order
    RESET   the connection is broken off (a TCP reset)
    HANG    nothing more is said; ends when the client leaves

After a script's end the connection is kept for the next request.
"""

from __future__ import annotations

import contextlib
import enum
import http.server
import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

KEY = "sk-test-0123456789abcdef"
"""The key that the tests' clients have."""


class End(enum.Enum):
    """How a script ends a connection."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


CLOSE, RESET, HANG = End.CLOSE, End.RESET, End.HANG

Part = bytes | float | End
Script = bytes | Iterable[Part]
Serve = Callable[..., "Server"]
"""Starts a server; the fixture `serve`."""


class Request:
    """A request as it came.

    Attributes:
        head: its bytes, up to and with the empty line
        method, target: of its first line
        path: the target's path, as sent
        query: the target's query: names and values, decoded, in order
        headers: by their names in lower case
        connection: the number of the connection it came on, from 1
        number: its own number, from 1
        body: what came behind the head
    """

    def __init__(self, head: bytes, connection: int, number: int, body: bytes = b"") -> None:
        self.head = head
        self.body = body
        self.connection = connection
        self.number = number
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        parts = urlsplit(self.target)
        self.path = parts.path
        self.query = parse_qsl(parts.query, keep_blank_values=True)
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}

    def value(self, name: str) -> str | None:
        """The value of a query parameter; None where it was not sent."""
        return dict(self.query).get(name)

    @property
    def json(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)


class Server:
    """Listens on a free port of loopback until it is closed.

    Args:
        scripts: the first request gets the first script and so on, and the last one goes on for ever; or one function
            that makes the script of a request
        tls: wraps each connection

    Attributes:
        url: the base address to give to a client
        requests: all that came
        connections: how many were ever opened
        most_busy: how many requests were being answered at once, at most
    """

    def __init__(self, *scripts: Script | Callable[[Request], Script], tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.requests: list[Request] = []
        self.connections = 0
        self.busy = 0
        self.most_busy = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._spawn(self._accept)

    def _spawn(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name="wire")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._sockets.add(sock)
                self._spawn(self._converse, sock, self.connections)

    def _converse(self, sock: socket.socket, connection: int) -> None:
        raw = sock
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._sockets.discard(raw)
                    self._sockets.add(sock)
                raw = sock
                sock.do_handshake()
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    chunk = sock.recv(65536)
                    if not chunk:
                        return
                    rest += chunk
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                size = int(length[1]) if length else 0
                while len(rest) < size:
                    chunk = sock.recv(65536)
                    if not chunk:
                        return
                    rest += chunk
                body, rest = rest[:size], rest[size:]
                with self._lock:
                    request = Request(head + b"\r\n\r\n", connection, len(self.requests) + 1, body)
                    self.requests.append(request)
                    self.busy += 1
                    self.most_busy = max(self.most_busy, self.busy)
                try:
                    if not self._play(sock, self._script(request)):
                        return
                finally:
                    with self._lock:
                        self.busy -= 1
        except OSError:
            pass
        finally:
            with self._lock:
                self._sockets.discard(raw)
            sock.close()

    def _script(self, request: Request) -> Script:
        script = self._scripts[min(request.number, len(self._scripts)) - 1]
        return script(request) if callable(script) else script

    def _play(self, sock: socket.socket, script: Script) -> bool:
        for part in (script,) if isinstance(script, bytes) else script:
            if isinstance(part, bytes):
                sock.sendall(part)
            elif isinstance(part, float | int):
                _rest(sock, part)
            elif part is RESET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            elif part is CLOSE:
                return False
            else:
                _rest(sock, None)
        return True

    @property
    def open_connections(self) -> int:
        """How many connections are open now, idle ones included."""
        with self._lock:
            return len(self._sockets)

    def forget(self) -> None:
        """Forgets the requests that came and the threads that have ended."""
        with self._lock:
            self.requests.clear()
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def close(self) -> None:
        """Ends all connections and waits for the threads."""
        with self._lock:
            self._closed = True
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Gate:
    """Holds answers back until so many requests wait for theirs at once: a count where a clock would be asserted.

    Args:
        count: how many open it
        patience_sec: after so long in vain everything passes, so that a test fails instead of hanging

    Attributes:
        most: how many waited at once, at most, by key
    """

    def __init__(self, count: int, patience_sec: float = 5.0) -> None:
        self._count = count
        self._patience_sec = patience_sec
        self._change = threading.Condition()
        self._waiting: Counter[Any] = Counter()
        self._given_up = False
        self.most: Counter[Any] = Counter()

    def pass_through(self, key: Any = None) -> None:
        """Waits at the gate of this key; once it has opened it stays open."""
        with self._change:
            self._waiting[key] += 1
            self.most[key] = max(self.most[key], self._waiting[key])
            self._change.notify_all()
            if not self._change.wait_for(lambda: self._given_up or self.most[key] >= self._count, self._patience_sec):
                self._given_up = True
                self._change.notify_all()
            self._waiting[key] -= 1


def _rest(sock: socket.socket, sec: float | None) -> None:
    """Waits so many seconds, or for ever; raises as soon as the other side has left."""
    end = None if sec is None else time.monotonic() + sec
    while True:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return
        readable, _, _ = select.select([sock], [], [], left)
        if readable:
            if not sock.recv(1, 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_PEEK):
                raise ConnectionResetError("the client has left")
            time.sleep(0.01 if left is None else min(left, 0.01))


@contextlib.contextmanager
def deaf_url(host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The base address of a port that no connection comes through to: its queue is full."""
    with socket.create_server((host, port), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            waiting.append(sock)
        time.sleep(0.05)
        try:
            yield f"http://{host}:{address[1]}/v1"
        finally:
            for sock in waiting:
                sock.close()


def refused_url() -> str:
    """The base address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@contextlib.contextmanager
def in_a_thread(server: http.server.HTTPServer) -> Iterator[None]:
    """The standard library's own server, serving while the context lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(holds: Callable[[], Any], sec: float = 3.0) -> bool:
    """Waits until something holds, so many seconds at most; says whether it does."""
    end = time.monotonic() + sec
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def head(status: int = 200, headers: Mapping[str, str | None] | None = None) -> bytes:
    """The head of an answer, as JSON unless `headers` say otherwise; a header of None is left out."""
    named = {"Content-Type": "application/json", **(headers or {})}
    lines = [f"HTTP/1.1 {status} Spoken", *(f"{name}: {value}" for name, value in named.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(body: Any = b"", status: int = 200, headers: Mapping[str, str | None] | None = None) -> bytes:
    """A whole answer.

    Args:
        body: its bytes, or a value to send as JSON
        status: the HTTP status
        headers: further headers, by name; None leaves one out
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, {"Content-Length": str(len(content)), **(headers or {})}) + content


def error(status: int, headers: Mapping[str, str | None] | None = None, **fields: Any) -> bytes:
    """An answer with the API's error envelope."""
    said = {"message": f"no luck: {status}", "type": "test_error", "param": None, "code": None, **fields}
    return answer({"error": said}, status, headers)


def again(status: int = 503, headers: Mapping[str, str | None] | None = None, **fields: Any) -> bytes:
    """An error that asks to be retried at once."""
    return error(status, {"Retry-After-Ms": "1", **(headers or {})}, **fields)


def drip(text: bytes, pause_sec: float = 0.05) -> Iterator[Part]:
    """The bytes one by one, with a pause before each."""
    for index in range(len(text)):
        yield pause_sec
        yield text[index : index + 1]


def a_run(number: int | str = 1, thread_id: str = "thread_1", **fields: Any) -> dict[str, Any]:
    """A whole run; `fields` take the place of its own."""
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "created_at": 1_760_000_000,
        "thread_id": thread_id,
        "assistant_id": "asst_1",
        "status": "completed",
        "required_action": None,
        "last_error": None,
        "expires_at": None,
        "started_at": 1_760_000_001,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": 1_760_000_009,
        "incomplete_details": None,
        "model": "gpt-4o",
        "instructions": "Count the loaves.",
        "tools": [{"type": "code_interpreter"}],
        "metadata": {"oven": "2"},
        "usage": {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42},
        "temperature": 1.0,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        **fields,
    }


def a_step(number: int | str = 1, run_id: str = "run_1", thread_id: str = "thread_1", **fields: Any) -> dict[str, Any]:
    """A whole step that made a message; `fields` take the place of its own."""
    return {
        "id": f"step_{number}",
        "object": "thread.run.step",
        "created_at": 1_760_000_002,
        "run_id": run_id,
        "assistant_id": "asst_1",
        "thread_id": thread_id,
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": 1_760_000_003,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
        "metadata": None,
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        **fields,
    }


def a_page(items: Sequence[Mapping[str, Any]], has_more: Any = False, **fields: Any) -> dict[str, Any]:
    """A list of runs or steps as the API gives it; `fields` take the place of its own."""
    return {
        "object": "list",
        "data": list(items),
        "first_id": items[0].get("id") if items else None,
        "last_id": items[-1].get("id") if items else None,
        "has_more": has_more,
        **fields,
    }


def runs(count: int, thread_id: str = "thread_1", begin: int = 1) -> list[dict[str, Any]]:
    """Runs run_1, run_2 and so on."""
    return [a_run(number, thread_id) for number in range(begin, begin + count)]


def steps(count: int, run_id: str = "run_1", thread_id: str = "thread_1") -> list[dict[str, Any]]:
    """Steps of one run, their ids made of its id."""
    return [a_step(f"{run_id}_{number}", run_id, thread_id) for number in range(1, count + 1)]


RUN = answer(a_run())
STEP = answer(a_step())
PAGE = answer(a_page(runs(2)))
EMPTY = answer(a_page([]))


def library(lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> Callable[[Request], bytes]:
    """Answers as a well-behaved API does, with limit, order, after and before.

    Args:
        lists: the objects of each list, in ascending order, by the list's path below the base
    """

    def say(request: Request) -> bytes:
        path = unquote(request.path.removeprefix("/v1"))
        if path in lists:
            items = list(lists[path])
            if request.value("order") != "asc":
                items.reverse()
            ids = [item["id"] for item in items]
            after, before, limit = request.value("after"), request.value("before"), int(request.value("limit") or 20)
            begin = 0 if after is None else ids.index(after) + 1
            end = len(items) if before is None else ids.index(before)
            return answer(a_page(items[begin:end][:limit], has_more=begin + limit < end))
        parent, _, name = path.rpartition("/")
        for item in lists.get(parent, ()):
            if item["id"] == name:
                return answer(item)
        return error(404, message=f"no {path}")

    return say


def sent(server: Server) -> list[tuple[str, list[tuple[str, str]]]]:
    """The paths below the base, and queries, of all requests."""
    return [(request.path.removeprefix("/v1"), request.query) for request in server.requests]


def paths(server: Server) -> list[str]:
    """The paths below the base of all requests."""
    return [path for path, _ in sent(server)]


def ids(items: Iterable[Any]) -> list[str]:
    """The ids of runs or steps."""
    return [item.id for item in items]


def waiting_run(*calls: Any, approvals: bool = False, **fields: Any) -> dict[str, Any]:
    """A run that waits for the outputs of these calls, or for their approval."""
    kind, key = ("submit_tool_approval",) * 2 if approvals else ("submit_tool_outputs",) * 2
    return a_run(
        **{"status": "requires_action", "required_action": {"type": kind, key: {"tool_calls": list(calls)}}, **fields}
    )


def a_message(value: str = "Two loaves.", **fields: Any) -> dict[str, Any]:
    """A whole message of one text; `fields` take the place of its own."""
    return {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1_760_000_004,
        "thread_id": "thread_1",
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "status": "completed",
        "incomplete_details": None,
        "completed_at": 1_760_000_005,
        "incomplete_at": None,
        "role": "assistant",
        "content": [{"type": "text", "text": {"value": value, "annotations": []}}],
        "attachments": [],
        "metadata": {},
        **fields,
    }


def event(name: str, data: Any) -> bytes:
    """One event of a stream, its data as JSON."""
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()


def stream_of(*events: tuple[str, Any]) -> bytes:
    """The bytes of an event stream."""
    return b"".join(event(name, data) for name, data in events)
