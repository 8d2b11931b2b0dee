"""The commands for people, run as people run them, against a small scripted server on loopback."""

from __future__ import annotations

import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import pytest

import facade
from facade.commands import main
from facade.commands._app import COMMANDS, app

KEY = "sk-not-to-be-shown"


class Api:
    """Threads, runs and steps behind HTTP. `answers` overrides the answer to a path, or to a path and its `after`."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str | tuple[str, str], tuple[int, Any]] = {}
        self.requests: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body leave together

            def do_GET(self) -> None:
                status, body = api.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix("/v1"), parse_qs(parts.query)
        self.requests.append((path, query, headers))
        after = query.get("after", [""])[0]
        if answer := self.answers.get((path, after)) or self.answers.get(path):
            return answer
        if path in self.lists:
            return 200, self.page(path, query)
        parent, _, wanted = path.rpartition("/")
        found = [item for item in self.lists.get(parent, []) if item["id"] == wanted]
        return (200, found[0]) if found else (404, error_body("No such object."))

    def page(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        items = self.lists[path][:: 1 if query["order"] == ["asc"] else -1]
        ids = [item["id"] for item in items]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        stop = ids.index(query["before"][0]) if "before" in query else len(items)
        data = items[start:stop][: int(query["limit"][0])]
        more = start + len(data) < stop
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}

    def add_runs(self, thread: str, *ids: str, **fields: Any) -> None:
        runs = self.lists.setdefault(f"/threads/{thread}/runs", [])
        runs += [{"id": run, "object": "thread.run", "thread_id": thread, **fields} for run in ids]

    def add_steps(self, thread: str, run: str, *ids: str, **fields: Any) -> None:
        steps = self.lists.setdefault(f"/threads/{thread}/runs/{run}/steps", [])
        steps += [
            {"id": step, "object": "thread.run.step", "run_id": run, "thread_id": thread, **fields} for step in ids
        ]


def error_body(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "param": None, "code": code}}


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    api.server.server_close()
    thread.join()


@pytest.fixture
def environment(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Only what the commands are meant to see, for this process and those it starts."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    settings = {"OPENAI_API_KEY": KEY, "OPENAI_API_BASE": api.base, "TZ": "UTC", "COLUMNS": "80", "NO_COLOR": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield settings
    monkeypatch.undo()
    time.tzset()


class Cli:
    """Runs `main` in this process, as a person would from a shell; a fixture makes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *args: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        with pytest.raises(SystemExit) as leaving:
            main(args)
        out, err = self._capsys.readouterr()
        assert KEY not in out + err
        assert isinstance(leaving.value.code, int)
        return leaving.value.code, out, err


@pytest.fixture
def cli(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capsys)


@contextmanager
def start(*args: str, stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.PIPE) -> Iterator[Any]:
    """The commands in a process of their own, which ends with the context."""
    command = [sys.executable, "-m", "facade", *args]
    with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def ids(out: str) -> list[str]:
    return [json.loads(line)["id"] for line in out.splitlines()]


def is_one_line(err: str) -> bool:
    return err.startswith("thread-runs: ") and err.count("\n") == 1 and err.endswith("\n")


# What is read


def test_a_thread_gives_one_page_in_ascending_order(cli: Cli, api: Api) -> None:
    """As the cmdlet: 20 unless `--limit` says otherwise, oldest first."""
    api.add_runs("thread_a", "run_1", "run_2")
    assert cli("get-thread-run", "thread_a")[:2] == (0, cli("get-thread-run", "--thread-id", "thread_a")[1])
    path, query, headers = api.requests[0]
    assert (path, query) == ("/threads/thread_a/runs", {"limit": ["20"], "order": ["asc"]})
    assert headers["authorization"] == f"Bearer {KEY}"


def test_output_gives_back_what_the_server_sent(cli: Cli, api: Api) -> None:
    """A line of JSON is the object as it came: unknown keys, lone surrogates and big integers too."""
    api.add_runs("thread_a", "run_1", status="odd", text="caf\u00e9 \ud800 \u2028", big=2**70, extra={"a": [None]})
    code, out, _ = cli("get-thread-run", "thread_a")
    assert code == 0
    assert out.isascii()
    assert [json.loads(line) for line in out.splitlines()] == api.lists["/threads/thread_a/runs"]


