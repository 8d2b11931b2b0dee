"""A real Phoenix takes what is pushed, once. It is 625 MB, so it is used where somebody has installed it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from facade import archive, traces
from facade.server import write_sample

PHOENIX = os.environ.get("THREAD_RUNS_PHOENIX") or shutil.which("phoenix")
QUERY = "{projects{edges{node{name traceCount recordCount sessions(first:9){edges{node{sessionId numTraces}}}}}}}"

pytestmark = pytest.mark.skipif(
    not PHOENIX,
    reason="no Phoenix: pip install arize-phoenix elsewhere, and set THREAD_RUNS_PHOENIX to its command `phoenix`",
)


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """Its address."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
    settings = {
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(ports[0]),
        "PHOENIX_GRPC_PORT": str(ports[1]),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    address = f"http://127.0.0.1:{ports[0]}"
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([str(PHOENIX), "serve"], env=os.environ | settings, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: httpx.get(address + "/healthz").is_success, process)
            yield address
        finally:
            process.terminate()


def until(is_so: Any, process: subprocess.Popen[bytes] | None = None) -> None:
    for _ in range(600):
        assert process is None or process.poll() is None
        try:
            if is_so():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("Phoenix did not get there in two minutes")


def test_phoenix_has_each_run_once_however_often_it_is_sent(phoenix: str, tmp_path: Path) -> None:
    """Sent twice, with more behind it to see that all has arrived: traces, spans and sessions are there once."""
    write_sample(tmp_path / "archive.db")
    threads = archive.thread_ids(tmp_path / "archive.db")

    def project() -> Any:
        [edge] = httpx.post(phoenix + "/graphql", json={"query": QUERY}).json()["data"]["projects"]["edges"]
        return edge["node"]

    with archive.client(tmp_path / "archive.db") as client:
        *first, last = [request for thread in threads for request in traces.read(client, thread, content=True)]
    for request in (*first, *first, last):
        traces.push(request, phoenix)
    until(lambda: project()["recordCount"] >= 50)
    found = project()
    assert (found["traceCount"], found["recordCount"]) == (14, 50)
    sessions = {edge["node"]["sessionId"]: edge["node"]["numTraces"] for edge in found["sessions"]["edges"]}
    assert sessions == {"thread_bakery": 12, "thread_bakery_order": 1, "thread_bakery_mill": 1}
