"""Measures what this project costs beside raw httpx, stock generated code and the SDKs of others.

    python -m scripts.bench [--quick]

Builds environments of its own in `.venv-bench/`, serves canned answers on loopback from another process, and runs
every library in a process of its own, in turns. Costs are CPU time of the library's process and wall time; ratios are
to raw httpx and json.loads in the same round; what is said is the median of the rounds.

Prints tables, and writes docs/performance.json and the tables of docs/performance.md. With
`--quick` a short run, which prints only.
"""

# ruff: noqa: S603  # every program that is run is of these measurements

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "scripts" / "bench"
WORK = ROOT / ".venv-bench"
STOCK = WORK / "stock"
NUMBERS = ROOT / "docs" / "performance.json"

Numbers = dict[str, Any]


class Plan(NamedTuple):
    """How much is measured."""

    objects: int
    rounds: int
    fan_out_rounds: int
    latencies_ms: tuple[int, ...]
    concurrencies: tuple[int, ...]
    growth: tuple[int, ...]
    memory: tuple[str, ...]


ALL = ("raw", "facade", "facade_fast", "stock", "openai", "azure")
WHOLE = Plan(10_000, 9, 5, (5, 30, 100), (1, 8, 16, 64), (100, 1000, 10_000, 100_000, 1_000_000), ALL)
QUICK = Plan(4_000, 4, 3, (30,), (16,), (100, 1000, 10_000), ALL[:3])

STREAMED = 200_000
FAN_OUT_RUNS, FAN_OUT_STEPS = 60, 20

IMPORTS = {
    "raw": "import httpx, json",
    "facade": "import facade",
    "stock": "import stock_client, stock_client.api.assistants.list_run_steps",
    "openai": "import openai",
    "azure": "import azure.ai.agents",
}
TASKS = {"one": ALL, "steps": ALL, "runs": ALL, "read_through": ("facade", "facade_fast", "stock")}


def say(text: str) -> None:
    """Tells how far it is, beside the tables."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Environment:
    """A virtual environment for the measurements, made anew where what it must hold has changed."""

    def __init__(self, name: str, extra: str, requirements: Sequence[str]) -> None:
        self.folder = WORK / name
        self.python = str(self.folder / "bin" / "python")
        self.skipped: dict[str, str] = {}
        stamp, wanted = self.folder / "requirements.txt", "\n".join([extra, *requirements])
        if not stamp.exists() or stamp.read_text() != wanted:
            say(f"building the environment {self.folder.name}")
            venv.create(self.folder, with_pip=True, clear=True)
            self._install("-c", str(ROOT / "constraints.txt"), f"{ROOT}{extra}")
            for requirement in requirements:
                try:
                    self._install(requirement)
                except subprocess.CalledProcessError as error:
                    self.skipped[requirement] = error.stderr.strip().splitlines()[-1]
            if not self.skipped:
                stamp.write_text(wanted)
        self._install("--no-deps", "--force-reinstall", str(ROOT))

    def _install(self, *arguments: str) -> None:
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
        subprocess.run(pip, check=True, capture_output=True, text=True)

    def run(self, *arguments: str) -> str:
        """What a program prints that this environment's Python runs."""
        return subprocess.run(
            [self.python, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=_variables(), cwd=WORK
        ).stdout

    def version(self, distribution: str) -> str:
        """The version that is installed."""
        return self.run("-c", f"import importlib.metadata as m; print(m.version({distribution!r}))").strip()


def _variables() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PYTHON", "OPENAI_"))}
    return kept | {"PYTHONPATH": str(STOCK), "NO_PROXY": "127.0.0.1"}


class Worker:
    """A process that does tasks with one library; see scripts/bench/worker.py."""

    def __init__(self, environment: Environment, library: str) -> None:
        self._process = subprocess.Popen(
            [environment.python, str(PARTS / "worker.py"), library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_variables(),
        )

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
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def served(environment: Environment) -> Iterator[Callable[..., str]]:
    """Serves canned answers; gives what makes a base address of a latency and of counts of runs and steps."""
    with subprocess.Popen(
        [environment.python, str(PARTS / "server.py")], stdout=subprocess.PIPE, text=True, env=_variables()
    ) as server:
        assert server.stdout
        port = int(server.stdout.readline())

        def base(latency_ms: int, runs: int, steps: int) -> str:
            return f"http://127.0.0.1:{port}/{latency_ms}/{runs}/{steps}"

        try:
            yield base
        finally:
            server.kill()


def measure_tasks(peers: Environment, libraries: set[str], base: str, rounds: int) -> Numbers:
    """CPU and wall time an object, for each task and library, and their ratios to the first library of the task."""
    found: Numbers = {}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(peers, name)) for name in ALL if name in libraries}
        for task, names in TASKS.items():
            say(task)
            names = tuple(name for name in names if name in libraries)
            costs: dict[str, list[Numbers]] = {name: [] for name in names}
            for number in range(rounds + 1):
                for name in names:
                    cost = workers[name].do(task, base)
                    if number:  # the first round builds clients and imports
                        costs[name].append(cost)
            first = costs[names[0]]
            found[task] = {
                name: {
                    f"{kind}_{what}": value
                    for kind in ("cpu", "wall")
                    for what, value in (
                        ("us", median(c[kind] / c["count"] * 1e6 for c in costs[name])),
                        ("ratio", median(c[kind] / r[kind] for c, r in zip(costs[name], first, strict=True))),
                    )
                }
                for name in names
            }
    return found


