"""Objects as a table for people, printed as they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from facade.commands._kinds import Kind
from facade.commands._output import clean, one_line

_GAP = 2
# What decides how wide the columns are: as many rows as a page has, or those of the first second.
_PAGE, _PATIENCE_SEC = 100, 1.0
_STYLES = {
    "completed": "green",
    "failed": "red",
    "expired": "red",
    "incomplete": "yellow",
    "cancelled": "yellow",
    "requires_action": "cyan",
}


class Terminal(Console):
    """Where tables go: nothing in them is markup, and a reader that went away is an error."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError, of which rich would make SystemExit

    def plain(self, text: str) -> str:
        """The text in characters that the terminal takes, none of which steers it."""
        return clean(text).encode(self.encoding, "replace").decode(self.encoding)

    def print_text(self, text: Text, indent: int = 0) -> None:
        """Print a text, in several lines where it is too long; broken between words where there are some."""
        indent = min(indent, max(self.width - 10, 0))
        for line in text.wrap(self, self.width - indent, overflow="fold"):
            line.rstrip()
            self.print(Text(" " * indent).append(line))


def coloured(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=_STYLES.get(status, ""))


class Table:
    """A table of one line an object, for what has room in it; the rest stands below that line, with its name.

    The first page decides which columns there are, and how wide. A cell that has no column, or is wider than it, goes
    below, so that no word is broken. Threads and runs are named where they change, above what is theirs; so is a
    text that most rows have in common, where it has no column.
    """

    def __init__(self, kind: Kind) -> None:
        self.console = Terminal()
        self._kind = kind
        self._held: list[dict[str, str]] = []
        self._since = 0.0
        self._widths: dict[str, int] = {}
        self._above: dict[str, str] = {}

    def write(self, item: Mapping[str, Any]) -> None:
        """Print one object, or hold it until the first page is there."""
        self._since = self._since or time.monotonic()
        self._held.append({name: self.console.plain(one_line(cell(item))) for name, cell in self._kind.cells.items()})
        if self._widths or len(self._held) == _PAGE or time.monotonic() - self._since > _PATIENCE_SEC:
            self.flush()

    def flush(self) -> None:
        """Print what is held."""
        if self._held and not self._widths:
            self._fit()
            self._print_above(self._above)
            self._print_line({name: name for name in self._widths}, "bold")
        for row in self._held:
            changed = {name: row[name] for name in self._kind.parents if row[name] != self._above[name]}
            self._above |= changed
            self._print_above(changed)
            self._print(row)
        self._held.clear()

    def _fit(self) -> None:
        """Choose the columns: the id, then those that most rows have something in, as far as there is room."""
        widths = {
            name: [width for row in self._held if (width := cell_len(row[name]))]
            for name in self._kind.cells
            if name not in self._kind.parents
        }
        self._above = {name: self._held[0][name] for name in self._kind.parents}
        first, *others = widths
        numbers = self._kind.numbers
        widest = max(widths[first], default=1)  # a short id may be followed by one a little longer
        fitting = {first: min(max(widest, min(widest + 2, 28)), self.console.width)}
        left = self.console.width - fitting[first]
        # A text that few rows have takes less room below them than as a column.
        for name in sorted(others, key=lambda name: name not in numbers and len(widths[name]) * 2 < len(self._held)):
            short = [width for width in widths[name] if width + _GAP <= left]
            if short and len(short) * 2 >= len(widths[name]) and len(name) + _GAP <= left:
                fitting[name] = max(*short, len(name))
                left -= fitting[name] + _GAP
            elif name not in (*self._kind.minor, *numbers):
                usual, count = Counter(row[name] for row in self._held).most_common(1)[0]
                if count * 2 > len(self._held) and all(
                    row[name] for row in self._held
                ):  # said once; a row that differs says so
                    self._above[name] = usual
        self._widths = {name: fitting[name] for name in self._kind.cells if name in fitting}

    def _print_above(self, common: Mapping[str, str]) -> None:
        """What the rows that follow have in common."""
        self._print_parts([Text(f"{name}: {cell}", style="dim") for name, cell in common.items() if cell])

    def _print(self, row: Mapping[str, str]) -> None:
        inline = {name: row[name] for name, width in self._widths.items() if cell_len(row[name]) <= width}
        first = next(iter(self._widths))
        if first not in inline:
            self.console.print_text(Text(row[first]))
        self._print_line(inline)
        below = (
            Text(f"{name}: {cell or 'none'}", style="red" if name == "error" else "dim")
            for name, cell in row.items()
            if name not in (first, *inline, *self._kind.minor) and cell != self._above.get(name, "")
        )
        self._print_parts(list(below), _GAP)

    def _print_parts(self, parts: list[Text], indent: int = 0) -> None:
        if parts:
            self.console.print_text(Text("; ").join(parts), indent)

    def _print_line(self, cells: Mapping[str, str], style: str = "") -> None:
        line = Text(style=style)
        for name, width in self._widths.items():
            cell = coloured(cells.get(name, "")) if name == "status" else Text(cells.get(name, ""))
            cell.align("right" if name in self._kind.numbers else "left", width)
            line.append(cell)
            line.append(" " * _GAP)
        line.rstrip()
        if line:
            self.console.print(line, overflow="fold")
