"""The command `export` in processes of its own: what it says, how it ends, and that it goes on after anything."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import endpoint
import pytest
from shell import Cli
from wire import HANG, Serve, error, library, until

from facade import archive
from facade.archive._store import Store

COMMAND = str(Path(sys.executable).with_name("thread-runs"))
KEY = "sk-test-not-to-be-kept"


class Server:
    """A process that runs `endpoint.py`."""

    def __init__(self, *options: str) -> None:
        program = str(Path(__file__).with_name("endpoint.py"))
        self.process = subprocess.Popen([sys.executable, program, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def count(self) -> int:
        """How many requests came."""
        with urllib.request.urlopen(self.url.replace("/v1", "/count")) as answer:
            return int(answer.read())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def endpoint_of() -> Iterator[Callable[..., Server]]:
    """Starts endpoints, which end with the test."""
    servers: list[Server] = []

    def start(*options: str) -> Server:
        servers.append(Server(*options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def start(url: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command."""
    env = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_API_BASE": url}
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([COMMAND, "export", *words], env=env, text=True, **pipes, **options)


def run(url: str, *words: str, stdin: str = "", **options: Any) -> tuple[int, str, str]:
    """Run the command; gives its exit code, standard output and standard error."""
    process = start(url, *words, **options)
    out, err = process.communicate(stdin, timeout=60)
    return process.returncode, out, err


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """As `run`, in this process, where a process of its own would show nothing more."""

    def run_here(url: str, *words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_BASE", url)
        return Cli(monkeypatch, capsys)("export", *words, stdin=stdin)

    return run_here


Here = Callable[..., tuple[int, str, str]]


def kept(path: Path, kind: str) -> dict[str, str]:
    """What an archive has, read by nothing of ours."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute(f"SELECT id, json FROM {kind}"))
    finally:
        connection.close()


def test_killed_and_failing_it_ends_whole(endpoint_of: Callable[..., Server], tmp_path: Path) -> None:
    """Every object to the letter, with hardly more requests than are needed, and no key in the file."""
    to, threads, runs, steps, messages = tmp_path / "a.db", 4, 40, 12, 5
    sizes = ("--threads", str(threads), "--runs", str(runs), "--steps", str(steps), "--messages", str(messages))
    server = endpoint_of(*sizes, "--fail-every", "20", "--latency-ms", "10")
    needed = threads * 3 + threads * runs + 1
    ids = [f"thread_{number}" for number in range(threads)]
    for kill in range(3):
        process = start(server.url, *ids, "--to", str(to))
        until(lambda: process.poll() is not None or server.count() > needed * (kill + 1) / 4, 30)  # noqa: B023
        assert process.poll() is None
        process.kill()
        process.communicate()
        if to.exists():
            archive.client(to).close()  # it can be read at once
    code, out, err = run(server.url, *ids, "--to", str(to))
    assert (code, err) == (0, "")
    assert "It is complete." in out
    assert server.count() <= 1.6 * needed
    assert archive.verify(to).complete
    assert kept(to, "threads") == {f"thread_{t}": endpoint.thread_text(t) for t in range(threads)}
    assert kept(to, "messages") == {
        f"msg_{t}_{n}": endpoint.message_text(t, n) for t in range(threads) for n in range(messages)
    }
    assert kept(to, "runs") == {f"run_{t}_{r}": endpoint.run_text(t, r) for t in range(threads) for r in range(runs)}
    assert kept(to, "steps") == {
        f"step_{t}_{r}_{n}": endpoint.step_text(t, r, n)
        for t in range(threads)
        for r in range(runs)
        for n in range(steps)
    }
    assert KEY.encode() not in to.read_bytes()


@pytest.mark.parametrize(
    ("waits_for", "number", "code", "word"),
    [
        ("answers", signal.SIGTERM, 143, "terminated"),
        ("retry", signal.SIGINT, 130, "interrupted"),
        ("connection", signal.SIGINT, 130, "interrupted"),
    ],
)
def test_signals_end_it_soon(
    serve: Serve, tmp_path: Path, waits_for: str, number: signal.Signals, code: int, word: str
) -> None:
    """With one line, whatever it waits for; what has arrived is kept."""
    having = {
        "/threads/thread_1/runs": [{"id": "run_1", "status": "completed"}],
        "/threads/thread_1/messages": [{"id": f"msg_{count}"} for count in range(30)],
    }
    say = library(having)
    late = {"answers": (HANG,), "retry": error(503, {"Retry-After": "50"}), "connection": (5.0,)}[waits_for]
    server = serve(lambda request: late if request.path.endswith("steps") else say(request))
    process = start(server.url, "thread_1", "--to", str(tmp_path / "a.db"))
    assert until(lambda: any(request.path.endswith("steps") for request in server.requests), 20)
    time.sleep(0.2)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert err.count("\n") == 1
    assert word in err
    assert "goes on from there" in err
    assert len(kept(tmp_path / "a.db", "messages")) == 30
    assert archive.verify(tmp_path / "a.db").complete is False


def test_a_full_disk_is_one_line(endpoint_of: Callable[..., Server], here: Here, tmp_path: Path) -> None:
    """And it goes on when there is room."""
    server = endpoint_of("--threads", "1", "--runs", "20", "--steps", "20")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    code, _, err = run(server.url, "thread_0", "--to", str(tmp_path / "a.db"), preexec_fn=small)
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot be written" in err
    assert archive.verify(tmp_path / "a.db").complete is False
    assert here(server.url, "thread_0", "--to", str(tmp_path / "a.db"))[0] == 0
    assert archive.verify(tmp_path / "a.db").complete


def test_threads_from_standard_input_and_files(endpoint_of: Callable[..., Server], here: Here, tmp_path: Path) -> None:
    """Blank lines and what comes twice are passed over; bad lines are named, the rest is read, and the code is 2."""
    server = endpoint_of("--threads", "3")
    to = str(tmp_path / "a.db")
    lines = [
        "\ufeffthread_0",
        "",
        '{"object": "thread", "id": "thread_1"}',
        '{"id": "run_2_0", "thread_id": "thread_2"}',
    ]
    good = "\r\n".join([*lines, "thread_0"])
    code, out, err = here(server.url, "--to", to, stdin=good)
    assert (code, err) == (0, "")
    assert "3 threads" in out
    (tmp_path / "ids").write_text("thread_0\nrun_1\n{\nthread_1 thread_2\nthread_2")
    before = server.count()
    code, out, err = here(server.url, "--to", to, "--threads-from", str(tmp_path / "ids"))
    assert code == 2
    assert [f"line {number} of" in err for number in (1, 2, 3, 4, 5)] == [False, True, True, True, False]
    assert server.count() == before + 4
    code, _, err = here(server.url, "--to", to, "--threads-from", "-", stdin="thread_1\n")
    assert (code, err) == (0, "")
    code, _, err = here(server.url, "--to", to, "--threads-from", str(tmp_path / "none"))
    assert (code, "cannot be read" in err) == (2, True)


def test_what_could_not_be_read_is_named(endpoint_of: Callable[..., Server], here: Here, tmp_path: Path) -> None:
    """On standard error, with exit code 15; runs that have not ended, with their statuses."""
    server = endpoint_of("--threads", "1", "--going-on", "2")
    code, out, err = here(server.url, "thread_0", "thread_8", "--to", str(tmp_path / "a.db"))
    assert code == 15
    assert "thread_8: 404" in err
    assert "thread_0" not in err
    assert "2 runs have not ended (2 in_progress): run_0_1, run_0_2" in out
    assert "not complete" in out


def test_all_threads_and_options(endpoint_of: Callable[..., Server], here: Here, tmp_path: Path) -> None:
    """The options of the function."""
    server = endpoint_of("--threads", "3")
    words = ["--all-threads", "--no-messages", "--no-assistants", "--concurrency", "2", "--max-rate", "500"]
    code, out, err = here(server.url, "--to", str(tmp_path / "a.db"), *words, "--include", "x")
    assert (code, err) == (0, "")
    assert "3 threads, 0 messages, 9 runs, 27 steps, 0 assistants" in out


def test_other_codes(endpoint_of: Callable[..., Server], here: Here, serve: Serve, tmp_path: Path) -> None:
    """5 for a refused key, 16 for what is no archive, 17 for one that is being written, 2 for another server."""
    to = tmp_path / "a.db"
    server = endpoint_of("--threads", "1")
    assert here(serve(error(401)).url, "thread_0", "--to", str(tmp_path / "b.db"))[0] == 5
    (tmp_path / "diary").write_text("dear diary")
    assert here(server.url, "thread_0", "--to", str(tmp_path / "diary"))[0] == 16
    assert here(server.url, "thread_0", "--to", str(to))[0] == 0
    with archive._store.Store(to) as store, store.writing():
        assert here(server.url, "thread_0", "--to", str(to))[0] == 17
    other = endpoint_of("--threads", "1")
    code, _, err = here(other.url, "thread_0", "--to", str(to))
    assert (code, "--merge" in err) == (2, True)
    assert here(other.url, "thread_0", "--to", str(to), "--merge")[0] == 0
    code, _, err = here(server.url, "thread_0", "--to", str(tmp_path / "no" / "a.db"))
    assert (code, err.count("\n")) == (2, 1)
    assert "there is no folder" in err


PROGRAM = """
import sys, facade
from facade import archive
with facade.Client("sk-test", api_base=sys.argv[1]) as client:
    tell = lambda report: print(report.read, flush=True)
    archive.export(client, ["thread_0", "thread_1"], sys.argv[2], progress=tell)
"""


@pytest.mark.parametrize("moment", ["before", "while"])
def test_a_signal_ends_the_wait_for_a_file_that_is_held(
    endpoint_of: Callable[..., Server], tmp_path: Path, moment: str
) -> None:
    """In a program of the caller's own too: the wait for the file, up to 30 s, is none that a signal cannot reach."""
    to, server = tmp_path / "a.db", endpoint_of("--latency-ms", "300")
    Store(to).close()
    holder = sqlite3.connect(to, isolation_level=None)
    if moment == "before":
        holder.execute("BEGIN EXCLUSIVE")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, server.url, to], text=True, **pipes) as process:
        try:
            if moment == "before":
                until((tmp_path / "a.db.lock").exists, 10)
            else:
                assert process.stdout is not None
                next(line for line in process.stdout if line > "1")
                holder.execute("BEGIN EXCLUSIVE")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=15)
        finally:
            process.kill()
            holder.close()
    assert "KeyboardInterrupt" in err
    assert archive.verify(to).runs == 0 if moment == "before" else not archive.verify(to).complete
