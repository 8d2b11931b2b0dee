"""The reference pages, in Markdown: one an operation of the pinned spec, one a schema that operations name.

It is an extension of Sphinx, which has the pages written into `reference/` of the documentation before that is read.
What a page looks like is said by the templates beside this file, what an operation's call looks like by the facade's
own signatures.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import facade
from facade._operations import OPERATIONS
from facade.errors import STATUS_ERRORS
from openai_thread_runs_api import models
from scripts.docs.examples import IDS, WAITING_RUN, WIDTH, Examples, pretty
from scripts.spec.normalising import METHODS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DONE = {each.operation_id: each for each in OPERATIONS}
"""The operations that the facade has."""
CLIENT = facade.Client("any", api_base="http://127.0.0.1/v1")  # never connects
GIVES = {"modifyRun": "completed", "cancelRun": "cancelling"}
"""The status of the run that a write gives, where that is not a queued one."""
MANY = 12
"""An enumeration longer than this is told below the table."""
ARGUMENTS: dict[str, Any] = IDS | {
    "thread": "thread_bakery",
    "metadata": {"counter": "back", "checked_by": "Ada"},
    "outputs": {"call_baguettes": {"free": 31}, "call_tuesday": {"eur": 4}},
    "limit": 5,
}
"""What an example gives for a parameter of a call."""


class Operation(NamedTuple):
    """One operation of the spec, its parameters and answers resolved."""

    method: str
    path: str
    spec: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.spec["operationId"])

    @property
    def title(self) -> str:
        return str(self.spec.get("summary", self.id))

    @property
    def page(self) -> str:
        """The name of its page."""
        return slug(self.id)

    @property
    def is_list(self) -> bool:
        return any(parameter["name"] == "after" for parameter in self.spec["parameters"])

    @property
    def call(self) -> str:
        """The method of a client that does it, as `runs.get`; empty where the facade has none."""
        return DONE[self.id].method if self.id in DONE else ""

    @property
    def cmdlet(self) -> str:
        """The cmdlet's function that reads it; empty where there is none."""
        done = DONE.get(self.id)
        return (done.cmdlet or "") if done and self.method == "get" else ""

    @property
    def ids(self) -> dict[str, str]:
        """The sample's ids for the path; what writes has a run that waits for what functions give."""
        waiting = {} if self.method == "get" else {"run_id": WAITING_RUN}
        return {name: (IDS | waiting).get(name, name) for name in re.findall(r"{(\w+)}", self.path)}

    @property
    def query(self) -> dict[str, str]:
        """What an example's request asks for as well."""
        known = {"limit": "1", "order": "asc", "include[]": facade.FILE_SEARCH_RESULT_CONTENT}
        names = [parameter["name"] for parameter in self.spec["parameters"]] if self.method == "get" else []
        return {name: known[name] for name in names if name in known}

    def example(self, indent: int) -> str:
        """The call of a client's method that an example makes, in lines so far to the right."""
        given = ARGUMENTS | self.ids | {"run": self.ids.get("run_id")}
        parameters = inspect.signature(attrgetter(self.call)(CLIENT)).parameters
        words = []
        for name, parameter in parameters.items():
            is_wanted = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
            if is_wanted and parameter.kind is not parameter.KEYWORD_ONLY:
                words.append(json.dumps(given[name]))
            elif is_wanted or name == "limit" or (name == "thread_id" and "run" in parameters):
                words.append(f"{name}={json.dumps(given[name])}")
            elif name == "include" and not self.is_list:
                words.append("include=facade.FILE_SEARCH_RESULT_CONTENT")
        call = f"client.{self.call}({', '.join(words)})"
        if len(call) <= WIDTH:
            return call
        margin = " " * indent
        return "\n".join([f"client.{self.call}(", *(f"{margin}    {word}," for word in words), f"{margin})"])

    def words(self) -> list[str]:
        """The ids that the cmdlet's function and command take, in their order."""
        parameters = inspect.signature(getattr(facade, self.cmdlet)).parameters
        return [self.ids[name] for name in parameters if name in self.ids]


