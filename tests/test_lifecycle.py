"""Starting, following, answering and ending runs over real sockets: what is sent, how often, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import Api
from test_answering import approval, call
from wire import (
    CLOSE,
    HANG,
    KEY,
    RESET,
    Request,
    Server,
    a_run,
    again,
    answer,
    deaf_url,
    error,
    head,
    refused_url,
    waiting_run,
)

import facade

QUEUED = a_run(status="queued")
RUN = {"run_id": "run_1", "thread_id": "thread_1"}
RUNS_PATH = "/v1/threads/thread_1/runs"
RUN_PATH = f"{RUNS_PATH}/run_1"
SUBMIT_PATH = f"{RUN_PATH}/submit_tool_outputs"

Serve = Callable[..., Server]


def asked(server: Server) -> list[str]:
    """The requests that came, as METHOD path."""
    return [f"{request.method} {request.path}" for request in server.requests]


def by_method(post: Any, get: Any) -> Callable[[Request], Any]:
    """A script of the server by the request's method; a list is said item by item, its last one again and again."""
    said = {"POST": 0, "GET": 0}

    def say(request: Request) -> Any:
        script = post if request.method == "POST" else get
        if isinstance(script, list):
            number = said[request.method]
            said[request.method] += 1
            return script[min(number, len(script) - 1)]
        return script(request) if callable(script) else script

    return say


class TestCreate:
    """What is sent to start a run."""

    def test_body(self, api: Api, serve: Serve) -> None:
        """Every field goes into the body by its name; what is None does not; `additional_body` wins."""
        server = serve(answer(QUEUED))
        fields: dict[str, Any] = {
            "model": "gpt-4o",
            "instructions": "Count.",
            "additional_instructions": "Twice.",
            "additional_messages": [{"role": "user", "content": "Hello"}],
            "tools": ({"type": "code_interpreter"},),
            "metadata": {"oven": "2"},
            "temperature": 0,
            "top_p": 0.5,
            "max_prompt_tokens": 256,
            "max_completion_tokens": 300,
            "truncation_strategy": {"type": "auto"},
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "response_format": "auto",
            "reasoning_effort": "low",
        }
        run = api.client(server).runs.create(
            "thread_1",
            "asst_1",
            **fields,
            include=facade.FILE_SEARCH_RESULT_CONTENT,
            additional_body={"model": None, "x": 1},
        )
        assert run.status == "queued"
        [request] = server.requests
        assert (request.method, request.path) == ("POST", RUNS_PATH)
        assert request.query == [("include[]", facade.FILE_SEARCH_RESULT_CONTENT)]
        assert request.headers["content-type"] == "application/json"
        expected = {"assistant_id": "asst_1", **fields, "tools": [{"type": "code_interpreter"}], "model": None, "x": 1}
        assert request.json == expected

    def test_nothing_is_sent_of_none(self, api: Api, serve: Serve) -> None:
        """A run of an assistant alone is its id."""
        server = serve(answer(QUEUED))
        api.client(server).runs.create({"id": "thread_1", "object": "thread"}, "asst_1", model=None, metadata=None)
        assert server.requests[0].json == {"assistant_id": "asst_1"}
        assert server.requests[0].query == []

    def test_with_thread(self, api: Api, serve: Serve) -> None:
        """A thread is made along with its run."""
        server = serve(answer(QUEUED))
        thread = {"messages": [{"role": "user", "content": "Hello"}], "metadata": {"a": "b"}}
        resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
        run = api.client(server).runs.create_with_thread("asst_1", thread=thread, tool_resources=resources, top_p=1)
        assert run.id == "run_1"
        assert asked(server) == ["POST /v1/threads/runs"]
        body = {"assistant_id": "asst_1", "thread": thread, "tool_resources": resources, "top_p": 1}
        assert server.requests[0].json == body

    @pytest.mark.parametrize(
        ("fields", "kind", "named"),
        [
            ({"temperature": float("nan")}, ValueError, "temperature"),
            ({"top_p": float("inf")}, ValueError, "top_p"),
            ({"tools": {1, 2}}, TypeError, "tools"),
            ({"additional_messages": iter(())}, TypeError, "additional_messages"),
            ({"additional_body": {"x": {1}}}, TypeError, "additional_body"),
            ({"metadata": {str(n): "" for n in range(17)}}, ValueError, "metadata"),
            ({"metadata": {"a": 1}}, TypeError, "metadata"),
            ({"include": 7}, TypeError, "include"),
            ({"temprature": 1}, TypeError, "temperature"),
            ({"timeout": 1}, TypeError, "timeout_sec"),
            ({"timeout_sec": -1}, ValueError, "timeout_sec"),
        ],
    )
    @pytest.mark.parametrize("method", ["create", "stream", "create_with_thread", "stream_with_thread"])
    def test_bad_input(
        self, api: Api, serve: Serve, method: str, fields: dict[str, Any], kind: type[Exception], named: str
    ) -> None:
        """What cannot be sent is refused by its name, before any request."""
        server = serve(answer(QUEUED))
        arguments = ("asst_1",) if method.endswith("with_thread") else ("thread_1", "asst_1")
        if len(arguments) == 1 and set(fields) & {"include", "additional_messages"}:
            kind, named = TypeError, next(iter(fields))
        with pytest.raises(kind, match=named):
            getattr(api.client(server).runs, method)(*arguments, **fields)
        assert server.requests == []

    @pytest.mark.parametrize("method", ["create", "stream"])
    def test_no_thread(self, api: Api, serve: Serve, method: str) -> None:
        """Where the thread turns out to be None no new one is made."""
        server = serve(answer(QUEUED))
        with pytest.raises(TypeError, match="thread"):
            getattr(api.client(server).runs, method)(None, "asst_1")
        assert server.requests == []

    @pytest.mark.parametrize("assistant_id", ["", " ", None, "thread_1", 7])
    def test_bad_ids(self, api: Api, serve: Serve, assistant_id: Any) -> None:
        """An assistant is named by its id."""
        server = serve(answer(QUEUED))
        with pytest.raises((TypeError, ValueError), match="assistant_id"):
            api.client(server).runs.create("thread_1", assistant_id)
        assert server.requests == []

    def test_metadata_of_a_new_thread(self, api: Api, serve: Serve) -> None:
        """The new thread's metadata is checked too."""
        server = serve(answer(QUEUED))
        with pytest.raises(ValueError, match="thread"):
            api.client(server).runs.create_with_thread("asst_1", thread={"metadata": {str(n): "" for n in range(17)}})
        assert server.requests == []


