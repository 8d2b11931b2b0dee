"""Things that went wrong once, each of which a user could meet."""

from __future__ import annotations

import gzip
import inspect
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Api, read_all
from wire import HANG, Server, a_page, a_run, answer, error, runs

import facade


@pytest.mark.parametrize("cursor", ["\ud800", "a" * 70_000], ids=["half a character", "too long"])
def test_cursor_that_cannot_be_sent(api: Api, serve: Any, cursor: str) -> None:
    """A cursor that no address can hold ends the walk with a PaginationError, after what was read."""
    server = serve(answer({"object": "list", "data": [a_run()], "has_more": True, "last_id": cursor}))
    items, failure = read_all(api.client(server).runs.all("thread_1"))
    assert isinstance(failure, facade.PaginationError)
    assert (len(items), failure.after) == (1, items[0].id)


def test_id_that_no_address_can_hold(api: Api, serve: Any) -> None:
    """An endless id or cursor is refused before any request."""
    server = serve(answer(a_run()))
    with pytest.raises(ValueError, match="longer than"):
        api.client(server).runs.get("t" * 70_000, "run_1")
    with pytest.raises(ValueError, match="longer than"):
        api.client(server).runs.list("thread_1", after="t" * 70_000)
    assert not server.requests


@pytest.mark.parametrize("key", ["null", "error", "message", "e", "x", "1"])
def test_dummy_key_spoils_no_error(api: Api, serve: Any, key: str) -> None:
    """A server of one's own may take any key: its errors stay readable, whatever the key is."""
    server = serve(error(404, message="Nothing is here.", code="not_found"))
    with pytest.raises(facade.NotFoundError) as caught:
        api.client(server, api_key=key).runs.get("thread_1", "run_1")
    assert caught.value.code == "not_found"
    if key not in ("e", "error", "message", "null"):
        assert "Nothing is here." in str(caught.value)


def test_gzip_of_several_members(api: Api, serve: Any) -> None:
    """A gzip body in two members is read whole."""
    body = b'{"id": "run_1", "object": "thread.run"}'
    packed = gzip.compress(body[:10]) + gzip.compress(body[10:])
    server = serve(answer(packed, 200, {"Content-Encoding": "gzip"}))
    assert api.client(server).runs.get("thread_1", "run_1").id == "run_1"


def test_slow_source_holds_nothing_up(serve: Any) -> None:
    """What is there is handed over before the caller's own iterable is asked for many more."""
    server = serve(answer(a_page([a_run()])))
    asked = []

    def threads() -> Iterator[str]:
        for number in range(8):
            asked.append(number)
            time.sleep(0.05)
            yield f"thread_{number}"

    with facade.Client("sk-slow", api_base=server.url) as client, client.runs.all(threads()) as walk:
        next(walk)
        assert len(asked) < 8


def test_callers_own_iterable_does_not_count(api: Api, serve: Any) -> None:
    """deadline_sec does not count the time that the caller's own iterable takes."""
    server = serve(answer(a_page([a_run()])))

    def threads() -> Iterator[str]:
        yield "thread_1"
        time.sleep(0.4)
        yield "thread_2"

    items, failure = read_all(api.client(server).runs.all(threads(), deadline_sec=0.3))
    assert (len(items), failure) == (2, None)


def test_handshakes_that_hang_hold_nothing_up(serve: Any) -> None:
    """A sync walk that is closed while its threads are in TLS handshakes ends them at once."""
    server = serve((HANG,))
    url = server.url.replace("http:", "https:")
    with facade.Client("sk-tls", api_base=url, verify=False, timeout_sec=1) as client:
        walk = client.runs.all([f"thread_{n}" for n in range(20)], concurrency=20)
        began = time.monotonic()
        with pytest.raises(facade.APITimeoutError):
            next(walk)
        assert time.monotonic() - began < 2.5


def test_walk_left_at_the_end_of_a_program() -> None:
    """A program that ends with a walk under way ends at once."""
    server = Server(lambda request: answer(a_page(runs(2))) if "thread_0" in request.path else (HANG,))
    program = (
        "import facade\n"
        f"client = facade.Client('sk-exit', api_base={server.url!r})\n"
        "walk = client.runs.all([f'thread_{n}' for n in range(8)])\n"
        "next(walk)\n"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    assert time.monotonic() - began < 5
    server.close()


def test_object_without_an_id_resumes_from_before_it(api: Api, serve: Any) -> None:
    """Where the last object handed over has no id, `after` falls back on what can resume the walk."""
    server = serve(answer({"object": "list", "data": [{"object": "thread.run"}], "has_more": False}))
    walk = api.client(server).runs.all("thread_1", after="run_before")
    next(walk)
    assert walk.after == "run_before"


def test_signatures_show_names_and_defaults() -> None:
    """`help()` shows each option with its default, for the clients and the cmdlet functions."""
    shown = inspect.signature(facade.Client).parameters
    assert {name: shown[name].default for name in ("timeout_sec", "deadline_sec", "max_retry_count", "auth_type")} == {
        "timeout_sec": 0,
        "deadline_sec": 0,
        "max_retry_count": 0,
        "auth_type": "openai",
    }
    for function in (facade.get_thread_run, facade.get_thread_run_step):
        assert inspect.signature(function).parameters["timeout_sec"].default == 0


def test_given_zero_wins_over_configure(serve: Any) -> None:
    """A 0 that the caller gives is a value of its own: no limit, whatever `configure` says."""
    server = serve((0.3, answer(a_run())))
    facade.configure(timeout_sec=0.1)
    with facade.Client("sk-zero", api_base=server.url, timeout_sec=0) as client:
        assert client.runs.get("thread_1", "run_1").id == "run_1"
