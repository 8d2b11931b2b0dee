"""What runs used: tokens, time and failures, by thread, run, assistant, model, day or a key of the metadata.

    import facade
    from facade import usage

    with facade.Client() as client:
        for row in usage.summed(client.runs.all("thread_abc"), by="day"):
            print(row.key, row.total_tokens)

It needs no extra; nothing else in the package imports this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from facade._reading.values import duration_of, json_text, seconds_of, text_of, tokens_of, value_in

__all__ = ["BY", "Usage", "check_by", "summed"]

BY = ("thread", "run", "assistant", "model", "day")
"""What runs can be summed by, in addition to `metadata.KEY`."""

_METADATA = "metadata."


@attrs.define
class Usage:
    """The sum of some runs.

    Attributes:
        key: what they have in common: an id, a model, a day as 2026-01-31, a metadata's value; None for runs without
        runs: how many they are
        prompt_tokens: tokens that went in; what is null or no number counts as 0, here and below
        completion_tokens: tokens that came out
        total_tokens: as the runs say, which is not added up from the two
        seconds: from each run's start (its creation where it has none) to its end; 0 for one that has not ended
        cached_tokens: how many of the prompts' tokens were cached
        failed: how many runs have the status failed
        cancelled: the same for cancelled
        expired: the same for expired
        incomplete: the same for incomplete
    """

    key: str | None
    runs: int = 0
    prompt_tokens: float = 0
    completion_tokens: float = 0
    total_tokens: float = 0
    seconds: float = 0
    cached_tokens: float = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    incomplete: int = 0

    def add(self, run: Mapping[str, Any]) -> None:
        """Count one run, given as a JSON object."""
        tokens = tokens_of(run.get("usage"))
        self.runs += 1
        self.prompt_tokens += tokens.prompt or 0
        self.completion_tokens += tokens.completion or 0
        self.total_tokens += tokens.total or 0
        self.cached_tokens += tokens.cached or 0
        self.seconds += duration_of(run) or 0
        status = run.get("status")
        if status in ("failed", "cancelled", "expired", "incomplete"):
            setattr(self, status, getattr(self, status) + 1)


def summed(runs: Iterable[Any], by: str = "model") -> list[Usage]:
    """Sum what runs used; their steps' tokens are in theirs.

    Args:
        runs: any iterable of runs: a walk, a page, a list; models or JSON objects.
        by: `thread`, `run`, `assistant`, `model`, `day` (the UTC day of `created_at`) or `metadata.KEY`.

    Returns:
        A sum for each value: days in their order, all else with the most tokens first.

    Raises:
        ValueError: `by` is something else; nothing has been read then.
        facade.APIError: reading the runs failed.
    """
    key_of = _key(check_by(by))
    sums: dict[str | None, Usage] = {}
    for run in runs:
        fields = run if isinstance(run, Mapping) else run.to_dict()
        key = key_of(fields)
        sums.setdefault(key, Usage(key)).add(fields)
    if by == "day":
        return sorted(sums.values(), key=lambda row: row.key or "")
    return sorted(sums.values(), key=lambda row: -row.total_tokens)


def check_by(by: str) -> str:
    """`by`, where `summed` takes it. Raises ValueError."""
    if by in BY or (by.startswith(_METADATA) and by != _METADATA):
        return by
    raise ValueError(f"by is one of {', '.join(BY)} or metadata.KEY, not {by!r}")


def _key(by: str) -> Callable[[Mapping[str, Any]], str | None]:
    if by == "day":
        return _day
    if by.startswith(_METADATA):
        name = by.removeprefix(_METADATA)
        return lambda run: _text(value_in(run.get("metadata"), name))
    names = {"thread": ("thread_id",), "run": ("id",), "assistant": ("assistant_id", "agent_id")}.get(by, (by,))
    return lambda run: next((key for name in names if (key := _text(run.get(name))) is not None), None)


def _day(run: Mapping[str, Any]) -> str | None:
    created_at = seconds_of(run.get("created_at"))
    return None if created_at is None else datetime.fromtimestamp(created_at, UTC).date().isoformat()


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value) or json_text(value)
