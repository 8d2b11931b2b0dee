"""Streams of runs over real sockets: what comes, when it is over, how it ends badly, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from conftest import Api, read_all
from test_answering import call
from test_lifecycle import QUEUED, RUN, RUN_PATH, RUNS_PATH, SUBMIT_PATH, Serve, asked, by_method
from test_streaming import DELTA, STORY
from wire import (
    CLOSE,
    HANG,
    KEY,
    RESET,
    Request,
    a_message,
    a_page,
    a_run,
    a_step,
    again,
    answer,
    drip,
    error,
    event,
    head,
    stream_of,
    until,
    waiting_run,
)

import facade

STREAM = head(200, {"Content-Type": "text/event-stream; charset=utf-8"})
NAMES = [
    "thread.run.created",
    "thread.run.step.created",
    "thread.message.created",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.completed",
]
BEGIN = stream_of(
    ("thread.run.created", QUEUED), ("thread.message.created", a_message(content=[])), ("thread.message.delta", DELTA)
)
DONE = b"event: done\ndata: [DONE]\n\n"


def chunked(*pieces: bytes) -> bytes:
    """An answer's whole body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKED = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def elsewhere(request: Request) -> bytes:
    """What is read apart from a stream: the run at rest, its steps and its messages."""
    if request.path.endswith("/steps"):
        return answer(a_page([a_step()]))
    if request.path.endswith("/messages"):
        last = a_message("All of it.", status="odd")
        others = [a_message(id="msg_2", run_id="run_9"), a_message(id="msg_3", run_id=None, role="user")]
        return answer(a_page([last, *others]))
    return answer(a_run())


def names(stream: Any) -> list[str]:
    return [one.event for one in stream]


STREAMS: dict[str, tuple[Callable[[Any], Any], str, dict[str, Any]]] = {
    "stream": (
        lambda runs: runs.stream("thread_1", "asst_1", top_p=1, include=("x",)),
        RUNS_PATH,
        {"assistant_id": "asst_1", "top_p": 1, "stream": True},
    ),
    "stream_with_thread": (
        lambda runs: runs.stream_with_thread("asst_1", thread={"messages": []}),
        "/v1/threads/runs",
        {"assistant_id": "asst_1", "thread": {"messages": []}, "stream": True},
    ),
    "stream_tool_outputs": (
        lambda runs: runs.stream_tool_outputs(RUN, {"call_1": 3}),
        SUBMIT_PATH,
        {"tool_outputs": [{"tool_call_id": "call_1", "output": "3"}], "stream": True},
    ),
}


