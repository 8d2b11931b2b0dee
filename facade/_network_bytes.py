"""Notices bytes behind an answer's end, which a client would otherwise take for the next answer's begin."""

from __future__ import annotations

import math
import re

_END = re.compile(rb"\n\r?\n")
"""What ends an answer's head, also for h11, which httpcore reads it with."""

_SIZE = re.compile(rb"[0-9a-fA-F]+")
"""How long a chunk is."""


class Incoming:
    """The bytes that come on one connection, handed on no further than to where an answer's head and its body end.

    What is left then came behind it. A body is handed on as it comes, its end known from its length or its chunks.
    """

    def __init__(self) -> None:
        self.pending = b""
        self.answer_begins()

    def answer_begins(self) -> None:
        """A request is sent: what comes next is the head of its answer."""
        self._before = b""
        self._chunks: _Chunks | None = None
        self._left: float | None = None

    def body_begins(self, headers: list[tuple[bytes, bytes]]) -> None:
        """An answer's head has been read."""
        self._left = math.inf  # until the connection ends, where nothing is said
        for name, value in headers:
            if name.lower() == b"content-length" and value.isdigit():
                self._left = int(value)
            elif name.lower() == b"transfer-encoding":
                self._chunks = _Chunks()

    def hand_over(self, data: bytes) -> bytes:
        """What of the bytes that came, `pending` or anew, belongs to the head or the body; the rest is `pending`."""
        if self._left is None:
            seen = self._before + data  # the end of a head, or of an interim answer, may have begun in the piece before
            end = _END.search(seen)
            cut = end.end() - len(self._before) if end else len(data)
            self._before = b"" if end else seen[-2:]
        elif self._chunks is not None:
            cut = self._chunks.follow(data)
        else:
            cut = int(min(self._left, len(data)))
            self._left -= cut
        if not cut:  # more is read than there should be
            cut, self._left = len(data), None
        piece, self.pending = data[:cut], data[cut:]
        return piece

    @property
    def is_at_end(self) -> bool:
        """Whether the answer is over and nothing came behind it; then another may begin."""
        if self.pending or self._left is None:
            return False
        return self._chunks.are_over if self._chunks is not None else self._left in (0, math.inf)


class _Chunks:
    """Follows the chunks of a body to their end."""

    def __init__(self) -> None:
        self.are_over = self._is_last = False
        self._left: float = 0
        self._line = b""

    def follow(self, data: bytes) -> int:
        """How many of these bytes belong to the body."""
        at = 0
        while at < len(data) and not self.are_over:
            if self._left:
                step = int(min(self._left, len(data) - at))
                self._left -= step
                at += step
            else:
                end = data.find(b"\n", at) + 1 or len(data)
                self._line, at = self._line + data[at:end], end
                if self._line.endswith(b"\n"):
                    self._read(self._line)
        return at

    def _read(self, line: bytes) -> None:
        """Reads the line in front of a chunk, or of the trailer."""
        self._line = b""
        if self._is_last:
            self.are_over = line in (b"\r\n", b"\n")
            return
        found = _SIZE.match(line)
        size = int(found[0], 16) if found else math.inf  # which is no chunk: httpcore says so
        self._is_last = not size
        self._left = size + 2 if size else 0
