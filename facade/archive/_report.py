"""What an export or a verification says at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facade.archive._schema import KINDS
from facade.archive._store import Store
from facade.errors import APIError

UNDER_WAY = "under way"
"""The state of an export that has not ended, as the archive has it: one that was broken off, or goes on now."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an archive has, and what the call that gives this report did.

    Attributes:
        threads, runs, steps, messages, assistants: how many objects the archive has; threads that are known by their
            ids only do not count
        read: objects that were read from the server in this call
        requests: requests that were sent, attempts counted one by one
        bytes: of the answers that came, or for a verification, of the file
        seconds: how long it took
        errors: what kept a thread from being read to its end, by the thread's id
        unfinished: the ids of the runs that are not whole: they were still going on when they were read, or their
            steps could not be read to the end
        statuses: the status of each of these runs, by its id, as last read; None where it is no text
        complete: whether nothing is missing of all that was asked for
        files: how many files' contents the archive has
        done, expected: in a report so far, how many objects and lists were read to their ends, of about how many
    """

    threads: int = 0
    runs: int = 0
    steps: int = 0
    messages: int = 0
    assistants: int = 0
    read: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    errors: Mapping[str, APIError] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    complete: bool = False
    files: int = 0
    done: int = 0
    expected: int = 0
    statuses: Mapping[str, str | None] = field(default_factory=dict)


def counted(store: Store) -> dict[str, int]:
    """How many objects of each kind an archive has, as `Report` names them. Takes no time, however many there are."""
    bare = "SELECT count(*) FROM {} WHERE json IS NULL"
    counts = store.counts()
    for kind in ("threads", "assistants"):
        counts[kind] -= store.rows(bare.format(kind))[0][0]
    return {kind: counts[kind] for kind in KINDS}


def recorded_errors(store: Store) -> dict[str, APIError]:
    """What kept threads from being read to their ends when they were last tried, the first error of each."""
    rows = store.rows(
        "SELECT id, error FROM threads WHERE state = 'failed'"
        " UNION ALL SELECT thread_id, error FROM lists WHERE state = 'failed'"
    )
    return {thread_id: APIError(error or "It could not be read.") for thread_id, error in reversed(rows)}


def unfinished_runs(store: Store) -> list[tuple[str, str | None]]:
    """The ids of the runs whose steps are not known to be whole, with their statuses."""
    return store.rows(
        "SELECT id, status FROM runs WHERE NOT EXISTS (SELECT 1 FROM lists WHERE kind = 'steps' AND state = 'complete'"
        " AND lists.thread_id = runs.thread_id AND lists.run_id = runs.id) ORDER BY key"
    )


def report_of(
    store: Store,
    *,
    read: int = 0,
    requests: int = 0,
    size: int = 0,
    seconds: float = 0.0,
    errors: Mapping[str, APIError] | None = None,
) -> Report:
    """The report on an archive as it is now; the arguments are the call's own figures.

    With `errors` these are the call's; without, they are those that the archive has recorded.
    """
    recorded, unfinished = recorded_errors(store), unfinished_runs(store)
    ((pending,),) = store.rows(
        "SELECT (SELECT count(*) FROM threads WHERE state = 'open')"
        " + (SELECT count(*) FROM assistants WHERE state IN ('open', 'failed'))"
        " + (SELECT count(*) FROM lists WHERE kind <> 'steps' AND state = 'open')"
        " + (SELECT count(*) FROM threads WHERE NOT EXISTS (SELECT 1 FROM lists"
        " WHERE kind = 'runs' AND state IN ('complete', 'absent') AND lists.thread_id = threads.id))"
        " + (SELECT count(*) FROM files WHERE state IN ('open', 'failed'))"
    )
    ((files,),) = store.rows("SELECT count(*) FROM files WHERE state = 'complete'")
    return Report(
        **counted(store),
        read=read,
        requests=requests,
        bytes=size,
        seconds=seconds,
        errors=recorded if errors is None else errors,
        unfinished=tuple(run_id for run_id, _ in unfinished),
        statuses=dict(unfinished),
        files=files,
        complete=not (recorded or unfinished or pending or store.meta("export_state") == UNDER_WAY),
    )
