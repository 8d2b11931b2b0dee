"""Takes objects out of an answer as the text that the server sent, character for character."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]  # it is what JSONDecoder itself reads keys with
from typing import Any

from facade._answers import Page
from facade._exchange import Reply
from facade.errors import APIResponseError

_decode = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\r\n]*").match
_open_object, _open_array, _next_member, _next_item, _colon = (
    re.compile(pattern.replace("_", r"[ \t\r\n]*")).match
    for pattern in (r"{_(}?)_", r"\[_(\]?)", r"_([,}])_", r"_([,\]])_", r"_:_")
)


class Item:
    """An object as it was sent: its text, and its value."""

    __slots__ = ("_json", "text", "value")

    def __init__(self, text: str, value: dict[str, Any]) -> None:
        self.text = text
        self.value = self._json = value  # the latter for what reads models

    def __repr__(self) -> str:
        return f"Item({self._json.get('id')!r})"


def slice_object(reply: Reply) -> Item:
    """The object of an answer.

    Raises:
        APIResponseError: the body is no JSON object with an `id`.
    """
    text = _text(reply.body)
    start = _skip(text, 0)
    value, end = _whole(_decode, text, start)
    if not isinstance(value, dict) or _skip(text, end) != len(text):
        raise APIResponseError("the answer is no JSON object")
    object_id = value.get("id")
    if not isinstance(object_id, str) or not object_id.strip():
        raise APIResponseError("the answer is an object without an id")
    return Item(text[start:end], value)


def slice_page(reply: Reply) -> Page[Item]:
    """The page of objects of an answer.

    Raises:
        APIResponseError: the body is no JSON object with a `data` array of objects.
    """
    text = _text(reply.body)
    envelope = _whole(_envelope, text, _skip(text, 0))
    items = envelope.pop("data", None)
    if not isinstance(items, _Items):
        raise APIResponseError("the answer has no data array: it is no page of a list")
    for index, (_, value) in enumerate(items):
        if not isinstance(value, dict):
            raise APIResponseError(f"item {index} of the answer's data is no object")
    return Page([Item(item, value) for item, value in items], envelope)


def slice_items(text: str, *path: str) -> list[tuple[str, Any]]:
    """The items of the array that these keys lead to in an object's text: each one's own text and value.

    None where there is no such array. Raises ValueError or IndexError where the text is no JSON object.
    """
    at = _skip(text, 0)
    for key in path:
        found = _member(text, at, key) if text[at] == "{" else None
        if found is None:
            return []
        at = found
    return _items(text, at)[0] if text[at] == "[" else []


def _member(text: str, at: int, wanted: str) -> int | None:
    """Where the value of an object's member begins; of several of that name the last one counts, as everywhere."""
    place = None
    found = _after(_open_object, text, at)
    while found[1] != "}":
        key, at = _key(text, found.end())
        place = at if key == wanted else place
        found = _after(_next_member, text, _decode(text, at)[1])
    return place


class _Items(list[tuple[str, Any]]):
    """Each item of an array: its text and its value."""


def _text(body: bytes) -> str:
    """A body's text, as `json.loads` reads it: lone surrogates too."""
    try:
        return body.decode(json.detect_encoding(body), "surrogatepass")
    except UnicodeDecodeError:
        raise APIResponseError("the answer is not UTF-8") from None


def _whole(read: Any, text: str, at: int) -> Any:
    """What a reader makes of a text; whatever it stumbles over is no JSON."""
    problem = "nested too deeply"
    try:
        return read(text, at)
    except IndexError:
        problem = "cut short, or not JSON"
    except RecursionError:
        pass
    except ValueError as error:
        problem = f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else "a number of too many digits"
    raise APIResponseError(f"the answer is {problem if text.strip() else 'empty'}")


def _skip(text: str, at: int) -> int:
    return _space(text, at).end()  # type: ignore[union-attr]  # it matches nothing too


def _after(between: Callable[[str, int], re.Match[str] | None], text: str, at: int) -> re.Match[str]:
    """What stands between two values."""
    found = between(text, at)
    if found is None:
        raise json.JSONDecodeError("Expecting one of ,:]}", text, at)
    return found


def _key(text: str, at: int) -> tuple[str, int]:
    """A member's key, and where its value begins."""
    if text[at] != '"':
        raise json.JSONDecodeError("Expecting a key", text, at)
    key, at = scanstring(text, at + 1)
    return key, _after(_colon, text, at).end()


def _envelope(text: str, at: int) -> dict[str, Any]:
    """A page's members; of its `data`, the items."""
    envelope: dict[str, Any] = {}
    found = _after(_open_object, text, at)
    while found[1] != "}":
        key, at = _key(text, found.end())
        envelope[key], at = _items(text, at) if key == "data" and text[at] == "[" else _decode(text, at)
        found = _after(_next_member, text, at)
    if found.end() != len(text):
        raise json.JSONDecodeError("Extra data", text, found.end())
    return envelope


def _items(text: str, at: int) -> tuple[_Items, int]:
    """An array's items, and where it ends."""
    items = _Items()
    found = _after(_open_array, text, at)
    while found[1] != "]":
        at = found.end()
        value, end = _decode(text, at)
        items.append((text[at:end], value))
        found = _after(_next_item, text, end)
    return items, found.end(1)
