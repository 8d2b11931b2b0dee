"""The same tasks done with each library: what its own documentation would have a person write.

Every class has a method for each task that it can do: `one`, `steps`, `runs`, `read_through` and `fan_out`. Each takes
the base address, and gives the number of objects that it read.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache
from importlib import import_module
from typing import Any

KEY = "the server of the measurements takes any key"
THREAD = "thread_abcdefghijklmnopqrstuvwx"
RUN = "run_abcdefghijklmnopqrstuvwx"
GETS = 200
"""How many steps `one` gets, one after the other."""


def read(value: Any) -> None:
    """Reads an attrs model to its last field."""
    if isinstance(value, list):
        for item in value:
            read(item)
    elif hasattr(value, "__attrs_attrs__"):
        for name in _names(type(value)):
            read(getattr(value, name))


@cache
def _names(cls: type) -> list[str]:
    return [field.name for field in cls.__attrs_attrs__]  # type: ignore[attr-defined]


class Raw:
    """httpx and json.loads, without a model: what all others are compared with."""

    def __init__(self) -> None:
        import httpx

        self._http = httpx.Client(headers={"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "assistants=v2"})

    def _pages(self, address: str) -> Any:
        after = None
        while True:
            params = {"limit": "100", "order": "asc"} | ({"after": after} if after else {})
            page = json.loads(self._http.get(address, params=params).raise_for_status().content)
            yield page["data"]
            if not page["has_more"]:
                return
            after = page["last_id"]

    def _all(self, address: str) -> int:
        count = 0
        for data in self._pages(address):
            for item in data:
                _ = item["status"], item["usage"]
                count += 1
        return count

    def one(self, base: str) -> int:
        for number in range(GETS):
            address = f"{base}/threads/{THREAD}/runs/{RUN}/steps/step_{number}"
            json.loads(self._http.get(address).raise_for_status().content)
        return GETS

    def steps(self, base: str) -> int:
        return self._all(f"{base}/threads/{THREAD}/runs/{RUN}/steps")

    def runs(self, base: str) -> int:
        return self._all(f"{base}/threads/{THREAD}/runs")

    def fan_out(self, base: str, concurrency: int) -> int:
        runs = [run["id"] for data in self._pages(f"{base}/threads/{THREAD}/runs") for run in data]
        return sum(self._all(f"{base}/threads/{THREAD}/runs/{run}/steps") for run in runs)


class Facade:
    """This project, sync, with Python's own JSON reader."""

    def __init__(self) -> None:
        sys.modules["msgspec"] = None  # type: ignore[assignment]  # as if it were not installed
        self._open()

    def _open(self) -> None:
        import facade

        self._facade = facade
        self._clients: dict[str, Any] = {}

    def _client(self, base: str) -> Any:
        if base not in self._clients:
            self._clients[base] = self._facade.Client(KEY, api_base=base)
        return self._clients[base]

    def one(self, base: str) -> int:
        client = self._client(base)
        for number in range(GETS):
            client.steps.get(RUN, f"step_{number}", thread_id=THREAD)
        return GETS

    def _all(self, walk: Any) -> int:
        count = 0
        for item in walk:
            _ = item.status, item.usage
            count += 1
        return count

    def steps(self, base: str) -> int:
        return self._all(self._client(base).steps.all(RUN, thread_id=THREAD))

    def runs(self, base: str) -> int:
        return self._all(self._client(base).runs.all(THREAD))

    def read_through(self, base: str) -> int:
        count = 0
        for step in self._client(base).steps.all(RUN, thread_id=THREAD):
            read(step)
            step.to_dict()
            count += 1
        return count

    def fan_out(self, base: str, concurrency: int) -> int:
        with self._facade.Client(KEY, api_base=base) as client:
            return self._all(client.steps.all(client.runs.all(THREAD), concurrency=concurrency))


class FastFacade(Facade):
    """This project, sync, with the extra `fast`: msgspec reads the JSON."""

    def __init__(self) -> None:
        import_module("msgspec")
        self._open()


class AsyncFacade(Facade):
    """This project, async."""

    def fan_out(self, base: str, concurrency: int) -> int:
        async def work() -> int:
            count = 0
            async with self._facade.AsyncClient(KEY, api_base=base) as client:
                async for step in client.steps.all(client.runs.all(THREAD), concurrency=concurrency):
                    _ = step.status, step.usage
                    count += 1
            return count

        return asyncio.run(work())


