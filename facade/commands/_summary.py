"""What is said of an archive after an export or a check."""

from __future__ import annotations

from facade.archive import Report
from facade.commands._output import number_of


def contents(report: Report) -> str:
    """How many objects of each kind there are."""
    kinds = ("threads", "messages", "runs", "steps", "assistants", *(["files"] if report.files else []))
    return ", ".join(number_of(getattr(report, kind), kind) for kind in kinds)


def unfinished(report: Report) -> str:
    """The runs that are not whole; the first of them by name."""
    shown = ", ".join(report.unfinished[:5]) + (", …" if report.unfinished[5:] else "")
    have = "has" if len(report.unfinished) == 1 else "have"
    return f"{number_of(len(report.unfinished), 'runs')} {have} not ended, or not all steps are here: {shown}"
