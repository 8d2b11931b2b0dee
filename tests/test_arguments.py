"""What is refused before any request, and that no id reaches another endpoint."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Api
from wire import (
    PAGE,
    RUN,
    STEP,
    Serve,
    a_run,
    answer,
    ids,
    paths,
)

import facade

BAD_TIMES = [
    pytest.param(-1, ValueError, id="negative"),
    pytest.param(-0.001, ValueError, id="just negative"),
    pytest.param(float("nan"), ValueError, id="NaN"),
    pytest.param(float("-inf"), ValueError, id="negative infinity"),
    pytest.param("5", TypeError, id="text"),
    pytest.param([1], TypeError, id="list"),
]

BAD_RETRY_COUNTS = [
    pytest.param(-1, ValueError, id="-1"),
    pytest.param(101, ValueError, id="101"),
    pytest.param(1.5, TypeError, id="float"),
    pytest.param("3", TypeError, id="text"),
]


class TestArguments:
    """What is refused before any request."""

    @pytest.mark.parametrize("limit", [0, -1, 101, 10**9, 1.0, 20.5, "20", None, True, [20]], ids=repr)
    @pytest.mark.parametrize("resource", ["runs", "steps"])
    def test_limit(self, api: Api, serve: Serve, limit: Any, resource: str) -> None:
        """A limit that is no whole number from 1 to 100 is refused."""
        server = serve(PAGE)
        resources = getattr(api.client(server), resource)
        with pytest.raises((ValueError, TypeError), match="limit"):
            resources.list(a_run(), limit=limit)
        assert not server.requests

    @pytest.mark.parametrize("order", ["", "ASC", "ascending", "asc ", None, 1, ["asc"]], ids=repr)
    @pytest.mark.parametrize("method", ["list", "all"])
    def test_order(self, api: Api, serve: Serve, order: Any, method: str) -> None:
        """An order other than asc and desc is refused, in a walk when it is made."""
        server = serve(PAGE)
        client = api.client(server)
        for resource in (client.runs, client.steps):
            with pytest.raises((ValueError, TypeError), match="order"):
                getattr(resource, method)(a_run(), order=order)
        assert not server.requests

    @pytest.mark.parametrize("concurrency", [0, 65, -1, 1.0, "8", None, True], ids=repr)
    def test_concurrency(self, api: Api, serve: Serve, concurrency: Any) -> None:
        """A concurrency that is no whole number from 1 to 64 is refused when the walk is made."""
        server = serve(PAGE)
        client = api.client(server)
        for resource in (client.runs, client.steps):
            with pytest.raises((ValueError, TypeError), match="concurrency"):
                resource.all([a_run()], concurrency=concurrency)
        assert not server.requests

    @pytest.mark.parametrize("concurrency", [1, 64])
    def test_concurrency_bounds(self, api: Api, serve: Serve, concurrency: int) -> None:
        """1 and 64 are within the range of concurrency."""
        walk = api.client(serve(PAGE)).runs.all(["thread_1"], concurrency=concurrency)
        assert ids(walk) == ["run_1", "run_2"]

    @pytest.mark.parametrize("option", ["timeout_sec", "deadline_sec"])
    @pytest.mark.parametrize(("value", "kind"), BAD_TIMES)
    def test_times(self, api: Api, serve: Serve, option: str, value: Any, kind: type[Exception]) -> None:
        """A time below 0 or NaN is a ValueError, no number a TypeError: at construction, in a view and in a call."""
        server = serve(RUN)
        with pytest.raises(kind, match=option):
            api.client(server, **{option: value})
        client = api.client(server)
        with pytest.raises(kind, match=option):
            client.with_options(**{option: value})
        with pytest.raises(kind, match=option):
            client.runs.get("thread_1", "run_1", **{option: value})
        with pytest.raises(kind, match=option):
            client.steps.all(a_run(), **{option: value})
        assert not server.requests

    @pytest.mark.parametrize(("value", "kind"), BAD_RETRY_COUNTS)
    def test_retry_count(self, api: Api, serve: Serve, value: Any, kind: type[Exception]) -> None:
        """A number of retries that is no whole number from 0 to 100 is refused, wherever it is given."""
        server = serve(RUN)
        with pytest.raises(kind, match="max_retry_count"):
            api.client(server, max_retry_count=value)
        client = api.client(server)
        with pytest.raises(kind, match="max_retry_count"):
            client.with_options(max_retry_count=value)
        with pytest.raises(kind, match="max_retry_count"):
            client.runs.get("thread_1", "run_1", max_retry_count=value)
        assert not server.requests

    @pytest.mark.parametrize("value", [0, None, 0.0, 30, 1e9, float("inf")], ids=repr)
    def test_good_times(self, api: Api, serve: Serve, value: Any) -> None:
        """0, None and any time above are taken, in the constructor and in a call."""
        server = serve(RUN)
        client = api.client(server, timeout_sec=value, deadline_sec=value, max_retry_count=100)
        assert client.runs.get("thread_1", "run_1", timeout_sec=value, deadline_sec=value).id == "run_1"

    @pytest.mark.parametrize("value", [1, b"step_1", "", " ", ["step_1"]], ids=repr)
    @pytest.mark.parametrize("name", ["after", "before"])
    def test_cursors(self, api: Api, serve: Serve, name: str, value: Any) -> None:
        """A cursor that is no str, or blank, is refused."""
        server = serve(PAGE)
        with pytest.raises((ValueError, TypeError), match=name):
            api.client(server).runs.list("thread_1", **{name: value})
        assert not server.requests

    @pytest.mark.parametrize("include", [1, b"x", [1], [b"x"], [None], "", [" "], {"x": 1}, "a\r\nb"], ids=repr)
    def test_include(self, api: Api, serve: Serve, include: Any) -> None:
        """An include that holds anything but texts that name something is refused."""
        server = serve(STEP)
        with pytest.raises((ValueError, TypeError), match="include"):
            api.client(server).steps.get("run_1", "step_1", thread_id="thread_1", include=include)
        assert not server.requests

    @pytest.mark.parametrize("method", ["get", "list", "all"])
    def test_unknown_option(self, api: Api, serve: Serve, method: str) -> None:
        """An option that a method does not have is a TypeError that names it."""
        server = serve(RUN)
        arguments = ("thread_1", "run_1") if method == "get" else ("thread_1",)
        with pytest.raises(TypeError, match="timeout"):
            getattr(api.client(server).runs, method)(*arguments, timeout=5)
        assert not server.requests

    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "64"], ids=repr)
    def test_max_response_bytes(self, api: Api, value: Any) -> None:
        """A size that is no whole number above 0 is refused."""
        with pytest.raises((ValueError, TypeError), match="max_response_bytes"):
            api.client("http://127.0.0.1:1", max_response_bytes=value)

    @pytest.mark.parametrize("value", [1, 2**70])
    def test_good_max_response_bytes(self, api: Api, serve: Serve, value: int) -> None:
        """Any size above 0 is taken."""
        client = api.client(serve(answer(a_run())), max_response_bytes=value)
        with pytest.raises(facade.APIResponseError) if value == 1 else contextlib.nullcontext():
            client.runs.get("thread_1", "run_1")

    @pytest.mark.parametrize("name", ["additional_query", "additional_headers"])
    @pytest.mark.parametrize("value", ["a=b", [("a", "b")], 1], ids=repr)
    def test_mappings(self, api: Api, name: str, value: Any) -> None:
        """Additional query and headers are mappings."""
        with pytest.raises((ValueError, TypeError), match=name):
            api.client("http://127.0.0.1:1", **{name: value})

    @pytest.mark.parametrize(
        "headers",
        [{"x y": "1"}, {"": "1"}, {"x": "1\r\nz: 2"}, {"x": "ü"}, {"x\r\nz": "1"}, {"x": 1}, {1: "x"}, {"x": None}],
        ids=repr,
    )
    def test_bad_headers(self, api: Api, headers: Any) -> None:
        """Headers that no request can carry are refused."""
        with pytest.raises((ValueError, TypeError), match="additional_headers"):
            api.client("http://127.0.0.1:1", additional_headers=headers)


NEVER_IDS = ["", " ", "\t", ".", "..", None, 1, 1.5, True, b"thread_1", ["thread_1"], ("thread_1",)]


class TestIdentifiers:
    """Nobody reaches another endpoint through an id."""

    @pytest.mark.parametrize("value", NEVER_IDS, ids=repr)
    @pytest.mark.parametrize(
        ("thread", "run", "step"),
        [(True, False, False), (False, True, False), (False, False, True)],
        ids=["thread", "run", "step"],
    )
    def test_no_ids(self, api: Api, serve: Serve, value: Any, thread: bool, run: bool, step: bool) -> None:
        """What is no id is refused before any request, wherever an id is taken."""
        server = serve(RUN)
        client = api.client(server)
        with pytest.raises((ValueError, TypeError)):
            client.steps.get(
                value if run else "run_1", value if step else "step_1", thread_id=value if thread else "thread_1"
            )
        if not step:
            with pytest.raises((ValueError, TypeError)):
                client.runs.get(value if thread else "thread_1", value if run else "run_1")
            with pytest.raises((ValueError, TypeError)):
                list(client.steps.all(value if run else "run_1", thread_id=value if thread else "thread_1"))
        assert not server.requests

    @pytest.mark.parametrize("value", NEVER_IDS, ids=repr)
    def test_no_ids_in_objects(self, api: Api, serve: Serve, value: Any) -> None:
        """What is no id is refused in a mapping and in an object too."""
        server = serve(RUN)
        client = api.client(server)
        for run in ({"id": value, "thread_id": "thread_1"}, SimpleNamespace(run_id="run_1", thread_id=value)):
            with pytest.raises((ValueError, TypeError)):
                client.runs.refresh(run)
        assert not server.requests

    @pytest.mark.parametrize(
        ("thread", "run", "step"),
        [
            ("run_1", "run_1", "step_1"),
            ("step_1", "run_1", "step_1"),
            ("asst_1", "run_1", "step_1"),
            ("thread_1", "thread_1", "step_1"),
            ("thread_1", "step_1", "step_1"),
            ("thread_1", "run_1", "run_1"),
            ("thread_1", "run_1", "thread_1"),
        ],
    )
    def test_ids_of_another_kind(self, api: Api, serve: Serve, thread: str, run: str, step: str) -> None:
        """An id of a known other kind is refused, and the error says which it is."""
        server = serve(STEP)
        with pytest.raises(ValueError, match="id of a"):
            api.client(server).steps.get(run, step, thread_id=thread)
        assert not server.requests

    @pytest.mark.parametrize("value", ["t1", "5b1c3d2e-0000-4000-8000-000000000000", "Thread_1", "1", "thr_1"])
    def test_unknown_prefixes(self, api: Api, serve: Serve, value: str) -> None:
        """An id with a prefix of a server's own passes."""
        server = serve(STEP)
        api.client(server).steps.get(value, value, thread_id=value)
        assert paths(server) == [f"/threads/{value}/runs/{value}/steps/{value}"]


def test_id_that_no_address_can_hold(api: Api, serve: Serve) -> None:
    """An endless id or cursor is refused before any request."""
    server = serve(answer(a_run()))
    with pytest.raises(ValueError, match="longer than"):
        api.client(server).runs.get("t" * 70_000, "run_1")
    with pytest.raises(ValueError, match="longer than"):
        api.client(server).runs.list("thread_1", after="t" * 70_000)
    assert not server.requests
