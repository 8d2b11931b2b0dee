"""The documentation: the site builds without a warning, its links lead somewhere, and its examples are true."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import json
import logging
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import wire
import yaml
from click.testing import CliRunner

import facade
from facade import archive as archives
from facade import cmdlets, server, timeline, traces, usage
from facade.commands._app import app
from facade.commands._exits import EXIT_CODES
from facade.server import serve, write_sample
from scripts.docs.reference import Reference

ROOT = Path(__file__).resolve().parent.parent
SPEC: dict[str, Any] = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = re.compile(r"#.*pip install")
"""In a comment of a block: it needs a package that the project does without."""

needs_sphinx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("sphinx", "furo", "myst_parser", "sphinx_click"))),
    reason="the extra `docs` is not installed",
)

REFERENCE = Reference(SPEC)
PAGES = REFERENCE.pages()


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def texts() -> dict[str, str]:
    """The text of each page with examples by its name: the README, the guides, the reference."""
    return {path.name: path.read_text("utf-8") for path in GUIDES} | PAGES


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    arguments = ["--quiet", "--fail-on-warning", "-d", str(tmp_path_factory.mktemp("doctrees"))]
    command = [sys.executable, "-m", "sphinx", *arguments, str(ROOT / "docs"), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return folder


class Links(HTMLParser):
    """What a page leads to and loads, and the places in it that can be led to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.places: set[str] = set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag != "a":
            self.loaded |= {given[name] for name in ("href", "src") if name in given}


@pytest.fixture(scope="module")
def html(site: Path) -> dict[Path, Links]:
    return {page: Links(page) for page in site.rglob("*.html")}


@needs_sphinx
def test_every_internal_link_resolves(html: dict[Path, Links]) -> None:
    """Each link within the site leads to a file of it, and to a place in that file."""
    broken = []
    for page, parsed in html.items():
        for link in parsed.links | parsed.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            is_there = target.is_file() and (not parts.fragment or unquote(parts.fragment) in html[target].places)
            if not is_there:
                broken.append(f"{page.name}: {link}")
    assert broken == []


@needs_sphinx
def test_the_site_needs_no_network(site: Path, html: dict[Path, Links]) -> None:
    """No page loads a script, style, font or image from elsewhere, and no style sheet does."""
    assert [link for parsed in html.values() for link in parsed.loaded if urlsplit(link).netloc] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", styles)


@needs_sphinx
def test_every_public_name_is_documented(html: dict[Path, Links]) -> None:
    """Each name that `facade` exports has a place in the site; models have their schema's."""
    places = set().union(*(parsed.places for parsed in html.values()))
    elsewhere = {"Run": "schema-runobject", "RunStep": "schema-runstepobject", "__version__": "openai-thread-runs"}
    elsewhere |= {name: f"schema-{name.lower()}object" for name in ("Assistant", "Message", "Thread")}
    elsewhere["UnknownObject"] = "openai_thread_runs_api.model_base.UnknownObject"
    assert [name for name in facade.__all__ if elsewhere.get(name, f"facade.{name}") not in places] == []
    parts = (archives, server, timeline, traces, usage)
    names = [f"{part.__name__}.{name}" for part in parts for name in part.__all__]
    assert [name for name in names if name not in places] == []


# The reference


@pytest.mark.parametrize("operation", REFERENCE.operations, ids=lambda operation: operation.id)
def test_an_operation_has_its_page(operation: Any) -> None:
    """A page has the request line, each parameter in the table, and an example of each answer."""
    page = PAGES[operation.page]
    assert f"**{operation.method.upper()}** `{operation.path}`" in page
    for parameter in operation.spec.get("parameters", ()):
        required = "yes" if parameter.get("required") else "no"
        row = rf"^\| `{re.escape(parameter['name'])}` \| {parameter['in']} \| [^|]+ \| {required} \|.*\S"
        assert re.search(row, page, re.MULTILINE), parameter["name"]
    assert blocks(page, "python")


def test_what_include_takes_is_said() -> None:
    """The pages of steps name `include[]` with its one known value, whole."""
    for page in ("get-run-step", "list-run-steps"):
        assert f"`{facade.FILE_SEARCH_RESULT_CONTENT}`" in PAGES[page]


