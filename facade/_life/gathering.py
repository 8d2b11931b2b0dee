"""Puts together what a stream tells piece by piece: its run, and its steps and messages as far as they are known."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeGuard

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

NODE_BYTES = 16
"""What each key and each item counts for in addition to its text, so that a great many empty ones count too."""


MAX_DEPTH = 100
"""The deepest nesting of a step or message that is merged; what the protocol has in it is less than 20 deep."""


class Gathering:
    """Takes each event's data, and knows the run, the steps and the messages that they make.

    A whole object takes the place of what was gathered, a delta is merged in. Whatever a server says, nothing fails
    here but more than there is room for.

    Args:
        max_bytes: how much the steps and messages may hold

    Attributes:
        run: the run as told last; None before
    """

    def __init__(self, max_bytes: int) -> None:
        self.run: Any = None
        self._max_bytes = max_bytes
        self._size = 0  # at least what is held
        self._objects: dict[str, dict[str, _Object]] = {STEP: {}, MESSAGE: {}}

    @property
    def steps(self) -> list[Any]:
        """The steps so far, in order of first appearance."""
        return [step.model(STEP) for step in self._objects[STEP].values()]

    @property
    def messages(self) -> list[Any]:
        """The messages so far, in order of first appearance."""
        return [message.model(MESSAGE) for message in self._objects[MESSAGE].values()]

    def take(self, event: str, data: Any, size: int) -> tuple[Any, tuple[str, ...]]:
        """Takes an event's name and data, and how many bytes its data had.

        Returns:
            The data as what it is: a run, a step, a message, a delta, else the JSON value itself; and the pieces of
            text that it adds.

        Raises:
            APIResponseError: the steps and messages hold more than they may, or one is too deep.
        """
        kind = _kind(event)
        object_id = data.get("id") if isinstance(data, dict) else None
        if not kind or not isinstance(object_id, str) or not object_id.strip() or data.get("object", kind) != kind:
            return data, ()
        model = _model(kind, data)
        if kind == "thread.run":
            self.run = model
            return model, ()
        if _is_too_deep(data):
            raise APIResponseError(f"an event of the stream is nested more than {MAX_DEPTH} deep")
        objects = self._objects[kind.removesuffix(".delta")]
        if object_id not in objects:
            objects[object_id] = _Object({"id": object_id, "object": kind.removesuffix(".delta")})
        gathered = objects[object_id]
        texts: tuple[str, ...] = ()
        if kind in self._objects:
            gathered.replace(data)
            if event in ("thread.message.completed", "thread.message.incomplete") and not gathered.is_told:
                texts = _texts(data)  # of a server that sends no deltas
        else:
            gathered.merge(delta := _listed(data.get("delta")))
            texts = _texts(delta) if kind == f"{MESSAGE}.delta" else ()
        gathered.is_told = gathered.is_told or bool(texts)
        self._check_size(size)
        return model, texts

    def _check_size(self, added: int) -> None:
        """Counts what was sent, and only where that is too much what is held of it: much may have been replaced."""
        self._size += added
        if self._size > self._max_bytes:
            self._size = sum(_weight(item.json) for items in self._objects.values() for item in items.values())
        if self._size > self._max_bytes:
            raise APIResponseError(
                f"the stream's steps and messages are larger than max_response_bytes={self._max_bytes}; allow more"
            )

    def put(self, kind: str, models: list[Any]) -> None:
        """Takes whole objects that were read apart from the stream, in the place of what was gathered of the kind."""
        self._objects[kind] = {model.id: _Object(model._json) for model in models}


class _Object:
    """A step or message as gathered: as it was sent while it is whole, else with its deltas merged in."""

    def __init__(self, json: dict[str, Any]) -> None:
        self.is_told = False
        self.replace(json)

    def replace(self, json: dict[str, Any]) -> None:
        self.json = json
        self._is_sent = True
        self._model: Any = None

    def merge(self, delta: Any) -> None:
        if self._is_sent:
            self.json, self._is_sent = _open(self.json), False  # a caller may hold it as a model, which stays
        self._model = None
        if isinstance(delta, dict):
            _merge(self.json, delta, False)

    def model(self, kind: str) -> Any:
        if self._model is None:
            self._model = _model(kind, self.json if self._is_sent else _closed(self.json))
        return self._model


def _kind(event: str) -> str:
    """What an event's data should be, by its name: `thread.run.step.delta`, `thread.run.step` for all others of it."""
    if event in MODELS:
        return event if event.endswith(".delta") else ""
    return event.rpartition(".")[0] if event.rpartition(".")[0] in MODELS else ""


def _model(kind: str, json: dict[str, Any]) -> Model:
    model: type[Model] = getattr(import_module("openai_thread_runs_api.models"), MODELS[kind])
    return model._of(json)


def _listed(delta: Any) -> Any:
    """A delta with its content as a list of items: some servers send the one item by itself."""
    content = delta.get("content") if isinstance(delta, dict) else None
    return {**delta, "content": [{"index": 0, **content}]} if isinstance(content, dict) else delta


def _texts(message: Any) -> tuple[str, ...]:
    """The texts of a message's or a delta's content, whatever shape it is of."""
    content = message.get("content") if isinstance(message, dict) else None
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
            if not isinstance(now, dict) or isinstance(now, _Items):
                now = old[key] = {}
            _merge(now, new, in_item)
        elif _is_items(new) or (new == [] and isinstance(now, _Items)):
            if not isinstance(now, _Items):
                now = old[key] = _Items()
            for position, item in enumerate(new):
                index = item.get("index")
                held = now.setdefault(index if _is_index(index) else position, {})
                _merge(held, {name: value for name, value in item.items() if name != "index"}, True)
        elif in_item and key in APPENDED and isinstance(now, (str, io.StringIO)) and isinstance(new, str | None):
            if isinstance(now, str):  # n pieces cost n, where adding each to a text would cost n²
                old[key] = io.StringIO()
                old[key].write(now)
            old[key].write(new or "")
        else:
            old[key] = _open(new)


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        parents = [parent.values() if isinstance(parent, dict) else parent for parent in level]
        level = [item for parent in parents for item in parent if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _is_index(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_items(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(item, dict) for item in value)
        and any(_is_index(item.get("index")) for item in value)
    )


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
    if isinstance(value, str):
        return len(value)
    if isinstance(value, io.StringIO):
        return value.tell()
    if isinstance(value, dict):
        return sum(NODE_BYTES + (0 if isinstance(value, _Items) else len(key)) + _weight(value[key]) for key in value)
    return sum(NODE_BYTES + _weight(item) for item in value) if isinstance(value, list) else 0
