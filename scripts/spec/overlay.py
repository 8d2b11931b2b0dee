"""Apply an OpenAPI Overlay (specification 1.0 and 1.1) to a document.

An item that a list has already is not added again, so that what is pinned can be pinned anew.

As of 2026-11 oas-patch, the library for this, passes over a target that finds nothing, and reads no RFC 9535 JSONPath.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonpath_rfc9535 as jsonpath
import yaml

from scripts.spec.reading import SpecError


def apply_overlay(document: dict[str, Any], overlay: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Apply an overlay's actions in their order.

    Args:
        document: What to apply them to; it is left as it is.
        overlay: The overlay: each action updates or removes the places of its target.

    Returns:
        The new document, and the targets of updates that found no place in it; what is to go may be gone already.

    Raises:
        SpecError: The overlay is none, or an action of it is wrong, naming the action's target.
    """
    actions = overlay.get("actions")
    if not str(overlay.get("overlay", "")).startswith("1.") or not isinstance(actions, list) or not actions:
        raise SpecError("the overlay is no Overlay 1.x document with actions")
    document = copy.deepcopy(document)
    placeless = []
    for action in actions:
        target = action.get("target") if isinstance(action, dict) else None
        if not isinstance(target, str):
            raise SpecError(f"an overlay action without a target: {action!r}")
        removes: bool = action.get("remove") is True
        if ("update" in action) == removes or action.keys() - {"target", "description", "update", "remove"}:
            wanted = "it needs a target, an update or `remove: true`, and nothing else"
            raise SpecError(f"the overlay entry {target}: {wanted}")
        places = find(target, document)
        for node in reversed(places):  # an item of a list goes before those in front of it change their places
            if removes:
                _remove(document, node)
            else:
                _update(node, action["update"], target)
        if not places and not removes:
            placeless.append(target)
    return document, placeless


def find(target: str, document: dict[str, Any]) -> jsonpath.JSONPathNodeList:
    """Find the places in a document that an overlay entry's target means.

    Raises:
        SpecError: The target is no JSONPath.
    """
    try:
        return jsonpath.find(target, document)
    except jsonpath.JSONPathError as error:
        raise SpecError(f"the overlay entry {target}: {error}") from None


def lines(path: Path) -> dict[str, int]:
    """Give the line of each entry of an overlay's file, by its target."""
    root: Any = yaml.compose(path.read_bytes(), yaml.CSafeLoader)
    (actions,) = (value.value for key, value in root.value if key.value == "actions")
    entries = (item for action in actions for item in action.value)
    return {value.value: key.start_mark.line + 1 for key, value in entries if key.value == "target"}


def _update(node: jsonpath.JSONPathNode, update: Any, target: str) -> None:
    if isinstance(node.value, dict) and isinstance(update, dict):
        _merge(node.value, update)
    elif isinstance(node.value, list):
        _extend(node.value, [update])
    else:
        raise SpecError(f"the overlay entry {target}: its update and its place are of different kinds")


def _remove(document: dict[str, Any], node: jsonpath.JSONPathNode) -> None:
    *parents, last = node.location
    holder: Any = document
    for step in parents:
        holder = holder[step]
    del holder[last]


def _merge(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        elif isinstance(value, list) and isinstance(old.get(key), list):
            _extend(old[key], value)
        else:
            old[key] = copy.deepcopy(value)


def _extend(old: list[Any], new: list[Any]) -> None:
    old += copy.deepcopy([item for item in new if item not in old])
