"""What a table and a CSV file show of a run, a step and a message."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from facade._reading.values import duration_of, end_of, seconds_of, value_in

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of objects, and what is shown of each.

    Attributes:
        plural: its name
        cells: a table's columns, what matters most first: heading, and what makes a cell's text of an object
        values: the columns of CSV: name, and what makes a value of an object: a text, a number or None
        parents: of these, what names the thread or run that an object is of
        minor: those that are left out where there is no room
        numbers: those that are aligned on the right
    """

    plural: str
    cells: Mapping[str, Callable[[Object], str]]
    values: Mapping[str, Callable[[Object], str | float | None]]
    parents: tuple[str, ...] = ()
    minor: tuple[str, ...] = ("created",)
    numbers: tuple[str, ...] = ("duration", "tokens")


# Servers differ in what they send, so what is shown is blank rather than wrong where a value is of another kind.


def text(value: Any) -> str:
    """A value as text: a string as it is, anything else as JSON, None as nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or a depth that Python does not take
        return "?"


def local_time(value: Any) -> str:
    """A time as people on this machine read it."""
    found = seconds_of(value)
    return "" if found is None else datetime.fromtimestamp(found).strftime("%Y-%m-%d %H:%M:%S")


def _created(data: Object) -> str:
    return local_time(data.get("created_at"))[:16]  # to the minute


def _utc(value: Any) -> str | None:
    found = seconds_of(value)
    return None if found is None else datetime.fromtimestamp(found, UTC).isoformat().replace("+00:00", "Z")


def duration(data: Object) -> str:
    """How long it took, for people."""
    took = duration_of(data)
    if took is None:
        return ""
    minutes, rest = divmod(round(took), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{took:.3g}s"


def number(value: Any) -> float | None:
    """A number that can be shown; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if abs(value) < 10**4000 else None  # Python writes no more digits than 4,300


def _tokens(part: str) -> Callable[[Object], float | None]:
    return lambda data: number(value_in(data.get("usage"), part))


def tokens(data: Object) -> str:
    """The total of its tokens."""
    total = _tokens("total_tokens")(data)
    return "" if total is None else f"{total:,}"


def error(data: Object) -> str:
    """Why it did not end well: the error's code, or the reason for being incomplete."""
    failed, incomplete = data.get("last_error"), data.get("incomplete_details")
    found = (value_in(failed, "code") or failed, value_in(incomplete, "reason") or incomplete)
    return ", ".join(text(each) for each in found if each)


def calls(step: Object) -> str:
    """The kinds of a step's tool calls, with their number where it is not one."""
    made = value_in(step.get("step_details"), "tool_calls")
    kinds = Counter(text(value_in(call, "type")) or "?" for call in made) if isinstance(made, list) else Counter[str]()
    return ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in kinds.items())


def message_text(message: Object) -> str:
    """A message's text; parts that hold none are named by their kind."""
    content = message.get("content")
    if not isinstance(content, list):
        return text(content)
    parts = (
        value_in(value_in(part, "text"), "value") or f"[{text(value_in(part, 'type')) or '?'}]" for part in content
    )
    return "\n".join(text(part) for part in parts)


def field(name: str) -> Callable[[Object], str]:
    """What makes a text of the field of that name."""
    return lambda data: text(data.get(name))


_TIMES: Mapping[str, Callable[[Object], str | float | None]] = {
    "created_at": lambda data: _utc(data.get("created_at")),
    "started_at": lambda data: _utc(data.get("started_at")),
    "ended_at": lambda data: _utc(end_of(data)),
    "duration_sec": duration_of,
}
_USAGE_AND_ERROR: Mapping[str, Callable[[Object], str | float | None]] = {
    "prompt_tokens": _tokens("prompt_tokens"),
    "completion_tokens": _tokens("completion_tokens"),
    "total_tokens": _tokens("total_tokens"),
    "error": error,
    "error_message": lambda data: text(value_in(data.get("last_error"), "message")),
}


def _fields(*names: str) -> dict[str, Callable[[Object], str]]:
    return {name: field(name) for name in names}


RUNS = Kind(
    "runs",
    cells={
        "id": field("id"),
        "status": field("status"),
        "duration": duration,
        "tokens": tokens,
        "error": error,
        "created": _created,
        "model": field("model"),
        "thread": field("thread_id"),
    },
    values={**_fields("id", "thread_id", "assistant_id", "status", "model"), **_TIMES, **_USAGE_AND_ERROR},
    parents=("thread",),
)
STEPS = Kind(
    "steps",
    cells={
        "id": field("id"),
        "status": field("status"),
        "type": field("type"),
        "duration": duration,
        "tokens": tokens,
        "error": error,
        "calls": calls,
        "run": field("run_id"),
        "thread": field("thread_id"),
        "created": _created,
    },
    values={
        **_fields("id", "run_id", "thread_id", "assistant_id", "status", "type"),
        "calls": calls,
        **{name: value for name, value in _TIMES.items() if name != "started_at"},
        **_USAGE_AND_ERROR,
    },
    parents=("run", "thread"),
)
MESSAGES = Kind(
    "messages",
    cells={
        "id": field("id"),
        "role": field("role"),
        "created": _created,
        "run": field("run_id"),
        "thread": field("thread_id"),
        "text": message_text,
    },
    values={
        **_fields("id", "thread_id", "run_id", "assistant_id", "role", "status"),
        "created_at": _TIMES["created_at"],
        "text": message_text,
    },
    parents=("thread",),
)
