# Derived by scripts/unasync.py from facade/_async/lifecycle.py: change that one.
"""A run's life: starting, following, answering and ending it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Unpack

from facade import _operations
from facade._arguments import RunLike, ThreadLike, run_key
from facade._exchange import Deadline
from facade._failure_log import warn_of
from facade._life.answering import Write, answering, cancelling, processing
from facade._life.bodies import NewThreadFields, RunFields, check_metadata, creation, make_body, read_mapping
from facade._life.waiting import Steps, Wait, check_ended, check_poll_sec, waiting
from facade._options import LimitOptions, Limits, models
from facade._sync.resource import Resource
from facade._sync.streams import RunStream
from facade.errors import APIError, APITimeoutError

CANCEL_SEC = 5.0
"""What the one cancel of a wait whose time is up may take, where `timeout_sec` says nothing."""


class RunLife(Resource):
    """What starts, follows, answers and ends runs."""

    _name = "runs"

    def create(self, thread: ThreadLike, assistant_id: str, **fields: Unpack[RunFields]) -> models.RunObject:
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
        call, options = creation("create", assistant_id, fields, thread)
        return self._ask("create", call, options)

    def create_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> models.RunObject:
        """Makes a thread and starts an assistant on it, in one request (operation createThreadAndRun).

        Args:
            assistant_id: the assistant's id
            fields: as of `create`, without `include`, `additional_instructions` and `additional_messages`; with
                `thread`, the new thread's body, and `tool_resources` (`NewThreadFields`)

        Returns:
            The run as it was queued; its `thread_id` is the new thread's.
        """
        call, options = creation("create_with_thread", assistant_id, fields)
        return self._ask("create_with_thread", call, options)

    def update(
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
        return self._ask("update", _operations.modify_run(key, make_body({"metadata": pairs})), options)

    def cancel(
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
        return self._write(cancelling(run, thread_id), self._limits("cancel", options))

    def submit_tool_outputs(
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
        write = answering("outputs", run, thread_id, outputs)
        return self._write(write, self._limits("submit_tool_outputs", options))

    def submit_tool_approvals(
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
        write = answering("approvals", run, thread_id, approvals)
        del approvals  # they may hold tokens, which no traceback is to show
        return self._write(write, self._limits("submit_tool_approvals", options))

    def wait(
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
        wait = self._wait("wait", run, thread_id, poll_sec, cancel_on_timeout, options)
        return _settled(self._follow(wait), check)

    def process(
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
        wait = self._wait("process", run, thread_id, poll_sec, cancel_on_timeout, options)

        def follow(goes_on: Callable[[models.RunObject], bool]) -> models.RunObject:
            return self._follow(wait._replace(goes_on=goes_on))

        def submit(run: models.RunObject, kind: Any, answers: dict[str, Any]) -> None:
            write = answering(kind, wait.key._asdict(), None, answers)
            try:
                self._write(write, wait.limits, wait.deadline)
            except APITimeoutError as error:
                if wait.deadline.remaining_sec() <= 0:
                    error.run = run
                    if wait.cancel_on_timeout:
                        self._cancel_late(wait)
                raise

        steps = processing(functions, approve, follow, submit, max_turns=max_turns, report_errors=report_errors)
        return _settled(_drive(steps), check)

    def stream(self, thread: ThreadLike, assistant_id: str, **fields: Unpack[RunFields]) -> RunStream:
        """Starts an assistant on a thread, and gives what happens as it happens (operation createRun).

        Args:
            thread, assistant_id, fields: as in `create`; here timeout_sec bounds the wait for the first byte and each
                silence, deadline_sec the whole

        Returns:
            The stream. The request goes out when it is entered, or with its first event.
        """
        call, options = creation("stream", assistant_id, fields, thread)
        return RunStream(self, call, self._limits("stream", options))

    def stream_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> RunStream:
        """Makes a thread and starts an assistant on it, as `create_with_thread`; gives a stream, as `stream`."""
        call, options = creation("stream_with_thread", assistant_id, fields)
        return RunStream(self, call, self._limits("stream_with_thread", options))

    def stream_tool_outputs(
        self,
        run: RunLike,
        outputs: Mapping[str, Any],
        *,
        thread_id: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> RunStream:
        """Answers the function calls that a run waits for, and gives what happens then (submitToolOuputsToRun).

        Args:
            run, outputs, thread_id: as in `submit_tool_outputs`; where it is not known what came of it, the error is
                raised
            options: as of `stream`
        """
        write = answering("outputs", run, thread_id, outputs, is_stream=True)
        return RunStream(self, write.call, self._limits("stream_tool_outputs", options), write.key)

    def _wait(
        self,
        method: str,
        run: RunLike,
        thread_id: str | None,
        poll_sec: float | None,
        cancel_on_timeout: bool,
        options: LimitOptions,
    ) -> Wait:
        """How a run is followed, of what a method was given."""
        check_poll_sec("poll_sec", poll_sec)
        limits = self._limits(method, options)
        return Wait(run_key(run, thread_id), limits, Deadline(limits.deadline_sec), poll_sec, cancel_on_timeout)

    def _follow(self, wait: Wait) -> models.RunObject:
        """Waits for a run."""
        from facade._network_sync import pause

        call = _operations.polled(_operations.get_run(*wait.key))
        poll = partial(self._pool.run, call, self._settings, wait.limits, wait.deadline)
        pause, cancel = partial(pause, token=None), partial(self._cancel_late, wait)
        try:
            with wait.deadline:
                return _drive(waiting(wait, poll, pause, cancel))
        except APIError as error:
            if error.path is None:
                call.about(error)
            raise

    def _cancel_late(self, wait: Wait) -> None:
        """Sends the one cancel of a wait whose time is up; whatever comes of it, that is the error."""
        once = wait.limits._replace(timeout_sec=wait.limits.timeout_sec or CANCEL_SEC, max_retry_count=0)
        with contextlib.suppress(APIError):
            self._pool.run(_operations.cancel_run(wait.key), self._settings, once, Deadline(None))

    def _write(self, write: Write, limits: Limits, deadline: Deadline | None = None) -> models.RunObject:
        """Sends a call; where it failed and may have done its work, looks once whether it did."""
        with deadline or Deadline(limits.deadline_sec) as deadline:
            try:
                return self._pool.run(write.call, self._settings, limits, deadline)
            except APIError as error:
                failure = error
            if write.may_be_done(failure):
                once = limits._replace(max_retry_count=0)
                with contextlib.suppress(APIError):
                    now = self._pool.run(_operations.get_run(*write.key), self._settings, once, deadline)
                    if write.is_done(now):
                        return now
        raise failure


def _drive(steps: Steps) -> models.RunObject:
    """Does step by step what follows a run."""
    from facade._network_sync import settle

    try:
        step = next(steps)
        while True:
            given = failure = None
            try:
                given = settle(step())
            except Exception as error:
                failure = error
            step = steps.send(given) if failure is None else steps.throw(failure)
    except StopIteration as end:
        run: models.RunObject = end.value
        return run


def _settled(run: models.RunObject, check: bool) -> models.RunObject:
    warn_of(run)
    if check:
        check_ended(run)
    return run
