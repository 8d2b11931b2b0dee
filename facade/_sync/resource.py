# Derived by scripts/unasync.py from facade/_async/resource.py: change that one.
"""What every resource is: a way to ask over a client's connections, with its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from facade._answers import M, Page
from facade._arguments import PageQuery, RunKey, behind, is_one
from facade._exchange import NO_DEADLINE, Ask, Call, Deadline
from facade._failure_log import warn_of
from facade._options import LimitOptions, Limits, Settings, check_concurrency
from facade._paging import ListCursor
from facade._sync.walks import Walk
from facade.errors import APIError

if TYPE_CHECKING:
    from facade._sync.pool import Pool

T = TypeVar("T")

PAGE_SIZE = 100
"""What a walk asks for: the largest page that servers give."""


class Resource:
    """Asks over a client's connections, with its settings."""

    _name: str

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    def _limits(self, method: str, options: LimitOptions) -> Limits:
        """The limits of one call of a method."""
        return self._settings.limits.override(f"{self._name}.{method}", options, getattr(self, method))

    def _ask(self, method: str, call: Call[T], options: LimitOptions) -> T:
        limits = self._limits(method, options) if options else self._settings.limits
        if limits.deadline_sec is None:
            return self._pool.run(Ask(call, limits, NO_DEADLINE), self._settings)
        with Deadline(limits.deadline_sec) as deadline:
            return self._pool.run(Ask(call, limits, deadline), self._settings)

    def _read(self, method: str, call: Call[M], options: LimitOptions) -> M:
        """Asks for one run or step, and warns where it failed."""
        item = self._ask(method, call, options)
        warn_of(item)
        return item

    def _walk(
        self,
        one_or_many: Any,
        what: str,
        ask: Callable[[Any, PageQuery], Call[Page[T]]],
        key: Callable[[Any], Any],
        query: PageQuery,
        options: LimitOptions,
        concurrency: int = 1,
        in_order: bool = True,
    ) -> Walk[T]:
        """A walk over one list or several; one is checked now, each of many when its turn comes.

        Args:
            one_or_many: what the caller gave
            what: a word for what a list belongs to, for the repr
            ask: makes the call for a list's page
            key: what names a list, of what the caller gave for it
            query: for the first page
        """
        from facade._prefetch_sync import Alone, Prefetch

        limits, after = self._limits("all", options), query.get("after")
        deadline = Deadline(limits.deadline_sec)
        check_concurrency("concurrency", concurrency)

        def fetch(cursor: ListCursor[T], token: Any) -> list[T]:
            try:
                page = self._pool.run(Ask(cursor.next_call(), limits, deadline), self._settings, token)
                return cursor.take(page)
            except APIError as error:
                cursor.locate(error)
                raise

        if is_one(one_or_many) or not isinstance(one_or_many, (Iterable)):
            name = key(one_or_many)
            one = ListCursor(lambda cursor: ask(name, behind(query, cursor)), after)
            shown = what if name is None else f"{what} {name.run_id if isinstance(name, RunKey) else name}"
            return Walk(Alone(one, fetch), f"{self._name} of {shown}", deadline, after)
        if after is not None:
            raise ValueError("after resumes the walk over a single one; leave it out where many are walked")

        def make(item: Any) -> ListCursor[T]:
            name = key(item)
            list_of = name if isinstance(name, RunKey) else (name, None)
            return ListCursor(lambda cursor: ask(name, behind(query, cursor)), list_of=list_of)

        reader = Prefetch(make, one_or_many, fetch, concurrency, in_order)
        return Walk(reader, f"{self._name} of several {what}s", deadline, None)
