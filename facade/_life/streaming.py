"""Reads a run's event stream, without I/O: what each event is, what it adds, and when the stream is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from facade._answers import Decoder, parse
from facade._arguments import RunKey
from facade._auth import Redact
from facade._exchange import one_line
from facade._life.events import EventParser
from facade._life.gathering import Gathering
from facade._life.waiting import ENDED
from facade.errors import APIResponseError, StreamError

AT_REST = (*ENDED, "requires_action")
"""The statuses of a run at which its stream is over."""


class Event(NamedTuple):
    """One event of a run's stream.

    Attributes:
        event: its name, such as `thread.message.delta`; `message` where it has none
        data: a `Run`, `RunStep`, `Message` or a delta of one, by the name; else the JSON value, else the text
    """

    event: str
    data: Any


class StreamReader:
    """Takes a stream's bytes as they come, and gathers what they tell.

    Args:
        max_bytes: how large one event may be, and how much the steps and messages may hold
        key: the run, where it is known

    Attributes:
        gathering: the run, steps and messages as told so far
        is_over: whether the run is at rest, or the server has said that it is done
    """

    def __init__(self, max_bytes: int, key: RunKey | None = None) -> None:
        self.gathering = Gathering(max_bytes, key)
        self.is_over = False
        self._parser = EventParser(max_bytes)

    def begin(self, headers: Mapping[str, str], redact: Redact) -> None:
        """Says what the answer's head says, and what blanks secrets in a text that the server wrote."""
        self._decoder = Decoder(headers.get("content-encoding") or "identity")
        self._redact = redact

    def feed(self, chunk: bytes) -> Iterator[tuple[Event, tuple[str, ...]]]:
        """Gives the events that a chunk completes, each with the pieces of text that it adds; none once it is over.

        Raises:
            StreamError: at an `error` event.
            APIResponseError: there is more than may be held.
        """
        for raw in (raw for piece in self._decoder.pieces(chunk) for raw in self._parser.feed(piece)):
            name = raw.name.decode("utf-8", "replace") or "message"
            if name == "error":
                raise self._error(raw.data or b"")
            self.is_over = name == "done" or (raw.data or b"").strip() == b"[DONE]"
            if self.is_over:
                return
            if raw.data is None:
                continue
            data, texts = self.gathering.take(name, _read(raw.data), len(raw.data))
            self.is_over = name.startswith("thread.run.") and (
                name.removeprefix("thread.run.") in AT_REST or (data is self.gathering.run and data.status in AT_REST)
            )
            yield Event(name, data), texts
            if self.is_over:
                return

    def _error(self, data: bytes) -> StreamError:
        """The error of an `error` event, by its data."""
        said = _read(data)
        said = said.get("error") or said if isinstance(said, dict) else said
        fields = said if isinstance(said, dict) else {"message": said if isinstance(said, str) else json.dumps(said)}
        texts = {
            name: self._redact(str(value))
            for name in ("message", "code", "type", "param")
            if (value := fields.get(name)) is not None and not isinstance(value, (dict, list))
        }
        error = StreamError(one_line(texts.pop("message", "")) or "the stream says `error`, and not why")
        vars(error).update(texts, run=self.gathering.run)
        return error


def _read(data: bytes) -> Any:
    """An event's JSON value; its text where it is none."""
    try:
        return parse(data)
    except APIResponseError:
        return data.decode("utf-8", "replace")