class TestStory:
    """A stream that goes as it should."""

    @pytest.mark.parametrize("method", STREAMS)
    def test_request(self, api: Api, serve: Serve, method: str) -> None:
        """One POST with `stream`, when the stream is entered or first read; the answer's events come in order."""
        start, path, body = STREAMS[method]
        server = serve((STREAM, STORY, DONE, CLOSE))
        stream = start(api.client(server).runs)
        assert server.requests == []
        with stream:
            assert len(server.requests) == 1
            assert names(stream) == NAMES
            assert names(stream) == []
        assert asked(server) == [f"POST {path}"]
        assert server.requests[0].json == body
        assert "text/event-stream" in server.requests[0].headers["accept"]
        assert server.requests[0].headers["accept-encoding"] == "identity"
        assert server.requests[0].head.lower().count(b"\r\naccept") == 2

    def test_gathered(self, api: Api, serve: Serve) -> None:
        """Run, steps and messages are there as far as they were told; the result is the run at rest."""
        server = serve((STREAM, STORY, DONE, CLOSE))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        seen = []
        for _ in stream:
            seen.append(
                (stream.run.status, len(stream.steps), [part.text.value for m in stream.messages for part in m.content])
            )
        assert seen == [
            ("queued", 0, []),
            ("queued", 1, []),
            ("queued", 1, []),
            ("queued", 1, ["Two"]),
            ("queued", 1, ["Two loaves."]),
            ("completed", 1, ["Two loaves."]),
        ]
        assert stream.result().status == "completed"
        assert len(server.requests) == 1

    def test_text(self, api: Api, serve: Serve) -> None:
        """The text comes in pieces; what is around it is gathered."""
        server = serve((STREAM, STORY, CLOSE))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert list(stream.text()) == ["Two"]
        assert stream.result().status == "completed"

    def test_result_alone(self, api: Api, serve: Serve) -> None:
        """The result reads to the end."""
        server = serve((STREAM, STORY, CLOSE))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert stream.result().status == "completed"
        assert [step.id for step in stream.steps] == ["step_1"]
        assert stream.result().status == "completed"
        assert repr(stream).endswith("RunStream(run='run_1', status='completed')")

    @pytest.mark.parametrize("size", [1, 2, 3, 50, 1000])
    def test_chunks(self, api: Api, serve: Serve, size: int) -> None:
        """However the server cuts its chunks, the events are the same."""
        pieces = [STORY[i : i + size] for i in range(0, len(STORY), size)]
        server = serve((CHUNKED, chunked(*pieces)))
        assert names(api.client(server).runs.stream("thread_1", "asst_1")) == NAMES

    def test_waits_for_an_answer(self, api: Api, serve: Serve) -> None:
        """A run that waits for an answer ends the stream; the next goes on."""
        waits = waiting_run(call(1))
        first = (STREAM, stream_of(("thread.run.created", QUEUED), ("thread.run.requires_action", waits)), CLOSE)
        server = serve(first, (STREAM, STORY, CLOSE))
        runs = api.client(server).runs
        run = runs.stream("thread_1", "asst_1").result()
        assert run.status == "requires_action"
        with pytest.raises(ValueError, match="outputs has 'call_9'"):
            runs.stream_tool_outputs(run, {"call_9": "x"})
        assert runs.stream_tool_outputs(run, {"call_1": "3"}).result().status == "completed"

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_compressed(self, api: Api, serve: Serve, encoding: str) -> None:
        """A stream that is compressed though nobody asked for it is read all the same."""
        import zlib

        packed = gzip.compress(STORY) if encoding == "gzip" else zlib.compress(STORY)
        headers = {"Content-Type": "text/event-stream", "Content-Encoding": encoding}
        server = serve((head(200, headers), *(packed[i : i + 9] for i in range(0, len(packed), 9)), CLOSE))
        assert names(api.client(server).runs.stream("thread_1", "asst_1")) == NAMES

    @pytest.mark.parametrize("kind", [None, "Text/Event-Stream", "text/event-stream;charset=UTF-8"])
    def test_content_types(self, api: Api, serve: Serve, kind: str | None) -> None:
        """A media type counts in any letters; a server that does not name what it sends is taken to stream."""
        server = serve((head(200, {"Content-Type": kind}), STORY, CLOSE))
        assert names(api.client(server).runs.stream("thread_1", "asst_1")) == NAMES


class TestOver:
    """When a stream is over."""

    @pytest.mark.parametrize(
        "end", [(RESET,), (CLOSE,), (HANG,), (b"data: {broken", HANG), (STORY, HANG)], ids=range(5)
    )
    @pytest.mark.parametrize("status", ["completed", "failed", "requires_action"])
    def test_whatever_the_connection_does_then(self, api: Api, serve: Serve, status: str, end: Any) -> None:
        """At the event of a resting run it is over: nothing after it is waited for, handed over, or an error."""
        last = event(f"thread.run.{status}", a_run(status=status))
        server = serve((STREAM, BEGIN + last, *end))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert names(stream)[-1] == f"thread.run.{status}"
        assert stream.result().status == status
        assert len(server.requests) == 1
        assert until(lambda: server.open_connections == 0)

    def test_done_without_a_resting_run(self, api: Api, serve: Serve) -> None:
        """After `done` the iteration ends; the result is read by polling, and nothing else is."""
        server = serve(by_method((STREAM, BEGIN, DONE, HANG), [answer(QUEUED), answer(a_run())]))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert len(names(stream)) == 3
        assert stream.result().status == "completed"
        assert stream.run.status == "completed"
        assert asked(server) == [f"POST {RUNS_PATH}", f"GET {RUN_PATH}", f"GET {RUN_PATH}"]
        assert stream.messages[0].content[0].text.value == "Two"

    def test_done_at_once(self, api: Api, serve: Serve) -> None:
        """A stream that is done before it has told its run gives none; where the run is known it is read."""
        server = serve(by_method((STREAM, DONE, CLOSE), elsewhere))
        runs = api.client(server).runs
        stream = runs.stream("thread_1", "asst_1")
        assert names(stream) == []
        with pytest.raises(facade.StreamCutError, match="has not told its run") as caught:
            stream.result()
        assert (caught.value.method, caught.value.path) == ("POST", "/threads/thread_1/runs")
        assert runs.stream_tool_outputs(RUN, {"call_1": "x"}).result().status == "completed"


