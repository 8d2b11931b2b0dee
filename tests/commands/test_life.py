"""The commands of a run's life: what they send, what they print, and how they end."""

from __future__ import annotations

import json
import pty
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import Cli, on_terminal, start
from test_answering import call
from test_lifecycle import QUEUED, RUN_PATH, RUNS_PATH, SUBMIT_PATH, asked, by_method
from test_streaming import STORY
from test_streams import BEGIN, NAMES, STREAM
from wire import CLOSE, HANG, Script, Server, a_run, answer, event, until, waiting_run

Serve = Callable[..., Server]


@pytest.fixture
def serve(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    servers: list[Server] = []

    def begin(*scripts: Script | Callable[[Any], Script]) -> Server:
        servers.append(Server(*scripts))
        monkeypatch.setenv("OPENAI_API_BASE", servers[-1].url)
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


class TestStart:
    """start-thread-run."""

    def test_queued(self, cli: Cli, serve: Serve) -> None:
        """It prints the run as queued and does not wait."""
        server = serve(answer(QUEUED))
        code, out, err = cli("start-thread-run", "thread_1", "asst_1", "--message", "Hello", "--metadata", "a=b=c")
        assert (code, err) == (0, "")
        assert lines(out) == [QUEUED]
        assert asked(server) == [f"POST {RUNS_PATH}"]
        assert server.requests[0].json == {
            "assistant_id": "asst_1",
            "metadata": {"a": "b=c"},
            "additional_messages": [{"role": "user", "content": "Hello"}],
        }

    def test_new_thread(self, cli: Cli, serve: Serve) -> None:
        """Without a thread one is made; the message may come on standard input."""
        server = serve(answer(QUEUED))
        options = ["--assistant-id", "asst_1", "--message", "-", "--additional-body", '{"x": 1}', "--temperature", "0"]
        assert cli("start-thread-run", *options, stdin="Hello\n")[0] == 0
        assert asked(server) == ["POST /v1/threads/runs"]
        thread = {"messages": [{"role": "user", "content": "Hello\n"}]}
        assert server.requests[0].json == {"assistant_id": "asst_1", "temperature": 0, "thread": thread, "x": 1}

    def test_stream_into_a_pipe(self, cli: Cli, serve: Serve) -> None:
        """Each event is a line as it comes."""
        serve((STREAM, STORY, CLOSE))
        code, out, err = cli("start-thread-run", "thread_1", "asst_1", "--stream")
        assert (code, err) == (0, "")
        assert [line["event"] for line in lines(out)] == NAMES
        assert lines(out)[-1]["data"] == a_run()

    def test_stream_for_people(self, cli: Cli, serve: Serve) -> None:
        """The text comes as it is told, without what could steer a terminal."""
        steering = {"index": 0, "type": "text", "text": {"value": " \x1b[31mloaves\ud800"}}
        delta = {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [steering]}}
        serve((STREAM, BEGIN, event("thread.message.delta", delta), event("thread.run.completed", a_run()), CLOSE))
        code, out, _ = cli("start-thread-run", "thread_1", "asst_1", "--stream", "--output", "table")
        assert (code, out) == (0, "Two \N{REPLACEMENT CHARACTER}[31mloaves\N{REPLACEMENT CHARACTER}\n")

    @pytest.mark.parametrize(
        ("end", "code", "said"),
        [
            (event("thread.run.completed", a_run()), 0, ""),
            (
                event("thread.run.failed", a_run(status="failed", last_error={"code": "server_error"})),
                13,
                "server_error",
            ),
            (event("thread.run.expired", a_run(status="expired")), 13, "expired"),
            (event("thread.run.incomplete", a_run(status="incomplete")), 13, "incomplete"),
            (
                event("thread.run.requires_action", waiting_run(call(1))),
                14,
                "submit-tool-output run_1 thread_1 --tool-output call_1=TEXT",
            ),
            (event("error", {"message": "no flour"}), 1, "no flour"),
        ],
    )
    def test_end_of_a_stream(self, cli: Cli, serve: Serve, end: bytes, code: int, said: str) -> None:
        """A stream's end is the command's: 13 for a run that did not complete, 14 for one that waits."""
        serve((STREAM, BEGIN, end, CLOSE))
        found, _, err = cli("start-thread-run", "thread_1", "asst_1", "--stream")
        assert (found, said in err) == (code, True)

    def test_cut_stream_is_followed(self, cli: Cli, serve: Serve) -> None:
        """A stream that is cut into a pipe ends with what came, and says how to follow the run."""
        serve(by_method((STREAM, BEGIN, CLOSE), answer(a_run())))
        code, out, err = cli("start-thread-run", "thread_1", "asst_1", "--stream")
        assert code == 9
        assert len(lines(out)) == 3
        assert "wait-thread-run run_1 thread_1" in err

    @pytest.mark.parametrize(
        "args",
        [
            ["thread_1"],
            [],
            ["thread_1", "asst_1", "--assistant-id", "asst_1"],
            ["thread_1", "asst_1", "--additional-body", "[1]"],
            ["thread_1", "asst_1", "--metadata", "x"],
            ["thread_1", "asst_1", "--metadata", "a=1", "--metadata", "a=2"],
            ["--assistant-id", "asst_1", "--include", "x"],
            ["--assistant-id", "asst_1", "--additional-instructions", "x"],
            ["thread_1", "asst_1", "--stream", "--output", "csv"],
            ["thread_1", "thread_2"],
        ],
    )
    def test_wrong_command_lines(self, cli: Cli, serve: Serve, args: list[str]) -> None:
        """A wrong command line sends nothing."""
        server = serve(answer(QUEUED))
        assert cli("start-thread-run", *args)[0] == 2
        assert server.requests == []


