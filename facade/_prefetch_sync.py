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

from facade._exchange import NO_DEADLINE, Deadline
from facade._network_sync import CancelToken
from facade._paging import Fetch, ListCursor, Make, Window

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
        with deadline:
            items: list[T] = self._fetch(self._cursor, None)
        return items

    def stop(self) -> None:
        """Ends the reading; there is nothing on its way."""

    close = stop


class Prefetch(Window[T]):
    """Reads several lists in threads."""

    def __init__(self, make: Make[T], many: Any, fetch: Fetch[T], size: int, in_order: bool) -> None:
        super().__init__(make, many, fetch, size, in_order)
        self._process = os.getpid()
        self._is_fed_aside = not isinstance(many, Collection)
        # Whoever waits does so for a queue: a signal's exception leaves the lock of a Condition or an Event locked.
        self._changes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._has_room: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._to_fetch: queue.SimpleQueue[ListCursor[T] | None] = queue.SimpleQueue()
        self._workers: dict[threading.Thread, CancelToken] = {}

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
            if self._room > 0:
                _notify(self._has_room)
            if items is not None or self._is_over:
                return items
            with deadline if self._lists else NO_DEADLINE:  # each attempt heeds it
                self._changes.get()

    def _wake(self) -> None:
        _notify(self._changes)

    def _feed_aside(self, token: CancelToken) -> None:
        """As `_feed`, in a thread of its own, whenever there is room."""
        try:
            while not self._has_ended:
                self._feed()
                self._has_room.get()
        except BaseException as error:  # whatever the caller's iterator raised, the caller is to see
            self._change(self._found, error)

    def _start(self, cursor: ListCursor[T]) -> None:
        self._to_fetch.put(cursor)
        count = len(self._workers) - self._is_fed_aside
        if count < self._most:
            try:
                self._spawn(self._work)
            except RuntimeError as error:  # the system gives no further thread: those that are there do it
                if not count:
                    self._arrived(cursor, error)

    def _work(self, token: CancelToken) -> None:
        while (cursor := self._to_fetch.get()) is not None:
            try:
                page = self._fetch(cursor, token)
            except BaseException as error:
                page = error
            self._change(self._arrived, cursor, page)

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
        self._has_room.put(None)
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
