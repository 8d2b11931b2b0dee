"""Makes the tables of the page from the numbers.

    python scripts/bench/page.py NUMBERS [PAGE]

Prints them; with PAGE, puts them between the two marks of that page too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- tables: made by `make bench` -->", "<!-- end of the tables -->"

NAMES = {
    "raw": "raw httpx + json.loads, untyped",
    "facade": "**this project**",
    "facade_fast": "**this project, extra `fast`**",
    "facade_async": "**this project, async**",
    "stock": "stock generated code",
    "openai": "openai {openai}",
    "azure": "azure-ai-agents {azure-ai-agents}",
    "view": "this project: reads when asked",
    "cattrs": "a cattrs converter over the stock classes",
}

Numbers = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]

    def line(cells: list[str]) -> str:
        name, *rest = zip(cells, widths, strict=True)
        return f"| {' | '.join([name[0].ljust(name[1]), *(cell.rjust(width) for cell, width in rest)])} |"

    rule = [("-" * (width - 1) + ":" if n else "-" * width) for n, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def _cell(found: Numbers, kind: str) -> str:
    if not found:
        return "-"
    amount = f"{found[f'{kind}_us']:.3g} µs" if f"{kind}_us" in found else f"{found[f'{kind}_ms']:.0f} ms"
    return f"{found[f'{kind}_ratio']:.2f} ({amount})"


def costs(numbers: Numbers, kind: str) -> str:
    """What each task costs with each library: the ratio to the first row, and the time an object."""
    tasks = numbers["tasks"]
    columns = [tasks["one"], tasks["steps"], tasks["runs"], numbers["import"], numbers["import_with_cli"]]
    head = ["get one step", f"all {numbers['objects']:,} steps", f"all {numbers['objects']:,} runs", "import"]
    return table(
        ["", *head, "import, click and rich there"],
        [
            [_name(numbers, library), *(_cell(column.get(library, {}), kind) for column in columns)]
            for library in tasks["steps"]
        ],
    )


def read_through(numbers: Numbers) -> str:
    """What reading each step to its last field costs."""
    found = numbers["tasks"]["read_through"]
    head = ["each step read to its last field, and `to_dict()`", "CPU a step", "wall a step"]
    rows = [[_name(numbers, n), f"{f['cpu_us']:.1f} µs", f"{f['wall_us']:.1f} µs"] for n, f in found.items()]
    return table(head, rows)


def fan_out(numbers: Numbers) -> str:
    """Every step of every run of a thread, and how many times faster than the official SDK's loop that is."""
    found = {(f["library"], f["concurrency"], f["latency_ms"]): f for f in numbers["fan_out"]}
    latencies = sorted({latency for _, _, latency in found})

    def cell(library: str, concurrency: int, latency: int) -> str:
        wall = found[library, concurrency, latency]["wall_sec"]
        other = found.get(("openai", 1, latency))
        return f"{wall:.2f} s" + (f" ({other['wall_sec'] / wall:.1f}x)" if other else "")

    return table(
        [f"{numbers['fan_out_runs']} runs of {numbers['fan_out_steps']} steps", *(f"{ms} ms" for ms in latencies)],
        [
            [
                _name(numbers, library) + (f", concurrency {n}" if library.startswith("facade") else ", in a loop"),
                *(cell(library, n, ms) for ms in latencies),
            ]
            for library, n in dict.fromkeys((library, n) for library, n, _ in found)
        ],
    )


def memory(numbers: Numbers) -> str:
    """Peak memory of reading many steps."""
    return table(
        ["largest resident memory of the process", "the first 100 steps", f"{numbers['streamed']:,} steps"],
        [
            [_name(numbers, library), f"{found['first_mib']:.1f} MiB", f"{found['peak_mib']:.1f} MiB"]
            for library, found in numbers["memory"].items()
        ],
    )


def growth(numbers: Numbers) -> str:
    """Time a step and memory as there are more of them."""
    found = {(f["library"], f["steps"]): f for f in numbers["growth"]}
    return table(
        ["steps", "CPU a step", "raw", "peak memory", "raw"],
        [
            [
                f"{steps:,}",
                *(f"{found[library, steps]['cpu_us']:.2f} µs" for library in ("facade", "raw")),
                *(f"{found[library, steps]['peak_mib']:.1f} MiB" for library in ("facade", "raw")),
            ]
            for steps in sorted({steps for _, steps in found})
        ],
    )


def making(numbers: Numbers) -> str:
    """What ways of making models cost, without a server."""
    return table(
        ["CPU a step, from the parsed JSON", "made", "status and usage read", "every field read", "given back as dict"],
        [
            [_name(numbers, way), *(f"{found[task]:.2f} µs" for task in ("make", "glance", "read", "to_dict"))]
            for way, found in numbers["making"].items()
        ],
    )


def _name(numbers: Numbers, library: str) -> str:
    return NAMES[library].format(**numbers["versions"])


def tables(numbers: Numbers) -> str:
    """All tables, each under what it shows."""
    machine, versions = numbers["machine"], numbers["versions"]
    parts = [
        f"Python {machine['python']} on {machine['system']}, {machine['cores']} cores ({machine['processor']}); "
        f"httpx {versions['httpx']}, attrs {versions['attrs']}, msgspec {versions['msgspec']}; "
        f"medians of {numbers['rounds']} rounds.",
        "### CPU time: ratio to raw (time an object)",
        costs(numbers, "cpu"),
        "### Wall time: ratio to raw (time an object)",
        costs(numbers, "wall"),
        "### A step read through",
        read_through(numbers),
        "### Every step of every run of a thread, by the server's latency",
        fan_out(numbers),
        "### Memory",
        memory(numbers),
        "### As work grows",
        growth(numbers),
        "### Ways of making models",
        making(numbers),
    ]
    parts += [f"Not measured: {name} ({reason})." for name, reason in numbers["skipped"].items()]
    return "\n\n".join(parts)


def main() -> None:
    """Prints the tables, and writes them where asked to."""
    text = tables(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    print(text)
    if len(sys.argv) > 2:
        page = Path(sys.argv[2])
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
