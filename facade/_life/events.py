"""Reads an event stream (`text/event-stream`), without I/O: bytes in, events out, however they are cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from facade.errors import APIResponseError

BOM = b"\xef\xbb\xbf"


class RawEvent(NamedTuple):
    """An event as it was sent.

    Attributes:
        name: what its last `event` line says; empty without one
        data: its `data` lines, joined by line feeds; None without one: such an event the standard passes over
    """

    name: bytes
    data: bytes | None


class EventParser:
    """Takes a stream's bytes as they come. A line ends with CR, LF or CRLF; an event that never ends is never given.

    It holds one event's lines at most, comments not counted, and looks at each byte once.

    Args:
        max_bytes: how many bytes an event's lines may have
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._head: bytes | None = b""  # the first bytes, until it shows whether they are a byte order mark
        self._after_cr = False
        self._line = bytearray()
        self._in_comment = False
        self._begin_event()

    def _begin_event(self) -> None:
        self._size = 0
        self._name = b""
        self._data: bytearray | None = None

    def feed(self, chunk: bytes) -> Iterator[RawEvent]:
        """Gives the events that a chunk completes; whoever stops half way through them feeds no more.

        Raises:
            APIResponseError: an event is larger than the limit.
        """
        if self._head is not None:
            self._head += chunk
            if BOM.startswith(self._head):
                return
            chunk, self._head = self._head.removeprefix(BOM), None
        if not chunk:
            return
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        for piece in chunk.splitlines(keepends=True):
            self._in_comment = self._in_comment or (not self._line and piece.startswith(b":"))
            if not self._in_comment:
                self._size += len(piece)
                if self._size > self._max_bytes:
                    raise APIResponseError(
                        f"an event of the stream is larger than max_response_bytes={self._max_bytes}; allow more"
                    )
                self._line += piece
            if piece.endswith((b"\r", b"\n")):
                if not self._in_comment and (event := self._end_line()) is not None:
                    yield event
                self._in_comment = False

    def _end_line(self) -> RawEvent | None:
        """Reads the line that has ended; gives the event where it is the empty line behind one."""
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value
        elif field == b"data":
            if self._data is None:
                self._data = bytearray(value)
            else:
                self._data += b"\n" + value
        elif not line:
            event = RawEvent(self._name, None if self._data is None else bytes(self._data))
            self._begin_event()
            return event if event.name or event.data is not None else None
        return None
