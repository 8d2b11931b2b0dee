"""What errors say: which request it was, what came, and how to go on; printable, short, and without secrets."""

from __future__ import annotations

import copy
import logging
import pickle
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from conftest import Api, read_all
from wire import (
    CLOSE,
    HANG,
    KEY,
    RESET,
    RUN,
    Request,
    Script,
    Serve,
    a_page,
    a_run,
    a_step,
    answer,
    error,
    head,
    refused_url,
    runs,
)

import facade

PATH = "/threads/thread_1/runs/run_1"

FAILURES: dict[str, tuple[Script, type[facade.APIError]]] = {
    "400": (error(400), facade.BadRequestError),
    "404": (error(404), facade.NotFoundError),
    "429": (error(429), facade.RateLimitError),
    "500": (error(500), facade.InternalServerError),
    "529": (error(529), facade.InternalServerError),
    "302": (answer(b"", 302, {"Location": "/elsewhere"}), facade.APIStatusError),
    "418 without a body": (answer(b"", 418), facade.APIStatusError),
    "reset": ((RESET,), facade.APIConnectionError),
    "closed": ((CLOSE,), facade.APIConnectionError),
    "cut short": ((head(200, {"Content-Length": "99"}), b"{", CLOSE), facade.APIConnectionError),
    "reset in a body without a length": (
        (head() + RUN.partition(b"\r\n\r\n")[2], 0.05, RESET),
        facade.APIConnectionError,
    ),
    "no HTTP": ((b"220 mail.example ESMTP\r\n", CLOSE), facade.APIConnectionError),
    "timeout": ((HANG,), facade.APITimeoutError),
    "no JSON": (answer(b"<html>"), facade.APIResponseError),
    "no id": (answer({}), facade.APIResponseError),
    "bad gzip": (answer(b"x", headers={"Content-Encoding": "gzip"}), facade.APIResponseError),
    "too large": (answer(b" " * 5000), facade.APIResponseError),
}


def caught(work: Callable[[], Any]) -> facade.APIError:
    """The error that a call raises."""
    with pytest.raises(facade.APIError) as found:
        work()
    return found.value


def says_which(failure: Any, path: str) -> bool:
    """Whether an error says which request it was, in its attributes and in its text."""
    return (failure.method, failure.path) == ("GET", path) and f"GET {path}" in str(failure)


