"""Ctrl-C and SIGTERM: one line that says how far it came, and soon."""

from __future__ import annotations

import fcntl
import re
import signal
import subprocess
import sys
import termios
import threading
from array import array
from typing import Any

import pytest
from shell import Api, is_one_line, start

BOTH = pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)


def end(process: Any, number: int) -> tuple[int, str]:
    process.send_signal(number)
    code = process.wait(timeout=20)
    return code, process.stderr.read().decode()


def assert_says(ended: int, err: str, code: int, line: str) -> None:
    said = re.fullmatch(f"thread-runs: {line}\n", err)
    assert (ended, bool(said)) == (code, True), err
    count, after = map(int, said.groups())  # type: ignore[union-attr]
    assert count == after + 1
    assert count in (199, 200)  # the last line may have been read before it was counted


@pytest.fixture
def stalled(api: Api) -> Api:
    """A thread of 250 runs whose last page never comes."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(250)])
    answer, for_ever = api.answer, threading.Event()

    def stall(target: str, headers: dict[str, str]) -> tuple[int, Any]:
        if "after=run_199" in target:
            for_ever.wait(30)
        return answer(target, headers)

    api.answer = stall  # type: ignore[method-assign]
    return api


@BOTH
def test_it_says_how_far_it_came_and_how_to_go_on(
    stalled: Api, environment: dict[str, str], number: int, code: int, word: str
) -> None:
    """What was printed and the option that gives the rest make the whole."""
    with start("get-thread-run", "thread_a", "--all") as process:
        for _ in range(200):
            process.stdout.readline()
        assert_says(*end(process, number), code, rf"{word}: (\d+) runs read \(the rest: --after run_(\d+)\)")


@BOTH
def test_several_inputs_name_the_one(
    stalled: Api, environment: dict[str, str], number: int, code: int, word: str
) -> None:
    """Of several threads, the rest of the one that was being read."""
    for rest in ([], ["--concurrency", "1"]):
        with start("get-thread-run", "--all", *rest, stdin=subprocess.PIPE) as process:
            process.stdin.write(b"thread_a\n")
            process.stdin.flush()
            process.stdin.close()
            for _ in range(200):
                process.stdout.readline()
            rest_of = r"\(the rest of thread thread_a: --after run_(\d+)\)"
            assert_says(*end(process, number), code, rf"{word}: (\d+) runs read {rest_of}")


@BOTH
def test_a_reader_that_has_stopped_holds_nothing_up(
    api: Api, environment: dict[str, str], number: int, code: int, word: str
) -> None:
    """A pipe that is full and not read any more."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(200)], padding="x" * 5000)
    with start("get-thread-run", "thread_a", "--all") as process:
        waiting = array("i", [0])
        while waiting[0] < 30_000:  # a pipe holds little more
            fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
        ended, err = end(process, number)
        assert (ended, is_one_line(err), f": {word}: " in err) == (code, True, True)


@BOTH
def test_what_cannot_be_broken_off_is_left(environment: dict[str, str], number: int, code: int, word: str) -> None:
    """The system's name resolution, say, which no exception reaches: the process ends all the same."""
    program = """
import signal, sys, time, facade
from facade.commands import _signals, main
class Stuck:
    def __init__(self, *args, **kwargs):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])  # the other thread hears it
        print("stuck", flush=True)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                time.sleep(30)
            except KeyboardInterrupt:
                pass
facade.Client = Stuck
main(["get-thread-run", "thread_a"])
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdout.readline()  # type: ignore[union-attr]
            ended, err = end(process, number)
        finally:
            process.kill()
    assert (ended, err) == (code, f"thread-runs: {word}: 0 runs read\n")


@BOTH
def test_input_that_does_not_come_holds_nothing_up(
    api: Api, environment: dict[str, str], number: int, code: int, word: str
) -> None:
    """Whatever reads it, and wherever the command is when the signal comes."""
    api.add_runs("thread_a", "run_1")
    for rest in ([], ["--all"], ["--all", "--concurrency", "1"]):
        with start("get-thread-run", *rest, stdin=subprocess.PIPE) as process:
            process.stdin.write(b"thread_a\n")
            process.stdin.flush()
            process.stdout.readline()
            ended, err = end(process, number)
            assert (ended, is_one_line(err), word in err) == (code, True, True), err
