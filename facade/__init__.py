"""Reads the runs and run steps of Assistants-compatible endpoints: whole, typed, and in the time you allow.

import facade

with facade.Client(api_base="https://host.example/v1") as client:
    for step in client.steps.all(client.runs.all("thread_abc")):
        print(step.id, step.status)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade import _models
from facade._answers import Page
from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade._async.client import AsyncClient
from facade._async.streams import AsyncRunStream
from facade._async.walks import AsyncWalk
from facade._life.streaming import Event
from facade._options import configure
from facade._sync.client import Client
from facade._sync.streams import RunStream
from facade._sync.walks import Walk
from facade._version import __version__
from facade.cmdlets import get_thread_message, get_thread_run, get_thread_run_step
from facade.errors import *
from facade.run_cmdlets import start_thread_run, stop_thread_run, submit_tool_output, wait_thread_run

if TYPE_CHECKING:
    from facade._models import *

__all__ = ["AsyncClient", "AsyncRunStream", "AsyncWalk", "Client", "Event", "Page", "RunStream", "Walk"]
__all__ += ["FILE_SEARCH_RESULT_CONTENT", "__version__", "configure"]
# the cmdlets
__all__ += ["get_thread_message", "get_thread_run", "get_thread_run_step"]
__all__ += ["start_thread_run", "stop_thread_run", "submit_tool_output", "wait_thread_run"]
# the errors
__all__ += ["APIConnectionError", "APIError", "APIResponseError", "APIStatusError", "APITimeoutError"]
__all__ += ["AuthenticationError", "BadRequestError", "ConfigurationError", "ConflictError", "InternalServerError"]
__all__ += ["MoreDataWarning", "NotFoundError", "PaginationError", "PermissionDeniedError", "RateLimitError"]
__all__ += ["RunFailedError", "StreamCutError", "StreamError", "UnprocessableEntityError"]
# the models
__all__ += ["Assistant", "CodeInterpreterImage", "CodeInterpreterLogs", "CodeInterpreterToolCall", "FileSearchToolCall"]
__all__ += ["FunctionToolCall", "Message", "MessageCreation", "RequiredAction", "RequiredToolCall", "Run", "RunStep"]
__all__ += ["RunUsage", "StepUsage", "Thread", "ToolCalls", "UnknownObject"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, generated = getattr(_models, name).split(".")
    value = getattr(import_module(f"openai_thread_runs_api.{module}"), generated)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
