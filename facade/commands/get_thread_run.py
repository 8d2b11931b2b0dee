"""`get-thread-run`: one run of a thread, or its runs."""

from __future__ import annotations

import click

from facade.commands._command import command, either
from facade.commands._connection import Connection, connected
from facade.commands._input import Pipeline, thread_of
from facade.commands._kinds import RUNS
from facade.commands._listing import Listing, listed


@command("get-thread-run")
@click.argument("thread", required=False)
@click.argument("run", required=False)
@click.option("--thread-id", metavar="THREAD", help='The thread; "-" for standard input.')
@click.option("--run-id", metavar="RUN", help="The one run to read. Without it, the thread's runs are listed.")
@listed
@connected
def get_thread_run(
    thread: str | None,
    run: str | None,
    thread_id: str | None,
    run_id: str | None,
    listing: Listing,
    connection: Connection,
) -> None:
    """Read one run of THREAD, or list its runs."""
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    threads = Pipeline.of(thread, "THREAD", thread_of) or thread_of(thread)
    listing.show(connection, RUNS, lambda client: client.runs, threads, either(run, run_id, "RUN", "--run-id"))
