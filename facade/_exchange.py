"""One call's exchange with the server, without I/O: attempts, waits, deadline, and what status means which error.

`exchange` is a generator. It yields what to `Ask`, once an attempt, or a `Pause` to wait for; whoever drives it sends
back the `Reply`, or the `APIError` for which none came. It returns what the call reads of a good reply.
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
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from facade._auth import Redact
from facade._options import CLOSED, OPENAI_HOST, Limits
from facade.errors import APIError, APIResponseError, APIStatusError, status_error

logger = logging.getLogger("facade")

T = TypeVar("T")
Query = tuple[tuple[str, str], ...]
Bound = tuple[float | None, str]
"""How many seconds something may take (None: no limit), and what says so, for the error."""
Clock = Callable[[], float]

MAX_WAIT_SEC = 60.0
"""The longest wait that a server may ask for; a longer one is left to the caller."""

MAX_BACKOFF_SEC = 129.0


class Reply(NamedTuple):
    """A whole answer, decoded; its headers by their names in lower case; `redact` blanks the key in a server's text.

    Of an event stream it is the head only, with the `stream` that gives the rest.
    """

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    redact: Redact
    stream: Any = None

    def line(self, name: str) -> str | None:
        """A header as one printable line, the key blanked; None where it is missing."""
        value = self.headers.get(name)
        return None if value is None else one_line(self.redact(value))

    def __repr__(self) -> str:
        return f"Reply({self.status_code}, {len(self.body)} bytes)"  # a traceback shows it, and a server may echo a key


class Call(NamedTuple, Generic[T]):
    """What to ask and how to read the answer: made by `_operations`, one function an endpoint.

    Attributes:
        method, path, query: of the request; the path without the base address
        read: makes the result of a 2xx answer
        body: the request's JSON; None for none
        is_repeatable: whether it may be sent again without the server asking for it: True where twice is as once
        is_stream: whether an event stream is an answer too
        secrets: texts in the body that nothing may show, should the server echo them
    """

    method: str
    path: str
    query: Query
    read: Callable[[Reply], T]
    body: bytes | None = None
    is_repeatable: bool = True
    is_stream: bool = False
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Call({self})"

    def __str__(self) -> str:
        return f"{self.method} {one_line(self.path)}"  # the query and the body may hold what nobody else should see

    def about(self, error: APIError) -> None:
        """Says in an error which request it is about."""
        error.method, error.path = self.method, self.path


class Ask(NamedTuple, Generic[T]):
    """Send a call, within these limits and what is left of the deadline."""

    call: Call[T]
    limits: Limits
    deadline: Deadline

    def limit(self) -> Bound:
        """What an attempt may take from now on."""
        timeout_sec, total_sec = self.limits.timeout_sec, self.deadline.total_sec
        if total_sec is None or (timeout_sec is not None and timeout_sec <= self.deadline.remaining_sec()):
            return timeout_sec, f"timeout_sec={timeout_sec or 0:g}"
        return max(self.deadline.remaining_sec(), 0.0), f"deadline_sec={total_sec:g}"


class Pause(NamedTuple):
    """Wait before the next attempt."""

    sec: float


class Deadline:
    """The time left of a whole call: it runs while used as a context manager, and stands still outside.

    Args:
        total_sec: the whole of it; None for no limit
        clock: seconds that only go forward
    """

    def __init__(self, total_sec: float | None, clock: Clock = time.monotonic) -> None:
        self.total_sec = total_sec
        self._clock = clock
        # Where it ends, while it runs; else what is left. In one piece: other threads, which read ahead, ask meanwhile.
        self._state: tuple[bool, float] = (False, math.inf if total_sec is None else total_sec)

    def remaining_sec(self) -> float:
        """What is left: infinity where there is no deadline, 0 or less where it has passed."""
        is_running, sec = self._state
        return sec - self._clock() if is_running else sec

    def __enter__(self) -> Deadline:
        self._state = (True, self._clock() + self.remaining_sec())
        return self

    def __exit__(self, *error: object) -> None:
        self._state = (False, self.remaining_sec())


NO_DEADLINE = Deadline(None)
"""Of a call without one."""


def exchange(
    ask: Ask[T],
    base: str = "",
    wall_clock: Clock = time.time,
    jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311  # spreads retries, keeps no secret
) -> Generator[Ask[T] | Pause, Any, T]:
    """Runs one call to its end.

    Args:
        ask: the call; how many attempts there may be, and the time left of them all
        base: the endpoint's address, for the hint that a closed endpoint gets
        wall_clock, jitter: time and chance, handed in by tests

    Returns:
        What the call reads of a 2xx answer.

    Raises:
        APIError: with the number of attempts. Status errors are retried as `retry_wait_sec` says, others never.
    """
    call, is_debugging, retries = ask.call, logger.isEnabledFor(logging.DEBUG), ask.limits.max_retry_count or 0
    number = 0
    while True:
        number += 1
        started = time.monotonic()
        answer: Reply | APIError = yield ask
        if isinstance(answer, Reply) and is_debugging:
            elapsed, request_id = time.monotonic() - started, answer.line("x-request-id") or "-"
            logger.debug("%s -> %d in %.3f s, request id %s", call, answer.status_code, elapsed, request_id)
        result = outcome(call, answer, base, wall_clock)
        if not isinstance(result, APIError):
            return result
        if isinstance(answer, Reply) and isinstance(result, APIStatusError):
            wait_sec = retry_wait_sec(result, answer.headers, number - 1, jitter, call.is_repeatable)
            if wait_sec is not None and number <= retries and wait_sec <= ask.deadline.remaining_sec():
                of = f"{number + 1} of {retries + 1}"
                logger.warning("%s answered %d; attempt %s in %.1f s", call, answer.status_code, of, wait_sec)
                yield Pause(wait_sec)
                continue
        call.about(result)
        result.attempts = number
        if is_debugging and not isinstance(result, APIStatusError):
            logger.debug("%s in %.3f s", result, time.monotonic() - started)
        raise result


def outcome(call: Call[T], answer: Reply | APIError, base: str, wall_clock: Clock = time.time) -> T | APIError:
    """What a call reads of an answer, or the error that it is; that of an unreadable one shows its first words."""
    if isinstance(answer, APIError):
        return answer
    if not 200 <= answer.status_code < 300:
        return read_error(answer, base, wall_clock)
    try:
        return call.read(answer)
    except APIResponseError as unreadable:  # made anew: the frames that raised this one hold the body
        problem = unreadable.message
    words = one_line(answer.redact(answer.body[:1000].decode("utf-8", "replace")))[:120]
    shown = f": {words!r}" if words else ""
    return APIResponseError(f"{problem} ({_kind_and_size(answer)}{shown})")


def _kind_and_size(reply: Reply) -> str:
    kind = (reply.line("content-type") or "").split(";")[0].strip()[:100] or "no content type"
    return f"{kind}, {len(reply.body)} bytes"


def retry_wait_sec(
    error: APIStatusError,
    headers: Mapping[str, str],
    retry: int,
    jitter: Callable[[], float],
    is_repeatable: bool = True,
) -> float | None:
    """The seconds to wait before retrying a status error; None where it is not retried.

    Args:
        error: the answer, read
        headers: its headers
        retry: the number of retries that were made before
        jitter: a factor around 1
        is_repeatable: as of the call; one that is not goes out again only where the server asks for it
    """
    status, said = error.status_code, headers.get("x-should-retry")
    if status == 429:
        retryable = "insufficient_quota" not in (error.code, error.type)
    elif is_repeatable:
        retryable = 500 <= status <= 599
    else:
        retryable = status == 503 and error.retry_after is not None
    if said == "false" or (said != "true" and not retryable):
        return None
    if error.retry_after is None:
        return min(MAX_BACKOFF_SEC, 2.0**retry * jitter())
    return error.retry_after if error.retry_after <= MAX_WAIT_SEC else None


def retry_after_sec(headers: Mapping[str, str], wall_clock: Clock) -> float | None:
    """The wait that a server asks for: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.

    Returns:
        Seconds above 0; None where the server does not say, or says what is no such wait.
    """
    for name, unit_sec in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
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
        body: Any = _redact_all(json.loads(text), reply.redact)
    except (ValueError, RecursionError):
        body = reply.redact(text) or None
    envelope = body.get("error", body) if isinstance(body, dict) else None
    said = envelope if isinstance(envelope, dict) else {"message": envelope}
    words = [one_line(text) for text in (said.get("message"), said.get("detail")) if isinstance(text, str)]
    status, message = reply.status_code, next(filter(None, words), "")
    if not message and 300 <= status < 400:
        message = f"the server answered {status}, a redirect, which is not followed; name the right api_base"
    elif not message:
        message = f"the server answered {status} without saying why ({_kind_and_size(reply)})"
    if status == 404 and urlsplit(base).hostname == OPENAI_HOST:
        message += f" - {CLOSED}"
    return status_error(status)(
        message,
        status_code=status,
        **{name: _text(said.get(name)) for name in ("code", "type", "param")},
        request_id=reply.line("x-request-id"),
        retry_after=retry_after_sec(reply.headers, wall_clock),
        body=body,
    )


ENVELOPE = frozenset(("error", "message", "detail", "code", "type", "param"))
"""The names that an error is read by: no key, even where a key is spelt so."""


def _redact_all(value: Any, redact: Redact) -> Any:
    """A JSON value with the key blanked in each of its texts, in whatever way it was escaped."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redact_all(item, redact) for item in value]
    if isinstance(value, dict):
        return {name if name in ENVELOPE else redact(name): _redact_all(item, redact) for name, item in value.items()}
    return value


def _text(value: Any) -> str | None:
    """What a server says in one word; None where it is none."""
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def one_line(text: str) -> str:
    """A text as one printable line of moderate length, whoever wrote it."""
    if text.isprintable() and len(text) <= 500:
        return text.strip()
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:5000]).split())
    return line if len(line) <= 500 else f"{line[:497]}..."