def test_a_run_id_gives_that_run(cli: Cli, api: Api) -> None:
    """The run's place is the second, as in the cmdlet, and it is an option too."""
    api.add_runs("thread_a", "run_1", "run_2")
    for args in (["thread_a", "run_2"], ["thread_a", "--run-id", "run_2"], ["--run-id=run_2", "--thread-id=thread_a"]):
        code, out, _ = cli("get-thread-run", *args)
        assert (code, ids(out)) == (0, ["run_2"])


def test_all_follows_the_pages(cli: Cli, api: Api) -> None:
    """`--all` reads pages of 100 to the end, and `--limit` is ignored."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(250)])
    code, out, err = cli("get-thread-run", "thread_a", "--all", "--limit", "7", "--order", "desc")
    assert (code, err) == (0, "")
    assert ids(out) == [f"run_{n}" for n in reversed(range(250))]
    assert [query["limit"] for _, query, _ in api.requests] == [["100"]] * 3


def test_a_page_that_is_not_all_warns(cli: Cli, api: Api) -> None:
    """More than the page holds is a warning that says how to get it, unless a limit was asked for."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(25)])
    code, out, err = cli("get-thread-run", "thread_a")
    assert (code, len(ids(out))) == (0, 20)
    assert is_one_line(err)
    assert "warning: thread_a has more than these 20" in err
    assert "--all" in err
    assert cli("get-thread-run", "thread_a", "--limit", "3")[2] == ""


def test_after_and_before_bound_a_page(cli: Cli, api: Api) -> None:
    """Both cursors are sent, together too."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(6)])
    assert ids(cli("get-thread-run", "thread_a", "--after", "run_1", "--before", "run_4")[1]) == ["run_2", "run_3"]


def test_steps_take_run_thread_and_step(cli: Cli, api: Api) -> None:
    """The places are the cmdlet's: run, thread, step; each is an option too."""
    api.add_steps("thread_a", "run_1", "step_1", "step_2")
    assert ids(cli("get-thread-run-step", "run_1", "thread_a")[1]) == ["step_1", "step_2"]
    assert ids(cli("get-thread-run-step", "run_1", "thread_a", "step_2")[1]) == ["step_2"]
    named = cli("get-thread-run-step", "--thread-id", "thread_a", "--run-id", "run_1", "--step-id", "step_1")
    assert ids(named[1]) == ["step_1"]
    assert ids(cli("get-thread-run-step", "run_1", "--thread-id", "thread_a", "--all")[1]) == ["step_1", "step_2"]


@pytest.mark.parametrize("rest", [[], ["--all"], ["--step-id", "step_1"]])
def test_include_is_sent_repeated(cli: Cli, api: Api, rest: list[str]) -> None:
    """Each `--include` goes along, known or not, in every form of the command."""
    api.add_steps("thread_a", "run_1", "step_1")
    known = facade.FILE_SEARCH_RESULT_CONTENT
    assert cli("get-thread-run-step", "run_1", "thread_a", "--include", known, "--include", "new", *rest)[0] == 0
    assert api.requests[0][1]["include[]"] == [known, "new"]


