"""Measures what reading costs with this project beside raw httpx and other people's clients.

    python -m scripts.bench [--quick]

Builds an environment of its own in `.venv-bench/`, serves canned answers on loopback from another process, and has
every library do the same tasks in a process of its own, in turns. What is said is the median of the rounds; ratios are
to raw httpx and json.loads in the same round. Prints the tables and writes them into docs/performance.md; with
`--quick` it reads less and prints only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from scripts.bench import harness
from scripts.bench.harness import PEERS, PYTHON, ROOT, Numbers, Worker, in_turns, run, say, table

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- tables: made by `make bench` -->", "<!-- end of the tables -->"

NAMES = {
    "raw": "raw httpx + json.loads, untyped",
    "facade": "**this project**",
    "facade_fast": "**this project, extra `fast`**",
    "openai": "openai {openai}",
    "azure": "azure-ai-agents {azure-ai-agents}",
    "perl": "Perl's OpenAPI::Client {perl}, untyped",
}
TASKS = {
    "one": "get one step",
    "steps": "all {:,} steps",
    "runs": "all {:,} runs",
    "dozen": "a dozen fields of each step",
    "lines": "steps as JSON Lines",
}
IMPORTS = {"raw": "httpx, json", "facade": "facade", "openai": "openai", "azure": "azure.ai.agents"}
MEMORY = ("raw", "facade", "facade_fast", "openai")
RUNS, STEPS, LATENCY_MS, CONCURRENCY = 60, 20, 30, 16
LISTS, PAGES = 8, 10


class Plan(NamedTuple):
    """How much is measured."""

    objects: int
    rounds: int
    slow_rounds: int
    streamed: int


WHOLE, QUICK = Plan(10_000, 7, 3, 200_000), Plan(2_000, 3, 1, 20_000)


def versions(skipped: dict[str, str]) -> dict[str, str]:
    """The versions that are measured; adds the peers to `skipped` that are not there."""
    names = ["httpx", "attrs", "msgspec", *(PEERS[name].partition("==")[0] for name in PEERS if name not in skipped)]
    program = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names}}}))"
    found: dict[str, str] = json.loads(run(PYTHON, "-c", program))
    try:
        found["perl"] = run("perl", "-MOpenAPI::Client", "-e", "print $OpenAPI::Client::VERSION")
    except (OSError, subprocess.CalledProcessError):
        skipped["perl"] = "perl has no OpenAPI::Client here (Debian: libopenapi-client-perl)"
    return found


def ratios(costs: dict[Any, list[Numbers]]) -> dict[Any, tuple[float, float]]:
    """The median CPU time an object of each way, and the median of its ratios to the first way's in the same round."""
    first, *_ = costs.values()
    return {
        way: (
            median(cost["cpu"] / cost["count"] for cost in found),
            median(cost["cpu"] / base["cpu"] for cost, base in zip(found, first, strict=True)),
        )
        for way, found in costs.items()
    }


def walls(costs: dict[Any, list[Numbers]]) -> dict[Any, float]:
    """The median wall time of each way."""
    return {way: median(cost["wall"] for cost in found) for way, found in costs.items()}


def imported(modules: str) -> Numbers:
    """CPU time of an import in a fresh process, the start of Python not counted."""
    program = f"import time; cpu = time.process_time()\nimport {modules}\nprint(time.process_time() - cpu)"
    return {"cpu": float(run(PYTHON, "-c", program)), "count": 1}


def costs(workers: dict[str, Worker], base: Callable[..., str], plan: Plan, names: dict[str, str]) -> str:
    """The CPU time of each task with each library, beside the first."""
    address = base(0, plan.objects, plan.objects)
    columns: dict[str, dict[str, str]] = {}
    for task, title in TASKS.items():
        say(title.format(plan.objects))
        ways = {name: partial(worker.do, task, address) for name, worker in workers.items()}
        found = ratios(in_turns(ways, plan.rounds))
        told = {name: f"{ratio:.2f} ({float(f'{cpu * 1e6:.3g}'):,g} µs)" for name, (cpu, ratio) in found.items()}
        columns[title.format(plan.objects)] = told
    say("imports")
    loads = {name: partial(imported, IMPORTS[name]) for name in workers if name in IMPORTS}
    found = ratios(in_turns(loads, plan.rounds))
    columns["import"] = {name: f"{ratio:.2f} ({cpu * 1e3:.0f} ms)" for name, (cpu, ratio) in found.items()}
    rows = [[names[name], *(column.get(name, "-") for column in columns.values())] for name in workers]
    return table(["CPU time: ratio to raw (time an object)", *columns], rows)


