"""The public names: that they are there, documented, and the same on both sides."""

from __future__ import annotations

import importlib
import inspect
import typing
from typing import Any
from unittest import mock

import attrs
import pytest

import facade
from facade import errors
from facade._operations import OPERATIONS
from facade._options import OPTIONS

WALKS = {
    *("runs.all", "runs.refresh", "steps.all", "steps.refresh"),
    *("messages.all", "messages.refresh", "threads.all"),
}


def method_of(side: str, resource: str, name: str) -> Any:
    """A resource's method, `steps.list` for one, of the sync or the async side."""
    classes = importlib.import_module(f"facade.{side}.resources")
    return getattr(getattr(classes, ("Async" if side == "_async" else "") + resource.capitalize()), name)


PUBLIC = {
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
    "FILE_SEARCH_RESULT_CONTENT",
    "InternalServerError",
    "MoreDataWarning",
    "NotFoundError",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "Run",
    "RunStep",
    "UnprocessableEntityError",
    "Walk",
    "configure",
    "get_thread_run",
    "get_thread_run_step",
}


CALLABLE = {
    **{f"facade.{name}": getattr(facade, name) for name in facade.__all__ if inspect.isfunction(getattr(facade, name))},
    **{
        f"{kind.__name__}.{name}": method
        for side in ("_sync", "_async")
        for kind in vars(importlib.import_module(f"facade.{side}.resources")).values()
        if inspect.isclass(kind) and kind.__module__ == f"facade.{side}.resources"
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    },
}


@pytest.mark.parametrize("name", CALLABLE)
def test_type_hints(name: str) -> None:
    """`typing.get_type_hints` works on every function and method: those who make tools of them ask for it."""
    assert "return" in typing.get_type_hints(CALLABLE[name])


class TestSurface:
    """The names that callers rely on."""

    def test_public_names_are_there(self) -> None:
        """Every name of the contract can be imported and is listed."""
        assert set(facade.__all__) >= PUBLIC
        for name in facade.__all__:
            assert getattr(facade, name) is not None

    def test_public_names_are_listed_once(self) -> None:
        """`__all__` has no name twice, and has every error."""
        assert len(facade.__all__) == len(set(facade.__all__))
        assert set(facade.__all__) >= set(errors.__all__)

    def test_nothing_else_is_public(self) -> None:
        """A name without underscore that `facade` defines itself is listed in `__all__`."""
        for name in dir(facade):
            defined = getattr(getattr(facade, name), "__module__", "")
            if not name.startswith("_") and str(defined).startswith("facade"):
                assert name in facade.__all__

    def test_unknown_name(self) -> None:
        """A name that is not there is an AttributeError that names it."""
        with pytest.raises(AttributeError, match="get_thread_runs"):
            facade.get_thread_runs  # noqa: B018

    @pytest.mark.parametrize(
        "name", [name for name in facade.__all__ if not name.startswith("_") and name != "FILE_SEARCH_RESULT_CONTENT"]
    )
    def test_docstrings(self, name: str) -> None:
        """Every public class and function says what it is."""
        value = getattr(facade, name)
        assert inspect.getdoc(value)
        assert value.__doc__ != dict.__doc__

    @pytest.mark.parametrize(
        "method",
        [
            f"{kind}.{name}"
            for kind in ("_sync", "_async")
            for name in sorted({operation.method for operation in OPERATIONS} | WALKS)
        ],
    )
    def test_methods_have_docstrings(self, method: str) -> None:
        """Every method says what it does."""
        assert method_of(*method.split(".")).__doc__

    @pytest.mark.parametrize(
        ("child", "parent"),
        [
            (facade.ConfigurationError, ValueError),
            (facade.APIStatusError, facade.APIError),
            (facade.APIConnectionError, facade.APIError),
            (facade.APIResponseError, facade.APIError),
            (facade.PaginationError, facade.APIError),
            (facade.APITimeoutError, facade.APIConnectionError),
            (facade.APITimeoutError, TimeoutError),
            (facade.BadRequestError, facade.APIStatusError),
            (facade.AuthenticationError, facade.APIStatusError),
            (facade.PermissionDeniedError, facade.APIStatusError),
            (facade.NotFoundError, facade.APIStatusError),
            (facade.ConflictError, facade.APIStatusError),
            (facade.UnprocessableEntityError, facade.APIStatusError),
            (facade.RateLimitError, facade.APIStatusError),
            (facade.InternalServerError, facade.APIStatusError),
            (facade.MoreDataWarning, UserWarning),
        ],
        ids=lambda cls: cls.__name__,
    )
    def test_error_tree(self, child: type, parent: type) -> None:
        """Each error is what the contract says it is."""
        assert issubclass(child, parent)

    def test_configuration_is_no_api_error(self) -> None:
        """A bad configuration and a failed call are told apart."""
        assert not issubclass(facade.ConfigurationError, facade.APIError)

    def test_models_are_the_generated_ones(self) -> None:
        """`Run` and `RunStep` are the generated attrs classes, as upstream names the components."""
        from openai_thread_runs_api.models import RunObject, RunStepObject

        assert facade.Run is RunObject
        assert facade.RunStep is RunStepObject
        assert {"id", "object_", "status", "usage"} <= {field.name for field in attrs.fields(facade.Run)}
        assert {"id", "type_", "step_details"} <= {field.name for field in attrs.fields(facade.RunStep)}

    def test_sync_and_async_take_the_same(self) -> None:
        """Clients and resources have the same parameters on both sides."""
        assert list(inspect.signature(facade.Client).parameters) == list(
            inspect.signature(facade.AsyncClient).parameters
        )
        for method in sorted({operation.method for operation in OPERATIONS} | WALKS):
            one, other = (method_of(side, *method.split(".")) for side in ("_sync", "_async"))
            assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)

    def test_positions(self) -> None:
        """Key, organization and base come by position, in the contract's order; the rest by name."""
        parameters = inspect.signature(facade.Client).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["api_key", "organization", "api_base"]
        assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == {
            "timeout_sec",
            "deadline_sec",
            "max_retry_count",
            "auth_type",
            "additional_query",
            "additional_headers",
            "max_response_bytes",
            "verify",
            "proxy",
            "transport",
        }


def test_signatures_show_names_and_defaults() -> None:
    """`help()` shows each option with its default, for the clients and the cmdlet functions."""
    shown = inspect.signature(facade.Client).parameters
    assert {name: shown[name].default for name in ("timeout_sec", "deadline_sec", "max_retry_count", "auth_type")} == {
        "timeout_sec": 0,
        "deadline_sec": 0,
        "max_retry_count": 0,
        "auth_type": "openai",
    }
    for name, option in OPTIONS.items():
        assert shown[name].default == (0 if name.endswith(("_sec", "_count")) else option.default)
    for function in (facade.get_thread_run, facade.get_thread_run_step):
        assert inspect.signature(function).parameters["timeout_sec"].default == 0


def test_mocks_know_the_resources() -> None:
    """A mock made to a client's specification has its resources."""
    for kind in (facade.Client, facade.AsyncClient):
        client = mock.create_autospec(kind)
        assert {
            name for name in ("runs", "steps", "messages", "threads", "assistants") if not hasattr(client, name)
        } == set()
