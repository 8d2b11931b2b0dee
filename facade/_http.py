"""What sync and async I/O have in common: an attempt's answer, and the errors of one that gave none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from facade._answers import Decoder
from facade._auth import Credentials, Redact
from facade._exchange import Call, Deadline, Reply, one_line
from facade._options import CLOSED, OPENAI_HOST, Settings
from facade.errors import APIConnectionError, APIError, APIResponseError, APITimeoutError

if TYPE_CHECKING:
    import httpcore
    import httpx


def make_request(call: Call[Any], settings: Settings, credentials: Credentials) -> httpcore.Request:
    """One attempt's request."""
    import httpcore

    route, headers = settings.route, credentials.headers
    if call.is_stream:  # what is compressed comes late
        headers = [header for header in headers if header[0] not in (b"Accept", b"Accept-Encoding")]
        headers += [(b"Accept", b"text/event-stream, application/json"), (b"Accept-Encoding", b"identity")]
    if call.body:
        headers = [*headers, (b"Content-Type", b"application/json")]
    if call.body is not None:
        headers = [*headers, (b"Content-Length", b"%d" % len(call.body))]
    url = httpcore.URL(
        scheme=route.scheme, host=route.host, port=route.port, target=settings.target(call.path, call.query)
    )
    return httpcore.Request(call.method, url, headers=headers, content=call.body)


def as_httpx(request: httpcore.Request, limit_sec: float | None) -> httpx.Request:
    """A request as a transport of the caller's own takes it."""
    import httpx

    url = httpx.URL(
        scheme=request.url.scheme.decode(),
        host=request.url.host.decode(),
        port=request.url.port,
        raw_path=request.url.target,
    )
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), limit_sec)
    body = b"".join(request.stream) if isinstance(request.stream, Iterable) else b""
    return httpx.Request(
        request.method.decode(), url, headers=request.headers, content=body, extensions={"timeout": timeout}
    )


class Answer:
    """Takes in an answer chunk by chunk, as far as its status calls for it, never holding more than the limit.

    Args:
        status_code, headers: of its head
        max_bytes: the largest decoded body
        redact: blanks secrets in a text that the server wrote
    """

    __slots__ = (
        "_chunks",
        "_decoder",
        "_left",
        "_max_bytes",
        "_problem",
        "_redact",
        "headers",
        "is_good",
        "status_code",
    )

    def __init__(self, status_code: int, headers: list[tuple[bytes, bytes]], max_bytes: int, redact: Redact) -> None:
        self.status_code = status_code
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        self.is_good = 200 <= status_code < 300
        self._redact = redact
        self._chunks: list[bytes] = []
        self._max_bytes = self._left = max_bytes
        self._problem: APIResponseError | None = None
        self._decoder: Decoder | None = None
        if encoding := self.headers.get("content-encoding"):
            try:
                self._decoder = Decoder(encoding)
            except APIResponseError as problem:
                self._problem = problem.with_traceback(None)

    def feed(self, chunk: bytes) -> bool:
        """Takes a chunk; says whether to go on. An error's body is read as far as it can be: its status counts."""
        try:
            for piece in (chunk,) if self._decoder is None else self._decoder.pieces(chunk):
                self._left -= len(piece)
                if self._left < 0 and self._problem is None:
                    self._problem = APIResponseError(
                        f"the answer is larger than max_response_bytes={self._max_bytes}; allow more, "
                        "or ask for a smaller page"
                    )
                if self._problem is not None:
                    return False
                self._chunks.append(piece)
        except APIResponseError as problem:
            self._problem = problem.with_traceback(None)
        return self._problem is None

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a good one that goes on as long as something happens."""
        return self.is_good and self.headers.get("content-type", "text/event-stream").startswith("text/event-stream")

    def reply(self) -> Reply | APIError:
        """The answer, as whole as it came; an error where a good one is too large, or its encoding is broken."""
        if self.is_good and self._problem is None and self._decoder is not None and self._decoder.ends_too_early():
            self._problem = APIResponseError("the answer's content encoding ends too early")
        if self.is_good and self._problem is not None:
            return self._problem
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return Reply(self.status_code, self.headers, body, self._redact)


def failure(
    call: Call[Any],
    settings: Settings,
    error: Exception,
    answer: Answer | None,
    redact: Redact,
    timed_out_by: tuple[float | None, str] | None,
    has_sent: bool = True,
) -> Reply | APIError:
    """What became of an attempt that an error ended: its status where one came that is no 2xx, else our own error.

    Args:
        error: the transport's; it is not kept, since it may lead to the key
        answer: what came of an answer
        timed_out_by: the limit that passed, and what set it; None where none did
        has_sent: whether anything of the request was sent, be it to a proxy
    """
    if answer is not None and not answer.is_good:
        return answer.reply()
    if timed_out_by is None and _is(error, "TimeoutException"):
        timed_out_by = (None, "a limit of the transport's own")
    name = type(error).__name__
    if timed_out_by is not None:
        limit_sec, bound = timed_out_by
        what = f"no whole answer in {limit_sec:.3g} s" if limit_sec else "no time was left"
        late = APITimeoutError(f"{what} ({bound}); allow more time, or look at the server")
        return _about(call, late, has_sent and name != "ConnectTimeout")
    what = redact(one_line(re.sub(r"\[Errno -?\d+\] ", "", str(error)))) or type(error.__cause__ or error).__name__
    if not _is(error, "ConnectError", "ProxyError", "ConnectTimeout"):
        return _about(call, APIConnectionError(f"no whole answer came ({name}: {what})"), has_sent)
    where = settings.base.split("//")[1].split("/")[0]
    advice = "is the server running, and is api_base right?"
    if urlsplit(settings.base).hostname == OPENAI_HOST:
        advice = CLOSED
    elif "WRONG_VERSION_NUMBER" in what:
        advice = "does it speak http:// only?"
    elif settings.route.proxy is not None:
        advice = f"is the proxy of {settings.route.proxy.said_by} right?"
    return _about(call, APIConnectionError(f"cannot connect to {where} ({what}): {advice}"), False)


def _about(call: Call[Any], error: APIError, sent: bool) -> APIError:
    call.about(error)
    error.sent = sent
    return error


def closed_error(call: Call[Any]) -> APIError:
    """The error of an attempt whose client was closed meanwhile."""
    return _about(call, APIConnectionError("the client was closed while this request was under way"), True)


def _is(error: Exception, *names: str) -> bool:
    """Whether an error is one of these of httpcore's, or of httpx's, which a transport of the caller's own raises."""
    modules = [sys.modules[name] for name in ("httpcore", "httpx") if name in sys.modules]
    return isinstance(error, tuple(getattr(module, name) for module in modules for name in names))


def is_transport_error(error: Exception) -> bool:
    """Whether an error is a transport's, not a fault in the program."""
    common = ("TimeoutException", "NetworkError", "ProtocolError", "ProxyError", "UnsupportedProtocol")
    return isinstance(error, OSError) or _is(error, *common) or _is_httpx(error)


def _is_httpx(error: Exception) -> bool:
    """Whether an error is one that only httpx's own layers raise, below a transport of the caller's own."""
    httpx = sys.modules.get("httpx")
    return httpx is not None and isinstance(error, (httpx.RequestError, httpx.InvalidURL, httpx.StreamError))


def deadline_error(deadline: Deadline) -> APITimeoutError:
    """The error of a walk whose `deadline_sec` passed while a page was on its way."""
    error = APITimeoutError(
        f"the next page did not come in time for the whole walk (deadline_sec={deadline.total_sec:g}); "
        "allow more time, or go on from where it stopped"
    )
    error.attempts = 1
    return error