class TestWait:
    """wait-thread-run."""

    @pytest.mark.parametrize(
        ("run", "code"),
        [
            (a_run(), 0),
            (a_run(status="failed"), 13),
            (a_run(status="cancelled"), 13),
            (a_run(status="expired"), 13),
            (a_run(status="incomplete"), 13),
            (waiting_run(call(1)), 14),
            (a_run(status="paused"), 13),
        ],
    )
    def test_codes(self, cli: Cli, serve: Serve, run: dict[str, Any], code: int) -> None:
        """It prints the run at rest, and ends by its status."""
        server = serve(answer(QUEUED), answer(run))
        found, out, err = cli("wait-thread-run", "run_1", "thread_1", "--poll-interval-sec", "0.01")
        assert (found, lines(out)) == (code, [run])
        assert bool(err) == bool(code)
        assert asked(server) == [f"GET {RUN_PATH}"] * 2

    def test_pipeline(self, cli: Cli, serve: Serve) -> None:
        """Runs come on standard input too; the first that did not complete gives the code."""
        serve(answer(a_run(status="failed")), answer(waiting_run(call(1))), answer(a_run()))
        code, out, _ = cli("wait-thread-run", stdin="".join(json.dumps(a_run(n)) + "\n" for n in (1, 2, 3)))
        assert code == 13
        assert [run["status"] for run in lines(out)] == ["failed", "requires_action", "completed"]

    def test_statuses(self, cli: Cli, serve: Serve) -> None:
        """The statuses to wait at are options."""
        serve(answer(QUEUED))
        assert cli("wait-thread-run", "run_1", "thread_1", "--status-for-exit", "queued")[0] == 0
        code, _, err = cli("wait-thread-run", "run_1", "thread_1", "--status-for-wait", "completed")
        assert (code, "never leaves" in err) == (2, True)

    def test_deadline(self, cli: Cli, serve: Serve) -> None:
        """A deadline that passes is code 10."""
        serve(answer(QUEUED))
        code, out, err = cli(
            "wait-thread-run", "run_1", "thread_1", "--deadline-sec", "0.2", "--poll-interval-sec", "0.05"
        )
        assert (code, out) == (10, "")
        assert "still 'queued'" in err

    def test_progress(self, serve: Serve) -> None:
        """On a terminal a line says how the run stands."""
        serve(answer(QUEUED), (0.5, answer(a_run())))
        code, shown = on_terminal(pty, ["wait-thread-run", "run_1", "thread_1", "--poll-interval-sec", "0.3"])
        assert code == 0
        assert "run_1 queued" in shown
        assert "completed" in shown

    def test_interrupted(self, serve: Serve) -> None:
        """Ctrl-C says that the run goes on."""
        server = serve(answer(QUEUED))
        with start("wait-thread-run", "run_1", "thread_1", "--poll-interval-sec", "0.05") as process:
            assert until(lambda: len(server.requests) > 2, 10)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        assert b"goes on: thread-runs wait-thread-run run_1 thread_1" in err


