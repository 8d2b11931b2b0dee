"""What an archive has of a thread already, as far as it decides what is still to be read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from facade.archive._schema import FINISHED
from facade.archive._store import LIST_STATE, ListState, State, Store


class StoredThread(NamedTuple):
    """How far a thread was read.

    Attributes:
        thread_id: its id
        state: of the thread itself; None where the archive has never heard of it
        runs, messages: how far these lists were read
        runs_after, messages_after: the ids behind which they are to be read again, so that everything that may have
            changed is read; None for their beginnings
        has_unfinished: whether a run was still going on when it was read
        unread: the steps of ended runs that are not here to the end, or not with all that is asked for
        assistants: those that its runs name, where they are not known to be noted
    """

    thread_id: str
    state: State | None = None
    runs: ListState = ListState()
    messages: ListState = ListState()
    runs_after: str | None = None
    messages_after: str | None = None
    has_unfinished: bool = False
    unread: tuple[tuple[str, ListState], ...] = ()
    assistants: tuple[str, ...] = ()


_ASSISTANTS = (
    "SELECT DISTINCT json_extract(CASE WHEN json_valid(json) THEN json END, '$.assistant_id') AS assistant_id"
    " FROM runs WHERE thread_id = ? AND typeof(assistant_id) = 'text'"
)
_FINISHED = ", ".join(f"'{status}'" for status in sorted(FINISHED))


def stored_thread(store: Store, thread_id: str, include: Iterable[str], *, look_for_assistants: bool) -> StoredThread:
    """What is here of a thread.

    Args:
        store: the archive
        thread_id: the thread
        include: what steps are asked for with
        look_for_assistants: whether earlier exports may have passed over the assistants of its runs
    """
    known = store.rows("SELECT state FROM threads WHERE id = ?", thread_id)
    if not known:
        return StoredThread(thread_id)
    runs, messages = store.list_state("runs", thread_id), store.list_state("messages", thread_id)
    runs_after, messages_after, has_unfinished = runs.cursor, messages.cursor, False
    going_on = store.rows(
        f"SELECT created_at, seq FROM runs WHERE thread_id = ? AND (status IS NULL OR status NOT IN ({_FINISHED}))"
        " ORDER BY created_at, seq LIMIT 1",
        thread_id,
    )
    if going_on:
        # It has changed, and so may have all that came later: what a run writes comes after it began.
        has_unfinished = True
        ((created_at, seq),) = going_on
        last = "SELECT id FROM {} WHERE thread_id = ? AND (created_at, seq) < (?, ?) ORDER BY created_at DESC, seq DESC"
        before_runs = store.rows(f"{last.format('runs')} LIMIT 1", thread_id, created_at, seq)
        before_messages = store.rows(f"{last.format('messages')} LIMIT 1", thread_id, created_at, -1)
        runs_after = before_runs[0][0] if before_runs and runs_after is not None else None
        messages_after = before_messages[0][0] if before_messages and messages_after is not None else None
    asked = json.dumps(sorted(set(include)))
    unread = store.rows(
        f"SELECT runs.id, {LIST_STATE} FROM runs"
        " LEFT JOIN lists ON lists.kind = 'steps' AND lists.thread_id = runs.thread_id AND lists.run_id = runs.id"
        f" WHERE runs.thread_id = ? AND status IN ({_FINISHED})"
        " AND (lists.state IS NULL OR lists.state <> 'complete' OR (? <> '[]' AND lists.include <> ?))"
        " ORDER BY runs.created_at, runs.seq",
        thread_id,
        asked,
        asked,
    )
    assistants = store.rows(_ASSISTANTS, thread_id) if look_for_assistants else []
    return StoredThread(
        thread_id,
        known[0][0],
        runs,
        messages,
        runs_after,
        messages_after,
        has_unfinished,
        tuple((run_id, ListState.of(*columns)) for run_id, *columns in unread),
        tuple(assistant_id for (assistant_id,) in assistants),
    )


def stored_steps(store: Store, thread_id: str, run_ids: Iterable[str]) -> dict[str, ListState]:
    """How far the steps of these runs were read; those that the archive has never heard of are left out."""
    wanted = tuple(run_ids)
    rows = store.rows(
        f"SELECT run_id, {LIST_STATE} FROM lists WHERE kind = 'steps' AND thread_id = ?"
        f" AND run_id IN ({', '.join('?' * len(wanted))})",
        thread_id,
        *wanted,
    )
    return {run_id: ListState.of(*columns) for run_id, *columns in rows}
