"""What an object says: in a line for its row, and as the parts that the page shows at length.

A part is a heading, a style and the path of keys to the value in the row's JSON, so that no value stands in the page
twice. `AT_MESSAGE` in a path goes on in the message that a step has made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facade._reading.tool_calls import INPUTS, OUTPUTS, own_key
from facade._reading.values import first_of, json_text, list_of, number_of, text_of, value_in
from facade.timeline._reading import Json

AT_MESSAGE = "@message"

Part = list[Any]

_EXCERPT = 200


def call_parts(call: Any, *before: str | int) -> list[Part]:
    """The parts of a tool call, with the keys that lead to it."""
    if not isinstance(call, Mapping):
        return [["Call", "", *before]]
    own = own_key(call)
    within = before if own is None else (*before, own)
    part = call if own is None else call[own]
    found: list[Part] = []
    if call.get("error") is not None:
        found.append(["Error", "fault", *before, "error"])
    elif part.get("error") is not None:
        found.append(["Error", "fault", *within, "error"])
    found += [["Input", "", *within, key] for key in INPUTS if part.get(key) is not None]
    for place, output in enumerate(list_of(part.get("outputs"))):
        here = [*within, "outputs", place]
        if value_in(output, "type") == "logs":
            found.append(["Logs", "", *here, "logs"])
        elif value_in(output, "type") == "image":
            found.append(["Image made", "image", *here, "image", "url" if _at(output, "image", "url") else "file_id"])
        else:
            found.append(["Output", "", *here])
    for place, result in enumerate(list_of(part.get("results"))):
        here = [*within, "results", place]
        texts = list_of(value_in(result, "content"))
        found += [[_result_name(result), "said", *here, "content", number, "text"] for number in range(len(texts))]
        if not texts:
            found.append([_result_name(result), "", *here])
    return found + [["Output", "", *within, key] for key in OUTPUTS if part.get(key) is not None]


def _result_name(result: Any) -> str:
    name = text_of(value_in(result, "file_name")) or text_of(value_in(result, "file_id")) or "Result"
    score = number_of(value_in(result, "score"))
    return name if score is None else f"{name}, score {score:g}"


def step_parts(step: Json, said: Json | None) -> list[Part]:
    """The parts of a step: its one call's, or what the message says that it has made; several calls have rows."""
    if said:
        return message_parts(said, AT_MESSAGE)
    details = step.get("step_details")
    for key in ("tool_calls", "activities"):
        calls = value_in(details, key)
        if isinstance(calls, list) and calls:
            return call_parts(calls[0], "step_details", key, 0) if len(calls) == 1 else []
    return [["Details", "", "step_details"]]


def message_parts(message: Json, *before: str) -> list[Part]:
    """The parts of a message, with the keys that lead to it."""
    content = message.get("content")
    if not isinstance(content, list):
        return [["Text", "said", *before, "content"]]
    found: list[Part] = []
    for place, part in enumerate(content):
        kind = text_of(value_in(part, "type"))
        held = value_in(part, kind)
        here = [*before, "content", place, *([kind] if held is not None else [])]
        if kind in ("image_file", "image_url"):
            found.append(["Image", "image", *here, "url" if value_in(held, "url") else "file_id"])
        elif value_in(held, "value") is not None:
            found.append(["Text", "said", *here, "value"])
            if value_in(held, "annotations"):
                found.append(["Cites", "", *here, "annotations"])
        else:
            found.append([kind.capitalize() or "Text", "said", *here])
    return found


def fault_parts(item: Json, *keys: str) -> list[Part]:
    """The parts for what went wrong, under these keys."""
    found: list[Part] = []
    for key in keys:
        if item.get(key) is not None:
            name = text_of(_at(item, key, "code")) or text_of(_at(item, key, "reason"))
            heading = f"Incomplete: {name}" if key == "incomplete_details" and name else name or "Error"
            found.append([heading, "fault", key, *(["message"] if text_of(_at(item, key, "message")) else [])])
    return found


def given_parts(item: Json, **names: str) -> list[Part]:
    """A part for each of these keys that has a value, by its heading."""
    return [[name, "said" if isinstance(item[key], str) else "", key] for key, name in names.items() if item.get(key)]


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value_in(value, key)
    return value


def outcome(part: Mapping[str, Any]) -> Any:
    """What a call gave, as far as a line takes it."""
    results = part.get("results")
    if isinstance(results, list):
        files = dict.fromkeys(text_of(value_in(item, "file_name")) for item in results)
        return f"{len(results)} found: {', '.join(filter(None, files))}" if results else "nothing found"
    outputs = part.get("outputs")
    if isinstance(outputs, list):
        return " ".join(text_of(value_in(item, "logs")) or text_of(value_in(item, "type")) for item in outputs)
    return first_of(part, *OUTPUTS)


def message_text(message: Any) -> str:
    """The words of a message; its parts of other kinds by their kind."""
    content = value_in(message, "content")
    if not isinstance(content, list):
        return text_of(content)
    return " ".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    kind = text_of(value_in(part, "type"))
    held = value_in(part, kind)
    return text_of(value_in(held, "value")) or text_of(held) or (f"[{kind}]" if kind else text_of(part))


def excerpt(value: Any) -> str:
    """A line of a value, cut where it is long."""
    text = value if isinstance(value, str) else "" if value is None else json_text(value)
    line = " ".join(text[: _EXCERPT * 4].split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "\u2026"


def fault(value: Any) -> str:
    """An error, or the reason for something incomplete, in words."""
    if isinstance(value, Mapping):
        parts = [text_of(value.get(key)) for key in ("code", "reason", "message")]
        return excerpt(": ".join(filter(None, parts)) or value)
    return excerpt(value or None)
