"""Puts together what a stream tells piece by piece: its run, and its steps and messages as far as they are known."""

from __future__ import annotations

import contextlib
import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeGuard

from facade._answers import name_in
from facade._arguments import RunKey, run_key
from facade.errors import APIResponseError

if TYPE_CHECKING:
    from openai_thread_runs_api.model_base import Model

APPENDED = frozenset(("value", "arguments", "input", "logs"))
"""What a delta gives a further piece of; whatever else it has takes the place of what was there."""

STEP, MESSAGE = "thread.run.step", "thread.message"
MODELS = {
    "thread.run": "RunObject",
    STEP: "RunStepObject",
    MESSAGE: "MessageObject",
    f"{STEP}.delta": "RunStepDeltaObject",
    f"{MESSAGE}.delta": "MessageDeltaObject",
}

NODE_BYTES = 8
"""What each key and each value counts for beside its text, so that a great many empty ones count too."""

MAX_DEPTH = 100
"""The deepest nesting of a step or message that is merged; what the protocol has in it is less than 20 deep."""


class Gathering:
    """Takes each event's data, and knows the run, the steps and the messages that they make.

    A whole object takes the place of what was gathered, a delta is merged in. Whatever a server says, nothing fails
    here but more than there is room for.

    Args:
        max_bytes: how much the steps and messages may hold
        key: the run, where it is known

    Attributes:
        run: the run as told last; None before
        key: what names it; None before
    """

    def __init__(self, max_bytes: int, key: RunKey | None = None) -> None:
        self.run: Any = None
        self.key = key
        self._max_bytes = max_bytes
        self._size = 0  # at least what is held
        self._objects: dict[str, dict[str, _Object]] = {STEP: {}, MESSAGE: {}}

    def all(self, kind: str) -> list[Any]:
        """The steps or messages so far, in order of first appearance."""
        return [gathered.model(kind) for gathered in self._objects[kind].values()]

    def take(self, event: str, data: Any, size: int) -> tuple[Any, tuple[str, ...]]:
        """Takes an event's name and data, and how many bytes its data had.

        Returns:
            The data as what it is: a run, a step, a message, a delta, else the JSON value itself; and the pieces of
            text that it adds.

        Raises:
            APIResponseError: the steps and messages hold more than they may, or one is too deep.
        """
        kind = event if event.endswith(".delta") else event.rpartition(".")[0]
        own_id = data.get("id") if isinstance(data, dict) else None
        if kind not in MODELS or not isinstance(own_id, str) or not own_id.strip() or data.get("object", kind) != kind:
            return data, ()
        model, whole = _model(kind, data), kind.removesuffix(".delta")
        if whole not in self._objects:
            self.run = model
            with contextlib.suppress(TypeError, ValueError):  # it may leave out its thread, which others have told
                self.key = run_key(model)
            return model, ()
        if _is_too_deep(data):
            raise APIResponseError(f"an event of the stream is nested more than {MAX_DEPTH} deep")
        if own_id not in self._objects[whole]:
            self._objects[whole][own_id] = _Object({"id": own_id, "object": whole})
        gathered = self._objects[whole][own_id]
        texts: tuple[str, ...] = ()
        if kind == whole:
            gathered.replace(data)
            if event in (f"{MESSAGE}.completed", f"{MESSAGE}.incomplete") and not gathered.is_told:
                texts = _texts(data)  # of a server that sends no deltas
        else:
            gathered.merge(delta := _listed(data.get("delta")))
            texts = _texts(delta) if whole == MESSAGE else ()
        gathered.is_told = gathered.is_told or bool(texts)
        self._size += size
        if self._size > self._max_bytes:  # what was sent; what is held of it may be less: much may have been replaced
            self._size = sum(_weight(item.json) for items in self._objects.values() for item in items.values())
        if self._size > self._max_bytes:
            raise APIResponseError(
                f"the stream's steps and messages are larger than max_response_bytes={self._max_bytes}; allow more"
            )
        return model, texts

    def put(self, kind: str, models: list[Any]) -> None:
        """Takes whole objects that were read apart from the stream, in the place of what was gathered of the kind."""
        ids = (name_in(model._json, "id") or str(number) for number, model in enumerate(models))
        self._objects[kind] = {own_id: _Object(model._json) for own_id, model in zip(ids, models, strict=True)}


