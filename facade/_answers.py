"""Reads an answer's body: undoes its encoding within a limit of size, parses it, and makes models of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from facade.errors import APIResponseError

if TYPE_CHECKING:
    from facade._exchange import Reply
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
        value = _loads(body)
        if not _is_surely_flat(body) and _depth_passes(value, MAX_DEPTH):
            raise RecursionError
        return value
    except RecursionError:
        problem = f"nested more than {MAX_DEPTH} deep"
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except ValueError as error:
        problem = f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else "a number of too many digits"
    raise APIResponseError(f"the answer is {problem if body.strip() else 'empty'}")


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_surely_flat(body: bytes) -> bool:
    """Whether a body's brackets alone say that it is not too deep: what is left once the innermost pairs are out."""
    brackets = body.translate(None, _NO_BRACKETS)
    while len(brackets) > MAX_DEPTH // 2:
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) > 0.8 * len(brackets):  # so there are fewer than MAX_DEPTH / 2 turns, whatever the size
            return False  # deep, or brackets inside texts
        brackets = fewer
    return True


def _depth_passes(value: Any, limit: int) -> bool:
    """Whether a JSON value nests deeper than a limit."""
    level = [value]
    for _ in range(limit):
        level = [
            item
            for parent in level
            if parent.__class__ is dict or parent.__class__ is list
            for item in (parent.values() if parent.__class__ is dict else parent)
            if item.__class__ is dict or item.__class__ is list
        ]
        if not level:
            return False
    return True


class Decoder:
    """Undoes a content encoding as the bytes come.

    Args:
        encoding: the header `content-encoding`
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if name in ("gzip", "x-gzip", "deflate") else None
        self._is_deflate = name == "deflate"
        self._is_unknown = self._decoder is None and name not in ("", "identity")
        self._begin = b""
        self._has_begun = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk gives, in pieces of moderate size.

        Raises:
            APIResponseError: the encoding is broken or unknown.
        """
        if self._is_unknown:
            raise APIResponseError("the answer has a content encoding that was not asked for (gzip and deflate are)")
        if self._decoder is None:
            yield chunk
            return
        self._has_begun = self._has_begun or bool(chunk)
        if self._is_deflate:
            # Some servers send deflate without its zlib frame, whose first two bytes are a multiple of 31.
            chunk, self._begin = self._begin + chunk, b""
            if len(chunk) < 2:
                self._begin = chunk
                return
            self._is_deflate = False
            if chunk[0] & 15 != 8 or int.from_bytes(chunk[:2], "big") % 31:
                self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        piece = b"x" * PIECE_BYTES
        while chunk or len(piece) == PIECE_BYTES:
            try:
                piece = self._decoder.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise APIResponseError(f"the answer's content encoding is broken ({error})") from None
            yield piece
            chunk = self._decoder.unconsumed_tail
            if not chunk and self._decoder.unused_data.startswith(b"\x1f\x8b"):  # gzip may come in several members
                chunk, self._decoder = self._decoder.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 32)

    def ends_too_early(self) -> bool:
        """Whether there should be more."""
        return self._decoder is not None and self._has_begun and not self._decoder.eof


PIECE_BYTES = 256 * 1024
"""How much is decoded at once: a few bytes may stand for a great many."""


class Body:
    """Gathers a body's chunks, decoded, never holding more than the limit.

    Args:
        encoding: the header `content-encoding`
        max_bytes: the largest decoded size
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._chunks: list[bytes] = []
        self._decoder = Decoder(encoding)

    def feed(self, chunk: bytes) -> None:
        """Takes a chunk as it came.

        Raises:
            APIResponseError: the body is larger than the limit, or its encoding is broken or unknown.
        """
        for piece in self._decoder.pieces(chunk):
            self._left -= len(piece)
            if self._left < 0:
                raise APIResponseError(
                    f"the answer is larger than max_response_bytes={self._max_bytes}; allow more, "
                    "or ask for a smaller page"
                )
            self._chunks.append(piece)

    def whole(self) -> bytes:
        """The body, once its last chunk was fed.

        Raises:
            APIResponseError: the encoding ends too early.
        """
        if self._decoder.ends_too_early():
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
        value = self._json.get("has_more")
        return value is True or value == "true" or (value.__class__ is int and value == 1)

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


def read_object(model: type[M], reply: Reply) -> M:
    """The object of an answer.

    Raises:
        APIResponseError: the body is no JSON object with an `id`.
    """
    value = parse(reply.body)
    if value.__class__ is not dict:
        raise APIResponseError(f"the answer is {_kind(value)}, not a {model.__name__}")
    if value.get("id").__class__ is not str or not value["id"].strip():
        raise APIResponseError(f"the answer is an object without an id, not a {model.__name__}")
    return model._of(value)


def read_page(model: type[M], reply: Reply) -> Page[M]:
    """The page of objects of an answer.

    Raises:
        APIResponseError: the body is no JSON object with a `data` array of objects.
    """
    value = parse(reply.body)
    data = value.pop("data", None) if value.__class__ is dict else None
    if data.__class__ is not list:
        raise APIResponseError(f"the answer is {_kind(value)} without a data array, not a page of {model.__name__}")
    read = model._of
    for index, item in enumerate(data):
        if item.__class__ is not dict:
            raise APIResponseError(f"item {index} of the answer's data is {_kind(item)}, not a {model.__name__}")
        data[index] = read(item)
    return Page(data, value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
