"""What holds for whatever is given: ids, headers, waits, pages and answers that nobody thought of."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import random
import zlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from conftest import TRUSTED, exactly, touch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from wire import CLOSE, KEY, Request, Server, a_page, a_run, a_step, answer, error, head

import facade
from facade._answers import read_object, read_page
from facade._exchange import NO_DEADLINE, Ask, Call, Pause, Reply, exchange, read_error
from facade._http import Answer
from facade._options import Limits

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
"""Enough examples to find what is easily found; more come with `--hypothesis-profile`."""

texts = st.text(max_size=30) | st.text(alphabet="./%?#\\&=:;@ \r\n\t\0aéß線", max_size=12)
numbers = (
    st.integers() | st.integers(min_value=10**18, max_value=10**40) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
KEYS = [*a_run(), *a_step(), "type", "tool_calls", "function", "message_creation", "unknown"]
objects = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), values, max_size=12)


ODD_IDS = [
    "a/b",
    "../x",
    "a/../../b",
    "a?b",
    "a#b",
    "a%2fb",
    "%2e%2e",
    "%2e",
    "%",
    "a\r\nX-Evil: 1",
    "a\nb",
    "a\0b",
    "a b",
    " a",
    "a ",
    "a;b",
    "a\\b",
    "..\\..",
    "a&b=c",
    "a:b@c",
    "a+b",
    "ä",
    "線",
    "\u202e",
    "a\ud800",
    "…",
    "...",
    "[x]",
    "*",
    "a" * 1000,
]


def in_all_places(test: Any) -> Any:
    """Tries each odd id as thread, run and step at once, in addition to what hypothesis thinks of."""
    for odd in ODD_IDS:
        test = example(thread=odd, run=odd, step=odd)(test)
    return test


class Spoken:
    """A server whose script a test sets anew for each example, and a client of each kind."""

    def __init__(self) -> None:
        self.say: Callable[[Request], Any] = lambda request: answer(a_run())
        self.server = Server(lambda request: self.say(request))
        self.client = facade.Client(KEY, api_base=self.server.url, verify=TRUSTED, timeout_sec=5)
        self.async_client = facade.AsyncClient(KEY, api_base=self.server.url, verify=TRUSTED, timeout_sec=5)
        self.runner = asyncio.Runner()

    def begin(self, say: Callable[[Request], Any]) -> None:
        """Begins an example."""
        self.say = say
        self.server.requests.clear()

    def run(self, work: Any) -> Any:
        """Waits for an awaitable."""

        async def wait() -> Any:
            return await work

        return self.runner.run(wait())

    async def list(self, walk: Any) -> list[Any]:
        """All of an async walk."""
        return [item async for item in walk]

    def close(self) -> None:
        """Ends it all."""
        self.client.close()
        self.run(self.async_client.aclose())
        self.runner.close()
        self.server.close()


@pytest.fixture(scope="module")
def spoken() -> Iterator[Spoken]:
    """One server for all examples."""
    spoken = Spoken()
    yield spoken
    spoken.close()


class TestRequests:
    """Whatever is given, one request goes where it should, or none."""

    @quick
    @in_all_places
    @given(thread=texts, run=texts, step=texts)
    def test_ids(self, spoken: Spoken, thread: str, run: str, step: str) -> None:
        """Any ids are three quoted segments of one path, which has no more parts and no query, or refused."""
        spoken.begin(lambda request: answer(a_step()))
        try:
            spoken.client.steps.get(run, step, thread_id=thread)
        except ValueError:
            assert not spoken.server.requests
            return
        (request,) = spoken.server.requests
        assert "?" not in request.target
        assert request.head.count(b"\r\n") == len(request.headers) + 2
        assert "x-evil" not in request.headers
        names = request.target.split("/")
        assert names[:3] + names[4::2] == ["", "v1", "threads", "runs", "steps"]
        assert [unquote(name) for name in names[3::2]] == [thread, run, step]
        assert not {".", ".."} & set(names)

    @quick
    @given(value=st.one_of(values, objects, st.binary(max_size=5), st.builds(object)))
    def test_pipeline_input(self, spoken: Spoken, value: Any) -> None:
        """Whatever is given for a run, it names one, or is refused before any request."""
        spoken.begin(lambda request: answer(a_page([])))
        with contextlib.suppress(ValueError, TypeError):
            list(spoken.client.steps.all(value))
            return
        assert not spoken.server.requests

    @quick
    @given(value=texts)
    def test_cursors(self, spoken: Spoken, value: str) -> None:
        """Any cursor arrives as it is, or is refused."""
        spoken.begin(lambda request: answer(a_page([])))
        try:
            spoken.client.runs.list("thread_1", after=value)
        except ValueError:
            assert not spoken.server.requests
        else:
            assert spoken.server.requests[0].value("after") == value

    @quick
    @given(include=st.lists(texts, max_size=4))
    def test_include(self, spoken: Spoken, include: list[str]) -> None:
        """Any include values arrive in their order, or are refused."""
        spoken.begin(lambda request: answer(a_page([])))
        try:
            spoken.client.steps.list(a_run(), include=include)
        except ValueError:
            assert not spoken.server.requests
        else:
            assert [value for name, value in spoken.server.requests[0].query if name == "include[]"] == include

    @quick
    @given(key=texts | st.text(alphabet=st.characters(max_codepoint=126), max_size=30))
    def test_keys(self, spoken: Spoken, key: str) -> None:
        """Any key arrives without the white space around it, or is refused without being shown."""
        spoken.begin(lambda request: answer(a_run()))
        try:
            client = facade.Client(key, api_base=spoken.server.url, verify=TRUSTED)
        except facade.ConfigurationError as failure:
            assert len(key) < 4 or key not in str(failure)  # noqa: PT017  # what it says is the point
            return
        with client:
            client.runs.get("thread_1", "run_1")
        assert spoken.server.requests[0].head.count(f"\r\nAuthorization: Bearer {key.strip()}\r\n".encode()) == 1

    @quick
    @given(headers=st.dictionaries(texts | st.from_regex(r"[A-Za-z-]{1,12}", fullmatch=True), texts, max_size=3))
    def test_headers(self, spoken: Spoken, headers: dict[str, str]) -> None:
        """Any additional headers arrive as they are, and no others with them, or are refused."""
        names = {name.lower() for name in headers}
        assume(not names & {"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade", "te"})
        assume(len(names) == len(headers))
        spoken.begin(lambda request: answer(a_run()))
        try:
            client = facade.Client(KEY, api_base=spoken.server.url, verify=TRUSTED, additional_headers=headers)
        except ValueError:
            return
        with client:
            client.runs.get("thread_1", "run_1")
        (request,) = spoken.server.requests
        for name, value in headers.items():
            assert request.headers[name.lower()] == value.strip()
        own = {"host", "accept", "accept-encoding", "connection", "user-agent", "openai-beta", "authorization"}
        assert request.headers.keys() <= own | names

    @quick
    @given(query=st.dictionaries(texts, texts | st.lists(texts, min_size=1, max_size=3) | st.integers(), max_size=4))
    def test_query(self, spoken: Spoken, query: dict[str, Any]) -> None:
        """Any additional query arrives as it is, or is refused."""
        assume(not query.keys() & {"limit", "order"})
        spoken.begin(lambda request: answer(a_page([])))
        try:
            client = facade.Client(KEY, api_base=spoken.server.url, verify=TRUSTED, additional_query=query)
        except ValueError:
            return
        with client:
            client.runs.list("thread_1")
        wanted = [("limit", "20"), ("order", "asc")]
        for name, value in query.items():
            wanted += [(name, str(each)) for each in (value if isinstance(value, list) else [value])]
        assert sorted(spoken.server.requests[0].query) == sorted(wanted)


waits = st.one_of(
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    st.text(alphabet="0123456789.eE+-_ ,", max_size=20),
    numbers.map(str),
    st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.sampled_from(["nan", "inf", "1e400", "-0", "0", "60", "61"]),
)


class TestWaits:
    """Whatever a server asks for."""

    @settings(max_examples=500, deadline=None)
    @given(after=waits | st.none(), after_ms=waits | st.none(), retry=st.integers(0, 12), jitter=st.floats(0.8, 1.2))
    def test_wait(self, after: str | None, after_ms: str | None, retry: int, jitter: float) -> None:
        """The wait is above 0 and at most 60 s, or the backoff; else the error comes, with a retry_after above 60."""
        headers = {"retry-after": after, "retry-after-ms": after_ms}
        raw = [(name.encode(), text.encode("latin-1")) for name, text in headers.items() if text is not None]
        call: Call[None] = Call("GET", "/", (), lambda body: None)
        ask = Ask(call, Limits(None, None, 20), NO_DEADLINE)
        steps = exchange(ask, wall_clock=lambda: 1_760_000_000.0, jitter=lambda: jitter)
        next(steps)
        for _ in range(retry):
            steps.send(Reply(500, {}, b"", str))
            next(steps)
        try:
            step = steps.send(Reply(503, httpx.Headers(raw), b"", str))
        except facade.InternalServerError as failure:
            assert failure.retry_after is not None  # noqa: PT017
            assert failure.retry_after > 60  # noqa: PT017
        else:
            assert isinstance(step, Pause)
            assert 0 < step.sec <= 60 or step.sec == min(129.0, 2.0**retry * jitter)


@st.composite
def lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A list of runs, each with an id of its own."""
    ids = draw(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), unique=True, max_size=40))
    return [{"id": f"run_{each}", "n": number} for number, each in enumerate(ids)]


