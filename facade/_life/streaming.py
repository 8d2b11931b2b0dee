"""Reads a run's event stream, without I/O: what each event is, and what ends the stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from facade._answers import Decoder, parse
from facade._auth import Redact
from facade._exchange import one_line
from facade._life.events import EventParser
from facade._life.gathering import Gathering
from facade.errors import APIResponseError, StreamError


class Event(NamedTuple):
    """One event of a run's stream.

    Attributes:
        event: its name, such as `thread.message.delta`; `message` where it has none
        data: a `Run`, `RunStep`, `Message` or a delta of one, by the name; else the JSON value, else the text
    """

    event: str
    data: Any


class StreamReader:
    """Takes a stream's bytes as they come.

    Args:
        gathering: takes what they tell
        max_bytes: how large one event may be
        headers: of the answer
        redact: blanks secrets in a text that the server wrote
    """

    def __init__(self, gathering: Gathering, max_bytes: int, headers: Mapping[str, str], redact: Redact) -> None:
        self._gathering, self._redact = gathering, redact
        self._decoder = Decoder(headers.get("content-encoding", ""))
        self._parser = EventParser(max_bytes)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Gives the events that a chunk completes, each as soon as it is gathered; none once the stream is over.

        Raises:
            StreamError: at an `error` event.
            APIResponseError: there is more than may be held.
        """
        for raw in (raw for piece in self._decoder.pieces(chunk) for raw in self._parser.feed(piece)):
            name, data = raw.name.decode("utf-8", "replace") or "message", raw.data or b""
            if name == "error":
                raise self._error(data)
            if name == "done" or data.strip() == b"[DONE]":
                self._gathering.is_over = True
            elif raw.data is not None:
                yield Event(name, self._gathering.take(name, _read(data), len(data)))
            if self._gathering.is_over:
                return

    def _error(self, data: bytes) -> StreamError:
        """The error of an `error` event, by its data."""
        said = _read(data)
        said = said.get("error") or said if isinstance(said, dict) else said
        fields = said if isinstance(said, dict) else {"message": said if isinstance(said, str) else json.dumps(said)}
        names = [name for name in ("message", "code", "type", "param") if isinstance(fields.get(name), (str, int))]
        texts = {name: self._redact(str(fields[name])) for name in names}
        error = StreamError(one_line(texts.pop("message", "")) or "the stream says `error`, and not why")
        vars(error).update(texts)
        return error


def _read(data: bytes) -> Any:
    """An event's JSON value; its text where it is none."""
    try:
        return parse(data)
    except APIResponseError:
        return data.decode("utf-8", "replace")
