"""Reads the tool calls of steps, which stand in a different place with each kind and each server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facade._reading.values import first_of, text_of, value_in

INPUTS = ("arguments", "input", "query", "requesturl", "request_payload")
OUTPUTS = ("output", "result", "response_payload")


def calls_of(step: Mapping[str, Any]) -> list[Any]:
    """The tool calls (elsewhere: activities) of a step."""
    details = step.get("step_details")
    for key in ("tool_calls", "activities"):
        calls = value_in(details, key)
        if isinstance(calls, list):
            return calls
    return []


def own_key(call: Mapping[str, Any]) -> str | None:
    """The key below which a tool call's particulars stand, where it has such."""
    return next((key for key in (text_of(call.get("type")), "function") if isinstance(call.get(key), Mapping)), None)


def own_part(call: Any) -> Mapping[str, Any]:
    """A tool call's particulars: what stands below a key of its own, else the call."""
    if not isinstance(call, Mapping):
        return {}
    key = own_key(call)
    part: Mapping[str, Any] = call if key is None else call[key]
    return part


def kind_of(call: Any) -> str:
    """What a tool call is a call of; `tool` where it does not say."""
    return text_of(value_in(call, "type")) or "tool"


def name_of(call: Any) -> str:
    """The name of the function or tool that is called; blank where the kind has none."""
    return text_of(own_part(call).get("name")) or text_of(value_in(call, "name"))


def input_of(call: Any) -> Any:
    """What a tool was called with, as it was sent: for a function, a text that is JSON."""
    return first_of(own_part(call), *INPUTS)


def output_of(call: Any) -> Any:
    """What a tool gave, as it was sent: a text, a search's results or an interpreter's outputs."""
    return first_of(own_part(call), *OUTPUTS, "results", "outputs")


def error_of(call: Any) -> Any:
    """What went wrong in a tool call, as it was sent; None where nothing did."""
    return first_of(own_part(call), "error") or value_in(call, "error")


def child_of(call: Any) -> tuple[str, str]:
    """The ids of the run and thread that a connected agent answered in: blank where it names none."""
    if not isinstance(call, Mapping) or call.get("type") != "connected_agent":
        return "", ""
    part = call.get("connected_agent")
    both = {**call, **part} if isinstance(part, Mapping) else call
    return text_of(both.get("run_id")), text_of(both.get("thread_id"))
