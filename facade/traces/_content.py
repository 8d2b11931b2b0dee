"""What people and models said, in the forms that the conventions give it. Sent only where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from facade._reading.tool_calls import input_of, kind_of, name_of, output_of
from facade._reading.values import json_text, list_of, text_of, value_in
from facade.traces._otlp import Json


def instructions(run: Mapping[str, Any]) -> str | None:
    """A run's instructions, as parts."""
    said = text_of(run.get("instructions"))
    return json_text([{"type": "text", "content": said}]) if said else None


def tool_definitions(run: Mapping[str, Any]) -> str | None:
    """The tools that a run may use."""
    defined: list[Json] = []
    for tool in list_of(run.get("tools")):
        function = value_in(tool, "function")
        kind = text_of(value_in(tool, "type")) or "tool"
        own = function if isinstance(function, Mapping) else {}
        given: Json = {
            "type": kind,
            "name": text_of(own.get("name")) or text_of(value_in(tool, "server_label")) or kind,
        }
        given |= {key: own[key] for key in ("description", "parameters") if own.get(key) is not None}
        defined.append(given)
    return json_text(defined) if defined else None


def messages(said: Iterable[Any], finish_reason: str | None = None) -> str | None:
    """Messages as the conventions have them; those that a model has given need a `finish_reason`."""
    ending = {} if finish_reason is None else {"finish_reason": finish_reason}
    made = [{"role": text_of(value_in(one, "role")) or "user", "parts": _parts(one), **ending} for one in said]
    return json_text(made) if made else None


def _parts(message: Any) -> list[Json]:
    content = value_in(message, "content")
    if not isinstance(content, list):
        return [{"type": "text", "content": text_of(content)}] if content else []
    return [_part(part) for part in content]


def _part(part: Any) -> Json:
    kind = text_of(value_in(part, "type"))
    held = value_in(part, kind)
    if kind == "text":
        return {"type": "text", "content": text_of(value_in(held, "value")) or text_of(held)}
    if kind == "image_file":
        return {"type": "file", "modality": "image", "file_id": text_of(value_in(held, "file_id"))}
    if kind == "image_url":
        return {"type": "uri", "modality": "image", "uri": text_of(value_in(held, "url"))}
    if isinstance(part, str):
        return {"type": "text", "content": part}
    return {**part, "type": kind or "part"} if isinstance(part, Mapping) else {"type": "part", "content": part}


def asked_calls(calls: Iterable[Any], finish_reason: str) -> str | None:
    """A model's message that asks for tool calls."""
    parts = [
        {"type": "tool_call", "id": text_of(value_in(call, "id")) or None, "name": name_of(call) or kind_of(call)}
        | {"arguments": input_of(call)}
        for call in calls
    ]
    return json_text([{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]) if parts else None


def call_input(call: Any) -> str | None:
    """What a tool was called with, as text."""
    return _text(input_of(call))


def call_output(call: Any) -> str | None:
    """What a tool gave, as text."""
    return _text(output_of(call))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)
