"""Compare two pinned descriptions: how they differ, and for whom a difference breaks something.

Two people are told apart. A reader reads answers, and sends the GET requests that fetch them; a writer sends requests.
What is promised of an answer must stay true for a reader: a field that may be missing, or null, or of another type,
breaks code that relied on it. What a writer sends must still be taken: a new required field or a narrower bound breaks
that. Lists of values and kinds of objects are open here (the models read unknown ones), so a new one breaks nobody.

As of 2026-11 no Python library compares OpenAPI 3.1 so; oasdiff does, and is a Go program.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from scripts.spec.description import FORMATS, PLACE_KEYS, Description, Form, Key, quoted, request_line
from scripts.spec.differences import Difference, Who

# What a change does to the set of values that may be sent. "open" is a wider one that nobody minds.
_Effect = Literal["narrower", "wider", "other", "open"]


class _Side(NamedTuple):
    """Whether something is sent or answered, and whom that concerns."""

    is_request: bool
    who: frozenset[Who]


_ANSWER = _Side(False, frozenset({"readers"}))
_WRITE = _Side(True, frozenset({"writers"}))
_READ = _Side(True, frozenset({"readers", "writers"}))  # to read takes GET requests
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_TYPE_WORDS = {"string": "a text", "integer": "an integer", "object": "an object", "array": "a list", "null": "null"}
# What a form says otherwise than by a bound.
_STRUCTURE = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", *FORMATS}
_PARAMETER_STRUCTURE = {"name", "in", "description", "required", "schema", "deprecated"}


def describe(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Give the differences that matter to a caller.

    Args:
        old: a pinned description, as `pin` gives it
        new: the one to compare it with

    Returns:
        Those of operations, in their order, then those of schemas, by name. What several operations share is there
        once. Prose makes no difference.
    """
    old_side, new_side = Description(old), Description(new)
    while renamed := _renamed(old_side, new_side):
        new_side = Description(new, {**new_side.names, **renamed})
    return _Comparison(old_side, new_side).differences()


