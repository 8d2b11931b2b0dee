"""When rows began and ended, as far as their objects say, and when nothing went on."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from facade._reading.values import end_of
from facade.timeline._reading import Json

_LEAST_FOLD_SEC = 20.0
GOING_ON = ("queued", "in_progress", "cancelling", "requires_action")


def interval(item: Json, at: float | None) -> tuple[float | None, float | None]:
    """From when to when; no end where it goes on, or does not say."""
    to = end_of(item)
    if at is None or to is None:
        return (to, to) if at is None else (at, None)
    return at, max(at, to)


def end_what_goes_on(rows: list[Json]) -> None:
    """Give every row an end: what goes on is drawn until the last time that is known, or until it would expire."""
    times = [time for row in rows for key in ("at", "to") if (time := row.get(key)) is not None]
    last = max(times, default=0.0)
    run: Json = {}
    step: Json = {}
    for row in rows:
        until = row.pop("until", None)
        if row["is"] == "run":
            run = row
        elif row["is"] == "step":
            step = row
        if row.get("at") is None or row.get("to") is not None:
            continue
        if row["is"] == "call":
            row["to"], row["live"], row["unsaid"] = step["to"], step.get("live"), step.get("unsaid")
            continue
        goes_on = row.get("status") in GOING_ON
        end = last if row is run else run.get("to") or last
        row["to"] = max(row["at"], min(end, until or end)) if goes_on else row["at"]
        row["live" if goes_on else "unsaid"] = True


def busy_spans(rows: Iterable[Json]) -> list[list[float]]:
    """The stretches of time in which something went on: between them nothing did for long."""
    timed = [row for row in rows if "at" in row]
    busy: list[Any] = sorted((row.get("since", row["at"]), row["to"]) for row in timed if row["is"] != "call")
    runs = [row["to"] - row["at"] for row in timed if row["is"] == "run"]
    fold = max(_LEAST_FOLD_SEC, 2 * statistics.median(runs) if runs else 0.0)
    spans: list[list[float]] = []
    for at, to in busy:
        if spans and at - spans[-1][1] <= fold:
            spans[-1][1] = max(spans[-1][1], to)
        else:
            spans.append([at, to])
    return spans
