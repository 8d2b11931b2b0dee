"""What every generated model is: a view on one JSON object, which it keeps exactly as it was sent.

A model holds the object (`_json`) and reads a field when the field is first asked for: a plain value comes as it was
sent, an object or a list of objects is built into models once and kept. So reading a page costs what is read of it,
and nothing that a server sends, known or not, well-formed or not, is lost or refused:

- a key that is not there reads as None, required or optional;
- a value of another type than the spec says is given as it was sent;
- an object of a kind that the spec does not know is an `UnknownObject`, though no declared type says so: a type
  checker narrows the members of a union by `type_` only where each has a literal one;
- a free-form object, `metadata` say, is a dict (`FreeForm`), a copy that the caller may change;
- `to_dict()` and `dict(model)` give the JSON object back, unknown keys included, and `to_json()` its text.

Models are read-only; `type(model).from_dict(dict(model) | changes)` makes a changed copy of one. (`attrs.evolve` does
too, but writes null for every field that was not there.) `attrs.asdict` gives all that was sent, under the fields'
names: None for what was not, and what the spec does not name under `additional_properties`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping
from gc import is_tracked
from importlib import import_module
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

import attrs

from .types import UNSET

Reader = Callable[[Any], Any]
"""Makes what a field gives of the JSON value that was sent."""

V = TypeVar("V")

unset: Any = UNSET
"""The default of a field that need not be given: it is not sent, and reads as None."""

_CONTAINERS = frozenset((dict, list))
_new = object.__new__
_encode = JSONEncoder(check_circular=False).encode  # what was sent as JSON has no circles
_set = object.__setattr__  # what a frozen model lets through; it keeps Python's compact form of a `__dict__`


def _copy(value: Any) -> Any:
    """The same JSON value, sharing no object and no list with the first, however deep it is."""
    if type(value) not in _CONTAINERS:
        return value
    copied = value.copy()
    parts = [copied]
    for part in parts:  # more are added meanwhile
        for key, item in part.items() if type(part) is dict else enumerate(part):
            if type(item) in _CONTAINERS:
                part[key] = inner = item.copy()
                if is_tracked(inner):  # an object that the garbage collector leaves alone has no other in it
                    parts.append(inner)
    return copied


def _plain(value: Any) -> Any:
    """The JSON value of what a caller built a model from: models, mappings and sequences inside it included."""
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def sent_as(key: str, read: Reader | None = None) -> dict[str, Any]:
    """The metadata of a field: the key it is sent under, and how its value is read where that is not as it was sent."""
    return {"key": key, "read": read}


def _value(key: str) -> property:
    """A field that gives a value as it was sent."""

    def read(model: Model) -> Any:
        value = model._json.get(key)
        return _copy(value) if type(value) in _CONTAINERS else value

    return property(read)


class _Part:
    """A field that holds an object or a list: read once, then kept in the model's `__dict__`, which hides this."""

    __slots__ = ("_key", "_name", "_read")

    def __init__(self, name: str, key: str, read: Reader) -> None:
        self._name = name
        self._key = key
        self._read = read

    def __get__(self, model: Model | None, owner: type[Model]) -> Any:
        if model is None:
            return self
        value = model._json.get(self._key)
        if value is not None:
            value = self._read(value)
        _set(model, self._name, value)
        return value


class Model:
    """The base of all generated models; see the module's text."""

    __slots__ = ("_json",)
    if TYPE_CHECKING:  # else `typing.get_type_hints` would give them beside the fields
        _json: dict[str, Any]
        _names: ClassVar[dict[str, str]]
        _kinds: ClassVar[tuple[str, ...]]
        __attrs_attrs__: ClassVar[Any]

        def __bool__(self) -> Literal[True]: ...  # as any object; `run.usage and run.usage.total_tokens` wants it said

    _names = {}  # noqa: RUF012  # the fields' names by their keys
    _kinds = ()

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        """Puts a reading attribute in the place of each field that attrs has collected."""
        cls._names = {}
        for field in attrs.fields(cls):
            if field.metadata:  # all but `additional_properties`
                key, read = field.metadata["key"], field.metadata["read"]
                setattr(cls, field.name, _Part(field.name, key, read) if read else _value(key))
                cls._names[key] = field.name

    def __attrs_post_init__(self) -> None:
        """Turns what the caller gave for the fields into the JSON object that the model holds."""
        given = self.__dict__
        json = {key: _plain(v) for key, name in self._names.items() if (v := given[name]) is not UNSET}
        additional = given["additional_properties"] or {}
        json |= {key: _plain(v) for key, v in additional.items() if key not in self._names}
        _set_json(self, json)
        given.clear()

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """Reads a JSON object, which is copied.

        Args:
            src_dict: the object's keys and values, as `json.loads` gives them. Any keys do.

        Returns:
            The model. Nothing is checked: see the module's text for what odd values read as.
        """
        return cls._of(_copy(dict(src_dict)))

    @classmethod
    def _of(cls, json: dict[str, Any]) -> Self:
        """As `from_dict`, for a caller that gives the object away: it is kept, not copied."""
        self = _new(cls)
        _set_json(self, json)
        return self

    @classmethod
    def _of_all(cls, objects: list[dict[str, Any]]) -> list[Self]:
        """As `_of`, for each object of a list, in a single call."""
        models = []
        for json in objects:
            model = _new(cls)
            _set_json(model, json)
            models.append(model)
        return models

    def to_dict(self) -> dict[str, Any]:
        """The JSON object as it was sent, unknown keys included: a new dict, which shares nothing with the model."""
        copied: dict[str, Any] = _copy(self._json)
        return copied

    def to_json(self) -> str:
        """The JSON object as it was sent, as one line of ASCII: what `json.dumps(model.to_dict())` gives, sooner."""
        return _encode(self._json)

    @property
    def additional_properties(self) -> dict[str, Any] | None:
        """The keys that the spec does not name, with a copy of their values; None where there are none."""
        return {key: _copy(value) for key, value in self._json.items() if key not in self._names} or None

    @property
    def additional_keys(self) -> list[str]:
        """The names of the keys that the spec does not name."""
        return [key for key in self._json if key not in self._names]

    def keys(self) -> KeysView[str]:
        """The keys that were sent: with them `dict(model)` is the JSON object, the same as `to_dict()`."""
        return self._json.keys()

    def __getitem__(self, key: str) -> Any:
        return _copy(self._json[key])

    def __contains__(self, key: object) -> bool:
        return key in self._json

    def __iter__(self) -> Iterator[str]:
        return iter(self._json)

    def __eq__(self, other: object) -> bool:
        return self._json == other._json if isinstance(other, Model) and type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of any attrs class that compares by value

    def __repr__(self) -> str:
        keys = [key for key in self._json if key in self._names]
        try:
            shown = [f"{self._names[key]}={getattr(self, self._names[key])!r}" for key in keys]
            if self.additional_properties:
                shown.append(f"additional_properties={self.additional_properties!r}")
        except RecursionError:
            shown = ["nested too deeply to be shown"]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        """The keys that were sent and their values as an HTML table, for notebooks."""
        from .model_html import object_table

        return object_table(self._json)

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Self], tuple[dict[str, Any]]]:
        return type(self)._of, (self._json,)


