"""The options of a list, and the reading of one object, a page or all, of one thread or run or of many."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import click

import facade
from facade.commands import _input, _output
from facade.commands._command import PROGRAM, WholeNumber, gathered
from facade.commands._connection import Connection

log = logging.getLogger("facade.commands")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Which objects of a list are read, and how they are printed."""

    all: bool
    limit: int | None
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None
    concurrency: int
    output: _output.Format

    def __post_init__(self) -> None:
        if self.all and self.before:
            raise click.UsageError("--before goes with one page: leave out --all")

    def show(
        self,
        connection: Connection,
        kind: Literal["runs", "steps"],
        resource: Callable[[facade.Client], Any],
        source: Any,
        wanted: str | None,
        **include: Any,
    ) -> None:
        """Print what is asked for.

        Args:
            connection: opens the client
            kind: what is printed
            resource: takes `runs`, `steps`, … of the client
            source: a thread or run as the resource takes it, or a `Pipeline` of them
            wanted: the id of the one object to read; None for a list
            include: what the resource's methods take besides
        """
        lists = {"--all": self.all, "--limit": self.limit, "--after": self.after, "--before": self.before}
        if wanted is not None and (given := [name for name, value in lists.items() if value]):
            raise click.UsageError(f"{given[0]} goes with a list: leave it out, or the id of the one object to read")
        write = _output.writer(self.output, kind)
        began, count = time.monotonic(), 0
        with connection.open() as client:
            with closing(self._read(resource(client), source, wanted, **include)) as items:
                for item in items:
                    write(item)
                    count += 1
            if not count and _output.is_table(self.output):
                click.echo(f"{PROGRAM}: no {kind}", err=True)
            log.info("%d read in %.1f s", count, time.monotonic() - began)

    def _read(self, resource: Any, source: Any, wanted: str | None, **include: Any) -> Generator[Any, None, None]:
        """The objects of a thread, a run or a pipeline of such: one by its id, all, or a page of each."""
        is_pipeline = isinstance(source, _input.Pipeline)
        if is_pipeline and (self.after or self.before):
            raise click.UsageError("--after and --before go with one thread or run, not with standard input")
        at_once = self.all and self.concurrency > 1
        for parent in source if is_pipeline and not at_once else [source]:
            try:
                yield from self._read_one(resource, parent, wanted, **include)
            except facade.APIError as error:
                if parent is not source and error.thread_id is None:
                    # Each is a call of its own, which need not say of what; in a pipeline it must.
                    ids = {"thread_id": parent} if isinstance(parent, str) else parent
                    error.thread_id, error.run_id = ids["thread_id"], ids.get("run_id")
                raise
        if is_pipeline:
            source.check()

    def _read_one(self, resource: Any, parent: Any, wanted: str | None, **include: Any) -> Generator[Any, None, None]:
        if wanted is not None:
            yield resource.get(parent, wanted, **include)
        elif self.all:
            settings = {"order": self.order, "after": self.after, "concurrency": self.concurrency}
            with resource.all(parent, **settings, **include) as walk:
                yield from walk
        else:
            settings = {"order": self.order, "after": self.after, "before": self.before}
            page = resource.list(parent, limit=self.limit or 20, **settings, **include)
            yield from page
            if page.has_more and self.limit is None:
                name = parent if isinstance(parent, str) else parent["run_id"]
                log.warning("%s has more than these %d: use --all, or say how many with --limit", name, len(page))


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
        click.option(
            "--concurrency",
            type=WholeNumber(1, 64),
            default=8,
            show_default=True,
            metavar="N",
            help="With --all and standard input: how many are read at once; 1 answers each line as it comes.",
        ),
        _output.printed,
    ],
)
"""The options of a list for a command, which takes them as `listing`."""
