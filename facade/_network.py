"""What httpx's network streams lack: a hard bound on an attempt and a way to break one off (sync), tidiness (async).

httpx bounds each phase and each read by itself, so a body that drips never times out. In a sync client the timeout
that httpx carries down to each read is a `TimeLimit`, which knows when the whole attempt ends; every read, write and
connect is given what is left of it. Async attempts are bounded by asyncio, which leaves a connection open where it
cuts short a TLS handshake, or httpcore as it closes one; so an attempt knows the stream that it uses, to close it.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx


class Interrupt:
    """Breaks off what one thread does with the network, from another thread; for good."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def watch(self, sock: socket.socket | None) -> None:
        """Says which socket the thread is about to wait for; None once it waits for none, and another may use it."""
        with self._lock:
            self._socket = sock
        if sock is not None and self.is_set:
            raise httpcore.ReadError("broken off")

    def set(self) -> None:
        """Breaks off the wait, now or when it begins."""
        with self._lock:
            self._event.set()
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def wait(self, sec: float) -> bool:
        """Waits some seconds, less where broken off; says whether it was."""
        return self._event.wait(sec)


class TimeLimit(float):
    """The seconds that an attempt may take, and their end; infinite for no limit."""

    end: float
    interrupt: Interrupt | None

    @classmethod
    def starting_now(cls, sec: float | None, interrupt: Interrupt | None) -> TimeLimit:
        limit = cls(math.inf if sec is None else sec)
        limit.end = time.monotonic() + limit
        limit.interrupt = interrupt
        return limit


def _left(timeout: float | None, sock: Any, passed: type[Exception]) -> float | None:
    """What a wait for a socket may take of a time limit; None for no limit."""
    if not isinstance(timeout, TimeLimit):
        return timeout
    if timeout.interrupt is not None:
        timeout.interrupt.watch(sock)
    if timeout.end == math.inf:
        return None
    left = timeout.end - time.monotonic()
    if left <= 0:
        raise passed("the time limit passed")
    return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, self._socket, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, self._socket, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # The handshake goes on under another socket object; a duplicate of this one can still be shut down.
        with self._socket.dup() as duplicate:
            left = _left(timeout, duplicate, httpcore.ConnectTimeout)
            try:
                return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))
            finally:
                if isinstance(timeout, TimeLimit) and timeout.interrupt is not None:
                    timeout.interrupt.watch(None)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first of a host's addresses that answers, all within the limit.

        The system resolves the name, which nothing here can bound.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for *_, address in found:
            left = _left(timeout, None, httpcore.ConnectTimeout)
            try:
                return _Stream(self._backend.connect_tcp(str(address[0]), port, left, local_address, socket_options))
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, None, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_unix_socket(path, left, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


in_use: ContextVar[httpcore.AsyncNetworkStream | None] = ContextVar("in_use", default=None)
"""The stream that this task's attempt last used."""


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        in_use.set(stream)

    async def read(self, *arguments: Any, **options: Any) -> bytes:
        in_use.set(self._stream)
        return await self._stream.read(*arguments, **options)

    async def write(self, *arguments: Any, **options: Any) -> None:
        in_use.set(self._stream)
        await self._stream.write(*arguments, **options)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._stream.start_tls(*arguments, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._backend.connect_tcp(*arguments, **options))

    async def connect_unix_socket(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._backend.connect_unix_socket(*arguments, **options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def install(client: httpx.Client | httpx.AsyncClient) -> None:
    """Puts these streams under every transport that an httpx client has built for itself, proxies included.

    httpx has no public way to set the network backend of its own transports, hence the private names.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend(transport._pool._network_backend)
        elif isinstance(transport, httpx.AsyncHTTPTransport):
            transport._pool._network_backend = _AsyncBackend(transport._pool._network_backend)
