"""The key and the headers that carry it: kept where nothing shows them, and blanked in whatever a server echoes."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from html import escape
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, quote_plus

from facade._version import __version__
from facade.errors import ConfigurationError

AuthType = Literal["openai", "azure", "azure_ad"]
ApiKey = str | Callable[[], str] | Callable[[], Awaitable[str]]
Redact = Callable[[str], str]
RawHeaders = list[tuple[bytes, bytes]]

USER_AGENT = f"openai-thread-runs/{__version__}"
MIN_SECRET_LENGTH = 4
"""A shorter key, such as servers of one's own are given, is no secret; blanking it would only spoil texts."""
MIN_HEADER_SECRET_LENGTH = 8
"""As above, for the values of additional headers, most of which are plain words."""


class Secret:
    """Holds a key, what gives one, or another secret, where no repr, attribute, pickle or traceback shows it."""

    __slots__ = ("_reveal",)

    def __init__(self, value: Any) -> None:
        self._reveal: Callable[[], Any] = lambda: value

    def reveal(self) -> Any:
        """The key, or what gives it; no local variable may hold it where an error is raised."""
        return self._reveal()

    def usable(self) -> str:
        """The key as it goes into a header, without white space around it.

        Raises:
            ConfigurationError: it is no str, blank, or has characters that no header can carry.
        """
        if not isinstance(self.reveal(), str):  # never in a local variable, which a traceback would show
            problem = "is not a str"
        elif not self.reveal().strip():
            problem = "is blank"
        elif not is_visible(self.reveal().strip()):
            problem = "has a control character or one outside ASCII inside"
        else:
            return str(self.reveal()).strip()
        raise ConfigurationError(f"the API key {problem}; check api_key or OPENAI_API_KEY")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._reveal() == other._reveal()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not pickled; make a new client where it is needed")


def is_visible(text: str) -> bool:
    """Whether a header can carry a text."""
    return text.isascii() and text.isprintable()


def redactor(*secrets: str) -> Redact:
    """A function that blanks secrets in a text, also as an address, a repr, JSON or HTML spells them."""
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) >= MIN_SECRET_LENGTH:
            forms |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret)}
            forms |= {repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    longest_first = sorted(forms, key=len, reverse=True)

    def redact(text: str) -> str:
        for form in longest_first:
            text = text.replace(form, "***")
        return text

    return redact


def also_redacting(redact: Redact, secrets: tuple[str, ...]) -> Redact:
    """What blanks these secrets too."""
    further = redactor(*secrets)
    return lambda text: further(redact(text))


class Credentials(NamedTuple):
    """What one attempt sends of itself: its headers, and what blanks their secrets in a text."""

    headers: RawHeaders
    redact: Redact

    def __repr__(self) -> str:
        return "Credentials(***)"


class Auth(NamedTuple):
    """A client's key and headers.

    Attributes:
        secret: the key, or what gives one before each attempt
        auth_type: which header carries it
        host: the header `Host`
        organization: sent with auth_type "openai"; None or blank for none
        additional: pairs of headers' names and values, which win over the client's own
        proxy_password: a further secret; blank for none
        known: gives the credentials of all attempts; None where the key is asked for before each
    """

    secret: Secret
    auth_type: AuthType
    host: str
    organization: str | None
    additional: Secret
    proxy_password: Secret
    known: Callable[[], Credentials | None] = lambda: None

    def settled(self) -> Auth:
        """The same with the credentials of all attempts, where the key is known."""
        if callable(self.secret.reveal()):
            return self
        credentials = self.credentials(self.secret)
        return self._replace(known=lambda: credentials)

    def credentials(self, secret: Secret) -> Credentials:
        """The credentials with a key.

        Raises:
            ConfigurationError: the key is not usable.
        """
        key, given = secret.usable(), self.additional.reveal()
        names = {name.lower() for name, _ in given}
        own = [
            ("Host", self.host),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            ("User-Agent", USER_AGENT),
            ("OpenAI-Beta", "assistants=v2"),
            ("api-key", key) if self.auth_type == "azure" else ("Authorization", f"Bearer {key}"),
        ]
        if self.organization and self.auth_type == "openai":
            own.append(("OpenAI-Organization", self.organization))
        headers = [pair for pair in own if pair[0].lower() not in names] + given
        secrets = [value for _, value in given if len(value) >= MIN_HEADER_SECRET_LENGTH]
        return Credentials(
            [(name.encode("ascii"), value.encode("ascii")) for name, value in headers],
            redactor(key, self.proxy_password.reveal(), *secrets),
        )


redacting: ContextVar[Redact | None] = ContextVar("redacting", default=None)
"""What blanks the secrets of the attempt that this thread or task is at."""


class _Redacting(logging.Filter):
    """Blanks secrets in what the transport libraries log: at DEBUG they show headers, and a server may echo a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        redact = redacting.get()
        if redact is not None:
            record.msg, record.args = redact(record.getMessage()), ()
        return True


for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_Redacting())
