"""The read side of the API as an ASGI application over a `Store`: runs and run steps, one and many."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from hmac import compare_digest
from importlib.resources import files
from typing import Any
from uuid import uuid4

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade.server.store import NotStoredError, Store, StoredObject, StoredPage, UnknownCursorError

_CONTENT_PATH = FILE_SEARCH_RESULT_CONTENT.replace("[*]", ".*").split(".")

# The pinned spec's paths, and what answers each. The names in braces are the parameters of the Store's methods.
_OPERATIONS: dict[str, Callable[..., StoredObject | StoredPage]] = {
    "/threads/{thread_id}/runs": Store.runs,
    "/threads/{thread_id}/runs/{run_id}": Store.run,
    "/threads/{thread_id}/runs/{run_id}/steps": Store.steps,
    "/threads/{thread_id}/runs/{run_id}/steps/{step_id}": Store.step,
}

_CURSORS: tuple[str, ...] = ("after", "before")

_log = logging.getLogger("facade.server")

_Query = tuple[tuple[str, str], ...]


def create_app(database: str | os.PathLike[str], *, api_key: str | None = None, prefix: str = "/v1") -> Starlette:
    """The application that serves `database` (a file that `Store` wrote, opened read-only; closed at shutdown).

    With an `api_key`, each request must carry it, as a Bearer token or in the `api-key` header; None asks for none.
    `prefix` comes before every path: "" or a path such as "/v1".

    Raises FileNotFoundError and ValueError as `Store` does, and ValueError for a blank key.
    """
    if api_key is not None and not api_key.strip():
        raise ValueError("The server's api_key is blank: give a key, or None to serve without one.")
    store = Store(database, read_only=True)
    check = _checker()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    def endpoint(path: str, read: Callable[..., StoredObject | StoredPage]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # Routing sees the decoded path, where an id's quoted slash would lead to another operation.
            if b"%2f" in request.scope.get("raw_path", b"").lower():
                raise HTTPException(404)
            _require_key(request, api_key)
            _require_beta(request)
            # Checked in the event loop, one at a time: the validators are not made for threads.
            parameters = check(path, _without_cursors(request))
            arguments: dict[str, Any] = {name: parameters[name] for name in ("limit", "order") if name in parameters}
            arguments |= {name: request.query_params[name] for name in _CURSORS if name in parameters}
            with_content = FILE_SEARCH_RESULT_CONTENT in parameters.get("include[]", ())

            def body() -> str:
                return _body(read(store, **request.path_params, **arguments), with_content)

            return _answer(await run_in_threadpool(body))

        return answer

    app = Starlette(
        routes=[Route(prefix + path, endpoint(path, read), methods=["GET"]) for path, read in _OPERATIONS.items()],
        exception_handlers={
            _RefusedError: _refused,
            NotStoredError: _not_stored,
            UnknownCursorError: _unknown_cursor,
            HTTPException: _no_such_operation,
            Exception: _failed,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # clients of this API take a redirect for an error
    return app


class _RefusedError(Exception):
    """A request that is answered with an error: its status, message, parameter and code."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


class _SpecRequest:
    """A request to one of the spec's paths as openapi-core takes it; names stand in for ids, as any id will do."""

    method = "get"
    host_url = "http://localhost"
    content_type = "application/json"
    body = None

    def __init__(self, path: str, query: _Query) -> None:
        self.path = path.replace("{", "").replace("}", "")
        self.parameters = RequestParameters(query=ImmutableMultiDict(query), header=Headers(), cookie={})


def _checker() -> Callable[[str, _Query], dict[str, Any]]:
    """A function that checks a query against the pinned spec, giving typed values and the spec's defaults."""
    spec = json.loads(files("openai_thread_runs_api").joinpath("openapi.json").read_text("utf-8"))
    # Where the API lives and how it is entered are this server's own matters.
    spec = {key: value for key, value in spec.items() if key not in ("servers", "security")}
    openapi = OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))

    @lru_cache(maxsize=1024)  # a check takes two milliseconds, the rest of a request less than one
    def check(path: str, query: _Query) -> dict[str, Any]:
        result = openapi.unmarshal_request(_SpecRequest(path, query))
        for error in result.errors:
            name = getattr(error, "name", None)
            reasons = [reason.message for reason in getattr(error.__cause__, "schema_errors", ())]
            message = f"{name or 'The request'} is not as the API's description has it: "
            raise _RefusedError(400, message + ("; ".join(reasons) or str(error.__cause__ or error)), param=name)
        return dict(result.parameters.query)

    return check


