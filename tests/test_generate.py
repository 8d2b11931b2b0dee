"""Generation: whole or not at all, the same each time, and what comes out works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from facade.server import serve, write_sample
from openai_thread_runs_api import Client
from openai_thread_runs_api.api.assistants import get_run, list_run_steps
from openai_thread_runs_api.models import CreateRunRequest, ListRunStepsResponse, RunObject

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "openai_thread_runs_api"
COMMITTED = ROOT / "generated" / PACKAGE


def generate(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the script by an interpreter's path, with nothing activated: PATH has no ruff."""
    command = [sys.executable, str(ROOT / "scripts" / "generate.py"), *map(str, arguments)]
    variables = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, cwd="/")


def files(package: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(package)): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    done = generate("--output", folder, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    return folder


def test_it_gives_what_is_committed_whatever_the_hash_seed(made: Path) -> None:
    """The committed package is what the pinned spec gives, byte for byte."""
    assert files(made / PACKAGE) == files(COMMITTED)


def test_every_file_says_that_it_is_generated_and_how(made: Path) -> None:
    """Each generated file names the command that makes it."""
    assert all(b"make generate" in content for content in files(made / PACKAGE).values())


def test_check_names_missing_extra_and_changed_files_apart(made: Path, tmp_path: Path) -> None:
    """A package that is not up to date fails the check, which tells the three kinds of difference apart."""
    shutil.copytree(made, tmp_path / "copy")
    package = tmp_path / "copy" / PACKAGE
    (package / "client.py").unlink()
    (package / "more.py").write_text("")
    (package / "types.py").write_text("edited")
    done = generate("--check", "--output", tmp_path / "copy")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["missing: client.py", "extra: more.py", "changed: types.py"]


def test_a_warning_of_the_generator_fails_and_leaves_what_was_there(made: Path, tmp_path: Path) -> None:
    """A schema that the generator would drop with a warning stops everything; the old package stays."""
    spec = yaml.safe_load((ROOT / "openapi" / "openapi.yaml").read_text("utf-8"))
    spec["components"]["schemas"]["RunObject"]["properties"]["tools"] = {"type": "array"}  # of what, it does not say
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    shutil.copytree(made, tmp_path / "copy")
    done = generate("--spec", tmp_path / "spec.yaml", "--output", tmp_path / "copy")
    assert done.returncode == 1
    assert "warning" in done.stderr
    assert files(tmp_path / "copy" / PACKAGE) == files(COMMITTED)


def test_a_spec_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    """A wrong --spec gives one line, and writes nothing."""
    done = generate("--spec", tmp_path / "none.yaml", "--output", tmp_path / "out")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert not (tmp_path / "out").exists()


def test_the_generated_functions_read_a_run_and_a_page(tmp_path: Path) -> None:
    """The low-level client works by itself, over HTTP, as its own README would have it used."""
    thread_id = write_sample(tmp_path / "sample.sqlite")
    with serve(tmp_path / "sample.sqlite") as base:
        client = Client(base_url=base, headers={"OpenAI-Beta": "assistants=v2"})
        with client:
            run = get_run.sync(thread_id, "run_bakery_01", client=client)
            page = list_run_steps.sync(thread_id, "run_bakery_01", client=client, limit=1)
    assert isinstance(run, RunObject)
    assert run.status == "completed"
    assert isinstance(page, ListRunStepsResponse)
    assert (len(page.data), page.has_more) == (1, True)


def test_a_request_body_sends_what_was_given_and_null_where_null_was_given() -> None:
    """A model made by its constructor gives back its fields; one left out is not sent and reads as None."""
    body = CreateRunRequest(assistant_id="asst_1", instructions=None)
    assert body.to_dict() == {"assistant_id": "asst_1", "instructions": None}
    assert body.model is None


def test_all_models_can_be_imported_and_read_nothing() -> None:
    """Every generated model loads, and reads an empty object."""
    program = (
        "from openai_thread_runs_api import models\n"
        "for name in models.__all__:\n"
        "    model = getattr(models, name)\n"
        "    if hasattr(model, 'from_dict'):\n"
        "        assert repr(model.from_dict({})) and model.from_dict({}).to_dict() == {}\n"
        "print(len(models.__all__))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "generated")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) > 100
