"""One call's exchange with the server, without I/O: attempts, waits, deadline, and what status means which error.

`exchange` is a generator. It yields an `Attempt` to send or a `Pause` to wait for; whoever drives it sends back the
`Reply`, or throws the `APIError` for which none came. It returns what the call reads of a good reply.
"""

from __future__ import annotations

import email.utils
import json
import logging
import math
import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC
from itertools import count
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from facade._settings import CLOSED, OPENAI_HOST, Limits
from facade.errors import APIError, APIStatusError, status_error

logger = logging.getLogger("facade")

T = TypeVar("T")
Query = tuple[tuple[str, str], ...]
Clock = Callable[[], float]

MAX_WAIT_SEC = 60.0
"""The longest wait that a server may ask for; a longer one is left to the caller."""

MAX_BACKOFF_SEC = 129.0


class Call(NamedTuple, Generic[T]):
    """What to ask and how to read the answer: made by `_operations`, one function an endpoint."""

    method: str
    path: str
    query: Query
    read: Callable[[bytes], T]


class Reply(NamedTuple):
    """A whole answer, decoded; `conceal` blanks the key in a text that the server wrote."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    conceal: Callable[[str], str]

    def __repr__(self) -> str:
        return f"Reply({self.status_code}, {len(self.body)} bytes)"  # a traceback shows it, and a server may echo a key


class Attempt(NamedTuple):
    """Send the request, and give it up after `limit_sec` (None: never), which `bound` names for the error."""

    limit_sec: float | None
    bound: str


class Pause(NamedTuple):
    """Wait before the next attempt."""

    sec: float


class Budget:
    """The time left of a whole call: it runs while used as a context manager, and stands still outside.

    Args:
        deadline_sec: the whole of it; None for no limit
        clock: seconds that only go forward
    """

    def __init__(self, deadline_sec: float | None, clock: Clock = time.monotonic) -> None:
        self.deadline_sec = deadline_sec
        self._clock = clock
        self._left = math.inf if deadline_sec is None else deadline_sec
        self._since: float | None = None

    def remaining_sec(self) -> float:
        """What is left: infinity where there is no deadline, 0 or less where it has passed."""
        return self._left if self._since is None else self._left - (self._clock() - self._since)

    def __enter__(self) -> Budget:
        self._since = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = self.remaining_sec()
        self._since = None


def exchange(
    call: Call[T],
    limits: Limits,
    budget: Budget,
    *,
    base: str = "",
    clock: Clock = time.monotonic,
    wall_clock: Clock = time.time,
    jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311  # spreads retries, keeps no secret
) -> Generator[Attempt | Pause, Any, T]:
    """Runs one call to its end.

    Args:
        call: what to ask
        limits: how long an attempt may take, and how many there may be
        budget: the time left of the whole call
        base: the endpoint's address, for the hint that a closed endpoint gets
        clock, wall_clock, jitter: time and chance, handed in by tests

    Returns:
        What the call reads of a 2xx answer.

    Raises:
        APIError: with the number of attempts. Status errors are retried as `retry_wait_sec` says, others never.
    """
    for number in count(1):
        started = clock()
        try:
            reply: Reply = yield _attempt(limits, budget)
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug(
                    "%s %s -> %d in %.3f s, request id %s",
                    call.method,
                    call.path,
                    reply.status_code,
                    clock() - started,
                    reply.conceal(reply.headers.get("x-request-id", "-")),
                )
            if 200 <= reply.status_code < 300:
                return call.read(reply.body)
            error = read_error(reply, base, wall_clock)
        except APIError as failure:
            failure.attempts = number
            if not isinstance(failure, APIStatusError):
                logger.debug("%s %s -> %s in %.3f s", call.method, call.path, failure, clock() - started)
            raise failure.with_traceback(None) from None  # the frames below hold the body
        error.attempts = number
        wait_sec = retry_wait_sec(error, reply.headers, number - 1, jitter)
        if number > limits.max_retry_count or wait_sec is None or wait_sec > budget.remaining_sec():
            raise error
        logger.warning(
            "%s %s answered %d; attempt %d of %d in %.1f s",
            call.method,
            call.path,
            reply.status_code,
            number + 1,
            limits.max_retry_count + 1,
            wait_sec,
        )
        yield Pause(wait_sec)
    raise AssertionError("unreachable")  # pragma: no cover


def _attempt(limits: Limits, budget: Budget) -> Attempt:
    left = budget.remaining_sec()
    if limits.timeout_sec is not None and limits.timeout_sec <= left:
        return Attempt(limits.timeout_sec, f"timeout_sec={limits.timeout_sec:g}")
    if left == math.inf:
        return Attempt(None, "no limit")
    return Attempt(max(left, 0.0), f"deadline_sec={budget.deadline_sec:g}")


def retry_wait_sec(
    error: APIStatusError, headers: Mapping[str, str], retry: int, jitter: Callable[[], float]
) -> float | None:
    """The seconds to wait before retrying a status error; None where it is not retried.

    Args:
        error: the answer, read
        headers: its headers
        retry: the number of retries that were made before
        jitter: a factor around 1
    """
    said = headers.get("x-should-retry")
    if said == "false":
        return None
    quota_is_used_up = error.status_code == 429 and "insufficient_quota" in (error.code, error.type)
    retryable = (error.status_code == 429 and not quota_is_used_up) or 500 <= error.status_code <= 599
    if not retryable and said != "true":
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= MAX_WAIT_SEC else None
    return min(MAX_BACKOFF_SEC, 2.0**retry * jitter())


def retry_after_sec(headers: Mapping[str, str], wall_clock: Clock) -> float | None:
    """The wait that a server asks for: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.

    Returns:
        Seconds above 0; None where the server does not say, or says what is no such wait.
    """
    for name, unit_sec in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text, re.ASCII):
            wait = float(text) * unit_sec
            if 0 < wait < math.inf:
                return wait
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall_clock()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return wait if wait > 0 else None


def read_error(reply: Reply, base: str, wall_clock: Clock) -> APIStatusError:
    """The error of an answer that is not 2xx, from its status first and its body where that can be read."""
    text = reply.body.decode("utf-8", "replace")
    try:
        body: Any = _conceal_all(json.loads(text), reply.conceal)
    except (ValueError, RecursionError):
        body = reply.conceal(text) or None
    envelope = body.get("error", body) if isinstance(body, dict) else None
    said = envelope if isinstance(envelope, dict) else {"message": envelope}
    message = next((_line(said[name]) for name in ("message", "detail") if _line(said.get(name))), None)
    status = reply.status_code
    if message is None:
        kind = reply.conceal(reply.headers.get("content-type", "")).split(";")[0] or "no content type"
        message = f"the server answered {status} without saying why ({kind}, {len(reply.body)} bytes)"
        if 300 <= status < 400:
            message = f"the server answered {status}, a redirect, which is not followed; name the right api_base"
    if status == 404 and urlsplit(base).hostname == OPENAI_HOST:
        message += f" - {CLOSED}"
    request_id = reply.headers.get("x-request-id")
    return status_error(status)(
        message,
        status_code=status,
        code=_text(said.get("code")),
        type=_text(said.get("type")),
        param=_text(said.get("param")),
        request_id=request_id and reply.conceal(request_id),
        retry_after=retry_after_sec(reply.headers, wall_clock),
        body=body,
    )


ENVELOPE = frozenset(("error", "message", "detail", "code", "type", "param"))
"""The names that an error is read by: no key, even where a key is spelt so."""


def _conceal_all(value: Any, conceal: Callable[[str], str]) -> Any:
    """A JSON value with the key blanked in each of its texts, in whatever way it was escaped."""
    if isinstance(value, str):
        return conceal(value)
    if isinstance(value, list):
        return [_conceal_all(item, conceal) for item in value]
    if isinstance(value, dict):
        return {
            name if name in ENVELOPE else conceal(name): _conceal_all(item, conceal) for name, item in value.items()
        }
    return value


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def _line(value: Any) -> str | None:
    """A server's text as one printable line of moderate length; None where there is none."""
    if not isinstance(value, str):
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return (line if len(line) <= 500 else f"{line[:497]}...") or None
