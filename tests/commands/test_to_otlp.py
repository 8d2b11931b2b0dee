"""`to-otlp`: traces as JSON Lines, and sent to a collector."""

from __future__ import annotations

import json
import sys

import pytest
from shell import Api, Cli, is_one_line, sample

from facade import traces


def test_an_archive_is_printed_as_otlp_json(cli: Cli, api: Api, file: str) -> None:
    """Each line is a request, and the endpoint is asked nothing."""
    code, out, _ = cli("to-otlp", file)
    assert code == 0
    assert sum(len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in out.splitlines()) == 50
    assert "nuts" not in out
    assert "nuts" in cli("to-otlp", file, "--content")[1]
    assert api.requests == []


def test_a_thread_of_the_endpoint(cli: Cli, api: Api) -> None:
    """A server that has no assistants and no steps of some runs gives traces all the same."""
    sample(api)
    code, out, _ = cli("to-otlp", "thread_a", "--service", "bakery", "--provider", "azure.ai.openai", "--content")
    assert code == 0
    assert '"stringValue":"bakery"' in out
    assert '"stringValue":"azure.ai.openai"' in out
    assert len(out.splitlines()) == 1


def test_sending_says_how_many(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is printed; the key that a collector wants comes from OpenTelemetry's variable."""
    sent: list[object] = []

    def push(request: object, endpoint: str, headers: object) -> int:
        sent.append((endpoint, headers))
        return 50

    monkeypatch.setattr(traces, "push", push)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x-project=1")
    code, out, err = cli("to-otlp", file, "--endpoint", "http://127.0.0.1:1")
    assert (code, out) == (0, "")
    assert err.endswith("thread-runs: 50 spans sent\n")
    assert sent == [("http://127.0.0.1:1", {"authorization": "Bearer abc", "x-project": "1"})]


@pytest.mark.parametrize(("status", "expected"), [(None, 9), (401, 5), (429, 6), (400, 7), (503, 8), (200, 7)])
def test_what_a_collector_refuses_has_the_usual_exit_code(
    cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch, status: int | None, expected: int
) -> None:
    """One line says what happened and how far it came."""

    def push(*_: object, **__: object) -> int:
        raise traces.PushError("refused", status)

    monkeypatch.setattr(traces, "push", push)
    code, out, err = cli("to-otlp", file, "--endpoint", "http://127.0.0.1:1")
    assert (code, out) == (expected, "")
    assert err.endswith("thread-runs: after 0 spans: refused\n")


def test_a_missing_extra_is_named(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without opentelemetry-proto, printing works, and sending says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.trace.v1.trace_service_pb2", None)
    assert cli("to-otlp", file)[0] == 0
    code, _, err = cli("to-otlp", file, "--endpoint", "http://127.0.0.1:1")
    assert code == 2
    assert "pip install opentelemetry-proto" in err
    code, _, err = cli("to-otlp", file, "--endpoint", "nowhere")
    assert code == 2
    assert is_one_line(err.splitlines(keepends=True)[-1])
