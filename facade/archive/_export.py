"""Takes threads home: everything of them into one archive, and goes on where it was broken off."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

import facade
from facade._arguments import include_values, is_one, thread_key
from facade._auth import Secret
from facade._options import NO_RETRY, Settings, check_concurrency
from facade.archive import _reader
from facade.archive._errors import BusyError, DamagedError
from facade.archive._file import is_busy, writer_lock
from facade.archive._plan import Plan
from facade.archive._rate import Rate
from facade.archive._reader import Reader
from facade.archive._report import UNDER_WAY, Report, counted, report_of
from facade.archive._resume import stored_thread
from facade.archive._store import Store
from facade.archive._writer import Writer

RETRIES = 5
"""Further attempts, where the client was not told a number."""

_PROGRESS_SEC = 0.1


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
) -> Report:
    """Read everything of some threads into an archive, each object exactly as the server sends it.

    Of each thread that is: itself, its messages, its runs, their steps, and the assistants that its runs name. Whatever
    has arrived stays, however the export ends, and the next one goes on from there. Runs that have ended are read once;
    runs that were going on, and what is new in a thread, are read by the next export.

    Args:
        client: whom to ask; its `timeout_sec` bounds each attempt (without one, an attempt from which nothing comes
            for 15 s is given up), its `deadline_sec` the whole export. Each request gets 5 further attempts after 429,
            5xx, a cut connection or a timeout, unless the client was told another `max_retry_count`
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
        progress: called with a report so far, at most ten times a second, in the calling thread. In it `unfinished` is
            empty and `complete` is False
        merge: take in what comes from another server than what is in the file

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
    thread_ids = list(dict.fromkeys(map(thread_key, [threads] if is_one(threads) else threads)))
    wanted = include_values(include)
    rate = Rate(check_concurrency("concurrency", concurrency), check_rate(max_rate), _reader.jitter)
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
        retries = client._settings.limits.max_retry_count
        reader = Reader(
            _unblocking(client._settings),
            plan,
            rate,
            thread_ids,
            max_retry_count=RETRIES if retries is NO_RETRY else retries,
            find=None if is_empty else find,
        )
        before = counted(store)

        def so_far(counts: dict[str, int]) -> Report:
            return Report(
                threads=before["threads"] + reader.threads,
                assistants=before["assistants"] + reader.assistants,
                runs=counts["runs"],
                steps=counts["steps"],
                messages=counts["messages"],
                read=reader.read,
                requests=reader.requests,
                bytes=reader.bytes,
                seconds=time.monotonic() - began_at,
                errors=dict(plan.errors),
                done=plan.done,
                expected=reader.expected(),
            )

        _run(reader, store, number, progress and (lambda counts: progress(so_far(counts))))
        with store.transaction():
            store.set_meta("export_state", "ended")
        report = report_of(
            store,
            read=reader.read,
            requests=reader.requests,
            size=reader.bytes,
            seconds=time.monotonic() - began_at,
            errors=plan.errors,
        )
    if plan.listing_error is not None:
        raise plan.listing_error
    return report


def check_rate(max_rate: Any) -> float | None:
    """A rate as a number of requests a second. Raises TypeError or ValueError for what is none."""
    if max_rate is None:
        return None
    if isinstance(max_rate, bool) or not isinstance(max_rate, (int, float)):
        raise TypeError(f"max_rate is a number of requests a second, not {type(max_rate).__name__}")
    if not 0 < max_rate < math.inf:
        raise ValueError(f"max_rate is more than 0 requests a second, not {max_rate}")
    return float(max_rate)


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


def _run(reader: Reader, store: Store, number: int, progress: Callable[[dict[str, int]], object] | None) -> None:
    """Read and write in threads of their own: this one waits, so that a signal ends the wait at once."""
    writer = Writer(store, number, reader.written)
    result: Future[None] = Future()

    def work() -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_default_executor(_DaemonThreads())
                runner.run(reader.run(writer))
            result.set_result(None)
        except asyncio.CancelledError:
            result.set_exception(KeyboardInterrupt())
        except BaseException as error:
            result.set_exception(error)

    thread = threading.Thread(target=work, name="facade-archive-reader", daemon=True)
    thread.start()
    told_at = time.monotonic()
    try:
        while not wait([result], _PROGRESS_SEC).done:
            if progress is not None:
                progress(writer.counts)
                told_at = time.monotonic()
        result.result()
    except BaseException:
        reader.stop()
        wait([result], 0.3)
        writer.close(0.8)
        raise
    writer.close()
    if writer.error is not None:
        raise writer.error
    if progress is not None:
        time.sleep(max(0.0, told_at + _PROGRESS_SEC - time.monotonic()))
        progress(writer.counts)


class _DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a thread that nobody waits for: name resolution and a caller's functions may hang."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="facade-archive-call", daemon=True).start()
        return future


def _unblocking(settings: Settings) -> Settings:
    """Settings whose functions do not hold up an event loop: they are called in threads."""
    secret, transport = settings.auth.secret, settings.route.transport
    if secret.is_callable():
        ask: Any = secret.reveal()

        async def asked() -> Any:
            return await asyncio.to_thread(ask)

        settings = settings._replace(auth=settings.auth.with_secret(Secret.keep(asked)))
    if transport is not None:
        settings = settings._replace(route=settings.route._replace(transport=_InThreads(transport)))
    return settings


class _InThreads:
    """A sync transport, as an event loop can use it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def handle_async_request(self, request: Any) -> Any:
        """The answer, read whole."""
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: Any) -> Any:
        import httpx

        response = self._transport.handle_request(request)
        try:
            content = b"".join(response.stream)
        finally:
            response.close()
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(content))
