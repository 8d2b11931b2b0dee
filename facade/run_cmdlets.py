"""The cmdlets of a run's life as functions: `Start-ThreadRun`, `Stop-ThreadRun`, `Wait-ThreadRun`, `Submit-ToolOutput`.

Their options are those of `facade.get_thread_run`; with `deadline_sec` for the whole of a wait or a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, Unpack, overload

from facade._arguments import RunLike, ThreadLike, run_key
from facade._life.answering import submission, told_status, writing
from facade._life.bodies import NewThreadFields, RunFields, read_mapping
from facade._life.waiting import ENDED, GOES_ON, check_poll_sec, settled, wait_for, waiting
from facade._sync.streams import RunStream
from facade.cmdlets import CMDLET_OPTIONS, CmdletOptions, make_client, spell_out
from openai_thread_runs_api import models

Outputs = Mapping[str, Any] | Sequence[Mapping[str, Any]]

MAY_STOP = ("queued", "in_progress", "requires_action")
"""The statuses of a run that can be cancelled."""


class StartOptions(CmdletOptions, RunFields, NewThreadFields, total=False):
    """What a run is given, by the API's names, and the options of all cmdlets."""


_FIELDS = tuple(name for name in StartOptions.__annotations__ if name not in CMDLET_OPTIONS)


class _StopOptions(CmdletOptions, total=False):
    """What a run is stopped with, but for what decides what is given back."""

    force: bool
    wait: bool


class _SubmitOptions(CmdletOptions):
    """What outputs are submitted with, but for what decides what is given back."""

    tool_output: Outputs


@overload
def start_thread_run(
    thread_id: ThreadLike | None = None,
    assistant_id: str | None = None,
    *,
    message: str | None = None,
    stream: Literal[False] = False,
    **options: Unpack[StartOptions],
) -> models.RunObject: ...
@overload
def start_thread_run(
    thread_id: ThreadLike | None = None,
    assistant_id: str | None = None,
    *,
    message: str | None = None,
    stream: Literal[True],
    **options: Unpack[StartOptions],
) -> RunStream: ...
def start_thread_run(
    thread_id: ThreadLike | None = None,
    assistant_id: Any = None,
    *,
    message: str | None = None,
    stream: bool = False,
    **options: Unpack[StartOptions],
) -> models.RunObject | RunStream:
    """Starts an assistant on a thread, as the cmdlet `Start-ThreadRun` does.

    Args:
        thread_id: the thread's id, or an object or mapping that is a thread or has a `thread_id` (-ThreadId); None: a
            new thread is made with the run
        assistant_id: the assistant's id (-AssistantId)
        message: a message of the user's to put on the thread before (-Message)
        stream: whether to give what happens as it happens (-Stream)
        options: as of `get_thread_run`; and what the run is given, by the API's names, as in `client.runs.create` and,
            for a new thread, `client.runs.create_with_thread`

    Returns:
        The run as it was queued; with `stream` a `RunStream`.

    Raises:
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    given: Any = options  # what is left in it is hidden there: no traceback is to show the key
    fields: Any = {name: given.pop(name) for name in _FIELDS if name in given}
    runs = make_client(start_thread_run, options, StartOptions.__annotations__).runs
    if not isinstance(message, str | None):
        raise TypeError(f"message is a str, not {type(message).__name__}")
    said = [{"role": "user", "content": message}] if message is not None else []
    if thread_id is None:
        if said:
            thread = read_mapping("thread", fields.get("thread") or {})
            fields["thread"] = {**thread, "messages": [*(thread.get("messages") or ()), *said]}
        return (runs.stream_with_thread if stream else runs.create_with_thread)(assistant_id, **fields)
    if said:
        fields["additional_messages"] = [*(fields.get("additional_messages") or ()), *said]
    return (runs.stream if stream else runs.create)(thread_id, assistant_id, **fields)


@overload
def stop_thread_run(
    run_id: RunLike, thread_id: str | None = None, *, pass_thru: Literal[True], **options: Unpack[_StopOptions]
) -> models.RunObject: ...
@overload
def stop_thread_run(
    run_id: RunLike, thread_id: str | None = None, *, pass_thru: Literal[False] = False, **options: Unpack[_StopOptions]
) -> None: ...
def stop_thread_run(
    run_id: RunLike,
    thread_id: str | None = None,
    *,
    force: bool = False,
    wait: bool = False,
    pass_thru: bool = False,
    **options: Unpack[CmdletOptions],
) -> models.RunObject | None:
    """Asks for a run to be stopped, as the cmdlet `Stop-ThreadRun` does.

    Args:
        run_id: a run, an object or mapping with a `run_id` and `thread_id`, or a run's id (-RunId)
        thread_id: the thread of a run that is given as an id (-ThreadId)
        force: whether to ask whatever its status is; else only where it is queued, in_progress or requires_action,
            for which a run that does not say its status is read (-Force)
        wait: whether to wait until it has stopped (-Wait)
        pass_thru: whether to give the run (-PassThru)
        options: as of `get_thread_run`

    Returns:
        With `pass_thru` the run: cancelling, or with `wait` at rest.

    Raises:
        ValueError: without `force`: its status is another one; nothing was sent to cancel it.
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    runs, key = make_client(stop_thread_run, options).runs, run_key(run_id, thread_id)
    if not force:
        status = told_status(run_id) or runs.get(*key).status
        if status not in MAY_STOP:
            raise ValueError(f"run {key.run_id!r} is {status!r} and cannot be stopped; with force it is asked to")
    run = runs.cancel(key._asdict())
    if wait:
        run = runs.wait(key._asdict())
    return run if pass_thru else None


