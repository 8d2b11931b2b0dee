# Derived by scripts/unasync.py from facade/_async/lifecycle.py: change that one.
"""A run's life: starting, following, answering and ending it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from facade import _operations
from facade._arguments import RunLike, ThreadLike, run_key
from facade._exchange import Ask, Pause
from facade._life.answering import cancellation, processing, submission, writing
from facade._life.bodies import NewThreadFields, RunFields, check_metadata, creation, make_body, read_mapping
from facade._life.waiting import Steps, settled, wait_for, waiting
from facade._options import LimitOptions
from facade._sync.resource import Resource
from facade._sync.streams import RunStream
from openai_thread_runs_api import models


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
        return self._ask("create", *creation("create", assistant_id, fields, thread))

    def create_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> models.RunObject:
        """Makes a thread and starts an assistant on it, in one request (operation createThreadAndRun).

        Args:
            assistant_id: the assistant's id
            fields: as of `create`, without `include`, `additional_instructions` and `additional_messages`; with
                `thread`, the new thread's body, and `tool_resources` (`NewThreadFields`)

        Returns:
            The run as it was queued; its `thread_id` is the new thread's.
        """
        return self._ask("create_with_thread", *creation("create_with_thread", assistant_id, fields))

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
        check_metadata("metadata", read_mapping("metadata", metadata))
        call = _operations.modify_run(run_key(run, thread_id), make_body({"metadata": metadata}))
        return self._ask("update", call, options)

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
        return self._carry_out(writing(cancellation(run_key(run, thread_id)), self._limits("cancel", options)))

    def submit_tool_outputs(
        self, run: RunLike, outputs: Mapping[str, Any], *, thread_id: str | None = None, **options: Unpack[LimitOptions]
    ) -> models.RunObject:
        """Answers the function calls that a run waits for (operation submitToolOuputsToRun).

        It is sent once, as `create`. Where it is not known what came of it, the run is read once: where it no longer
        waits for these calls that run is returned, else the error is raised.

        Args:
            run, thread_id: as in `update`; a run object says what it waits for, and the outputs are checked against it
            outputs: by the calls' ids: a text goes as it is, anything else as JSON
            options: timeout_sec, deadline_sec, max_retry_count, for this call alone
        """
        write = submission("outputs", run, thread_id, outputs)
        return self._carry_out(writing(write, self._limits("submit_tool_outputs", options)))

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
        write = submission("approvals", run, thread_id, approvals)
        del approvals  # they may hold tokens, which no traceback is to show
        return self._carry_out(writing(write, self._limits("submit_tool_approvals", options)))

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
        wait = wait_for(run, thread_id, self._limits("wait", options), poll_sec, cancel_on_timeout)
        return settled(self._carry_out(waiting(wait)), check)

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
        returned waiting. The functions' own time does not count towards `deadline_sec`. A run that has taken its
        outputs and is read as it was before, from a replica that lags, is read up to three times more, so that no
        function is called twice.

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
        wait = wait_for(run, thread_id, self._limits("process", options), poll_sec, cancel_on_timeout)
        steps = processing(wait, functions, approve, max_turns, report_errors)
        return settled(self._carry_out(steps), check)

    def stream(self, thread: ThreadLike, assistant_id: str, **fields: Unpack[RunFields]) -> RunStream:
        """Starts an assistant on a thread, and gives what happens as it happens (operation createRun).

        Args:
            thread, assistant_id, fields: as in `create`; here timeout_sec bounds the wait for the first byte and each
                silence, deadline_sec the whole

        Returns:
            The stream. The request goes out when it is entered, or with its first event.
        """
        return RunStream(self, "stream", *creation("stream", assistant_id, fields, thread))

    def stream_with_thread(self, assistant_id: str, **fields: Unpack[NewThreadFields]) -> RunStream:
        """Makes a thread and starts an assistant on it, as `create_with_thread`; gives a stream, as `stream`."""
        return RunStream(self, "stream_with_thread", *creation("stream_with_thread", assistant_id, fields))

    def stream_tool_outputs(
        self, run: RunLike, outputs: Mapping[str, Any], *, thread_id: str | None = None, **options: Unpack[LimitOptions]
    ) -> RunStream:
        """Answers the function calls that a run waits for, and gives what happens then (submitToolOuputsToRun).

        Args:
            run, outputs, thread_id: as in `submit_tool_outputs`; where it is not known what came of it, the error is
                raised
            options: as of `stream`
        """
        write = submission("outputs", run, thread_id, outputs, is_stream=True)
        return RunStream(self, "stream_tool_outputs", write.call, options, write.key)

    def _carry_out(self, steps: Steps) -> models.RunObject:
        """Does step by step what follows or changes a run."""
        from facade._network_sync import pause, settle

        given = failure = None
        while True:
            try:
                step = steps.send(given) if failure is None else steps.throw(failure)
            except StopIteration as end:
                run: models.RunObject = end.value
                return run
            except RuntimeError as error:
                if failure is not None and error.__cause__ is failure:  # of a StopIteration a generator makes this
                    raise failure from None
                raise
            given = failure = None
            try:
                if isinstance(step, Ask):
                    given = self._pool.run(step, self._settings)
                elif isinstance(step, Pause):
                    pause(step.sec, None)
                else:
                    given = settle(step())
            except Exception as error:
                failure = error
