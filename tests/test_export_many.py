"""Exports by many workers: the same as one export, whatever the executor does, and never with a key in a task."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from wire import Serve, a_message, answer, library

import facade
from facade import archive
from facade.archive import Report, _many
from facade.server import Store, write_sample
from facade.server import serve as serving

KEY = "sk-not-to-be-sent-along"
THREADS = [f"thread_{number:02}" for number in range(12)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a dozen threads of three runs of two steps, and the sample's; its base."""
    path = tmp_path_factory.mktemp("many") / "served.db"
    write_sample(path)
    at = {"created_at": 1_748_844_000, "assistant_id": "asst_bakery", "status": "completed"}
    runs = [{"id": f"run_{thread}_{n}", "thread_id": thread, **at} for thread in THREADS for n in range(3)]
    steps = [
        {"id": f"step_{n}", "run_id": run["id"], "thread_id": run["thread_id"], "type": "tool_calls", **at}
        for run in runs
        for n in range(2)
    ]
    with Store(path) as store:
        store.add(threads=[{"id": thread, "created_at": 1} for thread in THREADS], runs=runs, steps=steps)
    with serving(path) as base:
        yield base


@pytest.fixture(autouse=True)
def environment(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the workers' environment says."""
    monkeypatch.setenv("OPENAI_API_BASE", served)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Inline(Executor):
    """Does each task when it is submitted, `times` times over, and keeps what it was given."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.tasks: list[Any] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.tasks.append(args)
        future: Future[Any] = Future()
        try:
            results = [fn(*pickle.loads(pickle.dumps(args)), **kwargs) for _ in range(self.times)]
            future.set_result(pickle.loads(pickle.dumps(results[-1])))
        except Exception as error:
            future.set_exception(error)
        return future


def objects_in(path: Path) -> set[tuple[Any, ...]]:
    """Everything in an archive, with how far its lists were read; not when and in which order it came."""
    queries = [f"SELECT '{kind}', thread_id, id, json FROM {kind}" for kind in ("messages", "runs")]
    queries += [f"SELECT '{kind}', state, id, json FROM {kind}" for kind in ("threads", "assistants")]
    queries += ["SELECT 'steps', run_id, id, json FROM steps", "SELECT kind, thread_id, run_id, state FROM lists"]
    with closing(sqlite3.connect(path)) as connection:
        return {row for query in queries for row in connection.execute(query)}


@pytest.fixture(scope="module")
def alone(served: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one export of all of them gives."""
    path = tmp_path_factory.mktemp("alone") / "archive.db"
    with facade.Client(KEY, api_base=served) as client:
        archive.export(client, [*THREADS, "thread_bakery"], path)
    return path


def assert_is_the_same(folder: Path, alone: Path, tmp_path: Path, report: Report) -> None:
    """As tables, and joined into one file, it is what one export gives."""
    joined = archive.join(folder, tmp_path / "joined.db")
    assert objects_in(tmp_path / "joined.db") == objects_in(alone)
    counts = ("threads", "runs", "steps", "messages", "assistants", "complete")
    expected = archive.verify(alone)
    for found in (report, joined, archive.verify(tmp_path / "joined.db")):
        assert [getattr(found, name) for name in counts] == [getattr(expected, name) for name in counts]
    for table in ("runs", "steps", "tool_calls", "messages", "assistants"):
        rows = [sorted(map(str, archive.frame(source, table, "arrow").to_pylist())) for source in (folder, alone)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize("times", [1, 2])
def test_it_is_what_one_export_gives(alone: Path, tmp_path: Path, times: int) -> None:
    """However often an executor runs a task, each thread is there once, and so is an assistant of several chunks."""
    executor = Inline(times)
    report = archive.export_many(
        iter([*THREADS, "thread_bakery", THREADS[0]]), to=tmp_path / "out", executor=executor, chunk_size=5
    )
    assert [len(task.threads) for (task,) in executor.tasks] == [5, 5, 3]
    assert len(list((tmp_path / "out" / "archives").iterdir())) == 3
    assert report.requests > 0
    assert_is_the_same(tmp_path / "out", alone, tmp_path, report)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_standard_pools(alone: Path, tmp_path: Path, kind: str) -> None:
    """Threads and processes do it alike."""
    pool = ThreadPoolExecutor(2) if kind == "threads" else ProcessPoolExecutor(2, get_context("spawn"))
    with pool as executor:
        report = archive.export_many([*THREADS, "thread_bakery"], to=tmp_path / "out", executor=executor, chunk_size=4)
    assert_is_the_same(tmp_path / "out", alone, tmp_path, report)


def test_an_address_takes_the_same(alone: Path, tmp_path: Path) -> None:
    """What is put at an address of fsspec reads as what is put into a folder."""
    address = f"memory://{tmp_path.name}"
    archive.export_many([*THREADS, "thread_bakery"], to=address, executor=Inline(), chunk_size=6)
    archive.join(address, tmp_path / "joined.db")
    assert objects_in(tmp_path / "joined.db") == objects_in(alone)
    assert len(archive.frame(address, "runs", "polars")) == len(archive.frame(alone, "runs", "polars"))


def test_an_export_goes_on_with_what_was_joined(alone: Path, served: str, tmp_path: Path) -> None:
    """Nothing that is whole is asked for again: as many requests as for an archive that one export made."""
    archive.export_many([*THREADS, "thread_bakery"], to=tmp_path / "out", executor=Inline())
    archive.join(tmp_path / "out", tmp_path / "joined.db")
    (tmp_path / "alone.db").write_bytes(alone.read_bytes())
    with facade.Client(KEY, api_base=served) as client:
        again = [
            archive.export(client, [*THREADS, "thread_bakery"], tmp_path / name) for name in ("joined.db", "alone.db")
        ]
    assert again[0].requests == again[1].requests < 60
    assert objects_in(tmp_path / "joined.db") == objects_in(alone)


def test_no_task_has_a_key(tmp_path: Path) -> None:
    """Neither the environment's nor an option's goes along; each task has a token of its own, in every call."""
    executor = Inline()
    for _ in range(2):
        archive.export_many(THREADS, to=tmp_path / "out", executor=executor, chunk_size=4)
    assert KEY.encode() not in pickle.dumps(executor.tasks)
    assert len({task.token for (task,) in executor.tasks}) == 6
    for name, value in {"api_key": KEY, "additional_headers": {"x": KEY}, "proxy": f"http://u:{KEY}@host"}.items():
        with pytest.raises(ValueError, match=name) as refused:
            archive.export_many(THREADS, to=tmp_path / "out", executor=executor, client={name: value})
        assert KEY not in str(refused.value)
    with pytest.raises(ValueError, match="module:function") as refused:
        archive.export_many(THREADS, to=tmp_path / "out", executor=executor, client=KEY)
    assert KEY not in str(refused.value)
    assert len(executor.tasks) == 6


def made_in_the_worker() -> facade.Client:
    return facade.Client(KEY, api_base=os.environ["BASE_OF_THE_WORKER"])


def test_a_named_function_makes_the_client(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called where the task is done, and options go to a client of the worker's own key."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("BASE_OF_THE_WORKER", served)
    report = archive.export_many(
        THREADS[:2], to=tmp_path / "one", executor=Inline(), client=f"{__name__}:made_in_the_worker"
    )
    assert report.runs == 6
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_BASE")
    report = archive.export_many(THREADS[:2], to=tmp_path / "two", executor=Inline(), client={"api_base": served})
    assert report.runs == 6


def test_the_window_is_bounded_and_the_rate_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more chunks are taken than are under way and to be; each has its share of the rate."""
    rates: list[float] = []
    taken: list[str] = []
    under_way = most = 0

    def chunk(task: Any) -> Any:
        rates.append(task.options["max_rate"])
        return _many._Done(f"archives/{task.token[-1] * 32}.db", 1, Report(threads=1, complete=True), (), ())

    class Slow(Executor):
        """Ends a task when the next one is waited for."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            future: Future[Any] = Future()
            waiting.append((future, fn, args))
            return future

    waiting: list[Any] = []

    def wait(futures: Any, return_when: Any) -> Any:
        nonlocal under_way
        future, fn, args = waiting.pop(0)
        future.set_result(fn(*args))
        under_way -= 1
        return type("Done", (), {"done": {future}})

    def threads() -> Iterator[str]:
        for number in range(10):
            taken.append(f"thread_{number}")
            assert len(taken) <= len(rates) + 3
            yield taken[-1]

    monkeypatch.setattr(_many, "export_chunk", chunk)
    monkeypatch.setattr(_many, "wait", wait)
    seen: list[int] = []
    report = archive.export_many(
        threads(),
        to=tmp_path / "out",
        executor=Slow(),
        chunk_size=1,
        window=3,
        max_rate=12,
        progress=lambda so_far: seen.append(so_far.threads),
    )
    assert (most, rates) == (3, [4.0] * 10)
    assert seen == list(range(1, 11))
    assert report.threads == 10


def test_errors_of_threads_are_told_and_stop_nothing(tmp_path: Path) -> None:
    """A thread that is not there is in the report and the manifest; the others are read."""
    report = archive.export_many([*THREADS[:2], "thread_gone"], to=tmp_path / "out", executor=Inline(), chunk_size=1)
    assert isinstance(report.errors["thread_gone"], facade.NotFoundError)
    assert (report.threads, report.complete) == (2, False)
    assert "thread_gone" in (tmp_path / "out" / "manifest.json").read_text("utf-8")


def test_what_ends_an_export_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a worker is raised, and without a manifest nothing counts as done."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(facade.ConfigurationError):
        archive.export_many(THREADS, to=tmp_path / "out", executor=Inline())
    assert not (tmp_path / "out" / "manifest.json").exists()
    with pytest.raises(archive.DamagedError, match="manifest"):
        archive.frame(tmp_path, "runs")


def test_a_second_call_replaces_what_the_first_made(served: str, tmp_path: Path) -> None:
    """Archives that are not named any more go, after the manifest; what others put there is refused and left."""
    for threads in (THREADS, THREADS[:4]):
        archive.export_many(threads, to=tmp_path / "out", executor=Inline(), chunk_size=4)
    assert len(list((tmp_path / "out" / "archives").iterdir())) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="other files"):
        archive.export_many(THREADS, to=tmp_path / "mine", executor=Inline())
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("options", [{"chunk_size": 0}, {"window": True}, {"concurrency": 65}, {"max_rate": 0}])
def test_bad_arguments_are_refused_at_once(tmp_path: Path, options: dict[str, Any]) -> None:
    """Before any task: a number out of its range."""
    executor = Inline()
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        archive.export_many(THREADS, to=tmp_path / "out", executor=executor, **options)
    assert executor.tasks == []


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_that_loses_a_worker(alone: Path, tmp_path: Path) -> None:
    """A worker is killed with chunks in its hands; another one does them, and the whole is what one export gives."""
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    killed: list[int] = []

    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs="CRITICAL"
        ) as cluster,
        distributed.Client(cluster) as workers,
    ):
        warnings.simplefilter("ignore")
        pids = workers.run(os.getpid)

        def kill_one(_: Report) -> None:
            in_hand = {address: len(keys) for address, keys in workers.processing().items()}
            busiest = max(in_hand, key=lambda address: in_hand[address])
            if not killed and in_hand[busiest]:
                killed.append(pids[busiest])
                os.kill(killed[0], signal.SIGKILL)

        report = archive.export_many(
            [*THREADS, "thread_bakery"],
            to=tmp_path / "out",
            executor=workers.get_executor(),
            chunk_size=1,
            window=6,
            progress=kill_one,
        )
    assert killed
    assert len(list((tmp_path / "out" / "archives").iterdir())) == 13
    assert_is_the_same(tmp_path / "out", alone, tmp_path, report)


def test_files_come_along_where_they_are_asked_for(serve: Serve, tmp_path: Path) -> None:
    """What several chunks name is counted and, joined, kept once."""
    threads = ["thread_a", "thread_b"]
    having: dict[str, Any] = {"/threads": [{"id": thread, "object": "thread", "created_at": 1} for thread in threads]}
    for thread in threads:
        message = a_message(id=f"msg_{thread}", thread_id=thread, attachments=[{"file_id": "file-one"}])
        having |= {f"/threads/{thread}/runs": [], f"/threads/{thread}/messages": [message]}
    say = library(having)
    server = serve(lambda request: answer(b"bread") if "/files/" in request.path else say(request))
    options: Any = {"client": {"api_base": server.url}, "executor": Inline(), "chunk_size": 1}
    assert archive.export_many(threads, to=tmp_path / "without", **options).files == 0
    report = archive.export_many(threads, to=tmp_path / "many", **options, files=True)
    assert (report.files, report.complete) == (1, True)
    joined = archive.join(tmp_path / "many", tmp_path / "joined.db")
    assert (joined.files, archive.verify(tmp_path / "joined.db").files) == (1, 1)
