"""A run's event stream, as it is read."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self

from facade import _operations
from facade._arguments import RunKey, run_key
from facade._exchange import Call, Deadline
from facade._life.gathering import MESSAGE, STEP
from facade._life.streaming import AT_REST, Event, StreamReader
from facade._life.waiting import Wait, waiting
from facade._options import LimitOptions, Limits
from facade.errors import APIConnectionError, APIError, StreamCutError
from openai_thread_runs_api import models

if TYPE_CHECKING:
    from facade._async.lifecycle import AsyncRunLife

logger = logging.getLogger("facade")

Told = tuple[Event, tuple[str, ...]]


class AsyncRunStream(AsyncIterator[Event]):
    """Iterates over a run's events (`Event`) as they come.

    A context manager; leaving it, closing it and its end let go of the connection, and none of these cancels the run.
    The request goes out on entering it or with the first event. It is over once the run is at rest or waits for an
    answer, or the server says `done`. Where a server gives no stream, the run is followed by polling, and the events
    are the run as started, its steps and messages, and the run at rest.

    Iterating raises StreamError where the server says that something went wrong, StreamCutError where the stream ends
    before the run is at rest (`result` goes on), APITimeoutError where `timeout_sec` passes without a byte or
    `deadline_sec` in all, and what the method that gave the stream raises.
    """

    def __init__(
        self, runs: AsyncRunLife, method: str, call: Call[Any], options: LimitOptions, run: RunKey | None = None
    ) -> None:
        self._source = AsyncEventSource(runs, call, runs._limits(method, options), run)
        self._failure: APIError | None = None
        self._has_begun = self._is_reading = self._is_closed = False
        self._events: Any = self._source.events()
        self._texts: tuple[str, ...] = ()

    @property
    def run(self) -> models.RunObject | None:
        """The run as told last; None before it was."""
        run: models.RunObject | None = self._source.reader.gathering.run
        return run

    @property
    def steps(self) -> list[models.RunStepObject]:
        """The steps as gathered so far, in order of first appearance."""
        return self._source.reader.gathering.all(STEP)

    @property
    def messages(self) -> list[models.MessageObject]:
        """The messages as gathered so far, in order of first appearance."""
        return self._source.reader.gathering.all(MESSAGE)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._begin()
        event, self._texts = await self._advance()
        return event

    async def text(self) -> AsyncIterator[str]:
        """The pieces of text that the assistant writes, as they come; whatever else comes is gathered."""
        async for _ in self:
            for text in self._texts:
                yield text

    async def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            with contextlib.suppress(StopAsyncIteration):
                await self._advance()

    async def _advance(self) -> Told:
        if self._is_reading:
            raise RuntimeError("this stream is being read already; one thread or task at a time can read it")
        self._is_reading = True
        try:
            told: Told = await anext(self._events)
            if not self._is_closed:
                return told
            await self._events.aclose()
        except APIError as error:
            if not self._is_closed:
                self._failure = error
                raise
        finally:
            self._is_reading = False
        raise StopAsyncIteration  # closed from elsewhere, which ended the wait for the next event

    async def result(self) -> models.RunObject:
        """Reads to the end; what the stream does not tell is read afterwards.

        Returns:
            The run at rest, or waiting for an answer. Where the stream was cut or closed before that, the run is
            followed by polling, and its steps and messages are read (a warning in the log says where they cannot be);
            where the server said `done` before that, the run is followed.

        Raises:
            APIError: as iterating does, but for StreamCutError: that only where no run was told.
        """
        with contextlib.suppress(StreamCutError):
            async for _ in self:
                pass
        if self._failure is not None and not isinstance(self._failure, StreamCutError):
            raise self._failure
        if self.run is not None and self.run.status in AT_REST:
            return self.run
        if (key := self._source.reader.gathering.key) is None:
            raise self._failure or StreamCutError("the stream is over, and has not told its run")
        return await self._source.read_lost(key)

    async def aclose(self) -> None:
        """Lets go of the connection; the run goes on. Where another thread or task is reading, that ends."""
        self._is_closed = True
        if self._source.opened is not None:
            self._source.opened.abort()
        with contextlib.suppress(RuntimeError, ValueError):  # it is being read: whoever does that lets go
            await self._events.aclose()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(run={self.run and self.run.id!r}, status={self.run and self.run.status!r})"


class AsyncEventSource:
    """Where a stream's events come from; apart from the stream, so that one that nobody holds any more is let go."""

    def __init__(self, runs: AsyncRunLife, call: Call[Any], limits: Limits, run: RunKey | None) -> None:
        self._runs, self._call, self._limits = runs, call, limits
        self._deadline = Deadline(limits.deadline_sec)
        self.reader = StreamReader(runs._settings.max_response_bytes, run)
        self.opened: Any = None

    async def events(self) -> AsyncIterator[Told]:
        """The events; first of all, once an answer has begun, one that is none."""
        call, pool = _operations.as_stream(self._call), self._runs._pool
        with self._deadline:
            answer = await pool.run(call, self._runs._settings, self._limits, self._deadline)
        if not hasattr(answer, "redact"):  # the run itself
            yield Event("", None), ()
            async for told in self._polled(answer):
                yield told
            return
        self.opened, problem = answer, None
        try:
            self.reader.begin(answer.headers, answer.redact)
            yield Event("", None), ()
            while not self.reader.is_over:
                with self._deadline:
                    if (chunk := await answer.read()) is None:
                        raise APIConnectionError("the stream ended")
                for told in self.reader.feed(chunk):
                    yield told
        except APIError as error:
            problem = error
        finally:
            await answer.aclose()
        if problem is not None:
            if type(problem) is APIConnectionError and not pool.is_closed:
                problem = StreamCutError(f"{problem.message}, before the run was at rest; result() follows it")
                problem.run = self.reader.gathering.run
            call.about(problem)
            raise problem

    async def _polled(self, run: models.RunObject) -> AsyncIterator[Told]:
        """The events of a run whose server gives no stream."""
        if run.status not in AT_REST:
            yield self._told("thread.run", run)
        run = await self.read_lost(run_key(run))
        gathering = self.reader.gathering
        for kind, items in ((STEP, gathering.all(STEP)), (MESSAGE, gathering.all(MESSAGE)), ("thread.run", [run])):
            for item in items:
                yield self._told(kind, item)
        self.reader.is_over = True

    def _told(self, kind: str, item: Any) -> Told:
        name = f"{kind}.{'completed' if kind == MESSAGE else item.status}"  # the run is at rest, and so are they
        data, texts = self.reader.gathering.take(name, item._json, 0)
        return Event(name, data), texts

    async def read_lost(self, key: RunKey) -> models.RunObject:
        """Follows the run by polling; reads its steps and messages where the stream has not told all."""
        from facade._async.resources import AsyncMessages, AsyncSteps

        gathering, pool = self.reader.gathering, self._runs._pool
        run = gathering.run = await self._runs._carry_out(waiting(Wait(key, self._limits, self._deadline)))
        if self.reader.is_over:
            return run
        limits = self._limits
        if limits.deadline_sec is not None:
            limits = limits._replace(deadline_sec=max(self._deadline.remaining_sec(), 0.001))
        settings = self._runs._settings._replace(limits=limits)
        try:
            steps = AsyncSteps(pool, settings).all(key._asdict())
            gathering.put(STEP, [step async for step in steps])
            messages = AsyncMessages(pool, settings).all(key.thread_id, run_id=key.run_id)
            gathering.put(
                MESSAGE, [each async for each in messages if each.run_id in (None, key.run_id) and each.role != "user"]
            )
        except APIError as error:
            logger.warning("what the stream of %s did not tell cannot be read: %s", key.run_id, error)
        return run
