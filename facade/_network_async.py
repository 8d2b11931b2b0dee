"""What a connection of the async client goes over: what `_network_sync` is, on asyncio's transports.

asyncio bounds a whole attempt by itself. What this adds: a connection can be dropped at once and without waiting,
whatever is cancelled meanwhile, and bytes that come behind an answer are seen even where they were read already.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import select
import socket
import ssl
from typing import Any

import httpcore

from facade._exchange import Bound
from facade._network_bytes import BaseWire

CONNECT_DELAY_SEC: float | None = 0.25
"""How long one address of a host is tried alone before the next is tried beside it."""

BUFFER_BYTES = 256 * 1024
"""How much is read ahead of what is asked for."""


def home() -> tuple[int, asyncio.AbstractEventLoop]:
    """Where connections may be used: in this process and event loop."""
    return os.getpid(), asyncio.get_running_loop()


async def settle(given: Any, what: str = "", refusal: type[Exception] = TypeError) -> Any:
    """What a caller's function gave, awaited where it must be."""
    return await given if inspect.isawaitable(given) else given


class AsyncCancelToken:
    """Tasks are cancelled by asyncio; this has the place of the sync side's token."""

    def watch(self, wire: AsyncWire | None) -> None:
        """Does nothing."""


async def async_pause(sec: float, token: AsyncCancelToken | None) -> None:
    """Waits between attempts."""
    await asyncio.sleep(sec)


class AsyncWire(BaseWire, asyncio.Protocol, httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """What one connection goes over: to asyncio it is a protocol, to httpcore the network.

    Attributes:
        received_bytes: how much has come until now
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_lost = False
        self.received_bytes = self._read_bytes = 0
        self._limit = asyncio.timeout(None)
        self._reader = asyncio.StreamReader(BUFFER_BYTES // 2)  # which takes in twice as much
        self._transport: Any = None
        self._error: Exception | None = None

    def time_limit(self, bound: Bound) -> asyncio.Timeout:
        """A context that bounds what happens inside, from now on."""
        self.bound, self._limit = bound, asyncio.timeout(bound[0])
        return self._limit

    def limit_has_passed(self) -> bool:
        """Whether the time limit that was set last has passed."""
        return self._limit.expired()

    def abort(self) -> None:
        """Ends what waits for this connection, as the sync side's does."""
        self.is_aborted = True
        self.close()

    def close(self) -> None:
        """Drops the connection, at once, from wherever."""
        if self._transport is not None and not self._is_lost:  # a transport that is gone cannot be dropped again
            self._transport.abort()

    # asyncio's side

    def connection_made(self, transport: Any) -> None:
        """The connection goes over this transport from now on."""
        self._transport = transport
        self._reader.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        """Keeps what came until it is asked for."""
        self.received_bytes += len(data)
        self._reader.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes; what came can still be read."""
        self._is_lost, self._error = True, exc
        self._reader.feed_eof()

    # httpcore's side

    async def connect_tcp(self, host: str, port: int, *options: Any, **more: Any) -> AsyncWire:
        """Connects to the first of a host's addresses that answers, a later one tried beside a slow one."""
        loop, delay = asyncio.get_running_loop(), CONNECT_DELAY_SEC
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if len(found) == 1:  # asyncio's race between addresses may lose a socket where it is cancelled
            host, delay = str(found[0][4][0]), None
        await loop.create_connection(lambda: self, host, port, happy_eyeballs_delay=delay)
        if self.is_aborted:
            raise httpcore.ConnectError("broken off")
        return self

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncWire:
        """Goes on over TLS."""
        if self.pending:
            raise httpcore.ConnectError("something was said before the TLS handshake")
        loop, self._reader = asyncio.get_running_loop(), asyncio.StreamReader(BUFFER_BYTES // 2)
        try:
            transport = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TypeError as error:  # asyncio fails on its own failure where TLS goes inside TLS to a proxy
            raise error.__context__ or error from None
        if transport is None:
            raise httpcore.ConnectError("the connection was closed in the TLS handshake")
        self.connection_made(transport)
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What came, once something has; b"" at the end."""
        data = self.pending
        if not data:
            data = await self._reader.read(BUFFER_BYTES)
            self._read_bytes += len(data)
            if not data and self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
        return self.hand_over(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends some bytes."""
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection was closed")
        if buffer:  # httpcore writes nothing where a request has no body
            self.has_sent = not buffer.startswith(b"CONNECT ")  # which goes to a proxy
            self._transport.write(buffer)

    async def aclose(self) -> None:
        """Drops the connection."""
        self.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection: whether anything has come, say."""
        if info != "is_readable":
            return self._transport.get_extra_info(info)
        has_come: bool = self.received_bytes > self._read_bytes or self._transport.is_closing()
        return has_come or _is_readable(self._transport.get_extra_info("socket"))


def _is_readable(sock: Any) -> bool:
    """Whether there is anything that the event loop has not looked at yet."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