@pytest.mark.parametrize(
    "args",
    [
        ["get-thread-run", "--thread", "thread_a", "--run_id", "run_1"],
        ["get-thread-run", "--InputObject", "thread_a", "--RunId", "run_1"],
        ["Get-ThreadRun", "--THREAD_ID=thread_a", "--run", "run_1", "--OrgId", "org_1"],
        ["get_thread_run", "thread_a", "--run-id", "run_1", "--TimeoutSec", "5", "--MaxRetryCount", "1"],
    ],
)
def test_the_cmdlets_spellings_work(cli: Cli, api: Api, args: list[str]) -> None:
    """Aliases, upper case and underscores are understood; the help shows one name of each."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli(*args)
    assert (code, ids(out), err) == (0, ["run_1"], "")
    assert ("openai-organization" in api.requests[0][2]) == ("--OrgId" in args)
    assert not re.search("inputobject|orgid|run_id", cli("get-thread-run", "--help")[1], re.IGNORECASE)


def test_options_describe_the_client(cli: Cli, api: Api) -> None:
    """Base, auth type, query and headers reach the request."""
    api.add_runs("thread_a", "run_1")
    query = ["--additional-query", "api-version=v1", "--additional-query", "x=a=b"]
    base = ["--api-base", api.base, "--auth-type", "azure"]
    assert cli("get-thread-run", "thread_a", *base, *query, "--additional-header", "X-Trace=on")[0] == 0
    _, sent, headers = api.requests[0]
    assert (sent["api-version"], sent["x"]) == (["v1"], ["a=b"])
    assert (headers["api-key"], headers["x-trace"]) == (KEY, "on")


# Pipelines


def test_threads_come_on_standard_input(cli: Cli, api: Api) -> None:
    """A line is an id, a JSON string, a thread, or anything with a thread_id; blank lines do not count, order does."""
    for name in "abcd":
        api.add_runs(f"thread_{name}", f"run_{name}")
    lines = [
        "\ufeffthread_b",
        "",
        '"thread_a"',
        '{"id": "thread_d", "object": "thread"}',
        '{"id": "run_9", "object": "thread.run", "thread_id": "thread_c"}\r',
        "  thread_a  ",
    ]
    expected = ["run_b", "run_a", "run_d", "run_c", "run_a"]
    for args in (["get-thread-run"], ["get-thread-run", "-"], ["get-thread-run", "--all"]):
        code, out, err = cli(*args, stdin="\n".join(lines))
        assert (code, ids(out), err) == (0, expected, "")


def test_runs_come_on_standard_input(cli: Cli, api: Api) -> None:
    """A line is a run, an object with run_id and thread_id, or with `--thread-id` a run's id."""
    for name in "abc":
        api.add_steps("thread_a", f"run_{name}", f"step_{name}")
    lines = [
        '{"id": "run_b", "object": "thread.run", "thread_id": "thread_a"}',
        '{"run_id": "run_a", "thread_id": "thread_a"}',
        '{"id": "step_1", "object": "thread.run.step", "run_id": "run_c", "thread_id": "thread_a"}',
    ]
    for args in ([], ["--all"]):
        assert ids(cli("get-thread-run-step", *args, stdin="\n".join(lines))[1]) == ["step_b", "step_a", "step_c"]
        assert ids(cli("get-thread-run-step", "-", "thread_a", *args, stdin="run_c\nrun_a")[1]) == ["step_c", "step_a"]
    code, out, _ = cli("get-thread-run-step", "--step-id", "step_b", stdin=lines[0])
    assert (code, ids(out)) == (0, ["step_b"])


def test_a_pipeline_without_all_gives_a_page_of_each(cli: Cli, api: Api) -> None:
    """As the cmdlets do, with a warning for each that has more."""
    for name in "ab":
        api.add_runs(f"thread_{name}", *[f"run_{name}{n}" for n in range(21)])
    code, out, err = cli("get-thread-run", stdin="thread_a\nthread_b\n")
    assert (code, len(ids(out))) == (0, 40)
    assert [line.split()[2] for line in err.splitlines()] == ["thread_a", "thread_b"]


@pytest.mark.parametrize("rest", [[], ["--all"]])
@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b'{"id": "run_1", "object": "thread.run"}',
        b'{"thread_id": 5}',
        b"[]",
        b"..",
        b"run_1",
        b"two words",
        b'"\\u0000"',
        b"\xff",
        pytest.param(b"[" * 9999, id="deep"),
    ],
)
def test_a_bad_line_is_named_and_costs_nothing_before_it(cli: Cli, api: Api, bad: bytes, rest: list[str]) -> None:
    """Every thread before it is read and printed; nothing after it is."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli("get-thread-run", *rest, stdin=b"thread_a\n\n" + bad + b"\nthread_a\n")
    assert (code, ids(out)) == (2, ["run_1"])
    assert is_one_line(err)
    assert "line 3" in err
    assert len(err) < 400


def test_a_runs_id_alone_needs_its_thread(cli: Cli) -> None:
    """On standard input as in an argument."""
    code, _, err = cli("get-thread-run-step", stdin="run_1\n")
    assert code == 2
    assert "line 1 of standard input: a run's id needs the run's thread: give --thread-id" in err
    code, _, err = cli("get-thread-run-step", "run_1")
    assert code == 2
    assert "THREAD" in err


def test_an_empty_pipeline_prints_nothing(cli: Cli, api: Api) -> None:
    """No lines, no requests, no error."""
    assert cli("get-thread-run", "--all") == (0, "", "")
    assert cli("get-thread-run-step") == (0, "", "")
    assert api.requests == []


def test_the_two_commands_make_the_cmdlets_pipeline(api: Api, environment: dict[str, str]) -> None:
    """`get-thread-run THREAD --all | get-thread-run-step --all`: every step of every run, in order."""
    runs = [f"run_{n:03}" for n in range(130)]
    api.add_runs("thread_a", *runs)
    for run in runs:
        api.add_steps("thread_a", run, f"step_{run}_1", f"step_{run}_2")
    with start("get-thread-run", "thread_a", "--all") as first:
        with start("get-thread-run-step", "--all", stdin=first.stdout) as second:
            out, err = second.communicate(timeout=60)
        assert (first.stderr.read(), err, first.wait(timeout=60), second.returncode) == (b"", b"", 0, 0)
    assert ids(out.decode()) == [f"step_{run}_{n}" for run in runs for n in (1, 2)]


@pytest.mark.parametrize("rest", [[], ["--all", "--concurrency", "1"]])
def test_lines_are_read_as_they_come(api: Api, environment: dict[str, str], rest: list[str]) -> None:
    """A thread is read and printed while the pipeline is still open."""
    api.add_runs("thread_a", "run_1")
    with start("get-thread-run", *rest, stdin=subprocess.PIPE) as process:
        for _ in range(2):
            process.stdin.write(b"thread_a\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "run_1"
        assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == 0


# The key


def test_the_key_comes_from_a_file(cli: Cli, api: Api, tmp_path: Path) -> None:
    """The file wins over the environment; its last newline does not count."""
    api.add_runs("thread_a", "run_1")
    (tmp_path / "key").write_text("sk-from-file\n")
    assert cli("get-thread-run", "thread_a", "--api-key-file", str(tmp_path / "key"))[0] == 0
    assert api.requests[0][2]["authorization"] == "Bearer sk-from-file"


@pytest.mark.parametrize("path", ["-", "sk-in-the-wrong-place", "binary", "blank"])
def test_an_unusable_key_file_is_a_configuration_error(
    cli: Cli, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It does not show what it was given, which may be the key itself."""
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe")
    Path("blank").write_text("\n")
    code, out, err = cli("get-thread-run", "thread_a", "--api-key-file", path)
    assert (code, out, is_one_line(err)) == (3, "", True)
    assert "wrong-place" not in err
    assert api.requests == []


