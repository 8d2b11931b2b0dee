"""The async side's I/O: what `_sync` is, with tasks in the place of threads. Imported with the first async client."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from operator import length_hint
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import httpx

from facade._answers import Page
from facade._exchange import Attempt, Budget, Call, Pause, Reply, exchange
from facade._http import (
    TRANSPORT_ERRORS,
    Answer,
    HttpOptions,
    Lending,
    concealer,
    concealing,
    connection_error,
    deadline_error,
    make_request,
    make_url,
    set_limit,
    timeout_error,
)
from facade._network import in_use, install
from facade._paging import Progress, Source
from facade._settings import Limits, Secret, Settings
from facade.errors import APIError

T = TypeVar("T")
Sources = Iterator[Source[T]] | AsyncIterator[Source[T]]
Fetch = Callable[[Source[T]], Coroutine[Any, Any, Page[T]]]


class AsyncConnections:
    """Owns the httpx clients, as `Connections` does; built anew in another event loop or a forked child."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._lending = Lending[httpx.AsyncClient](options.transport is not None)
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        self.is_closed = False

    def _lend(self) -> httpx.AsyncClient:
        """An httpx client of this event loop for one request.

        Raises:
            RuntimeError: these connections were closed.
        """
        if self.is_closed:
            raise RuntimeError("this client is closed; make a new one")
        home = (os.getpid(), asyncio.get_running_loop())
        if self._home != home:
            self._lending, self._home = Lending(self._options.transport is not None), home
        return self._lending.lend(self._make)

    def _make(self) -> httpx.AsyncClient:
        self._options = self._options.with_context()
        client = httpx.AsyncClient(**self._options.arguments())
        install(client)
        return client

    async def aclose(self) -> None:
        """Closes all connections; what is asked afterwards is refused."""
        self.is_closed = True
        clients = self._lending.give_up()
        if self._home == (os.getpid(), asyncio.get_running_loop()):
            for client in clients:
                await client.aclose()

    async def run(self, call: Call[T], settings: Settings, limits: Limits, budget: Budget) -> T:
        """Drives one exchange to its end, as `Connections.run`."""
        steps = exchange(call, limits, budget, base=settings.base)
        step = next(steps)
        try:
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.sec)
                    step = next(steps)
                    continue
                reply = await self._attempt(call, settings, step)
                step = steps.throw(reply) if isinstance(reply, APIError) else steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _attempt(self, call: Call[Any], settings: Settings, attempt: Attempt) -> Reply | APIError:
        """Sends one request and reads its answer, as `Connections._attempt`."""
        url = make_url(settings, call)
        request, conceal = await _request(call, settings, url)
        http = self._lend()
        set_limit(request, None)  # asyncio bounds the whole of it
        token = concealing.set(conceal)
        in_use.set(None)
        answer = None
        take_back = self._lending.take_back
        try:
            async with asyncio.timeout(attempt.limit_sec) as limit:
                response = await http._transport_for_url(request.url).handle_async_request(request)
                try:
                    answer = Answer(response, settings, conceal)
                    assert isinstance(response.stream, httpx.AsyncByteStream)
                    async for chunk in response.stream:
                        if not answer.feed(chunk):
                            break
                finally:
                    await response.aclose()
                    if self.is_closed and (stream := response.extensions.get("network_stream")):
                        await stream.aclose()  # it was connecting when the pool was closed, which would keep it open
            return answer.reply()
        except (httpx.TimeoutException, TimeoutError) as error:
            take_back = self._lending.discard
            await _close_stream_in_use()
            if limit.expired() or isinstance(error, httpx.TimeoutException):
                return timeout_error(call, attempt)
            return connection_error(call, settings.base, error, conceal)
        except TRANSPORT_ERRORS as error:
            if answer is not None and not answer.is_good:
                return answer.reply()
            return connection_error(call, settings.base, error, conceal)
        except APIError as error:
            return error.with_traceback(None)
        except BaseException:
            take_back = self._lending.discard
            await _close_stream_in_use()
            raise
        finally:
            concealing.reset(token)
            for unwanted in take_back(http):
                await unwanted.aclose()


async def _close_stream_in_use() -> None:
    """Closes the connection of an attempt that was cut short.

    httpcore does so too, but a task's cancellation cuts that short as well. The httpx client goes with the connection:
    its pool may keep an entry of it that never ends.
    """
    if (stream := in_use.get()) is not None:
        await stream.aclose()


