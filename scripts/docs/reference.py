"""The reference pages, in Markdown, made of the pinned spec: one an operation, one a main schema, and their index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs
import click

import openai_thread_runs_api.models as models
from facade import FILE_SEARCH_RESULT_CONTENT
from facade.errors import STATUS_ERRORS
from openai_thread_runs_api.model_base import FreeForm, Model
from scripts.docs.examples import NOT_FOUND, Examples, pretty, without_content

METHODS = ("get", "post", "put", "patch", "delete")
HOST = "host.example"
_GIVES = {
    "cancelRun": "cancelling",
    "createRun": "queued",
    "createThreadAndRun": "queued",
    "submitToolOuputsToRun": "queued",  # the name as it is upstream
}
"""The status of the run that an operation gives, where that is not a completed one."""
_MANY_VALUES = 12
"""An enumeration longer than this is told below the table."""

_IDS = {
    "thread_id": "thread_bakery",
    "run_id": "run_bakery_01",
    "step_id": "step_bakery_01_1",
    "message_id": "msg_wedding",
    "assistant_id": "asst_bakery",
}


class Operation(NamedTuple):
    """One operation of the spec."""

    method: str
    path: str
    spec: dict[str, Any]

    @property
    def id(self) -> str:
        name: str = self.spec["operationId"]
        return name

    @property
    def page(self) -> str:
        """The name of its page."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", self.id).lower()

    @property
    def summary(self) -> str:
        return str(self.spec.get("summary", self.id))

    @property
    def module(self) -> str:
        """The name of its module in the generated package."""
        return self.page.replace("-", "_")


class Usage(NamedTuple):
    """What does an operation in the facade.

    `body` are lines of Python with `await_` and `async_` for what asyncio puts there; `names` says what each parameter
    is called: on the client, in the cmdlet's function, and on the command line.
    """

    call: str
    body: str
    function: str
    shell: str
    names: dict[str, tuple[str, str, str]]


_LIST_NAMES = {
    "limit": ("limit", "limit", "--limit"),
    "order": ("order", "order", "--order"),
    "after": ("after", "", "--after"),
    "before": ("before", "", "--before"),
}
_RUN_NAMES = {"thread_id": ("thread", "thread_id", "THREAD"), "run_id": ("run_id", "run_id", "RUN")}
_STEP_NAMES = {
    "thread_id": ("thread_id", "thread_id", "THREAD"),
    "run_id": ("run", "run_id", "RUN"),
    "step_id": ("step_id", "step_id", "STEP"),
    "include[]": ("include", "include", "--include"),
}
_CONTENT = f"'{FILE_SEARCH_RESULT_CONTENT}'"

USAGES = {
    "listRuns": Usage(
        "client.runs.list",
        """\
page = {await_}client.runs.list("thread_bakery", limit=5, order="desc")
print(len(page), page.has_more, page.last_id)

{async_}for run in client.runs.all("thread_bakery"):  # every page
    print(run.id, run.status)
""",
        """\
page = facade.get_thread_run("thread_bakery", limit=5, order="desc")
walk = facade.get_thread_run("thread_bakery", all=True)
""",
        """\
thread-runs get-thread-run thread_bakery --limit 5 --order desc
thread-runs get-thread-run thread_bakery --all
""",
        _RUN_NAMES | _LIST_NAMES,
    ),
    "getRun": Usage(
        "client.runs.get",
        """\
run = {await_}client.runs.get("thread_bakery", "run_bakery_01")
print(run.status, run.usage.total_tokens)
""",
        'run = facade.get_thread_run("thread_bakery", "run_bakery_01")\n',
        "thread-runs get-thread-run thread_bakery run_bakery_01\n",
        _RUN_NAMES,
    ),
    "listRunSteps": Usage(
        "client.steps.list",
        """\
page = {await_}client.steps.list("run_bakery_01", thread_id="thread_bakery", limit=5)
print(len(page), page.has_more, page.last_id)

run = {await_}client.runs.get("thread_bakery", "run_bakery_01")
{async_}for step in client.steps.all(run, include=facade.FILE_SEARCH_RESULT_CONTENT):  # every page
    print(step.id, step.status)
""",
        """\
page = facade.get_thread_run_step("run_bakery_01", "thread_bakery", limit=5)
walk = facade.get_thread_run_step("run_bakery_01", "thread_bakery", all=True)
""",
        f"""\
thread-runs get-thread-run-step run_bakery_01 thread_bakery --limit 5
thread-runs get-thread-run-step run_bakery_01 thread_bakery --all \\
    --include {_CONTENT}
""",
        _STEP_NAMES | _LIST_NAMES,
    ),
    "getRunStep": Usage(
        "client.steps.get",
        """\
step = {await_}client.steps.get(
    "run_bakery_01",
    "step_bakery_01_1",
    thread_id="thread_bakery",
    include=facade.FILE_SEARCH_RESULT_CONTENT,
)
for call in step.step_details.tool_calls:
    print(call.type_, call.id)
""",
        """\
step = facade.get_thread_run_step(
    "run_bakery_01",
    "thread_bakery",
    "step_bakery_01_1",
    include=facade.FILE_SEARCH_RESULT_CONTENT,
)
""",
        f"""\
thread-runs get-thread-run-step run_bakery_01 thread_bakery step_bakery_01_1 \\
    --include {_CONTENT}
""",
        _STEP_NAMES,
    ),
}


