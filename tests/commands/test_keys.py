"""Where the key comes from, and that it is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import KEY, Api, Cli, is_one_line


def test_the_key_comes_from_a_file(cli: Cli, api: Api, tmp_path: Path) -> None:
    """The file wins over the environment; its last newline does not count."""
    api.add_runs("thread_a", "run_1")
    (tmp_path / "key").write_text("sk-from-file\n")
    assert cli("get-thread-run", "thread_a", "--api-key-file", str(tmp_path / "key"))[0] == 0
    assert api.requests[0][2]["authorization"] == "Bearer sk-from-file"


@pytest.mark.parametrize("path", ["-", "sk-in-the-wrong-place", "binary", "blank"])
def test_an_unusable_key_file_is_a_configuration_error(
    cli: Cli, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It does not show what it was given, which may be the key itself."""
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe")
    Path("blank").write_text("\n")
    code, out, err = cli("get-thread-run", "thread_a", "--api-key-file", path)
    assert (code, out, is_one_line(err)) == (3, "", True)
    assert "wrong-place" not in err
    assert api.requests == []


def test_no_key_names_the_ways_to_give_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, the error names the variable and the options."""
    monkeypatch.delenv("OPENAI_API_KEY")
    code, _, err = cli("get-thread-run", "thread_a")
    assert (code, is_one_line(err)) == (3, True)
    assert all(way in err for way in ("OPENAI_API_KEY", "--api-key-file", "--prompt-key"))
    assert cli("get-thread-run", "thread_a", "--prompt-key")[0] == 3


@pytest.mark.parametrize(
    "args",
    [
        ["get-thread-run", "thread_a", "--api-key", KEY],
        ["get-thread-run", f"--api-key={KEY}", "thread_a"],
        ["get-thread-run-step", "--ApiKey", KEY],
        ["--api-key", KEY, "get-thread-run"],
        ["get-thread-run", "thread_a", "--api-key"],
        ["get-thread-run", "thread_a", "-ApiKey", KEY],
        ["Get-ThreadRun", f"-ApiKey:{KEY}"],
        ["-ApiKey", KEY, "get-thread-run"],
        ["get-thread-run", "thread_a", "--key", KEY],
    ],
)
def test_a_key_as_an_argument_is_refused(cli: Cli, args: list[str]) -> None:
    """The error says why, and does not repeat the key."""
    code, _, err = cli(*args)
    assert (code, is_one_line(err)) == (2, True)
    assert "ps" in err
    assert "OPENAI_API_KEY" in err


def test_a_bad_header_is_not_shown(cli: Cli) -> None:
    """A header may carry a secret."""
    code, _, err = cli("get-thread-run", "thread_a", "--additional-header", f"Authorization:{KEY}")
    assert (code, is_one_line(err)) == (2, True)
    assert "NAME=VALUE" in err
