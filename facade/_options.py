"""What a client was told: arguments, then `configure`, then the environment, then defaults; checked once, here."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import NoneType
from typing import Any, NamedTuple, TypedDict, TypeVar, cast, get_args
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from facade._auth import Auth, AuthType, Secret, is_visible
from facade._route import Route, check_proxy, check_transport, check_verify, find_proxy, split_address
from facade.errors import ConfigurationError

OPENAI_HOST = "api.openai.com"
CLOSED = "OpenAI closed this endpoint on 2026-08-26; name another with api_base or OPENAI_API_BASE"
OPENAI_BASE = f"https://{OPENAI_HOST}/v1"


class LimitOptions(TypedDict, total=False):
    """The options that every method takes for that call alone; left out, they are the client's.

    timeout_sec: seconds that one attempt may take, from connecting to the body's last byte; 0 or None: no limit.
    deadline_sec: seconds that the whole call may take, with attempts, waits and pages; 0 or None: no limit.
    max_retry_count: further attempts after a 429 or a 5xx answer, 0 to 100; None: 0, and 5 in `archive.export`.
    """

    timeout_sec: float | None
    deadline_sec: float | None
    max_retry_count: int | None


class Limits(NamedTuple):
    """How long a call may take and how often it is tried; a `max_retry_count` of None is a 0 that nobody gave."""

    timeout_sec: float | None
    deadline_sec: float | None
    max_retry_count: int | None

    def override(self, method: str, options: Mapping[str, Any], function: Callable[..., Any]) -> Limits:
        """These limits with the given ones in their place.

        Args:
            method: what was called, for the error
            options: the options that the call was given
            function: the method itself: an error says what else it takes

        Raises:
            TypeError: there is no such option.
            ValueError, TypeError: one is out of its range.
        """
        if not LimitOptions.__annotations__.keys() >= options.keys():
            refuse_unknown(method, options, {*LimitOptions.__annotations__, *parameters(function)})
        return self._replace(**{name: _checked(name, value) for name, value in options.items()})


def _checked(name: str, value: Any) -> Any:
    """An option's checked value; an error says, in its `parameter`, which option it is about."""
    try:
        return OPTIONS[name].check(name, value)
    except (ValueError, TypeError) as error:
        error.parameter = name  # type: ignore[union-attr]
        raise


def number_check(what: str, lowest: float, highest: float, *kinds: type) -> Callable[[str, Any], Any]:
    """A check of a number, by the name that it is given under.

    Args:
        what: what it must be, for the error
        lowest, highest: both are in its range, NaN is in none
        kinds: int, float; NoneType where None, which is not compared, will do as well
    """

    def check(name: str, value: Any) -> Any:
        kind = type(value)
        if kind is bool or not issubclass(kind, kinds):
            raise TypeError(f"{name} is {what}, not {kind.__name__}")
        if value is not None and not lowest <= value <= highest:
            raise ValueError(f"{name} is {what}, not {value}")
        return value

    return check


def _whole(lowest: int, highest: int, *other_kinds: type) -> Callable[[str, Any], Any]:
    return number_check(f"a whole number from {lowest} to {highest}", lowest, highest, int, *other_kinds)


check_limit = _whole(1, 100)
check_concurrency = _whole(1, 64)
check_turns = _whole(0, 1_000_000)
check_count = number_check("a whole number, 1 or more", 1, math.inf, int)

MAX_SEC = 1e9
"""A longer limit than a lifetime is none; clocks and sockets cannot count so far."""
_check_sec = number_check("a number of seconds from 0 up (0 or None: no limit)", 0, math.inf, int, float, NoneType)


def _seconds(name: str, value: Any) -> float | None:
    """A time in seconds as given by a caller; None where it is None, 0 or endless, which mean no limit."""
    sec = _check_sec(name, value)
    return float(sec) if sec and sec <= MAX_SEC else None


_OTHER_WORDS = {
    "timeout_sec": ("timeout",),
    "max_retry_count": ("max_retries", "retries"),
    "api_base": ("base_url", "azure_endpoint"),
    'additional_query={"api-version": …}': ("api_version",),
    "additional_headers": ("default_headers", "extra_headers"),
    "additional_query": ("default_query", "extra_query"),
    "additional_body": ("extra_body",),
    "transport": ("http_client",),
    "limit": ("page_size", "max_items"),
    "poll_sec": ("poll_interval_ms",),
}
"""What other libraries call these options."""


def parameters(function: Callable[..., Any]) -> list[str]:
    """What a function, or bound method, can be given by name."""
    signature = inspect.signature(function)
    return [name for name, each in signature.parameters.items() if each.kind is not each.VAR_KEYWORD]


