"""A scripted assistant at work, without I/O: what happens to a run, event by event.

`Assistant.work` is a generator: it yields a `Pause` to be waited for, or events that happen together. Whoever drives it
keeps these, lets the scene take them (`Scene.take`), and only then goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from facade._exchange import Clock, Pause
from facade.server._rules import Fail, Say, UseTools, next_stage, ordered
from facade.server._scene import Event, Scene
from facade.server.sample_parts import Json, message, message_creation, step, usage

NewId = Callable[[str], str]
"""Makes an id of a kind: "run" gives run_…"""

Act = Pause | tuple[Event, ...]

QUEUE_SEC = 0.1
STEP_SEC = 0.05
PIECE_SEC = 0.02
CANCEL_SEC = 0.2

RUN_SEC = 600
"""What a run may take until it expires."""

_ENDS = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
    "expired": "expired_at",
}


class Assistant:
    """Works on one run.

    Args:
        scene: the run, with what belongs to it
        clock: gives the Unix time in seconds
        new_id: makes ids
    """

    def __init__(self, scene: Scene, clock: Clock, new_id: NewId) -> None:
        self._scene = scene
        self._clock = clock
        self._new_id = new_id

    def work(self) -> Iterator[Act]:
        """What happens until the run is at rest or waits for an answer."""
        scene = self._scene
        if scene.status == "cancelling":
            yield Pause(CANCEL_SEC)
            yield self.end("cancelled")
        if scene.status == "queued":
            yield Pause(QUEUE_SEC)
            yield (self._run(status="in_progress", started_at=scene.run["started_at"] or self._now()),)
        while scene.status == "in_progress":
            match next_stage(scene):
                case Say() as stage:
                    yield from self._say(stage)
                case UseTools() as stage:
                    yield from self._use_tools(stage)
                case Fail(code, text):
                    yield Pause(STEP_SEC)
                    yield self.end("failed", last_error={"code": code, "message": text})
                case None:
                    yield self.end("completed")

    def end(self, status: str, **fields: Any) -> tuple[Event, ...]:
        """What happens when the run ends, with whatever it was in the midst of."""
        now, scene = self._now(), self._scene
        events = []
        for item in scene.messages.values():
            if item["status"] == "in_progress":
                reason = {"reason": f"run_{status}"}
                cut = {"status": "incomplete", "incomplete_details": reason, "incomplete_at": now}
                events.append(Event("thread.message.incomplete", item | cut))
        for item in scene.steps.values():
            if item["status"] == "in_progress":
                error = {"last_error": fields.get("last_error")}
                events.append(Event(f"thread.run.step.{status}", item | error | {"status": status, _ENDS[status]: now}))
        used = [item["usage"] for item in scene.steps.values() if item["usage"]]
        total = usage((sum(each["prompt_tokens"] for each in used), sum(each["completion_tokens"] for each in used)))
        ended: Json = {"status": status, "required_action": None, "usage": total}
        if status != "expired":  # its expires_at says when it has ended
            ended |= {_ENDS[status]: now, "expires_at": None}
        return (*events, self._run(**ended, **fields))

    def answer(self, answers: Mapping[str, Any]) -> tuple[Event, ...]:
        """What happens when the caller answers the calls that the run waits for.

        Args:
            answers: by the calls' ids: the output of a function, or whether a call is approved
        """
        events = []
        for made in self._scene.steps.values():
            if made["status"] == "in_progress":
                calls = [_answered(call, answers) for call in made["step_details"].get("tool_calls", ())]
                details = made["step_details"] | {"tool_calls": calls}
                events.append(self._end_step(made | {"step_details": details}, "".join(map(str, calls))))
        # The time it has counts anew: a run that has stood still for long can be answered all the same.
        return (*events, self._run(status="queued", required_action=None, expires_at=self._now() + RUN_SEC))

    def cancel(self) -> tuple[Event, ...]:
        """What happens when the caller cancels the run; `work` does the rest."""
        cancelling = {"status": "cancelling", "required_action": None, "expires_at": self._now() + RUN_SEC}
        return (self._run(**cancelling),)

    def _now(self) -> int:
        return int(self._clock())

    def _run(self, **fields: Any) -> Event:
        return Event(f"thread.run.{fields['status']}", self._scene.run | fields)

    def _begin_step(self, details: Json) -> tuple[Json, tuple[Event, ...]]:
        run = self._scene.run
        made = step(run["id"], 1, 0, {"step_details": details}, run["thread_id"])
        made |= {"id": self._new_id("step"), "created_at": self._now(), "assistant_id": run["assistant_id"]}
        return made, (Event("thread.run.step.created", made), Event("thread.run.step.in_progress", made))

    def _end_step(self, made: Json, written: str) -> Event:
        used = usage((30 + len(self._scene.question) // 4, 1 + len(written) // 4))
        ended = {"status": "completed", "completed_at": self._now(), "usage": used}
        return Event("thread.run.step.completed", made | ended)

    # Messages

    def _say(self, stage: Say) -> Iterator[Act]:
        run = self._scene.run
        yield Pause(STEP_SEC)
        written = message(self._new_id("msg"), self._now(), run_id=run["id"], thread_id=run["thread_id"])
        written |= {"assistant_id": run["assistant_id"]}
        made, begun = self._begin_step(message_creation(written["id"]))
        yield *begun, Event("thread.message.created", written), Event("thread.message.in_progress", written)
        for index, part in enumerate(stage.parts):
            for grown, delta in _grown(part):
                yield Pause(PIECE_SEC)
                written = written | {"content": [*stage.parts[:index], grown]}
                yield (
                    _delta("thread.message", written["id"], {"content": [{"index": index, **delta}]}),
                    Event("", written),
                )
        said = "".join(part["text"]["value"] for part in stage.parts if part["type"] == "text")
        now = self._now()
        if stage.is_cut:
            cut = {"status": "incomplete", "incomplete_details": {"reason": "max_tokens"}, "incomplete_at": now}
            yield Event("thread.message.incomplete", written | cut), self._end_step(made, said)
            yield self.end("incomplete", incomplete_details={"reason": "max_completion_tokens"})
        else:
            whole = written | {"status": "completed", "completed_at": now}
            yield Event("thread.message.completed", whole), self._end_step(made, said)

    # Tools

    def _use_tools(self, stage: UseTools) -> Iterator[Act]:
        yield Pause(STEP_SEC)
        calls = [call | {"id": self._new_id("call")} for call in stage.calls]
        waits = calls[0]["type"] in ("function", "mcp")
        made, begun = self._begin_step({"type": "tool_calls", "tool_calls": []})
        yield begun
        for index, call in enumerate(calls):
            for piece in _call_pieces(call):
                yield Pause(PIECE_SEC)
                details = {"type": "tool_calls", "tool_calls": [{"index": index, **piece}]}
                yield (_delta("thread.run.step", made["id"], {"step_details": details}),)
        details = {"type": "tool_calls", "tool_calls": list(map(_begun, calls))}
        made = made | {"step_details": details}
        if waits:
            yield Event("", made), self._run(status="requires_action", required_action=_required(calls))
            return
        yield (Event("", made),)
        yield Pause(stage.takes_sec)
        if stage.error:
            yield self.end("failed", last_error={"code": "server_error", "message": stage.error})
            return
        for index, call in enumerate(calls):
            for output in _output_pieces(call):
                details = {"type": "tool_calls", "tool_calls": [{"index": index, **output}]}
                yield (_delta("thread.run.step", made["id"], {"step_details": details}),)
        made = made | {"step_details": {"type": "tool_calls", "tool_calls": calls}}
        yield (self._end_step(made, "".join(map(str, calls))),)


def awaited(run: Json) -> list[Json]:
    """The calls that a run waits for an answer to, as its `required_action` has them."""
    action = run["required_action"] or {}
    return list(action[action["type"]]["tool_calls"]) if run["status"] == "requires_action" else []


def _required(calls: list[Json]) -> Json:
    if calls[0]["type"] == "mcp":
        asked = [{key: value for key, value in call.items() if key != "output"} for call in calls]
        return {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": asked}}
    asked = []
    for call in calls:
        function = {key: call["function"][key] for key in ("name", "arguments")}
        asked.append({"id": call["id"], "type": "function", "function": function})
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": asked}}


def _answered(call: Json, answers: Mapping[str, Any]) -> Json:
    if call["id"] not in answers:
        return call
    answer = answers[call["id"]]
    if call["type"] == "function":
        return call | {"function": call["function"] | {"output": answer}}
    return call | {"output": ordered(call["arguments"]) if answer else None}


# Deltas


def _delta(kind: str, object_id: str, delta: Json) -> Event:
    return Event(f"{kind}.delta", {"id": object_id, "object": f"{kind}.delta", "delta": delta})


def _grown(part: Json) -> Iterator[tuple[Json, Json]]:
    """A message's part as it grows, each time with what has come to it."""
    if part["type"] != "text":
        yield part, part
        return
    whole, value, annotations = part["text"], "", list[Json]()
    # Between words, and around what is cited.
    marks = "|".join(re.escape(each["text"]) for each in whole["annotations"]) or r"(?!)"
    for piece in re.findall(rf"(?:{marks})|(?:(?!{marks})\S)+\s*|\s+", whole["value"]):
        value += piece
        cited = [each for each in whole["annotations"][len(annotations) :] if each["text"] == piece]
        new = [{"index": len(annotations) + place, **each} for place, each in enumerate(cited)]
        annotations = [*annotations, *cited]
        delta = {"value": piece} | ({"annotations": new} if new or value == piece else {})
        yield {"type": "text", "text": {"value": value, "annotations": annotations}}, {"type": "text", "text": delta}


