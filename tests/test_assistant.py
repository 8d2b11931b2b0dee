"""The server's scripted assistant: its rules, the life of a run with it, what it refuses, and who can talk to it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

import facade
from facade import archive
from facade._exchange import Pause
from facade.server import Store, _assistant, create_app, serve, write_sample
from facade.server.__main__ import main
from facade.server._assistant import Assistant, awaited
from facade.server._objects import run_of
from facade.server._scene import Event, Scene
from facade.server._writing import Writing
from facade.server.sample import EMPTY_THREAD_ID
from facade.server.sample_parts import SAMPLE_THREAD_ID, assistant

SPEC = json.loads(files("openai_thread_runs_api").joinpath("openapi.json").read_text("utf-8"))
BAKERY = "asst_bakery"
RUN = {"assistant_id": BAKERY}
GREETING = "Good morning!"
STOCK = "Are there twelve brioches left?"
BOTH = "Sixty rye rolls for Saturday's wedding, please: are they to be had, and brought? 7 km."
NUTS = "Which loaves are free of nuts?"
FLOUR = "How much flour does the week take?"
MILL = "Order 200 kg of rye flour from the mill, please."
OVENS = "Plan both ovens for tomorrow, please."
PRICES = "Baguettes? Croissants? Rolls? Cakes? What do they all cost?"
CATALOGUE = "Send me the whole catalogue."
POSTER = "Draw me a poster for the summer breads."


def schema(name: str) -> Draft202012Validator:
    """A validator of one of the pinned spec's components."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]})


EVENT = schema("AssistantStreamEvent")


# The rules and the state machine, without I/O


class Stage:
    """A run that is performed with a clock of its own: each pause passes at once."""

    def __init__(self, question: str, **body: Any) -> None:
        self.now = 1000.0
        numbers = count(1)
        run = run_of(body, assistant(), "run_1", "thread_1", 1000, question)
        self.scene = Scene(run, question)
        self.events: list[Event] = []
        self.assistant = Assistant(self.scene, lambda: self.now, lambda kind: f"{kind}_{next(numbers)}")

    def play(self, answers: dict[str, Any] | None = None) -> Stage:
        """Let it go on until it rests; with what the caller answers, where it waits."""
        if answers is not None:
            self.take(self.assistant.answer(answers))
        for act in self.assistant.work():
            if isinstance(act, Pause):
                self.now += act.sec
            else:
                self.take(act)
        return self

    def take(self, events: tuple[Event, ...]) -> None:
        self.events += events
        self.scene.take(events)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What it waits for."""
        return awaited(self.scene.run)

    @property
    def said(self) -> str:
        """The texts of its messages."""
        parts = [part for message in self.scene.messages.values() for part in message["content"]]
        return " ".join(part["text"]["value"] for part in parts if part["type"] == "text")

    @property
    def names(self) -> list[str]:
        """The streamed events' names, one for each row of deltas."""
        names = [event.name.removeprefix("thread.") for event in self.events if event.name]
        return [name for place, name in enumerate(names) if not (name.endswith("delta") and names[place - 1] == name)]


@pytest.mark.parametrize(
    ("question", "status", "said"),
    [
        ("", "completed", GREETING),
        ("And when do you open on Sunday?", "completed", "closed on Sundays"),
        (NUTS, "completed", "free of nuts【4:0†allergens.md】"),
        ("Is there anything without gluten?", "completed", "found nothing"),
        ("What does a rye roll cost?", "completed", "Rye roll: 0.95【4:0†prices.csv】."),
        ("What does a seeded loaf cost, and has it nuts?", "completed", "is not. Seeded loaf: 5.20【4:1†prices.csv】."),
        (FLOUR, "completed", "192.2 kg"),
        (POSTER, "completed", "hangs at the door"),
        (OVENS, "failed", "A moment"),
        (PRICES, "failed", ""),
        (CATALOGUE, "incomplete", "1. Rye loaf, 4.80"),
        (STOCK, "requires_action", ""),
        (MILL, "requires_action", ""),
    ],
)
def test_the_words_of_the_question_decide(question: str, status: str, said: str) -> None:
    """Each rule leads to its end, and every object and event on the way is as the spec has it."""
    stage = Stage(question).play()
    assert stage.scene.status == status
    assert said in stage.said
    for name, data in stage.events:
        if name and "mcp" not in json.dumps(data) and "submit_tool_approval" not in json.dumps(data):
            EVENT.validate({"event": name, "data": data})
    for item in stage.scene.steps.values():
        assert item["status"] in ("completed", "failed", "in_progress")
    if status in ("completed", "failed", "incomplete"):
        assert stage.scene.run["usage"]["total_tokens"] == sum(
            item["usage"]["total_tokens"] for item in stage.scene.steps.values() if item["usage"]
        )
        assert stage.scene.run["expires_at"] is None


def test_a_plain_answers_events_come_in_the_apis_order() -> None:
    """From in_progress to completed, with a step around the message."""
    assert Stage("hello").play().names == [
        "run.in_progress",
        "run.step.created",
        "run.step.in_progress",
        "message.created",
        "message.in_progress",
        "message.delta",
        "message.completed",
        "run.step.completed",
        "run.completed",
    ]


@pytest.mark.parametrize("question", [NUTS, FLOUR, CATALOGUE, OVENS, BOTH])
def test_deltas_add_up_to_what_is_kept(question: str) -> None:
    """Whoever appends the pieces of a stream has the messages and calls that are stored."""
    stage = Stage(question).play()
    parts: dict[tuple[str, int], dict[str, Any]] = {}
    for name, data in stage.events:
        if name.endswith(".delta"):
            delta = data["delta"]
            for item in delta.get("content") or delta["step_details"]["tool_calls"]:
                grow(parts.setdefault((data["id"], item.pop("index")), {}), item)
    kept: dict[tuple[str, int], Any] = {}
    for message in stage.scene.messages.values():
        kept |= {(message["id"], index): part for index, part in enumerate(message["content"])}
    for step in stage.scene.steps.values():
        kept |= {(step["id"], index): call for index, call in enumerate(calls_of(step))}
    for call in kept.values():
        if "file_search" in call:
            call["file_search"] = {}  # what was found is read with the step
    assert parts == kept


