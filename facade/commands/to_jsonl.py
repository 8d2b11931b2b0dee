"""`to-jsonl`: every object of an archive, as it was sent."""

from __future__ import annotations

import sys

import click

from facade import archive
from facade.commands import _output
from facade.commands._command import command


@command("to-jsonl")
@click.argument("file", metavar="FILE")
@click.option(
    "--to",
    metavar="DIR",
    default="-",
    show_default=True,
    help="A folder for a file a kind, or an address that fsspec knows (s3://…); - is standard output, for one stream.",
)
def to_jsonl(file: str, to: str) -> None:
    """Write every object of the archive FILE as JSON Lines, as it was sent.

    Threads, messages, runs, steps and assistants, character for character, but for line breaks between tokens, which
    become spaces.

    \b
        thread-runs to-jsonl archive.db | grep '"failed"'
        thread-runs to-jsonl archive.db --to lines
    """
    if to == "-":
        if sys.stdout is None:  # as `>&-` leaves it
            raise click.ClickException("standard output is closed")
        archive.to_jsonl(file, sys.stdout.buffer)
        sys.stdout.flush()
        return
    for kind, count in archive.to_jsonl(file, to).items():
        _output.say(_output.number_of(count, kind))
    click.echo(to)
