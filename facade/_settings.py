"""What a client was told: arguments, then `configure`, then the environment, then defaults; checked once, here."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx

from facade._version import __version__
from facade.errors import ConfigurationError

AuthType = Literal["openai", "azure", "azure_ad"]
ApiKey = str | Callable[[], str] | Callable[[], Awaitable[str]]

OPENAI_HOST = "api.openai.com"
CLOSED = "OpenAI closed this endpoint on 2026-08-26; name another with api_base or OPENAI_API_BASE"
OPENAI_BASE = f"https://{OPENAI_HOST}/v1"
MAX_RESPONSE_BYTES = 64 * 1024 * 1024

ENVIRONMENT = {
    "api_key": ("OPENAI_API_KEY",),
    "organization": ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID"),
    "api_base": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
}


class _NotGiven:
    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __bool__(self) -> Literal[False]:
        return False


NOT_GIVEN: Any = _NotGiven()
"""The default of an option for which None or 0 is a value of its own; `configure` and the defaults fill it in."""


class _DefaultInt(int):
    """A default that can be told from the same value given by a caller, which wins over `configure`."""


class _DefaultStr(str):
    """As `_DefaultInt`."""

    __slots__ = ()


DEFAULTS: dict[str, Any] = {
    "api_key": None,
    "organization": None,
    "api_base": None,
    "timeout_sec": _DefaultInt(0),
    "deadline_sec": _DefaultInt(0),
    "max_retry_count": _DefaultInt(0),
    "auth_type": _DefaultStr("openai"),
    "additional_query": None,
    "additional_headers": None,
    "max_response_bytes": _DefaultInt(MAX_RESPONSE_BYTES),
    "verify": True,
    "proxy": None,
    "transport": None,
}

_configured: dict[str, Any] = {}


def configure(**options: Any) -> None:
    """Sets process-wide defaults for clients made from now on, as `$global:OPENAI_API_KEY` does for the cmdlets.

    Args:
        options: any option of `Client` by its name. An argument given to a client wins over them, they win over the
            environment. None clears one.

    Raises:
        TypeError: there is no such option.
    """
    unknown = sorted(options.keys() - DEFAULTS.keys())
    if unknown:
        raise TypeError(f"configure() has no option {', '.join(unknown)}; there are {', '.join(sorted(DEFAULTS))}")
    for name, value in options.items():
        if value is None:
            _configured.pop(name, None)
        else:
            _configured[name] = _hold(name, value)


class Secret:
    """Holds a key, or what gives it, where no repr, attribute, pickle or traceback shows it."""

    __slots__ = ("_reveal",)

    def __init__(self, value: ApiKey) -> None:
        self._reveal: Callable[[], ApiKey] = lambda: value

    @classmethod
    def keep(cls, value: ApiKey | Secret) -> Secret:
        """A secret of a value, or the secret that it is already."""
        return value if isinstance(value, cls) else cls(cast(ApiKey, value))

    def reveal(self) -> ApiKey:
        """The key, or what gives it."""
        return self._reveal()

    def is_callable(self) -> bool:
        """Whether it is what gives a key, not a key."""
        return callable(self._reveal())

    def usable(self) -> str:
        """The key as it goes into a header, without white space around it.

        Raises:
            ConfigurationError: it is no str, blank, or has characters that no header can carry.
        """
        problem = _problem(self.reveal())
        if problem:  # raised where no local variable is the key
            raise ConfigurationError(f"the API key {problem}; check api_key or OPENAI_API_KEY")
        return str(self.reveal()).strip()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not pickled; make a new client where it is needed")


def _problem(key: object) -> str | None:
    if not isinstance(key, str):
        return "is not a str"
    if not key.strip():
        return "is blank"
    return None if _visible(key.strip()) else "has a control character or one outside ASCII inside"


class Limits(NamedTuple):
    """How long a call may take and how often it is tried."""

    timeout_sec: float | None
    deadline_sec: float | None
    max_retry_count: int

    def override(
        self, *, timeout_sec: Any = NOT_GIVEN, deadline_sec: Any = NOT_GIVEN, max_retry_count: Any = NOT_GIVEN
    ) -> Limits:
        """These limits with the given ones in their place, checked."""
        return Limits(
            self.timeout_sec if timeout_sec is NOT_GIVEN else seconds("timeout_sec", timeout_sec),
            self.deadline_sec if deadline_sec is NOT_GIVEN else seconds("deadline_sec", deadline_sec),
            self.max_retry_count if max_retry_count is NOT_GIVEN else _retry_count(max_retry_count),
        )


class Settings(NamedTuple):
    """A client's checked settings."""

    secret: Secret
    organization: str | None
    base: str
    auth_type: AuthType
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    max_response_bytes: int
    limits: Limits

    def __repr__(self) -> str:
        return f"Settings(base={self.base!r}, auth_type={self.auth_type!r})"  # headers and query may hold secrets

    @classmethod
    def resolve(cls, given: Mapping[str, Any]) -> Settings:
        """Settings of the arguments that a client was given.

        Raises:
            ConfigurationError, ValueError, TypeError: as `Client` says.
        """
        options = {name: option(name, given.get(name, NOT_GIVEN)) for name in DEFAULTS}
        auth_type = options["auth_type"]
        if auth_type not in ("openai", "azure", "azure_ad"):
            raise ConfigurationError("auth_type is one of 'openai', 'azure' and 'azure_ad'")
        base = options["api_base"]
        if base is None and auth_type != "openai":
            raise ConfigurationError(
                f"auth_type={auth_type!r} needs the address of your own endpoint: give api_base, or set OPENAI_API_BASE"
            )
        address, base_query = _base(OPENAI_BASE if base is None else base)
        size = options["max_response_bytes"]
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError("max_response_bytes is a whole number of bytes, 1 or more")
        return cls(
            secret=_key(options["api_key"]),
            organization=_organization(options["organization"]),
            base=address,
            auth_type=cast(AuthType, auth_type),
            query=(*parse_qsl(base_query, keep_blank_values=True), *_query(options["additional_query"])),
            headers=_headers(options["additional_headers"]),
            max_response_bytes=size,
            limits=Limits(None, None, 0).override(
                timeout_sec=options["timeout_sec"],
                deadline_sec=options["deadline_sec"],
                max_retry_count=options["max_retry_count"],
            ),
        )

    def request_url(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        """The address of one request; `additional_query` takes the place of the client's own."""
        given = {name for name, _ in self.query}
        pairs = [pair for pair in query if pair[0] not in given] if given else list(query)
        pairs += self.query
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        return f"{self.base}{path}?{encoded}" if encoded else f"{self.base}{path}"

    def request_headers(self, key: str) -> list[tuple[str, str]]:
        """The headers of one request; `additional_headers` take the place of the client's own."""
        own = [
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            ("User-Agent", USER_AGENT),
            ("OpenAI-Beta", "assistants=v2"),
            ("api-key", key) if self.auth_type == "azure" else ("Authorization", f"Bearer {key}"),
        ]
        if self.organization is not None and self.auth_type == "openai":
            own.append(("OpenAI-Organization", self.organization))
        if not self.headers:
            return own
        given = {name.lower() for name, _ in self.headers}
        return [header for header in own if header[0].lower() not in given] + list(self.headers)


USER_AGENT = f"openai-thread-runs/{__version__}"


def option(name: str, given: Any) -> Any:
    """The value of an option: the argument, else what `configure` set, else the environment's, else the default.

    None counts as not given, but for the times, for which it means no limit.
    """
    is_given = given is not NOT_GIVEN and not isinstance(given, (_DefaultInt, _DefaultStr))
    if is_given and (given is not None or name in ("timeout_sec", "deadline_sec")):
        return _hold(name, given)
    if name in _configured:
        return _configured[name]
    for variable in ENVIRONMENT.get(name, ()):
        if value := os.environ.get(variable):
            return _hold(name, value)
    return DEFAULTS[name]


def _hold(name: str, value: Any) -> Any:
    return Secret.keep(value) if name == "api_key" else value


def seconds(name: str, value: Any) -> float | None:
    """A time in seconds as given by a caller; None where it is None or 0, which mean no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, 0 or None for no limit, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"{name} is 0 (no limit) or more seconds, not {value}")
    return None if value == 0 or math.isinf(value) else float(value)


def _retry_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_retry_count is a whole number from 0 to 100, not {type(value).__name__}")
    if not 0 <= value <= 100:
        raise ValueError(f"max_retry_count is from 0 to 100, not {value}")
    return value


def _key(secret: Secret | None) -> Secret:
    if secret is None:
        raise ConfigurationError(
            "there is no API key: give api_key, call facade.configure(api_key=...), or set OPENAI_API_KEY"
        )
    if not secret.is_callable():
        secret.usable()
    return secret


def _visible(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _organization(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _visible(value.strip()):
        raise ConfigurationError(
            "the organization is not printable ASCII text; check organization, OPENAI_ORGANIZATION or OPENAI_ORG_ID"
        )
    return value.strip() or None


def _base(value: Any) -> tuple[str, str]:
    """An endpoint's address without its last slash, and its query."""
    problem = None
    try:
        parts = urlsplit(value.strip())
        port_is_usable = parts.port is None or parts.port > 0
    except (AttributeError, ValueError):
        problem = "is not an address"
    else:
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_usable:
            problem = "does not start with http:// or https:// and a host"
        elif parts.username is not None or parts.password is not None:
            problem = "has a user or password in it; give the key as api_key"
        elif parts.fragment or not value.strip().isprintable() or re.search(r"[\s\\]", value.strip()):
            problem = "has a fragment, white space or a backslash in it"
    if problem:
        raise ConfigurationError(
            f"the base address {problem}; check api_base, OPENAI_API_BASE or OPENAI_BASE_URL. "
            "It looks like https://host.example/v1"
        )
    address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    try:
        httpx.URL(address)
    except httpx.InvalidURL:
        raise ConfigurationError("the base address is not one that httpx takes; check api_base") from None
    return address, parts.query


def _query(value: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise TypeError("additional_query is a mapping of names to values")
    return parse_qsl(urlencode(value, doseq=True), keep_blank_values=True)


def _headers(value: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise TypeError("additional_headers is a mapping of names to values")
    for name, text in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ConfigurationError("additional_headers has a name that is no header's name")
        if not isinstance(text, str) or not _visible(text.strip()):
            raise ConfigurationError(f"the value of {name} in additional_headers is not printable ASCII text")
    return tuple((name, text.strip()) for name, text in value.items())
