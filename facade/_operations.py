"""Every operation, declared once: what it asks, by its generated endpoint, and how its answer is read.

The only module that touches generated endpoints. They are imported when an operation is first used: together they take
longer to import than everything else here. A type checker sees them all the same.

To add one, see "How to add an operation" in ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from facade._answers import Page, read_object, read_page
from facade._arguments import PageQuery, RunKey
from facade._exchange import Call, Query, Reply

if TYPE_CHECKING:
    from openai_thread_runs_api.models import (
        AssistantObject,
        MessageObject,
        RunObject,
        RunStepObject,
        ThreadObject,
    )

T = TypeVar("T")


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


def _call(request: dict[str, Any], read: Callable[[Reply], T]) -> Call[T]:
    query: Query = ()
    for name, value in request.get("params", {}).items():
        query += tuple([(name, str(item)) for item in value]) if isinstance(value, list) else ((name, str(value)),)
    return Call(request["method"].upper(), request["url"], query, read)


def _or_unset(value: Any) -> Any:
    """A parameter as the generated code takes it; the spec's own values are not all that servers know."""
    from openai_thread_runs_api.types import UNSET

    return UNSET if not value else list(value) if isinstance(value, tuple) else value


def get_run(thread_id: str, run_id: str) -> Call[RunObject]:
    """One run."""
    from openai_thread_runs_api.api.assistants.get_run import _get_kwargs
    from openai_thread_runs_api.models.run_object import RunObject

    return _call(_get_kwargs(thread_id, run_id), partial(read_object, RunObject))


def list_runs(thread_id: str, page: PageQuery) -> Call[Page[RunObject]]:
    """One page of a thread's runs."""
    from openai_thread_runs_api.api.assistants.list_runs import _get_kwargs
    from openai_thread_runs_api.models.run_object import RunObject

    return _call(_get_kwargs(thread_id, **page.parameters()), partial(read_page, RunObject))


def get_run_step(run: RunKey, step_id: str, include: tuple[str, ...]) -> Call[RunStepObject]:
    """One run step."""
    from openai_thread_runs_api.api.assistants.get_run_step import _get_kwargs
    from openai_thread_runs_api.models.run_step_object import RunStepObject

    request = _get_kwargs(run.thread_id, run.run_id, step_id, include=_or_unset(include))
    return _call(request, partial(read_object, RunStepObject))


def list_run_steps(run: RunKey, page: PageQuery) -> Call[Page[RunStepObject]]:
    """One page of a run's steps."""
    from openai_thread_runs_api.api.assistants.list_run_steps import _get_kwargs
    from openai_thread_runs_api.models.run_step_object import RunStepObject

    request = _get_kwargs(run.thread_id, run.run_id, **page.parameters(), include=_or_unset(page.include))
    return _call(request, partial(read_page, RunStepObject))


def get_message(thread_id: str, message_id: str) -> Call[MessageObject]:
    """One message."""
    from openai_thread_runs_api.api.assistants.get_message import _get_kwargs
    from openai_thread_runs_api.models.message_object import MessageObject

    return _call(_get_kwargs(thread_id, message_id), partial(read_object, MessageObject))


def list_messages(thread_id: str, page: PageQuery, run_id: str | None) -> Call[Page[MessageObject]]:
    """One page of a thread's messages; those of one run where `run_id` is given."""
    from openai_thread_runs_api.api.assistants.list_messages import _get_kwargs
    from openai_thread_runs_api.models.message_object import MessageObject

    request = _get_kwargs(thread_id, **page.parameters(), run_id=_or_unset(run_id))
    return _call(request, partial(read_page, MessageObject))


def get_thread(thread_id: str) -> Call[ThreadObject]:
    """One thread."""
    from openai_thread_runs_api.api.assistants.get_thread import _get_kwargs
    from openai_thread_runs_api.models.thread_object import ThreadObject

    return _call(_get_kwargs(thread_id), partial(read_object, ThreadObject))


def list_threads(page: PageQuery) -> Call[Page[ThreadObject]]:
    """One page of the threads, where the server lists them."""
    from openai_thread_runs_api.api.assistants.list_threads import _get_kwargs
    from openai_thread_runs_api.models.thread_object import ThreadObject

    return _call(_get_kwargs(**page.parameters()), partial(read_page, ThreadObject))


