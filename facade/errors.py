"""The errors of this package.

    ValueError
      └─ ConfigurationError            at construction: key, organization, base address, auth type, proxy, certificates
    APIError                           a call that was sent gave no answer to use
      ├─ APIStatusError                an answer that is not 2xx, redirects included
      │    ├─ BadRequestError             400
      │    ├─ AuthenticationError         401
      │    ├─ PermissionDeniedError       403
      │    ├─ NotFoundError               404
      │    ├─ ConflictError               409
      │    ├─ UnprocessableEntityError    422
      │    ├─ RateLimitError              429
      │    └─ InternalServerError         500-599
      ├─ APIConnectionError            no whole answer came: refused, reset, cut short, TLS
      │    ├─ APITimeoutError             timeout_sec or deadline_sec passed (a TimeoutError too)
      │    └─ StreamCutError              an event stream ended before its run was at rest
      ├─ APIResponseError              a 2xx answer that is not what the operation answers
      ├─ PaginationError               a walk that cannot end or would lose data
      ├─ RunFailedError                a run waited for with `check` failed, or ended early
      └─ StreamError                   an `error` event of a stream

Other bad arguments raise ValueError or TypeError before any request, and a client that was closed raises RuntimeError.
No message holds a key.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai_thread_runs_api.models import RunObject

__all__ = ["APIConnectionError", "APIError", "APIResponseError", "APIStatusError", "APITimeoutError"]
__all__ += ["AuthenticationError", "BadRequestError", "ConfigurationError", "ConflictError", "InternalServerError"]
__all__ += ["MoreDataWarning", "NotFoundError", "PaginationError", "PermissionDeniedError", "RateLimitError"]
__all__ += ["RunFailedError", "StreamCutError", "StreamError", "UnprocessableEntityError"]


class ConfigurationError(ValueError):
    """A client cannot be made of what it was given: the text names what is wrong and how to set it, not the value."""


class MoreDataWarning(UserWarning):
    """One page was asked for without a `limit`, and there is more: ask for `all`, or say the limit."""


class APIError(Exception):
    """A call that was sent and gave no answer to use; the base of all that a call raises after its first request.

    Attributes:
        message: what happened; of a status error the server's own words. `str()` adds what else is known
        method, path: of the request that failed, without the base address and the query; None where none was made
        sent: False where nothing of the last request reached the server; True where it did, or may have
        attempts: the requests that were sent for the call or page that failed
        after: in a walk: the id to give as `after` to go on where it stopped; None where nothing was handed over yet
            and no `after` was given, and outside a walk
        thread_id: in a walk over many threads or runs: the thread that failed
        run_id: in a walk over many runs: the run that failed
        run: where a run was waited for, or told of by a stream: the run as last read; else None
    """

    method: str | None = None
    path: str | None = None
    sent: bool = True
    attempts: int = 0
    after: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    run: RunObject | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        parts = [self.message if self.path is None else f"{self.method} {self.path}: {self.message}"]
        if self.attempts > 1:
            parts.append(f"({self.attempts} attempts)")
        if self.run_id is not None:
            parts.append(f"(in run {self.run_id!r} of thread {self.thread_id!r})")
        elif self.thread_id is not None:
            parts.append(f"(in thread {self.thread_id!r})")
        if self.after is not None and self.may_go_on:
            parts.append(f"(go on with after={self.after!r})")
        return " ".join(parts)

    @property
    def may_go_on(self) -> bool:
        """Whether asking again, later or from where it stopped, may be answered otherwise."""
        return True


@dataclass(eq=False, repr=False)
class APIStatusError(APIError):
    """An answer that is not 2xx.

    Attributes:
        status_code: the HTTP status
        code, type, param: what the error envelope says, None where it says nothing
        message: the envelope's message, else one made of the status
        request_id: the header `x-request-id`; give it to whoever runs the server
        retry_after: the seconds that the server asks to wait; None where it does not say, or says nonsense
        body: the answer: as parsed where it was JSON, else its text, else None
    """

    message: str
    _: KW_ONLY
    status_code: int = 0
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    body: Any = None

    @property
    def may_go_on(self) -> bool:
        return self.status_code == 429 or self.status_code // 100 != 4  # else asking again gets the same answer

    def __str__(self) -> str:
        request = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.status_code}: {super().__str__()}{request}"


class BadRequestError(APIStatusError):
    """400: the server refuses the request as it is."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or expired."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not read this."""


class NotFoundError(APIStatusError):
    """404: there is no such thread, run or step, or no such endpoint."""


class ConflictError(APIStatusError):
    """409: the object is in a state that does not allow this now."""


class UnprocessableEntityError(APIStatusError):
    """422: the server understands the request and refuses its values."""


class RateLimitError(APIStatusError):
    """429: too many requests, or the quota is used up (`code` is then `insufficient_quota`)."""


class InternalServerError(APIStatusError):
    """500 to 599: the server failed."""


class APIConnectionError(APIError):
    """No whole answer came: the connection was refused, reset or cut short, or TLS failed."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """`timeout_sec` passed in an attempt, or `deadline_sec` in the whole call."""


class APIResponseError(APIError):
    """A 2xx answer that is not what the operation answers: not JSON, no object with an id, too large, too deep."""


class PaginationError(APIError):
    """A walk that cannot end or would lose data: a cursor that came before, or more promised and nothing to follow."""

    @property
    def may_go_on(self) -> bool:
        return False  # from there it would come to the same


class RunFailedError(APIError):
    """A run that was waited for with `check` has ended, and is not completed.

    Attributes:
        run: the run, with `status`, `last_error` and `incomplete_details`
    """

    run: RunObject


class StreamError(APIError):
    """The server said in its event stream that something went wrong.

    Attributes:
        code, type, param: what the event says, None where it says nothing
    """

    code: str | None = None
    type: str | None = None
    param: str | None = None


class StreamCutError(APIConnectionError):
    """An event stream ended before its run was at rest. The run goes on: `RunStream.result` follows it."""


STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error(status_code: int) -> type[APIStatusError]:
    """The class of error for a status that is not 2xx."""
    return STATUS_ERRORS.get(status_code) or (InternalServerError if 500 <= status_code <= 599 else APIStatusError)
