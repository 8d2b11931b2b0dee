"""Turn the parts of an OpenAPI 3.0 or 3.1 document into the one form that the generator takes whole.

Every function gives a new object, without prose (titles, descriptions, examples) and vendor extensions, and says null
in one way: `type: [string, 'null']` where a type is all there is to say, else `anyOf: [..., {type: 'null'}]`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from jsonschema.exceptions import SchemaError
from openapi_schema_validator import OAS31Validator

from scripts.spec.reading import SpecError, as_mapping

# Every operation carries this one tag, the one that upstream gives them: the generator makes a folder of it.
TAG = "Assistants"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMBINATORS = ("allOf", "anyOf", "oneOf")

_PROSE = {"title", "description", "summary", "example", "examples", "externalDocs", "xml", "$comment"}
_NULL = {"type": "null"}
_SCHEMA_KEYS = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_SCHEMA_LIST_KEYS = (*COMBINATORS, "prefixItems")
_SCHEMA_MAP_KEYS = ("properties", "patternProperties", "dependentSchemas")
# A schema with one of these says more than its type, so null cannot simply join the type.
_BEYOND_TYPE = {"$ref", "enum", "not", *COMBINATORS}


def operation(node: Any, shared_parameters: Any, path: str) -> dict[str, Any]:
    """Normalise an operation, giving it the parameters that it shares with its path's other operations.

    Args:
        node: The operation as upstream has it.
        shared_parameters: The path item's own parameters.
        path: The operation's path; a path parameter that it does not name is left out.
    """
    node = as_mapping(node, f"an operation of {path}")
    own = [parameter(item) for item in _sequence(node.get("parameters", []), f"parameters of {path}")]
    own_places = {(item.get("name"), item.get("in")) for item in own}
    shared = [parameter(item) for item in _sequence(shared_parameters, f"parameters of {path}")]
    parameters = [item for item in shared if (item.get("name"), item.get("in")) not in own_places] + own
    result: dict[str, Any] = {"operationId": node["operationId"]} if "operationId" in node else {}
    result["tags"] = [TAG]
    if node.get("deprecated") is True:
        result["deprecated"] = True
    parameters = [item for item in parameters if item.get("in") != "path" or f"{{{item.get('name')}}}" in path]
    if parameters:
        result["parameters"] = parameters
    if "requestBody" in node:
        result["requestBody"] = request_body(node["requestBody"])
    responses = as_mapping(node.get("responses"), f"the responses of {path}")
    result["responses"] = {
        status: response(item, _phrase(status)) for status, item in responses.items() if not status.startswith("x-")
    }
    return result


def parameter(node: Any) -> dict[str, Any]:
    """Normalise a parameter or a reference to one."""
    part = _part(node, "a parameter")
    if "$ref" not in part and not (isinstance(part.get("name"), str) and isinstance(part.get("in"), str)):
        raise SpecError("a parameter does not say its name and where it goes (`in`)")
    return part


def response(node: Any, description: str = "Answer") -> dict[str, Any]:
    """Normalise a response or a reference to one; it gets `description`, since OpenAPI wants one."""
    part = _part(node, "a response")
    part.pop("links", None)
    return part if "$ref" in part else {"description": description, **part}


def schema(node: Any) -> dict[str, Any]:
    """Normalise a schema: no prose, null in one way, combinations only where they combine something.

    Raises:
        SpecError: It is no schema.
    """
    if isinstance(node, bool):
        return {} if node else {"not": {}}
    node = as_mapping(node, "a schema")
    nullable = node.get("nullable") is True
    result: dict[str, Any] = {}
    for key, value in _without_prose(node).items():
        if key == "nullable":
            continue
        if key in _SCHEMA_KEYS:
            boolean = key == "additionalProperties" and isinstance(value, bool)
            result[key] = value if boolean else schema(value)
        elif key in _SCHEMA_LIST_KEYS:
            members = [(schema(member), member) for member in _sequence(value, f"a schema's {key}")]
            if key == "allOf":
                # What is left of a member that says nothing, or only `nullable: true`, which means the whole.
                nullable = nullable or any(not made and raw.get("nullable") is True for made, raw in members)
                members = [(made, raw) for made, raw in members if made]
            if members:
                result[key] = [made for made, _ in members]
        elif key in _SCHEMA_MAP_KEYS:
            result[key] = {name: schema(item) for name, item in as_mapping(value, f"a schema's {key}").items()}
        elif key == "required":
            result[key] = list(dict.fromkeys(_names(value, "a schema's required")))
        elif key == "type":
            result[key] = value if isinstance(value, str) else _names(value, "a schema's type")
        elif key == "enum":
            result[key] = _sequence(value, "a schema's enum")
        else:
            result[key] = value
    if _is_bare_choice(result):
        result.pop("anyOf", None), result.pop("oneOf", None)
    result = _with_numeric_bounds(result)
    if isinstance(result.get("const"), str):
        result["enum"] = [result.pop("const")]
    if None in result.get("enum", ()):
        nullable = True
        result["enum"] = [value for value in result["enum"] if value is not None]
        if not result["enum"]:
            return dict(_NULL)
    return _without_wrong_default(_with_null(_with_plain_reference(result), nullable))


def _with_plain_reference(node: dict[str, Any]) -> dict[str, Any]:
    """Say `{"$ref": …}` where that is all; what stands beside a reference is kept by an `allOf` of one."""
    if "$ref" in node and len(node) > 1:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {"allOf": [{"$ref": node["$ref"]}, *rest.pop("allOf", [])], **rest}
    for key in COMBINATORS:
        if len(node) == 1 and len(node.get(key, ())) == 1:
            return dict(node[key][0])
    return node


def _with_null(node: dict[str, Any], nullable: bool) -> dict[str, Any]:
    """Say in the one way that null may be a value too, where it may."""
    for key in ("anyOf", "oneOf"):
        members = node.get(key, [])
        others = [member for member in members if member != _NULL]
        if len(others) < len(members):
            if len(others) != 1 or node.keys() - {key, "default"}:
                return node
            node, nullable = {**others[0], **{name: value for name, value in node.items() if name != key}}, True
    types = node.get("type", [])
    if not nullable or node == _NULL or "null" in types or not node.keys() - {"default"}:
        return node
    if "type" in node and not _BEYOND_TYPE & node.keys():
        return {**node, "type": [*([types] if isinstance(types, str) else types), "null"]}
    for key in ("anyOf", "oneOf"):
        if key in node and "type" not in node and not _BEYOND_TYPE & (node.keys() - {key}):
            return {**node, key: [*node[key], dict(_NULL)]}
    # The default belongs to the whole: the generator looks for it there.
    outer = {"default": node["default"]} if "default" in node else {}
    inner = {key: value for key, value in node.items() if key != "default"}
    return {"anyOf": [_with_plain_reference(inner), dict(_NULL)], **outer}


def _is_bare_choice(node: dict[str, Any]) -> bool:
    """Whether a choice only says which of the schema's own properties go together: the generator would lose these."""
    members = node.get("anyOf", []) + node.get("oneOf", [])
    return "properties" in node and bool(members) and all(member.keys() <= {"required", "not"} for member in members)


