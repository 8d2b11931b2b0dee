"""`usage`: the sums as a table, CSV and JSON Lines, of an archive and of a thread of the endpoint."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from shell import Api, Cli, is_one_line, sample

from facade.server import Store

COLUMNS = ["runs", "prompt_tokens", "completion_tokens", "total_tokens", "seconds", "cached_tokens", "failed"]


def test_a_thread_of_the_endpoint_by_its_model(cli: Cli, api: Api) -> None:
    """Without --by, models; a run that has no usage counts as a run."""
    sample(api)
    code, out, _ = cli("usage", "thread_a", "--output", "jsonl")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["model"] for row in rows] == ["gpt-4o-mini", None, '{"odd":1}']
    assert list(rows[0])[:8] == ["model", *COLUMNS]
    assert list(rows[0].values())[1:8] == [2, 1000, 234, 1234, 95.5, 0, 1]


def test_an_archive_of_many_threads(cli: Cli, api: Api, file: str) -> None:
    """A file is summed over all of its threads, bare ones too, and the endpoint is asked nothing."""
    with Store(file) as store:
        store.add(runs=[{"id": "run_x", "thread_id": "thread_bare", "usage": {"total_tokens": 10**9}}])
    code, out, _ = cli("usage", file, "--by", "thread", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    others = ["thread_bakery", "thread_bakery_order", "thread_bakery_mill"]
    assert [row["thread"] for row in rows] == ["thread_bare", *others]
    assert rows[0]["total_tokens"] == "1000000000"
    assert api.requests == []


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_runs_a_cell(cli: Cli, api: Api, begin: str) -> None:
    """A key that a spreadsheet would take for a formula begins with a quote in CSV, and is itself in JSON."""
    api.add_runs("thread_a", "run_1", metadata={"who": f"{begin}cmd|' /C calc'!A0"})
    code, out, _ = cli("usage", "thread_a", "--by", "metadata.who", "--output", "csv")
    row = next(csv.DictReader(io.StringIO(out, newline="")))
    assert code == 0
    assert row["metadata.who"].startswith("'")
    _, out, _ = cli("usage", "thread_a", "--by", "metadata.who", "--output", "jsonl")
    assert json.loads(out)["metadata.who"].startswith(begin)


def test_a_table_has_a_total(cli: Cli, file: str) -> None:
    """Several rows have their total below them, with thousands marked; one is its own."""
    code, out, _ = cli("usage", file, "--by", "assistant", "--output", "table")
    assert code == 0
    assert "total" not in out.splitlines()[-1].split()[:1]  # one assistant is the total
    _, out, _ = cli("usage", file, "--by", "thread", "--output", "table")
    assert out.splitlines()[-1].split()[:6] == ["total", "14", "13,965", "1,836", "15,801", "729"]


@pytest.mark.parametrize("width", [40, 60])
def test_a_number_without_a_column_stands_by_its_row(
    cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """What has no room is said of each row, the total too, and not above them as if it were of all."""
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = cli("usage", file, "--by", "model", "--output", "table")
    lines = out.splitlines()
    assert lines[0].split()[0] == "model"
    assert lines[-1].endswith("failed: 2")


def test_no_runs_are_no_rows(cli: Cli, api: Api) -> None:
    """An empty thread gives nothing in JSON Lines, the header in CSV, and a word for people."""
    api.lists["/threads/thread_new/runs"] = []
    assert cli("usage", "thread_new", "--output", "jsonl") == (0, "", "")
    assert cli("usage", "thread_new", "--output", "csv")[1].startswith("model,runs,prompt_tokens")
    assert cli("usage", "thread_new", "--output", "table") == (0, "", "thread-runs: no runs\n")


def test_wrong_words_end_with_2(cli: Cli, api: Api, tmp_path: Path) -> None:
    """A --by that there is not, and a path that leads nowhere, are said before any request."""
    code, out, err = cli("usage", "thread_a", "--by", "colour")
    assert (code, out) == (2, "")
    assert is_one_line(err)
    assert "metadata.KEY" in err
    assert cli("usage", str(tmp_path / "none.db"))[0] == 2
    assert api.requests == []


def test_a_file_that_is_no_archive_ends_with_16(cli: Cli, tmp_path: Path) -> None:
    """What cannot be read as an archive is said as for the other commands."""
    path = tmp_path / "text.db"
    path.write_text("no database " * 100)
    code, out, err = cli("usage", str(path), "--output", "jsonl")
    assert (code, out) == (16, "")
    assert is_one_line(err)