def test_no_key_names_the_ways_to_give_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, the error names the variable and the options."""
    monkeypatch.delenv("OPENAI_API_KEY")
    code, _, err = cli("get-thread-run", "thread_a")
    assert (code, is_one_line(err)) == (3, True)
    assert all(way in err for way in ("OPENAI_API_KEY", "--api-key-file", "--prompt-key"))
    assert cli("get-thread-run", "thread_a", "--prompt-key")[0] == 3


@pytest.mark.parametrize(
    "args",
    [
        ["get-thread-run", "thread_a", "--api-key", KEY],
        ["get-thread-run", f"--api-key={KEY}", "thread_a"],
        ["get-thread-run-step", "--ApiKey", KEY],
        ["--api-key", KEY, "get-thread-run"],
        ["get-thread-run", "thread_a", "--api-key"],
        ["get-thread-run", "thread_a", "-ApiKey", KEY],
        ["Get-ThreadRun", f"-ApiKey:{KEY}"],
        ["-ApiKey", KEY, "get-thread-run"],
    ],
)
def test_a_key_as_an_argument_is_refused(cli: Cli, args: list[str]) -> None:
    """The error says why, and does not repeat the key."""
    code, _, err = cli(*args)
    assert (code, is_one_line(err)) == (2, True)
    assert "ps" in err
    assert "OPENAI_API_KEY" in err


def test_a_bad_header_is_not_shown(cli: Cli) -> None:
    """A header may carry a secret."""
    code, _, err = cli("get-thread-run", "thread_a", "--additional-header", f"Authorization:{KEY}")
    assert (code, is_one_line(err)) == (2, True)
    assert "NAME=VALUE" in err


# Errors


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["no-such-command"],
        ["get-thread-run", "thread_a", "--no-such-option"],
        ["get-thread-run", "thread_a", "run_1", "one-more"],
        ["get-thread-run", "thread_a", "--thread-id", "thread_b"],
        ["get-thread-run", "thread_a", "--limit", "0"],
        ["get-thread-run", "thread_a", "--limit", "101"],
        ["get-thread-run", "thread_a", "--order", "up"],
        ["get-thread-run", "thread_a", "--timeout-sec", "-1"],
        ["get-thread-run", "thread_a", "--timeout-sec", "nan"],
        ["get-thread-run", "thread_a", "--max-retry-count", "101"],
        ["get-thread-run", "thread_a", "--run-id", "run_1", "--all"],
        ["get-thread-run", "thread_a", "--run-id", "run_1", "--limit", "5"],
        ["get-thread-run", "thread_a", "--all", "--before", "run_1"],
        ["get-thread-run", "-", "--all", "--after", "run_1"],
        ["get-thread-run-step", "run_1", "thread_a", "step_1", "--all"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(cli: Cli, api: Api, args: list[str]) -> None:
    """No request is made."""
    code, out, err = cli(*args)
    assert (code, out, is_one_line(err), api.requests) == (2, "", True, [])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-Thread", "thread_a"], "options have two dashes here: --thread-id"),
        (["thread_a", "-RunId=run_1"], "options have two dashes here: --run-id"),
        (["thread_a", "--thrad-id", "x"], "--thrad-id"),
        (["thread_a", "--thrad-id", "x"], "--thread-id"),
        (["--thread-id"], "Option '--thread-id' requires an argument"),
        (["thread_a", "--auth-type", "azur"], "'openai', 'azure', 'azure_ad'"),
        (["thread_a", "--limit", "x"], "'x' is no whole number"),
        (["thread_a", "--timeout-sec", "-1"], "'--timeout-sec': '-1' is no number of seconds"),
        (["thread_a", "--api-base", "ftp://host"], "base"),
    ],
)
def test_errors_name_options_as_they_are_written(cli: Cli, api: Api, args: list[str], said: str) -> None:
    """Neither the form in which spellings are compared nor the library's parameters show."""
    code, _, err = cli("get-thread-run", *args)
    assert (code in (2, 3), is_one_line(err), api.requests) == (True, True, [])
    assert said in err


