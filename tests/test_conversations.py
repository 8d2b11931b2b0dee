"""What goes on elsewhere: items that OpenAI's own types take, each loss named, and JSON Lines to the letter."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import ResponseInputItemParam
from pydantic import TypeAdapter
from timeline_sample import an_odd_thread

from facade import archive
from facade.archive._conversations import Conversation, conversation_of
from facade.server import Store, write_sample

Json = dict[str, Any]
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
THREAD = {"id": "thread_t", "metadata": {"title": "Bread"}}


def message(number: int, role: str = "user", content: Any = None, **fields: Any) -> Json:
    text = {"type": "text", "text": {"value": f"text {number}", "annotations": []}}
    parts = [text] if content is None else content
    return {"id": f"msg_{number}", "created_at": number, "role": role, "content": parts, **fields}


def function(call_id: str, output: Any = "4") -> Json:
    part = {"name": "add", "arguments": '{"a":2}', "output": output}
    return {"id": call_id, "type": "function", "function": part}


def called(*calls: Json) -> Json:
    return {"id": "step_calls", "step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


def said(message_id: str) -> Json:
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    return {"id": f"step_{message_id}", "step_details": details}


def made(messages: list[Json] | None = None, *steps: Json) -> Conversation:
    """A thread of one run, created at second 1, as a conversation, whose items are as openai's types have them."""
    runs = [({"id": "run_1", "created_at": 1}, steps)] if steps else []
    conversation = conversation_of(THREAD, messages or [], runs)
    for item in conversation.items:
        # What an assistant said goes in without the id and status that the types want: the service gives them.
        given = {"id": "msg_new", "status": "completed"} if item.get("role") == "assistant" else {}
        ITEM.validate_python({**item, **given})
    return conversation


def kinds(conversation: Conversation) -> list[str]:
    """The items in their order: what is said by its text, what is called by its type."""
    return [item["content"][0]["text"] if item["type"] == "message" else item["type"] for item in conversation.items]


def losses(conversation: Conversation) -> set[tuple[str, str]]:
    """What is lost beside what always is."""
    always = ("the run", "when each message was written")
    return {(loss.object_id, loss.lost) for loss in conversation.losses if loss.lost not in always}


