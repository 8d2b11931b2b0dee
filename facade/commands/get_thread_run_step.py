"""`get-thread-run-step`: one step of a run, or its steps."""

from __future__ import annotations

from typing import Any

import click

import facade
from facade._reading.values import value_in
from facade.commands._command import command, either
from facade.commands._connection import Connection, connected
from facade.commands._input import Pipeline, run_of
from facade.commands._kinds import STEPS
from facade.commands._listing import Listing, listed
from facade.commands._reading import log


@command("get-thread-run-step")
@click.argument("run", required=False)
@click.argument("thread", required=False)
@click.argument("step", required=False)
@click.option("--run-id", metavar="RUN", help='The run; "-" for standard input.')
@click.option("--thread-id", metavar="THREAD", help="The run's thread. Runs that come as JSON name it themselves.")
@click.option("--step-id", metavar="STEP", help="The one step to read. Without it, the run's steps are listed.")
@click.option("--include", metavar="FIELD", multiple=True, help="A further field to ask for; may be repeated.")
@listed
@connected
def get_thread_run_step(
    run: str | None,
    thread: str | None,
    step: str | None,
    run_id: str | None,
    thread_id: str | None,
    step_id: str | None,
    include: tuple[str, ...],
    listing: Listing,
    connection: Connection,
) -> None:
    """Read one step of RUN, or list its steps. RUN needs its THREAD.

    What a file search found is left out unless it is asked for:

    \b
        --include 'step_details.tool_calls[*].file_search.results[*].content'
    """
    run = either(run, run_id, "RUN", "--run-id")
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    wanted = either(step, step_id, "STEP", "--step-id")
    runs = Pipeline.of(run, "RUN", lambda value: run_of(value, thread))
    if runs is None and thread is None:
        raise click.UsageError("RUN needs its THREAD: get-thread-run-step RUN THREAD")
    listing.show(
        connection,
        STEPS,
        lambda client: client.steps,
        runs or run_of(run, thread),
        wanted,
        completed=_with_its_message,
        include=include,
    )


def _with_its_message(client: facade.Client, step: facade.RunStep) -> dict[str, Any]:
    """A step with the content of the message that it made, as far as that can be read."""
    shown = step.to_dict()
    message_id = value_in(value_in(shown.get("step_details"), "message_creation"), "message_id")
    if message_id is None:
        return shown
    try:
        return shown | {"content": client.messages.get(shown["thread_id"], message_id).to_dict().get("content")}
    except (facade.APIError, KeyError, ValueError, TypeError) as error:
        log.warning("the step's message cannot be read: %s", error)
        return shown
