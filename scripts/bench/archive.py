"""Measures what an export costs, beside a loop of the openai SDK that writes JSON Lines.

    python -m scripts.bench.archive [--most STEPS]

Serves canned answers on loopback from another process, and does each job in a process of its own. Prints two tables and
writes them into docs/leaving-an-endpoint.md: objects a second and CPU at 5 ms latency, and memory and bytes an object
from 1,000 steps to STEPS (1,000,000 where left out, which takes 1.5 GB of disk for a while); with fewer it prints only.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.bench.harness import PEERS, ROOT, Numbers, Worker, build, say, served, table, where, write

PAGE = ROOT / "docs" / "leaving-an-endpoint.md"
BEGIN, END = "<!-- figures: made by `python -m scripts.bench.archive` -->", "<!-- end of the figures -->"
NAMES = {
    "facade_fast": "`thread-runs export`",
    "openai": f"a loop of {PEERS['openai'].replace('==', ' ')}, JSON Lines",
}
RUNS, STEPS, LATENCY_MS, ROUNDS, MOST = 1000, 30, 5, 3, 1_000_000


def exported(library: str, base: Callable[..., str], *kind: int) -> Numbers:
    """What an export costs in a fresh process that has made a small one before, and the bytes of its file."""
    with tempfile.TemporaryDirectory() as folder, Worker(library) as worker:
        to = Path(folder) / "out"
        worker.do("export", base(0, 1, 1), f"{to}.first")
        cost = worker.do("export", base(*kind), str(to)) | {"bytes": to.stat().st_size}
    return cost | {"rate": f"{cost['count'] / cost['wall']:,.0f}"}


def tables(base: Callable[..., str], most: int) -> str:
    """Both tables."""
    say("beside the SDK")
    rounds = [tuple(exported(name, base, LATENCY_MS, RUNS, STEPS) for name in NAMES) for _ in range(ROUNDS)]
    ours, loop = sorted(rounds, key=lambda costs: costs[1]["wall"] / costs[0]["wall"])[ROUNDS // 2]
    head = ["", "seconds", "objects a second", "CPU seconds", "times as fast"]
    rows = [
        [name, f"{cost['wall']:.1f}", cost["rate"], f"{cost['cpu']:.1f}", f"{loop['wall'] / cost['wall']:.1f}"]
        for name, cost in zip(NAMES.values(), (ours, loop), strict=True)
    ]
    sizes, count = [], 1000
    while count <= most:
        say(f"{count:,} steps")
        cost = exported("facade_fast", base, 0, count // 100, 100)
        sizes.append([f"{count:,}", f"{cost['mib']:.0f} MiB", f"{cost['bytes'] / cost['count']:,.0f}", cost["rate"]])
        count *= 10
    return "\n\n".join(
        [
            f"{ours['count']:,} objects ({RUNS:,} runs with {STEPS} steps each) at {LATENCY_MS} ms latency,"
            f" median of {ROUNDS} rounds:",
            table(head, rows),
            "Memory and file, without latency:",
            table(["steps", "peak memory", "bytes of the file an object", "objects a second"], sizes),
            f"Steps of 771 bytes on average. Measured at {where()}.",
        ]
    )


def main() -> None:
    """Measures, prints, and writes into the page."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.archive", description="Measure what an export costs."
    )
    parser.add_argument("--most", type=int, default=MOST, help="how many steps the largest export has")
    most = parser.parse_args().most
    build()
    with served() as base:
        text = tables(base, most)
    print(text)
    if most >= MOST:
        write(PAGE, BEGIN, END, text)


if __name__ == "__main__":
    main()
