"""Reads the runs and run steps of Assistants-compatible endpoints: whole, typed, and in the time you allow.

import facade

with facade.Client(api_base="https://host.example/v1") as client:
    for step in client.steps.all(client.runs.all("thread_abc")):
        print(step.id, step.status)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade import _lean_httpx as _lean_httpx  # before anything else imports httpx
from facade._answers import Page
from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade._settings import configure
from facade._sync import Walk
from facade._version import __version__
from facade.client import AsyncClient, Client
from facade.cmdlets import get_thread_run, get_thread_run_step
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
    UnprocessableEntityError,
)

if TYPE_CHECKING:
    from facade._async import AsyncWalk
    from openai_thread_runs_api.model_base import UnknownObject
    from openai_thread_runs_api.models import RunObject as Run
    from openai_thread_runs_api.models import RunStepObject as RunStep

# Imported when first asked for: the models take attrs along and AsyncWalk asyncio, each a fifth of httpx's own import.
_LATER = {
    "AsyncWalk": ("facade._async", "AsyncWalk"),
    "Run": ("openai_thread_runs_api.models", "RunObject"),
    "RunStep": ("openai_thread_runs_api.models", "RunStepObject"),
    "UnknownObject": ("openai_thread_runs_api.model_base", "UnknownObject"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "FILE_SEARCH_RESULT_CONTENT",
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncClient",
    "AsyncWalk",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "InternalServerError",
    "MoreDataWarning",
    "NotFoundError",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "Run",
    "RunStep",
    "UnknownObject",
    "UnprocessableEntityError",
    "Walk",
    "__version__",
    "configure",
    "get_thread_run",
    "get_thread_run_step",
]
