"""What an export reads, one object or list at a time, and the changes that come of it: without I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from facade import _operations
from facade._answers import Page
from facade._arguments import RunKey, behind
from facade._exchange import Call, Reply
from facade._paging import ListCursor
from facade.archive._columns import Kind, ListKind
from facade.archive._resume import StoredThread
from facade.archive._slicing import Item, slice_object, slice_page
from facade.archive._store import State
from facade.errors import APIError

ReadKind = Literal["thread", "threads", "messages", "runs", "steps", "assistant", "file"]


class Put(NamedTuple):
    """An object to store."""

    kind: Kind
    item: Item
    parents: dict[str, str]


class NoteList(NamedTuple):
    """How far a list was read."""

    kind: ListKind
    thread_id: str
    run_id: str
    state: State
    cursor: str | None
    include: tuple[str, ...]
    error: str | None


class Note(NamedTuple):
    """How it stands with a thread or an assistant."""

    kind: Literal["threads", "assistants"]
    id: str
    state: State
    error: str | None = None


class PutFile(NamedTuple):
    """A file's content to store."""

    id: str
    content: bytes


class NoteFile(NamedTuple):
    """How it stands with a file whose content is not here."""

    id: str
    state: State
    error: str


Change = Put | NoteList | Note | PutFile | NoteFile


class Reading:
    """One object or list that is being read.

    Attributes:
        kind: what it is; "threads" is the server's list of them
        thread: whose; None for assistants, files and the list of threads
        id: the run of steps, or the assistant or file
        call: what to ask
        attempts: how often it was sent
    """

    __slots__ = ("attempts", "call", "cursor", "id", "include", "is_final", "is_resumed", "kind", "problem", "thread")

    def __init__(
        self,
        kind: ReadKind,
        thread: ThreadState | None,
        object_id: str = "",
        *,
        after: str | None = None,
        include: tuple[str, ...] = (),
        is_final: bool = True,
    ) -> None:
        self.kind = kind
        self.thread = thread
        self.id = object_id
        self.include = include
        self.is_final = is_final
        self.is_resumed = after is not None
        self.attempts = 0
        self.problem: APIError | None = None
        self.cursor: ListCursor[Item] | None = None
        self.call: Call[Any]
        if kind == "file":
            self.call = Call("GET", f"/files/{quote(object_id, safe='')}/content", (), lambda reply: reply.body)
        elif kind == "assistant":
            self.call = _sliced(_operations.get_assistant(object_id), slice_object)
        elif kind == "thread" and thread is not None:
            self.call = _sliced(_operations.get_thread(thread.id), slice_object)
        else:
            self.cursor = ListCursor(self._page_call, after)
            self.call = self.cursor.next_call()

    def begin_anew(self) -> None:
        """The list is to be read from its beginning."""
        self.cursor = ListCursor(self._page_call)
        self.call = self.cursor.next_call()
        self.is_resumed, self.attempts = False, 0

    def _page_call(self, after: str | None) -> Call[Page[Item]]:
        query = behind({"limit": 100, "order": "asc"}, after)
        thread_id = self.thread.id if self.thread is not None else ""
        ask: dict[str, Callable[[], Call[Any]]] = {
            "threads": lambda: _operations.list_threads(query),
            "messages": lambda: _operations.list_messages(thread_id, query, None),
            "runs": lambda: _operations.list_runs(thread_id, query),
            "steps": lambda: _operations.list_run_steps(RunKey(thread_id, self.id), query, self.include),
        }
        return _sliced(ask[self.kind](), slice_page)

    def __repr__(self) -> str:
        return f"Reading({self.kind!r}, {self.thread.id if self.thread else None!r}, {self.id!r})"


def _sliced(call: Call[Any], read: Callable[[Reply], Any]) -> Call[Any]:
    """The same call, its answer read as text."""
    return call._replace(read=read)


class ThreadState:
    """A thread whose reading has begun."""

    __slots__ = ("has_runs", "id", "left", "missing", "queued", "stored")

    def __init__(self, stored: StoredThread) -> None:
        self.id = stored.thread_id
        self.stored = stored
        self.left = 0
        self.has_runs: bool | None = None  # not known yet
        self.queued = {run_id for run_id, _ in stored.unread}
        self.missing: tuple[Reading, APIError] | None = None