WRITES: dict[str, Callable[[Any], Any]] = {
    "create": lambda client: client.runs.create("thread_1", "asst_1"),
    "create_with_thread": lambda client: client.runs.create_with_thread("asst_1"),
    "submit_tool_outputs": lambda client: client.runs.submit_tool_outputs(RUN, {"call_1": "x"}),
    "submit_tool_approvals": lambda client: client.runs.submit_tool_approvals(RUN, {"call_1": True}),
    "stream": lambda client: list(client.runs.stream("thread_1", "asst_1")),
    "stream_with_thread": lambda client: list(client.runs.stream_with_thread("asst_1")),
    "stream_tool_outputs": lambda client: list(client.runs.stream_tool_outputs(RUN, {"call_1": "x"})),
}


@pytest.mark.parametrize("write", WRITES)
class TestNeverTwice:
    """What starts or answers a run goes out once, unless the server itself asks for it again."""

    @pytest.mark.parametrize(
        "script",
        [
            (RESET,),
            (CLOSE,),
            (head(200, {"Content-Length": "100"}), b'{"id"', CLOSE),
            answer(b"junk"),
            error(500),
            error(502),
            error(503),
            error(503, {"Retry-After": "0"}),
            error(504),
            error(529),
            error(408),
            error(409),
            error(429, code="insufficient_quota"),
            error(429, {"x-should-retry": "false", "Retry-After-Ms": "1"}),
            error(429, {"Retry-After": "61"}),
            error(500, {"Retry-After-Ms": "1"}),
        ],
        ids=range(16),
    )
    def test_once(self, api: Api, serve: Serve, write: str, script: Any) -> None:
        """A cut, junk, and any other failure: one POST, whatever `max_retry_count` says; something was sent."""
        server = serve(by_method(script, error(404)))
        with pytest.raises(facade.APIError) as caught:
            WRITES[write](api.client(server, max_retry_count=5))
        assert [request.method for request in server.requests].count("POST") == 1
        assert caught.value.sent is True
        assert caught.value.method == "POST"

    def test_once_after_a_timeout(self, api: Api, serve: Serve, write: str) -> None:
        """A timeout leaves it at one POST too."""
        server = serve(by_method((HANG,), error(404)))
        with pytest.raises(facade.APITimeoutError) as caught:
            WRITES[write](api.client(server, max_retry_count=5, timeout_sec=0.2))
        assert [request.method for request in server.requests].count("POST") == 1
        assert caught.value.sent is True

    @pytest.mark.parametrize(
        "script",
        [
            again(429),
            again(503),
            error(409, {"x-should-retry": "true", "Retry-After-Ms": "1"}),
            again(500, {"x-should-retry": "true"}),
        ],
        ids=range(4),
    )
    def test_again_where_it_is_asked_for(self, api: Api, serve: Serve, write: str, script: bytes) -> None:
        """The server may ask for it again: it did nothing then."""
        server = serve(by_method([script, script, answer(a_run())], answer(a_run())))
        WRITES[write](api.client(server, max_retry_count=2))
        assert [request.method for request in server.requests].count("POST") == 3

    def test_not_sent(self, api: Api, write: str) -> None:
        """Where nothing reached a server, `sent` is False."""
        with pytest.raises(facade.APIConnectionError) as caught:
            WRITES[write](api.client(refused_url(), max_retry_count=5))
        assert caught.value.sent is False


