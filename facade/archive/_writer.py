"""Writes what an export reads, in a thread of its own: many changes in one transaction, in the order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from facade.archive._columns import PARENTS, Kind, row_of
from facade.archive._readings import Change, Note, NoteFile, NoteList, Put, PutFile
from facade.archive._store import Store

T = TypeVar("T")

_FEW_ROWS, _MANY_ROWS = 100, 500
"""How many rows are worth a transaction: one in twenty of what is there, within these. That much a kill may cost."""

_MOST_ROWS = 2000
"""How many rows go into one transaction, when they come faster than they are written."""

_PATIENCE_SEC = 0.1
"""How long fewer rows wait for more."""


class _Row(NamedTuple):
    """An object's row, made ready."""

    kind: Kind
    columns: dict[str, Any]


_Other = Note | NoteList | PutFile | NoteFile


class Writer:
    """A thread that writes into an archive.

    Args:
        store: the archive, which nobody else uses meanwhile
        export: the number of the export, which is noted with each list
        told: called in this thread after each transaction, and when writing has failed

    Attributes:
        waiting: how many changes wait to be written
        counts: how many objects of each kind the archive has
        error: why nothing more is written; None while all is well
    """

    def __init__(self, store: Store, export: int, told: Callable[[], object]) -> None:
        self._store = store
        self._export = export
        self._told = told
        self._queue: deque[list[_Row | _Other] | Callable[[], None]] = deque()
        self._ready = threading.Condition()
        self._is_closing = self._is_urgent = False
        self.waiting = 0
        self.counts = store.counts()
        self._enough = _FEW_ROWS
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="facade-archive-writer", daemon=True)
        self._thread.start()

    def write(self, changes: Sequence[Change]) -> None:
        """Take changes that belong together, to be written soon."""
        # Rows are made here, so that the writing thread is all but always in SQLite, where it holds up no other.
        made = [
            _Row(change.kind, row_of(change.kind, change.item.text, change.item.value, change.parents))
            if isinstance(change, Put)
            else change
            for change in changes
        ]
        with self._ready:
            self._queue.append(made)
            self.waiting += _weight(made)
            if self.waiting >= self._enough:
                self._ready.notify()

    def ask(self, question: Callable[[Store], T]) -> Future[T]:
        """Read something, once all that was taken before is written."""
        answer: Future[T] = Future()

        def reply() -> None:
            try:
                answer.set_result(question(self._store))
            except Exception as error:
                answer.set_exception(error)

        with self._ready:
            self._queue.append(reply)
            self._is_urgent = True
            self._ready.notify()
        return answer

    def close(self, patience_sec: float | None = None) -> bool:
        """Write what is left, and end; say whether that is done, within a patience."""
        with self._ready:
            self._is_closing = True
            self._ready.notify()
        self._thread.join(patience_sec)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._queue or self._is_closing)
                self._ready.wait_for(
                    lambda: self.waiting >= self._enough or self._is_urgent or self._is_closing, _PATIENCE_SEC
                )
                if not self._queue:
                    return
                batch, question = self._next()
            try:
                if batch:
                    self._write(batch)
                    self.counts = self._store.counts()
                    self._enough = min(_MANY_ROWS, max(_FEW_ROWS, sum(self.counts.values()) // 20))
                if question is not None:
                    question()
            except Exception as error:  # it is the caller's, who cannot go on
                self.error = error
                with self._ready:
                    self._queue.clear()
                self._told()
                return
            self._told()

    def _next(self) -> tuple[list[_Row | _Other], Callable[[], None] | None]:
        """What goes into the next transaction, and what is asked after it."""
        batch: list[_Row | _Other] = []
        while self._queue and len(batch) < _MOST_ROWS:
            item = self._queue.popleft()
            if callable(item):
                self._is_urgent = any(map(callable, self._queue))
                return batch, item
            batch += item
            self.waiting -= _weight(item)
        return batch, None

    def _write(self, batch: list[_Row | _Other]) -> None:
        rows: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in PARENTS}
        notes: list[_Other] = []
        for change in batch:
            if isinstance(change, _Row):
                rows[change.kind].append(change.columns)
            else:
                notes.append(change)
        with self._store.transaction():
            for kind, objects in rows.items():  # those that others belong to come first
                self._store.put_many(kind, objects)
            for note in notes:
                self._note(note)

    def _note(self, note: _Other) -> None:
        if isinstance(note, Note):
            self._store.note(note.kind, note.id, note.state, note.error)
        elif isinstance(note, PutFile):
            self._store.put_file(note.id, note.content)
        elif isinstance(note, NoteFile):
            self._store.note_file(note.id, note.state, note.error)
        else:
            kind, thread_id, run_id, state, cursor, include, error = note
            self._store.note_list(
                kind,
                thread_id,
                run_id,
                state=state,
                cursor=cursor,
                include=include,
                error=error,
                export=self._export,
            )


def _weight(changes: Sequence[_Row | _Other]) -> int:
    """How many rows' worth some changes are: a large content counts for many."""
    return sum(1 + len(change.content) // 10_000 if isinstance(change, PutFile) else 1 for change in changes)
