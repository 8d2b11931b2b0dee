# Derived by scripts/unasync.py from facade/_async/streams.py: change that one.
"""A run's event stream, as it is read."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from facade import _operations
from facade._arguments import RunKey
from facade._exchange import Ask, Call, Deadline, logger
from facade._life.gathering import AT_REST, MESSAGE, RUN, STEP, Gathering
from facade._life.streaming import Event, EventParser, gathered
from facade._life.waiting import Wait, waiting
from facade._options import LimitOptions
from facade.errors import APIConnectionError, APIError, StreamCutError
from openai_thread_runs_api import models

if TYPE_CHECKING:
    from facade._sync.lifecycle import RunLife


class RunStream(Iterator[Event]):
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
        self, runs: RunLife, method: str, call: Call[Any], options: LimitOptions, run: RunKey | None = None
    ) -> None:
        limits = runs._limits(method, options)
        self._runs, self._settings = runs, runs._settings._replace(limits=limits)
        self._ask = Ask(_operations.as_stream(call), limits, Deadline(limits.deadline_sec))
        self._gathering = Gathering(self._settings.max_response_bytes, run)
        self._opened: Any = None
        self._failure: APIError | None = None
        self._has_begun = self._is_reading = self._is_closed = False
        # They hold the stream weakly: one that nobody holds any more lets go of its connection at once.
        self._events: Any = type(self)._told(weakref.proxy(self))

    @property
    def run(self) -> models.RunObject | None:
        """The run as told last; None before it was."""
        return self._gathering.run

    @property
    def steps(self) -> list[models.RunStepObject]:
        """The steps as gathered so far, in order of first appearance."""
        return self._gathering.all(STEP)

    @property
    def messages(self) -> list[models.MessageObject]:
        """The messages as gathered so far, in order of first appearance."""
        return self._gathering.all(MESSAGE)

    def __next__(self) -> Event:
        self._begin()
        return self._advance()

    def text(self) -> Iterator[str]:
        """The pieces of text that the assistant writes, as they come; whatever else comes is gathered."""
        for _ in self:
            for text in self._gathering.texts:
                yield text

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            with contextlib.suppress(StopIteration):
                self._advance()

    def _advance(self) -> Event:
        if self._is_reading:
            raise RuntimeError("this stream is being read already; one thread or task at a time can read it")
        self._is_reading = True
        try:
            event: Event = next(self._events)
            if not self._is_closed:
                return event
            self._events.close()
        except APIError as error:
            if not self._is_closed:
                self._failure = error
                raise
        finally:
            self._is_reading = False
        raise StopIteration  # closed from elsewhere, which ended the wait for the next event

    def result(self) -> models.RunObject:
        """Reads to the end; what the stream does not tell is read afterwards.

        Returns:
            The run at rest, or waiting for an answer. Where the stream was cut or closed before that, the run is
            followed by polling, and its steps and messages are read (a warning in the log says where they cannot be);
            where the server said `done` before that, the run is followed.

        Raises:
            APIError: as iterating does, but for StreamCutError: that only where no run was told.
        """
        with contextlib.suppress(StreamCutError):
            for _ in self:
                pass
        if self._failure is not None and not (isinstance(self._failure, StreamCutError) and self._gathering.key):
            raise self._failure
        if self.run is not None and self.run.status in AT_REST:
            return self.run
        return self._read_lost(is_told=self._gathering.is_over)

    def close(self) -> None:
        """Lets go of the connection; the run goes on. Where another thread or task is reading, that ends."""
        self._is_closed = True
        if self._opened is not None:
            self._opened.abort()
        with contextlib.suppress(RuntimeError, ValueError):  # it is being read: whoever does that lets go
            self._events.close()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(run={self.run and self.run.id!r}, status={self.run and self.run.status!r})"

    def _told(self) -> Iterator[Event]:
        """The events; first of all, once an answer has begun, one that is none."""
        with self._ask.deadline:
            answer = self._runs._pool.run(self._ask, self._settings)
        if isinstance(answer, models.RunObject):
            yield Event("", None)
            for event in self._polled(answer):
                yield event
            return
        self._opened = answer
        try:
            encoding = answer.headers.get("content-encoding", "")
            parser = EventParser(self._settings.max_response_bytes, encoding)
            yield Event("", None)
            while not self._gathering.is_over:
                with self._ask.deadline:
                    if (chunk := answer.read()) is None:
                        raise APIConnectionError("the stream ended")
                for event in gathered(parser.feed(chunk), self._gathering, answer.redact):
                    yield event
        except APIError as error:
            if type(error) is APIConnectionError and not self._runs._pool.is_closed:
                error = StreamCutError(f"{error.message}, before the run was at rest; result() follows it")
            raise self._about(error) from None
        finally:
            answer.close()

    def _polled(self, run: models.RunObject) -> Iterator[Event]:
        """The events of a run whose server gives no stream."""
        first = self._take(RUN, run)
        if not self._gathering.is_over:
            yield first
        self._read_lost()
        items = [(kind, item) for kind in (STEP, MESSAGE) for item in self._gathering.all(kind)]
        for kind, item in (*items, (RUN, self.run)):
            yield self._take(kind, item)
        self._gathering.is_over = True

    def _take(self, kind: str, item: Any) -> Event:
        name = f"{kind}.{'completed' if kind == MESSAGE else item.status}"  # the run is at rest, and so are they
        return Event(name, self._gathering.take(name, item._json))

    def _read_lost(self, is_told: bool = False) -> models.RunObject:
        """Follows the run by polling; reads its steps and messages where the stream has not told all of them."""
        from facade._sync.resources import Messages, Steps

        if (key := self._gathering.key) is None:
            raise self._about(StreamCutError("the stream is over, and has not told its run"))
        run = self._runs._carry_out(waiting(Wait(key, self._ask.limits, self._ask.deadline)))
        self._gathering.run = run
        if is_told:
            return run
        options: LimitOptions = {"deadline_sec": max(self._ask.deadline.remaining_sec(), 0.001)}
        steps = Steps(self._runs._pool, self._settings).all(key._asdict(), **options)
        messages = Messages(self._runs._pool, self._settings).all(key.thread_id, run_id=key.run_id, **options)
        try:
            self._gathering.put(STEP, [step for step in steps])
            own = [each for each in messages if each.run_id in (None, key.run_id) and each.role != "user"]
            self._gathering.put(MESSAGE, own)
        except APIError as error:
            logger.warning("what the stream of %s did not tell cannot be read: %s", key.run_id, error)
        return run

    def _about(self, error: APIError) -> APIError:
        """An error that says which request and which run it is about."""
        self._ask.call.about(error)
        error.run = self._gathering.run
        return error