def test_an_unknown_command_is_shown_as_written(cli: Cli) -> None:
    """With the commands that there are."""
    err = cli("get-thread-runs", "thread_a")[2]
    assert "there is no command 'get-thread-runs'; did you mean get-thread-run or get-thread-run-step?" in err


@pytest.mark.parametrize(
    ("command", "line", "said"),
    [
        (
            "get-thread-run",
            '{"id": "run_1", "object": "thread.run"}',
            'it needs a thread_id, or an id and "object": "thread"',
        ),
        ("get-thread-run", '{"thread_id": 5}', "it needs a thread_id"),
        ("get-thread-run", "[1]", "a JSON array"),
        ("get-thread-run-step", "{}", "this JSON object names no run: it needs a run_id and a thread_id"),
        ("get-thread-run-step", '{"id": "run_1", "object": "thread.run"}', "give --thread-id"),
    ],
)
def test_a_bad_line_is_told_of_in_words_of_json(cli: Cli, command: str, line: str, said: str) -> None:
    """Nobody who pipes JSON has a dict or a str."""
    err = cli(command, stdin=line)[2]
    assert "line 1 of standard input: " in err
    assert said in err
    assert not re.search(r"\b(dict|str|list|int)\b", err)


@pytest.mark.parametrize("thread", ["", " ", "..", "."])
def test_an_id_that_the_library_refuses_is_2(cli: Cli, api: Api, thread: str) -> None:
    """An id that could reach another address makes no request."""
    code, out, err = cli("get-thread-run", thread)
    assert (code, out, is_one_line(err), api.requests) == (2, "", True, [])


@pytest.mark.parametrize(
    ("status", "expected"),
    [(302, 7), (400, 7), (401, 5), (403, 5), (404, 4), (409, 7), (422, 7), (429, 6), (500, 8), (529, 8)],
)
def test_each_kind_of_status_has_its_exit_code(cli: Cli, api: Api, status: int, expected: int) -> None:
    """One line on standard error, with what the server said."""
    api.answers["/threads/thread_a/runs"] = status, error_body("It was\nscripted \x1b[31mso.")
    code, out, err = cli("get-thread-run", "thread_a")
    assert (code, out, is_one_line(err)) == (expected, "", True)
    assert "\x1b" not in err


def test_other_failures_have_exit_codes_of_their_own(cli: Cli, api: Api) -> None:
    """Connection, timeout, unreadable answer, endless pages."""
    api.answers["/threads/thread_a/runs"] = 200, b"<html>"
    assert cli("get-thread-run", "thread_a")[0] == 11
    api.add_runs("thread_b", "run_1")
    again = {"object": "list", "data": [{"id": "run_1"}], "first_id": "run_1", "last_id": "run_1", "has_more": True}
    api.answers["/threads/thread_b/runs"] = 200, again
    code, out, err = cli("get-thread-run", "thread_b", "--all")
    assert (code, ids(out), is_one_line(err)) == (12, ["run_1"], True)
    assert cli("get-thread-run", "thread_a", "--api-base", "http://127.0.0.1:1/v1")[0] == 9
    with_silence = threading.Event()
    handler = api.server.RequestHandlerClass
    handler.do_GET = lambda self: with_silence.wait(20)  # type: ignore[attr-defined]
    assert cli("get-thread-run", "thread_a", "--timeout-sec", "0.2")[0] == 10
    with_silence.set()


