"""Threads, runs and run steps in one SQLite file.

Every object is kept as the JSON text that it came as, so what is read is what was written. Beside the text stand
only the columns that finding and ordering need: ids, `created_at`, and `seq`, the order of arrival.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Literal, NamedTuple, NoReturn, Self

Order = Literal["asc", "desc"]

# SQLite's own two header fields: which application a file belongs to ("thrn"), and the version of its tables.
_APPLICATION_ID = 0x7468726E
_FORMAT_VERSION = 1

# `seq` is a column of its own, as SQLite does not search an index by `created_at` and its primary key together.
_SCHEMA = f"""
CREATE TABLE threads (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, json TEXT
);
CREATE TABLE runs (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL, thread_id TEXT NOT NULL REFERENCES threads (id),
    created_at REAL NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (thread_id, id)
);
CREATE TABLE steps (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL, thread_id TEXT NOT NULL, run_id TEXT NOT NULL,
    created_at REAL NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (thread_id, run_id, id),
    FOREIGN KEY (thread_id, run_id) REFERENCES runs (thread_id, id)
);
CREATE INDEX runs_in_order ON runs (thread_id, created_at, seq);
CREATE INDEX steps_in_order ON steps (thread_id, run_id, created_at, seq);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT_VERSION};
"""

# An object that is there already is replaced, and keeps its place in the order of arrival.
_REPLACE = "DO UPDATE SET created_at = excluded.created_at, json = excluded.json"
_ADD_THREAD = f"INSERT INTO threads (id, created_at, json) VALUES (?, ?, ?) ON CONFLICT (id) {_REPLACE}"
_ADD_BARE_THREAD = "INSERT INTO threads (id, created_at) VALUES (?, 0) ON CONFLICT (id) DO NOTHING"
_ADD_RUN = f"""
INSERT INTO runs (id, created_at, json, thread_id, seq)
VALUES (?, ?, ?, ?, (SELECT coalesce(max(key), 0) + 1 FROM runs)) ON CONFLICT (thread_id, id) {_REPLACE}
"""
_ADD_STEP = f"""
INSERT INTO steps (id, created_at, json, thread_id, run_id, seq)
VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(key), 0) + 1 FROM steps)) ON CONFLICT (thread_id, run_id, id) {_REPLACE}
"""


class StoredObject(NamedTuple):
    """One run or step: its id, and its JSON text as it was added."""

    id: str
    json: str


class StoredPage(NamedTuple):
    """Consecutive objects of a list in its order, and whether more follow in the direction that was read."""

    data: list[StoredObject]
    has_more: bool


class NotStoredError(LookupError):
    """A thread, run or step that the database does not have. `kind` is one of these words, `id` the id asked for."""

    def __init__(self, kind: str, object_id: str) -> None:
        parent = {"run": "thread", "step": "run"}.get(kind)
        where, advice = (f" of that {parent}", "check both ids") if parent else ("", "check the id")
        super().__init__(f"No {kind} {object_id!r}{where} is in this archive: {advice}")
        self.kind = kind
        self.id = object_id


class UnknownCursorError(LookupError):
    """A cursor that is no object of the list. `parameter` is "after" or "before", `id` the id that was given."""

    def __init__(self, parameter: str, object_id: str) -> None:
        super().__init__(
            f"{parameter!r} is {object_id!r}, which is no id of this list: give an id that the list has handed out."
        )
        self.parameter = parameter
        self.id = object_id


class Store:
    """A database file of threads, runs and steps. Usable by many threads at once; a context manager that closes it.

    `path` names the file. With `read_only=True` it must exist and is never written to; else it is made when missing.

    Raises FileNotFoundError (read-only, no such file) and ValueError (a file that is something else).
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        file = Path(path).absolute()
        if read_only and not file.is_file():
            raise FileNotFoundError(f"There is no database at {os.fspath(path)!r}: check the path, or write one first.")
        mode = "ro" if read_only else "rwc"
        # One connection under one lock: a page takes well under a millisecond.
        self._lock = RLock()
        self._connection = sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, check_same_thread=False)
        try:
            self._prepare(os.fspath(path), read_only)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, path: str, read_only: bool) -> None:
        connection = self._connection
        try:
            is_empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
            if is_empty and not read_only:
                connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path!r} can't be read as a database: {error}.") from error
        if (application_id, version) != (_APPLICATION_ID, _FORMAT_VERSION):
            raise ValueError(f"{path!r} is no database of threads and runs that this version reads: name another file.")
        connection.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def add(
        self,
        *,
        threads: Iterable[Mapping[str, Any] | str] = (),
        runs: Iterable[Mapping[str, Any] | str] = (),
        steps: Iterable[Mapping[str, Any] | str] = (),
    ) -> None:
        """Add or replace objects, all in one transaction: all of them or, when an error comes, none.

        Each object is a mapping or JSON text; text is kept to the letter. A run's thread need not have been added, a
        step's run must have been, or be among `runs`. Without a numeric `created_at`, order of arrival decides.

        Raises ValueError for what is no JSON object with the ids it needs, NotStoredError for a step without its run.
        """
        with self._lock, self._connection:
            for thread in threads:
                self._connection.execute(_ADD_THREAD, _columns(thread))
            for run in runs:
                columns = _columns(run, "thread_id")
                self._connection.execute(_ADD_BARE_THREAD, columns[3:])
                self._connection.execute(_ADD_RUN, columns)
            for step in steps:
                columns = _columns(step, "thread_id", "run_id")
                try:
                    self._connection.execute(_ADD_STEP, columns)
                except sqlite3.IntegrityError as error:
                    raise NotStoredError("run", columns[4]) from error

    def thread_ids(self) -> list[str]:
        """The ids of all threads, in order of arrival."""
        return [thread_id for (thread_id,) in self._rows("SELECT id FROM threads ORDER BY key")]

    def run(self, thread_id: str, run_id: str) -> StoredObject:
        """One run. Raises NotStoredError for an unknown thread or run."""
        return self._object("run", thread_id=thread_id, id=run_id)

    def step(self, thread_id: str, run_id: str, step_id: str) -> StoredObject:
        """One step of a run. Raises NotStoredError for an unknown thread, run or step."""
        return self._object("step", thread_id=thread_id, run_id=run_id, id=step_id)

    def runs(
        self,
        thread_id: str,
        *,
        limit: int = 20,
        order: Order = "desc",
        after: str | None = None,
        before: str | None = None,
    ) -> StoredPage:
        """A page of a thread's runs by `created_at`, at most `limit` (1 or more) of them.

        `after` and `before` are ids of runs, seen in the direction of `order`: the page goes on behind `after`, and
        stops in front of `before`. `before` alone gives the page that ends there; its `has_more` looks the other way.

        Raises NotStoredError for an unknown thread, UnknownCursorError for a cursor that is none of its runs.
        """
        self._require(thread_id)
        return self._page("runs", {"thread_id": thread_id}, limit, order, after, before)

    def steps(
        self,
        thread_id: str,
        run_id: str,
        *,
        limit: int = 20,
        order: Order = "desc",
        after: str | None = None,
        before: str | None = None,
    ) -> StoredPage:
        """A page of a run's steps, by the same rules as `runs`. Raises NotStoredError for an unknown thread or run."""
        self._require(thread_id, run_id)
        return self._page("steps", {"thread_id": thread_id, "run_id": run_id}, limit, order, after, before)

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _require(self, thread_id: str, run_id: str | None = None) -> None:
        if not self._rows("SELECT 1 FROM threads WHERE id = ?", thread_id):
            raise NotStoredError("thread", thread_id)
        if run_id is not None and not self._rows(
            "SELECT 1 FROM runs WHERE thread_id = ? AND id = ?", thread_id, run_id
        ):
            raise NotStoredError("run", run_id)

    def _object(self, kind: Literal["run", "step"], **ids: str) -> StoredObject:
        rows = self._rows(f"SELECT id, json FROM {kind}s WHERE {_equal(ids)}", *ids.values())
        if not rows:
            self._require(ids["thread_id"], ids.get("run_id"))
            raise NotStoredError(kind, ids["id"])
        return StoredObject(*rows[0])

    def _page(
        self, table: str, ids: dict[str, str], limit: int, order: Order, after: str | None, before: str | None
    ) -> StoredPage:
        if limit < 1 or order not in ("asc", "desc"):
            raise ValueError(f"limit must be 1 or more and order 'asc' or 'desc', not {limit!r} and {order!r}.")
        where, values = _equal(ids), list[object](ids.values())
        for parameter, cursor in (("after", after), ("before", before)):
            if cursor is None:
                continue
            places = self._rows(
                f"SELECT created_at, seq FROM {table} WHERE {_equal(ids)} AND id = ?", *ids.values(), cursor
            )
            if not places:
                raise UnknownCursorError(parameter, cursor)
            where += f" AND (created_at, seq) {'>' if (parameter == 'after') == (order == 'asc') else '<'} (?, ?)"
            values += places[0]
        # `before` alone reads away from its cursor, to get the nearest, and turns what it got round.
        backwards = before is not None and after is None
        direction = "ASC" if (order == "asc") != backwards else "DESC"
        rows = self._rows(
            f"SELECT id, json FROM {table} WHERE {where} ORDER BY created_at {direction}, seq {direction} LIMIT ?",
            *values,
            limit + 1,
        )
        data = [StoredObject(*row) for row in rows[:limit]]
        return StoredPage(data[::-1] if backwards else data, has_more=len(rows) > limit)


def _equal(ids: Iterable[str]) -> str:
    return " AND ".join(f"{column} = ?" for column in ids)


def _columns(source: Mapping[str, Any] | str, *parents: str) -> tuple[Any, ...]:
    """An object's columns: id, created_at, JSON text, and the ids of what it belongs to."""
    text = source if isinstance(source, str) else json.dumps(source, allow_nan=False, separators=(",", ":"))
    parsed = json.loads(text, parse_constant=_refuse_constant)
    ids = [parsed.get(name) if isinstance(parsed, dict) else None for name in ("id", *parents)]
    if not all(isinstance(value, str) and value for value in ids):
        raise ValueError(
            f"An object to store needs {', '.join(('id', *parents))}, each a string: {text[:80]!r} has not."
        )
    created_at = parsed.get("created_at")
    return (ids[0], float(created_at) if isinstance(created_at, (int, float)) else 0.0, text, *ids[1:])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON: write null or a number in its place.")
