"""One connection of the sync client: httpcore speaks on it, and this bounds, cancels and checks what it does.

httpcore bounds each read by itself, so a body that drips never times out: here every read, write and connect gets
what is left of the attempt. It takes bytes behind an answer for the begin of the next: here they are noticed, and the
connection is dropped. And a thread that waits for a socket can only be woken through that socket: so `abort`.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from facade._http import as_httpx
from facade._network_bytes import Incoming
from facade._route import Route

MAX_WAIT_SEC = 1e6
"""What a socket can wait for at once; no limit where it is more."""


_NOTHING = contextlib.nullcontext()


home = first_home = os.getpid
"""Where connections may be used: in this process."""


def settle(given: Any, what: str = "this", refusal: type[Exception] = TypeError) -> Any:
    """What a caller's function gave.

    Args:
        given: that
        what: what the function is, for the error
        refusal: the class of the error

    Raises:
        refusal: it is a coroutine.
    """
    if inspect.iscoroutine(given):
        given.close()
        raise refusal(f"{what} is a coroutine function; use facade.AsyncClient")
    return given


class CancelToken:
    """Breaks off what one thread does with the network, from another thread; for good."""

    def __init__(self) -> None:
        self._is_cancelled = False
        self._cancelling: queue.SimpleQueue[None] = (
            queue.SimpleQueue()
        )  # a signal's exception leaves it as it should be
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    def watch(self, connection: Connection | None) -> None:
        """Says which connection the thread uses now; None for none, when another may use it."""
        with self._lock:
            self._connection = connection
            if connection is not None and self._is_cancelled:
                connection.abort()

    def cancel(self) -> None:
        """Breaks off the wait, now or when it begins."""
        with self._lock:
            self._is_cancelled = True
            self._cancelling.put(None)
            if self._connection is not None:
                self._connection.abort()

    def wait(self, sec: float) -> None:
        """Waits some seconds, less where broken off."""
        with contextlib.suppress(queue.Empty):
            self._cancelling.get(timeout=sec)


def pause(sec: float, token: CancelToken | None) -> None:
    """Waits between attempts."""
    if token is None:
        time.sleep(sec)
    else:
        token.wait(sec)


class _Wire:
    """What the network streams of a connection know of the attempt under way: its end, and whether it is broken off."""

    def __init__(self) -> None:
        self.end = math.inf
        self.incoming = Incoming()
        self.is_aborted = self.has_sent = False
        self._lock = threading.Lock()
        self._stream: httpcore.NetworkStream | None = None
        self._socket: socket.socket | None = None

    def use(self, stream: httpcore.NetworkStream | None, sock: socket.socket | None) -> None:
        """Says what the connection goes over now."""
        with self._lock:
            self._stream, self._socket = stream, sock

    def abort(self) -> None:
        """Wakes the thread that waits for the socket, from another thread; that thread closes it."""
        with self._lock:
            self.is_aborted = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the socket, without any lock of httpcore's, which an interrupted thread may hold."""
        with self._lock:
            stream, self._stream, self._socket = self._stream, None, None
        if stream is not None:
            stream.close()

    def left_sec(self, passed: type[Exception]) -> float | None:
        """What a wait for the network may take; None for no limit."""
        if self.is_aborted:
            raise httpcore.ReadError("broken off")
        if self.end == math.inf:
            return None
        left = self.end - time.monotonic()
        if left <= 0:
            raise passed("the time limit passed")
        return left if left < MAX_WAIT_SEC else None