@pytest.mark.parametrize("name", PAGES)
def test_each_json_example_validates(name: str) -> None:
    """Each example is what the pinned schema that it is an example of says, and none is without a schema."""
    examples = re.findall(r"^% example: (\w+)\n\n```json\n(.*?)^```$", PAGES[name], re.MULTILINE | re.DOTALL)
    assert len(examples) == len(blocks(PAGES[name], "json"))
    for schema, text in examples:
        assert REFERENCE.examples.problems(schema, json.loads(text)) == []


def test_what_is_read_and_asked_has_examples() -> None:
    """What the facade reads is shown as the sample's server answers it, and each request's body has an example."""
    wanted = [op for op in REFERENCE.operations if op.call and op.method == "get"]
    assert [op.id for op in wanted if REFERENCE.examples.answers[op.path] is None] == []
    bodies = [name for name in REFERENCE.main if name.endswith("Request")]
    assert [name for name in bodies if REFERENCE.examples.of(name) is None] == []


def test_each_schema_is_described_once() -> None:
    """Each schema of the pinned spec has one place, and each of its fields is named there."""
    text = "\n".join(PAGES.values())
    assert Counter(re.findall(r"^\(schema-(\w+)\)=$", text, re.MULTILINE)) == Counter(
        name.lower() for name in SPEC["components"]["schemas"]
    )
    for schema in SPEC["components"]["schemas"].values():
        assert all(f"| `{field}` |" in text for field in schema.get("properties", ()))


def test_a_spec_with_other_operations_has_pages_too() -> None:
    """Operations that the facade does not know, without descriptions, are shown with the generated client."""
    path = "/threads/{thread_id}/runs/{run_id}"
    responses = SPEC["paths"][path]["get"]["responses"]
    operation = {"operationId": "seeRun", "responses": responses, "tags": ["Assistants"]}
    pages = Reference({**SPEC, "paths": {path: {"get": operation}}}).pages()
    assert "from openai_thread_runs_api.api.assistants import see_run" in pages["see-run"]
    assert "run-object" in pages


# The guides


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("archive") / "sample.sqlite"
    write_sample(database)
    return database


@pytest.fixture(scope="module")
def api_base(archive: Path) -> Iterator[str]:
    with serve(archive) as base:
        yield base


class Scripted(BaseHTTPRequestHandler):
    """Takes the requests of examples that the sample's server does not serve, and answers with a run."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.requests.append((self.path.partition("?")[0], json.loads(body or "null")))  # type: ignore[attr-defined]
        answer = json.dumps(REFERENCE.examples.of("RunObject")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def at_home(api_base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Where an example runs: a folder of its own, the environment that the guides have set, the sample's server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_BASE", api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    level = logging.getLogger("facade").level
    yield api_base
    logging.getLogger("facade").setLevel(level)
    cmdlets._shared_pool().close_idle()  # what the cmdlets' functions keep for their next call


def as_here(text: str, base: str) -> str:
    """An example with the addresses and ids that the sample's server has, and nothing else changed."""
    for there, here in (
        ("https://host.example/v1", base),
        ("http://127.0.0.1:8000/v1", base),
        ("thread_abc", "thread_bakery"),
        ("run_abc", "run_bakery_01"),
    ):
        text = text.replace(there, here)
    return text


