"""Checks an archive: that everything in it is what was put in, and that nothing has gone."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from facade.archive import _schema
from facade.archive._columns import MAY_BE_BARE, PARENTS, Kind, derived, seconds_of
from facade.archive._errors import BusyError, DamagedError
from facade.archive._file import is_busy
from facade.archive._report import Report, report_of
from facade.archive._store import Store

_MAX_PROBLEMS = 50
_BATCH = 500
"""Rows that are read at once: a writer waits no longer than for these."""


def verify(path: str | os.PathLike[str]) -> Report:
    """Check an archive, from SQLite's own structures to the digest of every object.

    It may be written meanwhile. What it finds are accidents: who changes a file on purpose can change its digests too.

    Args:
        path: the file

    Returns:
        What is in the archive. `complete` says whether it is whole: one that is not yet is as consistent.

    Raises:
        DamagedError: it is no archive, is not there, is cut short, has lost rows or was changed; `problems` has all
            that was found, the first fifty.
        BusyError: another process held the file for half a minute.
    """
    began_at = time.monotonic()
    try:
        with Store(path, read_only=True) as store:
            problems = tuple(islice(_problems(store, path), _MAX_PROBLEMS))
            if problems:
                more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
                raise DamagedError(f"{os.fspath(path)!r} is damaged: {problems[0]}{more}", problems)
            return report_of(store, size=os.stat(path).st_size, seconds=time.monotonic() - began_at)
    except sqlite3.OperationalError as error:
        raise BusyError(f"{os.fspath(path)!r} is held by another process: try again later.") from error


def _problems(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    for check in (_structure, _tables, _counts, _rows, _notes, _files):
        found = False
        try:
            for problem in check(store, path):
                found = True
                yield problem
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter where a name in the file is damaged
            if is_busy(error):
                raise
            found = True
            yield f"SQLite cannot read it: {error}"
        if found and check in (_structure, _tables):
            return  # what stands on these would be wrong for the same reason


def _structure(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    with store.snapshot():
        ((page_size,),), ((pages,),) = store.rows("PRAGMA page_size"), store.rows("PRAGMA page_count")
        size = os.stat(path).st_size
        if store.is_current and size != page_size * pages:
            yield f"it has {size} bytes where it says {page_size * pages}: it was cut short, or something was added"
    for (text,) in store.rows(f"PRAGMA integrity_check({_MAX_PROBLEMS})"):
        if text != "ok":
            yield f"SQLite finds: {text}"


def _tables(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    right = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _schema.create(right)
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        expected, found = dict(right.execute(query).fetchall()), dict(store.rows(query))
    finally:
        right.close()
    for name, sql in expected.items():
        if found.get(name) != sql:
            yield f"the definition of {name} is {'not what it was' if name in found else 'missing'}"


def _counts(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    with store.snapshot():
        counts = dict(store.rows("SELECT name, count FROM counts"))
        for table in _schema.COUNTED:
            ((here,),) = store.rows(f"SELECT count(*) FROM {table}")
            if here != counts.get(table, 0):
                yield f"{counts.get(table, 0)} {table} were stored, {here} are here"
        for kind in ("messages", "runs", "steps"):
            of_run = "AND t.run_id = lists.run_id" if kind == "steps" else ""
            lists = store.rows(
                "SELECT thread_id, run_id, count, (SELECT count(*) FROM"
                f" {kind} t WHERE t.thread_id = lists.thread_id {of_run}) AS here"
                " FROM lists WHERE kind = ? AND here <> count",
                kind,
            )
            for thread_id, run_id, count, here in lists:
                whose = f"run {run_id!r} of thread {thread_id!r}" if run_id else f"thread {thread_id!r}"
                yield f"{count} {kind} of {whose} were stored, {here} are here"
        for table, _, parent, _ in store.rows("PRAGMA foreign_key_check"):
            yield f"a row of {table} belongs to one of {parent} that is not here"


def _rows(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    for kind in PARENTS:
        derivatives = tuple(derived(kind, {}))
        columns = ", ".join(("key", "id", "CAST(json AS BLOB)", "sha256", "created_at", *derivatives))
        key = -1
        while rows := store.rows(f"SELECT {columns} FROM {kind} WHERE key > ? ORDER BY key LIMIT {_BATCH}", key):
            key = rows[-1][0]
            for _, object_id, text, sha256, created_at, *values in rows:
                expected = dict(zip(derivatives, values, strict=True))
                if problem := _problem_of(kind, object_id, text, sha256, created_at, expected):
                    yield f"{kind[:-1]} {object_id!r}: {problem}"


def _notes(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    """What is noted of reading, and of the archive as a whole."""
    for name, value, seal in store.rows("SELECT name, value, seal FROM meta"):
        if seal != _schema.seal(name, value):
            yield f"{name} of the archive is not what was stored"
    for kind in MAY_BE_BARE:
        for object_id, state, error, seal in store.rows(
            f"SELECT id, state, error, seal FROM {kind} WHERE state <> 'complete' OR error NOT NULL OR seal NOT NULL"
        ):
            if seal != _schema.seal(object_id, state, error) and (state, error, seal) != ("open", None, None):
                yield f"what is noted of {kind[:-1]} {object_id!r} is not what was stored"
    key = ("", "", "")
    columns = "kind, thread_id, run_id, state, cursor, include, error, export, seal"
    while rows := store.rows(
        f"SELECT {columns} FROM lists WHERE (kind, thread_id, run_id) > (?, ?, ?)"
        f" ORDER BY kind, thread_id, run_id LIMIT {_BATCH}",
        *key,
    ):
        key = rows[-1][:3]
        for *values, seal in rows:
            is_untouched: bool = seal is None and values[3:] == ["open", None, "[]", None, 0]
            if not is_untouched and seal != _schema.seal(*values):
                yield f"what is noted of the {values[0]} of thread {values[1]!r} is not what was stored"


def _files(store: Store, path: str | os.PathLike[str]) -> Iterator[str]:
    for key, sha256 in store.rows("SELECT key, sha256 FROM contents"):
        ((content,),) = store.rows("SELECT CAST(data AS BLOB) FROM contents WHERE key = ?", key)
        if content is None or _schema.digest(content) != sha256:
            named = store.rows("SELECT id FROM files WHERE sha256 = ?", sha256)
            yield f"the content of {', '.join(repr(file_id) for (file_id,) in named)} is not what was stored"
    for file_id, state, error, size, sha256, seal in store.rows(
        "SELECT id, state, error, size, sha256, seal FROM files"
    ):
        if seal != _schema.seal(file_id, state, error, size, sha256.hex() if isinstance(sha256, bytes) else sha256):
            yield f"what is noted of file {file_id!r} is not what was stored"


def _problem_of(
    kind: Kind, object_id: str, text: bytes | None, sha256: bytes | None, created_at: float, expected: dict[str, Any]
) -> str | None:
    """What is wrong with one object."""
    if text is None or sha256 is None:
        return None if text is sha256 else "its text or its digest is missing"
    if _schema.digest(text) != sha256:
        return "its text is not what was stored"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "its text is no JSON"
    if not isinstance(value, dict) or value.get("id") != object_id:
        return "its text is another object's"
    if seconds_of(value, is_strict=False) != created_at or derived(kind, value) != expected:
        return "its columns say something else than its text"
    return None
