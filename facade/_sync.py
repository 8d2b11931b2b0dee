"""The sync side's I/O: attempts over httpx, the walk over pages, and several walks at once in threads."""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast
from weakref import WeakSet

import httpx

from facade._answers import Page
from facade._exchange import Attempt, Budget, Call, Pause, Reply, exchange
from facade._http import (
    TRANSPORT_ERRORS,
    Answer,
    HttpOptions,
    Lending,
    concealer,
    concealing,
    connection_error,
    deadline_error,
    make_request,
    make_url,
    set_limit,
    timeout_error,
)
from facade._paging import Progress, Source
from facade._settings import Limits, Secret, Settings
from facade.errors import APIError, ConfigurationError

if TYPE_CHECKING:
    from facade._network import Interrupt

T = TypeVar("T")


_all_connections: WeakSet[Connections] = WeakSet()


def _after_fork() -> None:
    for connections in _all_connections:
        connections.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Connections:
    """Owns the httpx clients: built when needed, and anew in a forked child, where the parent's must not be used.

    They share a TLS context and hold no key, so that several of this package's clients can share them.
    """

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self.is_closed = False
        self.forget()
        _all_connections.add(self)

    def forget(self) -> None:
        """Leaves the connections to the parent, in a child that was just forked; the lock may have been held."""
        self._lending = Lending[httpx.Client](self._options.transport is not None)
        self._lock = threading.Lock()

    def _lend(self) -> httpx.Client:
        """An httpx client for one request.

        Raises:
            RuntimeError: these connections were closed.
        """
        with self._lock:
            if self.is_closed:
                raise RuntimeError("this client is closed; make a new one")
            return self._lending.lend(self._make)

    def _make(self) -> httpx.Client:
        from facade._network import install  # imports httpcore, which takes as long as all of this package

        self._options = self._options.with_context()
        client = httpx.Client(**self._options.arguments())
        install(client)
        return client

    def _take_back(self, client: httpx.Client) -> None:
        with self._lock:
            unwanted = self._lending.take_back(client)
        for each in unwanted:
            each.close()

    def close(self) -> None:
        """Closes all connections; what is asked afterwards is refused."""
        with self._lock:
            self.is_closed = True
            clients = self._lending.give_up()
        for client in clients:
            client.close()

    def run(
        self, call: Call[T], settings: Settings, limits: Limits, budget: Budget, interrupt: Interrupt | None = None
    ) -> T:
        """Drives one exchange to its end.

        Args:
            call: what to ask
            settings: of the client that asks
            limits: of this call
            budget: the time left of the whole call
            interrupt: breaks it off from another thread

        Raises:
            APIError: no good answer came.
        """
        steps = exchange(call, limits, budget, base=settings.base)
        step = next(steps)
        try:
            while True:
                if isinstance(step, Pause):
                    (interrupt.wait if interrupt else time.sleep)(step.sec)
                    step = next(steps)
                    continue
                reply = self._attempt(call, settings, step, interrupt)
                step = steps.throw(reply) if isinstance(reply, APIError) else steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _attempt(
        self, call: Call[Any], settings: Settings, attempt: Attempt, interrupt: Interrupt | None
    ) -> Reply | APIError:
        """Sends one request and reads its answer; an error is returned, so that it keeps nothing of what led to it."""
        from facade._network import TimeLimit

        url = make_url(settings, call)
        request, conceal = _request(call, settings, url)
        http = self._lend()
        is_own = self._options.transport is None  # a caller's transport may not take a limit without end
        set_limit(request, TimeLimit.starting_now(attempt.limit_sec, interrupt) if is_own else attempt.limit_sec)
        token = concealing.set(conceal)
        answer = None
        try:
            # What httpx does above its transports, redirects, cookies and a log of its own, is not wanted here.
            response = http._transport_for_url(request.url).handle_request(request)
            try:
                answer = Answer(response, settings, conceal)
                assert isinstance(response.stream, httpx.SyncByteStream)
                for chunk in response.stream:
                    if not answer.feed(chunk):
                        break
                if interrupt is not None:
                    interrupt.watch(None)
            finally:
                response.close()
                if self.is_closed and (stream := response.extensions.get("network_stream")):
                    stream.close()  # it was connecting when the pool was closed, which would keep it open
            return answer.reply()
        except httpx.TimeoutException:
            return timeout_error(call, attempt)
        except TRANSPORT_ERRORS as error:
            if answer is not None and not answer.is_good:
                return answer.reply()
            return connection_error(call, settings.base, error, conceal)
        except APIError as error:
            return error.with_traceback(None)
        finally:
            concealing.reset(token)
            self._take_back(http)


def _request(call: Call[Any], settings: Settings, url: httpx.URL) -> tuple[httpx.Request, Callable[[str], str]]:
    """The request of an attempt, with the key of now; only this frame ever holds the key in the clear."""
    secret = settings.secret
    if secret.is_callable():
        given: Any = cast(Callable[[], Any], secret.reveal())()
        if inspect.iscoroutine(given):
            given.close()
            raise ConfigurationError("the callable given as api_key is a coroutine function; use facade.AsyncClient")
        secret = Secret.keep(given)
        del given
    key = secret.usable()
    return make_request(settings, call, url, key), concealer(key)


