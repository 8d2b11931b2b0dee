"""The event-stream parser, beside a slow reading of the standard, over all ways to cut a stream into chunks."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facade import APIResponseError, Event
from facade._life.streaming import EventParser

ALPHABET = [
    b"data",
    b"event",
    b"id",
    b":",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xef",
    b"\xbb",
    b"x",
    b"\x00",
]

STREAMS = st.lists(st.sampled_from(ALPHABET), max_size=40).map(b"".join)


def parse(chunks: Iterable[bytes], max_bytes: int = 10_000) -> list[Event]:
    """The events of a stream that comes in these chunks; not what nothing but an empty line ends."""
    parser = EventParser(max_bytes)
    return [event for chunk in chunks for event in parser.feed(chunk) if event != ("message", None)]


def reference(stream: bytes) -> list[Event]:
    """The standard's text, done step by step over the whole stream."""
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]
    events: list[Event] = []
    name, data = b"", list[bytes]()
    for line in lines:
        if line == b"":
            if name or data:
                shown = name.decode("utf-8", "replace") or "message"
                events.append(Event(shown, b"\n".join(data) if data else None))
            name, data = b"", []
        elif b":" in line:
            field, value = line.split(b":", 1)
            value = value[1:] if value[:1] == b" " else value
            if field == b"event":
                name = value
            if field == b"data":
                data.append(value)
        elif line == b"data":
            data.append(b"")
        elif line == b"event":
            name = b""
    return events


@given(STREAMS, st.lists(st.integers(0, 80), max_size=8))
@settings(max_examples=400, deadline=None)
@example(b"\xef\xbb\xbfdata: x\r\n\r\n", [1, 2, 10, 11, 12])
@example(b"data: x\r\rdata: y\n\n", [8, 9])
def test_chunks(stream: bytes, cuts: list[int]) -> None:
    """However a stream is cut, its events are those of the standard."""
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(edges)]
    assert parse(chunks) == reference(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_cut(end: bytes) -> None:
    """Each single cut of a real stream, and byte by byte, with each kind of line end."""
    stream = b"\xef\xbb\xbf" + end.join(
        [
            b": hello",
            b"event: thread.run.created",
            b'data: {"id": "\xc3\xa9"}',
            b"",
            b"data",
            b"data:  two",
            b"",
            b"id: 7",
            b"",
            b"",
        ]
    )
    events = [Event("thread.run.created", b'{"id": "\xc3\xa9"}'), Event("message", b"\n two")]
    for cut in range(len(stream) + 1):
        assert parse([stream[:cut], stream[cut:]]) == events
    assert parse(stream[i : i + 1] for i in range(len(stream))) == events


def test_event_comes_at_once() -> None:
    """An event is given with the byte that ends it: nobody waits for the LF behind a CR."""
    parser = EventParser(100)
    assert list(parser.feed(b"data: x\r")) == []
    assert list(parser.feed(b"\r")) == [Event("message", b"x")]
    assert list(parser.feed(b"\ndata: y\n\n")) == [Event("message", b"y")]


@pytest.mark.parametrize(
    "stream", [b"data: x", b"data: x\n", b"data: x\r", b"event: done\ndata: x\n", b"\xef", b"\xef\xbb"]
)
def test_unfinished_event(stream: bytes) -> None:
    """An event that the stream ends in is not given."""
    assert parse([stream]) == []


def test_event_without_data() -> None:
    """A named event without data is told from one whose data is empty."""
    assert parse([b"event: done\n\nevent: done\ndata\n\n"]) == [Event("done", None), Event("done", b"")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_limit(size: int) -> None:
    """An event's lines may have so many bytes and no more, whichever lines they are and however they come."""
    for line in (b"data: ", b"event: ", b"x", b"id:"):
        event = line + b"v" * (100 - len(line) - 2) + b"\n\n"
        assert len(event) == 100
        stream = event * 3
        chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert len(parse(chunks, 100)) == (3 if line in (b"data: ", b"event: ") else 0)
        with pytest.raises(APIResponseError, match="larger than max_response_bytes=99"):
            parse((event[i : i + size] for i in range(0, len(event), size)), 99)
    with pytest.raises(APIResponseError):
        parse([b"data: 1\n"] * 20, 100)


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"data: x\n\n"])
def test_endless_comment_is_not_held(begin: bytes) -> None:
    """A comment without an end takes no memory and no part of the limit."""
    parser = EventParser(100)
    list(parser.feed(begin))
    tracemalloc.start()
    list(parser.feed(b":"))
    for _ in range(100):
        assert list(parser.feed(b"c" * 10_000)) == []
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 50_000
    assert list(parser.feed(b"\ndata: x\n\n")) == [Event("message", b"x")]


def test_bytes_are_looked_at_once() -> None:
    """A long line in single bytes is not copied again with each of them."""
    parser = EventParser(10_000_000)
    sizes = set()
    for _ in range(200_000):
        list(parser.feed(b"x"))
        sizes.add(parser._line.__alloc__())
    assert len(sizes) < 200  # the buffer grew by a share of its size
