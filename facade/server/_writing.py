"""What requests change: threads, messages and runs in the store, and the rules that say when they may.

Without I/O but for the store's, which one caller uses at a time; nothing here waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade._exchange import Clock
from facade.archive._answering import RefusedError, parameters_of, split, wants_content
from facade.archive._columns import Kind
from facade.archive._errors import NotStoredError
from facade.archive._store import Store
from facade.server._assistant import Assistant, NewId, awaited
from facade.server._checking import read_body
from facade.server._objects import message_of, question_of, run_of, thread_of
from facade.server._scene import ENDED, Event, Scene
from facade.server.sample_parts import Json, assistant
from facade.server.sample_parts import run as run_parts

_KINDS: dict[str, Kind] = {
    "thread": "threads",
    "thread.message": "messages",
    "thread.run": "runs",
    "thread.run.step": "steps",
}

_UNDER_WAY = "scripted_runs"
"""The fact about the archive that names the runs in the assistant's hands, [thread id, run id] each."""


class Written(NamedTuple):
    """What a request has done.

    Attributes:
        result: the object that answers it
        scene: the run that it moved, None where it moved none
        events: what it did to that run
        is_stream: whether it is answered by what happens to the run from here on
        wants_content: whether it asked for the texts that a file search finds
    """

    result: Json
    scene: Scene | None = None
    events: tuple[Event, ...] = ()
    is_stream: bool = False
    wants_content: bool = False