def fan_out(workers: dict[str, Worker], base: Callable[..., str], plan: Plan, names: dict[str, str]) -> str:
    """Every step of every run of a thread: this project for every kind of input, others in a loop."""
    say("fan-out")
    address = base(LATENCY_MS, RUNS, STEPS)
    ways: dict[Any, Callable[[], Numbers]] = {
        f"{names[name]}, in a loop": partial(worker.do, "fan_out", address)
        for name, worker in workers.items()
        if not name.startswith("facade")
    }
    for kind, title in (("fan_out", "sync"), ("fan_out_async", "async")):
        for inputs in ("list", "generator", "walk"):
            work = partial(workers["facade"].do, kind, address, inputs, CONCURRENCY)
            ways[f"**this project**, {title}, a {inputs} of runs"] = work
    found = walls(in_turns(ways, plan.slow_rounds))
    loop = found.get(f"{names.get('openai')}, in a loop", next(iter(found.values())))
    rows = [[way, f"{wall:.2f} s", f"{loop / wall:.1f}"] for way, wall in found.items()]
    title = f"{RUNS} runs of {STEPS} steps, {LATENCY_MS} ms an answer, concurrency {CONCURRENCY}"
    return table([title, "wall", f"times as fast as the {'SDK' if 'openai' in workers else 'first'}'s loop"], rows)


def side_by_side(worker: Worker, base: Callable[..., str], plan: Plan) -> str:
    """Lists of several pages, one after the other, side by side, and as they come."""
    say("lists side by side")
    address, ways = base(LATENCY_MS, LISTS, PAGES * 100), ((1, True), (LISTS, True), (LISTS, False))
    kinds = {"fan_out": "**this project**, sync", "fan_out_async": "**this project**, async"}
    works = {(kind, *way): partial(worker.do, kind, address, "list", *way) for kind in kinds for way in ways}
    found = walls(in_turns(works, plan.slow_rounds))
    rows = []
    for kind, title in kinds.items():
        alone, *others = (found[kind, *way] for way in ways)
        rows.append([title, f"{alone:.2f} s", *(f"{wall:.2f} s ({alone / wall:.1f} times as fast)" for wall in others)])
    head = f"{LISTS} lists of {PAGES} pages, {LATENCY_MS} ms an answer"
    return table([head, "one after the other", f"concurrency {LISTS}", f"concurrency {LISTS}, in_order=False"], rows)


def memory(names: dict[str, str], present: Sequence[str], base: Callable[..., str], plan: Plan) -> str:
    """The largest resident memory of a fresh process when it has read the first page, and when it has read all."""
    rows = []
    for name in (name for name in MEMORY if name in present):
        say(f"memory of {name}")
        with Worker(name) as worker:
            sizes = [worker.do("steps", base(0, 1, count))["mib"] for count in (100, plan.streamed)]
        rows.append([names[name], *(f"{size:.1f} MiB" for size in sizes)])
    return table(["largest resident memory of the process", "the first 100 steps", f"{plan.streamed:,} steps"], rows)


def measure(plan: Plan) -> str:
    """All tables."""
    begin = time.monotonic()
    skipped = harness.build()
    found = versions(skipped)
    names = {name: title.format(**found) for name, title in NAMES.items() if name not in skipped}
    with harness.served() as base, ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name)) for name in names}
        parts = [
            costs(workers, base, plan, names),
            fan_out(workers, base, plan, names),
            side_by_side(workers["facade"], base, plan),
            memory(names, list(workers), base, plan),
        ]
    packages = ", ".join(f"{name} {found[name]}" for name in ("httpx", "attrs", "msgspec"))
    told = (
        f"Measured at {harness.where()}, in {time.monotonic() - begin:.0f} s; {packages}; medians of "
        f"{plan.rounds} rounds, of {plan.slow_rounds} where wall time is shown."
    )
    parts += [f"Not measured: {name} ({reason})." for name, reason in skipped.items()]
    return "\n\n".join([told, *parts])


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description="Measure what reading costs.")
    parser.add_argument("--quick", action="store_true", help="read less, and print only")
    quick = parser.parse_args(argv).quick
    say(f"this takes about {'a minute' if quick else '6 minutes'}, on a machine with nothing else to do")
    tables = measure(QUICK if quick else WHOLE)
    print(tables)
    if not quick:
        harness.write(PAGE, BEGIN, END, tables)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
