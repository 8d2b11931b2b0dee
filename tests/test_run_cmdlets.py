"""The cmdlets of a run's life as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_answering import call
from test_lifecycle import QUEUED, RUN, RUN_PATH, RUNS_PATH, SUBMIT_PATH, Serve, asked, by_method
from test_secrets import shows, told
from test_streaming import STORY
from test_streams import NAMES, STREAM, names
from wire import CLOSE, KEY, Server, a_message, a_page, a_run, a_step, answer, error, paths, waiting_run

import facade


def at(server: Server) -> dict[str, Any]:
    return {"api_base": server.url, "api_key": KEY}


MESSAGE = {"role": "user", "content": "Hello"}


class TestStart:
    """Start-ThreadRun."""

    def test_on_a_thread(self, serve: Serve) -> None:
        """It gives the run as queued; a message goes along, behind others."""
        server = serve(answer(QUEUED))
        run = facade.start_thread_run("thread_1", "asst_1", message="Hello", model="m", **at(server))
        assert run.status == "queued"
        other = {"role": "user", "content": "Other"}
        facade.start_thread_run("thread_1", "asst_1", message="Hello", additional_messages=[other], **at(server))
        assert asked(server) == [f"POST {RUNS_PATH}"] * 2
        assert server.requests[0].json == {"assistant_id": "asst_1", "model": "m", "additional_messages": [MESSAGE]}
        assert server.requests[1].json["additional_messages"] == [other, MESSAGE]

    def test_with_a_new_thread(self, serve: Serve) -> None:
        """Without a thread one is made."""
        server = serve(answer(QUEUED))
        facade.start_thread_run(assistant_id="asst_1", message="Hello", thread={"metadata": {"a": "b"}}, **at(server))
        assert asked(server) == ["POST /v1/threads/runs"]
        thread = {"metadata": {"a": "b"}, "messages": [MESSAGE]}
        assert server.requests[0].json == {"assistant_id": "asst_1", "thread": thread}

    @pytest.mark.parametrize("thread_id", ["thread_1", None])
    def test_stream(self, serve: Serve, thread_id: str | None) -> None:
        """With `stream` it gives the events."""
        server = serve((STREAM, STORY, CLOSE))
        stream = facade.start_thread_run(thread_id, "asst_1", stream=True, timeout_sec=5, **at(server))
        assert names(stream) == NAMES
        assert server.requests[0].json["stream"] is True

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"assistant_id": None}, "assistant_id is .* not NoneType"),
            ({"model_name": "m"}, r"start_thread_run.*model"),
            ({"metadata": {1: "x"}}, "metadata"),
            ({"message": 5}, "message is a str"),
            ({"thread_id": None, "thread": "thread_1"}, "thread is a mapping, not str"),
            ({"thread_id": None, "thread": "thread_1", "message": "Hello"}, "thread is a mapping, not str"),
        ],
    )
    def test_bad_input(self, serve: Serve, options: dict[str, Any], named: str) -> None:
        """What cannot be is refused before any request."""
        server = serve(answer(QUEUED))
        with pytest.raises(TypeError, match=named):
            facade.start_thread_run(**{"thread_id": "thread_1", "assistant_id": "asst_1", **options}, **at(server))
        assert server.requests == []


class TestStop:
    """Stop-ThreadRun."""

    @pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action"])
    def test_stops(self, serve: Serve, status: str) -> None:
        """A run that goes on is cancelled; without `pass_thru` nothing is given."""
        server = serve(by_method(answer(a_run(status="cancelling")), answer(a_run(status=status))))
        assert facade.stop_thread_run("run_1", "thread_1", **at(server)) is None
        assert asked(server) == [f"GET {RUN_PATH}", f"POST {RUN_PATH}/cancel"]
        run = facade.stop_thread_run(facade.Run.from_dict(a_run(status=status)), pass_thru=True, **at(server))
        assert run.status == "cancelling"
        assert asked(server)[2:] == [f"POST {RUN_PATH}/cancel"]

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelling", "cancelled", "paused", None])
    def test_refuses(self, serve: Serve, status: str | None) -> None:
        """Any other is refused without `force`, and no cancel is sent."""
        server = serve(by_method(answer(a_run(status="cancelled")), answer(a_run(status=status))))
        for run in (RUN, facade.Run.from_dict(a_run(status=status))):
            with pytest.raises(ValueError, match="cannot be stopped"):
                facade.stop_thread_run(run, **at(server))
        assert not any(path.endswith("cancel") for path in paths(server))
        facade.stop_thread_run(RUN, force=True, **at(server))
        assert asked(server)[-1] == f"POST {RUN_PATH}/cancel"

    def test_wait(self, serve: Serve) -> None:
        """With `wait` it waits until the run has stopped, not only until it is stopping."""
        runs = [answer(a_run(status=status)) for status in ("cancelling", "cancelled")]
        server = serve(by_method(answer(a_run(status="cancelling")), runs))
        run = facade.stop_thread_run(RUN, force=True, wait=True, pass_thru=True, **at(server))
        assert run.status == "cancelled"


class TestWait:
    """Wait-ThreadRun."""

    def test_waits(self, serve: Serve) -> None:
        """It waits as long as the status is one of those to wait at."""
        server = serve(*(answer(a_run(status=s)) for s in ("queued", "in_progress", "cancelling", "cancelled")))
        assert facade.wait_thread_run(RUN, poll_interval_sec=0.01, **at(server)).status == "cancelled"

    def test_statuses(self, serve: Serve) -> None:
        """The statuses to wait at can be named, and some of them taken away."""
        server = serve(
            answer(QUEUED), answer(a_run(status="in_progress")), answer(waiting_run(call())), answer(a_run())
        )
        options = {"poll_interval_sec": 0.01, **at(server)}
        assert facade.wait_thread_run(RUN, status_for_exit="in_progress", **options).status == "in_progress"
        assert facade.wait_thread_run(RUN, status_for_wait=["requires_action"], **options).status == "completed"
        server = serve(answer(QUEUED))
        assert facade.wait_thread_run(RUN, status_for_wait=(), **at(server)).status == "queued"

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "incomplete"])
    def test_endless(self, serve: Serve, status: str) -> None:
        """A wait that could never end is refused, unless the status is taken away again."""
        server = serve(answer(a_run(status=status)))
        with pytest.raises(ValueError, match=f"status_for_wait has {status}"):
            facade.wait_thread_run(RUN, status_for_wait=["queued", status], **at(server))
        assert server.requests == []
        run = facade.wait_thread_run(RUN, status_for_wait=["queued", status], status_for_exit=[status], **at(server))
        assert run.status == status

    def test_deadline(self, serve: Serve) -> None:
        """`deadline_sec` bounds it; the run goes on."""
        server = serve(answer(QUEUED))
        with pytest.raises(facade.APITimeoutError) as caught:
            facade.wait_thread_run(RUN, poll_interval_sec=0.05, deadline_sec=0.2, **at(server))
        assert caught.value.run is not None
        assert {request.method for request in server.requests} == {"GET"}

    @pytest.mark.parametrize("options", [{"poll_interval_sec": -1}, {"status_for_wait": [7]}, {"status_for_exit": 7}])
    def test_bad_input(self, serve: Serve, options: dict[str, Any]) -> None:
        """What cannot be is refused before any request, by its name."""
        server = serve(answer(a_run()))
        with pytest.raises((TypeError, ValueError), match=next(iter(options))):
            facade.wait_thread_run(RUN, **options, **at(server))
        assert server.requests == []


class TestSubmit:
    """Submit-ToolOutput."""

    @pytest.mark.parametrize("outputs", [{"call_1": 3}, [{"tool_call_id": "call_1", "output": 3}]])
    def test_submits(self, serve: Serve, outputs: Any) -> None:
        """A mapping or a list goes."""
        server = serve(answer(QUEUED), (STREAM, STORY, CLOSE))
        assert facade.submit_tool_output("run_1", "thread_1", tool_output=outputs, **at(server)).status == "queued"
        assert names(facade.submit_tool_output(RUN, tool_output=outputs, stream=True, **at(server))) == NAMES
        assert asked(server) == [f"POST {SUBMIT_PATH}"] * 2
        assert server.requests[0].json == {"tool_outputs": [{"tool_call_id": "call_1", "output": "3"}]}

    @pytest.mark.parametrize(
        ("run", "outputs"),
        [
            (RUN, {}),
            (RUN, {"call_1": float("nan")}),
            (RUN, "text"),
            (RUN, [{"tool_call_id": "call_1", "ouput": "x"}]),
            (a_run(), {"call_1": "x"}),
            (waiting_run(call(1)), {"call_2": "x"}),
            (waiting_run(call(1), call(2)), [{"tool_call_id": "call_1", "output": "x"}]),
        ],
    )
    def test_bad_input(self, serve: Serve, run: Any, outputs: Any) -> None:
        """What cannot be is refused before any request, by its name."""
        server = serve(answer(QUEUED))
        with pytest.raises((TypeError, ValueError), match=r"^tool_output"):
            facade.submit_tool_output(run, tool_output=outputs, **at(server))
        assert server.requests == []


def test_a_client_of_ones_own(serve: Serve) -> None:
    """With `client` the cmdlets ask with that, under its options; only limits go beside it."""
    server = serve(answer(QUEUED), answer(a_run()))
    seen = []
    with facade.Client("another-key", api_base=server.url) as client:
        run = facade.start_thread_run("thread_1", "asst_1", client=client, timeout_sec=5)
        facade.wait_thread_run(run, client=client, progress=lambda run: seen.append(run.status))
        assert facade.get_thread_run("thread_1", "run_1", client=client).status == "completed"
        with pytest.raises(TypeError, match="api_base"):
            facade.get_thread_run("thread_1", client=client, api_base=server.url)
    assert seen == ["completed"]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer another-key"}


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("start_thread_run", {"thread_id": "thread_1"}),
    ("start_thread_run", {"assistant_id": "asst_1", "message": 5}),
    ("stop_thread_run", {"run_id": "run_1"}),
    ("wait_thread_run", {"run_id": RUN, "poll_interval_sec": -1}),
    ("wait_thread_run", {"run_id": RUN, "status_for_wait": ["completed"]}),
    ("wait_thread_run", {"run_id": RUN, "status_for_exit": 7}),
    ("submit_tool_output", {"run_id": RUN, "tool_output": {}}),
    ("get_thread_run", {"thread_id": "thread_1", "run_id": "run_1", "all": True}),
    ("get_thread_run_step", {"run_id": RUN, "step_id": "step_1", "limit": 5}),
    ("get_thread_message", {"thread_id": "thread_1", "message_id": "msg_1", "run_id": "run_1"}),
]


@pytest.mark.parametrize(("cmdlet", "arguments"), WRONG)
def test_wrong_beside_a_key(cmdlet: str, arguments: dict[str, Any]) -> None:
    """A key beside a bad argument is not shown in the traceback's local variables."""
    with pytest.raises((TypeError, ValueError)) as caught:
        getattr(facade, cmdlet)(**arguments, api_key=KEY)
    assert not shows(told(caught.value), KEY)


