"""Reads lists ahead of the caller in tasks: what `_prefetch_sync` does in threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from typing import Any, TypeVar

from facade._exchange import NO_DEADLINE, Deadline
from facade._network_async import home
from facade._paging import Fetch, ListCursor, Make, Window

T = TypeVar("T")


class AsyncPrefetch(Window[T]):
    """Reads several lists in tasks."""

    def __init__(self, make: Make[T], many: Any, fetch: Fetch[T], size: int, in_order: bool) -> None:
        super().__init__(make, many, fetch, size, in_order)
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._feeder: asyncio.Task[None] | None = None
        self._home: Any = None

    async def take(self, deadline: Deadline) -> list[T] | None:
        """The next page's objects; None at the end. The deadline runs while they are waited for, not the lists."""
        if self._items is None:
            self._home = home()
            self._items = aiter(self._many) if isinstance(self._many, AsyncIterable) else iter(self._many)
        elif self._home != home():
            raise RuntimeError("this walk was begun in another process or event loop; begin another one here")
        while True:
            self._changed.clear()
            if not isinstance(self._items, AsyncIterator):
                self._feed()
            elif self._room > 0 and (self._feeder is None or self._feeder.done()):
                self._feeder = self._spawn(self._feed_aside(self._items))
            items = self._look()
            if items is not None or self._is_over:
                return items
            with deadline if self._lists else NO_DEADLINE:  # each attempt heeds it
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    async def _feed_aside(self, items: AsyncIterator[Any]) -> None:
        """As `_feed`, in a task of its own."""
        while self._room > 0:
            try:
                found: ListCursor[T] | BaseException = self._make(await anext(items))
            except (Exception, asyncio.CancelledError) as error:  # as there; one of `stop` is heeded by nobody
                found = error
            self._change(self._found, found)

    def _start(self, cursor: ListCursor[T]) -> None:
        self._spawn(self._read(cursor))

    async def _read(self, cursor: ListCursor[T]) -> None:
        try:
            page = await self._fetch(cursor, None)
        except (Exception, asyncio.CancelledError) as error:  # the key's, say, or as above
            page = error
        self._change(self._arrived, cursor, page)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="facade-fetch")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop(self) -> list[asyncio.Task[None]]:
        """Cancels what is on its way, from wherever, and says what that was."""
        self._close()
        tasks = list(self._tasks)
        if not tasks or self._home[0] != os.getpid() or tasks[0].get_loop().is_closed():
            return []
        for task in tasks:
            task.get_loop().call_soon_threadsafe(task.cancel)
        return tasks

    async def aclose(self) -> None:
        """Stops what is on its way, and waits until it has stopped."""
        await asyncio.gather(*self.stop(), return_exceptions=True)


class AsyncAlone(AsyncPrefetch[T]):
    """Reads one list: the next page is on its way while the caller has one in hand."""

    _pages_ahead = 1

    def __init__(self, cursor: ListCursor[T], fetch: Fetch[T]) -> None:
        super().__init__(lambda _: cursor, (None,), fetch, 1, True)
