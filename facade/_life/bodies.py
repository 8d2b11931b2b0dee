"""Makes the JSON body of a request of what a caller gives; refuses what JSON has no form for before any request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from facade import _operations
from facade._arguments import ThreadLike, check_id, include_values, thread_key
from facade._exchange import Call
from facade._options import LimitOptions, refuse_unknown
from openai_thread_runs_api import models

MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512
"""How many pairs metadata may have, and how many characters their keys and values."""


class ThreadRunFields(LimitOptions, total=False):
    """What a run on a new thread may be given; None is not sent.

    model, instructions, tools, temperature, top_p, response_format, reasoning_effort: in the place of the assistant's.
    metadata: up to 16 pairs of texts.
    max_prompt_tokens, max_completion_tokens: where the run ends, incomplete; 256 or more.
    truncation_strategy, tool_choice, parallel_tool_calls: as the API takes them.
    additional_body: merged into the body last; it wins, and None in it is sent as null.
    """

    model: str | None
    instructions: str | None
    tools: Sequence[Any] | None
    metadata: Mapping[str, str] | None
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: str | Mapping[str, Any] | None
    reasoning_effort: str | None
    additional_body: Mapping[str, Any] | None


class RunFields(ThreadRunFields, total=False):
    """What a run on a thread may be given as well.

    additional_instructions: behind the assistant's. additional_messages: put on the thread before.
    include: as of `steps.get`.
    """

    additional_instructions: str | None
    additional_messages: Sequence[Any] | None
    include: str | Sequence[str]


class NewThreadFields(ThreadRunFields, total=False):
    """What a run with its thread may be given as well.

    thread: the new thread's body: messages, metadata. tool_resources: for the thread's tools.
    """

    thread: Mapping[str, Any] | None
    tool_resources: Mapping[str, Any] | None


def creation(
    method: str, assistant_id: str, given: Mapping[str, Any], *thread: ThreadLike
) -> tuple[Call[models.RunObject], LimitOptions]:
    """What starts a run, of what a method was given: the call, and the options of it.

    Args:
        method: its name, which says whether a stream is asked for
        assistant_id: who runs
        given: the fields and options
        thread: where it runs; none: on a new one

    Raises:
        TypeError, ValueError: there is no such field, or one cannot be sent.
    """
    refuse_unknown(f"runs.{method}", given, (RunFields if thread else NewThreadFields).__annotations__)
    fields = dict(given)
    options: Any = {name: fields.pop(name) for name in LimitOptions.__annotations__ if name in given}
    include, additional_body = fields.pop("include", ()), fields.pop("additional_body", None)
    check_metadata("metadata", fields.get("metadata"))
    if fields.get("thread") is not None:
        check_metadata("thread['metadata']", read_mapping("thread", fields["thread"]).get("metadata"))
    fields["assistant_id"] = check_id("assistant_id", assistant_id, "assistant")
    fields["stream"] = method.startswith("stream") or None
    body = make_body(fields, additional_body)
    if thread:
        call = _operations.create_run(thread_key(*thread), body, include_values(include))
    else:
        call = _operations.create_thread_and_run(body)
    return call._replace(secrets=secrets_in(body)), options


def make_body(fields: Mapping[str, Any], additional_body: Any = None) -> bytes:
    """A body.

    Args:
        fields: by their names; one that is None is left out
        additional_body: further fields, which win; a None here is sent as null

    Raises:
        TypeError, ValueError: a field has no JSON form; the text names it, and shows nothing of it.
    """
    texts = {name: as_json(name, value) for name, value in fields.items() if value is not None}
    if additional_body is not None:
        added = read_mapping("additional_body", additional_body)
        texts |= {name: as_json(f"additional_body[{name!r}]", value) for name, value in added.items()}
    return "{{{}}}".format(", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items())).encode()


def as_json(name: str, value: Any, *, ascii_only: bool = True) -> str:
    """The JSON text of a parameter's value: models, mappings and tuples too.

    Raises:
        TypeError: it has a set, a generator, bytes or another thing that JSON has no form for.
        ValueError: it has a number that JSON has no form for, contains itself, or is too deep.
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain, ensure_ascii=ascii_only)
    except (TypeError, ValueError, RecursionError) as error:
        kind, problem = TypeError if isinstance(error, TypeError) else ValueError, str(error)
    raise kind(f"{name} cannot be sent: {problem}")


def _plain(value: Any) -> Any:
    """What `json` does not know by itself."""
    from openai_thread_runs_api.model_base import Model

    if isinstance(value, (Model, Mapping)):
        return dict(value)
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


def read_mapping(name: str, value: Any) -> dict[str, Any]:
    """A mapping with strs as keys.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a mapping, not {type(value).__name__}")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"the keys of {name} are strs, not {type(key).__name__}")
    return dict(value)


def check_metadata(name: str, value: Any) -> None:
    """Refuses metadata that no server takes; None, which is not sent, passes.

    Raises:
        TypeError, ValueError: it is no mapping of strs to strs, or is too large.
    """
    if value is None:
        return
    pairs = read_mapping(name, value)
    if len(pairs) > MAX_PAIRS:
        raise ValueError(f"{name} has {len(pairs)} pairs; there may be {MAX_PAIRS}")
    for key, text in pairs.items():
        if not isinstance(text, str):
            raise TypeError(f"the values of {name} are strs; that of {key[:80]!r} is a {type(text).__name__}")
        if len(key) > MAX_KEY or len(text) > MAX_VALUE:
            limit = f"a key may have {MAX_KEY} characters, a value {MAX_VALUE}"
            raise ValueError(f"{name} has a key or value that is too long ({key[:80]!r}); {limit}")


def secrets_in(body: bytes) -> tuple[str, ...]:
    """The texts in objects under the key `headers`, however deep: tokens for the servers that a run's tools call.

    Of `Bearer TOKEN` the token is one too.
    """
    found: set[str] = set()

    def note(item: dict[str, Any]) -> dict[str, Any]:
        headers = item.get("headers")
        if isinstance(headers, dict):
            texts = [text for text in headers.values() if isinstance(text, str) and text.strip()]
            found.update(texts, (text.split()[-1] for text in texts))
        return item

    if b'"headers"' in body:
        json.loads(body, object_hook=note)
    return tuple(found)
