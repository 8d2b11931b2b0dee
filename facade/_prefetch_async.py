"""Reads lists ahead of the caller in tasks: what `_prefetch_sync` does in threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar

from facade._answers import Page
from facade._arguments import AsyncMany
from facade._exchange import Deadline
from facade._http import deadline_error
from facade._network_async import AsyncCancelToken, home
from facade._paging import MORE, PAGES_AHEAD, YET, Lane, ListCursor, Nothing, Window

T = TypeVar("T")

Fetch = Callable[[ListCursor[T], AsyncCancelToken | None], Coroutine[Any, Any, Page[T]]]


class AsyncPrefetch(Generic[T]):
    """Drives a window over one list or several.

    Args:
        make: the cursor of one of `many`
        many: what the lists are made of
        size, pages_ahead, in_order: as of `Window`
        fetch: asks for a list's next page
    """

    def __init__(
        self,
        make: Callable[[Any], ListCursor[T]],
        many: AsyncMany[Any],
        size: int,
        in_order: bool,
        fetch: Fetch[T],
        pages_ahead: int = PAGES_AHEAD,
    ) -> None:
        self._make = make
        self._many = many
        self._fetch = fetch
        self._window = Window[T](size, pages_ahead, in_order)
        self._tasks: set[asyncio.Task[None]] = set()
        self._items: Iterator[Any] | AsyncIterator[Any] | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._changed: asyncio.Event | None = None
        self._home: Any = None

    @classmethod
    def of_one(cls, cursor: ListCursor[T], fetch: Fetch[T]) -> AsyncPrefetch[T]:
        """Over one list: the next page is on its way while the caller has one in hand."""
        return cls(lambda it: cursor, (None,), 1, True, fetch, pages_ahead=1)

    async def take(self, deadline: Deadline) -> list[T] | None:
        """The next page's objects; None at the end. The deadline runs while they are waited for, not the lists."""
        if self._changed is None:
            self._changed, self._home = asyncio.Event(), home()
            self._items = aiter(self._many) if isinstance(self._many, AsyncIterable) else iter(self._many)
        elif self._home != home():
            raise RuntimeError("this walk was begun in another process or event loop; begin another one here")
        while True:
            self._changed.clear()
            self._feed()
            items = self._window.take()
            self._start_fetches()
            if not isinstance(items, Nothing):
                return items
            if items is MORE:
                await self._changed.wait()
            elif items is YET:
                await self._wait(deadline)

    async def _wait(self, deadline: Deadline) -> None:
        assert self._changed is not None
        with deadline:
            left = deadline.remaining_sec()
            try:
                async with asyncio.timeout(None if left > 1e9 else left):
                    await self._changed.wait()
            except TimeoutError:
                error = deadline_error(deadline)
                self._window.locate(error)
                raise error from None

    def _feed(self) -> None:
        """Begins to read as many lists as may be; an async iterable's come in a task of their own."""
        if isinstance(self._items, AsyncIterator):
            if self._window.room > 0 and (self._feeder is None or self._feeder.done()):
                self._feeder = self._spawn(self._feed_aside(self._items))
            return
        assert self._items is not None
        while self._window.room > 0:
            try:
                self._window.begin(self._make(next(self._items)))
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._window.end(error)
        self._start_fetches()

    async def _feed_aside(self, items: AsyncIterator[Any]) -> None:
        while self._window.room > 0:
            try:
                self._window.begin(self._make(await anext(items)))
            except Exception as error:  # as above
                self._window.end(error)
            self._start_fetches()
            self._wake()

    def _start_fetches(self) -> None:
        for lane in self._window.to_fetch():
            self._spawn(self._read(lane))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="facade-fetch")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self, lane: Lane[T]) -> None:
        try:
            page: Page[T] | BaseException = await self._fetch(lane.cursor, None)
        except Exception as error:
            page = error
        self._window.arrived(lane, page)
        self._start_fetches()
        self._wake()

    def _wake(self) -> None:
        assert self._changed is not None
        self._changed.set()

    def stop(self) -> list[asyncio.Task[None]]:
        """Cancels what is on its way, from wherever, and says what that was."""
        self._window.close()
        tasks = list(self._tasks)
        if not tasks or self._home[0] != os.getpid() or (loop := tasks[0].get_loop()).is_closed():
            return []
        try:
            is_here: bool = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_here = False
        for task in tasks:
            if is_here:
                task.cancel()
            else:
                loop.call_soon_threadsafe(task.cancel)
        return tasks

    async def aclose(self) -> None:
        """Stops what is on its way, and waits until it has stopped."""
        await asyncio.gather(*self.stop(), return_exceptions=True)
