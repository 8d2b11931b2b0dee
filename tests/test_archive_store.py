"""The archive's file: what is kept, how it is found again, and what the file stands."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from facade.archive import BusyError, DamagedError, verify
from facade.archive._columns import row_of
from facade.archive._store import ListState
from facade.server import NotStoredError, Store, UnknownCursorError, write_sample
from facade.server.sample_parts import SAMPLE_THREAD_ID


def a_run(number: int, **fields: Any) -> dict[str, Any]:
    """A run of the thread "thread_t" with only what a store needs."""
    return {"id": f"run_{number}", "thread_id": "thread_t", "created_at": 1700000000 + number, **fields}


class TestStore:
    def test_text_is_kept_to_the_letter(self, tmp_path: Path) -> None:
        """Spacing, big integers, number spellings and lone surrogates come back as they were added."""
        text = (
            '{ "id": "run_1", "thread_id": "thread_t", "created_at": 1.0e3, "n": 12345678901234567890, "s": "\\ud800" }'
        )
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[text])
            assert store.run("thread_t", "run_1").json == text
            assert store.runs("thread_t").data[0].json == text

    def test_an_object_added_again_is_replaced_in_its_place(self, tmp_path: Path) -> None:
        """The second version of a run stands where the first stood."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(n, created_at=5) for n in (1, 2, 3)])
            store.add(runs=[a_run(2, created_at=5, status="completed")])
            page = store.runs("thread_t", order="asc")
        assert [item.id for item in page.data] == ["run_1", "run_2", "run_3"]
        assert json.loads(page.data[1].json)["status"] == "completed"

    def test_order_is_by_creation_then_arrival(self, tmp_path: Path) -> None:
        """Equal times, and times that are no numbers, leave the order of arrival."""
        runs = [a_run(1, created_at=9), a_run(2, created_at=None), a_run(3, created_at=9.5), a_run(4, created_at=9)]
        with Store(tmp_path / "s.db") as store:
            store.add(runs=runs)
            assert [item.id for item in store.runs("thread_t", order="asc").data] == [
                "run_2",
                "run_1",
                "run_4",
                "run_3",
            ]
            assert [item.id for item in store.runs("thread_t").data] == ["run_3", "run_4", "run_1", "run_2"]

    def test_adding_is_all_or_nothing(self, tmp_path: Path) -> None:
        """A step whose run is unknown is named, and nothing of its call is kept."""
        step = {"id": "step_1", "thread_id": "thread_t", "run_id": "run_9"}
        with Store(tmp_path / "s.db") as store:
            with pytest.raises(
                NotStoredError, match="No run 'run_9' of that thread is in this archive: check both ids"
            ):
                store.add(runs=[a_run(1)], steps=[step])
            assert store.thread_ids() == []

    @pytest.mark.parametrize(
        "odd", ["[]", "{", '{"id": 1, "thread_id": "t"}', '{"id": "r"}', '{"id": "r", "x": NaN}', "7"]
    )
    def test_what_is_no_object_with_ids_is_refused(self, tmp_path: Path, odd: str) -> None:
        """Text that is not a JSON object with its ids is a ValueError."""
        with Store(tmp_path / "s.db") as store, pytest.raises(ValueError, match=r"needs id|not JSON|Expecting"):
            store.add(runs=[odd])

    def test_a_file_that_is_no_such_database_is_refused(self, tmp_path: Path) -> None:
        """Missing, foreign and non-database files are told apart, and left alone."""
        with pytest.raises(FileNotFoundError, match=r"gone\.db"):
            Store(tmp_path / "gone.db", read_only=True)
        (tmp_path / "text.db").write_text("no database at all, only text " * 50)
        foreign = sqlite3.connect(tmp_path / "foreign.db")
        foreign.execute("CREATE TABLE cats (name)")
        foreign.close()
        for name in ("text.db", "foreign.db"):
            before = (tmp_path / name).read_bytes()
            with pytest.raises(ValueError, match=name):
                Store(tmp_path / name)
            assert (tmp_path / name).read_bytes() == before

    @pytest.mark.parametrize("arguments", [{"limit": 0}, {"order": "up"}])
    def test_bad_paging_is_refused(self, tmp_path: Path, arguments: dict[str, Any]) -> None:
        """A limit below 1 and an unknown order are ValueErrors."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(1)])
            with pytest.raises(ValueError, match="limit must be 1 or more"):
                store.runs("thread_t", **arguments)

    def test_a_late_page_costs_what_the_first_costs(self, tmp_path: Path) -> None:
        """SQLite's work for a page does not grow with the distance from the start, even when all times are equal."""
        work = [0]

        def count() -> None:
            work[0] += 1

        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(n, created_at=5) for n in range(5000)])
            store._connection.set_progress_handler(count, 10)  # called for each ten steps of SQLite's machine
            store.runs("thread_t", order="asc", limit=10)
            first = work[0]
            store.runs("thread_t", order="asc", limit=10, after="run_4900")
            store.runs("thread_t", order="asc", limit=10, after="run_100", before="run_4900")
        assert work[0] - first < 10 * first

    def test_an_unknown_cursor_is_named(self, tmp_path: Path) -> None:
        """A cursor that the list doesn't have is an error that says which."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(1)])
            with pytest.raises(UnknownCursorError, match="run_7") as caught:
                store.runs("thread_t", before="run_7")
        assert (caught.value.parameter, caught.value.id) == ("before", "run_7")


class TestAdding:
    def test_an_iterable_is_read_before_anything_is_locked(self, tmp_path: Path) -> None:
        """While a walk is still being read, somebody else can write into the file."""
        path = tmp_path / "s.db"

        def walk() -> Iterator[dict[str, Any]]:
            yield a_run(1)
            with Store(path, busy_timeout_sec=0) as other:
                other.add(runs=[a_run(2)])
            yield a_run(3)

        with Store(path) as store:
            store.add(runs=walk())
            assert {item.id for item in store.runs("thread_t").data} == {"run_1", "run_2", "run_3"}

    @pytest.mark.parametrize(
        "odd",
        [
            a_run(1, created_at=10**400),
            '{"id": "run_1", "thread_id": "thread_t", "created_at": 1' + "0" * 5000 + "}",
            '{"id": "run_1", "thread_id": "thread_t", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
            a_run(1, tags={1, 2}),
            a_run(1, x=float("inf")),
            '{"id": "run_1", "thread_id": "thread_t", "s": "\ud800"}',
            7,
        ],
    )
    def test_what_cannot_be_kept_is_a_value_error(self, tmp_path: Path, odd: Any) -> None:
        """Numbers beyond time, nesting beyond reading, what JSON has no form for: nothing of it is kept."""
        with Store(tmp_path / "s.db") as store:
            with pytest.raises(ValueError, match=r"."):
                store.add(runs=[a_run(2), odd])
            assert store.thread_ids() == []

    def test_messages_bring_their_thread_and_threads_may_be_unknown(self, tmp_path: Path) -> None:
        """A thread that is known by its id only is no object to be read or listed."""
        with Store(tmp_path / "s.db") as store:
            store.add(messages=[{"id": "msg_1", "thread_id": "thread_t", "run_id": "run_1"}], assistants=['{"id":"a"}'])
            assert store.thread_ids() == ["thread_t"]
            assert store.threads().data == []
            with pytest.raises(NotStoredError, match="thread_t"):
                store.thread("thread_t")
            store.add(threads=['{"id": "thread_t"}'])
            assert [store.thread("thread_t")] == store.threads().data
            assert [item.id for item in store.messages("thread_t", run_id="run_1").data] == ["msg_1"]
            assert store.messages("thread_t", run_id="run_2").data == []
            assert store.assistant("a").json == '{"id":"a"}'

    def test_what_a_server_sent_is_kept_however_odd(self, tmp_path: Path) -> None:
        """`put` has no opinion of times; what has no use as one counts as none."""
        value = a_run(1, created_at=10**400, status=7)
        with Store(tmp_path / "s.db") as store, store.transaction():
            store.put("runs", json.dumps(value), value, thread_id="thread_t")
            assert json.loads(store.run("thread_t", "run_1").json) == value

    def test_the_state_of_a_list_is_kept_beside_its_count(self, tmp_path: Path) -> None:
        """Noting how far a list was read and adding to it leave one another alone."""
        with Store(tmp_path / "s.db") as store:
            assert store.list_state("runs", "thread_t") == ListState()
            with store.transaction():
                store.note_list("runs", "thread_t", state="open", cursor="run_1", include=["b", "a", "b"])
            store.add(runs=[a_run(1), a_run(2)])
            store.add(runs=[a_run(2)])
            assert store.list_state("runs", "thread_t") == ListState("open", "run_1", ("a", "b"), None, 2)
            with store.transaction():
                store.note_list("runs", "thread_t", state="failed", error="gone")
            assert store.list_state("runs", "thread_t") == ListState("failed", None, (), "gone", 2)
            assert store.counts()["runs"] == 2

    def test_what_comes_twice_leaves_every_object_a_place_of_its_own(self, tmp_path: Path) -> None:
        """Overlapping pages of objects of one second: a walk in pages of one misses none, in order of arrival."""
        with Store(tmp_path / "s.db") as store:
            for numbers in ((1, 2, 3), (2, 3, 4), (5,), (3, 5, 6, 7), (8,)):
                runs = [a_run(number, created_at=5) for number in numbers]
                with store.transaction():
                    store.put_many(
                        "runs", [row_of("runs", json.dumps(run), run, {"thread_id": "thread_t"}) for run in runs]
                    )
            found, after = [], None
            while data := store.runs("thread_t", limit=1, order="asc", after=after).data:
                after = data[0].id
                found.append(after)
        assert found == [f"run_{number}" for number in range(1, 9)]

    def test_what_is_known_of_an_assistant_stays_known(self, tmp_path: Path) -> None:
        """That a run names it says nothing new; that the server has none leaves what is here."""
        states = []
        with Store(tmp_path / "s.db") as store:
            for state in ("open", "absent", "open", "complete", "open"):
                with store.transaction():
                    store.note("assistants", "asst_1", state)
                states += store.rows("SELECT state FROM assistants")
        assert [state for (state,) in states] == ["open", "absent", "absent", "complete", "complete"]

    def test_a_failed_transaction_leaves_nothing(self, tmp_path: Path) -> None:
        """Objects and notes alike."""
        with Store(tmp_path / "s.db") as store:
            try:
                with store.transaction():
                    store.put("runs", json.dumps(a_run(1)), a_run(1), thread_id="thread_t")
                    store.note_list("runs", "thread_t", state="complete")
                    store.set_meta("api_base", "https://host.example/v1")
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
            assert (store.thread_ids(), store.meta("api_base")) == ([], None)
            assert store.list_state("runs", "thread_t") == ListState()


class TestViews:
    def test_the_owner_can_ask_in_sql(self, tmp_path: Path) -> None:
        """Views give what is worth asking for; what SQLite cannot read is NULL there and not an error."""
        write_sample(tmp_path / "s.db")
        deep = '{"id": "run_deep", "x": ' + "[" * 2500 + "]" * 2500 + "}"
        with Store(tmp_path / "s.db") as store, store.transaction():
            store.put("runs", deep, {"id": "run_deep"}, thread_id="thread_bakery")
        connection = sqlite3.connect(tmp_path / "s.db")
        tokens = dict(connection.execute("SELECT status, sum(total_tokens) FROM run_facts GROUP BY status"))
        types = dict(connection.execute("SELECT type, count(*) FROM step_facts GROUP BY type"))
        ((role, text),) = connection.execute("SELECT role, text FROM message_facts WHERE message_id = 'msg_flour'")
        connection.close()
        assert tokens["completed"] == 1480 + 96 + 2310 + 402 + 3905 + 518 + 820 + 95 + 640 + 72
        assert types == {"tool_calls": 12, "message_creation": 8}
        assert (role, text[:8]) == ("assistant", "192.2 kg")


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
class TestModes:
    @pytest.mark.parametrize("umask", [0, 0o777])
    def test_file_journal_and_lock_are_the_owners_alone(self, tmp_path: Path, umask: int) -> None:
        """Whatever the umask."""
        path = tmp_path / "s.db"
        before = os.umask(umask)
        try:
            with Store(path) as store, store.writing(), store.transaction():
                store.set_meta("name", "value")
                modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        finally:
            os.umask(before)
        assert modes == {"s.db": 0o600, "s.db-journal": 0o600, "s.db.lock": 0o600}

    def test_a_file_that_was_there_is_closed_to_others(self, tmp_path: Path) -> None:
        """An empty file that others could read is so no more once something is written into it."""
        path = tmp_path / "s.db"
        path.touch(0o644)
        Store(path).close()
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_file_that_cannot_be_written_can_be_read(self) -> None:
        """As on a medium for reading only; nothing is left beside it."""
        program = (
            "import os, sys; from facade.archive import verify\n"
            "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"  # root may write everywhere
            "print(verify(sys.argv[1]).runs, os.access(sys.argv[1], os.W_OK, effective_ids=True))"
        )
        with tempfile.TemporaryDirectory() as folder:  # pytest's own lies in one that nobody else may enter
            path = Path(folder) / "s.db"
            write_sample(path)
            path.chmod(0o444)
            path.parent.chmod(0o555)
            command = [sys.executable, "-c", program, str(path)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            left = [file.name for file in path.parent.iterdir()]
            path.parent.chmod(0o755)
        assert (result.stdout, result.stderr, left) == ("14 False\n", "", ["s.db"])


class TestOneWriter:
    def test_a_second_writer_is_told_at_once(self, tmp_path: Path) -> None:
        """In this process as in another; when the first has ended the file is free, and no lock lies about."""
        path = tmp_path / "s.db"
        with Store(path) as first, Store(path) as second:
            with first.writing():
                with pytest.raises(BusyError, match=r"s\.db"), second.writing():
                    pass
                assert second.thread_ids() == []
            with second.writing():
                pass
        assert [file.name for file in tmp_path.iterdir()] == ["s.db"]

    def test_a_killed_writer_keeps_nobody_out(self, tmp_path: Path) -> None:
        """The system takes the lock from it."""
        path = tmp_path / "s.db"
        with killed_at_work(path, "with store.writing():"):
            pass
        with Store(path) as store, store.writing():
            pass

    def test_a_link_to_a_file_is_that_file(self, tmp_path: Path) -> None:
        """Two names of one archive have one writer."""
        Store(tmp_path / "s.db").close()
        (tmp_path / "link.db").symlink_to("s.db")
        with Store(tmp_path / "s.db") as one, Store(tmp_path / "link.db") as other, one.writing():  # noqa: SIM117
            with pytest.raises(BusyError), other.writing():
                pass


@contextmanager
def killed_at_work(path: Path, block: str) -> Iterator[None]:
    """A process that works in a block of a Store named `store`, for as long as the context lasts; then it is killed."""
    program = (
        "import sys, time; from facade.server import Store\n"
        "with Store(sys.argv[1]) as store:\n"
        f"  {block}\n"
        "    print('working', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"working\n"
        try:
            yield
        finally:
            process.kill()


class TestHalfWritten:
    SPILLING = """store._connection.executescript("PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
  with store.transaction():
    store._connection.execute("UPDATE runs SET json = replace(json, 'queued', 'broken')")
    store._connection.execute("UPDATE steps SET json = json || zeroblob(9000)")"""

    @pytest.mark.parametrize("read_only", [True, False])
    def test_what_a_killed_writer_left_is_taken_back(self, tmp_path: Path, read_only: bool) -> None:
        """A file that was being changed when its writer was killed reads as before, at once, for a reader too."""
        path = tmp_path / "s.db"
        write_sample(path)
        before = path.read_bytes()
        with killed_at_work(path, self.SPILLING):
            pass
        assert path.read_bytes() != before
        assert (tmp_path / "s.db-journal").stat().st_size > 0
        with Store(path, read_only=read_only) as store:
            assert '"queued"' in store.run(SAMPLE_THREAD_ID, "run_bakery_12").json
        assert verify(path).runs == 14

    def test_a_file_that_was_never_written_to_the_end_is_no_archive_yet(self, tmp_path: Path) -> None:
        """Only its making was begun: a reader is told, a writer begins anew."""
        (tmp_path / "s.db").touch()
        with pytest.raises(DamagedError, match="empty"):
            Store(tmp_path / "s.db", read_only=True)
        with Store(tmp_path / "s.db") as store:
            assert store.thread_ids() == []


class TestVersions:
    OLD = """
        CREATE TABLE threads (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, json TEXT
        );
        CREATE TABLE runs (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL, thread_id TEXT NOT NULL REFERENCES threads (id),
            created_at REAL NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (thread_id, id)
        );
        CREATE TABLE steps (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL, thread_id TEXT NOT NULL, run_id TEXT NOT NULL,
            created_at REAL NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (thread_id, run_id, id),
            FOREIGN KEY (thread_id, run_id) REFERENCES runs (thread_id, id)
        );
        CREATE INDEX runs_in_order ON runs (thread_id, created_at, seq);
        CREATE INDEX steps_in_order ON steps (thread_id, run_id, created_at, seq);
        PRAGMA user_version = 1;
    """

    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        """A file of version 1, with two threads, one of them known by its run only."""
        path = tmp_path / "old.db"
        connection = sqlite3.connect(path)
        connection.executescript(self.OLD)
        run = '{"id": "run_%d", "thread_id": "thread_t", "created_at": 5.0, "status": "queued", "n": 1.00}'
        step = '{"id":"step_1","thread_id":"thread_t","run_id":"run_1"}'
        connection.executescript(f"""
            PRAGMA application_id = {0x7468726E};
            INSERT INTO threads VALUES (1, 'thread_a', 3.0, '{{"id": "thread_a", "created_at": 3}}');
            INSERT INTO threads VALUES (2, 'thread_t', 0.0, NULL);
            INSERT INTO runs VALUES (1, 'run_2', 'thread_t', 5.0, 1, '{run % 2}');
            INSERT INTO runs VALUES (2, 'run_1', 'thread_t', 5.0, 2, '{run % 1}');
            INSERT INTO steps VALUES (1, 'step_1', 'thread_t', 'run_1', 0.0, 1, '{step}');
        """)
        connection.close()
        return path

    def check(self, store: Store) -> None:
        """What the old file had is there, in its order."""
        assert store.thread_ids() == ["thread_a", "thread_t"]
        assert [item.id for item in store.runs("thread_t", order="asc").data] == ["run_2", "run_1"]
        assert '"n": 1.00' in store.run("thread_t", "run_1").json
        assert [item.id for item in store.steps("thread_t", "run_1").data] == ["step_1"]

    def test_an_older_file_is_read_and_left_as_it_is(self, old: Path) -> None:
        """A reader changes nothing."""
        before = old.read_bytes()
        with Store(old, read_only=True) as store:
            self.check(store)
        assert verify(old).steps == 1
        assert old.read_bytes() == before

    def test_an_older_file_is_brought_up_to_date_by_its_next_writer(self, old: Path) -> None:
        """And is an archive like any other then."""
        with Store(old) as store:
            self.check(store)
            store.add(messages=['{"id": "msg_1", "thread_id": "thread_t"}'])
            assert store.list_state("runs", "thread_t").kept == 2
        report = verify(old)
        assert (report.threads, report.runs, report.steps, report.messages) == (1, 2, 1, 1)

    def test_what_triggers_counted_once_is_counted_once(self, tmp_path: Path) -> None:
        """Version 2 counted each row of a list by a trigger."""
        path = tmp_path / "s.db"
        write_sample(path)
        connection = sqlite3.connect(path)
        for kind in ("messages", "runs", "steps"):
            count = f"INSERT INTO counts VALUES ('{kind}', 1) ON CONFLICT (name) DO UPDATE SET count = count + 1;"
            connection.execute(f"CREATE TRIGGER {kind}_counted AFTER INSERT ON {kind} BEGIN {count} END")
        connection.execute("PRAGMA user_version = 2")
        connection.close()
        before = verify(path)
        with Store(path) as store:
            store.add(runs=['{"id": "run_new", "thread_id": "thread_new"}'])
        assert verify(path).runs == before.runs + 1

    def test_a_newer_file_is_refused(self, tmp_path: Path) -> None:
        """And left as it is."""
        path = tmp_path / "s.db"
        write_sample(path)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 4")
        connection.close()
        before = path.read_bytes()
        for read_only in (True, False):
            with pytest.raises(DamagedError, match="newer version"):
                Store(path, read_only=read_only)
        assert path.read_bytes() == before

    def test_another_programs_database_is_not_even_opened(self, tmp_path: Path) -> None:
        """Opening one that keeps a write-ahead log would change it."""
        path = tmp_path / "cats.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE cats (name)")
        connection.execute("INSERT INTO cats VALUES ('Tom')")
        connection.commit()
        for file in tmp_path.iterdir():
            shutil.copy(file, tmp_path / file.name.replace("cats", "copy"))
        connection.close()
        before = {file.name: file.read_bytes() for file in tmp_path.glob("copy*")}
        for read_only in (True, False):
            with pytest.raises(DamagedError, match=r"copy\.db"):
                Store(tmp_path / "copy.db", read_only=read_only)
        assert {file.name: file.read_bytes() for file in tmp_path.glob("copy*")} == before

    @pytest.mark.parametrize("read_only", [True, False])
    def test_a_folder_is_no_archive(self, tmp_path: Path, read_only: bool) -> None:
        """Nor is anything else that is no file."""
        with pytest.raises(DamagedError, match="is no file"):
            Store(tmp_path, read_only=read_only)
