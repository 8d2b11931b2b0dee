"""What was read as the rows of a waterfall: a thread, its messages and runs, their steps, and the steps' calls.

Servers differ in what they send, so nothing here relies on a field: one that is missing or of another kind than the
description says leaves a row with less on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from facade._reading.tool_calls import INPUTS, calls_of, child_of, own_key
from facade._reading.values import first_of, json_text, seconds_of, text_of, tokens_of, value_in
from facade.timeline._parts import (
    call_parts,
    excerpt,
    fault,
    fault_parts,
    given_parts,
    message_parts,
    message_text,
    outcome,
    step_parts,
)
from facade.timeline._reading import Json, ReadThread
from facade.timeline._times import GOING_ON, busy_spans, end_what_goes_on, interval

_GOES_WRONG = ("failed", "expired", "incomplete", "requires_action")

# The kinds that have a colour and a shape of their own, and what else is drawn like one of them.
_GROUPS = {
    "thread": "thread",
    "run": "run",
    "message": "message",
    "tool_calls": "mixed",
    "activities": "mixed",
    "function": "function",
    "openapi": "function",
    "azure_function": "function",
    "code_interpreter": "code",
    "file_search": "search",
    "retrieval": "search",
    "azure_ai_search": "search",
    "bing_grounding": "search",
    "bing_custom_search": "search",
    "deep_research": "search",
    "fabric_dataagent": "search",
    "sharepoint_grounding": "search",
    "mcp": "mcp",
    "mcp_call": "mcp",
    "connected_agent": "agent",
}

_CALL_NAMES = {
    "code_interpreter": "Code interpreter",
    "file_search": "File search",
    "azure_ai_search": "Azure AI Search",
    "bing_grounding": "Bing grounding",
    "bing_custom_search": "Bing custom search",
    "browser_automation": "Browser automation",
    "deep_research": "Deep research",
    "sharepoint_grounding": "SharePoint grounding",
}


def page_data(threads: list[ReadThread], title: str | None = None) -> Json:
    """What the page is made of: its title, the rows in their order, the busy spans of time, and notes.

    A row has `is` (thread, message, run, step or call), `depth`, `id`, `kind`, `group` (what it is drawn as), `name`,
    and where they are known `status`, `text`, `error`, `at` and `to` (seconds since 1970), `since` (when a run was
    asked for), `tokens` (prompt, completion, total, cached), and its object's `json`; a call has its place `n` among
    its step's instead. `bad` says that it did not go well, `live` that it goes on, `unsaid` that it has no times of its
    own. `parts` are what the page shows of the object at length: a heading, a style, and the path of keys to the value.
    """
    asked = [one for one in threads if not one.is_called]
    rows: list[Json] = []
    for one in threads:
        rows += [_thread_row(one), *_thread_rows(one, 1)]
    end_what_goes_on(rows)
    if title is None:
        title = asked[0].thread_id if len(asked) == 1 else f"{len(asked)} threads"
    notes = [f"{one.thread_id}: {note}" for one in threads for note in one.notes]
    for row in rows:
        row["group"] = _GROUPS.get(row["kind"], "other")
        row["bad"] = row["is"] not in ("thread", "message") and bool(row.get("error") or row["status"] in _GOES_WRONG)
    rows = [{key: value for key, value in row.items() if not _is_blank(value)} for row in rows]
    return {"title": title, "rows": rows, "spans": busy_spans(rows), "notes": notes}


def _is_blank(value: Any) -> bool:
    return value is None or value is False or value in ("", [])


def _thread_row(one: ReadThread) -> Json:
    thread = one.thread or {}
    return {
        "is": "thread",
        "kind": "thread",
        "depth": 0,
        "id": one.thread_id,
        "name": "Thread",
        "text": excerpt(value_in(thread.get("metadata"), "title")) or one.thread_id,
        "parts": given_parts(thread, metadata="Metadata"),
        "json": json_text(one.thread) if one.thread else None,
    }


def _thread_rows(one: ReadThread, depth: int) -> Iterator[Json]:
    """Runs, and messages that no step has made, by time; what came earlier stays earlier where times are the same."""
    messages = {text_of(message.get("id")): message for message in one.messages}
    made = {message_id for steps in one.steps.values() for step in steps if (message_id := _message_id(step))}
    run_ids = {text_of(run.get("id")) for run in one.runs}
    in_runs: dict[str, list[Json]] = {}
    blocks: list[tuple[float | None, list[Json]]] = []
    for message in one.messages:
        if text_of(message.get("id")) in made:
            continue
        run_id = text_of(message.get("run_id"))
        if run_id in run_ids:
            in_runs.setdefault(run_id, []).append(message)
        else:
            blocks.append((seconds_of(message.get("created_at")), [_message_row(message, depth)]))
    for number, run in enumerate(one.runs, start=1):
        run_id = text_of(run.get("id"))
        row = _run_row(run, number, depth, one)
        within = list(_step_rows(one.steps.get(run_id, []), depth + 1, row["at"], messages))
        within += [_message_row(message, depth + 1) for message in in_runs.get(run_id, [])]
        if row["to"] is None and row["status"] not in GOING_ON:  # it ended, and does not say when
            row["to"] = max((r["to"] for r in within if r.get("to") is not None), default=None)
        blocks.append((seconds_of(run.get("created_at")) or row["at"], [row, *within]))
    last = 0.0
    keyed = []
    for place, (at, block) in enumerate(blocks):
        last = last if at is None else at  # without a time: right after the one before
        keyed.append((last, place, block))
    for _, _, block in sorted(keyed, key=lambda one: one[:2]):
        yield from block


def _message_row(message: Json, depth: int) -> Json:
    role = text_of(message.get("role")) or "message"
    return {
        "is": "message",
        "kind": "message",
        "depth": depth,
        "id": text_of(message.get("id")),
        "name": role.capitalize(),
        "status": text_of(message.get("status")).removeprefix("completed"),  # as nearly all are
        "text": excerpt(message_text(message)),
        "error": fault(message.get("incomplete_details")),
        "at": seconds_of(message.get("created_at")),
        "to": seconds_of(message.get("created_at")),
        "parts": [
            *fault_parts(message, "incomplete_details"),
            *message_parts(message),
            *given_parts(message, metadata="Metadata"),
        ],
        "json": json_text(message),
    }


def _run_row(run: Json, number: int, depth: int, one: ReadThread) -> Json:
    created, started = seconds_of(run.get("created_at")), seconds_of(run.get("started_at"))
    assistant_id = text_of(run.get("assistant_id")) or text_of(run.get("agent_id"))
    assistant = one.assistants.get(assistant_id) or assistant_id
    error = fault(run.get("last_error")) or fault(run.get("incomplete_details"))
    at, to = interval(run, created if started is None else started)
    return {
        "is": "run",
        "kind": "run",
        "depth": depth,
        "id": text_of(run.get("id")),
        "thread": one.thread_id,
        "name": f"Run {number}",
        "status": text_of(run.get("status")),
        "text": _waits_for(run.get("required_action"))
        or " \u00b7 ".join(filter(None, (assistant, text_of(run.get("model"))))),
        "error": error,
        "at": at,
        "to": to,
        "until": seconds_of(run.get("expires_at")),
        "since": created if created is not None and at is not None and created < at else None,
        "tokens": _tokens(run.get("usage")),
        "assistant": assistant,
        "model": text_of(run.get("model")),
        "parts": [
            *fault_parts(run, "last_error", "incomplete_details"),
            *given_parts(run, required_action="Waits for", metadata="Metadata", instructions="Instructions"),
        ],
        "json": json_text(run),
    }


def _step_rows(steps: list[Json], depth: int, run_at: float | None, messages: Mapping[str, Json]) -> Iterator[Json]:
    for step in steps:
        call_rows = [_call_row(call, place, depth + 1) for place, call in enumerate(calls_of(step))]
        own = seconds_of(step.get("created_at"))
        at, to = interval(step, run_at if own is None else own)
        said = messages.get(_message_id(step))
        row: Json = {
            "is": "step",
            "kind": _step_kind(step),
            "depth": depth,
            "id": text_of(step.get("id")),
            "name": text_of(step.get("name")) or _step_kind(step).replace("_", " ").capitalize(),
            "status": text_of(step.get("status")),
            "text": excerpt(message_text(said)) if said else _message_id(step),
            "error": fault(step.get("last_error")),
            "at": at,
            "to": to,
            "unsaid": own is None and at is not None,
            "tokens": _tokens(step.get("usage")),
            "parts": [
                *fault_parts(step, "last_error"),
                *step_parts(step, said),
                *given_parts(step, metadata="Metadata"),
            ],
            "said": json_text(said) if said else None,
            "json": json_text(step),
        }
        if call_rows:
            _show_calls(row, call_rows)
        yield row
        for call_row in call_rows:  # a call has no times of its own
            status = call_row["status"] or row["status"]
            yield call_row | {"at": at, "to": to, "status": status, "shared": len(call_rows)}


def _show_calls(row: Json, call_rows: list[Json]) -> None:
    """Let a step that is one call say what the call says, and one of several which they are."""
    kinds = {call_row["kind"] for call_row in call_rows}
    if len(kinds) == 1:
        row["kind"] = call_rows[0]["kind"]
    if len(call_rows) == 1:
        row["name"], row["text"] = call_rows[0]["name"], call_rows[0]["text"]
        row["error"] = row["error"] or call_rows[0]["error"]
        row["child"], row["child_thread"] = call_rows[0]["child"], call_rows[0]["child_thread"]
        return
    row["name"] = f"{len(call_rows)} calls"
    row["text"] = ", ".join(call_row["name"] for call_row in call_rows)


def _call_row(call: Any, place: int, depth: int) -> Json:
    fields = call if isinstance(call, Mapping) else {}
    kind = text_of(fields.get("type")) or "tool"
    own = own_key(fields)
    part = fields if own is None else fields[own]
    name = text_of(part.get("name")) or text_of(fields.get("name")) or _CALL_NAMES.get(kind) or kind
    server = text_of(fields.get("server_label")) or text_of(part.get("server_label"))
    given = first_of(part, *INPUTS)
    child_run, child_thread = child_of(call)
    return {
        "is": "call",
        "kind": kind,
        "depth": depth,
        "id": text_of(fields.get("id")),
        "name": f"{server} \u00b7 {name}" if server else name,
        "status": text_of(fields.get("status")),
        "text": " \u2192 ".join(filter(None, (excerpt(given), excerpt(outcome(part))))),
        "error": fault(first_of(part, "error")) or fault(first_of(fields, "error")),
        "n": place,
        "parts": call_parts(call),
        "child": child_run,
        "child_thread": child_thread,
    }


def _step_kind(step: Json) -> str:
    kind = text_of(step.get("type")) or text_of(value_in(step.get("step_details"), "type")) or "step"
    return "message" if kind == "message_creation" else kind


def _message_id(step: Json) -> str:
    return text_of(value_in(value_in(step.get("step_details"), "message_creation"), "message_id"))


def _waits_for(action: Any) -> str:
    """What a run that requires action waits for, in words."""
    kind = text_of(value_in(action, "type"))
    calls = value_in(value_in(action, kind), "tool_calls")
    if not kind or not isinstance(calls, list):
        return kind
    names = ", ".join(_call_row(call, 0, 0)["name"] for call in calls)
    return f"waits for approval of {names}" if kind == "submit_tool_approval" else f"waits for output of {names}"


def _tokens(usage: Any) -> list[Any] | None:
    """Prompt, completion, total and cached tokens; None for each that is not a number."""
    prompt, completion, total, cached = tokens_of(usage)
    if total is None and not (prompt is None and completion is None):
        total = (prompt or 0) + (completion or 0)
    tokens = [prompt, completion, total, cached]
    return None if tokens == [None] * 4 else tokens
