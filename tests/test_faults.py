"""What happens when servers and networks fail: time, retries, bad answers, sizes and broken connections."""

from __future__ import annotations

import email.utils
import gzip
import itertools
import json
import logging
import math
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from conftest import Api, read_all
from wire import (
    CLOSE,
    HANG,
    RESET,
    Part,
    Request,
    Script,
    Serve,
    a_page,
    a_run,
    again,
    answer,
    deaf_url,
    drip,
    error,
    head,
    refused_url,
    runs,
    steps,
)

import facade
from facade._exchange import NO_DEADLINE, Ask, Call, Deadline, Pause, Reply, exchange
from facade._options import Limits

RUN = answer(a_run())
PAGE = answer(a_page(runs(2)))
JSON = json.dumps(a_run()).encode()
SLACK_SEC = 2.0
"""What a busy machine may add to a bound."""


def get(client: Any, **options: Any) -> Any:
    """The call that most cases make."""
    return client.runs.get("thread_1", "run_1", **options)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The error that a call raises, and the seconds until then."""
    began = time.monotonic()
    with pytest.raises(facade.APIError) as caught:
        work()
    return caught.value, time.monotonic() - began


def within(elapsed: float, bound_sec: float) -> bool:
    """Whether a time is what a bound says, by a tenth and what the machine needs."""
    return bound_sec * 0.9 <= elapsed <= bound_sec * 1.1 + SLACK_SEC


def endless(text: bytes, pause_sec: float = 0.03) -> Iterator[Part]:
    """A text over and over."""
    while True:
        yield pause_sec
        yield text


SLOW: dict[str, Script | Callable[[Request], Script]] = {
    "says nothing": (HANG,),
    "head and nothing": (head(200, {"Content-Length": "100"}), HANG),
    "half a head": (head()[:-2], HANG),
    "body drips": lambda _: itertools.chain([head(200, {"Content-Length": "5000"})], drip(b" " * 4999)),
    "chunks drip": lambda _: itertools.chain([head(200, {"Transfer-Encoding": "chunked"})], endless(b"1\r\n \r\n")),
    "head drips": lambda _: drip(head(200, {"X-Long": "x" * 5000})),
    "status line drips": lambda _: drip(b"HTTP/1.1 200 " + b"O" * 5000),
    "headers without end": lambda _: itertools.chain([b"HTTP/1.1 200 OK\r\n"], endless(b"X-More: 1\r\n")),
    "interim answers without end": lambda _: endless(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "gzip drips": lambda _: itertools.chain(
        [head(200, {"Content-Length": "9999", "Content-Encoding": "gzip"})], drip(gzip.compress(JSON * 9))
    ),
}


class TestTime:
    """`timeout_sec` and `deadline_sec` are hard bounds."""

    @pytest.mark.parametrize("name", SLOW)
    def test_timeout(self, api: Api, serve: Serve, name: str) -> None:
        """An attempt ends when timeout_sec has passed, however the answer crawls; it is not retried."""
        server = serve(SLOW[name])
        client = api.client(server, max_retry_count=3)
        failure, elapsed = timed(lambda: get(client, timeout_sec=0.2))
        assert isinstance(failure, facade.APITimeoutError)
        assert within(elapsed, 0.2)
        assert failure.attempts == 1
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [404, 429, 503])
    @pytest.mark.parametrize("how", ["drips", "stalls"])
    def test_timeout_in_an_errors_body(self, api: Api, serve: Serve, how: str, status: int) -> None:
        """An error whose body does not come in time keeps its status, and is retried as its status says."""

        def say(request: Request) -> Script:
            said = head(status, {"Content-Length": "5000", "Retry-After-Ms": "1"})
            return itertools.chain([said], drip(b" " * 4999) if how == "drips" else (HANG,))

        server = serve(say)
        failure, elapsed = timed(lambda: get(api.client(server, max_retry_count=1), timeout_sec=0.2))
        assert isinstance(failure, facade.APIStatusError)
        assert failure.status_code == status
        assert failure.attempts == len(server.requests) == (1 if status == 404 else 2)
        assert within(elapsed, 0.2 * failure.attempts)
        assert api.until(lambda: server.open_connections == 0)

    def test_slow_connect(self, api: Api) -> None:
        """A connection that does not come about is bounded too."""
        with deaf_url() as url:
            failure, elapsed = timed(lambda: get(api.client(url, timeout_sec=0.3)))
        assert isinstance(failure, facade.APITimeoutError)
        assert within(elapsed, 0.3)

    def test_slow_tls(self, api: Api, serve: Serve) -> None:
        """A TLS handshake that nobody answers is bounded too, and its connection closed."""
        server = serve(RUN)
        failure, elapsed = timed(lambda: get(api.client(server.url.replace("http:", "https:"), timeout_sec=0.3)))
        assert isinstance(failure, facade.APITimeoutError)
        assert within(elapsed, 0.3)
        assert api.until(lambda: server.open_connections == 0)

    def test_timeout_of_the_client(self, api: Api, serve: Serve) -> None:
        """A client's own timeout_sec bounds each of its calls; a call's own wins over it."""
        server = serve((0.3, RUN))
        client = api.client(server, timeout_sec=0.1)
        assert isinstance(timed(lambda: get(client))[0], facade.APITimeoutError)
        assert get(client, timeout_sec=5).id == "run_1"

    @pytest.mark.parametrize("value", [0, None, 0.0])
    def test_no_limit(self, api: Api, serve: Serve, value: Any) -> None:
        """0 and None wait for as long as it takes."""
        server = serve((0.2, RUN))
        assert get(api.client(server, timeout_sec=value, deadline_sec=value)).id == "run_1"

    def test_each_attempt_has_its_own(self, api: Api, serve: Serve) -> None:
        """Attempts that each stay within timeout_sec may take longer together."""
        server = serve((0.2, again()), (0.2, again()), (0.2, RUN))
        assert get(api.client(server, timeout_sec=0.4, max_retry_count=2)).id == "run_1"

    def test_timeout_after_a_retry(self, api: Api, serve: Serve) -> None:
        """A timeout in a later attempt is final, and says how many there were."""
        server = serve(again(), (HANG,))
        failure, _ = timed(lambda: get(api.client(server, timeout_sec=0.2, max_retry_count=5)))
        assert isinstance(failure, facade.APITimeoutError)
        assert failure.attempts == 2
        assert len(server.requests) == 2

    def test_message(self, api: Api, serve: Serve) -> None:
        """A timeout says which limit passed and for what."""
        failure, _ = timed(lambda: get(api.client(serve((HANG,)), timeout_sec=0.1)))
        assert "timeout_sec" in str(failure)
        assert "/threads/thread_1/runs/run_1" in str(failure)

    def test_timeout_error_is_the_builtin_one(self, api: Api, serve: Serve) -> None:
        """`except TimeoutError` catches it."""
        with pytest.raises(TimeoutError):
            get(api.client(serve((HANG,)), timeout_sec=0.1))

    def test_next_call_after_a_timeout(self, api: Api, serve: Serve) -> None:
        """After a timeout the next call gets its own answer, not the late one."""
        server = serve((0.3, answer(a_run("late"))), answer(a_run("right")))
        client = api.client(server, timeout_sec=0.1)
        timed(lambda: get(client))
        api.rest(0.3)
        assert get(client).id == "run_right"

    @pytest.mark.parametrize("name", ["says nothing", "body drips", "head drips"])
    def test_deadline_of_one_attempt(self, api: Api, serve: Serve, name: str) -> None:
        """deadline_sec bounds a single attempt too."""
        failure, elapsed = timed(lambda: get(api.client(serve(SLOW[name])), deadline_sec=0.25))
        assert isinstance(failure, facade.APITimeoutError)
        assert "deadline_sec" in str(failure)
        assert within(elapsed, 0.25)

    def test_smaller_limit_counts(self, api: Api, serve: Serve) -> None:
        """Of timeout_sec and what is left of deadline_sec the smaller one bounds an attempt."""
        client = api.client(serve((HANG,)))
        failure, elapsed = timed(lambda: get(client, timeout_sec=0.2, deadline_sec=5))
        assert "timeout_sec" in str(failure)
        assert within(elapsed, 0.2)
        failure, elapsed = timed(lambda: get(client, timeout_sec=5, deadline_sec=0.2))
        assert "deadline_sec" in str(failure)
        assert within(elapsed, 0.2)

    def test_deadline_over_attempts(self, api: Api, serve: Serve) -> None:
        """deadline_sec bounds all attempts together: the last one gets what is left."""
        server = serve((0.1, again()), (0.1, again()), (HANG,))
        failure, elapsed = timed(lambda: get(api.client(server, timeout_sec=5, deadline_sec=0.4, max_retry_count=9)))
        assert isinstance(failure, facade.APITimeoutError)
        assert failure.attempts == 3
        assert within(elapsed, 0.4)

    def test_wait_that_would_pass_the_deadline(self, api: Api, serve: Serve) -> None:
        """A wait that would pass deadline_sec is refused at once, with the server's error."""
        server = serve(error(429, {"Retry-After": "30"}))
        failure, elapsed = timed(lambda: get(api.client(server, deadline_sec=10, max_retry_count=9)))
        assert isinstance(failure, facade.RateLimitError)
        assert (failure.retry_after, failure.attempts) == (30, 1)
        assert elapsed < SLACK_SEC

    def test_lasting_retries_end_at_the_deadline(self, api: Api, serve: Serve) -> None:
        """Retries that go on and on end at deadline_sec, not after max_retry_count."""
        server = serve(error(503, {"Retry-After-Ms": "50"}))
        failure, elapsed = timed(lambda: get(api.client(server, deadline_sec=0.3, max_retry_count=100)))
        assert elapsed < 0.3 * 1.1 + SLACK_SEC
        assert failure.attempts == len(server.requests) < 8

    def test_deadline_over_pages(self, api: Api, serve: Serve) -> None:
        """deadline_sec bounds the pages of a walk together; what was read before is handed over."""

        def slowly(request: Request) -> Script:
            return (0.12, answer(a_page([a_run(request.number)], True)))

        walk = api.client(serve(slowly)).runs.all("thread_1", deadline_sec=0.4)
        began = time.monotonic()
        items, failure = read_all(walk)
        assert isinstance(failure, facade.APITimeoutError)
        assert time.monotonic() - began < 0.4 * 1.1 + SLACK_SEC
        assert 1 <= len(items) <= 3
        assert failure.after == items[-1].id

    def test_callers_own_time(self, api: Api, serve: Serve) -> None:
        """What the caller does between items does not count for deadline_sec."""

        def one_of_four(request: Request) -> Script:
            return answer(a_page([a_run(request.number)], request.number < 4))

        walk = api.client(serve(one_of_four)).runs.all("thread_1", deadline_sec=0.3)
        for _ in walk:
            api.rest(0.15)
        assert walk.after == "run_4"

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_deadline_over_many(self, api: Api, serve: Serve, concurrency: int) -> None:
        """deadline_sec bounds a walk over many, and the error names the one that did not come."""

        def say(request: Request) -> Script:
            return answer(a_page([a_run(1)])) if "thread_1" in request.path else (HANG,)

        server = serve(say)
        walk = api.client(server).runs.all(
            ["thread_1", "thread_2", "thread_3"], deadline_sec=0.3, concurrency=concurrency
        )
        began = time.monotonic()
        items, failure = read_all(walk)
        assert isinstance(failure, facade.APITimeoutError)
        assert within(time.monotonic() - began, 0.3)
        assert [item.id for item in items] == ["run_1"]
        assert failure.thread_id == "thread_2"
        assert api.until(lambda: server.busy == 0)

    def test_timeout_in_a_walk(self, api: Api, serve: Serve) -> None:
        """timeout_sec bounds each page of a walk."""
        server = serve(answer(a_page(runs(2), True)), (HANG,))
        items, failure = read_all(api.client(server).runs.all("thread_1", timeout_sec=0.2))
        assert isinstance(failure, facade.APITimeoutError)
        assert [item.id for item in items] == ["run_1", "run_2"]
        assert failure.after == "run_2"

    def test_timeout_through_a_proxy(self, api: Api, serve: Serve) -> None:
        """The bound holds through a proxy."""
        proxy = serve(SLOW["body drips"])
        client = api.client("http://localhost:1/v1", proxy=proxy.url.removesuffix("/v1"), timeout_sec=0.25)
        failure, elapsed = timed(lambda: get(client))
        assert isinstance(failure, facade.APITimeoutError)
        assert within(elapsed, 0.25)
        assert len(proxy.requests) == 1


