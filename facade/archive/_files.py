"""The files that an archive's objects name, and what is still to be read of them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from facade._arguments import is_sendable
from facade.archive._columns import PARENTS
from facade.archive._readings import Change, NoteFile, PutFile, Reading
from facade.archive._store import Store
from facade.errors import APIError, APIStatusError

_BATCH = 500


def missing_files(store: Store) -> dict[str, str | None]:
    """The files that an archive's objects name and that are not settled, each with a thread that names it, if any."""
    known = {file_id for (file_id,) in store.rows("SELECT id FROM files WHERE state IN ('complete', 'absent')")}
    missing: dict[str, str | None] = {}
    for kind in PARENTS:
        thread = {"threads": "id", "assistants": "NULL"}.get(kind, "thread_id")
        key = -1
        while rows := store.rows(
            f"SELECT key, {thread}, CAST(json AS BLOB) FROM {kind}"
            f" WHERE key > ? AND instr(json, '\"file_id') ORDER BY key LIMIT {_BATCH}",
            key,
        ):
            key = rows[-1][0]
            for _, thread_id, text in rows:
                for file_id in _named(json.loads(text)):
                    if file_id not in known:
                        missing.setdefault(file_id, thread_id)
    return missing


def _named(value: Any) -> Iterator[str]:
    """The files that are named anywhere in a value."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            single, several = value.get("file_id"), value.get("file_ids")
            for file_id in [single, *(several if isinstance(several, list) else ())]:
                if isinstance(file_id, str) and file_id.strip() and is_sendable(file_id):
                    yield file_id
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


class FilesPlan:
    """What a `Plan` is for threads: which files' contents are to be read, and what becomes of it.

    Args:
        files: their ids, each with a thread that names it, if any
        errors: takes the errors by thread; a refusal is none
    """

    wants_threads = False

    def __init__(self, files: Mapping[str, str | None], errors: dict[str, APIError]) -> None:
        self.errors = errors
        self.listed: deque[str] = deque()
        self.begun = self.ended = self.done = 0
        self.known = len(files)
        self._files = files
        self._waiting = iter(files)

    @property
    def has_ended(self) -> bool:
        """Whether all was read."""
        return self.done == self.known

    def take(self) -> Reading | None:
        """What is to be asked for next."""
        file_id = next(self._waiting, None)
        return None if file_id is None else Reading("file", None, file_id)

    def took(self, reading: Reading, answer: bytes, _: object = None) -> list[Change]:
        """A content has come."""
        self.done += 1
        return [PutFile(reading.id, answer)]

    def failed(self, reading: Reading, error: APIError) -> list[Change]:
        """A content was refused, as those of some purposes are, or could not be read."""
        self.done += 1
        if isinstance(error, APIStatusError) and 400 <= error.status_code < 500 and error.status_code != 429:
            return [NoteFile(reading.id, "absent", str(error))]
        if (thread_id := self._files[reading.id]) is not None:
            error.thread_id = thread_id
            self.errors.setdefault(thread_id, error)
        return [NoteFile(reading.id, "failed", str(error))]
