"""What a scripted assistant has before it: a run with its steps and messages, which events move along."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from facade.server.sample_parts import Json

ENDED = ("completed", "failed", "cancelled", "expired", "incomplete")
"""The statuses that a run never leaves."""

AT_WORK = ("queued", "in_progress", "cancelling")


class Event(NamedTuple):
    """Something that happens: the event's name as it is streamed, and the object as it is then, or what it got more of.

    One without a name is not streamed: it says how an object stands that grew by deltas.
    """

    name: str
    data: Json


@dataclass
class Scene:
    """A run that the assistant has in hand.

    Attributes:
        run: as it stands
        question: what the thread's user said last when the run was made; "" for nothing
        steps: of the run, by their ids, in order
        messages: that the run wrote, by their ids
    """

    run: Json
    question: str
    steps: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The run's."""
        return str(self.run["status"])

    def take(self, events: Iterable[Event]) -> None:
        """Moves along: what the events tell is how it stands now."""
        for _, data in events:
            match data["object"]:
                case "thread.run":
                    self.run = data
                case "thread.run.step":
                    self.steps[data["id"]] = data
                case "thread.message" if data["run_id"] == self.run["id"]:
                    self.messages[data["id"]] = data

    def calls(self) -> list[Json]:
        """All calls of tools so far, in order."""
        return [call for step in self.steps.values() for call in (step.get("step_details") or {}).get("tool_calls", ())]
