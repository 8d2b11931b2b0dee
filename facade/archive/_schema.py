"""The tables of an archive: version 3 of the file format, and the way there from older ones.

A file says what it is in SQLite's own two header fields, `application_id` ("thrn") and `user_version` (the version of
its tables). Whatever changes a table raises the version and adds a step to `migrate`; a reader refuses newer versions.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

APPLICATION_ID = 0x7468726E
VERSION = 3

FINISHED = frozenset(("completed", "failed", "cancelled", "expired", "incomplete"))
"""The statuses of runs that have ended: they and their steps change no more."""

KINDS = ("threads", "messages", "runs", "steps", "assistants")
"""The tables of objects; each row is one object."""

# What the tables of objects have in common. `json` is the object as the server sent it, `sha256` is of its UTF-8 bytes.
# `seq` is the order of arrival: a column of its own, as SQLite does not search an index by `created_at` and its primary
# key together.
_OBJECT = "key INTEGER PRIMARY KEY, id TEXT NOT NULL, created_at REAL NOT NULL, seq INTEGER NOT NULL"
_KEPT = "json TEXT NOT NULL, sha256 BLOB NOT NULL"
_STATES = "CHECK (state IN ('open', 'complete', 'absent', 'failed'))"

# Threads and assistants may be known by their ids alone: then `state` says whether they are still to be read (open),
# the server has none (absent), or the last attempt failed, and `error` how.
_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE threads (
    {_OBJECT}, json TEXT, sha256 BLOB, state TEXT NOT NULL {_STATES}, error TEXT, seal BLOB, UNIQUE (id)
);
CREATE TABLE assistants (
    {_OBJECT}, json TEXT, sha256 BLOB, state TEXT NOT NULL {_STATES}, error TEXT, seal BLOB, UNIQUE (id)
);
CREATE TABLE messages (
    {_OBJECT}, thread_id TEXT NOT NULL REFERENCES threads (id), run_id TEXT, {_KEPT},
    UNIQUE (thread_id, id)
);
CREATE TABLE runs (
    {_OBJECT}, thread_id TEXT NOT NULL REFERENCES threads (id), status TEXT, {_KEPT},
    UNIQUE (thread_id, id)
);
CREATE TABLE steps (
    {_OBJECT}, thread_id TEXT NOT NULL, run_id TEXT NOT NULL, status TEXT, {_KEPT},
    UNIQUE (thread_id, run_id, id), FOREIGN KEY (thread_id, run_id) REFERENCES runs (thread_id, id)
);
CREATE INDEX threads_in_order ON threads (created_at, seq);
CREATE INDEX assistants_in_order ON assistants (created_at, seq);
CREATE INDEX messages_in_order ON messages (thread_id, created_at, seq);
CREATE INDEX runs_in_order ON runs (thread_id, created_at, seq);
CREATE INDEX steps_in_order ON steps (thread_id, run_id, created_at, seq);
"""

# How far each list was read. open: `cursor` is the id to go on behind, NULL for the beginning; complete: the last page
# promised no more, and a run's steps were asked for after it had ended; absent: the server has no such list; failed:
# `error` says how. What came later to a complete list of messages or runs is behind its `cursor`. `include` is a JSON
# array of what was asked for, `export` the number of the export that read the list last.
_LISTS = f"""
CREATE TABLE lists (
    kind TEXT NOT NULL CHECK (kind IN ('messages', 'runs', 'steps')), thread_id TEXT NOT NULL, run_id TEXT NOT NULL,
    count INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'open' {_STATES}, cursor TEXT,
    include TEXT NOT NULL DEFAULT '[]', error TEXT, export INTEGER NOT NULL DEFAULT 0, seal BLOB,
    PRIMARY KEY (kind, thread_id, run_id)
) WITHOUT ROWID;
"""


# The content of files that objects name, each content once. `files` says how it stands with each id, as of threads, and
# how many bytes its content has.
_FILES = f"""
CREATE TABLE contents (key INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE files (
    id TEXT PRIMARY KEY, state TEXT NOT NULL {_STATES}, error TEXT, size INTEGER,
    sha256 BLOB REFERENCES contents (sha256), seal BLOB NOT NULL
) WITHOUT ROWID;
"""

COUNTED = (*KINDS, "lists", "contents", "files")
"""The tables whose rows are counted."""


LISTED = ("messages", "runs", "steps")
"""Those that come in lists, many at once: who adds them counts them too, since a trigger costs a third of an insert."""


def _counting(table: str) -> str:
    """A trigger that counts a table's rows. Nothing counts back: a row that is missing later is one less."""
    count = f"INSERT INTO counts VALUES ('{table}', 1) ON CONFLICT (name) DO UPDATE SET count = count + 1;"
    return f"CREATE TRIGGER {table}_counted AFTER INSERT ON {table} BEGIN {count} END;\n"


def counting_new(kind: str, last: str = "?") -> tuple[str, str]:
    """What counts the rows that came behind the key `last`: those of the table, and of each list."""
    run_id = "run_id" if kind == "steps" else "''"
    return (
        f"INSERT INTO counts SELECT '{kind}', count(*) FROM {kind} WHERE key > {last}"
        " ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
        f"INSERT INTO lists (kind, thread_id, run_id, count) SELECT '{kind}', thread_id, {run_id} AS run_id, count(*)"
        f" FROM {kind} NOT INDEXED WHERE key > {last} GROUP BY 2, 3"
        " ON CONFLICT (kind, thread_id, run_id) DO UPDATE SET count = count + excluded.count",
    )


