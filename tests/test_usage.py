"""What runs used, summed: equal to the sums of the source, and never stopped by odd data."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from timeline_sample import an_odd_thread

import facade
from facade import archive, usage
from facade.server import write_sample

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("usage") / "archive.db"
    write_sample(path)
    return path


def runs_in(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        return [json.loads(text) for (text,) in connection.execute("SELECT json FROM runs")]


def run(**fields: Any) -> facade.Run:
    return facade.Run.from_dict({"id": "run_1", "thread_id": "thread_1", **fields})


@pytest.mark.parametrize(
    ("by", "key"),
    [("thread", "thread_id"), ("run", "id"), ("assistant", "assistant_id"), ("model", "model")],
)
def test_sums_equal_those_of_the_source(sample: Path, by: str, key: str) -> None:
    """By each column the runs, tokens and failures are what the file's own objects add up to."""
    expected: dict[Any, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("runs", "failed", *TOKENS), 0))
    for item in runs_in(sample):
        row = expected[item[key]]
        row["runs"] += 1
        row["failed"] += item["status"] == "failed"
        for name in TOKENS:
            row[name] += (item["usage"] or {}).get(name) or 0
    with archive.client(sample) as client:
        rows = usage.summed(client.runs.all(archive.thread_ids(sample)), by)
    found = {row.key: {name: getattr(row, name) for name in ("runs", "failed", *TOKENS)} for row in rows}
    assert found == expected
    assert sum(row.total_tokens for row in rows) > 0
    assert [row.total_tokens for row in rows] == sorted((row.total_tokens for row in rows), reverse=True)


def test_a_day_is_one_of_utc_and_days_come_in_order() -> None:
    """A run is of the UTC day in which it was created, by seconds or milliseconds; one without a time of none."""
    times = [1_748_822_399, 1_748_822_400_000, 1_748_736_000.5, "yesterday", None, 10**400]
    rows = usage.summed([run(created_at=time) for time in times], "day")
    assert [(row.key, row.runs) for row in rows] == [(None, 3), ("2025-06-01", 2), ("2025-06-02", 1)]


def test_a_key_of_the_metadata() -> None:
    """Everything behind `metadata.` is the key; runs without it are a row of their own."""
    runs = [run(metadata={"a.b": "x"}), run(metadata={"a.b": "y"}), run(metadata={"a.b": "x"}), run(metadata=None)]
    rows = usage.summed(runs, "metadata.a.b")
    assert {row.key: row.runs for row in rows} == {"x": 2, "y": 1, None: 1}


def test_seconds_are_from_the_start_to_the_end() -> None:
    """Of a run that never started, from its creation; of one that goes on, none; of one that expired, to then."""
    runs = [
        run(created_at=100, started_at=110, completed_at=115, status="completed"),
        run(created_at=100, cancelled_at=101, status="cancelled"),
        run(created_at=100, started_at=101, expires_at=700, status="in_progress"),
        run(created_at=100, started_at=101, expires_at=131, status="expired"),
    ]
    [row] = usage.summed(runs)
    assert (row.runs, row.seconds, row.cancelled, row.expired) == (4, 36, 1, 1)


def test_what_is_null_or_no_number_counts_as_nothing() -> None:
    """Objects that are odd in every way are summed as far as they have numbers."""
    given: list[Any] = [None, [], "many", {"prompt_tokens": "12", "total_tokens": True}, {"total_tokens": float("inf")}]
    given += [{"prompt_tokens": 5, "total_tokens": None}, {"input_tokens": 3.0, "output_tokens": 4}]
    given += [{"prompt_tokens": 9, "total_tokens": 9, "prompt_token_details": {"cached_tokens": 7}}]
    [row] = usage.summed([run(usage=value, model={"odd": 1}) for value in given])
    assert row.key == '{"odd":1}'
    assert (row.prompt_tokens, row.completion_tokens, row.total_tokens, row.cached_tokens) == (17, 4, 9, 7)
    for by in (*usage.BY, "metadata.a"):
        odd = usage.summed(an_odd_thread().held["thread_odd"]["runs"], by)
        assert sum(row.runs for row in odd) == 8


@pytest.mark.parametrize("by", ["", "colour", "metadata", "metadata.", "Model"])
def test_what_it_cannot_be_summed_by_is_refused_before_anything_is_read(by: str) -> None:
    """A wrong `by` is a ValueError that names what there is, and no run has been asked for."""
    runs = iter([run()])
    with pytest.raises(ValueError, match=r"thread, run, assistant, model, day or metadata\.KEY"):
        usage.summed(runs, by)
    assert len(list(runs)) == 1


def test_a_sum_is_plain_data() -> None:
    """`attrs.asdict` gives the columns in their order."""
    names = ["key", "runs", *TOKENS, "seconds", "cached_tokens", "failed", "cancelled", "expired", "incomplete"]
    assert list(attrs.asdict(usage.Usage("x"))) == names
