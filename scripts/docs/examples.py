"""Example values for the reference pages: what the sample's server answers, and requests that would suit it."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

import facade
from facade.server import serve, write_sample

WIDTH = 76
"""The longest line of an example, where its parts allow."""

IDS = {
    "thread_id": "thread_bakery",
    "run_id": "run_bakery_01",
    "step_id": "step_bakery_01_1",
    "message_id": "msg_nut_free",
    "assistant_id": "asst_bakery",
}
"""Ids of the sample, by the parameter that takes them."""
WAITING_RUN = "run_bakery_10"
"""The sample's run that waits for what functions give."""

_REQUESTS: dict[str, Any] = json.loads(Path(__file__).with_name("requests.json").read_text("utf-8"))
"""What suits the schemas of what the server does not answer."""


class Examples:
    """Values of the schemas of a spec, all of the sample.

    Args:
        schemas: the spec's schemas by their names
        reads: the queries of the operations that read, by their paths
    """

    def __init__(self, schemas: dict[str, Any], reads: dict[str, dict[str, str]]) -> None:
        self._schemas = schemas
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "sample.db"
            write_sample(database)
            logging.disable(logging.INFO)  # Sphinx shows what is logged
            with serve(database) as base:
                self.answers = {path: _ask(base, path, query) for path, query in reads.items()}
                self.not_found = _ask(base, "/threads/{thread_id}/runs/run_bakery_99", {}, status=404)
                told = [_ask(base, "/threads/{thread_id}/runs", {"limit": "100"})]
                for run in told[0]["data"]:
                    path = f"/threads/{{thread_id}}/runs/{run['id']}/steps"
                    told.append(_ask(base, path, {"include[]": facade.FILE_SEARCH_RESULT_CONTENT}))
            logging.disable(logging.NOTSET)
        self._objects = list(_objects([told, *self.answers.values()]))

    def of(self, name: str, *, status: str = "completed") -> Any:
        """The fullest value of the schema of that name, one with that status if there is one; None where none is."""
        if name in _REQUESTS:
            return _REQUESTS[name]
        properties = self._schemas[name].get("properties", {})
        tags = {key: properties[key]["enum"] for key in ("object", "type") if "enum" in properties.get(key, ())}
        found = [value for value in self._objects if tags and all(value.get(key) in tags[key] for key in tags)]
        found = [value for value in found if value.keys() <= properties.keys() and not self.problems(name, value)]
        return max(found, key=lambda value: (value.get("status") == status, len(value)), default=None)

    def problems(self, name: str, value: Any) -> list[str]:
        """What a value has against the schema of that name, a line each."""
        root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": self._schemas}}
        return [f"{name} {e.json_path}: {e.message[:200]}" for e in Draft202012Validator(root).iter_errors(value)]


def _ask(base: str, path: str, query: dict[str, str], *, status: int = 200) -> Any:
    """What the sample's server answers to a request for a path; None where the status is another."""
    answer = httpx.get(base + path.format_map(IDS), params=query, headers={"OpenAI-Beta": "assistants=v2"})
    return answer.json() if answer.status_code == status else None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)


def pretty(value: Any, indent: int = 0) -> str:
    """The text of a JSON value for people: what fits on a line is on one."""
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or (indent and indent + len(text) <= WIDTH):
        return text
    inner = indent + 2
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {pretty(item, inner)}" for key, item in value.items()]
    else:
        items = [pretty(item, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(" " * inner + item for item in items)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"
