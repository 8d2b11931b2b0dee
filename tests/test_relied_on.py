"""What the facade relies on: each of it, taken away from the pinned spec, is named; and the list has all of it."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from facade import FILE_SEARCH_RESULT_CONTENT, _operations
from facade._arguments import PageQuery, RunKey
from facade.archive._answering import COLLECTIONS, CONTENT_PATH
from scripts.spec import description, relied_on

ROOT = Path(__file__).resolve().parent.parent

PINNED = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
FIELDS = [(schema, field) for schema, fields in relied_on.FIELDS.items() for field in fields]
PARAMETERS = [(name, query) for name, operation in relied_on.OPERATIONS.items() for query in operation.query]
PATH_PARAMETERS = [("getRun", "run_id"), ("listRuns", "thread_id"), ("getRunStep", "step_id")]

# Words that happen to be fields of answers too, and are not read from any: the error envelope is read whatever the
# spec says of it, which only its later versions do, "name" is that of a parameter in the server's errors, and "url" one
# of a request.
NOT_READ = {"error", "message", "param", "name", "detail", "url"}


@pytest.fixture
def spec() -> dict[str, Any]:
    """A copy of the pinned spec to take things away from."""
    return copy.deepcopy(PINNED)


def operation(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Give an operation by its id."""
    (found,) = (item for path in spec["paths"].values() for item in path.values() if item["operationId"] == name)
    return found


def holders(spec: dict[str, Any], schema: str, field: str) -> Iterator[dict[str, Any]]:
    """Give every `properties` that has a field, by the schema that is read and the path in it."""
    *parents, name = field.replace("[]", ".[]").split(".")
    nodes = [spec["components"]["schemas"][schema]]
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


@pytest.mark.parametrize(("schema", "field"), FIELDS)
def test_a_field_that_is_taken_away_is_named(schema: str, field: str, spec: dict[str, Any]) -> None:
    """By its schema and path; what was within it is not listed besides."""
    for properties in list(holders(spec, schema, field)):
        del properties[field.split(".")[-1]]

    lines = relied_on.missing(spec)

    assert f"field {schema}.{field} is missing" in lines
    assert not [line for line in lines if f" {schema}.{field}." in line or f" {schema}.{field}[" in line]


def test_a_field_of_another_type_is_named(spec: dict[str, Any]) -> None:
    """The facade reads an id as a text."""
    spec["components"]["schemas"]["RunObject"]["properties"]["id"] = {"type": "integer"}

    assert "field RunObject.id is no string" in relied_on.missing(spec)


def test_a_value_that_is_taken_away_is_named(spec: dict[str, Any]) -> None:
    """The facade knows a run by what its `object` says."""
    spec["components"]["schemas"]["RunObject"]["properties"]["object"]["enum"] = ["run"]

    assert relied_on.missing(spec) == ["field RunObject.object is never 'thread.run'"]


@pytest.mark.parametrize("schema", relied_on.FIELDS)
def test_a_schema_that_is_renamed_is_named(schema: str, spec: dict[str, Any]) -> None:
    """Once, and not with each of its fields."""
    spec["components"]["schemas"]["Renamed"] = spec["components"]["schemas"].pop(schema)
    text = yaml.safe_dump(spec).replace(f"#/components/schemas/{schema}'", "#/components/schemas/Renamed'")
    lines = relied_on.missing(yaml.safe_load(text))

    assert f"schema {schema} is missing" in lines
    assert not [line for line in lines if line.startswith(f"field {schema}.")]


@pytest.mark.parametrize("name", relied_on.OPERATIONS)
def test_an_operation_that_is_taken_away_renamed_or_moved_is_named(name: str, spec: dict[str, Any]) -> None:
    """By its id, with its request line."""
    request = relied_on.OPERATIONS[name].request
    path = request.split()[1]
    moved = copy.deepcopy(spec)
    moved["paths"][f"{path}/all"] = {"get": moved["paths"][path].pop("get")}
    operation(spec, name)["operationId"] = "renamed"

    assert relied_on.missing(spec) == [f"operation {name} ({request}) is missing"]
    assert relied_on.missing(moved) == [f"operation {name} is {request}/all, not {request}"]


