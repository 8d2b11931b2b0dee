"""Runs an export's reading and writing in threads of their own, so that nothing that hangs holds up the caller."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from facade._auth import Secret
from facade._options import Settings
from facade.archive._reader import Reader
from facade.archive._store import Store
from facade.archive._writer import Writer

PROGRESS_SEC = 0.1
"""How often progress is told, at most."""


def run(reader: Reader, store: Store, number: int, progress: Callable[[dict[str, int]], object] | None) -> None:
    """Read and write in threads of their own: this one waits, so that a signal ends the wait at once."""
    writer = Writer(store, number, reader.written)
    result: Future[None] = Future()

    def work() -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_default_executor(_DaemonThreads())
                runner.run(reader.run(writer))
            result.set_result(None)
        except asyncio.CancelledError:
            result.set_exception(KeyboardInterrupt())
        except BaseException as error:
            result.set_exception(error)

    thread = threading.Thread(target=work, name="facade-archive-reader", daemon=True)
    thread.start()
    told_at = time.monotonic()
    try:
        while not wait([result], PROGRESS_SEC).done:
            if progress is not None:
                progress(writer.counts)
                told_at = time.monotonic()
        result.result()
    except BaseException:
        reader.stop()
        wait([result], 0.3)
        writer.close(0.8)
        raise
    writer.close()
    if writer.error is not None:
        raise writer.error
    if progress is not None:
        time.sleep(max(0.0, told_at + PROGRESS_SEC - time.monotonic()))
        progress(writer.counts)


class _DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a thread that nobody waits for: name resolution and a caller's functions may hang."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = Future()

        def work() -> None:
            future.set_running_or_notify_cancel()  # from now on it is this one's to end, whoever has lost interest
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="facade-archive-call", daemon=True).start()
        return future


def unblocking(settings: Settings) -> Settings:
    """Settings whose functions do not hold up an event loop: they are called in threads."""
    secret, transport = settings.auth.secret, settings.route.transport
    if callable(secret.reveal()):
        ask: Any = secret.reveal()

        async def asked() -> Any:
            return await asyncio.to_thread(ask)

        settings = settings._replace(auth=settings.auth._replace(secret=Secret(asked)))
    if transport is not None:
        settings = settings._replace(route=settings.route._replace(transport=_InThreads(transport)))
    return settings


class _InThreads:
    """A sync transport, as an event loop can use it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def handle_async_request(self, request: Any) -> Any:
        """The answer, read whole."""
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: Any) -> Any:
        import httpx

        response = self._transport.handle_request(request)
        try:
            content = b"".join(response.stream)
        finally:
            response.close()
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(content))
