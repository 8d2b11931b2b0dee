"""Waiting for a run: what ends it, how often it asks, what it rides out, when time is up; with a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import a_run

import facade
from facade._arguments import RunKey
from facade._exchange import Deadline, Pause
from facade._life.waiting import Wait, poll_interval_sec, settled, waiting
from facade._options import Limits

HINT = "openai-poll-after-ms"


def a_model(**fields: Any) -> facade.Run:
    return facade.Run.from_dict(a_run(**fields))


class Drive:
    """Drives a wait by a clock that only its pauses (and slow polls) move.

    Attributes:
        pauses: the seconds that it paused for, in order
        polls: how often it asked
        cancels: the limits of each cancel
        result: the run, or the error that ended it
    """

    def __init__(
        self,
        answers: Iterable[Any],
        *,
        deadline_sec: float | None = None,
        timeout_sec: float | None = None,
        poll_takes_sec: float = 0,
        **options: Any,
    ) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.polls = 0
        self.cancels: list[Limits] = []
        self._said, self._poll_takes_sec = iter(answers), poll_takes_sec
        self._last: Any = None
        deadline = Deadline(deadline_sec, lambda: self.now)
        wait = Wait(RunKey("thread_1", "run_1"), Limits(timeout_sec, None, 7), deadline, **options)
        steps = waiting(wait, lambda: self.now)
        step: Any = next(steps)
        try:
            while True:
                try:
                    given = self._do(step)
                except facade.APIError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(given)
        except StopIteration as end:
            self.result: Any = end.value
        except facade.APIError as error:
            self.result = error

    def _do(self, step: Any) -> Any:
        if isinstance(step, Pause):
            self.pauses.append(step.sec)
            self.now += step.sec
            return None
        if step.call.method == "POST":
            self.cancels.append(step.limits)
            return None
        self.polls += 1
        self.now += self._poll_takes_sec
        self._last = answer = next(self._said, self._last)
        if isinstance(answer, facade.APIError):
            raise answer
        return answer if isinstance(answer, tuple) else (a_model(status=answer), {})


def status_error(status: int, **fields: Any) -> facade.APIStatusError:
    kind = (
        facade.RateLimitError
        if status == 429
        else facade.InternalServerError
        if status >= 500
        else facade.NotFoundError
    )
    return kind("no", status_code=status, **fields)


@pytest.mark.parametrize(
    "status",
    ["completed", "failed", "cancelled", "expired", "incomplete", "requires_action", "paused", "", None, 7, ["queued"]],
)
def test_ends(status: Any) -> None:
    """Whatever is not known to go on ends the wait, and it is asked at once."""
    drive = Drive([status])
    assert drive.result.status == status
    assert (drive.polls, drive.pauses) == (1, [])


def test_goes_on() -> None:
    """Three statuses go on."""
    drive = Drive(["queued", "in_progress", "cancelling", "cancelled"])
    assert drive.result.status == "cancelled"
    assert drive.polls == 4


def test_interval() -> None:
    """The pauses are a third, two thirds and a second, and after a minute grow to five."""
    pauses = Drive(["queued"] * 200 + ["completed"]).pauses
    assert pauses[:3] == [1 / 3, 2 / 3, 1]
    assert set(pauses[2:60]) == {1}
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5
    assert pauses[61] < 1.1


@pytest.mark.parametrize(("elapsed_sec", "sec"), [(0, 1), (60, 1), (90, 1.5), (120, 2), (300, 5), (3000, 5)])
def test_later_interval(elapsed_sec: float, sec: float) -> None:
    """Later a pause is a second, after a minute a sixtieth of the time that has passed, five at most."""
    assert poll_interval_sec(None, {}, 2, elapsed_sec) == sec


@pytest.mark.parametrize(
    ("hint", "sec"),
    [("250", 0.25), ("0", 0.1), ("1", 0.1), (" 500 ", 0.5), ("500.5", 0.5005), ("99999999", 60), ("9" * 400, 60)],
)
def test_hint(hint: str, sec: float) -> None:
    """The server's hint counts, within 0.1 and 60 seconds."""
    assert Drive([(a_model(status="queued"), {HINT: hint}), "completed"]).pauses == [pytest.approx(sec)]


@pytest.mark.parametrize("hint", ["", "soon", "-5", "nan", "inf", "1e3", "5,5", "0x10", "\u0665", "1_000", "500 ms"])
def test_junk_hint(hint: str) -> None:
    """A hint that is no number of milliseconds is passed over."""
    assert Drive([(a_model(status="queued"), {HINT: hint}), "completed"]).pauses == [1 / 3]


@given(st.text(max_size=12))
def test_any_hint(hint: str) -> None:
    """No hint makes the pause shorter than a tenth of a second or longer than a minute, or fails."""
    assert 0.1 <= poll_interval_sec(None, {HINT: hint}, 5, 10) <= 60


