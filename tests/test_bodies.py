"""Bodies: what is sent, what is left out, and what is refused before any request."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from wire import a_run

import facade
from facade._life.bodies import check_metadata, make_body, secrets_in


def test_none_is_not_sent() -> None:
    """A field that is None is left out; one in `additional_body` wins and may be null."""
    body = make_body({"model": None, "top_p": 0, "a": "x", "b": 1}, {"b": None, "model": "m", "new": [False]})
    assert json.loads(body) == {"top_p": 0, "a": "x", "b": None, "model": "m", "new": [False]}
    assert json.loads(make_body({})) == {}


def test_what_has_a_form() -> None:
    """Mappings, tuples, models, big numbers and lone surrogates are sent."""
    fields = {"m": MappingProxyType({"a": (1, 2)}), "n": 10**40, "s": "\ud800é", "r": facade.Run.from_dict(a_run())}
    assert json.loads(make_body(fields)) == {"m": {"a": [1, 2]}, "n": 10**40, "s": "\ud800é", "r": a_run()}


def loop() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (float("nan"), ValueError),
        ({"x": [float("-inf")]}, ValueError),
        ({1, 2}, TypeError),
        ((x for x in "hush"), TypeError),
        (b"hush", TypeError),
        ({("hush",): 1}, TypeError),
        (loop(), ValueError),
        (deep(), ValueError),
        (10**5000, ValueError),
    ],
    ids=range(9),
)
def test_what_has_none(value: Any, kind: type[Exception]) -> None:
    """What JSON has no form for is refused by the parameter's name, and not shown."""
    with pytest.raises(kind, match=r"^tools cannot be sent") as caught:
        make_body({"tools": value})
    assert "hush" not in str(caught.value)
    with pytest.raises(kind, match=r"^additional_body\['x'\] cannot be sent"):
        make_body({}, {"x": value})


@pytest.mark.parametrize("value", [[], "x", {1: 2}])
def test_additional_body(value: Any) -> None:
    """`additional_body` is a mapping with names as keys."""
    with pytest.raises(TypeError, match="additional_body"):
        make_body({}, value)


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({str(n): "x" for n in range(17)}, ValueError),
        ({"k" * 65: "x"}, ValueError),
        ({"k": "x" * 513}, ValueError),
        ({"k": 1}, TypeError),
        ({1: "x"}, TypeError),
        ([("k", "x")], TypeError),
    ],
    ids=range(6),
)
def test_bad_metadata(metadata: Any, kind: type[Exception]) -> None:
    """Metadata that no server takes is refused."""
    with pytest.raises(kind, match="metadata"):
        check_metadata("metadata", metadata)


def test_metadata() -> None:
    """Sixteen pairs of the longest texts are taken."""
    check_metadata("metadata", {f"{n:064}": "x" * 512 for n in range(16)})
    check_metadata("metadata", facade.Run.from_dict(a_run()).metadata)
    check_metadata("metadata", None)


def test_secrets() -> None:
    """Headers, wherever they are in a body, are secrets."""
    tools = [{"headers": {"A": "Bearer one", "B": "", "C": 3}}]
    assistant = facade.Assistant.from_dict({"headers": {"X": "three"}})
    body = {"tools": tools, "headers": {"X": "two"}, "other": {"headers": "no"}, "like": assistant}
    assert sorted(secrets_in(make_body(body))) == ["Bearer one", "one", "three", "two"]
    assert secrets_in(make_body({"model": "headers"})) == ()