def _with_numeric_bounds(node: dict[str, Any]) -> dict[str, Any]:
    """Say an exclusive bound as 3.1 does: by its number, where 3.0 has a boolean beside the bound."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node


def _without_wrong_default(node: dict[str, Any]) -> dict[str, Any]:
    """Leave out a default that the schema itself forbids, such as an empty list of at least one item."""
    if "default" not in node or references(node):
        return node
    try:
        OAS31Validator.check_schema(node)
    except SchemaError as error:
        raise SpecError(f"a schema is wrong: {error.message}") from None
    if OAS31Validator(node).is_valid(node["default"]):
        return node
    return {key: value for key, value in node.items() if key != "default"}


def references(node: Any) -> set[str]:
    """Give every reference in a part of a document."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    mapping = node["discriminator"].get("mapping") if isinstance(node.get("discriminator"), dict) else None
    if isinstance(mapping, dict):
        own |= {value for value in mapping.values() if isinstance(value, str) and value.startswith("#")}
    return own.union(*map(references, node.values()))


def _part(node: Any, what: str) -> dict[str, Any]:
    """Normalise what is no schema: `schema`, `content` and `headers` within it in their turn."""
    node = as_mapping(node, what)
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}
    result: dict[str, Any] = {}
    for key, value in _without_prose(node).items():
        nested: dict[str, Callable[[Any], dict[str, Any]]] = {"content": _media_type, "headers": header}
        if key == "schema":
            result[key] = schema(value)
        elif key in nested:
            result[key] = {name: nested[key](item) for name, item in as_mapping(value, f"{what}'s {key}").items()}
        else:
            result[key] = value
    return result


request_body = partial(_part, what="a request body")
header = partial(_part, what="a header")
_media_type = partial(_part, what="a media type")


def _without_prose(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in _PROSE and not key.startswith("x-")}


def _phrase(status: str) -> str:
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return "Any other answer" if status == "default" else f"Answer with status {status}"


def _names(node: Any, what: str) -> list[str]:
    if not isinstance(node, list) or not all(isinstance(name, str) for name in node):
        raise SpecError(f"{what} is not a list of names")
    return node


def _sequence(node: Any, what: str) -> list[Any]:
    if not isinstance(node, list):
        raise SpecError(f"{what} is not a list")
    return node
