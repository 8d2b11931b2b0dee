"""Pinning a spec: what is kept of a description, in which form, and what is refused."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from facade._operations import OPERATIONS
from scripts import pin
from scripts.spec import pinning
from scripts.spec.reading import SpecError, load

ROOT = Path(__file__).resolve().parent.parent

NO_OVERLAY = {"overlay": "1.0.0", "actions": [{"target": "$", "update": {}}]}


def description(schemas: dict[str, Any], path: str = "/threads/{thread_id}/runs", **more: Any) -> dict[str, Any]:
    """Give a whole description whose one operation on runs answers with the component `Run`."""
    names = re.findall(r"\{(\w+)\}", path)
    return {
        "openapi": "3.0.0",
        "info": {"title": "An API", "version": "2.0.0"},
        "paths": {
            path: {
                "get": {
                    "operationId": "listRuns",
                    "parameters": [
                        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
                    ],
                    "responses": {"200": {"description": "Upstream's words.", "content": json_of("Run")}},
                }
            }
        },
        "components": {"schemas": {"Run": {"type": "object"}, **schemas}},
        **more,
    }


def json_of(name: str) -> dict[str, Any]:
    """Give the content of an answer or a request that is a component."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def pinned_of(whole: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Give the pinned form of a description."""
    return pinning.pin(whole, overlay)[0]


def pinned_schemas(**schemas: Any) -> dict[str, Any]:
    """Give the pinned schemas of a description with these."""
    schemas_of: dict[str, Any] = pinned_of(description(schemas), NO_OVERLAY)["components"]["schemas"]
    return schemas_of


def pinned_property(schema: Any, **schemas: Any) -> Any:
    """Give the pinned form of a schema."""
    return pinned_schemas(Run={"type": "object", "properties": {"it": schema}}, **schemas)["Run"]["properties"]["it"]


