"""What goes wrong: one line on standard error, and an exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest
from shell import Api, Cli, error_body, ids, is_one_line, start

import facade


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["no-such-command"],
        ["get-thread-run", "thread_a", "--no-such-option"],
        ["get-thread-run", "thread_a", "run_1", "one-more"],
        ["get-thread-run", "thread_a", "--thread-id", "thread_b"],
        ["get-thread-run", "thread_a", "--limit", "0"],
        ["get-thread-run", "thread_a", "--limit", "101"],
        ["get-thread-run", "thread_a", "--order", "up"],
        ["get-thread-run", "thread_a", "--timeout-sec", "-1"],
        ["get-thread-run", "thread_a", "--timeout-sec", "nan"],
        ["get-thread-run", "thread_a", "--max-retry-count", "101"],
        ["get-thread-run", "thread_a", "--run-id", "run_1", "--all"],
        ["get-thread-run", "thread_a", "--run-id", "run_1", "--limit", "5"],
        ["get-thread-run", "thread_a", "--all", "--before", "run_1"],
        ["get-thread-run", "-", "--all", "--after", "run_1"],
        ["get-thread-run-step", "run_1", "thread_a", "step_1", "--all"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(cli: Cli, api: Api, args: list[str]) -> None:
    """No request is made."""
    code, out, err = cli(*args)
    assert (code, out, is_one_line(err), api.requests) == (2, "", True, [])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-Thread", "thread_a"], "options have two dashes here: --thread-id"),
        (["thread_a", "-RunId=run_1"], "options have two dashes here: --run-id"),
        (["thread_a", "--thrad-id", "x"], "--thrad-id"),
        (["thread_a", "--thrad-id", "x"], "--thread-id"),
        (["--thread-id"], "Option '--thread-id' requires an argument"),
        (["thread_a", "--auth-type", "azur"], "'openai', 'azure', 'azure_ad'"),
        (["thread_a", "--limit", "x"], "'x' is no whole number"),
        (
            ["thread_a", "--timeout-sec", "-1"],
            "'--timeout-sec' (env var: 'THREAD_RUNS_TIMEOUT_SEC'): '-1' is no number of seconds",
        ),
        (["thread_a", "--api-base", "ftp://host"], "base"),
    ],
)
def test_errors_name_options_as_they_are_written(cli: Cli, api: Api, args: list[str], said: str) -> None:
    """Neither the form in which spellings are compared nor the library's parameters show."""
    code, _, err = cli("get-thread-run", *args)
    assert (code in (2, 3), is_one_line(err), api.requests) == (True, True, [])
    assert said in err


def test_an_unknown_command_is_shown_as_written(cli: Cli) -> None:
    """With the commands that there are."""
    err = cli("get-thread-runs", "thread_a")[2]
    assert "there is no command 'get-thread-runs'; did you mean get-thread-run or " in err


@pytest.mark.parametrize(
    ("command", "line", "said"),
    [
        (
            "get-thread-run",
            '{"id": "run_1", "object": "thread.run"}',
            'it needs a thread_id, or an id and "object": "thread"',
        ),
        ("get-thread-run", '{"thread_id": 5}', "it needs a thread_id"),
        ("get-thread-run", "[1]", "a JSON array"),
        ("get-thread-run-step", "{}", "this JSON object names no run: it needs a run_id and a thread_id"),
        ("get-thread-run-step", '{"id": "run_1", "object": "thread.run"}', "give --thread-id"),
    ],
)
def test_a_bad_line_is_told_of_in_words_of_json(cli: Cli, command: str, line: str, said: str) -> None:
    """Nobody who pipes JSON has a dict or a str."""
    err = cli(command, stdin=line)[2]
    assert "line 1 of standard input: " in err
    assert said in err
    assert not re.search(r"\b(dict|str|list|int)\b", err)


@pytest.mark.parametrize("thread", ["", " ", "..", "."])
def test_an_id_that_the_library_refuses_is_2(cli: Cli, api: Api, thread: str) -> None:
    """An id that could reach another address makes no request."""
    code, out, err = cli("get-thread-run", thread)
    assert (code, out, is_one_line(err), api.requests) == (2, "", True, [])


@pytest.mark.parametrize(
    ("status", "expected"),
    [(302, 7), (400, 7), (401, 5), (403, 5), (404, 4), (409, 7), (422, 7), (429, 6), (500, 8), (529, 8)],
)
def test_each_kind_of_status_has_its_exit_code(cli: Cli, api: Api, status: int, expected: int) -> None:
    """One line on standard error, with what the server said."""
    api.answers["/threads/thread_a/runs"] = status, error_body("It was\nscripted \x1b[31mso.")
    code, out, err = cli("get-thread-run", "thread_a")
    assert (code, out, is_one_line(err)) == (expected, "", True)
    assert "\x1b" not in err


