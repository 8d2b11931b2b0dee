"""Threads and runs that come on standard input: an id a line, or JSON Lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from facade._arguments import run_key, thread_key

Key = dict[str, str]
"""What names a thread or a run: its thread_id, and a run's run_id."""


def thread_of(value: Any) -> Key:
    """The thread that an argument, or a line's id or object, names. Raises ValueError where it names none."""
    needs = 'a thread_id, or an id and "object": "thread"'
    return _named(lambda: {"thread_id": thread_key(value)}, value, f"no thread: it needs {needs}")


def run_of(value: Any, thread: str | None) -> Key:
    """The run that an argument, or a line's id or object, names. Raises ValueError where it names none.

    `thread` is the thread of --thread-id: ids need it, and no object may be of another.
    """
    if thread is None and isinstance(value, str):
        raise ValueError("a run's id needs the run's thread: give --thread-id")
    needs = 'a run_id and a thread_id, or a thread_id, an id and "object": "thread.run"; give --thread-id '
    needs += "where it has no thread_id" if thread is None else "only where it is the same"
    return _named(lambda: run_key(value, thread)._asdict(), value, f"no run: it needs {needs}")


def _named(key: Callable[[], Key], value: Any, complaint: str) -> Key:
    try:
        return key()
    except (ValueError, TypeError) as error:
        # Nobody who pipes JSON has a dict or a str.
        raise ValueError(f"this JSON object names {complaint}" if isinstance(value, Mapping) else str(error)) from None


class Pipeline:
    """What standard input names, read line by line as it comes."""

    def __init__(self, lines: Iterable[bytes], key: Callable[[Any], Key], name: str = "standard input") -> None:
        self._name = name
        self._lines = lines
        self._key = key
        self._problem: click.UsageError | None = None

    @classmethod
    def of(cls, argument: str | None, name: str, key: Callable[[Any], Key]) -> Pipeline | None:
        """Standard input, where `argument` is "-" or missing; else None.

        `key` makes of an id or an object what names the thread or run; `name` is the argument's.
        Raises UsageError where the argument is missing and standard input is a terminal.
        """
        if argument is not None and argument != "-":
            return None
        if sys.stdin is None or (argument is None and sys.stdin.isatty()):
            raise click.UsageError(f"{name} is missing: give its id, or pipe ids or JSON Lines in")
        return cls(_lines(), key)

    def keys(self, passed_over: Callable[[click.UsageError], None] | None = None) -> Iterator[Key]:
        """What the lines name, in their order.

        A bad line is told to `passed_over`. Without it, it ends the iteration and is kept: `check` raises it once
        everything before it has been dealt with, so that reading ahead loses nothing.
        """
        for number, line in enumerate(self._lines, 1):
            try:
                # A byte order mark is what PowerShell and editors on Windows begin with.
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not text:
                    continue
                key = self._key(_value(text))
            except ValueError as error:
                problem = "it is no UTF-8 text" if isinstance(error, UnicodeError) else str(error)[:300]
                bad = click.UsageError(f"line {number} of {self._name}: {problem}")
                if passed_over is None:
                    self._problem = bad
                    return
                passed_over(bad)
            else:
                yield key

    def check(self) -> None:
        """Raise the UsageError of the line that ended the input."""
        if self._problem is not None:
            raise self._problem


def _lines() -> Iterable[bytes]:
    """Standard input, by a reader of our own: it may be waiting in a thread, and Python closes its own at exit."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:  # no file, as in a test
        return sys.stdin.buffer


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
