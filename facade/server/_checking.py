"""Whether a request's body is what the API's description says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from facade.archive._answering import RefusedError
from facade.server.sample_parts import Json

MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512
"""Of metadata; the description says this in words only."""


def read_body(body: bytes, schema: str) -> Json:
    """A request's body.

    Args:
        body: as it was sent
        schema: the name of the description's component

    Raises:
        RefusedError: 400; it is no JSON object, or not what the component says. The message names the place and
            repeats nothing that was sent but names.
    """
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise RefusedError(400, "The body is no JSON: send a JSON object.") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "The body is no JSON object: send one.")
    error = best_match(_validator(schema).iter_errors(value))
    if error is not None:
        place = _place(error)
        raise RefusedError(400, f"{place or 'The body'}: {_problem(error)}.", param=place or None)
    _check_metadata(value, "metadata")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": {"schemas": _schemas()}})


@cache
def _schemas() -> Json:
    """The description's components, with what Azure AI Foundry's client also sends: other tools, their resources."""
    document = json.loads(files("openai_thread_runs_api").joinpath("openapi.json").read_bytes())
    schemas: Json = deepcopy(document["components"]["schemas"])
    kinds = ["code_interpreter", "file_search", "function"]
    other = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "not": {"enum": kinds}}}}
    for name in ("CreateRunRequest", "CreateThreadAndRunRequest"):
        properties = schemas[name]["properties"]
        properties["tools"]["items"]["oneOf"].append(other)
        properties.setdefault("tool_resources", {"type": ["object", "null"]})
    return schemas


def _place(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return place.removeprefix(".")


def _problem(error: ValidationError) -> str:
    """What is wrong, without the value: it may be long, or a secret."""
    expected: Any = error.validator_value
    match error.validator:
        case "type":
            return f"must be of type {expected if isinstance(expected, str) else ' or '.join(expected)}"
        case "enum":
            return f"must be {' or '.join(map(json.dumps, expected))}"
        case "required" | "additionalProperties":
            return str(error.message)
        case "minimum" | "maximum" | "minItems" | "maxItems":
            return f"must keep to {error.validator} {expected}"
    return "has none of the forms that it may have"


def _check_metadata(value: Any, place: str) -> None:
    pairs = value.get("metadata")
    if isinstance(pairs, Mapping):
        if len(pairs) > MAX_PAIRS:
            raise RefusedError(400, f"{place}: has {len(pairs)} pairs; at most {MAX_PAIRS} are kept.", param=place)
        for name, text in pairs.items():
            if len(name) > MAX_KEY or len(text) > MAX_VALUE:
                limits = f"keys have at most {MAX_KEY} characters, values {MAX_VALUE}"
                raise RefusedError(400, f"{place}: {name[:MAX_KEY]!r} is too long: {limits}.", param=place)
    for name in ("thread", "messages", "additional_messages"):
        items = value.get(name) or ()
        for item in [items] if isinstance(items, dict) else items:
            _check_metadata(item, f"{name}.metadata")