class TestRequest:
    """Every error says which request it was."""

    @pytest.mark.parametrize("name", FAILURES)
    def test_of_a_call(self, api: Api, serve: Serve, name: str) -> None:
        """Its method and path are attributes, and in its text, once."""
        script, kind = FAILURES[name]
        client = api.client(serve(script), max_response_bytes=4_000)
        failure = caught(lambda: client.runs.get("thread_1", "run_1", timeout_sec=0.3 if name == "timeout" else 0))
        assert type(failure) is kind
        assert says_which(failure, PATH)
        assert str(failure).count(PATH) == 1

    def test_refused(self, api: Api) -> None:
        """So it is where no connection comes about."""
        assert says_which(caught(lambda: api.client(refused_url()).runs.get("thread_1", "run_1")), PATH)

    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    @pytest.mark.parametrize("name", ["404", "500", "reset", "no JSON", "timeout"])
    def test_of_a_walk(self, api: Api, serve: Serve, many: bool, name: str) -> None:
        """In a walk it is the list that failed."""
        client = api.client(serve(FAILURES[name][0]), timeout_sec=0.5)
        _, failure = read_all(client.steps.all([a_run()] if many else a_run()))
        assert says_which(failure, f"{PATH}/steps")

    def test_of_a_loop(self, api: Api, serve: Serve) -> None:
        """A PaginationError names the list as well."""
        _, failure = read_all(api.client(serve(answer(a_page(runs(1), True)))).runs.all("thread_1"))
        assert type(failure) is facade.PaginationError
        assert says_which(failure, "/threads/thread_1/runs")

    def test_of_a_deadline(self, api: Api, serve: Serve) -> None:
        """So does the deadline of a whole walk."""
        client = api.client(serve(answer(a_page(runs(1), True)), (HANG,)))
        _, failure = read_all(client.runs.all("thread_1", deadline_sec=0.4))
        assert isinstance(failure, facade.APITimeoutError)
        assert says_which(failure, "/threads/thread_1/runs")

    def test_odd_id(self, api: Api, serve: Serve) -> None:
        """A path is shown as it was sent."""
        failure = caught(lambda: api.client(serve(error(404))).runs.get("thread+ä", "run/1"))
        assert says_which(failure, "/threads/thread%2B%C3%A4/runs/run%2F1")

    @pytest.mark.parametrize("name", ["404", "reset", "no JSON"])
    def test_copies(self, api: Api, serve: Serve, name: str) -> None:
        """A copy or pickle of an error says the same."""
        client = api.client(serve(FAILURES[name][0]))
        failure = caught(lambda: client.runs.get("thread_1", "run_1"))
        for twin in (copy.copy(failure), pickle.loads(pickle.dumps(failure))):
            assert (str(twin), twin.method, twin.path, vars(twin)) == (str(failure), "GET", PATH, vars(failure))

    def test_made_by_hand(self) -> None:
        """An error that a caller's own test makes has no request."""
        assert (facade.APIError("x").method, facade.APIError("x").path, str(facade.APIError("x"))) == (None, None, "x")
        assert (facade.APIError("x").sent, facade.APIError("x").attempts) == (True, 0)
        assert facade.APIError("x").may_go_on is True
        assert repr(facade.NotFoundError("x", body="endless")) == "NotFoundError('x')"

    def test_collected(self) -> None:
        """Errors can be kept in sets and as keys, each as itself."""
        assert len({facade.NotFoundError("x"), facade.NotFoundError("x"), facade.APIError("x")}) == 3