def refuse_unknown(method: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises for the first option that a method does not have.

    Args:
        method: what was called
        given: the options that it was given
        known: the options that there are
    """
    for name in given:
        if name in known:
            continue
        meant = next((own for own, others in _OTHER_WORDS.items() if name in others), name)
        if meant == "limit" and method.endswith(".all"):
            advice = "it walks over every page, so there is none; use list(limit=...) or stop the loop"
        elif meant in known or not meant.isidentifier():
            advice = f"did you mean {meant}?"
        elif meant in OPTIONS:
            advice = f"{meant} is an option of the client"
        elif close := difflib.get_close_matches(name, known, 1):
            advice = f"did you mean {close[0]}?"
        else:
            advice = f"there are {', '.join(sorted(known))}"
        raise TypeError(f"{method}() has no option {name!r}; {advice}")


def _key(name: str, secret: Secret) -> Secret:
    if not callable(secret.reveal()):
        secret.usable()
    return secret


def _organization(name: str, value: Any) -> str:
    if not isinstance(value, str) or not is_visible(value.strip()):
        raise ConfigurationError(
            "the organization is not printable ASCII text; check organization, OPENAI_ORGANIZATION or OPENAI_ORG_ID"
        )
    return value.strip()


def _base(name: str, value: Any) -> str:
    """An endpoint's address, as it was given, once it is known to be usable."""
    text = value.strip() if isinstance(value, str) else ""
    parts = split_address(text, ("http", "https"))
    if isinstance(parts, str):
        problem = parts
    elif "@" in parts.netloc:
        problem = "has a user or password in it; give the key as api_key"
    elif parts.fragment or not text.isprintable() or re.search(r"[\s\\]", text):
        problem = "has a fragment, white space or a backslash in it"
    else:
        return text
    raise ConfigurationError(
        f"the base address {problem}; check api_base, OPENAI_API_BASE or OPENAI_BASE_URL. "
        "It looks like https://host.example/v1"
    )


def _auth_type(name: str, value: Any) -> Any:
    if value not in get_args(AuthType):
        raise ConfigurationError(f"auth_type is 'openai', 'azure' or 'azure_ad', not {value!r}")
    return value


def _query(name: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping):
        raise TypeError("additional_query is a mapping of names to values")
    return parse_qsl(urlencode(value, doseq=True), keep_blank_values=True)


def _headers(name: str, given: Secret) -> Secret:
    if not isinstance(given.reveal(), Mapping):  # never in a local variable, which a traceback would show
        raise TypeError("additional_headers is a mapping of names to values")
    if not all(isinstance(header, str) and _HEADER_NAME.fullmatch(header) for header in given.reveal()):
        raise ConfigurationError("additional_headers has a name that is no header's name")
    for header in given.reveal():
        if not isinstance(given.reveal()[header], str) or not is_visible(given.reveal()[header].strip()):
            raise ConfigurationError(f"the value of {header} in additional_headers is not printable ASCII text")
    return Secret([(header, text.strip()) for header, text in given.reveal().items()])


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Option(NamedTuple):
    """One option of a client.

    Attributes:
        check: makes what the client needs of a value, or raises; of a secret it is given a `Secret`
        variables: of the environment, which give one
        default: what it is where nobody gives it; None for nothing
        is_secret: whether no traceback may show its value
    """

    check: Callable[[str, Any], Any]
    variables: tuple[str, ...] = ()
    default: Any = None
    is_secret: bool = False


OPTIONS = {
    "api_key": Option(_key, ("OPENAI_API_KEY",), is_secret=True),
    "organization": Option(_organization, ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID")),
    "api_base": Option(_base, ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "timeout_sec": Option(_seconds),
    "deadline_sec": Option(_seconds),
    "max_retry_count": Option(_whole(0, 100, NoneType)),
    "auth_type": Option(_auth_type, default="openai"),
    "additional_query": Option(_query),
    "additional_headers": Option(_headers, is_secret=True),
    "max_response_bytes": Option(check_count, default=64 * 1024 * 1024),
    "verify": Option(check_verify, default=True),
    "proxy": Option(check_proxy, is_secret=True),
    "transport": Option(check_transport),
}


def take_in(method: str, options: Any, known: Iterable[str] = OPTIONS) -> None:
    """Hides the values of options that are secret, or may be; then refuses as `refuse_unknown` does.

    Args:
        method, known: as of `refuse_unknown`
        options: what the method was given, in a dict that its own frame holds too
    """
    secret = [name for name in options if name not in OPTIONS or OPTIONS[name].is_secret]
    options.update({name: Secret(options[name]) for name in secret if options[name] is not None})
    refuse_unknown(method, options, known)


class Deferred:
    """A module that is imported once one of its names is asked for: for types, which hardly anybody asks for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


_Init = TypeVar("_Init", bound=Callable[..., None])


def takes_options(described: _Init) -> _Init:
    """The `__init__` that a signature and its docstring describe: it starts a client with the options it is given.

    So nobody who did not give an option is taken for having given its default, which would win over `configure`; and
    where there is no such option, the error says what may be meant.
    """

    @functools.wraps(described)
    def init(self: Any, api_key: Any = None, organization: Any = None, api_base: Any = None, **options: Any) -> None:
        options.update(api_key=api_key, organization=organization, api_base=api_base)
        del api_key  # from here on no traceback shows it
        take_in(type(self).__name__, options)
        self._start(Settings.resolve(options))

    return cast(_Init, init)


_configured: dict[str, Any] = {}


def configure(**options: Any) -> None:
    """Sets process-wide defaults for clients made from now on, as `$global:OPENAI_API_KEY` does for the cmdlets.

    Args:
        options: any option of `Client` by its name. An argument given to a client wins over them, they win over the
            environment. None clears one.

    Raises:
        TypeError: there is no such option.
        ConfigurationError, ValueError, TypeError: one is out of its range; then none is set.
    """
    take_in("facade.configure", options)
    _configured.update({name: None if value is None else _checked(name, value) for name, value in options.items()})


def option(name: str, given: Mapping[str, Any]) -> Any:
    """An option's checked value: the argument, else what `configure` set, else the environment's, else the default.

    None counts as not given, but for the times, for which it means no limit.
    """
    check, variables, default, is_secret = OPTIONS[name]
    value = given.get(name)
    if value is not None or (name in given and check is _seconds):
        return _checked(name, value)
    if _configured.get(name) is not None:
        return _configured[name]
    for variable in variables:
        if os.environ.get(variable):
            return _checked(name, Secret(os.environ[variable]) if is_secret else os.environ[variable])
    return None if default is None else check(name, default)


class Settings(NamedTuple):
    """A client's checked settings."""

    auth: Auth
    route: Route
    base: str
    prefix: str
    query: tuple[tuple[str, str], ...]
    max_response_bytes: int
    limits: Limits

    def __repr__(self) -> str:
        return f"Settings(base={self.base!r})"  # the query may hold secrets

    @classmethod
    def resolve(cls, given: Mapping[str, Any]) -> Settings:
        """Settings of the arguments that a client was given.

        Raises:
            ConfigurationError: there is no usable key, or the organization, address, proxy or certificates are not.
            ValueError, TypeError: another option is out of its range.
        """
        secret = option("api_key", given)
        if secret is None:
            raise ConfigurationError(
                "there is no API key: give api_key, call facade.configure(api_key=...), or set OPENAI_API_KEY"
            )
        auth_type, base = option("auth_type", given), option("api_base", given)
        if auth_type != "openai" and base is None:
            raise ConfigurationError(
                f"auth_type={auth_type!r} needs api_base, such as https://<service>.services.ai.azure.com/"
                "api/projects/<project>; or set OPENAI_API_BASE"
            )
        parts = urlsplit(base or OPENAI_BASE)
        host = (parts.hostname or "").encode("idna")
        name = f"[{host.decode()}]" if b":" in host else host.decode()
        authority = name if parts.port is None else f"{name}:{parts.port}"
        prefix = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        transport = option("transport", given)
        proxy = None if transport is not None else find_proxy(option("proxy", given), parts.scheme, authority)
        password = Secret("") if proxy is None else proxy.password()
        organization, headers = option("organization", given), option("additional_headers", given) or Secret([])
        return cls(
            auth=Auth(secret, auth_type, authority, organization, headers, password).settled(),
            route=Route(parts.scheme.encode(), host, parts.port, option("verify", given), proxy, transport),
            base=f"{parts.scheme}://{parts.netloc}{prefix}",
            prefix=prefix,
            query=(*parse_qsl(parts.query, keep_blank_values=True), *(option("additional_query", given) or ())),
            max_response_bytes=option("max_response_bytes", given),
            limits=Limits(*(option(name, given) for name in Limits._fields)),
        )

    def target(self, path: str, query: Iterable[tuple[str, str]]) -> bytes:
        """What stands behind the host in a request's address; `additional_query` wins over what the client asks."""
        pairs = list(query)
        if self.query:
            given = {name for name, _ in self.query}
            pairs = [pair for pair in pairs if pair[0] not in given] + list(self.query)
        encoded = urlencode(pairs, quote_via=quote, safe="")
        return f"{self.prefix}{path}{'?' if encoded else ''}{encoded}".encode("ascii")


def plain_http_host(settings: Settings) -> str | None:
    """The host that the key is sent to in the clear; None where it is encrypted or stays on this machine."""
    host = settings.route.host.decode()
    is_here: bool = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    return host if settings.route.scheme == b"http" and not is_here else None
