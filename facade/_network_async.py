"""One connection of the async client: what `_network_sync` is, on asyncio's transports.

asyncio bounds a whole attempt by itself. What this adds: a connection can be dropped at once and without waiting,
whatever is cancelled meanwhile, and bytes that come behind an answer are seen even where they were read already.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from facade._http import as_httpx
from facade._network_bytes import Incoming
from facade._route import Route

CONNECT_DELAY_SEC: float | None = 0.25
"""How long one address of a host is tried alone before the next is tried beside it."""

BUFFER_BYTES = 256 * 1024
"""How much is read ahead of what is asked for."""


def home() -> tuple[int, asyncio.AbstractEventLoop]:
    """Where connections may be used: in this process and event loop."""
    return os.getpid(), asyncio.get_running_loop()


def first_home() -> Any:
    """Where connections may be used first: in the process and event loop of the first request."""
    return


async def settle(given: Any, what: str = "", refusal: type[Exception] = TypeError) -> Any:
    """What a caller's function gave, awaited where it must be."""
    return await given if inspect.isawaitable(given) else given


class AsyncCancelToken:
    """Tasks are cancelled by asyncio; this has the place of the sync side's token."""

    def watch(self, connection: AsyncConnection | None) -> None:
        """Does nothing."""


async def async_pause(sec: float, token: AsyncCancelToken | None) -> None:
    """Waits between attempts."""
    await asyncio.sleep(sec)


class AsyncConnection:
    """One connection, used by one attempt at a time.

    Args:
        route: where it leads
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.is_aborted = self.has_sent = False
        self._limit: asyncio.Timeout | None = None
        self._limit_sec: float | None = None
        self._protocol: _Protocol | None = None
        self._incoming = Incoming()
        self._http: httpcore.AsyncConnectionInterface | None = None
        self.response: Any = None
        if route.transport is None:
            pool = httpcore.AsyncConnectionPool(**route.pool_options(), network_backend=_Backend(self))
            self._http = pool.create_connection(route.origin())

    def time_limit(self, sec: float | None) -> asyncio.Timeout:
        """A context that bounds what happens inside to so many seconds, None for no limit; `has_sent` begins anew."""
        self._limit_sec, self.has_sent = sec, False
        self._limit = asyncio.timeout(sec)
        return self._limit

    def limit_has_passed(self) -> bool:
        """Whether the time limit that was set last has passed."""
        return self._limit is not None and self._limit.expired()

    async def send(self, request: httpcore.Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Sends a request; gives the answer's status and headers. `response.stream` gives its body."""
        if self._http is None:
            self.has_sent = True
            httpx_request = as_httpx(request, self._limit_sec)
            self.response = await self.route.transport.handle_async_request(httpx_request)
            return self.response.status_code, self.response.headers.raw
        self._incoming.answer_begins()
        self.response = await self._http.handle_async_request(request)
        self._incoming.body_begins(self.response.headers)
        return self.response.status, self.response.headers

    async def finish(self) -> None:
        """Ends the reading of an answer, whether or not it was read to its end."""
        await (self.response.aclose() if self._http is None else self.response.stream.aclose())

    def may_be_kept(self) -> bool:
        """Whether the next request may use it: the answer was read to its end, and nothing came behind it."""
        return self._http is not None and self._http.is_idle() and self._incoming.is_at_end

    def is_alive(self) -> bool:
        """Whether it can still be used, after nobody did for a while."""
        return self._http is not None and self._http.is_available() and not self._http.has_expired()

    def abort(self) -> None:
        """Ends what waits for this connection, as the sync side's does."""
        self.is_aborted = True
        self.close()

    @property
    def received_bytes(self) -> int:
        """How much has come on it until now."""
        return 0 if self._protocol is None else self._protocol.received_bytes

    def close(self) -> None:
        """Drops the connection, at once."""
        if self._protocol is not None:
            self._protocol.drop()


class _Protocol(asyncio.Protocol):
    """Gathers what comes until it is asked for."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.error: Exception | None = None
        self.is_at_end = False
        self.received_bytes = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        self.received_bytes += len(data)
        if self._size > BUFFER_BYTES:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.is_at_end = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_at_end, self.error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_holding(self) -> bool:
        """Whether anything came that nobody asked for yet."""
        return bool(self._chunks)

    @property
    def has_come(self) -> bool:
        """The same; or the end."""
        return self.is_holding or self.is_at_end

    async def read(self) -> bytes:
        """What came, once something has; b"" at the end."""
        while not self.has_come:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._chunks and self.error is not None:
            raise httpcore.ReadError(str(self.error)) from self.error
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        if self._size > BUFFER_BYTES and not self.is_at_end:
            self.transport.resume_reading()
        self._chunks, self._size = [], 0
        return data

    def drop(self) -> None:
        """Closes the connection at once, from wherever."""
        with contextlib.suppress(RuntimeError):  # the event loop is closed, and with it the socket
            self.transport.abort()


def _is_readable(sock: Any) -> bool:
    if sock is None or sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, protocol: _Protocol, connection: AsyncConnection) -> None:
        self._protocol = protocol
        self._connection = connection
        connection._protocol = protocol
        if connection.is_aborted:
            protocol.drop()
            raise httpcore.ConnectError("broken off")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        incoming = self._connection._incoming
        return incoming.hand_over(incoming.pending or await self._protocol.read())

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._protocol.is_at_end:
            raise httpcore.WriteError("the connection was closed")
        self._connection.has_sent = True
        self._protocol.transport.write(buffer)

    async def aclose(self) -> None:
        self._protocol.drop()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        loop, protocol = asyncio.get_running_loop(), self._protocol
        if self._connection._incoming.pending or protocol.is_holding:
            raise httpcore.ConnectError("something was said before the TLS handshake")
        try:
            transport = await loop.start_tls(protocol.transport, protocol, ssl_context, server_hostname=server_hostname)
        except BaseException as error:
            protocol.drop()
            # Where TLS goes inside TLS to a proxy, asyncio fails on its own failure; what led to that is the problem.
            problem = error.__context__ if isinstance(error, TypeError) else error
            if not isinstance(problem, OSError):
                raise
            raise httpcore.ConnectError(str(problem) or "the connection was closed in the TLS handshake") from problem
        if transport is None:
            raise httpcore.ConnectError("the connection was closed in the TLS handshake")
        protocol.transport = transport
        return _Stream(protocol, self._connection)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # also what the event loop has not looked at yet
            return self._protocol.has_come or _is_readable(self._protocol.transport.get_extra_info("socket"))
        return self._protocol.transport.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first of a host's addresses that answers, a later one tried beside a slow one."""
        loop, delay = asyncio.get_running_loop(), CONNECT_DELAY_SEC
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            if len(found) == 1:  # asyncio's race between addresses may lose a socket where it is cancelled
                host, delay = str(found[0][4][0]), None
            _, protocol = await loop.create_connection(_Protocol, host, port, happy_eyeballs_delay=delay)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return _Stream(protocol, self._connection)
