"""`to-parquet`: an archive's tables, and a thread's, as Parquet files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from shell import Api, Cli, is_one_line, sample


def rows(folder: Path) -> dict[str, int]:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return {name: table["rows"] for name, table in manifest["tables"].items()}


@pytest.mark.parametrize("option", [[], ["--to"]])
def test_an_archive_s_tables(cli: Cli, api: Api, file: str, tmp_path: Path, option: list[str]) -> None:
    """The folder is printed, and what is in it told; the endpoint is asked nothing."""
    code, out, err = cli("to-parquet", file, *option, str(tmp_path / "out"))
    assert (code, out) == (0, f"{tmp_path / 'out'}\n")
    assert "thread-runs: 14 runs\n" in err
    assert rows(tmp_path / "out")["tool_calls"] == 16
    assert api.requests == []


def test_a_thread_of_the_endpoint(cli: Cli, api: Api, tmp_path: Path) -> None:
    """It is read as an export reads it, and nothing of that stays behind."""
    sample(api)
    for run in ("run_2", "run_3", "run_4"):
        api.lists[f"/threads/thread_a/runs/{run}/steps"] = []
    code, _, _ = cli("to-parquet", "thread_a", str(tmp_path / "out"))
    assert code == 0
    assert rows(tmp_path / "out")["runs"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_thread_that_is_not_there_ends_with_its_code(cli: Cli, api: Api, tmp_path: Path) -> None:
    """Nothing is written where there is nothing to write."""
    code, out, err = cli("to-parquet", "thread_none", str(tmp_path / "out"))
    assert (code, out) == (15, "")
    assert "thread_none" in err
    assert not (tmp_path / "out").exists()


def test_wrong_words_end_with_2(cli: Cli, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, a folder of other things, and a missing extra are said in a line."""
    for words in ([file], [file, str(tmp_path)], [file, "a", "--to", "b"], [str(tmp_path / "no.db"), "a"]):
        code, out, err = cli("to-parquet", *words)
        assert (code, out) == (2, "")
        assert is_one_line(err)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = cli("to-parquet", file, str(tmp_path / "out"))
    assert code == 2
    assert "pip install pyarrow" in err
