"""The scripted assistant in an event loop: each run that it has in hand is a task, and may be watched as a stream."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from uuid import uuid4

from facade._exchange import Clock, Pause
from facade.archive._answering import CONTENT_PATH, Answer, RefusedError, patiently, refusal, split
from facade.archive._cutting import cut, find_cuts
from facade.archive._errors import NotStoredError
from facade.archive._store import Store
from facade.server._assistant import Assistant, NewId
from facade.server._pausing import first
from facade.server._scene import AT_WORK, ENDED, Event, Scene
from facade.server._writing import Writing, Written

_log = logging.getLogger("facade.server")

_POLL_HINT = {"openai-poll-after-ms": "100"}

_Listener = asyncio.Queue[Event | None]

_STOPPED = {"code": "server_error", "message": "The server was stopped while the run was under way."}
_BROKEN = {"code": "server_error", "message": "The assistant failed: look into the server's log."}


def new_id(kind: str) -> str:
    """An id that nothing else has."""
    return f"{kind}_{uuid4().hex[:24]}"


class Performer:
    """Carries out what requests ask for, and lets runs go on.

    Args:
        store: the archive, held for writing
        clock: gives the Unix time in seconds
        new_id: makes ids

    Raises what `Writing.open` does.
    """

    def __init__(self, store: Store, clock: Clock = time.time, new_id: NewId = new_id) -> None:
        self._writing = Writing(store, clock, new_id)
        self._writing.open()
        self._left = list(self._writing.scenes.values())
        self._clock = clock
        self._new_id = new_id
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: dict[str, list[_Listener]] = {}

    async def answer(self, path: str, query: str, body: bytes) -> Answer | AsyncIterator[bytes] | None:
        """The answer to a POST: whole, or a stream of events; None where nothing is written at that path."""
        self.begin()  # a server that mounts the application may leave out its start
        operation = self._writing.operation(path)
        if operation is None:
            return None
        try:
            written: Written | Answer = await first(patiently(partial(operation, query=query, body=body)))
        except (RefusedError, NotStoredError) as error:
            return refusal(error)
        if isinstance(written, Answer):
            return written
        return self._answer(written)

    def headers(self, path: str) -> Mapping[str, str]:
        """What the answer to a GET says in its headers: when to ask again, of a run at work."""
        for words, ids, is_list in split(path):
            if words == ("threads", "runs") and not is_list:
                return _hint(self._writing.scenes.get(ids[-1]))
        return {}

    def begin(self) -> None:
        """Take up the runs that were in hand when the last server ended. Does nothing when called again."""
        while self._left:
            scene = self._left.pop()
            self._follow(scene, is_stopped=scene.status in ("queued", "in_progress"))

    async def stop(self) -> None:
        """Let all runs be, as they stand."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answer(self, written: Written) -> Answer | AsyncIterator[bytes]:
        events = None
        if written.scene is not None:
            if written.is_stream:
                listener = _Listener()
                self._listeners.setdefault(written.scene.run["id"], []).append(listener)
                events = self._streamed(listener, written)
            self._publish(written.scene, written.events)
            self._follow(written.scene)
        return events or Answer(200, json.dumps(written.result).encode(), _hint(written.scene))

    async def _streamed(self, listener: _Listener, written: Written) -> AsyncIterator[bytes]:
        while (event := await listener.get()) is not None:
            data = json.dumps(event.data).encode()
            if not written.wants_content:
                data = cut(data, find_cuts(data, CONTENT_PATH))
            yield b"event: %b\ndata: %b\n\n" % (event.name.encode(), data)
            if event.name == "error":
                return
        yield b"event: done\ndata: [DONE]\n\n"

    def _publish(self, scene: Scene, events: Iterable[Event]) -> None:
        for listener in self._listeners.get(scene.run["id"], ()):
            for event in events:
                if event.name:
                    listener.put_nowait(event)

    def _hush(self, scene: Scene) -> None:
        """End the streams of a run."""
        for listener in self._listeners.pop(scene.run["id"], ()):
            listener.put_nowait(None)

    # Runs

    def _follow(self, scene: Scene, *, is_stopped: bool = False) -> None:
        """Let a run go on from where it stands, in place of what went on with it before."""
        run_id = scene.run["id"]
        if run_id in self._tasks:
            self._tasks[run_id].cancel()
        task = self._tasks[run_id] = asyncio.create_task(self._perform(scene, is_stopped))
        task.add_done_callback(partial(self._forget, run_id))

    def _forget(self, run_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(run_id) is task:
            del self._tasks[run_id]

    async def _perform(self, scene: Scene, is_stopped: bool) -> None:
        assistant = Assistant(scene, self._clock, self._new_id)
        try:
            if is_stopped:
                await self._happen(scene, assistant.end("failed", last_error=_STOPPED))
            else:
                await self._work(scene, assistant)
        except Exception as error:
            run_id = scene.run["id"]
            _log.error("run %s cannot go on: %s: %s", run_id, type(error).__name__, error)
            try:
                await self._happen(scene, assistant.end("failed", last_error=_BROKEN))
            except Exception:
                self._writing.scenes.pop(run_id, None)
                self._publish(scene, [Event("error", _BROKEN | {"type": "server_error", "param": None})])
        self._hush(scene)

    async def _work(self, scene: Scene, assistant: Assistant) -> None:
        try:
            async with asyncio.timeout(scene.run["expires_at"] - self._clock()):
                for act in assistant.work():
                    if isinstance(act, Pause):
                        await asyncio.sleep(act.sec)
                    else:
                        await self._happen(scene, act)
                self._hush(scene)
                if scene.status not in ENDED:
                    await asyncio.Event().wait()  # an answer or a cancel puts another task in place of this one
        except TimeoutError:
            await self._happen(scene, assistant.end("expired"))

    async def _happen(self, scene: Scene, events: tuple[Event, ...]) -> None:
        found = await first(patiently(partial(self._writing.happen, scene, events)))
        if isinstance(found, Answer):
            raise OSError("another process holds the file")
        self._publish(scene, events)


def _hint(scene: Scene | None) -> Mapping[str, str]:
    return _POLL_HINT if scene is not None and scene.status in AT_WORK else {}
