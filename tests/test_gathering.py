"""Merging what a stream tells: whole objects, deltas in any order, odd ones too, and how much is held."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import pytest
from conftest import touch
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import a_message, a_run, a_step

import facade
from facade._life.gathering import MESSAGE, STEP, Gathering
from openai_thread_runs_api.model_base import Model

ROOM = 1_000_000


def text(value: Any, index: Any = 0, **fields: Any) -> dict[str, Any]:
    return {"index": index, "type": "text", "text": {"value": value, **fields}}


def message_delta(*content: Any, message_id: str = "msg_1") -> dict[str, Any]:
    return {"id": message_id, "object": "thread.message.delta", "delta": {"content": list(content)}}


def step_delta(*tool_calls: Any, step_id: str = "step_1") -> dict[str, Any]:
    return {
        "id": step_id,
        "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": list(tool_calls)}},
    }


def test_put_with_odd_ids() -> None:
    """Objects that were read apart are kept with ids that name nothing, or none, each of them."""
    gathering = Gathering(ROOM)
    objects: list[dict[str, Any]] = [{"id": {"a": 1}}, {"id": None}, {}, {"id": "step_1"}]
    gathering.put(STEP, [facade.RunStep.from_dict(each) for each in objects])
    assert [dict(step) for step in gathering.all(STEP)] == objects


def take(gathering: Gathering, event: str, data: Any) -> Any:
    """Takes an event as a stream's reader hands it over."""
    return gathering.take(event, data, len(json.dumps(data)))


def texts(gathering: Gathering, event: str, data: Any) -> tuple[str, ...]:
    """The pieces of text that an event adds."""
    take(gathering, event, data)
    return gathering.texts


def gathered(*events: tuple[str, Any], max_bytes: int = ROOM) -> Gathering:
    gathering = Gathering(max_bytes)
    for event, data in events:
        take(gathering, event, data)
    return gathering


def content(*deltas: dict[str, Any]) -> Any:
    """What the content of a message is after these deltas."""
    return gathered(*[("thread.message.delta", delta) for delta in deltas]).all(MESSAGE)[0].to_dict().get("content")


def tool_calls(*deltas: dict[str, Any]) -> Any:
    return (
        gathered(*[("thread.run.step.delta", delta) for delta in deltas])
        .all(STEP)[0]
        .step_details.to_dict()["tool_calls"]
    )


def test_objects() -> None:
    """Each event's data comes as what it is."""
    gathering = Gathering(ROOM)
    from openai_thread_runs_api import models

    cases: list[tuple[str, dict[str, Any], type]] = [
        ("thread.run.created", a_run(), models.RunObject),
        ("thread.run.never_heard_of", a_run(), models.RunObject),
        ("thread.run.step.created", a_step(), models.RunStepObject),
        ("thread.message.created", a_message(), models.MessageObject),
        ("thread.message.delta", message_delta(text("x")), models.MessageDeltaObject),
        ("thread.run.step.delta", step_delta(), models.RunStepDeltaObject),
        ("thread.created", {"id": "thread_1", "object": "thread"}, dict),
        ("weather.changed", {"id": "run_1", "object": "thread.run"}, dict),
        ("thread.run.queued", {"id": "step_1", "object": "thread.run.step"}, dict),
        ("thread.run.queued", {"object": "thread.run"}, dict),
        ("thread.run.queued", {"id": " "}, dict),
        ("thread.run.queued", {"id": 7}, dict),
    ]
    for event, data, kind in cases:
        given = take(gathering, event, data)
        assert type(given) is kind, event
        assert (given.to_dict() if isinstance(given, Model) else given) == data
    for odd in (None, 7, "text", [1]):
        assert take(gathering, "thread.run.created", odd) == odd
    assert gathering.run is not None
    assert gathering.run.id == "run_1"
    assert [step.id for step in gathering.all(STEP)] == ["step_1"]