CUTS = [(CLOSE,), (RESET,), (b"event: thread.run.completed\ndata: {", CLOSE), (b"event: thread.run.completed\n", RESET)]


class TestCut:
    """A stream that ends too early."""

    @pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
    def test_iteration(self, api: Api, serve: Serve, cut: Any) -> None:
        """What came is handed over, then the error says that it was cut; nothing is read or sent again."""
        server = serve((STREAM, BEGIN, *cut))
        stream = api.client(server, max_retry_count=3).runs.stream("thread_1", "asst_1")
        seen, problem = read_all(stream)
        assert isinstance(problem, facade.StreamCutError)
        assert len(seen) == 3
        assert problem.run is not None
        assert problem.run.status == "queued"
        assert (problem.method, problem.path) == ("POST", "/threads/thread_1/runs")
        assert isinstance(problem, facade.APIConnectionError)
        assert names(stream) == []
        assert len(server.requests) == 1
        assert until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
    @pytest.mark.parametrize("iterated", [False, True])
    def test_result(self, api: Api, serve: Serve, cut: Any, iterated: bool) -> None:
        """The result follows the run instead, and reads its steps and messages."""
        server = serve(by_method((STREAM, BEGIN, *cut), elsewhere))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        if iterated:
            with pytest.raises(facade.StreamCutError):
                names(stream)
        assert stream.result().status == "completed"
        assert [step.id for step in stream.steps] == ["step_1"]
        assert [message.content[0].text.value for message in stream.messages] == ["All of it."]
        assert [request.method for request in server.requests].count("POST") == 1
        assert stream.result().status == "completed"
        assert len(server.requests) == 4

    def test_every_cut_point(self, api: Api, serve: Serve) -> None:
        """Wherever the bytes end, whole events are handed over and no half one; then it is cut."""
        parts = [part + b"\n\n" for part in STORY.split(b"\n\n")[:-2]]
        ends = [sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
        for cut in sorted({0, 1, 7, *ends, *(end - 1 for end in ends[1:]), *(end + 5 for end in ends)}):
            server = serve((STREAM, STORY[:cut], CLOSE))
            stream = api.client(server).runs.stream("thread_1", "asst_1")
            seen, problem = read_all(stream)
            assert isinstance(problem, facade.StreamCutError)
            assert [one.event for one in seen] == NAMES[: sum(end <= cut for end in ends[1:])]
            server.close()

    def test_result_over_a_transport(self, api: Api, serve: Serve) -> None:
        """No limit is none for a transport of the caller's own either, where it follows what was cut."""
        server = serve(by_method((STREAM, BEGIN, CLOSE), elsewhere))
        transport = httpx.HTTPTransport() if api.kind == "sync" else httpx.AsyncHTTPTransport()
        stream = api.client(server, transport=transport).runs.stream("thread_1", "asst_1")
        assert stream.result().status == "completed"
        assert [step.id for step in stream.steps] == ["step_1"]

    def test_chunked_cut(self, api: Api, serve: Serve) -> None:
        """A chunked body without its end is cut as well."""
        server = serve((CHUNKED, b"%x\r\n%b\r\n" % (len(BEGIN), BEGIN), CLOSE))
        with pytest.raises(facade.StreamCutError):
            names(api.client(server).runs.stream("thread_1", "asst_1"))

    def test_no_run_was_told(self, api: Api, serve: Serve) -> None:
        """Where the stream is cut before it has told its run, nothing can be followed."""
        server = serve(by_method((STREAM, CLOSE), elsewhere))
        runs = api.client(server).runs
        with pytest.raises(facade.StreamCutError) as caught:
            runs.stream("thread_1", "asst_1").result()
        assert caught.value.run is None
        assert "the stream ended" in str(caught.value)
        assert runs.stream_tool_outputs(RUN, {"call_1": "x"}).result().status == "completed"

    def test_run_that_leaves_out_its_thread(self, api: Api, serve: Serve) -> None:
        """A run event without a thread is followed by the thread that others have told."""
        bare = event("thread.run.in_progress", {"id": "run_1", "status": "in_progress"})
        server = serve(by_method((STREAM, BEGIN, bare, CLOSE), elsewhere))
        assert api.client(server).runs.stream("thread_1", "asst_1").result().status == "completed"

    def test_what_was_lost_cannot_be_read(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """A server without lists of steps or messages costs the result nothing but a warning."""
        server = serve(
            by_method(
                (STREAM, BEGIN, CLOSE), lambda request: answer(a_run()) if request.path == RUN_PATH else error(404)
            )
        )
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert stream.result().status == "completed"
        assert stream.messages[0].content[0].text.value == "Two"
        assert "run_1 did not tell cannot be read" in caplog.text

    def test_cut_before_the_answer(self, api: Api, serve: Serve) -> None:
        """A connection that is cut before the answer begins is a failed request, not a cut stream."""
        server = serve((RESET,))
        with pytest.raises(facade.APIConnectionError) as caught:
            api.client(server).runs.stream("thread_1", "asst_1").result()
        assert not isinstance(caught.value, facade.StreamCutError)
        assert caught.value.sent


class TestErrors:
    """What ends a stream with an error."""

    @pytest.mark.parametrize(
        "data", [{"error": {"message": "no flour", "code": "c"}}, {"message": "no flour", "code": "c"}]
    )
    def test_error_event(self, api: Api, serve: Serve, data: dict[str, Any]) -> None:
        """An `error` event is raised, from the result too, each time."""
        server = serve((STREAM, BEGIN + event("error", data) + DONE, HANG))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        with pytest.raises(facade.StreamError, match="no flour") as caught:
            names(stream)
        assert caught.value.run is not None
        assert (caught.value.code, caught.value.run.status) == ("c", "queued")
        for _ in range(2):
            with pytest.raises(facade.StreamError, match="no flour"):
                stream.result()
        assert len(server.requests) == 1
        assert until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
    def test_status(self, api: Api, serve: Serve, status: int) -> None:
        """An answer that is not 2xx is the error that it is anywhere, on entering."""
        server = serve(error(status, {"Content-Type": "text/event-stream"}))
        with pytest.raises(facade.APIStatusError) as caught, api.client(server).runs.stream("thread_1", "asst_1"):
            pass
        assert caught.value.status_code == status

    def test_retried_where_it_is_asked_for(self, api: Api, serve: Serve) -> None:
        """A 429 before the stream is retried as that of `create`."""
        server = serve(again(429), (STREAM, STORY, CLOSE))
        assert names(api.client(server, max_retry_count=1).runs.stream("thread_1", "asst_1")) == NAMES

    @pytest.mark.parametrize(
        "script", [answer(b"<html>", headers={"Content-Type": "text/html"}), answer(b"{}"), answer(b"")]
    )
    def test_no_stream(self, api: Api, serve: Serve, script: bytes) -> None:
        """A 2xx that is neither a stream nor a run is an unreadable answer."""
        server = serve(script)
        with pytest.raises(facade.APIResponseError):
            api.client(server).runs.stream("thread_1", "asst_1").result()

    def test_bounds(self, api: Api, serve: Serve) -> None:
        """`max_response_bytes` bounds one event, and what is gathered; not what passes through."""
        pings = b": ping " + b"x" * 100_000 + b"\n" + event("ping", {"x": "y" * 500}) * 100
        long = event("thread.message.completed", a_message("x" * 3000))
        server = serve((STREAM, pings, STORY, CLOSE), (STREAM, long, HANG), (STREAM, b"data: " + b"x" * 9000, HANG))
        client = api.client(server, max_response_bytes=2500)
        assert len(names(client.runs.stream("thread_1", "asst_1"))) == 106
        for _ in range(2):
            with pytest.raises(facade.APIResponseError, match="max_response_bytes=2500"):
                names(client.runs.stream("thread_1", "asst_1"))

    def test_bomb(self, api: Api, serve: Serve) -> None:
        """A compressed stream that unpacks to much more than may be held is an error, not memory."""
        bomb = gzip.compress(b"data: " + b"x" * 50_000_000)
        server = serve((head(200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}), bomb, HANG))
        with pytest.raises(facade.APIResponseError, match="max_response_bytes"):
            names(api.client(server, max_response_bytes=10_000).runs.stream("thread_1", "asst_1"))

    def test_unknown_encoding(self, api: Api, serve: Serve) -> None:
        """So is one that nobody knows; the connection is let go."""
        server = serve((head(200, {"Content-Type": "text/event-stream", "Content-Encoding": "br"}), STORY, HANG))
        with pytest.raises(facade.APIResponseError, match="encoding"):
            names(api.client(server).runs.stream("thread_1", "asst_1"))
        assert until(lambda: server.open_connections == 0)

    def test_broken_encoding(self, api: Api, serve: Serve) -> None:
        """A content encoding that is broken is said so."""
        server = serve((head(200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}), STORY, HANG))
        with pytest.raises(facade.APIResponseError, match="encoding"):
            names(api.client(server).runs.stream("thread_1", "asst_1"))


