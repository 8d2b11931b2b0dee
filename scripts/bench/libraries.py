"""The same tasks done with each library, as its own documentation would have a person write them.

A task takes the base address, and gives the number of objects that it read.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any, Literal

KEY = "the server of the measurements takes any key"
THREAD = "thread_abcdefghijklmnopqrstuvwx"
RUN = "run_abcdefghijklmnopqrstuvwx"
GETS = 200
"""How many steps `one` gets, one after the other."""


class Library:
    """The tasks; what each library does for them is below.

    Args:
        name: the module to import
    """

    kind_field = "type"
    """What the attribute is called that says which kind a step is."""

    def __init__(self, name: str) -> None:
        self.module = import_module(name)
        self._clients: dict[str, Any] = {}

    def client(self, base: str) -> Any:
        """The client of an address, made once."""
        if base not in self._clients:
            self._clients[base] = self.connect(base)
        return self._clients[base]

    def connect(self, base: str) -> Any:
        """A new client."""
        raise NotImplementedError

    def get(self, client: Any, step_id: str) -> Any:
        """One step."""
        raise NotImplementedError

    def list_runs(self, client: Any) -> Iterator[Any]:
        """Every run of the thread, in pages of 100."""
        raise NotImplementedError

    def list_steps(self, client: Any, run_id: str) -> Iterator[Any]:
        """Every step of a run, in pages of 100."""
        raise NotImplementedError

    def id_of(self, run: Any) -> str:
        """A run's id."""
        return str(run.id)

    def glance(self, item: Any) -> Any:
        """What a table shows of a run or step."""
        return item.status, item.usage

    def look(self, step: Any) -> Any:
        """A dozen fields."""
        usage, details = step.usage, step.step_details
        kind, kind_of_details = getattr(step, self.kind_field), getattr(details, self.kind_field)
        first = details.tool_calls[0].id if kind_of_details == "tool_calls" else details.message_creation.message_id
        times = step.created_at, step.completed_at, step.last_error
        tokens = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
        return step.id, step.run_id, step.status, kind, times, tokens, kind_of_details, first

    def line(self, item: Any) -> str:
        """It as a line of JSON."""
        raise NotImplementedError

    def one(self, base: str) -> int:
        client = self.client(base)
        return sum(1 for number in range(GETS) if self.get(client, f"step_{number}"))

    def steps(self, base: str) -> int:
        return sum(1 for step in self.list_steps(self.client(base), RUN) if self.glance(step))

    def runs(self, base: str) -> int:
        return sum(1 for run in self.list_runs(self.client(base)) if self.glance(run))

    def dozen(self, base: str) -> int:
        return sum(1 for step in self.list_steps(self.client(base), RUN) if self.look(step))

    def lines(self, base: str) -> int:
        with open(os.devnull, "w") as out:
            return sum(1 for step in self.list_steps(self.client(base), RUN) if out.write(self.line(step) + "\n"))

    def fan_out(self, base: str) -> int:
        client = self.connect(base)
        runs = list(self.list_runs(client))
        return sum(1 for run in runs for step in self.list_steps(client, self.id_of(run)) if self.glance(step))


class Raw(Library):
    """httpx and json.loads, without a model: what all others are compared with."""

    def connect(self, base: str) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "assistants=v2"}
        return self.module.Client(base_url=f"{base}/threads/{THREAD}", headers=headers)

    def get(self, client: Any, step_id: str) -> Any:
        return json.loads(client.get(f"/runs/{RUN}/steps/{step_id}").raise_for_status().content)

    def _pages(self, client: Any, path: str) -> Iterator[Any]:
        params = {"limit": "100", "order": "asc"}
        while True:
            page = json.loads(client.get(path, params=params).raise_for_status().content)
            yield from page["data"]
            if not page["has_more"]:
                return
            params["after"] = page["last_id"]

    def list_runs(self, client: Any) -> Iterator[Any]:
        return self._pages(client, "/runs")

    def list_steps(self, client: Any, run_id: str) -> Iterator[Any]:
        return self._pages(client, f"/runs/{run_id}/steps")

    def glance(self, item: Any) -> Any:
        return item["status"], item["usage"]

    def look(self, step: Any) -> Any:
        usage, details = step["usage"], step["step_details"]
        is_calls = details["type"] == "tool_calls"
        first = details["tool_calls"][0]["id"] if is_calls else details["message_creation"]["message_id"]
        times = step["created_at"], step["completed_at"], step["last_error"]
        tokens = usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]
        return step["id"], step["run_id"], step["status"], step["type"], times, tokens, details["type"], first

    def id_of(self, run: Any) -> str:
        return str(run["id"])

    def line(self, item: Any) -> str:
        return json.dumps(item)


Inputs = Literal["list", "generator", "walk"]
"""How the runs of a fan-out come in."""