def wait_thread_run(
    run_id: RunLike,
    thread_id: str | None = None,
    *,
    poll_interval_sec: float | None = None,
    status_for_wait: str | Collection[str] = GOES_ON,
    status_for_exit: str | Collection[str] = (),
    progress: Callable[[models.RunObject], Any] | None = None,
    **options: Unpack[CmdletOptions],
) -> models.RunObject:
    """Reads a run again and again until it rests, as the cmdlet `Wait-ThreadRun` does.

    Args:
        run_id, thread_id: as of `stop_thread_run`
        poll_interval_sec: the seconds between two polls; None: what the server says, else 1/3 to 5 (-PollIntervalSec)
        status_for_wait: the statuses that it goes on at (-StatusForWait)
        status_for_exit: statuses to take from these (-StatusForExit)
        progress: is called with each run that is read
        options: as of `get_thread_run`; timeout_sec and max_retry_count for each poll, deadline_sec for the whole

    Returns:
        The run, as soon as its status is another one.

    Raises:
        ValueError: `status_for_wait` has a status that no run leaves.
        APITimeoutError: `deadline_sec` passed; its `run` is the run as last read.
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    runs = make_client(wait_thread_run, options).runs
    left_out = _statuses("status_for_exit", status_for_exit)
    going_on = [each for each in _statuses("status_for_wait", status_for_wait) if each not in left_out]
    if endless := sorted({*going_on} & {*ENDED}):
        raise ValueError(f"status_for_wait has {', '.join(endless)}, which a run never leaves: it would wait for ever")
    check_poll_sec("poll_interval_sec", poll_interval_sec)

    def goes_on(run: models.RunObject) -> bool:
        if progress is not None:
            progress(run)
        return run.status in going_on

    wait = wait_for(run_id, thread_id, runs._settings.limits, poll_interval_sec, False)._replace(goes_on=goes_on)
    return settled(runs._carry_out(waiting(wait)))


def _statuses(name: str, given: str | Collection[str]) -> list[str]:
    statuses = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(status, str) for status in statuses):
        raise TypeError(f"{name} is one str or several")
    return statuses


@overload
def submit_tool_output(
    run_id: RunLike, thread_id: str | None = None, *, stream: Literal[True], **options: Unpack[_SubmitOptions]
) -> RunStream: ...
@overload
def submit_tool_output(
    run_id: RunLike, thread_id: str | None = None, *, stream: Literal[False] = False, **options: Unpack[_SubmitOptions]
) -> models.RunObject: ...
def submit_tool_output(
    run_id: RunLike,
    thread_id: str | None = None,
    *,
    tool_output: Outputs,
    stream: bool = False,
    **options: Unpack[CmdletOptions],
) -> models.RunObject | RunStream:
    """Answers the function calls that a run waits for, as the cmdlet `Submit-ToolOutput` does.

    Args:
        run_id, thread_id: as of `stop_thread_run`; a run object says what it waits for, and the outputs are checked
            against it
        tool_output: a mapping of call ids to outputs, or a sequence of mappings with `tool_call_id` and `output`; a
            text goes as it is, anything else as JSON (-ToolOutput)
        stream: whether to give what happens then as it happens (-Stream)
        options: as of `get_thread_run`

    Returns:
        The run; with `stream` a `RunStream`.

    Raises:
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    runs = make_client(submit_tool_output, options).runs
    write = submission("outputs", run_id, thread_id, tool_output, is_stream=stream, name="tool_output")
    if stream:
        return RunStream(runs, "stream_tool_outputs", write.call, {}, write.key)
    return runs._carry_out(writing(write, runs._settings.limits))


spell_out(stop_thread_run)
spell_out(wait_thread_run)
spell_out(submit_tool_output)
