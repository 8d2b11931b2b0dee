"""Runs and steps as a table, printed row by row."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import rich.table
from rich.console import Console
from rich.text import Text

from facade.commands._output import Model, one_line

Columns = tuple[tuple[str, ...], ...]

# The first layout that fits is taken. The last one always does: a column of several names stacks their cells, so that
# ids stay whole, to be copied.
_LAYOUTS: dict[str, tuple[Columns, ...]] = {
    "runs": (
        (("id",), ("status",), ("model",), ("created",), ("duration",), ("tokens",), ("note",)),
        (("id",), ("status",), ("model",), ("duration",), ("tokens",), ("note",)),
        (("id", "created"), ("status", "model", "note"), ("duration", "tokens")),
    ),
    "steps": (
        (("id",), ("run",), ("type",), ("status",), ("duration",), ("tokens",), ("note",)),
        (("id", "run"), ("status", "type", "note"), ("duration", "tokens")),
    ),
}
_GAP = 2
_FIXED_WIDTHS = {"status": 15, "created": 19, "duration": 8, "tokens": 9}
_LEAST_WIDTHS = {"type": 24, "note": 12}
_STYLES = {
    "completed": "green",
    "failed": "red",
    "expired": "red",
    "incomplete": "yellow",
    "cancelled": "yellow",
    "requires_action": "cyan",
}


class Table:
    """A table whose rows appear as they come; the first one decides how wide the ids are, and so the layout."""

    def __init__(self, kind: Literal["runs", "steps"]) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._layouts = _LAYOUTS[kind]
        self._columns = self._layouts[-1]
        self._cells = _run_cells if kind == "runs" else _step_cells
        self._widths: dict[str, int] = {}

    def write(self, item: Model) -> None:
        """Print one row, with the heading before the first."""
        cells = {name: self._plain(cell) for name, cell in self._cells(item.to_dict()).items()}
        is_first = not self._widths
        if is_first:
            self._widths = _FIXED_WIDTHS | _first_widths(cells)
            self._columns = next(filter(self._fits, self._layouts), self._columns)
        height = max(map(len, self._columns))
        if height > 1 and not is_first:
            print()
        table = rich.table.Table(box=None, expand=True, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=is_first)
        for names in self._columns:
            # Rich aligns headings at the bottom: blank lines keep each name where its cell is.
            heading = "\n".join(names) + "\n " * (height - len(names))
            table.add_column(heading, overflow="fold", **self._measures(names))
        table.add_row(*(self._stack(names, cells) for names in self._columns))
        with self._console.capture() as captured:
            self._console.print(table)
        print(captured.get(), end="", flush=True)

    def _fits(self, columns: Columns) -> bool:
        least = _LEAST_WIDTHS | self._widths
        widths = [max(least[name] for name in names) for names in columns]
        return sum(widths) + _GAP * (len(widths) - 1) <= self._console.width

    def _measures(self, names: tuple[str, ...]) -> dict[str, Any]:
        """A column is as wide as its widest part; one that holds free text takes what is left."""
        if not all(name in self._widths for name in names):
            return {"ratio": 2 if names == ("type",) else 1}
        width = max(self._widths[name] for name in names)
        return {
            "width": min(width, self._console.width - 30),
            "justify": "right" if names[0] in ("duration", "tokens") else "left",
        }

    def _stack(self, names: tuple[str, ...], cells: Mapping[str, str]) -> Text:
        parts = (Text(cells[name], style=_STYLES.get(cells[name], "") if name == "status" else "") for name in names)
        shown = list(parts)
        while len(shown) > 1 and not shown[-1]:  # one in the middle keeps its line: the heading says which is which
            shown.pop()
        return Text("\n").join(shown)

    def _plain(self, cell: str) -> str:
        return one_line(cell).encode(self._console.encoding, "replace").decode(self._console.encoding)


def _first_widths(cells: Mapping[str, str]) -> dict[str, int]:
    """The widths that the first row decides; a short id may be followed by one a little longer."""
    widths = {name: max(len(cells[name]), min(len(cells[name]) + 2, 28)) for name in ("id", "run") if name in cells}
    return widths | ({"model": min(max(len(cells["model"]), 8), 24)} if "model" in cells else {})


def _run_cells(run: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": _text(run.get("id")),
        "status": _text(run.get("status")),
        "model": _text(run.get("model")),
        "created": _time(run.get("created_at")),
        "duration": _duration(run),
        "tokens": _tokens(run),
        "note": _note(run),
    }


def _step_cells(step: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": _text(step.get("id")),
        "run": _text(step.get("run_id")),
        "type": _type(step),
        "status": _text(step.get("status")),
        "duration": _duration(step),
        "tokens": _tokens(step),
        "note": _note(step),
    }


# Servers differ in what they send, so each cell is blank rather than wrong where a value is of another kind.


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _in(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        return None
    return value / 1000 if value > 1e11 else value  # some servers send milliseconds


def _time(value: Any) -> str:
    seconds = _seconds(value)
    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def _duration(data: Mapping[str, Any]) -> str:
    """From the start (a step has none: its creation) to whatever ended it."""
    ends = ("completed_at", "failed_at", "cancelled_at", "expired_at")
    end = next((end for name in ends if (end := _seconds(data.get(name))) is not None), None)
    start = _seconds(data.get("started_at")) or _seconds(data.get("created_at"))
    if start is None or end is None or end < start:
        return ""
    minutes, seconds = divmod(round(end - start), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {seconds:02}s" if minutes else f"{end - start:.3g}s"


def _tokens(data: Mapping[str, Any]) -> str:
    total = _in(data.get("usage"), "total_tokens")
    return f"{total:,}" if isinstance(total, int | float) and math.isfinite(total) else ""


def _note(data: Mapping[str, Any]) -> str:
    """Why it did not end well: the error's code, or the reason for being incomplete."""
    error, incomplete = data.get("last_error"), data.get("incomplete_details")
    notes = (_in(error, "code") or error, _in(incomplete, "reason") or incomplete)
    return ", ".join(_text(note) for note in notes if note)


def _type(step: Mapping[str, Any]) -> str:
    """The step's type, and the kinds of its tool calls with their number where it is not one."""
    calls = _in(step.get("step_details"), "tool_calls")
    kinds = Counter(_text(_in(call, "type")) or "?" for call in calls) if isinstance(calls, list) else Counter[str]()
    shown = ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in kinds.items())
    return f"{_text(step.get('type'))}: {shown}" if shown else _text(step.get("type"))