class TestStop:
    """stop-thread-run."""

    def test_stops(self, cli: Cli, serve: Serve) -> None:
        """It asks for the stop, and prints the run where asked to."""
        server = serve(
            by_method(answer(a_run(status="cancelling")), [answer(QUEUED), answer(a_run(status="cancelled"))])
        )
        assert cli("stop-thread-run", "run_1", "thread_1")[:2] == (0, "")
        assert asked(server) == [f"GET {RUN_PATH}", f"POST {RUN_PATH}/cancel"]
        code, out, _ = cli("stop-thread-run", "run_1", "thread_1", "--force", "--wait", "--pass-thru")
        assert (code, lines(out)[0]["status"]) == (0, "cancelled")

    def test_refuses(self, cli: Cli, serve: Serve) -> None:
        """A run that has ended is refused."""
        server = serve(answer(a_run()))
        code, _, err = cli("stop-thread-run", "run_1", "thread_1")
        assert (code, "completed" in err) == (2, True)
        assert asked(server) == [f"GET {RUN_PATH}"]
        assert cli("stop-thread-run", "run_1")[0] == 2


class TestSubmit:
    """submit-tool-output."""

    def test_options(self, cli: Cli, serve: Serve) -> None:
        """Each output is an option; its text goes as it is."""
        server = serve(answer(QUEUED))
        options = ["--tool-output", "call_1=3=3", "--tool-output", "call_2="]
        code, out, _ = cli("submit-tool-output", "run_1", "thread_1", *options)
        assert (code, lines(out)) == (0, [QUEUED])
        assert asked(server) == [f"POST {SUBMIT_PATH}"]
        outputs = [{"tool_call_id": "call_1", "output": "3=3"}, {"tool_call_id": "call_2", "output": ""}]
        assert server.requests[0].json == {"tool_outputs": outputs}

    @pytest.mark.parametrize("content", ['{"call_1": {"a": 1}}', '[{"tool_call_id": "call_1", "output": {"a": 1}}]'])
    @pytest.mark.parametrize("is_stdin", [True, False])
    def test_file(self, cli: Cli, serve: Serve, tmp_path: Path, content: str, is_stdin: bool) -> None:
        """They may come from a file or standard input, as JSON."""
        server = serve(answer(QUEUED))
        path = tmp_path / "outputs.json"
        path.write_text(content, "utf-8-sig")
        name = "-" if is_stdin else str(path)
        assert cli("submit-tool-output", "run_1", "thread_1", "--tool-output-file", name, stdin=content)[0] == 0
        assert server.requests[0].json["tool_outputs"] == [{"tool_call_id": "call_1", "output": '{"a": 1}'}]

    def test_stream(self, cli: Cli, serve: Serve) -> None:
        """With --stream the rest is printed as it comes."""
        serve((STREAM, STORY, CLOSE))
        code, out, _ = cli("submit-tool-output", "run_1", "thread_1", "--tool-output", "call_1=x", "--stream")
        assert (code, [line["event"] for line in lines(out)]) == (0, NAMES)

    @pytest.mark.parametrize(
        ("args", "stdin"),
        [
            ([], ""),
            (["--tool-output", "call_1"], ""),
            (["--tool-output", "call_1=1", "--tool-output", "call_1=2"], ""),
            (["--tool-output-file", "/nowhere/at.all"], ""),
            (["--tool-output-file", "-"], ""),
            (["--tool-output-file", "-"], "{}"),
            (["--tool-output-file", "-"], "{broken"),
            (["--tool-output-file", "-"], "[" * 100_000),
            (["--tool-output-file", "-"], '{"call_1": NaN}'),
            (["--tool-output-file", "-", "--tool-output", "call_1=x"], '{"call_1": "x"}'),
        ],
    )
    def test_wrong_command_lines(self, cli: Cli, serve: Serve, args: list[str], stdin: str) -> None:
        """A wrong command line sends nothing, and says what is wrong in one line."""
        server = serve(answer(QUEUED))
        code, _, err = cli("submit-tool-output", "run_1", "thread_1", *args, stdin=stdin)
        assert (code, err.count("\n")) == (2, 1)
        assert server.requests == []


def test_interrupted_stream(serve: Serve) -> None:
    """Ctrl-C in a stream says that the run goes on; nothing is cancelled."""
    server = serve((STREAM, BEGIN, HANG))
    with start("start-thread-run", "thread_1", "asst_1", "--stream") as process:
        assert b"thread.run.created" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"goes on: thread-runs wait-thread-run run_1 thread_1" in err
    assert len(server.requests) == 1
