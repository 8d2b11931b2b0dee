"""Where connections lead, and through what: host, certificates, proxy, or a transport of the caller's own."""

from __future__ import annotations

import os
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from facade._auth import Secret
from facade.errors import ConfigurationError

if TYPE_CHECKING:
    import httpcore

KEEP_SEC = 5.0
"""How long a connection is kept that no request uses."""


class Proxy(NamedTuple):
    """A checked proxy; `said_by` names what it was given in."""

    scheme: str
    host: str
    port: int | None
    user: str | None
    password: Secret | None
    headers: tuple[tuple[bytes, Secret], ...]
    ssl_context: Any
    said_by: str

    def as_httpcore(self) -> httpcore.Proxy:
        """The proxy as httpcore takes it."""
        import httpcore

        password = "" if self.password is None else str(self.password.reveal())
        return httpcore.Proxy(
            httpcore.URL(scheme=self.scheme.encode(), host=self.host.encode(), port=self.port, target=b"/"),
            auth=None if self.user is None else (self.user.encode(), password.encode()),
            headers=[(name, str(value.reveal()).encode("latin-1")) for name, value in self.headers],
            ssl_context=self.ssl_context,
        )


class Route(NamedTuple):
    """What decides which connections a request may use.

    Attributes:
        scheme, host, port: the endpoint
        verify: True, or a TLS context
        proxy: None for none
        transport: an httpx transport in the place of connections; None for none
    """

    scheme: bytes
    host: bytes
    port: int | None
    verify: Any
    proxy: Proxy | None
    transport: Any

    def origin(self) -> httpcore.Origin:
        """Where its connections lead, as httpcore takes it."""
        import httpcore

        return httpcore.Origin(self.scheme, self.host, self.port or (443 if self.scheme == b"https" else 80))

    def pool_options(self) -> dict[str, Any]:
        """What httpcore is told when it makes one of its connections."""
        return {
            "ssl_context": self._ssl_context() if self.scheme == b"https" else None,
            "proxy": None if self.proxy is None else self.proxy.as_httpcore(),
            "keepalive_expiry": KEEP_SEC,
        }

    def _ssl_context(self) -> ssl.SSLContext:
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        return _usual_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _usual_context(*_: str | None) -> ssl.SSLContext:
    """The TLS context of all clients that are told nothing else, one for what the environment says of certificates."""
    import httpx

    return httpx.create_ssl_context()


def check_verify(name: str, value: Any) -> Any:
    """True, or the TLS context that an option stands for.

    Raises:
        ConfigurationError: its file cannot be read, or the file that a variable names cannot.
        TypeError: it is none of what httpx takes.
    """
    if value is True:
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if path := os.environ.get(variable):
                _load(path, variable)
                break
        return True
    if value is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
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
        problem = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no certificates"
    raise ConfigurationError(f"the certificates of {said_by} cannot be read: {path!r}: {problem}")


def check_proxy(name: str, given: Secret) -> Proxy:
    """A proxy as a caller gives it, in a secret: an address, an httpx.URL or an httpx.Proxy.

    Raises:
        ConfigurationError: it cannot be used, or is none of these.
    """
    return _usable(_given_proxy(given), "proxy")


def _given_proxy(given: Secret) -> Proxy | str:
    value = given.reveal()
    if isinstance(value, str):
        return _parse_proxy(value)
    import httpx

    if isinstance(value, httpx.URL):
        return _parse_proxy(str(value))  # with its password
    if not isinstance(value, httpx.Proxy):
        return f"is an address, an httpx.URL or an httpx.Proxy, not {type(value).__name__}"
    made = _parse_proxy(str(value.url))
    if isinstance(made, str):
        return made
    if value.auth is not None:
        made = made._replace(user=value.auth[0], password=Secret(value.auth[1]))
    headers = tuple((header, Secret(text.decode("latin-1"))) for header, text in value.headers.raw)
    return made._replace(headers=headers, ssl_context=value.ssl_context)


def _usable(made: Proxy | str, said_by: str) -> Proxy:
    """A proxy, with what it was given in.

    Raises:
        ConfigurationError: it is none, but what is wrong with it.
    """
    if isinstance(made, str):
        raise ConfigurationError(f"the proxy of {said_by} {made}; check {said_by}, or leave it out")
    return made._replace(said_by=said_by)


def _parse_proxy(address: str) -> Proxy | str:
    """A proxy's address, taken apart; or what is wrong with it."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except ValueError:  # UnicodeError is one
        return "is not an address"
    if parts.scheme not in ("http", "https", "socks5", "socks5h") or not host:
        return "is not an http, https, socks5 or socks5h address"
    if parts.scheme.startswith("socks") and not _has_socksio():
        return "needs the package socksio: pip install 'httpx[socks]'; it is a SOCKS address"
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else Secret(unquote(parts.password))
    return Proxy(parts.scheme, host.encode("idna").decode(), port, user, password, (), None, "")


@cache
def _has_socksio() -> bool:
    from importlib.util import find_spec

    return find_spec("socksio") is not None


def find_proxy(given: Proxy | None, scheme: str, host: str, port: int | None) -> Proxy | None:
    """The proxy to an endpoint: the given one, else the one that the environment names, else None."""
    if given is not None:
        return given
    if not proxy_bypass(host if port is None else f"{host}:{port}"):
        for kind in (scheme, "all"):
            if getproxies().get(kind):
                variable = f"{kind}_proxy"
                said_by = variable if os.environ.get(variable) else variable.upper()
                return _usable(_parse_proxy(getproxies()[kind]), said_by)
    return None


def check_transport(name: str, value: Any) -> Any:
    """An httpx transport, as it was given; that it is of the client's kind is checked by the client.

    Raises:
        TypeError: it is no httpx transport.
    """
    is_one: bool = hasattr(value, "handle_request") or hasattr(value, "handle_async_request")
    if not is_one or isinstance(value, type):
        raise TypeError(f"transport is an httpx transport (httpx.BaseTransport), not {type(value).__name__}")
    return value
