"""`to-jsonl` and `to-conversations`, over files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import Api, Cli, is_one_line


def test_one_stream(cli: Cli, api: Api, file: str) -> None:
    """Without a folder every object is printed, a line each, and nothing is asked of the endpoint."""
    code, out, err = cli("to-jsonl", file)
    assert (code, err, api.requests) == (0, "", [])
    objects = [json.loads(line)["object"] for line in out.splitlines()]
    assert {name: objects.count(name) for name in objects} == {
        "thread": 4,
        "thread.message": 22,
        "thread.run": 14,
        "thread.run.step": 20,
        "assistant": 1,
    }


def test_a_file_a_kind(cli: Cli, file: str, tmp_path: Path) -> None:
    """The folder is printed, and what is in it told."""
    code, out, err = cli("to-jsonl", file, "--to", str(tmp_path / "out"))
    assert (code, out) == (0, f"{tmp_path / 'out'}\n")
    assert "thread-runs: 14 runs\n" in err
    assert len((tmp_path / "out" / "runs.jsonl").read_text().splitlines()) == 14


def test_conversations(cli: Cli, api: Api, file: str, tmp_path: Path) -> None:
    """The folder is printed; how much is in it, how much is lost and where that is told are said."""
    code, out, err = cli("to-conversations", file, "--to", str(tmp_path / "out"))
    assert (code, out, api.requests) == (0, f"{tmp_path / 'out'}\n", [])
    assert "4 threads, " in err
    assert "report.jsonl" in err
    assert json.loads((tmp_path / "out" / "thread_bakery.json").read_text())["items"]


@pytest.mark.parametrize("command", ["to-jsonl", "to-conversations"])
def test_no_archive_is_16(cli: Cli, tmp_path: Path, command: str) -> None:
    """What is not there is said in a line, and nothing is written."""
    code, out, err = cli(command, str(tmp_path / "none.db"), "--to", str(tmp_path / "out"))
    assert (code, out) == (16, "")
    assert is_one_line(err)
    assert not (tmp_path / "out").exists()


def test_no_folder_is_2(cli: Cli, file: str) -> None:
    """Conversations are files, so they need a folder."""
    code, _, err = cli("to-conversations", file)
    assert code == 2
    assert "--to" in err