def _renamed(old: Description, new: Description) -> dict[str, str]:
    """Give the old names, by the new ones, of schemas that stand in one place under two names."""

    def names(side: Description, node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            if key == "$ref" and isinstance(value, str) and "/schemas/" in value:
                yield path, side.name(value)
            yield from names(side, value, (*path, key))

    olds, news = (dict(names(side, [list(side.operations.values()), side.schemas])) for side in (old, new))
    pairs = {olds[path]: news[path] for path in olds.keys() & news.keys()}
    lost, found = old.schemas.keys() - new.schemas.keys(), new.schemas.keys() - old.schemas.keys()
    return {after: before for before, after in pairs.items() if before in lost and after in found}


class _Comparison:
    """A walk through two descriptions at once that gathers what differs."""

    def __init__(self, old: Description, new: Description) -> None:
        self.old = old
        self.new = new
        self.found: dict[tuple[str, str, str], Difference] = {}
        self.seen: set[tuple[str, bool]] = set()
        self.pairs = self._pairs()
        # The ids of the operations that each schema is part of, and the sides that it is on.
        self.uses: dict[str, set[tuple[str, _Side]]] = {}
        for description in (old, new):
            for key, operation in description.operations.items():
                request = {**operation, "responses": None}
                for side, parts in ((_request_side(key), request), (_ANSWER, operation["responses"])):
                    for name in description.schemas_of(parts):
                        self.uses.setdefault(name, set()).add((description.operation_id(key), side))
        # Where the walk is: whose part, and the sides that it is on.
        self.owner = ""
        self.sides: set[_Side] = set()

    def differences(self) -> list[Difference]:
        """Walk, and give what was found."""
        for key in self.old.operations:
            if key in self.pairs:
                self._operation(key, self.pairs[key])
            else:
                self._tell_operation(self.old, key, "removed", "other")
        for key in self.new.operations:
            if key not in self.pairs.values():
                self._tell_operation(self.new, key, "added", "open")
        kept = set().union(*(self.old.schemas_of(self.old.operations[key]) for key in self.pairs))
        for name in sorted(kept):
            self.owner, self.sides = name, {side for _, side in self.uses[name]}
            if name in self.new.names.values():
                new_name = next(after for after, before in self.new.names.items() if before == name)
                self._tell("", f"is called {quoted(new_name)} now", "other")
            elif name not in self.new.schemas:  # a model of that name can no longer be imported
                self._tell("", "removed", "other")
        told = self.found.values()
        by_schemas = sorted((each for each in told if each.owner in self.uses), key=lambda each: each.owner)
        return [each for each in told if each.owner not in self.uses] + [
            each._replace(operations=tuple(sorted({id_ for id_, _ in self.uses[each.owner]}))) for each in by_schemas
        ]

    def _pairs(self) -> dict[Key, Key]:
        """Pair the operations by request line, whatever its parameters are called, and what is left by id."""
        blanks = {_blank(key): key for key in self.new.operations}
        pairs = {key: blanks[_blank(key)] for key in self.old.operations if _blank(key) in blanks}
        ids = {self.new.operation_id(key): key for key in self.new.operations.keys() - pairs.values()}
        left = (key for key in self.old.operations if key not in pairs and self.old.operation_id(key) in ids)
        return pairs | {key: ids[self.old.operation_id(key)] for key in left}

    # Operations

    def _operation(self, old_key: Key, new_key: Key) -> None:
        old, new = self.old.operations[old_key], self.new.operations[new_key]
        self.owner, self.sides = self.old.operation_id(old_key), {_READ}
        if self.owner != self.new.operation_id(new_key):
            self._tell("", f"is called {quoted(self.new.operation_id(new_key))} now", "other")
        if _blank(old_key) != _blank(new_key):
            self._tell("", f"{quoted(request_line(old_key))} → {quoted(request_line(new_key))}", "other")
        if old.get("deprecated", False) != new.get("deprecated", False):
            self._tell("", "deprecated" if new.get("deprecated") else "not deprecated now", "open")
        self.sides = {_request_side(old_key)}
        parameters, new_parameters = self.old.parameters(old_key), self.new.parameters(new_key)
        for part, old_one, new_one in self._both(parameters, new_parameters, " {0[0]} parameter {0[1]}"):
            self._annotations(part, ["deprecated"], old_one, new_one)
            for key in sorted((old_one.keys() | new_one.keys()) - _PARAMETER_STRUCTURE):
                self._tell_value(part, key, old_one.get(key), new_one.get(key), "other")
            self._schema(part, old_one.get("schema", {}), new_one.get("schema", {}))
        old_body, new_body = ({"body": op["requestBody"]} if "requestBody" in op else {} for op in (old, new))
        for part, old_one, new_one in self._both(old_body, new_body, " {0}"):
            self._content(part, old_one, new_one)
        self.sides = {_ANSWER}
        errors = [status for status in old["responses"] if not status.startswith("2")]  # which any server may leave out
        for part, old_one, new_one in self._both(old["responses"], new["responses"], " answer {0}", errors):
            self._content(part, old_one, new_one)
            headers, new_headers = old_one.get("headers", {}), new_one.get("headers", {})
            for place, old_header, new_header in self._both(headers, new_headers, f"{part} header {{0}}"):
                self._schema(place, old_header.get("schema", {}), new_header.get("schema", {}))

    def _tell_operation(self, side: Description, key: Key, change: str, effect: _Effect) -> None:
        self.owner, self.sides = side.operation_id(key), {_READ, _ANSWER}
        self._tell("", f"{change} ({request_line(key)})", effect)

    def _both(
        self, olds: dict[Any, Any], news: dict[Any, Any], place: str, details: Collection[Any] = ()
    ) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Tell what came and what went (a detail breaks nobody), and give the place and both sides of what stayed."""
        for name in sorted(olds.keys() | news.keys()):
            part = place.format(name)
            old, new = self.old.part(olds.get(name, {})), self.new.part(news.get(name, {}))
            if name not in news:
                self._tell(part, "removed", "narrower" if name in details else "other")
            elif name not in olds:
                self._tell_added(part, new.get("required") is True)
            else:
                self._tell_required(part, old.get("required") is True, new.get("required") is True)
                yield part, old, new

    def _content(self, part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        olds, news = old.get("content", {}), new.get("content", {})
        for media_type in sorted(olds.keys() | news.keys()):
            if media_type not in olds:
                self._tell(part, f"may be {quoted(media_type)} too", "open")
            elif media_type not in news:
                self._tell(part, f"is no {quoted(media_type)} any more", "other")
            else:
                self._schema(part, olds[media_type].get("schema", {}), news[media_type].get("schema", {}))

    # Schemas. `part` is the place within the owner. Names only: any other value of the type is taken as well.

    def _schema(self, part: str, old: dict[str, Any], new: dict[str, Any], names_only: bool = False) -> None:
        (old_name, old_null), (new_name, new_null) = self.old.named(old), self.new.named(new)
        is_shared: bool = old_name is not None and old_name == new_name
        self._annotations(part, PLACE_KEYS, old, new)
        old_forms, new_forms = self.old.forms(old), self.new.forms(new)
        is_nullable = any(form.type == "null" for form in new_forms)
        if is_nullable != any(form.type == "null" for form in old_forms) and (not is_shared or old_null != new_null):
            self._tell(part, *(("may be null now", "wider") if is_nullable else ("is never null now", "narrower")))
        if is_shared:
            self._shared(str(old_name), names_only)
        else:
            self._forms(part, _without_null(old_forms), _without_null(new_forms), names_only)

    def _shared(self, name: str, names_only: bool) -> None:
        """Compare a schema that several parts share, once."""
        if (name, names_only) not in self.seen:
            self.seen.add((name, names_only))
            here = self.owner, self.sides
            self.owner, self.sides = name, {side for _, side in self.uses[name]}
            self._schema("", self.old.schemas[name], self.new.schemas[name], names_only)
            self.owner, self.sides = here

    def _forms(self, part: str, olds: list[Form], news: list[Form], names_only: bool) -> None:
        """Compare what a value may be on both sides, form by form."""
        pairs, gone, came = self._matched(olds, news)
        is_choice: bool = len(olds) > 1 or len(news) > 1
        for old, new in pairs:
            only = names_only or any(form.is_plain and form.type == new.type for form in news)
            if old.name and old.name == new.name:
                self._shared(old.name, only)
            else:
                self._form(f"{part} ({self._label(old)})" if is_choice else part, old, new, only)
        for old in gone:
            covered = any(new.is_plain and new.type in (old.type, None) for new in news)
            self._tell(part, f"is never {self._label(old)} now", "open" if covered else "narrower")
        for new in came:
            covered = any(old.is_plain and old.type in (new.type, None) for old in olds)
            is_kind = new.type == "object" and any(old.type == "object" for old in olds)
            self._tell(part, f"may be {self._label(new)} too", "open" if covered or is_kind else "wider")

    def _matched(self, olds: list[Form], news: list[Form]) -> tuple[list[tuple[Form, Form]], list[Form], list[Form]]:
        """Pair forms that are of one name, of one kind or of one type, in this order; a lone one is paired anyhow."""
        if len(olds) == len(news) == 1:
            return [(olds[0], news[0])], [], []

        def signs(side: Description, form: Form) -> tuple[Any, ...]:
            kinds = [each.values for each in side.forms(form.node.get("properties", {}).get("type", {}))]
            return (form.name, *((kinds, None, None) if any(kinds) else (None, (form.type, form.is_plain), form.type)))

        pairs: list[tuple[Form, Form]] = []
        olds, news = list(olds), list(news)
        for rank in range(4):
            for old in list(olds):
                sign = signs(self.old, old)[rank]
                new = next((new for new in news if sign is not None and signs(self.new, new)[rank] == sign), None)
                if new is not None:
                    pairs.append((old, new))
                    olds.remove(old)
                    news.remove(new)
        return pairs, olds, news

    def _label(self, form: Form) -> str:
        """Name a form among others."""
        if form.name:
            return quoted(form.name)
        if form.values is not None:
            return _listed(form.values) if len(form.values) < 4 else f"one of {len(form.values)} values"
        if form.type != "array":
            return _TYPE_WORDS.get(form.type, f"a {form.type}") if form.type else "anything"
        items = form.node.get("items", {})
        name = self.old.named(items)[0]
        return f"a list of {quoted(name) if name else items.get('type', 'anything')}"

    def _form(self, part: str, old: Form, new: Form, names_only: bool) -> None:
        if old.type != new.type:
            effect: _Effect = "other"
            if new.type is None or (old.type, new.type) == ("integer", "number"):
                effect = "wider"
            elif old.type is None or (new.type, old.type) == ("integer", "number"):
                effect = "narrower"
            self._tell(part, f"is {self._label(new)} now, was {self._label(old)}", effect)
            if effect == "other":
                return
        self._values(part, old.values, new.values, names_only)
        for key in sorted((old.node.keys() | new.node.keys()) - _STRUCTURE):
            before, after = old.node.get(key), new.node.get(key)
            effect = "narrower" if before is None else "wider" if after is None else "other"
            if before is not None and after is not None and before != after and key in _LOWER_BOUNDS | _UPPER_BOUNDS:
                effect = "narrower" if (after > before) == (key in _LOWER_BOUNDS) else "wider"
            self._tell_value(part, key, before, after, effect)
        self._annotations(part, FORMATS, old.node, new.node)
        self._fields(part, old.node, new.node)
        if "items" in old.node or "items" in new.node:
            self._schema(f"{part}[]", old.node.get("items", {}), new.node.get("items", {}))

    def _values(self, part: str, olds: list[Any] | None, news: list[Any] | None, names_only: bool) -> None:
        suffix = "; names only: any other value is still taken" * names_only
        if olds is None or news is None:
            if news is not None:
                self._tell(part, f"one of {_listed(news)} now, was any", "narrower")
            elif olds is not None:
                self._tell(part, f"any value now, was one of {_listed(olds)}", "open")
            return
        gone, came = [value for value in olds if value not in news], [value for value in news if value not in olds]
        if gone == olds:
            self._tell(part, f"{_listed(olds)} → {_listed(news)}{suffix}", "other")
            return
        if gone:
            self._tell(part, f"no longer {_listed(gone)}{suffix}", "open" if names_only else "narrower")
        if came:
            self._tell(part, f"{_listed(came)} too{suffix}", "open")

    def _annotations(self, part: str, keys: Iterable[str], old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in keys:
            # Who leaves out what has a default gets something else now.
            effect: _Effect = "narrower" if key == "default" and key in old and key in new else "open"
            self._tell_value(part, key, old.get(key), new.get(key), effect)

    def _fields(self, part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        olds, news = old.get("properties", {}), new.get("properties", {})
        old_required, new_required = old.get("required", []), new.get("required", [])
        for name in dict.fromkeys([*olds, *news, *old_required, *new_required]):
            place = f"{part}.{name}"
            if name not in olds and name in news:
                self._tell_added(place, name in new_required)
            elif name in olds and name not in news:
                self._tell(place, "removed", "other")
            else:
                self._tell_required(place, name in old_required, name in new_required)
                self._schema(place, olds.get(name, {}), news.get(name, {}))
        old_rest, new_rest = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if (old_rest is False) != (new_rest is False):
            now, effect = ("are refused", "narrower") if new_rest is False else ("may be there", "open")
            self._tell(part, f"other fields {now} now", effect)
        elif isinstance(old_rest, dict) or isinstance(new_rest, dict):
            self._schema(f"{part}.*", *({} if isinstance(rest, bool) else rest for rest in (old_rest, new_rest)))

    # What is told

    def _tell_required(self, part: str, was_required: bool, is_required: bool) -> None:
        if is_required and not was_required:
            self._tell(part, "is required now", "narrower")
        elif was_required and not is_required:
            self._tell(part, "is no longer required", "wider")

    def _tell_added(self, part: str, is_required: bool) -> None:
        self._tell(part, *(("added, and required", "narrower") if is_required else ("added", "open")))

    def _tell_value(self, part: str, key: str, old: Any, new: Any, effect: _Effect) -> None:
        if old != new:
            was = f"{quoted(old)} → {quoted(new)}"
            if old is None or new is None:
                was = f"{quoted(new)}, was not said" if old is None else f"is no longer said, was {quoted(old)}"
            self._tell(part, f"{key} {was}", effect, is_annotation=effect == "open")

    def _tell(self, part: str, words: str, effect: Any, *, is_annotation: bool = False) -> None:
        """Note a difference, with whom it touches and breaks on any side that it is on."""
        touches: frozenset[Who] = frozenset()
        breaks: frozenset[Who] = frozenset()
        for side in self.sides:
            touches |= side.who
            if effect in (("narrower", "other") if side.is_request else ("wider", "other")):
                breaks |= side.who
        told = Difference(self.owner, part, words, touches, breaks, is_annotation=is_annotation)
        self.found[self.owner, part, words] = told


def _blank(key: Key) -> str:
    """Give a request line without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", request_line(key))


def _request_side(key: Key) -> _Side:
    return _READ if key[0] == "get" else _WRITE


def _without_null(forms: list[Form]) -> list[Form]:
    return [form for form in forms if form.type != "null"]


def _listed(values: list[Any]) -> str:
    return ", ".join(map(quoted, values))
