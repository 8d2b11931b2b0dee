"""Takes threads home: everything of them into one archive, and goes on where it was broken off."""

from __future__ import annotations

import errno
import math
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import NoneType
from typing import Any

import facade
from facade._arguments import include_values, is_one, thread_key
from facade._options import check_concurrency, number_check
from facade.archive import _reader
from facade.archive._errors import BusyError, DamagedError
from facade.archive._file import is_busy, writer_lock
from facade.archive._files import FilesPlan, missing_files
from facade.archive._plan import Plan
from facade.archive._rate import Rate
from facade.archive._reader import Reader, Tally
from facade.archive._report import UNDER_WAY, Report, counted, report_of
from facade.archive._resume import stored_thread
from facade.archive._running import run, unblocking
from facade.archive._store import Store

RETRIES = 5
"""Further attempts, where the client was not told a number."""


def export(
    client: facade.Client,
    threads: Any = (),
    to: str | os.PathLike[str] | None = None,
    *,
    all_threads: bool = False,
    include: str | Iterable[str] = (),
    messages: bool = True,
    assistants: bool = True,
    concurrency: int = 16,
    max_rate: float | None = None,
    progress: Callable[[Report], object] | None = None,
    merge: bool = False,
    files: bool = False,
) -> Report:
    """Read everything of some threads into an archive, each object exactly as the server sends it.

    Of each thread that is: itself, its messages, its runs, their steps, and the assistants that its runs name. Whatever
    has arrived stays, however the export ends, and the next one goes on from there. Runs that have ended are read once;
    runs that were going on, and what is new in a thread, are read by the next export.

    Args:
        client: whom to ask; its `timeout_sec` bounds each attempt (without one, an attempt from which nothing comes
            for 15 s is given up), its `deadline_sec` the whole export. Each request gets 5 further attempts after 429,
            5xx, a cut connection, a timeout or an answer that cannot be read, unless the client was told another
            `max_retry_count`
        threads: ids, threads, or anything with a `thread_id`; one or an iterable of them, which is read to its end
            before the first request; what comes twice is read once
        to: the file; made where there is none
        all_threads: all those too that the server lists (Azure AI Foundry does)
        include: what to ask for with steps, such as `facade.FILE_SEARCH_RESULT_CONTENT`; ended runs whose steps were
            read without it are read again
        messages, assistants: False leaves them out
        concurrency: how many requests may be under way at most, 1 to 64; it begins with 4, and goes up and down as
            the server bears it
        max_rate: how many requests may go out in a second, retries counted; None for no limit
        progress: called with a report so far, at most ten times a second, in the calling thread. In it `unfinished`
            and `statuses` are empty and `complete` is False
        merge: take in what comes from another server than what is in the file
        files: read the content of the files too that anything in the archive names. Where the server refuses one, as
            it does for some purposes, that is recorded and no failure

    Returns:
        What the archive has now, and what was done. `errors` says by thread what could not be read: that stops nothing.

    Raises:
        ValueError, TypeError: a bad argument, or the file was filled from another server and `merge` is not given.
        BusyError: another export is writing into the file.
        DamagedError: the file is no archive.
        OSError: it cannot be written, as where the disk is full.
        AuthenticationError: the key was refused.
        APIConnectionError: nothing was answered for 20 s.
        APITimeoutError: the client's `deadline_sec` has passed.
        APIError: with `all_threads`: the server's threads could not be listed; all others were read.
    """
    if not isinstance(client, facade.Client):
        raise TypeError(f"client is a facade.Client, not {type(client).__name__}")
    if to is None:
        raise TypeError("to is missing: name the file to write into")
    if client._pool.is_closed:
        raise RuntimeError("this client is closed; make a new one")
    limits, settings = client._settings.limits, unblocking(client._settings)
    thread_ids = list(each_once(threads))
    wanted = include_values(include)
    rate = Rate(check_concurrency("concurrency", concurrency), check_rate("max_rate", max_rate), _reader.jitter)
    with _as_ours(to), writer_lock(to), Store(to) as store:
        _check_base(store, client._settings.base, merge)
        number = _begin(store)
        began_at = time.monotonic()
        is_empty = not store.rows("SELECT 1 FROM threads LIMIT 1")
        look_for_assistants = not _has_noted_assistants(store, is_empty, assistants) and assistants
        plan = Plan(
            export=number,
            include=wanted,
            messages=messages,
            assistants=assistants,
            known_assistants=_known_assistants(store),
        )
        if all_threads:
            plan.list_threads()
        if assistants:
            for assistant_id in _missing_assistants(store):
                plan.ask_assistant(assistant_id)
        find = partial(stored_thread, include=wanted, look_for_assistants=look_for_assistants)
        before, tally = counted(store), Tally()

        def read(plan: Plan | FilesPlan, thread_ids: Collection[str]) -> None:
            retries = RETRIES if limits.max_retry_count is None else limits.max_retry_count
            reader = Reader(settings, plan, rate, tally, thread_ids, retries, None if is_empty else find)

            def tell(counts: dict[str, int]) -> None:
                if progress is not None:
                    seconds = time.monotonic() - began_at
                    progress(_so_far(before, counts, tally, seconds, plan, reader.expected()))

            run(reader, store, number, tell)

        read(plan, thread_ids)
        if files:
            read(FilesPlan(missing_files(store), plan.errors), ())
        with store.transaction():
            store.set_meta("export_state", "ended")
        report = report_of(
            store,
            read=tally.read,
            requests=tally.requests,
            size=tally.bytes,
            seconds=time.monotonic() - began_at,
            errors=plan.errors,
        )
    if plan.listing_error is not None:
        raise plan.listing_error
    return report


