"""Runs as OpenTelemetry traces: valid by the protocol, named by the conventions, the same however often sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from timeline_sample import an_odd_thread
from wire import in_a_thread

from facade import archive, traces
from facade.server import Store, write_sample
from facade.traces._push import to_protobuf


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "archive.db"
    write_sample(path)
    return path


def spans_in(path: Path, **options: Any) -> list[dict[str, Any]]:
    with archive.client(path) as client:
        return [span for request in traces.read(client, archive.thread_ids(path), **options) for span in spans(request)]


def spans(request: dict[str, Any]) -> list[dict[str, Any]]:
    [resource] = request["resourceSpans"]
    [scope] = resource["scopeSpans"]
    return list(scope["spans"])


def of(span: dict[str, Any]) -> dict[str, Any]:
    """A span's attributes, by key."""
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}


def run_of(found: list[dict[str, Any]], run_id: str) -> dict[str, Any]:
    [span] = [span for span in found if of(span).get("thread_runs.run.id") == run_id]
    return span


def assert_is_valid(request: dict[str, Any]) -> ExportTraceServiceRequest:
    """By the protocol's own schema, and by what its specification adds."""
    message = to_protobuf(json.loads(json.dumps(request)))
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16
                assert any(span.trace_id)
                assert len(span.span_id) == 8
                assert any(span.span_id)
                assert len(span.parent_span_id) in (0, 8)
                assert span.start_time_unix_nano <= span.end_time_unix_nano
                assert span.name
                keys = [attribute.key for attribute in span.attributes]
                assert len(keys) == len(set(keys))
                assert all(attribute.value.WhichOneof("value") for attribute in span.attributes)
    return message


@pytest.mark.parametrize("content", [False, True])
def test_it_is_valid_by_the_protocol(sample: Path, content: bool) -> None:
    """Each request parses as the protocol's message with nothing unknown in it; ids are hex, integers are strings."""
    with archive.client(sample) as client:
        requests = list(traces.read(client, archive.thread_ids(sample), content=content))
    for request in requests:
        assert_is_valid(request)
        for span in spans(request):
            assert set(span["traceId"] + span["spanId"]) <= set("0123456789abcdef")
            assert isinstance(span["startTimeUnixNano"], str)
            assert isinstance(span["kind"], int)
    texts = json.dumps(requests)
    assert '{"intValue": "1480"}' in texts


def test_a_run_is_a_trace_of_its_steps_and_their_calls(sample: Path) -> None:
    """As many traces as runs; steps lie in the run, calls in their step, all of them named by the conventions."""
    found = spans_in(sample)
    with archive.client(sample) as client:
        runs = list(client.runs.all(archive.thread_ids(sample)))
        steps = list(client.steps.all(runs))
    calls = [call for step in steps for call in step.to_dict()["step_details"].get("tool_calls", [])]
    by_operation: dict[str, list[dict[str, Any]]] = {}
    for span in found:
        by_operation.setdefault(of(span)["gen_ai.operation.name"], []).append(span)
    assert {name: len(some) for name, some in by_operation.items()} == {
        "invoke_agent": len(runs),
        "chat": len(steps),
        "execute_tool": len(calls),
    }
    assert len({span["traceId"] for span in found}) == len(runs)
    own = {span["spanId"]: span for span in found}
    assert len(own) == len(found)
    for operation, parents in (("chat", "invoke_agent"), ("execute_tool", "chat")):
        for span in by_operation[operation]:
            parent = own[span["parentSpanId"]]
            assert of(parent)["gen_ai.operation.name"] == parents
            assert parent["traceId"] == span["traceId"]
    assert {of(span)["gen_ai.conversation.id"] for span in found} == {run.thread_id for run in runs}


def test_a_run_s_own_span(sample: Path) -> None:
    """It says who ran, with what, from when to when, and what it used."""
    span = run_of(spans_in(sample), "run_bakery_01")
    assert (span["name"], span["kind"], span["status"]) == ("invoke_agent Counter", 3, {})
    assert "parentSpanId" not in span
    assert int(span["startTimeUnixNano"]) == 1_748_844_000 * 10**9
    assert int(span["endTimeUnixNano"]) == 1_748_844_009 * 10**9
    attributes = of(span)
    assert attributes["gen_ai.agent.id"] == "asst_bakery"
    assert attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == ("1480", "96")
    assert attributes["thread_runs.status"] == "completed"


def test_what_went_wrong_is_a_status_with_its_kind(sample: Path) -> None:
    """Failed, expired and incomplete are errors by their codes; completed and cancelled are not."""
    found = [span for span in spans_in(sample) if "parentSpanId" not in span]
    ends = {(of(span)["thread_runs.status"], of(span).get("error.type")): span["status"].get("code") for span in found}
    assert ends[("failed", "rate_limit_exceeded")] == 2
    assert ends[("failed", "server_error")] == 2
    assert ends[("incomplete", "max_completion_tokens")] == 2
    assert ends[("expired", "expired")] == 2
    assert ends[("completed", None)] is None
    assert ends[("cancelled", None)] is None


