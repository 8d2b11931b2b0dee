"""Check that a pinned description takes what the facade sends, and answers with the fields that it reads.

    python -m scripts.spec.relied_on [--spec FILE]

This is what a type checker cannot see: `facade/_operations.py` calls the generated functions by their parameters'
names, but values are only texts there, and pages and failures are read from JSON. Names what is missing, a line each,
and ends with 1 where something is, with 2 where the file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS31Validator

from facade._operations import OPERATIONS, Operation
from scripts.spec.description import Description, Key
from scripts.spec.reading import FileError, about, load

ROOT = Path(__file__).resolve().parents[2]

# Values that the facade sends, and fields that it reads; that file says how they are written.
_TABLE: dict[str, dict[str, Any]] = load(Path(__file__).with_suffix(".yaml"))
SENT, _PAGE, FIELDS = _TABLE["sent"], _TABLE["page"], _TABLE["fields"]


def missing(document: dict[str, Any]) -> list[str]:
    """Name what a pinned description lacks.

    Args:
        document: the description, as `pin` gives it

    Returns:
        A line for each operation that is not there, each value that one does not take, and each field that it does not
        answer with, or not in the type that the facade relies on.
    """
    spec = Description(document)
    keys = {spec.operation_id(key): key for key in spec.operations}
    return [
        f"operation {wanted.operation_id}{line}"
        for wanted in OPERATIONS
        for line in _lacks(spec, wanted, keys.get(wanted.operation_id))
    ]


def _lacks(spec: Description, wanted: Operation, key: Key | None) -> Iterator[str]:
    if key is None:
        yield " is missing"
        return
    for (place, name), parameter in spec.parameters(key).items():
        # References in the schema are to the description's components.
        schema = {"allOf": [parameter.get("schema", {})], "components": spec.components}
        for value in ["id"] if place == "path" else SENT.get(name, []):
            if not OAS31Validator(schema).is_valid(value):
                yield f": {place} parameter {name} does not take {value!r}"
    fields = FIELDS[wanted.method.partition(".")[0]]
    if wanted.kind == "page":
        fields = _PAGE | {f"data[].{field}": type_ for field, type_ in fields.items()}
    answer = spec.part(spec.operations[key]["responses"].get("200", {}))
    node = answer.get("content", {}).get("application/json", {}).get("schema", {})
    for field, form in fields.items():
        forms = spec.field(node, field)
        type_, value = ("string", form[1:]) if form.startswith("=") else (form, None)
        if not forms:
            yield f": its answer has no field {field}"
        elif not any(each.type == type_ for each in forms):
            yield f": the field {field} of its answer is no {type_}"
        elif value and not any(each.values is None or value in each.values for each in forms):
            yield f": the field {field} of its answer is never {value!r}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(description="Check that the pinned spec has what the facade relies on.")
    parser.add_argument("--spec", type=Path, default=ROOT / "openapi" / "openapi.yaml", help="the pinned spec")
    arguments = parser.parse_args(argv)
    try:
        with about(arguments.spec):
            lines = missing(load(arguments.spec))
    except FileError as error:
        print(f"relied_on: {error}", file=sys.stderr)
        return 2
    if lines:
        heading = f"{arguments.spec} lacks what the facade relies on (scripts/spec/relied_on.py):"
        print(heading, *lines, sep="\n", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
