"""A run's life: starting, following, answering and ending it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Unpack

from facade import _operations
from facade._arguments import RunKey, RunLike, ThreadLike, include_values, run_key, thread_key
from facade._async.resource import AsyncResource
from facade._async.streams import AsyncEventSource, AsyncRunStream
from facade._exchange import Call, Deadline, Pause
from facade._failure_log import warn_of
from facade._life.answering import (
    Decide,
    Follow,
    Invoke,
    Kind,
    Submit,
    check_awaited,
    check_functions,
    processing,
    read_answers,
    still_waits,
)
from facade._life.bodies import (
    NewThreadFields,
    RunFields,
    check_metadata,
    creation,
    make_body,
    read_mapping,
    secrets_in,
)
from facade._life.waiting import ENDED, Poll, check_ended, check_poll_sec, goes_on, is_ambiguous, is_one_of, waiting
from facade._options import LimitOptions, Limits, check_turns, models
from facade.errors import APIError, APITimeoutError, BadRequestError

CANCEL_SEC = 5.0
"""What the one cancel of a wait whose time is up may take, where `timeout_sec` says nothing."""


class AsyncRunLife(AsyncResource):
    """What starts, follows, answers and ends runs."""

    _name = "runs"

    async def create(self, thread: ThreadLike, assistant_id: str, **fields: Unpack[RunFields]) -> models.RunObject:
        """Starts an assistant on a thread (operation createRun; cmdlet `Start-ThreadRun`).

        It is sent once: again only where the server asks for it (429, 503 with a wait, `x-should-retry`). Where the
        error's `sent` is True the run may have been started all the same.

        Args:
            thread: the thread's id, or an object or mapping that is a thread or has a `thread_id`
            assistant_id: the assistant's id
            fields: what the run is given (`RunFields`), each left out where None; and timeout_sec, deadline_sec,
                max_retry_count, for this call alone

        Returns:
            The run as it was queued; `wait` or `process` follow it.
        """
        call, options = self._creation("create", thread, assistant_id, fields)
        return await self._ask("create", call, options)

    async def create_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> models.RunObject:
        """Makes a thread and starts an assistant on it, in one request (operation createThreadAndRun).

        Args:
            assistant_id: the assistant's id
            fields: as of `create`, without `include`, `additional_instructions` and `additional_messages`; with
                `thread`, the new thread's body, and `tool_resources` (`NewThreadFields`)

        Returns:
            The run as it was queued; its `thread_id` is the new thread's.
        """
        call, options = self._creation("create_with_thread", None, assistant_id, fields)
        return await self._ask("create_with_thread", call, options)

    async def update(
        self,
        run: RunLike,
        *,
        metadata: Mapping[str, str],
        thread_id: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> models.RunObject:
        """Replaces a run's metadata (operation modifyRun).

        Args:
            run: a run, an object or mapping with a `run_id` and `thread_id`, or a run's id
            metadata: up to 16 pairs of texts
            thread_id: the thread of a run that is given as an id
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        key = run_key(run, thread_id)
        pairs = read_mapping("metadata", metadata)
        check_metadata("metadata", pairs)
        return await self._ask("update", _operations.modify_run(key, make_body({"metadata": pairs})), options)

    async def cancel(
        self, run: RunLike, *, thread_id: str | None = None, **options: Unpack[LimitOptions]
    ) -> models.RunObject:
        """Asks for a run to be stopped (operation cancelRun; cmdlet `Stop-ThreadRun`).

        Args:
            run, thread_id: as in `update`
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone

        Returns:
            The run, `cancelling` as a rule: `wait` says when it has stopped. Where a repeated request is refused
            because the first one did its work, the run as it is now.
        """
        key, limits = run_key(run, thread_id), self._limits("cancel", options)
        with Deadline(limits.deadline_sec) as deadline:
            try:
                return await self._pool.run(_operations.cancel_run(key), self._settings, limits, deadline)
            except BadRequestError as error:
                refusal = error
            now = await self._read_once(key, limits, deadline) if refusal.attempts > 1 else None
        if now is not None and is_one_of(now.status, (*ENDED, "cancelling")):
            return now
        raise refusal

    async def submit_tool_outputs(
        self,
        run: RunLike,
        outputs: Mapping[str, Any],
        *,
        thread_id: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> models.RunObject:
        """Answers the function calls that a run waits for (operation submitToolOuputsToRun).

        It is sent once, as `create`. Where it is not known what came of it, the run is read once: where it no longer
        waits for these calls that run is returned, else the error is raised.

        Args:
            run, thread_id: as in `update`; a run object says what it waits for, and the outputs are checked against it
            outputs: by the calls' ids: a text goes as it is, anything else as JSON
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        submission = _submission("outputs", run, thread_id, outputs)
        return await self._submit(submission, self._limits("submit_tool_outputs", options))

    async def submit_tool_approvals(
        self,
        run: RunLike,
        approvals: Mapping[str, Any],
        *,
        thread_id: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> models.RunObject:
        """Approves or refuses the calls that a run waits for (operation submitToolOuputsToRun; Azure AI Foundry).

        Args:
            run, thread_id, options: as in `submit_tool_outputs`, and sent once as there
            approvals: by the calls' ids: True, False, or a mapping with `approve` and, say, `headers`, which are
                never shown
        """
        submission = _submission("approvals", run, thread_id, approvals)
        del approvals  # they may hold tokens, which no traceback is to show
        return await self._submit(submission, self._limits("submit_tool_approvals", options))

    async def wait(
        self,
        run: RunLike,
        *,
        thread_id: str | None = None,
        poll_sec: float | None = None,
        check: bool = False,
        cancel_on_timeout: bool = False,
        **options: Unpack[LimitOptions],
    ) -> models.RunObject:
        """Reads a run again and again until it rests (operation getRun; cmdlet `Wait-ThreadRun`).

        It goes on while the status is queued, in_progress or cancelling; any other ends it, requires_action and ones
        that nobody knows too. Two failed polls in a row (429, 5xx, connection, timeout) are ridden out.

        Args:
            run, thread_id: as in `update`
            poll_sec: the seconds between two polls; None: what the server says in `openai-poll-after-ms`, else 1/3,
                2/3 and 1, after a minute growing to 5
            check: whether a run that failed, was cancelled, expired or is incomplete is an error
            cancel_on_timeout: whether to cancel the run when `deadline_sec` passes; else it goes on
            options: deadline_sec bounds the whole wait, timeout_sec and max_retry_count each poll

        Raises:
            APITimeoutError: `deadline_sec` passed; its `run` is the run as last read.
            RunFailedError: with `check`.
        """
        check_poll_sec("poll_sec", poll_sec)
        follow = partial(self._follow, poll_sec=poll_sec, cancel_on_timeout=cancel_on_timeout)
        with Deadline((limits := self._limits("wait", options)).deadline_sec) as deadline:
            return _settled(await follow(run_key(run, thread_id), limits, deadline), check)

    async def process(
        self,
        run: RunLike,
        functions: Mapping[str, Callable[..., Any]],
        *,
        approve: Callable[[Any], Any] | None = None,
        max_turns: int = 20,
        report_errors: bool = False,
        thread_id: str | None = None,
        poll_sec: float | None = None,
        check: bool = False,
        cancel_on_timeout: bool = False,
        **options: Unpack[LimitOptions],
    ) -> models.RunObject:
        """Waits for a run and answers what it waits for, until it rests: calls functions, and submits what they give.

        What the model does wrong (a function that is not there, arguments that are no JSON object) is told to the
        model. What the server runs itself (`azure_function`) is waited for. A run that waits for anything else is
        returned waiting. The functions' own time does not count towards `deadline_sec`.

        Args:
            run, thread_id: as in `update`
            functions: by their names; each is called with its arguments by name. What it gives is submitted as
                `submit_tool_outputs` does
            approve: is asked about each call that wants an approval; only True approves. None: such a run is
                returned waiting
            max_turns: how often answers are submitted at most; then the run is returned waiting
            report_errors: whether a function's exception is told to the model; else it is raised, and the run is left
                waiting
            poll_sec, check, cancel_on_timeout, options: as in `wait`; deadline_sec bounds all waits together

        Raises:
            APITimeoutError, RunFailedError: as `wait`.
            Exception: what a function or `approve` raises.
        """
        from facade._network_async import settle

        check_poll_sec("poll_sec", poll_sec)
        check_turns("max_turns", max_turns)
        check_functions(functions)
        key, limits = run_key(run, thread_id), self._limits("process", options)
        follow = partial(self._follow, poll_sec=poll_sec, cancel_on_timeout=cancel_on_timeout)
        steps = processing(
            functions,
            may_decide=approve is not None,
            max_turns=max_turns,
            report_errors=report_errors,
        )
        deadline = Deadline(limits.deadline_sec)
        step = next(steps)
        try:
            while True:
                given, failure = None, None
                try:
                    if isinstance(step, Invoke):
                        given = await settle(step.function(**step.arguments))
                    elif isinstance(step, Decide):
                        given = await settle(approve(step.call) if approve is not None else False)
                    elif isinstance(step, Follow):
                        with deadline:
                            given = await follow(key, limits, deadline, goes_on=step.goes_on)
                    else:
                        await self._submit(_submission(step.kind, key._asdict(), None, step.answers), limits, deadline)
                except Exception as error:
                    failure = error
                    if (
                        isinstance(step, Submit)
                        and isinstance(error, APITimeoutError)
                        and deadline.remaining_sec() <= 0
                    ):
                        error.run = step.run
                        if cancel_on_timeout:
                            await self._cancel_late(key, limits)
                step = steps.send(given) if failure is None else steps.throw(failure)
        except StopIteration as end:
            return _settled(end.value, check)

    def stream(self, thread: ThreadLike, assistant_id: str, **fields: Unpack[RunFields]) -> AsyncRunStream:
        """Starts an assistant on a thread, and gives what happens as it happens (operation createRun).

        Args:
            thread, assistant_id, fields: as in `create`; here timeout_sec bounds the wait for the first byte and each
                silence, deadline_sec the whole

        Returns:
            The stream. The request goes out when it is entered, or with its first event.
        """
        call, options = self._creation("stream", thread, assistant_id, fields)
        return self._stream("stream", call, options, None)

    def stream_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> AsyncRunStream:
        """Makes a thread and starts an assistant on it, as `create_with_thread`; gives a stream, as `stream`."""
        call, options = self._creation("stream_with_thread", None, assistant_id, fields)
        return self._stream("stream_with_thread", call, options, None)

    def stream_tool_outputs(
        self,
        run: RunLike,
        outputs: Mapping[str, Any],
        *,
        thread_id: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> AsyncRunStream:
        """Answers the function calls that a run waits for, and gives what happens then (submitToolOuputsToRun).

        Args:
            run, outputs, thread_id: as in `submit_tool_outputs`; where it is not known what came of it, the error is
                raised
            options: as of `stream`
        """
        submission = _submission("outputs", run, thread_id, outputs, is_stream=True)
        return self._stream("stream_tool_outputs", submission.call, options, submission.key)

    def _creation(
        self, method: str, thread: ThreadLike | None, assistant_id: str, given: Any
    ) -> tuple[Call[models.RunObject], LimitOptions]:
        """The call that starts a run, and the options of it."""
        is_stream = method.startswith("stream")
        kind = NewThreadFields if thread is None else RunFields
        body, include, options = creation(f"runs.{method}", kind, assistant_id, given, is_stream)
        if thread is None:
            call = _operations.create_thread_and_run(body)
        else:
            call = _operations.create_run(thread_key(thread), body, include_values(include))
        return call._replace(secrets=tuple(secrets_in(given))), options

    def _stream(
        self, method: str, call: Call[models.RunObject], options: LimitOptions, run: RunKey | None
    ) -> AsyncRunStream:
        limits = self._limits(method, options)
        source = AsyncEventSource(self._pool, self._settings, _operations.as_stream(call), limits, self._follow)
        return AsyncRunStream(source, run)

    async def _submit(
        self, submission: _Submission, limits: Limits, deadline: Deadline | None = None
    ) -> models.RunObject:
        """Sends answers once; where it is not known what came of that, looks once whether the run still waits."""
        call, key, ids = submission
        with deadline or Deadline(limits.deadline_sec) as deadline:
            try:
                return await self._pool.run(call, self._settings, limits, deadline)
            except APIError as error:
                failure = error
            now = await self._read_once(key, limits, deadline) if is_ambiguous(failure) else None
        if now is None or still_waits(now, ids):
            raise failure
        return now

    async def _read_once(self, key: RunKey, limits: Limits, deadline: Deadline) -> models.RunObject | None:
        """The run as it is now; None where that cannot be read."""
        with contextlib.suppress(APIError):
            call, once = _operations.get_run(*key), limits._replace(max_retry_count=0)
            return await self._pool.run(call, self._settings, once, deadline)
        return None

    async def _cancel_late(self, key: RunKey, limits: Limits) -> None:
        """Sends the one cancel of a wait whose time is up; whatever comes of it, that is the error."""
        once = limits._replace(timeout_sec=limits.timeout_sec or CANCEL_SEC, max_retry_count=0)
        with contextlib.suppress(APIError):
            await self._pool.run(_operations.cancel_run(key), self._settings, once, Deadline(None))

    async def _follow(
        self,
        key: RunKey,
        limits: Limits,
        deadline: Deadline,
        *,
        poll_sec: float | None = None,
        goes_on: Callable[[models.RunObject], bool] = goes_on,
        cancel_on_timeout: bool = False,
    ) -> models.RunObject:
        """Drives a wait; the deadline is running."""
        from facade._network_async import async_pause

        call = _operations.polled(_operations.get_run(*key))
        steps = waiting(key.run_id, deadline, poll_sec=poll_sec, goes_on=goes_on, cancel_on_timeout=cancel_on_timeout)
        step = next(steps)
        try:
            while True:
                given, failure = None, None
                try:
                    if isinstance(step, Poll):
                        given = await self._pool.run(call, self._settings, limits, deadline)
                    elif isinstance(step, Pause):
                        await async_pause(step.sec, None)
                    else:
                        await self._cancel_late(key, limits)
                except APIError as error:
                    failure = error
                step = steps.send(given) if failure is None else steps.throw(failure)
        except StopIteration as end:
            run: models.RunObject = end.value
            return run
        except APIError as error:
            if error.path is None:
                call.about(error)
            raise


class _Submission(NamedTuple):
    """The call that answers what a run waits for; the calls answered, by their ids."""

    call: Call[models.RunObject]
    key: RunKey
    ids: frozenset[str]


def _submission(kind: Kind, run: RunLike, thread_id: str | None, given: Any, is_stream: bool = False) -> _Submission:
    key, answers = run_key(run, thread_id), read_answers(kind, given)
    check_awaited(run, answers, kind)
    body = make_body({f"tool_{kind}": list(answers.values()), "stream": is_stream or None})
    call = _operations.submit_tool_outputs(key, body)._replace(secrets=tuple(secrets_in(answers)))
    return _Submission(call, key, frozenset(answers))


def _settled(run: models.RunObject, check: bool) -> models.RunObject:
    warn_of(run)
    if check:
        check_ended(run)
    return run
