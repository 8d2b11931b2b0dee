"""Reads runs with all that their traces are made of, thread by thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import facade
from facade._reading.served import NOT_SERVED, served
from facade._reading.values import seconds_of, text_of
from facade.traces._otlp import Json
from facade.traces._spans import RunRead, is_going_on

_AT_ONCE = 200  # runs whose steps are held


def read(
    client: facade.Client, threads: Iterable[str], *, content: bool, finished: bool, concurrency: int
) -> Iterator[RunRead]:
    """The runs of the threads, in order, each with its steps and, with `content`, its messages."""
    agents: dict[str, Json | None] = {}
    for thread in threads:
        messages = _messages(client, thread) if content else []
        asked = deque(message for message in messages if not text_of(message.get("run_id")))
        said: dict[str, dict[str, Json]] = {}
        for message in messages:
            said.setdefault(text_of(message.get("run_id")), {})[text_of(message.get("id"))] = message
        runs = [run.to_dict() for run in client.runs.all(thread)]
        for start in range(0, len(runs), _AT_ONCE):
            some = runs[start : start + _AT_ONCE]
            steps = _steps(client, thread, some, concurrency)
            for run in some:
                run.setdefault("thread_id", thread)
                new = _until(asked, run)
                if not (finished and is_going_on(run)):
                    own_steps, own_said = steps.get(run["id"], []), said.get(run["id"], {})
                    yield RunRead(run, own_steps, new, own_said, _agent(client, run, agents))


def _until(messages: deque[Json], run: Json) -> list[Json]:
    """Take the messages up to a run's creation: what no earlier run was asked."""
    created_at = seconds_of(run.get("created_at"))
    taken: list[Json] = []
    while messages and created_at is not None and (seconds_of(messages[0].get("created_at")) or 0) <= created_at:
        taken.append(messages.popleft())
    return taken


def _steps(client: facade.Client, thread: str, runs: list[Json], concurrency: int) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    last = runs[0]["id"]
    keys = [{"run_id": run["id"], "thread_id": thread} for run in runs]
    try:
        with client.steps.all(keys, concurrency=concurrency) as walk:
            for step in walk:
                last = text_of(step.run_id) or last  # they come grouped
                found.setdefault(last, []).append(step.to_dict())
    except facade.APIStatusError as error:
        if error.status_code not in NOT_SERVED:
            raise
    return found


def _messages(client: facade.Client, thread: str) -> list[Json]:
    return served(lambda: [message.to_dict() for message in client.messages.all(thread)]) or []


def _agent(client: facade.Client, run: Json, known: dict[str, Json | None]) -> Json | None:
    agent_id = text_of(run.get("assistant_id"))
    if not agent_id:
        return None
    if agent_id not in known:
        known[agent_id] = served(lambda: client.assistants.get(agent_id).to_dict())
    return known[agent_id]
