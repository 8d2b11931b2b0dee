"""What is kept of a whole OpenAPI description, and in which form."""

from __future__ import annotations

import re
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from scripts.spec import normalising
from scripts.spec.overlay import apply_overlay
from scripts.spec.reading import SpecError, as_mapping

TITLE = "Thread runs and run steps"

# Some descriptions have a prefix (/openai/threads/…). It belongs to the base URL that a client is given, so it is left
# out: the pinned paths, the generated modules and the overlay's targets are then the same whoever is described.
_RUN_PATH = re.compile(r"(?P<prefix>.*?)(?P<path>/threads/(?:\{[^/]+\}/)?runs(?:/.*)?)")
# What runs and steps refer to is read too: the thread, its messages, the assistant.
_READ_PATH = re.compile(
    r"(?P<prefix>.*?)(?P<path>/threads(?:/\{[^/]+\}(?:/messages(?:/\{[^/]+\})?)?)?|/assistants/\{[^/]+\})"
)
# Upstream's operations that stream refer to no event, so these are kept by name; the overlay says where they come.
_EVENTS = "AssistantStreamEvent"
_REFERENCE = re.compile(r"#/components/(?P<section>[^/]+)/(?P<name>[^/]+)")
_NORMALISERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "schemas": normalising.schema,
    "parameters": normalising.parameter,
    "requestBodies": normalising.request_body,
    "responses": normalising.response,
    "headers": normalising.header,
}


def pin(document: dict[str, Any], overlay: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Make the pinned description out of a whole one.

    Args:
        document: A whole OpenAPI 3.0 or 3.1 description, as `load` gives it; it is left as it is.
        overlay: The overlay to apply.

    Returns:
        A valid OpenAPI 3.1 description of the operations on runs and run steps and of those that read what they refer
        to, and of nothing else; and the targets of the overlay's entries that found no place in it.

    Raises:
        SpecError: It is no such description, has no such operation, or refers to what is not in it.
    """
    if not re.match(r"3\.[01]\.", str(document.get("openapi"))):
        raise SpecError("it is no OpenAPI 3.0 or 3.1 document (its `openapi` field says which it is)")
    info = document.get("info")
    version = info.get("version") if isinstance(info, dict) else None
    if version is None:
        raise SpecError("it does not say its version (`info.version`)")
    paths = _kept_paths(document)
    pinned, placeless = apply_overlay(
        {
            "openapi": "3.1.0",
            "info": {"title": TITLE, "version": str(version)},
            "tags": [{"name": normalising.TAG}],
            "paths": paths,
            "components": _components(document, paths),
        },
        overlay,
    )
    pinned["paths"] = dict(sorted(pinned["paths"].items()))
    pinned["components"] = {name: dict(sorted(part.items())) for name, part in sorted(pinned["components"].items())}
    for error in OpenAPIV31SpecValidator(pinned).iter_errors():
        place = ".".join(map(str, error.absolute_path)) or "the top"
        raise SpecError(f"what is kept of it is no valid OpenAPI 3.1, at {place}: {error.message[:200]}")
    return pinned, placeless


def _kept_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Give the normalised path items of the operations that are kept, by their paths without a prefix."""
    items = as_mapping(document.get("paths"), "`paths`")
    runs = [match for path in sorted(items) if (match := _RUN_PATH.fullmatch(path))]
    if not runs:
        raise SpecError("it has no operation on runs (a path /threads/…/runs…)")
    # The same words below another prefix are those of another API, such as /chatkit/threads.
    prefixes = {match["prefix"] for match in runs}
    others = (_READ_PATH.fullmatch(path) for path in sorted(items))
    reads = [match for match in others if match and match["prefix"] in prefixes]
    kept: dict[str, Any] = {}
    for match in [*runs, *reads]:
        path = match["path"]
        item = as_mapping(items[match.string], f"the path {match.string}")
        if "$ref" in item:
            raise SpecError(f"the path {match.string} is a reference: write its operations there")
        if path in kept:
            raise SpecError(f"two of its paths end in {path}: which of them is meant is not clear")
        methods = normalising.METHODS if match in runs else ("get",)
        shared = item.get("parameters", [])
        operations = {method: normalising.operation(item[method], shared, path) for method in methods if method in item}
        if operations:
            kept[path] = operations
    return kept


def _components(document: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """Give the normalised components that the paths refer to, by way of each other too, and the events of streams."""
    upstream = document.get("components", {})
    kept: dict[str, dict[str, Any]] = {}
    to_follow = normalising.references(paths)
    if isinstance(upstream, dict) and _EVENTS in upstream.get("schemas", {}):
        to_follow.add(f"#/components/schemas/{_EVENTS}")
    while to_follow:
        reference = min(to_follow)
        to_follow.remove(reference)
        match = _REFERENCE.fullmatch(reference)
        if not match:
            reason = "only components are referred to here" if reference.startswith("#") else "nothing is fetched"
            raise SpecError(f"the reference {reference!r} leads out of the components of this document: {reason}")
        section, name = match["section"], match["name"]
        if name in kept.get(section, {}):
            continue
        if section not in _NORMALISERS:
            raise SpecError(f"the reference {reference!r} is to a kind of component that is not read")
        try:
            component = upstream[section][name]
        except (KeyError, TypeError):
            raise SpecError(f"the reference {reference!r} leads nowhere") from None
        try:
            normalised = _NORMALISERS[section](component)
        except SpecError as error:
            raise SpecError(f"{reference}: {error}") from None
        kept.setdefault(section, {})[name] = normalised
        to_follow |= normalising.references(normalised)
    _refuse_circles(kept)
    return kept


def _refuse_circles(components: dict[str, dict[str, Any]]) -> None:
    """Refuse a component that is only itself again. One that holds itself, in a property or a list, is a fine tree."""

    def made_of(node: dict[str, Any]) -> set[str]:
        members = [member for key in normalising.COMBINATORS for member in node.get(key, [])]
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(made_of, members))

    graph = {
        f"#/components/{at}/{name}": made_of(node) for at, part in components.items() for name, node in part.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise SpecError(f"the reference {error.args[1][0]!r} leads to itself only") from None
