"""What can be read: `client.runs` and `client.steps`, sync and async side by side.

Every method takes three options for that call alone; left out, they are the client's:

    timeout_sec      seconds that one attempt may take, from connecting to the body's last byte; 0 or None: no limit
    deadline_sec     seconds that the whole call may take, with its attempts, waits and pages; 0 or None: no limit
    max_retry_count  further attempts after a 429 or a 5xx answer, 0 to 100

Every method raises ValueError or TypeError for a bad argument before any request, and `facade.APIError` where a
request gave no answer to use. In a walk these come from the iteration, after all that was read before.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from operator import length_hint
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from facade import _operations
from facade._answers import Page
from facade._arguments import (
    Order,
    PageQuery,
    RunKey,
    RunLike,
    ThreadLike,
    check_concurrency,
    check_id,
    include_values,
    is_one,
    page_query,
    run_key,
    step_key,
    thread_key,
)
from facade._exchange import Budget, Call
from facade._notices import warn_of
from facade._paging import Source
from facade._settings import Settings
from facade._sync import Connections, Walk, walk

if TYPE_CHECKING:
    from facade._async import AsyncConnections, AsyncWalk
    from openai_thread_runs_api.models import RunObject, RunStepObject

T = TypeVar("T")

PAGE_SIZE = 100
"""What a walk asks for: the largest page that servers give."""


class CallOptions(TypedDict, total=False):
    """The options that every method takes; see the module's text."""

    timeout_sec: float | None
    deadline_sec: float | None
    max_retry_count: int


def _run_source(thread: Any, query: PageQuery) -> Source[RunObject]:
    thread_id = thread_key(thread)
    return Source(
        lambda after: _operations.list_runs(thread_id, query._replace(after=after)),
        query.after,
        thread_id=thread_id,
    )


def _step_source(run: RunKey, query: PageQuery) -> Source[RunStepObject]:
    return Source(
        lambda after: _operations.list_run_steps(run, query._replace(after=after)), query.after, **run._asdict()
    )


def _sources(
    one_or_many: Any, make: Callable[[Any], Source[T]], after: str | None
) -> Source[T] | Iterator[Source[T]] | AsyncIterator[Source[T]]:
    """The list or lists to walk; one is checked now, each of many when its turn comes."""
    if is_one(one_or_many):
        return make(one_or_many).alone()
    if after is not None:
        raise ValueError("after resumes the walk over a single one; leave it out where many are walked")
    if isinstance(one_or_many, AsyncIterable):
        return _AsyncMap(make, one_or_many)
    if isinstance(one_or_many, Iterable):
        return _Map(make, one_or_many)
    return make(one_or_many).alone()


class _Map(Iterator[T]):
    """What `map` is, but it passes on whether there is more at hand, as in a list."""

    def __init__(self, make: Callable[[Any], T], items: Iterable[Any]) -> None:
        self._make = make
        self._items = iter(items)

    def __next__(self) -> T:
        return self._make(next(self._items))

    def __length_hint__(self) -> int:
        return length_hint(self._items, 0)


class _AsyncMap(AsyncIterator[T]):
    """What `map` is for an async iterable; no generator, which would need closing."""

    def __init__(self, make: Callable[[Any], T], items: AsyncIterable[Any]) -> None:
        self._make = make
        self._items = aiter(items)

    async def __anext__(self) -> T:
        return self._make(await anext(self._items))


class _SyncResource:
    """Asks over a sync client's connections, with its settings."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        self._connections = connections
        self._settings = settings

    def _ask(self, call: Call[T], options: CallOptions) -> T:
        limits = self._settings.limits.override(**options)
        with Budget(limits.deadline_sec) as budget:
            return self._connections.run(call, self._settings, limits, budget)

    def _walk(self, sources: Any, concurrency: int, options: CallOptions) -> Walk[Any]:
        if isinstance(sources, AsyncIterator):
            raise TypeError("a sync client walks no async iterable; use facade.AsyncClient")
        limits = self._settings.limits.override(**options)
        return walk(self._connections, self._settings, limits, sources, check_concurrency(concurrency))


class _AsyncResource:
    """Asks over an async client's connections, with its settings."""

    def __init__(self, connections: AsyncConnections, settings: Settings) -> None:
        self._connections = connections
        self._settings = settings

    async def _ask(self, call: Call[T], options: CallOptions) -> T:
        limits = self._settings.limits.override(**options)
        with Budget(limits.deadline_sec) as budget:
            return await self._connections.run(call, self._settings, limits, budget)

    def _walk(self, sources: Any, concurrency: int, options: CallOptions) -> AsyncWalk[Any]:
        from facade._async import walk  # loaded by the client already

        limits = self._settings.limits.override(**options)
        return walk(self._connections, self._settings, limits, sources, check_concurrency(concurrency))