def run_page(name: str, base: str) -> dict[str, Any]:
    """Runs the Python and shell blocks of a page in their order, and gives what the Python ones defined."""
    defined: dict[str, Any] = {"__name__": "__main__"}
    text = as_here(texts()[name], base)
    found = re.findall(r"^```(python|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            for number, (language, code) in enumerate(found, 1):
                if language == "sh":
                    run_shell(code)
                elif not NOT_RUN.search(code):
                    exec(compile(code, f"<{name}, block {number}>", "exec"), defined)
        finally:
            for value in defined.values():
                if isinstance(value, facade.Client):
                    value.close()
    return defined


def run_shell(code: str) -> None:
    """Runs the lines of a shell block that are of the project's command, with their pipes and files."""
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
        lexer.whitespace_split = True
        stages: list[list[str]] = [[]]
        for word in lexer:
            if word == "|":
                stages.append([])
            else:
                stages[-1].append(word)
        data = b""
        for stage in stages:
            if stage[:1] == ["echo"]:
                data = f"{' '.join(stage[1:])}\n".encode()
            elif stage[:1] == ["thread-runs"]:
                data = run_command(stage[1:], data)
            else:
                break


def run_command(words: list[str], data: bytes) -> bytes:
    redirected = {mark: words[words.index(mark) + 1] for mark in "<>" if mark in words}
    words = words[: min([words.index(mark) for mark in redirected], default=len(words))]
    if "<" in redirected:
        data = Path(redirected["<"]).read_bytes()
    result = CliRunner().invoke(app, words, input=data)
    assert result.exit_code == 0, (words, result.output, result.exception)
    if ">" in redirected:
        Path(redirected[">"]).write_bytes(result.stdout_bytes)
    return result.stdout_bytes


LIFE = ("starting.md", "functions.md", "streaming.md")
"""The guides that start runs."""


WITH_ASSISTANT = ("trying-it.md", "README.md")
"""The pages whose examples a scripted assistant answers."""


@pytest.mark.parametrize("name", [path.name for path in GUIDES if path.name not in (*LIFE, *WITH_ASSISTANT)])
def test_a_guide_s_examples_run(name: str, at_home: str) -> None:
    """The Python and `thread-runs` examples of a guide run against the sample's server."""
    run_page(name, at_home)


@pytest.mark.parametrize("name", WITH_ASSISTANT)
def test_the_assistant_s_guide_runs(name: str, at_home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The examples with the scripted assistant run against it."""
    write_sample(tmp_path / "of_its_own.sqlite")
    with serve(tmp_path / "of_its_own.sqlite", assistant=True) as base:
        monkeypatch.setenv("OPENAI_API_BASE", base)
        run_page(name, base)


@pytest.mark.parametrize("name", LIFE)
def test_a_guide_s_runs_run(name: str, at_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples that start runs do so on a server that answers, calls a function and streams."""
    with wire.Server(runs_life()) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        run_page(name, server.url)


def runs_life() -> Callable[[wire.Request], wire.Script]:
    """What a server says of a run, which of `asst_calls` calls a function first."""
    calls = {"type": "function", "id": "call_1", "function": {"name": "count_loaves", "arguments": '{"shelf": "left"}'}}
    ids: dict[str, Any] = {"id": "run_bakery_01", "thread_id": "thread_bakery"}
    now: dict[str, Any] = {}

    def say(request: wire.Request) -> wire.Script:
        if request.path.endswith("/steps"):
            return wire.answer(wire.a_page([wire.a_step(run_id=ids["id"])]))
        if request.path.endswith("/messages"):
            return wire.answer(wire.a_page([wire.a_message(run_id=ids["id"])]))
        if request.method == "GET":
            return wire.answer(wire.a_page([now]) if request.path.endswith("/runs") else now)
        body = json.loads(request.body or b"{}")
        metadata = body.get("metadata") or now.get("metadata")
        now.update(wire.a_run(metadata=metadata, **ids))
        if body.get("assistant_id") == "asst_calls":
            now.update(wire.waiting_run(calls, metadata=metadata, **ids))
        if not body.get("stream"):
            return wire.answer({**now, "status": "queued"} if "assistant_id" in body else now)
        head = wire.head(200, {"Content-Type": "text/event-stream"})
        return head, wire.stream_of(("thread.run.created", {**now, "status": "queued"})), story(now), wire.CLOSE

    def story(run: dict[str, Any]) -> bytes:
        delta = {"id": "msg_1", "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Two."}}]}}
        return wire.stream_of(("thread.message.delta", delta), (f"thread.run.{run['status']}", run))

    return say


