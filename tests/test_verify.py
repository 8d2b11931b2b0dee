"""Whether an archive is what was put into it: what `verify` finds, and what it says of a whole one."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from facade.archive import BusyError, DamagedError, verify
from facade.archive import _verify as module
from facade.server import Store, write_sample


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """An archive with the sample."""
    path = tmp_path / "s.db"
    write_sample(path)
    return path


def damage(path: Path, sql: str) -> None:
    """Change an archive behind its back."""
    connection = sqlite3.connect(path)
    connection.executescript(f"PRAGMA writable_schema = ON; {sql}")
    connection.commit()
    connection.close()


def problems(path: Path) -> str:
    """What is found wrong with a damaged archive."""
    with pytest.raises(DamagedError, match=path.name) as caught:
        verify(path)
    return "\n".join(caught.value.problems)


def test_a_consistent_archive_is_counted(sample: Path) -> None:
    """Objects, the file's size, the runs that are still going on; with these it is not complete."""
    report = verify(sample)
    assert (report.threads, report.runs, report.steps, report.messages, report.assistants) == (4, 14, 20, 22, 1)
    assert report.unfinished == tuple(f"run_bakery_{number:02}" for number in (9, 10, 11, 12))
    assert (report.bytes, report.requests, report.errors) == (sample.stat().st_size, 0, {})
    assert report.complete is False


def test_an_archive_is_complete_when_nothing_is_missing(tmp_path: Path) -> None:
    """Each thread's runs were read to their end, and each run's steps; threads known by their ids do not count."""
    with Store(tmp_path / "s.db") as store:
        store.add(runs=['{"id": "run_1", "thread_id": "thread_t", "status": "completed"}'])
        assert verify(tmp_path / "s.db").complete is False
        with store.transaction():
            store.note("threads", "thread_t", "absent")
            store.note_list("runs", "thread_t", state="complete")
            store.note_list("steps", "thread_t", "run_1", state="complete")
        report = verify(tmp_path / "s.db")
        assert (report.complete, report.threads) == (True, 0)
        with store.transaction():
            store.note_list("messages", "thread_t", state="failed", error="500: try again")
        report = verify(tmp_path / "s.db")
    assert (report.complete, {name: str(error) for name, error in report.errors.items()}) == (
        False,
        {"thread_t": "500: try again"},
    )


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM steps WHERE id = 'step_bakery_01_1'", "20 steps were stored, 19 are here"),
        ("DELETE FROM steps WHERE id = 'step_bakery_01_1'", "2 steps of run 'run_bakery_01' of thread"),
        ("DELETE FROM messages WHERE id = 'msg_flour'", "22 messages were stored, 21 are here"),
        ("DELETE FROM runs WHERE id = 'run_bakery_04'", "14 runs were stored, 13 are here"),
        ("DELETE FROM runs WHERE id = 'run_bakery_01'", "a row of steps belongs to one of runs that is not here"),
        ("DELETE FROM threads WHERE id = 'thread_bakery_new'", "4 threads were stored, 3 are here"),
        ("DELETE FROM assistants", "1 assistants were stored, 0 are here"),
        ("DELETE FROM lists WHERE run_id = 'run_bakery_04'", "lists were stored"),
        ("DELETE FROM counts WHERE name = 'runs'", "0 runs were stored, 14 are here"),
        ("UPDATE steps SET json = replace(json, 'rye', 'Rye')", "its text is not what was stored"),
        ("UPDATE runs SET sha256 = zeroblob(32) WHERE key = 3", "run 'run_bakery_03': its text is not"),
        ("UPDATE threads SET json = NULL WHERE key = 1", "thread 'thread_bakery': its text or its digest is missing"),
        ("UPDATE runs SET created_at = created_at + 1 WHERE key = 3", "its columns say something else"),
        ("UPDATE runs SET status = 'queued' WHERE key = 3", "its columns say something else"),
        ("UPDATE messages SET run_id = NULL", "its columns say something else"),
        ("UPDATE messages SET id = 'msg_x' WHERE id = 'msg_flour'", "message 'msg_x': its text is another object's"),
        ("UPDATE lists SET include = '[' WHERE run_id = 'run_bakery_01'", "what is noted of the steps of thread"),
        ("UPDATE lists SET cursor = 'run_x' WHERE kind = 'runs'", "what is noted of the runs of thread"),
        ("UPDATE lists SET cursor = x'ff' WHERE kind = 'runs'", "what is noted of the runs of thread"),
        ("INSERT INTO meta VALUES ('export', x'ff', x'00')", "export of the archive is not what was stored"),
        ("INSERT INTO contents VALUES (1, x'00', 7)", "the content of  is not"),
        ("INSERT INTO files VALUES ('f', 'absent', NULL, 1, 'text', x'00')", "what is noted of file 'f'"),
        ("UPDATE threads SET error = 'no' WHERE key = 1", "what is noted of thread 'thread_bakery'"),
        ("INSERT INTO meta VALUES ('api_base', 'http://x', x'00')", "api_base of the archive is not"),
        ("DROP TABLE messages", "the definition of messages is missing"),
        ("DROP INDEX runs_in_order", "the definition of runs_in_order is missing"),
        ("UPDATE sqlite_master SET sql = replace(sql, 'status', 'Status') WHERE name = 'run_facts'", "not what it was"),
    ],
)
def test_each_kind_of_damage_is_named(sample: Path, sql: str, words: str) -> None:
    """Missing rows by table and by list, changed texts, columns and tables."""
    damage(sample, sql)
    assert words in problems(sample)


