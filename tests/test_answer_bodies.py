"""Bodies that are deep, large, packed or slow: read whole, or refused, at a cost that their content does not decide."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from conftest import TRUSTED, Api
from wire import CLOSE, HANG, KEY, RUN, Script, Serve, a_page, a_run, answer, error, head, runs

import facade

JSON = json.dumps(a_run()).encode()


def get(client: Any, **options: Any) -> Any:
    """The call that most cases make."""
    return client.runs.get("thread_1", "run_1", **options)


def lists(depth: int) -> bytes:
    """A run whose whole nesting is so deep, by lists."""
    return b'{"id": "run_1", "metadata": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def objects(depth: int) -> bytes:
    """The same by objects."""
    return b'{"id": "run_1", "metadata": ' + b'{"a":' * (depth - 2) + b"{}" + b"}" * (depth - 2) + b"}"


def mixed(depth: int) -> bytes:
    """The same by both, beside brackets in texts and much that is flat."""
    opened = [b"[" if number % 2 else b'{"]}{[": "\\\\\\"[", "a": ' for number in range(depth - 1)]
    closed = [b"]" if number % 2 else b"}" for number in range(depth - 1)]
    inner = b"".join(opened) + b"1" + b"".join(reversed(closed))
    return b'{"id": "run_1", "flat": ' + json.dumps([[1], {"]": "["}] * 500).encode() + b', "metadata": ' + inner + b"}"


class TestDepth:
    """Nesting, which the parser bounds."""

    @pytest.mark.parametrize("make", [lists, objects, mixed])
    @pytest.mark.parametrize("depth", [20, 200, 600])
    def test_within(self, api: Api, serve: Serve, make: Callable[[int], bytes], depth: int) -> None:
        """A body far deeper than any that the protocol has is read."""
        body = make(depth)
        assert get(api.client(serve(answer(body)))).to_dict() == json.loads(body)

    @pytest.mark.parametrize("make", [lists, objects, mixed])
    @pytest.mark.parametrize("depth", [900, 1_000, 1_024, 1_025, 4_000])
    def test_at_the_limit(self, api: Api, serve: Serve, make: Callable[[int], bytes], depth: int) -> None:
        """Wherever the parser draws its line, a body is read or refused, and nothing else; the next call works."""
        client = api.client(serve(answer(make(depth)), answer(b'{"data": [' + make(depth) + b"]}"), RUN))
        asks: tuple[Callable[[Any], Any], ...] = (get, lambda client: client.runs.list("thread_1")[0])
        for ask in asks:
            with contextlib.suppress(facade.APIResponseError):
                assert ask(client).id == "run_1"
        assert get(client).id == "run_1"

    @pytest.mark.parametrize("make", [lists, objects, mixed])
    def test_beyond(self, api: Api, serve: Serve, make: Callable[[int], bytes]) -> None:
        """A deep one is an APIResponseError that says so, as a run and in a page; the next call works."""
        client = api.client(serve(answer(make(100_000)), answer(b'{"data": [' + make(100_000) + b"]}"), RUN))
        with pytest.raises(facade.APIResponseError, match="deep"):
            get(client)
        with pytest.raises(facade.APIResponseError, match="deep"):
            client.runs.list("thread_1")
        assert get(client).id == "run_1"

    @pytest.mark.parametrize("depth", [200, 600, 100_000])
    def test_of_an_error(self, api: Api, serve: Serve, depth: int) -> None:
        """An error's body may be as deep as it likes: the status counts."""
        client = api.client(serve(answer(b'{"error": {"message": "no luck"}, "x": ' + lists(depth) + b"}", 404)))
        with pytest.raises(facade.NotFoundError):
            get(client)

    @pytest.mark.parametrize("unit", ["[", "]", "{[", '"[', '\\"[', "\\[", "\\\\[", "[]"])
    def test_brackets_in_texts(self, api: Api, serve: Serve, unit: str) -> None:
        """Brackets in texts nest nothing, however texts are escaped."""
        text = unit * 5_000
        run = a_run(instructions=text, metadata={text: text})
        assert get(api.client(serve(answer(run)))).to_dict() == run


