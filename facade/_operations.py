"""The four operations: what each asks, by the generated endpoint modules, and how its answer is read.

The only module that touches generated endpoints. They are imported when an operation is first used: together they
take longer to import than everything else here.
"""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from facade._answers import Page, read_object, read_page
from facade._arguments import PageQuery, RunKey
from facade._exchange import Call

if TYPE_CHECKING:
    from openai_thread_runs_api.models import RunObject, RunStepObject


@cache
def _endpoint(name: str) -> ModuleType:
    return import_module(f"openai_thread_runs_api.api.assistants.{name}")


@cache
def _model(name: str) -> Any:
    return getattr(import_module("openai_thread_runs_api.models"), name)


def _request(endpoint: str, **parameters: Any) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    request = _endpoint(endpoint)._get_kwargs(
        **{name: value for name, value in parameters.items() if value is not None}
    )
    query: list[tuple[str, str]] = []
    for name, value in request.get("params", {}).items():
        query.extend((name, str(item)) for item in (value if isinstance(value, list) else [value]))
    return request["method"].upper(), request["url"], tuple(query)


def _page_parameters(page: PageQuery) -> dict[str, Any]:
    return {"limit": page.limit, "order": page.order, "after": page.after, "before": page.before}


def get_run(thread_id: str, run_id: str) -> Call[RunObject]:
    """One run (operation getRun)."""
    return Call(*_request("get_run", thread_id=thread_id, run_id=run_id), partial(read_object, _model("RunObject")))


def list_runs(thread_id: str, page: PageQuery) -> Call[Page[RunObject]]:
    """One page of a thread's runs (operation listRuns)."""
    return Call(
        *_request("list_runs", thread_id=thread_id, **_page_parameters(page)),
        partial(read_page, _model("RunObject")),
    )


def get_run_step(run: RunKey, step_id: str, include: tuple[str, ...]) -> Call[RunStepObject]:
    """One run step (operation getRunStep)."""
    return Call(
        *_request(
            "get_run_step",
            thread_id=run.thread_id,
            run_id=run.run_id,
            step_id=step_id,
            include=list(include) or None,
        ),
        partial(read_object, _model("RunStepObject")),
    )


def list_run_steps(run: RunKey, page: PageQuery) -> Call[Page[RunStepObject]]:
    """One page of a run's steps (operation listRunSteps)."""
    return Call(
        *_request(
            "list_run_steps",
            thread_id=run.thread_id,
            run_id=run.run_id,
            include=list(page.include) or None,
            **_page_parameters(page),
        ),
        partial(read_page, _model("RunStepObject")),
    )
