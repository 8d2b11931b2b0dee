"""`start-thread-run`: starts an assistant on a thread."""

from __future__ import annotations

import json
import sys
from typing import Any, cast

import click

from facade.commands import _life, _output
from facade.commands._command import WholeNumber, command, either
from facade.commands._connection import Connection, connected, name_and_value
from facade.run_cmdlets import start_thread_run as start


@command("start-thread-run")
@click.argument("thread", required=False)
@click.argument("assistant", required=False)
@click.option("--thread-id", metavar="THREAD", help="The thread. Without one a new thread is made.")
@click.option("--assistant-id", metavar="ASSISTANT", help="The assistant to run.")
@click.option("--message", metavar="TEXT", help='A message of the user\'s to put on the thread first; "-": stdin.')
@click.option("--stream", is_flag=True, help="Print what happens as it happens, until the run rests.")
@click.option("--model", metavar="NAME", help="In the place of the assistant's.")
@click.option("--instructions", metavar="TEXT", help="In the place of the assistant's.")
@click.option("--additional-instructions", metavar="TEXT", help="Behind the assistant's.")
@click.option("--metadata", multiple=True, callback=name_and_value, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--temperature", type=float, metavar="NUMBER", help="0 to 2.")
@click.option("--top-p", type=float, metavar="NUMBER", help="0 to 1.")
@click.option("--max-prompt-tokens", type=WholeNumber(1), metavar="N", help="Where the run ends, incomplete.")
@click.option("--max-completion-tokens", type=WholeNumber(1), metavar="N", help="Where the run ends, incomplete.")
@click.option("--include", metavar="FIELD", multiple=True, help="A further field to ask for; may be repeated.")
@click.option("--additional-body", metavar="JSON", help="A JSON object that is merged into the body, and wins.")
@_output.printed
@connected
def start_thread_run(
    thread: str | None,
    assistant: str | None,
    thread_id: str | None,
    assistant_id: str | None,
    message: str | None,
    stream: bool,
    output: _output.Format,
    connection: Connection,
    **fields: Any,
) -> None:
    """Start ASSISTANT on THREAD, or on a new thread.

    It prints the run as it was queued: wait-thread-run follows it. With --stream it prints the text as it comes on a
    terminal, one event a line (JSON) into a pipe, and ends with 13 where the run did not complete, 14 where it waits
    for an answer. It is sent once: where it is not known what came of it, look before you start it again.

    \b
        thread-runs start-thread-run THREAD ASSISTANT --message 'How many loaves?' --stream
        thread-runs start-thread-run --assistant-id ASSISTANT --message Hello | thread-runs wait-thread-run
    """
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    assistant = either(assistant, assistant_id, "ASSISTANT", "--assistant-id")
    if assistant is None:
        raise click.UsageError("ASSISTANT is missing: start-thread-run THREAD ASSISTANT")
    if message == "-":
        message = sys.stdin.read()
    if fields["additional_body"] is not None:
        fields["additional_body"] = _object(fields["additional_body"])
    given = {name: value for name, value in fields.items() if value not in (None, (), {})}
    for name in ("include", "additional_instructions"):
        if thread is None and name in given:
            raise click.UsageError(f"--{name.replace('_', '-')} needs a THREAD: a run on a new thread has none")
    with connection.open() as client:
        started = cast(Any, start)(thread, assistant, message=message, stream=stream, client=client, **given)
        if stream:
            _life.show_stream(started, output)
        else:
            _life.show(started, output)


def _object(given: str) -> Any:
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise click.UsageError("--additional-body is no JSON object")
    return value
