"""What the tests of the core share: each case is written once, and runs against the sync and the async client."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import multiprocessing
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import attrs
import pytest
from wire import KEY, Request, Script, Server, until

import facade
from openai_thread_runs_api.model_base import Model

OPTIONS = list(inspect.signature(facade.Client).parameters)

TRUSTED = ssl.create_default_context()
"""Made once: it is most of what it costs to make a client."""


class Blocking:
    """An async client, what it has and its walks, with the verbs of the sync ones: each waits for what it gives."""

    def __init__(self, target: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.target, "aclose" if name == "close" else name)
        if not callable(value):
            return self._wrap(value)

        def call(*arguments: Any, **options: Any) -> Any:
            return self._wrap(
                value(
                    *(a.target if isinstance(a, Blocking) else a for a in arguments),
                    **{name: a.target if isinstance(a, Blocking) else a for name, a in options.items()},
                )
            )

        return call

    def _wrap(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._run(_of(value))
        if type(value).__module__.startswith("facade") and type(value).__name__.startswith("Async"):
            return Blocking(value, self._run)
        if hasattr(value, "__aiter__"):
            return Blocking(value, self._run)
        return value

    def __iter__(self) -> Blocking:
        return self

    def __next__(self) -> Any:
        item = self._run(_of(anext(self.target, self)))
        if item is self:
            raise StopIteration
        return item

    def __enter__(self) -> Blocking:
        self._run(self.target.__aenter__())
        return self

    def __exit__(self, *exception: Any) -> None:
        self._run(self.target.__aexit__(*exception))

    def __repr__(self) -> str:
        return repr(self.target)


async def _of(awaitable: Any) -> Any:
    return await awaitable


def exactly(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same to the letter: kinds of numbers and the order of keys too."""
    return repr(one) == repr(other)


def touch(value: Any) -> None:
    """Reads a model through to its last field, shows it and compares it."""
    if isinstance(value, Model):
        for field in attrs.fields(type(value)) if attrs.has(type(value)) else ():
            touch(getattr(value, field.name))
        repr(value)
        assert value == value  # may raise
        assert exactly(type(value).from_dict(value.to_dict()).to_dict(), value.to_dict())
    elif isinstance(value, list):
        for item in value:
            touch(item)


def read_all(walk: Iterable[Any]) -> tuple[list[Any], Exception | None]:
    """All that a walk hands over, and the error that ended it, where one did."""
    items = []
    try:
        for item in walk:
            items.append(item)  # what came before an error counts
    except Exception as error:
        return items, error
    return items, None


class Api:
    """Makes clients of one kind, "sync" or "async", and closes them; nothing of theirs may be left then."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._runner = asyncio.Runner() if kind == "async" else None
        self._clients: list[Any] = []

    def client(self, server: Server | str | None = None, **options: Any) -> Any:
        """A client of a server (or base address), with a key."""
        if server is not None:
            options.setdefault("api_base", server if isinstance(server, str) else server.url)
        options.setdefault("api_key", KEY)
        return self.bare_client(**options)

    def bare_client(self, *arguments: Any, **options: Any) -> Any:
        """A client that is told no more than this."""
        options.setdefault("verify", TRUSTED)
        if self._runner is None:
            client: Any = facade.Client(*arguments, **options)
        else:
            client = Blocking(facade.AsyncClient(*arguments, **options), self._runner.run)
        self._clients.append(client)
        return client

    def rest(self, sec: float) -> None:
        """The caller works on something else for so long; tasks go on."""
        if self._runner is None:
            time.sleep(sec)
        else:
            self._runner.run(asyncio.sleep(sec))

    def until(self, holds: Callable[[], Any]) -> bool:
        """As `wire.until`; tasks go on."""

        def look() -> Any:
            self.rest(0)
            return holds()

        return until(look)

    def tasks(self) -> set[Any]:
        """The tasks that are under way, where there are tasks."""
        return set() if self._runner is None else asyncio.all_tasks(self._runner.get_loop())

    def threads(self) -> list[threading.Thread]:
        """The threads that the client has started; one that serves is not its own."""
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("facade")]
        return [thread for thread in threads if thread.name != "facade-server"]

    def close(self) -> None:
        """Closes the clients and says what they have left behind."""
        for client in self._clients:
            client.close()
        self.rest(0)  # sockets are closed in the loop's next round
        self.rest(0)
        left = self.tasks()
        if self._runner is not None:
            self._runner.close()
        assert not left
        assert until(lambda: not self.threads()), self.threads()


def in_child(work: Callable[[], Any], timeout_sec: float = 20) -> Any:
    """What a function gives in a forked child."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:  # pragma: no cover  # not seen by the parent's coverage
        result: Any = "nothing"
        try:
            result = work()
        except BaseException as failure:
            result = repr(failure)
        finally:
            sender.send(result)
            os._exit(0)
    sender.close()
    try:
        if not receiver.poll(timeout_sec):
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        return receiver.recv()
    finally:
        receiver.close()
        os.waitpid(child, 0)


def begin(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Calls a function in a thread of its own, which keeps no test from ending where it hangs."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except BaseException as failure:
            future.set_exception(failure)

    threading.Thread(target=run, daemon=True, name="begun").start()
    return future


def with_client(server: Server, work: Callable[[facade.AsyncClient], Any], **options: Any) -> Any:
    """Runs a coroutine with an async client; no task may be left at its end."""

    async def main() -> Any:
        async with facade.AsyncClient(KEY, api_base=server.url, verify=TRUSTED, **options) as client:
            result = await work(client)
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(main())


async def eventually(holds: Callable[[], bool]) -> bool:
    """Waits until something holds; the loop goes on."""
    for _ in range(300):
        if holds():
            return True
        await asyncio.sleep(0.01)
    return False


PRELUDE = """
import asyncio, facade, os, signal, sys, threading, time
BASE = sys.argv[1]
"""


@contextlib.contextmanager
def program(
    server: Server, text: str, warnings: str = "error", stdin: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A Python program of its own with a server's address."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(text), server.url]
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "PYTHONWARNINGS": warnings}
    with subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["sync", "async"])
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Sync and async clients through the same verbs."""
    api = Api(request.param)
    yield api
    api.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts scripted servers, which end with the test."""
    servers: list[Server] = []

    def start(*scripts: Script | Callable[[Request], Script], **options: Any) -> Server:
        servers.append(Server(*scripts, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the developer's own key, endpoint, proxy or configuration, or another test's."""
    for name in list(os.environ):
        if name.upper().startswith("OPENAI_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    yield
    facade.configure(**dict.fromkeys(OPTIONS))
