"""What sync and async connections go over, as far as it is the same: what was sent, and where an answer ends.

Bytes behind an answer's end would otherwise be taken for the next answer's begin.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from facade._exchange import Bound

_END = re.compile(rb"\n\r?\n")
"""What ends an answer's head, also for h11, which httpcore reads it with."""

_SIZE = re.compile(rb"[0-9a-fA-F]+")
"""How long a chunk is."""


class BaseWire:
    """What one connection goes over.

    What comes is handed on no further than to where an answer's head and its body end; what is left then came behind
    it. A body is handed on as it comes, its end known from its length or its chunks.

    Attributes:
        has_sent: whether anything of the request was sent to the server, or may have been
        is_aborted: whether `abort` was called
        bound: the time limit that was set last
        pending: what came and was not handed on
    """

    def __init__(self) -> None:
        self.is_aborted = False
        self.bound: Bound = (None, "")
        self.pending = b""
        self.begin()

    def begin(self) -> None:
        """Another request is to be sent: what comes next is the head of its answer."""
        self.has_sent = False
        self._is_head, self._is_chunked, self._is_last = True, False, False
        self._left: float = 0  # of a body, or of a chunk with the line break behind it
        self._before = b""  # what came of a line

    def body_begins(self, headers: Mapping[str, str]) -> None:
        """An answer's head has been read; its headers by their names in lower case."""
        length = headers.get("content-length", "")
        self._is_head, self._is_chunked = False, "transfer-encoding" in headers
        if not self._is_chunked:
            self._left = int(length) if length.isdecimal() else math.inf  # until the connection ends

    def hand_over(self, data: bytes) -> bytes:
        """What of the bytes that came, `pending` or anew, belongs to the head or the body; the rest is `pending`."""
        at, size = 0, len(data)
        if self._is_head:
            seen = self._before + data  # the end of a head, or of an interim answer, may have begun in the piece before
            end = _END.search(seen)
            at = end.end() - len(self._before) if end else size
            self._before = b"" if end else seen[-2:]
        else:
            while at < size and (self._left or self._is_chunked):
                if self._left:
                    step = int(min(self._left, size - at))
                    self._left -= step
                    at += step
                else:
                    end_of_line = data.find(b"\n", at) + 1 or size
                    self._read_line(self._before + data[at:end_of_line])
                    at = end_of_line
        if not at:  # more is read than there should be
            at, self._is_head = size, True
        piece, self.pending = data[:at], data[at:]
        return piece

    def _read_line(self, line: bytes) -> None:
        """Reads the line in front of a chunk, or of the trailer behind the last one, as far as it has come."""
        self._before = b"" if line.endswith(b"\n") else line
        if self._before:
            return
        if self._is_last:
            self._is_chunked = line not in (b"\r\n", b"\n")
            return
        found = _SIZE.match(line)
        size = int(found[0], 16) if found else math.inf  # which is no chunk: httpcore says so
        self._is_last = not size
        self._left = size + 2 if size else 0

    @property
    def is_at_end(self) -> bool:
        """Whether the answer is over and nothing came behind it; then another may begin."""
        return not (self.pending or self._is_head or self._is_chunked) and self._left in (0, math.inf)
