"""`to-parquet`: an archive's tables, or a thread's, as Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from facade.commands import _output
from facade.commands._command import command, either
from facade.commands._connection import Connection, connected
from facade.commands._exits import INCOMPLETE_EXPORT, Failure


@command("to-parquet")
@click.argument("source", metavar="(FILE|THREAD)")
@click.argument("folder", metavar="DIR", required=False)
@click.option("--to", metavar="DIR", help="The same as DIR: a folder, or an address that fsspec knows (s3://…).")
@connected
def to_parquet(source: str, folder: str | None, to: str | None, connection: Connection) -> None:
    """Write the tables of the archive FILE, or of THREAD, as Parquet files into DIR.

    Threads, messages, runs, steps, tool calls and assistants, a folder each, and a manifest of all files at the end.
    Writing again replaces what has changed.

    \b
        thread-runs to-parquet archive.db tables
    """
    from facade import archive

    place = either(folder, to, "DIR", "--to")
    if place is None:
        raise click.UsageError("say where to: give a DIR")
    with _archive_of(source, connection) as file:
        manifest = archive.to_parquet(file, place)
    for name, table in manifest["tables"].items():
        _output.say(_output.number_of(table["rows"], name.replace("_", " ")))
    click.echo(place)


@contextmanager
def _archive_of(source: str, connection: Connection) -> Iterator[str]:
    """FILE, or an archive of THREAD that goes with the context."""
    from facade import archive

    if os.path.isdir(source) or "://" in source:  # what `archive.export_many` has filled
        yield source
        return
    with connection.open_source(source) as (client, thread):
        if thread is None:
            yield source
            return
        with TemporaryDirectory(prefix="thread-runs-") as folder:
            file = str(Path(folder) / "archive.db")
            report = archive.export(client, [thread], file)
            if report.errors:
                raise Failure(INCOMPLETE_EXPORT, f"{thread}: {report.errors[thread]}")
            yield file
