"""`get_thread_run` and `get_thread_run_step`, the cmdlets as functions."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest
from wire import (
    EMPTY,
    KEY,
    PAGE,
    RUN,
    STEP,
    Serve,
    a_page,
    a_step,
    again,
    answer,
    ids,
    library,
    paths,
    runs,
    sent,
    steps,
)

import facade

LIST = [("limit", "20"), ("order", "asc")]


class TestCmdlets:
    """`get_thread_run` and `get_thread_run_step`."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cmdlets find their key in the environment."""
        monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def test_one_run(self, serve: Serve) -> None:
        """Thread and run by position give that run."""
        server = serve(RUN)
        run = facade.get_thread_run("thread_1", "run_1", api_base=server.url)
        assert type(run) is facade.Run
        assert sent(server) == [("/threads/thread_1/runs/run_1", [])]

    def test_one_step(self, serve: Serve) -> None:
        """Run, thread and step by position give that step."""
        server = serve(STEP)
        step = facade.get_thread_run_step("run_1", "thread_1", "step_1", api_base=server.url, include="x")
        assert type(step) is facade.RunStep
        assert sent(server) == [("/threads/thread_1/runs/run_1/steps/step_1", [("include[]", "x")])]

    def test_page(self, serve: Serve) -> None:
        """Without an id one page of 20 comes, ascending."""
        server = serve(PAGE)
        assert isinstance(facade.get_thread_run("thread_1", api_base=server.url), facade.Page)
        assert isinstance(facade.get_thread_run_step("run_1", "thread_1", api_base=server.url), facade.Page)
        assert [query for _, query in sent(server)] == [LIST, LIST]

    def test_limit_and_order(self, serve: Serve) -> None:
        """A limit and an order are sent as given."""
        server = serve(PAGE)
        facade.get_thread_run("thread_1", limit=100, order="desc", api_base=server.url)
        assert sent(server)[0][1] == [("limit", "100"), ("order", "desc")]

    def test_all(self, serve: Serve) -> None:
        """With `all` a walk over every page comes, and `limit` is ignored."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(150)}
        lists["/threads/thread_1/runs/run_1/steps"] = steps(3)
        server = serve(library(lists))
        walk = facade.get_thread_run("thread_1", all=True, limit=7, api_base=server.url)
        assert isinstance(walk, facade.Walk)
        assert len(list(walk)) == 150
        assert {request.value("limit") for request in server.requests} == {"100"}
        assert len(list(facade.get_thread_run_step("run_1", "thread_1", all=True, limit=1, api_base=server.url))) == 3

    def test_pipeline(self, serve: Serve) -> None:
        """`get_thread_run_step(get_thread_run(…, all=True), all=True)` is the cmdlets' pipeline."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(3)}
        lists |= {f"/threads/thread_1/runs/run_{n}/steps": steps(2, f"run_{n}") for n in (1, 2, 3)}
        facade.configure(api_base=serve(library(lists)).url)
        found = facade.get_thread_run_step(facade.get_thread_run("thread_1", all=True), all=True)
        assert ids(found) == [f"step_run_{n}_{i}" for n in (1, 2, 3) for i in (1, 2)]

    def test_pipeline_input(self, serve: Serve) -> None:
        """A thread, a run and a step are taken as the cmdlets take them from the pipeline."""
        server = serve(RUN, EMPTY, EMPTY, EMPTY)
        facade.configure(api_base=server.url)
        run = facade.get_thread_run({"id": "thread_1", "object": "thread"}, "run_1")
        facade.get_thread_run(run)
        facade.get_thread_run_step(run)
        facade.get_thread_run_step(a_step())
        assert paths(server) == [
            "/threads/thread_1/runs/run_1",
            "/threads/thread_1/runs",
            "/threads/thread_1/runs/run_1/steps",
            "/threads/thread_1/runs/run_1/steps",
        ]

    @pytest.mark.parametrize("more", [{"all": True}, {"limit": 5}, {"all": True, "limit": 5}], ids=str)
    def test_parameter_sets(self, serve: Serve, more: dict[str, Any]) -> None:
        """An id together with `all` or `limit` is a TypeError, before any request."""
        server = serve(RUN)
        with pytest.raises(TypeError, match="run_id"):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, **more)
        with pytest.raises(TypeError, match="step_id"):
            facade.get_thread_run_step("run_1", "thread_1", "step_1", api_base=server.url, **more)
        assert not server.requests

    def test_more_data(self, serve: Serve) -> None:
        """A page that leaves more behind warns, naming the thread or run and pointing at the caller."""
        facade.configure(api_base=serve(answer(a_page(runs(2), True))).url)
        with pytest.warns(facade.MoreDataWarning, match="thread_1") as caught:
            facade.get_thread_run("thread_1")
        assert caught[0].filename == __file__
        with pytest.warns(facade.MoreDataWarning, match="run_9") as caught:
            facade.get_thread_run_step("run_9", "thread_1")
        assert caught[0].filename == __file__

    def test_no_warning(self, serve: Serve) -> None:
        """With a limit, with `all`, or with nothing left there is no warning."""
        server = serve(answer(a_page(runs(2), True)), PAGE)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            facade.get_thread_run("thread_1", limit=2, api_base=server.url)
            facade.get_thread_run("thread_1", api_base=server.url)
            list(facade.get_thread_run("thread_1", all=True, api_base=server.url))
        assert not [w for w in caught if issubclass(w.category, facade.MoreDataWarning)]

    def test_connections_are_shared(self, serve: Serve) -> None:
        """Calls share connections, whatever their key, and each sends its own."""
        server = serve(RUN)
        for key in ("sk-a", "sk-b", "sk-a"):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, api_key=key)
        facade.get_thread_run("thread_1", "run_1", api_base=server.url, timeout_sec=5, max_retry_count=1)
        assert server.connections == 1
        assert [request.headers["authorization"][7:] for request in server.requests] == ["sk-a", "sk-b", "sk-a", KEY]

    def test_certificates_of_the_environment(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """They share them too where a variable names the certificates to trust, and part them where it changes."""
        server = serve(RUN)
        monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
        for _ in range(3):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url)
        assert server.connections == 1
        monkeypatch.setenv("SSL_CERT_DIR", str(Path(certifi.where()).parent))
        monkeypatch.delenv("SSL_CERT_FILE")
        facade.get_thread_run("thread_1", "run_1", api_base=server.url)
        assert server.connections == 2

    def test_options(self, serve: Serve) -> None:
        """Retries, organization, auth, query and headers are the cmdlets' too."""
        server = serve(again(), RUN, RUN)
        options: dict[str, Any] = {
            "api_base": server.url,
            "timeout_sec": 5,
            "max_retry_count": 1,
            "additional_query": {"api-version": "v1"},
            "additional_headers": {"x-oven": "2"},
        }
        facade.get_thread_run("thread_1", "run_1", organization="org-1", **options)
        facade.get_thread_run("thread_1", "run_1", auth_type="azure", **options)
        first, last = server.requests[0], server.requests[2]
        assert first.headers["openai-organization"] == "org-1"
        assert (first.query, first.headers["x-oven"]) == ([("api-version", "v1")], "2")
        assert last.headers["api-key"] == KEY

    def test_timeout(self, serve: Serve) -> None:
        """timeout_sec bounds an attempt here too."""
        server = serve((0.5, RUN))
        with pytest.raises(facade.APITimeoutError):
            facade.get_thread_run("thread_1", "run_1", api_base=server.url, timeout_sec=0.1)

    @pytest.mark.parametrize("option", ["timeout", "apikey", "concurrency"])
    def test_unknown_option(self, option: str) -> None:
        """A parameter that the cmdlets do not have is a TypeError that names it."""
        with pytest.raises(TypeError, match=option):
            facade.get_thread_run("thread_1", **{option: 5})  # type: ignore[call-overload]

    @pytest.mark.parametrize("limit", [0, 101, "5", 2.5], ids=repr)
    def test_bad_limit(self, serve: Serve, limit: Any) -> None:
        """A bad limit is refused before any request."""
        server = serve(PAGE)
        with pytest.raises((ValueError, TypeError), match="limit"):
            facade.get_thread_run("thread_1", limit=limit, api_base=server.url)
        assert not server.requests

    def test_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a key the cmdlets say how to set one."""
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_KEY"):
            facade.get_thread_run("thread_1", "run_1")

    def test_positions(self) -> None:
        """The parameters come by position as in the cmdlets, the rest by name."""

        def positional(function: Callable[..., Any]) -> list[str]:
            return [
                p.name for p in inspect.signature(function).parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD
            ]

        assert positional(facade.get_thread_run) == ["thread_id", "run_id"]
        assert positional(facade.get_thread_run_step) == ["run_id", "thread_id", "step_id"]

    def test_overloads(self) -> None:
        """Each parameter set has a type of its own."""
        for function in (facade.get_thread_run, facade.get_thread_run_step):
            returns = {overload.__annotations__["return"].split("[")[0] for overload in typing.get_overloads(function)}
            assert len(returns) == 3
            assert {"Walk", "Page"} < returns
