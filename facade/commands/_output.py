"""What the commands print: JSON Lines, or a table for people; and what they say on standard error."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import click

from facade.commands._command import PROGRAM
from facade.commands._kinds import Kind

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["auto", "table", "jsonl", "csv"]

printed = click.option(
    "--output",
    type=click.Choice(["auto", "table", "jsonl", "csv"], case_sensitive=False),
    default="auto",
    show_default=True,
    help="auto: a table on a terminal, JSON Lines elsewhere. csv: the main columns, for a spreadsheet.",
)
"""The option that says how objects are printed."""


class Writer(Protocol):
    """What prints objects, each a JSON object as it was sent; on `console`, if that is a terminal's."""

    @property
    def console(self) -> Console | None: ...

    def write(self, item: Mapping[str, Any]) -> None:
        """Print one object, or hold it until there are enough to know how."""

    def flush(self) -> None:
        """Print what is held."""


def is_for_people(output: Format) -> bool:
    """Whether a table is printed; by itself ("auto") only on a terminal."""
    return output == "table" or (output == "auto" and sys.stdout is not None and sys.stdout.isatty())


def writer(output: Format, kind: Kind, *, is_one: bool = False) -> Writer:
    """What prints objects of a kind.

    Args:
        output: how
        kind: what a table and CSV show of an object
        is_one: whether it is one object that was asked for, which people get in detail

    Raises ClickException where there is no standard output.
    """
    if sys.stdout is None:  # as `>&-` leaves it
        raise click.ClickException("standard output is closed")
    if is_for_people(output):
        # rich takes a while to load, and a pipe needs none of it.
        if is_one:
            from facade.commands._detail import Detail

            return Detail(kind)
        from facade.commands._table import Table

        return Table(kind)
    return _Csv(kind) if output == "csv" else _JsonLines()


class _JsonLines:
    console: Console | None = None

    def write(self, item: Mapping[str, Any]) -> None:
        # ASCII keeps lone surrogates; flushing keeps a pipeline moving.
        print(json.dumps(item, ensure_ascii=True), flush=True)

    def flush(self) -> None:
        pass


class _Csv:
    console: Console | None = None

    def __init__(self, kind: Kind) -> None:
        self._values = kind.values
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(self._values)

    def write(self, item: Mapping[str, Any]) -> None:
        self._writer.writerow([_csv_cell(value(item)) for value in self._values.values()])
        sys.stdout.flush()

    def flush(self) -> None:
        pass


def _csv_cell(value: str | float | None) -> str | float | None:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    plain = (
        clean(value.replace("\r\n", "\n"))
        .encode(sys.stdout.encoding or "utf-8", "replace")
        .decode(sys.stdout.encoding or "utf-8")
    )
    return f"'{plain}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else plain


def clean(text: str) -> str:
    """The text with its lines, and without what could steer a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str) -> str:
    """The text without line breaks, and without what could steer a terminal."""
    return clean(" ".join(text.split()))


def number_of(count: int, plural: str) -> str:
    """A number of things: "1 run", "1,234 runs"."""
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def say(text: str) -> None:
    """Print one line on standard error, begun with the program's name."""
    if sys.stderr is not None:  # as `2>&-` leaves it
        print(f"{PROGRAM}: {one_line(text)}", file=sys.stderr, flush=True)


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
