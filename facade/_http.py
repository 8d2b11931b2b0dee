"""What sync and async I/O have in common: an attempt's request, its answer, and the errors of a broken one."""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import time
import warnings
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from html import escape
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

import httpx

from facade._answers import Body
from facade._exchange import Attempt, Budget, Call, Clock, Reply
from facade._settings import CLOSED, OPENAI_HOST, Settings
from facade.errors import APIConnectionError, APIError, APIResponseError, APITimeoutError

C = TypeVar("C")


class HttpOptions(NamedTuple):
    """What httpx is told when it builds its transports."""

    verify: Any
    proxy: Any
    transport: Any

    def with_context(self) -> HttpOptions:
        """These options with the TLS context made: most of what it costs to build an httpx client."""
        if self.verify is True:
            return self._replace(verify=_usual_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")))
        return self._replace(verify=httpx.create_ssl_context(self.verify))

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `httpx.Client` and `httpx.AsyncClient`, of which only the transports are used."""
        return self._asdict()


@cache
def _usual_context(*_: str | None) -> ssl.SSLContext:
    """The TLS context of all clients that are told nothing else, one for what the environment says of certificates."""
    return httpx.create_ssl_context()


class Lending(Generic[C]):
    """httpx clients, each lent to one request at a time: httpcore searches a pool of many connections at length.

    Args:
        is_shared: there is only one, which all requests use: it has a transport of the caller's own
        clock: seconds that only go forward
    """

    def __init__(self, is_shared: bool, clock: Clock = time.monotonic) -> None:
        self._is_shared = is_shared
        self._clock = clock
        self._clients: set[C] = set()
        self._waiting: deque[tuple[float, C]] = deque()

    def lend(self, make: Callable[[], C]) -> C:
        """The client that was given back last, else a new one."""
        if self._waiting:
            return self._waiting.pop()[1]
        if self._is_shared and self._clients:
            return next(iter(self._clients))
        client = make()
        self._clients.add(client)
        return client

    def take_back(self, client: C) -> list[C]:
        """Keeps a client for the next request; gives those that nobody has wanted for a while, to be closed."""
        if self._is_shared or client not in self._clients:
            return []
        now = self._clock()
        self._waiting.append((now, client))
        unwanted = []
        while self._waiting[0][0] < now - KEEP_SEC:
            unwanted.append(self._waiting.popleft()[1])
        self._clients.difference_update(unwanted)
        return unwanted

    def discard(self, client: C) -> list[C]:
        """Keeps a client no longer whose request was cut short; gives it, to be closed, unless it is shared."""
        if self._is_shared or client not in self._clients:
            return []
        self._clients.remove(client)
        return [client]

    def give_up(self) -> list[C]:
        """Gives all clients, lent ones too, to be closed, and keeps none."""
        clients, self._clients = list(self._clients), set()
        self._waiting.clear()
        return clients


KEEP_SEC = 5.0
"""How long a connection is kept that no request uses; as long as httpx keeps one."""


MIN_SECRET_LENGTH = 4
"""A shorter key, such as servers of one's own are given, is no secret; blanking it would only spoil texts."""


def concealer(key: str) -> Callable[[str], str]:
    """A function that blanks a key in a text, also as an address, a repr, JSON or HTML spells it."""
    if len(key) < MIN_SECRET_LENGTH:
        return lambda text: text
    forms = {key, quote(key), quote(key, safe=""), quote_plus(key), repr(key)[1:-1], json.dumps(key)[1:-1], escape(key)}

    def conceal(text: str) -> str:
        for form in forms:
            text = text.replace(form, "***")
        return text

    return conceal


def make_url(settings: Settings, call: Call[Any]) -> httpx.URL:
    """A call's address, made before anybody holds the key.

    Raises:
        ValueError: httpx does not take it: `additional_query` makes it too long.
    """
    try:
        return httpx.URL(settings.request_url(call.path, call.query))
    except httpx.InvalidURL as error:
        problem = str(error)
    raise ValueError(f"{call.method} {call.path[:80]}: no such address can be asked ({problem})")


def make_request(settings: Settings, call: Call[Any], url: httpx.URL, key: str) -> httpx.Request:
    """One attempt's request, as yet without a time limit."""
    return httpx.Request(call.method, url, headers=settings.request_headers(key))


def set_limit(request: httpx.Request, limit_sec: float | None) -> None:
    """Gives a request the time limit that its transport applies to each phase."""
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), limit_sec)


