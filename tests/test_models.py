"""Models as data: what type checkers, serialisers, notebooks and tables make of runs, steps and their parts."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import types
import typing
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, ClassVar

import attrs
import pandas
import pytest
from conftest import Api, exactly
from wire import Serve, a_page, a_run, a_step, answer

import facade
from facade._answers import read_page
from facade._exchange import Reply
from openai_thread_runs_api import models
from openai_thread_runs_api.model_base import FreeForm, Model, UnknownObject

MODELS = [cls for _, cls in inspect.getmembers(models, inspect.isclass) if issubclass(cls, Model)] + [UnknownObject]
FREE_FORM = [cls for _, cls in inspect.getmembers(models, inspect.isclass) if issubclass(cls, FreeForm)]


class TestTypes:
    """The declared types, when a program asks for them."""

    @pytest.mark.parametrize("model", MODELS, ids=lambda cls: cls.__name__)
    def test_type_hints(self, model: type[Model]) -> None:
        """`typing.get_type_hints` gives a type for each field of each model, and for nothing else."""
        assert list(typing.get_type_hints(model)) == [field.name for field in attrs.fields(model)]

    def test_resolve_types(self) -> None:
        """`attrs.resolve_types` puts the types into `attrs.fields`."""
        attrs.resolve_types(facade.Run)
        fields = attrs.fields(facade.Run)
        assert fields.created_at.type is int
        assert "completed" in typing.get_args(fields.status.type)
        assert fields.usage.type == models.RunCompletionUsage | None

    def test_kinds_narrow(self) -> None:
        """In every union of models each member has a literal kind, or comparing `type_` narrows nothing."""

        def unions(annotation: Any) -> Iterator[list[Any]]:
            arguments = typing.get_args(annotation)
            members = [part for part in arguments if isinstance(part, type) and issubclass(part, Model)]
            if typing.get_origin(annotation) is types.UnionType and len(members) > 1:
                yield members
            for part in arguments:
                yield from unions(part)

        found = [
            (members, [typing.get_origin(typing.get_type_hints(member).get("type_")) for member in members])
            for model in MODELS
            for annotation in typing.get_type_hints(model).values()
            for members in unions(annotation)
        ]
        assert len(found) > 5
        assert [members for members, kinds in found if set(kinds) != {typing.Literal}] == []

    def test_declared_types_are_the_specs(self) -> None:
        """No union has the general model in it: with it, no comparison of `type_` would narrow."""
        for model in MODELS:
            assert "UnknownObject" not in str(typing.get_type_hints(model))


def as_sent(**fields: Any) -> facade.Run:
    """A run of the tests', with other fields."""
    return facade.Run.from_dict(a_run(**fields))


