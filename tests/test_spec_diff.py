"""Comparing pinned specs: what differs, for whom it breaks something, and which version that calls for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from scripts.spec import diff as spec_diff
from scripts.spec import differences as diff
from scripts.spec.comparing import describe

ROOT = Path(__file__).resolve().parent.parent

READERS: frozenset[Literal["readers", "writers"]] = frozenset({"readers"})
WRITERS: frozenset[Literal["readers", "writers"]] = frozenset({"writers"})
BOTH, NOBODY = READERS | WRITERS, READERS & WRITERS
PINNED = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)


def ref(name: str) -> dict[str, str]:
    """Give a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def pinned(it: Any = None, required: bool = False, **schemas: Any) -> dict[str, Any]:
    """Give a pinned spec: a run that is read and sent, and has a field `it` where one is given."""
    run: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}}
    if it is not None:
        run["properties"]["it"] = it
    if required:
        run["required"] = ["it"]
    content = {"application/json": {"schema": ref("Run")}}
    answers = {"200": {"description": "The run.", "content": content}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100, "default": 20}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Thread runs and run steps", "version": "1"},
        "paths": {
            "/threads/{thread_id}/runs": {
                "get": {"operationId": "listRuns", "parameters": [limit], "responses": copy.deepcopy(answers)},
                "post": {
                    "operationId": "createRun",
                    "requestBody": {"required": True, "content": copy.deepcopy(content)},
                    "responses": copy.deepcopy(answers),
                },
            }
        },
        "components": {"schemas": {"Run": run, **schemas}},
    }


def only(old: dict[str, Any], new: dict[str, Any]) -> Any:
    """Give the one difference between two specs."""
    (difference,) = describe(old, new)
    return difference


def code(name: str) -> dict[str, Any]:
    """Give the schema of an object of a kind."""
    return {"type": "object", "properties": {"type": {"type": "string", "enum": [name]}}}


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


@pytest.mark.parametrize(
    ("old", "new", "words", "breaks"),
    [
        (None, STRING, "added", NOBODY),
        (STRING, None, "removed", BOTH),
        (STRING, INTEGER, "is an integer now, was a text", BOTH),
        (INTEGER, NUMBER, "is a number now, was an integer", READERS),
        (NUMBER, INTEGER, "is an integer now, was a number", WRITERS),
        (STRING, {}, "is anything now, was a text", READERS),
        (STRING, {"type": ["string", "null"]}, "may be null now", READERS),
        ({"type": ["string", "null"]}, STRING, "is never null now", WRITERS),
        (STRING, {"anyOf": [STRING, INTEGER]}, "may be an integer too", READERS),
        ({"anyOf": [STRING, INTEGER]}, STRING, "is never an integer now", WRITERS),
        ({**STRING, "enum": ["a"]}, {**STRING, "enum": ["a", "b"]}, "`b` too", NOBODY),
        ({**STRING, "enum": ["a", "b"]}, {**STRING, "enum": ["a"]}, "no longer `b`", WRITERS),
        ({**STRING, "enum": ["a"]}, {**STRING, "enum": ["b"]}, "`a` → `b`", BOTH),
        (STRING, {**STRING, "enum": ["a"]}, "one of `a` now, was any", WRITERS),
        ({**STRING, "enum": ["a"]}, STRING, "any value now, was one of `a`", NOBODY),
        ({**INTEGER, "maximum": 9}, {**INTEGER, "maximum": 8}, "maximum `9` → `8`", WRITERS),
        ({**INTEGER, "maximum": 9}, {**INTEGER, "maximum": 10}, "maximum `9` → `10`", READERS),
        ({**INTEGER, "minimum": 1}, {**INTEGER, "minimum": 2}, "minimum `1` → `2`", WRITERS),
        ({**INTEGER, "minimum": 2}, {**INTEGER, "minimum": 1}, "minimum `2` → `1`", READERS),
        (STRING, {**STRING, "maxLength": 5}, "maxLength `5`, was not said", WRITERS),
        ({**STRING, "maxLength": 5}, STRING, "maxLength is no longer said, was `5`", READERS),
        ({**STRING, "pattern": "a"}, {**STRING, "pattern": "b"}, "pattern `a` → `b`", BOTH),
        ({**STRING, "default": "a"}, {**STRING, "default": "b"}, "default `a` → `b`", WRITERS),
        (INTEGER, {**INTEGER, "format": "unixtime"}, "format `unixtime`, was not said", NOBODY),
        (
            {"type": "array", "items": STRING},
            {"type": "array", "items": INTEGER},
            "is an integer now, was a text",
            BOTH,
        ),
        (
            {"type": "object", "additionalProperties": STRING},
            {"type": "object", "additionalProperties": False},
            "other fields are refused now",
            WRITERS,
        ),
    ],
)
def test_a_field_breaks_whom_it_should(old: Any, new: Any, words: str, breaks: set[str]) -> None:
    """What an answer no longer promises breaks readers, what a request may no longer hold breaks writers."""
    difference = only(pinned(old), pinned(new))

    assert (difference.words, difference.breaks) == (words, breaks)
    assert difference.place.startswith("Run.it")
    assert difference.touches == BOTH


