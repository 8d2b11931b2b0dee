"""The connections of a client, and the loop that drives one call's exchange over them."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

import httpcore

from facade._auth import Credentials, Redact, Secret, also_redacting, redacting
from facade._exchange import Ask, Pause, Reply, exchange
from facade._http import Answer, as_httpx, make_request
from facade._network_async import AsyncCancelToken, AsyncWire, async_pause, home, settle
from facade._options import Settings
from facade._route import Route
from facade.errors import APIError, ConfigurationError

T = TypeVar("T")


class AsyncConnection:
    """One connection, used by one attempt at a time.

    Args:
        route: where it leads; a transport of the caller's own has the place of the network

    Attributes:
        wire: what it goes over: its time limit, and how it is dropped
        http: httpcore's part of it
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.wire = AsyncWire()
        self.http: Any = None
        if route.transport is None:
            self.http = route.connect(httpcore.AsyncConnectionPool, self.wire)

    async def send(self, request: httpcore.Request) -> Any:
        """Sends a request; gives the answer (as httpcore does) as soon as its head has come."""
        if self.http is None:
            self.wire.has_sent = True
            given = await self.route.transport.handle_async_request(as_httpx(request, self.wire.bound[0]))
            return httpcore.Response(given.status_code, headers=given.headers.raw, content=given.stream)
        return await self.http.handle_async_request(request)


class AsyncPool:
    """Connections, each acquired by one request at a time and released by it: one pool of one connection a request.

    They hold no key, so that several clients can share a pool. In another process or event loop it begins anew: what
    it had belongs to the first.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._home: Any = None
        self._idle: list[AsyncConnection] = []
        self._busy: set[AsyncConnection] = set()

    def __reduce__(self) -> Any:
        raise TypeError("a client cannot be copied or pickled: it has connections and a key; make a new one")

    def acquire(self, route: Route) -> AsyncConnection:
        """A connection for one attempt: the one that was released last, else a new one.

        Raises:
            RuntimeError: the pool was closed.
        """
        if self.is_closed:
            raise RuntimeError("this client is closed; make a new one")
        here, before = home(), self._home
        if before not in (None, here):
            self._idle, self._busy = [], set()
        self._home = here
        for connection in reversed(self._idle):
            if connection.route != route:
                continue
            try:
                self._idle.remove(connection)
            except ValueError:  # another thread was faster: there is no lock, which an interrupted thread might hold
                continue
            if not connection.http.has_expired():
                break
            connection.wire.close()
        else:
            connection = AsyncConnection(route)
        connection.wire.begin()
        self._busy.add(connection)
        if self.is_closed:  # in this very moment, by another thread, which may not have seen this connection
            connection.wire.abort()
        return connection

    def release(self, connection: AsyncConnection, keep: bool) -> None:
        """Takes a connection back.

        Args:
            connection: what was acquired
            keep: whether its attempt ended as it should; where not, or where bytes are left over, it is closed
        """
        wire, http = connection.wire, connection.http
        keep &= connection in self._busy  # else acquired elsewhere, or closed meanwhile
        self._busy.discard(connection)
        if not (keep and http is not None and http.is_idle() and wire.is_at_end and not wire.is_aborted):
            wire.close()
            return
        self._idle.append(connection)
        with contextlib.suppress(IndexError):  # as above
            while len(self._idle) > 1 and self._idle[0].http.has_expired():
                self._idle.pop(0).wire.close()
        if self.is_closed:  # as in `acquire`
            self.close_idle()

    async def aclose(self) -> None:
        """Closes all connections; what is under way ends with an error, and what is asked afterwards is refused."""
        self.is_closed = True
        if self._home == home():
            for connection in list(self._busy):
                connection.wire.abort()
            self.close_idle()
        self._idle, self._busy = [], set()

    def close_idle(self) -> None:
        """Closes the connections that no request uses."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.wire.close()

    async def run(self, ask: Ask[T], settings: Settings, token: AsyncCancelToken | None = None) -> T:
        """Drives one exchange to its end.

        Args:
            ask: what to ask
            settings: of the client that asks
            token: breaks it off from another thread

        Raises:
            APIError: no good answer came.
        """
        steps = exchange(ask, settings.base)
        step = next(steps)
        try:
            while True:
                if isinstance(step, Pause):
                    await async_pause(step.sec, token)
                    step = next(steps)
                else:
                    step = steps.send(await self.attempt(step, settings, token))
        except StopIteration as end:
            result: T = end.value
            return result

    async def attempt(
        self, ask: Ask[Any], settings: Settings, token: AsyncCancelToken | None = None
    ) -> Reply | APIError:
        """Sends one request and reads its answer; an error is returned, so that it keeps nothing of what led to it."""
        redact: Redact = str
        call, answer, opened = ask.call, None, None
        keep = False
        connection = self.acquire(settings.route)
        wire, reset = connection.wire, redacting.set(None)
        try:
            credentials = settings.auth.known() or await _ask_for_key(settings, wire.time_limit(ask.limit()))
            redact = also_redacting(credentials.redact, call.secrets) if call.secrets else credentials.redact
            redacting.set(redact)
            async with wire.time_limit(ask.limit()):
                if token is not None:
                    token.watch(wire)
                response = await connection.send(make_request(call, settings, credentials))
                answer = Answer(ask, settings, redact, response.status, response.headers)
                wire.body_begins(answer.headers)
                if call.is_stream and answer.is_event_stream:
                    opened = AsyncOpenStream(self, connection, response.stream, answer)
                    return answer.reply(opened)
                try:
                    async for chunk in response.stream:
                        if not answer.feed(chunk):
                            break
                finally:
                    await response.stream.aclose()
                keep = True
            return answer.reply()
        except Exception as error:
            problem = (answer or Answer(ask, settings, redact, 0, [])).failure(error, wire)
            if problem is None:
                raise
            return problem
        finally:
            if token is not None:
                token.watch(None)
            if opened is None:
                self.release(connection, keep)
            redacting.reset(reset)


