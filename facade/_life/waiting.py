"""Follows a run until it rests, without I/O: when to ask next, which errors to ride out, and when time is up.

`waiting` is a generator, as `exchange` is: it yields what is to be called next; whoever drives it sends back what the
call gave, or throws what it raised.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from facade._arguments import RunKey, field
from facade._exchange import MAX_WAIT_SEC, Clock, Deadline, is_throttled, one_line
from facade._options import MAX_SEC, Limits
from facade.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    RunFailedError,
)

if TYPE_CHECKING:
    from openai_thread_runs_api.models import RunObject

Step = Callable[[], Any]
Steps = Generator[Step, Any, "RunObject"]
"""What follows a run: each step is to be called."""

GOES_ON = ("queued", "in_progress", "cancelling")
"""The statuses of a run that is at work; every other, known or not, ends a wait."""

ENDED = ("completed", "failed", "cancelled", "expired", "incomplete")
"""The statuses that a run never leaves."""

FIRST_POLLS_SEC = (1 / 3, 2 / 3)
RIDDEN_OUT = 2
MIN_HINT_SEC, MAX_HINT_SEC = 0.1, 60.0


def goes_on(run: RunObject) -> bool:
    """Whether a run is at work."""
    return run.status in GOES_ON


class Wait(NamedTuple):
    """How a run is followed.

    Attributes:
        key: which run
        limits: of each poll
        deadline: of all waits together
        poll_sec: the seconds between two polls; None: as the server says, else 1/3, 2/3, 1, after a minute up to 5
        cancel_on_timeout: whether to cancel the run when time is up
        goes_on: whether to wait on, for a run as just read
    """

    key: RunKey
    limits: Limits
    deadline: Deadline
    poll_sec: float | None = None
    cancel_on_timeout: bool = False
    goes_on: Callable[[RunObject], bool] = goes_on


def waiting(
    wait: Wait, poll: Step, pause: Callable[[float], Any], cancel: Step, clock: Clock = time.monotonic
) -> Steps:
    """Waits for a run; the deadline is running.

    Args:
        wait: for which run, and how
        poll: reads the run; gives it and the headers of the answer
        pause: waits for so many seconds
        cancel: sends one cancel, whatever comes of it
        clock: seconds that only go forward

    Returns:
        The run as soon as it does not go on.

    Raises:
        APITimeoutError: time is up; its `run` is the run as last read.
        APIError: of the third failed poll in a row, or at once where asking again would not help.
    """
    began, deadline = clock(), wait.deadline
    run: RunObject | None = None
    headers: Mapping[str, str] = {}
    polls = failures = 0
    while True:
        asked_sec = 0.0
        try:
            run, headers = yield poll
        except APIError as error:
            failures += 1
            if not _may_pass(error) or (failures > RIDDEN_OUT and deadline.remaining_sec() > 0):
                raise
            asked_sec = (isinstance(error, APIStatusError) and error.retry_after) or 0.0
        else:
            failures = 0
            if not wait.goes_on(run):
                return run
        pause_sec = max(asked_sec, poll_interval_sec(wait.poll_sec, headers, polls, clock() - began))
        left_sec = deadline.remaining_sec()
        yield partial(pause, max(min(pause_sec, left_sec), 0.0))
        polls += 1
        if pause_sec >= left_sec:
            break
    if wait.cancel_on_timeout:
        yield cancel
    status = "not read once" if run is None else f"still {run.status!r}"
    then = "its cancelling was asked for" if wait.cancel_on_timeout else "it goes on: wait again, or cancel it"
    late = APITimeoutError(f"run {wait.key.run_id!r} is {status} after deadline_sec={deadline.total_sec:g}; {then}")
    late.run, late.attempts = run, polls
    raise late


def poll_interval_sec(poll_sec: float | None, headers: Mapping[str, str], polls: int, elapsed_sec: float) -> float:
    """The seconds until the next poll.

    Args:
        poll_sec: what the caller wants
        headers: of the last answer, which may have a hint
        polls: how many polls there were before the last one
        elapsed_sec: since the first one
    """
    if poll_sec is not None:
        return poll_sec
    hint = headers.get("openai-poll-after-ms", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", hint):
        return min(max(float(hint) / 1000, MIN_HINT_SEC), MAX_HINT_SEC)
    return FIRST_POLLS_SEC[polls] if polls < len(FIRST_POLLS_SEC) else min(max(elapsed_sec / 60, 1.0), 5.0)


def check_poll_sec(name: str, value: Any) -> None:
    """Refuses an interval that is none.

    Raises:
        TypeError, ValueError: it is no number of seconds, negative, or endless.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= MAX_SEC:
        raise ValueError(f"{name} is 0 or more seconds, not {value}")


def is_ambiguous(error: APIError) -> bool:
    """Whether a request that failed so may have done its work all the same."""
    by_status: bool = isinstance(error, APIStatusError) and error.status_code in (500, 502, 504)
    return error.sent and (by_status or isinstance(error, (APIConnectionError, APIResponseError)))


def _may_pass(error: APIError) -> bool:
    """Whether a poll may succeed after one that failed so."""
    if isinstance(error, APIStatusError):
        return (is_throttled(error) or 500 <= error.status_code <= 599) and (error.retry_after or 0) <= MAX_WAIT_SEC
    return isinstance(error, APIConnectionError)


def check_ended(run: RunObject) -> None:
    """Raises where a run has ended without being completed.

    Raises:
        RunFailedError: with the run.
    """
    if run.status not in ENDED or run.status == "completed":
        return
    details = (run._json.get("last_error"), run._json.get("incomplete_details"))
    said = [field(each, name) for name in ("code", "reason", "message") for each in details]
    words = [word for word in said if isinstance(word, str)]
    failed = RunFailedError(one_line(": ".join([f"run {run.id!r} is {run.status}", *words])))
    failed.run = run
    raise failed