STATUSES: dict[int, type[facade.APIStatusError]] = {
    300: facade.APIStatusError,
    301: facade.APIStatusError,
    304: facade.APIStatusError,
    307: facade.APIStatusError,
    400: facade.BadRequestError,
    401: facade.AuthenticationError,
    402: facade.APIStatusError,
    403: facade.PermissionDeniedError,
    404: facade.NotFoundError,
    405: facade.APIStatusError,
    408: facade.APIStatusError,
    409: facade.ConflictError,
    410: facade.APIStatusError,
    413: facade.APIStatusError,
    418: facade.APIStatusError,
    422: facade.UnprocessableEntityError,
    425: facade.APIStatusError,
    429: facade.RateLimitError,
    451: facade.APIStatusError,
    499: facade.APIStatusError,
    500: facade.InternalServerError,
    501: facade.InternalServerError,
    502: facade.InternalServerError,
    503: facade.InternalServerError,
    504: facade.InternalServerError,
    520: facade.InternalServerError,
    524: facade.InternalServerError,
    529: facade.InternalServerError,
    599: facade.InternalServerError,
    600: facade.APIStatusError,
    700: facade.APIStatusError,
    999: facade.APIStatusError,
}
QUOTA = {"code": "insufficient_quota", "type": "insufficient_quota"}


