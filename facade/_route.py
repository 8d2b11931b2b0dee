"""Where connections lead, and through what: host, certificates, proxy, or a transport of the caller's own."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from facade._auth import Secret
from facade.errors import ConfigurationError

KEEP_SEC = 5.0
"""How long a connection is kept that no request uses."""


class Proxy(NamedTuple):
    """A checked proxy.

    Attributes:
        described: address, user and password, headers and TLS context, as httpcore takes them
        said_by: what it was given in
    """

    described: Secret
    said_by: str

    def password(self) -> Secret:
        """Its password, blank where it has none."""
        _, auth, _, _ = self.described.reveal()
        return Secret("" if auth is None else auth[1].decode())


class Route(NamedTuple):
    """What decides which connections a request may use.

    Attributes:
        scheme, host, port: the endpoint
        verify: a TLS context; True for the usual one, False for one that takes any certificate
        proxy: None for none
        transport: an httpx transport in the place of connections; None for none
    """

    scheme: bytes
    host: bytes
    port: int | None
    verify: Any
    proxy: Proxy | None
    transport: Any

    def connect(self, pool: Callable[..., Any], network: Any) -> Any:
        """One of httpcore's connections, which connects with its first request.

        Args:
            pool: the kind of pool that makes it: httpcore's sync or async one
            network: the backend that it goes over
        """
        import httpcore

        context = None
        if self.scheme == b"https":
            context = _made(self.verify) if isinstance(self.verify, bool) else self.verify
        made_by = pool(
            ssl_context=context,
            proxy=None if self.proxy is None else httpcore.Proxy(*self.proxy.described.reveal()),
            keepalive_expiry=KEEP_SEC,
            network_backend=network,
        )
        url = httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target=b"")
        return made_by.create_connection(url.origin)


@cache
def _made(verify: bool) -> ssl.SSLContext:
    """The TLS context of all clients that are told nothing else."""
    import httpx

    return httpx.create_ssl_context(verify, trust_env=False)


def check_verify(name: str, value: Any) -> Any:
    """A TLS context; True for the usual one, False for one that takes any certificate, which are made when needed.

    Raises:
        ConfigurationError: its file cannot be read, or the file that a variable names cannot.
        TypeError: it is none of what httpx takes.
    """
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if value is True and (path := os.environ.get(variable)):
            return _load(path, variable)
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, os.PathLike)):
        return _load(os.fspath(value), "verify")
    if isinstance(value, ssl.SSLContext):
        return value
    raise TypeError(f"verify is True, False, a file of certificates or an ssl.SSLContext, not {type(value).__name__}")


@cache
def _load(path: str, said_by: str) -> ssl.SSLContext:
    is_folder: bool = os.path.isdir(path) and said_by != "SSL_CERT_FILE"
    try:
        return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    raise ConfigurationError(f"the certificates of {said_by} cannot be read: {path!r}: {problem}")


def split_address(address: str, schemes: tuple[str, ...]) -> SplitResult | str:
    """An address, taken apart; or what is wrong with it."""
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna").decode("idna")
    except UnicodeError:
        return "has a host name that cannot be looked up"
    except ValueError:
        return "is not an address"
    if parts.scheme not in schemes or not host or port == 0:
        return f"does not start with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    return parts


def check_proxy(name: str, given: Secret) -> Proxy:
    """A proxy as a caller gives it, in a secret: an address, an httpx.URL or an httpx.Proxy.

    Args:
        name: what it was given in
        given: the proxy

    Raises:
        ConfigurationError: it cannot be used, or is none of these.
    """
    described = _describe_proxy(given)
    if isinstance(described, str):
        raise ConfigurationError(f"the proxy of {name} {described}; check {name}, or leave it out")
    return Proxy(described, name)


def _describe_proxy(given: Secret) -> Secret | str:
    """What describes a proxy, or what is wrong with it; it raises nothing, so that no traceback shows a password."""
    from importlib.util import find_spec

    import httpx

    value = given.reveal()
    if isinstance(value, str) and "://" not in value:
        value = f"http://{value}"
    try:
        proxy = value if isinstance(value, httpx.Proxy) else httpx.Proxy(value)
    except (httpx.InvalidURL, TypeError, ValueError):
        return "is not the address of an http, https, socks5 or socks5h proxy"
    parts = split_address(str(proxy.url), ("http", "https", "socks5", "socks5h"))
    if isinstance(parts, str):
        return parts
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        return "needs the package socksio: pip install 'httpx[socks]'; it is a SOCKS address"
    return Secret((str(proxy.url), proxy.raw_auth, tuple(proxy.headers.raw), proxy.ssl_context))


def find_proxy(given: Proxy | None, scheme: str, authority: str) -> Proxy | None:
    """The proxy to an endpoint: the given one, else the one that the environment names, else None."""
    if given is None and not proxy_bypass(authority):
        for kind in (scheme, "all"):
            if address := getproxies().get(kind):
                variable = f"{kind}_proxy"
                return check_proxy(variable if os.environ.get(variable) else variable.upper(), Secret(address))
    return given


def check_transport(name: str, value: Any) -> Any:
    """An httpx transport, as it was given; that it is of the client's kind is checked by the client.

    Raises:
        TypeError: it is no httpx transport.
    """
    is_one: bool = hasattr(value, "handle_request") or hasattr(value, "handle_async_request")
    if not is_one or isinstance(value, type):
        raise TypeError(f"transport is an httpx transport (httpx.BaseTransport), not {type(value).__name__}")
    return value