class Reference:
    """The pages of one spec.

    Args:
        spec: an OpenAPI 3.1 description, as `make pin` writes it
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self.schemas: dict[str, dict[str, Any]] = spec["components"]["schemas"]
        self.operations = sorted(self._operations(), key=lambda operation: (not operation.call, operation.method))
        self.main = self._main()

    @cached_property
    def examples(self) -> Examples:
        """Values of the schemas."""
        return Examples(self.schemas, {op.path: op.query for op in self.operations if op.method == "get"})

    def pages(self) -> dict[str, str]:
        """The text of each page by its name without an ending."""
        templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # noqa: S701  # it is Markdown
        )
        templates.filters |= {"type": self.type, "said": self.said, "schema": _name}
        templates.filters |= {each.__name__: each for each in (values, link, slug, enum, cell, listed, pretty)}
        templates.globals |= {"reference": self, "version": self._spec["info"]["version"], "MANY": MANY}
        templates.globals |= {"errors": STATUS_ERRORS, "gives": lambda operation: GIVES.get(operation.id, "queued")}
        pages = {"index": templates.get_template("index.md.jinja").render()}
        page = templates.get_template("operation.md.jinja")
        pages |= {operation.page: page.render(op=operation) for operation in self.operations}
        page = templates.get_template("schema.md.jinja")
        return pages | {slug(name): page.render(names=parts) for name, parts in self.main.items()}

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """A node of the spec, or the component that it refers to."""
        while "$ref" in node:
            _, _, section, name = node["$ref"].split("/")
            node = self._spec["components"][section][name]
        return node

    def _operations(self) -> Iterator[Operation]:
        for path, item in self._spec["paths"].items():
            for method in METHODS:
                if method in item:
                    found = dict(item[method])
                    found["parameters"] = list(map(self.resolve, found.get("parameters", [])))
                    found["responses"] = {status: self.resolve(said) for status, said in found["responses"].items()}
                    yield Operation(method, path, found)

    def _main(self) -> dict[str, list[str]]:
        """The schemas that operations name, each with itself and the parts that it is the first to lead to."""
        named = dict.fromkeys(name for operation in self.operations for name in references(operation.spec))
        # Runs and steps, then the lists of them, then what a reader meets less.
        words = ("List", "Event", "Error", "Request")
        main = sorted(named, key=lambda name: max((words.index(word) + 1 for word in words if word in name), default=0))
        placed, places = set(main), {name: [name] for name in main}
        for parts in places.values():
            for part in parts:  # grows meanwhile
                new = [name for name in references(self.schemas[part]) if name not in placed]
                placed.update(new)
                parts += dict.fromkeys(new)
        return places

    def type(self, schema: dict[str, Any]) -> str:
        """A schema's type in words, with links."""
        whole = self.resolve(schema)
        is_nullable = any("null" in _types(part) for part in (whole, *_variants(whole)))
        return self._bare_type(schema) + " or null" * is_nullable

    def _bare_type(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            return link(_name(schema))
        if variants := _variants(schema):
            return " or ".join(dict.fromkeys(self._bare_type(part) for part in variants if part.get("type") != "null"))
        kind = " or ".join(name for name in _types(schema) if name != "null") or "object"
        if kind == "array":
            items = self.type(schema["items"])
            return f"array of ({items})" if " or " in items else f"array of {items}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"object of {self.type(schema['additionalProperties'])}s"
        form = {"unixtime": "Unix time", "uri": "address"}.get(schema.get("format", ""))
        return f"{kind} ({form})" if form else kind

    def fields(self, schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
        """The fields of a schema, those of objects inside it after theirs: path, schema, and whether required."""
        for name, field in schema.get("properties", {}).items():
            yield f"{prefix}{name}", field, name in schema.get("required", ())
            yield from self._inner(field, f"{prefix}{name}")

    def _inner(self, schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
        for part in (schema, *_variants(schema)):
            yield from self.fields(part, f"{path}.")
            if "array" in _types(part):
                yield from self._inner(part["items"], f"{path}[]")

    def said(self, node: dict[str, Any]) -> str:
        """What the spec says of a node, or of what it refers to."""
        return str(node.get("description") or self.resolve(node).get("description", ""))

    def in_python(self, name: str) -> str:
        """What a schema's model is called, and those of its fields that have other names there."""
        model = getattr(models, name, None)
        if not isinstance(model, type):
            return ""
        short = [f"`facade.{public}`, " for public in facade.__all__ if getattr(facade, public) is model]
        fields = attrs.fields(model) if attrs.has(model) else ()
        renamed = [f"`{f.metadata['key']}` is `{f.name}`" for f in fields if f.metadata.get("key", f.name) != f.name]
        also = f"; {', '.join(renamed)} there" if renamed else ""
        return f"In Python {''.join(short)}`openai_thread_runs_api.models.{name}`{also}."

    def used_by(self, name: str) -> list[str]:
        """Links to the operations and schemas that name a schema."""
        by = [f"[{op.title}]({op.page}.md)" for op in self.operations if name in references(op.spec)]
        return by + [link(other) for other, schema in self.schemas.items() if name in references(schema)]


def references(node: Any) -> list[str]:
    """The names of the schemas that a part of the spec names itself."""
    if isinstance(node, dict):
        return [_name(node)] * ("$ref" in node) + [name for value in node.values() for name in references(value)]
    return [name for item in node for name in references(item)] if isinstance(node, list) else []


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _types(schema: dict[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _variants(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def enum(schema: dict[str, Any]) -> list[Any]:
    """The values that a schema lists, for itself, its items or a variant."""
    parts = (schema, schema.get("items", {}), *_variants(schema))
    return [value for part in parts for value in part.get("enum", ()) if value is not None]


def values(schema: dict[str, Any]) -> str:
    """The values that a schema allows, and its default, in words."""
    known = enum(schema)
    said = [listed(known) if len(known) <= MANY else f"{len(known)} known ones, below"] if known else []
    low, high = schema.get("minimum"), schema.get("maximum")
    if None not in (low, high):
        said.append(f"{low} to {high}")
    elif low is not None or high is not None:
        said.append(f"at least {low}" if high is None else f"at most {high}")
    for key, words in (("minItems", "at least"), ("maxItems", "at most")):
        said += [f"{words} {schema[key]:,} items"] if key in schema else []
    said += [f"default {listed([schema['default']])}"] if "default" in schema else []
    return "; ".join(said)


def listed(found: list[Any]) -> str:
    """Values as code, with commas."""
    return ", ".join(f"`{value if isinstance(value, str) else json.dumps(value)}`" for value in found)


def slug(name: str) -> str:
    """A page's name."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def link(name: str) -> str:
    """A link to a schema."""
    return f"[{name}](#schema-{name.lower()})"


def cell(text: str) -> str:
    """A text as a table has it."""
    return text.replace("|", r"\|").replace("\n", " ")


def _write(app: Sphinx) -> None:
    spec = yaml.load((Path(__file__).parents[2] / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    pages = Reference(spec).pages()
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Has Sphinx write the pages."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