def test_a_bad_base_is_3(cli: Cli) -> None:
    """A configuration error of the library, its value not shown."""
    code, _, err = cli("get-thread-run", "thread_a", "--api-base", "ftp://host")
    assert (code, is_one_line(err)) == (3, True)


def test_a_walk_that_fails_says_where_to_resume(cli: Cli, api: Api) -> None:
    """What came before is printed, and `--after` with the id of the error line gives the rest."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(150)])
    api.answers["/threads/thread_a/runs", "run_99"] = 500, error_body("Scripted.")
    code, out, err = cli("get-thread-run", "thread_a", "--all")
    assert (code, len(ids(out)), is_one_line(err)) == (8, 100, True)
    assert "run_99" in err
    api.answers.clear()
    rest = cli("get-thread-run", "thread_a", "--all", "--after", "run_99")[1]
    assert ids(out) + ids(rest) == [f"run_{n}" for n in range(150)]


@pytest.mark.parametrize("rest", [[], ["--all"], ["--all", "--concurrency", "1"]])
def test_a_pipeline_that_fails_names_the_thread(cli: Cli, api: Api, rest: list[str]) -> None:
    """The threads before it are printed whole."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli("get-thread-run", *rest, stdin="thread_a\nthread_gone\nthread_a\n")
    assert (code, ids(out), is_one_line(err)) == (4, ["run_1"], True)
    assert err.count("(in thread 'thread_gone')") == 1
    run = json.dumps({"run_id": "run_gone", "thread_id": "thread_a"})
    assert cli("get-thread-run-step", *rest, stdin=run)[2].count("(in run 'run_gone' of thread 'thread_a')") == 1


def test_the_help_lists_the_exit_codes(cli: Cli) -> None:
    """So that scripts can rely on them; a command's own help says where they stand."""
    code, out, _ = cli("--help")
    assert code == 0
    assert {int(found) for found in re.findall(r"^ +(\d+)  ", out, re.MULTILINE)} == {*range(18), 130, 141, 143}
    for command in ("get-thread-run", "get-thread-run-step"):
        code, out, _ = cli(command, "--help")
        assert (code, out.splitlines()[-1].strip()) == (0, "Exit codes: thread-runs --help")
    assert facade.FILE_SEARCH_RESULT_CONTENT in out


def test_a_reader_that_goes_away_ends_it_quietly(api: Api, environment: dict[str, str]) -> None:
    """As with `| head`: no message, and the code that a shell gives for it."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(3000)], padding="x" * 500)
    for output in ("jsonl", "table"):
        with start("get-thread-run", "thread_a", "--all", "--output", output) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_an_error(api: Api, environment: dict[str, str]) -> None:
    """A full disk must not look like success."""
    api.add_runs("thread_a", "run_1")
    with open("/dev/full", "wb") as full, start("get-thread-run", "thread_a", stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, is_one_line(err.decode())) == (1, True)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_closed_output_is_an_error(api: Api, environment: dict[str, str]) -> None:
    """So is one that is not there; nothing is asked of the server then."""
    command = ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "facade", "get-thread-run", "thread_a"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, is_one_line(done.stderr), api.requests) == (1, True, [])


def test_ctrl_c_leaves_with_130(api: Api, environment: dict[str, str]) -> None:
    """While standard input is awaited, too, with and without `--all`."""
    api.add_runs("thread_a", "run_1")
    for rest in ([], ["--all"]):
        with start("get-thread-run", *rest, stdin=subprocess.PIPE) as process:
            process.stdin.write(b"thread_a\n" * 20)
            process.stdin.flush()
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130


# The log


def test_the_log_is_shown_when_asked_for(cli: Cli, api: Api) -> None:
    """Nothing by default, what was read with `--verbose`, each request with `--debug`; a line each."""
    api.add_runs("thread_a", "run_1")
    assert cli("get-thread-run", "thread_a")[2] == ""
    verbose = cli("get-thread-run", "thread_a", "--verbose")[2]
    assert re.fullmatch(r"thread-runs: info: 1 read in [\d.]+ s\n", verbose)
    debug = cli("get-thread-run", "thread_a", "--debug")[2]
    assert re.search(r"^thread-runs: debug: .*/threads/thread_a/runs", debug, re.MULTILINE)
    assert all(line.startswith("thread-runs: ") for line in debug.splitlines())


def test_a_failed_run_is_warned_of(cli: Cli, api: Api) -> None:
    """The library's warning reaches standard error without being asked for."""
    api.add_runs("thread_a", "run_1", status="failed", last_error={"code": "rate_limit_exceeded", "message": "No."})
    code, out, err = cli("get-thread-run", "thread_a", "run_1")
    assert (code, ids(out)) == (0, ["run_1"])
    assert err.startswith("thread-runs: warning: ")
    assert "rate_limit_exceeded" in err


