"""The clients: what they were told, the connections they own, and what can be read through them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack, cast

from facade._http import HttpOptions, warn_of_plain_http
from facade._settings import DEFAULTS, NOT_GIVEN, ApiKey, AuthType, Limits, Secret, Settings, option
from facade._sync import Connections
from facade.resources import AsyncRuns, AsyncSteps, CallOptions, Runs, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

    import httpx

    from facade._async import AsyncConnections

C = TypeVar("C", "Connections", "AsyncConnections")


class _Client(Generic[C]):
    _settings: Settings
    _connections: C
    _owns_connections: bool

    def __init__(
        self,
        api_key: ApiKey | None = None,
        organization: str | None = None,
        api_base: str | None = None,
        *,
        timeout_sec: float | None = DEFAULTS["timeout_sec"],
        deadline_sec: float | None = DEFAULTS["deadline_sec"],
        max_retry_count: int = DEFAULTS["max_retry_count"],
        auth_type: AuthType = DEFAULTS["auth_type"],
        additional_query: Mapping[str, Any] | None = None,
        additional_headers: Mapping[str, str] | None = None,
        max_response_bytes: int = DEFAULTS["max_response_bytes"],
        verify: bool | str | SSLContext = NOT_GIVEN,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
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
            max_retry_count: further attempts after a 429 or a 5xx answer, 0 to 100; 0 is the default
                (-MaxRetryCount)
            auth_type: "openai" (the default): `Authorization: Bearer`, and the organization; "azure": the header
                `api-key`; "azure_ad": `Authorization: Bearer`. Both of Azure's need an api_base
            additional_query: added to each request's query, {"api-version": "v1"} for one; wins over the client's own
            additional_headers: added to each request's headers; they win over the client's own and are never logged
            max_response_bytes: the largest answer that is read, after decoding; 64 MiB by default
            verify: True (the default), False, or an ssl.SSLContext, as httpx takes it
            proxy: the address of a proxy, as httpx takes it; without one the usual variables count
            transport: an httpx transport in the place of the network; it is not bound by `timeout_sec` beyond what
                it does with httpx's timeouts, and is used as it is after a fork

        Raises:
            ConfigurationError: there is no usable key, or the organization, base address or auth type is not usable.
            ValueError, TypeError: another option is out of its range.
        """
        api_key = None if api_key is None else cast(Any, Secret.keep(api_key))  # from here on no traceback shows it
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self._start(given, None, stacklevel=4)

    def _start(self, given: dict[str, Any], connections: C | None, stacklevel: int) -> None:
        self._settings = Settings.resolve(given)
        warn_of_plain_http(self._settings, stacklevel)
        self._owns_connections = connections is None
        if connections is None:
            connections = self._connect(
                HttpOptions(*(option(name, given.get(name, NOT_GIVEN)) for name in HttpOptions._fields))
            )
        self._connections = connections

    @classmethod
    def _connect(cls, options: HttpOptions) -> C:
        raise NotImplementedError

    @classmethod
    def _sharing(cls, connections: C, given: dict[str, Any]) -> Self:
        """A client that uses somebody else's connections and closes none."""
        self = cls.__new__(cls)
        self._start(given, connections, stacklevel=6)  # for the caller of a cmdlet function
        return self

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """A view of this client with other limits, on the same connections; closing it closes nothing.

        Args:
            options: timeout_sec, deadline_sec and max_retry_count, as the client takes them

        Raises:
            ValueError, TypeError: one is out of its range.
        """
        limits: Limits = self._settings.limits.override(**options)
        view = self.__class__.__new__(self.__class__)
        view._settings = self._settings._replace(limits=limits)
        view._connections = self._connections
        view._owns_connections = False
        return view

    def __repr__(self) -> str:
        settings = getattr(self, "_settings", None)  # none yet where a traceback shows a client that could not be made
        shown = f"api_base={settings.base!r}, auth_type={settings.auth_type!r}" if settings else ""
        return f"{type(self).__name__}({shown})"


class Client(_Client["Connections"]):
    """Reads runs and run steps. A context manager; may be used by several threads at once, and in forked children.

    Attributes:
        runs: the runs of threads (`Runs`)
        steps: the steps of runs (`Steps`)
    """

    @classmethod
    def _connect(cls, options: HttpOptions) -> Connections:
        return Connections(options)

    @property
    def runs(self) -> Runs:
        """The runs of threads."""
        return Runs(self._connections, self._settings)

    @property
    def steps(self) -> Steps:
        """The steps of runs."""
        return Steps(self._connections, self._settings)

    def close(self) -> None:
        """Closes the connections; a view's `close` leaves them open."""
        if self._owns_connections:
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Client["AsyncConnections"]):
    """As `Client`, for asyncio: `get`, `list` and `refresh` are awaited, `all` gives an `AsyncWalk`.

    Attributes:
        runs: the runs of threads (`AsyncRuns`)
        steps: the steps of runs (`AsyncSteps`)
    """

    @classmethod
    def _connect(cls, options: HttpOptions) -> AsyncConnections:
        from facade._async import AsyncConnections  # imports asyncio, which a sync program does without

        return AsyncConnections(options)

    @property
    def runs(self) -> AsyncRuns:
        """The runs of threads."""
        return AsyncRuns(self._connections, self._settings)

    @property
    def steps(self) -> AsyncSteps:
        """The steps of runs."""
        return AsyncSteps(self._connections, self._settings)

    async def aclose(self) -> None:
        """Closes the connections; a view's `aclose` leaves them open."""
        if self._owns_connections:
            await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