class Reference:
    """The pages of one spec.

    Args:
        spec: an OpenAPI 3.1 description, as `make pin` writes it
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._schemas: dict[str, dict[str, Any]] = spec["components"]["schemas"]
        self.examples = Examples(spec)
        self.operations = sorted(
            (
                Operation(method, path, item[method])
                for path, item in spec["paths"].items()
                for method in METHODS
                if method in item
            ),
            key=lambda operation: (operation.id not in USAGES, operation.method != "get"),
        )
        self._main = self._main_schemas()

    def pages(self) -> dict[str, str]:
        """The text of each page by its name without an ending."""
        pages = {operation.page: self._operation(operation) for operation in self.operations}
        pages |= {_schema_page(name): self._schema_page(name, others) for name, others in self._main.items()}
        return {"index": self._index(), "schemas": self._schema_index(), "commands": commands()} | pages

    # Schemas and their places

    def _main_schemas(self) -> dict[str, list[str]]:
        """The schemas that operations name, and with each those that only it, or it first, leads to."""
        named = [
            name for operation in self.operations for answer in self._answers(operation) if (name := _name(answer[1]))
        ]
        named += [
            name for operation in self.operations if (name := _name(_body(operation.spec.get("requestBody", {}))))
        ]
        named += [
            _name(events["schema"])
            for operation in self.operations
            for _, _, answer in self._answers(operation)
            if (events := answer.get("content", {}).get("text/event-stream"))
        ]
        # Runs and steps, then the lists of them, then what a reader meets less.
        last = {"List": 1, "Event": 2, "Error": 3, "Request": 4}
        main = sorted(
            dict.fromkeys(named), key=lambda name: max((last[word] for word in last if word in name), default=0)
        )
        placed = set(main)
        places: dict[str, list[str]] = {}
        for name in main:
            places[name] = others = []
            for queue in [[name]]:
                for other in (other for current in queue for other in _references(self._schemas[current])):
                    if other not in placed:
                        placed.add(other)
                        others.append(other)
                        queue.append(other)
        return places

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """A node of the spec, or the component that it refers to."""
        while "$ref" in node:
            _, _, section, name = node["$ref"].split("/")
            node = self._spec["components"][section][name]
        return node

    def _answers(self, operation: Operation) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Each answer of an operation: its status, schema and description."""
        for status, answer in operation.spec["responses"].items():
            answer = self._resolve(answer)
            yield status, _body(answer), answer

    def _is_nullable(self, schema: dict[str, Any]) -> bool:
        schema = self._resolve(schema)
        variants = schema.get("anyOf", []) + schema.get("oneOf", [])
        return "null" in _types(schema) or any("null" in _types(variant) for variant in variants)

    def _type(self, schema: dict[str, Any]) -> str:
        """A schema's type in words, with links."""
        text = self._bare_type(schema)
        return f"{text} or null" if self._is_nullable(schema) else text

    def _bare_type(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            return _link(_name(schema))
        for combined in ("anyOf", "oneOf"):
            if combined in schema:
                variants = [self._bare_type(variant) for variant in schema[combined] if variant.get("type") != "null"]
                return " or ".join(dict.fromkeys(variants))
        kind = " or ".join(name for name in _types(schema) if name != "null") or "object"
        if kind == "array":
            items = self._type(schema["items"])
            return f"array of ({items})" if " or " in items else f"array of {items}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"object of {self._type(schema['additionalProperties'])}s"
        form = {"unixtime": "Unix time", "uri": "address"}.get(schema.get("format", ""))
        return f"{kind} ({form})" if form else kind

    def _fields(self, schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
        """The fields of a schema, those of objects inside it after theirs: path, schema, and whether required."""
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            path = f"{prefix}{name}"
            yield path, field, name in required
            yield from self._inner(field, path)

    def _inner(self, schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
        for variant in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if "properties" in variant:
                yield from self._fields(variant, f"{path}.")
            if "array" in _types(variant):
                yield from self._inner(variant["items"], f"{path}[]")

    # Pages

    def _index(self) -> str:
        version = self._spec["info"]["version"]
        lines = ["# Reference", "", "What an endpoint takes and gives, made of the pinned description"]
        lines += [f"(`openapi/openapi.yaml`, of upstream's version {version}).", ""]
        lines += ["## Operations", "", "| request | what it does | in the facade |", "|---|---|---|"]
        for operation in self.operations:
            usage = USAGES.get(operation.id)
            call = f"`{usage.call}`" if usage else "generated client"
            request = f"{operation.method.upper()} `{operation.path}`"
            lines.append(_row([request, f"[{operation.summary}]({operation.page}.md)", call]))
        lines += ["", "## More", ""]
        lines += ["- [Schemas](schemas.md): what is sent and answered, field by field."]
        lines += ["- [Options of thread-runs](commands.md)."]
        lines += ["", *_toctree([operation.page for operation in self.operations] + ["schemas", "commands"])]
        return _page(lines)

    def _schema_index(self) -> str:
        lines = ["# Schemas", "", "| schema | what it is |", "|---|---|"]
        lines += [f"| {_link(name)} | {self._schemas[name].get('description', '')} |" for name in self._main]
        lines += ["", "On their pages are also the parts that they are made of:", ""]
        lines += [f"- {_link(name)}" for name in sorted(name for others in self._main.values() for name in others)]
        lines += ["", *_toctree([_schema_page(name) for name in self._main])]
        return _page(lines)

    def _operation(self, operation: Operation) -> str:
        spec = operation.spec
        lines = [f"# {operation.summary}", "", f"**{operation.method.upper()}** `{operation.path}`", ""]
        lines += [f"{spec.get('description', '')} Operation `{operation.id}`.".strip(), ""]
        lines += ["```http", self._request(operation), "```", ""]
        parameters = [self._resolve(parameter) for parameter in spec.get("parameters", ())]
        if parameters:
            lines += ["## Parameters", "", *self._parameters(operation, parameters), ""]
        body = _body(spec.get("requestBody", {}))
        if body:
            lines += ["## Body", "", f"{self._type(body)}: {self._resolve(body).get('description', '')}", ""]
            lines += _example(_name(body), self.examples.of(_name(body)))
        lines += ["## In this project", "", *self._usage(operation)]
        lines += ["## Answers", "", *self._good_answers(operation), *self._errors(operation)]
        return _page(lines)

    def _request(self, operation: Operation) -> str:
        query = [
            f"{name}={_QUERY[name]}"
            for parameter in map(self._resolve, operation.spec.get("parameters", ()))
            if (name := parameter["name"]) in _QUERY and parameter["in"] == "query"
        ]
        path = operation.path.format_map(_ids_of(operation))
        target = f"/v1{path}?{'&'.join(query)}" if query and operation.method == "get" else f"/v1{path}"
        lines = [f"{operation.method.upper()} {target} HTTP/1.1", f"Host: {HOST}", "Authorization: Bearer KEY"]
        lines += ["OpenAI-Beta: assistants=v2", "Accept: application/json"]
        if "requestBody" in operation.spec:
            lines.append("Content-Type: application/json")
        return "\n".join(lines)

    def _parameters(self, operation: Operation, parameters: list[dict[str, Any]]) -> Iterator[str]:
        yield "| name | in | type | required | values | description |"
        yield "|---|---|---|---|---|---|"
        for parameter in parameters:
            schema = parameter["schema"]
            cells = [
                f"`{parameter['name']}`",
                parameter["in"],
                self._type(schema),
                "yes" if parameter.get("required") else "no",
                _values(self._resolve(schema)),
                parameter.get("description", ""),
            ]
            yield _row(cells)
        usage = USAGES.get(operation.id)
        if usage:
            yield ""
            yield "What they are called here:"
            yield ""
            yield f"| name | `{usage.call}` | `{_function(usage)}` | `{_command(usage)}` |"
            yield "|---|---|---|---|"
            for parameter in parameters:
                names = usage.names.get(parameter["name"], ("", "", ""))
                yield _row([f"`{parameter['name']}`", *(f"`{name}`" if name else "" for name in names)])
        yield ""
        yield (
            "The key goes into `Authorization` or `api-key`, as the [auth type](../dialects.md) has it. Servers also "
            "want the header `OpenAI-Beta: assistants=v2`, which the description does not have; the facade sends it "
            "always."
        )
        if usage and any(parameter["name"] == "order" for parameter in parameters):
            yield ""
            yield (
                "`order` is `asc` in the facade and on the command line, as it is in the cmdlets, and always sent; the "
                "default in the table is the server's."
            )

    def _usage(self, operation: Operation) -> Iterator[str]:
        usage = USAGES.get(operation.id)
        if usage is None:
            yield "The facade reads and never writes. The generated client does this, without the facade's time limits,"
            yield "retries and checks:"
            yield ""
            yield from _block("python", self._generated(operation))
            return
        body = _indented(usage.body.format(await_="", async_=""), 4)
        yield "**Python**, {py:class}`facade.Client`:"
        yield ""
        yield from _block("python", f"import facade\n\nwith facade.Client() as client:\n{body}")
        body = _indented(usage.body.format(await_="await ", async_="async "), 8)
        yield "**asyncio**, {py:class}`facade.AsyncClient`:"
        yield ""
        yield from _block(
            "python",
            "import asyncio\n\nimport facade\n\n\nasync def main() -> None:\n"
            f"    async with facade.AsyncClient() as client:\n{body}\n\nasyncio.run(main())",
        )
        yield f"**The cmdlet as a function**, {{py:func}}`facade.{_function(usage)}`:"
        yield ""
        yield from _block("python", f"import facade\n\n{usage.function}")
        yield "**Shell**, [`thread-runs`](../command-line.md):"
        yield ""
        yield from _block("sh", usage.shell)

    def _generated(self, operation: Operation) -> str:
        arguments = [f'"{value}"' for name, value in _ids_of(operation).items() if f"{{{name}}}" in operation.path]
        body = _name(_body(operation.spec.get("requestBody", {})))
        imports = [
            "from openai_thread_runs_api import AuthenticatedClient",
            f"from openai_thread_runs_api.api.{operation.spec['tags'][0].lower()} import {operation.module}",
        ]
        lines: list[str] = []
        if body:
            imports.append(f"from openai_thread_runs_api.models import {body}")
            value = pretty(self.examples.of(body), as_python=True)
            lines.append(f"body = {body}.from_dict({value})")
            arguments.append("body=body")
        lines += [
            "with AuthenticatedClient(",
            '    base_url=os.environ["OPENAI_API_BASE"],',
            '    token=os.environ["OPENAI_API_KEY"],',
            '    headers={"OpenAI-Beta": "assistants=v2"},',
            ") as client:",
            f"    run = {operation.module}.sync({', '.join([*arguments, 'client=client'])})",
        ]
        return "\n".join(["import os", "", *imports, "", *lines])

    def _good_answers(self, operation: Operation) -> Iterator[str]:
        for status, schema, answer in self._answers(operation):
            if not status.startswith("2"):
                continue
            yield f"### {status}"
            yield ""
            yield f"{answer.get('description', '')} {self._type(schema)}"
            yield ""
            name = _name(schema)
            value = self.examples.of(name, status=_GIVES.get(operation.id, "completed"))
            names = [parameter["name"] for parameter in operation.spec.get("parameters", ())]
            if "include[]" in names and name in ("RunStepObject", "ListRunStepsResponse"):
                step = value["data"][0] if "data" in value else value
                yield from _example(name, without_content(value))
                yield "With `include[]` the results of the search have their `content`:"
                yield ""
                yield from _example("RunStepObject", step)
            else:
                yield from _example(name, value)

    def _errors(self, operation: Operation) -> Iterator[str]:
        yield "### Errors"
        yield ""
        error = _link("ErrorResponse") if "ErrorResponse" in self._main else "an object with an `error`"
        yield f"They come in an envelope, {error}. The description names these:"
        yield ""
        for status, schema, answer in self._answers(operation):
            if status.startswith("2"):
                continue
            yield f"**{status}.** {answer.get('description', '')} {self._type(schema)}"
            yield ""
            for header, said in answer.get("headers", {}).items():
                told = said.get("description", "")
                yield f"Header `{header}`: {self._type(said['schema'])}, {_values(said['schema'])}. {told}"
                yield ""
            yield from _example(_name(schema), self.examples.of(_name(schema)))
        if operation.method == "get" and "ErrorResponse" in self._schemas:
            yield "Others come in the same envelope. An id that the server does not know, 404:"
            yield ""
            yield from _example("ErrorResponse", NOT_FOUND)
        if operation.id in USAGES:
            yield "What the facade raises for each, with the envelope's `message`, `type`, `param` and `code`"
            yield "([Errors](../errors.md)):"
            yield ""
            yield "| status | raised | retried |"
            yield "|---|---|---|"
            for status_code, error_class in STATUS_ERRORS.items():
                retried = "yes, but not a used-up quota" if status_code == 429 else "no"
                yield f"| {status_code} | {{py:class}}`facade.{error_class.__name__}` | {retried} |"
            yield "| 500 to 599 | {py:class}`facade.InternalServerError` | yes |"
            yield "| any other | {py:class}`facade.APIStatusError` | no |"

    def _schema_page(self, name: str, others: list[str]) -> str:
        lines = [f"({_label(name)})=", f"# {name}", "", *self._schema(name, with_example=True)]
        for other in others:
            lines += [f"({_label(other)})=", f"## {other}", "", *self._schema(other)]
        return _page(lines)

    def _schema(self, name: str, *, with_example: bool = False) -> Iterator[str]:
        schema = self._schemas[name]
        yield schema.get("description", "")
        yield ""
        yield from self._in_python(name)
        values = _enum(schema)
        if "properties" not in schema:
            yield f"{self._type(schema).capitalize() if '[' not in self._type(schema) else self._type(schema)}."
            yield ""
            if values:
                yield f"One of {_listed(values)}."
                yield ""
            for variant in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
                if _enum(variant):
                    yield f"As a string, one of {_listed(_enum(variant))}."
                    yield ""
            if "default" in schema:
                yield f"Default {_code(schema['default'])}."
                yield ""
        else:
            yield from self._table(schema)
        used_by = self._used_by(name)
        if used_by:
            yield f"Used by {', '.join(used_by)}."
            yield ""
        found = self.examples.of(name) if with_example else self.examples.found(name)
        if found is not None:
            yield from _example(name, found)

    def _table(self, schema: dict[str, Any]) -> Iterator[str]:
        yield "| field | type | required | description |"
        yield "|---|---|---|---|"
        long: list[str] = []
        for path, field, required in self._fields(schema):
            values = _enum(field) or [v for variant in field.get("anyOf", ()) for v in _enum(variant)]
            if len(values) > _MANY_VALUES:
                long.append(f"Known values of `{path}`: {_listed(values)}.")
            description = " ".join(filter(None, [self._description(field), self._notes(field)]))
            yield _row([f"`{path}`", self._type(field), "yes" if required else "no", description])
        yield ""
        for line in long:
            yield line
            yield ""

    def _description(self, field: dict[str, Any]) -> str:
        return str(field.get("description") or self._resolve(field).get("description", ""))

    def _notes(self, field: dict[str, Any]) -> str:
        """What a field's schema says beside its type: values, bounds, default."""
        if "$ref" in field:
            return ""
        text = _values(field)
        if text and text.startswith(tuple("0123456789")) and f"from {text}" in field.get("description", ""):
            return ""
        return f"Values: {text}." if text and f"Always {text}" not in field.get("description", "") else ""

    def _in_python(self, name: str) -> Iterator[str]:
        model = getattr(models, name, None)
        if not (isinstance(model, type) and issubclass(model, (Model, FreeForm))):
            return
        public = {"RunObject": "`facade.Run`, ", "RunStepObject": "`facade.RunStep`, "}.get(name, "")
        renamed = [
            f"`{field.metadata['key']}` is `{field.name}`"
            for field in (attrs.fields(model) if attrs.has(model) else ())
            if field.metadata.get("key", field.name) != field.name
        ]
        also = f"; {', '.join(renamed)} there" if renamed else ""
        yield f"In Python {public}`openai_thread_runs_api.models.{name}`{also}."
        yield ""

    def _used_by(self, name: str) -> list[str]:
        by = [
            f"[{operation.summary}]({operation.page}.md)"
            for operation in self.operations
            if name in _references([operation.spec, *(answer[2] for answer in self._answers(operation))])
        ]
        return by + [_link(other) for other, schema in self._schemas.items() if name in _references(schema)]


_QUERY = {"limit": "20", "order": "asc", "include[]": FILE_SEARCH_RESULT_CONTENT}
"""The query parameters that a page's request shows."""


def _ids_of(operation: Operation) -> dict[str, str]:
    """Ids of the sample for a path; what answers function calls is a run that waits for them."""
    waiting = {"run_id": "run_bakery_10"} if "requestBody" in operation.spec or "cancel" in operation.path else {}
    return _IDS | waiting


def _body(node: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a request body or an answer; empty where there is none."""
    schema: dict[str, Any] = node.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _references(node: Any) -> list[str]:
    """The names of the schemas that a part of the spec names itself."""
    if isinstance(node, dict):
        own = [node["$ref"].rpartition("/")[2]] if "/schemas/" in str(node.get("$ref", "")) else []
        return own + [name for value in node.values() for name in _references(value)]
    return [name for item in node for name in _references(item)] if isinstance(node, list) else []


def _types(schema: dict[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _enum(schema: dict[str, Any]) -> list[Any]:
    return list(schema.get("enum", ())) or list(schema.get("items", {}).get("enum", ()))


def _values(schema: dict[str, Any]) -> str:
    """The values that a schema allows, and its default, in words."""
    said = []
    values = _enum(schema)
    if values and len(values) <= _MANY_VALUES:
        said.append(_listed(values))
    elif values:
        said.append(f"{len(values)} known ones, below")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        said.append(f"{low} to {high}")
    elif low is not None or high is not None:
        said.append(f"at least {low}" if high is None else f"at most {high}")
    if "minItems" in schema:
        said.append(f"at least {schema['minItems']} items")
    if "maxItems" in schema:
        said.append(f"at most {schema['maxItems']:,} items")
    if "default" in schema:
        said.append(f"default {_code(schema['default'])}")
    return "; ".join(said)


def _code(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{pretty(value)}`"


def _listed(values: list[Any]) -> str:
    return ", ".join(_code(value) for value in values if value is not None)


def _label(name: str) -> str:
    return f"schema-{name.lower()}"


def _link(name: str) -> str:
    return f"[{name}](#{_label(name)})"


def _schema_page(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _function(usage: Usage) -> str:
    return usage.function.partition("(")[0].rpartition(" ")[2].removeprefix("facade.")


def _command(usage: Usage) -> str:
    return usage.shell.split()[1]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def _indented(text: str, spaces: int) -> str:
    return "".join(f"{' ' * spaces}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _block(language: str, text: str) -> list[str]:
    return [f"```{language}", text.rstrip(), "```", ""]


def _example(name: str, value: Any) -> list[str]:
    """A JSON block that says, in a comment, which schema it is an example of."""
    return [f"% example: {name}", "", *_block("json", pretty(value))]


def _toctree(pages: list[str]) -> list[str]:
    return ["```{toctree}", ":hidden:", "", *pages, "```"]


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def commands() -> str:
    """The page of the command line's options, made of the commands themselves."""
    from facade.commands._app import app

    lines = ["# Options of thread-runs", "", "What [`thread-runs`](../command-line.md) takes.", ""]
    program = click.Context(app, info_name="thread-runs")
    for name in app.list_commands(program):
        command = app.get_command(program, name)
        context = click.Context(command, program, info_name=name)
        lines += [f"## {name}", "", *_block("text", command.get_usage(context))]
        lines += [(command.help or "").partition("\n")[0], "", "| option | what it does |", "|---|---|"]
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
                lines.append(_row([f"`{record[0]}`", re.sub(r"\s+", " ", record[1])]))
        lines.append("")
    return _page(lines)