def test_other_failures_have_exit_codes_of_their_own(cli: Cli, api: Api) -> None:
    """Connection, timeout, unreadable answer, endless pages."""
    api.answers["/threads/thread_a/runs"] = 200, b"<html>"
    assert cli("get-thread-run", "thread_a")[0] == 11
    api.add_runs("thread_b", "run_1")
    again = {"object": "list", "data": [{"id": "run_1"}], "first_id": "run_1", "last_id": "run_1", "has_more": True}
    api.answers["/threads/thread_b/runs"] = 200, again
    code, out, err = cli("get-thread-run", "thread_b", "--all")
    assert (code, ids(out), is_one_line(err)) == (12, ["run_1"], True)
    assert cli("get-thread-run", "thread_a", "--api-base", "http://127.0.0.1:1/v1")[0] == 9
    with_silence = threading.Event()
    handler = api.server.RequestHandlerClass
    handler.do_GET = lambda self: with_silence.wait(20)  # type: ignore[attr-defined]
    assert cli("get-thread-run", "thread_a", "--timeout-sec", "0.2")[0] == 10
    with_silence.set()


def test_a_bad_base_is_3(cli: Cli) -> None:
    """A configuration error of the library, its value not shown."""
    code, _, err = cli("get-thread-run", "thread_a", "--api-base", "ftp://host")
    assert (code, is_one_line(err)) == (3, True)


def test_a_walk_that_fails_says_where_to_resume(cli: Cli, api: Api) -> None:
    """What came before is printed, and `--after` with the id of the error line gives the rest."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(150)])
    api.answers["/threads/thread_a/runs", "run_99"] = 500, error_body("Scripted.")
    code, out, err = cli("get-thread-run", "thread_a", "--all")
    assert (code, len(ids(out)), is_one_line(err)) == (8, 100, True)
    assert "run_99" in err
    api.answers.clear()
    rest = cli("get-thread-run", "thread_a", "--all", "--after", "run_99")[1]
    assert ids(out) + ids(rest) == [f"run_{n}" for n in range(150)]


@pytest.mark.parametrize("rest", [[], ["--all"], ["--all", "--concurrency", "1"]])
def test_a_pipeline_that_fails_names_the_thread(cli: Cli, api: Api, rest: list[str]) -> None:
    """The threads before it are printed whole."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli("get-thread-run", *rest, stdin="thread_a\nthread_gone\nthread_a\n")
    assert (code, ids(out), is_one_line(err)) == (4, ["run_1"], True)
    assert err.count("(in thread 'thread_gone')") == 1
    run = json.dumps({"run_id": "run_gone", "thread_id": "thread_a"})
    assert cli("get-thread-run-step", *rest, stdin=run)[2].count("(in run 'run_gone' of thread 'thread_a')") == 1


def test_the_help_lists_the_exit_codes(cli: Cli) -> None:
    """So that scripts can rely on them; a command's own help says where they stand."""
    code, out, _ = cli("--help")
    assert code == 0
    assert {int(found) for found in re.findall(r"^ +(\d+)  ", out, re.MULTILINE)} == {*range(18), 130, 141, 143}
    for command in ("get-thread-run", "get-thread-run-step"):
        code, out, _ = cli(command, "--help")
        assert (code, out.splitlines()[-1].strip()) == (0, "Exit codes: thread-runs --help")
    assert facade.FILE_SEARCH_RESULT_CONTENT in out


def test_a_reader_that_goes_away_ends_it_quietly(api: Api, environment: dict[str, str]) -> None:
    """As with `| head`: no message, and the code that a shell gives for it."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(3000)], padding="x" * 500)
    for output in ("jsonl", "table"):
        with start("get-thread-run", "thread_a", "--all", "--output", output) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_an_error(api: Api, environment: dict[str, str]) -> None:
    """A full disk must not look like success."""
    api.add_runs("thread_a", "run_1")
    with open("/dev/full", "wb") as full, start("get-thread-run", "thread_a", stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, is_one_line(err.decode())) == (1, True)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_closed_output_is_an_error(api: Api, environment: dict[str, str]) -> None:
    """So is one that is not there; nothing is asked of the server then."""
    command = ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "facade", "get-thread-run", "thread_a"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, is_one_line(done.stderr), api.requests) == (1, True, [])
