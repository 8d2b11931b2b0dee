"""`wait-thread-run`: follows runs until they rest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

import facade
from facade._life.waiting import GOES_ON
from facade.commands import _life, _output, _signals
from facade.commands._command import Seconds, command, either
from facade.commands._connection import Connection, connected
from facade.commands._input import Pipeline, run_of
from facade.run_cmdlets import wait_thread_run as wait


@command("wait-thread-run")
@click.argument("run", required=False)
@click.argument("thread", required=False)
@click.option("--run-id", metavar="RUN", help='The run; "-" for standard input.')
@click.option("--thread-id", metavar="THREAD", help="The run's thread. Runs that come as JSON name it themselves.")
@click.option(
    "--poll-interval-sec",
    type=Seconds(),
    metavar="SECONDS",
    help="Between two readings.  [default: what the server says, else 1/3 to 5]",
)
@click.option(
    "--status-for-wait",
    multiple=True,
    default=GOES_ON,
    show_default=True,
    metavar="STATUS",
    help="A status to go on at; may be repeated.",
)
@click.option("--status-for-exit", multiple=True, metavar="STATUS", help="A status not to go on at; may be repeated.")
@_output.printed
@connected
def wait_thread_run(
    run: str | None,
    thread: str | None,
    run_id: str | None,
    thread_id: str | None,
    poll_interval_sec: float | None,
    status_for_wait: tuple[str, ...],
    status_for_exit: tuple[str, ...],
    output: _output.Format,
    connection: Connection,
) -> None:
    """Read RUN again and again until it rests, and print it.

    It ends with 13 where the run did not complete, 14 where it waits for an answer; --deadline-sec bounds the whole.
    """
    run = either(run, run_id, "RUN", "--run-id")
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    pipeline = Pipeline.of(run, "RUN", lambda value: run_of(value, thread))
    keys = pipeline.keys() if pipeline else iter([_life.named_run(run, thread, "wait-thread-run")])
    seen: list[facade.Run] = []
    code = 0
    with _signals.how_far(lambda: _life.commands_for(seen[-1] if seen else None)), connection.open() as client:
        for key in keys:
            with _shown(key["run_id"], seen.append) as show:
                found = wait(
                    key,
                    poll_interval_sec=poll_interval_sec,
                    status_for_wait=status_for_wait,
                    status_for_exit=status_for_exit,
                    progress=show,
                    client=client,
                )
            _life.show(found, output)
            try:
                _life.end(found)
            except click.exceptions.Exit as leaving:
                code = code or leaving.exit_code
        if pipeline:
            pipeline.check()
    if code:
        raise click.exceptions.Exit(code)


@contextmanager
def _shown(run_id: str, seen: Callable[[facade.Run], None]) -> Iterator[Callable[[facade.Run], None]]:
    """While the context lasts, a line on standard error says how the run stands, where that is a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield seen
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True, emoji=False)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(escape(f"{_output.one_line(run_id)} ..."), total=None)

        def show(run: facade.Run) -> None:
            seen(run)
            progress.update(task, description=escape(_output.one_line(f"{run_id} {run.status}")))

        yield show
