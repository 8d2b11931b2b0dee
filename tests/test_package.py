"""What is shipped: the wheel and the sdist hold what users need, and the wheel works from outside the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def unpacked(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


def test_the_wheel_installs_two_typed_packages_and_nothing_else(unpacked: Path) -> None:
    """The wheel has `facade` and the generated package, both with py.typed, and no other top-level name."""
    names = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"facade", "openai_thread_runs_api"}
    assert all((unpacked / name / "py.typed").is_file() for name in names)


def test_the_wheel_carries_the_spec_it_was_made_from(unpacked: Path) -> None:
    """The generated package ships the pinned spec, which the server checks requests against."""
    assert (unpacked / "openai_thread_runs_api" / "openapi.json").is_file()


def test_the_wheel_needs_only_httpx_and_attrs(unpacked: Path) -> None:
    """The required dependencies are httpx and attrs; every other one is behind an extra."""
    metadata = next(unpacked.glob("*.dist-info")) / "METADATA"
    lines = [line for line in metadata.read_text("utf-8").splitlines() if line.startswith("Requires-Dist:")]
    required = {line.split()[1].split(">")[0].split("<")[0] for line in lines if "extra ==" not in line}
    assert required == {"httpx", "attrs"}


def test_no_version_of_httpx_is_ruled_out() -> None:
    """A newer httpx may come along: nothing here is built on its private parts, or those of httpcore under it."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert [line for line in needed if re.search("<|==|~=", line)] == []
    private = re.compile(r"\b(httpx|httpcore)(\.\w+)*\._[a-z]|from (httpx|httpcore)\S* import .*\b_[a-z]", re.I)
    assert private.search("httpcore._backends.sync")
    assert private.search("from httpx import URL, _client")
    modules = [*(ROOT / "facade").rglob("*.py")]
    assert len(modules) > 50
    assert [path.name for path in modules if private.search(path.read_text("utf-8"))] == []


def test_the_wheel_works_from_outside_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    """A program beside the unpacked wheel imports both packages from it and reads a run."""
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import facade, openai_thread_runs_api\n"
        f"assert facade.__file__.startswith({str(unpacked)!r}), facade.__file__\n"
        f"assert openai_thread_runs_api.__file__.startswith({str(unpacked)!r})\n"
        "assert facade.Run.from_dict({'id': 'run_1', 'status': 'new'}).status == 'new'\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_the_sdist_can_be_pinned_generated_and_tested(dist: Path) -> None:
    """The sdist has the spec, the templates, the scripts and the tests, so that nothing needs the repository."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= {
        "openapi/openapi.yaml",
        "openapi/overlay.yaml",
        "openapi/templates/model_base.py",
        "scripts/pin.py",
        "tests/test_package.py",
        "Makefile",
        "constraints.txt",
    }
