"""`to-conversations`: an archive's threads, as OpenAI's Conversations API takes them."""

from __future__ import annotations

import click

from facade import archive
from facade.commands import _output
from facade.commands._command import command


@command("to-conversations")
@click.argument("file", metavar="FILE")
@click.option("--to", metavar="DIR", required=True, help="A folder, or an address that fsspec knows (s3://…).")
def to_conversations(file: str, to: str) -> None:
    """Write the threads of the archive FILE as items for OpenAI's Conversations API.

    A file a thread with its messages, images and tool calls, as far as there are items for them; DIR/report.jsonl names
    each thing that there is none for, and why.

    \b
        thread-runs to-conversations archive.db --to conversations
    """
    written = archive.to_conversations(file, to)
    threads, items = _output.number_of(written.threads, "threads"), _output.number_of(written.items, "items")
    _output.say(f"{threads}, {items}; lost: {written.losses:,}, each in report.jsonl")
    click.echo(to)
