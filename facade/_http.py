"""What sync and async I/O have in common: an attempt's answer, and the errors of one that gave none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpcore

from facade._answers import Decoder
from facade._auth import Credentials, RawHeaders, Redact
from facade._exchange import Ask, Call, Reply, one_line
from facade._options import CLOSED, OPENAI_HOST, Settings
from facade.errors import APIConnectionError, APIError, APIResponseError, APITimeoutError

if TYPE_CHECKING:
    import httpx


def make_request(call: Call[Any], settings: Settings, credentials: Credentials) -> httpcore.Request:
    """One attempt's request."""
    route, headers = settings.route, [*credentials.headers]
    if call.is_stream:  # what is compressed comes late
        headers = [header for header in headers if header[0] not in (b"Accept", b"Accept-Encoding")]
        headers += [(b"Accept", b"text/event-stream, application/json"), (b"Accept-Encoding", b"identity")]
    if call.body:
        headers.append((b"Content-Type", b"application/json"))
    if call.body is not None:
        headers.append((b"Content-Length", b"%d" % len(call.body)))
    target = settings.target(call.path, call.query)
    url = httpcore.URL(scheme=route.scheme, host=route.host, port=route.port, target=target)
    return httpcore.Request(call.method, url, headers=headers, content=call.body)


def as_httpx(request: Any, limit_sec: float | None) -> httpx.Request:
    """A request as a transport of the caller's own takes it."""
    import httpx

    scheme, host = request.url.scheme.decode(), request.url.host.decode()
    url = httpx.URL(scheme=scheme, host=host, port=request.url.port, raw_path=request.url.target)
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), limit_sec)
    method, body = request.method.decode(), b"".join(request.stream)
    return httpx.Request(method, url, headers=request.headers, content=body, extensions={"timeout": timeout})


class Answer:
    """What comes of one attempt: an answer, chunk by chunk, as far as its status calls for it; or an error.

    Args:
        ask, settings: what is asked, by whom
        redact: blanks secrets in a text that the server wrote
        status_code, headers: of the answer's head; 0 where none came
    """

    def __init__(
        self, ask: Ask[Any], settings: Settings, redact: Redact, status_code: int, headers: RawHeaders
    ) -> None:
        self.ask, self._settings, self.redact = ask, settings, redact
        self.status_code, self.is_good = status_code, 200 <= status_code < 300
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        self._chunks: list[bytes] = []
        self._left = settings.max_response_bytes
        self._decoder: Decoder | None = None
        self._problem: APIResponseError | None = None

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a good one that goes on as long as something happens."""
        kind = self.headers.get("content-type", "text/event-stream").lower()
        return self.is_good and kind.startswith("text/event-stream")

    def feed(self, chunk: bytes) -> bool:
        """Takes a chunk; says whether to go on. An error's body is read as far as it can be: its status counts."""
        encoding = self.headers.get("content-encoding")
        try:
            if encoding and self._decoder is None:
                self._decoder = Decoder(encoding)
            for piece in (chunk,) if self._decoder is None else self._decoder.pieces(chunk):
                self._left -= len(piece)
                if self._left < 0:
                    limit = f"max_response_bytes={self._settings.max_response_bytes}"
                    raise APIResponseError(f"the answer is larger than {limit}; allow more, or ask for a smaller page")
                self._chunks.append(piece)
        except APIResponseError as problem:
            self._problem = problem.with_traceback(None)
        return self._problem is None

    def reply(self, stream: Any = None) -> Reply | APIError:
        """The answer, as whole as it came; an error where a good one is too large, or its encoding is broken.

        Args:
            stream: what gives the rest of an event stream
        """
        if self.is_good and self._problem is None and self._decoder is not None and self._decoder.ends_too_early():
            self._problem = APIResponseError("the answer's content encoding ends too early")
        if self.is_good and self._problem is not None:
            return self._problem
        return Reply(self.status_code, self.headers, b"".join(self._chunks), self.redact, stream)

    def failure(self, error: Exception, wire: Any) -> Reply | APIError | None:
        """What became of an attempt that an error ended: its status where one came that is no 2xx, else our own error.

        Args:
            error: the transport's; it is not kept, since it may lead to the key
            wire: what it was asked on

        Returns:
            None where the error is no transport's but a fault in the program.
        """
        # The names of its classes that are httpcore's; or httpx's, which a transport of the caller's own raises.
        kinds = {
            kind.__name__ for kind in type(error).__mro__ if kind.__module__.split(".")[0] in ("httpcore", "httpx")
        }
        if not kinds and not isinstance(error, OSError):
            return None
        sent: bool = wire.has_sent and kinds.isdisjoint(("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"))
        has_passed = wire.limit_has_passed()
        if wire.is_aborted:
            problem = APIConnectionError("the client, or the walk, was closed while this request was under way")
        elif self.status_code and not self.is_good:
            return self.reply()
        elif has_passed or "TimeoutException" in kinds:
            limit_sec, limited_by = wire.bound if has_passed else (None, "a limit of the transport's own")
            late = f"no whole answer in {limit_sec:.3g} s" if limit_sec else "no time was left"
            problem = APITimeoutError(f"{late} ({limited_by}); allow more time, or look at the server")
        else:
            said = self.redact(one_line(re.sub(r"\[Errno -?\d+\] ", "", str(error))))
            what = said or type(error.__cause__ or error).__name__
            text = f"no whole answer came ({type(error).__name__}: {what})"
            is_connecting: bool = not sent and self.redact is not str  # which it is until the key is known
            problem = APIConnectionError(_no_connection(self._settings, what) if is_connecting else text)
        problem.sent = sent
        return problem


def _no_connection(settings: Settings, what: str) -> str:
    base, advice = urlsplit(settings.base), "is the server running, and is api_base right?"
    if base.hostname == OPENAI_HOST:
        advice = CLOSED
    elif "WRONG_VERSION_NUMBER" in what:
        advice = "does it speak http:// only?"
    elif settings.route.proxy is not None:
        advice = f"is the proxy of {settings.route.proxy.said_by} right?"
    return f"cannot connect to {base.netloc} ({what}): {advice}"