@pytest.mark.parametrize(("was_required", "is_required", "breaks"), [(False, True, WRITERS), (True, False, READERS)])
def test_required_keys(was_required: bool, is_required: bool, breaks: set[str]) -> None:
    """A key that must be there now breaks writers, one that may be missing now breaks readers."""
    assert only(pinned(STRING, was_required), pinned(STRING, is_required)).breaks == breaks


def test_a_new_field_that_must_be_sent_breaks_writers() -> None:
    """It is one difference: that it is new and that it is required."""
    difference = only(pinned(), pinned(STRING, required=True))

    assert (difference.words, difference.breaks) == ("added, and required", WRITERS)


def test_a_new_kind_of_object_breaks_nobody() -> None:
    """Kinds are open: the models read an unknown one; one that is gone can no longer be sent."""
    one, two = pinned({"oneOf": [code("a")]}), pinned({"oneOf": [code("a"), code("b")]})

    assert only(one, two).breaks == NOBODY
    assert only(two, one).breaks == WRITERS


def test_values_beside_any_text_are_suggestions() -> None:
    """A value that goes from a list beside a plain text can be sent still."""
    old, new = ({"anyOf": [STRING, {**STRING, "enum": values}]} for values in (["a", "b"], ["a"]))

    assert only(pinned(old), pinned(new)).breaks == NOBODY


def test_a_shared_schema_is_reported_once() -> None:
    """With the operations that it is part of, and whom it touches by the sides that it is on."""
    difference = only(pinned(ref("Part"), Part=code("a")), pinned(ref("Part"), Part={**code("a"), "minProperties": 1}))

    assert (difference.owner, difference.operations) == ("Part", ("createRun", "listRuns"))
    assert (difference.touches, difference.breaks) == (BOTH, WRITERS)


def test_what_is_only_read_touches_readers() -> None:
    """A schema that no request holds is no matter of a writer's."""
    old, new = pinned(), pinned()
    for spec, type_ in ((old, "string"), (new, "integer")):
        spec["components"]["schemas"]["Page"] = {"type": "object", "properties": {"last_id": {"type": type_}}}
        spec["paths"]["/threads/{thread_id}/runs"]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ] = ref("Page")

    difference = only(old, new)

    assert (difference.place, difference.touches, difference.breaks) == ("Page.last_id", READERS, READERS)


def test_a_renamed_schema_is_compared_under_its_old_name() -> None:
    """The name itself is a breaking difference (models are imported by it), and what changed in it is another."""
    old = pinned(ref("Old"), Old={"type": "object", "properties": {"a": STRING}})
    new = pinned(ref("New"), New={"type": "object", "properties": {"a": STRING, "b": STRING}})

    field, name = describe(old, new)

    assert (field.place, field.words, field.breaks) == ("Old.b", "added", NOBODY)
    assert (name.place, name.words, name.breaks) == ("Old", "is called `New` now", BOTH)


def test_the_form_that_a_schema_is_written_in_is_no_difference() -> None:
    """In place or by reference, in one part or several, null said in either way."""
    whole = {"type": ["object", "null"], "properties": {"a": STRING, "b": INTEGER}, "required": ["a"]}
    parts = {
        "anyOf": [
            {"allOf": [ref("A"), {"type": "object", "properties": {"b": {"allOf": [INTEGER, NUMBER]}}}]},
            {"type": "null"},
        ]
    }
    a = {"type": "object", "properties": {"a": STRING}, "required": ["a"]}

    assert describe(pinned(whole), pinned(parts, A=a)) == []


def test_null_that_a_shared_schema_lets_be_is_reported_there() -> None:
    """Once, however many fields are of that schema."""
    old, new = pinned(ref("Part"), Part=code("a")), pinned(ref("Part"), Part={**code("a"), "type": ["object", "null"]})
    for spec in (old, new):
        spec["components"]["schemas"]["Run"]["properties"]["other"] = ref("Part")

    assert only(old, new).place == "Part"