class Stock:
    """What the same generator makes of the same spec with its own templates: no pages, retries or limits of time."""

    def __init__(self) -> None:
        self._api = {
            name: import_module(f"stock_client.api.assistants.{name}")
            for name in ("get_run_step", "list_run_steps", "list_runs")
        }
        self._clients: dict[str, Any] = {}

    def _client(self, base: str) -> Any:
        from stock_client import AuthenticatedClient

        if base not in self._clients:
            self._clients[base] = AuthenticatedClient(base_url=base, token=KEY)
        return self._clients[base]

    def _all(self, endpoint: str, order: str, base: str, *ids: str) -> Any:
        orders = getattr(import_module("stock_client.models"), order)
        options: dict[str, Any] = {"client": self._client(base), "limit": 100, "order": orders.ASC}
        while True:
            page = self._api[endpoint].sync(*ids, **options)
            yield from page.data
            if not page.has_more:
                return
            options["after"] = page.last_id

    def one(self, base: str) -> int:
        client = self._client(base)
        for number in range(GETS):
            self._api["get_run_step"].sync(THREAD, RUN, f"step_{number}", client=client)
        return GETS

    def steps(self, base: str) -> int:
        count = 0
        for step in self._all("list_run_steps", "ListRunStepsOrder", base, THREAD, RUN):
            _ = step.status, step.usage
            count += 1
        return count

    def runs(self, base: str) -> int:
        count = 0
        for run in self._all("list_runs", "ListRunsOrder", base, THREAD):
            _ = run.status, run.usage
            count += 1
        return count

    def read_through(self, base: str) -> int:
        count = 0
        for step in self._all("list_run_steps", "ListRunStepsOrder", base, THREAD, RUN):
            read(step)
            step.to_dict()
            count += 1
        return count


class OpenAI:
    """The official SDK."""

    def __init__(self) -> None:
        import openai

        self._openai = openai
        self._clients: dict[str, Any] = {}

    def _runs(self, base: str) -> Any:
        if base not in self._clients:
            self._clients[base] = self._openai.OpenAI(api_key=KEY, base_url=base, max_retries=0)
        return self._clients[base].beta.threads.runs

    def one(self, base: str) -> int:
        runs = self._runs(base)
        for number in range(GETS):
            runs.steps.retrieve(f"step_{number}", thread_id=THREAD, run_id=RUN)
        return GETS

    def steps(self, base: str) -> int:
        count = 0
        for step in self._runs(base).steps.list(RUN, thread_id=THREAD, limit=100, order="asc"):
            _ = step.status, step.usage
            count += 1
        return count

    def runs(self, base: str) -> int:
        count = 0
        for run in self._runs(base).list(THREAD, limit=100, order="asc"):
            _ = run.status, run.usage
            count += 1
        return count

    def fan_out(self, base: str, concurrency: int) -> int:
        count = 0
        with self._openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
            runs = client.beta.threads.runs
            for run in runs.list(THREAD, limit=100, order="asc"):
                for step in runs.steps.list(run.id, thread_id=THREAD, limit=100, order="asc"):
                    _ = step.status, step.usage
                    count += 1
        return count


class Azure:
    """Azure's own SDK for the same protocol."""

    def __init__(self) -> None:
        from azure.ai import agents
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy

        self._make = agents.AgentsClient
        self._credential: Any = AzureKeyCredential(KEY)
        self._policy = AzureKeyCredentialPolicy(self._credential, "api-key")
        self._clients: dict[str, Any] = {}

    def _client(self, base: str) -> Any:
        if base not in self._clients:
            self._clients[base] = self._make(base, self._credential, authentication_policy=self._policy)
        return self._clients[base]

    def one(self, base: str) -> int:
        client = self._client(base)
        for number in range(GETS):
            client.run_steps.get(THREAD, RUN, f"step_{number}")
        return GETS

    def steps(self, base: str) -> int:
        count = 0
        for step in self._client(base).run_steps.list(THREAD, RUN, limit=100, order="asc"):
            _ = step.status, step.usage
            count += 1
        return count

    def runs(self, base: str) -> int:
        count = 0
        for run in self._client(base).runs.list(THREAD, limit=100, order="asc"):
            _ = run.status, run.usage
            count += 1
        return count


LIBRARIES: dict[str, type[Any]] = {
    "raw": Raw,
    "facade": Facade,
    "facade_fast": FastFacade,
    "facade_async": AsyncFacade,
    "stock": Stock,
    "openai": OpenAI,
    "azure": Azure,
}
