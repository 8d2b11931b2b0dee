"""Reads lists ahead of the caller: what is the same in tasks (`_prefetch_async`) and in threads (`_prefetch_sync`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from facade._exchange import Deadline
from facade._paging import ListCursor, Nothing, Window
from facade.errors import APITimeoutError

T = TypeVar("T")
Fetch = Callable[[ListCursor[T], Any], Any]


class Driver(Generic[T]):
    """Drives a window over one list or several.

    Args:
        window: of the lists that are read
        make: the cursor of one of `many`
        many: what the lists are made of
        fetch: asks for a list's next page
    """

    def __init__(self, window: Window[T], make: Callable[[Any], ListCursor[T]], many: Any, fetch: Fetch[T]) -> None:
        self._window, self._make, self._many, self._fetch = window, make, many, fetch
        self._items: Any = None
        self._lock: Any = contextlib.nullcontext()
        self._is_closed = False

    def _start(self, cursor: ListCursor[T]) -> None:
        """Begins to fetch a list's next page; the lock is held."""

    def _wake(self) -> None:
        """Wakes the caller, now or when it begins to wait."""

    def _look(self) -> list[T] | Nothing | None:
        """What comes next, as the window says; what may be asked for then is asked for."""
        with self._lock:
            items = self._window.take()
            self._start_fetches()
        return items

    def _change(self, change: Callable[..., None], *arguments: Any) -> None:
        """Does something to the window, unless it is closed, and wakes the caller."""
        with self._lock:
            if not self._is_closed:
                change(*arguments)
                self._start_fetches()
        self._wake()

    def _start_fetches(self) -> None:
        for cursor in self._window.to_fetch():
            self._start(cursor)

    def _feed(self) -> None:
        """Begins to read as many lists as may be."""
        while self._window.room > 0:
            try:
                cursor = self._make(next(self._items))
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._change(self._window.end, error)
            else:
                self._change(self._window.begin, cursor)

    def _close(self) -> None:
        """Nothing more is asked for or handed over."""
        with self._lock:
            self._change(self._window.close)
            self._is_closed = True

    def _late(self, deadline: Deadline) -> APITimeoutError:
        """The error of a walk whose `deadline_sec` passed while a page was on its way."""
        error = APITimeoutError(
            f"the next page did not come in time for the whole walk (deadline_sec={deadline.total_sec:g}); "
            "allow more time, or go on from where it stopped"
        )
        error.attempts = 1
        with self._lock:
            self._window.locate(error)
        return error
