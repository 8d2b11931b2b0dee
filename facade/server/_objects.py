"""The objects that requests make: threads, messages and runs, with all the keys that the API gives them."""

from __future__ import annotations

from facade.archive._answering import RefusedError
from facade.server._assistant import RUN_SEC
from facade.server._rules import is_hurried
from facade.server.sample_parts import Json, message, run

HURRIED_SEC = 2


def thread_of(body: Json, thread_id: str, now: int) -> Json:
    """The thread that a request makes."""
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": now,
        "metadata": body.get("metadata") or {},
        "tool_resources": body.get("tool_resources") or {},
    }


def message_of(body: Json, message_id: str, thread_id: str, now: int, place: str = "content") -> Json:
    """The message that a request adds. Raises RefusedError where it says nothing."""
    content = body["content"]
    parts = [_part(part) for part in ([{"type": "text", "text": content}] if isinstance(content, str) else content)]
    if not any(part["type"] != "text" or part["text"]["value"] for part in parts):
        raise RefusedError(400, f"{place}: is empty: say something.", param=place)
    given = {"role": body["role"], "attachments": body.get("attachments") or [], "metadata": body.get("metadata") or {}}
    return message(message_id, now, *parts, thread_id=thread_id) | given


def _part(part: Json) -> Json:
    if part["type"] != "text":
        return part
    return {"type": "text", "text": {"value": part["text"], "annotations": []}}


def run_of(body: Json, assistant: Json, run_id: str, thread_id: str, now: int, question: str) -> Json:
    """The run that a request starts, queued. What the body leaves out is as the assistant has it."""

    def chosen(name: str, default: object = None) -> object:
        given = body.get(name)
        return assistant.get(name, default) if given is None else given

    instructions = [chosen("instructions", ""), body.get("additional_instructions")]
    may_take_sec = HURRIED_SEC if is_hurried(question) else RUN_SEC
    return run(run_id, now, {}, thread_id) | {
        "assistant_id": assistant["id"],
        "expires_at": now + may_take_sec,
        "model": chosen("model", "gpt-4o-mini"),
        "instructions": " ".join(str(text) for text in instructions if text),
        "tools": chosen("tools", []),
        "metadata": body.get("metadata") or {},
        "temperature": chosen("temperature", 1.0),
        "top_p": chosen("top_p", 1.0),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "truncation_strategy": body.get("truncation_strategy") or {"type": "auto", "last_messages": None},
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "response_format": chosen("response_format", "auto"),
    }


def question_of(messages: list[Json]) -> str:
    """What the user said last; "" for nothing."""
    for item in reversed(messages):
        if item.get("role") == "user":
            texts = [part["text"] for part in item.get("content") or () if part.get("type") == "text"]
            return " ".join(text["value"] for text in texts)
    return ""
