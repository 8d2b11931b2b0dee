"""Reading an archive with the client: the same front door, no network, the same objects to the letter."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Blocking

import facade
from facade import archive
from facade.archive._transport import ArchiveTransport
from facade.server import Store, write_sample

THREAD = "thread_bakery"
ODD = (
    '{ "id": "step_odd", "thread_id": "thread_odd", "run_id": "run/odd", "created_at": 1.0e3, "n": 1.00,'
    ' "big": 12345678901234567890, "big": 1e5, "half": "\\ud800", "step_details": {"tool_calls": [{"file_search":'
    ' {"results": [{"content": []}]}}]} }'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An archive with the sample, and with a step that is spelt oddly."""
    path = tmp_path / "s.db"
    write_sample(path)
    with Store(path) as store:
        store.add(runs=['{"id": "run/odd", "thread_id": "thread_odd"}'], steps=[ODD])
    return path


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("no connection is wanted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients that read archives, with the verbs of the sync ones."""
    runner = asyncio.Runner()
    clients: list[Any] = []

    def make(path: Path, **options: Any) -> Any:
        if request.param == "sync":
            clients.append(archive.client(path, **options))
        else:
            clients.append(Blocking(archive.async_client(path, **options), runner.run))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    runner.close()


def test_a_thread_that_could_not_be_read_is_not_empty(tmp_path: Path, read: Callable[..., Any]) -> None:
    """It is unknown, as it is to the archive's tools; with something of it here, the rest is empty."""
    path = tmp_path / "archive.db"
    with Store(path) as store:
        store.add(runs=[{"id": "run_1", "thread_id": "thread_part"}])
        with store.transaction():
            for thread_id in ("thread_gone", "thread_part"):
                store.note("threads", thread_id, "failed", "404: it is gone")
    client = read(path)
    for walk in (client.runs.all("thread_gone"), client.messages.all("thread_gone")):
        with pytest.raises(facade.NotFoundError):
            list(walk)
    assert archive.thread_ids(path) == ["thread_part"]
    assert len(list(client.runs.all("thread_part"))) == 1
    assert list(client.messages.all("thread_part")) == []


def test_everything_reads_as_from_a_server(path: Path, read: Callable[..., Any]) -> None:
    """One object and many, several lists at once, pages, and what is not there."""
    client = read(path)
    runs = list(client.runs.all(THREAD))
    assert [run.id for run in runs] == [f"run_bakery_{number:02}" for number in range(1, 13)]
    assert client.runs.get(THREAD, "run_bakery_03") == runs[2]
    assert [step.id for step in client.steps.all(runs, concurrency=16)] == [
        step.id for run in runs for step in client.steps.all(run)
    ]
    assert client.threads.get(THREAD) in list(client.threads.all())
    (message,) = client.messages.list(THREAD, run_id="run_bakery_02")
    assert client.messages.get(THREAD, "msg_flour") == message
    assert client.assistants.get(runs[0].assistant_id).name == "Counter"
    page = client.runs.list(THREAD, limit=5, order="desc")
    assert (len(page), page.has_more, page.last_id) == (5, True, "run_bakery_08")
    with pytest.raises(facade.NotFoundError, match="No run 'run_x' of that thread is in this archive"):
        client.runs.get(THREAD, "run_x")
    with pytest.raises(facade.BadRequestError, match="run_x"):
        client.runs.list(THREAD, after="run_x")


def test_objects_are_what_was_stored_to_the_letter(path: Path, read: Callable[..., Any]) -> None:
    """Spellings, repeated keys, halves of characters; `include` is taken and changes nothing."""
    client = read(path)
    plain = client.steps.get("run/odd", "step_odd", thread_id="thread_odd")
    asked = client.steps.get("run/odd", "step_odd", thread_id="thread_odd", include=["anything"])
    assert json.dumps(plain.to_dict()) == json.dumps(asked.to_dict()) == json.dumps(json.loads(ODD))


def test_no_setting_of_an_endpoint_counts(
    path: Path, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is configured for an endpoint, and what the environment says of one, is not used here."""
    monkeypatch.setenv("OPENAI_API_BASE", "no address")
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org\n")
    facade.configure(
        auth_type="azure", api_base="https://host.example", additional_query={"limit": "7"}, proxy="http://127.0.0.1:9"
    )
    assert len(list(read(path, timeout_sec=5).runs.all(THREAD))) == 12


def test_writing_is_refused(path: Path) -> None:
    """Whatever is sent there, with the status that says so; nothing is changed."""
    before = path.read_bytes()
    transport = ArchiveTransport(path)
    for method, address in (
        ("POST", "/threads"),
        ("POST", f"/threads/{THREAD}/runs/run_bakery_12/cancel"),
        ("DELETE", f"/threads/{THREAD}"),
    ):
        request = httpx.Request(method, f"https://archive.invalid/v1{address}")
        assert transport.handle_request(request).status_code == 405
    transport.close()
    assert path.read_bytes() == before


def test_a_walk_left_half_way_holds_nothing(path: Path, read: Callable[..., Any]) -> None:
    """A writer gets the file at once, and the walk goes on afterwards."""
    walk = iter(read(path).runs.all(THREAD))
    next(walk)
    writer = sqlite3.connect(path, isolation_level=None, timeout=0)
    writer.execute("BEGIN EXCLUSIVE")
    writer.execute("COMMIT")
    writer.close()
    assert len(list(walk)) == 11


def test_a_read_waits_for_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the file for a moment; a file that is held on and on is told of."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with archive.client(path) as client, ThreadPoolExecutor(1) as pool:
        holder.execute("BEGIN EXCLUSIVE")
        waiting = pool.submit(client.runs.get, THREAD, "run_bakery_01")
        holder.execute("COMMIT")
        assert waiting.result().id == "run_bakery_01"
        monkeypatch.setattr("facade.archive._answering._PATIENCE_SEC", 0)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(facade.InternalServerError, match="is being written"):
            client.runs.get(THREAD, "run_bakery_01")
    holder.close()


def test_many_threads_read_at_once(path: Path) -> None:
    """One client for all of them."""
    with archive.client(path) as client, ThreadPoolExecutor(8) as pool:
        ids = [f"run_bakery_{number:02}" for number in range(1, 13)] * 20
        assert [run.id for run in pool.map(lambda run_id: client.runs.get(THREAD, run_id), ids)] == ids


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_reads_on(path: Path) -> None:
    """With a connection to the file of its own."""
    with archive.client(path) as client:
        client.runs.get(THREAD, "run_bakery_01")
        child = os.fork()
        if not child:
            try:
                os._exit(client.runs.get(THREAD, "run_bakery_02").id != "run_bakery_02")
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.runs.get(THREAD, "run_bakery_03").id == "run_bakery_03"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors")
def test_closing_closes_the_file(path: Path, read: Callable[..., Any]) -> None:
    """No descriptor of it is left."""
    client = read(path)
    client.runs.get(THREAD, "run_bakery_01")
    assert held(path)
    client.close()
    assert not held(path)


def held(path: Path) -> bool:
    """Whether this process has a file open."""
    return str(path) in {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}


def test_what_is_no_archive_is_told_at_once(tmp_path: Path, read: Callable[..., Any]) -> None:
    """When the client is made."""
    (tmp_path / "text.db").write_text("text " * 100)
    with pytest.raises(archive.DamagedError, match=r"text\.db"):
        read(tmp_path / "text.db")
    with pytest.raises(FileNotFoundError, match=r"gone\.db"):
        read(tmp_path / "gone.db")


def test_damage_that_is_met_later_says_what_to_do(path: Path) -> None:
    """As a status error that names `verify`."""
    with archive.client(path) as client:
        breaker = sqlite3.connect(path)
        breaker.execute("DROP TABLE runs")
        breaker.close()
        with pytest.raises(facade.InternalServerError, match="verify says what is wrong"):
            client.runs.get(THREAD, "run_bakery_01")
