"""Every operation is declared once, and all that follows from the declaration is there."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import facade
from facade._operations import OPERATIONS, Operation
from facade.commands._app import COMMANDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
every = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.method)


def method_of(operation: Operation, side: str) -> Any:
    """What the client of a side spells the operation with."""
    resource, _, name = operation.method.partition(".")
    kind = facade.Client if side == "sync" else facade.AsyncClient
    made = getattr(kind("any", api_base="http://127.0.0.1/v1"), resource)  # never connects
    classes = importlib.import_module("facade.resources")
    assert type(made) is getattr(classes, ("" if side == "sync" else "Async") + resource.capitalize())
    return getattr(type(made), name)


@every
@pytest.mark.parametrize("side", ["sync", "async"])
def test_method(operation: Operation, side: str) -> None:
    """It is a method of a resource that the client of each side has, and says which operation it is."""
    method = method_of(operation, side)
    assert f"operation {operation.operation_id}" in (inspect.getdoc(method) or "")
    assert inspect.iscoroutinefunction(method) is (side == "async")


@every
def test_limits(operation: Operation) -> None:
    """It takes the three options that every method takes."""
    method = method_of(operation, "sync")
    assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(method).parameters.values())


@every
def test_cmdlet(operation: Operation) -> None:
    """The cmdlet that it names is a function, and a command of the same name."""
    if operation.cmdlet is not None:
        assert operation.cmdlet in facade.__all__
        assert operation.cmdlet.replace("_", "-") in COMMANDS


@every
def test_documented(operation: Operation) -> None:
    """Its resource stands in the reference of the Python API, on both sides."""
    text = (DOCS / "api" / "client.rst").read_text("utf-8")
    name = operation.method.partition(".")[0].capitalize()
    assert f"facade.resources.{name}\n" in text
    assert f"facade.resources.Async{name}\n" in text


def test_each_page_can_be_walked() -> None:
    """What reads a page has an `all` beside it."""
    for operation in OPERATIONS:
        if operation.kind == "page":
            method = method_of(operation._replace(method=operation.method.replace(".list", ".all")), "sync")
            assert callable(method)
