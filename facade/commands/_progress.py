"""How far a command has come, on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text


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