class TestRepeatable:
    """Changing metadata and cancelling may be repeated: twice is as once."""

    def test_update(self, api: Api, serve: Serve) -> None:
        """Metadata is replaced, with retries as of reads."""
        server = serve(again(500), answer(a_run(metadata={"a": "b"})))
        run = api.client(server, max_retry_count=1).runs.update("run_1", thread_id="thread_1", metadata={"a": "b"})
        assert run.metadata.to_dict() == {"a": "b"}
        assert asked(server) == [f"POST {RUN_PATH}"] * 2
        assert server.requests[1].json == {"metadata": {"a": "b"}}

    @pytest.mark.parametrize("metadata", [None, 7, {str(n): "" for n in range(17)}])
    def test_update_bad_input(self, api: Api, serve: Serve, metadata: Any) -> None:
        """What is no metadata is refused before any request."""
        server = serve(answer(a_run()))
        with pytest.raises((TypeError, ValueError), match="metadata"):
            api.client(server).runs.update(RUN, metadata=metadata)
        assert server.requests == []

    def test_cancel(self, api: Api, serve: Serve) -> None:
        """Cancelling asks once, without a body but with its length."""
        server = serve(answer(a_run(status="cancelling")))
        assert api.client(server).runs.cancel(RUN).status == "cancelling"
        [request] = server.requests
        assert (request.method, request.path, request.body) == ("POST", f"{RUN_PATH}/cancel", b"")
        assert request.headers["content-length"] == "0"
        assert "content-type" not in request.headers

    @pytest.mark.parametrize("status", ["cancelling", "cancelled", "completed", "failed", "expired", "incomplete"])
    def test_repeated_cancel_refused(self, api: Api, serve: Serve, status: str) -> None:
        """Where the repetition is refused because the first one worked, the run is read and returned."""
        server = serve(by_method([again(500), error(400)], answer(a_run(status=status))))
        assert api.client(server, max_retry_count=3).runs.cancel(RUN).status == status
        assert asked(server) == [f"POST {RUN_PATH}/cancel"] * 2 + [f"GET {RUN_PATH}"]

    @pytest.mark.parametrize(
        "now", [answer(QUEUED), answer(waiting_run(call())), error(500), (RESET,), answer(b"junk")]
    )
    def test_repeated_cancel_that_stays_refused(self, api: Api, serve: Serve, now: Any) -> None:
        """Where the run goes on, or cannot be read, the refusal is raised."""
        server = serve(by_method([again(500), error(400)], now))
        with pytest.raises(facade.BadRequestError) as caught:
            api.client(server, max_retry_count=3).runs.cancel(RUN)
        assert caught.value.attempts == 2
        assert len(server.requests) == 3

    def test_first_cancel_refused(self, api: Api, serve: Serve) -> None:
        """A first 400 is what it is."""
        server = serve(error(400))
        with pytest.raises(facade.BadRequestError):
            api.client(server, max_retry_count=3).runs.cancel(RUN)
        assert len(server.requests) == 1


AMBIGUOUS = [
    (RESET,),
    (CLOSE,),
    (head(200, {"Content-Length": "100"}), b'{"id"', CLOSE),
    answer(b"junk"),
    answer([]),
    error(500),
    error(502),
    error(504),
]


