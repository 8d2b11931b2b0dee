"""`verify`: whether an archive is what was put in."""

from __future__ import annotations

import click

from facade import archive
from facade.commands import _output
from facade.commands._command import command
from facade.commands._summary import contents, unfinished


@command("verify")
@click.argument("file", metavar="FILE")
def verify(file: str) -> None:
    """Check the archive FILE: that nothing in it was changed and nothing has gone.

    It sees accidents, not forgery. An archive that is not whole yet is as consistent as one that is, and which it is is
    said.
    """
    report = archive.verify(file)
    lines = [f"{file} is consistent: {contents(report)}; {report.bytes:,} bytes."]
    lines += unfinished(report)
    lines += [f"{thread_id}: {error}" for thread_id, error in report.errors.items()]
    lines.append("It is complete." if report.complete else "It is not complete: export goes on.")
    click.echo("\n".join(_output.one_line(line) for line in lines))
