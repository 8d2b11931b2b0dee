"""The client: what it was told, the connections it owns, and what can be read through it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from functools import cached_property
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Self, Unpack

from facade._async.resources import AsyncAssistants, AsyncMessages, AsyncRuns, AsyncSteps, AsyncThreads
from facade._auth import ApiKey, AuthType
from facade._options import Deferred, LimitOptions, Settings, plain_http_host, takes_options

if TYPE_CHECKING:
    import httpx

    from facade._async.pool import AsyncPool
else:
    httpx = Deferred("httpx")  # `typing.get_type_hints` looks here


class AsyncClient:
    """Reads runs, run steps and what they refer to. A context manager; views and walks share its connections.

    Attributes:
        runs: the runs of threads
        steps: the steps of runs
        messages: the messages of threads
        threads: threads themselves
        assistants: the assistants that runs name
    """

    # Of the class, so that editors, and mocks made to its specification, know them.
    runs = cached_property(lambda self: AsyncRuns(self._pool, self._settings))
    steps = cached_property(lambda self: AsyncSteps(self._pool, self._settings))
    messages = cached_property(lambda self: AsyncMessages(self._pool, self._settings))
    threads = cached_property(lambda self: AsyncThreads(self._pool, self._settings))
    assistants = cached_property(lambda self: AsyncAssistants(self._pool, self._settings))

    @takes_options
    def __init__(
        self,
        api_key: ApiKey | None = None,
        organization: str | None = None,
        api_base: str | None = None,
        *,
        timeout_sec: float | None = 0,
        deadline_sec: float | None = 0,
        max_retry_count: int | None = 0,
        auth_type: AuthType = "openai",
        additional_query: Mapping[str, Any] | None = None,
        additional_headers: Mapping[str, str] | None = None,
        max_response_bytes: int = 64 * 1024 * 1024,
        verify: bool | str | SSLContext = True,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Makes a client; it connects when something is first read.

        Each option left out is what `facade.configure` set, else what the environment says where a variable is named
        here, else the default.

        Args:
            api_key: the key, or a callable that gives one and is asked before each attempt (for `AsyncClient` it may
                be a coroutine function); the variable OPENAI_API_KEY (-ApiKey)
            organization: sent with auth_type "openai", where not blank; OPENAI_ORGANIZATION, OPENAI_ORG_ID
                (-Organization)
            api_base: the endpoint's address, such as https://host.example/v1; OPENAI_API_BASE, OPENAI_BASE_URL; the
                default is https://api.openai.com/v1, which was closed on 2026-08-26 (-ApiBase)
            timeout_sec: seconds that one attempt may take, from connecting to the body's last byte; 0 or None, the
                default: no limit (-TimeoutSec)
            deadline_sec: seconds that a whole call may take, with its attempts, waits and pages; 0 or None, the
                default: no limit. The caller's own time between the objects of a walk does not count
            max_retry_count: further attempts after a 429 or a 5xx answer, 0 to 100; left out or None: 0, and 5 in
                `archive.export` (-MaxRetryCount)
            auth_type: "openai" (the default): `Authorization: Bearer`, and the organization; "azure": the header
                `api-key`; "azure_ad": `Authorization: Bearer`. Both of Azure's need an api_base
            additional_query: added to each request's query, {"api-version": "v1"} for one; wins over the client's own
            additional_headers: added to each request's headers; they win over the client's own and are never logged
            max_response_bytes: the largest answer that is read, after decoding; 64 MiB by default
            verify: True (the default), False, a file of certificates, or an ssl.SSLContext
            proxy: the address of a proxy, as httpx takes it; without one the usual variables count
            transport: an httpx transport in the place of the network; it is not bound by `timeout_sec` beyond what
                it does with httpx's timeouts, and is used as it is after a fork

        Raises:
            ConfigurationError: there is no usable key, or the organization, base address, auth type, proxy or
                certificates are not usable.
            ValueError, TypeError: another option is out of its range, or there is no such option.
        """

    def _start(self, settings: Settings, pool: AsyncPool | None = None) -> Self:
        """Gives it its settings, and connections: somebody else's, which it never closes, or else its own."""
        transport = settings.route.transport
        if transport is not None and not hasattr(transport, "handle_async_request"):
            raise TypeError(
                f"transport is a {type(transport).__name__}, which {type(self).__name__} cannot use: "
                "it needs httpx.AsyncBaseTransport"
            )
        _warn_of_plain_http(settings)
        from facade._async.pool import AsyncPool

        self._owns_pool = pool is None
        self._settings, self._pool = settings, pool or AsyncPool()
        return self

    def with_options(self, **options: Unpack[LimitOptions]) -> Self:
        """A view of this client with other limits, on the same connections; closing it closes nothing.

        Args:
            options: timeout_sec, deadline_sec and max_retry_count, as the client takes them

        Raises:
            ValueError, TypeError: one is out of its range, or there is no such option.
        """
        limits = self._settings.limits.override("with_options", options, self.with_options)
        view = type(self).__new__(type(self))
        return view._start(self._settings._replace(limits=limits), self._pool)

    async def aclose(self) -> None:
        """Closes the connections: what is under way ends with an error. Closing a view leaves them open."""
        if self._owns_pool:
            transport = None if self._pool.is_closed else self._settings.route.transport
            await self._pool.aclose()
            if transport is not None:
                await transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        settings = getattr(self, "_settings", None)  # none yet where a traceback shows a client that could not be made
        shown = f"api_base={settings.base!r}" if settings else ""
        return f"{type(self).__name__}({shown})"


_warned: set[str] = set()


def _warn_of_plain_http(settings: Settings) -> None:
    """Warns once of each host that the key would be sent to in the clear, at the caller's line."""
    host = plain_http_host(settings)
    if host is not None and host not in _warned:
        _warned.add(host)
        warnings.warn(
            f"the key is sent to {host} unencrypted; use https://", UserWarning, stacklevel=outside_stacklevel()
        )


def outside_stacklevel() -> int:
    """The `stacklevel` with which the caller of this function warns at the line that called this package."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "facade":
        frame, level = frame.f_back, level + 1
    return level