def test_last_hint_counts() -> None:
    """A hint holds for the answer that it came with."""
    answers = [
        (a_model(status="queued"), {HINT: "200"}),
        (a_model(status="queued"), {HINT: "300"}),
        "queued",
        "completed",
    ]
    assert Drive(answers).pauses == [0.2, 0.3, 1]


def test_poll_sec_wins() -> None:
    """The caller's interval wins over the server's."""
    assert Drive([(a_model(status="queued"), {HINT: "200"})] * 3 + ["completed"], poll_sec=7).pauses == [7, 7, 7]


PASSING = [
    status_error(429),
    status_error(500),
    status_error(503),
    status_error(529),
    facade.APIConnectionError("cut"),
    facade.APITimeoutError("late"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_two_failures_are_ridden_out(error: facade.APIError) -> None:
    """Two failed polls in a row are ridden out, again and again; the third is raised."""
    drive = Drive(["queued", error, error, "queued", error, error, "completed"])
    assert drive.result.status == "completed"
    drive = Drive(["queued", error, error, error])
    assert drive.result is error
    assert drive.polls == 4


@pytest.mark.parametrize(
    "error",
    [
        status_error(404),
        status_error(429, code="insufficient_quota"),
        status_error(429, type="insufficient_quota"),
        status_error(429, retry_after=61.0),
        facade.APIResponseError("junk"),
        facade.APIStatusError("moved", status_code=302),
    ],
    ids=repr,
)
def test_failures_that_stay(error: facade.APIError) -> None:
    """What asking again does not help is raised at once."""
    drive = Drive(["queued", error])
    assert drive.result is error
    assert drive.polls == 2


def test_longer_retry_after() -> None:
    """A failed poll is repeated after the usual interval, or what the server asks for where that is longer."""
    assert Drive([status_error(503, retry_after=9.0), status_error(503, retry_after=0.01), "completed"]).pauses == [
        9,
        2 / 3,
    ]


@pytest.mark.parametrize("read_once", [True, False])
def test_deadline(read_once: bool) -> None:
    """When time is up the error has the run as last read, and nothing is cancelled."""
    drive = Drive(
        ["in_progress"] if read_once else [facade.APITimeoutError("late")], deadline_sec=1.5, poll_takes_sec=0.6
    )
    assert isinstance(drive.result, facade.APITimeoutError)
    assert (drive.result.run and drive.result.run.status) == ("in_progress" if read_once else None)
    assert ("'in_progress'" if read_once else "not read once") in str(drive.result)
    assert "deadline_sec=1.5" in str(drive.result)
    assert drive.cancels == []
    assert drive.now >= 1.5


def test_deadline_is_used_up() -> None:
    """A pause that would be longer than what is left ends with it."""
    drive = Drive(["queued"], deadline_sec=5, poll_sec=3)
    assert (drive.pauses, drive.polls, drive.result.attempts) == ([3, 2], 2, 2)


def test_third_failure_is_the_deadline() -> None:
    """A poll that the deadline broke off is the wait's own timeout, not a failed poll."""
    drive = Drive(["queued", *[facade.APITimeoutError("late")] * 3], deadline_sec=5, poll_takes_sec=1)
    assert isinstance(drive.result, facade.APITimeoutError)
    assert drive.result.run is not None


def test_cancel_on_timeout() -> None:
    """One cancel is sent when time is up, not retried, bounded by `timeout_sec`, else 5 s; the error says so."""
    drive = Drive(["queued"], deadline_sec=5, poll_sec=3, cancel_on_timeout=True)
    assert drive.cancels == [Limits(5, None, 0)]
    assert "its cancelling was asked for" in str(drive.result)
    assert Drive(["queued"], deadline_sec=5, timeout_sec=9, cancel_on_timeout=True).cancels == [Limits(9, None, 0)]
    assert Drive(["queued", "completed"], deadline_sec=5, cancel_on_timeout=True).cancels == []


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired", "incomplete"])
def test_check(status: str) -> None:
    """A run that ended otherwise than completed is an error with its cause; it has the run."""
    run = a_model(
        status=status,
        last_error={"code": "server_error", "message": "out of\nflour"},
        incomplete_details={"reason": "max_prompt_tokens"},
    )
    with pytest.raises(facade.RunFailedError, match=f"run_1' is {status}.*server_error.*out of flour") as caught:
        settled(run, check=True)
    assert caught.value.run is run


@pytest.mark.parametrize("status", ["completed", "requires_action", "paused", None])
def test_check_passes(status: str | None) -> None:
    """A completed run is none, nor one that waits or that nobody knows."""
    assert settled(a_model(status=status, last_error="odd", incomplete_details=7), check=True).status == status