def test_a_changed_byte_is_found_wherever_something_is_kept(sample: Path) -> None:
    """Any byte of the file but the unused ones, which SQLite leaves zero."""
    whole = sample.read_bytes()
    # Of the header, these count the changes and versions: who reads ignores them.
    idle = {
        *range(18, 24),
        *range(24, 28),
        *range(28, 32),
        *range(36, 40),
        *range(40, 44),
        *range(48, 56),
        *range(92, 100),
    }
    used = [place for place, byte in enumerate(whole) if byte and place not in idle]
    missed = []
    for place in random.Random(1).sample(used, 150):
        sample.write_bytes(whole[:place] + bytes([whole[place] ^ 0x04]) + whole[place + 1 :])
        try:
            verify(sample)
            missed.append((place, whole[place - 20 : place + 20]))
        except DamagedError:
            pass
    assert missed == []


@pytest.mark.parametrize("left", [0, 1, 100, 512, 4096, 40_000, -4096, -1000, -1])
def test_a_file_that_was_cut_short_is_damaged(sample: Path, left: int) -> None:
    """Wherever it was cut."""
    sample.write_bytes(sample.read_bytes()[: left if left >= 0 else sample.stat().st_size + left])
    problems(sample)


def test_something_behind_the_file_is_found(sample: Path) -> None:
    """As where two files were joined."""
    sample.write_bytes(sample.read_bytes() + b"\0" * 4096)
    assert "something was added" in problems(sample)


@pytest.mark.parametrize("content", [None, b"", b"no archive, only text " * 100, b"SQLite format 3\0"])
def test_what_is_no_archive_is_damaged(tmp_path: Path, content: bytes | None) -> None:
    """A missing file too."""
    if content is not None:
        (tmp_path / "s.db").write_bytes(content)
    problems(tmp_path / "s.db")


def test_an_archive_can_be_written_while_it_is_verified(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check waits for nobody, and nobody for it, between one batch of rows and the next."""
    monkeypatch.setattr(module, "_BATCH", 1)
    found = module._problem_of
    written: list[Any] = []

    def write_on(*arguments: object) -> str | None:
        run_id = f"run_new_{len(written)}"
        if len(written) < 20:
            with Store(sample, busy_timeout_sec=0) as store:
                store.add(runs=[{"id": run_id, "thread_id": "thread_bakery", "created_at": 1}])
            written.append(run_id)
        return found(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_problem_of", write_on)
    assert verify(sample).runs == 14 + 20


def test_a_file_that_another_process_holds_is_busy(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a patient wait."""
    monkeypatch.setattr(module, "Store", lambda path, **options: Store(path, **options, busy_timeout_sec=0))
    holder = sqlite3.connect(sample, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyError, match=r"s\.db"):
        verify(sample)
    holder.close()
