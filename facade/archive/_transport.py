"""Lets a client read an archive as if it were an endpoint: an httpx transport over the file, without a network."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

import facade
from facade.archive._answering import PAUSE_SEC, Answer, attempts, error_answer
from facade.archive._store import Store

if TYPE_CHECKING:
    import httpx

_NO_ADDRESS = "https://archive.invalid/v1"
_NO_LIMIT = 1 << 40
"""Bytes of an answer: what was read once can be read again."""


def client(path: str | os.PathLike[str], **options: Any) -> facade.Client:
    """A client that reads an archive: no network, no key, and everything that a `facade.Client` can read.

    Objects are character for character what the server sent. `include` is taken and changes nothing: what the archive
    has is there. Whatever writes gets an `APIStatusError`, 405. A thread that an export could not read, and of which
    nothing is here, is a `NotFoundError`.

    Args:
        path: the file
        options: limits, as `facade.Client` takes them: timeout_sec, deadline_sec, max_retry_count, max_response_bytes

    Raises:
        DamagedError: there is no file of that name (then it is a FileNotFoundError too), or it is no archive.
    """
    return facade.Client(**_client_options(path, options))


def async_client(path: str | os.PathLike[str], **options: Any) -> facade.AsyncClient:
    """As `client`, for asyncio."""
    return facade.AsyncClient(**_client_options(path, options))


def _client_options(path: str | os.PathLike[str], options: dict[str, Any]) -> dict[str, Any]:
    # Nothing of what `facade.configure` or the environment says of an endpoint is to count here.
    endpoint: dict[str, Any] = {
        "api_key": "no-key-is-needed",
        "organization": "",
        "api_base": _NO_ADDRESS,
        "auth_type": "openai",
        "additional_query": {},
        "additional_headers": {},
        "verify": True,
    }
    return {"max_response_bytes": _NO_LIMIT} | options | endpoint | {"transport": ArchiveTransport(path)}


class ArchiveTransport:
    """An httpx transport, sync and async, over an archive. May be used by many threads, and in forked children."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.path.abspath(path)
        self._lock = Lock()
        self._store, self._process = self._open(), os.getpid()
        self._parents: list[Store] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The archive's answer."""
        for found in self._attempts(request):
            if found is not None:
                return _response(found)
            time.sleep(PAUSE_SEC)
        raise AssertionError("the last attempt gives an answer")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The archive's answer; a query takes less time than handing it to a thread would."""
        for found in self._attempts(request):
            if found is not None:
                return _response(found)
            await asyncio.sleep(PAUSE_SEC)
        raise AssertionError("the last attempt gives an answer")

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        if self._process == os.getpid():
            self._store.close()

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    def _open(self) -> Store:
        return Store(self._path, read_only=True, busy_timeout_sec=0)

    def _own_store(self) -> Store:
        with self._lock:
            if self._process != os.getpid():
                # SQLite's connections do not survive a fork, and closing one would let go of the parent's locks.
                self._parents.append(self._store)
                self._store, self._process = self._open(), os.getpid()
            return self._store

    def _attempts(self, request: httpx.Request) -> Iterator[Answer | None]:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        try:
            yield from attempts(self._own_store(), request.method, path, query, is_whole=True)
        except sqlite3.Error as error:
            yield error_answer(
                500, f"{self._path!r} cannot be read ({error}): facade.archive.verify says what is wrong."
            )


def _response(found: Answer) -> httpx.Response:
    import httpx  # here, since an export has no use for it

    headers = {"content-type": "application/json", **found.headers}
    return httpx.Response(found.status, headers=headers, content=found.body)
