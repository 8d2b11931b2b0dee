"""How far a command has come, on a terminal."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import pytest
from shell import Api

pty = pytest.importorskip("pty", reason="needs pseudo-terminals")


def with_terminal(*args: str, stdout_too: bool = False) -> tuple[int, bytes, str]:
    """Run the commands with a terminal as standard error; the exit code, standard output and what was shown."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "facade", *args]
    stdout = theirs if stdout_too else subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=theirs) as process:
        os.close(theirs)
        shown: list[bytes] = []
        reading = threading.Thread(target=_read, args=(ours, shown))
        reading.start()
        out, _ = process.communicate(timeout=60)
        reading.join()
    os.close(ours)
    return process.returncode, out or b"", b"".join(shown).decode()


def _read(terminal: int, shown: list[bytes]) -> None:
    with suppress(OSError):  # as Linux says that nobody has the other end any more
        while select.select([terminal], [], [], 60)[0] and (chunk := os.read(terminal, 4096)):
            shown.append(chunk)


def last_line(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n").strip().splitlines()[-1].strip()


@pytest.mark.parametrize("rest", [[], ["--output", "csv"]])
def test_all_into_a_pipe_shows_count_rate_and_time(api: Api, environment: dict[str, str], rest: list[str]) -> None:
    """On standard error, so that the output stays what it is."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(250)])
    code, out, shown = with_terminal("get-thread-run", "thread_a", "--all", *rest)
    assert (code, len(out.splitlines())) == (0, 251 if rest else 250)
    assert re.fullmatch(r"250 runs [\d,]+/s \d+:\d\d:\d\d", last_line(shown))


def test_a_table_on_the_same_terminal_stays_whole(
    api: Api, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is a line of its own, above the count."""
    monkeypatch.setenv("TERM", "xterm")
    api.add_runs("thread_a", *[f"run_{n:03}" for n in range(250)], status="queued")
    code, _, shown = with_terminal("get-thread-run", "thread_a", "--all", stdout_too=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n")
    assert code == 0
    assert re.findall(r"^(run_\d+) +queued$", plain, re.MULTILINE) == [f"run_{n:03}" for n in range(250)]
    assert last_line(shown).startswith("250 runs ")


def test_warnings_stand_above_the_count(api: Api, environment: dict[str, str]) -> None:
    """Whole, in lines of their own."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(150)], status="failed", last_error={"code": "server_error"})
    _, _, shown = with_terminal("get-thread-run", "thread_a", "--all")
    assert re.search(r"(^|[\r\n])thread-runs: warning: ", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown))


@pytest.mark.parametrize("args", [["thread_a"], ["thread_a", "--limit", "5"], ["thread_a", "run_1"]])
def test_one_page_or_object_shows_none(api: Api, environment: dict[str, str], args: list[str]) -> None:
    """There is nothing to wait for."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(5)])
    assert with_terminal("get-thread-run", *args)[2] == ""


def test_a_failure_leaves_the_count(api: Api, environment: dict[str, str]) -> None:
    """The count so far, then the error in a line of its own, last."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(150)])
    answers: Any = api.answers
    answers["/threads/thread_a/runs", "run_99"] = 500, {"error": {"message": "Broken."}}
    code, _, shown = with_terminal("get-thread-run", "thread_a", "--all")
    assert code == 8
    assert "100 runs " in shown
    assert last_line(shown).endswith("--after run_99)")