# For the owner's own questions. Where SQLite cannot read an object (nested too deeply for it), its fields are NULL.
_VIEWS = """
CREATE VIEW run_facts AS SELECT thread_id, id AS run_id, status, created_at,
    json_extract(j, '$.started_at') AS started_at, json_extract(j, '$.completed_at') AS completed_at,
    json_extract(j, '$.failed_at') AS failed_at, json_extract(j, '$.assistant_id') AS assistant_id,
    json_extract(j, '$.model') AS model, json_extract(j, '$.usage.prompt_tokens') AS prompt_tokens,
    json_extract(j, '$.usage.completion_tokens') AS completion_tokens,
    json_extract(j, '$.usage.total_tokens') AS total_tokens, json_extract(j, '$.last_error.code') AS error_code,
    json_extract(j, '$.last_error.message') AS error_message, json_extract(j, '$.metadata') AS metadata
    FROM (SELECT *, CASE WHEN json_valid(json) THEN json END AS j FROM runs);
CREATE VIEW step_facts AS SELECT thread_id, run_id, id AS step_id, status, created_at,
    json_extract(j, '$.type') AS type, json_extract(j, '$.completed_at') AS completed_at,
    json_extract(j, '$.failed_at') AS failed_at, json_extract(j, '$.usage.prompt_tokens') AS prompt_tokens,
    json_extract(j, '$.usage.completion_tokens') AS completion_tokens,
    json_extract(j, '$.usage.total_tokens') AS total_tokens, json_extract(j, '$.last_error.code') AS error_code,
    json_extract(j, '$.last_error.message') AS error_message, json_extract(j, '$.metadata') AS metadata
    FROM (SELECT *, CASE WHEN json_valid(json) THEN json END AS j FROM steps);
CREATE VIEW message_facts AS SELECT thread_id, id AS message_id, run_id, created_at,
    json_extract(j, '$.role') AS role, json_extract(j, '$.assistant_id') AS assistant_id,
    (SELECT group_concat(CASE type WHEN 'object' THEN json_extract(value, '$.text.value') ELSE value END, char(10))
        FROM json_each(j, '$.content')) AS text
    FROM (SELECT *, CASE WHEN json_valid(json) THEN json END AS j FROM messages);
"""

SCHEMA = (
    _TABLES + _LISTS + _FILES + "".join(_counting(table) for table in COUNTED if table not in LISTED) + _VIEWS
    + f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {VERSION};\n"
)  # fmt: skip


def encoded(text: str) -> bytes:
    """A text as it is kept: in UTF-8, and lone surrogates as servers send them that do not escape them."""
    return text.encode("utf-8", "surrogatepass")


def digest(text: str | bytes) -> bytes:
    """The SHA-256 that is kept beside an object's text."""
    return hashlib.sha256(encoded(text) if isinstance(text, str) else text).digest()


def seal(*values: Any) -> bytes:
    """What shows that the columns of a row, which are in no object's text, are those that were written."""
    # A damaged column may have bytes where there was text.
    return hashlib.sha256(json.dumps(values, default=repr).encode()).digest()[:8]


def storable(value: Any) -> str | None:
    """A value that a column of text can have; None for any other."""
    try:
        return value if isinstance(value, str) and value.encode() else None
    except UnicodeEncodeError:  # a lone surrogate
        return None


def status_of(value: Mapping[str, Any]) -> str | None:
    """An object's status, where it has one that is text."""
    return storable(value.get("status"))


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, all of them or none."""
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older version to this one, whole or not at all."""
    connection.create_function("sha256", 1, digest)
    connection.create_function("status_of", 1, lambda text: status_of(json.loads(text)))
    step = _FROM_1 if version == 1 else _FROM_2
    connection.executescript(f"PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; {step} COMMIT; PRAGMA foreign_keys = ON;")


# Version 1 had threads, runs and steps only.
_FROM_1 = f"""
    DROP INDEX runs_in_order;
    DROP INDEX steps_in_order;
    ALTER TABLE threads RENAME TO old_threads;
    ALTER TABLE runs RENAME TO old_runs;
    ALTER TABLE steps RENAME TO old_steps;
    {SCHEMA}
    INSERT INTO threads (key, id, created_at, seq, json, sha256, state)
        SELECT key, id, created_at, key, json, CASE WHEN json IS NOT NULL THEN sha256(json) END,
            CASE WHEN json IS NULL THEN 'open' ELSE 'complete' END FROM old_threads ORDER BY key;
    INSERT INTO runs (key, id, created_at, seq, thread_id, status, json, sha256)
        SELECT key, id, created_at, seq, thread_id, status_of(json), json, sha256(json) FROM old_runs ORDER BY key;
    INSERT INTO steps (key, id, created_at, seq, thread_id, run_id, status, json, sha256)
        SELECT key, id, created_at, seq, thread_id, run_id, status_of(json), json, sha256(json)
        FROM old_steps ORDER BY key;
    {"; ".join((*counting_new("runs", "0"), *counting_new("steps", "0")))};
    DROP TABLE old_steps;
    DROP TABLE old_runs;
    DROP TABLE old_threads;
"""

# In version 2 each row of a list was counted by a trigger.
_FROM_2 = "".join(f"DROP TRIGGER {kind}_counted;\n" for kind in LISTED) + f"PRAGMA user_version = {VERSION};"