class TestWhatIsKept:
    def test_only_runs_and_what_they_refer_to(self) -> None:
        """Operations on runs and reads beside them stay, with their components however far off; the rest goes."""
        whole = description(
            {
                "Run": {"properties": {"usage": {"$ref": "#/components/schemas/Usage"}}},
                "Usage": {"type": "object"},
                "Message": {"type": "object"},
                "Eval": {"type": "object"},
                "AssistantStreamEvent": {"$ref": "#/components/schemas/Delta"},
                "Delta": {"type": "object"},
            }
        )
        answers = {"responses": {"200": {"content": json_of("Message")}}}
        reads = [
            "/assistants/{assistant_id}",
            "/threads",
            "/threads/{thread_id}",
            "/threads/{thread_id}/messages",
            "/threads/{thread_id}/messages/{message_id}",
        ]
        for path in reads:
            names = re.findall(r"\{(\w+)\}", path)
            parameters = [{"name": name, "in": "path", "required": True, "schema": {}} for name in names]
            whole["paths"][path] = {"parameters": parameters, "get": answers, "post": {"writes": "not kept"}}
        for path in (
            "/assistants/{assistant_id}/files",
            "/evals/{eval_id}/runs",
            "/chatkit/threads/{thread_id}",
            "/chatkit/threads",
        ):
            whole["paths"][path] = {"get": {"responses": {"200": {"content": json_of("Eval")}}}}
        pinned = pinned_of(whole, NO_OVERLAY)
        assert {path: list(item) for path, item in pinned["paths"].items()} == {
            path: ["get"] for path in [*reads, "/threads/{thread_id}/runs"]
        }
        assert list(pinned["components"]) == ["schemas"]
        assert list(pinned["components"]["schemas"]) == ["AssistantStreamEvent", "Delta", "Message", "Run", "Usage"]

    @pytest.mark.parametrize(
        "path",
        [
            "/threads/runs",
            "/threads/{thread_id}/runs/{run_id}/steps/{step_id}",
            "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        ],
    )
    def test_every_path_on_runs(self, path: str) -> None:
        """A path counts wherever in a thread's runs it leads."""
        assert list(pinned_of(description({}, path), NO_OVERLAY)["paths"]) == [path]

    def test_a_prefix_is_left_out(self) -> None:
        """A prefix belongs to the base URL: it goes, and its own path parameters with it."""
        whole = description({}, "/api/projects/{project}/threads/{thread_id}/runs")
        operation = whole["paths"]["/api/projects/{project}/threads/{thread_id}/runs"]["get"]
        operation["parameters"].append({"name": "api-version", "in": "query", "required": True, "schema": {}})
        pinned = pinned_of(whole, NO_OVERLAY)["paths"]["/threads/{thread_id}/runs"]["get"]
        assert [parameter["name"] for parameter in pinned["parameters"]] == ["thread_id", "api-version"]

    def test_shared_parameters_join_the_operation(self) -> None:
        """A parameter of the path belongs to each of its operations, unless the operation has it itself."""
        whole = description({})
        item = whole["paths"]["/threads/{thread_id}/runs"]
        item["parameters"] = [
            {"name": "thread_id", "in": "path", "required": True, "schema": {"type": "integer"}},
            {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        ]
        parameters = pinned_of(whole, NO_OVERLAY)["paths"]["/threads/{thread_id}/runs"]["get"]["parameters"]
        assert {item["name"]: item["schema"]["type"] for item in parameters} == {
            "limit": "integer",
            "thread_id": "string",
        }

    def test_prose_goes_and_fields_stay(self) -> None:
        """Upstream's words and extensions go; a field that is called like one of them is a field."""
        field = {"type": "string", "title": "T", "description": "D", "example": "E", "x-note": "X"}
        names = ["title", "description", "example", "x-note", "nullable", "summary", "$comment"]
        schema = {"type": "object", "title": "T", "description": "D", "properties": dict.fromkeys(names, field)}
        assert pinned_schemas(Run=schema)["Run"] == {
            "type": "object",
            "properties": {name: {"type": "string"} for name in names},
        }
        assert "Upstream's words" not in str(pinned_of(description({}), NO_OVERLAY))

    def test_operations_have_one_tag_and_their_own_ids(self) -> None:
        """The tag decides the generated folder, the id the module: the first is fixed, the second upstream's."""
        operation = pinned_of(description({}), NO_OVERLAY)["paths"]["/threads/{thread_id}/runs"]["get"]
        assert (operation["tags"], operation["operationId"]) == (["Assistants"], "listRuns")

    def test_the_document_given_is_left_as_it_is(self) -> None:
        """Pinning changes nothing in what it is given."""
        whole = description({"Run": {"type": "object", "nullable": True, "title": "T"}})
        before = repr(whole)
        pinned_of(whole, {"overlay": "1.0.0", "actions": [{"target": "$.info", "update": {"summary": "S"}}]})
        assert repr(whole) == before


class TestForm:
    @pytest.mark.parametrize(
        ("upstream", "pinned"),
        [
            ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
            ({"type": "string", "nullable": False}, {"type": "string"}),
            ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["string", "null"]}),
            (
                {"oneOf": [{"type": "null"}, {"type": "integer"}], "default": 1},
                {"type": ["integer", "null"], "default": 1},
            ),
            (
                {"type": "object", "nullable": True, "properties": {"a": {}}},
                {"type": ["object", "null"], "properties": {"a": {}}},
            ),
            (
                {"type": "string", "nullable": True, "enum": ["a"], "default": "a"},
                {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}], "default": "a"},
            ),
            ({"type": "string", "enum": ["a", None]}, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
            ({"enum": [None]}, {"type": "null"}),
            ({"const": "a"}, {"enum": ["a"]}),
            ({"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/A"}),
            ({"$ref": "#/components/schemas/A", "description": "D"}, {"$ref": "#/components/schemas/A"}),
            ({"allOf": [{"$ref": "#/components/schemas/A"}, {"description": "D"}]}, {"$ref": "#/components/schemas/A"}),
            (
                {"$ref": "#/components/schemas/A", "nullable": True},
                {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            ),
            (
                {"allOf": [{"$ref": "#/components/schemas/A"}, {"nullable": True}]},
                {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            ),
            (
                {"$ref": "#/components/schemas/A", "default": {}},
                {"allOf": [{"$ref": "#/components/schemas/A"}], "default": {}},
            ),
            (
                {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/A"}], "nullable": True},
                {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            ),
            (
                {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}], "nullable": True},
                {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]},
            ),
            (
                {
                    "type": "object",
                    "properties": {"a": {}, "b": {}},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                },
                {"type": "object", "properties": {"a": {}, "b": {}}},
            ),
            (
                {"type": "array", "items": {}, "minItems": 1, "default": []},
                {"type": "array", "items": {}, "minItems": 1},
            ),
            ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
            ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
            ({"nullable": True}, {}),
        ],
    )
    def test_one_form_for_each_thing(self, upstream: dict[str, Any], pinned: dict[str, Any]) -> None:
        """What upstream says in several ways, of 3.0 and 3.1, the pinned spec says in one."""
        assert pinned_property(upstream, A={"type": "object"}) == pinned

    def test_a_component_may_hold_itself(self) -> None:
        """A tree refers to itself and is no circle."""
        tree = {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}}},
        }
        assert pinned_schemas(Run=tree)["Run"] == tree

    def test_responses_have_a_description(self) -> None:
        """OpenAPI wants a description of every response: without one in the overlay it is HTTP's own phrase."""
        whole = description({})
        whole["paths"]["/threads/{thread_id}/runs"]["get"]["responses"] = {"429": {}, "default": {}}
        responses = pinned_of(whole, NO_OVERLAY)["paths"]["/threads/{thread_id}/runs"]["get"]["responses"]
        assert {status: item["description"] for status, item in responses.items()} == {
            "429": "Too Many Requests",
            "default": "Any other answer",
        }

    def test_the_generator_takes_all_of_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The forms that the generator drops as upstream has them come out as types, null and all."""
        whole = description(
            {
                "Run": {
                    "title": "Text",
                    "type": "object",
                    "required": ["by_ref", "by_all_of", "by_type", "by_enum", "inline"],
                    "properties": {
                        "by_ref": {"$ref": "#/components/schemas/Choice", "nullable": True},
                        "by_all_of": {"allOf": [{"$ref": "#/components/schemas/Usage"}, {"nullable": True}]},
                        "by_type": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                        "by_enum": {"type": "string", "enum": ["a", "b"], "nullable": True},
                        "inline": {"title": "Text", "type": "object", "nullable": True, "properties": {"a": {}}},
                    },
                },
                "Choice": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Usage"}]},
                "Usage": {"title": "Text", "type": "object", "properties": {"total": {"type": "integer"}}},
            }
        )
        spec = tmp_path / "openapi.yaml"
        spec.write_text(yaml.safe_dump(pinned_of(whole, NO_OVERLAY)), "utf-8")
        config = Config.from_sources(
            ConfigFile(literal_enums=True, post_hooks=[]),
            meta_type=MetaType.NONE,
            document_source=spec,
            file_encoding="utf-8",
            overwrite=False,
            output_path=tmp_path / "made_from_forms",
        )
        assert list(generate(config=config)) == []
        monkeypatch.syspath_prepend(str(tmp_path))
        run = importlib.import_module("made_from_forms.models").Run
        assert {name: inspect.signature(run).parameters[name].annotation for name in whole_fields(whole)} == {
            "by_ref": "None | str | Usage",
            "by_all_of": "None | Usage",
            "by_type": "int | None",
            "by_enum": "None | RunByEnumType0",
            "inline": "None | RunInlineType0",
        }


def whole_fields(whole: dict[str, Any]) -> list[str]:
    """Give the names of the fields of the component `Run`."""
    return list(whole["components"]["schemas"]["Run"]["properties"])


class TestReading:
    def test_scalars_are_those_of_yaml_1_2(self, tmp_path: Path) -> None:
        """A status code is a name, `on` a word and a date a text: as OpenAPI has it, unlike YAML 1.1."""
        file = tmp_path / "spec.yaml"
        file.write_text("200: on\nyes: 2024-01-01\nat: 12:30:00\nn: ~\nb: true\ni: 7\nf: 1.5\n", "utf-8")
        assert load(file) == {
            "200": "on",
            "yes": "2024-01-01",
            "at": "12:30:00",
            "n": None,
            "b": True,
            "i": 7,
            "f": 1.5,
        }

    def test_an_anchor_may_be_defined_twice(self, tmp_path: Path) -> None:
        """An alias means the last definition before it."""
        file = tmp_path / "spec.yaml"
        file.write_text("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "utf-8")
        assert load(file) == {"a": 1, "b": 1, "c": 2, "d": 2}

    def test_json_is_read_too(self, tmp_path: Path) -> None:
        """JSON is read as JSON, with what YAML does not know."""
        file = tmp_path / "spec.json"
        file.write_text('\ufeff{"a":\t"\\ud83d\\ude00"}', "utf-8")
        assert load(file) == {"a": "\N{GRINNING FACE}"}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not a mapping"),
            (b"- a\n", "not a mapping"),
            (b"\xff\xfe\x00", "no UTF-8 text"),
            (b"\x00\x01", "control characters"),
            (b"a: [1, 2", "line 2: did not find"),
            (b"a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: the key 'c' is there twice"),
            (b'{"a": 1,\n "a": 2}', "line 2: the key 'a' is there twice"),
            (b'{"a": "\\ud83d\\ude00",\n "b": 2, "b": 2}', "the key 'b' is there twice"),
            (b'{"a": 1', "line 1: Expecting"),
            (b"a: !!python/name:os.system x\n", "the tag tag:yaml.org,2002:python/name:os.system"),
            (b"a: !env KEY\n", "the tag !env"),
            (b"a: &a [*a]\n", "an alias stands for a part that contains the alias"),
            (b"b: &b {x: 1}\na: {<<: *b}\n", "merge keys"),
            (b"a: {}\n---\nb: {}\n", "another document"),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"a":' * 100_000, "nested too deeply"),
            (b'{"a": ' + b"1" * 5_000 + b"}", "a number in it cannot be read"),
        ],
    )
    def test_what_is_no_document(self, content: bytes, message: str, tmp_path: Path) -> None:
        """What cannot be read is refused, by its line where there is one."""
        file = tmp_path / "spec"
        file.write_bytes(content)
        with pytest.raises(SpecError, match=message):
            load(file)

    def test_aliases_unfold_within_bounds(self, tmp_path: Path) -> None:
        """A few lines that stand for 10^10 nodes are refused before anything is unfolded."""
        lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
        file = tmp_path / "spec.yaml"
        file.write_text("\n".join(lines), "utf-8")
        with pytest.raises(SpecError, match="aliases unfold"):
            load(file)


class TestRefusals:
    @pytest.mark.parametrize(
        ("schemas", "message"),
        [
            ({"Run": {"$ref": "#/components/schemas/Gone"}}, "'#/components/schemas/Gone' leads nowhere"),
            ({"Run": {"$ref": "other.yaml#/Run"}}, "'other.yaml#/Run' leads out"),
            ({"Run": {"properties": {"a": {"$ref": "https://example.com/a.json"}}}}, "nothing is fetched"),
            ({"Run": {"$ref": "#/paths/~1threads"}}, "only components are referred to"),
            ({"Run": {"$ref": "#/components/schemas/Run"}}, "leads to itself only"),
            (
                {"Run": {"$ref": "#/components/schemas/A"}, "A": {"$ref": "#/components/schemas/Run"}},
                "leads to itself only",
            ),
            ({"Run": {"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/Run"}]}}, "leads to itself only"),
            ({"Run": []}, "#/components/schemas/Run: a schema is not a mapping"),
            ({"Run": {"type": "strnig"}}, "no valid OpenAPI 3.1"),
            ({"Run": {"type": 5}}, "a schema's type is not a list of names"),
        ],
    )
    def test_components_that_do_not_hold(self, schemas: dict[str, Any], message: str) -> None:
        """A reference has to lead to a component of the document, and a schema to be one."""
        with pytest.raises(SpecError, match=message):
            pinned_schemas(**schemas)

    @pytest.mark.parametrize(
        ("whole", "message"),
        [
            ({}, "no OpenAPI 3.0 or 3.1 document"),
            ({"swagger": "2.0", "paths": {}}, "no OpenAPI 3.0 or 3.1 document"),
            (description({}, "/threads"), "no operation on runs"),
            (description({}, paths=[]), "`paths` is not a mapping"),
            (description({}, info={"title": "An API"}), "does not say its version"),
            (description({}, paths={"/threads/runs": {"$ref": "#/x"}}), "is a reference"),
            (description({}, paths={"/threads/runs": {"get": {}}}), "the responses of /threads/runs is not a mapping"),
            (
                description({}, paths={f"{at}/threads/runs": {"get": {"responses": {}}} for at in ("", "/v1")}),
                "two of its paths",
            ),
        ],
    )
    def test_no_description_of_runs(self, whole: dict[str, Any], message: str) -> None:
        """A document that does not describe runs is refused."""
        with pytest.raises(SpecError, match=message):
            pinned_of(whole, NO_OVERLAY)


class TestOverlay:
    def test_it_adds_to_what_is_there(self) -> None:
        """An update merges into the places of its target: one, or all that it selects."""
        overlay = {
            "overlay": "1.0.0",
            "actions": [
                {"target": "$.components.schemas.Run", "update": {"description": "Ours."}},
                {"target": "$.paths[*][*].parameters[?@.name == 'limit'].schema", "update": {"maximum": 100}},
                {"target": "$.paths[*].get.tags", "update": "More"},
            ],
        }
        whole = description({})
        limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
        whole["paths"]["/threads/{thread_id}/runs"]["get"]["parameters"].append(limit)
        pinned = pinned_of(whole, overlay)
        assert pinned["components"]["schemas"]["Run"] == {"type": "object", "description": "Ours."}
        operation = pinned["paths"]["/threads/{thread_id}/runs"]["get"]
        assert operation["parameters"][1]["schema"] == {"type": "integer", "maximum": 100}
        assert operation["tags"] == ["Assistants", "More"]

    def test_it_takes_away(self) -> None:
        """`remove` takes every place of its target away, a field or an item of a list."""
        whole = description({"Run": {"type": "object", "required": ["a", "b", "c"], "properties": {"a": {}, "b": {}}}})
        targets = ["$.components.schemas.Run.properties.a", "$.components.schemas.Run.required[0,1]"]
        overlay = {"overlay": "1.0.0", "actions": [{"target": target, "remove": True} for target in targets]}
        pinned = pinned_of(whole, overlay)["components"]["schemas"]["Run"]
        assert pinned == {"type": "object", "required": ["c"], "properties": {"b": {}}}

    @pytest.mark.parametrize(
        ("overlay", "message"),
        [
            ({}, "no Overlay 1.x document"),
            ({"overlay": "1.0.0", "actions": [{"update": {}}]}, "without a target"),
            ({"overlay": "1.0.0", "actions": [{"target": "$.a"}]}, r"entry \$.a: it needs"),
            ({"overlay": "1.0.0", "actions": [{"target": "$.a", "update": {}, "remove": True}]}, "it needs"),
            ({"overlay": "1.0.0", "actions": [{"target": "$.a[", "update": {}}]}, r"entry \$.a\["),
            ({"overlay": "1.0.0", "actions": [{"target": "$.openapi", "update": {}}]}, "of different kinds"),
        ],
    )
    def test_an_entry_that_is_wrong_is_named(self, overlay: dict[str, Any], message: str) -> None:
        """A faulty entry is an error that names it."""
        with pytest.raises(SpecError, match=message):
            pinned_of(description({}), overlay)


class Project:
    """A project's folder openapi/ with an overlay, and the command that pins into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.overlay()

    def overlay(self, *targets: str) -> None:
        """Let the overlay have one entry for each target."""
        actions = [{"target": target, "update": {"description": "Ours."}} for target in ("$.info", *targets)]
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump({"overlay": "1.0.0", "actions": actions}), "utf-8")

    def pin(self, *fields: str, unused: int = 0, output: Path | None = None) -> int:
        """Pin a description whose `Run` has these fields, in a document with so many components that are not kept."""
        run = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
        whole = description({"Run": run, **{f"Unused{number}": {} for number in range(unused)}})
        spec = self.folder.parent / "spec.yaml"
        spec.write_text(yaml.safe_dump(whole), "utf-8")
        status: int = pin.main([str(spec), *(["--output", str(output)] if output else [])])
        return status

    def files(self) -> dict[str, bytes]:
        """Give what is pinned."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.name != "overlay.yaml"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Give a project in a folder of its own."""
    made = Project(tmp_path / "openapi")
    monkeypatch.setattr(pin, "FOLDER", made.folder)
    return made


