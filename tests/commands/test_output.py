"""The detail view of one object, and CSV."""

from __future__ import annotations

import csv
import io

import pytest
from shell import RUN_ID, STEP_ID, Api, Cli, sample


def detail(cli: Cli, *args: str) -> list[str]:
    code, out, _ = cli(*args, "--output", "table")
    assert code == 0
    return out.splitlines()


def test_one_run_says_first_what_went_wrong(cli: Cli, api: Api) -> None:
    """The error's whole message, right below the id; then times, duration and usage."""
    error = {"code": "server_error", "message": "It broke.\nTwice."}
    times = {"created_at": 1_714_564_800, "started_at": 1_714_564_801, "failed_at": 1_714_564_893}
    usage = {"usage": {"prompt_tokens": 1000, "completion_tokens": 234, "total_tokens": 1234}}
    api.add_runs("thread_a", "run_1", status="failed", last_error=error, **times, **usage, top_p=None, new={"a": 1})
    lines = detail(cli, "get-thread-run", "thread_a", "run_1")
    assert lines[:3] == ["run_1  failed", "server_error: It broke.", "Twice."]
    assert "duration: 1m 32s" in lines
    assert "usage: 1,000 prompt, 234 completion, 1,234 total" in lines
    assert "created_at: 2024-05-01 12:00:00" in lines
    assert 'new: {"a": 1}' in lines
    assert not any("top_p" in line for line in lines)


def test_one_step_shows_its_calls(cli: Cli, api: Api) -> None:
    """Each tool call with its arguments, its input and what came of it, in lines of their own where they have some."""
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {
                "name": "check_stock",
                "arguments": '{"item": "rye roll", "notes": "as many as there are, the rest on Friday"}',
                "output": '{"free": 72}',
            },
        },
        {
            "id": "call_2",
            "type": "code_interpreter",
            "code_interpreter": {"input": "a = 1\nprint(a)", "outputs": [{"type": "logs", "logs": "1\n2\n"}]},
        },
        {"id": "call_3", "type": "mcp", "name": "look", "server_label": "shop", "output": None},
        "odd",
    ]
    api.add_steps("thread_a", "run_1", "step_1", step_details={"type": "tool_calls", "tool_calls": calls})
    lines = detail(cli, "get-thread-run-step", "run_1", "thread_a", "step_1")
    assert lines[lines.index("function call_1") :] == [
        "function call_1",
        "  name: check_stock",
        "  arguments:",
        "    item: rye roll",
        "    notes: as many as there are, the rest on Friday",
        '  output: {"free": 72}',
        "code_interpreter call_2",
        "  input:",
        "    a = 1",
        "    print(a)",
        "  outputs:",
        "    -:",
        "      type: logs",
        "      logs:",
        "        1",
        "        2",
        "mcp call_3",
        "  name: look",
        "  server_label: shop",
        "?",
        "  value: odd",
    ]


@pytest.mark.parametrize(
    "details", [None, "odd", [1], {"type": "tool_calls"}, {"type": "activities", "activities": []}]
)
def test_one_step_of_any_shape_is_shown(cli: Cli, api: Api, details: object) -> None:
    """Servers differ; whatever there is can be shown."""
    fields = {"last_error": "odd", "usage": [1], "created_at": "odd", "content": {"a": 1}}
    api.add_steps("thread_a", "run_1", "step_1", step_details=details, **fields)
    lines = detail(cli, "get-thread-run-step", "run_1", "thread_a", "step_1")
    assert lines[:2] == ["step_1", "odd"]


def test_csv_has_a_heading_and_a_line_an_object(cli: Cli, api: Api) -> None:
    """Times are in UTC, numbers plain, and what is not there is empty."""
    sample(api)
    code, out, err = cli("get-thread-run", "thread_a", "--output", "csv")
    assert (code, err) == (0, "")
    first, second, *_ = csv.DictReader(io.StringIO(out))
    assert first == {
        "id": RUN_ID,
        "thread_id": "thread_a",
        "assistant_id": "",
        "status": "completed",
        "model": "gpt-4o-mini",
        "created_at": "2024-05-01T12:00:00Z",
        "started_at": "2024-05-01T12:00:01Z",
        "ended_at": "2024-05-01T12:01:33Z",
        "duration_sec": "92.0",
        "prompt_tokens": "1000",
        "completion_tokens": "234",
        "total_tokens": "1234",
        "error": "",
        "error_message": "",
    }
    assert (second["error"], second["error_message"], second["duration_sec"]) == ("server_error", "Sorry.", "3.5")
    steps = list(csv.DictReader(io.StringIO(cli("get-thread-run-step", RUN_ID, "thread_a", "--output", "csv")[1])))
    assert [step["id"] for step in steps] == [STEP_ID, "step_2"]
    assert steps[0]["calls"] == "code_interpreter, function x2, ?"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_csv_cell_is_no_formula(cli: Cli, api: Api, start: str) -> None:
    """What a spreadsheet would run begins with a quote; numbers stay numbers."""
    api.add_runs("thread_a", "run_1", model=f"{start}1+1", usage={"total_tokens": -1})
    [run] = csv.DictReader(io.StringIO(cli("get-thread-run", "thread_a", "--output", "csv")[1]))
    assert run["model"].startswith(f"'{start}" if start != "\r" else "'")
    assert run["total_tokens"] == "-1"


def test_csv_of_nothing_is_its_heading(cli: Cli, api: Api) -> None:
    """So that a program that reads it needs no special case."""
    api.add_runs("thread_a")
    out = cli("get-thread-run", "thread_a", "--output", "csv")[1]
    assert out.startswith("id,thread_id,")
    assert out.count("\n") == 1


def test_a_step_that_made_a_message_shows_its_text(cli: Cli, api: Api) -> None:
    """One more request, for people only; a message that cannot be read is a warning."""
    details = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    api.add_steps("thread_a", "run_1", "step_1", step_details=details)
    content = [{"type": "text", "text": {"value": "Rye and\nspelt.", "annotations": []}}, {"type": "image_file"}]
    message = {"id": "msg_1", "object": "thread.message", "thread_id": "thread_a", "content": content}
    api.lists["/threads/thread_a/messages"] = [message]
    assert detail(cli, "get-thread-run-step", "run_1", "thread_a", "step_1")[-3:] == ["Rye and", "spelt.", "image_file"]
    assert detail(cli, "get-thread-message", "thread_a", "msg_1")[-3:] == ["Rye and", "spelt.", "image_file"]
    api.lists.pop("/threads/thread_a/messages")
    code, out, err = cli("get-thread-run-step", "run_1", "thread_a", "step_1", "--output", "table")
    assert (code, "msg_1" in out, "its message cannot be read" in err.replace("the step's", "its")) == (0, True, True)
    api.requests.clear()
    cli("get-thread-run-step", "run_1", "thread_a", "step_1")
    assert len(api.requests) == 1
