"""Reads lists ahead of the caller in threads.

Pages are fetched in daemon threads, which keep no process from ending and can be broken off through their sockets. What
names the lists is read in a thread of its own too, unless it is a collection: a slow one would hold back what is there.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from facade._exchange import Deadline
from facade._network_sync import CancelToken
from facade._paging import ListCursor, Nothing, Window
from facade._prefetch import Driver, Fetch
from facade.errors import APIError

T = TypeVar("T")

STOP_SEC = 1.0
"""How long a walk waits, at its end, for the threads that it has stopped."""


class Alone(Generic[T]):
    """Reads one list in the caller's own thread."""

    def __init__(self, cursor: ListCursor[T], fetch: Fetch[T]) -> None:
        self._cursor, self._fetch = cursor, fetch

    def take(self, deadline: Deadline) -> list[T] | None:
        """The next page's objects; None at the end. The deadline runs while they are waited for."""
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


class Prefetch(Driver[T]):
    """Drives a window over several lists in threads."""

    def __init__(self, window: Window[T], make: Callable[[Any], ListCursor[T]], many: Any, fetch: Fetch[T]) -> None:
        super().__init__(window, make, many, fetch)
        self._process = os.getpid()
        self._is_fed_aside = not isinstance(self._many, Collection)
        # A signal's exception may come anywhere in the caller's thread, and would leave the lock of a Condition or an
        # Event locked; and garbage collection may close a walk anywhere. Nobody waits while holding this lock, which is
        # taken to touch the window: whoever waits does so for a queue.
        self._lock = threading.RLock()
        self._changes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._to_fetch: queue.SimpleQueue[ListCursor[T] | None] = queue.SimpleQueue()
        self._workers: dict[threading.Thread, CancelToken] = {}
        self._busy = 0

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
                self._spawn(self._feed_aside)
        while True:
            if not self._is_fed_aside:
                self._feed()
            items = self._look()
            if self._window.room > 0:
                _notify(self._room)
            if not isinstance(items, Nothing):
                if items is None:
                    self._wake()  # another thread may be reading too
                return items
            with deadline if items is Nothing.YET else Deadline(None) as running:
                left = running.remaining_sec()
                try:
                    self._changes.get(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX))
                except queue.Empty:
                    raise self._late(deadline) from None

    def _wake(self) -> None:
        _notify(self._changes)

    def _feed_aside(self, token: CancelToken) -> None:
        """As `_feed`, in a thread of its own, whenever there is room."""
        try:
            self._feed()
            while not self._window.has_ended:
                self._room.get()
                self._feed()
        except BaseException as error:  # whatever the caller's iterator raised, the caller is to see
            self._change(self._window.end, error)

    def _start(self, cursor: ListCursor[T]) -> None:
        self._busy += 1
        self._to_fetch.put(cursor)
        if self._busy > len(self._workers) - self._is_fed_aside:
            self._spawn(self._work)

    def _work(self, token: CancelToken) -> None:
        while (cursor := self._to_fetch.get()) is not None:
            try:
                page = self._fetch(cursor, token)
            except BaseException as error:
                page = error
            with self._lock:
                self._busy -= 1
                self._change(self._window.arrived, cursor, page)

    def _spawn(self, work: Callable[[CancelToken], None]) -> None:
        token = CancelToken()
        thread = threading.Thread(target=work, args=(token,), name="facade-fetch", daemon=True)
        self._workers[thread] = token
        thread.start()

    def stop(self) -> list[threading.Thread]:
        """Breaks off what is on its way, from wherever, and says which threads are at it."""
        if self._process != os.getpid():
            return []  # its threads and sockets are the parent's
        self._close()
        self._room.put(None)
        for token in list(self._workers.values()):
            self._to_fetch.put(None)
            token.cancel()
        return list(self._workers)

    def close(self) -> None:
        """Stops what is on its way, and waits, for a moment, until it has stopped."""
        end = time.monotonic() + STOP_SEC
        for thread in self.stop():
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))


def _notify(waiting: queue.SimpleQueue[None]) -> None:
    """Wakes whoever waits for a change, now or when it begins."""
    if waiting.empty():  # one that was not heeded yet will do
        waiting.put(None)
