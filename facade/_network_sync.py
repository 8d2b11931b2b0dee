"""What a connection of the sync client goes over: httpcore speaks on it, and this bounds, cancels and checks it.

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
from typing import Any

import httpcore

from facade._exchange import Bound
from facade._network_bytes import BaseWire

MAX_WAIT_SEC = 1e6
"""What a socket can wait for at once; no limit where it is more."""

MAX_SHARE_SEC = 5.0
"""How long one of several addresses of a host may keep the others from being tried."""

_NOTHING = contextlib.nullcontext()

home = os.getpid
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
        # A signal's exception leaves no lock of it locked.
        self._cancelling: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._wire: Wire | None = None

    def watch(self, wire: Wire | None) -> None:
        """Says which connection the thread uses now; None for none, when another may use it."""
        with self._lock:
            self._wire = wire
            if wire is not None and self._is_cancelled:
                wire.abort()

    def cancel(self) -> None:
        """Breaks off the wait, now or when it begins."""
        with self._lock:
            self._is_cancelled = True
            self._cancelling.put(None)
            if self._wire is not None:
                self._wire.abort()

    def wait(self, sec: float) -> None:
        """Waits some seconds, less where broken off."""
        with contextlib.suppress(queue.Empty):
            self._cancelling.get(timeout=sec)


def pause(sec: float, token: CancelToken | None) -> None:
    """Waits between attempts."""
    (token or CancelToken()).wait(sec)


class Wire(BaseWire, httpcore.NetworkBackend, httpcore.NetworkStream):
    """What one connection goes over: to httpcore it is the network."""

    def __init__(self) -> None:
        super().__init__()
        self._end = math.inf
        self._lock = threading.Lock()  # a socket that is shut down from another thread is not closed meanwhile
        self._stream: Any = None
        self._socket: socket.socket | None = None

    def time_limit(self, bound: Bound) -> contextlib.AbstractContextManager[None]:
        """A context that bounds what happens inside, from now on."""
        self.bound, self._end = bound, math.inf if bound[0] is None else time.monotonic() + bound[0]
        return _NOTHING

    def limit_has_passed(self) -> bool:
        """Whether the time limit that was set last has passed."""
        return time.monotonic() >= self._end

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
            self._socket = None
        if self._stream is not None:
            self._stream.close()

    __del__ = close  # where a signal's exception came before the connection was released

    def _use(self, stream: httpcore.NetworkStream, sock: socket.socket) -> Wire:
        """Goes over this from now on."""
        with self._lock:
            self._stream, self._socket = stream, sock
        return self

    def _left_sec(self, passed: type[Exception]) -> float | None:
        """What a wait for the network may take; None for no limit."""
        if self.is_aborted:  # while it had no socket to be woken through
            raise httpcore.ReadError("broken off")
        left = self._end - time.monotonic()
        if left <= 0:
            raise passed("the time limit passed")
        return left if left < MAX_WAIT_SEC else None

    # httpcore's side

    def connect_tcp(self, host: str, port: int, *options: Any, **more: Any) -> Wire:
        """Connects to the first of a host's addresses that answers, each in its share of the time that is left.

        The system resolves the name, which nothing here can bound.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for others, (*_, address) in zip(reversed(range(len(found))), found, strict=True):
            share = left = self._left_sec(httpcore.ConnectTimeout)
            if others:
                share = min(MAX_SHARE_SEC, (left or math.inf) / (others + 1))
            try:
                stream = httpcore.SyncBackend().connect_tcp(str(address[0]), port, share)
                return self._use(stream, stream.get_extra_info("socket"))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Wire:
        """Goes on over TLS."""
        if self.pending:
            raise httpcore.ConnectError("something was said before the TLS handshake")
        stream, left = self._stream, self._left_sec(httpcore.ConnectTimeout)
        sock = stream.get_extra_info("socket")
        # The handshake goes on under another socket object, where it is not inside TLS to a proxy; a duplicate of this
        # one can still be shut down.
        with contextlib.nullcontext(sock) if isinstance(sock, ssl.SSLSocket) else sock.dup() as remaining:
            self._use(stream, remaining)
            stream = stream.start_tls(ssl_context, server_hostname, left)
            return self._use(stream, stream.get_extra_info("socket"))

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What came, once something has; b"" at the end."""
        data = self.pending or self._stream.read(max_bytes, self._left_sec(httpcore.ReadTimeout))
        return self.hand_over(data)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends some bytes."""
        if buffer:  # httpcore writes nothing where a request has no body
            self.has_sent = not buffer.startswith(b"CONNECT ")  # which goes to a proxy
            self._stream.write(buffer, self._left_sec(httpcore.WriteTimeout))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection: whether anything has come, say."""
        return self._stream.get_extra_info(info)
