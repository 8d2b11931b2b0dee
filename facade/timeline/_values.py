"""Reads values that may be missing or of another kind than the description says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def first_of(fields: Mapping[str, Any], *keys: str) -> Any:
    return next((value for key in keys if (value := fields.get(key)) is not None), None)


def value_in(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number_of(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return value


def seconds_of(value: Any) -> float | None:
    number = number_of(value)
    if number is None or number <= 0:
        return None
    return number / 1000 if number > 1e11 else number  # some servers send milliseconds


def json_text(value: Any) -> str:
    """An object as JSON text that browsers read too: numbers beyond theirs, as 1e400, become texts."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_speakable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _speakable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _speakable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_speakable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > 10_000:  # more digits than Python writes
        return f"an integer of {value.bit_length()} bits"
    return value
