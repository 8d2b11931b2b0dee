"""`archive.export` over real sockets: what it takes, how it goes on, and what ends it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import TRUSTED
from wire import (
    CLOSE,
    HANG,
    KEY,
    RESET,
    Request,
    Script,
    Serve,
    a_message,
    a_page,
    a_run,
    again,
    answer,
    error,
    library,
    paths,
    refused_url,
    steps,
)

import facade
from facade import archive
from facade.archive import Report, _reader, _running
from facade.archive._store import Store

ASSISTANT = {"id": "asst_1", "object": "assistant", "created_at": 1, "model": "gpt-4o"}


def lists(thread_id: str = "thread_1", run_count: int = 3, step_count: int = 4, **fields: Any) -> dict[str, Any]:
    """What a server has: a thread with runs, their steps, messages and an assistant."""
    runs = [a_run(f"{thread_id}_{number}", thread_id, **fields) for number in range(run_count)]
    return {
        "/threads": [{"id": thread_id, "object": "thread", "created_at": 1}],
        "/assistants": [ASSISTANT],
        f"/threads/{thread_id}/runs": runs,
        f"/threads/{thread_id}/messages": [a_message(id=f"msg_{number}", thread_id=thread_id) for number in range(3)],
        **{f"/threads/{thread_id}/runs/{run['id']}/steps": steps(step_count, run["id"], thread_id) for run in runs},
    }


def both(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """What several have, together."""
    joined: dict[str, Any] = {}
    for part in parts:
        for path, items in part.items():
            known = joined.setdefault(path, [])
            known += [item for item in items if item not in known]
    return joined


def hangs_first() -> Callable[[Request], Script]:
    """Says what `lists` has, but nothing to the first request for each path."""
    say = library(lists())
    hung: set[str] = set()

    def hang(request: Request) -> Script:
        if request.path in hung:
            return say(request)
        hung.add(request.path)
        return (HANG,)

    return hang


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where an archive is to be."""
    return tmp_path / "a.db"