def grow(old: dict[str, Any], delta: dict[str, Any]) -> None:
    """Merge a delta the way the API means it."""
    for key, new in delta.items():
        if key in ("value", "arguments", "input", "logs"):
            old[key] = old.get(key, "") + new
        elif isinstance(new, dict):
            grow(old.setdefault(key, {}), new)
        elif isinstance(new, list):
            items = old.setdefault(key, [])
            for item in new:
                assert item.pop("index") == len(items)
                items.append(item)
        else:
            old[key] = new


def calls_of(step: dict[str, Any]) -> list[dict[str, Any]]:
    """A step's calls."""
    calls: list[dict[str, Any]] = step["step_details"].get("tool_calls", [])
    return calls


def test_functions_are_called_with_what_the_question_says() -> None:
    """Both functions of the bakery at once, each argument out of the words."""
    stage = Stage(BOTH).play()
    asked = {call["function"]["name"]: json.loads(call["function"]["arguments"]) for call in stage.calls}
    assert asked == {
        "check_stock": {"item": "rye roll", "count": 60},
        "quote_delivery": {"day": "Saturday", "km": 7},
    }
    outputs = ['{"free": 72}', '{"eur": 8.5}']
    stage.play(dict(zip((call["id"] for call in stage.calls), outputs, strict=True)))
    assert (stage.scene.status, stage.said) == ("completed", "72 are free. Bringing it costs 8.50.")
    step = next(iter(stage.scene.steps.values()))
    assert [call["function"]["output"] for call in calls_of(step)] == outputs
    assert step["status"] == "completed"


def test_functions_come_one_after_another_where_not_in_parallel() -> None:
    """`parallel_tool_calls: false` makes a step, and a turn, of each."""
    stage = Stage(BOTH, parallel_tool_calls=False).play()
    for name in ("check_stock", "quote_delivery"):
        (call,) = stage.calls
        assert call["function"]["name"] == name
        stage.play({call["id"]: "yes"})
    assert stage.said == "check_stock says: yes quote_delivery says: yes"


def test_functions_of_the_callers_own_are_called_by_their_names_words() -> None:
    """Arguments are made up by their types, where the question does not have them."""
    properties = {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"enum": ["kelvin", "celsius"]},
        "brief": {"type": ["boolean", "null"]},
        "more": {},
    }
    function = {"name": "get_weather", "parameters": {"type": "object", "properties": properties}}
    tools = [{"type": "function", "function": function}]
    stage = Stage("How is the weather in Paris, for 3 days, in celsius?", tools=tools).play()
    assert json.loads(stage.calls[0]["function"]["arguments"]) == {
        "city": "Paris",
        "days": 3,
        "unit": "celsius",
        "brief": True,
        "more": "Paris",
    }
    assert Stage("Good day", tools=tools).play().scene.status == "completed"
    assert Stage("Good day", tools=tools, tool_choice="required").play().scene.status == "requires_action"


@pytest.mark.parametrize("question", [STOCK, NUTS, FLOUR, MILL])
def test_without_tools_there_is_only_an_answer(question: str) -> None:
    """`tool_choice: "none"` and a run without tools call nothing."""
    bodies: list[dict[str, Any]] = [{"tool_choice": "none"}, {"tools": []}]
    for body in bodies:
        stage = Stage(question, **body).play()
        assert (stage.scene.status, stage.scene.calls()) == ("completed", [])


def test_a_chosen_function_is_called_whatever_is_asked() -> None:
    """`tool_choice` names it."""
    choice = {"type": "function", "function": {"name": "quote_delivery"}}
    (call,) = Stage("hello", tool_choice=choice).play().calls
    assert call["function"]["name"] == "quote_delivery"


@pytest.mark.parametrize(
    ("approve", "said"), [(True, "brings 200 kg of rye flour on Thursday, for 240.00"), (False, "nothing was ordered")]
)
def test_an_order_at_the_mill_wants_an_approval(approve: bool, said: str) -> None:
    """The call is one of a tool server; refused, it has no output."""
    stage = Stage(MILL).play()
    assert stage.scene.run["required_action"]["type"] == "submit_tool_approval"
    (call,) = stage.calls
    assert (call["type"], call["server_label"], call["name"]) == ("mcp", "silo", "order")
    stage.play({call["id"]: approve})
    assert said in stage.said
    assert (stage.scene.calls()[0]["output"] is not None) is approve


def test_a_run_that_ends_half_way_ends_what_it_was_in_the_midst_of() -> None:
    """A message half written stays, and says why it is cut; its step ends as the run does."""
    stage = Stage("hello")
    for act in stage.assistant.work():
        if not isinstance(act, Pause):
            stage.take(act)
        if len(stage.said.split()) == 3:
            break
    stage.take(stage.assistant.cancel())
    stage.play()
    (message,), (step,) = stage.scene.messages.values(), stage.scene.steps.values()
    assert stage.said == "Good morning! Ask "
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_cancelled"})
    assert (step["status"], stage.scene.status) == ("cancelled", "cancelled")
    assert stage.names[-4:] == ["run.cancelling", "message.incomplete", "run.step.cancelled", "run.cancelled"]


