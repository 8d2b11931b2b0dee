"""Reads what a caller passes: ids, pipeline input, pages and limits; refuses bad input before any request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, TypeVar

from facade._options import check_limit

T = TypeVar("T")
Order = Literal["asc", "desc"]
Many = Iterable[T]
AsyncMany = Iterable[T] | AsyncIterable[T]
"""What several threads or runs may come in."""


class HasId(Protocol):
    """An object with an `id`: a run or step of this package, or any other library's."""

    @property
    def id(self) -> str: ...


FILE_SEARCH_RESULT_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
"""The known value of `include`: the texts that a file search found."""

ThreadLike = str | HasId | Mapping[str, Any]
"""A thread: its id; or an object or mapping with a `thread_id`, or that is a thread."""

RunLike = str | HasId | Mapping[str, Any]
"""A run: its id, with `thread_id` beside it; an object or mapping that is a run, or has a `run_id` and `thread_id`."""


MessageLike = str | HasId | Mapping[str, Any]
"""A message: its id; or the run step that made it."""


class RunKey(NamedTuple):
    """What names one run."""

    thread_id: str
    run_id: str


class PageQuery(TypedDict, total=False):
    """Which page of a list is asked for: the parameters that every list has, as the generated endpoints take them."""

    limit: int
    order: Order
    after: str
    before: str


_KINDS = {"thread_": "thread", "run_": "run", "step_": "run step", "asst_": "assistant", "msg_": "message"}


def check_id(name: str, value: Any, kind: str) -> str:
    """An id, as given.

    Args:
        name: the parameter's name, for the error
        value: the id
        kind: what it must be the id of: thread, run or run step; an id with the prefix of another kind is refused,
            one with an unknown prefix passes, since servers differ

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, has white space or control characters, would change the path, or is another kind's.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is the id of a {kind}, a str, not {type(value).__name__}")
    if not value or value in (".", ".."):
        raise ValueError(f"{name} is {value!r}, which is no id of a {kind}")
    # All but always it is plain, which is quickly told.
    is_plain: bool = value.isascii() and value.isprintable() and " " not in value and len(value) <= MAX_ID_LENGTH
    if not is_plain:
        if any(c.isspace() or not (c.isprintable() or c > "\x9f") for c in value):
            raise ValueError(f"{name} has white space or control characters in it: {value!r}")
        _check_sendable(name, value)
    for prefix, other in _KINDS.items():
        if other != kind and value.startswith(prefix):
            raise ValueError(f"{name} is {value!r}, the id of a {other}; it must be the id of a {kind}")
    return value


def field(value: Any, name: str) -> Any:
    """What a mapping or an object has under a name; None where it has nothing."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _is(value: Any, kind: str) -> bool:
    """Whether an object says that it is of a kind, or does not say of which."""
    said = field(value, "object") if isinstance(value, Mapping) else getattr(value, "object_", field(value, "object"))
    return said is None or said == kind


def is_one(value: Any) -> bool:
    """Whether an argument is one thread or run, not an iterable of many."""
    return isinstance(value, (str, bytes, bytearray)) or _names(value)


def _names(value: Any) -> bool:
    """Whether an object may name a thread or run."""
    return isinstance(value, Mapping) or hasattr(value, "id") or hasattr(value, "thread_id")


def _kind(value: Any) -> str:
    advice = "; a sync client walks no async iterable, facade.AsyncClient does"
    return type(value).__name__ + (advice if isinstance(value, AsyncIterable) else "")


def thread_key(value: Any) -> str:
    """The thread id that pipeline input names: its `thread_id` where it has one, else its `id` where it is a thread.

    Raises:
        TypeError, ValueError: it names no thread.
    """
    if isinstance(value, str):
        return check_id("thread", value, "thread")
    if _names(value):
        thread_id = field(value, "thread_id")
        if thread_id is None and _is(value, "thread"):
            thread_id = field(value, "id")
        if thread_id is None:
            raise ValueError(f"this {type(value).__name__} is no thread and has no thread_id")
        return check_id("thread_id", thread_id, "thread")
    raise TypeError(f"thread is an id, a thread or anything with a thread_id, not {_kind(value)}")