class TestTime:
    """Limits of time."""

    def test_first_byte(self, api: Api, serve: Serve) -> None:
        """`timeout_sec` bounds the wait for the first byte."""
        server = serve((HANG,))
        with pytest.raises(facade.APITimeoutError, match=r"timeout_sec=0.2"):
            api.client(server).runs.stream("thread_1", "asst_1", timeout_sec=0.2).result()
        assert until(lambda: server.open_connections == 0)

    def test_silence(self, api: Api, serve: Serve) -> None:
        """`timeout_sec` bounds each silence; what came before is handed over."""
        server = serve((STREAM, BEGIN, HANG))
        stream = api.client(server, timeout_sec=0.3).runs.stream("thread_1", "asst_1")
        seen, problem = read_all(stream)
        assert isinstance(problem, facade.APITimeoutError)
        assert "timeout_sec=0.3" in str(problem)
        assert problem.run is not None
        assert problem.run.status == "queued"
        assert len(seen) == 3
        with pytest.raises(facade.APITimeoutError):
            stream.result()
        assert until(lambda: server.open_connections == 0)

    def test_slow_is_not_silent(self, api: Api, serve: Serve) -> None:
        """A stream longer than `timeout_sec` goes on as long as bytes come, be they comments."""
        story = [part + b"\n\n" for part in STORY.split(b"\n\n")[:-1]]
        script = (STREAM, *(piece for part in story for piece in (0.15, b": ping\n", 0.15, part)), CLOSE)
        server = serve(script)
        assert names(api.client(server, timeout_sec=0.6).runs.stream("thread_1", "asst_1")) == NAMES

    def test_dripping_line(self, api: Api, serve: Serve) -> None:
        """A line that drips is not silent either."""
        server = serve((STREAM, STORY[:-20], *drip(STORY[-20:], 0.05), CLOSE))
        assert names(api.client(server, timeout_sec=0.5).runs.stream("thread_1", "asst_1")) == NAMES

    @pytest.mark.parametrize("rest", [(HANG,), (*((0.1, b": ping\n") * 50), HANG)], ids=["silent", "pings"])
    def test_deadline(self, api: Api, serve: Serve, rest: Any) -> None:
        """`deadline_sec` bounds the whole, pings or not."""
        server = serve((STREAM, BEGIN, *rest))
        with pytest.raises(facade.APITimeoutError, match=r"deadline_sec=0.4"):
            names(api.client(server, timeout_sec=2).runs.stream("thread_1", "asst_1", deadline_sec=0.4))

    def test_callers_own_time(self, api: Api, serve: Serve) -> None:
        """The caller's own time between events counts for neither."""
        server = serve((STREAM, BEGIN, 0.05, STORY, CLOSE))
        stream = api.client(server).runs.stream("thread_1", "asst_1", timeout_sec=0.5, deadline_sec=0.5)
        for number, _ in enumerate(stream):
            if number == 0:
                api.rest(0.7)
        assert stream.run.status == "completed"


