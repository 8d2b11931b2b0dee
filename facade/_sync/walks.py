# Derived by scripts/unasync.py from facade/_async/walks.py: change that one.
"""Walks over every page of one list or of several."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Self, TypeVar

from facade._paging import Progress

T = TypeVar("T")


class Walk(Progress[T], Iterator[T]):
    """Iterates over the objects of every page, which are asked for, 100 a page, as they are needed.

    A context manager: leaving it, closing it and its end stop what is still on its way. Nothing is read before the
    first object is asked for. Over one list it holds two pages at most; over several, each list that is being read goes
    on ahead of the caller, by 8 pages at most. One thread or task reads it at a time.
    """

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._page:
            self._last = item
            return item
        try:
            while self._reader is not None:
                self._state = "under way"
                items = self._reader.take(self._deadline)
                if items is None:
                    break
                if (first := self._begin_page(items)) is not None:
                    return first
            raise StopIteration
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the walk: stops what is on its way, and waits until it has stopped (in threads, a second at most)."""
        self._page, self._state = iter(()), "ended"
        if (reader := self._reader) is not None:
            reader.close()
            self._reader = None  # not before: where that was broken off, it is stopped when the walk is dropped
            self._tally.warn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_reader", None) is not None and not sys.is_finalizing():
            self._reader.stop()
            self._tally.warn()
