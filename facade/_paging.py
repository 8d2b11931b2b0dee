"""Where a walk over pages goes next, what must stop it, and which lists are read ahead: without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from facade._answers import Page, name_in
from facade._arguments import is_sendable
from facade._exchange import Call, Deadline
from facade._failure_log import Tally
from facade.errors import APIError, PaginationError

T = TypeVar("T")

Ask = Callable[[str | None], Call[Page[T]]]
"""Makes the call for the page behind a cursor."""

PAGES_AHEAD = 8
"""How many pages of a list are read ahead of the caller, where several are walked."""


def id_of(item: Any) -> str | None:
    """The id of an object of a list, where it has one that can name it."""
    return name_in(item._json, "id")


class ListCursor(Generic[T]):
    """One list and how far it has been read: the runs of a thread, say, or the steps of a run.

    Args:
        ask: makes the call for the page after a cursor
        after: the cursor to begin with; None for the list's begin
        list_of: the thread's id and the run's, for errors, where several are walked

    Attributes:
        done: whether the last page has been taken
        resume: what to go on with after all that was taken: the id of its last object, or `after`
        pages, error: what a window has read of it and not handed over: pages with what resumes behind them; a failure
        is_fetching: whether a window has asked for its next page
        after: what to go on with after all that a window handed over
    """

    def __init__(
        self, ask: Ask[T], after: str | None = None, list_of: tuple[str | None, str | None] = (None, None)
    ) -> None:
        self._ask = ask
        self._cursor = after
        self._seen: set[str | None] = set()
        self._ids: set[str | None] = set()
        self._call: Call[Page[T]] | None = None
        self._list_of = list_of
        self.pages: deque[tuple[list[T], str | None]] = deque()
        self.error: BaseException | None = None
        self.done = self.is_fetching = False
        self.resume = self.after = after

    def next_call(self) -> Call[Page[T]]:
        """What to ask next.

        Raises:
            PaginationError: there is no cursor to follow, or it was followed before.
        """
        if self._cursor is None and self._seen:
            raise self._lost("gives neither last_id nor an item with an id to go on from")
        if self._cursor is not None and not is_sendable(self._cursor):
            raise self._lost("gives a cursor that cannot be sent back")
        if self._cursor in self._seen:
            raise self._lost("gives a cursor again, so the walk would never end")
        self._seen.add(self._cursor)
        self._call = self._ask(self._cursor)
        return self._call

    def _lost(self, problem: str) -> PaginationError:
        error = PaginationError(f"the server promises more and {problem}")
        self.locate(error)
        return error

    def locate(self, error: BaseException) -> None:
        """Says in an error that ends a walk which request and list it is about, and where to go on."""
        if isinstance(error, APIError):
            error.after, (error.thread_id, error.run_id) = self.after, self._list_of
            if self._call is not None:
                self._call.about(error)

    def take(self, page: Page[T]) -> list[T]:
        """The objects of a page that the page before did not have; then `done` and `next_call` say how to go on."""
        before = self._ids
        items: list[Any] = page.data
        try:
            self._ids = {item._json.get("id") for item in items}
        except TypeError:  # an id that is no text
            self._ids = {id_of(item) for item in items}
        last = id_of(items[-1]) if items else None
        self.resume = last or self.resume
        self.done = not page.has_more
        self._cursor = page.last_id or last
        if before.isdisjoint(self._ids):
            return items
        return [item for item in items if (item_id := id_of(item)) is None or item_id not in before]


class Nothing(Enum):
    """What `Window.take` gives where there is nothing to hand over."""

    YET = "yet"
    MORE = "more"


class Window(Generic[T]):
    """Which of several lists are being read, how far each may be read ahead, and what comes next of what was read.

    Each list asks for one page at a time, so as many requests are under way as there are lists in the window that are
    not read to their end or as far as they may be. It is neither thread-safe nor asynchronous: its driver sees to that.

    Args:
        size: how many lists there may be: 1 or more
        pages_ahead: how many pages of each may be there or on their way before the caller takes them: 1 or more; what
            lists that are handed over whole leave of it, once no more begin, the others may use
        in_order: whether the lists' pages are handed over list by list, in the order in which the lists were begun
    """

    def __init__(self, size: int, pages_ahead: int = PAGES_AHEAD, in_order: bool = True) -> None:
        self._size = size
        self._pages_ahead = pages_ahead
        self._in_order = in_order
        self._lists: deque[ListCursor[T]] = deque()
        self._arrivals: deque[ListCursor[T]] = deque()
        self._error: BaseException | None = None
        self._most = 0
        self.has_ended = False

    @property
    def room(self) -> int:
        """How many further lists may be begun."""
        return 0 if self.has_ended else self._size - len(self._lists)

    def begin(self, cursor: ListCursor[T]) -> None:
        """Takes in one more list."""
        self._lists.append(cursor)
        self._most = max(self._most, len(self._lists))

    def end(self, error: BaseException) -> None:
        """There are no more lists: their iterator has ended (StopIteration, StopAsyncIteration) or failed."""
        if not self.has_ended and not isinstance(error, (StopIteration, StopAsyncIteration)):
            self._error = error
        self.has_ended = True

    def close(self) -> None:
        """Drops everything: nothing more is to be fetched or handed over."""
        self.has_ended, self._error = True, None
        self._lists.clear()
        self._arrivals.clear()

    def to_fetch(self) -> Iterator[ListCursor[T]]:
        """The lists whose next page is to be asked for now, the front one first; they count as fetching from now on."""
        for each in self._lists:
            if not (each.is_fetching or each.done or each.error) and self._may_be_read_ahead(each):
                each.is_fetching = True
                yield each

    def _may_be_read_ahead(self, one: ListCursor[T]) -> bool:
        if len(one.pages) < self._pages_ahead:
            return True
        # Lists that are read to their end and handed over have left room for the others.
        left = self._pages_ahead * (self._most - len(self._lists))
        over = (len(each.pages) + each.is_fetching - self._pages_ahead for each in self._lists)
        return sum(pages for pages in over if pages > 0) < left

    def arrived(self, cursor: ListCursor[T], page: Page[T] | BaseException) -> None:
        """A list's next page has come; or the error for which it has not."""
        cursor.is_fetching = False
        if isinstance(page, BaseException):
            cursor.error = page
        else:
            cursor.pages.append((cursor.take(page), cursor.resume))
        if not self._in_order:
            self._arrivals.append(cursor)

    def take(self) -> list[T] | Nothing | None:
        """What comes next: a page's objects; MORE where another list is wanted first; YET where it is on its way.

        Returns:
            None at the end.

        Raises:
            APIError: a list's, in its turn, saying which list failed and where to go on.
            Exception: the iterator's of lists, once all that was begun is handed over.
        """
        if not self._lists:
            if self._error is not None:
                raise self._error
            return None if self.has_ended else Nothing.MORE
        if not self._in_order and not self._arrivals:
            return Nothing.YET
        cursor = self._lists[0] if self._in_order else self._arrivals.popleft()
        if cursor.pages:
            items, cursor.after = cursor.pages.popleft()
            if cursor.done and not cursor.pages:
                self._lists.remove(cursor)
            return items
        if cursor.error is None:
            return Nothing.YET
        cursor.locate(cursor.error)
        raise cursor.error

    def locate(self, error: APIError) -> None:
        """Says in an error that ends the walk which list was waited for, and where to go on."""
        if self._lists:
            self._lists[0].locate(error)


class Progress(Generic[T]):
    """How far a walk has come, sync or async: what it handed over last, and what of the page in hand is left.

    Args:
        reader: gives the pages
        what: what is walked, for the repr
        deadline: runs while the walk waits
        after: the id that it began behind
    """

    def __init__(self, reader: Any, what: str, deadline: Deadline, after: str | None) -> None:
        self._reader, self._what, self._deadline, self._begin = reader, what, deadline, after
        self._page: Iterator[T] = iter(())
        self._last: T | None = None
        self._state: Literal["not begun", "under way", "ended"] = "not begun"
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
