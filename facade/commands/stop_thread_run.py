"""`stop-thread-run`: asks for a run to be stopped."""

from __future__ import annotations

import click

from facade.commands import _life, _output
from facade.commands._command import command, either
from facade.commands._connection import Connection, connected
from facade.run_cmdlets import stop_thread_run as stop


@command("stop-thread-run")
@click.argument("run", required=False)
@click.argument("thread", required=False)
@click.option("--run-id", metavar="RUN", help="The run.")
@click.option("--thread-id", metavar="THREAD", help="The run's thread.")
@click.option("--force", is_flag=True, help="Ask whatever the run's status is.")
@click.option("--wait", is_flag=True, help="Wait until it has stopped.")
@click.option("--pass-thru", is_flag=True, help="Print the run.")
@_output.printed
@connected
def stop_thread_run(
    run: str | None,
    thread: str | None,
    run_id: str | None,
    thread_id: str | None,
    force: bool,
    wait: bool,
    pass_thru: bool,
    output: _output.Format,
    connection: Connection,
) -> None:
    """Ask for RUN to be stopped.

    Without --force only a run that is queued, in_progress or requires_action is.
    """
    run = either(run, run_id, "RUN", "--run-id")
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    key = _life.named_run(run, thread, "stop-thread-run")
    with connection.open() as client:
        stopped = stop(key, force=force, wait=wait, pass_thru=True, client=client)
    if pass_thru:
        _life.show(stopped, output)