class Writing:
    """Carries out the requests that write.

    Args:
        store: the archive, held for writing
        clock: gives the Unix time in seconds
        new_id: makes ids

    Attributes:
        scenes: the runs in the assistant's hands, by their ids: each stands in the way of others on its thread
    """

    def __init__(self, store: Store, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self.scenes: dict[str, Scene] = {}

    def open(self) -> None:
        """Make sure of the bakery's assistant, and take the runs in hand that were left when the last server ended.

        Raises ValueError for an archive that was read from elsewhere: what is made up does not belong in there.
        """
        if self._store.meta("api_base") is not None:
            raise ValueError("This archive was read from an endpoint: give the assistant a file of its own.")
        try:
            self._store.row("assistants", assistant()["id"])
        except NotStoredError:
            self._store.add(assistants=[assistant()])
        for thread_id, run_id in json.loads(self._store.meta(_UNDER_WAY) or "[]"):
            self.scenes[run_id] = self._scene(thread_id, run_id)

    def operation(self, path: str) -> Callable[..., Written] | None:
        """What a POST to a path does: to be called with the `query` and the `body`; None where nothing is written.

        That raises RefusedError or NotStoredError where it may not be done; then, as after any error, nothing has
        changed.
        """
        for words, ids, is_list in split(path):
            if (words, ids, is_list) == (("threads",), ["runs"], False):
                return self._create_thread_and_run
            if operation := _OPERATIONS.get((words, is_list)):
                return partial(operation, self, *ids)
        return None

    def happen(self, scene: Scene, events: tuple[Event, ...]) -> Scene:
        """Write what happens to a run, and move its scene along. Raises sqlite3.Error; then nothing has changed."""
        self.keep(events)
        scene.take(events)
        if scene.status in ENDED:
            self.scenes.pop(scene.run["id"], None)
        else:
            self.scenes[scene.run["id"]] = scene
        return scene

    def keep(self, events: Iterable[Event]) -> None:
        """Write what has happened, all of it or nothing."""
        objects = {data["id"]: data for _, data in events if data["object"] in _KINDS}
        with self._store.transaction():
            for value in objects.values():
                kind = _KINDS[value["object"]]
                parents = {"steps": ("thread_id", "run_id"), "threads": ()}.get(kind, ("thread_id",))
                self._store.put(kind, json.dumps(value), value, **{name: value[name] for name in parents})
                if kind == "threads":
                    self._store.note_list("runs", value["id"], state="complete")
                    self._store.note_list("messages", value["id"], state="complete")
                if kind == "runs":
                    self._note_run(value)

    def _note_run(self, run: Json) -> None:
        thread_id, run_id = run["thread_id"], run["id"]
        under_way = {key: scene.run["thread_id"] for key, scene in self.scenes.items()} | {run_id: thread_id}
        if run["status"] in ENDED:
            del under_way[run_id]
            include = [FILE_SEARCH_RESULT_CONTENT]
            self._store.note_list("steps", thread_id, run_id, state="complete", include=include)
        self._store.set_meta(_UNDER_WAY, json.dumps([(value, key) for key, value in under_way.items()]))

    # Threads and messages

    def _create_thread(self, *, query: str, body: bytes) -> Written:
        thread, messages = self._new_thread(read_body(body or b"{}", "CreateThreadRequest"))
        self.keep([Event("", thread), *messages])
        return Written(thread)

    def _create_message(self, thread_id: str, *, query: str, body: bytes) -> Written:
        given = read_body(body, "CreateMessageRequest")
        self._require_rest(thread_id, "a message can be added")
        made = message_of(given, self._new_id("msg"), thread_id, self._now())
        self.keep([Event("", made)])
        return Written(made)

    def _new_thread(self, given: Json) -> tuple[Json, list[Event]]:
        thread = thread_of(given, self._new_id("thread"), self._now())
        return thread, self._new_messages(given.get("messages"), thread["id"], "messages")

    def _new_messages(self, given: list[Json] | None, thread_id: str, place: str) -> list[Event]:
        return [
            Event("", message_of(body, self._new_id("msg"), thread_id, self._now(), f"{place}[{index}].content"))
            for index, body in enumerate(given or ())
        ]

    # Runs

    def _create_run(self, thread_id: str, *, query: str, body: bytes) -> Written:
        given = read_body(body, "CreateRunRequest")
        self._require_rest(thread_id, "a run can be started")
        messages = self._new_messages(given.get("additional_messages"), thread_id, "additional_messages")
        question = question_of([data for _, data in messages]) or self._question(thread_id)
        return self._start(given, thread_id, question, messages, query)

    def _create_thread_and_run(self, *, query: str, body: bytes) -> Written:
        given = read_body(body, "CreateThreadAndRunRequest")
        thread, messages = self._new_thread(given.get("thread") or {})
        question = question_of([data for _, data in messages])
        return self._start(given, thread["id"], question, [Event("thread.created", thread), *messages], "")

    def _start(self, given: Json, thread_id: str, question: str, before: list[Event], query: str) -> Written:
        asks_for_content = wants_content(parameters_of(query))
        answering = json.loads(self._store.row("assistants", given["assistant_id"]).json)
        run = run_of(given, answering, self._new_id("run"), thread_id, self._now(), question)
        events = (*before, Event("thread.run.created", run), Event("thread.run.queued", run))
        scene = Scene(run, question)
        self.happen(scene, events)
        return Written(run, scene, events, given.get("stream") is True, asks_for_content)

    def _modify_run(self, thread_id: str, run_id: str, *, query: str, body: bytes) -> Written:
        given = read_body(body, "ModifyRunRequest")
        scene = self._scene(thread_id, run_id)
        if "metadata" in given:
            changed = (Event("", scene.run | {"metadata": given["metadata"] or {}}),)
            self._store.add(runs=[changed[0].data])
            scene.take(changed)
        return Written(scene.run)

    def _cancel_run(self, thread_id: str, run_id: str, *, query: str, body: bytes) -> Written:
        scene = self._scene(thread_id, run_id)
        if scene.status not in ("queued", "in_progress", "requires_action"):
            message = f"Run {run_id!r} is {scene.status!r}: only one that is queued, in progress or waits is cancelled."
            raise RefusedError(400, message)
        events = Assistant(scene, self._clock, self._new_id).cancel()
        self.happen(scene, events)
        return Written(scene.run, scene, events)

    def _submit(self, thread_id: str, run_id: str, *, query: str, body: bytes) -> Written:
        given = read_body(body, "SubmitToolOutputsRunRequest")
        scene = self._scene(thread_id, run_id)
        answers = _answers(scene, given)
        events = Assistant(scene, self._clock, self._new_id).answer(answers)
        self.happen(scene, events)
        return Written(scene.run, scene, events, given.get("stream") is True)

    # What there is

    def _now(self) -> int:
        return int(self._clock())

    def _require_rest(self, thread_id: str, what: str) -> None:
        """That a thread is there, and no run of it in the assistant's hands."""
        self._store.row("threads", thread_id)
        for run_id, scene in self.scenes.items():
            if scene.run["thread_id"] == thread_id:
                message = f"Run {run_id!r} of this thread is {scene.status!r}: {what} once it has ended."
                raise RefusedError(400, message)

    def _question(self, thread_id: str, until: float | None = None) -> str:
        """What the thread's user said last, up to a time."""
        rows = self._store.rows(
            "SELECT json FROM messages WHERE thread_id = ? AND (? IS NULL OR created_at <= ?)"
            " AND CASE WHEN json_valid(json) THEN json_extract(json, '$.role') END = 'user'"
            " ORDER BY created_at DESC, seq DESC LIMIT 1",
            *(thread_id, until, until),
        )
        return question_of([json.loads(text) for (text,) in rows])

    def _scene(self, thread_id: str, run_id: str) -> Scene:
        """A run with what belongs to it. Raises NotStoredError."""
        run = json.loads(self._store.row("runs", thread_id, run_id).json)
        if run_id in self.scenes:
            return self.scenes[run_id]
        whole = run_parts(run_id, 0, {}, thread_id) | run  # a run that was added from elsewhere may lack keys
        scene = Scene(whole, self._question(thread_id, run.get("created_at")))
        steps = self._store.rows(
            "SELECT json FROM steps WHERE thread_id = ? AND run_id = ? ORDER BY created_at, seq", thread_id, run_id
        )
        messages = self._store.rows("SELECT json FROM messages WHERE thread_id = ? AND run_id = ?", thread_id, run_id)
        scene.take(Event("", json.loads(text)) for (text,) in [*steps, *messages])
        return scene


def _answers(scene: Scene, given: Json) -> dict[str, Any]:
    """What a request answers, by the calls' ids. Raises RefusedError where the run does not wait for just that."""
    run_id = scene.run["id"]
    calls = awaited(scene.run)
    if not calls:
        raise RefusedError(400, f"Run {run_id!r} is {scene.status!r} and waits for no answer.")
    name, value = ("tool_approvals", "approve") if calls[0]["type"] == "mcp" else ("tool_outputs", "output")
    items = given.get(name) or []
    ids = [item.get("tool_call_id") for item in items]
    wanted = [call["id"] for call in calls]
    if sorted(map(str, ids)) != sorted(wanted):
        message = f"Run {run_id!r} waits for {', '.join(wanted)} in {name}, each once and all at once."
        raise RefusedError(400, message, param=name)
    return {item["tool_call_id"]: item.get(value, "") for item in items}


_OPERATIONS: dict[tuple[tuple[str, ...], bool], Callable[..., Written]] = {
    (("threads",), True): Writing._create_thread,
    (("threads", "messages"), True): Writing._create_message,
    (("threads", "runs"), True): Writing._create_run,
    (("threads", "runs"), False): Writing._modify_run,
    (("threads", "runs", "cancel"), True): Writing._cancel_run,
    (("threads", "runs", "submit_tool_outputs"), True): Writing._submit,
}
"""By the words of the path, and whether it ends with one."""
