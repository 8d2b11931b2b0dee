"""Pin the subset of an OpenAPI description that this project is generated from.

    python scripts/pin.py SPEC [--output DIR]

Reads a whole description (OpenAPI 3.0 or 3.1, YAML or JSON), keeps the operations on runs and run steps, those that
read what these refer to (thread, messages, assistant), and exactly the components that all of them and the events of
streams refer to, puts them into plain OpenAPI 3.1, applies the project's overlay, validates the
result, and writes DIR/openapi.yaml with DIR/source.yaml, the record of where it came from. The same input gives the
same bytes. Where anything is wrong it says so in one line, writes nothing and ends with 2.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _normalising as normalising
import yaml
from _description import METHODS
from _diff import as_text, describe
from _overlay import apply_overlay, find
from _reading import SpecError, as_mapping, load, parse
from openapi_spec_validator import OpenAPIV31SpecValidator

__all__ = ["SpecError", "load", "main", "pin"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "openapi"
TITLE = "Thread runs and run steps"
_NOTICE = "# Made by `make pin` (scripts/pin.py) from an upstream description and openapi/overlay.yaml: do not edit.\n"

# Some descriptions have a prefix (/openai/threads/…). It belongs to the base URL that a client is given, so it is left
# out: the pinned paths, the generated modules and the overlay's targets are then the same whoever is described.
_RUN_PATH = re.compile(r"(?P<prefix>.*?)(?P<path>/threads/(?:\{[^/]+\}/)?runs(?:/.*)?)")
# What runs and steps refer to is read too: the thread, its messages, the assistant.
_READ_PATH = re.compile(
    r"(?P<prefix>.*?)(?P<path>/threads(?:/\{[^/]+\}(?:/messages(?:/\{[^/]+\})?)?)?|/assistants/\{[^/]+\})"
)
# Upstream's operations that stream refer to no event, so these are kept by name; the overlay says where they come.
_KEPT_COMPONENTS = ("AssistantStreamEvent",)
_REFERENCE = re.compile(r"#/components/(?P<section>[^/]+)/(?P<name>[^/]+)")
_NORMALISERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "schemas": normalising.schema,
    "parameters": normalising.parameter,
    "requestBodies": normalising.request_body,
    "responses": normalising.response,
    "headers": normalising.header,
}


def pin(document: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Make the pinned description out of a whole one.

    Args:
        document: A whole OpenAPI 3.0 or 3.1 description, as `load` gives it; it is left as it is.
        overlay: The overlay to apply. Entries of it that find no place in this description are passed over.

    Returns:
        A valid OpenAPI 3.1 description of the operations on runs and run steps and of those that read what they
        refer to, and of nothing else.

    Raises:
        SpecError: It is no such description, has no such operation, or refers to what is not in it.
    """
    return _pin(document, overlay)[0]