async def _request(call: Call[Any], settings: Settings, url: httpx.URL) -> tuple[httpx.Request, Callable[[str], str]]:
    """The request of an attempt, with the key of now; only this frame ever holds the key in the clear."""
    secret = settings.secret
    if secret.is_callable():
        given: Any = cast(Callable[[], Any], secret.reveal())()
        secret = Secret.keep(await given if inspect.isawaitable(given) else given)
        del given
    key = secret.usable()
    return make_request(settings, call, url, key), concealer(key)


class _Abreast(Generic[T]):
    """Reads one list or several at once and gives them in order: a page of each is fetched ahead, in a task."""

    def __init__(self, sources: Sources[T], concurrency: int, fetch: Fetch[T]) -> None:
        self._sources = sources
        self._concurrency = concurrency
        self._fetch = fetch
        self._ahead: deque[tuple[Source[T], asyncio.Task[Page[T]]]] = deque()
        self._failure: BaseException | None = None

    def _start(self, source: Source[T]) -> tuple[Source[T], asyncio.Task[Page[T]]]:
        return source, asyncio.create_task(self._fetch(source), name="facade-fetch")

    async def _fill(self) -> None:
        """Begins to read as many lists as may be.

        Where the first is there to hand over, and what comes next is not at hand, as a generator's may not be, it
        looks for one more only: that may take a while.
        """
        while self._failure is None and len(self._ahead) < self._concurrency:
            may_stop = not length_hint(self._sources, 0) and self._ahead and self._ahead[0][1].done()
            try:
                many = self._sources
                source = await anext(many) if isinstance(many, AsyncIterator) else next(many)
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._failure = error
            else:
                self._ahead.append(self._start(source))
            if may_stop:
                break

    async def turn(self, budget: Budget) -> list[T] | None:
        """The next page's objects; None at the end. The budget runs while they are waited for."""
        await self._fill()
        if not self._ahead:
            assert self._failure is not None
            if isinstance(self._failure, (StopIteration, StopAsyncIteration)):
                return None
            raise self._failure
        source, task = self._ahead[0]
        try:
            with budget:
                left = budget.remaining_sec()
                done, _ = await asyncio.wait({task}, timeout=None if left > 1e9 else max(left, 0.0))
            if not done:
                raise deadline_error(budget)
            items = source.take(task.result())
        except APIError as error:
            source.locate(error)
            raise
        self._ahead.popleft()
        if not source.done:
            self._ahead.appendleft(self._start(source))
        return items

    def stop(self) -> list[asyncio.Task[Page[T]]]:
        """Cancels what is on its way, and says what that was."""
        self._failure = self._failure or StopAsyncIteration()
        tasks = [task for _, task in self._ahead]
        self._ahead.clear()
        for task in tasks:
            # One that its own time limit cancels is closing its connection: a second cancel would stop that.
            if not task.get_loop().is_closed() and not task.cancelling():
                task.cancel()
        return tasks


class AsyncWalk(Progress[T], AsyncIterator[T]):
    """Iterates over the objects of every page; while the caller works on one page, the next is on its way.

    An async context manager: leaving it, `aclose()` and the end stop what is still on its way. Nothing is read before
    the first object is asked for.
    """

    def __init__(self, reader: _Abreast[T], budget: Budget, after: str | None) -> None:
        super().__init__(budget, after)
        self._reader: _Abreast[T] | None = reader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self._page:
            self._last = item
            return item
        return await self._turn()

    async def _turn(self) -> T:
        try:
            while self._reader is not None and (items := await self._reader.turn(self._budget)) is not None:
                if (item := self._begin_page(items)) is not None:
                    return item
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the walk: stops what is on its way, and waits until it has stopped."""
        reader, self._reader = self._reader, None
        self._page = iter(())
        if reader is not None:
            await asyncio.gather(*reader.stop(), return_exceptions=True)
            self._tally.warn()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if (reader := getattr(self, "_reader", None)) is not None:
            reader.stop()
            self._tally.warn()


def walk(
    connections: AsyncConnections,
    settings: Settings,
    limits: Limits,
    sources: Source[T] | Sources[T],
    concurrency: int,
) -> AsyncWalk[T]:
    """A walk over one list, or over several at once."""
    budget = Budget(limits.deadline_sec)

    async def fetch(source: Source[T]) -> Page[T]:
        return await connections.run(source.next_call(), settings, limits, budget)

    if isinstance(sources, Source):
        return AsyncWalk(_Abreast(iter((sources,)), 1, fetch), budget, sources.resume)
    return AsyncWalk(_Abreast(sources, concurrency, fetch), budget, None)