class TestSent:
    """Whether a failed request may have reached the server."""

    def test_nothing_was_sent(self, api: Api) -> None:
        """Where no connection came about nothing was."""
        assert caught(lambda: api.client(refused_url()).runs.get("thread_1", "run_1")).sent is False

    @pytest.mark.parametrize("name", ["400", "500", "reset", "cut short", "timeout", "no JSON"])
    def test_something_was_sent(self, api: Api, serve: Serve, name: str) -> None:
        """After any answer, and where none came, it may have."""
        client = api.client(serve(FAILURES[name][0]), timeout_sec=0.5)
        assert caught(lambda: client.runs.get("thread_1", "run_1")).sent is True

    @pytest.mark.parametrize("kind", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError])
    def test_transport_of_the_callers_own(self, api: Api, kind: type[httpx.TransportError]) -> None:
        """A transport of the caller's own may have sent it, unless it says that it did not connect."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise kind("none")

        client = api.client("https://bakery.example/v1", transport=httpx.MockTransport(fail))
        assert caught(lambda: client.runs.get("thread_1", "run_1")).sent is True


class TestWhatCame:
    """An answer that cannot be read is shown by its type and first words."""

    def test_a_login_page(self, api: Api, serve: Serve) -> None:
        """A page of HTML with status 200 shows for what it is."""
        page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Welcome to the gateway</body></html>"
        script = answer(page, headers={"Content-Type": "text/html; charset=utf-8"})
        failure = caught(lambda: api.client(serve(script)).runs.get("thread_1", "run_1"))
        assert type(failure) is facade.APIResponseError
        assert "text/html" in str(failure)
        assert "<!DOCTYPE html>" in str(failure)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"upstream is away", "upstream is away"),
            (b'{"status": "ok"}', "status"),
            (b'["run_1"]', "run_1"),
            (b"\xff\xfe\x00binary", "binary"),
        ],
    )
    def test_first_words(self, api: Api, serve: Serve, body: bytes, words: str) -> None:
        """Whatever came is shown in its first words, on one printable line."""
        failure = caught(lambda: api.client(serve(answer(body))).runs.get("thread_1", "run_1"))
        assert type(failure) is facade.APIResponseError
        assert words in str(failure)
        assert str(failure).isprintable()

    def test_no_content_type(self, api: Api, serve: Serve) -> None:
        """A missing type is said to be missing, and no more."""
        script = answer(b"hello", headers={"Content-Type": None})
        failure = caught(lambda: api.client(serve(script)).runs.get("thread_1", "run_1"))
        assert "hello" in str(failure)
        assert "None" not in str(failure)

    def test_long(self, api: Api, serve: Serve) -> None:
        """An endless answer, or type, is shown in part."""
        script = answer(b"bread " * 5_000, headers={"Content-Type": "x/" + "y" * 5_000})
        assert len(str(caught(lambda: api.client(serve(script)).runs.get("thread_1", "run_1")))) < 500

    @pytest.mark.parametrize("cut", [0, 1, 5])
    def test_key_is_blanked(self, api: Api, serve: Serve, cut: int) -> None:
        """A key in what came is not shown, nor a part of it where the words are cut off."""
        for length in range(0, 300, 7):
            body = b"x" * length + b" key: " + KEY.encode() + b" " + b"y" * cut
            failure = caught(partial(api.client(serve(answer(body))).runs.get, "thread_1", "run_1"))
            assert KEY[:10] not in str(failure)

    def test_of_a_page(self, api: Api, serve: Serve) -> None:
        """Lists are no different, in a walk over many too."""
        client = api.client(serve(answer(b"<html>Welcome", headers={"Content-Type": "text/html"})))
        for failure in (
            caught(lambda: client.runs.list("thread_1")),
            caught(lambda: list(client.runs.all(["thread_1"]))),
        ):
            assert "text/html" in str(failure)
            assert "Welcome" in str(failure)


class TestGoingOn:
    """What an error advises."""

    def test_loop(self, api: Api, serve: Serve) -> None:
        """A loop is not to be gone on with from where it loops."""
        _, failure = read_all(api.client(serve(answer(a_page(runs(1), True)))).runs.all("thread_1"))
        assert isinstance(failure, facade.PaginationError)
        assert "after=" not in str(failure)

    def test_unsendable_cursor(self, api: Api, serve: Serve) -> None:
        """Nor is a cursor advised that cannot be sent, or was not given."""
        for last in ("\ud800", "a" * 70_000):
            script = answer({"object": "list", "data": [{"object": "thread.run"}], "has_more": True, "last_id": last})
            _, failure = read_all(api.client(serve(script)).runs.all("thread_1"))
            assert isinstance(failure, facade.PaginationError)
            assert "after=" not in str(failure)

    def test_after_a_failure(self, api: Api, serve: Serve) -> None:
        """A server that failed may be asked again from there."""
        _, failure = read_all(api.client(serve(answer(a_page(runs(2), True)), error(500))).runs.all("thread_1"))
        assert "run_2" in str(failure)

    @pytest.mark.parametrize(
        ("status", "advised"), [(302, True), (399, True), (400, False), (404, False), (429, True), (499, False)]
    )
    def test_after_a_refusal(self, api: Api, serve: Serve, status: int, advised: bool) -> None:
        """Where the request itself is refused, asking again would get the same answer."""
        _, failure = read_all(api.client(serve(answer(a_page(runs(2), True)), error(status))).runs.all("thread_1"))
        assert isinstance(failure, facade.APIStatusError)
        assert ("go on with after='run_2'" in str(failure)) is advised


EVIL = "run_\r\n2026-01-01 ERROR forged\x1b[2J\x9b31m\u2028\u202e\x00end"
"""An id that would write lines of its own into a log, and colours to a terminal."""


def is_printable(text: str) -> bool:
    """Whether a text is one line, and nothing but a text to a terminal."""
    return not {unicodedata.category(each) for each in text} & {"Cc", "Zl", "Zp"}


class TestForeignText:
    """What a server says is shown, and does nothing."""

    @pytest.fixture
    def lines(self, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
        """The lines that the package logs."""
        caplog.set_level(logging.DEBUG, "facade")
        return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("facade")]

    @pytest.mark.parametrize("status", [200, 404, 503])
    @pytest.mark.parametrize("request_id", ["req\x1b[31mred", "req\x85next", "req\x9b2J", "req\x7fx"], ids=ascii)
    def test_request_id(self, api: Api, serve: Serve, lines: Any, status: int, request_id: str) -> None:
        """A request id reaches no log line and no error as anything but text."""
        body = a_run() if status == 200 else {"error": {"message": "no luck"}}
        client = api.client(serve(answer(body, status, {"X-Request-Id": request_id})))
        if status == 200:
            client.runs.get("thread_1", "run_1")
        else:
            assert is_printable(str(caught(lambda: client.runs.get("thread_1", "run_1"))))
        assert lines()
        assert all(map(is_printable, lines()))

    @pytest.mark.parametrize("model", [a_run, a_step])
    def test_id_of_a_failed_one(self, api: Api, serve: Serve, lines: Any, model: Any) -> None:
        """Nor does the id, or the code, of a run or step that failed."""
        failed = model(status="failed", last_error={"code": EVIL, "message": "x"}) | {"id": EVIL}
        client = api.client(serve(answer(failed), answer(failed), answer(a_page([failed]))))
        client.runs.get("thread_1", "run_1")
        client.steps.get(a_run(), "step_1")
        list(client.runs.all("thread_1"))
        assert len(lines()) >= 6
        assert all(map(is_printable, lines()))

    def test_ids_of_many(self, api: Api, serve: Serve, lines: Any) -> None:
        """Nor do the ids of runs that a walk goes through, or the cursor where it stops."""

        def say(request: Request) -> bytes:
            if not request.path.endswith("/steps"):
                return answer(a_page([a_run("\u202eodd")]))
            return error(500) if request.value("after") else answer(a_page([{**a_step(), "id": EVIL}], True))

        client = api.client(serve(say))
        for many in (client.runs.all("thread_1"), client.runs.list("thread_1")[0]):
            _, failure = read_all(client.steps.all(many))
            assert isinstance(failure, facade.APIError)
            assert is_printable(str(failure))
        assert all(map(is_printable, lines()))

    def test_ids_that_no_request_takes(self, api: Api, serve: Serve) -> None:
        """A server's run whose ids cannot be asked for is refused in words that do nothing either."""
        client = api.client(serve(answer(a_page([{**a_run(), "id": EVIL, "thread_id": EVIL}]))))
        _, failure = read_all(client.steps.all(client.runs.all("thread_1")))
        assert isinstance(failure, ValueError)
        assert is_printable(str(failure))

    def test_words_of_an_error(self, api: Api, serve: Serve, lines: Any) -> None:
        """Nor do the words, code and type of an error."""
        client = api.client(serve(error(400, message=EVIL, code=EVIL, type=EVIL, param=EVIL)), max_retry_count=1)
        assert is_printable(str(caught(lambda: client.runs.get("thread_1", "run_1"))))
        assert all(map(is_printable, lines()))

    def test_content_type(self, api: Api, serve: Serve) -> None:
        """Nor does the type of an answer."""
        for status in (200, 502):
            script = answer(b"x", status, {"Content-Type": "text/\x1b[31mhtml"})
            assert is_printable(str(caught(partial(api.client(serve(script)).runs.get, "thread_1", "run_1"))))

    def test_broken_head(self, api: Api, serve: Serve) -> None:
        """Nor does what came in the place of a head."""
        client = api.client(serve((b"HTTP/1.1 200 OK\r\n\x1b[31mbad header\r\n\r\n", CLOSE), RUN))
        assert is_printable(str(caught(lambda: client.runs.get("thread_1", "run_1"))))
