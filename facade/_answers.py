"""Reads an answer's body: undoes its encoding within a limit of size, parses it, and makes models of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from facade.errors import APIResponseError

if TYPE_CHECKING:
    from facade._exchange import Reply
    from openai_thread_runs_api.model_base import Model

T = TypeVar("T")
M = TypeVar("M", bound="Model")


@cache
def _quick_reader() -> Callable[[bytes], Any]:
    """msgspec's JSON reader where it is installed, else Python's own."""
    try:
        import msgspec
    except ImportError:
        return json.loads
    decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
    return decode


def parse(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        APIResponseError: it is empty, no JSON, badly encoded, or too deep.
    """
    with suppress(ValueError, RecursionError):  # msgspec's errors are ValueErrors too
        return _quick_reader()(body)
    try:  # Python's own reader takes more, and says what is wrong
        return json.loads(body)
    except RecursionError:
        problem = "nested too deeply"
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except ValueError as error:
        problem = f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else "a number of too many digits"
    raise APIResponseError(f"the answer is {problem if body.strip() else 'empty'}")


class Decoder:
    """Undoes a content encoding as the bytes come.

    Args:
        encoding: the header `content-encoding`

    Raises:
        APIResponseError: the encoding is unknown.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ("gzip", "x-gzip", "deflate", "identity", ""):
            raise APIResponseError("the answer has a content encoding that was not asked for (gzip and deflate are)")
        self._decoder = None if name in ("identity", "") else zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._is_deflate = name == "deflate"
        self._begin = b""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk gives, in pieces of moderate size.

        Raises:
            APIResponseError: the encoding is broken.
        """
        if self._decoder is None:
            yield chunk
            return
        before, self._begin = self._begin, (self._begin + chunk)[:2]
        if self._is_deflate and len(before) < 2:
            # Some servers send deflate without its zlib frame, whose first two bytes are a multiple of 31.
            chunk = before + chunk
            if len(chunk) < 2:
                return
            if chunk[0] & 15 != 8 or int.from_bytes(chunk[:2], "big") % 31:
                self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        piece = b""
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
        return self._decoder is not None and self._begin != b"" and not self._decoder.eof


PIECE_BYTES = 256 * 1024
"""How much is decoded at once: a few bytes may stand for a great many."""


def name_in(value: dict[str, Any], key: str) -> str | None:
    """What an object has under a key, where that can name something."""
    name = value.get(key)
    return name if isinstance(name, str) and name.strip() else None


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
        return name_in(self._json, "first_id")

    @property
    def last_id(self) -> str | None:
        return name_in(self._json, "last_id")

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
    if name_in(value, "id") is None:
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
    for index, item in enumerate(data):
        if type(item) is not dict:
            raise APIResponseError(f"item {index} of the answer's data is {_kind(item)}, not a {model.__name__}")
    return Page(model._of_all(data), value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