class Runs(_SyncResource):
    """The runs of threads; `Get-ThreadRun` of the cmdlets."""

    def get(self, thread: ThreadLike, run_id: str, **options: Unpack[CallOptions]) -> RunObject:
        """Reads one run (operation getRun; parameter set Get).

        Args:
            thread: the thread's id, or an object or mapping that is a thread or has a `thread_id` (-ThreadId)
            run_id: the run's id (-RunId)
            options: timeout_sec (-TimeoutSec), deadline_sec, max_retry_count (-MaxRetryCount), for this call alone

        Returns:
            The run; where it failed or is incomplete, a warning in the log says so.
        """
        run = self._ask(_operations.get_run(thread_key(thread), check_id("run_id", run_id, "run")), options)
        warn_of(run)
        return run

    def list(
        self,
        thread: ThreadLike,
        *,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[RunObject]:
        """Reads one page of a thread's runs (operation listRuns; parameter set List).

        Args:
            thread: as in `get`
            limit: the most that the page may hold, 1 to 100 (-Limit)
            order: by creation, "asc" or "desc" (-Order; the cmdlets' default, not the API's)
            after: the id of a run; the page begins behind it
            before: the id of a run; the page ends in front of it
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            One page; its `has_more` says whether there are more.
        """
        return self._ask(_operations.list_runs(thread_key(thread), page_query(limit, order, after, before)), options)

    def all(
        self,
        thread_or_threads: ThreadLike | Iterable[ThreadLike],
        *,
        order: Order = "asc",
        after: str | None = None,
        concurrency: int = 8,
        **options: Unpack[CallOptions],
    ) -> Walk[RunObject]:
        """Walks over all runs of a thread, or of several (operation listRuns; parameter set List with -All).

        Args:
            thread_or_threads: as in `get`, or an iterable of such; what several give comes grouped, in their order
            order: by creation, "asc" or "desc" (-Order)
            after: the id of the run to go on behind; for a single thread only
            concurrency: how many threads are read at once, 1 to 64
            options: timeout_sec, deadline_sec, max_retry_count, for this walk alone; deadline_sec does not count the
                caller's own time between runs

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query = page_query(PAGE_SIZE, order, after, None)
        return self._walk(_sources(thread_or_threads, lambda t: _run_source(t, query), after), concurrency, options)

    def refresh(self, run: RunLike, **options: Unpack[CallOptions]) -> RunObject:
        """Reads a run afresh, as `get` with the run's own ids.

        Args:
            run: a run, or an object or mapping with a `run_id` and `thread_id`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        return self.get(*run_key(run), **options)


class Steps(_SyncResource):
    """The steps of runs; `Get-ThreadRunStep` of the cmdlets."""

    def get(
        self,
        run: RunLike,
        step_id: str,
        *,
        thread_id: str | None = None,
        include: str | Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> RunStepObject:
        """Reads one step (operation getRunStep; parameter set Get).

        Args:
            run: a run, an object or mapping with a `run_id` and `thread_id`, or a run's id (-RunId)
            step_id: the step's id (-StepId)
            thread_id: the thread of a run that is given as an id (-ThreadId)
            include: what else to send, such as `facade.FILE_SEARCH_RESULT_CONTENT`; unknown values go along (-Include)
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            The step; where it failed, a warning in the log says so.
        """
        call = _operations.get_run_step(
            run_key(run, thread_id), check_id("step_id", step_id, "run step"), include_values(include)
        )
        step = self._ask(call, options)
        warn_of(step)
        return step

    def list(
        self,
        run: RunLike,
        *,
        thread_id: str | None = None,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        include: str | Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[RunStepObject]:
        """Reads one page of a run's steps (operation listRunSteps; parameter set List).

        Args:
            run, thread_id, include: as in `get`
            limit, order, after, before: as in `Runs.list`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            One page; its `has_more` says whether there are more.
        """
        query = page_query(limit, order, after, before, include)
        return self._ask(_operations.list_run_steps(run_key(run, thread_id), query), options)

    def all(
        self,
        run_or_runs: RunLike | Iterable[RunLike],
        *,
        thread_id: str | None = None,
        order: Order = "asc",
        after: str | None = None,
        include: str | Sequence[str] = (),
        concurrency: int = 8,
        **options: Unpack[CallOptions],
    ) -> Walk[RunStepObject]:
        """Walks over all steps of a run, or of several (operation listRunSteps; parameter set List with -All).

        Args:
            run_or_runs: as in `get`, or an iterable of such, `client.runs.all(...)` for one; what several give comes
                grouped, in their order
            thread_id: the thread of runs that are given as ids
            order, after, concurrency: as in `Runs.all`
            include: as in `get`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query = page_query(PAGE_SIZE, order, after, None, include)
        sources = _sources(run_or_runs, lambda run: _step_source(run_key(run, thread_id), query), after)
        return self._walk(sources, concurrency, options)

    def refresh(self, step: Any, *, include: str | Sequence[str] = (), **options: Unpack[CallOptions]) -> RunStepObject:
        """Reads a step afresh, as `get` with the step's own ids.

        Args:
            step: a step, or an object or mapping with its `id`, `run_id` and `thread_id`
            include: as in `get`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        run, step_id = step_key(step)
        return self.get(run._asdict(), step_id, include=include, **options)


class AsyncRuns(_AsyncResource):
    """As `Runs`: `get`, `list` and `refresh` are awaited, `all` takes async iterables too."""

    async def get(self, thread: ThreadLike, run_id: str, **options: Unpack[CallOptions]) -> RunObject:
        """Reads one run, as `Runs.get`."""
        run = await self._ask(_operations.get_run(thread_key(thread), check_id("run_id", run_id, "run")), options)
        warn_of(run)
        return run

    async def list(
        self,
        thread: ThreadLike,
        *,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[RunObject]:
        """Reads one page of runs, as `Runs.list`."""
        return await self._ask(
            _operations.list_runs(thread_key(thread), page_query(limit, order, after, before)), options
        )

    def all(
        self,
        thread_or_threads: ThreadLike | Iterable[ThreadLike] | AsyncIterable[ThreadLike],
        *,
        order: Order = "asc",
        after: str | None = None,
        concurrency: int = 8,
        **options: Unpack[CallOptions],
    ) -> AsyncWalk[RunObject]:
        """Walks over all runs, as `Runs.all`."""
        query = page_query(PAGE_SIZE, order, after, None)
        return self._walk(_sources(thread_or_threads, lambda t: _run_source(t, query), after), concurrency, options)

    async def refresh(self, run: RunLike, **options: Unpack[CallOptions]) -> RunObject:
        """Reads a run afresh, as `Runs.refresh`."""
        return await self.get(*run_key(run), **options)


class AsyncSteps(_AsyncResource):
    """As `Steps`: `get`, `list` and `refresh` are awaited, `all` takes async iterables too."""

    async def get(
        self,
        run: RunLike,
        step_id: str,
        *,
        thread_id: str | None = None,
        include: str | Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> RunStepObject:
        """Reads one step, as `Steps.get`."""
        call = _operations.get_run_step(
            run_key(run, thread_id), check_id("step_id", step_id, "run step"), include_values(include)
        )
        step = await self._ask(call, options)
        warn_of(step)
        return step

    async def list(
        self,
        run: RunLike,
        *,
        thread_id: str | None = None,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        include: str | Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[RunStepObject]:
        """Reads one page of steps, as `Steps.list`."""
        query = page_query(limit, order, after, before, include)
        return await self._ask(_operations.list_run_steps(run_key(run, thread_id), query), options)

    def all(
        self,
        run_or_runs: RunLike | Iterable[RunLike] | AsyncIterable[RunLike],
        *,
        thread_id: str | None = None,
        order: Order = "asc",
        after: str | None = None,
        include: str | Sequence[str] = (),
        concurrency: int = 8,
        **options: Unpack[CallOptions],
    ) -> AsyncWalk[RunStepObject]:
        """Walks over all steps, as `Steps.all`."""
        query = page_query(PAGE_SIZE, order, after, None, include)
        sources = _sources(run_or_runs, lambda run: _step_source(run_key(run, thread_id), query), after)
        return self._walk(sources, concurrency, options)

    async def refresh(
        self, step: Any, *, include: str | Sequence[str] = (), **options: Unpack[CallOptions]
    ) -> RunStepObject:
        """Reads a step afresh, as `Steps.refresh`."""
        run, step_id = step_key(step)
        return await self.get(run._asdict(), step_id, include=include, **options)