def _pin(document: dict[str, Any], overlay: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Give the pinned description, and the targets of overlay entries that found no place in it."""
    if not re.match(r"3\.[01]\.", str(document.get("openapi"))):
        raise SpecError("it is no OpenAPI 3.0 or 3.1 document (its `openapi` field says which it is)")
    info = document.get("info")
    version = info.get("version") if isinstance(info, dict) else None
    if version is None:
        raise SpecError("it does not say its version (`info.version`)")
    paths = _kept_paths(document)
    pinned = {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": str(version)},
        "tags": [{"name": normalising.TAG}],
        "paths": paths,
        "components": _components(document, paths),
    }
    pinned, placeless = apply_overlay(pinned, overlay)
    pinned["paths"] = dict(sorted(pinned["paths"].items()))
    pinned["components"] = {
        name: dict(sorted(section.items())) for name, section in sorted(pinned["components"].items())
    }
    _validate(pinned)
    return pinned, placeless


def _kept_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Give the normalised path items of the operations that are kept, by their paths without a prefix."""
    items = as_mapping(document.get("paths"), "`paths`")
    runs = {path: match for path in sorted(items) if (match := _RUN_PATH.fullmatch(path))}
    if not runs:
        raise SpecError("it has no operation on runs (a path /threads/…/runs…)")
    prefixes = {match["prefix"] for match in runs.values()}
    # The same words below another prefix are those of another API, such as /chatkit/threads.
    reads = {path: match for path in sorted(items) if (match := _READ_PATH.fullmatch(path))}
    reads = {path: match for path, match in reads.items() if match["prefix"] in prefixes}
    kept: dict[str, Any] = {}
    for matches, methods in ((runs, METHODS), (reads, ("get",))):
        for upstream_path, match in matches.items():
            path = match["path"]
            item = as_mapping(items[upstream_path], f"the path {upstream_path}")
            if "$ref" in item:
                raise SpecError(f"the path {upstream_path} is a reference: write its operations there")
            if path in kept:
                raise SpecError(f"two of its paths end in {path}: which of them is meant is not clear")
            shared = item.get("parameters", [])
            operations = {
                method: normalising.operation(item[method], shared, path) for method in methods if method in item
            }
            if operations:
                kept[path] = operations
    return kept


def _components(document: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """Give the normalised components that the paths refer to, by way of each other too, and no other."""
    upstream = document.get("components", {})
    kept: dict[str, dict[str, Any]] = {}
    to_follow = normalising.references(paths)
    schemas = upstream.get("schemas", {}) if isinstance(upstream, dict) else {}
    to_follow |= {f"#/components/schemas/{name}" for name in _KEPT_COMPONENTS if name in schemas}
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

    def is_made_of(node: dict[str, Any]) -> set[str]:
        members = [member for key in ("allOf", "anyOf", "oneOf") for member in node.get(key, [])]
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(is_made_of, members))

    made_of = {
        f"#/components/{section}/{name}": is_made_of(node)
        for section, nodes in components.items()
        for name, node in nodes.items()
    }
    for reference, parts in made_of.items():
        seen: set[str] = set()
        to_follow = set(parts)
        while to_follow - seen:
            part = min(to_follow - seen)
            seen.add(part)
            to_follow |= made_of.get(part, set())
        if reference in seen:
            raise SpecError(f"the reference {reference!r} leads to itself only")


def _validate(pinned: dict[str, Any]) -> None:
    for error in OpenAPIV31SpecValidator(pinned).iter_errors():
        place = ".".join(map(str, error.absolute_path)) or "the top"
        raise SpecError(f"what is kept of it is no valid OpenAPI 3.1, at {place}: {error.message[:200]}")


def _size(document: dict[str, Any]) -> dict[str, int]:
    paths = document["paths"]
    items = [item for item in paths.values() if isinstance(item, dict)]
    components = document.get("components")
    sections = [section for section in components.values() if isinstance(section, dict)] if components else []
    return {
        "paths": len(paths),
        "operations": sum(len(item.keys() & set(METHODS)) for item in items),
        "components": sum(map(len, sections)),
    }


def _wrong_targets(placeless: list[str], size: dict[str, int], committed: Path) -> list[str]:
    """Tell overlay entries that are wrong from those that a description is only too old for.

    A target that never had a place is a typo, whatever is pinned: it has none in the committed pin, and the committed
    record does not list it among those that it did without. Any other is fine in an older description, and an error in
    one that is as new as the committed pin, which has lost what the entry speaks of.

    Upstream's `info.version` stays the same for years, so age is read from size: upstream's description only grows.
    A committed pin that does without some entries is an old one itself, and nothing is read from its size.

    Args:
        placeless: The targets that found no place.
        size: The size of the whole description.
        committed: The folder of the committed pin and its record, which may not be there yet.
    """
    if not placeless:
        return []
    try:
        pinned, source = _own(committed / "openapi.yaml"), _own(committed / "source.yaml")
    except FileNotFoundError:
        return placeless
    done_without = source["overlay"]["without_place"]
    is_older = bool(done_without) or size["components"] < source["whole"]["components"]
    return [target for target in placeless if not is_older or (target not in done_without and not find(target, pinned))]


def _own(path: Path) -> dict[str, Any]:
    """Load a file of the project's, naming it where it is at fault."""
    try:
        return load(path)
    except SpecError as error:
        raise SpecError(f"the project's own {path.name}: {error}") from None


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write files whole or not at all: all are written beside their places before the first takes its place."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=".pin-")))
        for name, text in files.items():
            (scratch / name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            os.replace(scratch / name, folder / name)


class _Dumper(yaml.CSafeDumper):
    """Writes every part out where it stands, and `[string, 'null']` on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style="null" in sequence)


def _dump(document: dict[str, Any]) -> str:
    try:
        return _NOTICE + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    except UnicodeEncodeError as error:
        raise SpecError(f"it has a character that no file can hold: {error.object[error.start]!r}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Give 0, or 2 where nothing was pinned."""
    parser = argparse.ArgumentParser(description="Pin the subset of an OpenAPI description that is generated from.")
    parser.add_argument("spec", type=Path, help="a whole OpenAPI 3.0 or 3.1 description, YAML or JSON")
    parser.add_argument("--output", type=Path, default=FOLDER, help="where to write (default: the project's openapi/)")
    arguments = parser.parse_args(argv)
    try:
        content = arguments.spec.read_bytes()
        document = parse(content)
        pinned, placeless = _pin(document, _own(FOLDER / "overlay.yaml"))
        wrong = _wrong_targets(placeless, _size(document), FOLDER)
        if wrong:
            raise SpecError(f"overlay.yaml has {len(wrong)} entries without a place in it: {', '.join(wrong)}")
        source = {
            "title": document["info"].get("title"),
            "version": document["info"]["version"],
            "openapi": document["openapi"],
            "sha256": hashlib.sha256(content).hexdigest(),
            "whole": _size(document),
            "pinned": _size(pinned),
            "overlay": {"without_place": placeless},
        }
        kept = arguments.output / "openapi.yaml"
        changes = as_text(describe(_own(kept), pinned)) if kept.is_file() else None
        _write(arguments.output, {"openapi.yaml": _dump(pinned), "source.yaml": _dump(source)})
    except RecursionError:
        print(f"pin: {arguments.spec}: it is nested too deeply", file=sys.stderr)
        return 2
    except SpecError as error:
        print(f"pin: {arguments.spec}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"pin: {error.filename or arguments.output}: {error.strerror}", file=sys.stderr)
        return 2
    counts = source["pinned"]
    print(
        f"{arguments.output / 'openapi.yaml'}: {counts['operations']} operations and {counts['components']} components"
        f" of {source['title']} {source['version']}"
    )
    if changes is not None:
        print(changes)
    if placeless:
        print(f"{len(placeless)} entries of the overlay have no place in it: source.yaml lists them")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
