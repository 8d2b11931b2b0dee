"""Where a walk over pages goes next, what must stop it, and which lists are read ahead: without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar

from facade._answers import Page, name_in
from facade._arguments import is_sendable
from facade._exchange import Call
from facade.errors import APIError, PaginationError

T = TypeVar("T")

PageOf = Callable[[str | None], Call[Page[T]]]
"""Makes the call for the page behind a cursor."""

PAGES_AHEAD = 8
"""How many pages of a list are read ahead of the caller, where several are walked."""


def id_of(item: Any) -> str | None:
    """The id of an object of a list, where it has one that can name it."""
    return name_in(item._json, "id")


class ListCursor(Generic[T]):
    """One list and how far it has been read: the runs of a thread, say, or the steps of a run.

    Args:
        page_of: makes the call for the page behind a cursor
        after: the cursor to begin with; None for the list's begin
        list_of: the thread's id and the run's, for errors, where several are walked

    Attributes:
        done: whether the last page has been taken, or asking for one has failed
        resume: what to go on with after all that was taken: the id of its last object, or `after`
        pages: what a window has read of it and not handed over: each page's objects; last, an error
        is_fetching: whether a window has asked for its next page
    """

    def __init__(
        self, page_of: PageOf[T], after: str | None = None, list_of: tuple[str | None, str | None] = (None, None)
    ) -> None:
        self._page_of, self._cursor, self._list_of = page_of, after, list_of
        self._seen: set[str | None] = set()
        self._ids: set[str | None] = set()
        self._call: Call[Page[T]] | None = None
        self.pages: deque[list[T] | BaseException] = deque()
        self.done = self.is_fetching = False
        self.resume = after

    def next_call(self) -> Call[Page[T]]:
        """What to ask next.

        Raises:
            PaginationError: there is no cursor to follow, or it was followed before.
        """
        if self._cursor is None and self._seen:
            raise self._lost("neither last_id nor an item with an id to go on from")
        if self._cursor is not None and not is_sendable(self._cursor):
            raise self._lost("a cursor that cannot be sent back")
        if self._cursor in self._seen:
            raise self._lost("a cursor again, so the walk would never end")
        self._seen.add(self._cursor)
        self._call = self._page_of(self._cursor)
        return self._call

    def _lost(self, what: str) -> APIError:
        return self.locate(PaginationError(f"the server promises more and gives {what}"))

    def locate(self, error: APIError) -> APIError:
        """Says in an error that ends a walk which request and list it is about and where to go on; gives that error."""
        error.after, (error.thread_id, error.run_id) = self.resume, self._list_of
        if self._call is not None:
            self._call.about(error)
        return error

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


Make = Callable[[Any], ListCursor[T]]
Fetch = Callable[[ListCursor[T], Any], Any]


class Window(Generic[T]):
    """Lists that are read ahead of the caller: which of them, how far each, and what comes next of what was read.

    Each list asks for one page at a time, so as many requests are under way as there are lists in the window that are
    not read to their end or as far as they may be. Who reads extends it, by tasks or by threads, and hands the pages
    over with a `take` of its own.

    Args:
        make: the cursor of one of `many`
        many: what the lists are made of
        fetch: asks for a list's next page
        size: how many lists there may be: 1 or more
        in_order: whether the lists' pages are handed over list by list, in the order in which the lists were begun
    """

    _pages_ahead = PAGES_AHEAD
    """How many pages of each list may be there or on their way before the caller takes them: 1 or more."""

    def __init__(self, make: Make[T], many: Any, fetch: Fetch[T], size: int, in_order: bool) -> None:
        self._make, self._many, self._fetch, self._size, self._in_order = make, many, fetch, size, in_order
        self._items: Any = None
        self._lists: deque[ListCursor[T]] = deque()
        self._arrivals: deque[ListCursor[T]] = deque()
        self._most = 0
        self._error: BaseException | None = None
        self._has_ended = self._is_closed = False
        # A signal's exception may come anywhere in the caller's thread, and garbage collection may close a walk in any.
        # Nobody waits while holding this lock, which is taken to touch the window.
        self._lock = RLock()

    def _start(self, cursor: ListCursor[T]) -> None:
        """Begins to fetch a list's next page, which ends with `_arrived`; the lock is held."""

    def _wake(self) -> None:
        """Wakes the caller, now or when it begins to wait."""

    @property
    def _room(self) -> int:
        """How many further lists may be begun."""
        return 0 if self._has_ended else self._size - len(self._lists)

    @property
    def _is_over(self) -> bool:
        """Whether all is handed over."""
        return self._has_ended and self._error is None and not self._lists

    def _feed(self) -> None:
        """Begins to read as many lists as may be."""
        while self._room > 0:
            try:
                found = self._make(next(self._items))
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._change(self._found, error)
            else:
                self._change(self._found, found)

    def _change(self, change: Callable[..., None], *arguments: Any) -> None:
        """Does something to the window, unless it is closed, and wakes the caller."""
        with self._lock:
            if not self._is_closed:
                change(*arguments)
                self._start_fetches()
        self._wake()

    def _found(self, found: ListCursor[T] | BaseException) -> None:
        """There is one more list; or none, since their iterator has ended or failed."""
        if isinstance(found, ListCursor):
            self._lists.append(found)
            self._most = max(self._most, len(self._lists))
            return
        if not isinstance(found, (StopIteration, StopAsyncIteration)):
            self._error = found
        self._has_ended = True  # last: who sees it without the lock must see the error too

    def _arrived(self, cursor: ListCursor[T], page: list[T] | BaseException) -> None:
        """A list's next page has come; or the error for which it has not."""
        cursor.is_fetching = False
        cursor.done = cursor.done or isinstance(page, BaseException)
        cursor.pages.append(page)
        if not self._in_order:
            self._arrivals.append(cursor)

    def _start_fetches(self) -> None:
        """Asks for the next page of each list that may be read on, the front one first."""
        for each in self._lists:
            if not (each.is_fetching or each.done) and self._may_be_read_ahead(each):
                each.is_fetching = True
                self._start(each)

    def _may_be_read_ahead(self, one: ListCursor[T]) -> bool:
        if len(one.pages) < self._pages_ahead:
            return True
        # Once no more lists begin, those that are handed over whole leave their room to the others.
        taken = (max(self._pages_ahead, len(each.pages) + each.is_fetching) for each in self._lists)
        return sum(taken) < self._pages_ahead * self._most

    def _look(self) -> list[T] | None:
        """The objects of the page that comes next; None where it is not there. What may be asked for then is asked for.

        Raises:
            APIError: a list's, in its turn, saying which list failed and where to go on.
            Exception: the iterator's of lists, once all that was begun is handed over.
        """
        with self._lock:
            items = self._next()
            self._start_fetches()
        return items

    def _next(self) -> list[T] | None:
        ready = self._lists if self._in_order else self._arrivals
        if not ready or not ready[0].pages:
            if self._lists or self._error is None:
                return None
            raise self._error
        cursor = ready[0]
        page = cursor.pages.popleft()
        if not self._in_order:
            self._arrivals.popleft()
        if isinstance(page, BaseException):
            raise page
        if cursor.done and not (cursor.pages or cursor.is_fetching):
            self._lists.remove(cursor)
        return page

    def _close(self) -> None:
        """Drops everything: nothing more is asked for or handed over."""
        with self._lock:
            self._has_ended, self._is_closed, self._error = True, True, None
            self._lists, self._arrivals = deque(), deque()
        self._wake()
