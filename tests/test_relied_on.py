"""What the facade relies on and a type checker cannot see: taken away from the pinned spec, it is named."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import facade
from facade import FILE_SEARCH_RESULT_CONTENT
from facade._operations import OPERATIONS
from facade.archive._answering import COLLECTIONS
from scripts.spec import relied_on

ROOT = Path(__file__).resolve().parent.parent
PINNED = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
IDS = {operation.method: operation.operation_id for operation in OPERATIONS}
FIELDS = [(resource, field) for resource, fields in relied_on.FIELDS.items() for field in fields]


@pytest.fixture
def spec() -> dict[str, Any]:
    """A copy of the pinned spec to take things away from."""
    return copy.deepcopy(PINNED)


def operation(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Give an operation by its id."""
    operations: Iterator[dict[str, Any]] = (item for path in spec["paths"].values() for item in path.values())
    return next(item for item in operations if item["operationId"] == name)


def answer(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Give the schema of an operation's answer."""
    reference = operation(spec, name)["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    schema: dict[str, Any] = spec["components"]["schemas"][reference.split("/")[-1]]
    return schema


def holders(spec: dict[str, Any], schema: dict[str, Any], field: str) -> Iterator[dict[str, Any]]:
    """Give every `properties` that has a field, by the schema that is read and the path in it."""
    *parents, name = field.replace("[]", ".[]").split(".")
    nodes = [schema]
    for step in [*parents, None]:
        whole: list[dict[str, Any]] = []
        while nodes:
            node = nodes.pop()
            if "$ref" in node:
                node = spec["components"]["schemas"][node["$ref"].split("/")[-1]]
            nodes += [member for key in ("allOf", "anyOf", "oneOf") for member in node.get(key, [])]
            whole.append(node)
        if step is None:
            yield from (node["properties"] for node in whole if name in node.get("properties", {}))
        elif step == "[]":
            nodes = [node["items"] for node in whole if "items" in node]
        else:
            nodes = [node["properties"][step] for node in whole if step in node.get("properties", {})]


def test_the_pinned_spec_has_all_of_it(spec: dict[str, Any]) -> None:
    """So `make check` passes."""
    assert relied_on.missing(spec) == []


@pytest.mark.parametrize(("resource", "field"), FIELDS)
def test_a_field_that_is_taken_away_is_named(resource: str, field: str, spec: dict[str, Any]) -> None:
    """For each operation that answers with it, alone or in a page."""
    for properties in list(holders(spec, answer(spec, IDS[f"{resource}.get"]), field)):
        del properties[field.split(".")[-1]]

    lines = relied_on.missing(spec)

    assert f"operation {IDS[f'{resource}.get']}: its answer has no field {field}" in lines
    page = IDS.get(f"{resource}.list")
    assert page is None or f"operation {page}: its answer has no field data[].{field}" in lines


@pytest.mark.parametrize("field", ["data", "has_more", "last_id"])
def test_what_makes_a_page_is_named(field: str, spec: dict[str, Any]) -> None:
    """Pages are read as JSON, by these fields."""
    del answer(spec, "listRunSteps")["properties"][field]

    assert f"operation listRunSteps: its answer has no field {field}" in relied_on.missing(spec)


def test_a_field_of_another_type_is_named(spec: dict[str, Any]) -> None:
    """The facade reads an id as a text."""
    answer(spec, "getRun")["properties"]["id"] = {"type": "integer"}

    assert "operation getRun: the field id of its answer is no string" in relied_on.missing(spec)


def test_a_value_that_is_taken_away_is_named(spec: dict[str, Any]) -> None:
    """The facade knows a run by what its `object` says."""
    answer(spec, "getRun")["properties"]["object"]["enum"] = ["run"]

    assert "operation getRun: the field object of its answer is never 'thread.run'" in relied_on.missing(spec)


@pytest.mark.parametrize("name", IDS.values())
def test_an_operation_that_is_taken_away_is_named(name: str, spec: dict[str, Any]) -> None:
    """By its id."""
    operation(spec, name)["operationId"] = "renamed"

    assert relied_on.missing(spec) == [f"operation {name} is missing"]


@pytest.mark.parametrize(
    ("parameter", "schema", "refused"),
    [
        ("limit", {"type": "integer", "maximum": 50}, "100"),
        ("order", {"type": "string", "enum": ["desc"]}, "'asc'"),
        ("after", {"type": "integer"}, "'id'"),
        ("include[]", {"type": "array", "items": {"enum": ["other"]}}, repr([FILE_SEARCH_RESULT_CONTENT])),
    ],
)
def test_a_parameter_that_refuses_what_the_facade_sends_is_named(
    parameter: str, schema: dict[str, Any], refused: str, spec: dict[str, Any]
) -> None:
    """With the value."""
    for item in operation(spec, "listRunSteps")["parameters"]:
        if item["name"] == parameter:
            item["schema"] = schema

    assert relied_on.missing(spec) == [f"operation listRunSteps: query parameter {parameter} does not take {refused}"]


def test_every_resource_of_the_client_has_its_fields() -> None:
    """A new one has to say what is read of its answers."""
    assert relied_on.FIELDS.keys() == {method.partition(".")[0] for method in IDS}


def test_the_value_of_include_is_the_facade_s() -> None:
    """The table names the value that the facade has a name for."""
    assert relied_on.SENT["include[]"] == [[facade.FILE_SEARCH_RESULT_CONTENT]]


def test_an_archive_serves_every_operation_that_reads() -> None:
    """By the same paths as the description has it."""
    paths = {item["operationId"]: path for path, each in PINNED["paths"].items() for item in each.values()}
    reads = [paths[operation.operation_id] for operation in OPERATIONS if operation.kind != "write"]

    assert {tuple(re.findall(r"/(\w+)", path)) for path in reads} == COLLECTIONS.keys()


def test_command_names_what_is_missing(
    spec: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line each, and 1; 0 and nothing for the committed spec; 2 for a file that is none."""
    file = tmp_path / "openapi.yaml"
    operation(spec, "getRun")["operationId"] = "fetchRun"
    file.write_text(yaml.safe_dump(spec))

    assert relied_on.main([]) == 0
    assert capsys.readouterr() == ("", "")
    assert relied_on.main(["--spec", str(file)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{file} lacks what the facade relies on (scripts/spec/relied_on.py):",
        "operation getRun is missing",
    ]
    assert relied_on.main(["--spec", str(tmp_path / "none.yaml")]) == 2
