"""Every operation, declared once: what it asks, by its generated endpoint, and how its answer is read.

The only module that touches generated endpoints. They and the models are imported when they are first used: together
they take longer to import than everything else here. A type checker sees them all the same.

To add one, see "How to add an operation" in ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from facade._answers import M, Page, read_object, read_page
from facade._arguments import PageQuery, RunKey
from facade._exchange import Call, Reply
from openai_thread_runs_api import models
from openai_thread_runs_api.api import assistants as api

T = TypeVar("T")
Include = tuple[Any, ...]
"""Values of `include[]`: texts, though the spec knows but one."""


class Operation(NamedTuple):
    """What is known of an operation in addition to its code; tests hold the rest of the project against it.

    Attributes:
        method: how the client spells it: `runs.get` for `client.runs.get`
        operation_id: the description's name of it
        ask: makes its call
        kind: "one" object, a "page" of a list (which a walk reads too), or a "write"
        cmdlet: the cmdlet function that does it; None for none
    """

    method: str
    operation_id: str
    ask: Callable[..., Call[Any]]
    kind: Literal["one", "page", "write"]
    cmdlet: str | None = None


def _call(request: dict[str, Any], read: Callable[[type[M], Reply], T], model: type[M]) -> Call[T]:
    query: list[tuple[str, str]] = []
    for name, value in request.get("params", {}).items():
        for item in value if isinstance(value, list) else (value,):
            query.append((name, str(item)))
    return Call(request["method"].upper(), request["url"], tuple(query), partial(read, model))


def get_run(thread_id: str, run_id: str) -> Call[models.RunObject]:
    """One run."""
    return _call(api.get_run._get_kwargs(thread_id, run_id), read_object, models.RunObject)


def list_runs(thread_id: str, page: PageQuery) -> Call[Page[models.RunObject]]:
    """One page of a thread's runs."""
    return _call(api.list_runs._get_kwargs(thread_id, **page), read_page, models.RunObject)


def get_run_step(run: RunKey, step_id: str, include: Include) -> Call[models.RunStepObject]:
    """One run step."""
    return _call(api.get_run_step._get_kwargs(*run, step_id, include=[*include]), read_object, models.RunStepObject)


def list_run_steps(run: RunKey, page: PageQuery, include: Include) -> Call[Page[models.RunStepObject]]:
    """One page of a run's steps."""
    return _call(api.list_run_steps._get_kwargs(*run, **page, include=[*include]), read_page, models.RunStepObject)


def get_message(thread_id: str, message_id: str) -> Call[models.MessageObject]:
    """One message."""
    return _call(api.get_message._get_kwargs(thread_id, message_id), read_object, models.MessageObject)


def list_messages(thread_id: str, page: PageQuery, run_id: str | None) -> Call[Page[models.MessageObject]]:
    """One page of a thread's messages; those of one run where `run_id` is given."""
    ask = partial(api.list_messages._get_kwargs, thread_id, **page)
    return _call(ask(run_id=run_id) if run_id else ask(), read_page, models.MessageObject)


def get_thread(thread_id: str) -> Call[models.ThreadObject]:
    """One thread."""
    return _call(api.get_thread._get_kwargs(thread_id), read_object, models.ThreadObject)


def list_threads(page: PageQuery) -> Call[Page[models.ThreadObject]]:
    """One page of the threads, where the server lists them."""
    return _call(api.list_threads._get_kwargs(**page), read_page, models.ThreadObject)


def get_assistant(assistant_id: str) -> Call[models.AssistantObject]:
    """One assistant."""
    return _call(api.get_assistant._get_kwargs(assistant_id), read_object, models.AssistantObject)


def create_run(thread_id: str, body: bytes, include: Include) -> Call[models.RunObject]:
    """Starts a run."""
    made = models.CreateRunRequest.from_dict({})
    return _write(api.create_run._get_kwargs(thread_id, body=made, include=[*include]), body)


def create_thread_and_run(body: bytes) -> Call[models.RunObject]:
    """Makes a thread and starts a run on it."""
    return _write(api.create_thread_and_run._get_kwargs(body=models.CreateThreadAndRunRequest.from_dict({})), body)


def modify_run(run: RunKey, body: bytes) -> Call[models.RunObject]:
    """Changes a run's metadata."""
    made = models.ModifyRunRequest.from_dict({})
    return _write(api.modify_run._get_kwargs(*run, body=made), body, is_repeatable=True)


def cancel_run(run: RunKey) -> Call[models.RunObject]:
    """Asks for a run to be stopped."""
    return _write(api.cancel_run._get_kwargs(*run), b"", is_repeatable=True)


def submit_tool_outputs(run: RunKey, body: bytes) -> Call[models.RunObject]:
    """Answers what a run waits for."""
    made = models.SubmitToolOutputsRunRequest.from_dict({})
    return _write(api.submit_tool_ouputs_to_run._get_kwargs(*run, body=made), body)


def _write(request: dict[str, Any], body: bytes, is_repeatable: bool = False) -> Call[models.RunObject]:
    """A call that changes something: whether it may be sent twice is said here, and nowhere else."""
    return _call(request, read_object, models.RunObject)._replace(body=body, is_repeatable=is_repeatable)


def polled(call: Call[T]) -> Call[tuple[T, Mapping[str, str]]]:
    """The same, with the answer's headers, which may say when to ask again."""
    return call._replace(read=lambda reply: (call.read(reply), reply.headers))  # type: ignore[arg-type, return-value]


def as_stream(call: Call[models.RunObject]) -> Call[Any]:
    """The same, answered by an event stream where the server gives one: reads as that stream, else as the run."""
    return call._replace(is_stream=True, read=lambda reply: reply.stream or call.read(reply))


OPERATIONS = (
    Operation("runs.get", "getRun", get_run, "one", "get_thread_run"),
    Operation("runs.list", "listRuns", list_runs, "page", "get_thread_run"),
    Operation("steps.get", "getRunStep", get_run_step, "one", "get_thread_run_step"),
    Operation("steps.list", "listRunSteps", list_run_steps, "page", "get_thread_run_step"),
    Operation("messages.get", "getMessage", get_message, "one", "get_thread_message"),
    Operation("messages.list", "listMessages", list_messages, "page", "get_thread_message"),
    Operation("runs.create", "createRun", create_run, "write", "start_thread_run"),
    Operation("runs.create_with_thread", "createThreadAndRun", create_thread_and_run, "write", "start_thread_run"),
    Operation("runs.update", "modifyRun", modify_run, "write"),
    Operation("runs.cancel", "cancelRun", cancel_run, "write", "stop_thread_run"),
    Operation("runs.submit_tool_outputs", "submitToolOuputsToRun", submit_tool_outputs, "write", "submit_tool_output"),
    Operation("threads.get", "getThread", get_thread, "one"),
    Operation("threads.list", "listThreads", list_threads, "page"),
    Operation("assistants.get", "getAssistant", get_assistant, "one"),
)