def test_text() -> None:
    """A message's text grows by its deltas, each part by its own; what else a delta has is replaced."""
    assert content(
        message_delta(text("Loaf", annotations=[])), message_delta(text("s")), message_delta(text(" ", 1))
    ) == [
        {"type": "text", "text": {"value": "Loafs", "annotations": []}},
        {"type": "text", "text": {"value": " "}},
    ]


def test_content_that_is_no_list() -> None:
    """A server that sends the one part of a delta's content by itself means the first."""
    gathering = Gathering(ROOM)
    for piece in ("Loa", "fs"):
        delta = {"id": "msg_1", "delta": {"content": {"type": "text", "text": {"value": piece}}}}
        assert texts(gathering, "thread.message.delta", delta) == (piece,)
    assert gathering.all(MESSAGE)[0].content[0].text.value == "Loafs"


def test_order_of_items() -> None:
    """Items are in the order of their indexes, in whatever order they come."""
    assert content(
        message_delta(text("c", 2)), message_delta(text("a", 0), text("b", 1)), message_delta(text("C", 2))
    ) == [{"type": "text", "text": {"value": value}} for value in ("a", "b", "cC")]


def test_tool_calls() -> None:
    """Arguments, inputs and logs grow; ids, names and outputs are replaced, and never doubled."""

    def call(**function: Any) -> dict[str, Any]:
        return {"index": 0, "id": "call_1", "type": "function", "function": function}

    assert tool_calls(
        step_delta(call(name="add", arguments="", output=None)),
        step_delta(call(name="add", arguments='{"a"')),
        step_delta(call(arguments=": 1}")),
        step_delta(call(output="1")),
        step_delta(call(output="2")),
    ) == [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}', "output": "2"}}]

    def code(**fields: Any) -> dict[str, Any]:
        return {"index": 1, "type": "code_interpreter", "code_interpreter": fields}

    assert tool_calls(
        step_delta(code(input="1 +", outputs=[])),
        step_delta(code(input=" 1", outputs=[{"index": 0, "type": "logs", "logs": "2"}])),
        step_delta(code(outputs=[{"index": 1, "type": "image"}, {"index": 0, "type": "logs", "logs": "\n"}])),
    ) == [
        {
            "type": "code_interpreter",
            "code_interpreter": {"input": "1 + 1", "outputs": [{"type": "logs", "logs": "2\n"}, {"type": "image"}]},
        }
    ]


def test_annotations_are_not_added_up() -> None:
    """Numbers and texts that only deltas of text should grow by are replaced."""

    def cite(start: int) -> dict[str, Any]:
        return {"index": 0, "type": "file_citation", "start_index": start, "text": "[1]", "value": "v"}

    [part] = content(message_delta(text("x", annotations=[cite(3)])), message_delta(text("y", annotations=[cite(4)])))
    assert part["text"] == {
        "value": "xy",
        "annotations": [{"type": "file_citation", "start_index": 4, "text": "[1]", "value": "vv"}],
    }
    kept = content(message_delta(text("x", annotations=[cite(3)])), message_delta(text("y", annotations=[])))
    assert len(kept[0]["text"]["annotations"]) == 1


def test_appended_in_items_only() -> None:
    """Outside an item told by its index nothing is appended."""
    delta = {"id": "msg_1", "delta": {"metadata": {"value": "x"}, "value": "y"}}
    message = gathered(*[("thread.message.delta", delta)] * 2).all(MESSAGE)[0].to_dict()
    assert (message["metadata"], message["value"]) == ({"value": "x"}, "y")


def test_whole_object_replaces() -> None:
    """A whole object takes the place of what was gathered; deltas behind it go on from there."""
    gathering = gathered(
        ("thread.message.created", a_message(content=[])),
        ("thread.message.delta", message_delta(text("wrong"))),
        ("thread.message.in_progress", a_message(content=[{"type": "text", "text": {"value": "ri"}}])),
    )
    whole = gathering.all(MESSAGE)[0]
    assert whole.content[0].text.value == "ri"
    take(gathering, "thread.message.delta", message_delta(text("ght")))
    assert gathering.all(MESSAGE)[0].content[0].text.value == "right"
    assert gathering.all(MESSAGE)[0].role == "assistant"
    assert whole.content[0].text.value == "ri"


