"""What stands beside an object's text in its row, which finding, ordering and checking need; rows in and out by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NoReturn

from facade.archive import _schema

Kind = Literal["threads", "messages", "runs", "steps", "assistants"]
ListKind = Literal["messages", "runs", "steps"]

PARENTS: dict[Kind, tuple[str, ...]] = {
    "threads": (),
    "messages": ("thread_id",),
    "runs": ("thread_id",),
    "steps": ("thread_id", "run_id"),
    "assistants": (),
}
"""The columns that say what an object belongs to."""

MAY_BE_BARE: tuple[Literal["threads", "assistants"], ...] = ("threads", "assistants")
"""Objects that may be known by their ids alone, until they are read."""


def parsed(kind: Kind, source: Mapping[str, Any] | str) -> dict[str, Any]:
    """The row of what somebody wants to add, by column. Raises ValueError where it is no JSON object with its ids."""
    try:
        text = source if isinstance(source, str) else json.dumps(source, allow_nan=False, separators=(",", ":"))
        text.encode()  # raises for a lone surrogate that is not escaped
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("An object to store is nested too deeply to be read again.") from None
    except TypeError as error:
        raise ValueError(f"An object to store is JSON text or a mapping that JSON has a form for: {error}.") from None
    names = ("id", *PARENTS[kind])
    ids = [value.get(name) for name in names] if isinstance(value, dict) else []
    if not ids or not all(isinstance(item, str) and item for item in ids):
        raise ValueError(f"An object to store needs {', '.join(names)}, each a string: {text[:80]!r} has not.")
    parents: dict[str, Any] = dict(zip(PARENTS[kind], ids[1:], strict=True))
    return columns_of(kind, text, value, parents, created_at=seconds_of(value, is_strict=True))


def row_of(kind: Kind, text: str, value: Mapping[str, Any], parents: Mapping[str, str]) -> dict[str, Any]:
    """The row of an object as a server sent it, by column."""
    return columns_of(kind, text, value, parents, created_at=seconds_of(value, is_strict=False))


def columns_of(
    kind: Kind, text: str, value: Mapping[str, Any], parents: Mapping[str, str], *, created_at: float
) -> dict[str, Any]:
    """An object's row, by column."""
    kept = _schema.encoded(text)
    columns = {"id": value["id"], **parents, "created_at": created_at, "json": kept, "sha256": _schema.digest(kept)}
    if kind in MAY_BE_BARE:
        return columns | {"state": "complete"}
    return columns | derived(kind, value)


def derived(kind: Kind, value: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns that say again what stands in an object's text."""
    if kind == "messages":
        return {"run_id": _schema.storable(value.get("run_id"))}
    return {} if kind in MAY_BE_BARE else {"status": _schema.status_of(value)}


def seconds_of(value: Mapping[str, Any], *, is_strict: bool) -> float:
    """An object's `created_at`; 0 where it has none that is a number, or where not strict, none of use."""
    created_at = value.get("created_at")
    try:
        seconds = float(created_at) if isinstance(created_at, (int, float)) else 0.0
    except OverflowError:
        if is_strict:
            raise ValueError("created_at of an object to store is larger than any time.") from None
        return 0.0
    return seconds if seconds == seconds else 0.0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON: write null or a number in its place.")


MOST_AT_ONCE = 64
"""How many rows one statement adds: its values, ten for a row, are no more than any SQLite takes."""


@cache
def add_many(kind: Kind, count: int) -> str:
    """Adds so many rows: for each the values of `columns_of`, and its key twice, as its order of arrival too."""
    # An object that is there already is replaced, and keeps its place in the order of arrival.
    fresh = ["created_at", "json", "sha256", *(["state"] if kind in MAY_BE_BARE else derived(kind, {}))]
    columns = ["id", *PARENTS[kind], *fresh]
    if kind in MAY_BE_BARE:
        fresh += ["error", "seal"]
    # Texts go in as bytes, since not all that is JSON to others is UTF-8 to Python.
    row = ", ".join("CAST(? AS TEXT)" if column == "json" else "?" for column in (*columns, "seq", "key"))
    return (
        f"INSERT INTO {kind} ({', '.join(columns)}, seq, key) VALUES {', '.join([f'({row})'] * count)}"
        f" ON CONFLICT ({', '.join((*PARENTS[kind], 'id'))}) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in fresh)
    )


def _one(kind: Kind) -> str:
    return " AND ".join(f"{column} = ?" for column in (*PARENTS[kind], "id"))


GET: dict[Kind, str] = {
    kind: f"SELECT id, CAST(json AS BLOB), sha256 FROM {kind} WHERE {_one(kind)}" for kind in PARENTS
}
PLACE: dict[Kind, str] = {kind: f"SELECT created_at, seq FROM {kind} WHERE {_one(kind)}" for kind in PARENTS}
