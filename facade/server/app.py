"""The API as an ASGI application over an archive: its read side, and with the scripted assistant the rest."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from facade._extras import needed
from facade.archive._answering import Answer, RefusedError, attempts, error_answer
from facade.archive._store import Store
from facade.server._pausing import first

if TYPE_CHECKING:
    from facade.server._performing import Performer

_log = logging.getLogger("facade.server")

_MAX_BODY_BYTES = 4 << 20


def create_app(
    database: str | os.PathLike[str],
    *,
    api_key: str | None = None,
    prefix: str = "/v1",
    whole: bool = False,
    any_host: bool | None = None,
    assistant: bool = False,
) -> Application:
    """The ASGI application that serves an archive, and closes it at shutdown. Without `assistant` it writes nothing.

    Requests are answered below any prefix, or none; they need no `OpenAI-Beta`, and `api-version` counts for nothing.

    Args:
        database: the file, as `Store` or an export wrote it
        api_key: each request must carry it, as a Bearer token or in the `api-key` header; None asks for none
        prefix: has no effect; it is there for programs that gave one
        whole: True sends every object as it is stored, whatever `include[]` says, as an archive is served; False
            leaves out the texts that a file search found unless they are asked for, as the API does
        any_host: True answers requests whatever host they are meant for; False wants a loopback name in `Host`, on
            connections over loopback, so that no page in a browser can read the archive by a name of its own
            (others get 421); None is True with an `api_key`, False without
        assistant: True lets a scripted assistant answer: threads, messages and runs can be made, and are written into
            the file, which is made when missing, and which nobody else may write meanwhile

    Raises FileNotFoundError and DamagedError (a ValueError) as `Store` does, and ValueError for a blank key; with
    `assistant` BusyError where the file is being written, and ValueError for an archive that was read from an endpoint.
    """
    if api_key is not None and not api_key.strip():
        raise ValueError("The server's api_key is blank: give a key, or None to serve without one.")
    # The application waits for locks itself, without holding up other answers.
    with ExitStack() as stack:
        store = stack.enter_context(Store(database, read_only=not assistant, busy_timeout_sec=0))
        performer = _performer(store, stack) if assistant else None
        any_host = api_key is not None if any_host is None else any_host
        return Application(store, api_key, performer, stack.pop_all().close, is_whole=whole, any_host=any_host)


def _performer(store: Store, stack: ExitStack) -> Performer:
    with needed("the assistant", "server", "jsonschema"):
        from facade.server._performing import Performer
    stack.enter_context(store.writing())
    return Performer(store)


class Application:
    """Answers in the event loop: a query takes less time than handing it to a thread."""

    def __init__(
        self,
        store: Store,
        api_key: str | None,
        performer: Performer | None,
        close: Callable[[], None],
        *,
        is_whole: bool,
        any_host: bool,
    ) -> None:
        self._store = store
        self._api_key = api_key
        self._performer = performer
        self._close = close
        self._is_whole = is_whole
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request_id = f"req_{uuid4().hex}"
            found = await self._answer(scope, receive, request_id)
            headers = {"x-request-id": request_id}
            if isinstance(found, Answer):
                headers |= found.headers
                response = Response(found.body, found.status, headers, media_type="application/json")
            else:
                headers["cache-control"] = "no-cache"
                response = StreamingResponse(found, headers=headers, media_type="text/event-stream")
            await response(scope, receive, send)

    def close(self) -> None:
        """Close the archive. Closing twice does no harm."""
        self._close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup" and self._performer is not None:
                self._performer.begin()
            if message["type"] == "lifespan.shutdown":
                if self._performer is not None:
                    await self._performer.stop()
                self.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Answer | AsyncIterator[bytes]:
        path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
        query = scope["query_string"].decode("latin-1")
        try:
            if not self._any_host:
                _require_loopback_host(scope)
            if self._api_key is not None:
                _require_key(scope, self._api_key)
            if self._performer is not None and scope["method"] == "POST":
                if not self._any_host:
                    _require_own_origin(scope)
                if (done := await self._performer.answer(path, query, await _body(receive))) is not None:
                    return done
            found = await first(attempts(self._store, scope["method"], path, query, is_whole=self._is_whole))
            return (
                found._replace(headers={**self._performer.headers(path), **found.headers}) if self._performer else found
            )
        except RefusedError as error:
            return error.answer
        except Exception as error:
            _log.error("request %s failed: %s %s: %s", request_id, scope["method"], ascii(path), type(error).__name__)
            message = "The server failed on this request: look for its x-request-id in the server's log."
            return error_answer(500, message)


async def _body(receive: Receive) -> bytes:
    """A request's body. Raises RefusedError where it is too large."""
    chunks, size, is_whole = [], 0, False
    while not is_whole:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > _MAX_BODY_BYTES:
            raise RefusedError(413, f"The body is too large: send at most {_MAX_BODY_BYTES:,} bytes.")
        is_whole = not message.get("more_body", False)
    return b"".join(chunks)


def _values(scope: Scope, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _require_key(scope: Scope, api_key: str) -> None:
    offered = list(_values(scope, b"api-key"))
    for value in _values(scope, b"authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            offered.append(token.strip())
    if not any(compare_digest(key.encode("latin-1"), api_key.encode()) for key in offered):
        message = "The API key is missing or wrong: send the server's key as a Bearer token or in the api-key header."
        raise RefusedError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone, whatever name servers say."""
    name = host.lower().rstrip(".")
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _require_loopback_host(scope: Scope) -> None:
    """Refuse what was meant for another host than this machine, where it came over loopback.

    A page of another site, whose name server says that the site's name is 127.0.0.1, could read everything.
    """
    server: Any = scope.get("server")
    if server is None or not is_loopback(server[0]):
        return
    hosts = [re.sub(r":\d*$", "", value) for value in _values(scope, b"host")]
    if not hosts or not all(map(is_loopback, hosts)):
        message = "This server answers requests to localhost only: use 127.0.0.1 or localhost in the address."
        raise RefusedError(421, message, code="misdirected_request")


def _require_own_origin(scope: Scope) -> None:
    """Refuse what a page of another site sends: a browser lets it post here, though not read the answer."""
    for value in _values(scope, b"origin"):
        if not is_loopback(urlsplit(value).hostname or ""):
            message = "This server takes no requests from pages of other sites: ask from this machine."
            raise RefusedError(403, message, code="foreign_origin")