def each_once(threads: Any) -> Iterator[str]:
    """The ids of one thread or of many, in any form, as they are needed; what comes twice comes once."""
    known: set[str] = set()
    for thread_id in map(thread_key, [threads] if is_one(threads) else threads):
        if thread_id not in known:
            known.add(thread_id)
            yield thread_id


def forget(path: str | os.PathLike[str], threads: Any) -> None:
    """Strike out threads of which nothing is in an archive: those whose ids were mistyped, or that were gone already.

    Whoever asked for one has it among the `errors` until then, and the archive is not `complete`. An export that names
    one again asks for it again.

    Args:
        path: the archive
        threads: ids, threads, or anything with a `thread_id`; one or an iterable of them

    Raises:
        ValueError: something of one is here, which stays, or the archive has never heard of it; then none is struck
            out.
        BusyError: an export is writing into the file.
        DamagedError: the file is no archive, or not there.
    """
    thread_ids = list(each_once(threads))
    with Store(path, read_only=True):  # it is not made where it is missing
        pass
    with _as_ours(path), writer_lock(path), Store(path) as store, store.transaction():
        for thread_id in thread_ids:
            if not store.forget(thread_id):
                raise ValueError(
                    f"nothing is struck out: {thread_id!r} was never asked for, or something of it is in"
                    f" {os.fspath(path)!r}, and stays"
                )


def _so_far(
    before: Mapping[str, int],
    counts: Mapping[str, int],
    tally: Tally,
    seconds: float,
    plan: Plan | FilesPlan,
    expected: int,
) -> Report:
    """A report while an export goes on: what can be said without asking the archive."""
    return Report(
        threads=before["threads"] + tally.threads,
        assistants=before["assistants"] + tally.assistants,
        runs=counts["runs"],
        steps=counts["steps"],
        messages=counts["messages"],
        read=tally.read,
        requests=tally.requests,
        bytes=tally.bytes,
        seconds=seconds,
        errors=dict(plan.errors),
        files=counts.get("files", 0),
        done=plan.done,
        expected=expected,
    )


check_rate = number_check(
    "a number of requests a second, more than 0", math.ulp(0.0), sys.float_info.max, int, float, NoneType
)


@contextmanager
def _as_ours(to: str | os.PathLike[str]) -> Iterator[None]:
    """What SQLite says of a file, as this package says it."""
    try:
        yield
    except sqlite3.Error as error:
        problem = error
    else:
        return
    shown = os.fspath(to)
    if is_busy(problem):
        raise BusyError(f"{shown!r} is held by another process: try again later.") from problem
    kind = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise DamagedError(f"{shown!r} is damaged: {problem}.") from problem
    number = errno.ENOSPC if kind == sqlite3.SQLITE_FULL else errno.EIO
    advice = "make room, or free the file" if kind == sqlite3.SQLITE_FULL else "look at the disk"
    raise OSError(number, f"the archive cannot be written ({problem}): {advice}; the same export goes on", shown)


def _check_base(store: Store, base: str, merge: bool) -> None:
    """Remember where an archive comes from, and keep two servers' threads apart."""
    known = (store.meta("api_base") or "").split()
    if base in known:
        return
    if known and not merge:
        raise ValueError(
            f"the archive was filled from {' and '.join(known)}, not from {base}: "
            "name another file, or give merge (--merge) to have both in one"
        )
    with store.transaction():
        store.set_meta("api_base", "\n".join([*known, base]))


def _begin(store: Store) -> int:
    """The number of this export: that of the last one where it was broken off, since this one goes on with it."""
    number = int(store.meta("export") or 0)
    if store.meta("export_state") != UNDER_WAY:
        number += 1
        with store.transaction():
            store.set_meta("export", str(number))
            store.set_meta("export_state", UNDER_WAY)
    return number


def _has_noted_assistants(store: Store, is_empty: bool, assistants: bool) -> bool:
    """Whether the assistants that the archive's runs name are all noted: not where earlier exports left them out."""
    has_noted = is_empty or store.meta("assistants") == "noted"
    with store.transaction():
        store.set_meta("assistants", "noted" if has_noted and assistants else "not all noted")
    return has_noted


def _known_assistants(store: Store) -> set[str]:
    rows = store.rows("SELECT id FROM assistants WHERE state IN ('complete', 'absent')")
    return {assistant_id for (assistant_id,) in rows}


def _missing_assistants(store: Store) -> list[str]:
    rows = store.rows("SELECT id FROM assistants WHERE state IN ('open', 'failed') ORDER BY key")
    return [assistant_id for (assistant_id,) in rows]
