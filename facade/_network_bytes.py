"""Notices bytes behind an answer's end, which a client would otherwise take for the next answer's begin."""

from __future__ import annotations

_END = b"\r\n\r\n"
"""What ends an answer's head and a chunked body."""


class Incoming:
    """The bytes that come on one connection, handed on in pieces that end wherever an answer or its head may end.

    A piece is asked for only while the answer is not at its end, so whatever is left then came behind it. Where the
    length of a body is said, that is counted.
    """

    __slots__ = ("_before", "_end", "_handed_over", "pending")

    def __init__(self) -> None:
        self.pending = b""
        self._before = b""
        self._handed_over = 0
        self._end: int | None = None

    def hand_over(self, data: bytes) -> bytes:
        """The first piece of what came, `pending` or anew; the rest is `pending`."""
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
        self._end = None
        for name, value in headers:
            if name.lower() == b"content-length" and value.isdigit():
                self._end = self._handed_over + int(value)

    @property
    def is_at_end(self) -> bool:
        """Whether nothing came behind the answer; then another may begin."""
        return not self.pending and self._end in (None, self._handed_over)