class TestPlainAnswer:
    """A server that answers with the run, not a stream."""

    def test_iteration(self, api: Api, serve: Serve) -> None:
        """It is followed by polling: the run as it began, its steps and messages, the run at rest."""
        server = serve(by_method(answer(QUEUED), elsewhere))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        seen = list(stream)
        assert [one.event for one in seen] == [
            "thread.run.queued",
            "thread.run.step.completed",
            "thread.message.completed",
            "thread.run.completed",
        ]
        assert seen[-1].data.status == stream.result().status == "completed"
        assert [request.method for request in server.requests].count("POST") == 1

    def test_result_and_text(self, api: Api, serve: Serve) -> None:
        """The result and the text are there too."""
        server = serve(by_method(answer(QUEUED), elsewhere))
        runs = api.client(server).runs
        assert runs.stream("thread_1", "asst_1").result().status == "completed"
        assert list(runs.stream("thread_1", "asst_1").text()) == ["All of it."]

    @pytest.mark.parametrize("kind", [None, ""])
    def test_object_of_no_kind(self, api: Api, serve: Serve, kind: Any) -> None:
        """It is followed whatever it says that it is not."""
        server = serve(by_method(answer({**QUEUED, "object": kind}), elsewhere))
        assert list(api.client(server).runs.stream("thread_1", "asst_1").text()) == ["All of it."]

    def test_unknown_rest(self, api: Api, serve: Serve) -> None:
        """Where the run rests in a way that nobody knows, the stream is over all the same."""
        paused = a_run(status="paused")
        server = serve(by_method(answer(QUEUED), lambda r: answer(paused) if r.path == RUN_PATH else error(404)))
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert names(stream)[-1] == "thread.run.paused"
        asked_before = len(server.requests)
        assert stream.result().status == "paused"
        assert len(server.requests) == asked_before + 1

    def test_at_rest_at_once(self, api: Api, serve: Serve) -> None:
        """A run that is at rest in the answer ends the stream."""
        server = serve(
            by_method(
                answer(waiting_run(call(1))),
                lambda r: answer(waiting_run(call(1))) if r.path == RUN_PATH else error(404),
            )
        )
        stream = api.client(server).runs.stream("thread_1", "asst_1")
        assert names(stream) == ["thread.run.requires_action"]
        assert stream.result().status == "requires_action"


