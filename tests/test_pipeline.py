"""What one call gives goes into the next."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from conftest import Api, read_all
from wire import (
    EMPTY,
    PAGE,
    Request,
    Serve,
    a_message,
    a_page,
    a_run,
    a_step,
    answer,
    ids,
    library,
    paths,
    runs,
    steps,
)

import facade


class Thing:
    """An object of somebody else's library."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


THREADS: dict[str, Any] = {
    "id": "thread_1",
    "mapping of a thread": {"id": "thread_1", "object": "thread"},
    "mapping with an id alone": {"id": "thread_1"},
    "mapping with a thread_id": {"thread_id": "thread_1"},
    "mapping of a message": {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1"},
    "mapping of a run": a_run(),
    "mapping with a field of its own": {"id": "thread_1", "object_": "a shelf"},
    "object of a thread": Thing(id="thread_1", object="thread"),
    "object with a thread_id": Thing(id="msg_1", thread_id="thread_1"),
    "object with a thread_id alone": Thing(thread_id="thread_1"),
    "run": facade.Run.from_dict(a_run()),
    "step": facade.RunStep.from_dict(a_step()),
}

NO_THREADS: dict[str, Any] = {
    "run without thread": {"id": "run_1", "object": "thread.run"},
    "another kind of object": {"id": "x", "object": "assistant"},
    "object of another kind": Thing(id="x", object="assistant"),
    "run model without thread": facade.Run.from_dict({"id": "x", "object": "thread.run"}),
    "empty mapping": {},
    "object without ids": Thing(),
    "number": 5,
    "None": None,
}

RUNS: dict[str, Any] = {
    "mapping of a run": a_run(),
    "mapping of a step": a_step(),
    "mapping of both ids": {"run_id": "run_1", "thread_id": "thread_1"},
    "mapping with an id": {"id": "run_1", "thread_id": "thread_1"},
    "object of a run": Thing(id="run_1", thread_id="thread_1", object="thread.run"),
    "object with both ids": Thing(id="msg_1", run_id="run_1", thread_id="thread_1"),
    "object with both ids alone": Thing(run_id="run_1", thread_id="thread_1"),
    "run": facade.Run.from_dict(a_run()),
    "step": facade.RunStep.from_dict(a_step()),
}

NO_RUNS: dict[str, Any] = {
    "run without thread": {"id": "run_1", "object": "thread.run"},
    "message without run": {"id": "msg_1", "object": "thread.message", "run_id": None, "thread_id": "thread_1"},
    "thread": {"id": "thread_1", "object": "thread"},
    "empty mapping": {},
    "object without ids": Thing(),
    "id without thread": "run_1",
    "None": None,
    "number": 5,
}


STEPS: dict[str, Any] = {
    "mapping of a step": a_step(),
    "mapping without kinds": {"step_details": {"message_creation": {"message_id": "msg_1"}}},
    "object of a step": Thing(step_details=Thing(message_creation=Thing(message_id="msg_1"))),
    "step": facade.RunStep.from_dict(a_step()),
    "step without kinds": facade.RunStep.from_dict(
        a_step(type=None, step_details={"message_creation": {"message_id": "msg_1"}})
    ),
}

NO_MESSAGES: dict[str, Any] = {
    "step that called tools": facade.RunStep.from_dict(
        a_step(type="tool_calls", step_details={"type": "tool_calls", "tool_calls": []})
    ),
    "step without details": a_step(step_details=None),
    "run": facade.Run.from_dict(a_run()),
    "step of another kind of message": a_step(step_details={"message_creation": {"message_id": 5}}),
    "id of a step": "step_1",
    "None": None,
    "number": 5,
}


class TestPipeline:
    """What one call gives goes into the next."""

    @pytest.mark.parametrize(
        ("resource", "given"),
        [
            *(pytest.param("runs", given, id=f"thread: {name}") for name, given in THREADS.items()),
            *(pytest.param("steps", given, id=f"run: {name}") for name, given in RUNS.items()),
        ],
    )
    def test_taken(self, api: Api, serve: Serve, resource: str, given: Any) -> None:
        """A thread is its id, itself, or what has a thread_id; a run is itself, what has both ids, or a step of it."""
        server = serve(EMPTY)
        reading = getattr(api.client(server), resource)
        reading.list(given)
        list(reading.all(given))
        list(reading.all([given]))
        path = {"runs": "/threads/thread_1/runs", "steps": "/threads/thread_1/runs/run_1/steps"}[resource]
        assert paths(server) == [path] * 3

    @pytest.mark.parametrize(
        ("resource", "given"),
        [
            *(pytest.param("runs", given, id=f"thread: {name}") for name, given in NO_THREADS.items()),
            *(pytest.param("steps", given, id=f"run: {name}") for name, given in NO_RUNS.items()),
        ],
    )
    def test_refused(self, api: Api, serve: Serve, resource: str, given: Any) -> None:
        """What names no thread, or no run, is refused before any request."""
        server = serve(EMPTY)
        reading = getattr(api.client(server), resource)
        for read in (lambda: reading.list(given), lambda: list(reading.all(given)), lambda: list(reading.all([given]))):
            with pytest.raises((ValueError, TypeError)):
                read()
        assert not server.requests

    @pytest.mark.parametrize("name", STEPS)
    def test_message_of_a_step(self, api: Api, serve: Serve, name: str) -> None:
        """A message step names its message, whose text is one read away."""
        server = serve(answer(a_message()))
        messages = api.client(server).messages
        assert messages.get("thread_1", STEPS[name]).content[0].text.value == "Two loaves."
        assert messages.get(a_run(), STEPS[name]).id == "msg_1"
        assert paths(server) == ["/threads/thread_1/messages/msg_1"] * 2

    @pytest.mark.parametrize("name", NO_MESSAGES)
    def test_no_message(self, api: Api, serve: Serve, name: str) -> None:
        """What names no message is refused before any request."""
        server = serve(EMPTY)
        with pytest.raises((ValueError, TypeError), match="message_id"):
            api.client(server).messages.get("thread_1", NO_MESSAGES[name])
        assert not server.requests

    def test_run_with_a_thread_of_another(self, api: Api, serve: Serve) -> None:
        """A thread_id that contradicts the run's own is refused; the same one is taken."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises(ValueError, match="thread_2"):
            client.steps.list(a_run(), thread_id="thread_2")
        assert not server.requests
        client.steps.list(a_run(), thread_id="thread_1")
        assert paths(server) == ["/threads/thread_1/runs/run_1/steps"]

    def test_thread_beside_a_run(self, api: Api, serve: Serve) -> None:
        """The thread of a run that does not say it may be an id, a thread, or what has a thread_id."""
        server = serve(EMPTY)
        client = api.client(server)
        for run in ("run_1", {"run_id": "run_1"}, Thing(run_id="run_1"), {"id": "run_1", "object": "thread.run"}):
            for thread in ("thread_1", THREADS["mapping of a thread"], Thing(thread_id="thread_1")):
                client.steps.list(run, thread_id=thread)
        assert set(paths(server)) == {"/threads/thread_1/runs/run_1/steps"}

    @pytest.mark.parametrize(
        ("run", "words"),
        [
            ("run_1", "give thread_id"),
            ({"run_id": "run_1"}, "give thread_id"),
            ({"thread_id": "thread_1"}, "no run"),
            ("thread_1", "id of a thread"),
            (5, "a run_id and thread_id, not int"),
            (b"run_1", "a run_id and thread_id, not bytes"),
        ],
    )
    def test_advice(self, api: Api, run: Any, words: str) -> None:
        """What is missing, or given in the wrong place, is said."""
        with pytest.raises((ValueError, TypeError), match=words):
            api.client("http://127.0.0.1:1").steps.list(run)

    @pytest.mark.parametrize("given", ["run_1", {"id": "run_1"}, 5, None])
    def test_refresh_of_an_id(self, api: Api, given: Any) -> None:
        """What does not know where it belongs is not refreshed: the error says what does it with an id."""
        client = api.client("http://127.0.0.1:1")
        for refresh, instead in (
            (client.messages.refresh, "get.thread, message_id"),
            (client.steps.refresh, "get.run"),
        ):
            with pytest.raises(TypeError, match=instead):
                refresh(given)

    def test_steps_of_all_runs(self, api: Api, serve: Serve) -> None:
        """`steps.all(runs.all(thread))` gives every step of every run, grouped, in order."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(7)}
        for run in lists["/threads/thread_1/runs"]:
            lists[f"/threads/thread_1/runs/{run['id']}/steps"] = steps(3, run["id"])
        client = api.client(serve(library(lists)))
        found = list(client.steps.all(client.runs.all("thread_1")))
        assert ids(found) == [f"step_run_{run}_{step}" for run in range(1, 8) for step in range(1, 4)]

    @pytest.mark.parametrize("concurrency", [1, 2, 8, 64])
    def test_many_threads(self, api: Api, serve: Serve, concurrency: int) -> None:
        """`runs.all` of many threads comes grouped in the order given, whatever the concurrency and the delays."""
        lists = {f"/threads/thread_{n}/runs": [a_run(f"{n}_{i}", f"thread_{n}") for i in range(3)] for n in range(9)}
        said = library(lists)

        def late(request: Request) -> list[Any]:
            return [0.002 * (len(request.path) * 7 % 5 + hash(request.path) % 5), said(request)]

        order = [4, 0, 8, 2, 6, 4, 1]
        walk = api.client(serve(late)).runs.all((f"thread_{n}" for n in order), concurrency=concurrency)
        assert ids(walk) == [f"run_{n}_{i}" for n in order for i in range(3)]

    def test_runs_of_several_threads(self, api: Api, serve: Serve) -> None:
        """Runs as ids share the `thread_id` that is given with them."""
        server = serve(EMPTY)
        assert list(api.client(server).steps.all(["run_1", "run_2"], thread_id="thread_1", concurrency=1)) == []
        assert paths(server) == ["/threads/thread_1/runs/run_1/steps", "/threads/thread_1/runs/run_2/steps"]

    def test_none_of_many(self, api: Api, serve: Serve) -> None:
        """A walk over no threads ends at once, without a request."""
        server = serve(EMPTY)
        assert list(api.client(server).runs.all([])) == []
        assert not server.requests

    def test_after_with_many(self, api: Api, serve: Serve) -> None:
        """`after` goes with a single thread or run only."""
        server = serve(EMPTY)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError), match="after"):
            client.runs.all(["thread_1", "thread_2"], after="run_1")
        with pytest.raises((ValueError, TypeError), match="after"):
            client.steps.all([a_run()], after="step_1")
        assert not server.requests

    def test_page_as_input(self, api: Api, serve: Serve) -> None:
        """A page of runs is many runs."""
        server = serve(PAGE, EMPTY)
        client = api.client(server)
        assert list(client.steps.all(client.runs.list("thread_1"), concurrency=1)) == []
        assert paths(server)[1:] == ["/threads/thread_1/runs/run_1/steps", "/threads/thread_1/runs/run_2/steps"]

    def test_bad_one_among_many(self, api: Api, serve: Serve) -> None:
        """A bad run among many is refused when its turn comes, after the steps of those before it."""
        client = api.client(serve(library({"/threads/thread_1/runs/run_1/steps": steps(2)})))
        walk = client.steps.all([a_run(), {"id": "run_2"}])
        found, failure = read_all(walk)
        assert ids(found) == ["step_run_1_1", "step_run_1_2"]
        assert isinstance(failure, ValueError)
        assert list(walk) == []

    def test_error_of_the_input(self, api: Api, serve: Serve) -> None:
        """An error of the caller's own iterable comes out as it is, after what was read before."""

        def threads() -> Iterable[str]:
            yield "thread_1"
            raise KeyError("the caller's own")

        found, failure = read_all(api.client(serve(PAGE)).runs.all(threads()))
        assert ids(found) == ["run_1", "run_2"]
        assert isinstance(failure, KeyError)

    def test_endless_input(self, api: Api, serve: Serve) -> None:
        """Of an endless iterable no more is taken than is read at once."""
        taken: list[int] = []

        def threads() -> Iterable[str]:
            while True:
                taken.append(1)
                yield f"thread_{len(taken)}"

        with api.client(serve(PAGE)).runs.all(threads(), concurrency=4) as walk:
            next(walk)
            assert len(taken) <= 5

    def test_async_iterables(self, api: Api, serve: Serve) -> None:
        """An async client walks async iterables; a sync one says that it does not."""

        async def threads() -> AsyncIterator[str]:
            yield "thread_1"
            yield "thread_2"

        server = serve(PAGE)
        client = api.client(server)
        if api.kind == "sync":
            with pytest.raises(TypeError, match="AsyncClient"):
                client.runs.all(threads())
            assert not server.requests
        else:
            assert ids(client.runs.all(threads())) == ["run_1", "run_2"] * 2


def test_slow_source_holds_nothing_up(serve: Serve) -> None:
    """What is there is handed over before the caller's own iterable is asked for many more."""
    server = serve(answer(a_page([a_run()])))
    asked = []

    def threads() -> Iterator[str]:
        for number in range(8):
            asked.append(number)
            time.sleep(0.05)
            yield f"thread_{number}"

    with facade.Client("sk-slow", api_base=server.url) as client, client.runs.all(threads()) as walk:
        next(walk)
        assert len(asked) < 8


def test_callers_own_iterable_does_not_count(api: Api, serve: Serve) -> None:
    """deadline_sec does not count the time that the caller's own iterable takes."""
    server = serve(answer(a_page([a_run()])))

    def threads() -> Iterator[str]:
        yield "thread_1"
        time.sleep(0.4)
        yield "thread_2"

    items, failure = read_all(api.client(server).runs.all(threads(), deadline_sec=0.3))
    assert (len(items), failure) == (2, None)