def measure_imports(environment: Environment, libraries: set[str], rounds: int) -> Numbers:
    """CPU and wall time of importing each library in a fresh process, the start of Python not counted."""
    costs: dict[str, list[list[float]]] = {name: [] for name in IMPORTS if name in libraries}
    for number in range(rounds + 1):
        for name, found in costs.items():
            cost = json.loads(
                environment.run(
                    "-c",
                    "import time; cpu, wall = time.process_time(), time.perf_counter()\n"
                    f"{IMPORTS[name]}\n"
                    "print([time.process_time() - cpu, time.perf_counter() - wall])",
                )
            )
            if number:  # the first round compiles
                found.append(cost)
    return {
        name: {
            f"{kind}_{what}": value
            for index, kind in enumerate(("cpu", "wall"))
            for what, value in (
                ("ms", median(c[index] * 1e3 for c in found)),
                ("ratio", median(c[index] / r[index] for c, r in zip(found, costs["raw"], strict=True))),
            )
        }
        for name, found in costs.items()
    }


def measure_fan_out(peers: Environment, libraries: set[str], base: Callable[..., str], plan: Plan) -> list[Numbers]:
    """Seconds for every step of every run of a thread, with a client of its own each time."""
    ways = [(name, 1) for name in ("raw", "openai")]
    ways += [(name, n) for name in ("facade", "facade_async") for n in plan.concurrencies]
    ways = [way for way in ways if way[0] in libraries]
    found = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(peers, name)) for name in dict(ways)}
        for latency_ms in plan.latencies_ms:
            say(f"fan-out at {latency_ms} ms")
            address = base(latency_ms, FAN_OUT_RUNS, FAN_OUT_STEPS)
            costs: dict[tuple[str, int], list[Numbers]] = {way: [] for way in ways}
            for name in workers:
                workers[name].do("fan_out", base(0, 1, 1), 1)
            for _ in range(plan.fan_out_rounds):
                for way, cost in costs.items():
                    cost.append(workers[way[0]].do("fan_out", address, way[1]))
            found += [
                {
                    "library": name,
                    "concurrency": concurrency,
                    "latency_ms": latency_ms,
                    "wall_sec": median(c["wall"] for c in cost),
                    "cpu_sec": median(c["cpu"] for c in cost),
                }
                for (name, concurrency), cost in costs.items()
            ]
    return found


def measure_memory(peers: Environment, libraries: Sequence[str], base: Callable[..., str]) -> Numbers:
    """The largest resident memory of a fresh process while it reads many steps, and when it has read the first 100."""
    found = {}
    for name in libraries:
        say(f"memory of {name}")
        with Worker(peers, name) as worker:
            few, many = (worker.do("steps", base(0, 1, steps)) for steps in (100, STREAMED))
        found[name] = {"first_mib": few["peak_bytes"] / 2**20, "peak_mib": many["peak_bytes"] / 2**20}
    return found