class TestRetries:
    """Which answers are asked for again, how often and when."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_status(self, api: Api, serve: Serve, status: int) -> None:
        """Each status is its own error; 429 and 500 to 599 are tried 1 + max_retry_count times, others once."""
        server = serve(again(status))
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=2)))
        assert type(failure) is STATUSES[status]
        assert failure.status_code == status
        wanted = 3 if status == 429 or 500 <= status <= 599 else 1
        assert len(server.requests) == failure.attempts == wanted

    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_count(self, api: Api, serve: Serve, count: int) -> None:
        """A lasting error takes exactly 1 + max_retry_count requests."""
        server = serve(again(500))
        failure, _ = timed(lambda: get(api.client(server), max_retry_count=count))
        assert len(server.requests) == failure.attempts == 1 + count
        assert ("attempts" in str(failure)) is (count > 0)

    def test_no_retry_by_default(self, api: Api, serve: Serve) -> None:
        """Without max_retry_count there is one attempt."""
        server = serve(again(500))
        timed(lambda: get(api.client(server)))
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 418, 429, 500, 999])
    @pytest.mark.parametrize(("said", "wanted"), [("true", 3), ("false", 1)])
    def test_should_retry(self, api: Api, serve: Serve, status: int, said: str, wanted: int) -> None:
        """`x-should-retry: true` retries any answer that is not 2xx, `false` none."""
        server = serve(again(status, {"X-Should-Retry": said}))
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=2)))
        assert len(server.requests) == wanted
        assert failure.status_code == status

    def test_should_retry_needs_a_count(self, api: Api, serve: Serve) -> None:
        """`x-should-retry: true` does not retry beyond max_retry_count."""
        server = serve(again(503, {"X-Should-Retry": "true"}))
        timed(lambda: get(api.client(server)))
        assert len(server.requests) == 1

    @pytest.mark.parametrize("said", ["", "maybe", "1", "TRUEISH"])
    def test_junk_in_should_retry(self, api: Api, serve: Serve, said: str) -> None:
        """Anything else in `x-should-retry` counts for nothing."""
        for status, wanted in ((503, 2), (400, 1)):
            server = serve(again(status, {"X-Should-Retry": said}))
            timed(partial(get, api.client(server, max_retry_count=1)))
            assert len(server.requests) == wanted

    def test_should_retry_of_a_good_answer(self, api: Api, serve: Serve) -> None:
        """A good answer is taken, whatever `x-should-retry` says."""
        server = serve(answer(a_run(), headers={"X-Should-Retry": "true"}))
        assert get(api.client(server, max_retry_count=2)).id == "run_1"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("fields", [{"code": "insufficient_quota"}, {"type": "insufficient_quota"}, QUOTA], ids=str)
    def test_quota(self, api: Api, serve: Serve, fields: dict[str, Any]) -> None:
        """A 429 that says that the quota is used up is not retried."""
        server = serve(again(429, **fields))
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=3)))
        assert type(failure) is facade.RateLimitError
        assert len(server.requests) == 1

    def test_good_after_bad(self, api: Api, serve: Serve) -> None:
        """A good answer after errors is what the call gives."""
        server = serve(again(500), again(429), again(529), RUN)
        assert get(api.client(server, max_retry_count=3)).id == "run_1"

    def test_last_error_counts(self, api: Api, serve: Serve) -> None:
        """The last error is the one raised, with all attempts counted."""
        server = serve(again(500), again(503), error(404, message="gone"))
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=9)))
        assert type(failure) is facade.NotFoundError
        assert (failure.message, failure.attempts) == ("gone", 3)

    def test_retry_in_a_walk(self, api: Api, serve: Serve) -> None:
        """Each page of a walk is retried by itself."""
        server = serve(again(), answer(a_page(runs(2), True)), again(), answer(a_page(runs(2, begin=3))))
        assert len(list(api.client(server, max_retry_count=1).runs.all("thread_1"))) == 4

    BROKEN: dict[str, Script] = {  # noqa: RUF012  # a table
        "cut short": (head(200, {"Content-Length": "99"}), b"{", CLOSE),
        "reset": (RESET,),
        "closed": (CLOSE,),
        "not JSON": answer(b"<html>"),
        "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n", CLOSE),
    }

    @pytest.mark.parametrize("name", BROKEN)
    def test_not_retried(self, api: Api, serve: Serve, name: str) -> None:
        """Connection errors and unreadable answers are not retried."""
        server = serve(self.BROKEN[name])
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=3)))
        assert not isinstance(failure, facade.APIStatusError)
        assert failure.attempts == len(server.requests) == 1

    def test_connection_error_after_a_retry(self, api: Api, serve: Serve) -> None:
        """A connection error in a later attempt is final, and says how many there were."""
        server = serve(again(), (RESET,))
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=3)))
        assert type(failure) is facade.APIConnectionError
        assert failure.attempts == 2

    @pytest.mark.parametrize(
        "body",
        [
            answer(b"<html>Bad gateway</html>", 502, {"Content-Type": "text/html", "Retry-After-Ms": "1"}),
            answer(b"", 502, {"Retry-After-Ms": "1"}),
            answer(b"\xff\xfe\x00", 502, {"Retry-After-Ms": "1"}),
            answer(b"[" * 5000, 502, {"Retry-After-Ms": "1"}),
            answer(b"not gzip", 502, {"Content-Encoding": "gzip", "Retry-After-Ms": "1"}),
            answer(b"x", 502, {"Content-Encoding": "br", "Retry-After-Ms": "1"}),
            answer(b"null", 502, {"Retry-After-Ms": "1"}),
            answer(b'{"error": 5}', 502, {"Retry-After-Ms": "1"}),
            answer(b'{"error": {"message": 5, "code": {}, "type": [], "param": 1}}', 502, {"Retry-After-Ms": "1"}),
            answer(b"9" * 5000, 502, {"Retry-After-Ms": "1"}),
            (head(502, {"Content-Length": "99", "Retry-After-Ms": "1"}), b'{"error"', CLOSE),
            (head(502, {"Content-Length": "99", "Retry-After-Ms": "1"}), b'{"error"', RESET),
            (head(502, {"Transfer-Encoding": "chunked", "Retry-After-Ms": "1"}), b"zz\r\n", CLOSE),
        ],
        ids=[
            "HTML",
            "empty",
            "no UTF-8",
            "too deep",
            "broken gzip",
            "unknown encoding",
            "null",
            "error is a number",
            "odd envelope",
            "huge number",
            "cut short",
            "reset",
            "broken chunks",
        ],
    )
    def test_odd_error_bodies(self, api: Api, serve: Serve, body: Script) -> None:
        """An error is judged by its status, whatever its body is, and retried so."""
        server = serve(body)
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=2)))
        assert type(failure) is facade.InternalServerError
        assert (failure.status_code, failure.attempts) == (502, 3)
        assert "502" in str(failure)
        assert len(str(failure)) < 1000


NOW = 1_760_000_000.0
JUNK = [
    "",
    "soon",
    "nan",
    "inf",
    "-inf",
    "-5",
    "+5",
    "1e400",
    "1e2",
    "0x10",
    "1_0",
    "٣",
    "1, 2",
    "0",
    "0.0",
    "99" * 400,
    "Thu, 01 Jan 100000 00:00:00 GMT",
    "Thu, 99 Foo 2025 99:99:99 GMT",
    "Wed, 01 Jan 1000 00:00:00 GMT",
    email.utils.formatdate(NOW - 100, usegmt=True),
    ";;;",
    "2025-10-09T08:53:20Z",
]
WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "part of a second": ({"retry-after": "0.5"}, 0.5),
    "white space": ({"retry-after": " 3 "}, 3.0),
    "exactly 60": ({"retry-after": "60"}, 60.0),
    "above 60": ({"retry-after": "61"}, None),
    "just above 60": ({"retry-after": "60.001"}, None),
    "a day": ({"retry-after": "86400"}, None),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "part of a millisecond": ({"retry-after-ms": "0.5"}, 0.0005),
    "milliseconds first": ({"retry-after-ms": "20", "retry-after": "9"}, 0.02),
    "60,000 milliseconds": ({"retry-after-ms": "60000"}, 60.0),
    "above 60,000 milliseconds": ({"retry-after-ms": "60001"}, None),
    "junk in milliseconds": ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    "0 milliseconds": ({"retry-after-ms": "0", "retry-after": "9"}, 9.0),
    "date": ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
    "date in another zone": ({"retry-after": "Thu, 09 Oct 2025 10:53:50 +0200"}, 30.0),
    "date of old": ({"retry-after": "Thursday, 09-Oct-25 08:53:50 GMT"}, 30.0),
    "date in an hour": ({"retry-after": email.utils.formatdate(NOW + 3600, usegmt=True)}, None),
    "nothing": ({}, 1.0),
}


def step_after(headers: dict[str, str], retries: int = 1, jitter: float = 1.0) -> Pause | facade.APIStatusError:
    """What an exchange does after a 503 with these headers: waits so long, or gives up with its error."""
    call: Call[None] = Call("GET", "/threads/thread_1/runs", (), lambda body: None)
    ask = Ask(call, Limits(None, None, retries), Deadline(None, clock=lambda: 0.0))
    steps = exchange(ask, wall_clock=lambda: NOW, jitter=lambda: jitter)
    assert next(steps) is ask
    try:
        step = steps.send(
            Reply(503, httpx.Headers([(name.encode(), text.encode()) for name, text in headers.items()]), b"", str)
        )
    except facade.APIStatusError as failure:
        return failure
    assert isinstance(step, Pause)
    return step


class TestWaits:
    """How long is waited before a retry; the clock is the test's own."""

    @pytest.mark.parametrize("name", WAITS)
    def test_wait(self, name: str) -> None:
        """What the server asks for is waited, up to 60 s; a longer wait is an error at once, with retry_after."""
        headers, wanted = WAITS[name]
        step = step_after(headers)
        if wanted is None:
            assert isinstance(step, facade.InternalServerError)
            assert step.retry_after is not None
            assert step.retry_after > 60
        else:
            assert isinstance(step, Pause)
            assert math.isclose(step.sec, wanted, abs_tol=1e-6)

    @pytest.mark.parametrize("junk", JUNK, ids=lambda text: ascii(text)[:40])
    @pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
    def test_junk(self, name: str, junk: str) -> None:
        """Junk counts as nothing said: 2^n seconds with jitter, n from 0."""
        for jitter in (0.8, 1.2):
            assert step_after({name: junk}, jitter=jitter) == Pause(jitter)
        failure = step_after({name: junk}, retries=0)
        assert isinstance(failure, facade.InternalServerError)
        assert failure.retry_after is None

    def test_backoff(self) -> None:
        """The wait doubles with each retry, up to 129 s."""
        call: Call[None] = Call("GET", "/", (), lambda body: None)
        steps = exchange(Ask(call, Limits(None, None, 10), NO_DEADLINE), jitter=lambda: 1.2)
        waits = []
        next(steps)
        for _ in range(10):
            step = steps.send(Reply(500, {}, b"", str))
            assert isinstance(step, Pause)
            waits.append(step.sec)
            next(steps)
        assert waits == [pytest.approx(min(2**n * 1.2, 129.0)) for n in range(10)]

    def test_jitter(self) -> None:
        """By default the jitter is random, between 0.8 and 1.2."""
        call: Call[None] = Call("GET", "/", (), lambda body: None)
        seen = set()
        for _ in range(200):
            steps = exchange(Ask(call, Limits(None, None, 1), NO_DEADLINE))
            next(steps)
            step = steps.send(Reply(500, {}, b"", str))
            assert isinstance(step, Pause)
            seen.add(step.sec)
        assert len(seen) > 100
        assert min(seen) >= 0.8
        assert max(seen) <= 1.2

    def test_deadline_refuses_a_wait(self) -> None:
        """A wait that is longer than what is left of the deadline is not begun; one as long is."""
        call: Call[None] = Call("GET", "/", (), lambda body: None)
        for left, waits in ((5.0, True), (4.9, False)):
            with Deadline(left, clock=lambda: 0.0) as deadline:
                steps = exchange(Ask(call, Limits(None, left, 3), deadline))
                next(steps)
                reply = Reply(503, httpx.Headers({"retry-after": "5"}), b"", str)
                if waits:
                    assert steps.send(reply) == Pause(5.0)
                else:
                    with pytest.raises(facade.InternalServerError):
                        steps.send(reply)

    def test_deadline_of_several_threads(self) -> None:
        """Asked what is left between any two steps of its owner, a deadline says so, and counts no time twice."""
        now = 7.0
        deadline = Deadline(100.0, clock=lambda: now)
        asked: list[float] = []

        def look(frame: Any, event: str, argument: Any) -> Any:
            if frame.f_code.co_filename != Deadline.__enter__.__code__.co_filename:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                asked.append(deadline.remaining_sec())
            return look

        before = sys.gettrace()
        sys.settrace(look)
        try:
            with deadline:
                now += 10
        finally:
            sys.settrace(before)
        assert set(asked) == {100.0, 90.0}

    def test_really_waited(self, api: Api, serve: Serve) -> None:
        """The wait is made between the requests."""
        server = serve(error(503, {"Retry-After-Ms": "200"}), RUN)
        began = time.monotonic()
        get(api.client(server, max_retry_count=1))
        assert time.monotonic() - began >= 0.2

    def test_long_wait_comes_at_once(self, api: Api, serve: Serve) -> None:
        """A server that asks for more than 60 s is not waited for: the error comes at once."""
        server = serve(error(503, {"Retry-After": "61"}))
        failure, elapsed = timed(lambda: get(api.client(server, max_retry_count=3)))
        assert failure.retry_after == 61
        assert len(server.requests) == 1
        assert elapsed < SLACK_SEC


