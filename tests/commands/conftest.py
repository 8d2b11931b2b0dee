"""What every test of the commands has: the server, the environment and the commands."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import KEY, Api, Cli
from wire import in_a_thread

from facade.server import write_sample


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    with in_a_thread(api.server):
        yield api


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The path of an archive with the sample."""
    write_sample(tmp_path / "archive.db")
    return str(tmp_path / "archive.db")


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


@pytest.fixture
def cli(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capsys)
