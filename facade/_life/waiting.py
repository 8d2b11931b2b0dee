"""Follows a run until it rests, without I/O: when to ask next, which errors to ride out, and when time is up.

`waiting` is a generator, as `exchange` is: it yields what to do next; whoever drives it sends back what that gave, or
throws what it raised.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Generator, Mapping
from types import NoneType
from typing import Any, NamedTuple

from facade import _operations
from facade._arguments import RunKey, RunLike, field, run_key
from facade._exchange import NO_DEADLINE, Ask, Clock, Deadline, Pause, one_line, retry_wait_sec
from facade._failure_log import warn_of
from facade._options import MAX_SEC, Limits, number_check
from facade.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, RunFailedError
from openai_thread_runs_api import models

Step = Ask[Any] | Pause | Callable[[], Any]
Steps = Generator[Step, Any, "models.RunObject"]
"""What follows a run step by step: each is to be asked, waited for or called."""

GOES_ON = ("queued", "in_progress", "cancelling")
"""The statuses of a run that is at work; every other, known or not, ends a wait."""

ENDED = ("completed", "failed", "cancelled", "expired", "incomplete")
"""The statuses that a run never leaves."""

CANCEL_SEC = 5.0
"""What the one cancel of a wait whose time is up may take, where `timeout_sec` says nothing."""

RIDDEN_OUT = 2
"""How many failed polls in a row are."""


def goes_on(run: models.RunObject) -> bool:
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
    goes_on: Callable[[models.RunObject], bool] = goes_on


def wait_for(run: RunLike, thread_id: str | None, limits: Limits, poll_sec: float | None, cancel: bool) -> Wait:
    """How a run is followed, of what a caller gives.

    Raises:
        TypeError, ValueError: what names no run, or an interval that is none.
    """
    check_poll_sec("poll_sec", poll_sec)
    return Wait(run_key(run, thread_id), limits, Deadline(limits.deadline_sec), poll_sec, cancel)


def waiting(wait: Wait, clock: Clock = time.monotonic) -> Steps:
    """Waits for a run.

    Args:
        wait: for which run, and how
        clock: seconds that only go forward

    Returns:
        The run as soon as it does not go on.

    Raises:
        APITimeoutError: time is up; its `run` is the run as last read.
        APIError: of the third failed poll in a row, or at once where asking again would not help.
    """
    poll = Ask(_operations.polled(_operations.get_run(*wait.key)), wait.limits, wait.deadline)
    run: models.RunObject | None = None
    headers: Mapping[str, str] = {}
    polls = failures = 0
    with wait.deadline as deadline:
        began = clock()
        while True:
            pause_sec = 0.0
            try:
                run, headers = yield poll
            except APIError as error:
                failures += 1
                asked_sec = _asked_sec(error)
                if asked_sec is None or (failures > RIDDEN_OUT and deadline.remaining_sec() > 0):
                    raise
                pause_sec = asked_sec
            else:
                failures = 0
                if not wait.goes_on(run):
                    return run
            pause_sec = max(pause_sec, poll_interval_sec(wait.poll_sec, headers, polls, clock() - began))
            left_sec = deadline.remaining_sec()
            yield Pause(max(min(pause_sec, left_sec), 0.0))
            polls += 1
            if pause_sec >= left_sec:
                break
    status = "not read once" if run is None else f"still {run.status!r}"
    then = "its cancelling was asked for" if wait.cancel_on_timeout else "it goes on: wait again, or cancel it"
    late = APITimeoutError(f"run {wait.key.run_id!r} is {status} after deadline_sec={deadline.total_sec:g}; {then}")
    late.run, late.attempts = run, polls
    poll.call.about(late)
    yield from cancelling_late(wait)
    raise late


def cancelling_late(wait: Wait) -> Generator[Step, Any, None]:
    """Sends the one cancel of a wait whose time is up, where it is wanted; whatever comes of it, that is the error."""
    if wait.cancel_on_timeout:
        once = wait.limits._replace(timeout_sec=wait.limits.timeout_sec or CANCEL_SEC, max_retry_count=0)
        with contextlib.suppress(APIError):
            yield Ask(_operations.cancel_run(wait.key), once, NO_DEADLINE)


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
        return min(max(float(hint) / 1000, 0.1), 60.0)
    return max(min((polls + 1) / 3, 1.0), min(elapsed_sec / 60, 5.0))


check_poll_sec = number_check("a number of seconds from 0 up", 0, MAX_SEC, int, float, NoneType)


def _asked_sec(error: APIError) -> float | None:
    """The seconds to wait at least after a failed poll, 0 where the server does not say; None: asking is of no use."""
    if isinstance(error, APIStatusError):
        return retry_wait_sec(error, {}, 0, jitter=lambda: 0.0)
    return 0.0 if isinstance(error, APIConnectionError) else None


def settled(run: models.RunObject, check: bool = False) -> models.RunObject:
    """A run that was followed to its rest; a log warning says where it failed.

    Raises:
        RunFailedError: with `check`, where it has ended without being completed; with the run.
    """
    warn_of(run)
    if not check or run.status not in ENDED or run.status == "completed":
        return run
    details = (run._json.get("last_error"), run._json.get("incomplete_details"))
    said = [field(each, name) for name in ("code", "reason", "message") for each in details]
    words = [word for word in said if isinstance(word, str)]
    failed = RunFailedError(one_line(": ".join([f"run {run.id!r} is {run.status}", *words])))
    failed.run = run
    raise failed