class AsyncOpenStream:
    """An event stream whose head has come: gives the rest as it comes, and holds a connection until it is closed.

    Args:
        pool, connection, stream: what was acquired, and where; what comes on it
        answer: its head; each chunk may take what an attempt may

    Attributes:
        headers, redact: of the answer
    """

    def __init__(self, pool: AsyncPool, connection: AsyncConnection, stream: Any, answer: Answer) -> None:
        self._pool, self._connection, self._answer = pool, connection, answer
        self._stream, self._chunks = stream, aiter(stream)
        self.headers, self.redact, self._home = answer.headers, answer.redact, home()

    async def read(self) -> bytes | None:
        """The next bytes, as they came; None at the end.

        Raises:
            APIError: nothing came in time, or the connection broke.
            RuntimeError: the stream belongs to another process or event loop.
        """
        if self._home != home():
            raise RuntimeError("this stream was begun in another process or event loop; begin another one here")
        wire = self._connection.wire
        reset = redacting.set(self.redact)
        try:
            async with wire.time_limit(self._answer.ask.limit()):
                return await anext(self._chunks, None)
        except Exception as error:
            problem = self._answer.failure(error, wire)
            if problem is None:
                raise
        finally:
            redacting.reset(reset)
        assert isinstance(problem, APIError)
        problem.attempts = 1
        raise problem

    def abort(self) -> None:
        """Wakes whoever reads; in a forked child it does nothing."""
        if self._home == home():
            self._connection.wire.abort()

    async def aclose(self) -> None:
        """Gives the connection back, which is dropped: nobody knows what would still come on it."""
        if self._home != home():
            return
        self._pool.release(self._connection, keep=False)
        await self._stream.aclose()


async def _ask_for_key(settings: Settings, limit: Any) -> Credentials:
    """The credentials of one attempt, with the key of now; only this frame ever holds the key in the clear."""
    ask: Any = settings.auth.secret.reveal()
    async with limit:
        return settings.auth.credentials(
            Secret(await settle(ask(), "the callable given as api_key", ConfigurationError))
        )
