"""Exports by many workers: chunks of threads, an archive for each, and a manifest of them."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

import facade
from facade._arguments import include_values
from facade._options import check_concurrency, check_count
from facade._version import __version__
from facade.archive._export import check_rate, each_once, export
from facade.archive._report import Report
from facade.archive._shards import FORMAT
from facade.archive._store import Store
from facade.archive._target import MANIFEST, Target, manifest_of, put_text, scratch, target_of

_SHARD = re.compile(r"archives/[0-9a-f]{32}\.db")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

# What may be a secret, or cannot be sent to another process.
_NOT_SENT = ("api_key", "additional_headers", "proxy", "transport")


class _Task(NamedTuple):
    """What a worker is told: plain data, without a key.

    Attributes:
        token: different for every task that there ever was, so that nobody takes an older one's result for it
        threads: the ids of its threads
        to: where the archives are put
        client: how the worker makes its client: its environment alone, options, or a function's name
        options: for `export`
    """

    token: str
    threads: tuple[str, ...]
    to: str
    client: Mapping[str, Any] | str | None
    options: dict[str, Any]


class _Done(NamedTuple):
    """What a worker has done: its archive's name, what is in it, and what others may have too."""

    path: str
    size: int
    report: Report
    assistants: tuple[str, ...]
    files: tuple[str, ...]


def export_many(
    threads: Iterable[Any],
    *,
    to: str | os.PathLike[str],
    executor: Executor,
    client: Mapping[str, Any] | str | None = None,
    include: str | Iterable[str] = (),
    messages: bool = True,
    assistants: bool = True,
    concurrency: int = 16,
    max_rate: float | None = None,
    chunk_size: int = 20,
    window: int = 8,
    progress: Callable[[Report], object] | None = None,
    files: bool = False,
) -> Report:
    """Export threads by the workers of an executor, into many archives side by side.

    Most exports are bound by the rate that one server allows, and one machine keeps up with that: use `export`. This is
    for many endpoints, or rates that one machine does not reach. A worker that dies costs its chunk, which executors
    such as Dask's give to another one; what is read twice is there once, since archives are named by what is in them.
    The manifest that names them is written at the end.

    Args:
        threads: ids, threads, or anything with a `thread_id`; taken as they are needed, each once.
        to: a folder that all workers reach, made where there is none, or an address that fsspec knows. It is for these
            files alone; those that an earlier call made are replaced.
        executor: any of `concurrent.futures`' kind: a pool of threads or processes, Dask's `Client.get_executor()`,
            loky's, Parsl's.
        client: how a worker makes its `facade.Client`. None: with what its environment says. A mapping: with these
            options, and the key from its environment; what may be a secret does not go along with a task, so
            `api_key`, `additional_headers`, `proxy` and `transport` are refused. A text `package.module:function`: by
            this function, called in the worker, which has all of that at hand.
        include, messages, assistants: as for `export`.
        concurrency: how many requests one chunk may have under way, 1 to 64.
        max_rate: how many requests may go out in a second, all workers taken together: each chunk has its share, this
            by `window`; None: no limit.
        chunk_size: how many threads one task reads, 1 or more.
        window: how many chunks are under way at most, 1 or more; give it as many as there are workers, or some more.
        progress: called with a report so far after each chunk, in the calling thread.
        files: whether the content of files is read too; what threads of several chunks name is read in each.

    Returns:
        What the archives have and what was done, as of `export`.

    Raises:
        ValueError, TypeError: a bad argument, or something else is in the folder.
        ModuleNotFoundError: the address needs fsspec, or what fsspec needs for it.
        facade.APIError: the key was refused, or nothing was answered, as of `export`: it ends the whole export.
        Exception: what the executor raises when its workers are gone.
    """
    wanted = include_values(include)
    rate = check_rate("max_rate", max_rate)
    check_count("chunk_size", chunk_size)
    check_count("window", window)
    options = {"include": wanted, "messages": messages, "assistants": assistants, "files": files}
    options |= {"concurrency": check_concurrency("concurrency", concurrency)}
    options |= {"max_rate": None if rate is None else rate / window}
    place = os.fspath(to)
    place = place if "://" in place else os.path.abspath(place)
    target = target_of(place)
    earlier = _earlier(target)
    began_at, token, made = time.monotonic(), uuid4().hex, _checked(client)
    tasks = (
        _Task(f"{token}-{number}", chunk, place, made, options)
        for number, chunk in enumerate(_chunks(threads, chunk_size))
    )
    done: dict[int, _Done] = {}
    for number, result in _run(executor, tasks, window):
        done[number] = result
        if progress is not None:
            progress(_together(done.values(), began_at))
    report = _together(done.values(), began_at)
    _write_manifest(target, [done[number] for number in sorted(done)], report, earlier)
    return report


def _chunks(threads: Any, size: int) -> Iterator[tuple[str, ...]]:
    ids = each_once(threads)
    while chunk := tuple(islice(ids, size)):
        yield chunk