USAGE = "$.components.schemas.Run.properties.usage"


class TestCommand:
    def test_it_writes_the_spec_and_its_record(self, project: Project, tmp_path: Path) -> None:
        """Both files are written, elsewhere on request, and the same input gives the same bytes."""
        assert project.pin("id", unused=3) == 0
        assert project.pin("id", unused=3, output=tmp_path / "else" / "where") == 0
        files = project.files()
        assert files == {path.name: path.read_bytes() for path in (tmp_path / "else" / "where").iterdir()}
        assert files["openapi.yaml"].startswith(b"# Made by `make pin`")
        source = yaml.safe_load(files["source.yaml"])
        assert source.pop("sha256") == hashlib.sha256((tmp_path / "spec.yaml").read_bytes()).hexdigest()
        assert source == {
            "title": "An API",
            "version": "2.0.0",
            "openapi": "3.0.0",
            "whole": {"paths": 1, "operations": 1, "components": 4},
            "pinned": {"paths": 1, "operations": 1, "components": 1},
            "overlay": {"without_place": []},
        }

    def test_what_is_not_kept_may_be_odd(self, project: Project, tmp_path: Path) -> None:
        """Only what is kept has to be well formed."""
        whole = description({})
        whole["paths"] |= {"/other": None, "/more": {"get": 5}}
        whole["components"] |= {"x-note": 5, "securitySchemes": {"key": {"$ref": "https://example.com/"}}}
        (tmp_path / "odd.yaml").write_text(yaml.safe_dump(whole), "utf-8")
        assert pin.main([str(tmp_path / "odd.yaml")]) == 0
        assert yaml.safe_load(project.files()["source.yaml"])["whole"] == {"paths": 3, "operations": 2, "components": 2}

    def test_nothing_is_written_where_anything_is_wrong(
        self, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A document that is refused is one line on stderr and status 2, and leaves what was pinned."""
        project.pin("id")
        before = project.files()
        spec = tmp_path / "spec.yaml"
        whole = spec.read_bytes()
        capsys.readouterr()
        for content in (whole[: len(whole) // 2], b"", whole.replace(b"schemas/Run", b"schemas/Gone"), b"\x00"):
            spec.write_bytes(content)
            assert pin.main([str(spec), "--output", str(project.folder)]) == 2
            output = capsys.readouterr()
            assert (output.out, output.err.count("\n")) == ("", 1)
            assert output.err.startswith(f"pin: {spec}: ")
        assert pin.main([str(tmp_path / "gone.yaml")]) == 2
        assert capsys.readouterr().err == f"pin: {tmp_path / 'gone.yaml'}: No such file or directory\n"
        assert project.files() == before

    def test_a_target_that_was_never_there_is_an_error(
        self, project: Project, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A typo is found whatever is pinned: the newest version, an older one, or the first of all."""
        project.overlay("$.components.schemas.Run.properties.usgae")
        assert project.pin("usage", unused=3) == 2
        project.overlay()
        assert project.pin("usage", unused=3) == 0
        project.overlay("$.components.schemas.Run.properties.usgae")
        for fields in (["usage"], []):
            capsys.readouterr()
            assert project.pin(*fields) == 2
            assert "$.components.schemas.Run.properties.usgae" in capsys.readouterr().err

    def test_an_entry_for_a_newer_version_does_not_stop_an_older_one(self, project: Project) -> None:
        """An older description lacks the place and is pinned, and so is the next; the record says what is missing."""
        project.overlay(USAGE)
        assert project.pin("usage", unused=3) == 0
        assert project.pin(unused=2) == 0
        assert yaml.safe_load(project.files()["source.yaml"])["overlay"] == {"without_place": [USAGE]}
        assert project.pin(unused=1) == 0
        assert project.pin(unused=2) == 0
        assert project.pin("usage", unused=4) == 0

    def test_an_entry_that_the_newest_version_lost_is_an_error(
        self, project: Project, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A description no smaller than the pinned one is no older: what the overlay speaks of has to be there."""
        project.overlay(USAGE)
        assert project.pin("usage", unused=3) == 0
        assert project.pin(unused=3) == 2
        assert USAGE in capsys.readouterr().err

    def test_an_entry_that_has_to_change_is_named_by_its_place(
        self, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With its line in the overlay and what to do; with --list-all every one, a line each."""
        targets = [USAGE, "$.components.schemas.Run.properties.model"]
        project.overlay(*targets)
        assert project.pin("usage", "model") == 0
        overlay = (project.folder / "overlay.yaml").read_text("utf-8").splitlines()
        places = [
            f"overlay.yaml, line {next(n for n, text in enumerate(overlay, 1) if text.endswith(target))}: {target}"
            for target in targets
        ]
        capsys.readouterr()
        assert project.pin() == 2
        error = capsys.readouterr().err
        assert places[0] in error
        assert places[1] not in error
        assert "2 entries without a place in it; let each target name the new place" in error
        assert "--list-all" in error
        assert pin.main([str(tmp_path / "spec.yaml"), "--list-all"]) == 2
        assert capsys.readouterr().err.splitlines()[1:] == [f"  {place}" for place in places]

    def test_an_entry_that_an_older_version_lacks_is_named_too(
        self, project: Project, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is passed over, and said, in case the version only seems older."""
        project.overlay(USAGE)
        assert project.pin("usage", unused=3) == 0
        assert project.pin() == 0
        assert USAGE in capsys.readouterr().out.splitlines()[-1]


class TestPinned:
    def test_every_entry_of_the_overlay_has_its_place(self) -> None:
        """The pinned spec is the newest version, in which no entry of the overlay goes without a place."""
        assert load(ROOT / "openapi" / "source.yaml")["overlay"]["without_place"] == []

    def test_the_operations(self) -> None:
        """What is pinned is what the facade declares, under the ids that the generated modules are called by."""
        paths = load(ROOT / "openapi" / "openapi.yaml")["paths"]
        pinned = {operation["operationId"] for item in paths.values() for operation in item.values()}
        declared = {operation.operation_id for operation in OPERATIONS}
        assert pinned - declared == set(), "each needs a row of OPERATIONS"
        assert declared - pinned == set(), "each needs its path pinned"

    def test_limit_has_its_bounds(self) -> None:
        """What upstream only says in prose is a rule here: a page has 1 to 100 objects."""
        paths = load(ROOT / "openapi" / "openapi.yaml")["paths"]
        limits = [
            parameter["schema"]
            for item in paths.values()
            for operation in item.values()
            for parameter in operation.get("parameters", [])
            if parameter["name"] == "limit"
        ]
        assert {(limit["minimum"], limit["maximum"]) for limit in limits} == {(1, 100)}

    def test_an_empty_page_has_no_ids(self) -> None:
        """The first and last id of every list may be null."""
        schemas = load(ROOT / "openapi" / "openapi.yaml")["components"]["schemas"]
        pages = {name: schema["properties"] for name, schema in schemas.items() if name.startswith("List")}
        types = {name: [page[each]["type"] for each in ("first_id", "last_id")] for name, page in pages.items()}
        assert types == dict.fromkeys(pages, [["string", "null"]] * 2)
        assert pages

    def test_approvals_can_be_sent_without_outputs(self) -> None:
        """Neither of the two is required: a run waits for the one or the other."""
        schema = load(ROOT / "openapi" / "openapi.yaml")["components"]["schemas"]["SubmitToolOutputsRunRequest"]
        assert "required" not in schema
        assert {"tool_outputs", "tool_approvals"} < schema["properties"].keys()

    def test_what_is_pinned_can_be_pinned_anew(self) -> None:
        """The overlay adds nothing twice."""
        pinned = load(ROOT / "openapi" / "openapi.yaml")
        assert pinned_of(pinned, load(ROOT / "openapi" / "overlay.yaml")) == pinned

    def test_operations_that_stream_say_so(self) -> None:
        """The three that start or go on with a run may answer with its events."""
        pinned = load(ROOT / "openapi" / "openapi.yaml")
        events = {"schema": {"$ref": "#/components/schemas/AssistantStreamEvent"}}
        assert [
            operation["operationId"]
            for item in pinned["paths"].values()
            for operation in item.values()
            if operation["responses"]["200"]["content"].get("text/event-stream") == events
        ] == ["createThreadAndRun", "createRun", "submitToolOuputsToRun"]

    def test_everything_a_caller_meets_is_described(self) -> None:
        """Every operation, parameter, response, schema and field has words of the project's own."""
        pinned = load(ROOT / "openapi" / "openapi.yaml")
        missing = []
        for path, item in pinned["paths"].items():
            for method, operation in item.items():
                described = [operation, *operation.get("parameters", []), operation["responses"]["200"]]
                if not operation.get("summary") or not all(part.get("description") for part in described):
                    missing.append(f"{method} {path}")
        for name, schema in pinned["components"]["schemas"].items():
            if not schema.get("description"):
                missing.append(name)
            for field, node in schema.get("properties", {}).items():
                if "$ref" not in node and not node.get("description"):
                    missing.append(f"{name}.{field}")
        assert not missing, "without words in openapi/overlay.yaml: " + ", ".join(missing)