def lines_run(work: Callable[[], Any]) -> int:
    """How many lines of Python's this package runs in a call."""
    count = 0

    def local(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return local if "facade" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class TestCost:
    """What is in a body does not decide what it costs to look at it."""

    @pytest.mark.parametrize("unit", ["[", "]", "[{", "\x1b[31mbread\x1b[0m ", '"[', "\\[", "[]"], ids=ascii)
    def test_brackets(self, serve: Serve, unit: str) -> None:
        """A body full of brackets in texts takes no more lines of Python than one without."""
        size = 400_000 // len(unit)
        plain = answer(a_run(instructions="x" * 400_000))
        full = answer(a_run(instructions=unit * size))
        server = serve(plain, plain, full)
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            get(client)
            usual = lines_run(lambda: get(client))
            assert lines_run(lambda: get(client)) <= 3 * usual + 500

    def test_large(self, api: Api, serve: Serve) -> None:
        """18 MB of coloured logs are read."""
        run = a_run(instructions="\x1b[31mERROR\x1b[0m [bread] " * 700_000)
        assert len(get(api.client(serve(answer(run)))).instructions) == len(run["instructions"])

    def test_many_objects(self, serve: Serve) -> None:
        """Nor does it cost lines where there are many true objects and lists."""
        plain, full = answer(a_run(metadata={})), answer(a_run(metadata=[[{"a": [1]}]] * 20_000))
        server = serve(plain, plain, full)
        with facade.Client(KEY, api_base=server.url, verify=TRUSTED) as client:
            get(client)
            usual = lines_run(lambda: get(client))
            gc.collect()
            assert lines_run(lambda: get(client)) <= 3 * usual + 500


class TestEncodings:
    """Packed bodies, in whatever pieces they come."""

    @pytest.mark.parametrize("level", [0, 1, 9])
    @pytest.mark.parametrize("piece", [1, 2, 3, 7])
    @pytest.mark.parametrize("kind", ["raw deflate", "deflate", "gzip"])
    def test_small_pieces(self, api: Api, serve: Serve, kind: str, piece: int, level: int) -> None:
        """A body is unpacked the same however small its pieces are; deflate with or without a header."""
        packer = zlib.compressobj(level, wbits={"raw deflate": -15, "deflate": 15, "gzip": 31}[kind])
        packed = packer.compress(JSON) + packer.flush()
        encoding = "gzip" if kind == "gzip" else "deflate"
        parts: list[Any] = [head(200, {"Transfer-Encoding": "chunked", "Content-Encoding": encoding})]
        for begin in range(0, len(packed), piece):
            chunk = packed[begin : begin + piece]
            parts.append(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        client = api.client(serve((*parts, b"0\r\n\r\n"), RUN))
        assert get(client).to_dict() == a_run()
        assert get(client).id == "run_1"

    def test_pieces_with_pauses(self, api: Api, serve: Serve) -> None:
        """Nor does it matter when they come."""
        packed = zlib.compress(JSON)[2:-4]
        parts: list[Any] = [head(200, {"Content-Length": str(len(packed)), "Content-Encoding": "deflate"})]
        for begin in range(0, 6):
            parts += [0.01, packed[begin : begin + 1]]
        assert get(api.client(serve((*parts, packed[6:])))).to_dict() == a_run()

    @pytest.mark.parametrize("cut", [1, 2, 10, -1])
    def test_raw_deflate_cut_short(self, api: Api, serve: Serve, cut: int) -> None:
        """A raw deflate body that is not whole is refused."""
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(JSON) + packer.flush()
        client = api.client(serve(answer(packed[:cut], headers={"Content-Encoding": "deflate"}), RUN))
        with pytest.raises(facade.APIResponseError):
            get(client)
        assert get(client).id == "run_1"


STALLS: dict[str, Callable[[int], Script]] = {
    "at once": lambda status: (head(status, {"Content-Length": "1000", "Retry-After-Ms": "1"}), HANG),
    "in the middle": lambda status: (head(status, {"Content-Length": "1000", "Retry-After-Ms": "1"}), b'{"error', HANG),
    "in a chunk": lambda status: (
        head(status, {"Transfer-Encoding": "chunked", "Retry-After-Ms": "1"}),
        b"40\r\n{",
        HANG,
    ),
    "cut off": lambda status: (head(status, {"Content-Length": "1000", "Retry-After-Ms": "1"}), b"{", CLOSE),
}


class TestStalls:
    """An error whose body does not come."""

    @pytest.mark.parametrize("status", [429, 500, 503, 529])
    @pytest.mark.parametrize("name", STALLS)
    def test_status_is_kept(self, api: Api, serve: Serve, status: int, name: str) -> None:
        """Its status counts, when the time limit ends the wait for its body; the connection is dropped."""
        server = serve(STALLS[name](status), RUN)
        client = api.client(server, timeout_sec=0.2)
        with pytest.raises(facade.APIStatusError) as caught:
            get(client)
        assert (caught.value.status_code, caught.value.retry_after) == (status, 0.001)
        assert get(client).id == "run_1"
        assert server.connections == 2

    @pytest.mark.parametrize("status", [429, 500, 503])
    @pytest.mark.parametrize("name", STALLS)
    def test_retry_is_kept(self, api: Api, serve: Serve, status: int, name: str) -> None:
        """It is retried as any other."""
        server = serve(STALLS[name](status), STALLS[name](status), RUN)
        assert get(api.client(server, timeout_sec=0.2, max_retry_count=2)).id == "run_1"
        assert len(server.requests) == 3

    def test_quota(self, api: Api, serve: Serve) -> None:
        """What came of the body before is read: a used-up quota is not retried."""
        body = error(429, code="insufficient_quota").partition(b"\r\n\r\n")[2]
        server = serve((head(429, {"Content-Length": str(len(body))}), body))
        with pytest.raises(facade.RateLimitError) as caught:
            get(api.client(server, timeout_sec=0.2, max_retry_count=2))
        assert caught.value.code == "insufficient_quota"
        assert len(server.requests) == 1

    def test_deadline(self, api: Api, serve: Serve) -> None:
        """Where the deadline of the whole call ends the wait, the status is still what is said."""
        client = api.client(serve(STALLS["in the middle"](503)), deadline_sec=0.3, max_retry_count=5)
        with pytest.raises(facade.InternalServerError):
            get(client)

    def test_in_a_walk(self, api: Api, serve: Serve) -> None:
        """In a walk too, which goes on where the retry gives its page."""
        server = serve(answer(a_page(runs(2), True)), STALLS["in the middle"](503), answer(a_page(runs(1, begin=3))))
        client = api.client(server, timeout_sec=0.3, max_retry_count=1)
        assert [run.id for run in client.runs.all("thread_1")] == ["run_1", "run_2", "run_3"]
