"""Answers of real servers, each with its own dialect: read whole, kept, and given back unchanged."""

from __future__ import annotations

import copy
import gzip
import inspect
import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from conftest import Api, exactly, read_all, touch
from wire import Request, Script, Serve, a_page, a_run, a_step, answer, error, library, runs

import facade
from facade import _answers
from openai_thread_runs_api import models
from openai_thread_runs_api.model_base import Model


def a_tool_step(*calls: Any, **fields: Any) -> dict[str, Any]:
    """A step of tool calls."""
    return a_step(type="tool_calls", step_details={"type": "tool_calls", "tool_calls": list(calls)}, **fields)


class TestDialects:
    """What is known of servers that speak the protocol."""

    def test_openai_is_closed(self, api: Api, serve: Serve) -> None:
        """A bare 404 is a NotFoundError with a message, whoever it is from."""
        _, failure = read_all(api.client(serve(answer(b"", 404, {"Content-Type": None}))).runs.all("thread_1"))
        assert type(failure) is facade.NotFoundError
        assert "404" in str(failure)

    def test_foundry_address(self, api: Api, serve: Serve) -> None:
        """Azure AI Foundry: a project's path, an api-version on each request, and a token that is asked for anew."""
        project = "/api/projects/bakery"
        tokens = iter(["token-1", "token-2", "token-3"])
        whole = library({f"{project}/threads/thread_1/runs": runs(150)})

        def say(request: Request) -> bytes:
            if request.value("api-version") != "v1":
                return error(400, message="api-version is missing")
            return whole(request)

        server = serve(say)
        client = api.client(
            server.url + project,
            auth_type="azure_ad",
            api_key=lambda: next(tokens),
            additional_query={"api-version": "v1"},
        )
        assert len(list(client.runs.all("thread_1"))) == 150
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer token-1", "Bearer token-2"]
        assert "/v1/threads" not in server.requests[0].path

    def test_foundry_joined_includes(self, api: Api, serve: Serve) -> None:
        """Azure AI Foundry: several include values joined by a comma can be sent as one."""
        server = serve(answer(a_page([])))
        api.client(server).steps.list(a_run(), include="one,two")
        assert [value for name, value in server.requests[0].query if name == "include[]"] == ["one,two"]

    FOUNDRY_CALLS = (
        {"id": "c1", "type": "azure_ai_search", "azure_ai_search": {"input": "rye", "output": "{'n': 3}"}},
        {"id": "c2", "type": "bing_grounding", "bing_grounding": {"requesturl": "https://search.example/?q=rye"}},
        {"id": "c3", "type": "bing_custom_search", "bing_custom_search": {}},
        {"id": "c4", "type": "fabric_dataagent", "fabric_dataagent": {"input": "sales"}},
        {"id": "c5", "type": "sharepoint_grounding", "sharepoint_grounding": {"documents": []}},
        {"id": "c6", "type": "openapi", "function": {"name": "weather", "arguments": "{}", "output": None}},
        {"id": "c7", "type": "azure_function", "azure_function": {"name": "bake"}},
        {"id": "c8", "type": "browser_automation", "browser_automation": {"steps": [{"url": "https://x.example"}]}},
        {"id": "c9", "type": "deep_research", "deep_research": {"input": "rye", "output": "bread"}},
        {"id": "c10", "type": "computer_use_preview", "action": {"type": "click", "x": 5, "y": 7}},
        {
            "id": "c11",
            "type": "connected_agent",
            "connected_agent": {"name": "miller", "run_id": "run_9", "thread_id": "thread_9"},
        },
        {"id": "c12", "type": "mcp", "arguments": "{}", "name": "grind", "output": "flour", "server_label": "mill"},
    )

    @pytest.mark.parametrize("call", FOUNDRY_CALLS, ids=lambda call: call["type"])
    def test_foundry_tool_calls(self, api: Api, serve: Serve, call: dict[str, Any]) -> None:
        """Azure AI Foundry: each further kind of tool call reads like a known one, beside a known one."""
        known = {"id": "c0", "type": "function", "function": {"name": "f", "arguments": "{}", "output": None}}
        sent = a_tool_step(known, call)
        step = api.client(serve(answer(sent))).steps.get(a_run(), "step_1")
        first, second = step.step_details.tool_calls
        assert first.function.name == "f"
        assert (second.type_, second["type"], second["id"]) == (call["type"], call["type"], call["id"])
        for key, value in call.items():
            assert exactly(second[key], value)
            assert key in second
        assert exactly(second.to_dict(), call)
        assert exactly(step.to_dict(), sent)
        with pytest.raises(KeyError):
            second["nothing"]

    def test_foundry_activities(self, api: Api, serve: Serve) -> None:
        """Azure AI Foundry: a step of type `activities` is one generic part."""
        details = {"type": "activities", "activities": [{"type": "mcp_list_tools", "id": "a1", "tools": {"grind": {}}}]}
        sent = a_step(type="activities", step_details=details)
        step = api.client(serve(answer(sent))).steps.get(a_run(), "step_1")
        assert (step.type_, step.step_details.type_) == ("activities", "activities")
        assert step.step_details["activities"][0]["id"] == "a1"
        assert exactly(step.step_details.to_dict(), details)
        assert exactly(step.to_dict(), sent)

    def test_foundry_approval(self, api: Api, serve: Serve) -> None:
        """Azure AI Foundry: a run may want a tool's approval, and has tool resources and tools of other kinds."""
        sent = a_run(
            status="requires_action",
            required_action={
                "type": "submit_tool_approval",
                "submit_tool_approval": {"tool_calls": [{"id": "c1", "type": "mcp", "name": "grind"}]},
            },
            tool_resources={"mcp": [{"server_label": "mill", "headers": {}}]},
            tools=[{"type": "mcp", "server_label": "mill"}, {"type": "code_interpreter"}],
        )
        del sent["incomplete_details"]
        run = api.client(serve(answer(sent))).runs.get("thread_1", "run_1")
        assert run.required_action.type_ == "submit_tool_approval"
        assert run.tools[0].type_ == "mcp"
        assert run.tools[0]["server_label"] == "mill"
        assert run.incomplete_details is None
        assert run.additional_properties == {"tool_resources": sent["tool_resources"]}
        touch(run)
        assert exactly(run.to_dict(), sent)

    def test_azure_openai(self, api: Api, serve: Serve) -> None:
        """Azure OpenAI: an api-key header, the api-version in the base, and steps without metadata."""
        sent = a_step()
        del sent["metadata"]
        server = serve(answer(a_page([sent])))
        client = api.client(server.url + "/openai?api-version=2024-05-01-preview", auth_type="azure")
        (step,) = client.steps.all(a_run())
        assert step.metadata is None
        assert exactly(step.to_dict(), sent)
        request = server.requests[0]
        assert "api-key" in request.headers
        assert request.path == "/v1/openai/threads/thread_1/runs/run_1/steps"
        assert request.value("api-version") == "2024-05-01-preview"

    def test_dashscope(self, api: Api, serve: Serve) -> None:
        """Alibaba DashScope: milliseconds, date strings, tokens by other names, tools of its own; kept as sent."""
        sent = a_run(
            created_at=1_760_000_000_123,
            started_at=1_760_000_000_456,
            completed_at="2025-10-09 10:53:20",
            request_id="b6f1",
            gmt_created="2025-10-09 10:53:20.123",
            usage={"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
            tools=[{"type": "quark_search"}, {"type": "text_to_image"}],
        )
        run = api.client(serve(answer(sent))).runs.get("thread_1", "run_1")
        assert (run.created_at, run.completed_at) == (1_760_000_000_123, "2025-10-09 10:53:20")
        assert (run.usage.total_tokens, run.usage.prompt_tokens) == (12, None)
        assert run.usage.additional_properties == {"input_tokens": 5, "output_tokens": 7}
        assert [tool.type_ for tool in run.tools] == ["quark_search", "text_to_image"]
        touch(run)
        assert exactly(run.to_dict(), sent)

    def test_dashscope_steps(self, api: Api, serve: Serve) -> None:
        """Alibaba DashScope: a step's `expires_at` stands for `expired_at`, and is kept."""
        sent = a_step(expires_at=1_760_000_000_999)
        del sent["expired_at"]
        (step,) = api.client(serve(answer({"data": [sent], "request_id": "b6f1"}))).steps.all(a_run())
        assert step.expired_at is None
        assert step.additional_properties == {"expires_at": 1_760_000_000_999}
        assert exactly(step.to_dict(), sent)

    def test_open_assistant_api(self, api: Api, serve: Serve) -> None:
        """open-assistant-api: timestamps as floats, no usage, incomplete_details as a text."""
        sent = a_run(created_at=1_760_000_000.123456, incomplete_details="max_prompt_tokens", expires_at=1.76e9)
        step = a_step(created_at=1_760_000_000.5, expires_at=None, message_id="msg_1")
        del step["usage"], step["expired_at"]
        client = api.client(serve(answer(sent), answer(a_page([step]))))
        run = client.runs.get("thread_1", "run_1")
        assert (run.created_at, run.incomplete_details) == (1_760_000_000.123456, "max_prompt_tokens")
        assert exactly(run.to_dict(), sent)
        (found,) = client.steps.all(run)
        assert found.usage is None
        assert exactly(found.to_dict(), step)

    def test_bella(self, api: Api, serve: Serve) -> None:
        """bella-assistants: file_ids an object, and errors without their envelope."""
        sent = a_run(file_ids={"code_interpreter": ["file_1"]})
        bare = answer({"code": "model_not_found", "message": "no such model", "type": "invalid", "param": "model"}, 400)
        client = api.client(serve(answer(sent), bare))
        assert exactly(client.runs.get("thread_1", "run_1").to_dict(), sent)
        with pytest.raises(facade.BadRequestError) as caught:
            client.runs.get("thread_1", "run_1")
        assert (caught.value.message, caught.value.code, caught.value.param) == (
            "no such model",
            "model_not_found",
            "model",
        )

    def test_openopenai(self, api: Api, serve: Serve) -> None:
        """OpenOpenAI: null keys left out, more promised when a page is merely full, no ids on an empty list."""
        bare = [{key: value for key, value in run.items() if value is not None} for run in runs(2)]
        client = api.client(
            serve(answer(a_page(bare, True)), answer({"object": "list", "data": [], "has_more": False}))
        )
        found = list(client.runs.all("thread_1"))
        assert [run.id for run in found] == ["run_1", "run_2"]
        assert found[0].last_error is None
        assert exactly([run.to_dict() for run in found], bare)

    @pytest.mark.parametrize("more", [{"has_more": None}, {}], ids=["null", "left out"])
    def test_bare_lists(self, api: Api, serve: Serve, more: dict[str, None]) -> None:
        """OpenGPTs-platform, LeapfrogAI: a list is only its data; paging parameters are ignored."""
        server = serve(answer({"data": runs(130), **more}))
        client = api.client(server)
        assert len(list(client.runs.all("thread_1"))) == 130
        page = client.runs.list("thread_1", limit=5)
        assert (len(page), page.has_more, page.first_id, page.last_id) == (130, False, None, None)
        assert len(server.requests) == 2

    def test_leapfrog_has_no_steps(self, api: Api, serve: Serve) -> None:
        """LeapfrogAI: 501 for steps is an error that says so."""
        with pytest.raises(facade.InternalServerError, match="501"):
            api.client(serve(answer({"detail": "Not implemented"}, 501))).steps.list(a_run())

    def test_astra(self, api: Api, serve: Serve) -> None:
        """Astra Assistants: a header of its own, lists called `assistants`, and "none" for the ids of an empty one."""
        empty = {"object": "assistants", "data": [], "first_id": "none", "last_id": "none", "has_more": False}

        def say(request: Request) -> Script:
            if request.headers.get("openai-beta") not in ("assistants=v1", "assistants=v2"):
                return error(400, message="unknown beta")
            return answer(empty) if "astra-api-token" in request.headers else error(401)

        client = api.client(serve(say), additional_headers={"astra-api-token": "AstraCS:x"})
        assert list(client.runs.all("thread_1")) == []
        assert len(client.runs.list("thread_1")) == 0


@pytest.fixture(params=["msgspec", "json"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each JSON reader: the optional faster one, and Python's."""
    if request.param == "msgspec":
        pytest.importorskip("msgspec")
        _answers._quick_reader.cache_clear()
    else:
        monkeypatch.setattr(_answers, "_quick_reader", lambda: json.loads)
    return str(request.param)


EXACT = {
    "big integers": '{"id": "run_1", "created_at": 123456789012345678901234567890, "n": -9223372036854775809}',
    "2^64 and around": '{"id": "run_1", "n": [18446744073709551615, 18446744073709551616, 9223372036854775808]}',
    "4,000 digits": '{"id": "run_1", "n": ' + "7" * 4_000 + "}",
    "lone surrogates": r'{"id": "run_1", "instructions": "\ud800 \udfff", "\udc00": 1}',
    "surrogate pairs": r'{"id": "run_1", "instructions": "\ud83c\udf5e", "s": "🍞"}',
    "kinds of numbers": '{"id": "run_1", "n": [1, 1.0, 1e2, -0.0, 0, -0, 1E400, 1e-400, 0.1, 1.7976931348623157e308]}',
    "long fractions": '{"id": "run_1", "n": [0.1000000000000000055511151231257827, 123456789.123456789123456789]}',
    "control characters": r'{"id": "run_1", "instructions": "\u0000\u001f\n\r\t\b\f\"\\\/"}',
    "key order": '{"z": 1, "id": "run_1", "a": {"z": 1, "a": 2}, "object": "thread.run"}',
    "empty keys": '{"id": "run_1", "": {"": ""}}',
    "empty parts": '{"id": "run_1", "tools": [], "metadata": {}, "usage": {}, "required_action": {}}',
    "keys that are Python's": '{"id": "run_1", "class": 1, "_json": 2, "__dict__": 3, "to_dict": 4, "self": 5}',
    "lists in lists": '{"id": "run_1", "tools": [[{"type": "code_interpreter"}], []], "x": [[[1]]]}',
}


class TestExactness:
    """`to_dict()` gives exactly what the server sent."""

    @pytest.mark.parametrize("name", EXACT)
    def test_exact(self, api: Api, serve: Serve, reader: str, name: str) -> None:
        """A run comes back to the letter, read or unread, alone or in a page."""
        sent = json.loads(EXACT[name])
        text = EXACT[name].encode()
        client = api.client(serve(answer(text), answer(b'{"data": [' + text + b"]}")))
        run = client.runs.get("thread_1", "run_1")
        assert exactly(run.to_dict(), sent)
        touch(run)
        assert exactly(run.to_dict(), sent)
        (item,) = client.runs.all("thread_1")
        assert exactly(item.to_dict(), sent)
        assert item == run
        assert run.to_json() == json.dumps(sent)

    def test_new_each_time(self) -> None:
        """`to_dict()` shares nothing with the model, and reading gives nothing that changes it."""
        sent = a_run(extra={"list": [1]})
        run = facade.Run.from_dict(sent)
        for change in (run.to_dict(), run.additional_properties):
            assert change is not None
            change["extra"]["list"].append(2)
        run["extra"]["list"].append(3)
        run.to_dict()["metadata"]["oven"] = "9"
        tools: Any = run.tools
        tools.append("x")
        assert exactly(run.to_dict(), a_run(extra={"list": [1]}))
        sent["extra"]["list"].append(4)
        assert exactly(run.to_dict(), a_run(extra={"list": [1]}))


ODD_VALUES = [
    None,
    5,
    1.5,
    True,
    "text",
    "",
    [],
    {},
    [None],
    [5, "x", {}],
    {"type": None},
    {"type": 5},
    {"type": "new"},
]


def details(step: facade.RunStep) -> Any:
    """What a step did, whatever the spec says that it can be."""
    return step.step_details


KINDS: dict[str, tuple[type[Model], Callable[..., Any]]] = {
    "run": (facade.Run, a_run),
    "step": (facade.RunStep, a_step),
}
FIELDS = [(kind, key) for kind, (model, _) in KINDS.items() for key in model._names]


class TestModels:
    """Runs and steps as objects."""

    @pytest.mark.parametrize(("kind", "key"), FIELDS)
    def test_missing(self, kind: str, key: str) -> None:
        """A key that is not there reads as None, required or optional, and stays away."""
        model, make = KINDS[kind]
        sent = make()
        sent.pop(key, None)
        item = model.from_dict(sent)
        name = model._names[key]
        assert getattr(item, name) is None
        touch(item)
        assert exactly(item.to_dict(), sent)

    @pytest.mark.parametrize(("kind", "key"), FIELDS)
    def test_odd(self, kind: str, key: str) -> None:
        """A value of any other kind is given as it was sent, or as a part whose own `to_dict` is it."""
        model, make = KINDS[kind]
        name = model._names[key]
        for value in ODD_VALUES:
            sent = make(**{key: value})
            item = model.from_dict(sent)
            touch(item)
            given = getattr(item, name)
            if isinstance(given, list):
                given = [part.to_dict() if isinstance(part, Model) else part for part in given]
            assert exactly(given.to_dict() if isinstance(given, Model) else given, value)
            assert exactly(item.to_dict(), sent)

    def test_nothing_but_an_id(self) -> None:
        """An object with nothing but an id is a run whose other fields are None."""
        run = facade.Run.from_dict({"id": "run_1"})
        assert {getattr(run, field.name) for field in attrs.fields(facade.Run) if field.name != "id"} == {None}

    @pytest.mark.parametrize("status", ["completed", "queued", "paused", "COMPLETED", ""])
    def test_enumerated_values(self, status: str) -> None:
        """Enumerated values are plain strings, known or not."""
        run = facade.Run.from_dict(a_run(status=status, model="o99"))
        assert type(run.status) is str
        assert run.status == status

    CALLS: tuple[Any, ...] = (
        None,
        5,
        "x",
        [],
        {},
        {"id": "c"},
        {"type": None},
        {"type": 7},
        {"type": ["function"]},
        {"type": "function"},
    )

    @pytest.mark.parametrize("call", CALLS, ids=str)
    def test_odd_calls(self, call: Any) -> None:
        """One odd tool call costs none of the others."""
        known = {"id": "c1", "type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": []}}
        sent = a_tool_step(known, call, known)
        step = facade.RunStep.from_dict(sent)
        calls: Any = details(step).tool_calls
        assert len(calls) == 3
        assert calls[0].code_interpreter.input_ == calls[2].code_interpreter.input_ == "1"
        touch(step)
        assert exactly(step.to_dict(), sent)

    def test_odd_outputs(self) -> None:
        """Outputs and results of other kinds read too."""
        sent = a_tool_step(
            {
                "id": "c1",
                "type": "code_interpreter",
                "code_interpreter": {"outputs": [{"type": "video"}, {"type": "logs"}]},
            },
            {"id": "c2", "type": "file_search", "file_search": {"results": [{"content": [{"type": "x"}]}, None]}},
        )
        step = facade.RunStep.from_dict(sent)
        code, search = details(step).tool_calls
        assert [output.type_ for output in code.code_interpreter.outputs] == ["video", "logs"]
        assert code.code_interpreter.outputs[1].logs is None
        assert search.file_search.results[0].score is None
        touch(step)
        assert exactly(step.to_dict(), sent)

    def test_unknown_part(self) -> None:
        """A part of an unknown kind has type_, items, `in`, `to_dict`, a repr, and pickles and compares."""
        part = details(facade.RunStep.from_dict(a_step(step_details={"type": "dance", "partner": {"name": "x"}})))
        assert type(part) is facade.UnknownObject
        assert (part.type_, part["type"], part["partner"]) == ("dance", "dance", {"name": "x"})
        assert "partner" in part
        assert "nobody" not in part
        assert part.to_dict() == {"type": "dance", "partner": {"name": "x"}}
        assert "dance" in repr(part)
        assert pickle.loads(pickle.dumps(part)) == copy.deepcopy(part) == part

    def test_odd_objects_in_a_page(self, api: Api, serve: Serve) -> None:
        """One odd object never costs the rest of its page."""
        odd: list[dict[str, Any]] = [
            {},
            {"id": None},
            {"id": 5},
            {"id": ["x"]},
            {"id": "run_2", "status": {"was": "odd"}, "tools": "none", "usage": []},
            {"error": "lost"},
        ]
        page = api.client(serve(answer(a_page([a_run(1), *odd, a_run(3)])))).runs.list("thread_1")
        assert exactly([run.to_dict() for run in page], [a_run(1), *odd, a_run(3)])
        for run in page:
            touch(run)

    @pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, read: bool, protocol: int) -> None:
        """Runs and steps pickle whole, unknown keys included."""
        call = {"id": "c1", "type": "mcp", "name": "grind"}
        for model, sent in ((facade.Run, a_run(extra=[1])), (facade.RunStep, a_tool_step(call, extra={"a": 2**70}))):
            item = model.from_dict(sent)
            if read:
                touch(item)
            again = pickle.loads(pickle.dumps(item, protocol))
            assert type(again) is model
            assert again == item
            assert exactly(again.to_dict(), sent)

    def test_copies(self) -> None:
        """Copies are equal and independent."""
        step = facade.RunStep.from_dict(a_tool_step({"type": "mcp"}))
        for twin in (copy.copy(step), copy.deepcopy(step)):
            assert twin == step
            assert exactly(twin.to_dict(), step.to_dict())
        assert step != facade.RunStep.from_dict(a_step())
        assert facade.Run.from_dict({"id": "x"}) != facade.RunStep.from_dict({"id": "x"})

    def test_evolve(self) -> None:
        """`attrs.evolve` gives a changed copy and leaves the first as it is."""
        run = facade.Run.from_dict(a_run())
        other = attrs.evolve(run, status="failed")
        assert (run.status, other.status) == ("completed", "failed")
        assert other.usage == run.usage
        assert other.to_dict()["tools"] == run.to_dict()["tools"]

    def test_constructor(self) -> None:
        """A model can be made of its fields, parts included."""
        usage = facade.RunUsage(completion_tokens=1, prompt_tokens=2, total_tokens=3)
        fields: dict[str, Any] = {field.name: None for field in attrs.fields(facade.Run)}
        run = facade.Run(**{**fields, "id": "run_1", "status": "queued", "usage": usage})
        assert (run.id, run.status, run.usage) == ("run_1", "queued", usage)
        assert run.to_dict()["usage"] == {"completion_tokens": 1, "prompt_tokens": 2, "total_tokens": 3}

    def test_attrs(self) -> None:
        """They are attrs classes: `attrs.fields` and `attrs.asdict` work, and fields are read-only."""
        run = facade.Run.from_dict(a_run())
        assert attrs.has(facade.Run)
        assert attrs.has(facade.RunStep)
        assert attrs.asdict(run)["usage"]["total_tokens"] == 42
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            run.status = "failed"  # type: ignore[misc]  # which is the point

    def test_match(self) -> None:
        """A run can be matched by its fields."""
        match facade.Run.from_dict(a_run()):
            case facade.Run(status="completed", id=found):
                assert found == "run_1"
            case _:
                pytest.fail("no match")

    def test_unknown_field(self) -> None:
        """A field that no run has is an AttributeError, not None."""
        with pytest.raises(AttributeError):
            getattr(facade.Run.from_dict(a_run()), "state")  # noqa: B009  # mypy knows it too


MODELS = [cls for _, cls in inspect.getmembers(models, inspect.isclass) if issubclass(cls, Model)]


class TestGeneratedPackage:
    """Every generated model."""

    def test_there_are_models(self) -> None:
        """The package has models for every component that the operations refer to."""
        assert len(MODELS) > 60

    @pytest.mark.parametrize("model", MODELS, ids=lambda cls: cls.__name__)
    def test_model(self, model: type[Model]) -> None:
        """Each model reads nothing, everything odd and what is unknown, and gives it back."""
        for sent in ({}, {"unknown": [1]}, *(dict.fromkeys(model._names, value) for value in ODD_VALUES)):
            item = model.from_dict(sent)
            touch(item)
            assert exactly(item.to_dict(), sent)
            assert pickle.loads(pickle.dumps(item)) == item
        assert model.__doc__


def test_gzip_of_several_members(api: Api, serve: Serve) -> None:
    """A gzip body in two members is read whole."""
    body = b'{"id": "run_1", "object": "thread.run"}'
    packed = gzip.compress(body[:10]) + gzip.compress(body[10:])
    server = serve(answer(packed, 200, {"Content-Encoding": "gzip"}))
    assert api.client(server).runs.get("thread_1", "run_1").id == "run_1"
