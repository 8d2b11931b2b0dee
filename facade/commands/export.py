"""`export`: threads, with all that belongs to them, into an archive."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click

from facade import archive
from facade.archive import Report
from facade.commands import _output, _signals
from facade.commands._command import command, concurrency
from facade.commands._connection import Connection, connected
from facade.commands._exits import INCOMPLETE_EXPORT, Failure
from facade.commands._input import Pipeline, thread_of
from facade.commands._summary import contents, unfinished

_CLOSING = {"services.ai.azure.com": "2027-03-31", "openai.azure.com": "2026-08-26", "api.openai.com": "2026-08-26"}
"""The days on which endpoints close, by the ends of their host names."""

_LINE_EVERY_SEC = 10.0


@command("export")
@click.argument("threads", nargs=-1, metavar="[THREAD]...")
@click.option("--to", required=True, metavar="FILE", help="The archive: made, or gone on with.")
@click.option(
    "--threads-from",
    metavar="FILE",
    help='A file of threads, an id or a JSON object a line; "-": standard input, which also counts without a THREAD.',
)
@click.option("--all-threads", is_flag=True, help="Also every thread that the server lists, where it does.")
@click.option("--include", multiple=True, metavar="FIELD", help="What else to ask for with steps; may be repeated.")
@click.option("--no-messages", is_flag=True, help="Leave out the messages.")
@click.option("--no-assistants", is_flag=True, help="Leave out the assistants that runs name.")
@click.option("--files", is_flag=True, help="Also the content of the files that anything in the archive names.")
@concurrency(16, "How many requests are under way at most; it begins with 4.")
@click.option("--max-rate", type=float, metavar="N", help="At most so many requests a second, retries counted.")
@click.option("--merge", is_flag=True, help="Take in what comes from another server than what is in the file.")
@connected
def export(
    threads: tuple[str, ...],
    to: str,
    threads_from: str | None,
    all_threads: bool,
    include: tuple[str, ...],
    no_messages: bool,
    no_assistants: bool,
    files: bool,
    concurrency: int,
    max_rate: float | None,
    merge: bool,
    connection: Connection,
) -> None:
    """Take THREADs home: everything of them into one file.

    Each thread, its messages, its runs, their steps, and the assistants that its runs name, exactly as the server sends
    them. Whatever ends it, the same command goes on from there; later it reads what is new.
    """
    bad_lines: list[click.UsageError] = []
    thread_ids = [thread_of(thread)["thread_id"] for thread in threads if thread != "-"]
    if threads_from is not None or "-" in threads or not (threads or all_threads):
        thread_ids += _threads_from(threads_from, bad_lines)
    with connection.open() as client, _shown(to) as progress:
        report = archive.export(
            client,
            thread_ids,
            to,
            all_threads=all_threads,
            include=include,
            messages=not no_messages,
            assistants=not no_assistants,
            concurrency=concurrency,
            max_rate=max_rate,
            progress=progress,
            merge=merge,
            files=files,
        )
        base = client._settings.base
    _summarize(report, to, base)
    for thread_id, error in report.errors.items():
        _output.say(f"{thread_id}: {error}")
    if bad_lines:
        raise click.UsageError(f"bad lines passed over: {len(bad_lines)}; the rest was read")
    if report.errors:
        what = _output.number_of(len(report.errors), "threads")
        raise Failure(INCOMPLETE_EXPORT, f"{what} could not be read to the end; the same command tries again")


def _threads_from(path: str | None, bad_lines: list[click.UsageError]) -> Iterator[str]:
    """The threads that a file's lines name, or standard input's; bad lines are named and gathered."""

    def pass_over(problem: click.UsageError) -> None:
        _output.say(problem.format_message())
        bad_lines.append(problem)

    if (pipeline := Pipeline.of(path, "THREAD", thread_of)) is not None:
        yield from (key["thread_id"] for key in pipeline.keys(pass_over))
        return
    try:
        with open(path or "", "rb") as lines:
            yield from (key["thread_id"] for key in Pipeline(lines, thread_of, repr(path)).keys(pass_over))
    except OSError as error:
        raise click.UsageError(f"--threads-from: {path!r} cannot be read: {error.strerror}") from None


@contextmanager
def _shown(to: str) -> Iterator[Callable[[Report], None]]:
    """Show how far an export has come: a bar on a terminal, a line now and then elsewhere."""
    last = Report()

    def tell() -> str:
        return f"{_output.number_of(last.read, 'objects')} read; {to} has them, and the same command goes on from there"

    with _signals.how_far(tell), _display() as show:

        def take(report: Report) -> None:
            nonlocal last
            last = report
            show(report)

        yield take


@contextmanager
def _display() -> Iterator[Callable[[Report], None]]:
    if sys.stderr is None or not sys.stderr.isatty():
        yield _lines()
        return
    from facade.commands._progress import export_bar

    with export_bar() as show:
        yield show


def _lines() -> Callable[[Report], None]:
    said_at = time.monotonic()

    def show(report: Report) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _LINE_EVERY_SEC:
            said_at = time.monotonic()
            left = max(0, report.expected - report.done)
            left_sec = f", about {report.seconds * left / report.done:,.0f} s left" if report.done else ""
            errors = f", {_output.number_of(len(report.errors), 'threads')} with errors" if report.errors else ""
            rate = f"{report.read / report.seconds:,.0f} a second"
            _output.say(f"{_output.number_of(report.read, 'objects')}, {rate}{errors}{left_sec}")

    return show


def _summarize(report: Report, to: str, base: str) -> None:
    """Say what was done, what the archive has, and what is missing."""
    lines = [
        f"Read {_output.number_of(report.read, 'objects')} in {report.seconds:,.1f} s:"
        f" {_output.number_of(report.requests, 'requests')}, {report.bytes:,} bytes of answers.",
        f"{to} has {contents(report)}: {Path(to).stat().st_size:,} bytes.",
    ]
    if report.unfinished:
        lines += unfinished(report)
        lines.append("The next export reads these again.")
    lines.append("It is complete." if report.complete else "It is not complete.")
    host = urlsplit(base).hostname or ""
    for name, day in _CLOSING.items():
        if host == name or host.endswith(f".{name}"):
            lines.append(f"This endpoint closes on {day}.")
    click.echo("\n".join(_output.one_line(line) for line in lines))
