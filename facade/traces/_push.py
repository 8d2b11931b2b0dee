"""Sends traces to a collector or viewer, as protobuf over HTTP, which all of them take."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from facade._extras import needed

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_PATH = "/v1/traces"
_RETRIED = (429, 502, 503, 504)  # by the protocol
_MAX_WAIT_SEC = 60.0


class PushError(Exception):
    """Spans that a collector did not take.

    Attributes:
        status_code: its answer; None where none came, 200 where it took a part only
        rejected: how many spans it refused, as far as it says
    """

    def __init__(self, message: str, status_code: int | None = None, rejected: int = 0) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.rejected = rejected


def push(
    request: Mapping[str, Any],
    endpoint: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_sec: float = 30.0,
    max_retry_count: int = 5,
) -> int:
    """Send one request that `read` gave; sending it again adds nothing where spans are known by their ids.

    Args:
        request: what `read` gave.
        endpoint: the collector's base, as http://localhost:4318; `/v1/traces` is put behind it where it is not there.
        headers: sent along, such as the key that a viewer wants.
        timeout_sec: seconds that each phase of an attempt may take; 0: no limit.
        max_retry_count: further attempts after 429, 502, 503, 504 and lost connections; 0: none. They wait as the
            answer says (`retry-after`), else 1, 2, 4, … s, at most 60.

    Returns:
        How many spans were sent.

    Raises:
        ValueError: `endpoint` is no http address.
        ModuleNotFoundError: the extra `otlp` is not installed.
        PushError: they were not taken.
    """
    with needed("sending traces", "otlp", "opentelemetry-proto"):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
    import httpx

    url = address_of(endpoint)
    body = to_protobuf(request).SerializeToString()
    sent_headers = {**(headers or {}), "content-type": "application/x-protobuf"}
    with httpx.Client(timeout=timeout_sec or None, headers=sent_headers) as client:
        for attempt in range(max_retry_count + 1):
            is_last = attempt == max_retry_count
            try:
                answer = client.post(url, content=body)
            except httpx.TransportError as error:
                if is_last:
                    raise PushError(f"{url} gave no answer: {type(error).__name__}: {error}") from None
                answer = None
            if answer is not None and (is_last or answer.status_code not in _RETRIED):
                break
            time.sleep(_wait_sec(attempt, None if answer is None else answer.headers.get("retry-after")))
    assert answer is not None
    if not answer.is_success:
        raise PushError(f"{url} answered {answer.status_code}: {answer.text[:200]!r}", answer.status_code)
    taken = ExportTraceServiceResponse()
    if "protobuf" in answer.headers.get("content-type", ""):
        taken.ParseFromString(answer.content)
    if rejected := taken.partial_success.rejected_spans:
        said = taken.partial_success.error_message
        raise PushError(f"{url} refused {rejected} spans: {said[:200]!r}", answer.status_code, rejected)
    return sum(len(scope["spans"]) for resource in request["resourceSpans"] for scope in resource["scopeSpans"])


def address_of(endpoint: str) -> str:
    """Where requests are posted to. Raises ValueError."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("endpoint must be an address such as http://localhost:4318")
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH))


def to_protobuf(request: Mapping[str, Any]) -> ExportTraceServiceRequest:
    """The same request as a message; raises google.protobuf.json_format.ParseError for what the protocol has not."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return ParseDict(_with_base64_ids(request), ExportTraceServiceRequest())


def _with_base64_ids(value: Any) -> Any:
    """OTLP has ids in hex where protobuf's own JSON has base64."""
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_base64_ids(item)
        for key, item in value.items()
    }


def _wait_sec(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.strip().isdigit():
        return min(float(retry_after), _MAX_WAIT_SEC)
    return min(2.0**attempt, _MAX_WAIT_SEC)
