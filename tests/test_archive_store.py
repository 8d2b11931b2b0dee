"""The archive's file: what is kept, how it is found again, and what the file stands."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from facade.server import NotStoredError, Store, UnknownCursorError


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
