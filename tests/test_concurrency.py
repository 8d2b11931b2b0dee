"""Threads, forks, tasks, signals, and walks that are left early: nothing mixed up, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from conftest import TRUSTED, Api, begin, eventually, in_child, program, read_all, with_client
from wire import (
    HANG,
    KEY,
    Request,
    Script,
    Serve,
    Server,
    a_page,
    a_run,
    again,
    answer,
    error,
    library,
    runs,
    steps,
    until,
)

import facade
from facade._network_sync import Wire


def echo(request: Request) -> Script:
    """A run with the id that was asked for, in two parts."""
    said = answer(a_run(request.path.rpartition("/run_")[2]))
    return (said[:40], 0.001, said[40:])


class TestThreads:
    """One client, many threads."""

    def test_16_threads(self, serve: Serve) -> None:
        """Each of 16 threads on one client gets its own answers."""
        server = serve(echo)
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:

            def work(thread: int) -> list[str]:
                return [client.runs.get("thread_1", f"run_{thread}_{n}").id for n in range(20)]

            with ThreadPoolExecutor(16) as pool:
                found = list(pool.map(work, range(16)))
        assert found == [[f"run_{thread}_{n}" for n in range(20)] for thread in range(16)]
        assert server.connections <= 16
        assert until(lambda: server.open_connections == 0)

    def test_close_while_a_connection_comes_back(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that another thread closes just as a connection is given back keeps none open."""
        server = serve(answer(a_run()))
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED)

        def and_close(wire: Wire) -> bool:
            client.close()
            return True

        monkeypatch.setattr(Wire, "is_at_end", property(and_close))
        assert client.runs.get("thread_1", "run_1").id == "run_1"
        assert until(lambda: server.open_connections == 0)

    def test_first_use_in_many_threads(self, serve: Serve) -> None:
        """Threads that use a fresh client at once share one pool: all its connections close with it."""
        server = serve((0.02, answer(a_run())))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            barrier = threading.Barrier(16)

            def work(_: int) -> str:
                barrier.wait()
                return client.runs.get("thread_1", "run_1").id

            with ThreadPoolExecutor(16) as pool:
                assert set(pool.map(work, range(16))) == {"run_1"}
        assert until(lambda: server.open_connections == 0)

    def test_walks_in_threads(self, serve: Serve) -> None:
        """Walks of several threads on one client do not mix."""
        lists = {f"/threads/thread_{n}/runs": [a_run(f"{n}_{i}", f"thread_{n}") for i in range(150)] for n in range(8)}
        with (
            facade.Client(KEY, api_base=serve(library(lists)).url, verify=TRUSTED) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            found = list(pool.map(lambda n: [run.id for run in client.runs.all(f"thread_{n}")], range(8)))
        assert found == [[f"run_{n}_{i}" for i in range(150)] for n in range(8)]

    @pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
    @pytest.mark.parametrize("granted", [0, 1, 2, 5])
    def test_no_more_threads(self, serve: Serve, monkeypatch: pytest.MonkeyPatch, granted: int, kind: Any) -> None:
        """A walk over many does with the threads that the system gives; where it gives none, that is the error."""
        server = serve(library({f"/threads/thread_{n}/runs": runs(5) for n in range(12)}))
        start, started = threading.Thread.start, list[threading.Thread]()

        def refuse(thread: threading.Thread) -> None:
            if thread.name == "facade-fetch":
                if len(started) == granted:
                    raise RuntimeError("can't start new thread")
                started.append(thread)
            start(thread)

        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            monkeypatch.setattr(threading.Thread, "start", refuse)
            walk = client.runs.all(kind([f"thread_{n}" for n in range(12)]))
            if granted > (kind is iter):  # what names the lists is read in a thread of its own
                assert len(list(walk)) == 60
            else:
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    next(walk)

    @pytest.mark.parametrize("threads", ["thread_1", ["thread_1"]], ids=["one", "many"])
    def test_walk_that_another_thread_reads(self, serve: Serve, threads: Any) -> None:
        """A walk that another thread is reading says so; that one gets every object all the same."""
        asked, may_answer = threading.Event(), threading.Event()

        def say(request: Request) -> Script:
            asked.set()
            may_answer.wait(5)
            return answer(a_page(runs(3)))

        with facade.Client(KEY, api_base=serve(say).url, verify=TRUSTED) as client:
            walk = client.runs.all(threads)
            reading = begin(list, walk)
            assert asked.wait(5)
            with pytest.raises(RuntimeError, match="one reads it at a time"):
                next(walk)
            may_answer.set()
            assert [run.id for run in reading.result(5)] == ["run_1", "run_2", "run_3"]

    def test_cmdlets_in_threads(self, serve: Serve) -> None:
        """The cmdlets may be called in threads as well, each with a key of its own."""
        server = serve(echo)

        def work(n: int) -> str:
            return facade.get_thread_run("thread_1", f"run_{n}", api_base=server.url, api_key=f"sk-{n}").id

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(40))) == [f"run_{n}" for n in range(40)]
        assert all(r.headers["authorization"] == f"Bearer sk-{r.path.rpartition('_')[2]}" for r in server.requests)

    def test_client_in_another_thread(self, serve: Serve) -> None:
        """A client can be closed by another thread than the one that used it."""
        server = serve(answer(a_run()))
        client = facade.Client(KEY, api_base=server.url, verify=TRUSTED)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(client.runs.get, "thread_1", "run_1").result().id == "run_1"
        client.close()
        assert until(lambda: server.open_connections == 0)