def test_operations_come_and_go() -> None:
    """An operation that is gone breaks everybody, a new one nobody; what only it used is not listed as well."""
    old, new = pinned(), pinned()
    del new["paths"]["/threads/{thread_id}/runs"]["post"]

    gone, came = only(old, new), only(new, old)

    assert (gone.place, gone.breaks) == ("createRun", BOTH)
    assert gone.words == "removed (POST /threads/{thread_id}/runs)"
    assert (came.place, came.breaks) == ("createRun", NOBODY)
    assert came.words == "added (POST /threads/{thread_id}/runs)"


def test_an_operation_that_moves_or_is_renamed_is_the_same_one() -> None:
    """It is one breaking difference, not one that went and one that came."""
    renamed, moved = pinned(), pinned()
    renamed["paths"]["/threads/{thread_id}/runs"]["get"]["operationId"] = "getRuns"
    moved["paths"]["/threads/{thread_id}/all_runs"] = {"get": moved["paths"]["/threads/{thread_id}/runs"].pop("get")}

    assert only(pinned(), renamed).words == "is called `getRuns` now"
    assert only(pinned(), moved).words == "`GET /threads/{thread_id}/runs` → `GET /threads/{thread_id}/all_runs`"
    assert only(pinned(), moved).breaks == BOTH


@pytest.mark.parametrize(
    ("update", "words", "breaks"),
    [
        ({"required": True}, "is required now", BOTH),
        ({"name": "size"}, None, BOTH),
        ({"schema": {"type": "integer", "maximum": 50, "default": 20}}, "maximum `100` → `50`", BOTH),
        ({"schema": {"type": "integer", "maximum": 200, "default": 20}}, "maximum `100` → `200`", NOBODY),
        ({"deprecated": True}, "deprecated `true`, was not said", NOBODY),
    ],
)
def test_parameters_of_a_get_concern_readers_too(update: dict[str, Any], words: str | None, breaks: set[str]) -> None:
    """Who reads sends them."""
    new = pinned()
    new["paths"]["/threads/{thread_id}/runs"]["get"]["parameters"][0].update(update)

    differences = describe(pinned(), new)

    assert differences[0].place == "listRuns query parameter limit"
    assert differences[0].breaks == breaks
    assert words is None or differences[0].words == words


def test_answers_and_bodies_come_and_go() -> None:
    """Without its answer an operation breaks readers, without its body writers; an error that is gone is a detail."""
    new, lesser = pinned(), pinned()
    post = new["paths"]["/threads/{thread_id}/runs"]["post"]
    del post["requestBody"], post["responses"]["200"]
    post["responses"]["404"] = {"description": "None."}
    lesser["paths"]["/threads/{thread_id}/runs"]["post"]["responses"]["404"] = {"description": "None."}

    found = {item.place: (item.words, item.breaks) for item in describe(pinned(), new)}

    assert found["createRun body"] == ("removed", WRITERS)
    assert found["createRun answer 200"] == ("removed", READERS)
    assert found["createRun answer 404"] == ("added", NOBODY)
    assert only(lesser, pinned()).breaks == NOBODY


def test_bump_is_the_highest_that_is_called_for() -> None:
    """Major for what breaks somebody, minor for what does not, patch for an annotation, none for nothing."""
    annotated = {**STRING, "format": "id"}

    bumps = [
        diff.bump(describe(pinned(old), pinned(new)))
        for old, new in ((STRING, STRING), (STRING, annotated), (None, annotated), (annotated, None))
    ]

    assert bumps == ["none", "patch", "minor", "major"]


def test_prose_is_no_difference() -> None:
    """Descriptions are the project's own words."""
    assert describe(pinned(STRING), pinned({**STRING, "description": "A text."})) == []


def test_no_part_of_the_pinned_spec_can_go_unnoticed() -> None:
    """Whatever field, requirement, value, bound, parameter or answer is taken out of it is reported, both ways."""
    spoken_of = {"properties", "required", "enum", "parameters", "responses", "oneOf", "anyOf"}

    def parts(node: Any, path: tuple[Any, ...] = ()) -> Any:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            is_bound = str(key).startswith(("min", "max")) and not isinstance(value, dict)
            if is_bound or (path and path[-1] in spoken_of):
                yield (*path, key)
            yield from parts(value, (*path, key))

    # A sample: every part takes a few milliseconds.
    for path in list(parts(PINNED))[::11]:
        changed = copy.deepcopy(PINNED)
        *_, parent, owner = walked(changed, path[:-1])
        is_referred_to = path[:2] == ("components", "responses") and len(path) == 3
        is_of_no_object = path[-2] == "required" and "properties" not in parent  # upstream's slip
        if is_referred_to or is_of_no_object:
            continue
        del owner[path[-1]]

        assert describe(PINNED, changed), path
        assert describe(changed, PINNED), path