def _without_cursors(request: Request) -> _Query:
    """The query with a stand-in for each cursor: any id will do there, and a walk's pages share one check."""
    items = request.query_params.multi_items()
    return tuple((name, "id" if value and name in _CURSORS else value) for name, value in items)


def _require_key(request: Request, api_key: str | None) -> None:
    if api_key is None:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    offered = [token.strip() if scheme.lower() == "bearer" else "", request.headers.get("api-key", "")]
    if not any(compare_digest(key.encode("latin-1"), api_key.encode()) for key in offered):
        message = "The API key is missing or wrong: send the server's key as a Bearer token or in the api-key header."
        raise _RefusedError(401, message, code="invalid_api_key")


def _require_beta(request: Request) -> None:
    offered = ",".join(request.headers.getlist("openai-beta")).split(",")
    if "assistants=v2" not in (value.strip() for value in offered):
        raise _RefusedError(400, "The header OpenAI-Beta is missing: send assistants=v2 in it.", code="invalid_beta")


def _body(found: StoredObject | StoredPage, with_content: bool) -> str:
    """The JSON text of an answer, made of the stored texts as they are."""
    if isinstance(found, StoredObject):
        return found.json if with_content else _without_content(found.json)
    texts = [item.json if with_content else _without_content(item.json) for item in found.data]
    # An empty list has no first and no last: the API sends null there, whatever its description says.
    first_id, last_id = (found.data[0].id, found.data[-1].id) if found.data else (None, None)
    return (
        f'{{"object":"list","data":[{",".join(texts)}],"first_id":{json.dumps(first_id)},'
        f'"last_id":{json.dumps(last_id)},"has_more":{json.dumps(found.has_more)}}}'
    )


def _without_content(text: str) -> str:
    """An object's text without the content of file search results; other text comes back untouched."""
    if not all(f'"{key}"' in text for key in _CONTENT_PATH if key != "*"):
        return text
    value = json.loads(text)
    _drop(value, _CONTENT_PATH)
    return json.dumps(value, separators=(",", ":"))


def _drop(value: Any, path: list[str]) -> None:
    """Remove what `path` leads to, where it leads anywhere; "*" stands for every item of an array."""
    key, *rest = path
    if key == "*":
        for item in value if isinstance(value, list) else ():
            _drop(item, rest)
    elif isinstance(value, dict):
        if rest:
            _drop(value.get(key), rest)
        else:
            value.pop(key, None)


def _answer(text: str, status: int = 200, **headers: str) -> Response:
    headers.setdefault("x-request-id", f"req_{uuid4().hex}")
    return Response(text, status, headers, media_type="application/json")


def _error(status: int, message: str, *, param: str | None = None, code: str | None = None, **headers: str) -> Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return _answer(json.dumps({"error": error}), status, **headers)


# Starlette hands each handler the exceptions that it is registered for, typed as any exception.


def _refused(request: Request, error: Any) -> Response:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    return _error(error.status, error.message, param=error.param, code=error.code, **headers)


def _not_stored(request: Request, error: Any) -> Response:
    return _error(404, str(error), param=f"{error.kind}_id")


def _unknown_cursor(request: Request, error: Any) -> Response:
    return _error(400, str(error), param=error.parameter)


def _no_such_operation(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        message = f"{request.method} is not allowed on {request.url.path}: this server is for reading, by GET."
        return _error(405, message, code="method_not_allowed", **(error.headers or {}))
    message = f"Nothing is served at {request.url.path}: runs are at /threads/THREAD_ID/runs, below the server's base."
    return _error(error.status_code, message, code="unknown_url")


def _failed(request: Request, error: Exception) -> Response:
    request_id = f"req_{uuid4().hex}"
    _log.error("request %s failed: %s %s: %s", request_id, request.method, request.url.path, type(error).__name__)
    message = "The server failed on this request: look for its x-request-id in the server's log."
    return _error(500, message, **{"x-request-id": request_id})