class TestSubmit:
    """Answering what a run waits for."""

    def test_outputs(self, api: Api, serve: Serve) -> None:
        """A text goes as it is, anything else as JSON, all in one request."""
        server = serve(answer(QUEUED))
        run = facade.Run.from_dict(waiting_run(call(1), call(2)))
        api.client(server).runs.submit_tool_outputs(run, {"call_1": "né", "call_2": {"a": [1]}})
        assert asked(server) == [f"POST {SUBMIT_PATH}"]
        outputs = [{"tool_call_id": "call_1", "output": "né"}, {"tool_call_id": "call_2", "output": '{"a": [1]}'}]
        assert server.requests[0].json == {"tool_outputs": outputs}

    def test_approvals(self, api: Api, serve: Serve) -> None:
        """Approvals go to the same operation; a mapping is merged in."""
        server = serve(answer(QUEUED))
        run = facade.Run.from_dict(waiting_run(approval(1), approval(2), approvals=True))
        said = {"call_1": False, "call_2": {"approve": True, "headers": {"X-Token": "t"}}}
        api.client(server).runs.submit_tool_approvals(run, said)
        assert asked(server) == [f"POST {SUBMIT_PATH}"]
        assert server.requests[0].json == {
            "tool_approvals": [
                {"tool_call_id": "call_1", "approve": False},
                {"tool_call_id": "call_2", "approve": True, "headers": {"X-Token": "t"}},
            ]
        }

    @pytest.mark.parametrize(
        ("run", "outputs", "kind"),
        [
            (waiting_run(call(1)), {"call_2": "x"}, ValueError),
            (waiting_run(call(1), call(2)), {"call_1": "x"}, ValueError),
            (waiting_run(call(1)), {}, ValueError),
            (waiting_run(approval(1), approvals=True), {"call_1": "x"}, ValueError),
            (QUEUED, {"call_1": "x"}, ValueError),
            (a_run(), {"call_1": "x"}, ValueError),
            (RUN, {"call_1": float("nan")}, ValueError),
            (RUN, {"call_1": {1}}, TypeError),
            (RUN, {"call_1": iter(())}, TypeError),
            (RUN, None, TypeError),
        ],
    )
    @pytest.mark.parametrize("method", ["submit_tool_outputs", "stream_tool_outputs"])
    def test_bad_input(
        self, api: Api, serve: Serve, method: str, run: dict[str, Any], outputs: Any, kind: type[Exception]
    ) -> None:
        """What the run does not wait for, or cannot be sent, is refused before any request."""
        server = serve(answer(QUEUED))
        for given in (run, facade.Run.from_dict(run)) if "id" in run else (run,):
            with pytest.raises(kind, match="outputs"):
                getattr(api.client(server).runs, method)(given, outputs)
        assert server.requests == []

    @pytest.mark.parametrize("script", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
    @pytest.mark.parametrize("now", [QUEUED, a_run(), waiting_run(call(7))], ids=["queued", "completed", "next calls"])
    def test_ambiguous_and_done(self, api: Api, serve: Serve, script: Any, now: dict[str, Any]) -> None:
        """Where it is not known what came of it, the run is read once; one that has gone on is returned."""
        server = serve(by_method(script, answer(now)))
        run = api.client(server, max_retry_count=3).runs.submit_tool_outputs(RUN, {"call_1": "x"})
        assert run.to_dict() == now
        assert asked(server) == [f"POST {SUBMIT_PATH}", f"GET {RUN_PATH}"]

    @pytest.mark.parametrize("script", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
    @pytest.mark.parametrize(
        "now", [answer(waiting_run(call(1), call(2))), error(503), error(404), (RESET,), answer(b"x")], ids=range(5)
    )
    def test_ambiguous_and_not_done(self, api: Api, serve: Serve, script: Any, now: Any) -> None:
        """Where the run still waits, or cannot be read, the first error is raised; it is read once only."""
        server = serve(by_method(script, now))
        with pytest.raises(facade.APIError) as caught:
            api.client(server, max_retry_count=3).runs.submit_tool_outputs(RUN, {"call_1": "x"})
        assert caught.value.method == "POST"
        assert asked(server) == [f"POST {SUBMIT_PATH}", f"GET {RUN_PATH}"]

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 501, 503, 529])
    def test_clear_failures(self, api: Api, serve: Serve, status: int) -> None:
        """A clear refusal is raised without reading."""
        server = serve(error(status))
        with pytest.raises(facade.APIStatusError):
            api.client(server).runs.submit_tool_outputs(RUN, {"call_1": "x"})
        assert len(server.requests) == 1

    def test_not_sent(self, api: Api) -> None:
        """Where nothing reached the server there is nothing to read."""
        with pytest.raises(facade.APIConnectionError) as caught:
            api.client(refused_url()).runs.submit_tool_outputs(RUN, {"call_1": "x"})
        assert (caught.value.method, caught.value.sent) == ("POST", False)

    def test_timeout(self, api: Api, serve: Serve) -> None:
        """After a timeout the run is read within another."""
        server = serve(by_method((HANG,), answer(QUEUED)))
        assert api.client(server, timeout_sec=0.2).runs.submit_tool_outputs(RUN, {"call_1": "x"}).status == "queued"


