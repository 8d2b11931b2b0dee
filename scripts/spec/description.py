"""A pinned description, read with its references followed and its combinations worked out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scripts.spec.normalising import COMBINATORS, METHODS, references

# Say something of a place, whatever the form of the value there.
PLACE_KEYS = ("default", "deprecated", "readOnly", "writeOnly")
# Say how the values of a type are meant.
FORMATS = ("format", "contentEncoding", "contentMediaType")
PROSE = {"title", "summary", "description", "example", "examples", "discriminator"}

Key = tuple[str, str]
"""An operation's method and path."""


class Form(NamedTuple):
    """One form that a value may have: a schema without references and combinations; `name` where it has one."""

    name: str | None
    node: dict[str, Any]

    @property
    def type(self) -> str | None:
        """The JSON type of the value; None where it may be any."""
        if isinstance(self.node.get("type"), str):
            return str(self.node["type"])
        return "object" if "properties" in self.node else "array" if "items" in self.node else None

    @property
    def values(self) -> list[Any] | None:
        """The values that it is one of; None where it may be any of its type."""
        return [self.node["const"]] if "const" in self.node else self.node.get("enum")

    @property
    def is_plain(self) -> bool:
        """Whether it is any value of its type."""
        return not self.node.keys() - {"type", *FORMATS}


class Description:
    """A pinned description, as `pin` gives it.

    Args:
        document: the description
        names: what some of its schemas are to be called, by their names
    """

    def __init__(self, document: dict[str, Any], names: Mapping[str, str] = MappingProxyType({})) -> None:
        self.names = names
        self.components: dict[str, dict[str, Any]] = document.get("components", {})
        self.schemas = {names.get(name, name): node for name, node in self.components.get("schemas", {}).items()}
        self.operations: dict[Key, dict[str, Any]] = {
            (method, path): item[method]
            for path, item in document["paths"].items()
            for method in METHODS
            if method in item
        }

    def name(self, reference: str) -> str:
        """Give the name of what a reference means."""
        name = reference.split("/")[-1]
        return self.names.get(name, name)

    def part(self, node: dict[str, Any]) -> dict[str, Any]:
        """Give a parameter, body, answer, header or schema, or the one that a reference means."""
        while isinstance(node.get("$ref"), str):
            section, name = node["$ref"].split("/")[-2:]
            node = self.components[section][name]
        return node

    def operation_id(self, key: Key) -> str:
        """Give the id of an operation, or its request line where it has none."""
        return str(self.operations[key].get("operationId", request_line(key)))

    def parameters(self, key: Key) -> dict[tuple[str, str], dict[str, Any]]:
        """Give an operation's parameters, by where they go and their names."""
        parts = map(self.part, self.operations[key].get("parameters", []))
        return {(part["in"], part["name"]): part for part in parts}

    def forms(self, node: dict[str, Any]) -> list[Form]:
        """Give the forms that a value may have, null among them."""
        if isinstance(node.get("$ref"), str):
            name = self.name(node["$ref"])
            found = self.forms(self.schemas[name])
            is_one = sum(form.type != "null" for form in found) == 1
            return [form._replace(name=name) if is_one and form.type != "null" else form for form in found]
        own = {key: value for key, value in node.items() if key not in {*PROSE, *PLACE_KEYS, *COMBINATORS}}
        types = own.get("type")
        forms = [Form(None, {**own, "type": each}) for each in types] if isinstance(types, list) else [Form(None, own)]
        for key in COMBINATORS:
            members = [self.forms(member) for member in node.get(key, [])]
            if members and key != "allOf":
                members = [[form for member in members for form in member]]
            for choice in members:
                both = (_merged(form, other) for form in forms for other in choice)
                forms = [form for form in both if form is not None]
        return forms

    def field(self, node: dict[str, Any], path: str) -> list[Form]:
        """Give the forms of a field such as `step_details.tool_calls[].type`; none where there is no such field."""
        forms = self.forms(node)
        for name in path.replace("[]", ".[]").split("."):
            nodes = [form.node for form in forms]
            parts = [node.get("items") if name == "[]" else node.get("properties", {}).get(name) for node in nodes]
            forms = [form for part in parts if part is not None for form in self.forms(part)]
        return forms

    def named(self, node: dict[str, Any]) -> tuple[str | None, bool]:
        """Give the name of the schema that a node is, beside null, and whether the node itself lets null be."""
        nullable = False
        while "$ref" not in node:
            key = next((key for key in COMBINATORS if key in node), None)
            if key is None or node.keys() - {key, *PROSE, *PLACE_KEYS}:
                return None, nullable
            members = [member for member in node[key] if member != {"type": "null"}]
            nullable = nullable or len(members) < len(node[key])
            if len(members) != 1:
                return None, nullable
            node = members[0]
        return self.name(node["$ref"]), nullable

    def schemas_of(self, node: Any) -> set[str]:
        """Give the names of all schemas that a part of the description refers to, by way of each other too."""
        seen: set[str] = set()
        to_follow = references(node)
        while to_follow:
            seen |= to_follow
            to_follow = references([self.part({"$ref": reference}) for reference in to_follow]) - seen
        return {self.name(reference) for reference in seen if "/schemas/" in reference}


def request_line(key: Key) -> str:
    """Give a method and path as a request begins."""
    return f"{key[0].upper()} {key[1]}"


def quoted(value: Any) -> str:
    """Give a value of a description in backticks, on one line and short, whatever is in it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(character if character.isprintable() else " " for character in text).replace("`", "'")
    return f"`{text if len(text) <= 80 else text[:79] + '…'}`"


def _merged(form: Form, other: Form) -> Form | None:
    """Give the form that is both; None where nothing can be."""
    if not form.node or not other.node:
        return form if form.node else other
    node = {**form.node, **other.node}
    types = {each.type for each in (form, other)} - {None}
    if len(types) > 1 and types != {"integer", "number"}:
        return None
    if types:
        node["type"] = min(types, key=str)  # an integer is a number
    if "required" in node:
        node["required"] = list(dict.fromkeys([*form.node.get("required", []), *other.node.get("required", [])]))
    if "properties" in node:
        mine, theirs = form.node.get("properties", {}), other.node.get("properties", {})
        shared = {name: {"allOf": [mine[name], theirs[name]]} for name in mine.keys() & theirs.keys()}
        node["properties"] = {**mine, **theirs, **shared}
    # A form that only repeats the type adds nothing, so the other's name still says what both are.
    names = [each.name for each in (form, other) if each.node.keys() - {"type"}]
    return Form(names[0] if len(names) == 1 else None, node)
