"""Reads threads through a client: runs, their steps, and where they are served, messages and names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import facade
from facade._reading.served import NOT_SERVED, served
from facade._reading.tool_calls import child_of
from facade._reading.values import text_of

Json = dict[str, Any]


@dataclass
class ReadThread:
    """A thread as it was read. Lists are in the order in which they came."""

    thread_id: str
    is_called: bool = False  # read for the sake of a run that a connected agent made in it
    thread: Json | None = None
    runs: list[Json] = field(default_factory=list)
    steps: dict[str, list[Json]] = field(default_factory=dict)  # by run id
    messages: list[Json] = field(default_factory=list)
    assistants: dict[str, str] = field(default_factory=dict)  # names by id
    notes: list[str] = field(default_factory=list)  # what could not be read, in words


def read(
    client: facade.Client, threads: Any, *, include: str | Iterable[str], messages: bool, concurrency: int
) -> list[ReadThread]:
    """Read the threads, and after them the runs that connected agents made in other threads."""
    include = include if isinstance(include, str) else tuple(include)
    names: dict[str, str | None] = {}
    found: dict[str, ReadThread] = {}
    for thread in _each(threads):
        one = ReadThread(_thread_id(thread))
        if one.thread_id in found:
            continue
        one.runs = [run.to_dict() for run in client.runs.all(thread)]
        one.thread = _read_thread(client, one.thread_id)
        _read_rest(client, one, names, include, messages, concurrency)
        found[one.thread_id] = one
    if not found:
        raise ValueError("there is no thread to draw")
    _read_called_runs(client, found, names, include, messages, concurrency)
    return list(found.values())


def _read_called_runs(
    client: facade.Client,
    found: dict[str, ReadThread],
    names: dict[str, str | None],
    include: Any,
    messages: bool,
    concurrency: int,
) -> None:
    """Add the runs that `connected_agent` calls name, and those that they call in turn."""
    known = {text_of(run.get("id")) for one in found.values() for run in one.runs}
    waiting = [call for one in found.values() for call in _called_runs(one)]
    while waiting:
        called: dict[str, ReadThread] = {}
        for thread_id, run_id in waiting:
            if run_id in known:
                continue
            known.add(run_id)
            run = served(lambda t=thread_id, r=run_id: client.runs.get(t, r).to_dict())  # type: ignore[misc]
            if run is not None:
                called.setdefault(thread_id, ReadThread(thread_id, is_called=True)).runs.append(run)
        for thread_id, part in called.items():
            part.thread = _read_thread(client, thread_id)
            _read_rest(client, part, names, include, messages and thread_id not in found, concurrency)
            whole = found.setdefault(thread_id, part)
            if whole is not part:
                whole.runs += part.runs
                whole.steps |= part.steps
                whole.assistants |= part.assistants
        waiting = [call for part in called.values() for call in _called_runs(part)]


def _called_runs(one: ReadThread) -> Iterator[tuple[str, str]]:
    for steps in one.steps.values():
        for step in steps:
            details = step.get("step_details")
            calls = details.get("tool_calls") if isinstance(details, dict) else None
            for call in calls if isinstance(calls, list) else ():
                run_id, thread_id = child_of(call)
                if run_id and thread_id:
                    yield thread_id, run_id


def _read_rest(
    client: facade.Client,
    one: ReadThread,
    names: dict[str, str | None],
    include: Any,
    messages: bool,
    concurrency: int,
) -> None:
    keys = [{"run_id": run["id"], "thread_id": one.thread_id} for run in one.runs]
    last = text_of(one.runs[0].get("id")) if one.runs else ""
    try:
        with client.steps.all(keys, include=include, concurrency=concurrency) as walk:
            for step in walk:
                last = text_of(step.run_id) or last  # they come grouped
                one.steps.setdefault(last, []).append(step.to_dict())
    except facade.APIStatusError as error:
        if error.status_code not in NOT_SERVED:
            raise
        one.notes.append(f"Not all steps could be read: the server answered {error.status_code}.")
    # Clients without these, and servers without them, give a page without them.
    resource = getattr(client, "messages", None)
    if messages and resource is not None:
        read_messages = served(lambda: [item.to_dict() for item in resource.all(one.thread_id)])
        if read_messages is None:
            one.notes.append("The server has no messages for this thread.")
        one.messages = read_messages or []
    assistants = getattr(client, "assistants", None)
    for run in one.runs:
        name = text_of(run.get("assistant_id"))
        if assistants is None or not name:
            continue
        if name not in names:
            names[name] = served(lambda id_=name: text_of(assistants.get(id_).to_dict().get("name")))  # type: ignore[misc]
        if names[name]:
            one.assistants[name] = names[name] or ""


def _read_thread(client: facade.Client, thread_id: str) -> Json | None:
    threads = getattr(client, "threads", None)
    return None if threads is None else served(lambda: dict(threads.get(thread_id).to_dict()))


def _each(threads: Any) -> Iterable[Any]:
    one = isinstance(threads, str | Mapping) or hasattr(threads, "to_dict")
    return [threads] if one else threads


def _thread_id(thread: Any) -> str:
    if isinstance(thread, str):
        return thread
    fields = thread if isinstance(thread, Mapping) else thread.to_dict()
    return text_of(fields.get("thread_id")) or text_of(fields.get("id"))
