"""How fast an export asks: as many requests at once as the server bears. Without I/O; the clock is handed in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum

START = 4
"""How many requests are under way at first."""

MAX_HOLD_SEC = 60.0
"""The longest that everybody waits for one server's word."""

PATIENCE_SEC = 60.0
"""How long in all everybody waits for a server that only fails; after that each request goes by its own waits."""

_SLACK_SEC = 0.05
"""What an answer may take beyond twice its usual time before the server counts as slow."""

_DRIFT = 0.01
"""How far each answer draws what is usual towards itself."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?", re.ASCII)


class Outcome(Enum):
    """How a request ended.

    GOOD is any answer but those that are asked for again; BAD is one that is; SLOW_DOWN is one that says, or lets one
    suspect, that the server has too much to do; LOST is no answer.
    """

    GOOD = "good"
    BAD = "bad"
    SLOW_DOWN = "slow down"
    LOST = "lost"


class Rate:
    """When a request may go out. Times are of one clock, which only goes forward.

    It begins with few at once, allows one more after each clean window (as many answers as are allowed at once), and
    half as many after an answer that asks to slow down, or where answers take longer than they did.

    Args:
        most: how many requests may be under way, whatever the server bears
        max_rate: how many may go out in a second, with a burst of one second's worth; None for no limit
        jitter: a factor around 1

    Attributes:
        limit: how many may be under way now
        under_way: how many are
    """

    def __init__(self, most: int, max_rate: float | None = None, jitter: Callable[[], float] = lambda: 1.0) -> None:
        self.limit = min(START, most)
        self.under_way = 0
        self._most = most
        self._jitter = jitter
        self._told_until = self._held_until = -math.inf
        self._bucket = None if max_rate is None else _Bucket(max_rate)
        self._usual_sec: dict[str, float] = {}
        self._slowed_at = -math.inf
        self._failed_in_a_row, self._patience_sec = 0, PATIENCE_SEC
        self._silent_since: float | None = None
        self._answers = self._bad = self._late = 0

    def wait_sec(self, now: float) -> float:
        """How long to wait before the next request; infinity where another one has to end first."""
        if self.under_way >= self.limit:
            return math.inf
        wait = max(0.0, self._told_until - now, self._held_until - now)
        return wait if self._bucket is None else max(wait, self._bucket.wait_sec(now))

    def begin(self, now: float) -> None:
        """A request goes out."""
        self.under_way += 1
        if self._bucket is not None:
            self._bucket.take(now)
        if self._silent_since is None:
            self._silent_since = now

    def end(self, now: float, began_at: float, kind: str, outcome: Outcome) -> None:
        """A request has ended.

        Args:
            now, began_at: when it ended and went out
            kind: what it asked for; what takes long is told by its own kind
            outcome: how it ended
        """
        self.under_way -= 1
        if outcome is not Outcome.LOST:
            self._silent_since = now if self.under_way else None
        if outcome is Outcome.GOOD:
            self._failed_in_a_row, self._patience_sec = 0, PATIENCE_SEC
            self._count(now, self._is_late(kind, now - began_at))
            return
        if outcome is not Outcome.BAD:
            self._slow_down(now, began_at)
            self._wait_for_better(now)
        self._bad += 1
        self._count(now, False)

    def cancel(self) -> None:
        """A request was given up that nobody waits for any more."""
        self.under_way -= 1

    def hold(self, now: float, sec: float) -> None:
        """The server wants nobody to ask for so long."""
        self._told_until = max(self._told_until, now + min(sec, MAX_HOLD_SEC))

    def hint(self, now: float, headers: Mapping[str, str]) -> None:
        """What an answer's `x-ratelimit-*` headers say: where no request is left, nobody asks before there are more."""
        left = headers.get("x-ratelimit-remaining-requests", "").strip()
        reset = seconds_of_duration(headers.get("x-ratelimit-reset-requests", ""))
        if left == "0" and reset is not None:
            self.hold(now, reset)

    def silent_sec(self, now: float) -> float:
        """How long nothing was answered, though something was asked and nobody was told to wait."""
        if self._silent_since is None:
            return 0.0
        return max(0.0, now - max(self._silent_since, self._told_until))

    def _wait_for_better(self, now: float) -> None:
        """Where nothing comes through, asking for one thing after the other would only use up their attempts."""
        self._failed_in_a_row += 1
        surplus = self._failed_in_a_row - 2 * self.limit
        if surplus >= 0 and self._patience_sec > 0:
            sec = min(0.25 * 2.0 ** min(surplus, 5), 4.0) * self._jitter()
            self._patience_sec -= sec
            self._held_until = now + sec

    def _is_late(self, kind: str, took_sec: float) -> bool:
        usual = self._usual_sec.get(kind, took_sec)
        self._usual_sec[kind] = min(took_sec, usual + _DRIFT * (took_sec - usual))
        return took_sec > 2 * usual + _SLACK_SEC

    def _count(self, now: float, is_late: bool) -> None:
        self._answers += 1
        self._late += is_late
        if self._answers < self.limit:
            return
        if 2 * self._late > self._answers:
            self._slow_down(now, now)
        elif not self._bad:
            self.limit = min(self.limit + 1, self._most)
        self._answers = self._bad = self._late = 0

    def _slow_down(self, now: float, began_at: float) -> None:
        if began_at < self._slowed_at:  # it went out before the last time
            return
        self.limit, self._slowed_at = max(1, self.limit // 2), now
        self._answers = self._bad = self._late = 0


class _Bucket:
    """Lets so many pass in a second; what was not used is kept for one second."""

    def __init__(self, per_sec: float) -> None:
        self._per_sec = per_sec
        self._most = max(1.0, per_sec)
        self._left = 1.0
        self._at: float | None = None

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(self._most, self._left + (now - self._at) * self._per_sec)
        self._at = now

    def wait_sec(self, now: float) -> float:
        self._fill(now)
        return 0.0 if self._left >= 1 - 1e-9 else (1 - self._left) / self._per_sec

    def take(self, now: float) -> None:
        self._fill(now)
        self._left -= 1


def seconds_of_duration(text: str) -> float | None:
    """A time as `x-ratelimit-reset-*` headers spell it ("1s", "6m0s", "20ms", "1.5"); None for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d*)?", text, re.ASCII):
        return float(text)
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
