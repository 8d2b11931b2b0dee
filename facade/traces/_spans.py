"""A run, its steps and their tool calls as the spans of one trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from facade._reading.tool_calls import calls_of, child_of, error_of, kind_of, name_of
from facade._reading.values import end_of, nanoseconds_of, number_of, sound, text_of, tokens_of, value_in
from facade.traces import _content
from facade.traces._otlp import CLIENT, INTERNAL, Json, attributes, span_id, status, trace_id

GOES_ON = ("queued", "in_progress", "cancelling", "requires_action")

# Who carries a tool out: the caller (function), the service with its own data (datastore), or anything else there.
_TOOL_TYPES = {
    "function": "function",
    "azure_function": "function",
    "file_search": "datastore",
    "azure_ai_search": "datastore",
    "sharepoint_grounding": "datastore",
    "fabric_dataagent": "datastore",
}


class RunRead(NamedTuple):
    """A run with all that its trace is made of.

    Attributes:
        run: the run
        steps: its steps, in their order
        asked: the messages that it answers; empty unless content is wanted
        said: the messages that it wrote, by their ids; empty unless content is wanted
        agent: the assistant; None where it is not known
    """

    run: Json
    steps: list[Json]
    asked: list[Json]
    said: dict[str, Json]
    agent: Json | None


class Wanted(NamedTuple):
    """What goes into a span in addition to what every span has."""

    provider: str
    content: bool


def spans_of(read: RunRead, wanted: Wanted) -> Iterator[Json]:
    """The spans of a run's trace, the run's own first."""
    run, steps = read.run, read.steps
    ids = (text_of(run.get("thread_id")), text_of(run.get("id")))
    began, ended = _run_times(run, steps)
    trace = trace_id(*ids)
    common = {"gen_ai.provider.name": wanted.provider, "gen_ai.conversation.id": ids[0]}
    run_span_id = span_id(*ids)
    yield {
        "traceId": trace,
        "spanId": run_span_id,
        **_named("invoke_agent", text_of(value_in(read.agent, "name")), CLIENT),
        **_lasting(began, ended),
        "attributes": attributes(
            {"gen_ai.operation.name": "invoke_agent", **common, **_run_attributes(read, wanted), **_ending(run)}
        ),
        "events": _started(run),
        "status": _status(run, wanted),
    }
    for place, step in enumerate(steps):
        own = (*ids, text_of(step.get("id")) or str(place))
        at = nanoseconds_of(step.get("created_at")) or began
        to = nanoseconds_of(end_of(step)) or (ended if step.get("status") in GOES_ON else at)
        span = {"traceId": trace, **_lasting(at, to)}
        yield {
            **span,
            "spanId": span_id(*own),
            "parentSpanId": run_span_id,
            **_named("chat", text_of(run.get("model")), CLIENT),
            "attributes": attributes(
                {"gen_ai.operation.name": "chat", **common, **_step_attributes(step, read, wanted), **_ending(step)}
            ),
            "status": _status(step, wanted),
        }
        for number, call in enumerate(calls_of(step)):
            call_id = text_of(value_in(call, "id"))
            yield {
                **span,
                "spanId": span_id(*own, str(number), call_id),
                "parentSpanId": span_id(*own),
                **_named("execute_tool", name_of(call) or kind_of(call), INTERNAL),
                "attributes": attributes(
                    {"gen_ai.operation.name": "execute_tool", **common, **_call_attributes(call, wanted)}
                ),
                "links": _child_link(call),
                "status": status(_call_error_type(call), _message(error_of(call), wanted)),
            }


def _named(operation: str, name: str, kind: int) -> Json:
    return {"name": f"{operation} {sound(name)}".rstrip(), "kind": kind}


def _lasting(began: int, ended: int) -> Json:
    return {"startTimeUnixNano": str(began), "endTimeUnixNano": str(max(began, ended))}


def _run_times(run: Json, steps: list[Json]) -> tuple[int, int]:
    """When a run began and ended; what is not known, or goes on, is taken from the first and last time there is."""
    own = [nanoseconds_of(run.get(name)) for name in ("created_at", "started_at")]
    times = [nanoseconds_of(value) for step in steps for value in (step.get("created_at"), end_of(step))]
    known = [time for time in (*own, *times) if time is not None]
    began = next((time for time in own if time is not None), min(known, default=0))
    return began, nanoseconds_of(end_of(run)) or max(known, default=began)


def _started(run: Json) -> list[Json]:
    """When work on a run began: until then it waited."""
    at = nanoseconds_of(run.get("started_at"))
    return [] if at is None else [{"timeUnixNano": str(at), "name": "started"}]


def _run_attributes(read: RunRead, wanted: Wanted) -> Json:
    run, format_ = read.run, value_in(read.run.get("response_format"), "type")
    found: Json = {
        "gen_ai.agent.id": text_of(run.get("assistant_id")) or text_of(run.get("agent_id")),
        "gen_ai.agent.name": text_of(value_in(read.agent, "name")),
        "gen_ai.agent.description": text_of(value_in(read.agent, "description")),
        "gen_ai.request.model": text_of(run.get("model")),
        "gen_ai.request.temperature": _double(run.get("temperature")),
        "gen_ai.request.top_p": _double(run.get("top_p")),
        "gen_ai.request.max_tokens": _int(number_of(run.get("max_completion_tokens"))),
        "gen_ai.output.type": {"text": "text", "json_object": "json", "json_schema": "json"}.get(text_of(format_)),
        "gen_ai.response.finish_reasons": [reason] if (reason := _finish_reason(run)) else None,
        **_usage(run),
        "thread_runs.run.id": text_of(run.get("id")),
    }
    if wanted.content:
        found |= {
            "gen_ai.system_instructions": _content.instructions(run),
            "gen_ai.tool.definitions": _content.tool_definitions(run),
            "gen_ai.input.messages": _content.messages(read.asked),
            "gen_ai.output.messages": _content.messages(read.said.values(), _finish_reason(run) or ""),
        }
    return found


def _step_attributes(step: Json, read: RunRead, wanted: Wanted) -> Json:
    calls = calls_of(step)
    reason = ("tool_call" if calls else "stop") if step.get("status") == "completed" else None
    found: Json = {
        "gen_ai.request.model": text_of(read.run.get("model")),
        "gen_ai.response.id": text_of(step.get("id")),
        "gen_ai.response.finish_reasons": [reason] if reason else None,
        **_usage(step),
        "thread_runs.step.type": text_of(step.get("type")) or text_of(value_in(step.get("step_details"), "type")),
    }
    if wanted.content:
        made = value_in(value_in(step.get("step_details"), "message_creation"), "message_id")
        said = read.said.get(text_of(made))
        found["gen_ai.output.messages"] = (
            _content.messages([said], reason or "") if said else _content.asked_calls(calls, reason or "")
        )
    return found


def _call_attributes(call: Any, wanted: Wanted) -> Json:
    kind = kind_of(call)
    found: Json = {
        "gen_ai.tool.name": name_of(call) or kind,
        "gen_ai.tool.type": _TOOL_TYPES.get(kind, "extension"),
        "gen_ai.tool.call.id": text_of(value_in(call, "id")),
        "error.type": _call_error_type(call),
        "thread_runs.tool_call.type": kind,
    }
    if wanted.content:
        found |= {
            "gen_ai.tool.call.arguments": _content.call_input(call),
            "gen_ai.tool.call.result": _content.call_output(call),
        }
    return found


def _usage(item: Json) -> Json:
    tokens = tokens_of(item.get("usage"))
    return {
        "gen_ai.usage.input_tokens": _int(tokens.prompt),
        "gen_ai.usage.output_tokens": _int(tokens.completion),
        "gen_ai.usage.cache_read.input_tokens": _int(tokens.cached),
    }


def _ending(item: Json) -> Json:
    """How a run or step stands, as it was sent."""
    return {"error.type": _error_type(item), "thread_runs.status": text_of(item.get("status"))}


def _error_type(item: Json) -> str | None:
    """What went wrong: the error's code, why it is incomplete, or that it failed or expired; None where nothing did."""
    if item.get("last_error") is not None:
        return text_of(value_in(item["last_error"], "code")) or "_OTHER"
    state = item.get("status")
    if state == "incomplete":
        return text_of(value_in(item.get("incomplete_details"), "reason")) or "incomplete"
    return {"failed": "_OTHER", "expired": "expired"}.get(text_of(state))


