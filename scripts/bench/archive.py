"""Measures what an export costs, beside a loop of the openai SDK that writes JSON Lines.

    python -m scripts.bench.archive [--most STEPS]

Serves canned answers on loopback from another process, and does each job in a process of its own. Prints two tables and
writes them into docs/leaving-an-endpoint.md: objects a second and CPU at 5 ms latency, and memory and bytes an object
from 1,000 steps to STEPS (1,000,000 where left out, which takes 1.5 GB of disk for a while); with fewer it prints only.
"""

# ruff: noqa: S603  # every program that is run is of these measurements

from __future__ import annotations

import argparse
import json
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "leaving-an-endpoint.md"
BEGIN, END = "<!-- figures: made by `python -m scripts.bench.archive` -->", "<!-- end of the figures -->"
RUNS, STEPS, LATENCY_MS, ROUNDS, MOST = 1000, 30, 5, 3, 1_000_000


def export(base: str, to: str) -> int:
    """This project's export of one thread; gives how many objects it read."""
    import facade
    from facade import archive

    with facade.Client("sk-bench", api_base=base) as client:
        report = archive.export(client, "thread_1", to)
    assert report.complete
    return report.read


def loop(base: str, to: str) -> int:
    """What people write with the openai SDK."""
    import warnings

    import openai

    warnings.simplefilter("ignore")
    count = 0
    client = openai.OpenAI(api_key="sk-bench", base_url=base)
    threads: Any = client.beta.threads
    with open(to, "w", encoding="utf-8") as lines:

        def write(item: Any) -> None:
            nonlocal count
            lines.write(item.to_json(indent=None) + "\n")
            count += 1

        write(threads.retrieve("thread_1"))
        for message in threads.messages.list("thread_1", limit=100, order="asc"):
            write(message)
        for run in threads.runs.list("thread_1", limit=100, order="asc"):
            write(run)
            for step in threads.runs.steps.list(run.id, thread_id="thread_1", limit=100, order="asc"):
                write(step)
    return count


JOBS = {"export": export, "loop": loop}
NAMES = {"export": "`thread-runs export`", "loop": "a loop of openai {version}, JSON Lines"}


def measured(job: str, base: str) -> dict[str, float]:
    """What a job costs in a fresh process: seconds, CPU seconds, peak memory, bytes of the file, objects."""
    with tempfile.TemporaryDirectory() as folder:
        to = str(Path(folder) / "out")
        done = subprocess.run(
            [sys.executable, "-m", "scripts.bench.archive", "--job", job, base, to],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        return {**json.loads(done.stdout), "bytes": Path(to).stat().st_size}


def do(job: str, base: str, to: str) -> None:
    """Do a job and print what it cost, imports aside."""
    import openai  # noqa: F401

    import facade.archive  # noqa: F401

    began, cpu = time.perf_counter(), time.process_time()
    count = JOBS[job](base, to)
    costs = {
        "objects": count,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(costs))


def tables(base: str, most: int) -> str:
    """Both tables as Markdown."""
    import openai

    rounds = [{job: measured(job, f"{base}/{LATENCY_MS}/{RUNS}/{STEPS}") for job in JOBS} for _ in range(ROUNDS)]
    middle = sorted(rounds, key=lambda costs: costs["loop"]["seconds"] / costs["export"]["seconds"])[ROUNDS // 2]
    lines = [
        f"{middle['export']['objects']:,} objects ({RUNS:,} runs with {STEPS} steps each) at {LATENCY_MS} ms latency,"
        f" median of {ROUNDS} rounds:",
        "",
        "| | seconds | objects a second | CPU seconds | times as fast |",
        "|---|--:|--:|--:|--:|",
    ]
    for job, costs in middle.items():
        times = middle["loop"]["seconds"] / costs["seconds"]
        lines.append(
            f"| {NAMES[job].format(version=openai.__version__)} | {costs['seconds']:.1f} |"
            f" {costs['objects'] / costs['seconds']:,.0f} | {costs['cpu']:.1f} | {times:.1f} |"
        )
    lines += ["", "Memory and file, without latency:", ""]
    lines += ["| steps | peak memory | bytes of the file an object | objects a second |", "|--:|--:|--:|--:|"]
    count = 1000
    while count <= most:
        costs = measured("export", f"{base}/0/{-(-count // 100)}/100")
        lines.append(
            f"| {count:,} | {costs['peak'] / 1e6:.0f} MB | {costs['bytes'] / costs['objects']:,.0f} |"
            f" {costs['objects'] / costs['seconds']:,.0f} |"
        )
        print(lines[-1], file=sys.stderr)
        count *= 10
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)  # noqa: S607
    where = f"Python {platform.python_version()}, {platform.system()}, commit {commit.stdout.strip()}"
    return "\n".join([*lines, "", f"Steps of 771 bytes on average. {where}."])


def main() -> None:
    """Measure, print, and write into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=MOST)
    parser.add_argument("--job", nargs=3)
    options = parser.parse_args()
    if options.job:
        do(*options.job)
        return
    server = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        text = tables(f"http://127.0.0.1:{server.stdout.readline().strip()}", options.most)
    finally:
        server.kill()
        server.wait()
    print(text)
    if options.most >= MOST:
        page = PAGE.read_text("utf-8")
        written = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", f"{BEGIN}\n\n{text}\n\n{END}", page, flags=re.S)
        PAGE.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
