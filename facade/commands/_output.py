"""What the commands print: JSON Lines, or a table for people; and what they say on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import click

from facade.commands._command import PROGRAM

Format = Literal["auto", "table", "jsonl"]

printed = click.option(
    "--output",
    type=click.Choice(["auto", "table", "jsonl"], case_sensitive=False),
    default="auto",
    show_default=True,
    help="auto: a table on a terminal, JSON Lines elsewhere.",
)
"""The option that says how objects are printed."""


class Model(Protocol):
    """A run, a step or a message."""

    def to_dict(self) -> dict[str, Any]: ...


def is_table(output: Format) -> bool:
    """Whether a table is printed; by itself ("auto") only on a terminal."""
    return output == "table" or (output == "auto" and sys.stdout.isatty())


def writer(output: Format, kind: Literal["runs", "steps"]) -> Callable[[Model], None]:
    """What prints one object at once: a row of a table, or a line of JSON."""
    if sys.stdout is None:  # as `>&-` leaves it
        raise click.ClickException("standard output is closed")
    if not is_table(output):
        return _write_json_line
    # rich takes a while to load, and a pipe needs none of it.
    from facade.commands import _table

    return _table.Table(kind).write


def _write_json_line(item: Model) -> None:
    # ASCII keeps lone surrogates; flushing keeps a pipeline moving.
    print(json.dumps(item.to_dict(), ensure_ascii=True), flush=True)


def one_line(text: str) -> str:
    """The text without line breaks, and without what could steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))


def say(text: str) -> None:
    """Print one line on standard error, begun with the program's name."""
    click.echo(f"{PROGRAM}: {one_line(text)}", err=True)


def discard() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush does not fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _OneLineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def log_shown(*, verbose: bool = False, debug: bool = False) -> Iterator[None]:
    """Show the library's log and warnings on standard error, a line each, while the context lasts."""
    logger = logging.getLogger("facade")
    handler = _OneLineHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: logger.warning("%s", message)
            yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