def get_assistant(assistant_id: str) -> Call[AssistantObject]:
    """One assistant."""
    from openai_thread_runs_api.api.assistants.get_assistant import _get_kwargs
    from openai_thread_runs_api.models.assistant_object import AssistantObject

    return _call(_get_kwargs(assistant_id), partial(read_object, AssistantObject))


def create_run(thread_id: str, body: bytes, include: tuple[str, ...]) -> Call[RunObject]:
    """Starts a run."""
    from openai_thread_runs_api.api.assistants.create_run import _get_kwargs
    from openai_thread_runs_api.models.create_run_request import CreateRunRequest

    return _write(_get_kwargs(thread_id, body=CreateRunRequest.from_dict({}), include=_or_unset(include)), body)


def create_thread_and_run(body: bytes) -> Call[RunObject]:
    """Makes a thread and starts a run on it."""
    from openai_thread_runs_api.api.assistants.create_thread_and_run import _get_kwargs
    from openai_thread_runs_api.models.create_thread_and_run_request import CreateThreadAndRunRequest

    return _write(_get_kwargs(body=CreateThreadAndRunRequest.from_dict({})), body)


def modify_run(run: RunKey, body: bytes) -> Call[RunObject]:
    """Changes a run's metadata."""
    from openai_thread_runs_api.api.assistants.modify_run import _get_kwargs
    from openai_thread_runs_api.models.modify_run_request import ModifyRunRequest

    return _write(_get_kwargs(*run, body=ModifyRunRequest.from_dict({})), body, is_repeatable=True)


def cancel_run(run: RunKey) -> Call[RunObject]:
    """Asks for a run to be stopped."""
    from openai_thread_runs_api.api.assistants.cancel_run import _get_kwargs

    return _write(_get_kwargs(*run), b"", is_repeatable=True)


def submit_tool_outputs(run: RunKey, body: bytes) -> Call[RunObject]:
    """Answers what a run waits for."""
    from openai_thread_runs_api.api.assistants.submit_tool_ouputs_to_run import _get_kwargs
    from openai_thread_runs_api.models.submit_tool_outputs_run_request import SubmitToolOutputsRunRequest

    return _write(_get_kwargs(*run, body=SubmitToolOutputsRunRequest.from_dict({})), body)


def _write(request: dict[str, Any], body: bytes, is_repeatable: bool = False) -> Call[RunObject]:
    """A call that changes something: whether it may be sent twice is said here, and nowhere else."""
    from openai_thread_runs_api.models.run_object import RunObject

    call = _call(request, partial(read_object, RunObject))
    return call._replace(body=body, is_repeatable=is_repeatable)


def polled(call: Call[T]) -> Call[tuple[T, Mapping[str, str]]]:
    """The same, with the answer's headers, which may say when to ask again."""
    return call._replace(read=lambda reply: (call.read(reply), reply.headers))  # type: ignore[arg-type, return-value]


def as_stream(call: Call[RunObject]) -> Call[Any]:
    """The same, answered by an event stream where the server gives one: reads as that stream, else as the run."""
    return call._replace(is_stream=True, read=lambda reply: reply.stream or call.read(reply))


OPERATIONS = (
    Operation("runs.get", "getRun", get_run, "one", "get_thread_run"),
    Operation("runs.list", "listRuns", list_runs, "page", "get_thread_run"),
    Operation("steps.get", "getRunStep", get_run_step, "one", "get_thread_run_step"),
    Operation("steps.list", "listRunSteps", list_run_steps, "page", "get_thread_run_step"),
    Operation("messages.get", "getMessage", get_message, "one"),
    Operation("messages.list", "listMessages", list_messages, "page"),
    Operation("runs.create", "createRun", create_run, "write", "start_thread_run"),
    Operation("runs.create_with_thread", "createThreadAndRun", create_thread_and_run, "write", "start_thread_run"),
    Operation("runs.update", "modifyRun", modify_run, "write"),
    Operation("runs.cancel", "cancelRun", cancel_run, "write", "stop_thread_run"),
    Operation("runs.submit_tool_outputs", "submitToolOuputsToRun", submit_tool_outputs, "write", "submit_tool_output"),
    Operation("threads.get", "getThread", get_thread, "one"),
    Operation("threads.list", "listThreads", list_threads, "page"),
    Operation("assistants.get", "getAssistant", get_assistant, "one"),
)
