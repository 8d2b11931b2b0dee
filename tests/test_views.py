"""`with_options`, the options of single calls, and closing."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Api
from wire import (
    PAGE,
    RUN,
    STEP,
    Serve,
    a_run,
    again,
)

import facade


class TestViews:
    """`with_options` and the options of single calls."""

    def test_view_has_its_own_limits(self, api: Api, serve: Serve) -> None:
        """A view retries as it was told, and the client that it came from as before."""
        server = serve(again(), RUN, again(), RUN)
        client = api.client(server)
        view = client.with_options(max_retry_count=1)
        assert view.runs.get("thread_1", "run_1").id == "run_1"
        with pytest.raises(facade.InternalServerError):
            client.runs.get("thread_1", "run_1")

    def test_view_shares_connections(self, api: Api, serve: Serve) -> None:
        """A view, and a view of it, use the same connection."""
        server = serve(RUN)
        client = api.client(server)
        view = client.with_options(timeout_sec=5)
        for each in (client, view, view.with_options(deadline_sec=5)):
            each.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_view_keeps_what_it_is_not_told(self, api: Api, serve: Serve) -> None:
        """What a view is not told stays as the client has it."""
        server = serve(again(), RUN)
        view = api.client(server, max_retry_count=1).with_options(timeout_sec=5)
        assert view.runs.get("thread_1", "run_1").id == "run_1"

    def test_no_retries_as_the_client_takes_them(self, api: Api, serve: Serve) -> None:
        """None is the 0 that nobody gave, of a view and of a call as of a client."""
        server = serve(again())
        client = api.client(server, max_retry_count=3)
        for asked, options in ((client.with_options(max_retry_count=None), {}), (client, {"max_retry_count": None})):
            with pytest.raises(facade.InternalServerError) as caught:
                asked.runs.get("thread_1", "run_1", **options)
            assert caught.value.attempts == 1

    def test_closing_a_view_closes_nothing(self, api: Api, serve: Serve) -> None:
        """After a view is closed, the client goes on with the same connection."""
        server = serve(RUN)
        client = api.client(server)
        with client.with_options(timeout_sec=5) as view:
            view.runs.get("thread_1", "run_1")
        view.close()
        client.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_unknown_option(self, api: Api) -> None:
        """A view takes the three limits and nothing else."""
        with pytest.raises(TypeError):
            api.client("http://127.0.0.1:1").with_options(api_key="sk-x")

    @pytest.mark.parametrize("method", ["runs.get", "runs.list", "runs.all", "steps.get", "steps.list", "steps.all"])
    def test_options_of_one_call(self, api: Api, serve: Serve, method: str) -> None:
        """Every method takes timeout_sec, deadline_sec and max_retry_count for that call alone."""
        server = serve(again(), RUN if method == "runs.get" else STEP if method == "steps.get" else PAGE)
        client = api.client(server)
        resource, name = method.split(".")
        arguments: tuple[Any, ...] = ("thread_1", "run_1") if method == "runs.get" else (a_run(),)
        arguments += ("step_1",) if method == "steps.get" else ()
        given = getattr(getattr(client, resource), name)(*arguments, timeout_sec=5, deadline_sec=5, max_retry_count=1)
        if name == "all":
            list(given)
        assert len(server.requests) == 2

    def test_call_can_ask_for_less(self, api: Api, serve: Serve) -> None:
        """A call's own 0 retries win over the client's."""
        server = serve(again())
        with pytest.raises(facade.InternalServerError):
            api.client(server, max_retry_count=5).runs.get("thread_1", "run_1", max_retry_count=0)
        assert len(server.requests) == 1

    def test_closed_client(self, api: Api, serve: Serve) -> None:
        """A closed client says so instead of asking, and its views with it; closing twice is no error."""
        server = serve(RUN)
        client = api.client(server)
        view = client.with_options(timeout_sec=5)
        client.runs.get("thread_1", "run_1")
        client.close()
        client.close()
        for each in (client, view):
            with pytest.raises(RuntimeError, match="closed"):
                each.runs.get("thread_1", "run_1")
        assert api.until(lambda: server.open_connections == 0)

    def test_context_manager(self, api: Api, serve: Serve) -> None:
        """Leaving the `with` block closes the connections."""
        server = serve(RUN)
        with api.client(server) as client:
            client.runs.get("thread_1", "run_1")
            assert server.open_connections == 1
        assert api.until(lambda: server.open_connections == 0)