class Answer:
    """Takes in an answer chunk by chunk, as far as its status calls for it."""

    def __init__(self, response: httpx.Response, settings: Settings, conceal: Callable[[str], str]) -> None:
        self._response = response
        self._conceal = conceal
        self._body = Body(response.headers.get("content-encoding", ""), settings.max_response_bytes)
        self._broken: APIError | None = None

    @property
    def is_good(self) -> bool:
        return 200 <= self._response.status_code < 300

    def feed(self, chunk: bytes) -> bool:
        """Takes a chunk; says whether to go on. An error's body is read as far as it can be: its status counts."""
        try:
            self._body.feed(chunk)
        except APIResponseError as problem:
            self._broken = problem.with_traceback(None)
        return self._broken is None

    def reply(self) -> Reply:
        """The answer, as whole as it came.

        Raises:
            APIResponseError: a good answer is too large, or its encoding is broken.
        """
        if not self.is_good:
            body = self._body.so_far()
        elif self._broken is not None:
            raise self._broken
        else:
            body = self._body.whole()
        return Reply(self._response.status_code, self._response.headers, body, self._conceal)


def timeout_error(call: Call[Any], attempt: Attempt) -> APITimeoutError:
    """The error of an attempt that was given up."""
    return APITimeoutError(
        f"{call.method} {call.path}: "
        + (f"no whole answer in {attempt.limit_sec:.3g} s" if attempt.limit_sec else "no time was left")
        + f" ({attempt.bound}); allow more time, or look at the server"
    )


def deadline_error(budget: Budget) -> APITimeoutError:
    """The error of a walk whose `deadline_sec` passed while a page was on its way."""
    error = APITimeoutError(
        f"the next page did not come in time for the whole walk (deadline_sec={budget.deadline_sec:g}); "
        "allow more time, or go on from where it stopped"
    )
    error.attempts = 1
    return error


def connection_error(call: Call[Any], base: str, error: Exception, conceal: Callable[[str], str]) -> APIConnectionError:
    """The error of an attempt that a transport's error ended; the error itself, which knows the key, is not kept."""
    what = conceal(re.sub(r"\[Errno -?\d+\] ", "", str(error))) or type(error.__cause__ or error).__name__
    if not isinstance(error, httpx.ConnectError):
        return APIConnectionError(f"{call.method} {call.path}: no whole answer came ({type(error).__name__}: {what})")
    parts = urlsplit(base)
    advice = "is the server running, and is api_base right?"
    if parts.hostname == OPENAI_HOST:
        advice = CLOSED
    elif "WRONG_VERSION_NUMBER" in what:
        advice = "does it speak http:// only?"
    return APIConnectionError(f"{call.method} {call.path}: cannot connect to {parts.netloc} ({what}): {advice}")


TRANSPORT_ERRORS = (httpx.TransportError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError)

_warned: set[str] = set()


def warn_of_plain_http(settings: Settings, stacklevel: int) -> None:
    """Warns once of each host that the key would be sent to in the clear."""
    parts = urlsplit(settings.base)
    host = parts.hostname or ""
    loopback = host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith("127.")
    if parts.scheme == "http" and not loopback and host not in _warned:
        _warned.add(host)
        warnings.warn(f"the key is sent to {host} unencrypted; use https://", UserWarning, stacklevel=stacklevel)


class _Concealing(logging.Filter):
    """Blanks the key in what the transport libraries log: at DEBUG they show headers, and a server may echo a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        conceal = concealing.get()
        if conceal is not None:
            record.msg, record.args = conceal(record.getMessage()), ()
        return True


concealing: ContextVar[Callable[[str], str] | None] = ContextVar("concealing", default=None)
"""What blanks the key of the attempt that this thread or task is at."""

for _name in ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_Concealing())
