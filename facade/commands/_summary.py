"""What is said of an archive after an export or a check."""

from __future__ import annotations

from collections import Counter

from facade.archive import Report
from facade.archive._schema import FINISHED
from facade.commands._output import number_of


def contents(report: Report) -> str:
    """How many objects of each kind there are."""
    kinds = ("threads", "messages", "runs", "steps", "assistants", *(["files"] if report.files else []))
    return ", ".join(number_of(getattr(report, kind), kind) for kind in kinds)


def unfinished(report: Report) -> list[str]:
    """The runs that are not whole, and why; the first of them by name."""
    going_on = [run_id for run_id in report.unfinished if report.statuses.get(run_id) not in FINISHED]
    ended = [run_id for run_id in report.unfinished if run_id not in set(going_on)]
    statuses = Counter(report.statuses.get(run_id) or "of no status" for run_id in going_on)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    lines = []
    if going_on:
        have = "has" if len(going_on) == 1 else "have"
        lines.append(f"{number_of(len(going_on), 'runs')} {have} not ended ({counts}): {_named(going_on)}")
    if ended:
        whose = "1 run that has" if len(ended) == 1 else f"{len(ended):,} runs that have"
        lines.append(f"Not all steps are here of {whose} ended: {_named(ended)}")
    return lines


def _named(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if ids[5:] else "")