class TestLeaving:
    """What is left behind by a stream that is not read to its end."""

    def test_early_close(self, api: Api, serve: Serve) -> None:
        """Leaving a stream lets go of its connection, and cancels nothing."""
        server = serve((STREAM, BEGIN, HANG))
        client = api.client(server)
        with client.runs.stream("thread_1", "asst_1") as stream:
            assert next(iter(stream)).event == "thread.run.created"
        assert until(lambda: server.open_connections == 0)
        assert names(stream) == []
        assert len(server.requests) == 1

    def test_close_without_reading(self, api: Api, serve: Serve) -> None:
        """So does leaving one that was only entered, and closing one that was never begun asks nothing."""
        server = serve((STREAM, BEGIN, HANG))
        client = api.client(server)
        with client.runs.stream("thread_1", "asst_1"):
            pass
        assert until(lambda: server.open_connections == 0)
        stream = client.runs.stream("thread_1", "asst_1")
        assert repr(stream).endswith("RunStream(run=None, status=None)")
        stream.close()
        stream.close()
        assert names(stream) == []
        assert len(server.requests) == 1

    def test_result_after_close(self, api: Api, serve: Serve) -> None:
        """The result of a stream that was left is followed by polling."""
        server = serve(by_method((STREAM, BEGIN, HANG), elsewhere))
        with api.client(server).runs.stream("thread_1", "asst_1") as stream:
            next(iter(stream))
        assert stream.result().status == "completed"
        assert len(stream.steps) == 1

    def test_forgotten(self, api: Api, serve: Serve) -> None:
        """A stream that nobody holds any more lets go of its connection by itself."""
        server = serve((STREAM, BEGIN, HANG))
        client = api.client(server)
        stream = client.runs.stream("thread_1", "asst_1")
        next(iter(stream))
        del stream
        gc.collect()
        assert api.until(lambda: server.open_connections == 0)

    def test_forgotten_text(self, api: Api, serve: Serve) -> None:
        """So does one of which only the text was wanted."""
        server = serve((STREAM, BEGIN, HANG))
        for _ in api.client(server).runs.stream("thread_1", "asst_1").text():
            break
        gc.collect()
        assert api.until(lambda: server.open_connections == 0)

    def test_client_closed_meanwhile(self, api: Api, serve: Serve) -> None:
        """Closing the client ends its streams with an error, and no connection is left."""
        server = serve((STREAM, BEGIN, HANG))
        client = api.client(server)
        stream = client.runs.stream("thread_1", "asst_1")
        next(iter(stream))
        client.close()
        with pytest.raises(facade.APIConnectionError):
            names(stream)
        assert until(lambda: server.open_connections == 0)

    def test_others_go_on(self, api: Api, serve: Serve) -> None:
        """While a stream is open the client asks other things, on other connections."""
        server = serve(by_method((STREAM, BEGIN, 0.2, STORY, CLOSE), answer(a_run())))
        client = api.client(server)
        stream = client.runs.stream("thread_1", "asst_1")
        next(iter(stream))
        assert client.runs.get("thread_1", "run_1").status == "completed"
        assert stream.result().status == "completed"

    def test_exception_of_the_callers(self, api: Api, serve: Serve) -> None:
        """The caller's own exception comes out as it is."""
        server = serve((STREAM, BEGIN, HANG))

        class OvenError(Exception):
            pass

        stream = api.client(server).runs.stream("thread_1", "asst_1")
        with pytest.raises(OvenError), stream:
            raise OvenError(next(iter(stream)))
        assert until(lambda: server.open_connections == 0)


