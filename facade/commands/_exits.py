"""Every exit code, and what an error means as one."""

from __future__ import annotations

import click

import facade
from facade.commands._command import PROGRAM

EXIT_CODES = {
    0: "done",
    1: "something else",
    2: "a wrong command line, a wrong line on standard input, or a missing extra",
    3: "no usable key, organization or API base",
    4: "the server knows no such thread, run or step (404)",
    5: "the key was refused, or may not do this (401, 403)",
    6: "too many requests, or the quota is used up (429)",
    7: "any other refusal (4xx), or a redirect",
    8: "the server failed (5xx)",
    9: "no connection, or no whole answer",
    10: "--timeout-sec or --deadline-sec passed",
    11: "an answer that cannot be read",
    12: "pages that cannot be followed to their end",
    13: "the run did not complete",
    14: "the run waits for an answer",
    15: "the export is incomplete",
    16: "a damaged archive, or no archive",
    17: "another process is writing the archive",
    130: "interrupted (Ctrl-C)",
    141: "the reader of the output went away (`| head`)",
    143: "terminated (SIGTERM)",
}
NOT_COMPLETED, WAITS_FOR_ANSWER, INCOMPLETE_EXPORT, DAMAGED_ARCHIVE, BUSY_ARCHIVE = 13, 14, 15, 16, 17
EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())

# By name, since facade.archive need not be loaded; of an error's classes the nearest counts.
_CODES = {
    "ConfigurationError": 3,
    "NotFoundError": 4,
    "AuthenticationError": 5,
    "PermissionDeniedError": 5,
    "RateLimitError": 6,
    "InternalServerError": 8,
    "APIStatusError": 7,
    "APITimeoutError": 10,
    "APIConnectionError": 9,
    "APIResponseError": 11,
    "PaginationError": 12,
    "RunFailedError": NOT_COMPLETED,
    "DamagedError": DAMAGED_ARCHIVE,
    "BusyError": BUSY_ARCHIVE,
    "APIError": 1,
    "MissingExtraError": 2,
    "ValueError": 2,  # an argument that the library refuses
}
_OPTIONS = {"api_key": "--api-key-file", "additional_headers": "--additional-header"}


class Failure(click.ClickException):
    """Ends a command with one line on standard error and an exit code of `EXIT_CODES`."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.code = exit_code


def explain(error: Exception) -> tuple[int, str]:
    """The exit code of an error and what to say of it. Raises the error where it is none that anyone foresaw."""
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else PROGRAM
        return 2, f"{error.format_message()} (see: {where} --help)"
    if isinstance(error, click.ClickException):
        return error.code if isinstance(error, Failure) else error.exit_code, error.format_message()
    kind = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _CODES), None)
    if kind is not None:
        return _CODES[kind], _said(error)
    if isinstance(error, OSError):
        return 1, f"{error.filename or 'standard input or output'} failed: {error.strerror}"
    raise error


def _said(error: Exception) -> str:
    """The error's text, with options in the place of the library's parameters."""
    if isinstance(error, facade.APIError) and error.after is not None:
        after, error.after = error.after, None
        of_it = "the rest of it alone" if error.thread_id else "the rest"
        return str(error) + (f" ({of_it}: --after {after})" if error.may_go_on else "")
    if parameter := getattr(error, "parameter", None):
        return f"{_OPTIONS.get(parameter, '--' + parameter.replace('_', '-'))}: {error}"
    return str(error)
