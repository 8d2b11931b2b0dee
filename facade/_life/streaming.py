"""Reads a run's event stream (`text/event-stream`), without I/O: its lines, what each event is, and what ends it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from facade._answers import Decoder, parse
from facade._auth import Redact
from facade._exchange import one_line
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


class EventParser:
    """Takes a stream's bytes as they come. A line ends with CR, LF or CRLF; an event that never ends is never given.

    It holds one event's lines at most, comments not counted, and looks at each byte once.

    Args:
        max_bytes: how many bytes an event's lines may have
        encoding: the header `content-encoding`
    """

    def __init__(self, max_bytes: int, encoding: str = "") -> None:
        self._max_bytes, self._decoder = max_bytes, Decoder(encoding)
        self._bom = b"\xef\xbb\xbf"  # which may begin the first line
        self._after_cr = False
        self._line, self._data = bytearray(), bytearray()
        self._name, self._size = b"", 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Gives the events that a chunk completes; whoever stops half way through them feeds no more.

        An event's data is its `data` lines as they were sent, joined by line feeds; None without one: such an event
        the standard passes over.

        Raises:
            APIResponseError: an event is larger than the limit, or the encoding is broken.
        """
        pieces = (piece for decoded in self._decoder.pieces(chunk) for piece in decoded.splitlines(keepends=True))
        for piece in pieces:
            is_rest: bool = self._after_cr and piece == b"\n"  # of a CRLF that was cut
            self._after_cr = piece.endswith(b"\r")
            if is_rest:
                continue
            self._line += piece
            if self._line.startswith((b":", self._bom + b":")):
                self._line[:] = b":"  # all that is held of a comment
            else:
                self._size += len(piece)
            if self._size > self._max_bytes:
                raise APIResponseError(
                    f"an event of the stream is larger than max_response_bytes={self._max_bytes}; allow more"
                )
            if piece.endswith((b"\r", b"\n")) and not self._end_line():
                name = self._name.decode("utf-8", "replace") or "message"
                yield Event(name, bytes(self._data[:-1]) if self._data else None)
                self._name, self._size, self._data = b"", 0, bytearray()

    def _end_line(self) -> bytes:
        """Reads the line that has ended, and gives it; the empty one ends the event."""
        line = bytes(self._line).rstrip(b"\r\n").removeprefix(self._bom)
        self._line.clear()
        self._bom = b""
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value
        elif field == b"data":
            self._data += value + b"\n"
        return line


def gathered(events: Iterable[Event], gathering: Gathering, redact: Redact) -> Iterator[Event]:
    """The events of a run, each as soon as it is gathered; none once the stream is over.

    Args:
        events: with their data as it was sent
        gathering: takes what they tell
        redact: blanks secrets in a text that the server wrote

    Raises:
        StreamError: at an `error` event.
        APIResponseError: the steps and messages are more than may be held.
    """
    for name, data in events:
        if name == "error":
            raise _error(data or b"", redact)
        if name == "done" or (data or b"").strip() == b"[DONE]":
            gathering.is_over = True
        elif data is not None:
            yield Event(name, gathering.take(name, _read(data), len(data)))
        if gathering.is_over:
            return


def _error(data: bytes, redact: Redact) -> StreamError:
    """The error of an `error` event, by its data."""
    said = _read(data)
    said = said.get("error") or said if isinstance(said, dict) else said
    fields = said if isinstance(said, dict) else {"message": said if isinstance(said, str) else json.dumps(said)}
    names = [name for name in ("message", "code", "type", "param") if isinstance(fields.get(name), (str, int, float))]
    texts = {name: redact(str(fields[name])) for name in names}
    error = StreamError(one_line(texts.pop("message", "")) or "the stream says `error`, and not why")
    vars(error).update(texts)
    return error


def _read(data: bytes) -> Any:
    """An event's JSON value; its text where it is none."""
    try:
        return parse(data)
    except APIResponseError:
        return data.decode("utf-8", "replace")
