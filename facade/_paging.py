"""Where a walk over pages goes next, and what must stop it, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from facade._answers import Page
from facade._arguments import is_sendable
from facade._exchange import Budget, Call
from facade._notices import Tally
from facade.errors import APIError, PaginationError

T = TypeVar("T")


def id_of(item: Any) -> str | None:
    """The id of a run or step, where it has one that can name it."""
    value = item._json.get("id")
    return value if isinstance(value, str) and value.strip() else None


class Source(Generic[T]):
    """One list and how far it has been read: the runs of a thread, or the steps of a run.

    Args:
        ask: makes the call for the page after a cursor
        after: the cursor to begin with; None for the list's begin
        thread_id, run_id: which list it is, for errors, where several are walked

    Attributes:
        done: whether the last page has been taken
        resume: what to go on with after all that was taken: the id of its last object, or `after`
    """

    def __init__(
        self,
        ask: Callable[[str | None], Call[Page[T]]],
        after: str | None = None,
        *,
        thread_id: str | None = None,
        run_id: str | None = None,
    ) -> None:
        self._ask = ask
        self._cursor = after
        self._seen: set[str | None] = set()
        self._ids: frozenset[str] = frozenset()
        self._thread_id = thread_id
        self._run_id = run_id
        self.done = False
        self.resume = after

    def alone(self) -> Source[T]:
        """This list as the only one of a walk: its errors need not say which it is."""
        self._thread_id = self._run_id = None
        return self

    def next_call(self) -> Call[Page[T]]:
        """What to ask next.

        Raises:
            PaginationError: there is no cursor to follow, or it was followed before.
        """
        if self._cursor is None and self._seen:
            raise PaginationError(
                "the server promises more and gives neither last_id nor an item with an id to go on from"
            )
        if self._cursor is not None and not is_sendable(self._cursor):
            raise PaginationError("the server promises more and gives a cursor that cannot be sent back")
        if self._cursor in self._seen:
            raise PaginationError("the server promises more and gives a cursor again, so the walk would never end")
        self._seen.add(self._cursor)
        return self._ask(self._cursor)

    def take(self, page: Page[T]) -> list[T]:
        """The objects of a page that the page before did not have; then `done` and `next_call` say how to go on."""
        items, before = page.data, self._ids
        ids = [id_of(item) for item in items]
        self._ids = frozenset(filter(None, ids))
        last = ids[-1] if ids else None
        self.resume = last or self.resume
        self.done = not page.has_more
        self._cursor = page.last_id or last
        if before.isdisjoint(self._ids):
            return items
        return [item for item, item_id in zip(items, ids, strict=True) if item_id not in before]

    def locate(self, error: APIError) -> None:
        """Says in an error which list failed, and where to go on."""
        error.after, error.thread_id, error.run_id = self.resume, self._thread_id, self._run_id


class Progress(Generic[T]):
    """How far a walk has come, sync or async: what it handed over last, and what of the page in hand is left."""

    def __init__(self, budget: Budget, after: str | None) -> None:
        self._budget = budget
        self._begin = after
        self._page: Iterator[T] = iter(())
        self._last: T | None = None
        self._tally = Tally()

    @property
    def after(self) -> str | None:
        """The id of the last object handed over, or the `after` that the walk began with: what resumes it."""
        return (None if self._last is None else id_of(self._last)) or self._begin

    def _begin_page(self, items: list[T]) -> T | None:
        """Takes the next page's objects in hand and gives the first; None where there is none."""
        self._begin = self.after
        self._tally.add(items)
        self._page = iter(items)
        for item in self._page:
            self._last = item
            return item
        return None