_set_json = Model.__dict__["_json"].__set__


class FreeForm(dict[str, V]):
    """An object whose keys are its sender's own: a dict, made and given back like any other model."""

    _kinds: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """Reads a JSON object, which is copied."""
        return cls(_copy(dict(src_dict)))

    def to_dict(self) -> dict[str, V]:
        """The same as a plain dict, which shares nothing with this one."""
        copied: dict[str, V] = _copy(dict(self))
        return copied

    additional_properties = property(to_dict)


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class UnknownObject(Model):
    """An object of a kind that the spec does not name: a tool call or step details of a later or other server.

    Its keys are read as items (`call["id"]`) or, where they were sent, as attributes (`call.id`).

    Attributes:
        type_ (str | None): the kind that the server gave; None where it gave none
    """

    type_: str | None = attrs.field(default=unset, metadata=sent_as("type"))
    additional_properties: dict[str, Any] | None = attrs.field(default=unset, kw_only=True)

    def __getattr__(self, name: str) -> Any:
        key = name.removesuffix("_")
        if name.startswith("_") or key not in self._json:
            raise AttributeError(f"this object of type {self.type_!r} has no {key!r}; it has {sorted(self._json)}")
        return self[key]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._json!r})"


class one_of:  # noqa: N801  # reads as a word in the generated fields
    """Reads an object as the one of the named models that is of its kind (its `type`).

    With a single model every object is of that model. With several, an object whose `type` none of them has is read
    as the one model that has no `type` of its own, else as an `UnknownObject`.
    """

    __slots__ = ("_by_kind", "_default", "_free_form", "_names")

    def __init__(self, *names: str) -> None:
        self._names = names
        self._by_kind: dict[str, type[Model]] | None = None
        self._default: Any = UnknownObject
        self._free_form: Any = None  # the one of them that is a dict

    def _load(self) -> dict[str, type[Model]]:
        """Imports the models when an object is first read, so that importing one model imports no other."""
        models = import_module(f"{__package__}.models")
        classes: list[Any] = [getattr(models, name) for name in self._names]
        self._free_form = next((cls for cls in classes if issubclass(cls, FreeForm)), None)
        general = classes if len(classes) == 1 else [cls for cls in classes if not cls._kinds]
        if len(general) == 1:
            self._default = general[0]
        by_kind = {} if len(classes) == 1 else {kind: cls for cls in classes for kind in cls._kinds}
        self._by_kind = by_kind
        return by_kind

    def __call__(self, value: Any) -> Any:
        if value.__class__ is not dict:
            return _copy(value)
        by_kind = self._by_kind
        if by_kind is None:
            by_kind = self._load()
        cls = self._default
        if by_kind:
            kind = value.get("type")
            if kind.__class__ is str:
                cls = by_kind.get(kind, cls)
        if cls is self._free_form:
            return cls.from_dict(value)
        part = _new(cls)
        _set_json(part, value)
        return part


class list_of:  # noqa: N801  # reads as a word in the generated fields
    """Reads each object of a list; what is no list is given as it was sent."""

    __slots__ = ("_read",)

    def __init__(self, read: Reader) -> None:
        self._read = read

    def __call__(self, value: Any) -> Any:
        if value.__class__ is not list:
            return _copy(value)
        read = self._read
        return [read(item) for item in value]


class either:  # noqa: N801  # reads as a word in the generated fields
    """Reads a list as a list and an object as an object, where a field may hold both."""

    __slots__ = ("_list", "_object")

    def __init__(self, list_: Reader, object_: Reader) -> None:
        self._list = list_
        self._object = object_

    def __call__(self, value: Any) -> Any:
        return self._list(value) if value.__class__ is list else self._object(value)
