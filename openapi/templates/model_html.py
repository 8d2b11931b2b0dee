"""What a notebook shows of models: tables in which everything that a server sent is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

WHOLE, IN_A_ROW = 5_000, 60
"""The most characters of a value that are shown in a table of one object, and in a row of many."""

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _cell(key: str, value: Any, most: int) -> str:
    """A value as the content of a cell: texts as they are, Unix times in words too, anything else as JSON."""
    if value.__class__ is str:
        text = value
    elif key.endswith("_at") and value.__class__ is int:
        text = _time(value)
    else:
        text = json.dumps(value, ensure_ascii=False, indent=None if most == IN_A_ROW else 1, default=str)
    if len(text) > most:
        text = f"{text[:most]}… ({len(text) - most} more characters)" if most == WHOLE else f"{text[:most]}…"
    return _text(text)


def _time(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return str(seconds)


def _text(text: str) -> str:
    """A text as HTML; halves of characters, which no page can hold, become question marks."""
    return escape(text.encode("utf-8", "replace").decode())


def object_table(json: Mapping[str, Any]) -> str:
    """A JSON object as an HTML table: a row for each key."""
    rows = "".join(
        f'<tr><th style="text-align:left">{_text(key)}</th>'
        f'<td style="text-align:left;white-space:pre-wrap">{_cell(key, value, WHOLE)}</td></tr>'
        for key, value in json.items()
    )
    return f"<table>{rows}</table>"


def objects_table(models: Iterable[Any], caption: str) -> str:
    """Models as an HTML table: a row for each, a column for each key that any of them has a value for."""
    rows: list[dict[str, Any]] = [dict(model) for model in models]
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if value not in _EMPTY)
    head = "".join(f"<th>{_text(key)}</th>" for key in keys)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{_cell(key, row[key], IN_A_ROW) if row.get(key) not in _EMPTY else ''}</td>" for key in keys)
        + "</tr>"
        for row in rows
    )
    return f"<table><caption>{_text(caption)}</caption><tr>{head}</tr>{body}</table>"