class TestFreeForm:
    """Objects whose keys are the sender's own."""

    SENT: ClassVar = {"oven": "2", "from_dict": "odd", "é": "\ud800"}

    def test_is_the_mapping(self) -> None:
        """Metadata is a dict in every way: it reads, prints and compares as what was sent."""
        metadata = as_sent(metadata=self.SENT).metadata
        assert isinstance(metadata, dict)
        assert metadata == self.SENT
        assert (dict(metadata), {**metadata}, list(metadata), len(metadata)) == (self.SENT, self.SENT, [*self.SENT], 3)
        assert list(metadata.items()) == list(self.SENT.items())
        assert (metadata["oven"], metadata.get("oven"), metadata.get("door")) == ("2", "2", None)
        assert "oven" in metadata
        assert "door" not in metadata
        assert repr(metadata) == repr(self.SENT)
        assert json.loads(json.dumps(metadata)) == self.SENT

    def test_empty(self) -> None:
        """Without a key it is false, and still not None."""
        metadata = as_sent(metadata={}).metadata
        assert not metadata
        assert metadata == {}

    def test_parameters(self) -> None:
        """A function's parameters are a plain JSON schema, however deep."""
        schema = {"type": "object", "properties": {"n": {"enum": [2**70, 1.0, None]}}}
        (tool,) = as_sent(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}]).tools
        assert tool.type_ == "function"
        assert tool.function.parameters == schema
        assert tool.function.parameters["properties"]["n"]["enum"][0] == 2**70

    def test_changes_nothing_else(self) -> None:
        """Changing what was read changes neither the run nor what it gives back."""
        run: Any = as_sent(metadata={"oven": {"door": 1}})
        run.metadata["oven"]["door"] = 2
        run.metadata["oven"]["more"] = 3
        run.metadata.to_dict()["oven"]["door"] = 4
        assert run.to_dict()["metadata"] == run["metadata"] == {"oven": {"door": 1}}

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, protocol: int) -> None:
        """It pickles and copies as what it is."""
        metadata = as_sent(metadata=self.SENT).metadata
        for twin in (pickle.loads(pickle.dumps(metadata, protocol)), copy.copy(metadata), copy.deepcopy(metadata)):
            assert type(twin) is type(metadata)
            assert twin == metadata

    @pytest.mark.parametrize("model", FREE_FORM, ids=lambda cls: cls.__name__)
    def test_every_one(self, model: type[FreeForm[Any]]) -> None:
        """Each one is made and given back like any other model, sharing nothing, and in a request's body too."""
        sent = {"a": {"b": [1]}}
        item = model.from_dict(sent)
        sent["a"]["b"].append(2)
        item.to_dict()["a"]["b"].append(3)
        assert item == item.to_dict() == item.additional_properties == {"a": {"b": [1]}}
        assert type(item.to_dict()) is dict
        assert model.__doc__

    def test_in_a_body(self) -> None:
        """A body takes it, and any dict in its place."""
        like: Any = {"oven": "2"}
        for metadata in (models.Metadata.from_dict(like), models.Metadata(oven="2"), like):
            assert models.ModifyRunRequest(metadata=metadata).to_dict() == {"metadata": {"oven": "2"}}


class TestReadOnly:
    """Nothing that is read leads back into the model."""

    @pytest.mark.parametrize("model", MODELS, ids=lambda cls: cls.__name__)
    def test_lists_and_objects(self, model: type[Model]) -> None:
        """A list or an object, wherever the spec has it or not, may be changed without changing what was sent."""
        for key, name in model._names.items():
            for sent in ([[1]], {"odd": [1]}):
                item = model.from_dict({key: sent})
                read = getattr(item, name)
                read["odd" if isinstance(sent, dict) else 0].append(2)
                assert item.to_dict() == {key: sent}


