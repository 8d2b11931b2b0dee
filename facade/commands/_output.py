"""What the commands print: JSON Lines, or a table for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Literal, Protocol

import click


class Model(Protocol):
    """A run or a step."""

    def to_dict(self) -> dict[str, Any]: ...


def is_table(output: Literal["auto", "table", "jsonl"]) -> bool:
    """Whether a table is printed; by itself ("auto") only on a terminal."""
    return output == "table" or (output == "auto" and sys.stdout.isatty())


def writer(output: Literal["auto", "table", "jsonl"], kind: Literal["runs", "steps"]) -> Callable[[Model], None]:
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
