"""Example values for the reference pages: of the project's sample data where it has one that fits, else made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from facade.server import NotStoredError, Store, write_sample

WIDTH = 76
"""The longest line of an example, where its parts allow."""

# Ids and texts of the sample's bakery, for values that are made of a schema alone.
_TEXTS = {
    "assistant_id": "asst_bakery",
    "content": "Sixty rye rolls for Saturday, please.",
    "file_id": "file-prices",
    "message_id": "msg_wedding",
    "output": '{"free":72}',
    "run_id": "run_bakery_03",
    "thread_id": "thread_bakery",
    "tool_call_id": "call_baguettes",
}
_REQUESTS: dict[str, Any] = {
    "CreateRunRequest": {
        "assistant_id": "asst_bakery",
        "additional_instructions": "The shop closes at noon on Saturdays.",
        "max_completion_tokens": 512,
        "metadata": {"counter": "front"},
    },
    "CreateThreadAndRunRequest": {
        "assistant_id": "asst_bakery",
        "thread": {"messages": [{"role": "user", "content": "Which loaves are free of nuts?"}]},
        "tool_choice": {"type": "file_search"},
    },
    "ModifyRunRequest": {"metadata": {"counter": "back", "checked_by": "Ada"}},
    "SubmitToolOutputsRunRequest": {
        "tool_outputs": [
            {"tool_call_id": "call_baguettes", "output": '{"free":31}'},
            {"tool_call_id": "call_tuesday", "output": '{"eur":4}'},
        ]
    },
}
RATE_LIMITED = {
    "error": {
        "message": "More than 60 requests in this minute.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
}
NOT_FOUND = {
    "error": {
        "message": str(NotStoredError("run", "run_bakery_99")),
        "type": "invalid_request_error",
        "param": "run_id",
        "code": None,
    }
}


class Examples:
    """Finds or makes values of the schemas of a spec.

    Args:
        spec: an OpenAPI 3.1 description
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._schemas: dict[str, Any] = spec["components"]["schemas"]
        self._sample = _sample()

    def is_valid(self, name: str, value: Any) -> bool:
        """Whether a value is what the schema of that name says."""
        return next(self.problems(name, value), None) is None

    def problems(self, name: str, value: Any) -> Iterator[str]:
        """What a value has against the schema of that name, a line each."""
        root = {"$ref": f"#/components/schemas/{name}", "components": self._spec["components"]}
        for error in Draft202012Validator(root).iter_errors(value):
            yield f"{name} {error.json_path}: {error.message[:200]}"

    def of(self, name: str, *, status: str = "completed") -> Any:
        """An example of the schema of that name: of the sample where it has one, else made of the schema.

        A run is one of that status, where the sample has one.
        """
        found = self.found(name, status=status)
        return self.made(name) if found is None else found

    def found(self, name: str, *, status: str = "completed") -> Any:
        """The first value of the sample, or of the requests written here, that is valid; None where none is."""
        runs = sorted(self._sample["runs"], key=lambda run: run["status"] != status)
        known = {"RunObject": runs, "RunStepObject": self._sample["steps"]}
        if name in ("ListRunsResponse", "ListRunStepsResponse"):
            candidates = [_page(self._sample["runs"][:1] if name == "ListRunsResponse" else self._sample["steps"][:2])]
        elif name == "ErrorResponse":
            candidates = [RATE_LIMITED]
        elif name in _REQUESTS:
            candidates = [_REQUESTS[name]]
        else:
            candidates = known.get(name) or self._parts(name)
        return next((value for value in candidates if self.is_valid(name, value)), None)

    def _parts(self, name: str) -> list[Any]:
        """The objects inside the sample that have the schema's `type`, the fullest first."""
        schema = self._schemas[name]
        properties = schema.get("properties", {})
        kinds = properties.get("type", {}).get("enum")
        if not kinds:
            return []
        parts = [p for p in _objects(self._sample) if p.get("type") in kinds and p.keys() <= properties.keys()]
        return sorted(parts, key=lambda part: -len(part))

    def made(self, name: str) -> Any:
        """The least value of the schema of that name: what it requires, or all of it where it requires nothing."""
        return self._make(self._schemas[name], name)

    def _make(self, schema: dict[str, Any], name: str) -> Any:
        if "$ref" in schema:
            return self._make(self._schemas[schema["$ref"].rpartition("/")[2]], name)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._make(schema[keyword][0], name)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        kind = kind if isinstance(kind, str) else kind[0]
        if kind == "object":
            properties = schema.get("properties", {})
            wanted = schema.get("required") or properties
            made = {key: self._make(properties.get(key, {}), key) for key in properties if key in wanted}
            return made or ({"counter": "front"} if schema.get("additionalProperties") else {})
        if kind == "array":
            return [self._make(schema["items"], name.removesuffix("s"))]
        if kind == "string":
            return _TEXTS.get(name, "https://host.example/rolls.png" if schema.get("format") == "uri" else name)
        return {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 0.5), "boolean": True}[kind]


def _sample() -> dict[str, list[Any]]:
    """The sample's runs and steps, as the server gives them with `include[]`."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "sample.sqlite"
        thread_id = write_sample(database)
        with Store(database, read_only=True) as store:
            runs = [json.loads(run.json) for run in store.runs(thread_id, order="asc", limit=100).data]
            steps = [
                json.loads(step.json)
                for run in runs
                for step in store.steps(thread_id, run["id"], order="asc", limit=100).data
            ]
    return {"runs": runs, "steps": steps}


def _page(items: list[Any]) -> dict[str, Any]:
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"],
        "last_id": items[-1]["id"],
        "has_more": items[0]["object"] == "thread.run",
    }


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)


def without_content(step: Any) -> Any:
    """A step as it comes without `include[]`: what a file search found has no content."""
    copy = json.loads(json.dumps(step))
    for part in _objects(copy):
        if "file_id" in part and "score" in part:
            part.pop("content", None)
    return copy


def pretty(value: Any, indent: int = 0, *, as_python: bool = False) -> str:
    """The text of a JSON value for people, in JSON or as a Python literal: what fits on a line is on one."""
    text = _on_a_line(value, as_python)
    if not isinstance(value, (dict, list)) or not value or (indent and indent + len(text) <= WIDTH):
        return text
    inner = indent + (4 if as_python else 2)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {pretty(item, inner, as_python=as_python)}" for key, item in value.items()]
    else:
        items = [pretty(item, inner, as_python=as_python) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(" " * inner + item for item in items)
    return f"{opening}\n{lines}{',' if as_python else ''}\n{' ' * indent}{closing}"


def _on_a_line(value: Any, as_python: bool) -> str:
    if not as_python:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_on_a_line(item, True)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_on_a_line(item, True) for item in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and '"' not in value else repr(value)