@pytest.mark.parametrize("operation", REFERENCE.operations, ids=lambda operation: operation.id)
def test_an_operation_s_examples_run(operation: Any, at_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of an operation run; those that write send the operation's request, with a valid body."""
    if operation.method == "get" and operation.call:
        run_page(operation.page, at_home)
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    requests = server.requests = []  # type: ignore[attr-defined]
    with wire.in_a_thread(server):
        monkeypatch.setenv("OPENAI_API_BASE", f"http://127.0.0.1:{server.server_port}/v1")
        run_page(operation.page, at_home)
    assert requests
    for path, body in requests:
        assert re.fullmatch(r"/v1" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path)), path)
        schema = operation.spec.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            assert REFERENCE.examples.problems(schema["$ref"].rpartition("/")[2], body) == []


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module for each page: its Python blocks in their order."""
    folder = tmp_path_factory.mktemp("examples")
    for name, text in texts().items():
        if found := blocks(text, "python"):
            (folder / f"{re.sub('[^a-z]', '_', name.lower().removesuffix('.md'))}_page.py").write_text("\n".join(found))
    # Packages that the project does without, or that have no types, are no matter here.
    settings = {"typeCheckingMode": "standard", "reportMissingImports": False, "reportMissingTypeStubs": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    "checker",
    [
        ["mypy", "--cache-dir=.mypy_cache/examples", "--disable-error-code=import"],
        ["basedpyright", f"--pythonpath={sys.executable}", "--project"],
    ],
    ids=lambda words: words[0],
)
def test_every_example_type_checks(checker: list[str], modules: Path) -> None:
    """The examples of README, guides and reference are right for mypy, strictly, and for pyright."""
    command = [sys.executable, "-m", *checker, str(modules)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_is_not_run_says_so() -> None:
    """Only the examples with azure-identity or of another API are not run, and a comment says what they need."""
    left_out = Counter(
        name for name, text in texts().items() for code in blocks(text, "python") if NOT_RUN.search(code)
    )
    assert left_out == {"README.md": 1, "dialects.md": 1, "going-on.md": 1}


def test_going_on_after_errors_loses_nothing(at_home: str) -> None:
    """The guide's function reads every step once, in order, from a server that fails now and then."""
    all_steps = run_page("pipelines.md", at_home)["all_steps"]

    class Flaky(httpx.HTTPTransport):
        count = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "/steps" in request.url.path:
                self.count += 1
                if self.count in (2, 5, 9):
                    return httpx.Response(500, request=request)
            return super().handle_request(request)

    with facade.Client(transport=Flaky()) as client:
        runs = list(client.runs.all("thread_bakery"))
        read = [step.id for step in all_steps(client, runs, tries=4)]
    with facade.Client() as client:
        assert read == [step.id for step in client.steps.all(runs)]


def test_what_the_sdk_s_names_became_exists() -> None:
    """Each call, class, option and attribute in the right column of the tables of "From the openai SDK" is there."""
    text = (ROOT / "docs" / "from-openai-sdk.md").read_text("utf-8")
    column = [row.rsplit(" | ", 1)[1] for row in re.findall(r"^\| (.+) \|$", text, re.MULTILINE) if " | " in row]
    names = {code for cell in column for code in re.findall(r"`([^`]+)`", cell)}
    options = set(inspect.signature(facade.Client.__init__).parameters) | {"include"}
    have: dict[str, Any] = {
        "facade": facade,
        "run": facade.Run,
        "page": facade.Page,
        "error": facade.RateLimitError(""),
    }
    with facade.Client("any", api_base="http://127.0.0.1/v1") as client:
        have["client"] = client
        for name in names:
            if option := re.match(r"(\w+)=", name):
                assert option[1] in options, name
            for root, attributes, arguments in re.findall(r"\b(\w+)((?:\.\w+)+)(?:\(([^()]*)\))?", name):
                thing = have.get(root)
                if thing is None:
                    continue
                for attribute in attributes[1:].split("."):
                    thing = getattr(thing, attribute)
                if arguments and arguments != "…":
                    words = ast.parse(f"call({arguments})", mode="eval").body
                    assert isinstance(words, ast.Call)
                    given = {word.arg: None for word in words.keywords if word.arg}
                    inspect.signature(thing).bind(*words.args, **given)
    assert len(names) > 40


def test_every_command_of_make_exists() -> None:
    """Each `make TARGET` that the README or a guide names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = "\n".join(path.read_text("utf-8") for path in GUIDES)
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named - targets == set()


def test_the_tables_of_errors_are_whole() -> None:
    """The guides name every exit code with its meaning's place, and every error class."""
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "command-line.md").read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in codes] == list(EXIT_CODES)
    errors = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert [name for name in facade.__all__ if name.endswith("Error") and f"`{name}`" not in errors] == []


def test_links_between_the_files_resolve() -> None:
    """Each relative link of the README and the guides leads to a file, as they are read beside the code too."""
    for path in GUIDES:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
            if not urlsplit(link).scheme and not link.startswith("reference/"):
                assert (path.parent / link).is_file(), f"{path.name}: {link}"