@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestFork:
    """A client that was used before a fork."""

    def test_child_and_parent(self, api: Api, serve: Serve) -> None:
        """Parent and child get their own answers, on connections of their own."""
        server = serve(echo)
        client = api.client(server)
        assert client.runs.get("thread_1", "run_before").id == "run_before"
        before = server.connections

        def ask(name: str) -> list[str]:
            if api.kind == "sync":
                return [client.runs.get("thread_1", f"run_{name}_{n}").id for n in range(30)]

            async def work() -> list[str]:
                return [(await client.target.runs.get("thread_1", f"run_{name}_{n}")).id for n in range(30)]

            if name == "parent":
                return list(client._run(work()))
            return asyncio.new_event_loop().run_until_complete(work())

        with ThreadPoolExecutor(1) as pool:
            parent = pool.submit(ask, "parent") if api.kind == "sync" else None
            child = in_child(lambda: ask("child"))
            found = parent.result() if parent else ask("parent")
        assert child == [f"run_child_{n}" for n in range(30)]
        assert found == [f"run_parent_{n}" for n in range(30)]
        connections = {
            name: {r.connection for r in server.requests if f"run_{name}" in r.path}
            for name in ("before", "parent", "child")
        }
        assert not connections["child"] & (connections["parent"] | connections["before"])
        assert before == 1

    def test_closing_in_the_child(self, serve: Serve) -> None:
        """A child that closes the client leaves the parent's connection as it is."""
        server = serve(answer(a_run()))
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            client.runs.get("thread_1", "run_1")
            assert in_child(client.close) is None
            assert client.runs.get("thread_1", "run_1").id == "run_1"
            assert server.connections == 1

    def test_fork_while_threads_read(self, serve: Serve) -> None:
        """A child that is forked while other threads are in the middle of a call is not held up by their locks."""
        server = serve(echo)
        stop = threading.Event()
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:

            def work(thread: int) -> None:
                while not stop.is_set():
                    client.runs.get("thread_1", f"run_{thread}")

            with ThreadPoolExecutor(4) as pool:
                for thread in range(4):
                    pool.submit(work, thread)
                try:
                    for n in range(5):
                        assert in_child(partial(client.runs.get, "thread_1", f"run_c{n}")).id == f"run_c{n}"
                finally:
                    stop.set()

    def test_cmdlets_after_a_fork(self, serve: Serve) -> None:
        """The cmdlets' shared connections are not the child's."""
        server = serve(echo)

        def ask(name: str) -> str:
            return facade.get_thread_run("thread_1", f"run_{name}", api_base=server.url, api_key=KEY).id

        assert ask("parent") == "run_parent"
        assert in_child(lambda: ask("child")) == "run_child"
        assert ask("again") == "run_again"
        assert [request.connection for request in server.requests] == [1, 2, 1]


