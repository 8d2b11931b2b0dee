"""Check that a pinned description has what the facade relies on; this is the one list of it.

    python -m scripts.spec.relied_on [--spec FILE]

Names each operation, parameter, field and value that is missing, a line each, and ends with 1 where one is, with 2
where the file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openapi_schema_validator import OAS31Validator

from facade import FILE_SEARCH_RESULT_CONTENT
from scripts.spec.description import Description, request_line
from scripts.spec.reading import SpecError, load

ROOT = Path(__file__).resolve().parents[2]


class Operation(NamedTuple):
    """What the facade asks for.

    Attributes:
        request: the request line; an id in the path is a parameter
        query: values that the facade sends, by query parameter
        answer: the schema of the answer
        module: the generated module, under `openai_thread_runs_api.api.assistants`
    """

    request: str
    query: dict[str, list[Any]]
    answer: str
    module: str


_PAGE: dict[str, list[Any]] = {"limit": [1, 20, 100], "order": ["asc", "desc"], "after": ["id"], "before": ["id"]}
_INCLUDE: dict[str, list[Any]] = {"include[]": [[FILE_SEARCH_RESULT_CONTENT]]}

OPERATIONS = {
    "getRun": Operation("GET /threads/{thread_id}/runs/{run_id}", {}, "RunObject", "get_run"),
    "listRuns": Operation("GET /threads/{thread_id}/runs", _PAGE, "ListRunsResponse", "list_runs"),
    "getRunStep": Operation(
        "GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}", _INCLUDE, "RunStepObject", "get_run_step"
    ),
    "listRunSteps": Operation(
        "GET /threads/{thread_id}/runs/{run_id}/steps",
        {**_PAGE, **_INCLUDE},
        "ListRunStepsResponse",
        "list_run_steps",
    ),
}

# What the facade reads, by schema and field, with the JSON type that it must be able to be.
_BOTH = {
    "id": "string",
    "object": "string",
    "thread_id": "string",
    "status": "string",
    "created_at": "integer",
    "completed_at": "integer",
    "failed_at": "integer",
    "cancelled_at": "integer",
    "last_error": "object",
    "last_error.code": "string",
    "usage": "object",
    "usage.total_tokens": "integer",
}
FIELDS = {
    "RunObject": {
        **_BOTH,
        "model": "string",
        "started_at": "integer",
        "incomplete_details": "object",
        "incomplete_details.reason": "string",
    },
    "RunStepObject": {
        **_BOTH,
        "run_id": "string",
        "type": "string",
        "expired_at": "integer",
        "step_details": "object",
        "step_details.tool_calls": "array",
        "step_details.tool_calls[].type": "string",
        # The path that `include[]` names; the server leaves out what it leads to.
        "step_details.tool_calls[].file_search.results[].content": "array",
    },
    **{
        page: {"data": "array", "data[].id": "string", "has_more": "boolean", "first_id": "string", "last_id": "string"}
        for page in ("ListRunsResponse", "ListRunStepsResponse")
    },
}

# Values that the facade knows a field by.
VALUES = {("RunObject", "object"): "thread.run", ("RunStepObject", "object"): "thread.run.step"}


def missing(document: dict[str, Any]) -> list[str]:
    """Name what a pinned description lacks.

    Args:
        document: the description, as `pin` gives it

    Returns:
        A line for each operation, parameter, field or value that is not there, or not as the facade relies on it;
        what is part of something missing is not named again.
    """
    spec = Description(document)
    keys = {spec.operation_id(key): key for key in spec.operations}
    lines = []
    for operation_id, wanted in OPERATIONS.items():
        if operation_id not in keys:
            lines.append(f"operation {operation_id} ({wanted.request}) is missing")
        else:
            lines += _missing_in_operation(spec, operation_id, keys[operation_id], wanted)
    for schema, fields in FIELDS.items():
        if schema not in spec.schemas:
            lines.append(f"schema {schema} is missing")
        else:
            lines += _missing_fields(spec, schema, fields)
    return lines


def _missing_in_operation(spec: Description, operation_id: str, key: tuple[str, str], wanted: Operation) -> list[str]:
    if request_line(key) != wanted.request:
        return [f"operation {operation_id} is {request_line(key)}, not {wanted.request}"]
    lines = []
    parameters = spec.parameters(key)
    names = [part[1:-1] for part in key[1].split("/") if part.startswith("{")]
    for place, name, values in (
        *(("path", name, ["id"]) for name in names),
        *(("query", name, values) for name, values in wanted.query.items()),
    ):
        if (place, name) not in parameters:
            lines.append(f"operation {operation_id}: {place} parameter {name} is missing")
            continue
        # References in the schema are to the description's components.
        schema = {"allOf": [parameters[place, name].get("schema", {})], "components": spec.components}
        refused = [value for value in values if not OAS31Validator(schema).is_valid(value)]
        lines += [f"operation {operation_id}: {place} parameter {name} does not take {value!r}" for value in refused]
    for (place, name), parameter in parameters.items():
        if parameter.get("required") and place != "path" and name not in wanted.query:
            lines.append(f"operation {operation_id}: {place} parameter {name} is required, and the facade sends none")
    answer = spec.part(spec.operations[key]["responses"].get("200", {}))
    content = answer.get("content", {}).get("application/json", {}).get("schema", {})
    if spec.named(content)[0] != wanted.answer:
        lines.append(f"operation {operation_id}: its answer 200 is no {wanted.answer}")
    return lines


def _missing_fields(spec: Description, schema: str, fields: dict[str, str]) -> list[str]:
    lines = []
    gone: list[str] = []
    for field, type_ in fields.items():
        if field.startswith(tuple(gone)):
            continue
        forms = spec.field(schema, field)
        if not any(form.type == type_ for form in forms):
            gone += [f"{field}.", f"{field}["]
            lines.append(f"field {schema}.{field} is {f'no {type_}' if forms else 'missing'}")
        value = VALUES.get((schema, field))
        if value and forms and not any(form.values is None or value in form.values for form in forms):
            lines.append(f"field {schema}.{field} is never {value!r}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(description="Check that the pinned spec has what the facade relies on.")
    parser.add_argument("--spec", type=Path, default=ROOT / "openapi" / "openapi.yaml", help="the pinned spec")
    arguments = parser.parse_args(argv)
    try:
        lines = missing(load(arguments.spec))
    except SpecError as error:
        print(f"relied_on: {arguments.spec}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"relied_on: {arguments.spec}: {error.strerror}", file=sys.stderr)
        return 2
    if lines:
        heading = f"{arguments.spec} lacks what the facade relies on (scripts/spec/relied_on.py):"
        print(heading, *lines, sep="\n", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
