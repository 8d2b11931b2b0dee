"""What every test of the commands has: the server, the environment and the commands."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from shell import KEY, Api, Cli


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


@pytest.fixture
def cli(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capsys)