class TestAsData:
    """What is made of a whole run or step."""

    ODD: ClassVar = a_step(
        type="tool_calls",
        step_details={
            "type": "tool_calls",
            "more": 0,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "new": [1]}},
                {"id": "c2", "type": "mcp", "server": {"label": "oven"}},
                "no call",
            ],
        },
        metadata={"oven": "2"},
        priority={"level": 2**70},
    )

    def test_dict(self) -> None:
        """`dict(step)` is the JSON object, the same as `to_dict()`, and shares nothing with the step."""
        step = facade.RunStep.from_dict(self.ODD)
        assert exactly(dict(step), self.ODD)
        assert exactly({**step}, step.to_dict())
        dict(step)["metadata"]["oven"] = "3"
        assert exactly(dict(step), self.ODD)

    def test_asdict_loses_nothing(self) -> None:
        """`attrs.asdict` has all that was sent, at every depth, as plain JSON."""
        given = attrs.asdict(facade.RunStep.from_dict(self.ODD))
        assert json.loads(json.dumps(given)) == given

        def sent(value: Any) -> Any:
            """What was sent of what `asdict` gave: keys for names, nothing that was not there."""
            if isinstance(value, list):
                return [sent(item) for item in value]
            if not isinstance(value, dict):
                return value
            more = value.get("additional_properties") or {}
            named = {k.removesuffix("_"): sent(v) for k, v in value.items() if k != "additional_properties"}
            return {key: item for key, item in named.items() if item is not None} | more

        there = {key: value for key, value in self.ODD.items() if value is not None}
        assert sent(given) == there
        assert given["additional_properties"] == {"priority": {"level": 2**70}}
        assert given["metadata"] == {"oven": "2"}

    def test_asdict_has_every_field(self) -> None:
        """What was not sent is None in it."""
        given = attrs.asdict(facade.Run.from_dict({"id": "run_1"}))
        assert set(given) == {field.name for field in attrs.fields(facade.Run)}
        assert given.pop("id") == "run_1"
        assert set(given.values()) == {None}

    def test_keys_that_names_are_made_of(self) -> None:
        """Unknown keys that look like fields, methods or `additional_properties` itself are unknown keys."""
        odd = {"type_": 1, "object_": 2, "additional_properties": {"x": 3}, "keys": 4, "to_dict": 5, "_json": 6}
        run = facade.Run.from_dict({"id": "run_1", "object": "thread.run", **odd})
        assert attrs.asdict(run)["additional_properties"] == run.additional_properties == odd
        assert run.object_ == "thread.run"
        assert exactly(dict(run), {"id": "run_1", "object": "thread.run", **odd})
        assert attrs.asdict(attrs.evolve(run))["additional_properties"] == odd

    def test_evolve_keeps_unknown_keys(self) -> None:
        """`attrs.evolve` changes a field and keeps what the spec does not name."""
        run = attrs.evolve(as_sent(priority=[1]), status="failed")
        assert (run.status, run["priority"], run.metadata) == ("failed", [1], as_sent().metadata)

    def test_constructor_takes_unknown_keys(self) -> None:
        """A body can have keys that the spec does not name; they never replace a field."""
        body = models.CreateRunRequest(assistant_id="a", additional_properties={"seed": 1, "assistant_id": "b"})
        assert body.to_dict() == {"assistant_id": "a", "seed": 1}

    def test_repr(self) -> None:
        """A repr shows the fields that are there, what they hold, and the keys that the spec does not name."""
        run = facade.Run.from_dict({"id": "run_1", "metadata": {"oven": "2"}, "usage": {"total_tokens": 3}, "new": [1]})
        assert repr(run) == (
            "RunObject(id='run_1', metadata={'oven': '2'}, usage=RunCompletionUsage(total_tokens=3), "
            "additional_properties={'new': [1]})"
        )
        assert "UnknownObject({'id': 'c2'" in repr(facade.RunStep.from_dict(self.ODD))

    def test_no_field_hides_a_method(self) -> None:
        """No field of any model has the name of what every model has."""
        own = {name for name in dir(Model) if not name.startswith("__")} - {"additional_properties"}
        for model in MODELS:
            assert not own & {field.name for field in attrs.fields(model)}

    @pytest.mark.parametrize("value", [{}, {"total_tokens": 0}])
    def test_a_part_that_is_there_is_true(self, value: dict[str, Any]) -> None:
        """A part is true even where it is empty: `run.usage and …` asks whether it was sent."""
        assert as_sent(usage=value).usage

    def test_data_frame(self) -> None:
        """A page makes a table of pandas, a column for each key."""
        sent = [a_run(1), a_run(2, priority="high")]
        page = read_page(facade.Run, Reply(200, {}, json.dumps({"data": sent}).encode(), str))
        frame = pandas.DataFrame(dict(run) for run in page)
        assert list(frame["id"]) == [run["id"] for run in sent]
        assert frame["metadata"][0] == sent[0]["metadata"]
        assert frame["priority"][1] == "high"
        assert set(frame.columns) == {*sent[0], "priority"}


