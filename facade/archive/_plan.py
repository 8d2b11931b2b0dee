"""What an export still has to read, and what becomes of what it read: without I/O.

A `Reading` is one object or list. `Plan.take` gives the next one to ask for; `took` and `failed` are told how it went
and give the changes to store, which belong together: objects, and how far their list was read. A thread begins with
its runs, since they say whether it exists; the rest is asked for side by side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from facade._answers import Page
from facade._arguments import is_sendable
from facade._paging import id_of
from facade.archive._readings import Change, Note, NoteList, Put, Reading, ThreadState
from facade.archive._resume import StoredThread
from facade.archive._schema import FINISHED, status_of
from facade.archive._slicing import Item
from facade.archive._store import ListState, State
from facade.errors import APIError, APIResponseError, APIStatusError, NotFoundError

_MANY = 1000
"""So many readings may be known before another list is asked for more of them: what bounds the memory."""


class _Steps(NamedTuple):
    """Steps of a run that are still to be asked for; thousands may wait."""

    thread: ThreadState
    run_id: str
    is_final: bool
    after: str | None
    include: tuple[str, ...]


class Plan:
    """What is to be read of which threads.

    Args:
        export: the number of this export: what it has read already, before it was interrupted, is not read again
        include: what steps are asked for with
        messages, assistants: whether these are read
        known_assistants: those that need not be asked for

    Attributes:
        errors: the first error of each thread that could not be read to its end
        listed: ids of threads that the server's list gave, to be begun
        listing_error: why the server's threads could not all be listed
        begun, ended: threads whose reading has begun, and has ended
        known, done: readings that are known to be needed, and that have ended
    """

    def __init__(
        self,
        *,
        export: int = 1,
        include: Iterable[str] = (),
        messages: bool = True,
        assistants: bool = True,
        known_assistants: Collection[str] = (),
    ) -> None:
        self.errors: dict[str, APIError] = {}
        self.listing_error: APIError | None = None
        self.begun = self.ended = self.known = self.done = 0
        self._export = export
        self._include = tuple(sorted(set(include)))
        self._messages = messages
        self._assistants = assistants
        self.listed: deque[str] = deque()
        self._named: set[str] = set(known_assistants)
        self._objects: deque[Reading] = deque()
        self._going_on: deque[Reading] = deque()
        self._steps: deque[_Steps] = deque()
        self._lists: deque[Reading] = deque()

    # What comes next

    @property
    def wants_threads(self) -> bool:
        """Whether further threads may begin."""
        return len(self._steps) + len(self._objects) + len(self._lists) < _MANY // 10

    @property
    def has_ended(self) -> bool:
        """Whether all that is known to be needed was read."""
        return self.done == self.known

    def take(self) -> Reading | None:
        """What is to be asked for next; None where nothing is known that is not under way."""
        if self._going_on:
            return self._going_on.popleft()
        if self._objects:
            return self._objects.popleft()
        if self._lists and len(self._steps) < _MANY:
            return self._lists.popleft()
        if self._steps:
            thread, run_id, is_final, after, include = self._steps.popleft()
            return Reading("steps", thread, run_id, after=after, include=include, is_final=is_final)
        return None

    def list_threads(self) -> None:
        """The server is to be asked for its threads."""
        self._add(self._lists, Reading("threads", None))

    def ask_assistant(self, assistant_id: str) -> None:
        """An assistant is to be read that an earlier export has not got."""
        if is_sendable(assistant_id) and assistant_id not in self._named:
            self._named.add(assistant_id)
            self._add(self._objects, Reading("assistant", None, assistant_id))

    def begin(self, stored: StoredThread) -> list[Change]:
        """A thread is to be read, of which so much is there already."""
        thread = ThreadState(stored)
        self.begun += 1
        changes: list[Change] = [] if stored.state else [Note("threads", thread.id, "open")]
        if self._is_done(stored.runs) and not stored.has_unfinished:
            thread.has_runs = True
            self._ask_for_rest(thread)
        else:
            self._add(self._lists, Reading("runs", thread, after=stored.runs_after))
        for run_id, state in stored.unread:
            self._ask_for_steps(thread, run_id, True, state)
        if self._assistants:
            changes += [change for name in stored.assistants for change in self._name_assistant(thread, name)]
        if not thread.left:
            self.ended += 1
        return changes

    def _is_done(self, state: ListState) -> bool:
        return state.state in ("complete", "absent") and state.export == self._export

    def _add(self, queue: deque[Reading], reading: Reading) -> None:
        self.known += 1
        if reading.thread is not None:
            reading.thread.left += 1
        queue.append(reading)

    def _ask_for_rest(self, thread: ThreadState) -> None:
        stored = thread.stored
        if stored.state not in ("complete", "absent"):
            self._add(self._objects, Reading("thread", thread))
        self._ask_for_messages(thread)

    def _ask_for_messages(self, thread: ThreadState) -> None:
        stored = thread.stored
        if self._messages and (not self._is_done(stored.messages) or stored.has_unfinished):
            self._add(self._lists, Reading("messages", thread, after=stored.messages_after))

    def _ask_for_steps(self, thread: ThreadState, run_id: str, is_final: bool, stored: ListState) -> None:
        has_all = set(self._include) <= set(stored.include)
        if is_final and stored.state == "complete" and has_all:
            return
        # What was asked for before goes on being asked for: an object read anew takes the place of the old one.
        include = tuple(sorted({*self._include, *stored.include}))
        self.known += 1
        thread.left += 1
        after = stored.cursor if is_final and has_all and stored.state != "complete" else None
        self._steps.append(_Steps(thread, run_id, is_final, after, include))

    def _name_assistant(self, thread: ThreadState, name: Any) -> list[Change]:
        if not isinstance(name, str) or name in self._named or not name.strip() or not is_sendable(name):
            return []
        self._named.add(name)
        self._add(self._objects, Reading("assistant", thread, name))
        return [Note("assistants", name, "open")]

    # What became of it

    def took(
        self, reading: Reading, answer: Item | Page[Item], stored_steps: Mapping[str, ListState] | None = None
    ) -> list[Change]:
        """An answer has come: what is to be stored.

        Args:
            reading: what was asked for
            answer: an object, or a page of them
            stored_steps: for a page of runs, how far the archive has their steps
        """
        if isinstance(answer, Item):
            return self._took_object(reading, answer)
        cursor = reading.cursor
        assert cursor is not None
        reading.attempts, reading.is_resumed = 0, False
        changes: list[Change] = []
        for item in cursor.take(answer):
            item_id = id_of(item)
            if item_id is not None and is_sendable(item_id):
                changes += self._took_item(reading, item, item_id, stored_steps or {})
            else:
                reading.problem = APIResponseError(
                    "an object of the list has no id that can name it; the others are here"
                )
                reading.call.about(reading.problem)
        if reading.kind == "runs" and reading.thread is not None and reading.thread.has_runs is None:
            reading.thread.has_runs = True
            self._ask_for_rest(reading.thread)
        if not cursor.done:
            try:
                reading.call = cursor.next_call()
            except APIError as error:
                return changes + self._failed_list(reading, error)
            self._requeue(reading)
            return changes + self._list_changes(reading, "open")
        if reading.problem is not None:
            return changes + self._failed_list(reading, reading.problem)
        return changes + self._list_changes(reading, "complete" if reading.is_final else "open") + self._end(reading)

    def _took_object(self, reading: Reading, item: Item) -> list[Change]:
        thread = reading.thread
        wanted = thread.id if reading.kind == "thread" and thread is not None else reading.id
        if item.value["id"] != wanted:
            other = APIResponseError(f"the answer is another object, {item.value['id'][:80]!r}")
            reading.call.about(other)
            return self.failed(reading, other)
        if reading.kind == "assistant" or thread is None:
            return [Put("assistants", item, {}), *self._end(reading)]
        changes: list[Change] = [Put("threads", item, {})]
        if thread.missing is not None:  # there is such a thread, but no list of its runs
            changes += self._blame(*thread.missing)
            thread.missing = None
            self._ask_for_messages(thread)
        return changes + self._end(reading)

    def _took_item(
        self, reading: Reading, item: Item, item_id: str, stored_steps: Mapping[str, ListState]
    ) -> list[Change]:
        thread = reading.thread
        if thread is None:
            self.listed.append(item_id)
            return [Put("threads", item, {})]
        if reading.kind == "messages":
            return [Put("messages", item, {"thread_id": thread.id})]
        if reading.kind == "steps":
            return [Put("steps", item, {"thread_id": thread.id, "run_id": reading.id})]
        if item_id in thread.queued:
            thread.queued.discard(item_id)
        else:
            is_final = status_of(item.value) in FINISHED
            self._ask_for_steps(thread, item_id, is_final, stored_steps.get(item_id, ListState()))
        named = self._name_assistant(thread, item.value.get("assistant_id")) if self._assistants else []
        return [Put("runs", item, {"thread_id": thread.id}), *named]

    def failed(self, reading: Reading, error: APIError) -> list[Change]:
        """Something could not be read: what is to be stored. The rest goes on."""
        thread = reading.thread
        is_gone = isinstance(error, NotFoundError)
        if reading.kind == "threads" or (thread is None and reading.kind != "assistant"):
            self.listing_error = error
            return self._end(reading)
        if reading.kind == "assistant":
            if is_gone:
                return [Note("assistants", reading.id, "absent"), *self._end(reading)]
            return [*self._blame(reading, error), *self._end(reading)]
        assert thread is not None
        if reading.is_resumed and isinstance(error, APIStatusError) and error.status_code in (400, 404):
            # Maybe what was read last is gone meanwhile, and with it the place to go on from.
            reading.begin_anew()
            self._requeue(reading)
            return []
        if reading.kind == "runs" and thread.has_runs is None:
            thread.has_runs = False
            if is_gone:  # maybe there is no such thread, maybe no list of its runs: the thread itself tells
                thread.missing = reading, error
                self._add(self._objects, Reading("thread", thread))
                return self._end(reading)
            self._ask_for_rest(thread)
        if is_gone and thread.has_runs and reading.kind == "messages":
            return self._list_changes(reading, "absent") + self._end(reading)
        if is_gone and thread.has_runs and reading.kind == "thread":
            return [Note("threads", thread.id, "absent"), *self._end(reading)]
        if thread.missing is not None and is_gone:
            error = thread.missing[1]
        return self._failed_list(reading, error)

    def _requeue(self, reading: Reading) -> None:
        (self._going_on if reading.kind == "steps" else self._lists).append(reading)

    def _failed_list(self, reading: Reading, error: APIError) -> list[Change]:
        return self._blame(reading, error) + self._end(reading)

    def _blame(self, reading: Reading, error: APIError) -> list[Change]:
        """What says that something could not be read, here and in the archive."""
        said = str(error)
        if (thread := reading.thread) is not None:
            error.thread_id = thread.id
            error.run_id = reading.id if reading.kind == "steps" else None
            self.errors.setdefault(thread.id, error)
        if reading.kind == "assistant":
            return [Note("assistants", reading.id, "failed", said)]
        if reading.kind == "thread" and thread is not None:
            return [Note("threads", thread.id, "failed", said)]
        return self._list_changes(reading, "failed", said)

    def _list_changes(self, reading: Reading, state: State, error: str | None = None) -> list[Change]:
        """What says how far a list was read."""
        if reading.thread is None or reading.cursor is None:
            return []
        is_of_use: bool = reading.is_final and not (reading.kind == "steps" and state == "complete")
        after = reading.cursor.resume if is_of_use else None
        kind: Any = reading.kind
        return [NoteList(kind, reading.thread.id, reading.id, state, after, reading.include, error)]

    def _end(self, reading: Reading) -> list[Change]:
        self.done += 1
        if reading.thread is not None:
            reading.thread.left -= 1
            self.ended += not reading.thread.left
        return []
