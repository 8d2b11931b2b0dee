"""What reading costs, counted and not timed: calls, memory, requests, imports."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Api
from wire import KEY, Request, Server, a_page, a_step, answer, library, runs, steps

import facade
import openai_thread_runs_api

LISTS = {
    "/threads/thread_1/runs": runs(7),
    **{f"/threads/thread_1/runs/run_{n}/steps": steps(250 if n == 1 else 5, f"run_{n}") for n in range(1, 8)},
}


def calls_of(work: Callable[[], Any], *roots: str) -> int:
    """How many Python functions, of files below these folders, some work calls; its first time does not count."""
    work()
    count = 0

    def see(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call" and (not roots or frame.f_code.co_filename.startswith(roots))

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def read(walk: Any) -> int:
    """Reads what a table of steps shows; says how many there were."""
    return sum(1 for step in walk if (step.status, step.usage))


@pytest.fixture
def client() -> Iterator[Callable[[Server], facade.Client]]:
    """Makes a sync client of a server."""
    clients: list[facade.Client] = []

    def make(server: Server) -> facade.Client:
        clients.append(facade.Client(KEY, api_base=server.url))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


def test_calls_of_a_get(serve: Any, client: Any) -> None:
    """Getting a step calls hardly more Python functions than httpx does by itself."""
    server = serve(answer(a_step()))
    steps = client(server).steps
    with httpx.Client() as http:
        raw = calls_of(lambda: json.loads(http.get(f"{server.url}/threads/thread_1/runs/run_1/steps/step_1").content))
    assert calls_of(lambda: steps.get("run_1", "step_1", thread_id="thread_1")) <= 1.3 * raw


def test_own_calls_of_a_list(serve: Any, client: Any) -> None:
    """A page of one step takes no more than 45 calls of this project's own functions, generated ones among them."""
    steps = client(serve(answer(a_page([a_step()])))).steps
    own = (str(Path(facade.__file__).parent), str(Path(openai_thread_runs_api.__file__).parent))
    assert calls_of(lambda: steps.list("run_1", thread_id="thread_1"), *own) <= 45


def test_memory_of_a_walk_is_flat(api: Api, serve: Any) -> None:
    """A walk holds two pages at most, however many there are."""

    def page(request: Request) -> bytes:
        begin = int((request.value("after") or "step_0").removeprefix("step_")) + 1
        last = int(request.path.split("/")[-2].removeprefix("run_")) * 100
        return answer(a_page([a_step(n) for n in range(begin, begin + 100)], has_more=begin + 100 < last))

    client = api.client(serve(page))

    def peak(pages: int) -> int:
        tracemalloc.start()
        try:
            assert read(client.steps.all(f"run_{pages}", thread_id="thread_1")) == 100 * pages
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # imports, connects
    assert peak(20) <= 1.5 * peak(4)


def test_requests_of_a_fan_out(api: Api, serve: Any) -> None:
    """All steps of all runs are a request a page, and no more connections than are read at once, and one."""
    server = serve(library(LISTS))
    client = api.client(server)
    assert read(client.steps.all(client.runs.all("thread_1"), concurrency=4)) == 280
    assert len(server.requests) == 1 + 3 + 6
    assert server.connections <= 5


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_import_loads_what_it_needs() -> None:
    """`import facade` takes along no model, and nothing of other packages: httpx comes with the first connection."""
    loaded = loaded_by("import facade")
    unwanted = {
        "httpx",
        "asyncio",
        "attr",
        "attrs",
        "click",
        "httpcore",
        "msgspec",
        "rich",
        "sqlite3",
        "starlette",
        "yaml",
    }
    assert not loaded & unwanted
    assert not [name for name in loaded if name.startswith("openai_thread_runs_api.models.")]
    assert not [name for name in loaded if name.startswith("openai_thread_runs_api.api.assistants.")]


def test_an_export_loads_what_it_needs() -> None:
    """The archive and its command take along no httpx, which costs as long to import as all the rest."""
    loaded = loaded_by("import facade.archive, facade.commands.export")
    assert not loaded & {"httpx", "attr", "attrs", "rich", "starlette", "pandas", "polars", "pyarrow", "fsspec"}


def test_a_model_is_imported_when_it_is_needed() -> None:
    """`facade.RunStep` takes along the models it is made of when a part is read, not before, and no endpoint."""
    loaded = loaded_by("import facade; facade.RunStep")
    models = [name for name in loaded if name.startswith("openai_thread_runs_api.models.")]
    assert models == ["openai_thread_runs_api.models.run_step_object"]
    assert not [name for name in loaded if name.startswith("openai_thread_runs_api.api.assistants.")]