# Tables

RUN_ID = "run_" + "R" * 24
STEP_ID = "step_" + "S" * 24


def sample(api: Api) -> None:
    times = {"created_at": 1_714_564_800, "started_at": 1_714_564_801, "completed_at": 1_714_564_893}
    usage = {"usage": {"prompt_tokens": 1000, "completion_tokens": 234, "total_tokens": 1234}}
    api.add_runs("thread_a", RUN_ID, status="completed", model="gpt-4o-mini", **times, **usage)
    failed = {"failed_at": 1_714_564_803_500, "created_at": 1_714_564_800_000, "started_at": None}
    error = {"last_error": {"code": "server_error", "message": "Sorry."}, "usage": None}
    api.add_runs("thread_a", "run_2", status="failed", model="gpt-4o-mini", **failed, **error)
    api.add_runs("thread_a", "run_3", status="incomplete", incomplete_details={"reason": "max_prompt_tokens"})
    api.add_runs("thread_a", "run_4", status=None, model={"odd": 1}, incomplete_details="odd \x1b[2J\ud800", usage=[])
    calls = [{"type": "code_interpreter"}, {"type": "function"}, {"type": "function"}, {"new": 1}]
    details = {"type": "tool_calls", "tool_calls": calls}
    api.add_steps("thread_a", RUN_ID, STEP_ID, type="tool_calls", step_details=details, status="completed", **usage)
    api.add_steps("thread_a", RUN_ID, "step_2", type="message_creation", status="in_progress", step_details=None)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_table_keeps_ids_whole(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """At every usual width ids can be copied, no line is longer than the terminal, and nothing is cut."""
    sample(api)
    monkeypatch.setenv("COLUMNS", str(columns))
    code, runs, err = cli("get-thread-run", "thread_a", "--output", "table")
    assert (code, err) == (0, "")
    assert max(map(len, runs.splitlines())) <= columns
    for shown in (RUN_ID, "completed", "gpt-4o-mini", "2024-05-01", "1m 32s", "1,234", "server_error", "3.5s"):
        assert shown in runs
    assert "\x1b" not in runs
    steps = cli("get-thread-run-step", RUN_ID, "thread_a", "--all", "--output", "table")[1]
    for shown in (STEP_ID, RUN_ID, "code_interpreter", "function", "message_creation", "in_progress", "1,234"):
        assert shown in steps
    assert "…" not in runs + steps


def test_a_long_id_is_folded_not_cut(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id wider than the terminal goes on in the next line."""
    monkeypatch.setenv("COLUMNS", "60")
    api.add_runs("thread_a", "run_" + "0123456789" * 9, status="queued")
    out = cli("get-thread-run", "thread_a", "--output", "table")[1]
    assert "0123456789" * 9 in "".join(line[:30].strip() for line in out.splitlines())


@pytest.mark.parametrize("rest", [[], ["--all"]])
def test_a_table_of_nothing_says_so(cli: Cli, api: Api, rest: list[str]) -> None:
    """No runs, no heading, but a word to people; JSON Lines stay without."""
    api.add_runs("thread_a")
    api.lists["/threads/thread_a/runs/run_1/steps"] = []
    table = ["--output", "table", *rest]
    assert cli("get-thread-run", "thread_a", *table) == (0, "", "thread-runs: no runs\n")
    assert cli("get-thread-run-step", "run_1", "thread_a", *table) == (0, "", "thread-runs: no steps\n")
    assert cli("get-thread-run", "thread_a", *rest) == (0, "", "")


def test_a_stacked_tables_heading_lines_up(cli: Cli, api: Api) -> None:
    """Each name stands in the line of its cell, and a blank line parts the records."""
    sample(api)
    lines = cli("get-thread-run", "thread_a", "--output", "table")[1].splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["id", "status", "duration"],
        ["created", "model", "tokens"],
        ["note"],
    ]
    assert [line.split() for line in lines[3:7]] == [
        [RUN_ID, "completed", "1m", "32s"],
        ["2024-05-01", "12:00:00", "gpt-4o-mini", "1,234"],
        [],
        ["run_2", "failed", "3.5s"],
    ]
    assert lines[2].index("note") == lines[8].index("server_error")


@pytest.mark.parametrize(("columns", "with_created"), [(80, False), (120, True)])
def test_short_ids_get_one_line_each(
    cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int, with_created: bool
) -> None:
    """Where a line has room for all but the time of creation, only that is left out."""
    monkeypatch.setenv("COLUMNS", str(columns))
    fields = {"status": "failed", "model": "gpt-4o-mini", "last_error": {"code": "server_error"}}
    api.add_runs("thread_a", "run_bakery_01", "run_bakery_02", created_at=1_714_564_800, **fields)
    lines = cli("get-thread-run", "thread_a", "--output", "table")[1].splitlines()
    assert [len(lines), max(map(len, lines)) <= columns] == [3, True]
    assert ("created" in lines[0]) is with_created
    assert all(shown in lines[2] for shown in ("run_bakery_02", "failed", "gpt-4o-mini", "server_error"))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(59.4, "59.4s"), (59.7, "1m 00s"), (599.8, "10m 00s"), (3599.9, "1h 00m"), (108_000, "30h 00m")],
)
def test_durations_are_rounded_as_a_whole(cli: Cli, api: Api, seconds: float, shown: str) -> None:
    """No sixty seconds, and hours from an hour on."""
    start = 1_714_564_800
    api.add_runs("thread_a", "run_1", status="completed", started_at=start, completed_at=start + seconds)
    out = cli("get-thread-run", "thread_a", "--output", "table")[1]
    assert out.splitlines()[1].split(None, 2)[2].strip() == shown


def test_a_terminal_gets_a_table_and_is_asked_for_the_key(
    api: Api, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal a table is printed, a missing THREAD is an error, and a key that is typed is not shown."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    sample(api)
    monkeypatch.delenv("OPENAI_API_KEY")
    code, shown = on_terminal(pty, ["get-thread-run", "thread_a"], KEY)
    assert code == 0
    assert KEY not in shown
    assert f"{RUN_ID}  completed" in shown
    assert api.requests[-1][2]["authorization"] == f"Bearer {KEY}"
    code, shown = on_terminal(pty, ["get-thread-run"])
    assert (code, "THREAD is missing: give its id, or pipe ids" in shown) == (2, True)


def on_terminal(pty: Any, args: list[str], typed: str = "") -> tuple[int, str]:
    """Run the commands on a terminal of their own, type a line when asked for the key, give what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "facade", *args])
    shown = b""
    while True:
        if not select.select([terminal], [], [], 30)[0]:
            os.kill(pid, signal.SIGKILL)
        try:
            shown += (chunk := os.read(terminal, 4096))
        except OSError:
            break
        if not chunk:
            break
        if typed and shown.endswith(b"API key: "):  # the last space comes when the terminal shows no input any more
            os.write(terminal, typed.encode() + b"\n")
            typed = ""
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


