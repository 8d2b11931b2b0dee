"""What the tables of frames and Parquet files have in them: columns, their types, and the rows of an archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, NamedTuple

from facade._reading.tool_calls import calls_of, child_of, error_of, input_of, kind_of, name_of, output_of
from facade._reading.values import (
    Tokens,
    duration_of,
    end_of,
    json_text,
    nanoseconds_of,
    sound,
    text_of,
    tokens_of,
    value_in,
)
from facade.archive._slicing import slice_items
from facade.archive._store import Store

Type = Literal["text", "time", "integer", "number"]
"""A time is in microseconds since 1970, in UTC."""

Json = Mapping[str, Any]


class Stored(NamedTuple):
    """An object of the archive.

    Attributes:
        ids: of what it belongs to, and its own, by the columns that they are in
        text: its JSON, as the server sent it
        value: the same, parsed; empty where Python cannot
    """

    ids: dict[str, str]
    text: str
    value: Json


class Table(NamedTuple):
    """A table: the names and types of its columns, the objects that it is made of, and what makes rows of one."""

    columns: dict[str, Type]
    kind: Literal["threads", "messages", "runs", "steps", "assistants"]
    rows: Callable[[Stored], Iterator[dict[str, Any]]]


def rows_of(stores: Iterable[Store], name: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table, thread by thread in their order of arrival, within one by time created.

    Of archives that have the same assistant or thread the first one counts.
    """
    table = TABLES[name]
    known: set[str] = set()
    for stored in chain.from_iterable(_stored(store, table.kind) for store in stores):
        if table.kind in ("threads", "assistants"):
            if stored.ids["id"] in known:
                continue
            known.add(stored.ids["id"])
        for row in table.rows(stored):
            yield tuple(_CHECKED[kind](row.get(column)) for column, kind in table.columns.items())


def _stored(store: Store, kind: str) -> Iterator[Stored]:
    if kind in ("threads", "assistants"):
        query = f"SELECT id, CAST(json AS BLOB) FROM {kind} WHERE json IS NOT NULL ORDER BY created_at, seq"
        for own_id, text in store.rows(query):
            yield _read({"id": own_id}, text)
        return
    names = ("thread_id", "run_id", "id") if kind == "steps" else ("thread_id", "id")
    query = f"SELECT {', '.join(names)}, CAST(json AS BLOB) FROM {kind} WHERE thread_id = ? ORDER BY created_at, seq"
    for thread_id in store.thread_ids():
        for *ids, text in store.rows(query, thread_id):
            yield _read(dict(zip(names, ids, strict=True)), text)