class Shelf:
    """A server's list, in pages of a size of its own, with a server's whims."""

    def __init__(self, items: list[dict[str, Any]], whims: random.Random) -> None:
        self.items = items
        self.whims = whims
        self.size = whims.randint(1, 15)
        self.overlap = whims.randint(0, 1) if self.size > 2 else 0
        self.fails = whims.choice([0.0, 0.0, 0.3])

    def say(self, request: Request) -> bytes:
        """A page, with or without what a page should have; or an error."""
        if self.whims.random() < self.fails:
            return self.whims.choice([error(500), error(404), answer(b"<html>")])
        after = request.value("after")
        begin = 0
        if after is not None:
            begin = int(after[5:]) if after.startswith("page_") else self.place(after) + 1
            begin = max(0, begin - (self.overlap if begin > 1 else 0))
        items = self.items[begin : begin + self.size]
        more = begin + self.size < len(self.items)
        page: dict[str, Any] = {"data": items, "has_more": more}
        if more and self.whims.random() < 0.2:
            page["last_id"] = f"page_{begin + self.size}"
        elif items and self.whims.random() < 0.5:
            page["last_id"] = items[-1]["id"]
        elif not more:
            page["last_id"] = self.whims.choice([None, "none", "", 5])
        if not more and self.whims.random() < 0.3:
            page["has_more"] = self.whims.choice([None, 0, "false"])
        return answer(page)

    def place(self, cursor: str) -> int:
        """Where an object is."""
        return next(number for number, item in enumerate(self.items) if item["id"] == cursor)


