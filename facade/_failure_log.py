"""Logs which runs and steps failed, so that a failure is not taken for "no answer": ids and codes, never content."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai_thread_runs_api.model_base import Model

logger = logging.getLogger("facade")


def failure(item: Model) -> str | None:
    """Why a run or step failed or is incomplete, in a word of the server's; None where it says neither."""
    for field, key in (("last_error", "code"), ("incomplete_details", "reason")):
        said: Any = item._json.get(field)
        if said:
            word = said.get(key) if isinstance(said, dict) else said
            return word if isinstance(word, str) and re.fullmatch(r"[\w.-]{1,64}", word) else field
    return None


def kind(item: Model) -> str:
    """What an object is, in a word or two."""
    return {"thread.run": "run", "thread.run.step": "run step"}.get(str(item._json.get("object")), "object")


def _name(item: Model) -> str:
    said = str(item._json.get("id"))
    return said if said.isprintable() and len(said) <= 100 else repr(said[:100])


def warn_of(item: Model) -> None:
    """Warns of one run or step that failed or is incomplete."""
    if (word := failure(item)) is not None:
        how = "failed" if item._json.get("last_error") else "is incomplete"
        logger.warning("%s %s %s: %s", kind(item), _name(item), how, word)


class Tally:
    """Counts the failed and incomplete ones among the objects that a walk hands over."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self.total = 0
        self._kind = "object"

    def add(self, items: Sequence[Any]) -> None:
        self.total += len(items)
        for item in items:
            json = item._json
            if (json.get("last_error") or json.get("incomplete_details")) and (word := failure(item)):
                self._words[word] += 1
                self._kind = kind(item)

    def warn(self) -> None:
        """Warns, where there were any, once."""
        if self._words:
            listed = ", ".join(f"{count} {word}" for word, count in self._words.most_common())
            failed = self._words.total()
            logger.warning("%d of %d %ss failed or are incomplete: %s", failed, self.total, self._kind, listed)
            self._words.clear()