class TestMessages:
    """Get-ThreadMessage."""

    def test_sets(self, serve: Serve) -> None:
        """One message, one page, or all; those of one run."""
        page = answer(a_page([a_message()], has_more=True))
        server = serve(answer(a_message()), page, answer(a_page([a_message()])), answer(a_message()))
        assert facade.get_thread_message("thread_1", "msg_1", **at(server)).id == "msg_1"
        with pytest.warns(facade.MoreDataWarning, match="thread_1"):
            assert len(facade.get_thread_message("thread_1", **at(server))) == 1
        assert len(list(facade.get_thread_message("thread_1", all=True, run_id="run_1", **at(server)))) == 1
        assert server.requests[2].value("run_id") == "run_1"
        of_a_step: Callable[..., Any] = facade.get_thread_message
        assert of_a_step(a_run(), a_step(), **at(server)).id == "msg_1"

    @pytest.mark.parametrize("options", [{"all": True}, {"limit": 3}, {"run_id": "run_1"}])
    def test_one_set(self, serve: Serve, options: dict[str, Any]) -> None:
        """A message's id goes with none of what belongs to lists."""
        server = serve(error(404))
        with pytest.raises(TypeError, match="message_id"):
            facade.get_thread_message("thread_1", "msg_1", **options, **at(server))
        assert server.requests == []