class TestWait:
    """Following a run by reading it."""

    def test_until_it_rests(self, api: Api, serve: Serve) -> None:
        """It is read until it rests."""
        server = serve(answer(QUEUED), answer(a_run(status="in_progress")), answer(a_run()))
        run = api.client(server).runs.wait("run_1", thread_id="thread_1", poll_sec=0.01)
        assert run.status == "completed"
        assert asked(server) == [f"GET {RUN_PATH}"] * 3

    def test_hint(self, api: Api, serve: Serve) -> None:
        """What the server says about the next poll is heard, whatever case its header is in."""
        server = serve(answer(QUEUED, headers={"OpenAI-Poll-After-Ms": "100"}), answer(a_run()))
        assert api.client(server, deadline_sec=5).runs.wait(RUN).status == "completed"

    def test_failed_polls_are_ridden_out(self, api: Api, serve: Serve) -> None:
        """Two failed polls in a row are ridden out."""
        server = serve(answer(QUEUED), (RESET,), error(503), answer(QUEUED), error(429), (CLOSE,), answer(a_run()))
        assert api.client(server).runs.wait(RUN, poll_sec=0.01).status == "completed"
        assert len(server.requests) == 7

    @pytest.mark.parametrize(
        ("script", "kind", "polls"),
        [
            (error(500), facade.InternalServerError, 4),
            ((RESET,), facade.APIConnectionError, 4),
            (error(404), facade.NotFoundError, 2),
            (error(401), facade.AuthenticationError, 2),
            (error(429, code="insufficient_quota"), facade.RateLimitError, 2),
            (answer(b"junk"), facade.APIResponseError, 2),
        ],
    )
    def test_failed_polls(self, api: Api, serve: Serve, script: Any, kind: type[Exception], polls: int) -> None:
        """The third failed poll is raised, and at once what would not pass."""
        server = serve(answer(QUEUED), script)
        with pytest.raises(kind):
            api.client(server).runs.wait(RUN, poll_sec=0.01)
        assert len(server.requests) == polls

    def test_retries_within_a_poll(self, api: Api, serve: Serve) -> None:
        """`max_retry_count` counts within each poll."""
        server = serve(*[again(500)] * 8, answer(a_run()))
        assert api.client(server, max_retry_count=2).runs.wait(RUN, poll_sec=0.01).status == "completed"
        assert len(server.requests) == 9

    @pytest.mark.parametrize("script", [answer(QUEUED), (HANG,)], ids=["queued", "silent"])
    def test_deadline(self, api: Api, serve: Serve, script: Any) -> None:
        """When `deadline_sec` passes the error has the run as last read; the run goes on."""
        server = serve(script)
        with pytest.raises(facade.APITimeoutError, match=r"deadline_sec=0.3") as caught:
            api.client(server).runs.wait(RUN, poll_sec=0.05, deadline_sec=0.3)
        assert (caught.value.run and caught.value.run.id) == ("run_1" if isinstance(script, bytes) else None)
        assert (caught.value.method, caught.value.path) == ("GET", "/threads/thread_1/runs/run_1")
        assert {request.method for request in server.requests} == {"GET"}

    @pytest.mark.parametrize(
        "cancelled", [answer(a_run(status="cancelling")), error(500), error(400), (RESET,), (HANG,)]
    )
    def test_cancel_on_timeout(self, api: Api, serve: Serve, cancelled: Any) -> None:
        """One cancel is sent, not retried, bounded by `timeout_sec`; the timeout is raised whatever comes of it."""
        server = serve(by_method(cancelled, answer(QUEUED)))
        client = api.client(server, max_retry_count=3, timeout_sec=0.3)
        with pytest.raises(facade.APITimeoutError) as caught:
            client.runs.wait(RUN, poll_sec=0.05, deadline_sec=0.2, cancel_on_timeout=True)
        assert caught.value.run is not None
        assert asked(server)[-1] == f"POST {RUN_PATH}/cancel"
        assert [request.method for request in server.requests].count("POST") == 1

    def test_check(self, api: Api, serve: Serve) -> None:
        """With `check` a run that failed is an error, which has it."""
        server = serve(answer(a_run(status="failed", last_error={"code": "server_error", "message": "no flour"})))
        client = api.client(server)
        assert client.runs.wait(RUN).status == "failed"
        with pytest.raises(facade.RunFailedError, match="no flour") as caught:
            client.runs.wait(RUN, check=True)
        assert caught.value.run.status == "failed"

    @pytest.mark.parametrize(
        "options",
        [{"poll_sec": -1}, {"poll_sec": float("nan")}, {"poll_sec": float("inf")}, {"poll_sec": "1"}, {"poll": 1}],
    )
    def test_bad_input(self, api: Api, serve: Serve, options: dict[str, Any]) -> None:
        """An interval that is none is refused before any request."""
        server = serve(answer(a_run()))
        for method, arguments in (("wait", ()), ("process", ({},))):
            with pytest.raises((TypeError, ValueError), match="poll"):
                getattr(api.client(server).runs, method)(RUN, *arguments, **options)
        assert server.requests == []


