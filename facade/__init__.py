"""Reads the runs and run steps of Assistants-compatible endpoints: whole, typed, and in the time you allow.

import facade

with facade.Client(api_base="https://host.example/v1") as client:
    for step in client.steps.all(client.runs.all("thread_abc")):
        print(step.id, step.status)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade._answers import Page
from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade._async.client import AsyncClient
from facade._async.walks import AsyncWalk
from facade._options import configure
from facade._sync.client import Client
from facade._sync.walks import Walk
from facade._version import __version__
from facade.cmdlets import get_thread_message, get_thread_run, get_thread_run_step
from facade.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    MoreDataWarning,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    RunFailedError,
    StreamCutError,
    StreamError,
    UnprocessableEntityError,
)

if TYPE_CHECKING:
    from facade._async.streams import AsyncRunStream
    from facade._life.streaming import Event
    from facade._sync.streams import RunStream
    from facade.run_cmdlets import start_thread_run, stop_thread_run, submit_tool_output, wait_thread_run
    from openai_thread_runs_api.model_base import UnknownObject
    from openai_thread_runs_api.models import AssistantObject as Assistant
    from openai_thread_runs_api.models import MessageObject as Message
    from openai_thread_runs_api.models import RunCompletionUsage as RunUsage
    from openai_thread_runs_api.models import RunObject as Run
    from openai_thread_runs_api.models import RunObjectRequiredAction as RequiredAction
    from openai_thread_runs_api.models import RunStepCompletionUsage as StepUsage
    from openai_thread_runs_api.models import RunStepDetailsMessageCreationObject as MessageCreation
    from openai_thread_runs_api.models import RunStepDetailsToolCallsCodeObject as CodeInterpreterToolCall
    from openai_thread_runs_api.models import RunStepDetailsToolCallsCodeOutputImageObject as CodeInterpreterImage
    from openai_thread_runs_api.models import RunStepDetailsToolCallsCodeOutputLogsObject as CodeInterpreterLogs
    from openai_thread_runs_api.models import RunStepDetailsToolCallsFileSearchObject as FileSearchToolCall
    from openai_thread_runs_api.models import RunStepDetailsToolCallsFunctionObject as FunctionToolCall
    from openai_thread_runs_api.models import RunStepDetailsToolCallsObject as ToolCalls
    from openai_thread_runs_api.models import RunStepObject as RunStep
    from openai_thread_runs_api.models import RunToolCallObject as RequiredToolCall
    from openai_thread_runs_api.models import ThreadObject as Thread

# The generated classes that people name: what runs and steps are, and what is told apart in them.
_MODELS = {
    "Assistant": "AssistantObject",
    "CodeInterpreterImage": "RunStepDetailsToolCallsCodeOutputImageObject",
    "CodeInterpreterLogs": "RunStepDetailsToolCallsCodeOutputLogsObject",
    "CodeInterpreterToolCall": "RunStepDetailsToolCallsCodeObject",
    "FileSearchToolCall": "RunStepDetailsToolCallsFileSearchObject",
    "FunctionToolCall": "RunStepDetailsToolCallsFunctionObject",
    "Message": "MessageObject",
    "MessageCreation": "RunStepDetailsMessageCreationObject",
    "RequiredAction": "RunObjectRequiredAction",
    "RequiredToolCall": "RunToolCallObject",
    "Run": "RunObject",
    "RunStep": "RunStepObject",
    "RunUsage": "RunCompletionUsage",
    "StepUsage": "RunStepCompletionUsage",
    "Thread": "ThreadObject",
    "ToolCalls": "RunStepDetailsToolCallsObject",
}
# Imported when first asked for, since they take attrs along.
_LATER = {
    "AsyncRunStream": ("facade._async.streams", "AsyncRunStream"),
    "Event": ("facade._life.streaming", "Event"),
    "RunStream": ("facade._sync.streams", "RunStream"),
    "start_thread_run": ("facade.run_cmdlets", "start_thread_run"),
    "stop_thread_run": ("facade.run_cmdlets", "stop_thread_run"),
    "submit_tool_output": ("facade.run_cmdlets", "submit_tool_output"),
    "wait_thread_run": ("facade.run_cmdlets", "wait_thread_run"),
    "UnknownObject": ("openai_thread_runs_api.model_base", "UnknownObject"),
    **{name: ("openai_thread_runs_api.models", generated) for name, generated in _MODELS.items()},
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "FILE_SEARCH_RESULT_CONTENT",
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "Assistant",
    "AsyncClient",
    "AsyncRunStream",
    "AsyncWalk",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "CodeInterpreterImage",
    "CodeInterpreterLogs",
    "CodeInterpreterToolCall",
    "ConfigurationError",
    "ConflictError",
    "Event",
    "FileSearchToolCall",
    "FunctionToolCall",
    "InternalServerError",
    "Message",
    "MessageCreation",
    "MoreDataWarning",
    "NotFoundError",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequiredAction",
    "RequiredToolCall",
    "Run",
    "RunFailedError",
    "RunStep",
    "RunStream",
    "RunUsage",
    "StepUsage",
    "StreamCutError",
    "StreamError",
    "Thread",
    "ToolCalls",
    "UnknownObject",
    "UnprocessableEntityError",
    "Walk",
    "__version__",
    "configure",
    "get_thread_message",
    "get_thread_run",
    "get_thread_run_step",
    "start_thread_run",
    "stop_thread_run",
    "submit_tool_output",
    "wait_thread_run",
]
