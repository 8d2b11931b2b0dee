# Derived by scripts/unasync.py from facade/_async/walks.py: change that one.
"""Walks over every page of one list or of several."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal, Self, TypeVar

from facade._exchange import Deadline
from facade._failure_log import Tally
from facade._paging import id_of

T = TypeVar("T")


class Walk(Iterator[T]):
    """Iterates over the objects of every page, which are asked for, 100 a page, as they are needed.

    A context manager: leaving it, closing it and its end stop what is still on its way. Nothing is read before the
    first object is asked for. Over one list it holds two pages at most; over several, each list that is being read goes
    on ahead of the caller, by 8 pages at most. One thread or task reads it at a time; another that tries to meanwhile
    gets a RuntimeError.
    """

    def __init__(self, reader: Any, what: str, deadline: Deadline, after: str | None) -> None:
        self._reader, self._what, self._deadline, self._begin = reader, what, deadline, after
        self._page: Iterator[T] = iter(())
        self._last: T | None = None
        self._state: Literal["not begun", "waiting", "under way", "ended"] = "not begun"
        self._tally = Tally()

    @property
    def after(self) -> str | None:
        """The id of the last object handed over, or the `after` that the walk began with: what resumes it."""
        return (None if self._last is None else id_of(self._last)) or self._begin

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while True:
            for item in self._page:
                self._last = item
                return item
            self._turn_page()

    def _turn_page(self) -> None:
        """Takes the next page's objects in hand."""
        if self._state == "waiting":
            raise RuntimeError("this walk is being read by another thread or task; one reads it at a time")
        try:
            self._state = "waiting"
            items = None if self._reader is None else self._reader.take(self._deadline)
            if items is None:
                raise StopIteration
        except BaseException:
            self.close()
            raise
        self._state, self._begin = "under way", self.after
        self._tally.add(items)
        self._page = iter(items)

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

    def __reduce__(self) -> Any:
        raise TypeError("a walk cannot be copied or pickled; its `after` can: begin another one with it")

    def _repr_html_(self) -> str:
        """What a notebook shows: what is walked and how far, and the objects of the page in hand that are left."""
        from openai_thread_runs_api.model_html import objects_table

        left: list[Any] = list(self._page)
        self._page = iter(left)
        return objects_table(left, repr(self))

    def __repr__(self) -> str:
        where = "" if self.after is None else f", after={self.after!r}"
        return f"<{type(self).__name__} of {self._what}: {self._state}, {self._tally.total} read{where}>"