# Over HTTP


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """An assistant that thinks and writes at a fifth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QUEUE_SEC", "STEP_SEC", "PIECE_SEC", "CANCEL_SEC"):
            patch.setattr(_assistant, name, getattr(_assistant, name) / 5)
        yield


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the sample."""
    path = tmp_path_factory.mktemp("assistant") / "bakery.db"
    write_sample(path)
    return path


@pytest.fixture(scope="module")
def origin(database: Path) -> Iterator[str]:
    """The address, without a path, of a server with the assistant."""
    with serve(database, prefix="", assistant=True) as address:
        yield address


@pytest.fixture(scope="module")
def http(origin: str) -> Iterator[httpx.Client]:
    """A plain HTTP client of that server."""
    with httpx.Client(base_url=f"{origin}/v1", timeout=20) as client:
        yield client


def post(http: httpx.Client, path: str, body: Any = None, status: int = 200) -> Any:
    """What a POST gives."""
    answer = http.post(path, json=body) if body is not None else http.post(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def thread_with(http: httpx.Client, *questions: str) -> str:
    """The id of a new thread."""
    messages = [{"role": "user", "content": question} for question in questions]
    return str(post(http, "/threads", {"messages": messages})["id"])


def streamed(http: httpx.Client, path: str, body: Any) -> list[tuple[str, Any]]:
    """The events that a POST gives, read the way the wire has them."""
    with http.stream("POST", path, json={**body, "stream": True}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(answer.iter_text()).split("\n\n")
    assert blocks.pop() == ""
    events = []
    for block in blocks:
        name, data = block.split("\n")
        text = data.removeprefix("data: ")
        events.append((name.removeprefix("event: "), text if text == "[DONE]" else json.loads(text)))
    return events


def started(http: httpx.Client, question: str, **body: Any) -> dict[str, Any]:
    """A new run, on a thread of its own."""
    thread = {"messages": [{"role": "user", "content": question}]}
    run: dict[str, Any] = post(http, "/threads/runs", {**RUN, "thread": thread, **body})
    return run


def until(http: httpx.Client, run: dict[str, Any], *statuses: str) -> dict[str, Any]:
    """The run, once it has one of these statuses."""
    for _ in range(1000):
        answer = http.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
        now: dict[str, Any] = answer.json()
        if now["status"] in statuses:
            return now
        assert answer.headers["openai-poll-after-ms"] == "100"
        with suppress(TimeoutError):
            http.get("/threads?limit=1")  # a moment passes
    raise AssertionError(now["status"])


class TestRuns:
    def test_a_stream_tells_what_is_then_stored(self, http: httpx.Client) -> None:
        """Thread, run, steps and message, in order; each whole object as it can be read afterwards."""
        body = {**RUN, "thread": {"messages": [{"role": "user", "content": NUTS}], "metadata": {"a": "b"}}}
        events = streamed(http, "/threads/runs", body)
        for name, data in events:
            EVENT.validate({"event": name, "data": data})
        names = [name for name, _ in events]
        assert names[:4] == ["thread.created", "thread.run.created", "thread.run.queued", "thread.run.in_progress"]
        assert names[-2:] == ["thread.run.completed", "done"]
        run = events[-2][1]
        path = f"/threads/{run['thread_id']}"
        assert events[0][1] == http.get(path).json()
        assert run == http.get(f"{path}/runs/{run['id']}").json()
        steps = http.get(f"{path}/runs/{run['id']}/steps?order=asc").json()["data"]
        assert steps == [data for name, data in events if name == "thread.run.step.completed"]
        (message,) = http.get(f"{path}/messages", params={"run_id": run["id"]}).json()["data"]
        assert [message] == [data for name, data in events if name == "thread.message.completed"]
        assert "content" not in json.dumps(steps[0])

    def test_found_texts_are_streamed_where_asked_for(self, http: httpx.Client) -> None:
        """`include[]` on the request that starts a run."""
        path = f"/threads/{thread_with(http, NUTS)}/runs"
        events = streamed(http, f"{path}?include[]={facade.FILE_SEARCH_RESULT_CONTENT}", RUN)
        (step, *_) = [data for name, data in events if name == "thread.run.step.completed"]
        assert step["step_details"]["tool_calls"][0]["file_search"]["results"][0]["content"]

    def test_outputs_let_it_go_on_as_a_stream(self, http: httpx.Client) -> None:
        """The rest of the run, from the step that the outputs complete."""
        thread_id = thread_with(http, STOCK)
        events = streamed(http, f"/threads/{thread_id}/runs", RUN)
        assert [name for name, _ in events][-2:] == ["thread.run.requires_action", "done"]
        run = events[-2][1]
        (call,) = awaited(run)
        body = {"tool_outputs": [{"tool_call_id": call["id"], "output": '{"free": 9}'}]}
        events = streamed(http, f"/threads/{thread_id}/runs/{run['id']}/submit_tool_outputs", body)
        names = [name for name, _ in events]
        assert names[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
        assert events[-2][1]["status"] == "completed"
        text = "".join(
            data["delta"]["content"][0]["text"]["value"] for name, data in events if name.endswith("message.delta")
        )
        assert text == "9 are free."

    def test_a_run_takes_what_it_is_given(self, http: httpx.Client) -> None:
        """Each field of the request stands in the run; what is left out is the assistant's."""
        given = {
            "model": "gpt-4.1",
            "instructions": "Be brief.",
            "additional_instructions": "Smile.",
            "metadata": {"counter": "back"},
            "temperature": 0,
            "top_p": 0.5,
            "max_prompt_tokens": 300,
            "max_completion_tokens": 400,
            "truncation_strategy": {"type": "last_messages", "last_messages": 2},
            "tool_choice": "none",
            "parallel_tool_calls": False,
            "response_format": {"type": "text"},
            "tools": [{"type": "code_interpreter"}],
        }
        run = started(
            http, "hello", **{name: value for name, value in given.items() if name != "additional_instructions"}
        )
        schema("RunObject").validate(run)
        assert {name: run[name] for name in given if name in run} == {
            name: value for name, value in given.items() if name != "additional_instructions"
        }
        assert (run["status"], run["assistant_id"]) == ("queued", BAKERY)
        thread_id = thread_with(http)
        asked = [{"role": "user", "content": [{"type": "text", "text": "When do you open?"}]}]
        more = {"additional_messages": asked, "additional_instructions": "Smile."}
        plain = post(http, f"/threads/{thread_id}/runs", {**RUN, **more})
        assert plain["instructions"] == f"{assistant()['instructions']} Smile."
        assert (plain["model"], plain["tools"]) == (assistant()["model"], assistant()["tools"])
        until(http, plain, "completed")
        answer, question = http.get(f"/threads/{thread_id}/messages").json()["data"]
        assert question["content"][0]["text"] == {"value": "When do you open?", "annotations": []}
        assert "We are open" in answer["content"][0]["text"]["value"]

    def test_tools_that_the_spec_does_not_know_are_taken(self, http: httpx.Client) -> None:
        """Azure AI Foundry has more, with their resources; the tool server's label is then that tool's."""
        tool = {"type": "mcp", "server_label": "granary", "server_url": "https://mill.example/mcp"}
        resources = {"mcp": [{"server_label": "granary", "require_approval": "always"}]}
        path = f"/threads/{thread_with(http, MILL)}/runs"
        run = post(http, path, {**RUN, "tools": [tool], "tool_resources": resources})
        assert run["tools"] == [tool]
        assert awaited(until(http, run, "requires_action"))[0]["server_label"] == "granary"

    def test_a_run_that_the_assistant_cannot_carry_out_has_failed(self, http: httpx.Client) -> None:
        """Where its own rules break down on a function's parameters, the stream and the run say so."""
        function = {"name": "odd", "parameters": {"properties": {"a": {"type": {}}}}}
        body = {**RUN, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}
        events = streamed(http, f"/threads/{thread_with(http)}/runs", body)
        assert [name for name, _ in events][-2:] == ["thread.run.failed", "done"]
        assert events[-2][1]["last_error"]["code"] == "server_error"

    def test_metadata_can_be_changed_while_it_goes_on(self, http: httpx.Client) -> None:
        """The change outlives what happens to the run afterwards."""
        run = started(http, "hello")
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        assert post(http, path, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
        assert until(http, run, "completed")["metadata"] == {"a": "b"}
        assert post(http, path, {"metadata": None})["metadata"] == {}
        assert post(http, path, {})["metadata"] == {}

    def test_a_cancelled_run_stops(self, http: httpx.Client) -> None:
        """It is cancelling at first, then cancelled, with its step; cancelling it again is refused."""
        run = started(http, POSTER)
        until(http, run, "in_progress")
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        assert post(http, f"{path}/cancel")["status"] == "cancelling"
        assert "'cancelling'" in post(http, f"{path}/cancel", status=400)["error"]["message"]
        assert until(http, run, "cancelled")["cancelled_at"]
        steps = http.get(f"{path}/steps").json()["data"]
        assert {step["status"] for step in steps} <= {"cancelled"}
        assert "'cancelled'" in post(http, f"{path}/cancel", status=400)["error"]["message"]
        assert post(http, f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "Thanks"})["id"]

    def test_a_stream_tells_of_being_cancelled(self, http: httpx.Client) -> None:
        """Its last events are the run's cancelling and its end."""
        thread_id = thread_with(http, POSTER)
        names = []
        with http.stream("POST", f"/threads/{thread_id}/runs", json={**RUN, "stream": True}) as answer:
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    names.append(line.removeprefix("event: "))
                if line.startswith("event: thread.run.step.delta") and names.count("thread.run.step.delta") == 1:
                    (run,) = http.get(f"/threads/{thread_id}/runs").json()["data"]
                    post(http, f"/threads/{thread_id}/runs/{run['id']}/cancel")
        assert names[-4:] == ["thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled", "done"]

    def test_who_stops_listening_stops_nothing(self, http: httpx.Client) -> None:
        """A stream that is closed half way leaves the run to go on."""
        thread_id = thread_with(http, NUTS)
        with http.stream("POST", f"/threads/{thread_id}/runs", json={**RUN, "stream": True}) as answer:
            next(answer.iter_lines())
        (run,) = http.get(f"/threads/{thread_id}/runs").json()["data"]
        until(http, run, "completed")

    def test_a_hurried_run_expires(self, http: httpx.Client) -> None:
        """It waits two seconds at most, for an answer too; its step expires with it."""
        run = started(http, f"I am in a hurry. {STOCK}")
        assert run["expires_at"] - run["created_at"] == 2
        waiting = until(http, run, "requires_action")
        answer = {"tool_outputs": [{"tool_call_id": awaited(waiting)[0]["id"], "output": "1"}]}
        assert until_expired(http, run)["expires_at"] == run["expires_at"]
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        assert http.get(f"{path}/steps").json()["data"][0]["status"] == "expired"
        assert "'expired'" in post(http, f"{path}/submit_tool_outputs", answer, 400)["error"]["message"]

    def test_the_samples_own_runs_stand_still_until_somebody_moves_them(self, http: httpx.Client) -> None:
        """The one that waits can be answered, the queued one cancelled, though their time was up long ago."""
        path = f"/threads/{SAMPLE_THREAD_ID}/runs"
        waiting = http.get(f"{path}/run_bakery_10").json()
        outputs = [{"tool_call_id": call["id"], "output": '{"free": 30}'} for call in awaited(waiting)]
        post(http, f"{path}/run_bakery_10/submit_tool_outputs", {"tool_outputs": outputs})
        until(http, waiting, "completed")
        (message,) = http.get(f"/threads/{SAMPLE_THREAD_ID}/messages?run_id=run_bakery_10").json()["data"]
        assert message["content"][0]["text"]["value"] == "30 are free. 30 are free."
        post(http, f"{path}/run_bakery_12/cancel")
        until(http, {"thread_id": SAMPLE_THREAD_ID, "id": "run_bakery_12"}, "cancelled")
        assert http.get(f"{path}/run_bakery_11").json()["status"] == "in_progress"


def until_expired(http: httpx.Client, run: dict[str, Any]) -> dict[str, Any]:
    """The run, once it has waited for too long."""
    for _ in range(5000):
        now: dict[str, Any] = http.get(f"/threads/{run['thread_id']}/runs/{run['id']}").json()
        if now["status"] != "requires_action":
            assert now["status"] == "expired"
            return now
    raise AssertionError(now["status"])


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body", "words"),
        [
            ("/threads/{thread}/runs", {}, "'assistant_id' is a required property"),
            ("/threads/{thread}/runs", {**RUN, "colour": "red"}, "'colour' was unexpected"),
            ("/threads/{thread}/runs", {**RUN, "temperature": 3}, "temperature: must keep to maximum 2"),
            ("/threads/{thread}/runs", {**RUN, "stream": "yes"}, "stream: must be of type boolean or null"),
            ("/threads/{thread}/runs", {**RUN, "max_prompt_tokens": 1}, "max_prompt_tokens: must keep to minimum 256"),
            ("/threads/{thread}/runs", {**RUN, "tools": [{"type": "function"}]}, "tools[0]"),
            ("/threads/{thread}/runs", {**RUN, "additional_messages": [{"role": "user"}]}, "additional_messages[0]"),
            ("/threads/{thread}/runs?include[]=all", RUN, "include[] is 'all'"),
            ("/threads/{thread}/messages", {"role": "cat", "content": "miaow"}, 'role: must be "user" or "assistant"'),
            ("/threads/{thread}/messages", {"role": "user", "content": ""}, "content: is empty"),
            ("/threads", {"messages": [{"role": "user", "content": ""}]}, "messages[0].content: is empty"),
            ("/threads", {"metadata": {str(n): "" for n in range(17)}}, "metadata: has 17 pairs"),
            ("/threads", {"metadata": {"a": "b" * 513}}, "metadata: 'a' is too long"),
            ("/threads", {"metadata": {"a": 1}}, "metadata.a: must be of type string"),
            ("/threads/runs", {**RUN, "thread": {"metadata": {"k" * 65: ""}}}, "thread.metadata"),
            ("/threads", [], "no JSON object"),
        ],
    )
    def test_a_body_is_what_the_spec_says(self, http: httpx.Client, path: str, body: Any, words: str) -> None:
        """What is wrong is named, and nothing is made."""
        before = http.get("/threads?limit=100").json()["data"]
        error = post(http, path.format(thread=EMPTY_THREAD_ID), body, 400)["error"]
        assert words in error["message"]
        assert error["type"] == "invalid_request_error"
        assert http.get("/threads?limit=100").json()["data"] == before

    @pytest.mark.parametrize("body", [b"", b"{", b'{"metadata": NaN}', b"\xff", b"[" * 100_000])
    def test_a_body_is_json(self, http: httpx.Client, body: bytes) -> None:
        """Anything else is refused."""
        answer = http.post(f"/threads/{EMPTY_THREAD_ID}/messages", content=body)
        assert (answer.status_code, "no JSON" in answer.text) == (400, True)

    def test_a_body_is_not_endless(self, http: httpx.Client) -> None:
        """More than 4 MiB are not read."""
        answer = http.post("/threads", content=b"x" * ((4 << 20) + 1))
        assert answer.status_code == 413

    def test_unknown_things_are_not_found(self, http: httpx.Client) -> None:
        """Threads, runs and assistants that there are not."""
        message = {"role": "user", "content": "hello"}
        for path, body, param in [
            ("/threads/thread_x/messages", message, "thread_id"),
            ("/threads/thread_x/runs", RUN, "thread_id"),
            (f"/threads/{EMPTY_THREAD_ID}/runs", {"assistant_id": "asst_x"}, "assistant_id"),
            (f"/threads/{EMPTY_THREAD_ID}/runs/run_x/cancel", None, "run_id"),
            (f"/threads/{EMPTY_THREAD_ID}/runs/run_x/submit_tool_outputs", {}, "run_id"),
            (f"/threads/{EMPTY_THREAD_ID}/runs/run_x", {}, "run_id"),
            (f"/threads/{EMPTY_THREAD_ID}/runs/run_bakery_01", {}, "run_id"),
        ]:
            assert post(http, path, body, 404)["error"]["param"] == param

    def test_half_a_character_names_no_assistant(self, http: httpx.Client) -> None:
        """An id that no text file can hold is not found either."""
        answer = http.post(f"/threads/{EMPTY_THREAD_ID}/runs", content=b'{"assistant_id": "\\ud800"}')
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "assistant_id")

    def test_what_is_not_served_is_refused(self, http: httpx.Client) -> None:
        """Nothing else is written, and nothing is taken away."""
        assert http.post("/assistants", json={}).status_code == 405
        assert http.delete(f"/threads/{EMPTY_THREAD_ID}").status_code == 405

    def test_one_run_at_a_time(self, http: httpx.Client) -> None:
        """A thread with a run under way takes no message and no other run."""
        run = started(http, STOCK)
        path = f"/threads/{run['thread_id']}"
        for what in ({**RUN}, {"role": "user", "content": "Hello?"}):
            error = post(http, f"{path}/{'runs' if 'assistant_id' in what else 'messages'}", what, 400)["error"]
            assert run["id"] in error["message"]
        post(http, f"{path}/runs/{run['id']}/cancel")

    def test_outputs_are_those_that_it_waits_for(self, http: httpx.Client) -> None:
        """None too many, none missing, none twice, of the right kind, and only while it waits."""
        run = started(http, BOTH)
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        assert "waits for no answer" in post(http, path, {"tool_outputs": []}, 400)["error"]["message"]
        ids = [call["id"] for call in awaited(until(http, run, "requires_action"))]
        for given in (ids[:1], [*ids, "call_x"], [ids[0], ids[0]], []):
            outputs = [{"tool_call_id": call_id, "output": "1"} for call_id in given]
            error = post(http, path, {"tool_outputs": outputs}, 400)["error"]
            assert all(call_id in error["message"] for call_id in ids)
            assert error["param"] == "tool_outputs"
        approvals = [{"tool_call_id": call_id, "approve": True} for call_id in ids]
        assert post(http, path, {"tool_approvals": approvals}, 400)["error"]["param"] == "tool_outputs"
        outputs = [{"tool_call_id": call_id, "output": "1"} for call_id in ids]
        assert post(http, path, {"tool_outputs": outputs})["status"] == "queued"
        assert "waits for no answer" in post(http, path, {"tool_outputs": outputs}, 400)["error"]["message"]
        until(http, run, "completed")

    def test_what_an_approval_carries_is_kept_nowhere(self, http: httpx.Client, database: Path) -> None:
        """The headers of an approval are secrets: no answer, no error and no file has them."""
        run = started(http, MILL)
        (call,) = awaited(until(http, run, "requires_action"))
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        approval = {"tool_call_id": call["id"], "approve": True, "headers": {"token": ["sk-mill"]}}
        refused = http.post(path, json={"tool_approvals": [approval]})
        assert (refused.status_code, "sk-mill" in refused.text) == (400, False)
        approval["headers"] = {"token": "sk-mill"}
        assert "sk-mill" not in json.dumps(post(http, path, {"tool_approvals": [approval]}))
        until(http, run, "completed")
        assert b"sk-mill" not in database.read_bytes()

    def test_pages_of_other_sites_write_nothing(self, http: httpx.Client) -> None:
        """A browser sends such a page's requests, and says where they come from."""
        for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 200)):
            assert http.post("/threads", content=b"{}", headers={"origin": origin}).status_code == status

    def test_without_the_assistant_nothing_is_written(self, database: Path) -> None:
        """The server of an archive answers 405, as before."""
        with serve(database) as base_url:
            assert httpx.post(f"{base_url}/threads", json={}).status_code == 405