def test_order_of_objects() -> None:
    """Steps and messages are in order of first appearance, whatever comes again."""
    gathering = gathered(
        ("thread.message.delta", message_delta(text("b"), message_id="msg_b")),
        ("thread.message.created", a_message("a", id="msg_a")),
        ("thread.message.completed", a_message("b", id="msg_b")),
        ("thread.run.step.created", a_step("2")),
        ("thread.run.step.delta", step_delta()),
        ("thread.run.step.created", a_step("2")),
    )
    assert [message.id for message in gathering.all(MESSAGE)] == ["msg_b", "msg_a"]
    assert [step.id for step in gathering.all(STEP)] == ["step_2", "step_1"]


def test_pieces_of_text() -> None:
    """Every text of a delta is a piece; a whole message's are where no delta told them."""
    gathering = Gathering(ROOM)
    image = {"index": 1, "type": "image_file", "image_file": {"file_id": "file_1"}}
    delta = message_delta(text("a"), image, text("b", 2), text("", 3), text(None, 4), "odd", {"text": "odd"})
    assert texts(gathering, "thread.message.delta", delta) == ("a", "b")
    whole = a_message(content=[{"type": "text", "text": {"value": "ab"}}])
    assert texts(gathering, "thread.message.completed", whole) == ()
    other = {**whole, "id": "msg_2"}
    assert texts(gathering, "thread.message.created", other) == ()
    assert texts(gathering, "thread.message.completed", other) == ("ab",)
    assert texts(gathering, "thread.message.completed", other) == ()
    for wrong in (None, list[Any](), {"content": 5}, {"content": {"text": 1}}, "odd"):
        assert texts(gathering, "thread.message.delta", {"id": "msg_3", "delta": wrong}) == ()
    assert texts(gathering, "thread.run.step.delta", step_delta(text("no"))) == ()


KEYS = ["content", "text", "value", "index", "tool_calls", "arguments", "metadata"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "x", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def reference(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """The contract's sentence, done naively: lists of items are mappings by index until the end."""

    class Items(dict):  # type: ignore[type-arg]
        pass

    def opened(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: opened(item) for key, item in value.items()}
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return Items(enumerate(opened(item) for item in value))
        return value

    def merged(old: Any, new: Any, key: str, in_item: bool) -> Any:
        if isinstance(new, dict):
            result = dict(old) if isinstance(old, dict) and not isinstance(old, Items) else {}
            for name, value in new.items():
                result[name] = merged(result.get(name), value, name, in_item)
            return result
        objects = new if isinstance(new, list) and all(isinstance(item, dict) for item in new) else None
        if objects is not None and all(type(at := item.get("index")) is int and at >= 0 for item in objects):
            items = Items(old) if isinstance(old, Items) else Items()
            for item in objects:
                rest = {name: value for name, value in item.items() if name != "index"}
                items[item["index"]] = merged(items.get(item["index"]), rest, "", True)
            return items
        appends = in_item and key in ("value", "arguments", "input", "logs") and isinstance(old, str)
        return old + (new or "") if appends and isinstance(new, str | None) else opened(new)

    def closed(value: Any) -> Any:
        if isinstance(value, Items):
            return [closed(value[index]) for index in sorted(value)]
        if isinstance(value, dict):
            return {key: closed(item) for key, item in value.items()}
        return value

    result: Any = {"id": "msg_1", "object": "thread.message"}
    for delta in deltas:
        if isinstance(delta.get("content"), dict):
            delta = {**delta, "content": [{"index": 0, **delta["content"]}]}
        result = merged(result, delta, "", False)
    whole: dict[str, Any] = closed(result)
    return whole


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), max_size=6))
@settings(max_examples=400, deadline=None)
def test_contradictory_deltas(deltas: list[dict[str, Any]]) -> None:
    """Whatever deltas say, and however they contradict each other, they are merged as the contract has it."""
    kept = copy.deepcopy(deltas)
    gathering = gathered(*[("thread.message.delta", {"id": "msg_1", "delta": delta}) for delta in deltas])
    assert deltas == kept  # a caller holds them as events
    if deltas:
        message = gathering.all(MESSAGE)[0]
        assert message.to_dict() == reference(deltas)
        touch(message)


