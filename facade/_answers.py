"""Reads an answer's body: undoes its encoding within a limit of size, parses it, and makes models of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from facade.errors import APIResponseError

if TYPE_CHECKING:
    from openai_thread_runs_api.model_base import Model

T = TypeVar("T")
M = TypeVar("M", bound="Model")

MAX_DEPTH = 200
"""The deepest nesting of objects and lists that is read; what the protocol has in it is less than 20 deep."""


def _python_loads(body: bytes) -> Any:
    return json.loads(body)


def _loader() -> Callable[[bytes], Any]:
    """The JSON reader: msgspec's where it is installed, with Python's own for what msgspec does not take."""
    try:
        import msgspec
    except ImportError:
        return _python_loads
    decode = msgspec.json.Decoder().decode

    def loads(body: bytes) -> Any:
        try:
            return decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return _python_loads(body)

    return loads


_loads: Callable[[bytes], Any] | None = None


def parse(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        APIResponseError: it is empty, no JSON, badly encoded, or too deep.
    """
    global _loads
    if _loads is None:
        _loads = _loader()
    try:
        if _may_be_deep(body):
            raise RecursionError
        return _loads(body)
    except RecursionError:
        problem = f"nested more than {MAX_DEPTH} deep"
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except ValueError as error:
        problem = f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else "a number of too many digits"
    raise APIResponseError(f"the answer is {problem if body.strip() else 'empty'}: {len(body)} bytes")


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _may_be_deep(body: bytes) -> bool:
    """Whether a body nests deeper than `MAX_DEPTH`: pairs of brackets are taken out from the innermost on.

    A bracket inside a text may keep a pair from closing; then the texts are taken out too and it is counted exactly.
    """
    brackets = body.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if len(brackets) <= MAX_DEPTH:
            return False
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            return _depth(body) > MAX_DEPTH
        brackets = fewer
    return True


def _depth(body: bytes) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for byte in body:
        if escaped:
            escaped = False
        elif quoted:
            escaped = byte == 0x5C
            quoted = byte != 0x22
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


class Body:
    """Gathers a body's chunks and undoes their content encoding, never holding more than the limit.

    Args:
        encoding: the header `content-encoding`
        max_bytes: the largest decoded size
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        name = encoding.strip().lower()
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._chunks: list[bytes] = []
        self._decoder = None
        self._is_unknown = False
        if name in ("gzip", "x-gzip", "deflate"):
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif name not in ("", "identity"):
            self._is_unknown = True

    def feed(self, chunk: bytes) -> None:
        """Takes a chunk as it came.

        Raises:
            APIResponseError: the body is larger than the limit, or its encoding is broken or unknown.
        """
        if self._is_unknown:
            raise APIResponseError("the answer has a content encoding that was not asked for (gzip and deflate are)")
        if self._decoder is not None:
            chunk = self._decode(chunk)
        self._left -= len(chunk)
        if self._left < 0:
            raise APIResponseError(
                f"the answer is larger than max_response_bytes={self._max_bytes}; allow more, or ask for a smaller page"
            )
        self._chunks.append(chunk)

    def _decode(self, chunk: bytes) -> bytes:
        assert self._decoder is not None
        try:
            decoded = self._decoder.decompress(chunk, self._left + 1)
            while self._decoder.unused_data.startswith(b"\x1f\x8b"):  # gzip may come in several members
                rest = self._decoder.unused_data
                self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
                decoded += self._decoder.decompress(rest, self._left + 1)
                if len(decoded) > self._left:
                    break
            return decoded
        except zlib.error as error:
            if not self._chunks:  # some servers send deflate without its zlib frame
                try:
                    self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
                    return self._decoder.decompress(chunk, self._left + 1)
                except zlib.error:
                    pass
            problem = str(error)
        raise APIResponseError(f"the answer's content encoding is broken ({problem})")

    def whole(self) -> bytes:
        """The body, once its last chunk was fed.

        Raises:
            APIResponseError: the encoding ends too early.
        """
        if self._decoder is not None and self._chunks and not self._decoder.eof:
            raise APIResponseError("the answer's content encoding ends too early")
        return self.so_far()

    def so_far(self) -> bytes:
        """What came until now."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


class Page(Sequence[T], Generic[T]):
    """One page of a list: a sequence of its runs or steps.

    Attributes:
        data: the runs or steps
        has_more: whether the server says that more follow
        first_id: the id of the first one; None where the server does not say
        last_id: the id of the last one, to go on `after`; None where the server does not say
    """

    __slots__ = ("_json", "data")

    def __init__(self, data: list[T], json: dict[str, Any]) -> None:
        self.data = data
        self._json = json

    @property
    def has_more(self) -> bool:
        return self._json.get("has_more") is True

    @property
    def first_id(self) -> str | None:
        return self._id("first_id")

    @property
    def last_id(self) -> str | None:
        return self._id("last_id")

    def _id(self, name: str) -> str | None:
        value = self._json.get(name)
        return value if isinstance(value, str) and value.strip() else None

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __repr__(self) -> str:
        return f"Page({len(self.data)} items, has_more={self.has_more}, last_id={self.last_id!r})"

    def _repr_html_(self) -> str:
        from openai_thread_runs_api.model_html import objects_table

        return objects_table(self.data, repr(self))


def read_object(model: type[M], body: bytes) -> M:
    """The run or step of a body.

    Raises:
        APIResponseError: the body is no JSON object with an `id`.
    """
    value = parse(body)
    if not isinstance(value, dict):
        raise APIResponseError(f"the answer is {_kind(value)}, not a {model.__name__}")
    if not isinstance(value.get("id"), str) or not value["id"].strip():
        raise APIResponseError(f"the answer is an object without an id, not a {model.__name__}")
    return model._of(value)


def read_page(model: type[M], body: bytes) -> Page[M]:
    """The page of runs or steps of a body.

    Raises:
        APIResponseError: the body is no JSON object with a `data` array of objects.
    """
    value = parse(body)
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        raise APIResponseError(f"the answer is {_kind(value)} without a data array, not a page of {model.__name__}")
    read = model._of
    for index, item in enumerate(data):
        if item.__class__ is not dict:
            raise APIResponseError(f"item {index} of the answer's data is {_kind(item)}, not a {model.__name__}")
        data[index] = read(item)
    return Page(data, {name: item for name, item in value.items() if name != "data"})


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