class TestFile:
    def test_it_is_an_archive_like_any_other(self, tmp_path: Path) -> None:
        """A missing file is made, with the assistant; what was written verifies, and is whole once runs have ended."""
        path = tmp_path / "new.db"
        with serve(path, assistant=True) as base_url, httpx.Client(base_url=base_url) as http:
            run = started(http, "hello")
            assert archive.verify(path).unfinished == (run["id"],)
            until(http, run, "completed")
        report = archive.verify(path)
        assert (report.complete, report.runs, report.messages, report.assistants) == (True, 1, 2, 1)
        with archive.client(path) as client:
            assert client.runs.get(run["thread_id"], run["id"]).status == "completed"

    def test_runs_survive_the_server(self, tmp_path: Path) -> None:
        """One that waits waits on at the next server; one that was at work has failed, with its step."""
        path = tmp_path / "left.db"
        with serve(path, assistant=True) as base_url, httpx.Client(base_url=base_url) as http:
            waiting, working = started(http, STOCK), started(http, POSTER)
            calls = awaited(until(http, waiting, "requires_action"))
            until(http, working, "in_progress")
        with serve(path, assistant=True) as base_url, httpx.Client(base_url=base_url) as http:
            failed = until(http, working, "failed")
            assert "was stopped" in failed["last_error"]["message"]
            run_path = f"/threads/{waiting['thread_id']}/runs"
            assert http.post(run_path, json=RUN).status_code == 400
            body = {"tool_outputs": [{"tool_call_id": calls[0]["id"], "output": "9"}]}
            post(http, f"{run_path}/{waiting['id']}/submit_tool_outputs", body)
            until(http, waiting, "completed")
        assert archive.verify(path).complete

    def test_one_server_writes(self, tmp_path: Path) -> None:
        """A second one on the same file is refused, and the file is free when the first has ended."""
        path = tmp_path / "one.db"
        with serve(path, assistant=True), pytest.raises(archive.BusyError):
            create_app(path, assistant=True)
        create_app(path, assistant=True).close()

    def test_an_archive_of_an_endpoint_is_left_alone(self, tmp_path: Path) -> None:
        """What was read from elsewhere is not mixed with what is made up."""
        path = tmp_path / "export.db"
        with Store(path) as store, store.transaction():
            store.set_meta("api_base", "https://host.example/v1")
        before = path.read_bytes()
        with pytest.raises(ValueError, match="a file of its own"):
            create_app(path, assistant=True)
        assert path.read_bytes() == before

    def test_others_may_read_and_write_meanwhile(self, tmp_path: Path) -> None:
        """A file that another process holds for a moment is waited for, and the run goes on."""
        path = tmp_path / "held.db"
        with serve(path, assistant=True) as base_url, httpx.Client(base_url=base_url, timeout=20) as http:
            run = started(http, "hello")
            with Store(path) as store, store.transaction():
                sqlite3.connect(path).close()
            until(http, run, "completed")


