"""Asks a server for what a plan needs, many things at once, in an event loop."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from facade._async.pool import AsyncPool
from facade._exchange import NO_DEADLINE, Ask, Call, Reply, outcome, retry_wait_sec
from facade._network_async import AsyncCancelToken, AsyncWire
from facade._options import Settings
from facade.archive._files import FilesPlan
from facade.archive._plan import Plan
from facade.archive._rate import Outcome, Rate
from facade.archive._readings import Change, Put, Reading
from facade.archive._resume import StoredThread, stored_steps
from facade.archive._store import ListState, Store
from facade.archive._writer import Writer
from facade.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
)

SILENCE_SEC = 20.0
"""After so long without one whole answer an export ends, unless bytes of one are coming."""

STALL_SEC = 15.0
"""An attempt that has no limit of its own is given up when nothing came for so long."""

_TICK_SEC = 0.25
_MOST_WAITING = 3000
"""So many changes may wait to be written before nothing more is asked for."""

_THREADS_AT_ONCE = 50

Find = Callable[[Store, str], StoredThread]


@dataclass
class Tally:
    """What was sent, how much came, how many objects that were, and how many of them new threads and assistants."""

    requests: int = 0
    bytes: int = 0
    read: int = 0
    threads: int = 0
    assistants: int = 0


class Reader:
    """Reads what a plan needs from a server, and hands it to a writer.

    Args:
        settings: of the client; nothing in them blocks
        plan, rate: what is asked for, and how fast
        tally: counts what is done
        thread_ids: the threads to begin
        max_retry_count: how many further attempts each request gets
        find: says what the archive has of a thread; None where it has nothing at all
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan | FilesPlan,
        rate: Rate,
        tally: Tally,
        thread_ids: Collection[str],
        max_retry_count: int,
        find: Find | None,
    ) -> None:
        self._tally = tally
        self._settings = settings
        self._limits = settings.limits._replace(deadline_sec=None, max_retry_count=0)
        self._plan = plan
        self._rate = rate
        self._thread_ids = iter(thread_ids)
        self._known_threads = len(thread_ids)
        self._begun: set[str] = set()
        self._max_retry_count = max_retry_count
        self._find = find
        self._pool = AsyncPool()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._retries: list[tuple[float, int, Reading]] = []
        self._due: deque[Reading] = deque()
        self._watches: set[_Watch] = set()
        self._began_at = time.monotonic()
        self._heard_at = -math.inf
        self._last_error: APIError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer: Writer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Future[None]

    async def run(self, writer: Writer) -> None:
        """Read everything.

        Raises:
            APIConnectionError: nothing answers any more.
            APITimeoutError: the client's `deadline_sec` has passed.
            AuthenticationError: the key is refused.
            Exception: what the writer, or a function of the caller's, has raised.
        """
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        ticking = self._loop.create_task(self._tick())
        try:
            self._pump()
            await self._over
        finally:
            for task in (ticking, *self._tasks):
                task.cancel()
            await asyncio.gather(ticking, *self._tasks, return_exceptions=True)
            await self._pool.aclose()

    def expected(self) -> int:
        """About how many objects and lists are to be read, threads included that have not begun yet."""
        plan, ahead = self._plan, self._known_threads - len(self._begun)
        return plan.known + (max(0, ahead) * plan.done // plan.ended if plan.ended else 0)

    def stop(self) -> None:
        """End now, from any thread: what has been handed to the writer is all there is."""
        self._from_outside(lambda: self._end(asyncio.CancelledError()))

    def written(self) -> None:
        """The writer has written something, or failed; called in its thread."""
        self._from_outside(self._pump)

    def _from_outside(self, work: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:  # it was closed at this moment
                pass

    def _end(self, error: BaseException | None = None) -> None:
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        elif isinstance(error, asyncio.CancelledError):
            self._over.cancel()
        else:
            self._over.set_exception(error)

    # What goes out when

    def _pump(self) -> None:
        """Send all that may go out now, and see when to look again."""
        if self._over.done():
            return
        if self._writer.error is not None:
            self._end(self._writer.error)
            return
        now = time.monotonic()
        while self._retries and self._retries[0][0] <= now:
            self._due.append(heapq.heappop(self._retries)[2])
        wait_sec = math.inf
        if self._writer.waiting <= _MOST_WAITING:
            self._begin_threads()
            while (wait_sec := self._rate.wait_sec(now)) <= 0 and (reading := self._next()) is not None:
                self._rate.begin(now)
                self._spawn(self._ask(reading))
        if not (self._busy or self._retries or self._due) and self._plan.has_ended and not self._plan.listed:
            self._end()
            return
        if self._retries:
            wait_sec = min(wait_sec or math.inf, self._retries[0][0] - now)
        self._look_again(wait_sec)

    def _look_again(self, wait_sec: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if 0 < wait_sec < math.inf:
            self._timer = asyncio.get_running_loop().call_later(wait_sec, self._pump)

    def _next(self) -> Reading | None:
        return self._due.popleft() if self._due else self._plan.take()

    def _spawn(self, work: Any) -> None:
        self._busy += 1
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            self._end(error)
        finally:
            self._busy -= 1
        self._pump()

    def _begin_threads(self) -> None:
        while self._plan.wants_threads:
            new = (thread for thread in self._threads() if thread.thread_id not in self._begun)
            threads = list(islice(new, _THREADS_AT_ONCE))
            if not threads:
                return
            self._begun.update(thread.thread_id for thread in threads)
            if self._find is None:
                self._begin(threads)
            else:
                self._spawn(self._look_up(self._find, threads))
                return

    def _threads(self) -> Iterable[StoredThread]:
        """The threads to begin, as far as is known of them without looking them up."""
        for thread_id in self._thread_ids:
            yield StoredThread(thread_id)
        while self._plan.listed:
            yield StoredThread(self._plan.listed.popleft(), "complete")

    async def _look_up(self, find: Find, threads: list[StoredThread]) -> None:
        asked = self._writer.ask(lambda store: [find(store, thread.thread_id) for thread in threads])
        self._begin(await asyncio.wrap_future(asked))

    def _begin(self, threads: list[StoredThread]) -> None:
        assert isinstance(self._plan, Plan)
        for thread in threads:
            self._keep(self._plan.begin(thread))

    def _keep(self, changes: list[Change]) -> None:
        if changes:
            self._writer.write(changes)

    # One request

    async def _ask(self, reading: Reading) -> None:
        reading.attempts += 1
        self._tally.requests += 1
        began_at = time.monotonic()
        answer = await self._send(reading.call)
        now = time.monotonic()
        result = self._read(reading.call, answer, now)
        if not isinstance(result, APIError):
            self._rate.end(now, began_at, reading.kind, Outcome.GOOD)
            await self._took(reading, result)
            return
        wait_sec, outcome = self._judge(reading, result, answer, now)
        self._rate.end(now, began_at, reading.kind, outcome)
        reading.call.about(result)
        result.attempts = reading.attempts
        self._last_error = result
        if isinstance(result, AuthenticationError):
            self._end(result)
        elif wait_sec is not None and reading.attempts <= self._max_retry_count:
            heapq.heappush(self._retries, (now + wait_sec, self._tally.requests, reading))
        else:
            self._keep(self._plan.failed(reading, result))

    async def _send(self, call: Call[Any]) -> Reply | APIError:
        """One attempt, given up when nothing comes any more."""
        stall_sec = STALL_SEC if self._limits.timeout_sec is None else None
        watch: _Watch | None = None
        try:
            async with asyncio.timeout(stall_sec) as limit:
                watch = _Watch(limit)
                self._watches.add(watch)
                return await self._pool.attempt(Ask(call, self._limits, NO_DEADLINE), self._settings, watch)
        except TimeoutError:
            return APITimeoutError(f"nothing came for {STALL_SEC:g} s; look at the server")
        finally:
            if watch is not None:
                self._watches.discard(watch)

    def _read(self, call: Call[Any], answer: Reply | APIError, now: float) -> Any:
        """What an answer gives, or the error that it is."""
        if isinstance(answer, Reply):
            self._tally.bytes += len(answer.body)
            self._rate.hint(now, answer.headers)
        return outcome(call, answer, self._settings.base)

    def _judge(
        self, reading: Reading, error: APIError, answer: Reply | APIError, now: float
    ) -> tuple[float | None, Outcome]:
        """When to ask again after an error (None: never), and what it says of the server."""
        if isinstance(answer, APIError) or not isinstance(error, APIStatusError):
            outcome = Outcome.LOST if isinstance(error, APIConnectionError) else Outcome.BAD
            return 2.0 ** (reading.attempts - 1) * jitter(), outcome
        wait_sec = retry_wait_sec(error, answer.headers, reading.attempts - 1, jitter)
        if wait_sec is not None and error.retry_after is not None:
            self._rate.hold(now, error.retry_after)
        if error.status_code in (429, 503):
            return wait_sec, Outcome.SLOW_DOWN
        return wait_sec, Outcome.GOOD if wait_sec is None else Outcome.BAD

    async def _took(self, reading: Reading, answer: Any) -> None:
        steps: dict[str, ListState] = {}
        thread = reading.thread
        if reading.kind == "runs" and thread is not None and thread.stored.runs != ListState():
            run_ids = [item.value["id"] for item in answer if isinstance(item.value.get("id"), str)]
            thread_id = thread.id
            steps = await asyncio.wrap_future(self._writer.ask(lambda store: stored_steps(store, thread_id, run_ids)))
        changes = self._plan.took(reading, answer, steps)
        objects = [change.kind for change in changes if isinstance(change, Put)]
        self._tally.read += len(objects)
        self._tally.threads += objects.count("threads")
        self._tally.assistants += objects.count("assistants")
        self._keep(changes)

    # What ends it

    async def _tick(self) -> None:
        """See now and then whether anything comes."""
        deadline_sec = self._settings.limits.deadline_sec
        while True:
            await asyncio.sleep(_TICK_SEC)
            now = time.monotonic()
            for watch in self._watches:
                if watch.has_heard():
                    self._heard_at = now
            if deadline_sec is not None and now - self._began_at >= deadline_sec:
                self._end(APITimeoutError(f"the export is not done in time (deadline_sec={deadline_sec:g})"))
            if self._rate.silent_sec(now) >= SILENCE_SEC and now - self._heard_at > 2:
                last = f": {self._last_error}" if self._last_error is not None else ""
                self._end(APIConnectionError(f"nothing was answered for {SILENCE_SEC:g} s{last}"))


class _Watch(AsyncCancelToken):
    """Sees whether anything comes on the connection of an attempt, and then gives it more time."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit = limit
        self._wire: AsyncWire | None = None
        self._received = 0

    def watch(self, wire: AsyncWire | None) -> None:
        """The attempt uses this connection from now on; None: no more."""
        self._wire = wire
        self._received = wire.received_bytes if wire is not None else 0

    def has_heard(self) -> bool:
        """Whether anything came since this was asked last."""
        if self._wire is None or self._wire.received_bytes == self._received:
            return False
        self._received = self._wire.received_bytes
        if self._limit.when() is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + STALL_SEC)
        return True


def jitter() -> float:
    """A factor around 1, which spreads what is asked for again."""
    return random.uniform(0.8, 1.2)  # noqa: S311  # spreads retries, keeps no secret
