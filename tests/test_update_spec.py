"""The scheduled check of the upstream description: what it writes, and the pull request that it opens."""

from __future__ import annotations

import copy
import http.server
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from wire import in_a_thread

from scripts.spec import update as update_spec

ROOT = Path(__file__).resolve().parent.parent

PINNED = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the committed pin."""
    return Path(shutil.copytree(ROOT / "openapi", tmp_path / "openapi"))


def upstream(path: Path, **fields: Any) -> Path:
    """Write a whole description that pins to the committed one, with further fields of a run."""
    spec = copy.deepcopy(PINNED)
    spec["info"]["title"] = "An API"
    spec["components"]["schemas"]["RunObject"]["properties"] |= fields
    path.write_text(yaml.safe_dump(spec, sort_keys=False), "utf-8")
    return path


def test_without_a_difference_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    """Not even the record of the source, so that no pull request comes of it."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    code = update_spec.update(
        upstream(tmp_path / "new.yaml"), tmp_path / "summary.md", folder=folder, generated=tmp_path / "generated"
    )

    assert code == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "summary.md").exists()
    assert not (tmp_path / "generated").exists()


def test_a_difference_is_pinned_generated_and_summed_up(folder: Path, tmp_path: Path) -> None:
    """The summary is Markdown; a second time there is nothing to do."""
    new, summary = upstream(tmp_path / "new.yaml", priority={"type": "integer"}), tmp_path / "build" / "summary.md"
    arguments = {"folder": folder, "generated": tmp_path / "generated"}

    assert update_spec.update(new, summary, **arguments) == 0

    assert "- `RunObject`" in summary.read_text()
    assert "  - `priority`: added (for readers)" in summary.read_text()
    assert "priority" in (folder / "openapi.yaml").read_text()
    assert "priority" in (tmp_path / "generated/openai_thread_runs_api/models/run_object.py").read_text()
    summary.unlink()
    assert update_spec.update(new, summary, **arguments) == 0
    assert not summary.exists()


def test_what_cannot_be_pinned_ends_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason, and the pin as it was; a summary of another day is not taken for this one's."""
    (tmp_path / "summary.md").write_text("Old.")
    (tmp_path / "new.yaml").write_text("openapi: 3.1.0")

    assert update_spec.main([str(tmp_path / "new.yaml"), "--summary", str(tmp_path / "summary.md")]) == 2

    assert "info.version" in capsys.readouterr().err
    assert not (tmp_path / "summary.md").exists()


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a server on loopback that has the file `/spec` and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/spec" else 404)
            self.end_headers()
            self.wfile.write(b"openapi: 3.1.0\n")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_description_is_fetched(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is; an answer that is no 200, or too large, is an error."""
    update_spec.fetch(f"{address}/spec", tmp_path / "spec.yaml")

    assert (tmp_path / "spec.yaml").read_bytes() == b"openapi: 3.1.0\n"
    with pytest.raises(httpx.HTTPError, match="404"):
        update_spec.fetch(f"{address}/other", tmp_path / "spec.yaml")
    monkeypatch.setattr(update_spec, "MAX_BYTES", 5)
    with pytest.raises(httpx.HTTPError, match="larger than 5 bytes"):
        update_spec.fetch(f"{address}/spec", tmp_path / "spec.yaml")


class Repository:
    """A clone with a remote on disk, and a stand-in for `gh` that writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.open = folder / "open"
        self.clone = folder / "clone"
        bin_ = folder / "bin"
        bin_.mkdir()
        gh = bin_ / "gh"
        gh.write_text(
            "#!/bin/sh\n"
            f'if [ "$2" = list ]; then cat {self.open}; exit; fi\n'
            f'echo "$@" >>{self.calls}; while [ $# -gt 1 ]; do shift; done; cat "$1" >>{self.calls}\n'
        )
        gh.chmod(0o755)
        self.open.write_text("0")
        self._environment = {
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        self.git("init", "--quiet", "--bare", str(folder / "remote"), at=folder)
        self.git("init", "--quiet", "--initial-branch=main", str(self.clone), at=folder)
        self.git("remote", "add", "origin", str(folder / "remote"))
        for name in ("openapi", "generated"):
            (self.clone / name).mkdir()
            (self.clone / name / "file").write_text("old")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Begin")
        self.git("push", "--quiet", "origin", "main")

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """Run git in the clone."""
        return self._run("git", *arguments, at=at or self.clone)

    def propose(self, content: str | None, outcome: str = "success") -> str:
        """Run the script on a fresh main where the pinned file says `content`; None: nothing changed."""
        self.git("switch", "--quiet", "main")
        summary = self.clone.parent / "summary.md"
        summary.unlink(missing_ok=True)
        if content is not None:
            (self.clone / "openapi" / "file").write_text(content)
            summary.write_text("1 difference.\n")
        return self._run("bash", str(ROOT / "scripts" / "spec" / "propose.sh"), str(summary), outcome, at=self.clone)

    def said(self) -> str:
        """Give how `gh` was called since it was last asked, and the texts that it was given."""
        said = self.calls.read_text() if self.calls.exists() else ""
        self.calls.unlink(missing_ok=True)
        return said

    def _run(self, *command: str, at: Path) -> str:
        done = subprocess.run(command, cwd=at, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_pull_request_is_opened_once_and_then_kept_up_to_date(tmp_path: Path) -> None:
    """One branch and one pull request, however often it runs; without a change there is none."""
    repository = Repository(tmp_path)

    assert "nothing to propose" in repository.propose(None)
    assert repository.said() == ""

    repository.propose("new")
    said = repository.said()
    assert said.startswith("pr create --base main --head spec-update ")
    assert said.endswith("1 difference.\n\nTests and checks pass.\n")
    assert repository.git("show", "origin/spec-update:openapi/file") == "new"

    repository.open.write_text("1")
    assert "has this already" in repository.propose("new")
    assert repository.said().startswith("pr edit spec-update ")

    repository.propose("newer", "failure")
    assert "**Tests or checks fail**" in repository.said()
    assert repository.git("show", "origin/spec-update:openapi/file") == "newer"