@pytest.mark.parametrize(("name", "parameter"), [*PARAMETERS, *PATH_PARAMETERS])
def test_a_parameter_that_is_taken_away_is_named(name: str, parameter: str, spec: dict[str, Any]) -> None:
    """With its operation."""
    parameters = operation(spec, name)["parameters"]
    (found,) = (item for item in parameters if item["name"] == parameter)
    parameters.remove(found)

    assert relied_on.missing(spec) == [f"operation {name}: {found['in']} parameter {parameter} is missing"]


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


def test_a_parameter_that_must_be_sent_is_named(spec: dict[str, Any]) -> None:
    """The facade does not know it."""
    operation(spec, "getRun")["parameters"].append({"name": "view", "in": "query", "required": True, "schema": {}})

    lines = relied_on.missing(spec)

    assert lines == ["operation getRun: query parameter view is required, and the facade sends none"]


def test_another_answer_is_named(spec: dict[str, Any]) -> None:
    """A run is read as a RunObject."""
    operation(spec, "getRun")["responses"] = operation(spec, "listRuns")["responses"]

    assert relied_on.missing(spec) == ["operation getRun: its answer 200 is no RunObject"]


def test_the_list_has_every_operation_and_parameter_that_the_facade_sends() -> None:
    """What its requests are made of is what is listed, and the server serves the same paths."""
    page = PageQuery(20, "asc", "a", "b", (FILE_SEARCH_RESULT_CONTENT,))
    run = RunKey("{thread_id}", "{run_id}")
    calls = {
        "getRun": _operations.get_run(*run),
        "listRuns": _operations.list_runs(run.thread_id, page),
        "getRunStep": _operations.get_run_step(run, "{step_id}", page.include),
        "listRunSteps": _operations.list_run_steps(run, page),
    }

    sent = {
        name: (f"{call.method} {call.path}".replace("%7B", "{").replace("%7D", "}"), {key for key, _ in call.query})
        for name, call in calls.items()
    }

    assert sent == {name: (wanted.request, set(wanted.query)) for name, wanted in relied_on.OPERATIONS.items()}
    for wanted in relied_on.OPERATIONS.values():
        words = tuple(word for word in wanted.request.partition("/")[2].split("/") if not word.startswith("{"))
        assert words in COLLECTIONS, wanted.request


def test_the_list_has_every_field_that_the_facade_names() -> None:
    """A field of an answer whose name stands in the facade is listed, or known to be none."""
    spec = description.Description(PINNED)
    answers = spec.schemas_of([item["responses"] for item in spec.operations.values()])
    fields = {
        name for schema in answers for form in spec.forms(spec.schemas[schema]) for name in properties_in(form.node)
    }
    listed = {name for _, field in FIELDS for name in field.replace("[]", "").split(".")}

    named = {
        node.value: str(file.relative_to(ROOT))
        for file in (ROOT / "facade").rglob("*.py")
        if not file.name.startswith("sample")  # they write whole objects
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in fields
    }

    assert {name: file for name, file in named.items() if name not in listed | NOT_READ} == {}
    assert listed <= named.keys() | set(CONTENT_PATH)


def properties_in(node: Any) -> Iterator[str]:
    """Give the names of all fields in a schema."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for part in node.values():
            yield from properties_in(part)
    elif isinstance(node, list):
        for part in node:
            yield from properties_in(part)


@pytest.mark.parametrize("name", relied_on.OPERATIONS)
def test_the_generated_modules_are_called_as_listed(name: str) -> None:
    """Each takes the parameters by the names that the facade gives them by."""
    wanted = relied_on.OPERATIONS[name]
    module = importlib.import_module(f"openai_thread_runs_api.api.assistants.{wanted.module}")
    in_path = {part.strip("{}") for part in wanted.request.split("/") if part.startswith("{")}

    taken = inspect.signature(module._get_kwargs).parameters.keys()

    assert in_path | {query.removesuffix("[]") for query in wanted.query} == taken


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
        "operation getRun (GET /threads/{thread_id}/runs/{run_id}) is missing",
    ]
    assert relied_on.main(["--spec", str(tmp_path / "none.yaml")]) == 2