def _read(ids: dict[str, str], data: bytes) -> Stored:
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # a number of too many digits, or a depth that Python does not take
        value = {}
    return Stored(ids, text, value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return sound(value if isinstance(value, str) else json_text(value))


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _time(value: Any) -> int | None:
    nanoseconds = nanoseconds_of(value)
    return None if nanoseconds is None else nanoseconds // 1000


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


_CHECKED: dict[Type, Callable[[Any], Any]] = {
    "text": _text,
    "time": _time,
    "integer": _integer,
    "number": _number,
}


def _common(stored: Stored) -> dict[str, Any]:
    """What runs and steps have in common."""
    value, error = stored.value, stored.value.get("last_error")
    return {
        **value,
        **stored.ids,
        "ended_at": end_of(value),
        "seconds": duration_of(value),
        **{f"{name}_tokens": count for name, count in zip(Tokens._fields, tokens_of(value.get("usage")), strict=True)},
        "error_code": value_in(error, "code"),
        "error_message": value_in(error, "message") or (error if isinstance(error, str) else None),
        "json": stored.text,
    }


def _run(stored: Stored) -> Iterator[dict[str, Any]]:
    value = stored.value
    why = value.get("incomplete_details")
    yield _common(stored) | {
        "assistant_id": value.get("assistant_id") or value.get("agent_id"),
        "incomplete_reason": value_in(why, "reason") or (why if isinstance(why, str) else None),
    }


def _step(stored: Stored) -> Iterator[dict[str, Any]]:
    details = stored.value.get("step_details")
    yield _common(stored) | {
        "type": text_of(stored.value.get("type")) or value_in(details, "type"),
        "message_id": value_in(value_in(details, "message_creation"), "message_id"),
        "tool_calls": len(calls_of(stored.value)),
    }


def _calls(stored: Stored) -> Iterator[dict[str, Any]]:
    value = stored.value
    for key in ("tool_calls", "activities"):
        if calls_of({"step_details": {key: value_in(value.get("step_details"), key)}}):
            for number, (text, call) in enumerate(slice_items(stored.text, "step_details", key)):
                yield _call(stored, number, text, call)
            return


def _call(stored: Stored, number: int, text: str, call: Any) -> dict[str, Any]:
    child_run, child_thread = child_of(call)
    error = error_of(call)
    return {
        "thread_id": stored.ids["thread_id"],
        "run_id": stored.ids["run_id"],
        "step_id": stored.ids["id"],
        "number": number,
        "id": value_in(call, "id"),
        "type": kind_of(call),
        "name": name_of(call) or None,
        "created_at": stored.value.get("created_at"),
        "ended_at": end_of(stored.value),
        "status": value_in(call, "status") or stored.value.get("status"),
        "input": input_of(call),
        "output": output_of(call),
        "error": value_in(error, "message") or error,
        "child_run_id": child_run or None,
        "child_thread_id": child_thread or None,
        "json": text,
    }


def _message(stored: Stored) -> Iterator[dict[str, Any]]:
    content = stored.value.get("content")
    parts = content if isinstance(content, list) else [content]
    said = [value_in(value_in(part, "text"), "value") or (part if isinstance(part, str) else None) for part in parts]
    texts = [text for text in said if isinstance(text, str)]
    yield {**stored.value, **stored.ids, "text": "\n".join(texts) if texts else None, "json": stored.text}


def _plain(stored: Stored) -> Iterator[dict[str, Any]]:
    yield {**stored.value, **stored.ids, "json": stored.text}


_TOKENS: dict[str, Type] = {f"{name}_tokens": "integer" for name in Tokens._fields}

TABLES: dict[str, Table] = {
    "threads": Table({"id": "text", "created_at": "time", "json": "text"}, "threads", _plain),
    "runs": Table(
        {
            "thread_id": "text",
            "id": "text",
            "created_at": "time",
            "started_at": "time",
            "ended_at": "time",
            "seconds": "number",
            "status": "text",
            "assistant_id": "text",
            "model": "text",
            **_TOKENS,
            "error_code": "text",
            "error_message": "text",
            "incomplete_reason": "text",
            "json": "text",
        },
        "runs",
        _run,
    ),
    "steps": Table(
        {
            "thread_id": "text",
            "run_id": "text",
            "id": "text",
            "created_at": "time",
            "ended_at": "time",
            "seconds": "number",
            "status": "text",
            "type": "text",
            "message_id": "text",
            "tool_calls": "integer",
            **_TOKENS,
            "error_code": "text",
            "error_message": "text",
            "json": "text",
        },
        "steps",
        _step,
    ),
    "tool_calls": Table(
        {
            "thread_id": "text",
            "run_id": "text",
            "step_id": "text",
            "number": "integer",
            "id": "text",
            "type": "text",
            "name": "text",
            "created_at": "time",
            "ended_at": "time",
            "status": "text",
            "input": "text",
            "output": "text",
            "error": "text",
            "child_run_id": "text",
            "child_thread_id": "text",
            "json": "text",
        },
        "steps",
        _calls,
    ),
    "messages": Table(
        {
            "thread_id": "text",
            "id": "text",
            "created_at": "time",
            "role": "text",
            "status": "text",
            "run_id": "text",
            "assistant_id": "text",
            "text": "text",
            "json": "text",
        },
        "messages",
        _message,
    ),
    "assistants": Table(
        {"id": "text", "created_at": "time", "name": "text", "model": "text", "json": "text"}, "assistants", _plain
    ),
}
