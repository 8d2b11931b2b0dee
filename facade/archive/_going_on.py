"""What goes on elsewhere: an archive as JSON Lines, and its threads as conversations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from facade.archive import _schema
from facade.archive._conversations import Json, Loss, conversation_of, lines_of
from facade.archive._shards import each_store
from facade.archive._store import Store
from facade.archive._target import Target, put_text, scratch, target_of

REPORT = "report.jsonl"
"""Each loss of `to_conversations`, a line each; written last."""

_AT_ONCE = 500
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Conversations(NamedTuple):
    """What `to_conversations` wrote.

    Attributes:
        threads: how many files
        items: how many items in them
        losses: how many lines the report has
    """

    threads: int
    items: int
    losses: int


def to_jsonl(source: str | os.PathLike[str], to: str | os.PathLike[str] | BinaryIO) -> dict[str, int]:
    """Write every object of an archive as JSON Lines, as the server sent it.

    An object is its stored text, character for character; a line break in it, which JSON has between tokens only,
    becomes a space.

    Args:
        source: the archive's file, or the folder or address that `export_many` filled.
        to: a folder, or an address that fsspec knows, for a file a kind (`runs.jsonl`), each written whole or not at
            all and readable by its owner only; or an open binary file for one stream, kind by kind.

    Returns:
        How many objects of each kind.

    Raises:
        DamagedError: there is no such file, or it is no archive.
        OSError: a file cannot be written.
    """
    counts = {}
    for kind in _schema.KINDS:
        if not isinstance(to, (str, os.PathLike)):
            counts[kind] = _write_lines(source, kind, to)
            continue
        with scratch() as folder:
            with (folder / kind).open("wb") as file:
                counts[kind] = _write_lines(source, kind, file)
            target_of(to).put(f"{kind}.jsonl", folder / kind)
    return counts


def to_conversations(source: str | os.PathLike[str], to: str | os.PathLike[str]) -> Conversations:
    """Write each thread of an archive as a conversation for OpenAI's Conversations API, and a report of what is lost.

    A thread's file `THREAD.json` is a JSON object of `metadata` and `items`: messages with their text and images, and
    the tool calls that items have a form for. `report.jsonl` has a line for each loss: `thread_id`, `object_id`, `lost`
    and `why`. Files are written whole or not at all, readable by their owner only; those of an earlier call are
    replaced.

    Args:
        source: the archive's file, or the folder or address that `export_many` filled.
        to: a folder, or an address that fsspec knows.

    Raises:
        DamagedError: there is no such file, or it is no archive.
        OSError: a file cannot be written.
    """
    target, threads, items, count = target_of(to), 0, 0, 0
    with scratch() as folder:
        with (folder / REPORT).open("w", encoding="ascii") as report:
            for store in each_store(source):
                for thread_id in store.thread_ids():
                    written, losses = _put_thread(target, store, thread_id)
                    report.write(lines_of(thread_id, losses))
                    threads, items, count = threads + 1, items + written, count + len(losses)
                for thread_id, error in store.unread_threads():
                    report.write(
                        lines_of(thread_id, [Loss(thread_id, "the thread", f"it could not be read ({error})")])
                    )
                    count += 1
        target.put(REPORT, folder / REPORT)
    return Conversations(threads, items, count)


def _write_lines(source: str | os.PathLike[str], kind: str, file: BinaryIO) -> int:
    count = 0
    for store in each_store(source):
        key = 0
        query = f"SELECT key, CAST(json AS BLOB) FROM {kind} WHERE key > ? AND json IS NOT NULL ORDER BY key LIMIT ?"
        while rows := store.rows(query, key, _AT_ONCE):
            file.writelines(text.translate(_ONE_LINE) + b"\n" for _, text in rows)
            key, count = rows[-1][0], count + len(rows)
    return count


def _put_thread(target: Target, store: Store, thread_id: str) -> tuple[int, list[Loss]]:
    """Write a thread's file; how many items it has, and what was lost."""
    thread = next(_objects(store, "threads", "id = ?", thread_id), {"id": thread_id})
    messages = list(_objects(store, "messages", "thread_id = ?", thread_id))
    of_run = "thread_id = ? AND run_id = ?"
    runs = [
        (run, list(_objects(store, "steps", of_run, thread_id, run["id"])))
        for run in _objects(store, "runs", "thread_id = ?", thread_id)
    ]
    made = conversation_of(thread, messages, runs)
    text = json.dumps({"metadata": made.metadata, "items": made.items}, indent=1)
    put_text(target, _name_of(thread_id), text + "\n")
    return len(made.items), [*_not_here(store, thread_id), *made.losses]


def _objects(store: Store, kind: str, where: str, *values: str) -> Iterator[Json]:
    query = f"SELECT CAST(json AS BLOB) FROM {kind} WHERE {where} AND json IS NOT NULL ORDER BY created_at, seq"
    for (text,) in store.rows(query, *values):
        yield json.loads(text.decode("utf-8", "surrogatepass"))


def _not_here(store: Store, thread_id: str) -> Iterator[Loss]:
    """What the archive itself has not, or may not have."""
    for state, error in store.rows("SELECT state, error FROM threads WHERE id = ? AND json IS NULL", thread_id):
        yield Loss(thread_id, "the thread", f"it is not in the archive ({error or state})")
    known = dict.fromkeys((("messages", ""), ("runs", "")), ("open", None))
    query = "SELECT kind, run_id, state, error FROM lists WHERE thread_id = ?"
    known |= {(kind, run_id): (state, error) for kind, run_id, state, error in store.rows(query, thread_id)}
    for (kind, run_id), (state, error) in known.items():
        if state != "complete":
            yield Loss(run_id or thread_id, f"{kind}, perhaps", f"the archive may not have them all ({error or state})")


def _name_of(thread_id: str) -> str:
    """A name that every file system takes."""
    return quote(thread_id, safe="", errors="surrogatepass").replace(".", "%2E") + ".json"
