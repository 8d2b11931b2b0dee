"""Programs over runs and steps as users write them: type-checked by `make check`, strictly, and never run."""

from typing import Any, Literal, assert_type

import facade
from openai_thread_runs_api.models import MessageObject


def functions(step: facade.RunStep) -> list[str]:
    """A comparison of `type_` is all that it takes to reach what only that kind has."""
    names: list[str] = []
    if step.step_details.type_ == "tool_calls":
        for call in step.step_details.tool_calls:
            if call.type_ == "function":
                names.append(call.function.name)
                assert_type(call.function.output, str | None)
            elif call.type_ == "code_interpreter":
                for output in call.code_interpreter.outputs:
                    names.append(output.logs if output.type_ == "logs" else output.image.file_id)
            else:
                names.extend(result.file_name for result in call.file_search.results or [])
    else:
        names.append(step.step_details.message_creation.message_id)
    return names


def functions_by_match(step: facade.RunStep) -> list[str]:
    """A `match` of `type_` narrows as well."""
    details = step.step_details
    match details.type_:
        case "tool_calls":
            return [call.function.name for call in details.tool_calls if call.type_ == "function"]
        case "message_creation":
            return [details.message_creation.message_id]


def unknown_kinds(step: facade.RunStep) -> list[str | None]:
    """What no declared type says, a kind that the spec does not know, can be asked for all the same."""
    details = step.step_details
    if isinstance(details, facade.UnknownObject):
        return [details.type_, str(details["id"]), *details.to_dict()]
    return []


def tools(run: facade.Run) -> list[str]:
    """The tools of a run are told apart by their kind too."""
    return [tool.function.name for tool in run.tools if tool.type_ == "function"]


def waits_for(run: facade.Run) -> list[tuple[str, str]]:
    """What a run waits for is there once it was asked whether it is."""
    if run.required_action:
        calls = run.required_action.submit_tool_outputs.tool_calls
        return [(call.function.name, call.function.arguments) for call in calls]
    return []


def tokens(run: facade.Run, step: facade.RunStep) -> int:
    """A nullable part is an object or None."""
    assert_type(run.usage and run.usage.total_tokens, int | None)
    assert_type(step.usage and step.usage.total_tokens, int | None)
    return run.usage.total_tokens if run.usage else 0


def form(run: facade.Run) -> str | None:
    """A choice between a word and objects of several kinds."""
    wanted = run.response_format
    if wanted is None or isinstance(wanted, str):
        return wanted
    if wanted.type_ == "json_schema":
        return wanted.json_schema.name
    assert_type(wanted.type_, Literal["json_object", "text"])
    return None


def plain(run: facade.Run, step: facade.RunStep) -> None:
    """Plain fields have the types that the spec gives them."""
    assert_type(run.id, str)
    assert_type(run.created_at, int)
    assert_type(run.completed_at, int | None)
    assert_type(run.temperature, float | None)
    assert_type(step.status, Literal["cancelled", "completed", "expired", "failed", "in_progress"])
    assert_type(run.to_dict(), dict[str, Any])
    assert_type(run.to_json(), str)
    assert_type(dict(run), dict[str, Any])


def labels(run: facade.Run) -> str | None:
    """Metadata is a dict of texts."""
    if run.metadata:
        for key, value in run.metadata.items():
            assert_type((key, value), tuple[str, str])
        return run.metadata.get("oven")
    return None


def by_class(step: facade.RunStep) -> list[str]:
    """The short names tell kinds apart as `type_` does."""
    details = step.step_details
    match details:
        case facade.ToolCalls(tool_calls=calls):
            return [call.function.name for call in calls if isinstance(call, facade.FunctionToolCall)]
        case facade.MessageCreation():
            return [details.message_creation.message_id]


def total(usage: facade.RunUsage | facade.StepUsage | None) -> int:
    """They are of use in signatures."""
    return usage.total_tokens if usage else 0


def text(message: MessageObject) -> str:
    """The parts of a message are told apart by their kind."""
    said = ""
    for part in message.content:
        if part.type_ == "text":
            said += part.text.value
            for note in part.text.annotations:
                if note.type_ == "file_citation":
                    said += f"[{note.file_citation.file_id}]"
        elif part.type_ == "refusal":
            said += part.refusal
    return said
