"""Minutes of work against a server that fails in every way: descriptors, threads, tasks and memory stay as they are.

    python tests/soak.py [MINUTES]     # 3 where left out; connections take about half a minute to settle

Prints a line now and then and ends with 1 where something has grown. `make soak` runs it; the tests do not.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import itertools
import logging
import os
import random
import sys
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wire import CLOSE, HANG, KEY, RESET, Request, Script, Server, a_page, a_run, again, answer, error, head, steps

import facade

THREADS = 4
WARM_UP = 0.3
"""The part of the time after which things are counted for the first time."""

ROUND_SEC = 5.0
GROWTH_BYTES = 2 * 1024 * 1024
PAGE = answer(a_page(steps(100), True))
LAST = answer(a_page(steps(30)))


def say(request: Request) -> Script:
    """A run or pages of steps, most of the time."""
    whim = random.random()
    if whim < 0.02:
        return (0.05, RESET)
    if whim < 0.04:
        return (head(200, {"Content-Length": "5000"}), b"{", CLOSE)
    if whim < 0.06:
        return (HANG,)
    if whim < 0.1:
        return again(random.choice([429, 500, 503, 529]))
    if whim < 0.12:
        return error(random.choice([400, 401, 404]))
    if whim < 0.14:
        return answer(random.choice([b"<html>", b"", b"null", b"[" * 5000, b'{"id": ']))
    if whim < 0.16:
        return (answer(a_run()), CLOSE)
    if request.path.endswith("/steps"):
        return LAST if request.value("after") else PAGE
    return answer(a_run())


RUNS = [a_run(number) for number in range(6)]
LIMITS: dict[str, Any] = {"timeout_sec": 0.2, "deadline_sec": 5, "max_retry_count": 2}


def sync_work(client: facade.Client) -> None:
    """One of the things that a caller does."""
    whim = random.random()
    if whim < 0.5:
        client.runs.get("thread_1", "run_1", **LIMITS)
    elif whim < 0.6:
        client.steps.list(RUNS[0], **LIMITS)
    elif whim < 0.7:
        collections.deque(client.steps.all(RUNS[0], **LIMITS), maxlen=0)
    elif whim < 0.8:
        collections.deque(client.steps.all(RUNS, concurrency=4, **LIMITS), maxlen=0)
    elif whim < 0.9:
        with client.steps.all(RUNS, concurrency=4, **LIMITS) as walk:
            collections.deque(itertools.islice(walk, random.randint(0, 150)), maxlen=0)
    else:
        for _ in client.steps.all(RUNS, concurrency=4, **LIMITS):
            break


async def async_work(client: facade.AsyncClient) -> None:
    """One of the things that a caller does, some of them cancelled."""
    whim = random.random()
    if whim < 0.4:
        await client.runs.get("thread_1", "run_1", **LIMITS)
    elif whim < 0.6:
        async for _ in client.steps.all(RUNS, concurrency=4, **LIMITS):
            pass
    elif whim < 0.8:
        async with client.steps.all(RUNS, concurrency=4, **LIMITS) as walk:
            async for _ in walk:
                if random.random() < 0.05:
                    break
    else:
        task = asyncio.create_task(client.runs.get("thread_1", "run_1", **LIMITS))
        await asyncio.sleep(random.random() * 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


Counts = collections.Counter[str]


def sync_round(client: facade.Client, end: float) -> Counts:
    """Works in several threads until the round's end."""
    counts: Counts = collections.Counter()

    def work(_: int) -> None:
        while time.monotonic() < end:
            counts[outcome(lambda: sync_work(client))] += 1

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    return counts


def outcome(work: Callable[[], None]) -> str:
    """How some work ended; anything but success and an APIError ends the soak."""
    try:
        work()
    except facade.APIError as failure:
        return type(failure).__name__
    return "good"


async def async_outcome(work: Awaitable[None]) -> str:
    """As `outcome`."""
    try:
        await work
    except facade.APIError as failure:
        return type(failure).__name__
    return "good"


async def async_round(client: facade.AsyncClient, end: float) -> Counts:
    """Works in several tasks until the round's end."""
    counts: Counts = collections.Counter()

    async def work() -> None:
        while time.monotonic() < end:
            counts[await async_outcome(async_work(client))] += 1

    await asyncio.gather(*(work() for _ in range(8)))
    await asyncio.sleep(0.1)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left
    return counts


class Usage:
    """What the process holds now, the server's part left out as far as it can be."""

    def __init__(self, server: Server) -> None:
        gc.collect()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.threads = sum(thread.name.startswith("facade") for thread in threading.enumerate())
        self.connections = server.open_connections
        self.memory = tracemalloc.get_traced_memory()[0]

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.connections} connections, {self.threads} threads, "
            f"{self.memory / 1024 / 1024:.2f} MiB"
        )


def main(minutes: float) -> int:
    """Soaks for so long; 1 where something has grown."""
    logging.getLogger("facade").addHandler(logging.NullHandler())
    tracemalloc.start()
    began = time.monotonic()
    total: Counts = collections.Counter()
    first: Usage | None = None
    with (
        Server(say) as server,
        facade.Client(KEY, api_base=server.url) as client,
        asyncio.Runner() as runner,
    ):
        async_client = facade.AsyncClient(KEY, api_base=server.url)
        while time.monotonic() < began + minutes * 60:
            total += sync_round(client, time.monotonic() + ROUND_SEC)
            total += runner.run(async_round(async_client, time.monotonic() + ROUND_SEC))
            server.forget()
            usage = Usage(server)
            print(f"{time.monotonic() - began:6.0f} s  {total.total()} calls  {usage}", flush=True)
            if first is None and time.monotonic() > began + minutes * 60 * WARM_UP:
                first = usage
        runner.run(async_client.aclose())
    assert first is not None
    print(", ".join(f"{count} {name}" for name, count in total.most_common()))
    grown = [
        name
        for name, has_grown in (
            ("threads", usage.threads > 0),
            ("descriptors", usage.descriptors > first.descriptors + 40),
            ("connections", usage.connections > first.connections + 20),
            ("memory", usage.memory > first.memory + GROWTH_BYTES),
        )
        if has_grown
    ]
    print(f"grown: {', '.join(grown)}" if grown else "nothing has grown")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