class TestCommand:
    def test_it_serves_the_assistant_and_survives_being_killed(self, tmp_path: Path) -> None:
        """`--assistant` makes the file; what a killed server left can be read at once, and the next one tidies up."""
        path = tmp_path / "killed.db"
        command = [sys.executable, "-m", "facade.server", str(path), "--assistant", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            base_url = re.findall(r"http://127\.0\.0\.1:\d+/v1", process.stdout.readline())[0]
            with httpx.Client(base_url=base_url) as http:
                run = until(http, started(http, POSTER), "in_progress")
            process.kill()
        assert archive.verify(path).unfinished == (run["id"],)
        with serve(path, assistant=True) as base_url, httpx.Client(base_url=base_url) as http:
            until(http, run, "failed")

    def test_a_file_that_is_being_written_is_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No traceback, and exit code 1."""
        path = tmp_path / "busy.db"
        with serve(path, assistant=True), pytest.raises(SystemExit) as caught:
            main([str(path), "--assistant", "--port", "0"])
        assert caught.value.code == 1
        error = capsys.readouterr().err
        assert (error.count("\n"), "being written" in error) == (1, True)

    def test_a_missing_library_is_named(self, tmp_path: Path) -> None:
        """Without jsonschema the server serves, and the assistant says what to install."""
        program = (
            "import sys; sys.modules['jsonschema'] = None; from facade.server import create_app;"
            f"create_app({str(tmp_path / 'x.db')!r}, assistant=True)"
        )
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "the assistant needs jsonschema: pip install jsonschema" in result.stderr


# Clients


class TestOpenAI:
    """openai's SDK, with its own polling and streaming."""

    @pytest.fixture
    def threads(self, origin: str) -> Iterator[Any]:
        openai = pytest.importorskip("openai")
        with openai.OpenAI(api_key="any", base_url=f"{origin}/v1") as client:
            yield client.beta.threads

    pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

    def test_create_and_poll(self, threads: Any) -> None:
        """On a thread that it made, with a message that it added."""
        thread = threads.create(metadata={"a": "b"})
        threads.messages.create(thread.id, role="user", content=NUTS)
        run = threads.runs.create_and_poll(thread_id=thread.id, assistant_id=BAKERY)
        assert run.status == "completed"
        (answer, _) = threads.messages.list(thread.id).data
        assert answer.content[0].text.annotations[0].file_citation.file_id == "file-allergens"
        updated = threads.runs.update(run.id, thread_id=thread.id, metadata={"c": "d"})
        assert updated.metadata == {"c": "d"}

    def test_submit_tool_outputs_and_poll(self, threads: Any) -> None:
        """A run that waits is answered and polled to its end."""
        run = threads.create_and_run_poll(assistant_id=BAKERY, thread={"messages": [{"role": "user", "content": BOTH}]})
        assert run.status == "requires_action"
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [{"tool_call_id": call.id, "output": '{"free": 72}'} for call in calls]
        run = threads.runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs)
        assert run.status == "completed"

    def test_stream_with_its_event_handler(self, threads: Any) -> None:
        """Its handler gathers the text and the calls, through a function and on to the end."""
        import openai

        told: list[str] = []

        class Handler(openai.AssistantEventHandler):
            def on_text_delta(self, delta: Any, snapshot: Any) -> None:
                told.append(delta.value)

            def on_tool_call_done(self, tool_call: Any) -> None:
                told.append(tool_call.type)

            def on_exception(self, exception: Exception) -> None:
                raise exception

        thread = threads.create(messages=[{"role": "user", "content": f"{BOTH} {NUTS}"}])
        with threads.runs.stream(thread_id=thread.id, assistant_id=BAKERY, event_handler=Handler()) as stream:
            stream.until_done()
            run = stream.current_run
        assert (run.status, set(told)) == ("requires_action", {"function"})
        step = stream.current_run_step_snapshot
        calls = run.required_action.submit_tool_outputs.tool_calls
        assert [call.function.arguments for call in step.step_details.tool_calls] == [
            call.function.arguments for call in calls
        ]
        told.clear()
        outputs = [{"tool_call_id": call.id, "output": "yes"} for call in calls]
        with threads.runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs, event_handler=Handler()
        ) as stream:
            stream.until_done()
            (message,) = stream.get_final_messages()
        assert stream.current_run.status == "completed"
        assert "".join(piece for piece in told if piece != "file_search") == message.content[0].text.value
        assert told[0] == "file_search"
        assert len(message.content[0].text.annotations) == 1

    def test_cancel(self, threads: Any) -> None:
        """A run that takes its time."""
        run = threads.create_and_run(assistant_id=BAKERY, thread={"messages": [{"role": "user", "content": POSTER}]})
        assert threads.runs.cancel(run.id, thread_id=run.thread_id).status == "cancelling"
        assert threads.runs.poll(run.id, thread_id=run.thread_id).status == "cancelled"

    def test_failed_runs(self, threads: Any) -> None:
        """Failed and incomplete ones say why."""
        for question, status in ((OVENS, "failed"), (CATALOGUE, "incomplete")):
            thread = {"messages": [{"role": "user", "content": question}]}
            run = threads.create_and_run_poll(assistant_id=BAKERY, thread=thread)
            assert run.status == status
            assert run.last_error or run.incomplete_details

    def test_a_refusal(self, threads: Any) -> None:
        """Arrives as the SDK's error of that status."""
        import openai

        with pytest.raises(openai.BadRequestError, match="is 'completed'"):
            threads.runs.cancel("run_bakery_01", thread_id=SAMPLE_THREAD_ID)