class TestProcess:
    """Following a run and answering what it waits for."""

    def test_turns(self, api: Api, serve: Serve) -> None:
        """Functions are called with their arguments, and all outputs of a turn go in one request."""
        server = serve(
            by_method(
                answer(QUEUED),
                [
                    answer(QUEUED),
                    answer(waiting_run(call(1), call(2, "say"))),
                    answer(waiting_run(call(3))),
                    answer(a_run()),
                ],
            )
        )
        functions = {"add": lambda a, b: a + b, "say": lambda **arguments: arguments}
        run = api.client(server).runs.process(RUN, functions, poll_sec=0.01)
        assert run.status == "completed"
        posts = [request.json["tool_outputs"] for request in server.requests if request.method == "POST"]
        assert posts == [
            [
                {"tool_call_id": "call_1", "output": "3"},
                {"tool_call_id": "call_2", "output": '{"a": 1, "b": 2}'},
            ],
            [{"tool_call_id": "call_3", "output": "3"}],
        ]

    def test_coroutine_functions(self, api: Api, serve: Serve) -> None:
        """The async client awaits functions and `approve`; the sync one says that it does not."""
        runs = [answer(waiting_run(call(1))), answer(waiting_run(approval(2), approvals=True)), answer(a_run())]
        server = serve(by_method(answer(QUEUED), runs))

        async def add(a: int, b: int) -> int:
            return a + b

        async def approve(call: Any) -> bool:
            return bool(call.id == "call_2")

        process = api.client(server).runs.process
        if api.kind == "sync":
            with pytest.raises(TypeError, match="AsyncClient"):
                process(RUN, {"add": add}, approve=approve, poll_sec=0.01)
        else:
            process(RUN, {"add": add}, approve=approve, poll_sec=0.01)
            posts = [request.json for request in server.requests if request.method == "POST"]
            assert posts[0]["tool_outputs"] == [{"tool_call_id": "call_1", "output": "3"}]
            assert posts[1]["tool_approvals"] == [{"tool_call_id": "call_2", "approve": True}]

    def test_functions_exception(self, api: Api, serve: Serve) -> None:
        """What a function raises comes out as it is, and the run is left waiting."""
        server = serve(by_method(answer(QUEUED), answer(waiting_run(call(1)))))

        class OvenError(Exception):
            pass

        def burn(**_: Any) -> None:
            raise OvenError

        with pytest.raises(OvenError):
            api.client(server).runs.process(RUN, {"add": burn})
        assert {request.method for request in server.requests} == {"GET"}

    def test_functions_stop_iteration(self, api: Api, serve: Serve) -> None:
        """A StopIteration that a function or `approve` raises is raised too; of a coroutine Python makes another."""
        server = serve(answer(waiting_run(call(1))), answer(waiting_run(approval(1), approvals=True)))

        def empty(*_: Any, **__: Any) -> Any:
            return next(iter(()))

        for _ in range(2):
            with pytest.raises((StopIteration, RuntimeError)) as caught:
                api.client(server).runs.process(RUN, {"add": empty}, approve=empty)
            raised = caught.value.__cause__ if api.kind == "async" else caught.value
            assert isinstance(raised, StopIteration)
            assert raised.__traceback__ is not None
        assert len(server.requests) == 2

    def test_functions_error_keeps_its_cause(self, api: Api, serve: Serve) -> None:
        """A function's exception is raised as it is: its cause too, and no other function's in its place."""
        client = api.client(serve(answer(waiting_run(call(1), call(2, name="second")))))

        def fail(**_: Any) -> None:
            raise RuntimeError("outer") from KeyError("inner")

        class Broken(dict[str, Any]):
            def __contains__(self, name: object) -> bool:
                if name == "second":
                    raise RuntimeError("broken")
                return super().__contains__(name)

        with pytest.raises(RuntimeError, match="outer") as caught:
            client.runs.process(RUN, {"add": fail})
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(RuntimeError, match="broken"):
            client.runs.process(RUN, Broken(add=fail), report_errors=True)

    def test_functions_own_api_error(self, api: Api, serve: Serve) -> None:
        """An APIError that a function raises is the function's own: it does not count as a failed poll or submit."""
        server = serve(by_method(answer(QUEUED), [answer(waiting_run(call(1))), answer(a_run())]))

        def fail(**_: Any) -> None:
            raise facade.APIConnectionError("elsewhere")

        with pytest.raises(facade.APIConnectionError, match="elsewhere"):
            api.client(server).runs.process(RUN, {"add": fail})
        assert len(server.requests) == 1

    def test_max_turns(self, api: Api, serve: Serve) -> None:
        """After so many submits, 20 unless told otherwise, the run is given back, waiting, and nothing is cancelled."""
        server = serve(by_method(answer(QUEUED), answer(waiting_run(call(1)))))
        run = api.client(server).runs.process(RUN, {"add": lambda a, b: 1}, poll_sec=0.01, max_turns=2)
        assert run.status == "requires_action"
        assert asked(server).count(f"POST {SUBMIT_PATH}") == 2
        assert not any("cancel" in path for path in asked(server))
        server = serve(answer(waiting_run(call(1))))
        api.client(server).runs.process(RUN, {"add": lambda a, b: 1})
        assert asked(server).count(f"POST {SUBMIT_PATH}") == 20

    def test_deadline_is_for_waiting(self, api: Api, serve: Serve) -> None:
        """The functions' own time does not count towards `deadline_sec`; all waits together do."""
        server = serve(by_method(answer(QUEUED), [answer(waiting_run(call(1))), answer(QUEUED), answer(a_run())]))
        client = api.client(server)
        slow = {"add": lambda a, b: api_rest(0.7)}

        def api_rest(sec: float) -> str:
            import time

            time.sleep(sec)
            return "rested"

        assert client.runs.process(RUN, slow, poll_sec=0.01, deadline_sec=0.6).status == "completed"

    def test_deadline(self, api: Api, serve: Serve) -> None:
        """The deadline ends it where the run does not rest."""
        server = serve(by_method(answer(QUEUED), [answer(waiting_run(call(1))), answer(QUEUED)]))
        with pytest.raises(facade.APITimeoutError) as caught:
            api.client(server).runs.process(RUN, {"add": lambda a, b: 1}, poll_sec=0.05, deadline_sec=0.4)
        assert caught.value.run is not None
        assert caught.value.run.status == "queued"
        assert not any("cancel" in path for path in asked(server))

    def test_deadline_in_a_submit(self, api: Api, serve: Serve) -> None:
        """A deadline that passes while outputs are on their way ends it likewise, with the run and one cancel."""

        def say(request: Request) -> Any:
            return answer(waiting_run(call(1))) if request.method == "GET" or "cancel" in request.path else (HANG,)

        server = serve(say)
        with pytest.raises(facade.APITimeoutError) as caught:
            api.client(server).runs.process(RUN, {"add": lambda a, b: 1}, deadline_sec=0.3, cancel_on_timeout=True)
        assert caught.value.run is not None
        assert asked(server) == [f"GET {RUN_PATH}", f"POST {SUBMIT_PATH}", f"POST {RUN_PATH}/cancel"]

    def test_ambiguous_submit(self, api: Api, serve: Serve) -> None:
        """A submit that was cut is looked into once, and the run followed on."""
        runs = [answer(waiting_run(call(1))), answer(QUEUED), answer(a_run())]
        server = serve(by_method((RESET,), runs))
        run = api.client(server).runs.process(RUN, {"add": lambda a, b: 1}, poll_sec=0.01)
        assert run.status == "completed"
        assert asked(server).count(f"POST {SUBMIT_PATH}") == 1

    def test_check(self, api: Api, serve: Serve) -> None:
        """`check` is as of `wait`."""
        server = serve(answer(a_run(status="expired")))
        with pytest.raises(facade.RunFailedError):
            api.client(server).runs.process(RUN, {}, check=True)

    @pytest.mark.parametrize(
        ("functions", "options"),
        [
            (None, {}),
            ([print], {}),
            ({"add": 7}, {}),
            ({1: print}, {}),
            ({}, {"max_turns": -1}),
            ({}, {"max_turns": 1.5}),
            ({}, {"approve": True}),
            ({}, {"approve": ""}),
        ],
    )
    def test_bad_input(self, api: Api, serve: Serve, functions: Any, options: dict[str, Any]) -> None:
        """What are no functions, or no number of turns, is refused before any request."""
        server = serve(answer(a_run()))
        with pytest.raises((TypeError, ValueError), match=r"functions|max_turns|approve is"):
            api.client(server).runs.process(RUN, functions, **options)
        assert server.requests == []