class _Alone(Generic[T]):
    """Reads one list in the caller's own thread."""

    def __init__(self, source: Source[T], fetch: Callable[[Source[T], Interrupt | None], Page[T]]) -> None:
        self._source = source
        self._fetch = fetch

    def turn(self, budget: Budget) -> list[T] | None:
        """The next page's objects; None at the end. The budget runs while they are waited for."""
        if self._source.done:
            return None
        try:
            with budget:
                return self._source.take(self._fetch(self._source, None))
        except APIError as error:
            self._source.locate(error)
            raise

    def close(self, wait: bool) -> None:
        """Ends the reading; there is nothing on its way."""
        self._source.done = True


class _Fetch(threading.Thread, Generic[T]):
    """Fetches one page in a thread that keeps no process from ending."""

    def __init__(self, source: Source[T], fetch: Callable[[Source[T], Interrupt | None], Page[T]]) -> None:
        super().__init__(name="facade-fetch", daemon=True)
        from facade._network import Interrupt

        self._interrupt = Interrupt()
        self._source = source
        self._work = fetch
        self._page: Page[T] | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._page = self._work(self._source, self._interrupt)
        except BaseException as error:
            self._error = error

    def result(self, budget: Budget) -> Page[T]:
        left = budget.remaining_sec()
        self.join(None if left > threading.TIMEOUT_MAX else max(left, 0.0))
        if self.is_alive():
            raise deadline_error(budget)
        if self._error is not None:
            raise self._error
        assert self._page is not None
        return self._page

    def stop(self) -> None:
        """Breaks off what it does; a thread that is still connecting, which nothing can break off, is left behind."""
        self._interrupt.set()


STOP_SEC = 1.0
"""How long a walk waits, at its end, for the threads that it has stopped."""


class _Abreast(Generic[T]):
    """Reads several lists at once and gives them in order: a page of each is fetched ahead, in a thread."""

    def __init__(
        self,
        sources: Iterator[Source[T]],
        concurrency: int,
        fetch: Callable[[Source[T], Interrupt | None], Page[T]],
    ) -> None:
        self._sources: Iterator[Source[T]] = sources
        self._concurrency = concurrency
        self._fetch = fetch
        self._ahead: deque[tuple[Source[T], _Fetch[T]]] = deque()
        self._failure: BaseException | None = None

    def _fill(self) -> None:
        """Begins to read as many lists as may be.

        Where the first is there to hand over, and what comes next is not at hand, as a generator's may not be, it
        looks for one more only: that may take a while.
        """
        while self._failure is None and len(self._ahead) < self._concurrency:
            may_stop = not length_hint(self._sources, 0) and self._ahead and not self._ahead[0][1].is_alive()
            try:
                source = next(self._sources)
            except Exception as error:  # the end; or bad input, which waits its turn behind what was begun
                self._failure = error
            else:
                self._ahead.append((source, _Fetch(source, self._fetch)))
            if may_stop:
                break

    def turn(self, budget: Budget) -> list[T] | None:
        """As `_Alone.turn`."""
        self._fill()
        if not self._ahead:
            assert self._failure is not None
            if isinstance(self._failure, StopIteration):
                return None
            raise self._failure
        source, fetch = self._ahead[0]
        try:
            with budget:
                items = source.take(fetch.result(budget))
        except APIError as error:
            source.locate(error)
            raise
        self._ahead.popleft()
        if not source.done:
            self._ahead.appendleft((source, _Fetch(source, self._fetch)))
        return items

    def close(self, wait: bool) -> None:
        """Stops what is on its way; `wait`s, for a moment, until it has stopped."""
        self._failure = self._failure or StopIteration()
        for _, fetch in self._ahead:
            fetch.stop()
        end = time.monotonic() + (STOP_SEC if wait else 0.0)
        for _, fetch in self._ahead:
            fetch.join(max(0.0, end - time.monotonic()))
        self._ahead.clear()


class Walk(Progress[T], Iterator[T]):
    """Iterates over the objects of every page, one page after the other, as they are needed.

    A context manager: leaving it, `close()` and the end stop what is still on its way. Nothing is read before the
    first object is asked for.
    """

    def __init__(self, reader: _Alone[T] | _Abreast[T], budget: Budget, after: str | None) -> None:
        super().__init__(budget, after)
        self._reader: _Alone[T] | _Abreast[T] | None = reader

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._page:
            self._last = item
            return item
        return self._turn()

    def _turn(self) -> T:
        try:
            while self._reader is not None and (items := self._reader.turn(self._budget)) is not None:
                if (item := self._begin_page(items)) is not None:
                    return item
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the walk: stops what is on its way, and waits, a second at most, until it has stopped."""
        self._end(wait=True)

    def _end(self, wait: bool) -> None:
        reader, self._reader = self._reader, None
        self._page = iter(())
        if reader is not None:
            reader.close(wait)
            self._tally.warn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_reader", None) is not None:
            self._end(wait=not sys.is_finalizing())


def walk(
    connections: Connections,
    settings: Settings,
    limits: Limits,
    sources: Source[T] | Iterable[Source[T]],
    concurrency: int,
) -> Walk[T]:
    """A walk over one list, or over several at once."""
    budget = Budget(limits.deadline_sec)

    def fetch(source: Source[T], interrupt: Interrupt | None) -> Page[T]:
        return connections.run(source.next_call(), settings, limits, budget, interrupt)

    if isinstance(sources, Source):
        return Walk(_Alone(sources, fetch), budget, sources.resume)
    return Walk(_Abreast(iter(sources), concurrency, fetch), budget, None)