def _run(executor: Executor, tasks: Iterator[_Task], window: int) -> Iterator[tuple[int, _Done]]:
    """What the tasks give, as it comes, with their places; not more of them are under way than the window has room."""
    under_way: dict[Future[_Done], int] = {}
    numbered = enumerate(tasks)
    try:
        while True:
            for number, task in islice(numbered, window - len(under_way)):
                under_way[executor.submit(export_chunk, task)] = number
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
    finally:
        for future in under_way:
            future.cancel()


def export_chunk(task: _Task) -> _Done:
    """In a worker: read some threads into an archive, and put it where it belongs. May happen twice."""
    with scratch() as folder, _made(task.client) as client:
        path = folder / "archive.db"
        report = export(client, task.threads, path, **task.options)
        with Store(path, read_only=True) as store:
            name = f"archives/{_content(store)}.db"
            assistants, files = (
                tuple(name for (name,) in store.rows(f"SELECT id FROM {table} WHERE state = 'complete'"))
                for table in ("assistants", "files")
            )
        target_of(task.to).put(name, path)
        return _Done(name, path.stat().st_size, report, assistants, files)


def _content(store: Store) -> str:
    """A digest of what an archive has, and of what it says is missing; not of when and in which order it came."""
    digest = hashlib.sha256()
    for query in _CONTENT:
        for row in store.rows(query):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        digest.update(b";")
    return digest.hexdigest()[:32]


_CONTENT = (
    "SELECT id, state, error, sha256 FROM threads ORDER BY id",
    "SELECT id, state, error, sha256 FROM assistants ORDER BY id",
    "SELECT thread_id, id, sha256 FROM messages ORDER BY thread_id, id",
    "SELECT thread_id, id, sha256 FROM runs ORDER BY thread_id, id",
    "SELECT thread_id, run_id, id, sha256 FROM steps ORDER BY thread_id, run_id, id",
    "SELECT kind, thread_id, run_id, state, cursor, include, error, count FROM lists ORDER BY 1, 2, 3",
    "SELECT id, state, error, sha256 FROM files ORDER BY id",
)


def _checked(client: Any) -> Mapping[str, Any] | str | None:
    """What `client` says, where it may go to workers. Errors keep it to themselves: it may have a key in it."""
    if isinstance(client, str) and not _FUNCTION.fullmatch(client):
        raise ValueError("client is a text that names no function: write it as package.module:function")
    if client is None or isinstance(client, str):
        return client
    if not isinstance(client, Mapping):
        raise TypeError(f"client is None, a mapping of options or a function's name, not {type(client).__name__}")
    for name in _NOT_SENT:
        if name in client:
            raise ValueError(f"{name} does not go to workers: name a function that makes the client there")
    return dict(client)


def _made(client: Mapping[str, Any] | str | None) -> facade.Client:
    if not isinstance(client, str):
        return facade.Client(**(client or {}))
    module, _, path = client.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    made = found()
    if not isinstance(made, facade.Client):
        raise TypeError(f"{client} gave {type(made).__name__} in the place of a facade.Client")
    return made


def _together(done: Iterable[_Done], began_at: float) -> Report:
    done = list(done)
    reports = [one.report for one in done]
    sums = ("threads", "runs", "steps", "messages", "read", "requests", "bytes")
    counts: dict[str, Any] = {name: sum(getattr(report, name) for report in reports) for name in sums}
    return Report(
        **counts,
        assistants=len({name for one in done for name in one.assistants}),
        files=len({name for one in done for name in one.files}),
        seconds=time.monotonic() - began_at,
        errors={thread: error for report in reports for thread, error in report.errors.items()},
        unfinished=tuple(run_id for report in reports for run_id in report.unfinished),
        statuses={run_id: status for report in reports for run_id, status in report.statuses.items()},
        complete=all(report.complete for report in reports),
    )


def _earlier(target: Target) -> list[str]:
    """The archives that an earlier call made. Raises ValueError where there is something else."""
    manifest = manifest_of(target, FORMAT)
    if manifest is None and not all(map(_SHARD.fullmatch, target.names())):
        raise ValueError(f"{str(target)!r} has other files in it: name a folder for these archives alone")
    return [shard["path"] for shard in manifest["shards"]] if manifest else []


def _write_manifest(target: Target, done: list[_Done], report: Report, earlier: list[str]) -> None:
    shards = {
        one.path: {"path": one.path, "bytes": one.size}
        | {name: getattr(one.report, name) for name in ("threads", "runs", "steps", "messages", "assistants", "files")}
        for one in done
    }
    errors = {thread: str(error) for thread, error in report.errors.items()}
    manifest: dict[str, Any] = {"format": FORMAT, "version": 1, "made_by": f"openai-thread-runs {__version__}"}
    put_text(
        target, MANIFEST, json.dumps(manifest | {"shards": list(shards.values()), "errors": errors}, indent=1) + "\n"
    )
    for name in earlier:
        if name not in shards and _SHARD.fullmatch(name):
            target.remove(name)
