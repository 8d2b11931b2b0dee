"""Notices bytes behind an answer's end, which a client would otherwise take for the next answer's begin."""

from __future__ import annotations

_END = b"\r\n\r\n"
"""What ends an answer's head and a chunked body."""


class Incoming:
    """The bytes that come on one connection, handed on in pieces that end wherever an answer or its head may end.

    A piece is asked for only while the answer is not at its end, so whatever is left then came behind it. Where the
    length of a body is said, that is counted.
    """

    __slots__ = ("_before", "_handed_over", "_length", "pending")

    def __init__(self) -> None:
        self.pending = b""
        self._before = b""
        self._handed_over = 0
        self._length: int | None = None

    def begin(self) -> None:
        """Another request is sent."""
        self.pending, self._before, self._handed_over, self._length = b"", b"", 0, None

    def receive(self, data: bytes) -> None:
        """Takes what came."""
        self.pending = data

    def hand_over(self) -> bytes:
        """The next piece of what came; b"" where nothing did, as at the connection's end."""
        data = self.pending
        cut = data.find(_END) + len(_END)
        if cut < len(_END):
            cut = len(data)
        if self._before:  # the end may have begun in the piece before
            seam = (self._before + data[:3]).find(_END)
            if seam >= 0:
                cut = min(cut, seam + len(_END) - len(self._before))
        piece, self.pending = data[:cut], data[cut:]
        self._before = piece[-3:]
        self._handed_over += len(piece)
        return piece

    def body_begins(self, headers: list[tuple[bytes, bytes]]) -> None:
        """An answer's head has been read, and what was handed over until now was that."""
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        if lengths and lengths[0].isdigit():
            self._length = self._handed_over + int(lengths[0])

    def is_at_end(self) -> bool:
        """Whether nothing came behind the answer."""
        return not self.pending and (self._length is None or self._length == self._handed_over)
