"""The options of a list, and how what they ask for is printed."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import click

import facade
from facade.commands import _output, _signals
from facade.commands._command import WholeNumber, concurrency, gathered
from facade.commands._connection import Connection
from facade.commands._input import Pipeline
from facade.commands._kinds import Kind
from facade.commands._reading import Reading, log


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Which objects of a list are read, and how they are printed."""

    all: bool
    limit: int | None
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None
    concurrency: int
    keep_going: bool
    output: _output.Format

    def __post_init__(self) -> None:
        if self.all and self.before:
            raise click.UsageError("--before goes with one page: leave out --all")

    def show(
        self,
        connection: Connection,
        kind: Kind,
        resource: Callable[[facade.Client], Any],
        source: Any,
        wanted: str | None,
        *,
        completed: Callable[[facade.Client, Any], dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        """Print what is asked for.

        Args:
            connection: opens the client
            kind: what is printed
            resource: takes `runs`, `steps`, … of the client
            source: a thread or run as the resource takes it, or a `Pipeline` of them
            wanted: the id of the one object to read; None for a list
            completed: makes what people see of one object that was asked for, where that takes more than the object
            options: what the resource's methods take as well
        """
        is_completed = completed is not None and wanted is not None and _output.is_for_people(self.output)
        lists = {"--all": self.all, "--limit": self.limit, "--after": self.after, "--before": self.before}
        is_many = isinstance(source, Pipeline)
        if wanted is not None and (given := [name for name, value in lists.items() if value]):
            raise click.UsageError(f"{given[0]} goes with a list: leave it out, or the id of the one object to read")
        if is_many and (self.after or self.before):
            raise click.UsageError("--after and --before go with one thread or run, not with standard input")
        writer = _output.writer(self.output, kind, is_one=wanted is not None)
        began, count, last = time.monotonic(), 0, None

        def tell() -> str:
            after = last.id if last else self.after
            of = f" of thread {last.thread_id}" if last and is_many else ""
            return f"{count} {kind.plural} read" + (f" (the rest{of}: --after {after})" if after and not wanted else "")

        reading = Reading(resource, source, self, wanted, options)
        with _signals.how_far(tell), connection.open() as client, self._progress(kind, writer) as show_count:
            try:
                with closing(reading.items(client)) as items:
                    for item in items:
                        writer.write(completed(client, item) if completed and is_completed else item.to_dict())
                        count, last = count + 1, item
                        show_count(count)
            finally:
                writer.flush()
            if not count and _output.is_for_people(self.output):
                _output.say(f"no {kind.plural}")
            log.info("%d read in %.1f s", count, time.monotonic() - began)
        if reading.exit_code:
            raise click.exceptions.Exit(reading.exit_code)

    def _progress(self, kind: Kind, writer: _output.Writer) -> AbstractContextManager[Callable[[int], None]]:
        console = writer.console if sys.stdout.isatty() else None
        is_seen = bool(sys.stderr and sys.stderr.isatty() and (console or not sys.stdout.isatty()))
        if not (self.all and is_seen):
            return nullcontext(lambda _count: None)
        from facade.commands import _progress

        # What reads a pipe may well print on the same terminal.
        is_piped = stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
        return _progress.counted(kind.plural, console, delay_sec=1 if is_piped else 0)


listed = gathered(
    "listing",
    Listing,
    [
        click.option("--all", is_flag=True, help="Every object, over all pages; --limit is then ignored."),
        click.option(
            "--limit", type=WholeNumber(1, 100), metavar="N", help="At most N objects, 1 to 100.  [default: 20]"
        ),
        click.option(
            "--order",
            type=click.Choice(["asc", "desc"], case_sensitive=False),
            default="asc",
            show_default=True,
            help="By time created.",
        ),
        click.option("--after", metavar="ID", help="Only what follows this object: where an earlier call ended."),
        click.option("--before", metavar="ID", help="Only what precedes this object. Not with --all."),
        concurrency(8, "With --all and standard input: how many are read at once; 1 answers each line as it comes."),
        click.option(
            "--keep-going",
            is_flag=True,
            help="With standard input: read the rest after one that fails, and end with the first one's exit code.",
        ),
        _output.printed,
    ],
)
"""The options of a list for a command, which takes them as `listing`."""
