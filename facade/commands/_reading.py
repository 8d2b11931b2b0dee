"""The reading of one object, a page or all, of one thread or run or of many."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import facade
from facade.commands import _output
from facade.commands._exits import explain
from facade.commands._input import Key, Pipeline

if TYPE_CHECKING:
    from facade.commands._listing import Listing

log = logging.getLogger("facade.commands")


@dataclass
class Reading:
    """The objects of a thread, a run or a pipeline of such: one by its id, all, or a page of each."""

    resource: Callable[[facade.Client], Any]
    source: Any
    listing: Listing
    wanted: str | None
    options: dict[str, Any]
    exit_code: int = 0

    def items(self, client: facade.Client) -> Generator[Any, None, None]:
        """The objects as they are read. With --keep-going an error is told of, and its code kept in `exit_code`."""
        resource = self.resource(client)
        if not isinstance(self.source, Pipeline):
            yield from self._of_one(resource, self.source)
            return
        keys = self.source.keys(self._told if self.listing.keep_going else None)
        if self.listing.all and self.listing.concurrency > 1:
            yield from self._of_many_at_once(resource, keys)
        else:
            for key in keys:
                try:
                    yield from self._of_one(resource, key)
                except facade.APIError as error:
                    # Each is a call of its own, which need not say of what; in a pipeline it must.
                    error.thread_id, error.run_id = key["thread_id"], key.get("run_id")
                    self._told(error)
        self.source.check()

    def _told(self, error: Exception) -> None:
        """Tell of an error and keep its code, or raise it."""
        if not self.listing.keep_going:
            raise error
        code, message = explain(error)
        _output.say(message)
        self.exit_code = self.exit_code or code

    def _of_one(self, resource: Any, parent: Any) -> Generator[Any, None, None]:
        settings = {"order": self.listing.order, "after": self.listing.after, **self.options}
        if self.wanted is not None:
            yield resource.get(parent, self.wanted, **self.options)
        elif self.listing.all:
            with resource.all(parent, **settings) as walk:
                yield from walk
        else:
            page = resource.list(parent, limit=self.listing.limit or 20, before=self.listing.before, **settings)
            yield from page
            if page.has_more and self.listing.limit is None:
                name = parent.get("run_id") or parent["thread_id"]
                log.warning("%s has more than these %d: use --all, or say how many with --limit", name, len(page))

    def _of_many_at_once(self, resource: Any, keys: Iterator[Key]) -> Generator[Any, None, None]:
        settings = {"order": self.listing.order, "concurrency": self.listing.concurrency, **self.options}
        taken = _Taken(keys)
        while True:
            try:
                with resource.all(taken.left(), **settings) as walk:
                    for item in walk:
                        taken.pass_to(item)
                        yield item
                return
            except facade.APIError as error:
                if not taken.pass_to(error):  # it names none of them
                    raise
                self._told(error)
                taken.pass_one()


class _Taken:
    """Keys that a walk takes ahead, in a thread of its own, so that another can begin behind the one that failed.

    A walk that was closed may still wait for a key: the key that it is given then is the next walk's all the same.
    """

    def __init__(self, keys: Iterator[Key]) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._taken: list[Key | None] = []  # None stands for those that are behind
        self._front = 0

    def left(self) -> Iterator[Key]:
        """The keys from the front on."""
        for place in count(self._front):
            with self._lock:
                if place == len(self._taken):
                    key = next(self._keys, None)
                    if key is None:
                        return
                    self._taken.append(key)
            yield cast(Key, self._taken[place])

    def pass_to(self, thing: Any) -> bool:
        """Make the key that an object or error is of the front; whether there is such a one."""
        for place in range(self._front, len(self._taken)):
            key = cast(Key, self._taken[place])
            if all(getattr(thing, name, None) == value for name, value in key.items()):
                while self._front < place:
                    self.pass_one()
                return True
        return False

    def pass_one(self) -> None:
        """Leave the front behind."""
        self._taken[self._front] = None
        self._front += 1
