"""Reading a run's event stream without I/O: what each event is, when it is over, and what ends it with an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire import KEY, a_message, a_run, a_step, event, stream_of

import facade
from facade._life.gathering import MESSAGE, Gathering
from facade._life.streaming import EventParser, gathered
from openai_thread_runs_api.models import MessageDeltaObject

DELTA = {
    "id": "msg_1",
    "object": "thread.message.delta",
    "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Two"}}]},
}

STORY = stream_of(
    ("thread.run.created", a_run(status="queued")),
    ("thread.run.step.created", a_step(status="in_progress")),
    ("thread.message.created", a_message(content=[])),
    ("thread.message.delta", DELTA),
    ("thread.message.completed", a_message("Two loaves.")),
    ("thread.run.completed", a_run()),
)


class Read:
    """What a stream gives: its events and texts, until it is over or an error ends it."""

    def __init__(self, *chunks: bytes, max_bytes: int = 100_000) -> None:
        self.gathering = Gathering(max_bytes)
        parser = EventParser(max_bytes)
        self.events: list[facade.Event] = []
        self.texts: list[str] = []
        self.error: facade.APIError | None = None
        try:
            for chunk in chunks:
                for one in gathered(parser.feed(chunk), self.gathering, lambda text: text.replace(KEY, "***")):
                    self.events.append(one)
                    self.texts.extend(self.gathering.texts)
        except facade.APIError as error:
            self.error = error

    @property
    def names(self) -> list[str]:
        return [one.event for one in self.events]


def test_story() -> None:
    """A run's events come as what they are, and what they tell is gathered."""
    read = Read(STORY)
    assert [type(data).__name__ for _, data in read.events] == [
        "RunObject",
        "RunStepObject",
        "MessageObject",
        "MessageDeltaObject",
        "MessageObject",
        "RunObject",
    ]
    assert isinstance(read.events[3].data, MessageDeltaObject)
    assert read.texts == ["Two"]
    assert read.gathering.is_over
    assert read.gathering.run is not None
    assert read.gathering.run.status == "completed"
    assert read.gathering.all(MESSAGE)[0].content[0].text.value == "Two loaves."


def test_every_cut() -> None:
    """However the bytes are cut, the events are the same."""
    whole = Read(STORY)
    assert Read(*(STORY[i : i + 1] for i in range(len(STORY)))).events == whole.events
    for cut in range(0, len(STORY), 7):
        assert Read(STORY[:cut], STORY[cut:]).events == whole.events


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "incomplete", "requires_action"])
@pytest.mark.parametrize("by", ["name", "status"])
def test_over_at_rest(status: str, by: str) -> None:
    """The event of a resting run is the last one, whether its name or its run says so."""
    end = (f"thread.run.{status}", a_run(status=None)) if by == "name" else ("thread.run.changed", a_run(status=status))
    read = Read(stream_of(("thread.run.queued", a_run(status="queued")), end, ("thread.run.queued", a_run())))
    assert read.names == ["thread.run.queued", end[0]]
    assert read.gathering.is_over


@pytest.mark.parametrize("done", [b"event: done\ndata: [DONE]\n\n", b"event: done\n\n", b"data: [DONE]\n\n"])
def test_over_at_done(done: bytes) -> None:
    """`done` ends the stream, in each of the forms that servers give it."""
    read = Read(event("thread.run.queued", a_run(status="queued")) + done + STORY)
    assert read.names == ["thread.run.queued"]
    assert read.gathering.is_over
    assert read.error is None


def test_not_over() -> None:
    """A resting step or message, or a run at work, ends nothing."""
    read = Read(
        stream_of(
            ("thread.run.step.completed", a_step()),
            ("thread.message.completed", a_message()),
            ("thread.run.cancelling", a_run(status="cancelling")),
            ("thread.run.paused", a_run(status="paused")),
        )
    )
    assert len(read.events) == 4
    assert not read.gathering.is_over


def test_unknown_events() -> None:
    """Events that nobody knows are handed over with their JSON, else their text; one without data is passed over."""
    odd: dict[str, Any] = {"x": [1]}
    read = Read(
        stream_of(("a-weather", odd), ("thread.run.weather", odd), ("", odd))
        + b"event: ping\n\nevent: w\ndata: rain\n\n"
    )
    assert read.events == [("a-weather", odd), ("thread.run.weather", odd), ("message", odd), ("w", "rain")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"error": {"message": "no flour", "code": "c", "type": "t", "param": "p"}}, ("no flour", "c", "t", "p")),
        ({"message": "no flour", "code": 7}, ("no flour", "7", None, None)),
        ({"error": "no flour"}, ("no flour", None, None, None)),
        ("no flour", ("no flour", None, None, None)),
        (b"no\ndata: flour", ("no flour", None, None, None)),
        (b"{broken", ("{broken", None, None, None)),
        (b"\xff", ("\ufffd", None, None, None)),
        ([1], ("[1]", None, None, None)),
        (b"", ("the stream says", None, None, None)),
        ({"error": None}, ("the stream says", None, None, None)),
        ({"error": {"message": {"deep": 1}, "code": ["x"]}}, ("the stream says", None, None, None)),
        ({"message": f"your key is {KEY}"}, ("your key is ***", None, None, None)),
        ("[DONE]", ("[DONE]", None, None, None)),
    ],
)
def test_error_event(data: Any, said: tuple[Any, ...]) -> None:
    """An `error` event is an error with what it says, whatever its data is."""
    sent = data if isinstance(data, bytes) else json.dumps(data).encode()
    read = Read(event("thread.run.queued", a_run(status="queued")) + b"event: error\ndata: " + sent + b"\n\n" + STORY)
    assert read.names == ["thread.run.queued"]
    assert isinstance(read.error, facade.StreamError)
    assert str(read.error).startswith(said[0])
    assert (read.error.code, read.error.type, read.error.param) == said[1:]


def test_error_event_without_data() -> None:
    """An `error` event without any data is an error too."""
    read = Read(b"event: error\n\n")
    assert isinstance(read.error, facade.StreamError)


@pytest.mark.parametrize("name", ["thread.run.queued", "thread.run.step.created", "thread.message.delta"])
def test_null(name: str) -> None:
    """An event of a run, step or message whose data is null is handed over, as the first one too."""
    read = Read(event(name, None) + STORY)
    assert read.events[0] == (name, None)
    assert len(read.events) == 7


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 1000, b""])
def test_unreadable_event(data: bytes) -> None:
    """A run's, step's or message's event that is no JSON is handed over as its text, and the stream goes on."""
    read = Read(b"event: thread.message.delta\ndata: " + data + b"\n\n" + STORY)
    assert read.events[0] == ("thread.message.delta", data.decode("utf-8", "replace"))
    assert len(read.events) == 7
    assert read.error is None


def test_bounds() -> None:
    """One event, and what is gathered, are each held within the limit."""
    message = ("thread.message.completed", a_message("x" * 600))
    assert Read(event(*message), max_bytes=1200).error is None
    assert "an event of the stream" in str(Read(event(*message), max_bytes=600).error)
    other = ("thread.message.completed", a_message("x" * 600, id="msg_2"))
    assert "steps and messages" in str(Read(stream_of(message, other), max_bytes=1200).error)
