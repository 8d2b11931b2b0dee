"""Threads and runs that come on standard input: an id a line, or JSON Lines."""

from __future__ import annotations

import json
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
            raise click.UsageError(f"{name} is missing")
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
                problem = "it is no UTF-8 text" if isinstance(error, UnicodeError) else str(error)[:200]
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
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is no valid JSON") from None