def test_names_are_the_conventions_own(sample: Path) -> None:
    """Every attribute is in OpenTelemetry's registry, but for those that are said to be ours."""
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    used = {key for span in spans_in(sample, content=True) for key in of(span)}
    own = {"thread_runs.run.id", "thread_runs.status", "thread_runs.step.type", "thread_runs.tool_call.type"}
    assert used - known - own == {"error.type"}
    assert len(used & known) >= 20
    table = (Path(__file__).parent.parent / "docs" / "traces.md").read_text("utf-8")
    assert [name for name in used if name.rpartition(".")[2] not in table] == []


def test_no_content_goes_along_unless_it_is_wanted(sample: Path, tmp_path: Path) -> None:
    """Texts of messages, instructions, tools, metadata and errors are there with `content` alone."""
    secret = "what nobody may read"
    ids = {"run_id": "run_1", "thread_id": "thread_1"}
    details: dict[str, Any] = {"type": "tool_calls", "tool_calls": []}
    for kind, part in {
        "function": {"name": "f", "arguments": secret, "output": secret},
        "code_interpreter": {"input": secret, "outputs": [{"type": "logs", "logs": secret}]},
        "file_search": {"results": [{"content": [{"type": "text", "text": secret}]}]},
        "mcp": {"error": {"code": "gone", "message": secret}},
    }.items():
        details["tool_calls"].append({"id": f"call_{kind}", "type": kind, kind: part})
    error = {"last_error": {"code": "server_error", "message": secret}, "metadata": {"who": secret}}
    message = {"id": "msg_1", "role": secret, "content": [{"type": "text", "text": {"value": secret}}]}
    with Store(tmp_path / "one.db") as store:
        store.add(
            runs=[{"id": "run_1", "thread_id": "thread_1", "instructions": secret, "created_at": 5, **error}],
            steps=[{"id": "step_1", "step_details": details, "status": "failed", **ids, **error}],
            messages=[message | {"thread_id": "thread_1"}],
        )
    assert secret not in json.dumps(spans_in(tmp_path / "one.db"))
    found = spans_in(tmp_path / "one.db", content=True)
    assert all(secret in json.dumps(span) for span in found)
    attributes = [of(span) for span in found]
    assert json.loads(attributes[0]["gen_ai.system_instructions"]) == [{"type": "text", "content": secret}]
    [asked] = json.loads(attributes[0]["gen_ai.input.messages"])
    assert asked["parts"] == [{"type": "text", "content": secret}]
    assert attributes[2]["gen_ai.tool.call.arguments"] == secret
    assert attributes[-1]["error.type"] == "gone"


def test_a_run_is_asked_what_no_earlier_one_was(sample: Path) -> None:
    """Of the thread's messages each stands in one run's input, and those that runs wrote in their outputs."""
    found = [of(span) for span in spans_in(sample, content=True) if "parentSpanId" not in span]
    with archive.client(sample) as client:
        threads = archive.thread_ids(sample)
        said = [(message.run_id, message.to_dict()) for thread in threads for message in client.messages.all(thread)]
    asked = [text for span in found for text in json.loads(span.get("gen_ai.input.messages", "[]"))]
    assert len(asked) == sum(run_id is None for run_id, _ in said)
    answers = json.loads(found[0]["gen_ai.output.messages"])
    assert answers[0]["role"] == "assistant"
    assert answers[0]["finish_reason"] == "stop"
    assert "nuts" in answers[0]["parts"][0]["content"]


def test_the_same_run_is_the_same_spans(sample: Path, tmp_path: Path) -> None:
    """Ids depend on the ids of the source alone: not on where it is read from, nor on what else is read."""
    write_sample(tmp_path / "other.db")
    assert spans_in(sample) == spans_in(tmp_path / "other.db")
    with archive.client(sample) as client:
        alone = [span for request in traces.read(client, "thread_bakery_mill") for span in spans(request)]
    assert alone
    assert all(span in spans_in(sample) for span in alone)


def test_a_connected_agent_s_run_is_linked(sample: Path) -> None:
    """The call has a link to the trace that the called run is."""
    found = spans_in(sample)
    [link] = [link for span in found for link in span.get("links", ())]
    [called] = [span for span in found if span["spanId"] == link["spanId"]]
    assert called["traceId"] == link["traceId"]
    assert of(called)["gen_ai.conversation.id"] == "thread_bakery_mill"


