"""Threads, messages, runs, steps and assistants in one SQLite file.

Every object is kept as the JSON text that it came as, so what is read is what was written. Beside the text stand the
columns that finding, ordering and checking need; `_schema.py` has the tables.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import RLock
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from facade.archive import _file, _schema
from facade.archive._columns import (
    GET,
    MAY_BE_BARE,
    MOST_AT_ONCE,
    PARENTS,
    PLACE,
    Kind,
    ListKind,
    add_many,
    parsed,
    row_of,
)
from facade.archive._errors import NotStoredError, UnknownCursorError
from facade.archive._schema import digest, seal

Order = Literal["asc", "desc"]
State = Literal["open", "complete", "absent", "failed"]

_HAS_OBJECTS = (
    "(json IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM runs WHERE thread_id = threads.id)"
    " OR EXISTS (SELECT 1 FROM messages WHERE thread_id = threads.id))"
)

# A thread that could not be read, and of which nothing else is here either, is unknown to readers: it is not empty.
_IS_HERE = f"(state <> 'failed' OR {_HAS_OBJECTS})"


class StoredObject(NamedTuple):
    """One object: its id, and its JSON text as it was added."""

    id: str
    json: str


class StoredPage(NamedTuple):
    """Consecutive objects of a list in its order, and whether more follow in the direction that was read."""

    data: list[StoredObject]
    has_more: bool


class Row(NamedTuple):
    """As StoredObject, with the text as UTF-8, and its SHA-256."""

    id: str
    json: bytes
    sha256: bytes


class ListState(NamedTuple):
    """How far a list was read, as the table `lists` has it.

    Attributes:
        state: open, complete, absent or failed
        cursor: of an open list, the id to go on behind; None for its beginning
        include: what was asked for, sorted
        error: of a failed list, what happened
        kept: how many of its objects are here
        export: the number of the export that read it last; 0 for none
    """

    state: State = "open"
    cursor: str | None = None
    include: tuple[str, ...] = ()
    error: str | None = None
    kept: int = 0
    export: int = 0

    @classmethod
    def of(cls, state: State | None, cursor: Any, include: str, error: Any, kept: int, export: int) -> ListState:
        """What these columns say; all of them are None where a list is not known."""
        return cls() if state is None else cls(state, cursor, tuple(json.loads(include)), error, kept, export)


LIST_STATE = ", ".join(f"lists.{column}" for column in ("state", "cursor", "include", "error", "count", "export"))
"""The columns that `ListState.of` takes."""


class Store:
    """An archive: threads, messages, runs, steps and assistants in one file.

    Usable by many threads at once; a context manager that closes it. Reading goes on while another process writes.

    Args:
        path: the file
        read_only: the file must exist, and is never written to; else it is made when missing
        busy_timeout_sec: how long to wait for a moment at which another process does not hold the file; 0 never waits

    Raises:
        FileNotFoundError: with `read_only`, there is no such file.
        DamagedError: a ValueError; the file is something else, or cannot be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False, busy_timeout_sec: float = 30.0
    ) -> None:
        self._path = path
        # One connection under one lock: a page takes well under a millisecond.
        self._lock = RLock()
        self._connection = _file.open_archive(path, read_only=read_only, busy_timeout_sec=busy_timeout_sec)

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    def add(
        self,
        *,
        threads: Iterable[Mapping[str, Any] | str] = (),
        runs: Iterable[Mapping[str, Any] | str] = (),
        steps: Iterable[Mapping[str, Any] | str] = (),
        messages: Iterable[Mapping[str, Any] | str] = (),
        assistants: Iterable[Mapping[str, Any] | str] = (),
    ) -> None:
        """Add or replace objects, all in one transaction: all of them or, when an error comes, none.

        Each object is a mapping or JSON text; text is kept to the letter. The iterables are read to their ends before
        anything is written, so that a slow one keeps nobody out of the file. The thread of a run or message need not
        have been added, a step's run must have been, or be among `runs`. Without a numeric `created_at`, order of
        arrival decides.

        Raises ValueError for what is no JSON object with the ids it needs, NotStoredError for a step without its run.
        """
        given: dict[Kind, Iterable[Mapping[str, Any] | str]] = {
            "threads": threads,
            "assistants": assistants,
            "messages": messages,
            "runs": runs,
            "steps": steps,
        }
        prepared = {kind: [parsed(kind, source) for source in sources] for kind, sources in given.items()}
        with self.transaction():
            for kind, rows in prepared.items():
                self.put_many(kind, rows)

    def writing(self) -> AbstractContextManager[None]:
        """Be the file's one writer for as long as the block lasts. Raises BusyError at once where another is."""
        return _file.writer_lock(self._path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in the block is kept together or, when an error comes, not at all."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read in the block is of one moment. Nobody can commit meanwhile, so be quick."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.execute("SELECT 1 FROM meta").fetchone()
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def put(self, kind: Kind, text: str, value: Mapping[str, Any], **parents: str) -> None:
        """Add or replace one object as a server sent it, within a `transaction`.

        Args:
            kind: the table
            text: its JSON, kept to the letter
            value: the same, parsed; it needs an `id`
            parents: the ids of what it belongs to: thread_id, and run_id for steps
        """
        self.put_many(kind, [row_of(kind, text, value, parents)])

    def put_many(self, kind: Kind, rows: Sequence[dict[str, Any]]) -> None:
        """As `put` for many objects of a kind, each as `_columns.row_of` prepares it.

        Raises NotStoredError for a step without its run.
        """
        if not rows:
            return
        if kind in ("messages", "runs"):
            for thread_id in {row["thread_id"] for row in rows}:
                self.note("threads", thread_id, "open")
        ((last,),) = self.rows(f"SELECT coalesce(max(key), 0) FROM {kind}")
        begin = 0
        try:
            while begin < len(rows):
                # Powers of two, so that there are few different statements to prepare.
                size = min(MOST_AT_ONCE, 1 << (len(rows) - begin).bit_length() - 1)
                values: list[Any] = []
                for key, row in enumerate(rows[begin : begin + size], last + begin + 1):
                    values += row.values()
                    values += (key, key)  # the order of arrival: one that is there already keeps both it has
                self._connection.execute(add_many(kind, size), values)
                begin += size
        except sqlite3.IntegrityError as error:
            for row in rows if kind == "steps" else ():
                if not self.rows(GET["runs"], row["thread_id"], row["run_id"]):
                    raise NotStoredError("run", row["run_id"]) from error
            raise
        if kind in _schema.LISTED:
            for count in _schema.counting_new(kind):
                self.rows(count, last)

    def note(
        self, kind: Literal["threads", "assistants"], object_id: str, state: State, error: str | None = None
    ) -> None:
        """Say how it stands with reading a thread or assistant, within a `transaction`.

        "open" says only that there is one, and changes nothing of what is known already.
        """
        values = "state = excluded.state, error = excluded.error, seal = excluded.seal"
        known = "NOTHING" if state == "open" else f"UPDATE SET {values}"
        self._connection.execute(
            f"INSERT INTO {kind} (id, created_at, seq, state, error, seal)"
            f" VALUES (?, 0, (SELECT coalesce(max(key), 0) + 1 FROM {kind}), ?, ?, ?) ON CONFLICT (id) DO {known}",
            (object_id, state, error, seal(object_id, state, error)),
        )

    def put_file(self, file_id: str, content: bytes) -> None:
        """Add or replace a file's content, within a `transaction`; the same content is kept once."""
        sha256 = digest(content)
        self._connection.execute(
            "INSERT INTO contents (sha256, data) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING", (sha256, content)
        )
        self.note_file(file_id, "complete", None, len(content), sha256)

    def note_file(
        self, file_id: str, state: State, error: str | None, size: int | None = None, sha256: bytes | None = None
    ) -> None:
        """Say how it stands with a file's content, within a `transaction`."""
        values = (file_id, state, error, size, sha256)
        self._connection.execute(
            "INSERT INTO files (id, state, error, size, sha256, seal) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, error = excluded.error, size = excluded.size,"
            " sha256 = excluded.sha256, seal = excluded.seal",
            (*values, seal(*values[:4], sha256 and sha256.hex())),
        )

    def note_list(
        self,
        kind: ListKind,
        thread_id: str,
        run_id: str = "",
        *,
        state: State,
        cursor: str | None = None,
        include: Iterable[str] = (),
        error: str | None = None,
        export: int = 0,
    ) -> None:
        """Say how far a list was read, within a `transaction`; the arguments are as in `ListState`."""
        values = (kind, thread_id, run_id, state, cursor, json.dumps(sorted(set(include))), error, export)
        self._connection.execute(
            "INSERT INTO lists (kind, thread_id, run_id, state, cursor, include, error, export, seal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, thread_id, run_id) DO UPDATE SET"
            " state = excluded.state, cursor = excluded.cursor, include = excluded.include, error = excluded.error,"
            " export = excluded.export, seal = excluded.seal",
            (*values, seal(*values)),
        )

    def forget(self, thread_id: str) -> bool:
        """Remove what is noted of a thread of which nothing is here, within a `transaction`; whether it was such a one.

        It was asked for, and has not been read, or could not be.
        """
        bare = f"SELECT 1 FROM threads WHERE id = ? AND state IN ('open', 'failed') AND NOT {_HAS_OBJECTS}"
        if not self.rows(bare, thread_id):
            return False
        for table, column in (("lists", "thread_id"), ("threads", "id")):
            rows = f"FROM {table} WHERE {column} = ?"
            self.rows(f"UPDATE counts SET count = count - (SELECT count(*) {rows}) WHERE name = ?", thread_id, table)
            self.rows(f"DELETE {rows}", thread_id)
        return True

    def set_meta(self, name: str, value: str) -> None:
        """Keep a fact about the archive as a whole, such as the `api_base` that it was filled from."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (name, value, seal(name, value)))

    # Reading

    def meta(self, name: str) -> str | None:
        """A fact about the archive as a whole, None where it is not known."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else None

    def counts(self) -> dict[str, int]:
        """How many rows each table of objects was given, by its name; what was forgotten does not count."""
        return dict.fromkeys(_schema.KINDS, 0) | dict(self.rows("SELECT name, count FROM counts"))

    def list_state(self, kind: ListKind, thread_id: str, run_id: str = "") -> ListState:
        """How far a list was read."""
        query = f"SELECT {LIST_STATE} FROM lists WHERE kind = ? AND thread_id = ? AND run_id = ?"
        rows = self.rows(query, kind, thread_id, run_id)
        return ListState.of(*rows[0]) if rows else ListState()

    @property
    def is_current(self) -> bool:
        """Whether the file itself is read, not a copy of it in memory that has this version's tables."""
        return bool(self.rows("PRAGMA database_list")[0][2])

    def thread_ids(self) -> list[str]:
        """The ids of all threads, in order of arrival; those too that are known by their runs or messages only."""
        return [thread_id for (thread_id,) in self.rows(f"SELECT id FROM threads WHERE {_IS_HERE} ORDER BY seq")]

    def unread_threads(self) -> list[tuple[str, str]]:
        """The ids of threads that could not be read and of which nothing is here, with the error of each."""
        return self.rows(f"SELECT id, error FROM threads WHERE NOT {_IS_HERE} ORDER BY seq")

    def thread(self, thread_id: str) -> StoredObject:
        """One thread. Raises NotStoredError where it is unknown, or only its runs or messages are here."""
        return _decoded(self.row("threads", thread_id))

    def assistant(self, assistant_id: str) -> StoredObject:
        """One assistant. Raises NotStoredError where it is unknown."""
        return _decoded(self.row("assistants", assistant_id))

    def message(self, thread_id: str, message_id: str) -> StoredObject:
        """One message of a thread. Raises NotStoredError for an unknown thread or message."""
        return _decoded(self.row("messages", thread_id, message_id))

    def run(self, thread_id: str, run_id: str) -> StoredObject:
        """One run. Raises NotStoredError for an unknown thread or run."""
        return _decoded(self.row("runs", thread_id, run_id))

    def step(self, thread_id: str, run_id: str, step_id: str) -> StoredObject:
        """One step of a run. Raises NotStoredError for an unknown thread, run or step."""
        return _decoded(self.row("steps", thread_id, run_id, step_id))

    def threads(self, **page: Any) -> StoredPage:
        """A page of the threads, by the same rules as `runs`."""
        return _decoded_page(*self.page("threads", **page))

    def messages(self, thread_id: str, *, run_id: str | None = None, **page: Any) -> StoredPage:
        """A page of a thread's messages, by the same rules as `runs`; with a `run_id` only those of that run."""
        return _decoded_page(*self.page("messages", thread_id, of_run=run_id, **page))

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
        return _decoded_page(*self.page("runs", thread_id, limit=limit, order=order, after=after, before=before))

    def steps(self, thread_id: str, run_id: str, **page: Any) -> StoredPage:
        """A page of a run's steps, by the same rules as `runs`. Raises NotStoredError for an unknown thread or run."""
        return _decoded_page(*self.page("steps", thread_id, run_id, **page))

    def rows(self, sql: str, *values: object) -> list[Any]:
        """What a query gives."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, kind: Kind, *ids: str) -> Row:
        """One object by its parents' ids and its own. Raises NotStoredError."""
        try:
            rows = self.rows(GET[kind], *ids)
        except UnicodeEncodeError:  # half a character: no id that is stored has one
            raise NotStoredError(kind[:-1], ids[-1]) from None
        if not rows or rows[0][1] is None:
            self._require(*ids[:-1])
            raise NotStoredError(kind[:-1], ids[-1])
        return Row(*rows[0])

    def page(
        self,
        kind: Kind,
        *parents: str,
        limit: int = 20,
        order: Order = "desc",
        after: str | None = None,
        before: str | None = None,
        of_run: str | None = None,
    ) -> tuple[list[Row], bool]:
        """A page of a list as its documented method has it, with texts as UTF-8, and whether more follow."""
        if limit < 1 or order not in ("asc", "desc"):
            raise ValueError(f"limit must be 1 or more and order 'asc' or 'desc', not {limit!r} and {order!r}.")
        where, values = [f"{column} = ?" for column in PARENTS[kind]], list[object](parents)
        for parameter, cursor in (("after", after), ("before", before)):
            if cursor is None:
                continue
            places = self.rows(PLACE[kind], *parents, cursor)
            if not places:
                self._require(*parents)
                raise UnknownCursorError(parameter, cursor)
            where.append(f"(created_at, seq) {'>' if (parameter == 'after') == (order == 'asc') else '<'} (?, ?)")
            values += places[0]
        if of_run is not None:
            where.append("run_id = ?")
            values.append(of_run)
        if kind in MAY_BE_BARE:
            where.append("json IS NOT NULL")
        # `before` alone reads away from its cursor, to get the nearest, and turns what it got round.
        backwards = before is not None and after is None
        direction = "ASC" if (order == "asc") != backwards else "DESC"
        rows = self.rows(
            f"SELECT id, CAST(json AS BLOB), sha256 FROM {kind} WHERE {' AND '.join(where) or '1'}"
            f" ORDER BY created_at {direction}, seq {direction} LIMIT ?",
            *values,
            limit + 1,
        )
        if not rows:
            self._require(*parents)
        data = list(map(Row._make, rows[:limit]))
        return data[::-1] if backwards else data, len(rows) > limit

    def _require(self, thread_id: str | None = None, run_id: str | None = None) -> None:
        if thread_id is not None and not self.rows(f"SELECT 1 FROM threads WHERE id = ? AND {_IS_HERE}", thread_id):
            raise NotStoredError("thread", thread_id)
        if run_id is not None and not self.rows("SELECT 1 FROM runs WHERE thread_id = ? AND id = ?", thread_id, run_id):
            raise NotStoredError("run", run_id)


def thread_ids(path: str | os.PathLike[str]) -> list[str]:
    """The ids of an archive's threads, in order of arrival; those too that are known by their runs or messages only.

    Raises DamagedError: there is no file of that name, or it is no archive.
    """
    with Store(path, read_only=True) as store:
        return store.thread_ids()


def _decoded(row: Row) -> StoredObject:
    return StoredObject(row.id, row.json.decode())


def _decoded_page(rows: list[Row], has_more: bool) -> StoredPage:
    return StoredPage(list(map(_decoded, rows)), has_more)