class _Object:
    """A step or message as gathered, opened so that deltas can be merged in; what a caller holds of it stays."""

    def __init__(self, json: dict[str, Any]) -> None:
        self.is_told = False
        self.replace(json)

    def replace(self, json: dict[str, Any]) -> None:
        self.json = _open(json)
        self._model: Any = None

    def merge(self, delta: dict[str, Any]) -> None:
        self._model = None
        _merge(self.json, delta, False)

    def model(self, kind: str) -> Any:
        if self._model is None:
            self._model = _model(kind, _closed(self.json))
        return self._model


def _model(kind: str, json: dict[str, Any]) -> Model:
    model: type[Model] = getattr(import_module("openai_thread_runs_api.models"), MODELS[kind])
    return model._of(json)


def _listed(delta: Any) -> dict[str, Any]:
    """A delta with its content as a list of items: some servers send the one item by itself."""
    delta = delta if isinstance(delta, dict) else {}
    content = delta.get("content")
    return {**delta, "content": [{"index": 0, **content}]} if isinstance(content, dict) else delta


def _texts(message: dict[str, Any]) -> tuple[str, ...]:
    """The texts of a message's or a delta's content, whatever shape it is of."""
    content = message.get("content")
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    values = [text.get("value") for text in parts if isinstance(text, dict)]
    return tuple(value for value in values if isinstance(value, str) and value)


class _Items(dict[int, dict[str, Any]]):
    """A list's objects by their index, in whatever order they come."""


def _merge(old: dict[str, Any], delta: dict[str, Any], in_item: bool) -> None:
    """Merges a delta in.

    Args:
        old: what was gathered, opened
        delta: what has changed
        in_item: whether it is, or is in, an item told by its index: only there texts are appended
    """
    for key, new in delta.items():
        now = old.get(key)
        if isinstance(new, dict):
            if type(now) is not dict:
                now = old[key] = {}
            _merge(now, new, in_item)
        elif _are_items(new) or (new == [] and isinstance(now, _Items)):
            if not isinstance(now, _Items):
                now = old[key] = _Items()
            for position, item in enumerate(new):
                rest = dict(item)
                index = rest.pop("index", None)
                _merge(now.setdefault(index if _is_index(index) else position, {}), rest, True)
        elif in_item and key in APPENDED and isinstance(now, (str, io.StringIO)) and isinstance(new, str | None):
            if isinstance(now, str):  # n pieces cost n, where adding each to a text would cost n²
                old[key] = io.StringIO()
                old[key].write(now)
            old[key].write(new or "")
        else:
            old[key] = _open(new)


def _are_items(value: Any) -> bool:
    """Whether it is a list of objects of which one tells its index."""
    are_objects = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return are_objects and any(_is_index(item.get("index")) for item in value)


def _is_index(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        parents = [parent.values() if isinstance(parent, dict) else parent for parent in level]
        level = [item for parent in parents for item in parent if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _open(value: Any) -> Any:
    """A JSON value as what deltas can be merged into; it shares nothing that merging changes."""
    if isinstance(value, dict):
        return {key: _open(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return _Items(enumerate(map(_open, value)))
    return value


def _closed(value: Any) -> Any:
    """The JSON value of an opened one."""
    if isinstance(value, io.StringIO):
        return value.getvalue()
    if isinstance(value, _Items):
        return [_closed(item) for _, item in sorted(value.items())]
    if isinstance(value, dict):
        return {key: _closed(item) for key, item in value.items()}
    return value


def _weight(value: Any) -> int:
    """About how many bytes an opened value takes."""
    if isinstance(value, (str, io.StringIO)):
        return len(value) if isinstance(value, str) else value.tell()
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return sum(NODE_BYTES + _weight(item) for item in value) if isinstance(value, list) else 0
