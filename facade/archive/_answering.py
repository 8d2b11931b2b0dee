"""What an archive answers to a request, without I/O: the HTTP server and the client's transport both ask here.

`GET` of threads, messages, runs, run steps and assistants, below any prefix. A path's words (threads, runs, …) name
collections within one another and ids stand between them, so a path of odd length is a list, any other one object.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

from facade._arguments import FILE_SEARCH_RESULT_CONTENT
from facade.archive._columns import Kind
from facade.archive._cutting import Spans, cut, find_cuts
from facade.archive._errors import NotStoredError, UnknownCursorError
from facade.archive._file import is_busy
from facade.archive._store import Row, Store

T = TypeVar("T")

COLLECTIONS: dict[tuple[str, ...], Kind] = {
    ("threads",): "threads",
    ("threads", "messages"): "messages",
    ("threads", "runs"): "runs",
    ("threads", "runs", "steps"): "steps",
    ("assistants",): "assistants",
}

CONTENT_PATH = tuple(FILE_SEARCH_RESULT_CONTENT.replace("[*]", ".*").split("."))
_CONTENT_MARK = f'"{CONTENT_PATH[-1]}"'.encode()

_NUMBER = re.compile(r"-?[0-9]{1,18}")


class Answer(NamedTuple):
    """Status, JSON body, and the headers that are not the same for all answers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class RefusedError(Exception):
    """A request that is answered with an error: its status, message, parameter, code and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.answer = error_answer(status, message, param=param, code=code, headers=headers)


def error_answer(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error in the API's envelope."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Answer(status, json.dumps({"error": error}).encode(), headers or {})


PAUSE_SEC = 0.005
_PATIENCE_SEC = 30.0


def attempts(store: Store, method: str, path: str, query: str, *, is_whole: bool) -> Iterator[Answer | None]:
    """The answer, after a None for each pause of PAUSE_SEC that is to be made while another process holds the file.

    The arguments are as for `answer`. Raises sqlite3.Error where the file cannot be read.
    """
    return patiently(partial(answer, store, method, path, query, is_whole=is_whole))


def patiently(attempt: Callable[[], T]) -> Iterator[T | Answer | None]:
    """What an attempt gives, with pauses as in `attempts`; at last an answer that says that the file is held."""
    give_up_at = monotonic() + _PATIENCE_SEC
    while monotonic() < give_up_at:
        try:
            yield attempt()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            yield None
    yield error_answer(503, "The archive is being written: try again.", headers={"retry-after": "1"})


def answer(store: Store, method: str, path: str, query: str, *, is_whole: bool) -> Answer:
    """The answer to a request.

    Args:
        store: the archive
        method: GET or HEAD; every other is refused with 405
        path: as it was sent, percent-encoded, with whatever prefix
        query: as it was sent
        is_whole: objects go out as they are stored, whatever `include[]` says; else the texts that a file search
            found are left out unless they are asked for

    Raises sqlite3.Error where the file cannot be read, or is held by another process.
    """
    try:
        if method not in ("GET", "HEAD"):
            message = f"{method} is not allowed on {path}: this is for reading, by GET."
            raise RefusedError(405, message, code="method_not_allowed", headers={"allow": "GET, HEAD"})
        return Answer(200, _found(store, path, query, is_whole))
    except (RefusedError, NotStoredError, UnknownCursorError) as error:
        return refusal(error)


def refusal(error: RefusedError | NotStoredError | UnknownCursorError) -> Answer:
    """The answer that says why a request is not done."""
    match error:
        case NotStoredError():
            return error_answer(404, str(error), param=f"{error.kind}_id")
        case UnknownCursorError():
            return error_answer(400, str(error), param=error.parameter)
    return error.answer


def _found(store: Store, path: str, query: str, is_whole: bool) -> bytes:
    kind, ids, is_list = _route(path)
    parameters = parameters_of(query)
    if kind == "steps" and not is_whole:
        is_whole = wants_content(parameters)
    if not is_list:
        return _text(store.row(kind, *ids), is_whole)
    of_run = parameters.get("run_id", [None])[-1] if kind == "messages" else None
    rows, has_more = store.page(kind, *ids, **_page_query(parameters), of_run=of_run)
    # An empty list has no first and no last: the API sends null there, whatever its description says.
    first_id, last_id = (rows[0].id, rows[-1].id) if rows else (None, None)
    ends = f'],"first_id":{json.dumps(first_id)},"last_id":{json.dumps(last_id)},"has_more":{json.dumps(has_more)}}}'
    return b'{"object":"list","data":[' + b",".join([_text(row, is_whole) for row in rows]) + ends.encode()


def _text(row: Row, is_whole: bool) -> bytes:
    if is_whole or _CONTENT_MARK not in row.json:
        return row.json
    spans = _known_cuts.get(row.sha256)
    if spans is None:
        if len(_known_cuts) >= _MAX_KNOWN_CUTS:
            _known_cuts.clear()
        spans = _known_cuts[row.sha256] = find_cuts(row.json, CONTENT_PATH)
    return cut(row.json, spans)


_known_cuts: dict[bytes, Spans] = {}
"""What is left out of objects that have been read before, by their digests: finding it takes longer than all else."""

_MAX_KNOWN_CUTS = 20_000


def _route(path: str) -> tuple[Kind, list[str], bool]:
    """What a path leads to: a collection, the ids on the way, and whether it is the collection's list."""
    for words, ids, is_list in split(path):
        if kind := COLLECTIONS.get(words):
            return kind, ids, is_list
    message = f"Nothing is served at {path}: runs are at /threads/THREAD_ID/runs, below the server's base."
    raise RefusedError(404, message, code="unknown_url")


