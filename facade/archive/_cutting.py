"""Takes parts out of a JSON text, leaving every other character as it is: no respelt number, no lost duplicate key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache

_decode = json.JSONDecoder().raw_decode
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_to_item = re.compile(r"[\s,]*").match

Spans = list[tuple[int, int]]


def cut(data: bytes, spans: Spans) -> bytes:
    """What is left of `data` without these parts."""
    pieces, kept_to = [], 0
    for start, end in spans:
        pieces.append(data[kept_to:start])
        kept_to = end
    return b"".join([*pieces, data[kept_to:]])


def find_cuts(data: bytes, path: tuple[str, ...]) -> Spans:
    """Where an object's JSON, in UTF-8, has what `path` leads to: a key, later keys or "*" for each item of an array.

    Taking these parts out leaves JSON; they come from the front to the back.
    """
    text = data.decode("latin-1")  # a character a byte; what JSON is made of outside of its strings is ASCII
    first = f'"{path[0]}"'
    spans: Spans = []
    if not all(f'"{key}"' in text for key in path if key != "*"):
        return spans  # all but always, and quickly told
    start = text.find(first)
    is_outermost = text.count("{", 0, start) == 1 and text.find("[", 0, start) == -1
    if is_outermost and text.find(first, start + 1) == -1:
        # There is nothing to be found in front, or behind.
        _collect(text, _member(path[0])(text, start).end(), path[1:], spans)  # type: ignore[union-attr]
    else:
        _collect(text, text.index("{"), path, spans)
    return spans


@lru_cache
def _member(wanted: str) -> Callable[[str, int], re.Match[str] | None]:
    """Matches up to a value: that of the first member that is wanted, or has an array or object in it, or is the last.

    Group 1 has the commas and members that are passed over, group 2 the key; there is none at an object's end.
    """
    quoted = re.escape(f'"{wanted}"')
    plain = rf'(?!{quoted}){_STRING}\s*+:\s*+(?:{_STRING}|[^"\[\]{{}},\s]++)\s*+,'
    return re.compile(rf"((?:[\s,]++|{plain})*+)(?:({_STRING})\s*+:\s*+)?").match


def _collect(text: str, at: int, path: tuple[str, ...], spans: Spans) -> int:
    """Add what is to be taken out of the value that begins at `at`, from the front to the back; give the value's end.

    What lies beside the path is passed over at the speed of the JSON scanner.
    """
    if path and path[0] == "*" and text[at] == "[":
        return _collect_items(text, at, path[1:], spans)
    if path and path[0] != "*" and text[at] == "{":
        return _collect_members(text, at, path[0], path[1:], spans)
    return int(_decode(text, at)[1])


def _collect_items(text: str, at: int, rest: tuple[str, ...], spans: Spans) -> int:
    at = _to_item(text, at + 1).end()  # type: ignore[union-attr]  # it matches nothing too
    while text[at] != "]":
        at = _to_item(text, _collect(text, at, rest, spans)).end()  # type: ignore[union-attr]
    return at + 1


def _collect_members(text: str, at: int, wanted: str, rest: tuple[str, ...], spans: Spans) -> int:
    quoted, member = f'"{wanted}"', _member(wanted)
    has_kept = False
    at += 1
    while (found := member(text, at)) and found[2]:
        has_kept = has_kept or ":" in found[1]
        if found[2] == quoted and not rest:
            at = _collect(text, found.end(), (), spans)
            # A comma goes with it: the one in front, or the one behind where nothing has been kept in front.
            if has_kept:
                spans.append((text.rindex(",", 0, found.start(2)), at))
            else:
                spans.append((found.start(2), _to_item(text, at).end()))  # type: ignore[union-attr]
        else:
            at = _collect(text, found.end(), rest if found[2] == quoted else (), spans)
            has_kept = True
    return text.index("}", at) + 1
