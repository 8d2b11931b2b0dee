"""What a server, or a client of one, may not have: messages, assistants, steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from facade.errors import APIStatusError

T = TypeVar("T")

NOT_SERVED = (404, 405, 501)
"""The answers of a server that has no such thing."""


def served(ask: Callable[[], T]) -> T | None:
    """What it gives, or None where the server has no such thing; other errors are raised."""
    try:
        return ask()
    except APIStatusError as error:
        if error.status_code not in NOT_SERVED:
            raise
        return None
