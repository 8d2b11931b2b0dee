"""A small scripted server on loopback, and what runs the commands as people run them."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from facade.commands import main

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
