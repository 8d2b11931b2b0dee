"""Reads values that may be missing or of another kind than the description says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

# Which time says when something ended.
_ENDS = ("completed_at", "failed_at", "cancelled_at", "expired_at")


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
    """A time in seconds since 1970, at most in the year 9866; some servers send milliseconds."""
    number = number_of(value)
    if number is None or not 0 < number < 2.5e14:
        return None
    return number / 1000 if number > 1e11 else number


def nanoseconds_of(value: Any) -> int | None:
    """A time in nanoseconds since 1970: exact, but for a float's last microsecond."""
    number = seconds_of(value)
    if number is None:
        return None
    if isinstance(value, int):
        return value * (10**9 if number == value else 10**6)
    return round(number * 10**6) * 1000


def end_of(item: Mapping[str, Any]) -> float | None:
    """When a run or step ended; `expires_at` says so only where it did expire."""
    names = (*_ENDS, "expires_at") if item.get("status") == "expired" else _ENDS
    return next((end for name in names if (end := seconds_of(item.get(name))) is not None), None)


def duration_of(item: Mapping[str, Any]) -> float | None:
    """Seconds from a run's start, or a step's creation, to its end; None where one is not known."""
    start = seconds_of(item.get("started_at")) or seconds_of(item.get("created_at"))
    end = end_of(item)
    return float(end - start) if start is not None and end is not None and end >= start else None


class Tokens(NamedTuple):
    """What a run or step used; None for each that is not a number."""

    prompt: float | None = None
    completion: float | None = None
    total: float | None = None
    cached: float | None = None


def tokens_of(usage: Any) -> Tokens:
    """The tokens that `usage` counts, by the names of either kind of server."""
    if not isinstance(usage, Mapping):
        return Tokens()
    details = first_of(usage, "prompt_token_details", "prompt_tokens_details", "input_token_details")
    return Tokens(
        number_of(first_of(usage, "prompt_tokens", "input_tokens")),
        number_of(first_of(usage, "completion_tokens", "output_tokens")),
        number_of(usage.get("total_tokens")),
        number_of(value_in(details, "cached_tokens")),
    )


def json_text(value: Any) -> str:
    """An object as JSON text that browsers read too: numbers beyond theirs, as 1e400, become texts."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_speakable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sound(text: str) -> str:
    """The text with a replacement character for each lone surrogate, for what takes Unicode alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


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