def gz(body: bytes) -> bytes:
    """A gzip body as an answer."""
    return answer(body, headers={"Content-Encoding": "gzip"})


def deep(depth: int) -> bytes:
    """A run with lists inside lists."""
    return b'{"id": "run_1", "metadata": ' + b"[" * depth + b"]" * depth + b"}"


BAD_OBJECTS: dict[str, Script] = {
    "HTML": answer(b"<html><body>Welcome</body></html>", headers={"Content-Type": "text/html"}),
    "text": answer(b"OK", headers={"Content-Type": "text/plain"}),
    "truncated JSON": answer(JSON[:-20]),
    "two values": answer(JSON + JSON),
    "trailing comma": answer(b'{"id": "run_1",}'),
    "single quotes": answer(b"{'id': 'run_1'}"),
    "event stream": answer(b"data: " + JSON + b"\n\n", headers={"Content-Type": "text/event-stream"}),
    "empty": answer(b""),
    "white space": answer(b" \r\n "),
    "204": answer(b"", 204, {"Content-Length": None}),
    "202 without body": answer(b"", 202),
    "205": answer(b"", 205),
    "null": answer(None),
    "true": answer(True),
    "number": answer(5),
    "huge number": answer(b"9" * 5000),
    "text value": answer("run_1"),
    "empty list": answer([]),
    "list": answer([a_run()]),
    "page": answer(a_page(runs(1))),
    "empty object": answer({}),
    "error object": answer({"error": {"message": "no luck", "type": "server_error", "param": None, "code": None}}),
    "id null": answer({**a_run(), "id": None}),
    "id number": answer({**a_run(), "id": 5}),
    "id empty": answer({**a_run(), "id": ""}),
    "id blank": answer({**a_run(), "id": " "}),
    "id list": answer({**a_run(), "id": ["run_1"]}),
    "bad UTF-8": answer(b'{"id": "run_1", "instructions": "\xff\xfe"}'),
    "bad UTF-8 in a key": answer(b'{"id": "run_1", "\xc3": 1}'),
    "UTF-8 cut short": answer(b'{"id": "run_1", "instructions": "\xe2\x82"}'),
    "Latin-1": answer('{"id": "run_1", "instructions": "Brötchen"}'.encode("latin-1")),
    "NUL bytes": answer(b"\0" * 50),
    "100,000 deep": answer(deep(100_000)),
    "100,000 deep, open": answer(b"[" * 100_000),
    "100,000 objects deep": answer(b'{"id": "run_1", "a": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"),
    "100,000 deep beside brackets in text": answer(
        b'{"id": "run_1", "t": "]]}{[[", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "5,000 digits": answer(b'{"id": "run_1", "created_at": ' + b"1" * 5_000 + b"}"),
    "broken gzip": gz(b"this is not gzip"),
    "gzip with a bad checksum": gz(gzip.compress(JSON)[:-8] + b"\0" * 8),
    "gzip cut short": gz(gzip.compress(JSON)[:-30]),
    "gzip head alone": gz(gzip.compress(JSON)[:10]),
    "gzip of nothing": gz(gzip.compress(b"")),
    "gzip of rubbish": gz(gzip.compress(b"<html>")),
    "plain body called gzip": gz(JSON),
    "broken deflate": answer(b"no deflate", headers={"Content-Encoding": "deflate"}),
    "unknown encoding": answer(JSON, headers={"Content-Encoding": "rot13"}),
    "encoding that was not asked for": answer(JSON, headers={"Content-Encoding": "br"}),
    "encoded twice": answer(gzip.compress(JSON), headers={"Content-Encoding": "gzip, br"}),
}
BAD_PAGES: dict[str, Script] = {
    "HTML": answer(b"<html>"),
    "empty": answer(b""),
    "204": answer(b"", 204, {"Content-Length": None}),
    "null": answer(None),
    "bare list": answer(runs(2)),
    "object without data": answer({"object": "list", "has_more": False}),
    "one run": answer(a_run()),
    "error object": answer({"error": {"message": "no luck"}}),
    "data null": answer({"object": "list", "data": None}),
    "data object": answer({"data": {"run_1": a_run()}}),
    "data text": answer({"data": "run_1"}),
    "data number": answer({"data": 3}),
    "null among the data": answer({"data": [a_run(), None]}),
    "id among the data": answer({"data": ["run_1"]}),
    "list among the data": answer({"data": [[a_run()]]}),
    "truncated JSON": answer(json.dumps(a_page(runs(3)))[:-30].encode()),
    "100,000 deep": answer(b'{"data": [' + deep(100_000) + b"]}"),
    "bad UTF-8": answer(b'{"data": [{"id": "run_\xff"}]}'),
}
BROKEN: dict[str, Script] = {
    "closed at once": (CLOSE,),
    "reset at once": (RESET,),
    "closed in the head": (head()[:20], CLOSE),
    "reset in the head": (head()[:20], RESET),
    "closed before the body": (head(200, {"Content-Length": "99"}), CLOSE),
    "body cut short": (head(200, {"Content-Length": str(len(JSON))}), JSON[:-20], CLOSE),
    "body reset": (head(200, {"Content-Length": str(len(JSON))}), JSON[:-20], RESET),
    "whole JSON in a body cut short": (head(200, {"Content-Length": str(len(JSON) + 9)}), JSON, CLOSE),
    "chunks cut short": (head(200, {"Transfer-Encoding": "chunked"}), b"40\r\n" + JSON[:20], CLOSE),
    "last chunk missing": (
        head(200, {"Transfer-Encoding": "chunked"}),
        b"%x\r\n%s\r\n" % (len(JSON), JSON),
        CLOSE,
    ),
    "chunk size that is none": (head(200, {"Transfer-Encoding": "chunked"}), b"xyz\r\n" + JSON, CLOSE),
    "negative chunk size": (head(200, {"Transfer-Encoding": "chunked"}), b"-5\r\n" + JSON, CLOSE),
    "gzip body cut short": (
        head(200, {"Content-Length": "5000", "Content-Encoding": "gzip"}),
        gzip.compress(JSON)[:50],
        CLOSE,
    ),
    "no HTTP": (b"220 mail.example ESMTP\r\n", CLOSE),
    "status that is none": (b"HTTP/1.1 abc OK\r\n\r\n", CLOSE),
    "header without colon": (b"HTTP/1.1 200 OK\r\nnothing here\r\n\r\n", CLOSE),
    "NUL in a header": (b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n", CLOSE),
    "huge header": (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n", CLOSE),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456", CLOSE),
    "length that is none": (b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n12345", CLOSE),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345", CLOSE),
    "interim answer and no more": (b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE),
    "switching protocols": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", CLOSE),
}
GOOD: dict[str, Script] = {
    "gzip": gz(gzip.compress(JSON)),
    "gzip by another name": answer(gzip.compress(JSON), headers={"Content-Encoding": "x-gzip"}),
    "gzip in capitals": answer(gzip.compress(JSON), headers={"Content-Encoding": "GZIP"}),
    "deflate": answer(zlib.compress(JSON), headers={"Content-Encoding": "deflate"}),
    "raw deflate": answer(zlib.compress(JSON)[2:-4], headers={"Content-Encoding": "deflate"}),
    "identity": answer(JSON, headers={"Content-Encoding": "identity"}),
    "chunks": (
        head(200, {"Transfer-Encoding": "chunked"}),
        b"".join(b"1\r\n%c\r\n" % byte for byte in JSON) + b"0\r\n\r\n",
    ),
    "chunks with extensions and trailers": (
        head(200, {"Transfer-Encoding": "chunked"}),
        b"%x;a=b\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(JSON), JSON),
    ),
    "until the end of the connection": (head(200), JSON, CLOSE),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + JSON, CLOSE),
    "connection: close": (answer(JSON, headers={"Connection": "close"}), CLOSE),
    "byte by byte": tuple(answer(JSON)[i : i + 1] for i in range(len(answer(JSON)))),
    "no content type": answer(JSON, headers={"Content-Type": None}),
    "wrong content type": answer(JSON, headers={"Content-Type": "text/html; charset=latin-1"}),
    "charset that is none": answer(JSON, headers={"Content-Type": "application/json; charset=klingon"}),
    "byte order mark": answer(b"\xef\xbb\xbf" + JSON),
    "white space around": answer(b"\r\n  " + JSON + b"\n\n"),
    "201": answer(JSON, 201),
    "299": answer(JSON, 299),
    "interim answers first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + answer(JSON),
    "no reason phrase": b"HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n%s" % (len(JSON), JSON),
    "unknown kind of run": answer({"id": "run_1", "object": "thread.walk"}),
    "an error beside an id": answer({**a_run(), "error": {"message": "no luck"}}),
    "300 deep": answer(deep(300)),
    "600 deep": answer(deep(600)),
    "brackets in a text": answer({"id": "run_1", "instructions": "[{" * 20_000}),
    "escaped quotes and brackets": answer({"id": "run_1", "instructions": '\\"[' * 20_000}),
    "4,000 digits": answer(b'{"id": "run_1", "created_at": ' + b"1" * 4_000 + b"}"),
    "the same key twice": answer(b'{"id": "run_0", "id": "run_1"}'),
}


class TestAnswers:
    """Answers that are not what was asked for."""

    @pytest.mark.parametrize("name", BAD_OBJECTS)
    def test_bad_object(self, api: Api, serve: Serve, name: str) -> None:
        """A 2xx that is no object with an id is an APIResponseError of moderate length; the next call works."""
        client = api.client(serve(BAD_OBJECTS[name], RUN))
        failure, _ = timed(lambda: get(client))
        assert type(failure) is facade.APIResponseError
        assert failure.attempts == 1
        assert 10 < len(str(failure)) < 500
        assert get(client).id == "run_1"

    @pytest.mark.parametrize("name", ["HTML", "empty", "list", "id null", "100,000 deep"])
    def test_bad_step(self, api: Api, serve: Serve, name: str) -> None:
        """Steps are read as strictly as runs."""
        client = api.client(serve(BAD_OBJECTS[name]))
        failure, _ = timed(lambda: client.steps.get(a_run(), "step_1"))
        assert type(failure) is facade.APIResponseError

    @pytest.mark.parametrize("name", BAD_PAGES)
    def test_bad_page(self, api: Api, serve: Serve, name: str) -> None:
        """A 2xx without a data array of objects is an APIResponseError, in a page and in a walk."""
        client = api.client(serve(BAD_PAGES[name]))
        failure, _ = timed(lambda: client.runs.list("thread_1"))
        assert type(failure) is facade.APIResponseError
        failure, _ = timed(lambda: list(client.steps.all(a_run())))
        assert type(failure) is facade.APIResponseError

    @pytest.mark.parametrize("name", BROKEN)
    def test_broken_connection(self, api: Api, serve: Serve, name: str) -> None:
        """Where no whole answer comes it is an APIConnectionError, no transport's own; the next call works."""
        client = api.client(serve(BROKEN[name], RUN), timeout_sec=5)
        failure, elapsed = timed(lambda: get(client))
        assert type(failure) is facade.APIConnectionError
        assert "/threads/thread_1/runs/run_1" in str(failure)
        assert elapsed < SLACK_SEC
        assert len(str(failure)) < 500
        assert get(client).id == "run_1"

    @pytest.mark.parametrize("name", GOOD)
    def test_good(self, api: Api, serve: Serve, name: str) -> None:
        """However a run is framed, encoded or labelled, it is read; and so is the next."""
        client = api.client(serve(GOOD[name], RUN))
        assert get(client).id == "run_1"
        assert get(client).to_dict() == a_run()

    def test_refused(self, api: Api) -> None:
        """A connection that is refused is an APIConnectionError."""
        failure, _ = timed(lambda: get(api.client(refused_url(), max_retry_count=3)))
        assert type(failure) is facade.APIConnectionError
        assert failure.attempts == 1

    def test_errors_hold_no_foreign_ones(self, api: Api, serve: Serve) -> None:
        """An error of a call shows no transport's or parser's error behind it."""
        for script in (BAD_OBJECTS["truncated JSON"], BROKEN["body cut short"], BAD_OBJECTS["bad UTF-8"]):
            failure, _ = timed(partial(get, api.client(serve(script))))
            assert failure.__cause__ is None
            assert failure.__context__ is None or failure.__suppress_context__

    def test_stale_connection(self, api: Api, serve: Serve) -> None:
        """A connection that the server closed after an answer is not used again."""
        server = serve((RUN, CLOSE))
        client = api.client(server)
        for _ in range(5):
            assert get(client).id == "run_1"
            assert api.until(lambda: server.open_connections == 0)
        assert server.connections == 5

    @pytest.mark.parametrize("pause", [(), (0.05,)], ids=["behind an answer", "while nobody asks"])
    def test_forged(self, api: Api, serve: Serve, pause: tuple[float, ...]) -> None:
        """Bytes behind an answer's end, and an answer that nobody asked for, are not taken for the next call's."""
        first, forged = answer(a_run("first")), answer(a_run("forged"))
        server = serve((first, *pause, forged) if pause else (first + forged,), answer(a_run("second")))
        client = api.client(server)
        assert get(client).id == "run_first"
        api.rest(0.05 + 2 * sum(pause))
        try:
            assert get(client).id == "run_second"
        except facade.APIConnectionError:
            assert get(client).id == "run_second"


class TestErrorFields:
    """What a status error says."""

    def test_envelope(self, api: Api, serve: Serve) -> None:
        """The envelope's fields, the request id and the whole body are there."""
        server = serve(error(400, {"X-Request-Id": "req_7"}, message="bad oven", type="t", param="limit", code="c"))
        failure, _ = timed(lambda: get(api.client(server)))
        assert (failure.message, failure.type, failure.param, failure.code) == ("bad oven", "t", "limit", "c")
        assert (failure.status_code, failure.request_id, failure.retry_after) == (400, "req_7", None)
        assert failure.body == {"error": {"message": "bad oven", "type": "t", "param": "limit", "code": "c"}}
        assert "400" in str(failure)
        assert "bad oven" in str(failure)
        assert "req_7" in str(failure)
        assert (failure.after, failure.thread_id, failure.run_id) == (None, None, None)

    @pytest.mark.parametrize(
        ("body", "message", "code"),
        [
            (b'{"message": "flat", "code": "c"}', "flat", "c"),
            (b'{"error": "plain text"}', "plain text", None),
            (b'{"detail": "FastAPI says"}', "FastAPI says", None),
            (b'{"error": {"message": "", "code": 42}}', None, "42"),
            (b'{"error": {"message": " ", "detail": "why"}}', "why", None),
            (b'{"error": {"message": 5, "detail": "why"}}', "why", None),
            (b'{"error": false}', None, None),
            (b'{"error": {"message": "two  spaces"}}', "two  spaces", None),
            (b'{"detail": [{"loc": ["query"], "msg": "field required"}]}', None, None),
            (b'{"statusCode": 404, "message": "Resource not found"}', "Resource not found", None),
            (b'["odd"]', None, None),
            (b"not json", None, None),
            (b"", None, None),
        ],
        ids=range(13),
    )
    def test_other_envelopes(self, api: Api, serve: Serve, body: bytes, message: str | None, code: str | None) -> None:
        """Errors without the envelope are read as far as they can be; there is always a message."""
        failure, _ = timed(lambda: get(api.client(serve(answer(body, 404)))))
        assert type(failure) is facade.NotFoundError
        if message is not None:
            assert failure.message == message
        assert failure.message
        assert "404" in str(failure)
        assert failure.code == code

    @pytest.mark.parametrize(
        ("body", "wanted"), [(b'{"a": [1]}', {"a": [1]}), (b"<html>", "<html>"), (b"", None), (b"[1]", [1])], ids=str
    )
    def test_body(self, api: Api, serve: Serve, body: bytes, wanted: Any) -> None:
        """`body` is the JSON value, else the text, else None."""
        failure, _ = timed(lambda: get(api.client(serve(answer(body, 500)))))
        assert failure.body == wanted

    def test_long_messages(self, api: Api, serve: Serve) -> None:
        """A message of a server's is shown on one line of moderate length, without control characters."""
        failure, _ = timed(lambda: get(api.client(serve(error(500, message="a\r\n\x1b[31m" + "long " * 10_000)))))
        assert len(str(failure)) < 1000
        assert str(failure).isprintable()

    def test_closed_endpoint(self, api: Api) -> None:
        """A 404 of api.openai.com says that it closed, when, and how to name another; other endpoints' do not."""
        transport = httpx.MockTransport(lambda request: httpx.Response(404))
        failure, _ = timed(lambda: get(api.client(transport=transport)))
        assert "2026-08-26" in str(failure)
        assert "api_base" in str(failure)
        failure, _ = timed(lambda: get(api.client("https://bakery.example/v1", transport=transport)))
        assert "2026" not in str(failure)

    def test_errors_are_logged_once(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """A broken attempt is one DEBUG line too."""
        caplog.set_level(logging.DEBUG, "facade")
        timed(lambda: get(api.client(serve((RESET,)))))
        (record,) = [record for record in caplog.records if record.name == "facade"]
        assert record.levelno == logging.DEBUG
        assert "/threads/thread_1/runs/run_1" in record.getMessage()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects(self, api: Api, serve: Serve, status: int) -> None:
        """A redirect is an error that says so and is not followed, to the same host neither."""
        server = serve(answer(b"", status, {"Location": "/v1/elsewhere"}), RUN)
        failure, _ = timed(lambda: get(api.client(server, max_retry_count=3)))
        assert type(failure) is facade.APIStatusError
        assert "redirect" in str(failure)
        assert len(server.requests) == 1


MIB = 1024 * 1024


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most memory that something holds at once beyond what was held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class TestSizes:
    """`max_response_bytes` bounds the decoded size of one answer."""

    def test_exactly_as_large(self, api: Api, serve: Serve) -> None:
        """An answer of just that size is read; one of a byte more is not."""
        server = serve(answer(JSON))
        assert get(api.client(server, max_response_bytes=len(JSON))).id == "run_1"
        failure, _ = timed(lambda: get(api.client(server, max_response_bytes=len(JSON) - 1)))
        assert type(failure) is facade.APIResponseError
        assert "max_response_bytes" in str(failure)

    def test_decoded_size_counts(self, api: Api, serve: Serve) -> None:
        """It is the decoded size that counts."""
        large = answer(
            gzip.compress(json.dumps(a_run(instructions=" " * 10_000)).encode()), headers={"Content-Encoding": "gzip"}
        )
        server = serve(large)
        assert get(api.client(server)).id == "run_1"
        failure, _ = timed(lambda: get(api.client(server, max_response_bytes=5_000)))
        assert type(failure) is facade.APIResponseError

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    @pytest.mark.parametrize("status", [200, 500])
    def test_bomb(self, api: Api, serve: Serve, encoding: str, status: int) -> None:
        """An answer that swells to 100 MiB is given up at the limit, with memory to match; an error stays one."""
        compressor = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
        zeros = b" " * MIB
        body = b"".join(compressor.compress(zeros) for _ in range(100)) + compressor.flush()
        server = serve(answer(body, status, {"Content-Encoding": encoding}))
        client = api.client(server, max_response_bytes=2 * MIB)
        kinds = []
        peak = peak_bytes(lambda: kinds.append(type(timed(lambda: get(client))[0])))
        assert kinds == [facade.APIResponseError if status == 200 else facade.InternalServerError]
        assert peak < 16 * MIB

    @pytest.mark.parametrize("status", [200, 404])
    def test_endless_body(self, api: Api, serve: Serve, status: int) -> None:
        """A body that never ends is given up at the limit, and its connection closed."""

        def say(request: Request) -> Iterator[Part]:
            yield head(status, {"Transfer-Encoding": "chunked"})
            while True:
                yield b"10000\r\n" + b" " * 65_536 + b"\r\n"

        server = serve(say)
        failure, _ = timed(lambda: get(api.client(server, max_response_bytes=MIB)))
        assert type(failure) is (facade.APIResponseError if status == 200 else facade.NotFoundError)
        assert api.until(lambda: server.open_connections == 0)

    def test_large_announcement(self, api: Api, serve: Serve) -> None:
        """A length of terabytes in the head costs no memory."""
        server = serve((head(200, {"Content-Length": str(10**15)}), b"{}", CLOSE))
        kinds: list[Any] = []
        client = api.client(server)
        assert peak_bytes(lambda: kinds.append(timed(lambda: get(client)))) < 16 * MIB

    def test_large_page(self, api: Api, serve: Serve) -> None:
        """An answer of some megabytes is read whole by default."""
        page = a_page([a_run(n, instructions="x" * 50_000) for n in range(100)])
        assert len(api.client(serve(answer(page))).runs.list("thread_1")) == 100

    def test_error_of_a_large_page(self, api: Api, serve: Serve) -> None:
        """Each page of a walk is bounded by itself."""
        server = serve(answer(a_page(runs(2), True)), answer(a_page(runs(9, begin=3))))
        items, failure = read_all(api.client(server, max_response_bytes=3_000).runs.all("thread_1"))
        assert type(failure) is facade.APIResponseError
        assert len(items) == 2
        assert failure.after == "run_2"


def test_walk_over_steps_of_failing_runs(api: Api, serve: Serve) -> None:
    """In a walk over many, a status error names the run that failed and carries its own fields."""

    def say(request: Request) -> Script:
        return error(403, message="not yours") if "run_2" in request.path else answer(a_page(steps(2)))

    walk = api.client(serve(say)).steps.all([a_run(1), a_run(2), a_run(3)])
    items, failure = read_all(walk)
    assert type(failure) is facade.PermissionDeniedError
    assert (failure.run_id, failure.thread_id, failure.message) == ("run_2", "thread_1", "not yours")
    assert len(items) == 2