# Without the extra


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_says_how_to_install_it(environment: dict[str, str], missing: str) -> None:
    """One line with the command, and the code of a usage error."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
from facade.commands import main
main(["get-thread-run", "thread_a", "--output", "table"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, is_one_line(done.stderr)) == (2, "", True)
    assert "pip install click rich" in done.stderr


def test_the_library_loads_nothing_of_the_commands() -> None:
    """`import facade`, and the commands' own package too, leave click and rich alone."""
    # httpx loads both for a command of its own, where they are there; that is not what is looked at.
    code = """
import sys
sys.modules["httpx._main"] = None
import facade, facade.commands
print(sorted({"click", "rich"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The room


def test_the_table_of_commands_says_what_each_says_of_itself() -> None:
    """Each command has its module, and `--help` says its first line without importing it."""
    for name, said in COMMANDS.items():
        command = app.get_command(click.Context(app), name)
        assert command is not None
        assert (command.name, (command.help or "").partition("\n")[0]) == (name, said)


def test_help_imports_no_command() -> None:
    """However many there are, `--help` takes as long as before."""
    code = """
import sys
from facade.commands import main
try:
    main(["--help"])
finally:
    print([name for name in sys.modules if name.startswith(("facade.commands.get", "rich"))], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "get-thread-run-step" in done.stdout
    assert done.stderr == "[]\n"
