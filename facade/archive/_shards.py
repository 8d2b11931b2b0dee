"""One archive, or the many that `export_many` has made: read one after the other, or joined into one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from facade.archive._columns import MAY_BE_BARE, PARENTS
from facade.archive._errors import MissingError
from facade.archive._file import writer_lock
from facade.archive._report import Report, report_of
from facade.archive._store import Store
from facade.archive._target import MANIFEST, manifest_of, target_of

FORMAT = "thread-runs-archives"
"""What the manifest of many archives says that it is."""


def each_store(source: str | os.PathLike[str]) -> Iterator[Store]:
    """The archives of a file, or of a folder or address that `export_many` filled.

    Raises DamagedError: there is no such file, or it is no archive.
    """
    if "://" not in os.fspath(source) and not os.path.isdir(source):
        with Store(source, read_only=True) as store:
            yield store
        return
    target = target_of(source)
    manifest = manifest_of(target, FORMAT)
    if manifest is None:
        raise MissingError(f"{str(target)!r} has no {MANIFEST}: name an archive, or what a whole export_many filled.")
    for shard in manifest["shards"]:
        with target.local(shard["path"]) as path, Store(path, read_only=True) as store:
            yield store


def join(source: str | os.PathLike[str], to: str | os.PathLike[str]) -> Report:
    """Put the archives that `export_many` made into one, for all that takes a file; `export` can go on with it.

    Args:
        source: the folder or address that `export_many` filled, or one archive's file.
        to: the file; made where there is none. What it has already stays, and is replaced where `source` has the same.

    Returns:
        What the file has now.

    Raises:
        BusyError: another process writes into the file.
        DamagedError: one of the files is no archive, or there is none.
    """
    with writer_lock(to), Store(to) as joined:
        for store in each_store(source):
            with joined.transaction():
                _add(joined, store)
        return report_of(joined)


def _add(joined: Store, store: Store) -> None:
    """Take in all that an archive has, with how far its lists were read."""
    is_first = not joined.rows("SELECT 1 FROM threads LIMIT 1")
    for kind, parents in PARENTS.items():
        columns = ", ".join(("id", *parents))
        for own_id, *ids, data in store.rows(
            f"SELECT {columns}, CAST(json AS BLOB) FROM {kind} WHERE json IS NOT NULL ORDER BY seq"
        ):
            text = data.decode()
            joined.put(kind, text, _value(text, own_id), **dict(zip(parents, ids, strict=True)))
    for kind in MAY_BE_BARE:
        known = {own_id for (own_id,) in joined.rows(f"SELECT id FROM {kind} WHERE state = 'complete'")}
        for own_id, state, error in store.rows(f"SELECT id, state, error FROM {kind} WHERE json IS NULL ORDER BY seq"):
            if own_id not in known:
                joined.note(kind, own_id, state, error)
    rows = store.rows("SELECT kind, thread_id, run_id, state, cursor, include, error, export FROM lists")
    for kind, thread_id, run_id, state, cursor, include, error, export in rows:
        how = {"state": state, "cursor": cursor, "include": json.loads(include), "error": error, "export": export}
        joined.note_list(kind, thread_id, run_id, **how)
    for file_id, state, error, data in store.rows(
        "SELECT id, state, error, data FROM files LEFT JOIN contents USING (sha256)"
    ):
        if data is None:
            joined.note_file(file_id, state, error)
        else:
            joined.put_file(file_id, data)
    bases = [*(joined.meta("api_base") or "").split(), *(store.meta("api_base") or "").split()]
    noted = store.meta("assistants") == "noted" and (is_first or joined.meta("assistants") == "noted")
    joined.set_meta("api_base", "\n".join(dict.fromkeys(bases)))
    joined.set_meta("export", str(max(int(one.meta("export") or 0) for one in (joined, store))))
    joined.set_meta("export_state", "ended")
    joined.set_meta("assistants", "noted" if noted else "not all noted")


def _value(text: str, own_id: str) -> dict[str, object]:
    """An object's value, as far as the columns beside its text are made of it."""
    value: dict[str, object] = json.loads(text)
    return value | {"id": own_id}