TOKEN = "tok-hush-0123456789"
SECRET = {"approve": True, "headers": {"Authorization": f"Bearer {TOKEN}"}}


class TestSecrets:
    """Bodies and approval headers stand nowhere."""

    def test_approval_headers(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """A token of an approval that the server echoes is shown in no error, log or traceback with its variables."""
        import io
        import traceback

        said = {"message": f"bad header Bearer {TOKEN}", "code": TOKEN}
        server = serve(answer({"error": said}, 400, {"x-request-id": f"Bearer {TOKEN}"}))
        client = api.client(server)
        caplog.set_level(logging.DEBUG)
        caught = None
        approvals = {"call_1": SECRET}
        try:
            client.runs.submit_tool_approvals(RUN, approvals)
        except facade.APIError as problem:
            caught = problem
        assert caught is not None
        assert TOKEN not in f"{caught} {caught!r} {vars(caught)}"
        assert TOKEN not in caplog.text
        frames = traceback.TracebackException.from_exception(caught, capture_locals=True)
        own = [frame for frame in frames.stack if "/facade/" in frame.filename]
        shown = io.StringIO()
        for frame in own:
            shown.write(str(frame.locals))
        assert own
        assert TOKEN not in shown.getvalue()
        assert server.requests[0].json["tool_approvals"][0]["headers"] == SECRET["headers"]

    def test_bodies_are_not_logged(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """What is sent stands in no log line."""
        caplog.set_level(logging.DEBUG)
        server = serve(again(503), error(500))
        with pytest.raises(facade.APIError) as caught:
            api.client(server, max_retry_count=1).runs.create("thread_1", "asst_1", instructions="our secret recipe")
        assert "recipe" not in f"{caplog.text} {caught.value} {caught.value!r}"
        assert "POST" in caplog.text
        assert KEY not in caplog.text
        assert json.loads(server.requests[0].body)["instructions"] == "our secret recipe"


def test_submit_answered_without_a_run(api: Api, serve: Serve) -> None:
    """A server whose answer to outputs names the run but is none: the run is read."""
    server = serve(by_method(answer({"run_id": "run_1", "thread_id": "thread_1"}), answer(QUEUED)))
    assert api.client(server).runs.submit_tool_outputs(RUN, {"call_1": "x"}).status == "queued"
    assert asked(server) == [f"POST {SUBMIT_PATH}", f"GET {RUN_PATH}"]


class TestSent:
    """What is known of a request that failed."""

    def failed(self, api: Api, base: str, **options: Any) -> facade.APIError:
        with pytest.raises(facade.APIError) as caught:
            api.client(base, timeout_sec=0.3, **options).runs.create("thread_1", "asst_1")
        return caught.value

    def test_not_connected(self, api: Api) -> None:
        """Nothing reached a server that refuses, or lets no connection through in time."""
        assert self.failed(api, refused_url()).sent is False
        with deaf_url() as base:
            error = self.failed(api, base)
        assert isinstance(error, facade.APITimeoutError)
        assert error.sent is False

    def test_no_handshake(self, api: Api) -> None:
        """Nor one that does not come through the TLS handshake in time, or cannot speak TLS at all."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            error = self.failed(api, f"https://127.0.0.1:{silent.getsockname()[1]}/v1")
        assert isinstance(error, facade.APITimeoutError)
        assert error.sent is False
        with Server((b"HTTP/1.1 400 No\r\n\r\n", CLOSE)) as plain:
            assert self.failed(api, plain.url.replace("http:", "https:")).sent is False

    def test_no_key(self, api: Api, serve: Serve) -> None:
        """Nor where the key did not come in time; not even over a connection that was used before."""
        if api.kind == "sync":
            pytest.skip("a callable of the sync client cannot be broken off")
        delays = iter([0.0, 5.0])

        async def key() -> str:
            await asyncio.sleep(next(delays))
            return KEY

        server = serve(answer(a_run()))
        client = api.client(server, api_key=key, timeout_sec=0.3)
        client.runs.get("thread_1", "run_1")
        with pytest.raises(facade.APITimeoutError) as caught:
            client.runs.create("thread_1", "asst_1")
        assert caught.value.sent is False
        assert len(server.requests) == 1

    @pytest.mark.parametrize("script", [(HANG,), (RESET,), (CLOSE,), error(400), answer(b"junk")], ids=range(5))
    def test_sent(self, api: Api, serve: Serve, script: Any) -> None:
        """Whatever came of it then, the request was sent."""
        assert self.failed(api, serve(script).url).sent is True

    def test_half_closed(self, api: Api) -> None:
        """A server that says no more while a large body is on its way, and still takes it."""

        def hear_out() -> None:
            for _ in range(5):
                sock, _ = listener.accept()
                with sock:
                    sock.recv(1000)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(1 << 20):
                        pass

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=hear_out, daemon=True)
            thread.start()
            for _ in range(5):
                with pytest.raises(facade.APIConnectionError) as caught:
                    api.client(f"http://127.0.0.1:{listener.getsockname()[1]}/v1").runs.create(
                        "thread_1", "asst_1", instructions="x" * 8_000_000
                    )
                assert caught.value.sent is True
            thread.join(5)

    @pytest.mark.parametrize("kind", [httpx.PoolTimeout, httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError])
    def test_transport_without_connection(self, api: Api, kind: type[httpx.TransportError]) -> None:
        """Nothing was sent where a transport of the caller's own got no connection."""

        def refuse(request: httpx.Request) -> httpx.Response:
            raise kind("none")

        assert self.failed(api, refused_url(), transport=httpx.MockTransport(refuse)).sent is False

    def test_silent_stream(self, api: Api, serve: Serve) -> None:
        """A stream that falls silent was sent."""
        server = serve((head(200, {"Content-Type": "text/event-stream"}), HANG))
        with pytest.raises(facade.APITimeoutError) as caught:
            list(api.client(server, timeout_sec=0.2).runs.stream("thread_1", "asst_1"))
        assert caught.value.sent is True