class Shown(HTMLParser):
    """An HTML table's elements, attributes and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\ud800"


class TestHtml:
    """What a notebook shows."""

    def shown(self, thing: Any) -> Shown:
        html = thing._repr_html_()
        html.encode()  # a page cannot hold half a character
        shown = Shown(html)
        assert set(shown.tags) <= {"table", "caption", "tr", "th", "td"}
        assert shown.attributes <= {"style"}
        assert not shown.open
        return shown

    def test_object(self) -> None:
        """A step is a table of its keys, unknown ones too; times are in words."""
        shown = self.shown(facade.RunStep.from_dict(a_step(created_at=1748844000, priority="high")))
        assert {"id", "created_at", "priority", "high", "2025-06-02 06:00:00 UTC"} <= set(shown.texts)

    def test_page(self) -> None:
        """A page is a table of its objects, without columns that are empty, and says whether more follow."""
        body = {"data": [a_run(1, last_error=None), a_run(2, priority="high")], "has_more": True, "last_id": "run_2"}
        shown = self.shown(read_page(facade.Run, Reply(200, {}, json.dumps(body).encode(), str)))
        assert {"id", "run_1", "run_2", "priority", "high"} <= set(shown.texts)
        assert "last_error" not in shown.texts
        assert any("has_more=True" in text for text in shown.texts)
        assert shown.tags.count("tr") == 3

    @pytest.mark.parametrize("place", ["key", "value", "list", "metadata", "last_id"])
    def test_everything_is_escaped(self, place: str) -> None:
        """Whatever a server sends, wherever, nothing of it becomes markup."""
        odds: dict[str, dict[str, Any]] = {
            "key": {NASTY: 1},
            "value": {"instructions": NASTY, "created_at": NASTY},
            "list": {"tools": [NASTY, {NASTY: NASTY}]},
            "metadata": {"metadata": {NASTY: NASTY}},
        }
        last_id = NASTY if place == "last_id" else "run_1"
        body = {"data": [a_run(**odds.get(place, {}))], "has_more": True, "last_id": last_id}
        page = read_page(facade.Run, Reply(200, {}, json.dumps(body).encode(), str))
        assert any("alert" in text for text in [*self.shown(page).texts, *self.shown(page[0]).texts])

    @pytest.mark.parametrize("time", [None, -1, 10**400, 10**15, 1.5, True, "soon", {}])
    def test_odd_times(self, time: Any) -> None:
        """A time that is none is shown as it was sent."""
        shown = self.shown(as_sent(created_at=time))
        assert "created_at" in shown.texts

    def test_long_values(self) -> None:
        """Endless texts are cut: to a few words in a page, to a screen or two in a run."""
        page = read_page(
            facade.Run, Reply(200, {}, json.dumps({"data": [a_run(instructions="x" * 10**6)]}).encode(), str)
        )
        assert len(page._repr_html_()) < 5_000
        assert len(page[0]._repr_html_()) < 20_000


class TestNames:
    """The short names of what is told apart."""

    def test_names_are_of_what_is_read(self) -> None:
        """What a run and a step read as are the classes of these names."""
        step = facade.RunStep.from_dict(TestAsData.ODD)
        assert isinstance(step.step_details, facade.ToolCalls)
        calls: list[Any] = [*step.step_details.tool_calls]
        call, odd, _ = calls
        assert type(call) is facade.FunctionToolCall
        assert type(odd) is facade.UnknownObject
        assert type(facade.RunStep.from_dict(a_step(usage={})).usage) is facade.StepUsage
        assert type(as_sent(usage={}).usage) is facade.RunUsage
        needs = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [{"id": "c"}]}}
        action = as_sent(required_action=needs).required_action
        assert type(action) is facade.RequiredAction
        assert type(action.submit_tool_outputs.tool_calls[0]) is facade.RequiredToolCall

    def test_dir(self) -> None:
        """`dir(facade)` is the public names, and nothing else."""
        assert dir(facade) == sorted(facade.__all__)


def test_a_walk_shows_itself(api: Api, serve: Serve) -> None:
    """A notebook shows what is walked and how far, and what is left of the page in hand; the walk goes on as before."""
    walk = api.client(serve(answer(a_page([a_run("<b>"), a_run(2), a_run(3)])))).runs.all("thread_1")
    next(walk)
    target = getattr(walk, "target", walk)
    assert "3 read" in target._repr_html_()
    assert "run_2" in target._repr_html_()
    assert "<b>" not in target._repr_html_()
    assert [run.id for run in walk] == ["run_2", "run_3"]