def measure_growth(peers: Environment, base: Callable[..., str], plan: Plan) -> list[Numbers]:
    """CPU time a step and peak memory as there are more steps, in a fresh process each that is connected already."""
    found = []
    for steps in plan.growth:
        say(f"{steps} steps")
        for name in ("raw", "facade"):
            costs = []
            for _ in range(max(1, min(5, 100_000 // steps))):
                with Worker(peers, name) as worker:
                    worker.do("steps", base(0, 1, 10))
                    worker.do("one", base(0, 1, steps))
                    costs.append(worker.do("steps", base(0, 1, steps)))
            found.append(
                {
                    "library": name,
                    "steps": steps,
                    "cpu_us": median(c["cpu"] / c["count"] * 1e6 for c in costs),
                    "peak_mib": median(c["peak_bytes"] for c in costs) / 2**20,
                }
            )
    return found


def measure(plan: Plan) -> Numbers:
    """All numbers."""
    WORK.mkdir(exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    generator = next(d for d in project["project"]["optional-dependencies"]["dev"] if d.startswith("openapi-python"))
    tools = Environment("tools", "[cli]", [generator])
    peers = Environment("peers", "[fast]", ["openai==3.52.0", "azure-ai-agents==1.1.0", "cattrs"])
    skipped = dict(peers.skipped)
    libraries = {"raw", "facade", "facade_fast", "facade_async", "stock"}
    versions = {name: peers.version(name) for name in ("openai-thread-runs", "httpx", "attrs", "msgspec")}
    for name, distribution in (("openai", "openai"), ("azure", "azure-ai-agents")):
        if not any(requirement.startswith(distribution) for requirement in skipped):
            libraries.add(name)
            versions[distribution] = peers.version(distribution)
    if not STOCK.exists():
        generate = "from openapi_python_client.cli import app; app()"
        options = ["--meta", "none", "--output-path", str(STOCK / "stock_client"), "--overwrite"]
        STOCK.mkdir()
        tools.run("-c", generate, "generate", "--path", str(ROOT / "openapi" / "openapi.yaml"), *options)
    begin = time.monotonic()
    with served(peers) as base:
        found: Numbers = {
            "machine": {
                "cores": os.cpu_count(),
                "system": platform.system(),
                "processor": platform.machine(),
                "python": platform.python_version(),
            },
            "versions": versions,
            "skipped": skipped,
            "rounds": plan.rounds,
            "objects": plan.objects,
            "streamed": STREAMED,
            "fan_out_runs": FAN_OUT_RUNS,
            "fan_out_steps": FAN_OUT_STEPS,
            "tasks": measure_tasks(peers, libraries, base(0, plan.objects, plan.objects), plan.rounds),
        }
        say("imports")
        found["import"] = measure_imports(peers, libraries, plan.rounds)
        found["import_with_cli"] = measure_imports(tools, {"raw", "facade"}, plan.rounds)
        say("making models")
        found["making"] = json.loads(peers.run(str(PARTS / "models.py"), "4000", str(plan.rounds)))
        found["fan_out"] = measure_fan_out(peers, libraries, base, plan)
        found["memory"] = measure_memory(peers, [name for name in plan.memory if name in libraries], base)
        found["growth"] = measure_growth(peers, base, plan)
    say(f"measured in {time.monotonic() - begin:.0f} s")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Measure what this project costs beside others.")
    parser.add_argument("--quick", action="store_true", help="a short run, which prints only")
    quick = parser.parse_args(argv).quick
    numbers = measure(QUICK if quick else WHOLE)
    target = WORK / "performance.json" if quick else NUMBERS
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    page = [str(PARTS / "page.py"), str(target)]
    if not quick:
        page.append(str(NUMBERS.with_suffix(".md")))
    subprocess.run([sys.executable, *page], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
