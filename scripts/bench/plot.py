"""Draws the numbers.

    python scripts/bench/plot.py NUMBERS PLOT

The same numbers give the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

Numbers = dict[str, Any]

NAMES = {
    "raw": "raw httpx + json.loads",
    "facade": "this project",
    "facade_fast": "this project, extra fast",
    "facade_async": "this project, async",
    "stock": "stock generated code",
    "openai": "openai",
    "azure": "azure-ai-agents",
}
COLOURS = {
    "raw": "#7f7f7f",
    "facade": "#0b6e4f",
    "facade_fast": "#3aa17e",
    "facade_async": "#3aa17e",
    "stock": "#c28f2c",
    "openai": "#b5483a",
    "azure": "#3f6fb5",
}


def all_steps(axes: Axes, numbers: Numbers) -> None:
    """CPU time of reading all steps."""
    found = numbers["tasks"]["steps"]
    names = list(found)[::-1]
    bars = axes.barh(
        [NAMES[name] for name in names],
        [found[name]["cpu_us"] for name in names],
        color=[COLOURS[name] for name in names],
    )
    axes.bar_label(bars, [f"{found[n]['cpu_us']:.1f} µs ({found[n]['cpu_ratio']:.2f}x)" for n in names], padding=4)
    axes.set_xlim(0, max(f["cpu_us"] for f in found.values()) * 1.35)
    axes.set_xlabel("µs of CPU time a step")
    axes.set_title(f"All {numbers['objects']:,} steps, status and usage read")


def fan_out(axes: Axes, numbers: Numbers) -> None:
    """Wall time of a fan-out over concurrency, for each latency."""
    found = numbers["fan_out"]
    latencies = sorted({f["latency_ms"] for f in found})
    for latency, style in zip(latencies, ("-", "--", ":"), strict=False):
        for library in ("facade", "facade_async"):
            points = [f for f in found if f["library"] == library and f["latency_ms"] == latency]
            axes.plot(
                [f["concurrency"] for f in points],
                [f["wall_sec"] for f in points],
                style,
                marker="o" if library == "facade" else "s",
                markersize=5,
                markerfacecolor=COLOURS[library] if library == "facade" else "white",
                color=COLOURS[library],
                label=f"{NAMES[library]}, {latency} ms",
            )
        for loop in (f for f in found if f["library"] == "openai" and f["latency_ms"] == latency):
            label = f"openai's loop, {latency} ms"
            axes.axhline(loop["wall_sec"], linestyle=style, color=COLOURS["openai"], label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(ticks := sorted({f["concurrency"] for f in found}), [str(tick) for tick in ticks])
    axes.yaxis.set_major_formatter(lambda sec, _: f"{sec:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(lambda sec, _: f"{sec:g}")
    axes.set_xlabel("concurrency")
    axes.set_ylabel("seconds")
    axes.set_title(f"Every step of {numbers['fan_out_runs']} runs, by latency")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncols=len(latencies), loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)


def growth(axes: Axes, numbers: Numbers, what: str, label: str, title: str) -> None:
    """A cost as there are more steps."""
    for library in ("raw", "facade"):
        points = [f for f in numbers["growth"] if f["library"] == library]
        axes.plot(
            [f["steps"] for f in points],
            [f[what] for f in points],
            marker="o",
            markersize=4,
            color=COLOURS[library],
            label=NAMES[library],
        )
    axes.set_xscale("log")
    axes.set_ylim(0, 1.15 * max(f[what] for f in numbers["growth"]))
    axes.set_xlabel("steps read")
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")


def main() -> None:
    """Draws the plot."""
    numbers = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    mpl.rcParams.update({"svg.hashsalt": "openai-thread-runs", "font.size": 9, "axes.titlesize": 10})
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    all_steps(axes[0][0], numbers)
    fan_out(axes[0][1], numbers)
    growth(axes[1][0], numbers, "cpu_us", "µs of CPU time a step", "Time as work grows")
    growth(axes[1][1], numbers, "peak_mib", "MiB, the whole process", "Peak memory as work grows")
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
