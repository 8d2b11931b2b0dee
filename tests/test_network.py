"""The way to the server: addresses, proxies, certificates, and what the environment says of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
import trustme
from conftest import Api
from wire import CLOSE, HANG, KEY, RUN, Serve, a_run, answer, deaf_url, error, refused_url

import facade


def get(client: Any, **options: Any) -> Any:
    """The call that most cases make."""
    return client.runs.get("thread_1", "run_1", **options)


def failure_of(work: Callable[[], Any]) -> facade.APIError:
    """The error that a call raises."""
    with pytest.raises(facade.APIError) as caught:
        work()
    return caught.value


@contextlib.contextmanager
def talkative() -> Iterator[str]:
    """The https address of a server that speaks first, and no TLS."""

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    sock.sendall(b"220 mail.example ESMTP\r\n")
                    sock.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class TestAddresses:
    """Names and what they stand for."""

    @pytest.fixture
    def resolve(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Lets the name two.localhost stand for some addresses of this machine."""
        system = socket.getaddrinfo

        def stand_for(*addresses: str) -> None:
            def resolved(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
                if host not in ("two.localhost", b"two.localhost"):
                    return system(host, port, *arguments, **options)
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port))) for address in addresses]

            monkeypatch.setattr(socket, "getaddrinfo", resolved)

        return stand_for

    @pytest.mark.parametrize("refusing", [["127.0.0.2"], ["127.0.0.3", "127.0.0.2"]], ids=len)
    def test_name_with_two_addresses(self, api: Api, serve: Serve, resolve: Any, refusing: list[str]) -> None:
        """Where some of a host's addresses refuse, the next one is tried, and only one connection stays open."""
        resolve(*refusing, "127.0.0.1")
        server = serve(RUN)
        assert get(api.client(f"http://two.localhost:{server.port}/v1")).id == "run_1"
        assert server.connections == 1

    def test_all_addresses_refuse(self, api: Api, resolve: Any) -> None:
        """Where all refuse it is one APIConnectionError that names the host."""
        resolve("127.0.0.2", "127.0.0.3")
        port = refused_url().rpartition(":")[2]
        failure = failure_of(lambda: get(api.client(f"http://two.localhost:{port}")))
        assert type(failure) is facade.APIConnectionError
        assert "two.localhost" in str(failure)

    @pytest.mark.parametrize("timeout_sec", [0, 2.5], ids=["no limit", "limit"])
    def test_address_that_swallows(
        self, api: Api, serve: Serve, resolve: Any, timeout_sec: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address that answers no connection does not keep the next one from being tried."""
        if not timeout_sec:  # then there is nothing to share
            monkeypatch.setattr("facade._network_sync.MAX_SHARE_SEC", 0.3)
        server = serve(RUN)
        with deaf_url("127.0.0.2", server.port):
            resolve("127.0.0.2", "127.0.0.1")
            client = api.client(f"http://two.localhost:{server.port}/v1", timeout_sec=timeout_sec)
            assert get(client).id == "run_1"

    def test_all_addresses_swallow(self, api: Api, resolve: Any) -> None:
        """The time limit holds over all addresses together, and nothing of them is left."""
        with deaf_url() as url:
            resolve("127.0.0.1", "127.0.0.1", "127.0.0.1")
            client = api.client(url.replace("127.0.0.1", "two.localhost"), timeout_sec=0.4)
            api.rest(0)  # the loop has sockets of its own
            before = open_sockets()
            assert isinstance(failure_of(lambda: get(client)), facade.APITimeoutError)
            assert api.until(lambda: open_sockets() <= before)

    def test_name_without_address(self, api: Api, resolve: Any) -> None:
        """A name that stands for nothing is an APIConnectionError."""
        resolve()
        assert type(failure_of(lambda: get(api.client("http://two.localhost:1/v1")))) is facade.APIConnectionError

    def test_resolver_that_fails(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """A resolver's error is an APIConnectionError."""

        def fail(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(-3, "Temporary failure in name resolution")

        client = api.client("http://two.localhost:1/v1")
        get_failure = None
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", fail)
            get_failure = failure_of(lambda: get(client))
        assert type(get_failure) is facade.APIConnectionError
        assert "name resolution" in str(get_failure)
        assert "is the server running, and is api_base right?" in str(get_failure)

    def test_closed_endpoint(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who still asks OpenAI's own endpoint, which is there no more, is told so."""
        client = api.client("https://api.openai.com/v1")
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", lambda *_, **__: [])
            assert "OpenAI closed this endpoint" in str(failure_of(lambda: get(client)))

    def test_name_that_is_not_there(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host that no resolver knows is an APIConnectionError."""
        failure = failure_of(lambda: get(api.client("http://nowhere.invalid.localhost:1/v1")))
        assert type(failure) is facade.APIConnectionError

    @pytest.mark.parametrize(
        "host",
        ["a..b", ".a", "xn--a", "xn--", f"{'a' * 64}.example", "a.b..", "xn--\u00e4", "bakery..localhost"],
        ids=ascii,
    )
    def test_hosts_that_are_none(self, api: Api, host: str) -> None:
        """A host that no resolver can be asked for is refused at construction, naming the variable."""
        with pytest.raises(facade.ConfigurationError, match="OPENAI_API_BASE"):
            api.client(f"https://{host}/v1")

    @pytest.mark.parametrize("host", ["xn--brtchen-90a.example", "brötchen.example", "a_b.example", "a.example."])
    def test_hosts_that_are_odd(self, api: Api, host: str) -> None:
        """Other scripts, their encoded form, underscores and the root's dot are taken."""
        api.client(f"https://{host}/v1")


def open_sockets() -> int:
    """How many sockets this process has open; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    count = 0
    for each in folder.iterdir() if folder.exists() else ():
        with contextlib.suppress(OSError):
            count += os.readlink(each).startswith("socket:")
    return count


class TestTimes:
    """Limits that no system call takes."""

    @pytest.mark.parametrize("value", [1e10, 2.0**31, 2**53, sys.maxsize, 1e300], ids=repr)
    @pytest.mark.parametrize("option", ["timeout_sec", "deadline_sec"])
    def test_vast(self, api: Api, serve: Serve, option: str, value: float) -> None:
        """A vast limit is as good as none, wherever it is given: in a call, a walk, a walk over many, and a wait."""
        page = answer({"data": [a_run()]})
        server = serve(RUN, RUN, page, page, page, error(503, {"Retry-After-Ms": "1"}), RUN)
        client = api.client(server, **{option: value})
        assert get(client).id == "run_1"
        assert get(api.client(server), **{option: value}).id == "run_1"
        assert len(list(client.runs.all("thread_1"))) == 1
        assert len(list(client.runs.all(["thread_1", "thread_2"]))) == 2
        assert get(client, max_retry_count=1).id == "run_1"

    def test_vast_over_tls(self, api: Api, serve: Serve, own: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
        """TLS is no different."""
        assert get(api.client(serve(RUN, tls=own), verify=trusting, timeout_sec=1e10)).id == "run_1"

    @pytest.mark.parametrize("option", ["timeout_sec", "deadline_sec"])
    def test_key_that_hangs(self, serve: Serve, option: str) -> None:
        """A coroutine function that gives no key is bounded by both limits, in a call and in a walk."""
        asked = []

        async def key() -> str:
            asked.append(1)
            await asyncio.sleep(5)
            return KEY

        server = serve(RUN)

        async def work() -> None:
            async with facade.AsyncClient(key, api_base=server.url, **{option: 0.2}) as client:  # type: ignore[arg-type]
                with pytest.raises(facade.APITimeoutError):
                    await client.runs.get("thread_1", "run_1")
                with pytest.raises(facade.APITimeoutError):
                    await anext(client.runs.all("thread_1"))
                with pytest.raises(facade.APITimeoutError):
                    await anext(client.runs.all(["thread_1", "thread_2"]))
                assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(work())
        assert asked
        assert not server.requests


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs for 127.0.0.1."""
    return trustme.CA()


@pytest.fixture(scope="module")
def own(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS context of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "two.localhost").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS context of a client that trusts it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Tunnel:
    """A proxy that tunnels: what a client asks it for, and who it was.

    Args:
        tls: its own context, for an https:// proxy

    Attributes:
        url: its address
        heads: of all that it was asked
        behind: what it says behind its own answer
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.behind = b""
        self.heads: list[bytes] = []
        self.open = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._accept)

    def _spawn(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, daemon=True, name="tunnel").start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._spawn(self._serve, self._listener.accept()[0])

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self.open += 1
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                if not (chunk := sock.recv(65_536)):
                    return
                head += chunk
            self.heads.append(head)
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            with socket.create_connection(("127.0.0.1" if host == "two.localhost" else host, int(port))) as other:
                sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n" + self.behind)
                back = threading.Thread(target=self._copy, args=(other, sock), daemon=True)
                back.start()
                self._copy(sock, other)
                back.join()
        except OSError:
            pass
        finally:
            sock.close()
            with self._lock:
                self.open -= 1

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := source.recv(65_536):
                target.sendall(chunk)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def proxy(self, trusting: ssl.SSLContext, user: str = "") -> httpx.Proxy:
        """What a client is given as its proxy; only an https one takes a context."""
        url = self.url.replace("://", f"://{user}")
        return httpx.Proxy(url, ssl_context=trusting if self._tls else None)

    def close(self) -> None:
        """Takes no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(params=["http", "https"])
def tunnel(request: pytest.FixtureRequest, own: ssl.SSLContext) -> Iterator[Tunnel]:
    """A proxy that tunnels, over TLS of its own or not."""
    tunnel = Tunnel(own if request.param == "https" else None)
    yield tunnel
    tunnel.close()


class TestTunnels:
    """An https endpoint behind a proxy."""

    def test_call(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """Calls go through the tunnel, several over one; the proxy never sees the key."""
        server = serve(RUN, tls=own)
        client = api.client(server, verify=trusting, proxy=tunnel.proxy(trusting))
        for _ in range(3):
            assert get(client).id == "run_1"
        assert (server.connections, len(tunnel.heads)) == (1, 1)
        assert tunnel.heads[0].startswith(b"CONNECT 127.0.0.1:")
        assert KEY.encode() not in tunnel.heads[0]
        client.close()
        assert api.until(lambda: server.open_connections == 0 and tunnel.open == 0)

    def test_environment(
        self,
        api: Api,
        serve: Serve,
        tunnel: Tunnel,
        own: Any,
        authority: trustme.CA,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """HTTPS_PROXY names it, and SSL_CERT_FILE says whom to trust on both ways."""
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        assert get(api.client(serve(RUN, tls=own), verify=True)).id == "run_1"
        assert len(tunnel.heads) == 1

    def test_large_answer(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """An answer of some megabytes comes through whole."""
        server = serve(answer(a_run(instructions="bread " * 500_000)), tls=own)
        client = api.client(server, verify=trusting, proxy=tunnel.proxy(trusting))
        assert len(get(client).instructions) == 3_000_000

    def test_password(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """The proxy, and nobody else, is given the user and password of its address."""
        server = serve(RUN, tls=own)
        get(api.client(server, verify=trusting, proxy=tunnel.proxy(trusting, user="baker:dough%21@")))
        assert b"\r\nproxy-authorization: basic ymfrzxi6zg91z2gh\r\n" in tunnel.heads[0].lower()
        assert "proxy-authorization" not in server.requests[0].headers

    def test_time(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """timeout_sec bounds a call through the tunnel, and leaves no connection."""
        server = serve((HANG,), tls=own)
        client = api.client(server, verify=trusting, proxy=tunnel.proxy(trusting))
        assert isinstance(failure_of(lambda: get(client, timeout_sec=0.5)), facade.APITimeoutError)
        assert api.until(lambda: server.open_connections == 0 and tunnel.open == 0)

    def test_untrusted_server(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """The server behind the tunnel is checked by its certificate."""
        server = serve(RUN, tls=own)
        client = api.client(server, verify=True, proxy=tunnel.proxy(trusting))
        failure = failure_of(lambda: get(client))
        assert type(failure) is facade.APIConnectionError
        assert "certificate" in str(failure).lower()
        assert not server.requests

    def test_untrusted_proxy(self, api: Api, serve: Serve, own: Any, trusting: Any) -> None:
        """So is the proxy."""
        tunnel = Tunnel(own)
        server = serve(RUN, tls=own)
        failure = failure_of(
            lambda: get(
                api.client(
                    server, verify=trusting, proxy=httpx.Proxy(tunnel.url, ssl_context=ssl.create_default_context())
                )
            )
        )
        assert type(failure) is facade.APIConnectionError
        assert not tunnel.heads
        tunnel.close()

    def test_said_before_tls(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """What a proxy says behind its answer is no part of what comes over TLS: the call fails."""
        tunnel.behind = answer(a_run("forged"))
        server = serve(RUN, tls=own)
        failure = failure_of(lambda: get(api.client(server, verify=trusting, proxy=tunnel.proxy(trusting))))
        assert type(failure) is facade.APIConnectionError
        assert not server.requests

    def test_walk(self, api: Api, serve: Serve, tunnel: Tunnel, own: Any, trusting: Any) -> None:
        """A walk over many that is left early leaves no tunnel under way."""
        server = serve(lambda r: answer({"data": [a_run()]}) if "thread_0" in r.path else (HANG,), tls=own)
        client = api.client(server, verify=trusting, proxy=tunnel.proxy(trusting))
        with client.runs.all([f"thread_{n}" for n in range(6)], concurrency=6) as walk:
            next(walk)
            assert api.until(lambda: server.busy == 5)
        assert api.until(lambda: server.busy == 0)
        assert not api.threads()


class TestProxies:
    """Other proxies."""

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_proxy_of_the_environment(
        self, api: Api, serve: Serve, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The usual variables name the proxy that requests go through."""
        proxy = serve(RUN)
        monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        with warnings.catch_warnings(action="ignore"):  # plain http
            client = api.client("http://bakery.example/v1")
        assert get(client).id == "run_1"
        assert proxy.requests[0].target.startswith("http://")

    def test_no_proxy(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """NO_PROXY excepts hosts."""
        proxy, server = serve(error(502)), serve(RUN)
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert get(api.client(server)).id == "run_1"
        assert not proxy.requests

    def test_proxy_that_is_not_there(self, api: Api, serve: Serve) -> None:
        """A proxy that refuses connections is an APIConnectionError; nobody else is asked."""
        server = serve(RUN)
        failure = failure_of(lambda: get(api.client(server, proxy=refused_url().removesuffix("/v1"))))
        assert type(failure) is facade.APIConnectionError
        assert "is the proxy of proxy right?" in str(failure)
        assert not server.requests

    def test_tunnel_that_is_refused(self, api: Api, serve: Serve) -> None:
        """A proxy that refuses a tunnel is an APIConnectionError; it never sees the key."""
        proxy = serve(answer(b"", 502))
        client = api.client("https://bakery.example/v1", proxy=proxy.url.removesuffix("/v1"))
        failure = failure_of(lambda: get(client))
        assert type(failure) is facade.APIConnectionError
        assert proxy.requests[0].method == "CONNECT"
        assert KEY.encode() not in proxy.requests[0].head

    def test_tunnel_that_hangs(self, api: Api, serve: Serve) -> None:
        """A proxy that says nothing is bounded by timeout_sec, and its connection closed."""
        proxy = serve((HANG,))
        client = api.client("https://bakery.example/v1", proxy=proxy.url.removesuffix("/v1"), timeout_sec=0.3)
        failure = failure_of(lambda: get(client))
        assert isinstance(failure, facade.APITimeoutError)
        assert failure.sent is False
        assert api.until(lambda: proxy.open_connections == 0)

    def test_plain_http_over_an_https_proxy(self, api: Api, serve: Serve, own: Any, trusting: Any) -> None:
        """A plain http endpoint may be asked through an https proxy."""
        proxy = serve(RUN, tls=own)
        with warnings.catch_warnings(action="ignore"):  # plain http
            client = api.client(
                "http://bakery.example/v1",
                proxy=httpx.Proxy(proxy.url.removesuffix("/v1"), ssl_context=trusting),
            )
        assert get(client).id == "run_1"
        assert proxy.requests[0].target == "http://bakery.example/v1/threads/thread_1/runs/run_1"

    @pytest.mark.parametrize(
        "reason", ["x" * 60_000, "Bad \x1b[31mGateway", "no \x85\x9b2J way"], ids=["endless", "escape", "C1"]
    )
    def test_reason_of_a_proxy(self, api: Api, serve: Serve, reason: str) -> None:
        """What a proxy says as it refuses is shown in part, and as one printable line."""
        proxy = serve((b"HTTP/1.1 502 " + reason.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n", CLOSE))
        client = api.client("https://bakery.example/v1", proxy=proxy.url.removesuffix("/v1"))
        failure = failure_of(lambda: get(client))
        assert type(failure) is facade.APIConnectionError
        assert len(str(failure)) < 1000
        assert str(failure).isprintable()


CONFIGURATION: dict[str, tuple[str, str]] = {
    "certificates that are not there": ("SSL_CERT_FILE", "/nope.pem"),
    "certificates that are none": ("SSL_CERT_FILE", __file__),
    "certificates that are a folder": ("SSL_CERT_FILE", "/"),
    "proxy of another scheme": ("HTTPS_PROXY", "ftp://127.0.0.1:1"),
    "proxy with a bad port": ("HTTPS_PROXY", "http://127.0.0.1:port"),
    "proxy with a port too high": ("HTTPS_PROXY", "http://127.0.0.1:99999"),
    "proxy without a host": ("HTTPS_PROXY", "http://"),
    "proxy with half an address": ("HTTPS_PROXY", "http://[::1"),
    "proxy with an empty label": ("HTTPS_PROXY", "http://a..b:3128"),
    "proxy for all": ("ALL_PROXY", "gopher://127.0.0.1"),
    "small letters": ("https_proxy", "ftp://127.0.0.1:1"),
    "socks without its package": ("ALL_PROXY", "socks5://127.0.0.1:1"),
}


class TestEnvironment:
    """What the environment says of certificates and proxies, and nobody can use."""

    @pytest.mark.parametrize("name", CONFIGURATION)
    def test_refused(self, api: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is a ConfigurationError that names the variable, at construction."""
        variable, value = CONFIGURATION[name]
        monkeypatch.setitem(sys.modules, "socksio", None)
        monkeypatch.setenv(variable, value)
        with pytest.raises(facade.ConfigurationError, match=variable):
            api.client("https://bakery.example/v1", verify=True)

    @pytest.mark.parametrize(
        ("path", "words"),
        [("/nope.pem", "'/nope.pem': No such file"), (__file__, "(?i)no certificate"), ("a\0b", "null byte")],
    )
    def test_unreadable_certificates(self, api: Api, path: str, words: str) -> None:
        """What is wrong with a file of certificates is said."""
        with pytest.raises(facade.ConfigurationError, match=words):
            api.client("https://bakery.example/v1", verify=path)

    def test_password_is_not_shown(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """The password of a proxy that cannot be used is not shown."""
        monkeypatch.setenv("HTTPS_PROXY", "ftp://baker:hunter2@127.0.0.1:1")
        with pytest.raises(facade.ConfigurationError, match="HTTPS_PROXY") as caught:
            api.client("https://bakery.example/v1")
        assert "hunter2" not in str(caught.value)

    def test_socks_without_its_package(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a SOCKS proxy is asked for, the package that it takes is named."""
        monkeypatch.setitem(sys.modules, "socksio", None)
        with pytest.raises(facade.ConfigurationError, match=r"httpx\[socks\]|socksio"):
            api.client("https://bakery.example/v1", proxy="socks5://127.0.0.1:1")

    @pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://", "http://[::1", 5, "http://a..b"], ids=repr)
    def test_bad_proxy(self, api: Api, proxy: Any) -> None:
        """A proxy that is no proxy's address is refused at construction."""
        with pytest.raises((ValueError, TypeError), match="proxy"):
            api.client("https://bakery.example/v1", proxy=proxy)

    def test_variable_of_another_scheme(self, api: Api, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty variable is none, and a host that NO_PROXY excepts asks no proxy."""
        monkeypatch.setenv("HTTPS_PROXY", "")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "*")
        assert get(api.client(serve(RUN))).id == "run_1"

    @pytest.mark.parametrize("name", ["certificates that are not there", "proxy of another scheme"])
    def test_command(self, name: str) -> None:
        """The command says so in one line, and ends with 3."""
        variable, value = CONFIGURATION[name]
        environment = {
            **os.environ,
            "OPENAI_API_KEY": KEY,
            "OPENAI_API_BASE": "https://127.0.0.1:1/v1",
            variable: value,
        }
        command = [sys.executable, "-P", "-m", "facade", "get-thread-run", "thread_1"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 3, ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
        assert variable in ended.stderr


class TestCertificates:
    """TLS to the server itself."""

    def test_certificates(self, api: Api, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A certificate is checked, against SSL_CERT_FILE or a context of the caller's where they are given."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        own, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("127.0.0.1").configure_cert(own)
        authority.configure_trust(trusting)
        server = serve(RUN, tls=own)
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(variable, raising=False)
        make = mock.Mock(wraps=httpx.create_ssl_context)
        monkeypatch.setattr(httpx, "create_ssl_context", make)
        for usual in (None, True):
            failure = failure_of(partial(get, api.client(server, verify=usual, max_retry_count=3)))
            assert type(failure) is facade.APIConnectionError
            assert "certificate" in str(failure).lower()
        assert not server.requests
        assert make.call_count <= 1  # it takes long to make one
        assert get(api.client(server, verify=trusting)).id == "run_1"
        assert get(api.client(server, verify=False)).id == "run_1"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert get(api.client(server, verify=True)).id == "run_1"

    def test_tls_to_a_plain_server(self, api: Api) -> None:
        """TLS that fails is an APIConnectionError."""
        with talkative() as url:
            failure = failure_of(lambda: get(api.client(url, timeout_sec=5)))
        assert type(failure) is facade.APIConnectionError
        assert "does it speak http:// only?" in str(failure)
