"""Reads runs with all that their traces are made of, thread by thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import facade
from facade._served import NOT_SERVED, served
from facade._values import seconds_of, text_of
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
        asked = [message for message in messages if not text_of(message.get("run_id"))]
        runs = [run.to_dict() for run in client.runs.all(thread)]
        for start in range(0, len(runs), _AT_ONCE):
            some = runs[start : start + _AT_ONCE]
            steps = _steps(client, thread, some, concurrency)
            for run in some:
                run.setdefault("thread_id", thread)
                new, asked = _until(asked, run)
                said = [message for message in messages if message.get("run_id") == run["id"]]
                if not (finished and is_going_on(run)):
                    by_id = {text_of(message.get("id")): message for message in said}
                    yield RunRead(run, steps.get(run["id"], []), new, by_id, _agent(client, run, agents))


def _until(messages: list[Json], run: Json) -> tuple[list[Json], list[Json]]:
    """The messages up to a run's creation, and the rest: what no earlier run was asked."""
    created_at = seconds_of(run.get("created_at"))
    if created_at is None:
        return [], messages
    count = 0
    while count < len(messages) and (seconds_of(messages[count].get("created_at")) or 0) <= created_at:
        count += 1
    return messages[:count], messages[count:]


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