def _begun(call: Json) -> Json:
    """A call before the assistant's own tool has done anything."""
    match call["type"]:
        case "code_interpreter":
            return call | {"code_interpreter": call["code_interpreter"] | {"outputs": []}}
        case "file_search":
            return call | {"file_search": call["file_search"] | {"results": []}}
    return call


def _call_pieces(call: Json) -> Iterator[Json]:
    """A call as the model writes it, piece by piece."""
    kind = call["type"]
    match kind:
        case "function":
            asked = call["function"]
            yield {"id": call["id"], "type": kind, kind: {"name": asked["name"], "arguments": "", "output": None}}
            for piece in re.findall(r".{1,12}", asked["arguments"], re.DOTALL):
                yield {"type": kind, kind: {"arguments": piece}}
        case "code_interpreter":
            yield {"id": call["id"], "type": kind, kind: {"input": "", "outputs": []}}
            for line in call[kind]["input"].splitlines(keepends=True):
                yield {"type": kind, kind: {"input": line}}
        case "file_search":
            yield {"id": call["id"], "type": kind, kind: {}}
        case _:
            yield {key: value for key, value in call.items() if key != "output"}


def _output_pieces(call: Json) -> Iterator[Json]:
    """What the assistant's own tool gave, as it comes; what a search found is read with the step."""
    kind = call["type"]
    if kind == "code_interpreter":
        for index, output in enumerate(call[kind]["outputs"]):
            yield {"type": kind, kind: {"outputs": [{"index": index, **output}]}}