def check_stock(item: str, count: int) -> str:
    """How many of an item are free.

    :param item: which
    :param count: how many are wanted
    """
    return json.dumps({"free": count + 3, "item": item})


class TestAzure:
    """azure-ai-agents, with its own polling, functions and streaming."""

    @pytest.fixture
    def client(self, origin: str) -> Iterator[Any]:
        agents = pytest.importorskip("azure.ai.agents")
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy

        key: Any = AzureKeyCredential("any")
        policy = AzureKeyCredentialPolicy(key, "api-key")
        with agents.AgentsClient(f"{origin}/api/projects/bakery", key, authentication_policy=policy) as client:
            yield client

    def test_create_and_process_with_a_function_toolset(self, client: Any) -> None:
        """It calls the function itself, and its tools are the run's."""
        from azure.ai.agents.models import FunctionTool, ToolSet

        toolset = ToolSet()
        toolset.add(FunctionTool({check_stock}))
        client.enable_auto_function_calls(toolset)
        thread = client.threads.create()
        client.messages.create(thread.id, role="user", content=STOCK)
        run = client.runs.create_and_process(thread.id, agent_id=BAKERY, toolset=toolset, polling_interval=0.1)
        assert (run.status, len(run.tools)) == ("completed", 1)
        assert client.messages.get_last_message_text_by_role(thread.id, "assistant").text.value == "15 are free."

    def test_streaming(self, client: Any) -> None:
        """Its event handler sees the text, the steps and the end; it calls the function and goes on."""
        from azure.ai.agents.models import AgentEventHandler, FunctionTool, ToolSet

        toolset = ToolSet()
        toolset.add(FunctionTool({check_stock}))
        client.enable_auto_function_calls(toolset)
        thread = client.threads.create(messages=[{"role": "user", "content": STOCK}])
        told: list[str] = []

        class Handler(AgentEventHandler[Any]):
            def on_message_delta(self, delta: Any) -> None:
                told.append(delta.text)

            def on_thread_run(self, run: Any) -> None:
                told.append(run.status)

            def on_error(self, data: str) -> None:
                raise AssertionError(data)

        with client.runs.stream(thread.id, agent_id=BAKERY, event_handler=Handler()) as stream:
            stream.until_done()
        assert [str(word) for word in told if word not in ("15 ", "are ", "free.")][-1].lower().endswith("completed")
        assert "".join(word for word in told if word in ("15 ", "are ", "free.")) == "15 are free."

    def test_approvals(self, client: Any) -> None:
        """What waits for one reads as it is; the answer, which this SDK has no words for, is a plain body."""
        thread = client.threads.create(messages=[{"role": "user", "content": MILL}])
        run = client.runs.create(thread.id, agent_id=BAKERY)
        while run.status in ("queued", "in_progress"):
            run = client.runs.get(thread.id, run.id)
        assert run.required_action.type == "submit_tool_approval"
        (call,) = run.required_action["submit_tool_approval"]["tool_calls"]
        body = {"tool_approvals": [{"tool_call_id": call["id"], "approve": True}]}
        client.runs.submit_tool_outputs(thread.id, run.id, body)
        while run.status != "completed":
            run = client.runs.get(thread.id, run.id)
        assert "240.00" in client.messages.get_last_message_text_by_role(thread.id, "assistant").text.value