class TestMessages:
    """Messages as items."""

    def test_text(self) -> None:
        """What a user says is input, what an assistant says is output; of it only the time is lost."""
        conversation = made([message(1), message(2, "assistant")])
        assert conversation.items == [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "text 1"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "text 2", "annotations": []}],
            },
        ]
        assert conversation.metadata == {"title": "Bread"}
        assert [loss[:2] for loss in conversation.losses] == [("thread_t", "when each message was written")]

    def test_images(self) -> None:
        """A user's images stay, by file and by address; an assistant's have no form, and are named."""
        images = [
            {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "high"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ]
        conversation = made([message(1, content=images), message(2, "assistant", content=images)])
        assert [item["content"] for item in conversation.items] == [
            [
                {"type": "input_image", "file_id": "file-1", "detail": "high"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
            ]
        ]
        assert losses(conversation) == {
            ("msg_2", "image_file file-1"),
            ("msg_2", "image_url https://example.com/a.png"),
            ("msg_2", "the message"),
        }

    def test_refusal(self) -> None:
        """What an assistant refused is told as such."""
        conversation = made([message(1, "assistant", content=[{"type": "refusal", "refusal": "No."}])])
        assert conversation.items[0]["content"] == [{"type": "refusal", "refusal": "No."}]

    @pytest.mark.parametrize(
        ("fields", "lost"),
        [
            ({"attachments": [{"file_id": "file-1"}]}, "attachments"),
            ({"metadata": {"a": "b"}}, "metadata"),
            ({"status": "incomplete"}, "incomplete_details"),
            ({"content": []}, "the message"),
            ({"content": [{"type": "new"}]}, "content of type new"),
            ({"role": "robot"}, "the message"),
        ],
    )
    def test_what_a_message_loses(self, fields: Json, lost: str) -> None:
        """What no item has a place for is named with the message's id."""
        assert ("msg_1", lost) in losses(made([{**message(1), **fields}]))

    def test_citations(self) -> None:
        """A citation stays where the form's parts are known: an address' title, a file's name from a search."""
        place = {"start_index": 3, "end_index": 5}
        annotations = [
            {"type": "url_citation", **place, "url_citation": {"url": "https://example.com", "title": "E"}},
            {"type": "file_citation", **place, "file_citation": {"file_id": "file-1"}},
            {"type": "file_citation", **place, "file_citation": {"file_id": "file-2"}},
            {"type": "file_path", **place, "file_path": {"file_id": "file-3"}},
        ]
        text = {"type": "text", "text": {"value": "As it says", "annotations": annotations}}
        found = {"file_id": "file-1", "file_name": "a.md", "score": 0.5}
        search = {"id": "call_1", "type": "file_search", "file_search": {"results": [found]}}
        conversation = made([message(1, "assistant", content=[text])], called(search), said("msg_1"))
        assert conversation.items[1]["content"][0]["annotations"] == [
            {"type": "url_citation", "url": "https://example.com", "title": "E", **place},
            {"type": "file_citation", "file_id": "file-1", "filename": "a.md", "index": 3},
        ]
        assert {("msg_1", "annotation of type file_citation"), ("msg_1", "annotation of type file_path")} <= losses(
            conversation
        )


class TestToolCalls:
    """Tool calls as items."""

    def test_a_function_s_call_and_its_output(self) -> None:
        """They stand before the message that the run wrote after them."""
        conversation = made([message(1), message(2, "assistant")], called(function("call_1")), said("msg_2"))
        assert conversation.items[1:3] == [
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a":2}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "4"},
        ]
        assert kinds(conversation)[3] == "text 2"
        assert losses(conversation) == set()

    def test_a_call_without_output(self) -> None:
        """It is left out, and named: a conversation with an open call cannot be answered."""
        conversation = made([message(1)], called(function("call_1", None)))
        assert kinds(conversation) == ["text 1"]
        assert losses(conversation) == {("step_calls", "tool call call_1 (function)")}

    @pytest.mark.parametrize(
        ("steps", "order"),
        [
            ([called(function("c"))], ["text 1", "function_call", "function_call_output", "text 2"]),
            ([said("msg_2"), called(function("c"))], ["text 1", "text 2", "function_call", "function_call_output"]),
            ([called(function("c")), said("msg_9")], ["text 1", "function_call", "function_call_output", "text 2"]),
        ],
    )
    def test_calls_that_no_message_came_after(self, steps: list[Json], order: list[str]) -> None:
        """They stand behind the run's last message; of a run without any, before the next message."""
        assert kinds(made([message(1), message(2)], *steps)) == order

    def test_file_search_and_mcp(self) -> None:
        """Their items have what was recorded; a search's queries never were, and that is named."""
        found = {"file_id": "file-1", "file_name": "a.md", "score": 0.5, "content": [{"type": "text", "text": "Rye"}]}
        search = {"id": "call_1", "type": "file_search", "file_search": {"results": [found]}}
        remote = {"id": "call_2", "type": "mcp", "server_label": "silo", "name": "n", "arguments": "{}", "output": "1"}
        conversation = made([], called(search, remote))
        results = [{"file_id": "file-1", "filename": "a.md", "score": 0.5, "text": "Rye"}]
        rest = {"server_label": "silo", "name": "n", "arguments": "{}", "output": "1"}
        assert conversation.items == [
            {
                "type": "file_search_call",
                "id": "fs_call_1",
                "queries": [],
                "status": "completed",
                "results": results,
            },
            {"type": "mcp_call", "id": "mcp_call_2", **rest},
        ]
        assert losses(conversation) == {("step_calls", "queries and ranking of tool call call_1 (file_search)")}

    @pytest.mark.parametrize("kind", ["code_interpreter", "connected_agent", "new"])
    def test_calls_without_a_form(self, kind: str) -> None:
        """They are left out, and named."""
        conversation = made([], called({"id": "call_1", "type": kind, kind: {"input": "1"}}))
        assert conversation.items == []
        assert losses(conversation) == {("step_calls", f"tool call call_1 ({kind})")}


class TestFiles:
    """The files of an archive."""

    def test_conversations(self, tmp_path: Path) -> None:
        """A file a thread and a report, readable by their owner only, whatever the umask."""
        write_sample(tmp_path / "a.db")
        mask = os.umask(0)
        try:
            written = archive.to_conversations(tmp_path / "a.db", tmp_path / "out")
        finally:
            os.umask(mask)
        files = {path.name: path for path in (tmp_path / "out").iterdir()}
        threads = archive.thread_ids(tmp_path / "a.db")
        assert set(files) == {"report.jsonl", *(f"{thread}.json" for thread in threads)}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
        items = [json.loads(files[f"{thread}.json"].read_text())["items"] for thread in threads]
        report = [json.loads(line) for line in files["report.jsonl"].read_text().splitlines()]
        assert written == (len(threads), sum(map(len, items)), len(report))
        assert {tuple(line) for line in report} == {("thread_id", "object_id", "lost", "why")}
        assert {"run_bakery_10", "msg_flour"} <= {line["object_id"] for line in report}

    def test_odd_threads(self, tmp_path: Path) -> None:
        """Whatever servers send is taken, and an id with a path in it stays within the folder."""
        held = an_odd_thread().held["thread_odd"]
        thread = "../\N{SNOWMAN} thread"
        with Store(tmp_path / "odd.db") as store:
            store.add(
                messages=[{**item, "thread_id": thread} for item in held["messages"]],
                runs=[{"id": "run_0", "thread_id": thread}],
                steps=[
                    {**step, "thread_id": thread, "run_id": "run_0", "id": f"step_{number}"}
                    for number, step in enumerate(held["steps"]["run_bare"])
                    if "Infinity" not in json.dumps(step)
                ],
            )
        archive.to_conversations(tmp_path / "odd.db", tmp_path / "out")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "%2E%2E%2F%E2%98%83%20thread.json",
            "report.jsonl",
        ]
        report = (tmp_path / "out" / "report.jsonl").read_text()
        assert '"messages, perhaps"' in report

    def test_a_thread_that_could_not_be_read_is_a_loss(self, tmp_path: Path) -> None:
        """It has no file, and the report says why."""
        with Store(tmp_path / "a.db") as store, store.transaction():
            store.note("threads", "thread_gone", "failed", "404: it is gone")
        assert archive.to_conversations(tmp_path / "a.db", tmp_path / "out") == (0, 0, 1)
        (report,) = (tmp_path / "out").iterdir()
        assert json.loads(report.read_text())["why"] == "it could not be read (404: it is gone)"

    def test_lines_to_the_letter(self, tmp_path: Path) -> None:
        """Spellings stay as they were sent; a line break between tokens becomes a space."""
        run = '{"id": "run_1", "thread_id":"t", "n": 1.00, "n": 1e5, "s": "\\ud800\\n\N{SNOWMAN}"}'
        with Store(tmp_path / "a.db") as store:
            store.add(runs=[run, '{"id": "run_2",\r\n "thread_id": "t"\n}'])
        stream = io.BytesIO()
        counts = archive.to_jsonl(tmp_path / "a.db", stream)
        assert stream.getvalue().decode() == f'{run}\n{{"id": "run_2",   "thread_id": "t" }}\n'
        assert (counts["runs"], counts["threads"]) == (2, 0)
        assert archive.to_jsonl(tmp_path / "a.db", tmp_path / "out") == counts
        files = {path.name: path for path in (tmp_path / "out").iterdir()}
        assert set(files) == {f"{kind}.jsonl" for kind in counts}
        assert files["runs.jsonl"].read_bytes() == stream.getvalue()
        assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}

    @pytest.mark.parametrize("write", [archive.to_jsonl, archive.to_conversations])
    def test_whole_or_not_at_all(self, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk that is full in between leaves no part of a file."""
        write_sample(tmp_path / "a.db")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("facade.archive._target.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            write(tmp_path / "a.db", tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []
