"""Threads and runs that come on standard input: an id a line, or JSON Lines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import click

Key = TypeVar("Key")


class Pipeline(Generic[Key]):
    """What standard input names, read line by line as it comes.

    A bad line ends the iteration and is kept: `check` raises it once everything before it has been dealt with,
    so that reading ahead loses nothing.
    """

    def __init__(self, lines: Iterable[bytes], key: Callable[[Any], Key]) -> None:
        self._lines = lines
        self._key = key
        self._problem: str | None = None

    @classmethod
    def of(cls, argument: str | None, name: str, key: Callable[[Any], Key]) -> Pipeline[Key] | None:
        """Standard input, where `argument` is "-" or missing; else None.

        `key` makes of an id or an object what names the thread or run; `name` is the argument's.
        Raises UsageError where the argument is missing and standard input is a terminal.
        """
        if argument is not None and argument != "-":
            return None
        if sys.stdin is None or (argument is None and sys.stdin.isatty()):
            raise click.UsageError(f"{name} is missing: give its id, or pipe ids or JSON Lines in")
        return cls(sys.stdin.buffer, key)

    def __iter__(self) -> Iterator[Key]:
        for number, line in enumerate(self._lines, 1):
            try:
                # A byte order mark is what PowerShell and editors on Windows begin with.
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not text:
                    continue
                key = self._key(_value(text))
            except (ValueError, TypeError) as error:
                problem = "it is no UTF-8 text" if isinstance(error, UnicodeError) else _in_json_words(str(error))[:200]
                self._problem = f"line {number} of standard input: {problem}"
                return
            yield key

    def check(self) -> None:
        """Raise UsageError where a bad line ended the input."""
        if self._problem is not None:
            raise click.UsageError(self._problem)


def _value(text: str) -> Any:
    """The object or text that a line of JSON holds; any other line is an id."""
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is no valid JSON") from None
    if isinstance(value, list):
        raise ValueError("it is a JSON array; a line is an id or one JSON object")
    return value


# What an object must have that names a thread or run.
_NEEDS = {
    "thread": 'a thread_id, or an id and "object": "thread"',
    "run": 'a run_id and a thread_id, or a thread_id, an id and "object": "thread.run"',
}


def _in_json_words(problem: str) -> str:
    """What the library says of a Python value, said of a line of JSON."""
    if found := re.match("this dict is no (thread|run) ", problem):
        return f"this JSON object names no {found[1]}: it needs {_NEEDS[found[1]]}"
    problem = re.sub(r"a str, not \w+", "a JSON string", problem)
    return re.sub(r"^thread_id(?= is needed)|(?<=give )thread_id|(?<=not of )thread_id", "--thread-id", problem)
