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
        self._bom = BOM  # of the first line
        self._after_cr = False
        self._line, self._data = bytearray(), bytearray()
        self._name, self._size = b"", 0

    def feed(self, chunk: bytes) -> Iterator[RawEvent]:
        """Gives the events that a chunk completes; whoever stops half way through them feeds no more.

        Raises:
            APIResponseError: an event is larger than the limit.
        """
        for piece in chunk.splitlines(keepends=True):
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
                yield RawEvent(self._name, bytes(self._data[:-1]) if self._data else None)
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
