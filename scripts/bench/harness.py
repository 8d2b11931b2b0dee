"""What measurements share: an environment of their own, a server and workers in other processes, tables, the page."""

# ruff: noqa: S603  # every program that is run is of these measurements, or git

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".venv-bench"
PYTHON = str(WORK / "bin" / "python")
PEERS = {"openai": "openai==3.52.0", "azure": "azure-ai-agents==1.1.0"}

Numbers = dict[str, Any]


def say(text: str) -> None:
    """Tells how far it is, beside the tables."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def build() -> dict[str, str]:
    """Makes the environment where what it holds has changed; gives what could not be installed, and why."""
    stamp, wanted = WORK / "holds.json", ["[fast]", *PEERS.values(), (ROOT / "pyproject.toml").read_text("utf-8")]
    if stamp.exists() and (held := json.loads(stamp.read_text()))["wanted"] == wanted:
        return dict(held["skipped"])
    say("building the environment, a minute or two")
    venv.create(WORK, with_pip=True, clear=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[fast]"], check=True)
    skipped = {}
    for name, requirement in PEERS.items():
        done = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False)
        if done.returncode:
            skipped[name] = done.stderr.strip().splitlines()[-1]
    stamp.write_text(json.dumps({"wanted": wanted, "skipped": skipped}))
    return skipped


def variables() -> dict[str, str]:
    """The environment, without what would change a library's course."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PYTHON", "OPENAI_"))}
    return kept | {"NO_PROXY": "127.0.0.1"}


def run(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables(), cwd=ROOT).stdout


def started(*command: str, **options: Any) -> subprocess.Popen[str]:
    """A program that answers on its standard output."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables(), cwd=ROOT, **options)


def where() -> str:
    """The commit, the Python and the machine that are measured."""
    changed = run("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs").strip()
    return (
        f"commit `{run('git', 'rev-parse', '--short', 'HEAD').strip()}`{' with changes' if changed else ''}, "
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores ({platform.machine()})"
    )


class Worker:
    """A process that does tasks with one library; see worker.py.

    Args:
        library: its name in libraries.py; or "perl", for worker.pl
    """

    def __init__(self, library: str) -> None:
        python = (PYTHON, "-m", "scripts.bench.worker", library)
        command = ("perl", "scripts/bench/worker.pl") if library == "perl" else python
        self._process = started(*command, stdin=subprocess.PIPE)

    def do(self, task: str, *arguments: Any) -> Numbers:
        """What a task cost."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([task, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"bench: {self._process.args!r} ended while it did {task}")
        found: Numbers = json.loads(answer)
        return found

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@contextmanager
def served() -> Iterator[Callable[..., str]]:
    """Serves canned answers; gives what makes a base address of a latency and of counts of runs and steps."""
    with started(PYTHON, "-m", "scripts.bench.server") as server:
        assert server.stdout
        port = int(server.stdout.readline())
        try:
            yield lambda latency_ms, runs, steps: f"http://127.0.0.1:{port}/{latency_ms}/{runs}/{steps}"
        finally:
            server.kill()


def in_turns(ways: Mapping[Any, Callable[[], Numbers]], rounds: int) -> dict[Any, list[Numbers]]:
    """What each way costs in each round; a round is every way once, and the first does not count."""
    found: dict[Any, list[Numbers]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, work in ways.items():
            cost = work()
            if number:  # the first builds clients, imports and compiles
                found[way].append(cost)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in [head, rule, *rows]
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(page: Path, begin: str, end: str, text: str) -> None:
    """Puts a text into a page of the documentation, between two marks that it has."""
    marked = re.compile(f"(?<={re.escape(begin)}).*(?={re.escape(end)})", re.DOTALL)
    page.write_text(marked.sub(lambda _: f"\n\n{text}\n\n", page.read_text("utf-8")), "utf-8")