def run_key(value: Any, thread_id: Any = None) -> RunKey:
    """The run that pipeline input names: its `run_id` and `thread_id` where it has both, else a run's `id`.

    Args:
        value: a run id, or an object or mapping
        thread_id: the thread of a run id; one that contradicts an object's own is refused

    Raises:
        TypeError, ValueError: they name no run.
    """
    if isinstance(value, str):
        own_thread, run_id = None, value
    elif _names(value) or hasattr(value, "run_id"):
        own_thread, run_id = field(value, "thread_id"), field(value, "run_id")
        if run_id is None and _is(value, "thread.run"):
            run_id = field(value, "id")
        if run_id is None:
            raise ValueError(f"this {type(value).__name__} is no run and has no run_id")
    else:
        raise TypeError(f"run is an id, a run or anything with a run_id and thread_id, not {_kind(value)}")
    check_id("run", run_id, "run")
    if thread_id is not None:
        is_id: bool = isinstance(thread_id, str)
        thread_id = check_id("thread_id", thread_id, "thread") if is_id else thread_key(thread_id)
    if own_thread is None:
        if thread_id is None:
            error = TypeError if isinstance(value, str) else ValueError
            raise error(f"the run {run_id!r} does not say its thread; give thread_id")
        return RunKey(thread_id, run_id)
    if thread_id not in (None, check_id("thread_id", own_thread, "thread")):
        raise ValueError(f"the run {run_id!r} is of thread {own_thread!r}, not of thread_id {thread_id!r}")
    return RunKey(own_thread, run_id)


def own_key(message: Any) -> tuple[str, str]:
    """The thread id and the id of a message that is to be read afresh.

    Raises:
        TypeError: it is an id, or does not know its thread.
    """
    if (thread_id := field(message, "thread_id")) is None:
        raise TypeError("refresh takes a message, which knows its thread; with an id use get(thread, message_id)")
    return check_id("thread_id", thread_id, "thread"), check_id("message", field(message, "id"), "message")


def step_key(step: Any) -> tuple[RunKey, str]:
    """The run and the step id that a step names."""
    if field(step, "run_id") is None:
        raise TypeError("refresh takes a step, which knows its thread and run; with an id use get(run, step_id)")
    return run_key(step), check_id("step", field(step, "id"), "run step")


def message_key(value: Any) -> str:
    """A message's id, as given or as the run step names it that made the message.

    Raises:
        TypeError, ValueError: it names no message.
    """
    if isinstance(value, Mapping) or hasattr(value, "step_details"):
        details = field(getattr(value, "_json", value), "step_details")
        if (made := field(field(details, "message_creation"), "message_id")) is None:
            raise ValueError(f"message_id: this {type(value).__name__} is no step that made a message")
        value = made
    return check_id("message_id", value, "message")


def page_query(limit: Any, order: Any, after: Any = None, before: Any = None) -> PageQuery:
    """The checked parameters of one page.

    Raises:
        TypeError, ValueError: one of them is out of its range.
    """
    if limit.__class__ is not int or not 1 <= limit <= 100:
        check_limit("limit", limit)
    if order not in ("asc", "desc"):
        raise ValueError(f"order is 'asc' or 'desc', not {order!r}")
    query: PageQuery = {"limit": limit, "order": order}
    if after is not None:
        query["after"] = _checked_cursor("after", after)
    if before is not None:
        query["before"] = _checked_cursor("before", before)
    return query


def behind(query: PageQuery, cursor: str | None) -> PageQuery:
    """The same query for the page behind a cursor; None for the list's begin."""
    return query if cursor is None else {**query, "after": cursor}


def _checked_cursor(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is the id of an object of the list, a str, not {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is blank; leave it out to begin at the list's end")
    _check_sendable(name, value)
    return value


def _check_sendable(name: str, value: str) -> None:
    if not is_sendable(value):
        limits = f"longer than {MAX_ID_LENGTH} characters, or has half a character (a lone surrogate) in it"
        raise ValueError(f"{name} is {limits}: {value[:80]!r}")


def is_sendable(value: str) -> bool:
    """Whether an id or cursor can be part of an address."""
    return len(value) <= MAX_ID_LENGTH and re.search("[\ud800-\udfff]", value) is None


MAX_ID_LENGTH = 4096
"""Longer than any id; httpx refuses addresses from 65,536 characters on."""


def include_values(include: str | Sequence[str] | Iterable[str]) -> tuple[str, ...]:
    """The values of `include[]`: one str or several; unknown ones pass.

    Raises:
        TypeError, ValueError: one is no str, or blank.
    """
    if isinstance(include, (bytes, Mapping)) or not isinstance(include, Iterable):
        raise TypeError(f"include is one str or a sequence of them, not {type(include).__name__}")
    values = (include,) if isinstance(include, str) else tuple(include)
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"include holds strs, not {type(value).__name__}")
        if not value.strip() or not value.isprintable():
            raise ValueError(f"include holds {value!r}, which names no field")
    return values
