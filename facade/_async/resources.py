"""What can be read through a client; `facade.resources` says what holds for every method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

from facade import _operations
from facade._answers import Page
from facade._arguments import (
    AsyncMany,
    MessageLike,
    Order,
    RunLike,
    ThreadLike,
    check_id,
    include_values,
    message_key,
    own_key,
    page_query,
    run_key,
    step_key,
    thread_key,
)
from facade._async.lifecycle import AsyncRunLife
from facade._async.resource import PAGE_SIZE, AsyncResource
from facade._async.walks import AsyncWalk
from facade._options import LimitOptions
from openai_thread_runs_api import models


class AsyncRuns(AsyncRunLife):
    """The runs of threads; `Get-ThreadRun` of the cmdlets."""

    _name = "runs"

    async def get(self, thread: ThreadLike, run_id: str, **options: Unpack[LimitOptions]) -> models.RunObject:
        """Reads one run (operation getRun; parameter set Get).

        Args:
            thread: the thread's id, or an object or mapping that is a thread or has a `thread_id` (-ThreadId)
            run_id: the run's id (-RunId)
            options: timeout_sec (-TimeoutSec), deadline_sec, max_retry_count (-MaxRetryCount), for this call alone

        Returns:
            The run; where it failed or is incomplete, a warning in the log says so.
        """
        call = _operations.get_run(thread_key(thread), check_id("run_id", run_id, "run"))
        return await self._read("get", call, options)

    async def list(
        self,
        thread: ThreadLike,
        *,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> Page[models.RunObject]:
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
        call = _operations.list_runs(thread_key(thread), page_query(limit, order, after, before))
        return await self._ask("list", call, options)

    def all(
        self,
        thread_or_threads: ThreadLike | AsyncMany[ThreadLike],
        *,
        order: Order = "asc",
        after: str | None = None,
        concurrency: int = 8,
        in_order: bool = True,
        **options: Unpack[LimitOptions],
    ) -> AsyncWalk[models.RunObject]:
        """Walks over all runs of a thread, or of several (operation listRuns; parameter set List with -All).

        Args:
            thread_or_threads: as in `get`, or an iterable of such; what several give comes grouped, in their order
            order: by creation, "asc" or "desc" (-Order)
            after: the id of the run to go on behind; for a single thread only
            concurrency: how many threads are read at once, 1 to 64
            in_order: whether several threads' runs come thread by thread; False hands pages over as they come
            options: timeout_sec, deadline_sec, max_retry_count, for this walk alone; deadline_sec does not count the
                caller's own time between runs

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query, ask = page_query(PAGE_SIZE, order, after), _operations.list_runs
        return self._walk(thread_or_threads, "thread", ask, thread_key, query, options, concurrency, in_order)

    async def refresh(self, run: RunLike, **options: Unpack[LimitOptions]) -> models.RunObject:
        """Reads a run afresh, as `get` with the run's own ids.

        Args:
            run: a run, or an object or mapping with a `run_id` and `thread_id`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        return await self._read("refresh", _operations.get_run(*run_key(run)), options)


class AsyncSteps(AsyncResource):
    """The steps of runs; `Get-ThreadRunStep` of the cmdlets."""

    _name = "steps"

    async def get(
        self,
        run: RunLike,
        step_id: str,
        *,
        thread_id: str | None = None,
        include: str | Sequence[str] = (),
        **options: Unpack[LimitOptions],
    ) -> models.RunStepObject:
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
        key, step_id = run_key(run, thread_id), check_id("step_id", step_id, "run step")
        return await self._read("get", _operations.get_run_step(key, step_id, include_values(include)), options)

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
        **options: Unpack[LimitOptions],
    ) -> Page[models.RunStepObject]:
        """Reads one page of a run's steps (operation listRunSteps; parameter set List).

        Args:
            run, thread_id, include: as in `get`
            limit, order, after, before: as in `runs.list`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            One page; its `has_more` says whether there are more.
        """
        query, wanted = page_query(limit, order, after, before), include_values(include) if include != () else ()
        call = _operations.list_run_steps(run_key(run, thread_id), query, wanted)
        return await self._ask("list", call, options)

    def all(
        self,
        run_or_runs: RunLike | AsyncMany[RunLike],
        *,
        thread_id: str | None = None,
        order: Order = "asc",
        after: str | None = None,
        include: str | Sequence[str] = (),
        concurrency: int = 8,
        in_order: bool = True,
        **options: Unpack[LimitOptions],
    ) -> AsyncWalk[models.RunStepObject]:
        """Walks over all steps of a run, or of several (operation listRunSteps; parameter set List with -All).

        Args:
            run_or_runs: as in `get`, or an iterable of such, `client.runs.all(...)` for one; what several give comes
                grouped, in their order
            thread_id: the thread of runs that are given as ids
            order, after, concurrency, in_order: as in `runs.all`
            include: as in `get`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query, key = page_query(PAGE_SIZE, order, after), partial(run_key, thread_id=thread_id)
        ask = partial(_operations.list_run_steps, include=include_values(include))
        return self._walk(run_or_runs, "run", ask, key, query, options, concurrency, in_order)

    async def refresh(
        self, step: Any, *, include: str | Sequence[str] = (), **options: Unpack[LimitOptions]
    ) -> models.RunStepObject:
        """Reads a step afresh, as `get` with the step's own ids.

        Args:
            step: a step, or an object or mapping with its `id`, `run_id` and `thread_id`
            include: as in `get`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        call = _operations.get_run_step(*step_key(step), include_values(include))
        return await self._read("refresh", call, options)


class AsyncMessages(AsyncResource):
    """The messages of threads; `Get-ThreadMessage` of the cmdlets' family."""

    _name = "messages"

    async def get(
        self, thread: ThreadLike, message_id: MessageLike, **options: Unpack[LimitOptions]
    ) -> models.MessageObject:
        """Reads one message (operation getMessage).

        Args:
            thread: as in `runs.get`
            message_id: the message's id, or the run step that made it, an object or mapping
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        call = _operations.get_message(thread_key(thread), message_key(message_id))
        return await self._ask("get", call, options)

    async def list(
        self,
        thread: ThreadLike,
        *,
        run_id: str | None = None,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> Page[models.MessageObject]:
        """Reads one page of a thread's messages (operation listMessages).

        Args:
            thread: as in `runs.get`
            run_id: only the messages that this run made; None for all
            limit, order, after, before: as in `runs.list`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            One page; its `has_more` says whether there are more.
        """
        query, of_run = page_query(limit, order, after, before), _run_id(run_id)
        return await self._ask("list", _operations.list_messages(thread_key(thread), query, of_run), options)

    def all(
        self,
        thread_or_threads: ThreadLike | AsyncMany[ThreadLike],
        *,
        run_id: str | None = None,
        order: Order = "asc",
        after: str | None = None,
        concurrency: int = 8,
        in_order: bool = True,
        **options: Unpack[LimitOptions],
    ) -> AsyncWalk[models.MessageObject]:
        """Walks over all messages of a thread, or of several (operation listMessages).

        Args:
            thread_or_threads, order, after, concurrency, in_order: as in `runs.all`
            run_id: as in `list`
            options: timeout_sec, deadline_sec, max_retry_count, for this walk alone

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query = page_query(PAGE_SIZE, order, after)
        ask = partial(_operations.list_messages, run_id=_run_id(run_id))
        return self._walk(thread_or_threads, "thread", ask, thread_key, query, options, concurrency, in_order)

    async def refresh(self, message: Any, **options: Unpack[LimitOptions]) -> models.MessageObject:
        """Reads a message afresh, as `get` with the message's own ids.

        Args:
            message: a message, or an object or mapping with its `id` and `thread_id`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        return await self._ask("refresh", _operations.get_message(*own_key(message)), options)


class AsyncThreads(AsyncResource):
    """Threads: one by its id, and the lists where the server has them (Azure AI Foundry)."""

    _name = "threads"

    async def get(self, thread: ThreadLike, **options: Unpack[LimitOptions]) -> models.ThreadObject:
        """Reads one thread (operation getThread).

        Args:
            thread: as in `runs.get`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        return await self._ask("get", _operations.get_thread(thread_key(thread)), options)

    async def list(
        self,
        *,
        limit: int = 20,
        order: Order = "asc",
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> Page[models.ThreadObject]:
        """Reads one page of the threads (operation listThreads); a server that has no such list answers 404.

        Args:
            limit, order, after, before: as in `runs.list`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            One page; its `has_more` says whether there are more.
        """
        return await self._ask("list", _operations.list_threads(page_query(limit, order, after, before)), options)

    def all(
        self, *, order: Order = "asc", after: str | None = None, **options: Unpack[LimitOptions]
    ) -> AsyncWalk[models.ThreadObject]:
        """Walks over all threads (operation listThreads).

        Args:
            order, after: as in `runs.all`
            options: timeout_sec, deadline_sec, max_retry_count, for this walk alone

        Returns:
            An iterator, which asks for pages of 100 as they are needed.
        """
        query = page_query(PAGE_SIZE, order, after)
        return self._walk(
            None, "the server", lambda _, page: _operations.list_threads(page), lambda _: None, query, options
        )


class AsyncAssistants(AsyncResource):
    """Assistants, which runs name."""

    _name = "assistants"

    async def get(self, assistant_id: str, **options: Unpack[LimitOptions]) -> models.AssistantObject:
        """Reads one assistant (operation getAssistant).

        Args:
            assistant_id: the assistant's id, as `run.assistant_id`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        call = _operations.get_assistant(check_id("assistant_id", assistant_id, "assistant"))
        return await self._ask("get", call, options)


def _run_id(value: str | None) -> str | None:
    return None if value is None else check_id("run_id", value, "run")