def test_runs_that_go_on_are_told_or_left_out(sample: Path) -> None:
    """By default they are there, ending where they were last seen; with `finished` they are not."""
    goes_on = {"queued", "in_progress", "cancelling", "requires_action"}
    every = [of(span)["thread_runs.status"] for span in spans_in(sample) if "parentSpanId" not in span]
    rest = [of(span)["thread_runs.status"] for span in spans_in(sample, finished=True) if "parentSpanId" not in span]
    assert goes_on & set(every)
    assert not goes_on & set(rest)
    assert len(rest) < len(every)


@pytest.mark.parametrize("content", [False, True])
def test_odd_data_is_valid_too(content: bool) -> None:
    """Objects that are odd in every way, lone surrogates and times beyond all clocks become valid spans."""
    client: Any = an_odd_thread()
    requests = list(traces.read(client, "thread_odd", content=content))
    found = [span for request in requests for span in spans(request)]
    for request in requests:
        assert_is_valid(request)
    assert sum("parentSpanId" not in span for span in found) == 8
    milliseconds = run_of(found, "run_milli")
    assert milliseconds["startTimeUnixNano"] == "1748844060000000000"
    assert milliseconds["endTimeUnixNano"] == "1748844075500000000"
    assert run_of(found, "run_float")["startTimeUnixNano"] == "1748844000250000000"


def test_large_ones_come_in_several_requests(tmp_path: Path) -> None:
    """Requests are bounded in spans and in text, and no run is torn."""
    runs = [
        {"id": f"run_{n}", "thread_id": "thread_1", "instructions": "x" * 3_000, "created_at": n} for n in range(1200)
    ]
    with Store(tmp_path / "large.db") as store:
        store.add(runs=runs)
    with archive.client(tmp_path / "large.db") as client:
        assert [len(spans(request)) for request in traces.read(client, "thread_1")] == [500, 500, 200]
        sizes = [len(json.dumps(request)) for request in traces.read(client, "thread_1", content=True)]
    assert len(sizes) > 1
    assert max(sizes) < 4_000_000


class Collector:
    """Takes what is pushed; `answers` come first, then 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, answer = collector.answers.pop(0) if collector.answers else (200, {}, b"")
                self.send_response(status)
                for name, value in {"content-length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    with in_a_thread(made.server):
        yield made


@pytest.fixture
def request_(sample: Path) -> dict[str, Any]:
    with archive.client(sample) as client:
        return next(traces.read(client, "thread_bakery"))


@pytest.mark.parametrize("path", ["", "/", "/v1/traces", "/v1/traces/"])
def test_push_posts_protobuf(collector: Collector, request_: dict[str, Any], path: str) -> None:
    """What arrives at /v1/traces is the protocol's message with the same spans, and the headers that were given."""
    count = traces.push(request_, collector.endpoint + path, headers={"authorization": "Bearer key"})
    [(to, headers, body)] = collector.requests
    assert to.rstrip("/") == "/v1/traces"
    assert (headers["content-type"], headers["authorization"]) == ("application/x-protobuf", "Bearer key")
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    sent = {span.span_id.hex() for scope in resource.scope_spans for span in scope.spans}
    assert sent == {span["spanId"] for span in spans(request_)}
    assert count == len(sent)


def test_push_asks_again_where_the_protocol_says_so(collector: Collector, request_: dict[str, Any]) -> None:
    """429 and 503 are tried again, after the wait that they name; 400 is not."""
    collector.answers = [(503, {"retry-after": "0"}, b""), (429, {"retry-after": "0"}, b"")]
    traces.push(request_, collector.endpoint)
    assert len(collector.requests) == 3
    assert len({body for _, _, body in collector.requests}) == 1
    collector.answers = [(400, {}, b"no")]
    with pytest.raises(traces.PushError, match="400") as refused:
        traces.push(request_, collector.endpoint)
    assert refused.value.status_code == 400
    assert len(collector.requests) == 4


def test_push_says_what_was_not_taken(collector: Collector, request_: dict[str, Any]) -> None:
    """Spans refused in an answer of 200, and a collector that is not there, are errors."""
    taken = ExportTraceServiceResponse()
    taken.partial_success.rejected_spans = 7
    taken.partial_success.error_message = "too old"
    collector.answers = [(200, {"content-type": "application/x-protobuf"}, taken.SerializeToString())]
    with pytest.raises(traces.PushError, match="refused 7 spans: 'too old'") as refused:
        traces.push(request_, collector.endpoint)
    assert refused.value.rejected == 7
    with pytest.raises(traces.PushError, match="gave no answer") as lost:
        traces.push(request_, "http://127.0.0.1:1", max_retry_count=0)
    assert lost.value.status_code is None
    with pytest.raises(ValueError, match="address"):
        traces.push(request_, "localhost:4318")
