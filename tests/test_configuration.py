"""Where options come from, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Api
from wire import (
    KEY,
    RUN,
    Serve,
    a_page,
    a_run,
    again,
    answer,
)

import facade


class TestConfiguration:
    """Where options come from, and which are refused."""

    @pytest.mark.parametrize(
        ("key", "word"),
        [
            (None, "OPENAI_API_KEY"),
            ("", "blank"),
            ("  \t", "blank"),
            ("\n", "blank"),
            ("sk-bad\r\nX-Evil: 1", "OPENAI_API_KEY"),
            ("sk-bad\nkey", "OPENAI_API_KEY"),
            ("sk-bad\0key", "OPENAI_API_KEY"),
            ("sk-bad\tkey", "OPENAI_API_KEY"),
            ("sk-bäd", "OPENAI_API_KEY"),
            ("sk-bad\u200bkey", "OPENAI_API_KEY"),
            ("sk-bad\x7fkey", "OPENAI_API_KEY"),
            (b"sk-bad", "OPENAI_API_KEY"),
            (12345, "OPENAI_API_KEY"),
        ],
        ids=ascii,
    )
    def test_bad_keys(self, api: Api, key: Any, word: str) -> None:
        """No key, or one that no header can carry, is refused at construction, naming the variable, not the value."""
        with pytest.raises(facade.ConfigurationError, match=word) as caught:
            api.bare_client(key)
        assert "OPENAI_API_KEY" in str(caught.value)
        assert "bad" not in str(caught.value)
        assert "bäd" not in str(caught.value)
        assert "12345" not in str(caught.value)

    @pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"\t{KEY}\r\n "], ids=["before", "newline", "both"])
    def test_key_is_trimmed(self, api: Api, serve: Serve, key: str) -> None:
        """White space around a key is not part of it."""
        server = serve(RUN)
        api.client(server, api_key=key).runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("organization", ["org\r\nX-Evil: 1", "org\n1", "örg", "org\x00", 5, b"org"], ids=ascii)
    def test_bad_organizations(self, api: Api, organization: Any) -> None:
        """An organization that no header can carry is refused, naming the variable."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_ORGANIZATION"):
            api.client("http://127.0.0.1:1", organization=organization)

    @pytest.mark.parametrize("organization", ["", "  "], ids=repr)
    def test_blank_organization(
        self, api: Api, serve: Serve, organization: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A blank organization is not sent, and takes the place of the environment's."""
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        server = serve(RUN)
        api.client(server, organization=organization).runs.get("thread_1", "run_1")
        assert "openai-organization" not in server.requests[0].headers

    @pytest.mark.parametrize(
        "base",
        [
            "",
            " ",
            "host.example/v1",
            "//host.example",
            "ftp://host.example",
            "file:///etc/passwd",
            "http://",
            "https:///v1",
            "http://host:99999/v1",
            "http://host:port/v1",
            "http://host:0/v1",
            "http://host example/v1",
            "http://host/v1\r\nX: 1",
            "http://user:hunter2@host/v1",
            "http://host/v1#part",
            "http://[::1/v1",
            "http://host\\evil/v1",
            5,
            b"http://host",
        ],
        ids=ascii,
    )
    def test_bad_bases(self, api: Api, base: Any) -> None:
        """What is no http(s) address is refused at construction, naming the variable, not what may be secret in it."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_BASE") as caught:
            api.client(api_base=base)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("auth_type", ["azure", "azure_ad"])
    def test_azure_needs_a_base(self, api: Api, auth_type: str) -> None:
        """Both azure kinds refuse to be without an address of their own."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_BASE"):
            api.client(auth_type=auth_type)

    @pytest.mark.parametrize("auth_type", ["", "Azure", "bearer", 1], ids=repr)
    def test_bad_auth_type(self, api: Api, auth_type: Any) -> None:
        """An unknown kind of authentication is refused."""
        with pytest.raises(ValueError, match="auth_type"):
            api.client("http://127.0.0.1:1", auth_type=auth_type)

    def test_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """Key, organization and base come from the environment."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["authorization"], headers["openai-organization"]) == ("Bearer sk-env", "org-env")

    def test_second_names_of_the_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """OPENAI_ORG_ID and OPENAI_BASE_URL are read too."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-id")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        assert server.requests[0].headers["openai-organization"] == "org-id"

    def test_first_names_win(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """OPENAI_ORGANIZATION and OPENAI_API_BASE win over their second names."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-first")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-second")
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
        api.client().runs.get("thread_1", "run_1")
        assert server.requests[0].headers["openai-organization"] == "org-first"

    def test_configure_wins_over_the_environment(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """What `configure` set wins over the environment, and None clears it."""
        server = serve(RUN)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
        facade.configure(api_key="sk-configured", organization="org-configured", api_base=server.url)
        api.bare_client().runs.get("thread_1", "run_1")
        facade.configure(api_key=None, organization=None)
        api.bare_client().runs.get("thread_1", "run_1")
        said = [(r.headers["authorization"], r.headers["openai-organization"]) for r in server.requests]
        assert said == [("Bearer sk-configured", "org-configured"), ("Bearer sk-env", "org-env")]

    def test_arguments_win_over_configure(self, api: Api, serve: Serve) -> None:
        """An argument wins over what `configure` set."""
        server = serve(RUN)
        facade.configure(api_key="sk-configured", api_base="http://127.0.0.1:1", organization="org-configured")
        api.client(server, organization="org-argument").runs.get("thread_1", "run_1")
        headers = server.requests[0].headers
        assert (headers["authorization"], headers["openai-organization"]) == (f"Bearer {KEY}", "org-argument")

    def test_configure_takes_any_option(self, api: Api, serve: Serve) -> None:
        """`configure` sets the default of every option of a client."""
        server = serve(again(), again(), RUN)
        facade.configure(
            api_base=server.url,
            api_key=lambda: "sk-callable",
            timeout_sec=5,
            deadline_sec=50,
            max_retry_count=2,
            auth_type="azure",
            additional_query={"api-version": "v1"},
            additional_headers={"x-oven": "2"},
            max_response_bytes=100_000,
        )
        assert api.bare_client().runs.get("thread_1", "run_1").id == "run_1"
        request = server.requests[2]
        assert request.headers["api-key"] == "sk-callable"
        assert request.headers["x-oven"] == "2"
        assert request.query == [("api-version", "v1")]

    def test_additional_query(self, api: Api, serve: Serve) -> None:
        """Values are sent as texts, several one by one, blank ones too, behind those of the address; theirs win."""
        server = serve(answer(a_page([])))
        query = {"api-version": "", "limit": 7, "which": ["a b", 1]}
        api.client(f"{server.url}?gate=&from=east", additional_query=query).runs.list("thread_1")
        own = [("order", "asc"), ("gate", ""), ("from", "east")]
        given = [("api-version", ""), ("limit", "7"), ("which", "a b"), ("which", "1")]
        assert server.requests[0].query == own + given

    def test_configured_times_can_be_undone(self, api: Api, serve: Serve) -> None:
        """A client's own 0 or None means no limit, whatever is configured."""
        server = serve((0.15, RUN))
        facade.configure(timeout_sec=0.05)
        with pytest.raises(facade.APITimeoutError):
            api.client(server).runs.get("thread_1", "run_1")
        for value in (0, None):
            assert api.client(server, timeout_sec=value).runs.get("thread_1", "run_1").id == "run_1"

    def test_configure_refuses_unknown_options(self) -> None:
        """An option that no client has is a TypeError that names it."""
        with pytest.raises(TypeError, match="apikey"):
            facade.configure(apikey="sk-x")

    def test_live_clients_stay_as_they_are(self, api: Api, serve: Serve) -> None:
        """`configure` is for clients made from then on."""
        server = serve(RUN)
        client = api.client(server)
        facade.configure(api_key="sk-later")
        client.runs.get("thread_1", "run_1")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_callable_key(self, api: Api, serve: Serve) -> None:
        """A callable key is asked before each attempt, retries included, and not at construction."""
        server = serve(again(401, {"X-Should-Retry": "true"}), RUN)
        keys = iter(["sk-first", "sk-second", "sk-third"])
        client = api.client(server, api_key=lambda: next(keys), max_retry_count=1)
        client.runs.get("thread_1", "run_1")
        client.runs.get("thread_1", "run_1")
        said = [request.headers["authorization"] for request in server.requests]
        assert said == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-third"]

    def test_coroutine_function_as_key(self, api: Api, serve: Serve) -> None:
        """An async client's key may be a coroutine function; a sync client refuses what it cannot await."""

        async def key() -> str:
            return "sk-coroutine"

        server = serve(RUN)
        if api.kind == "async":
            api.client(server, api_key=key).runs.get("thread_1", "run_1")
            assert server.requests[0].headers["authorization"] == "Bearer sk-coroutine"
        else:
            with pytest.raises((ValueError, TypeError)):
                api.client(server, api_key=key).runs.get("thread_1", "run_1")
            assert not server.requests

    @pytest.mark.parametrize("given", ["", "a\r\nb", None, b"sk"], ids=repr)
    def test_callable_that_gives_no_key(self, api: Api, serve: Serve, given: Any) -> None:
        """A callable that gives no usable key is a ConfigurationError, before any request."""
        server = serve(RUN)
        with pytest.raises(facade.ConfigurationError):
            api.client(server, api_key=lambda: given).runs.get("thread_1", "run_1")
        assert not server.requests

    def test_callable_that_fails(self, api: Api, serve: Serve) -> None:
        """An error of the callable itself comes out as it is."""

        def key() -> str:
            raise LookupError("the vault is shut")

        server = serve(RUN)
        with pytest.raises(LookupError, match="the vault is shut"):
            api.client(server, api_key=key).runs.get("thread_1", "run_1")
        assert not server.requests

    def test_callable_without_its_file(self, api: Api, serve: Serve) -> None:
        """What the system says of the callable is not taken for a server that cannot be reached."""

        def key() -> str:
            return Path("no such key").read_text()

        with pytest.raises(facade.APIConnectionError, match=r"FileNotFoundError: .*no such key") as caught:
            api.client(serve(RUN), api_key=key).runs.get("thread_1", "run_1")
        assert "cannot connect" not in str(caught.value)
        assert not caught.value.sent

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1", "api.localhost"])
    def test_no_warning_on_loopback(self, api: Api, host: str) -> None:
        """Plain http to loopback is nobody's concern."""
        api.client(f"http://{host}:8000/v1")

    def test_plain_http_is_warned_of_once(self, api: Api) -> None:
        """Plain http to another host warns once of each host, pointing at the caller, without the key."""
        base = f"http://{api.kind}.bakery.example/v1"
        with pytest.warns(UserWarning, match=f"{api.kind}.bakery.example") as caught:
            api.client(base)
        api.client(base)
        assert len(caught) == 1
        assert KEY not in str(caught[0].message)
        assert Path(caught[0].filename).name == "conftest.py"  # where the harness makes the client

    def test_https_is_not_warned_of(self, api: Api) -> None:
        """https to any host warns of nothing."""
        api.client("https://bakery.example/v1")

    @pytest.mark.parametrize(
        ("host", "sent"),
        [
            ("bäckerei:8443", "xn--bckerei-5wa:8443"),
            ("example.рф:8443", "example.xn--p1ai:8443"),
            (f"{'b' * 63}:8443", f"{'b' * 63}:8443"),
            ("[::1]:8443", "[::1]:8443"),
        ],
    )
    def test_host_with_a_port(self, api: Api, host: str, sent: str) -> None:
        """A host's name is spelt for the network without its port, which comes behind it as it is."""
        seen: list[str] = []

        def say(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["host"])
            return httpx.Response(200, json=a_run())

        api.client(f"https://{host}/v1", transport=httpx.MockTransport(say)).runs.get("thread_1", "run_1")
        assert seen == [sent]

    def test_transport(self, api: Api) -> None:
        """A transport of the caller's own takes the network's place, at the default address."""
        seen = []

        def say(request: httpx.Request) -> httpx.Response:
            seen.append(str(request.url))
            return httpx.Response(200, json=a_run())

        client = api.client(transport=httpx.MockTransport(say))
        assert client.runs.get("thread_1", "run_1").status == "completed"
        assert seen == ["https://api.openai.com/v1/threads/thread_1/runs/run_1"]


def test_environment_is_read_late(api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set after the import counts; one that is blank does not."""
    server = serve(RUN)
    monkeypatch.setenv("OPENAI_API_BASE", "")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-late")
    api.bare_client().runs.get("thread_1", "run_1")
    assert server.requests[0].headers["authorization"] == "Bearer sk-late"
