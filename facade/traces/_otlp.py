"""The protocol's JSON: ids, attributes and the envelope, as opentelemetry-proto describes them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from facade._reading.values import sound
from facade._version import __version__

Json = dict[str, Any]

SEMCONV_VERSION = "1.41.1"
"""The version of OpenTelemetry's semantic conventions whose GenAI names are used."""

_SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"  # patch versions have none of their own

INTERNAL, CLIENT = 1, 3
_ERROR = 2


def trace_id(*ids: str) -> str:
    """The trace of a run: always the same for the same ids."""
    return _digest("trace", *ids)[:32]


def span_id(*ids: str) -> str:
    """The span of what these ids lead to: always the same for the same ids."""
    return _digest("span", *ids)[:16]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def attributes(values: Mapping[str, Any]) -> list[Json]:
    """Key and value pairs; those that are None or blank are left out."""
    return [{"key": key, "value": _any_value(value)} for key, value in values.items() if value not in (None, "", [])]


def _any_value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}  # JSON's own numbers do not reach to 64 bits everywhere
    if isinstance(value, float) and math.isfinite(value):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    return {"stringValue": sound(str(value))}


def status(error_type: str | None, message: str = "") -> Json:
    """A span's status: an error, or unset, which is what the conventions want where nothing went wrong."""
    if error_type is None:
        return {}
    return {"code": _ERROR, "message": sound(message)} if message else {"code": _ERROR}


def request(spans: Iterable[Json], service: str) -> Json:
    """An export request: what a line of a file holds, and what is posted."""
    scope = {"name": "openai-thread-runs", "version": __version__}
    resource = {"attributes": attributes({"service.name": service})}
    scoped = {"scope": scope, "spans": list(spans), "schemaUrl": _SCHEMA_URL}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped], "schemaUrl": _SCHEMA_URL}]}