class TestPaging:
    """Whatever a server's pages look like."""

    @quick
    @given(items=lists(), seed=st.integers(), is_async=st.booleans())
    def test_whole(self, spoken: Spoken, items: list[dict[str, Any]], seed: int, is_async: bool) -> None:
        """A walk, resumed where it fails, gives each object once, in order."""
        shelf = Shelf(items, random.Random(seed))
        spoken.begin(shelf.say)
        found: list[dict[str, Any]] = []
        after = None
        for _ in range(200):
            client: Any = spoken.async_client if is_async else spoken.client
            walk = client.runs.all("thread_1", after=after)
            try:
                while True:
                    item = spoken.run(anext(walk)) if is_async else next(walk)
                    found.append(item.to_dict())
            except (StopIteration, StopAsyncIteration):
                break
            except facade.APIError as failure:
                after = failure.after
        names = [item["id"] for item in found]
        if shelf.fails and shelf.overlap:  # a walk that is resumed cannot know what the one before it had
            names = list(dict.fromkeys(names))
        assert names == [item["id"] for item in items]

    @quick
    @given(
        many=st.lists(lists(), max_size=6),
        seed=st.integers(),
        concurrency=st.integers(1, 64),
        is_async=st.booleans(),
    )
    def test_many(self, spoken: Spoken, many: list[Any], seed: int, concurrency: int, is_async: bool) -> None:
        """A walk over many gives each list whole, grouped, in the order given."""
        shelves = [Shelf(items, random.Random(seed + number)) for number, items in enumerate(many)]
        for shelf in shelves:
            shelf.fails = 0.0
        spoken.begin(lambda request: shelves[int(request.path.split("/")[3].removeprefix("thread_"))].say(request))
        threads = [f"thread_{number}" for number in range(len(many))]
        if is_async:
            found = spoken.run(spoken.list(spoken.async_client.runs.all(threads, concurrency=concurrency)))
        else:
            found = list(spoken.client.runs.all(threads, concurrency=concurrency))
        assert [run.id for run in found] == [item["id"] for items in many for item in items]

    @quick
    @given(cursors=st.lists(st.sampled_from("abcde"), min_size=1, max_size=8))
    def test_ends(self, spoken: Spoken, cursors: list[str]) -> None:
        """Whatever cursors are promised over and over, the walk ends, after no more requests than there are cursors."""
        turns = itertools.cycle(cursors)
        spoken.begin(lambda request: answer({"data": [], "has_more": True, "last_id": next(turns)}))
        with pytest.raises(facade.PaginationError):
            list(spoken.client.runs.all("thread_1"))
        assert len(spoken.server.requests) <= len(set(cursors)) + 2


