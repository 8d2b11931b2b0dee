"""Several inputs of which some fail."""

from __future__ import annotations

import json
import subprocess

import pytest
from shell import Api, Cli, error_body, ids, start

EACH = pytest.mark.parametrize(
    "rest", [[], ["--all"], ["--all", "--concurrency", "1"], ["--all", "--concurrency", "3"]]
)


@EACH
def test_the_rest_is_read_after_one_that_fails(cli: Cli, api: Api, rest: list[str]) -> None:
    """Each failure is told of, in its place, and the first one's exit code ends it."""
    for name in "abcdefgh":
        api.add_runs(f"thread_{name}", f"run_{name}")
    api.answers["/threads/thread_b/runs"] = 500, error_body("Broken.")
    api.answers["/threads/thread_g/runs"] = 403, error_body("No.")
    lines = ["thread_a", "thread_b", "thread_gone", "thread_c", "no id", "thread_a", "{", "thread_g", "thread_h"]
    code, out, err = cli("get-thread-run", "--keep-going", *rest, stdin="\n".join(lines))
    assert (code in (8, 2), ids(out)) == (True, ["run_a", "run_c", "run_a", "run_h"])
    said = err.splitlines()
    assert len(said) == 5
    assert [line for line in said if "thread '" in line] == [
        line for name in ("thread_b", "thread_gone", "thread_g") for line in said if f"(in thread '{name}')" in line
    ]
    assert [line.split(":")[1] for line in said if "standard input" in line] == [
        " line 5 of standard input",
        " line 7 of standard input",
    ]


@EACH
def test_steps_of_several_runs(cli: Cli, api: Api, rest: list[str]) -> None:
    """A run that fails costs the other runs of its thread nothing."""
    for name in "abc":
        api.add_steps("thread_a", f"run_{name}", f"step_{name}1", f"step_{name}2")
    runs = [{"run_id": f"run_{name}", "thread_id": "thread_a"} for name in ("a", "gone", "b", "c", "gone")]
    stdin = "\n".join(map(json.dumps, runs))
    code, out, err = cli("get-thread-run-step", "--keep-going", *rest, stdin=stdin)
    assert (code, ids(out)) == (4, [f"step_{name}{n}" for name in "abc" for n in (1, 2)])
    assert err.count("(in run 'run_gone' of thread 'thread_a')") == 2


@pytest.mark.parametrize("rest", [["--concurrency", "1"], []])
def test_what_came_before_a_failure_is_not_read_again(cli: Cli, api: Api, rest: list[str]) -> None:
    """A thread that fails on its second page has its first printed once, and the option that gives its rest."""
    api.add_runs("thread_a", "run_a")
    api.add_runs("thread_b", *[f"run_{n}" for n in range(150)])
    api.add_runs("thread_c", "run_c")
    api.answers["/threads/thread_b/runs", "run_99"] = 500, error_body("Broken.")
    code, out, err = cli("get-thread-run", "--all", "--keep-going", *rest, stdin="thread_a\nthread_b\nthread_c\n")
    assert (code, ids(out)) == (8, ["run_a", *[f"run_{n}" for n in range(100)], "run_c"])
    assert "(the rest of it alone: --after run_99)" in err


def test_all_well_is_0(cli: Cli, api: Api) -> None:
    """With nothing to keep going after."""
    api.add_runs("thread_a", "run_a")
    assert cli("get-thread-run", "--keep-going", "--all", stdin="thread_a\nthread_a\n")[0::2] == (0, "")


def test_without_it_the_first_failure_ends_it(cli: Cli, api: Api) -> None:
    """As ever."""
    api.add_runs("thread_a", "run_a")
    code, out, err = cli("get-thread-run", "--all", stdin="thread_a\nthread_gone\nthread_a\n")
    assert (code, ids(out), err.count("\n")) == (4, ["run_a"], 1)


def test_lines_that_come_later_are_read_too(api: Api, environment: dict[str, str]) -> None:
    """A failure while standard input is awaited costs none of what comes then."""
    for name in "abc":
        api.add_runs(f"thread_{name}", f"run_{name}")
    with start("get-thread-run", "--all", "--keep-going", stdin=subprocess.PIPE) as process:
        for gone, there in (("gone_1", "a"), ("gone_2", "b"), ("gone_3", "c")):
            process.stdin.write(f"thread_{gone}\n".encode())
            process.stdin.flush()
            assert f"thread_{gone}" in process.stderr.readline().decode()
            process.stdin.write(f"thread_{there}\n".encode())
            process.stdin.flush()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, ids(out.decode()), err) == (4, ["run_a", "run_b", "run_c"], b"")
