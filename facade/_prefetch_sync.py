"""Reads lists ahead of the caller in threads.

Pages are fetched in daemon threads, which keep no process from ending and can be broken off through their sockets. What
names the lists is read in a thread of its own too, unless it is a collection: a slow one would hold back what is there.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from facade._answers import Page
from facade._arguments import Many
from facade._exchange import Deadline
from facade._http import deadline_error
from facade._paging import MORE, YET, Lane, ListCursor, Window
from facade.errors import APIError

if TYPE_CHECKING:
    from facade._network_sync import CancelToken

T = TypeVar("T")

Fetch = Callable[[ListCursor[T], "CancelToken | None"], Page[T]]

STOP_SEC = 1.0
"""How long a walk waits, at its end, for the threads that it has stopped."""


class Alone(Generic[T]):
    """Reads one list in the caller's own thread."""

    def __init__(self, cursor: ListCursor[T], fetch: Fetch[T]) -> None:
        self._cursor = cursor
        self._fetch = fetch
        self._process = os.getpid()

    def take(self, deadline: Deadline) -> list[T] | None:
        """The next page's objects; None at the end. The deadline runs while they are waited for."""
        if self._process != os.getpid():
            raise RuntimeError("this walk was begun in another process; begin another one here")
        if self._cursor.done:
            return None
        try:
            with deadline:
                return self._cursor.take(self._fetch(self._cursor, None))
        except APIError as error:
            error.after = self._cursor.resume
            raise

    def stop(self) -> None:
        """Ends the reading; there is nothing on its way."""
        self._cursor.done = True

    close = stop


class Prefetch(Generic[T]):
    """Drives a window over several lists.

    Args:
        make: the cursor of one of `many`
        many: what the lists are made of
        size, in_order: as of `Window`
        fetch: asks for a list's next page
    """

    def __init__(
        self, make: Callable[[Any], ListCursor[T]], many: Many[Any], size: int, in_order: bool, fetch: Fetch[T]
    ) -> None:
        self._make = make
        self._fetch = fetch
        self._many = many
        self._is_fed_aside = not isinstance(many, Collection)
        self._items: Iterator[Any] | None = None
        self._window = Window[T](size, in_order=in_order)
        self._process = os.getpid()
        # A signal's exception may come anywhere in the caller's thread, and would leave the lock of a Condition or an
        # Event locked; and garbage collection may close a walk anywhere. Nobody waits while holding this lock, which is
        # taken to touch the window: whoever waits does so for a queue.
        self._lock = threading.RLock()
        self._changes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._to_fetch: queue.SimpleQueue[Lane[T] | None] = queue.SimpleQueue()
        self._workers: dict[threading.Thread, CancelToken | None] = {}
        self._busy = 0
        self._is_closed = False

    @classmethod
    def of_one(cls, cursor: ListCursor[T], fetch: Fetch[T]) -> Alone[T]:
        """Over one list: it is read in the caller's own thread."""
        return Alone(cursor, fetch)

    def take(self, deadline: Deadline) -> list[T] | None:
        """The next page's objects; None at the end. The deadline runs while they are waited for, not the lists."""
        if self._process != os.getpid():
            raise RuntimeError("this walk was begun in another process; begin another one here")
        if self._items is None:
            self._items = iter(self._many)
            if self._is_fed_aside:
                self._spawn(self._feed_aside, None)
        while True:
            if not self._is_fed_aside:
                self._feed()
            with self._lock:
                items = self._window.take()
                self._start_fetches()
            if self._window.room > 0:
                _wake(self._room)
            if items is MORE:
                self._changes.get()
            elif items is YET:
                self._wait(deadline)
            else:
                if items is None:
                    _wake(self._changes)  # another thread may be reading too
                return items

    def _wait(self, deadline: Deadline) -> None:
        with deadline:
            left = deadline.remaining_sec()
            try:
                self._changes.get(timeout=None if left > threading.TIMEOUT_MAX else max(left, 0.0))
            except queue.Empty:
                error = deadline_error(deadline)
                with self._lock:
                    self._window.locate(error)
                raise error from None

    def _change(self, change: Callable[..., None], *arguments: Any) -> None:
        """Does something to the window, unless it is closed, and wakes the caller."""
        with self._lock:
            if not self._is_closed:
                change(*arguments)
                self._start_fetches()
        _wake(self._changes)

    def _feed(self) -> None:
        """Begins to read as many lists as may be."""
        assert self._items is not None
        while self._window.room > 0:
            try:
                cursor = self._make(next(self._items))
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._change(self._window.end, error)
            else:
                self._change(self._window.begin, cursor)

    def _feed_aside(self) -> None:
        try:
            self._feed()
            while not self._window.has_ended:
                self._room.get()
                self._feed()
        except BaseException as error:  # whatever the caller's iterator raised, the caller is to see
            self._change(self._window.end, error)

    def _start_fetches(self) -> None:
        """Hands lists to the threads that fetch; the lock is held."""
        for lane in self._window.to_fetch():
            self._busy += 1
            self._to_fetch.put(lane)
        from facade._network_sync import CancelToken

        while self._busy > len(self._workers) - self._is_fed_aside:
            self._spawn(self._work, CancelToken())

    def _spawn(self, work: Callable[..., None], token: CancelToken | None) -> None:
        arguments = () if token is None else (token,)
        thread = threading.Thread(target=work, args=arguments, name="facade-fetch", daemon=True)
        self._workers[thread] = token
        thread.start()

    def _work(self, token: CancelToken) -> None:
        while (lane := self._to_fetch.get()) is not None:
            try:
                page: Page[T] | BaseException = self._fetch(lane.cursor, token)
            except BaseException as error:
                page = error
            with self._lock:
                self._busy -= 1
                self._change(self._window.arrived, lane, page)

    def stop(self) -> list[threading.Thread]:
        """Breaks off what is on its way, from wherever, and says which threads are at it."""
        if self._process != os.getpid():
            return []  # its threads and sockets are the parent's
        with self._lock:
            self._change(self._window.close)
            self._is_closed = True
        self._room.put(None)
        for token in list(self._workers.values()):
            self._to_fetch.put(None)
            if token is not None:
                token.cancel()
        return list(self._workers)

    def close(self) -> None:
        """Stops what is on its way, and waits, for a moment, until it has stopped."""
        end = time.monotonic() + STOP_SEC
        for thread in self.stop():
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))


def _wake(waiting: queue.SimpleQueue[None]) -> None:
    """Wakes whoever waits for a change, now or when it begins."""
    if waiting.empty():  # one that was not heeded yet will do
        waiting.put(None)
