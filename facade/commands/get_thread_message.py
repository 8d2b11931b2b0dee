"""`get-thread-message`: one message of a thread, or its messages."""

from __future__ import annotations

from typing import Any

import click

from facade.commands._command import command, either
from facade.commands._connection import Connection, connected
from facade.commands._input import Pipeline, thread_of
from facade.commands._kinds import MESSAGES
from facade.commands._listing import Listing, listed


@command("get-thread-message")
@click.argument("thread", required=False)
@click.argument("message", required=False)
@click.option("--thread-id", metavar="THREAD", help='The thread; "-" for standard input.')
@click.option("--message-id", metavar="MESSAGE", help="The one message to read. Without it, they are listed.")
@click.option("--run-id", metavar="RUN", help="Only the messages that this run made.")
@listed
@connected
def get_thread_message(
    thread: str | None,
    message: str | None,
    thread_id: str | None,
    message_id: str | None,
    run_id: str | None,
    listing: Listing,
    connection: Connection,
) -> None:
    """Read one message of THREAD, or list its messages."""
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    wanted = either(message, message_id, "MESSAGE", "--message-id")
    if wanted is not None and run_id is not None:
        raise click.UsageError("--run-id goes with a list: leave it out, or the id of the one message to read")
    threads = Pipeline.of(thread, "THREAD", thread_of) or thread_of(thread)
    of_run: dict[str, Any] = {} if run_id is None else {"run_id": run_id}
    listing.show(connection, MESSAGES, lambda client: client.messages, threads, wanted, **of_run)