class Facade(Library):
    """This project, with Python's own JSON reader, or with the extra `fast`."""

    kind_field = "type_"

    def __init__(self, name: str, *, is_fast: bool = False) -> None:
        if is_fast:
            import_module("msgspec")
        else:
            sys.modules["msgspec"] = None  # type: ignore[assignment]  # as if it were not installed
        super().__init__(name)

    def connect(self, base: str) -> Any:
        return self.module.Client(KEY, api_base=base)

    def get(self, client: Any, step_id: str) -> Any:
        return client.steps.get(RUN, step_id, thread_id=THREAD)

    def list_runs(self, client: Any) -> Iterator[Any]:
        return iter(client.runs.all(THREAD))

    def list_steps(self, client: Any, run_id: str) -> Iterator[Any]:
        return iter(client.steps.all(run_id, thread_id=THREAD))

    def line(self, item: Any) -> str:
        return str(item.to_json())

    def export(self, base: str, to: str) -> int:
        report = import_module("facade.archive").export(self.client(base), THREAD, to)
        assert report.complete
        return int(report.read)

    def fan_out(self, base: str, inputs: Inputs = "walk", concurrency: int = 16, in_order: bool = True) -> int:
        with self.connect(base) as client:
            walk = client.runs.all(THREAD)
            runs = list(walk) if inputs == "list" else walk
            runs = (run for run in walk) if inputs == "generator" else runs
            walk = client.steps.all(runs, concurrency=concurrency, in_order=in_order)
            return sum(1 for step in walk if self.glance(step))

    def fan_out_async(self, base: str, inputs: Inputs = "walk", concurrency: int = 16, in_order: bool = True) -> int:
        async def generator(walk: Any) -> AsyncIterator[Any]:
            async for run in walk:
                yield run

        async def work() -> int:
            async with self.module.AsyncClient(KEY, api_base=base) as client:
                walk = client.runs.all(THREAD)
                runs = [run async for run in walk] if inputs == "list" else walk
                runs = generator(walk) if inputs == "generator" else runs
                steps = client.steps.all(runs, concurrency=concurrency, in_order=in_order)
                return len([None async for step in steps if self.glance(step)])

        return asyncio.run(work())


class OpenAI(Library):
    """The official SDK."""

    def connect(self, base: str) -> Any:
        return self.module.OpenAI(api_key=KEY, base_url=base, max_retries=0).beta.threads.runs

    def get(self, client: Any, step_id: str) -> Any:
        return client.steps.retrieve(step_id, thread_id=THREAD, run_id=RUN)

    def list_runs(self, client: Any) -> Iterator[Any]:
        return iter(client.list(THREAD, limit=100, order="asc"))

    def list_steps(self, client: Any, run_id: str) -> Iterator[Any]:
        return iter(client.steps.list(run_id, thread_id=THREAD, limit=100, order="asc"))

    def line(self, item: Any) -> str:
        return str(item.to_json(indent=None))

    def export(self, base: str, to: str) -> int:
        with open(to, "w", encoding="utf-8") as out:
            return sum(1 for item in self._all(base) if out.write(self.line(item) + "\n"))

    def _all(self, base: str) -> Iterator[Any]:
        """A thread with all that is in it, as people write it."""
        runs = self.client(base)
        threads = runs._client.beta.threads
        yield threads.retrieve(THREAD)
        yield from threads.messages.list(THREAD, limit=100, order="asc")
        for run in self.list_runs(runs):
            yield run
            yield from self.list_steps(runs, run.id)


class Azure(Library):
    """Azure's own SDK for the same protocol."""

    def connect(self, base: str) -> Any:
        credential = import_module("azure.core.credentials").AzureKeyCredential(KEY)
        policy = import_module("azure.core.pipeline.policies").AzureKeyCredentialPolicy(credential, "api-key")
        return self.module.AgentsClient(base, credential, authentication_policy=policy)

    def get(self, client: Any, step_id: str) -> Any:
        return client.run_steps.get(THREAD, RUN, step_id)

    def list_runs(self, client: Any) -> Iterator[Any]:
        return iter(client.runs.list(THREAD, limit=100, order="asc"))

    def list_steps(self, client: Any, run_id: str) -> Iterator[Any]:
        return iter(client.run_steps.list(THREAD, run_id, limit=100, order="asc"))

    def line(self, item: Any) -> str:
        return json.dumps(item.as_dict())


def library(name: str) -> Library:
    """The library of that name, imported."""
    if name.startswith("facade"):
        return Facade("facade", is_fast=name == "facade_fast")
    kinds: dict[str, tuple[type[Library], str]] = {
        "raw": (Raw, "httpx"),
        "openai": (OpenAI, "openai"),
        "azure": (Azure, "azure.ai.agents"),
    }
    kind, module = kinds[name]
    return kind(module)
