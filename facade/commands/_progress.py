"""How far a command has come, on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from facade.commands._output import number_of

if TYPE_CHECKING:
    from facade.archive import Report


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed:,.0f}/s" if task.elapsed else "")


@contextmanager
def counted(noun: str, console: Console | None = None, delay_sec: float = 0) -> Iterator[Callable[[int], None]]:
    """Show a count, its rate and the time that has passed; what the context gives takes the count.

    Args:
        noun: what is counted
        console: where other things are printed meanwhile, if that is the same terminal; None for standard error
        delay_sec: how long to wait before anything is shown; the last count is shown in any case
    """
    columns = (SpinnerColumn(finished_text=""), TextColumn("{task.completed:,} {task.description}"), _Rate())
    shown = Progress(
        *columns, TimeElapsedColumn(), console=console or Console(stderr=True, emoji=False), redirect_stdout=False
    )
    task = shown.add_task(noun, total=None)
    timer = threading.Timer(delay_sec, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda count: shown.update(task, completed=count)
    finally:
        timer.cancel()
        timer.join()
        shown.update(task, total=shown.tasks[0].completed)
        shown.start()
        shown.stop()


@contextmanager
def export_bar() -> Iterator[Callable[[Report], None]]:
    """Show an export's counts, rate, errors and remaining time; what the context gives takes each report so far."""
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, emoji=False), redirect_stdout=False) as shown:
        task = shown.add_task("", total=None)

        def show(report: Report) -> None:
            rate = report.read / report.seconds if report.seconds else 0
            errors = f", {number_of(len(report.errors), 'threads')} with errors" if report.errors else ""
            read = ", ".join(number_of(getattr(report, kind), kind) for kind in ("threads", "runs", "steps"))
            counts = f"{read}, {rate:,.0f}/s{errors}"
            shown.update(task, completed=report.done, total=report.expected, description=counts)

        yield show
