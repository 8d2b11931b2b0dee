"""The options of a list, and the reading of one object, a page or all, of one thread or run or of many."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import click

import facade
from facade.commands import _output, _signals
from facade.commands._command import WholeNumber, gathered
from facade.commands._connection import Connection
from facade.commands._exits import explain
from facade.commands._input import Key, Pipeline
from facade.commands._kinds import Kind

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
            options: what the resource's methods take besides
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


class Reading:
    """The objects of a thread, a run or a pipeline of such: one by its id, all, or a page of each."""

    def __init__(
        self,
        resource: Callable[[facade.Client], Any],
        source: Any,
        listing: Listing,
        wanted: str | None,
        options: dict[str, Any],
    ) -> None:
        self._resource = resource
        self._source = source
        self._listing = listing
        self._wanted = wanted
        self._options = options
        self.exit_code = 0

    def items(self, client: facade.Client) -> Generator[Any, None, None]:
        """The objects as they are read. With --keep-going an error is told of, and its code kept in `exit_code`."""
        resource = self._resource(client)
        if not isinstance(self._source, Pipeline):
            yield from self._of_one(resource, self._source)
            return
        keys = self._source.keys(self._told if self._listing.keep_going else None)
        if self._listing.all and self._listing.concurrency > 1:
            yield from self._of_many_at_once(resource, keys)
        else:
            for key in keys:
                try:
                    yield from self._of_one(resource, key)
                except facade.APIError as error:
                    # Each is a call of its own, which need not say of what; in a pipeline it must.
                    error.thread_id, error.run_id = key["thread_id"], key.get("run_id")
                    self._told(error)
        self._source.check()

    def _told(self, error: Exception) -> None:
        """Tell of an error and keep its code, or raise it."""
        if not self._listing.keep_going:
            raise error
        code, message = explain(error)
        _output.say(message)
        self.exit_code = self.exit_code or code

    def _of_one(self, resource: Any, parent: Any) -> Generator[Any, None, None]:
        settings = {"order": self._listing.order, "after": self._listing.after, **self._options}
        if self._wanted is not None:
            yield resource.get(parent, self._wanted, **self._options)
        elif self._listing.all:
            with resource.all(parent, **settings) as walk:
                yield from walk
        else:
            page = resource.list(parent, limit=self._listing.limit or 20, before=self._listing.before, **settings)
            yield from page
            if page.has_more and self._listing.limit is None:
                name = parent.get("run_id") or parent["thread_id"]
                log.warning("%s has more than these %d: use --all, or say how many with --limit", name, len(page))

    def _of_many_at_once(self, resource: Any, keys: Iterator[Key]) -> Generator[Any, None, None]:
        settings = {"order": self._listing.order, "concurrency": self._listing.concurrency, **self._options}
        ahead: deque[Key] = deque()  # what the walk has taken and not come past

        def taking() -> Iterator[Key]:
            for key in keys:
                ahead.append(key)
                yield key

        is_over = False
        while not is_over:
            try:
                with resource.all(chain(tuple(ahead), taking()), **settings) as walk:
                    for item in walk:
                        _pass(ahead, item)
                        yield item
                is_over = True
            except facade.APIError as error:
                is_over = not _pass(ahead, error)
                self._told(error)
                ahead and ahead.popleft()


def _pass(ahead: deque[Key], thing: Any) -> bool:
    """Drop the keys before the one that an object or error is of; whether there is such a one."""
    found = (place for place, key in enumerate(ahead) if all(getattr(thing, name, 0) == key[name] for name in key))
    place = next(found, None)
    for _ in range(place or 0):
        ahead.popleft()
    return place is not None


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
        click.option(
            "--keep-going",
            is_flag=True,
            help="With standard input: read the rest after one that fails, and end with the first one's exit code.",
        ),
        _output.printed,
    ],
)
"""The options of a list for a command, which takes them as `listing`."""