def _status(item: Json, wanted: Wanted) -> Json:
    return status(_error_type(item), _message(item.get("last_error"), wanted))


def _call_error_type(call: Any) -> str | None:
    error = error_of(call)
    return None if error is None else text_of(value_in(error, "code")) or "_OTHER"


def _message(error: Any, wanted: Wanted) -> str:
    """What an error says; it may repeat what people said."""
    return (text_of(value_in(error, "message")) or text_of(error)) if wanted.content else ""


def _finish_reason(run: Json) -> str | None:
    if run.get("status") == "incomplete":
        reason = text_of(value_in(run.get("incomplete_details"), "reason"))
        return {"max_completion_tokens": "length", "max_prompt_tokens": "length"}.get(reason, reason) or None
    ends = {"completed": "stop", "failed": "error", "requires_action": "tool_call"}
    return ends.get(text_of(run.get("status")))


def _child_link(call: Any) -> list[Json]:
    """The trace of the run that a connected agent made, whichever thread it is in."""
    run_id, thread_id = child_of(call)
    return [{"traceId": trace_id(thread_id, run_id), "spanId": span_id(thread_id, run_id)}] if run_id else []


def _int(number: float | None) -> int | None:
    return None if number is None else int(number)


def _double(value: Any) -> float | None:
    number = number_of(value)
    return None if number is None else float(number)


def is_going_on(run: Mapping[str, Any]) -> bool:
    """Whether a run has not come to rest."""
    return run.get("status") in GOES_ON