FORGED = answer(a_run("forged"))


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """An answer with a run in it, framed in one way or another."""
    body = json.dumps(a_run("first")).encode() + draw(st.sampled_from([b"", b"\r\n\r\n", b"\r\n\r", b" \r\n\r\n\r\n "]))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"]))
    if draw(st.booleans()):
        return interim + answer(body)
    chunks = []
    while body:
        size = draw(st.integers(1, 400))
        chunk, body = body[:size], body[size:]
        chunks.append(b"%x%s\r\n%s\r\n" % (len(chunk), draw(st.sampled_from([b"", b";a=b"])), chunk))
    trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
    return interim + head(200, {"Transfer-Encoding": "chunked"}) + b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


class TestLeftOver:
    """Whatever comes behind an answer, and in whatever pieces."""

    @quick
    @given(
        said=framed(),
        more=st.sampled_from(
            [b"", b"\r", b"\r\n", b"0\r\n\r\n", b"}", answer(a_run("forged")), answer(a_run("forged"))[:60]]
        ),
        cuts=st.lists(st.integers(0, 2_000), max_size=4),
        is_async=st.booleans(),
    )
    def test_next_call(self, spoken: Spoken, said: bytes, more: bytes, cuts: list[int], is_async: bool) -> None:
        """The next call gets its own answer; on the same connection where nothing came behind the one before."""
        whole = said + more
        places = sorted({0, *(cut % len(whole) for cut in cuts), len(whole)})
        pieces = [whole[begin:end] for begin, end in itertools.pairwise(places)]
        parts = [part for piece in pieces for part in (piece, 0.001)]
        spoken.begin(lambda request: parts if request.number == first else answer(a_run("second")))
        first = len(spoken.server.requests) + 1

        def ask() -> str:
            client: Any = spoken.async_client if is_async else spoken.client
            call = client.runs.get("thread_1", "run_1")
            return str((spoken.run(call) if is_async else call).id)

        assert ask() == "run_first"
        with contextlib.suppress(facade.APIConnectionError):  # what came late may break the next call off, no more
            assert ask() == "run_second"
        assert ask() == "run_second"
        if not more:
            assert len({request.connection for request in spoken.server.requests}) == 1


class TestModels:
    """Whatever a server sends."""

    @settings(max_examples=200, deadline=None)
    @given(item=objects, model=st.sampled_from([facade.Run, facade.RunStep]))
    def test_object(self, item: dict[str, Any], model: Any) -> None:
        """An object with an id is read, each of its fields can be, and it is given back exactly."""
        sent = {"id": "x", **item}
        assume(isinstance(sent["id"], str) and sent["id"].strip())
        found = read_object(model, Reply(200, {}, json.dumps(sent).encode(), str))
        touch(found)
        assert exactly(found.to_dict(), json.loads(json.dumps(sent)))

    @quick
    @given(items=st.lists(objects, max_size=5))
    def test_page(self, items: list[dict[str, Any]]) -> None:
        """A page of whatever objects is read, and each is given back exactly."""
        page = read_page(facade.RunStep, Reply(200, {}, json.dumps({"data": items}).encode(), str))
        for found in page:
            touch(found)
        assert exactly([found.to_dict() for found in page], json.loads(json.dumps(items)))


CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": None}},
    {
        "id": "c2",
        "type": "code_interpreter",
        "code_interpreter": {"input": "1", "outputs": [{"type": "logs", "logs": "é"}]},
    },
    {"id": "c3", "type": "file_search", "file_search": {"results": [{"file_id": "f", "score": 0.5, "content": []}]}},
    {"id": "c4", "type": "mcp", "name": "grind"},
]
REAL = [
    a_run(),
    a_run(
        status="requires_action",
        required_action={"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": CALLS}},
    ),
    a_step(),
    a_step(type="tool_calls", step_details={"type": "tool_calls", "tool_calls": CALLS}),
    a_page([a_step(), a_step(type="tool_calls", step_details={"type": "tool_calls", "tool_calls": CALLS})], True),
    {"error": {"message": "no luck", "type": "server_error", "param": None, "code": None}},
]
BODIES = [json.dumps(value).encode() for value in REAL]
BITS = [
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"null",
    b"1e999",
    b"NaN",
    b"-",
    b"\\u",
    b"\\ud800",
    b"\xff",
    b"\0",
]
BITS += [
    b"9" * 400,
    b"9" * 5000,
    b"[" * 300,
    b'{"a":' * 300,
    b"true",
    b'"type"',
    b'"id"',
    b"\xef\xbb\xbf",
    b"\r\n",
    b" ",
]


