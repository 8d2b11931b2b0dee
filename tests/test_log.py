"""The logger `facade`."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from conftest import Api
from wire import (
    CLOSE,
    PAGE,
    RUN,
    STEP,
    Script,
    Serve,
    a_page,
    a_run,
    a_step,
    again,
    answer,
    error,
)

import facade

SEC = r"[0-9]{1,2}\.[0-9]{3}"


class TestLog:
    """The logger `facade`."""

    def test_one_line_an_attempt(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """One DEBUG line an attempt: method, path, status, seconds, request id."""
        caplog.set_level(logging.DEBUG, "facade")
        server = serve(again(503, {"X-Request-Id": "req_a"}), answer(a_run(), headers={"X-Request-Id": "req_b"}))
        api.client(server, max_retry_count=1).runs.get("thread_1", "run_1")
        lines = [r.getMessage() for r in caplog.records if r.name == "facade" and r.levelno == logging.DEBUG]
        assert len(lines) == 2
        for line, status, request_id in zip(lines, ("503", "200"), ("req_a", "req_b"), strict=True):
            said = (
                rf"GET /threads/thread_1/runs/run_1 -> {status} in [0-9]{{1,2}}\.[0-9]{{3}} s, request id {request_id}"
            )
            assert re.fullmatch(said, line)

    @pytest.mark.parametrize(
        ("script", "said"),
        [((CLOSE,), r"GET .*no whole answer.* in [0-9]{1,2}\.[0-9]{3} s"), (error(404), "GET .*404.*")],
    )
    def test_one_line_without_an_answer(
        self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture, script: Script, said: str
    ) -> None:
        """One line too where no answer came, or an error did."""
        caplog.set_level(logging.DEBUG, "facade")
        with pytest.raises(facade.APIError):
            api.client(serve(script)).runs.get("thread_1", "run_1")
        (line,) = [record.getMessage() for record in caplog.records if record.name == "facade"]
        assert re.fullmatch(said, line)

    def test_warning_before_a_wait(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """A WARNING before the wait for each retry, none otherwise."""
        caplog.set_level(logging.WARNING, "facade")
        server = serve(again(), again(429), RUN)
        client = api.client(server, max_retry_count=5)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        lines = [record.getMessage() for record in caplog.records if record.name == "facade"]
        assert len(lines) == 2
        assert lines[0].endswith("answered 503; attempt 2 of 6 in 0.0 s")
        assert lines[1].endswith("answered 429; attempt 3 of 6 in 0.0 s")

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"status": "failed", "last_error": {"code": "server_error", "message": "PRIVATE"}}, "server_error"),
            (
                {"status": "incomplete", "incomplete_details": {"reason": "max_prompt_tokens"}},
                "max_prompt_tokens",
            ),
        ],
        ids=["failed", "incomplete"],
    )
    def test_failed_run(
        self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], word: str
    ) -> None:
        """`get` of a run that failed or is incomplete logs a WARNING with its id and code, without content."""
        caplog.set_level(logging.WARNING, "facade")
        api.client(serve(answer(a_run(**fields)))).runs.get("thread_1", "run_1")
        (record,) = [record for record in caplog.records if record.name == "facade"]
        how = "failed" if "last_error" in fields else "is incomplete"
        assert record.getMessage() == f"run run_1 {how}: {word}"

    @pytest.mark.parametrize(("length", "shown"), [(96, 100), (97, 102), (5_000, 102)])
    def test_long_id(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture, length: int, shown: int) -> None:
        """An endless id is shown in part, and quoted."""
        caplog.set_level(logging.WARNING, "facade")
        failed = a_run("x" * length, last_error={"code": "server_error", "message": "PRIVATE"})
        api.client(serve(answer(failed))).runs.get("thread_1", "run_1")
        assert len(caplog.records[0].getMessage()) == shown + len("run  failed: server_error")

    def test_failed_step(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """`get` of a failed step logs a WARNING; of a good one nothing."""
        caplog.set_level(logging.WARNING, "facade")
        failed = a_step(2, status="failed", last_error={"code": "rate_limit_exceeded", "message": "PRIVATE"})
        client = api.client(serve(STEP, answer(failed)))
        client.steps.get(a_run(), "step_1")
        assert not caplog.records
        client.steps.get(a_run(), "step_2")
        (record,) = caplog.records
        assert "step_2" in record.getMessage()
        assert "rate_limit_exceeded" in record.getMessage()

    def test_walk_counts(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """One WARNING at the end of a walk counts what failed; none before, and none where nothing did."""
        caplog.set_level(logging.WARNING, "facade")
        failed: dict[str, Any] = {"last_error": {"code": "server_error", "message": "PRIVATE"}}
        first = [a_run(1, **failed), a_run(2), a_run(3, incomplete_details={"reason": "content_filter"})]
        client = api.client(serve(answer(a_page(first, True)), answer(a_page([a_run(4, **failed)])), PAGE))
        walk = client.runs.all("thread_1")
        for _ in range(4):
            next(walk)
        assert not caplog.records
        assert list(walk) == []
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        for part in ("3", "4", "2 server_error", "1 content_filter"):
            assert part in record.getMessage()
        assert "PRIVATE" not in record.getMessage()
        list(client.runs.all("thread_1"))
        assert len(caplog.records) == 1

    def test_no_content(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """At DEBUG, no logger of the package shows what a run says."""
        caplog.set_level(logging.DEBUG, "facade")
        api.client(serve(answer(a_run(instructions="PRIVATE")))).runs.get("thread_1", "run_1")
        assert "PRIVATE" not in caplog.text

    def test_header_values_are_not_logged(self, api: Api, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """The values of additional headers appear in no log."""
        caplog.set_level(logging.DEBUG)
        api.client(serve(RUN), additional_headers={"astra-api-token": "HIDDEN"}).runs.get("thread_1", "run_1")
        assert "HIDDEN" not in caplog.text