class Connection:
    """One connection, used by one attempt at a time.

    Args:
        route: where it leads
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self._wire = _Wire()
        self._limit_sec: float | None = None
        self._http: httpcore.ConnectionInterface | None = None
        self.response: Any = None
        if route.transport is None:
            pool = httpcore.ConnectionPool(**route.pool_options(), network_backend=_Backend(self._wire))
            self._http = pool.create_connection(route.origin())

    def time_limit(self, sec: float | None) -> contextlib.AbstractContextManager[None]:
        """A context that bounds what happens to so many seconds from now, None for no limit; `has_sent` begins anew."""
        self._wire.has_sent = False
        self._wire.end = math.inf if sec is None else time.monotonic() + sec
        self._limit_sec = sec
        return _NOTHING

    def limit_has_passed(self) -> bool:
        """Whether the time limit that was set last has passed."""
        return time.monotonic() >= self._wire.end

    def send(self, request: httpcore.Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Sends a request; gives the answer's status and headers. `response.stream` gives its body."""
        if self._http is None:
            self._wire.has_sent = True
            self.response = self.route.transport.handle_request(as_httpx(request, self._limit_sec))
            return self.response.status_code, self.response.headers.raw
        self._wire.incoming.answer_begins()
        self.response = self._http.handle_request(request)
        self._wire.incoming.body_begins(self.response.headers)
        return self.response.status, self.response.headers

    def finish(self) -> None:
        """Ends the reading of an answer, whether or not it was read to its end."""
        self.response.close() if self._http is None else self.response.stream.close()

    def may_be_kept(self) -> bool:
        """Whether the next request may use it: the answer was read to its end, and nothing came behind it."""
        wire = self._wire
        return self._http is not None and self._http.is_idle() and wire.incoming.is_at_end and not wire.is_aborted

    def is_alive(self) -> bool:
        """Whether it can still be used, after nobody did for a while."""
        return self._http is not None and self._http.is_available() and not self._http.has_expired()

    def abort(self) -> None:
        """Wakes the thread that waits for this connection, from another thread; that thread closes it."""
        self._wire.abort()

    @property
    def has_sent(self) -> bool:
        """Whether anything of a request was sent, or may have been."""
        return self._wire.has_sent

    @property
    def is_aborted(self) -> bool:
        """Whether `abort` was called."""
        return self._wire.is_aborted

    def close(self) -> None:
        """Closes the socket, in the thread that uses the connection."""
        self._wire.close()

    __del__ = close  # where a signal's exception came before it was released


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, wire: _Wire) -> None:
        self._stream = stream
        self._wire = wire
        wire.use(stream, stream.get_extra_info("socket"))
        if wire.is_aborted:
            wire.close()
            raise httpcore.ConnectError("broken off")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wire, incoming = self._wire, self._wire.incoming
        return incoming.hand_over(incoming.pending or self._stream.read(max_bytes, wire.left_sec(httpcore.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:  # httpcore writes nothing where a request has no body
            self._wire.has_sent = True
            self._stream.write(buffer, self._wire.left_sec(httpcore.WriteTimeout))

    def close(self) -> None:
        self._wire.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wire, stream, sock = self._wire, self._stream, self._stream.get_extra_info("socket")
        left = wire.left_sec(httpcore.ConnectTimeout)
        if wire.incoming.pending:
            raise httpcore.ConnectError("something was said before the TLS handshake")
        if isinstance(sock, ssl.SSLSocket):  # TLS to the endpoint inside TLS to a proxy: this socket stays
            return _Stream(stream.start_tls(ssl_context, server_hostname, left), wire)
        # The handshake goes on under another socket object; a duplicate of this one can still be shut down.
        with sock.dup() as duplicate:
            wire.use(stream, duplicate)
            try:
                return _Stream(stream.start_tls(ssl_context, server_hostname, left), wire)
            except BaseException:
                wire.close()
                raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first of a host's addresses that answers, each in its share of the time that is left.

        The system resolves the name, which nothing here can bound.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for others, (*_, address) in zip(reversed(range(len(found))), found, strict=True):
            left = self._wire.left_sec(httpcore.ConnectTimeout)
            share = left if not others else MAX_SHARE_SEC if left is None else min(MAX_SHARE_SEC, left / (others + 1))
            try:
                stream = self._backend.connect_tcp(str(address[0]), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._wire)
        raise failure


MAX_SHARE_SEC = 5.0
"""How long one of several addresses of a host may keep the others from being tried."""
