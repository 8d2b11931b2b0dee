"""Waiting, in an event loop, for a moment at which no other process holds the file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TypeVar

from facade.archive._answering import PAUSE_SEC

T = TypeVar("T")


async def first(attempts: Iterator[T | None]) -> T:
    """What the attempts give in the end, pausing after each that gives nothing."""
    for found in attempts:
        if found is not None:
            return found
        await asyncio.sleep(PAUSE_SEC)
    raise AssertionError("the last attempt gives an answer")