class TestOurs:
    """This project's client, sync and async."""

    def test_process(self, api: Any, origin: str, http: httpx.Client) -> None:
        """Functions and approvals are answered to the end."""
        client = api.client(f"{origin}/v1")
        given: list[Any] = []

        def check_stock(item: str, count: int) -> dict[str, int]:
            given.append((item, count))
            return {"free": 72}

        functions: dict[str, Callable[..., Any]] = {
            "check_stock": check_stock,
            "quote_delivery": lambda day, km: {"eur": 8.5},
        }
        thread_id = thread_with(http, f"{BOTH} And order at the mill.")
        run = client.runs.create(thread_id, BAKERY)
        run = client.runs.process(run, functions, approve=lambda call: True, check=True)
        assert (run.status, given) == ("completed", [("rye roll", 60)])
        (message,) = client.messages.list(thread_id, run_id=run.id)
        assert message.content[0].text.value.endswith("The mill brings 190 kg of rye flour on Thursday, for 228.00.")

    def test_stream_and_answers(self, api: Any, origin: str, http: httpx.Client) -> None:
        """Text as it comes, through an output, to the result."""
        client = api.client(f"{origin}/v1")
        with client.runs.stream(thread_with(http, STOCK), BAKERY) as stream:
            run = stream.result()
        assert run.status == "requires_action"
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        with client.runs.stream_tool_outputs(run, {call.id: {"free": 9}}) as stream:
            assert "".join(stream.text()) == "9 are free."
            assert stream.result().status == "completed"

    def test_a_file_that_fails_ends_the_stream(
        self, api: Any, origin: str, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The server says `error`, and the client raises it."""
        happen = Writing.happen

        def fail(writing: Writing, scene: Scene, events: tuple[Event, ...]) -> Scene:
            if events[-1].name == "thread.run.queued":
                return happen(writing, scene, events)
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(Writing, "happen", fail)
        with pytest.raises(facade.StreamError, match="assistant failed") as caught:
            api.client(f"{origin}/v1").runs.stream(thread_with(http, "hello"), BAKERY).result()
        assert caught.value.run is not None
        assert caught.value.run.status == "queued"

    def test_wait_and_cancel(self, api: Any, origin: str, http: httpx.Client) -> None:
        """Cancelled, waited for, and checked."""
        client = api.client(f"{origin}/v1")
        run = client.runs.cancel(client.runs.create(thread_with(http, POSTER), BAKERY))
        assert client.runs.wait(run).status == "cancelled"
        run = client.runs.create_with_thread(BAKERY, thread={"messages": [{"role": "user", "content": PRICES}]})
        with pytest.raises(facade.RunFailedError, match="used up"):
            client.runs.wait(run, check=True)