def split(path: str) -> Iterator[tuple[tuple[str, ...], list[str], bool]]:
    """A path's words, the ids between them, and whether it ends with a word: for each place where it may begin."""
    parts = path.split("/")
    for start, part in enumerate(parts):
        ids = [unquote(item) for item in parts[start + 1 :: 2]]
        if part in ("threads", "assistants") and all(ids):
            yield tuple(parts[start::2]), ids, (len(parts) - start) % 2 == 1


@lru_cache(maxsize=256)
def parameters_of(query: str) -> dict[str, list[str]]:
    """A query's parameters, each with its values."""
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    return parameters


def _page_query(parameters: Mapping[str, list[str]]) -> dict[str, Any]:
    """The parameters of a page, the last of each where one comes twice. What is not known is passed over."""
    given = {name: parameters[name][-1] for name in ("limit", "order", "after", "before") if name in parameters}
    page: dict[str, Any] = dict(given)
    if "limit" in given:
        limit = int(given["limit"]) if _NUMBER.fullmatch(given["limit"]) else None
        if limit is None or not 1 <= limit <= 100:
            message = f"limit is {given['limit']!r}: give a whole number from 1 to 100."
            raise RefusedError(400, message, param="limit")
        page["limit"] = limit
    if given.get("order", "asc") not in ("asc", "desc"):
        raise RefusedError(400, f"order is {given['order']!r}: give asc or desc.", param="order")
    for name in ("after", "before"):
        if given.get(name) == "":
            raise RefusedError(400, f"{name} is empty: give an id of the list, or leave it out.", param=name)
    return page


def wants_content(parameters: Mapping[str, list[str]]) -> bool:
    """Whether `include[]` asks for what a file search found. Several values may come joined by commas."""
    values = [value for given in parameters.get("include[]", ()) for value in given.split(",")]
    for value in values:
        if value != FILE_SEARCH_RESULT_CONTENT:
            message = f"include[] is {value!r}: the only value is {FILE_SEARCH_RESULT_CONTENT}."
            raise RefusedError(400, message, param="include[]")
    return bool(values)
