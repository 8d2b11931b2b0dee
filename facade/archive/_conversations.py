"""A thread as a conversation: the items that OpenAI's Conversations API takes for it, and what they have no place for.

Without I/O: objects in, items and losses out. An item is made where everything that its form requires was recorded;
nothing is invented.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from facade._reading.tool_calls import calls_of, input_of, kind_of, name_of, output_of, own_part
from facade._reading.values import list_of, seconds_of, text_of, value_in

Json = Mapping[str, Any]

_ROLES = ("user", "assistant", "system", "developer")


class Loss(NamedTuple):
    """Something of a thread that its conversation has not.

    Attributes:
        object_id: the message, step, run or thread that it is of
        lost: what
        why: why there is no item for it
    """

    object_id: str
    lost: str
    why: str


class Conversation(NamedTuple):
    """What the Conversations API is sent for a thread, and what was left out."""

    metadata: dict[str, str]
    items: list[dict[str, Any]]
    losses: list[Loss]


def conversation_of(
    thread: Json, messages: Sequence[Json], runs: Sequence[tuple[Json, Sequence[Json]]]
) -> Conversation:
    """A thread as a conversation.

    A run's tool calls stand before the message that its steps say came next; those that none came after stand behind
    the run's last message, or where it has none, before the first message that is younger than the run.

    Args:
        thread: the thread
        messages: its messages, oldest first
        runs: its runs with their steps, oldest first
    """
    return _Conversion(thread, messages, runs).done()


class _Conversion:
    def __init__(self, thread: Json, messages: Sequence[Json], runs: Sequence[tuple[Json, Sequence[Json]]]) -> None:
        self._thread, self._messages, self._runs = thread, messages, runs
        self._losses: list[Loss] = []
        self._file_names: dict[str, str] = {}

    def done(self) -> Conversation:
        metadata = self._metadata()
        before: list[list[dict[str, Any]]] = [[] for _ in range(len(self._messages) + 1)]
        numbers = {text_of(message.get("id")): number for number, message in enumerate(self._messages)}
        for run, steps in self._runs:
            calls: list[dict[str, Any]] = []
            last: int | None = None
            for step in steps:
                message_id = text_of(value_in(value_in(step.get("step_details"), "message_creation"), "message_id"))
                if message_id in numbers:
                    last = numbers[message_id]
                    before[last] += calls
                    calls = []
                calls += [item for call in calls_of(step) for item in self._call(_id_of(step), call)]
            if calls:
                before[self._younger_than(run) if last is None else last + 1] += calls
            self._lose(_id_of(run), "the run", "its status, model, instructions, usage and times have no item form")
        items: list[dict[str, Any]] = []
        for number, message in enumerate(self._messages):
            items += [*before[number], *self._message(message)]
        items += before[-1]
        if self._messages:
            self._lose(_id_of(self._thread), "when each message was written", "an item has no time")
        return Conversation(metadata, items, self._losses)

    def _lose(self, object_id: str, lost: str, why: str) -> None:
        self._losses.append(Loss(object_id, lost, why))

    def _younger_than(self, run: Json) -> int:
        created_at = _created(run)
        younger = (number for number, message in enumerate(self._messages) if _created(message) > created_at)
        return next(younger, len(self._messages))

    def _metadata(self) -> dict[str, str]:
        metadata: dict[str, str] = {}
        for key, value in _mapping(self._thread.get("metadata")).items():
            if isinstance(value, str):
                metadata[key] = value
            else:
                self._lose(_id_of(self._thread), f"metadata {key!r}", "a conversation's metadata are texts")
        if any(_mapping(self._thread.get("tool_resources")).values()):
            self._lose(_id_of(self._thread), "tool_resources", "a conversation has none: give them to its tools")
        return metadata

    # Messages

    def _message(self, message: Json) -> list[dict[str, Any]]:
        object_id, role, content = _id_of(message), text_of(message.get("role")), message.get("content")
        if role not in _ROLES:
            self._lose(object_id, "the message", f"items have no role {role!r}")
            return []
        if message.get("attachments"):
            self._lose(object_id, "attachments", "an item has none: its tools' files belong to the tools")
        if message.get("metadata"):
            self._lose(object_id, "metadata", "an item has none")
        if message.get("status") == "incomplete":
            self._lose(object_id, "incomplete_details", "an item does not say why it was cut short")
        parts = content if isinstance(content, list) else [content] if isinstance(content, str) else []
        shown = [part for source in parts if (part := self._part(object_id, role, source)) is not None]
        if not shown:
            self._lose(object_id, "the message", "nothing is left to send" if parts else "it has no content")
            return []
        return [{"type": "message", "role": role, "content": shown}]

    def _part(self, object_id: str, role: str, part: Any) -> dict[str, Any] | None:
        kind = "text" if isinstance(part, str) else text_of(value_in(part, "type"))
        if kind == "text" and (text := _text(part)) is not None:
            annotations = [
                kept
                for source in list_of(value_in(value_in(part, "text"), "annotations"))
                if (kept := self._annotation(object_id, role, source)) is not None
            ]
            if role == "assistant":
                return {"type": "output_text", "text": text, "annotations": annotations}
            return {"type": "input_text", "text": text}
        if role == "assistant" and kind == "refusal" and isinstance(refusal := value_in(part, "refusal"), str):
            return {"type": "refusal", "refusal": refusal}
        if kind in ("image_file", "image_url"):
            name, key = ("file_id", "file_id") if kind == "image_file" else ("image_url", "url")
            where = text_of(value_in(value_in(part, kind), key))
            if role != "assistant" and where:
                detail = text_of(value_in(value_in(part, kind), "detail")) or "auto"
                return {"type": "input_image", name: where, "detail": detail}
            if role == "assistant":
                self._lose(object_id, f"{kind} {where}".strip(), "an assistant's item takes text and refusals alone")
                return None
        self._lose(object_id, f"content of type {kind or 'unknown'}", "it has no item form")
        return None

    def _annotation(self, object_id: str, role: str, source: Any) -> dict[str, Any] | None:
        kind = text_of(value_in(source, "type"))
        start, end = value_in(source, "start_index"), value_in(source, "end_index")
        part = value_in(source, kind)
        why = "the form has no place for it"
        if role != "assistant":
            why = "only an assistant's text has annotations"
        elif kind == "url_citation" and isinstance(start, int) and isinstance(end, int):
            url, title = value_in(part, "url"), value_in(part, "title")
            if isinstance(url, str) and isinstance(title, str):
                return {"type": kind, "url": url, "title": title, "start_index": start, "end_index": end}
            why = "the form requires a title"
        elif kind == "file_citation" and isinstance(start, int):
            file_id = text_of(value_in(part, "file_id"))
            if file_id in self._file_names:
                return {"type": kind, "file_id": file_id, "filename": self._file_names[file_id], "index": start}
            why = "the form requires the file's name, which is not recorded"
        self._lose(object_id, f"annotation of type {kind or 'unknown'}", why)
        return None

    # Tool calls

    def _call(self, step_id: str, call: Any) -> list[dict[str, Any]]:
        kind, call_id = kind_of(call), text_of(value_in(call, "id"))
        lost = f"tool call {call_id or 'without an id'} ({kind})"
        if kind == "function":
            return self._function(step_id, lost, call_id, call)
        if kind == "mcp":
            return self._mcp(step_id, lost, call_id, call)
        if kind == "file_search" and call_id:
            return [self._file_search(step_id, lost, call_id, call)]
        why = "it has no item form"
        if kind == "code_interpreter":
            why = "its item form requires the id of a container, and there is none"
        self._lose(step_id, lost, why)
        return []

    def _function(self, step_id: str, lost: str, call_id: str, call: Any) -> list[dict[str, Any]]:
        name, output = name_of(call), output_of(call)
        if not call_id or not name:
            self._lose(step_id, lost, "its item form requires an id and a name")
            return []
        if output is None:
            self._lose(step_id, lost, "it has no output, and a call without one stops the conversation's next answer")
            return []
        return [
            {"type": "function_call", "call_id": call_id, "name": name, "arguments": _spelt(input_of(call))},
            {"type": "function_call_output", "call_id": call_id, "output": _spelt(output)},
        ]

    def _mcp(self, step_id: str, lost: str, call_id: str, call: Any) -> list[dict[str, Any]]:
        name, label = name_of(call), text_of(own_part(call).get("server_label"))
        if not (call_id and name and label):
            self._lose(step_id, lost, "its item form requires an id, a name and a server_label")
            return []
        output = output_of(call)
        item = {"type": "mcp_call", "id": _prefixed("mcp_", call_id), "server_label": label, "name": name}
        item["arguments"] = _spelt(input_of(call))
        return [item if output is None else {**item, "output": _spelt(output)}]

    def _file_search(self, step_id: str, lost: str, call_id: str, call: Any) -> dict[str, Any]:
        self._lose(step_id, f"queries and ranking of {lost}", "queries are not recorded, ranking has no item form")
        results = []
        for source in list_of(own_part(call).get("results")):
            texts = [text for part in list_of(value_in(source, "content")) if (text := text_of(value_in(part, "text")))]
            named = {"file_id": "file_id", "filename": "file_name", "score": "score"}
            result = {key: value for key, at in named.items() if (value := value_in(source, at)) is not None}
            if texts:
                result["text"] = "\n".join(texts)
            if isinstance(result.get("file_id"), str) and isinstance(result.get("filename"), str):
                self._file_names[result["file_id"]] = result["filename"]
            results.append(result)
        return {
            "type": "file_search_call",
            "id": _prefixed("fs_", call_id),
            "queries": [],
            "status": "completed",
            "results": results,
        }


def lines_of(thread_id: str, losses: Iterable[Loss]) -> str:
    """Losses as lines of the report."""
    return "".join(json.dumps({"thread_id": thread_id, **loss._asdict()}) + "\n" for loss in losses)


def _id_of(value: Json) -> str:
    return text_of(value.get("id"))


def _created(value: Json) -> float:
    return seconds_of(value.get("created_at")) or 0


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _text(part: Any) -> str | None:
    """The text of a part, wherever the server has put it."""
    text = value_in(part, "text")
    places = (part, text, value_in(text, "value"))
    return next((place for place in places if isinstance(place, str)), None)


def _spelt(value: Any) -> str:
    """A tool's input or output as the text that an item has."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _prefixed(prefix: str, call_id: str) -> str:
    """A call's id as an item's, by which the API tells kinds apart."""
    return call_id if call_id.startswith(prefix) else prefix + call_id