@pytest.mark.parametrize(
    "delta",
    [
        text("x" * 100),
        text("x", annotations=[{"index": 0, "text": "y" * 100}]),
        {"index": 0, "x" * 100: None},
    ],
)
def test_bound(delta: dict[str, Any]) -> None:
    """Steps and messages hold so much together and no more; what is replaced counts once."""
    deltas = [("thread.message.delta", message_delta(delta, message_id=f"msg_{number}")) for number in range(200)]
    with pytest.raises(facade.APIResponseError, match="steps and messages are larger than max_response_bytes=10000"):
        gathered(*deltas, max_bytes=10_000)


def test_what_is_replaced_is_not_held() -> None:
    """A run that changes a thousand times, and a whole message sent again and again, take no more room."""
    gathering = Gathering(10_000)
    for number in range(1000):
        take(gathering, "thread.run.queued", a_run(instructions="x" * 9000))
        take(gathering, "thread.message.in_progress", a_message("x" * 6000 + str(number)))
        take(gathering, "thread.message.delta", message_delta({"index": 0, "annotations": "y" * 1000}))


@pytest.mark.parametrize("shape", ['{"x": %s}', "[%s]", '[{"index": 0, "value": %s}]'])
@pytest.mark.parametrize("depth", [20, 98, 150, 450, 900])
def test_depth(depth: int, shape: str) -> None:
    """What is nested too deep to be merged is an error of ours; all else, and what is whole, can be read."""
    text = "1"
    for _ in range(depth // (2 if "index" in shape else 1)):
        text = shape % text
    events = [("thread.message.delta", {"id": "msg_1", "delta": {"y": json.loads(text)}})] * 2
    if depth < 100:
        touch(gathered(*events).all(MESSAGE)[0])
    else:
        with pytest.raises(facade.APIResponseError, match="deep"):
            gathered(*events)


@pytest.mark.parametrize("depth", [98, 450, 900])
def test_depth_of_what_is_read_apart(depth: int) -> None:
    """Objects that were read apart from the stream are kept as they came, however deep."""
    messages = [facade.Message.from_dict({"id": "msg_1", "y": json.loads("[" * depth + "]" * depth)})]
    gathering = gathered(("thread.message.delta", message_delta(text("T"), message_id="msg_2")))
    gathering.put(MESSAGE, messages)
    assert gathering.all(MESSAGE) == messages


def test_texts_are_of_messages() -> None:
    """What a step says under the same names is no text of the assistant's."""
    of_a_step = {"id": "msg_1", "delta": {"content": [text("S")]}}
    assert texts(gathering := Gathering(ROOM), "thread.run.step.delta", of_a_step) == ()
    assert texts(gathering, "thread.run.step.completed", {**a_message("S"), "object": "thread.run.step"}) == ()
    assert texts(gathering, "thread.message.completed", a_message("M")) == ("M",)


def test_empty_items_count() -> None:
    """A great many items with nothing in them are more than there is room for, too."""
    deltas = [("thread.message.delta", message_delta({"index": number * 10**12})) for number in range(1000)]
    with pytest.raises(facade.APIResponseError):
        gathered(*deltas, max_bytes=10_000)


def test_long_text_in_small_pieces() -> None:
    """A text in many pieces takes the room of the text, not of the pieces; adding one does not copy the rest."""
    gathering = Gathering(ROOM)
    delta = message_delta(text("ab"))
    take(gathering, "thread.message.delta", delta)
    tracemalloc.start()
    for _ in range(50_000):
        take(gathering, "thread.message.delta", delta)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_500_000
    assert gathering.all(MESSAGE)[0].content[0].text.value == "ab" * 50_001