def test_close_from_another_thread(serve: Serve) -> None:
    """Closing a stream from another thread ends the wait of the one that reads it, quietly; two cannot read it."""
    server = serve((STREAM, BEGIN, HANG))
    with facade.Client("key", api_base=server.url) as client:
        stream = client.runs.stream("thread_1", "asst_1")
        seen: list[str] = []
        reader = threading.Thread(target=lambda: seen.extend(names(stream)))
        reader.start()
        assert until(lambda: stream.messages)
        with pytest.raises(RuntimeError, match="one thread or task"):
            next(stream)
        stream.close()
        reader.join(5)
        assert not reader.is_alive()
        assert len(seen) == 3
        assert until(lambda: server.open_connections == 0)


def test_forked_child(serve: Serve) -> None:
    """A child that leaves its parent's stream, or forgets it, ends nothing of it; to read on in it is an error."""
    server = serve((STREAM, BEGIN, 0.5, STORY, CLOSE))
    with facade.Client("key", api_base=server.url) as client, client.runs.stream("thread_1", "asst_1") as stream:
        seen = [next(stream).event for _ in range(3)]
        if (child := os.fork()) == 0:
            try:
                next(stream)
            except RuntimeError as error:
                stream.close()
                os._exit(0 if "another process" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        seen += names(stream)
    assert seen[3:] == NAMES


def test_transport_of_ones_own() -> None:
    """An httpx transport streams too, and its response is closed."""
    closed = []

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for begin in range(0, len(STORY), 100):
                yield STORY[begin : begin + 100]

        def close(self) -> None:
            closed.append(True)

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    with facade.Client("key", api_base="http://127.0.0.1:9/v1", transport=httpx.MockTransport(handle)) as client:
        assert names(client.runs.stream("thread_1", "asst_1")) == NAMES
    assert closed


def test_close_from_another_task(serve: Serve) -> None:
    """So with tasks; and cancelling the task that reads lets go of the connection."""

    async def until_async(holds: Callable[[], Any]) -> None:
        for _ in range(500):
            if holds():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never held")

    async def main() -> None:
        server = serve((STREAM, BEGIN, HANG))
        async with facade.AsyncClient("key", api_base=server.url) as client:
            for ending in ("close", "cancel"):
                stream = client.runs.stream("thread_1", "asst_1")

                async def read(stream: facade.AsyncRunStream = stream) -> list[str]:
                    return [one.event async for one in stream]

                task = asyncio.create_task(read())
                await until_async(partial(getattr, stream, "messages"))
                with pytest.raises(RuntimeError, match="one thread or task"):
                    await anext(stream)
                if ending == "close":
                    await stream.aclose()
                    assert len(await task) == 3
                else:
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await until_async(lambda: not server.open_connections)

    asyncio.run(main())


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
def test_left_where_their_loop_ends(serve: Serve, caplog: pytest.LogCaptureFixture, is_closed: bool) -> None:
    """Streams that somebody still holds when their loop ends let go of their connections, with no word of asyncio's."""
    server = serve((CHUNKED, chunked(BEGIN)[:-5], HANG))
    held: list[Any] = []

    async def main() -> None:
        client = facade.AsyncClient(KEY, api_base=server.url)
        for _ in range(10):  # asyncio closes what is left in an order of its own
            held.append(client.runs.stream("thread_1", "asst_1"))
            await anext(held[-1])
        if is_closed:
            await client.aclose()

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
