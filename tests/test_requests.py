"""What goes over the wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Api
from wire import (
    EMPTY,
    KEY,
    PAGE,
    RUN,
    STEP,
    Serve,
    a_message,
    a_page,
    a_run,
    a_step,
    answer,
    error,
    sent,
    steps,
)

import facade

MESSAGE = answer(a_message())

LIST = [("limit", "20"), ("order", "asc")]

WALK = [("limit", "100"), ("order", "asc")]

KNOWN = "step_details.tool_calls[*].file_search.results[*].content"

REQUESTS: dict[str, tuple[Callable[[Any], Any], bytes, str, list[tuple[str, str]]]] = {
    "runs.get": (lambda c: c.runs.get("thread_1", "run_1"), RUN, "/threads/thread_1/runs/run_1", []),
    "runs.list": (lambda c: c.runs.list("thread_1"), PAGE, "/threads/thread_1/runs", LIST),
    "runs.list, all parameters": (
        lambda c: c.runs.list("thread_1", limit=3, order="desc", after="run_a", before="run_b"),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "3"), ("order", "desc"), ("after", "run_a"), ("before", "run_b")],
    ),
    "runs.list, limit 1": (
        lambda c: c.runs.list("thread_1", limit=1),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "1"), ("order", "asc")],
    ),
    "runs.list, limit 100": (lambda c: c.runs.list("thread_1", limit=100), PAGE, "/threads/thread_1/runs", WALK),
    "runs.all": (lambda c: list(c.runs.all("thread_1")), PAGE, "/threads/thread_1/runs", WALK),
    "runs.all, all parameters": (
        lambda c: list(c.runs.all("thread_1", order="desc", after="run_9", concurrency=1)),
        PAGE,
        "/threads/thread_1/runs",
        [("limit", "100"), ("order", "desc"), ("after", "run_9")],
    ),
    "runs.refresh": (lambda c: c.runs.refresh(a_run()), RUN, "/threads/thread_1/runs/run_1", []),
    "steps.get": (
        lambda c: c.steps.get("run_1", "step_1", thread_id="thread_1"),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [],
    ),
    "steps.get, include": (
        lambda c: c.steps.get("run_1", "step_1", thread_id="thread_1", include=facade.FILE_SEARCH_RESULT_CONTENT),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [("include[]", KNOWN)],
    ),
    "steps.list": (
        lambda c: c.steps.list("run_1", thread_id="thread_1"),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        LIST,
    ),
    "steps.list, all parameters": (
        lambda c: c.steps.list(
            "run_1",
            thread_id="thread_1",
            limit=7,
            order="desc",
            after="step_a",
            before="step_b",
            include=["x", "y[*].z"],
        ),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        [
            ("after", "step_a"),
            ("before", "step_b"),
            ("include[]", "x"),
            ("include[]", "y[*].z"),
            ("limit", "7"),
            ("order", "desc"),
        ],
    ),
    "steps.all": (
        lambda c: list(c.steps.all("run_1", thread_id="thread_1")),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        WALK,
    ),
    "steps.all, all parameters": (
        lambda c: list(c.steps.all("run_1", thread_id="thread_1", order="desc", after="step_9", include=(KNOWN,))),
        PAGE,
        "/threads/thread_1/runs/run_1/steps",
        [("after", "step_9"), ("include[]", KNOWN), ("limit", "100"), ("order", "desc")],
    ),
    "steps.refresh": (
        lambda c: c.steps.refresh(a_step(), include="more"),
        STEP,
        "/threads/thread_1/runs/run_1/steps/step_1",
        [("include[]", "more")],
    ),
    "messages.get": (lambda c: c.messages.get("thread_1", "msg_1"), MESSAGE, "/threads/thread_1/messages/msg_1", []),
    "messages.list": (lambda c: c.messages.list("thread_1"), PAGE, "/threads/thread_1/messages", LIST),
    "messages.list, all parameters": (
        lambda c: c.messages.list("thread_1", run_id="run_1", limit=3, order="desc", after="msg_a", before="msg_b"),
        PAGE,
        "/threads/thread_1/messages",
        [("limit", "3"), ("order", "desc"), ("after", "msg_a"), ("before", "msg_b"), ("run_id", "run_1")],
    ),
    "messages.all": (lambda c: list(c.messages.all("thread_1")), PAGE, "/threads/thread_1/messages", WALK),
    "messages.all, all parameters": (
        lambda c: list(c.messages.all("thread_1", run_id="run_1", order="desc", after="msg_9")),
        PAGE,
        "/threads/thread_1/messages",
        [("limit", "100"), ("order", "desc"), ("after", "msg_9"), ("run_id", "run_1")],
    ),
    "messages.refresh": (lambda c: c.messages.refresh(a_message()), MESSAGE, "/threads/thread_1/messages/msg_1", []),
    "threads.get": (lambda c: c.threads.get("thread_1"), RUN, "/threads/thread_1", []),
    "threads.list": (lambda c: c.threads.list(), PAGE, "/threads", LIST),
    "threads.list, all parameters": (
        lambda c: c.threads.list(limit=3, order="desc", after="thread_a", before="thread_b"),
        PAGE,
        "/threads",
        [("limit", "3"), ("order", "desc"), ("after", "thread_a"), ("before", "thread_b")],
    ),
    "threads.all": (lambda c: list(c.threads.all()), PAGE, "/threads", WALK),
    "threads.all, all parameters": (
        lambda c: list(c.threads.all(order="desc", after="thread_9")),
        PAGE,
        "/threads",
        [("limit", "100"), ("order", "desc"), ("after", "thread_9")],
    ),
    "assistants.get": (lambda c: c.assistants.get("asst_1"), RUN, "/assistants/asst_1", []),
}


class TestRequests:
    """What goes over the wire."""

    @pytest.mark.parametrize("name", REQUESTS)
    def test_request(self, api: Api, serve: Serve, name: str) -> None:
        """A call sends one GET with exactly its path and query."""
        ask, said, path, query = REQUESTS[name]
        server = serve(said)
        ask(api.client(server))
        assert [request.method for request in server.requests] == ["GET"]
        assert [(p, sorted(q)) for p, q in sent(server)] == [(path, sorted(query))]

    def test_include_is_repeated_in_order(self, api: Api, serve: Serve) -> None:
        """Several `include` values are several `include[]` parameters, in the caller's order."""
        server = serve(EMPTY)
        api.client(server).steps.list("run_1", thread_id="thread_1", include=["b", "a", KNOWN])
        assert [value for name, value in server.requests[0].query if name == "include[]"] == ["b", "a", KNOWN]

    def test_headers(self, api: Api, serve: Serve) -> None:
        """Each request has the beta header, a bearer key, JSON wanted, and a user agent that names the project."""
        server = serve(RUN)
        api.client(server).runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert headers["openai-beta"] == "assistants=v2"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["accept"] == "application/json"
        assert headers["user-agent"] == f"openai-thread-runs/{facade.__version__}"
        assert not {"api-key", "openai-organization", "cookie"} & headers.keys()

    @pytest.mark.parametrize("call", ["get", "list", "all"])
    def test_beta_header_on_every_call(self, api: Api, serve: Serve, call: str) -> None:
        """`OpenAI-Beta: assistants=v2` goes with every operation, on every page."""
        server = serve(answer(a_step())) if call == "get" else serve(answer(a_page(steps(1), True)), EMPTY)
        client = api.client(server)
        if call == "get":
            client.steps.get("run_1", "step_1", thread_id="thread_1")
        elif call == "list":
            client.steps.list("run_1", thread_id="thread_1")
        else:
            list(client.steps.all("run_1", thread_id="thread_1"))
        assert {request.headers["openai-beta"] for request in server.requests} == {"assistants=v2"}

    @pytest.mark.parametrize(
        ("auth_type", "wanted", "unwanted"),
        [
            ("openai", {"authorization": f"Bearer {KEY}", "openai-organization": "org-1"}, ["api-key"]),
            ("azure", {"api-key": KEY}, ["authorization", "openai-organization"]),
            ("azure_ad", {"authorization": f"Bearer {KEY}"}, ["api-key", "openai-organization"]),
        ],
    )
    def test_auth_types(
        self, api: Api, serve: Serve, auth_type: str, wanted: dict[str, str], unwanted: list[str]
    ) -> None:
        """Each kind of authentication sends the key in its own header, and only OpenAI's sends the organization."""
        server = serve(RUN)
        api.client(server, auth_type=auth_type, organization="org-1").runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert {name: headers.get(name) for name in wanted} == wanted
        assert not headers.keys() & set(unwanted)

    def test_additional_headers_win(self, api: Api, serve: Serve) -> None:
        """Additional headers take the place of the client's own, whatever their case, and are sent once."""
        server = serve(RUN)
        client = api.client(
            server,
            additional_headers={"openai-beta": "assistants=v1", "USER-AGENT": "bakery/1", "x-oven": "2"},
        )
        client.runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["openai-beta"], headers["user-agent"], headers["x-oven"]) == ("assistants=v1", "bakery/1", "2")
        assert server.requests[0].head.lower().count(b"openai-beta:") == 1
        assert server.requests[0].head.lower().count(b"user-agent:") == 1

    def test_additional_headers_win_over_the_key(self, api: Api, serve: Serve) -> None:
        """A caller's own Authorization header takes the place of the key's."""
        server = serve(RUN)
        client = api.client(server, additional_headers={"Authorization": "Custom token"})
        client.runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == "Custom token"
        assert KEY.encode() not in server.requests[0].head

    def test_additional_query_wins(self, api: Api, serve: Serve) -> None:
        """Additional query parameters go along on every request and take the place of the client's own."""
        server = serve(EMPTY)
        client = api.client(server, additional_query={"api-version": "v1", "order": "desc", "tag": ["a", "b"]})
        client.runs.list("thread_1", limit=5)
        assert sorted(server.requests[0].query) == [
            ("api-version", "v1"),
            ("limit", "5"),
            ("order", "desc"),
            ("tag", "a"),
            ("tag", "b"),
        ]

    @pytest.mark.parametrize(
        ("suffix", "path"),
        [
            ("", "/v1/threads/thread_1/runs/run_1"),
            ("/", "/v1/threads/thread_1/runs/run_1"),
            ("/openai", "/v1/openai/threads/thread_1/runs/run_1"),
            ("/api/projects/my%20project/", "/v1/api/projects/my%20project/threads/thread_1/runs/run_1"),
        ],
    )
    def test_base_paths(self, api: Api, serve: Serve, suffix: str, path: str) -> None:
        """A base address may have a path of its own, with or without a slash at its end."""
        server = serve(RUN)
        api.client(server.url + suffix).runs.get("thread_1", "run_1")
        assert server.requests[0].path == path

    def test_base_query(self, api: Api, serve: Serve) -> None:
        """The query of a base address, Azure's `api-version` for one, goes along on every request."""
        server = serve(EMPTY)
        api.client(server.url + "?api-version=2024-05-01-preview").runs.list("thread_1")
        assert server.requests[0].path == "/v1/threads/thread_1/runs"
        assert ("api-version", "2024-05-01-preview") in server.requests[0].query

    def test_connection_is_reused(self, api: Api, serve: Serve) -> None:
        """Calls one after the other share a connection, errors in between included."""
        server = serve(RUN, error(404), RUN)
        client = api.client(server)
        client.runs.get("thread_1", "run_1")
        with pytest.raises(facade.NotFoundError):
            client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        assert server.connections == 1

    def test_no_cookie_is_kept(self, api: Api, serve: Serve) -> None:
        """A cookie that a server sets is not sent back."""
        server = serve(answer(a_run(), headers={"Set-Cookie": "session=1; Path=/"}))
        client = api.client(server)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        assert "cookie" not in server.requests[1].headers

    def test_netrc_is_not_asked(self, api: Api, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A password for the host in a netrc file does not take the key's place."""
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login baker password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        server = serve(RUN)
        api.client(server).runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