@pytest.fixture
def client_of() -> Iterator[Callable[..., facade.Client]]:
    """Makes clients, which are closed with the test."""
    clients: list[facade.Client] = []

    def make(server: Any, **options: Any) -> facade.Client:
        base = server if isinstance(server, str) else server.url
        clients.append(facade.Client(KEY, api_base=base, verify=TRUSTED, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait no seconds, and what looks at a clock looks often."""
    monkeypatch.setattr(_reader, "jitter", lambda: 0.003)
    monkeypatch.setattr(_reader, "_TICK_SEC", 0.02)
    monkeypatch.setattr(_running, "PROGRESS_SEC", 0.02)


Clients = Callable[..., facade.Client]


def texts(path: Path, kind: str) -> dict[str, str]:
    """What an archive keeps of a kind, by id."""
    with Store(path, read_only=True) as store:
        return {
            object_id: text.decode() for object_id, text in store.rows(f"SELECT id, CAST(json AS BLOB) FROM {kind}")
        }


class TestWhatIsTaken:
    def test_everything_of_a_thread(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Thread, messages, runs, steps, assistant, in as many requests as there are pages."""
        server = serve(library(lists()))
        report = archive.export(client_of(server), ["thread_1"], to)
        counts = (report.threads, report.messages, report.runs, report.steps, report.assistants)
        assert counts == (1, 3, 3, 12, 1)
        assert (report.read, report.requests, report.errors, report.unfinished) == (20, 7, {}, ())
        assert report.complete
        assert sorted(paths(server)) == sorted(
            ["/threads/thread_1", "/threads/thread_1/messages", "/threads/thread_1/runs", "/assistants/asst_1"]
            + [f"/threads/thread_1/runs/run_thread_1_{number}/steps" for number in range(3)]
        )
        assert archive.verify(to).complete

    def test_objects_are_kept_to_the_letter(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Odd numbers, keys twice, lone surrogates; from lists and from answers with one object."""
        odd = '{"id" : "%s", "status":"completed", "created_at": 1.00, "n": [1e5, 0.10], "n": -0.0, "s": "\\ud800é"}'

        def say(request: Request) -> bytes:
            name = {"runs": "run_1", "messages": "msg_1", "steps": "step_1"}.get(request.path.rpartition("/")[2])
            if name is None:
                return answer(f"\n {odd % 'thread_1'}\n".encode())
            return answer(f'{{ "data" :[\t{odd % name} ],"has_more": false}}'.encode())

        archive.export(client_of(serve(say)), ["thread_1"], to)
        for kind, name in (("threads", "thread_1"), ("runs", "run_1"), ("messages", "msg_1"), ("steps", "step_1")):
            assert texts(to, kind) == {name: odd % name}
        with archive.client(to) as reader:
            assert reader.runs.get("thread_1", "run_1").to_dict()["n"] == 0.0
        with Store(to, read_only=True) as store:
            assert store.rows("SELECT sha256 FROM runs") == [(hashlib.sha256((odd % "run_1").encode()).digest(),)]

    def test_long_lists_are_read_to_their_ends(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """In pages of a hundred."""
        server = serve(
            library(lists(run_count=120, step_count=0) | {"/threads/thread_1/runs/run_thread_1_7/steps": steps(250)})
        )
        report = archive.export(client_of(server), "thread_1", to)
        assert (report.runs, report.steps) == (120, 250)
        assert report.requests == 2 + 1 + 1 + 119 + 3 + 1

    def test_threads_come_in_any_form_and_once(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Ids, runs, mappings; one or many."""
        server = serve(library(both(lists("thread_1"), lists("thread_2"))))
        threads = ["thread_1", {"thread_id": "thread_2"}, {"id": "thread_1", "object": "thread"}]
        report = archive.export(client_of(server), iter(threads), to)
        assert (report.threads, paths(server).count("/threads/thread_1/runs")) == (2, 1)

    def test_include_goes_along_with_steps(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """And ended runs that were read without it are read again, with all that was ever asked for."""
        server = serve(library(lists(run_count=1)))
        client = client_of(server)

        def asked(**options: Any) -> list[list[str]]:
            server.forget()
            archive.export(client, "thread_1", to, **options)
            return [
                [value for name, value in request.query if name == "include[]"]
                for request in server.requests
                if request.path.endswith("/steps")
            ]

        assert asked(include="a") == [["a"]]
        assert asked() == []
        assert asked(include=["a"]) == []
        assert asked(include=["b"]) == [["a", "b"]]
        assert asked(include=["a", "b"]) == []

    def test_messages_and_assistants_can_be_left_out_and_taken_later(
        self, serve: Serve, client_of: Clients, to: Path
    ) -> None:
        """The next export sees that they are missing."""
        client = client_of(serve(library(lists())))
        report = archive.export(client, "thread_1", to, messages=False, assistants=False)
        assert (report.messages, report.assistants, report.complete) == (0, 0, True)
        report = archive.export(client, "thread_1", to)
        assert (report.messages, report.assistants, report.complete) == (3, 1, True)

    def test_all_threads(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Where the server lists them, as it lists them; those that are named too are read once."""
        server = serve(library(both(lists("thread_1"), lists("thread_2"))))
        for _ in range(2):
            report = archive.export(client_of(server), ["thread_2"], to, all_threads=True)
            assert (report.threads, report.runs, report.errors) == (2, 6, {})
        assert "/threads/thread_1" not in paths(server)

    def test_a_server_that_does_not_list_threads(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """What is named is read, then the error is raised."""
        having = lists()
        del having["/threads"]
        with pytest.raises(facade.NotFoundError, match="GET /threads"):
            archive.export(client_of(serve(library(having))), "thread_1", to, all_threads=True)
        assert len(texts(to, "runs")) == 3

    def test_files_come_along_where_they_are_asked_for(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Each content once; a refusal is recorded and no failure; later exports ask only for what is missing."""
        having = lists()
        having["/threads/thread_1/messages"] = [
            a_message(
                id="msg_1",
                attachments=[{"file_id": "file-one"}, {"file_id": "file-same"}],
                content=[{"type": "image_file", "image_file": {"file_id": "file-drawn"}}],
            )
        ]
        having["/assistants"] = [{**ASSISTANT, "tool_resources": {"code_interpreter": {"file_ids": ["file-no"]}}}]
        say, contents, is_broken = library(having), {"one": b"\x00bread", "same": b"\x00bread", "drawn": b"PNG"}, True

        def answer_files(request: Request) -> bytes:
            name = request.path.removeprefix("/v1/files/file-").removesuffix("/content")
            if is_broken and name == "drawn":
                return again(500)
            if name in contents:
                return answer(contents[name], headers={"Content-Type": "application/octet-stream"})
            return error(400, message="not for download") if "/files/" in request.path else say(request)

        server = serve(answer_files)
        client = client_of(server, max_retry_count=1)
        assert archive.export(client, "thread_1", to).files == 0
        report = archive.export(client, "thread_1", to, files=True)
        assert (report.files, report.complete, list(report.errors)) == (2, False, ["thread_1"])
        is_broken = False
        server.forget()
        report = archive.export(client, "thread_1", to, files=True)
        assert (report.files, report.complete, report.errors) == (3, True, {})
        assert [path for path in paths(server) if "files" in path] == ["/files/file-drawn/content"]
        with Store(to, read_only=True) as store:
            kept = dict(store.rows("SELECT id, data FROM files LEFT JOIN contents USING (sha256)"))
            assert store.rows("SELECT count(*) FROM contents") == [(2,)]
            assert "not for download" in store.rows("SELECT error FROM files WHERE id = 'file-no'")[0][0]
        assert kept == {
            "file-one": b"\x00bread", "file-same": b"\x00bread", "file-drawn": b"PNG", "file-no": None
        }  # fmt: skip
        assert archive.verify(to).files == 3
        connection = sqlite3.connect(to)
        connection.execute("UPDATE contents SET data = x'00' WHERE key = 1")
        connection.commit()
        connection.close()
        with pytest.raises(archive.DamagedError, match="the content of 'file-"):
            archive.verify(to)

    def test_nothing_of_the_key_is_in_the_file(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Even where the server says it in its errors."""
        server = serve(lambda request: error(403, message=f"not for {request.headers['authorization']}"))
        report = archive.export(client_of(server), ["thread_1"], to)
        assert isinstance(report.errors["thread_1"], facade.PermissionDeniedError)
        assert KEY.encode() not in to.read_bytes()

    def test_the_file_is_its_owners_alone(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """So are the lock and the journal, whatever the umask."""
        modes: set[int] = set()

        def see(report: Report) -> None:
            modes.update(stat.S_IMODE(file.stat().st_mode) for file in to.parent.iterdir() if file.exists())

        before = os.umask(0)
        try:
            archive.export(client_of(serve(library(lists()))), "thread_1", to, progress=see)
        finally:
            os.umask(before)
        assert modes == {0o600}
        assert [file.name for file in to.parent.iterdir()] == ["a.db"]


class TestGoingOn:
    def test_runs_that_go_on_are_read_by_the_next_export(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """With their new steps and messages; what has ended is not asked for again."""
        having = lists(run_count=2)
        going_on = a_run("thread_1_2", status="in_progress", created_at=1_760_000_100)
        having["/threads/thread_1/runs"].append(going_on)
        having["/threads/thread_1/runs/run_thread_1_2/steps"] = steps(1, "run_thread_1_2")
        server = serve(library(having))
        client = client_of(server)
        report = archive.export(client, "thread_1", to)
        assert (report.unfinished, report.errors, report.complete) == (("run_thread_1_2",), {}, False)
        assert report.statuses == {"run_thread_1_2": "in_progress"}
        server.forget()
        having["/threads/thread_1/runs"][2] = {**going_on, "status": "completed"}
        having["/threads/thread_1/runs/run_thread_1_2/steps"] = steps(2, "run_thread_1_2")
        having["/threads/thread_1/messages"].append(a_message("late", id="msg_late", created_at=1_760_000_200))
        report = archive.export(client, "thread_1", to)
        assert (report.unfinished, report.complete, report.steps, report.messages) == ((), True, 10, 4)
        assert [path for path in paths(server) if path.endswith("/steps")] == [
            "/threads/thread_1/runs/run_thread_1_2/steps"
        ]

    @pytest.mark.parametrize("status", ["queued", "requires_action", "cancelling", "thinking", None, 7])
    def test_what_is_not_surely_ended_goes_on(self, serve: Serve, client_of: Clients, to: Path, status: Any) -> None:
        """Unknown statuses too."""
        report = archive.export(client_of(serve(library(lists(run_count=1, status=status)))), "thread_1", to)
        assert report.unfinished == ("run_thread_1_0",)

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "incomplete"])
    def test_what_has_ended_is_complete(self, serve: Serve, client_of: Clients, to: Path, status: str) -> None:
        """Each of the five."""
        report = archive.export(client_of(serve(library(lists(run_count=1, status=status)))), "thread_1", to)
        assert (report.unfinished, report.complete) == ((), True)

    def test_a_thread_that_was_read_is_looked_at_again(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """In two requests; what is new in it is read."""
        having = lists()
        server = serve(library(having))
        archive.export(client_of(server), "thread_1", to)
        server.forget()
        having["/threads/thread_1/runs"].append(a_run("new", created_at=1_770_000_000))
        having["/threads/thread_1/runs/run_new/steps"] = steps(3, "run_new")
        report = archive.export(client_of(server), "thread_1", to)
        assert (report.runs, report.steps, report.requests) == (4, 15, 3)

    def test_lists_that_grow_meanwhile_lose_nothing(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Pages that overlap give nothing twice."""
        having = {**lists(run_count=0), "/threads/thread_1/messages": [a_message(id=f"msg_{n}") for n in range(150)]}
        say = library(having)

        def grow(request: Request) -> bytes:
            if request.path.endswith("/messages") and len(having["/threads/thread_1/messages"]) < 400:
                having["/threads/thread_1/messages"] += [
                    a_message(id=f"msg_{len(having['/threads/thread_1/messages']) + n}") for n in range(60)
                ]
                if after := request.value("after"):
                    number = int(after.rpartition("_")[2])
                    items = having["/threads/thread_1/messages"][number - 20 :][:100]
                    return answer(a_page(items, has_more=True))
            return say(request)

        report = archive.export(client_of(serve(grow)), "thread_1", to)
        assert report.messages == len(having["/threads/thread_1/messages"])
        assert archive.verify(to).messages == report.messages

    def test_what_failed_is_tried_again(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """With its error in the report; the rest of the thread, and other threads, are there already."""
        say = library(both(lists("thread_1"), lists("thread_2")))
        is_broken = True

        def fail(request: Request) -> bytes:
            broken: bool = is_broken and request.path.endswith("/run_thread_1_1/steps")
            return again(500) if broken else say(request)

        server = serve(fail)
        client = client_of(server, max_retry_count=1)
        report = archive.export(client, ["thread_1", "thread_2"], to)
        failure = report.errors["thread_1"]
        assert isinstance(failure, facade.InternalServerError)
        assert (failure.attempts, failure.run_id, failure.thread_id) == (2, "run_thread_1_1", "thread_1")
        assert (report.unfinished, report.complete, report.steps) == (("run_thread_1_1",), False, 20)
        assert list(archive.verify(to).errors) == ["thread_1"]
        is_broken = False
        server.forget()
        report = archive.export(client, ["thread_1", "thread_2"], to)
        assert (report.errors, report.complete, report.steps) == ({}, True, 24)
        assert [path for path in paths(server) if path.endswith("steps")] == [
            "/threads/thread_1/runs/run_thread_1_1/steps"
        ]

    def test_a_thread_that_is_gone_stops_nothing(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """It is named with the server's 404."""
        report = archive.export(client_of(serve(library(lists()))), ["thread_x", "thread_1"], to)
        assert isinstance(report.errors["thread_x"], facade.NotFoundError)
        assert (list(report.errors), report.runs, report.complete) == (["thread_x"], 3, False)

    def test_a_thread_of_which_nothing_is_here_is_forgotten(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """A mistyped id counts until it is struck out; whatever is here stays, and of several given so do all."""
        client = client_of(serve(library(lists())))
        for threads in (["thread_x", "thread_y", "thread_1"], ["thread_1"]):
            assert not archive.export(client, threads, to).complete
        for refused in (["thread_x", "thread_1"], "thread_z"):
            with pytest.raises(ValueError, match="nothing is struck out"):
                archive.forget(to, refused)
        assert set(archive.verify(to).errors) == {"thread_x", "thread_y"}
        archive.forget(to, {"thread_id": "thread_x"})
        archive.forget(to, ["thread_y"])
        report = archive.verify(to)
        assert (report.errors, report.complete, report.threads, report.runs) == ({}, True, 1, 3)
        assert not archive.export(client, "thread_x", to).complete

    def test_a_thread_that_was_never_read_is_forgotten(self, client_of: Clients, to: Path) -> None:
        """So is one that an export broke off before it had anything of it."""
        with pytest.raises(facade.APITimeoutError):
            archive.export(client_of(refused_url(), deadline_sec=0.1), "thread_x", to)
        assert not archive.verify(to).complete
        with Store(to) as store, store.transaction():
            store.set_meta("export_state", "ended")
        archive.forget(to, "thread_x")
        assert archive.verify(to).complete

    def test_only_an_archive_is_made_to_forget(self, to: Path) -> None:
        """A file that is not there is not made."""
        with pytest.raises(archive.DamagedError):
            archive.forget(to, "thread_x")
        assert not to.exists()

    def test_another_server_is_refused_without_merge(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """The archive remembers each that it was filled from."""
        one, other = serve(library(lists())), serve(library(lists("thread_2")))
        archive.export(client_of(one), "thread_1", to)
        with pytest.raises(ValueError, match=f"filled from {one.url}, not from {other.url}"):
            archive.export(client_of(other), "thread_2", to)
        archive.export(client_of(other), "thread_2", to, merge=True)
        archive.export(client_of(one), "thread_1", to)
        assert archive.export(client_of(other), "thread_2", to).threads == 2

    def test_it_goes_on_where_it_was_ended(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """As if nothing had been: what was read is not asked for again."""
        say = library(both(*(lists(f"thread_{number}", step_count=1) for number in range(6))))
        server = serve(say)
        client = client_of(server)
        threads = [f"thread_{number}" for number in range(6)]

        class StopError(Exception):
            pass

        def stop(report: Report) -> None:
            if report.read > 8:
                raise StopError

        with pytest.raises(StopError):
            archive.export(client, threads, to, progress=stop, max_rate=40)
        first = len(server.requests)
        assert archive.verify(to).complete is False
        report = archive.export(client, threads, to)
        assert report.complete
        assert first + report.requests <= 6 * 6 + 1 + 4


class TestPatience:
    @pytest.mark.parametrize(
        "fault",
        [
            again(500), again(503), again(429), (RESET,), (CLOSE,), (b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE),
            answer(b"<html>come back later"), answer(b'{"data": [{"id": "a'), answer(b"{}"),
            answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
        ],
    )  # fmt: skip
    def test_each_request_has_five_further_attempts(
        self, serve: Serve, client_of: Clients, to: Path, fault: Script
    ) -> None:
        """After failures of the server, 429, where no whole answer comes, and where it cannot be read."""
        tries: dict[str, int] = {}
        say = library(lists())

        def fail(request: Request) -> Script:
            tries[request.path] = tries.get(request.path, 0) + 1
            return fault if tries[request.path] <= 5 else say(request)

        report = archive.export(client_of(serve(fail)), "thread_1", to)
        assert (report.errors, report.complete) == ({}, True)
        assert set(tries.values()) == {6}

    @pytest.mark.parametrize(
        ("options", "attempts"), [({}, 6), ({"max_retry_count": 0}, 1), ({"max_retry_count": 2}, 3)]
    )
    def test_the_client_may_say_how_many(
        self, serve: Serve, client_of: Clients, to: Path, options: dict[str, Any], attempts: int
    ) -> None:
        """0 too."""
        server = serve(again(500))
        report = archive.export(client_of(server, **options), "thread_1", to, messages=False)
        assert report.errors["thread_1"].attempts == attempts
        server.forget()
        archive.export(client_of(server).with_options(**options), "thread_1", to, messages=False)
        assert paths(server).count("/threads/thread_1/runs") == attempts

    def test_a_timeout_is_retried(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """With the client's limit for an attempt."""
        report = archive.export(client_of(serve(hangs_first()), timeout_sec=0.3), "thread_1", to)
        assert report.complete

    def test_an_attempt_from_which_nothing_comes_is_given_up(
        self, serve: Serve, client_of: Clients, to: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the client has no limit; a slow answer is not."""
        monkeypatch.setattr(_reader, "STALL_SEC", 0.3)
        say = hangs_first()

        def slowly(request: Request) -> Script:
            whole = say(request)
            if not isinstance(whole, bytes):
                return whole
            step = len(whole) // 5 + 1
            return tuple(part for at in range(0, len(whole), step) for part in (0.1, whole[at : at + step]))

        server = serve(slowly)
        report = archive.export(client_of(server), "thread_1", to)
        assert report.complete
        assert len(server.requests) == 2 * 7

    def test_nothing_answers_any_more(
        self, serve: Serve, client_of: Clients, to: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It ends; what is stored stays."""
        monkeypatch.setattr(_reader, "SILENCE_SEC", 0.3)
        with pytest.raises(facade.APIConnectionError, match=r"nothing was answered for 0\.3 s: .*cannot connect"):
            archive.export(client_of(refused_url(), max_retry_count=100), "thread_1", to)
        say = library(lists())
        to.unlink()

        def fall_silent(request: Request) -> Script:
            return (HANG,) if request.path.endswith("steps") else say(request)

        with pytest.raises(facade.APIConnectionError, match="nothing was answered"):
            archive.export(client_of(serve(fall_silent)), "thread_1", to)
        assert (len(texts(to, "runs")), len(texts(to, "messages"))) == (3, 3)

    def test_a_refused_key_ends_it_at_once(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """What is stored stays."""
        say = library(lists())
        server = serve(lambda request: error(401) if request.path.endswith("steps") else say(request))
        with pytest.raises(facade.AuthenticationError):
            archive.export(client_of(server), "thread_1", to)
        assert len(texts(to, "runs")) == 3
        assert len(server.requests) <= 8

    def test_the_deadline_bounds_the_whole(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """What is stored stays."""
        say = library(lists())
        server = serve(lambda request: (HANG,) if request.path.endswith("steps") else say(request))
        with pytest.raises(facade.APITimeoutError, match=r"deadline_sec=0\.5"):
            archive.export(client_of(server, deadline_sec=0.5), "thread_1", to)
        assert len(texts(to, "runs")) == 3

    def test_what_cannot_be_read_is_the_lists_error(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """After the further attempts; it stops nothing."""
        say = library(lists())
        server = serve(lambda request: answer(b"<html>") if request.path.endswith("/messages") else say(request))
        report = archive.export(client_of(server), "thread_1", to)
        assert isinstance(report.errors["thread_1"], facade.APIResponseError)
        assert "<html>" in str(report.errors["thread_1"])
        assert (report.steps, paths(server).count("/threads/thread_1/messages")) == (12, 6)

    def test_a_used_up_quota_is_not_retried(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Nor a wait that is too long."""
        for script in (error(429, code="insufficient_quota"), error(503, {"Retry-After": "900"})):
            report = archive.export(client_of(serve(script)), "thread_1", to, messages=False, merge=True)
            assert report.errors["thread_1"].attempts == 1

    def test_no_more_at_once_than_allowed(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Four at first, more as the server bears it."""
        say = library(lists(run_count=60, step_count=1))
        server = serve(lambda request: (0.01, say(request)))
        archive.export(client_of(server), "thread_1", to, concurrency=6)
        assert 4 < server.most_busy <= 6
        server = serve(lambda request: (0.01, say(request)))
        archive.export(client_of(server), "thread_1", to, concurrency=1, merge=True)
        assert server.most_busy == 1

    def test_keys_are_asked_for_each_attempt(self, serve: Serve, to: Path) -> None:
        """As Entra tokens are, in a thread that may block; what the function raises is raised."""
        server = serve(library(lists()))
        keys = iter(range(1000))

        def key() -> str:
            assert threading.current_thread() is not threading.main_thread()
            return f"token-{next(keys)}"

        with facade.Client(key, api_base=server.url) as client:
            report = archive.export(client, "thread_1", to)
        assert len({request.headers["authorization"] for request in server.requests}) == report.requests == 7

        def fail() -> str:
            raise LookupError("no token")

        with facade.Client(fail, api_base=server.url) as client, pytest.raises(LookupError, match="no token"):
            archive.export(client, "thread_1", to)


class TestTheCall:
    def test_progress_comes_to_the_calling_thread(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """With counts that only grow."""
        seen: list[tuple[threading.Thread, Report]] = []
        say = library(lists(run_count=30, step_count=1))
        server = serve(lambda request: (0.02, say(request)))
        archive.export(
            client_of(server), "thread_1", to, progress=lambda report: seen.append((threading.current_thread(), report))
        )
        reports = [report for _, report in seen]
        assert len(seen) > 2
        assert {thread for thread, _ in seen} == {threading.current_thread()}
        assert [report.read for report in reports] == sorted(report.read for report in reports)
        assert (reports[-1].runs, reports[-1].steps, reports[-1].threads) == (30, 30, 1)
        assert reports[-1].done == reports[-1].expected == 34

    def test_it_works_inside_an_event_loop(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """As in a notebook."""

        async def main() -> Report:
            return archive.export(client_of(serve(library(lists()))), "thread_1", to)

        assert asyncio.run(main()).complete

    def test_a_transport_of_the_callers_own(self, to: Path) -> None:
        """Is asked in threads: it may block."""
        having = lists()
        say = library(having)

        def handle(request: httpx.Request) -> httpx.Response:
            assert threading.current_thread() is not threading.main_thread()
            head = f"GET {request.url.raw_path.decode()} HTTP/1.1\r\n\r\n"
            status, _, body = say(Request(head.encode(), 1, 1)).partition(b"\r\n\r\n")
            return httpx.Response(int(status.split(b" ")[1]), content=body)

        with facade.Client(KEY, api_base="https://x.test/v1", transport=httpx.MockTransport(handle)) as client:
            assert archive.export(client, "thread_1", to).complete

    def test_an_archive_can_be_exported_into_another(
        self, serve: Serve, client_of: Clients, to: Path, tmp_path: Path
    ) -> None:
        """To the letter."""
        archive.export(client_of(serve(library(lists()))), "thread_1", to)
        with archive.client(to) as reader:
            assert archive.export(reader, [], tmp_path / "b.db", all_threads=True).complete
        for kind in ("threads", "messages", "runs", "steps", "assistants"):
            assert texts(to, kind) == texts(tmp_path / "b.db", kind)

    @pytest.mark.parametrize(
        ("arguments", "kind", "words"),
        [
            ({"threads": ["run_1"]}, ValueError, "id of a run"),
            ({"threads": [""]}, ValueError, "no id"),
            ({"threads": 7}, TypeError, "not iterable"),
            ({"to": None}, TypeError, "name the file"),
            ({"concurrency": 0}, ValueError, "1 to 64"),
            ({"max_rate": 0}, ValueError, "more than 0"),
            ({"max_rate": float("nan")}, ValueError, "more than 0"),
            ({"max_rate": "9"}, TypeError, "a number"),
            ({"include": [""]}, ValueError, "names no field"),
        ],
    )
    def test_bad_arguments_are_refused_before_any_request(
        self, client_of: Clients, to: Path, arguments: dict[str, Any], kind: type[Exception], words: str
    ) -> None:
        """And no file is made."""
        options = {"threads": ["thread_1"], "to": to, **arguments}
        with pytest.raises(kind, match=words):
            archive.export(client_of(refused_url()), **options)
        assert not to.exists()

    def test_only_an_open_client_will_do(self, client_of: Clients, to: Path) -> None:
        """Not an async one."""
        client = client_of(refused_url())
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            archive.export(client, "thread_1", to)
        with pytest.raises(TypeError, match=r"facade\.Client"):
            archive.export(facade.AsyncClient(KEY, api_base=refused_url()), "thread_1", to)  # type: ignore[arg-type]

    def test_what_is_no_archive_is_left_as_it_is(self, client_of: Clients, to: Path) -> None:
        """Any other file."""
        to.write_text("a diary")
        with pytest.raises(archive.DamagedError):
            archive.export(client_of(refused_url()), "thread_1", to)
        assert to.read_text() == "a diary"
        assert [file.name for file in to.parent.iterdir()] == ["a.db"]

    def test_one_export_at_a_time(self, serve: Serve, client_of: Clients, to: Path) -> None:
        """Another one into the same file fails at once, and does no harm; readers go on."""
        client = client_of(serve(library(lists())))
        seen = []

        def meanwhile(report: Report) -> None:
            with pytest.raises(archive.BusyError):
                archive.export(client, "thread_1", to)
            archive.verify(to)
            seen.append(report)

        assert archive.export(client, "thread_1", to, progress=meanwhile).complete
        assert seen

    def test_a_full_disk_is_one_error(
        self, serve: Serve, client_of: Clients, to: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was written before stays, and the next export goes on."""
        client = client_of(serve(library(lists())))
        with Store(to) as store:
            pages = store.rows("PRAGMA page_count")[0][0]
        connect = sqlite3.connect

        def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", small)
            with pytest.raises(OSError, match=r"full.*make room"):
                archive.export(client, "thread_1", to)
        assert archive.verify(to).complete is False
        assert archive.export(client, "thread_1", to).complete