class TestTasks:
    """Tasks that are cancelled."""

    def test_30_cancelled(self, serve: Serve) -> None:
        """After 30 tasks were cancelled in the middle of a call, the next call works and no connection is left."""
        server = serve(lambda request: answer(a_run()) if "run_good" in request.path else (HANG,))

        async def work(client: facade.AsyncClient) -> None:
            tasks = [asyncio.create_task(client.runs.get("thread_1", f"run_{n}")) for n in range(30)]
            assert await eventually(lambda: server.busy == 30)
            for task in tasks:
                task.cancel()
            assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {
                asyncio.CancelledError
            }
            assert await eventually(lambda: server.open_connections == 0)
            assert (await client.runs.get("thread_1", "run_good")).id == "run_1"

        with_client(server, work)

    @pytest.mark.parametrize("threads", ["thread_1", ["thread_1", "thread_2"]], ids=["one", "several"])
    def test_key_that_is_cancelled(self, threads: Any) -> None:
        """A task that the key was asked of and that was cancelled ends the walk, as it does a call: it hangs not."""

        async def key() -> str:
            raise asyncio.CancelledError

        async def work() -> None:
            async with facade.AsyncClient(key, api_base="https://x.test/v1") as client:
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(anext(client.runs.all(threads)), 5)

        asyncio.run(work())

    def test_source_that_is_cancelled(self, serve: Serve) -> None:
        """What names the lists and was cancelled is no end: the walk says so once all that came before is read."""
        server, found = serve(lambda request: answer(a_page(runs(2)))), []

        async def work(client: facade.AsyncClient) -> None:
            async def threads() -> Any:
                yield "thread_1"
                raise asyncio.CancelledError

            async def walk() -> None:
                async for run in client.runs.all(threads()):
                    found.append(run.id)

            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(walk(), 5)

        with_client(server, work)
        assert len(found) == 2

    @pytest.mark.parametrize("threads", ["thread_1", ["thread_1"]], ids=["one", "many"])
    def test_walk_that_another_task_reads(self, serve: Serve, threads: Any) -> None:
        """A walk that another task is reading says so; that one gets every object all the same."""

        async def work(client: facade.AsyncClient) -> None:
            walk = client.runs.all(threads)

            async def read() -> list[str | None]:
                return [run.id async for run in walk]

            first, second = await asyncio.gather(read(), read(), return_exceptions=True)
            assert first == ["run_1", "run_2", "run_3"]
            assert isinstance(second, RuntimeError)

        with_client(serve(answer(a_page(runs(3)))), work)

    @pytest.mark.parametrize("said", ["good", "bad", "cut"])
    def test_cancelled_at_any_moment(self, serve: Serve, said: str) -> None:
        """Cancelled at whatever moment, from before the connection to after the answer: none is left open or in use."""
        scripts = {"good": answer(a_run()), "bad": error(404), "cut": (answer(a_run())[:80], HANG)}
        server = serve(lambda request: answer(a_run()) if "run_good" in request.path else scripts[said])

        async def work(client: facade.AsyncClient) -> None:
            for rounds in [*range(30)] * 12:
                task = asyncio.create_task(client.runs.get("thread_1", "run_1"))
                for _ in range(rounds):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert (await client.runs.get("thread_1", "run_good")).id == "run_1"
            assert await eventually(lambda: server.busy == 0 and server.open_connections <= 1)

        with_client(server, work)
        assert until(lambda: server.open_connections == 0)

    def test_cancelled_connecting(self, serve: Serve) -> None:
        """Many tasks cancelled at once while they connect leave nothing open."""
        server = serve((0.01, answer(a_run())))

        async def work(client: facade.AsyncClient) -> None:
            for moment in range(10):
                tasks = [asyncio.create_task(client.runs.get("thread_1", f"run_{n}")) for n in range(10)]
                await asyncio.sleep(moment * 0.0005)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            assert (await client.runs.get("thread_1", "run_1")).id == "run_1"
            assert await eventually(lambda: server.busy == 0 and server.open_connections <= 10)

        with_client(server, work)
        assert until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("reused", [False, True], ids=["new connections", "used connections"])
    def test_cancelled_twice(self, serve: Serve, reused: bool) -> None:
        """A second cancellation while the first is still being dealt with leaves no connection either."""
        server = serve(lambda request: (0.02, answer(a_run())) if "run_good" in request.path else (HANG,))

        async def work(client: facade.AsyncClient) -> None:
            if reused:
                await asyncio.gather(*(client.runs.get("thread_1", "run_good") for _ in range(10)))
            tasks = [asyncio.create_task(client.runs.get("thread_1", f"run_{n}")) for n in range(10)]
            assert await eventually(lambda: server.busy == 10)
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await eventually(lambda: server.open_connections == 0)

        with_client(server, work)

    def test_callers_timeout(self, serve: Serve) -> None:
        """A timeout of the caller's own is his TimeoutError, not this package's."""
        server = serve((HANG,))

        async def work(client: facade.AsyncClient) -> None:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.1):
                    await client.runs.get("thread_1", "run_1", timeout_sec=5)
            assert not isinstance(caught.value, facade.APIError)
            assert await eventually(lambda: server.open_connections == 0)

        with_client(server, work)

    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    def test_cancelled_walk(self, serve: Serve, many: bool) -> None:
        """A cancelled walk takes its own tasks along."""
        server = serve((HANG,))

        async def work(client: facade.AsyncClient) -> None:
            async def read() -> None:
                async for _ in client.runs.all(["thread_1", "thread_2", "thread_3"] if many else "thread_1"):
                    pass

            task = asyncio.create_task(read())
            assert await eventually(lambda: server.busy == (3 if many else 1))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert await eventually(lambda: server.open_connections == 0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with_client(server, work)

    def test_cancelled_wait(self, serve: Serve) -> None:
        """A wait before a retry can be cancelled."""
        server = serve(error(503, {"Retry-After": "30"}))

        async def work(client: facade.AsyncClient) -> None:
            task = asyncio.create_task(client.runs.get("thread_1", "run_1"))
            assert await eventually(lambda: len(server.requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        with_client(server, work, max_retry_count=3)

    def test_many_loops(self, serve: Serve) -> None:
        """A client can be used in one event loop after another; the connections of a loop go with it."""
        server = serve(answer(a_run()))
        client = facade.AsyncClient(KEY, api_base=server.url, verify=TRUSTED)

        async def work() -> str:
            return (await client.runs.get("thread_1", "run_1")).id

        with warnings.catch_warnings(action="ignore"):  # asyncio's, of a connection that outlived its loop
            assert asyncio.run(work()) == "run_1"
            assert asyncio.run(work()) == "run_1"
            asyncio.run(client.aclose())
            gc.collect()


class TestLeaving:
    """Walks that are left before their end."""

    LISTS: dict[str, Any] = {"/threads/thread_1/runs": runs(450)}  # noqa: RUF012  # a table
    LISTS |= {f"/threads/thread_1/runs/run_{n}/steps": steps(250, f"run_{n}") for n in range(1, 13)}

    def slow(self, request: Request) -> Script:
        """The library, with a pause."""
        return (0.01, library(self.LISTS)(request))

    @pytest.mark.parametrize("taken", [0, 1, 99, 100, 101])
    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    def test_close(self, api: Api, serve: Serve, taken: int, many: bool) -> None:
        """A walk that is closed anywhere leaves no request, thread or task; the client goes on."""
        server = serve(self.slow)
        client = api.client(server)
        with client.steps.all([a_run(n) for n in range(1, 13)] if many else a_run(1)) as walk:
            for _ in range(taken):
                next(walk)
        assert not api.threads()
        assert not api.tasks()
        assert api.until(lambda: server.busy == 0)
        api.rest(0.03)  # what was sent before arrives
        asked = len(server.requests)
        api.rest(0.03)
        assert len(server.requests) == asked
        assert client.runs.list("thread_1", limit=1)[0].id == "run_1"

    @pytest.mark.parametrize("concurrency", [4, 16], ids=["some lists", "all lists"])
    def test_break_and_forget(self, api: Api, serve: Serve, concurrency: int) -> None:
        """A loop that is left without closing the walk stops what was on its way at once: nothing else holds it."""
        server = serve(lambda request: self.slow(request) if "/run_1/" in request.path else (HANG,))
        client = api.client(server)
        gc.disable()
        try:
            for _ in client.steps.all([a_run(n) for n in range(1, 13)], concurrency=concurrency):
                break
            assert api.until(lambda: server.busy == 0)
        finally:
            gc.enable()
        assert api.until(lambda: not api.threads() and not api.tasks())

    def test_close_while_the_server_hangs(self, api: Api, serve: Serve) -> None:
        """Closing a walk does not wait for pages that never come."""
        server = serve(lambda request: self.slow(request) if "/run_1/" in request.path else (HANG,))
        walk = api.client(server).steps.all([a_run(n) for n in range(1, 13)])
        next(walk)
        assert api.until(lambda: server.busy >= 7)
        walk.close()
        assert not api.threads()
        assert api.until(lambda: server.busy == 0)

    def test_close_in_a_wait(self, api: Api, serve: Serve) -> None:
        """Closing a walk does not wait for the waits of its retries."""
        server = serve(
            lambda request: self.slow(request) if "/run_1/" in request.path else error(503, {"Retry-After": "30"})
        )
        walk = api.client(server, max_retry_count=3).steps.all([a_run(n) for n in range(1, 13)])
        next(walk)
        assert api.until(lambda: len(server.requests) >= 8)
        walk.close()
        assert not api.threads()

    def test_failure_stops_the_others(self, api: Api, serve: Serve) -> None:
        """When one run's reader fails, the others stop: no further request is sent."""

        def say(request: Request) -> Script:
            return error(500) if "/run_2/" in request.path else self.slow(request)

        server = serve(say)
        items, failure = read_all(api.client(server).steps.all([a_run(n) for n in range(1, 13)], concurrency=4))
        assert isinstance(failure, facade.InternalServerError)
        assert failure.run_id == "run_2"
        assert len(items) == 250
        assert not api.threads()
        assert not api.tasks()
        api.rest(0.1)  # what was sent before the failure has arrived by then
        asked = len(server.requests)
        api.rest(0.1)
        assert len(server.requests) == asked < 20

    def test_callers_own_error(self, api: Api, serve: Serve) -> None:
        """An error of the caller's in the loop stops what is on its way, where `with` is used."""
        server = serve(self.slow)
        walk = api.client(server).steps.all([a_run(n) for n in range(1, 13)])

        def work() -> None:
            with walk:
                for _ in walk:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            work()
        assert not api.threads()
        assert not api.tasks()
        assert api.until(lambda: server.busy == 0)

    def test_feeding_walk_is_left_alone(self, api: Api, serve: Serve) -> None:
        """Closing a walk over steps does not close the caller's walk over runs, which can go on."""
        client = api.client(serve(self.slow))
        fed = client.runs.all("thread_1")
        with client.steps.all(fed, concurrency=2) as walk:
            next(walk)
        assert int(next(fed).id.removeprefix("run_")) <= 4
        fed.close()

    def test_client_closed_under_a_walk(self, api: Api, serve: Serve) -> None:
        """A walk whose client is closed ends with an error, not with a hang or as if it were complete."""
        server = serve(self.slow)
        client = api.client(server)
        walk = client.runs.all("thread_1")
        next(walk)
        client.close()
        items, failure = read_all(walk)
        assert isinstance(failure, (facade.APIError, RuntimeError))
        assert len(items) < 449
        assert api.until(lambda: server.open_connections == 0)

    def test_many_walks_left(self, api: Api, serve: Serve) -> None:
        """Many walks, each left early, leave no descriptors behind."""
        server = serve(self.slow)
        client = api.client(server)
        next(iter(client.runs.all("thread_1")))
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        for _ in range(10):
            with client.steps.all([a_run(n) for n in range(1, 13)], concurrency=4) as walk:
                next(walk)
        assert api.until(lambda: server.open_connections <= 6)
        if before:
            assert len(os.listdir("/proc/self/fd")) <= before + 16


WAITS: dict[str, tuple[str, Script]] = {
    "get": ('facade.Client(api_base=BASE).runs.get("thread_1", "run_1")', (HANG,)),
    "get with a limit": ('facade.Client(api_base=BASE, timeout_sec=60).runs.get("thread_1", "run_1")', (HANG,)),
    "wait for a retry": (
        'facade.Client(api_base=BASE, max_retry_count=3).runs.get("thread_1", "run_1")',
        error(503, {"Retry-After": "50"}),
    ),
    "walk": ('list(facade.Client(api_base=BASE).runs.all("thread_1"))', (HANG,)),
    "walk over many": ('list(facade.Client(api_base=BASE).runs.all(["thread_1", "thread_2"]))', (HANG,)),
    "cmdlet": ('facade.get_thread_run("thread_1", "run_1", api_base=BASE)', (HANG,)),
    "async get": ('asyncio.run(facade.AsyncClient(api_base=BASE).runs.get("thread_1", "run_1"))', (HANG,)),
}
ENDS = {
    "walk over many": """
        walk = facade.Client(api_base=BASE).runs.all(["thread_1", "thread_2", "thread_3"])
        print(next(walk).id, flush=True)
        """,
    "walk over many that hangs": """
        walk = facade.Client(api_base=BASE).runs.all(["thread_1", "thread_2", "thread_3"])
        print(next(walk).id, flush=True)
        time.sleep(0.1)
        sys.exit()
        """,
    "thread of the caller's": """
        client = facade.Client(api_base=BASE)
        threading.Thread(target=lambda: client.runs.get("thread_2", "run_1"), daemon=True).start()
        time.sleep(0.2)
        print("run_1", flush=True)
        """,
    "async walk": """
        async def main():
            async with facade.AsyncClient(api_base=BASE) as client:
                walk = client.runs.all(["thread_1", "thread_2", "thread_3"])
                print((await anext(walk)).id, flush=True)
        asyncio.run(main())
        """,
    "unclosed client": """
        client = facade.Client(api_base=BASE)
        print(client.runs.list("thread_1")[0].id, flush=True)
        """,
    "error at the top": """
        walk = facade.Client(api_base=BASE).runs.all(["thread_1", "thread_2", "thread_3"])
        print(next(walk).id, flush=True)
        raise SystemExit(0)
        """,
}


class TestProcesses:
    """Programs that are interrupted, or end."""

    @pytest.mark.parametrize("name", WAITS)
    def test_interrupted(self, serve: Serve, name: str) -> None:
        """Ctrl-C in a wait is a KeyboardInterrupt at once."""
        call, said = WAITS[name]
        server = serve(said)
        with program(server, f"try:\n    {call}\nexcept KeyboardInterrupt:\n    print('interrupted')") as process:
            assert until(lambda: server.requests, 10)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
        assert output.strip() == "interrupted", errors
        assert process.returncode == 0

    @pytest.mark.parametrize("name", ENDS)
    def test_ends(self, serve: Serve, name: str) -> None:
        """A hanging server does not keep a process from ending, and nothing is complained of."""

        def say(request: Request) -> Script:
            return answer(a_page(runs(2))) if "thread_1" in request.path else (HANG,)

        with program(serve(say), ENDS[name]) as process:
            output, errors = process.communicate(timeout=30)
        assert (output.strip(), process.returncode) == ("run_1", 0), errors
        assert "Traceback" not in errors

    def test_next_call_after_an_interrupt(self, serve: Serve) -> None:
        """After Ctrl-C the client can be used again, and gets its own answer."""
        server = serve((HANG,), answer(a_run("second")))
        text = """
        client = facade.Client(api_base=BASE)
        try:
            client.runs.get("thread_1", "run_first")
        except KeyboardInterrupt:
            print(client.runs.get("thread_1", "run_second").id)
        """
        with program(server, text) as process:
            assert until(lambda: server.requests, 10)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=10)
        assert output.strip() == "run_second", errors


def test_retries_do_not_block_others(serve: Serve) -> None:
    """While one thread waits for a retry, another's call goes through."""
    server = serve(lambda r: error(503, {"Retry-After-Ms": "1000"}) if "run_slow" in r.path else answer(a_run()))
    with (
        facade.Client(KEY, api_base=server.url, verify=TRUSTED, max_retry_count=1) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(client.runs.get, "thread_1", "run_slow")
        assert until(lambda: server.requests)
        client.runs.get("thread_1", "run_quick")
        assert isinstance(slow.exception(), facade.InternalServerError)
    assert [r.path.rpartition("_")[2] for r in server.requests] == ["slow", "quick", "slow"]


def test_retries_of_tasks(serve: Serve) -> None:
    """Tasks retry side by side."""
    server = serve(lambda request: again() if request.number <= 10 else answer(a_run()))

    async def work(client: facade.AsyncClient) -> list[str]:
        return [run.id for run in await asyncio.gather(*(client.runs.get("thread_1", f"run_{n}") for n in range(10)))]

    assert with_client(server, work, max_retry_count=10) == ["run_1"] * 10


def test_handshakes_that_hang_hold_nothing_up(serve: Serve) -> None:
    """A sync walk that is closed while its threads are in TLS handshakes ends them at once."""
    server = serve((HANG,))
    url = server.url.replace("http:", "https:")
    with facade.Client("sk-tls", api_base=url, verify=False, timeout_sec=1) as client:
        walk = client.runs.all([f"thread_{n}" for n in range(20)], concurrency=20)
        with pytest.raises(facade.APITimeoutError):
            next(walk)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("facade")]


def test_walk_left_at_the_end_of_a_program() -> None:
    """A program that ends with a walk under way ends at once."""
    server = Server(lambda request: answer(a_page(runs(2))) if "thread_0" in request.path else (HANG,))
    program = (
        "import facade\n"
        f"client = facade.Client('sk-exit', api_base={server.url!r})\n"
        "walk = client.runs.all([f'thread_{n}' for n in range(8)])\n"
        "next(walk)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    server.close()
