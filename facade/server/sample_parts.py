"""What the sample is made of: objects with all the keys that the API gives them."""

from __future__ import annotations

from typing import Any

SAMPLE_THREAD_ID = "thread_bakery"
ASSISTANT_ID = "asst_bakery"
OPENING_TIME = 1748844000  # Monday 2025-06-02, 06:00 UTC

Json = dict[str, Any]


def thread(thread_id: str, title: str) -> Json:
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": OPENING_TIME - 60,
        "metadata": {"title": title},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_bakery"]}},
    }


def assistant() -> Json:
    """The assistant that all runs name."""
    return {
        "id": ASSISTANT_ID,
        "object": "assistant",
        "created_at": OPENING_TIME - 86400,
        "name": "Counter",
        "description": "Takes the orders of a small bakery.",
        "model": "gpt-4o-mini",
        "instructions": _INSTRUCTIONS,
        "tools": _TOOLS,
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_bakery"]}},
        "metadata": {},
        "temperature": 0.4,
        "top_p": 1.0,
        "response_format": "auto",
    }


def message(
    message_id: str, at: int, *parts: Json, run_id: str | None = None, thread_id: str = SAMPLE_THREAD_ID
) -> Json:
    """A message made at that time: a customer's or, with the run that wrote it, the assistant's."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": at,
        "thread_id": thread_id,
        "status": "completed" if parts else "in_progress",
        "incomplete_details": None,
        "completed_at": at if parts else None,
        "incomplete_at": None,
        "role": "assistant" if run_id else "user",
        "content": list(parts),
        "assistant_id": ASSISTANT_ID if run_id else None,
        "run_id": run_id,
        "attachments": [],
        "metadata": {},
    }


def text(value: str, *cited: tuple[str, str]) -> Json:
    """A part of a message that is text, with what it cites: (file id, the mark in the text)."""
    annotations = [
        {
            "type": "file_citation",
            "text": mark,
            "start_index": value.index(mark),
            "end_index": value.index(mark) + len(mark),
            "file_citation": {"file_id": file_id},
        }
        for file_id, mark in cited
    ]
    return {"type": "text", "text": {"value": value, "annotations": annotations}}


def image(file_id: str) -> Json:
    """A part of a message that is an image."""
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}


def ended(status: str, after_sec: int, *, tokens: tuple[int, int] | None = None, **fields: Any) -> Json:
    """A run that has ended so many seconds after its beginning, with (prompt, completion) tokens."""
    times = {"started_at": 1} if status == "expired" else {"started_at": 1, _END[status]: after_sec}
    return {"status": status, "usage": usage(tokens), **times, **fields}


def under_way(status: str, **fields: Any) -> Json:
    return {"status": status, "expires_at": 600, **fields}


# Which time says when a run or step has ended. An incomplete run has completed_at; an expired run has expires_at only.
_END = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
    "expired": "expired_at",
}


def run(run_id: str, began_at: int, fields: Json, thread_id: str = SAMPLE_THREAD_ID) -> Json:
    """A run with all its keys; times among `fields` are seconds from its beginning."""
    made: Json = {
        "id": run_id,
        "object": "thread.run",
        "created_at": began_at,
        "thread_id": thread_id,
        "assistant_id": ASSISTANT_ID,
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": None,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": "gpt-4o-mini",
        "instructions": _INSTRUCTIONS,
        "tools": _TOOLS,
        "metadata": {"counter": "front"},
        "usage": None,
        "temperature": 0.4,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
    }
    return made | _dated(fields, began_at)


def step(run_id: str, place: int, began_at: int, fields: Json, thread_id: str = SAMPLE_THREAD_ID) -> Json:
    """A run's step of that place, from 1, with all its keys."""
    made: Json = {
        "id": f"{run_id.replace('run', 'step')}_{place}",
        "object": "thread.run.step",
        "created_at": began_at + place,
        "run_id": run_id,
        "assistant_id": ASSISTANT_ID,
        "thread_id": thread_id,
        "type": fields["step_details"]["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": None,
        "metadata": {},
        "usage": None,
    }
    return made | _dated(fields, began_at)


def _dated(fields: Json, began_at: int) -> Json:
    return {key: began_at + value if key.endswith("_at") else value for key, value in fields.items()}


def step_of(
    status: str, after_sec: int | None, *parts: Json, tokens: tuple[int, int] | None = None, **fields: Any
) -> Json:
    """A step made of tool calls, or of one message; `after_sec` as for a run, None while it is in progress."""
    is_message = parts[0]["type"] == "message_creation"
    details = parts[0] if is_message else {"type": "tool_calls", "tool_calls": list(parts)}
    ends = {} if after_sec is None else {_END[status]: after_sec}
    return {"status": status, "step_details": details, "usage": usage(tokens), **ends, **fields}


def usage(tokens: tuple[int, int] | None) -> Json | None:
    if tokens is None:
        return None
    prompt, completion = tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def message_creation(message_id: str) -> Json:
    return {"type": "message_creation", "message_creation": {"message_id": message_id}}


def code(call_id: str, source: str, *outputs: Json) -> Json:
    return {"id": call_id, "type": "code_interpreter", "code_interpreter": {"input": source, "outputs": list(outputs)}}


def file_search(call_id: str, *found: tuple[str, str, float, str]) -> Json:
    """A search with what it found: (file id, file name, score, text)."""
    results = [
        {"file_id": file_id, "file_name": name, "score": score, "content": [{"type": "text", "text": text}]}
        for file_id, name, score, text in found
    ]
    ranking_options = {"ranker": "default_2024_08_21", "score_threshold": 0.5}
    return {
        "id": call_id,
        "type": "file_search",
        "file_search": {"ranking_options": ranking_options, "results": results},
    }


def call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def connected_agent(call_id: str, name: str, arguments: str, output: str, child: tuple[str, str]) -> Json:
    """A call of another assistant, with the (thread id, run id) of what it did."""
    thread_id, run_id = child
    asked = {"name": name, "arguments": arguments, "output": output, "run_id": run_id, "thread_id": thread_id}
    return {"id": call_id, "type": "connected_agent", "connected_agent": asked}


def mcp(call_id: str, server: str, name: str, arguments: str, output: str | None) -> Json:
    """A call of a tool server's tool; all of it stands beside the type. No output: it waits for an approval."""
    called = {"server_label": server, "name": name, "arguments": arguments, "output": output}
    return {"id": call_id, "type": "mcp", **called}


def function(call_id: str, name: str, arguments: str, output: str | None) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments, "output": output}}


def _tool(name: str, description: str, **types: str) -> Json:
    parameters = {
        "type": "object",
        "properties": {argument: {"type": kind} for argument, kind in types.items()},
        "required": list(types),
    }
    function = {"name": name, "description": description, "parameters": parameters, "strict": False}
    return {"type": "function", "function": function}


_INSTRUCTIONS = "You take the orders of a small bakery. Look things up before you promise them."
_TOOLS: list[Json] = [
    {"type": "code_interpreter"},
    {"type": "file_search", "file_search": {"max_num_results": 5}},
    _tool("check_stock", "How many of an item are free.", item="string", count="integer"),
    _tool("quote_delivery", "What it costs to bring an order.", day="string", km="number"),
]
