"""Puts together what a stream tells piece by piece: its run, and its steps and messages as far as they are known."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any, TypeGuard

from facade._answers import name_in
from facade._arguments import RunKey, field, run_key
from facade._life.waiting import ENDED
from facade.errors import APIResponseError
from openai_thread_runs_api import models

APPENDED = frozenset(("value", "arguments", "input", "logs"))
"""What a delta gives a further piece of; whatever else it has takes the place of what was there."""

RUN, STEP, MESSAGE = "thread.run", "thread.run.step", "thread.message"
MODELS = {RUN: "RunObject", STEP: "RunStepObject", MESSAGE: "MessageObject"}
MODELS |= {f"{STEP}.delta": "RunStepDeltaObject", f"{MESSAGE}.delta": "MessageDeltaObject"}

AT_REST = (*ENDED, "requires_action")
"""The statuses of a run at which its stream is over."""

MAX_DEPTH = 100
"""The deepest nesting of a step or message that is merged; what the protocol has in it is less than 20 deep."""


class Gathering:
    """Takes each event's data, and knows the run, the steps and the messages that they make.

    A whole object takes the place of what was gathered, a delta is merged in. Whatever a server says, nothing fails
    here but more than there is room for.

    Args:
        max_bytes: how much the steps and messages may hold, as JSON
        key: the run, where it is known

    Attributes:
        run: the run as told last; None before
        key: what names it; None before
        texts: the pieces of text that the data taken last adds
        is_over: whether the run is at rest, or the server has said that it is done
    """

    def __init__(self, max_bytes: int, key: RunKey | None = None) -> None:
        self.run: models.RunObject | None = None
        self.key = key
        self.texts: tuple[str, ...] = ()
        self.is_over = False
        self._max_bytes = max_bytes
        self._size = 0  # at least what is held
        self._held: dict[str, dict[Any, Any]] = {STEP: {}, MESSAGE: {}}  # by their ids
        self._told: set[str] = set()  # the ids of the messages whose texts were pieces

    def all(self, kind: str) -> list[Any]:
        """The steps or messages so far, in order of first appearance; what a caller holds of them stays as it is."""
        return [_model(kind, _plain(held)) if type(held) is dict else held for held in self._held[kind].values()]

    def take(self, event: str, data: Any, size: int = 0) -> Any:
        """Takes an event's name and data, and how many bytes its data had.

        Returns:
            The data as what it is: a run, a step, a message, a delta, else the JSON value itself.

        Raises:
            APIResponseError: the steps and messages hold more than they may, or one is too deep.
        """
        kind, _, status = event.rpartition(".")
        whole, kind = (kind, event) if status == "delta" else (kind, kind)
        self.texts, self.is_over = (), kind == RUN and status in AT_REST
        own_id = name_in(data, "id") if isinstance(data, dict) else None
        if kind not in MODELS or own_id is None or (data.get("object") or kind) != kind:
            return data
        model = _model(kind, data)
        if kind == RUN:
            self.run = model
            self.is_over |= model.status in AT_REST
            with contextlib.suppress(TypeError, ValueError):  # it may leave out its thread, which others have told
                self.key = run_key({"id": own_id, "thread_id": data.get("thread_id")})
            return model
        objects = self._held[whole]
        if kind == whole:
            objects[own_id] = _plain(data)
            is_at_end: bool = kind == MESSAGE and status in ("completed", "incomplete")
            if is_at_end and own_id not in self._told:  # of a server that sends no deltas
                self.texts = _texts(data)
        else:
            delta = _plain(_listed(data.get("delta")))
            _merge(objects.setdefault(own_id, {"id": own_id, "object": whole}), delta)
            self.texts = _texts(delta) if whole == MESSAGE else ()
        if self.texts:
            self._told.add(own_id)
        self._size += size
        if self._size > self._max_bytes:  # what was sent; what is held of it may be less: much may have been replaced
            self._size = len(json.dumps(self._held, ensure_ascii=False, default=io.StringIO.getvalue))
        if self._size > self._max_bytes:
            raise APIResponseError(
                f"the stream's steps and messages are larger than max_response_bytes={self._max_bytes}; allow more"
            )
        return model

    def put(self, kind: str, items: list[Any]) -> None:
        """Takes whole objects that were read apart from the stream, in the place of what was gathered of the kind."""
        self._held[kind] = {name_in(item._json, "id") or number: item for number, item in enumerate(items)}


def _model(kind: str, json: dict[str, Any]) -> Any:
    return getattr(models, MODELS[kind])._of(json)


def _listed(delta: Any) -> dict[str, Any]:
    """A delta with its content as a list of items: some servers send the one item by itself."""
    delta = delta if isinstance(delta, dict) else {}
    content = delta.get("content")
    return {**delta, "content": [{"index": 0, **content}]} if isinstance(content, dict) else delta


def _texts(message: dict[str, Any]) -> tuple[str, ...]:
    """The texts of a message's or a delta's content, whatever shape it is of."""
    content = message.get("content")
    values = [field(field(part, "text"), "value") for part in content] if isinstance(content, list) else []
    return tuple(value for value in values if isinstance(value, str) and value)


class _Items(dict[int, dict[str, Any]]):
    """A list's objects by their index, in whatever order they come."""


def _merge(old: dict[str, Any], delta: dict[str, Any], in_item: bool = False) -> None:
    """Merges a delta in.

    Args:
        old: what was gathered: lists that a delta was merged into are `_Items`, texts that were appended to `StringIO`
        delta: what has changed, given away
        in_item: whether it is, or is in, an item told by its index: only there texts are appended
    """
    for key, new in delta.items():
        now = old.get(key)
        if isinstance(new, dict):
            if type(now) is not dict:
                now = old[key] = {}
            _merge(now, new, in_item)
        elif _are_objects(new) and all(type(index := item.get("index")) is int and index >= 0 for item in new):
            if not isinstance(now, _Items):
                now = old[key] = _Items(enumerate(now if _are_objects(now) else ()))
            for item in new:
                _merge(now.setdefault(item.pop("index"), {}), item, True)
        elif in_item and key in APPENDED and isinstance(now, (str, io.StringIO)) and isinstance(new, str | None):
            if isinstance(now, str):  # n pieces cost n, where adding each to a text would cost n²
                old[key] = io.StringIO()
                old[key].write(now)
            old[key].write(new or "")
        else:
            old[key] = new


def _are_objects(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _plain(value: Any, room: int = MAX_DEPTH) -> Any:
    """The JSON value of what was gathered, or of what is to be; it shares nothing that merging changes.

    Raises:
        APIResponseError: it has more levels than there is room for.
    """
    if isinstance(value, io.StringIO):
        return value.getvalue()
    if isinstance(value, _Items):
        value = [item for _, item in sorted(value.items())]
    if not isinstance(value, (dict, list)):
        return value
    if not room:
        raise APIResponseError(f"a step or message of the stream is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {key: _plain(item, room - 1) for key, item in value.items()}
    return [_plain(item, room - 1) for item in value]
