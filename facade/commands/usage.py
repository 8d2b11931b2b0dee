"""`usage`: what runs used, by something that they have in common."""

from __future__ import annotations

import attrs
import click

from facade.commands import _output
from facade.commands._command import command
from facade.commands._connection import Connection, connected
from facade.commands._kinds import Kind

_NUMBERS = (
    "runs",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "seconds",
    "cached_tokens",
    "failed",
    "cancelled",
    "expired",
    "incomplete",
)


def _check_by(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from facade.usage import check_by

    try:
        return check_by(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@command("usage")
@click.argument("source", metavar="(FILE|THREAD)")
@click.option(
    "--by",
    callback=_check_by,
    default="model",
    show_default=True,
    metavar="WHAT",
    help="thread, run, assistant, model, day (in UTC) or metadata.KEY.",
)
@_output.printed
@connected
def usage(source: str, by: str, output: _output.Format, connection: Connection) -> None:
    """Sum the tokens, seconds and failures of THREAD's runs, or of all runs in the archive FILE.

    \b
        thread-runs usage archive.db --by day --output csv
    """
    from facade.usage import summed

    writer = _output.writer(output, _kind(by))
    with connection.open_threads(source) as (client, threads):
        rows = [attrs.asdict(row) for row in summed(client.runs.all(threads), by)]
    if _output.is_for_people(output):
        if not rows:
            _output.say("no runs")
        if len(rows) > 1:
            rows.append({"key": "total"} | {name: sum(row[name] for row in rows) for name in _NUMBERS})
    for row in rows:
        writer.write({by: row["key"], **{name: _plain(row[name]) for name in _NUMBERS}})
    writer.flush()


def _plain(number: float) -> float:
    """A number as it is written: a whole one without a point."""
    return int(number) if number == int(number) else round(number, 3)


def _kind(by: str) -> Kind:
    headings = {name: name.removesuffix("_tokens") for name in _NUMBERS}
    return Kind(
        "runs",
        cells={
            by: lambda row: row[by] or "(none)",
            **{heading: lambda row, name=name: f"{row[name]:,}" for name, heading in headings.items()},  # type: ignore[misc]
        },
        values={name: lambda row, name=name: row[name] for name in (by, *_NUMBERS)},  # type: ignore[misc]
        minor=("cached", "cancelled", "expired", "incomplete"),
        numbers=tuple(headings.values()),
    )
