"""Threads and runs on standard input."""

from __future__ import annotations

import json
import subprocess

import pytest
from shell import Api, Cli, ids, is_one_line, start


def test_threads_come_on_standard_input(cli: Cli, api: Api) -> None:
    """A line is an id, a JSON string, a thread, or anything with a thread_id; blank lines do not count, order does."""
    for name in "abcd":
        api.add_runs(f"thread_{name}", f"run_{name}")
    lines = [
        "\ufeffthread_b",
        "",
        '"thread_a"',
        '{"id": "thread_d", "object": "thread"}',
        '{"id": "run_9", "object": "thread.run", "thread_id": "thread_c"}\r',
        "  thread_a  ",
    ]
    expected = ["run_b", "run_a", "run_d", "run_c", "run_a"]
    for args in (["get-thread-run"], ["get-thread-run", "-"], ["get-thread-run", "--all"]):
        code, out, err = cli(*args, stdin="\n".join(lines))
        assert (code, ids(out), err) == (0, expected, "")


def test_runs_come_on_standard_input(cli: Cli, api: Api) -> None:
    """A line is a run, an object with run_id and thread_id, or with `--thread-id` a run's id."""
    for name in "abc":
        api.add_steps("thread_a", f"run_{name}", f"step_{name}")
    lines = [
        '{"id": "run_b", "object": "thread.run", "thread_id": "thread_a"}',
        '{"run_id": "run_a", "thread_id": "thread_a"}',
        '{"id": "step_1", "object": "thread.run.step", "run_id": "run_c", "thread_id": "thread_a"}',
    ]
    for args in ([], ["--all"]):
        assert ids(cli("get-thread-run-step", *args, stdin="\n".join(lines))[1]) == ["step_b", "step_a", "step_c"]
        assert ids(cli("get-thread-run-step", "-", "thread_a", *args, stdin="run_c\nrun_a")[1]) == ["step_c", "step_a"]
    code, out, _ = cli("get-thread-run-step", "--step-id", "step_b", stdin=lines[0])
    assert (code, ids(out)) == (0, ["step_b"])


def test_a_pipeline_without_all_gives_a_page_of_each(cli: Cli, api: Api) -> None:
    """As the cmdlets do, with a warning for each that has more."""
    for name in "ab":
        api.add_runs(f"thread_{name}", *[f"run_{name}{n}" for n in range(21)])
    code, out, err = cli("get-thread-run", stdin="thread_a\nthread_b\n")
    assert (code, len(ids(out))) == (0, 40)
    assert [line.split()[2] for line in err.splitlines()] == ["thread_a", "thread_b"]


@pytest.mark.parametrize("rest", [[], ["--all"]])
@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b'{"id": "run_1", "object": "thread.run"}',
        b'{"thread_id": 5}',
        b"[]",
        b"..",
        b"run_1",
        b"two words",
        b'"\\u0000"',
        b"\xff",
        pytest.param(b"[" * 9999, id="deep"),
    ],
)
def test_a_bad_line_is_named_and_costs_nothing_before_it(cli: Cli, api: Api, bad: bytes, rest: list[str]) -> None:
    """Every thread before it is read and printed; nothing after it is."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli("get-thread-run", *rest, stdin=b"thread_a\n\n" + bad + b"\nthread_a\n")
    assert (code, ids(out)) == (2, ["run_1"])
    assert is_one_line(err)
    assert "line 3" in err
    assert len(err) < 400


def test_a_runs_id_alone_needs_its_thread(cli: Cli) -> None:
    """On standard input as in an argument."""
    code, _, err = cli("get-thread-run-step", stdin="run_1\n")
    assert code == 2
    assert "line 1 of standard input: a run's id needs the run's thread: give --thread-id" in err
    code, _, err = cli("get-thread-run-step", "run_1")
    assert code == 2
    assert "THREAD" in err


def test_an_empty_pipeline_prints_nothing(cli: Cli, api: Api) -> None:
    """No lines, no requests, no error."""
    assert cli("get-thread-run", "--all") == (0, "", "")
    assert cli("get-thread-run-step") == (0, "", "")
    assert api.requests == []


def test_the_two_commands_make_the_cmdlets_pipeline(api: Api, environment: dict[str, str]) -> None:
    """`get-thread-run THREAD --all | get-thread-run-step --all`: every step of every run, in order."""
    runs = [f"run_{n:03}" for n in range(130)]
    api.add_runs("thread_a", *runs)
    for run in runs:
        api.add_steps("thread_a", run, f"step_{run}_1", f"step_{run}_2")
    with start("get-thread-run", "thread_a", "--all") as first:
        with start("get-thread-run-step", "--all", stdin=first.stdout) as second:
            out, err = second.communicate(timeout=60)
        assert (first.stderr.read(), err, first.wait(timeout=60), second.returncode) == (b"", b"", 0, 0)
    assert ids(out.decode()) == [f"step_{run}_{n}" for run in runs for n in (1, 2)]


@pytest.mark.parametrize("rest", [[], ["--all", "--concurrency", "1"]])
def test_lines_are_read_as_they_come(api: Api, environment: dict[str, str], rest: list[str]) -> None:
    """A thread is read and printed while the pipeline is still open."""
    api.add_runs("thread_a", "run_1")
    with start("get-thread-run", *rest, stdin=subprocess.PIPE) as process:
        for _ in range(2):
            process.stdin.write(b"thread_a\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "run_1"
        assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == 0
