"""What can be wrong with an archive, or with what is looked for in it."""

from __future__ import annotations


class DamagedError(ValueError):
    """A file that is no archive, or no longer whole.

    Attributes:
        problems: each thing found wrong, a sentence each
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class MissingError(DamagedError, FileNotFoundError):
    """There is no file of that name."""


class BusyError(RuntimeError):
    """Somebody else is writing into the archive, and a file has one writer at a time."""


class NotStoredError(LookupError):
    """An object that the archive does not have. `kind` is thread, message, run, step or assistant, `id` its id."""

    def __init__(self, kind: str, object_id: str) -> None:
        parent = {"run": "thread", "step": "run", "message": "thread"}.get(kind)
        where, advice = (f" of that {parent}", "check both ids") if parent else ("", "check the id")
        super().__init__(f"No {kind} {object_id!r}{where} is in this archive: {advice}")
        self.kind = kind
        self.id = object_id


class UnknownCursorError(LookupError):
    """An `after` or `before` that is none of the list's ids. `parameter` says which of the two, `id` what it was."""

    def __init__(self, parameter: str, object_id: str) -> None:
        super().__init__(f"{parameter} is {object_id!r}, which is not in this list: give an id from an earlier page")
        self.parameter = parameter
        self.id = object_id