def mutate(text: bytes, whims: random.Random) -> bytes:
    """Some bytes changed, cut, doubled, moved or put in."""
    for _ in range(whims.randint(1, 4)):
        begin = whims.randint(0, len(text))
        end = min(len(text), begin + whims.choice([0, 1, 1, 2, 5, 30, 300]))
        how = whims.randint(0, 5)
        if how == 0:
            text = text[:begin] + whims.choice(BITS) + text[end:]
        elif how == 1:
            text = text[:begin] + text[end:]
        elif how == 2:
            text = text[:end] + text[begin:end] * whims.randint(1, 3) + text[end:]
        elif how == 3:
            text = text[:begin] + bytes(whims.randrange(256) for _ in range(end - begin)) + text[end:]
        elif how == 4 and text:
            text = text[:begin]
        else:
            part = whims.choice(BODIES)
            cut = whims.randint(0, len(part))
            text = text[:begin] + part[cut : cut + 50] + text[end:]
    return text


class TestFuzz:
    """Answers that were whole once."""

    @pytest.mark.parametrize("seed", range(40))
    def test_bodies(self, seed: int) -> None:
        """The reader takes a mutated answer or raises an APIError's child; what it takes can be read through."""
        whims = random.Random(seed)
        for _ in range(60):
            body = mutate(whims.choice(BODIES), whims)
            for model in (facade.Run, facade.RunStep):
                with contextlib.suppress(facade.APIError):
                    touch(read_object(model, Reply(200, {}, body, str)))
                with contextlib.suppress(facade.APIError):
                    page = read_page(model, Reply(200, {}, body, str))
                    assert (page.has_more, page.first_id, page.last_id) is not None
                    for item in page:
                        touch(item)
            failure = read_error(Reply(whims.choice([302, 404, 429, 500, 999]), {}, body, str), "", lambda: 0.0)
            assert isinstance(failure, facade.APIStatusError)
            assert len(str(failure)) < 1000

    @pytest.mark.parametrize("seed", range(20))
    def test_encodings(self, seed: int) -> None:
        """Mutated encoded bodies, in whatever pieces, are decoded or refused, within the limit."""
        whims = random.Random(seed)
        asked: Any = {"ask": None, "settings": SimpleNamespace(max_response_bytes=20_000), "redact": str}
        for _ in range(40):
            plain = whims.choice(BODIES)
            encoding, packed = whims.choice(
                [
                    ("gzip", gzip.compress(plain)),
                    ("deflate", zlib.compress(plain)),
                    ("deflate", zlib.compress(plain)[2:-4]),
                ]
            )
            packed = mutate(packed, whims)
            taken = Answer(**asked, status_code=200, headers=[(b"content-encoding", encoding.encode())])
            while packed:
                cut = whims.randint(1, 200)
                if not taken.feed(packed[:cut]):
                    break
                packed = packed[cut:]
            reply = taken.reply()
            assert isinstance(reply, facade.APIError) or len(reply.body) <= 20_000

    @pytest.mark.parametrize("seed", range(30))
    def test_wire(self, spoken: Spoken, seed: int) -> None:
        """Mutated answers, head and all, over a real connection: a run or an APIError, sync and async alike."""
        whims = random.Random(seed)
        heads = [
            head(200, {"Content-Length": str(len(BODIES[0]))}) + BODIES[0],
            head(200, {"Transfer-Encoding": "chunked"}) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODIES[0]), BODIES[0]),
            answer(gzip.compress(BODIES[0]), headers={"Content-Encoding": "gzip"}),
            error(429, {"Retry-After": "5"}),
        ]
        for _ in range(5):
            said = mutate(whims.choice(heads), whims)
            spoken.begin(lambda request, said=said: (said, CLOSE))  # type: ignore[misc]
            outcomes: list[Any] = []
            for ask in (
                lambda: spoken.client.runs.get("thread_1", "run_1"),
                lambda: spoken.run(spoken.async_client.runs.get("thread_1", "run_1")),
            ):
                try:
                    outcomes.append(ask().to_dict())
                except facade.APIError as failure:
                    outcomes.append(type(failure))
            assert repr(outcomes[0]) == repr(outcomes[1])