def walked(spec: Any, path: tuple[Any, ...]) -> list[Any]:
    """Give the spec and what each step of a path leads to."""
    nodes = [spec]
    for key in path:
        nodes.append(nodes[-1][key])
    return nodes


def write(path: Path, spec: dict[str, Any]) -> str:
    """Write a spec to a file and give its path."""
    path.write_text(yaml.safe_dump(spec), "utf-8")
    return str(path)


def test_command_prints_words_and_the_version_called_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The breaking ones first, by operation and schema; without --exit-code it ends with 0."""
    base = write(tmp_path / "base.yaml", pinned(STRING, Gone=STRING))
    spec = write(tmp_path / "spec.yaml", pinned(INTEGER) | {"x-more": 1})

    assert spec_diff.main([spec, "--base", base]) == 0

    assert capsys.readouterr().out == (
        "1 difference, 1 of them breaking: a new major version is called for.\n"
        "\n"
        "Breaking:\n"
        "  Run, part of createRun, listRuns\n"
        "    it: is an integer now, was a text (breaks readers and writers)\n"
    )


def test_command_prints_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names stand in backticks, and none of them ends these early or begins a line."""
    base = write(tmp_path / "base.yaml", pinned())
    new = pinned()
    new["components"]["schemas"]["Run"]["properties"]["a`\n# b"] = STRING
    spec = write(tmp_path / "spec.yaml", new)

    spec_diff.main([spec, "--base", base, "--format", "markdown"])

    assert capsys.readouterr().out.splitlines()[2:] == [
        "### Not breaking",
        "",
        "- `Run`, part of `createRun`, `listRuns`",
        "  - `a' # b`: added (for readers and writers)",
    ]


def test_equal_words_stand_in_one_line() -> None:
    """Of several places of an owner, and of several owners; the headline counts the differences still."""
    new = pinned()
    new["components"]["schemas"]["Run"]["properties"] |= {"a": STRING, "b": STRING, "c": INTEGER}
    for operation in new["paths"]["/threads/{thread_id}/runs"].values():
        operation["responses"]["429"] = {"description": "Later."}
    new["paths"]["/threads/{thread_id}/runs"]["get"]["responses"]["404"] = {"description": "None."}

    differences = describe(pinned(), new)

    assert diff.as_text(differences).splitlines() == [
        "6 differences, none of them breaking: a new minor version is called for.",
        "",
        "Not breaking:",
        "  listRuns",
        "    answer 404: added (for readers)",
        "  listRuns, createRun",
        "    answer 429: added (for readers)",
        "  Run, part of createRun, listRuns",
        "    a, b, c: added (for readers and writers)",
    ]


def test_values_that_are_names_only_are_called_so() -> None:
    """A list of values beside a plain text takes any other; one alone does not."""
    one, two = {**STRING, "enum": ["a"]}, {**STRING, "enum": ["a", "b"]}

    suggested = diff.as_text(describe(pinned({"anyOf": [STRING, one]}), pinned({"anyOf": [STRING, two]})))
    closed = diff.as_text(describe(pinned(one), pinned(two)))

    assert "`b` too; names only: any other value is still taken (for readers and writers)" in suggested
    assert "`b` too (for readers and writers)" in closed


@pytest.mark.parametrize(("it", "code"), [(None, 0), (STRING, 1)])
def test_exit_code_says_whether_something_differs(it: Any, code: int, tmp_path: Path) -> None:
    """0 for nothing, 1 for what breaks nobody; 3 the other way round."""
    base, spec = write(tmp_path / "base.yaml", pinned()), write(tmp_path / "spec.yaml", pinned(it))

    assert spec_diff.main([spec, "--base", base, "--exit-code"]) == code
    assert spec_diff.main([base, "--base", spec, "--exit-code"]) == 3 * code


@pytest.mark.parametrize("content", [None, "a: [", "openapi: 3.0.0", "[]"])
def test_what_cannot_be_compared_is_an_error(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the file, and 2."""
    spec = tmp_path / "spec.yaml"
    if content is not None:
        spec.write_text(content)

    assert spec_diff.main([str(spec), "--exit-code"]) == 2

    error = capsys.readouterr().err
    assert error.startswith(f"spec-diff: {spec}: ")
    assert error.count("\n") == 1


def test_a_whole_description_is_pinned_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the pin leaves out makes no difference, and nothing is written."""
    whole = copy.deepcopy(PINNED) | {"info": {"title": "An API", "version": "1"}}
    whole["paths"]["/models"] = {"get": {"responses": {"200": {"description": "Models."}}}}

    assert spec_diff.main([write(tmp_path / "whole.yaml", whole), "--exit-code"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["whole.yaml"]
