"""Say in words how two pinned descriptions differ, and for whom a difference breaks something.

Two people are told apart. A reader reads answers, and sends the GET requests that fetch them; a writer sends requests.
What is promised of an answer must stay true for a reader: a field that may be missing, or null, or of another type,
breaks code that relied on it. What a writer sends must still be taken: a new required field or a narrower bound breaks
that. Lists of values and kinds of objects are open here (the models read unknown ones), so a new one breaks nobody.

As of 2026-11 no Python library compares OpenAPI 3.1 so; oasdiff does, and is a Go program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from scripts.spec.description import FORMATS, PLACE_KEYS, Description, Form, Key, quoted, request_line

Who = Literal["readers", "writers"]
Bump = Literal["major", "minor", "patch", "none"]
Change = Literal["added", "removed", "changed"]
Kind = Literal[
    "operation",
    "parameter",
    "body",
    "answer",
    "schema",
    "field",
    "required",
    "type",
    "nullability",
    "enum",
    "bound",
    "annotation",
]
# What a change does to the set of values that may be sent. "open" is a wider one that nobody minds.
_Effect = Literal["narrower", "wider", "other", "open"]

_READERS: frozenset[Who] = frozenset({"readers"})
_WRITERS: frozenset[Who] = frozenset({"writers"})
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_TYPE_WORDS = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "object": "an object",
    "array": "a list",
    "null": "null",
    None: "anything",
}
# What a form says otherwise than by a bound.
_STRUCTURE = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", *FORMATS}
_PARAMETER_STRUCTURE = {"name", "in", "description", "required", "schema", "deprecated"}


@dataclass(frozen=True)
class Difference:
    """One difference between two pinned descriptions.

    Attributes:
        owner: the operation (by its id) or the schema that it is part of
        place: where it is, such as `listRuns query parameter limit` or `RunObject.last_error.code`; `[]` stands for an
            item of a list, `*` for a field of any name
        kind: what it is about
        change: whether that was added, removed or changed
        words: what happened there
        touches: whom it concerns
        breaks: for whom it breaks something: some of `touches`, or nobody
        operations: the ids of the operations that it is part of
        is_suggestion: whether it is about values that are only names: any other value is still taken
    """

    owner: str
    place: str
    kind: Kind
    change: Change
    words: str
    touches: frozenset[Who]
    breaks: frozenset[Who]
    operations: tuple[str, ...] = ()
    is_suggestion: bool = False

    @property
    def bump(self) -> Bump:
        """The part of the version number that it calls to raise."""
        return "major" if self.breaks else "patch" if self.kind == "annotation" else "minor"

    def __str__(self) -> str:
        return f"{self.place}: {self.words} ({self.concerns})"

    @property
    def concerns(self) -> str:
        """Whom it breaks something for, else whom it concerns, in words."""
        return ("breaks " if self.breaks else "for ") + " and ".join(sorted(self.breaks or self.touches))


def describe(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Give the differences that matter to a caller.

    Args:
        old: a pinned description, as `pin` gives it
        new: the one to compare it with

    Returns:
        Those of operations, in their order, then those of schemas, by name. What several operations share is there
        once. Prose makes no difference.
    """
    return _Comparison(Description(old), Description(new)).differences()


def bump(differences: Iterable[Difference]) -> Bump:
    """Give the part of the version number that all of them together call to raise."""
    called_for = {difference.bump for difference in differences}
    ranks: tuple[Bump, ...] = ("major", "minor", "patch")
    return next((rank for rank in ranks if rank in called_for), "none")


def as_text(differences: list[Difference]) -> str:
    """Word differences for a terminal: the verdict, which counts them, then the breaking ones, then the others.

    What is said of several places or owners in the same words stands in one line.
    """
    return _worded(differences, "\n{}:", "  {}", "    {}")


def as_markdown(differences: list[Difference]) -> str:
    """Word differences for a pull request or a changelog, as `as_text` does."""
    return _worded(differences, "\n### {}\n", "- {}", "  - {}", quoted)


def _worded(differences: list[Difference], title: str, owner: str, line: str, name: Any = str) -> str:
    lines = [_verdict(differences)]
    for heading, is_breaking in (("Breaking", True), ("Not breaking", False)):
        chosen = [difference for difference in differences if bool(difference.breaks) == is_breaking]
        if chosen:
            lines.append(title.format(heading))
        for (owners, operations), told in _folded(chosen, name).items():
            names = ", ".join(map(name, owners))
            part_of = f", part of {', '.join(map(name, operations))}" if operations else ""
            lines.append(owner.format(names + part_of))
            lines += map(line.format, told)
    return "\n".join(lines)


def _folded(differences: list[Difference], name: Any) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]]:
    """Give what is told, by the owners that it is told of and the operations that these are part of."""
    owners: dict[tuple[tuple[str, ...], str, str], list[str]] = {}
    for each in differences:
        part = each.place.removeprefix(each.owner).lstrip(" .")
        names_only = "; names only: any other value is still taken" if each.is_suggestion else ""
        words = f"{each.words}{names_only} ({each.concerns})"
        owners.setdefault((each.operations, part, words), []).append(each.owner)
    blocks: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[tuple[bool, str], list[str]]] = {}
    for (operations, part, words), of in owners.items():
        block = blocks.setdefault((tuple(of), operations), {})
        block.setdefault((bool(part), words), []).append(part)
    return {
        key: [f"{', '.join(map(name, parts))}: " * has_part + words for (has_part, words), parts in block.items()]
        for key, block in blocks.items()
    }


def _verdict(differences: list[Difference]) -> str:
    if not differences:
        return "No difference that matters to a caller: no new version is called for."
    count, breaking = len(differences), sum(bool(difference.breaks) for difference in differences)
    what = f"{count} difference{'s' * (count > 1)}, {breaking or 'none'} of them breaking"
    return f"{what}: a new {bump(differences)} version is called for."


class _Comparison:
    """A walk through two descriptions at once that gathers what differs."""

    def __init__(self, old: Description, new: Description) -> None:
        self.old = old
        self.new = new
        self.found: dict[tuple[str, str], Difference] = {}
        self.new_names: dict[str, str] = {}
        self.seen: set[tuple[Any, ...]] = set()
        # Where the walk is: whose part, on which side, and whom that side concerns.
        self.owner = ""
        self.is_request = False
        self.who: frozenset[Who] = frozenset()
        # Whether a list of values only names some: any other value of that type is taken as well.
        self.is_suggestion = False

    def differences(self) -> list[Difference]:
        """Walk, and give what was found."""
        pairs = self._pairs()
        gone = self.old.operations.keys() - pairs.keys()
        came = self.new.operations.keys() - pairs.values()
        for key in self.old.operations:
            if key in gone:
                self._tell_operation(self.old.operation_id(key), "removed", f"removed ({request_line(key)})", "other")
            else:
                self._operation(key, pairs[key])
        for key in self.new.operations:
            if key in came:
                self._tell_operation(self.new.operation_id(key), "added", f"added ({request_line(key)})", "open")
        self._lost_schemas(gone)
        uses = self._uses()
        by_operations = [item for item in self.found.values() if item.owner not in uses]
        by_schemas = sorted((item for item in self.found.values() if item.owner in uses), key=lambda item: item.owner)
        return by_operations + [replace(item, operations=uses[item.owner]) for item in by_schemas]

    def _pairs(self) -> dict[Key, Key]:
        """Pair the operations by request line, whatever its parameters are called, and what is left by id."""
        blanks = {_blank(key): key for key in self.new.operations}
        pairs = {key: blanks[_blank(key)] for key in self.old.operations if _blank(key) in blanks}
        ids = {self.new.operation_id(key): key for key in self.new.operations.keys() - pairs.values()}
        for key in self.old.operations.keys() - pairs.keys():
            if self.old.operation_id(key) in ids:
                pairs[key] = ids[self.old.operation_id(key)]
        return pairs

    def _uses(self) -> dict[str, tuple[str, ...]]:
        """Give the ids of the operations that each schema is part of, by its name (the old one where it has two)."""
        old_names = {new: old for old, new in self.new_names.items()}
        uses: dict[str, list[str]] = {}
        for side in (self.old, self.new):
            for key, operation in side.operations.items():
                for name in side.schemas_of(operation):
                    uses.setdefault(old_names.get(name, name), []).append(side.operation_id(key))
        return {name: tuple(sorted(set(ids))) for name, ids in uses.items()}

    def _lost_schemas(self, gone: Iterable[Key]) -> None:
        """Tell the schemas that are no more: a model of that name can no longer be imported."""
        for key in self.old.operations.keys() - set(gone):
            operation = dict(self.old.operations[key])
            answers = operation.pop("responses")
            for is_request, parts in ((False, answers), (True, operation)):
                self.is_request, self.who = is_request, _audience(key, is_request)
                for name in self.old.schemas_of(parts) - self.new.schemas.keys():
                    self.owner = name
                    if name in self.new_names:
                        self._tell("", "schema", "changed", f"is called {quoted(self.new_names[name])} now", "other")
                    else:
                        self._tell("", "schema", "removed", "removed", "other")

    # Operations

    def _operation(self, old_key: Key, new_key: Key) -> None:
        old, new = self.old.operations[old_key], self.new.operations[new_key]
        name, new_name = self.old.operation_id(old_key), self.new.operation_id(new_key)
        if name != new_name:
            self._tell_operation(name, "changed", f"is called {quoted(new_name)} now", "other")
        if _blank(old_key) != _blank(new_key):
            words = f"{quoted(request_line(old_key))} → {quoted(request_line(new_key))}"
            self._tell_operation(name, "changed", words, "other")
        if old.get("deprecated", False) != new.get("deprecated", False):
            self._tell_operation(
                name, "changed", "deprecated" if new.get("deprecated") else "not deprecated now", "open"
            )
        self.owner = name
        self.is_request, self.who = True, _audience(old_key, True)
        self._parameters(self.old.parameters(old_key), self.new.parameters(new_key))
        self._body(old.get("requestBody"), new.get("requestBody"))
        self.is_request, self.who = False, _READERS
        self._answers(old["responses"], new["responses"])

    def _tell_operation(self, owner: str, change: Change, words: str, effect: _Effect) -> None:
        self.owner, self.is_request, self.who = owner, True, _READERS | _WRITERS
        self._tell("", "operation", change, words, effect)

    def _parameters(self, olds: dict[tuple[str, str], Any], news: dict[tuple[str, str], Any]) -> None:
        for place, name in dict.fromkeys([*olds, *news]):
            old, new = olds.get((place, name)), news.get((place, name))
            part = f" {place} parameter {name}"
            if old is None and new is not None:
                self._tell_added(part, "parameter", bool(new.get("required")))
            elif new is None:
                self._tell(part, "parameter", "removed", "removed", "other")
            elif old is not None:
                self._required(part, bool(old.get("required")), bool(new.get("required")))
                self._annotations(part, ["deprecated"], old, new)
                for key in sorted((old.keys() | new.keys()) - _PARAMETER_STRUCTURE):
                    if old.get(key) != new.get(key):
                        self._tell(part, "parameter", "changed", _from_to(key, old.get(key), new.get(key)), "other")
                self._schema(part, old.get("schema", {}), new.get("schema", {}))

    def _body(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        if old is None and new is not None:
            self._tell_added(" body", "body", bool(self.new.part(new).get("required")))
        elif old is not None and new is None:
            self._tell(" body", "body", "removed", "removed", "other")
        elif old is not None and new is not None:
            old, new = self.old.part(old), self.new.part(new)
            self._required(" body", bool(old.get("required")), bool(new.get("required")))
            self._content(" body", "body", old, new)

    def _answers(self, olds: dict[str, Any], news: dict[str, Any]) -> None:
        for status in sorted(olds.keys() | news.keys()):
            part = f" answer {status}"
            if status not in olds:
                self._tell(part, "answer", "added", "added", "open")
            elif status not in news:
                # The other answers are errors, which any server may leave out.
                effect: _Effect = "other" if status.startswith("2") else "narrower"
                self._tell(part, "answer", "removed", "removed", effect)
            else:
                old, new = self.old.part(olds[status]), self.new.part(news[status])
                self._content(part, "answer", old, new)
                self._headers(part, old.get("headers", {}), new.get("headers", {}))

    def _content(self, part: str, kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> None:
        olds, news = old.get("content", {}), new.get("content", {})
        for media_type in sorted(olds.keys() | news.keys()):
            if media_type not in olds:
                self._tell(part, kind, "added", f"may be {quoted(media_type)} too", "open")
            elif media_type not in news:
                self._tell(part, kind, "removed", f"is no {quoted(media_type)} any more", "other")
            else:
                self._schema(part, olds[media_type].get("schema", {}), news[media_type].get("schema", {}))

    def _headers(self, part: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        for name in sorted(olds.keys() | news.keys()):
            place = f"{part} header {name}"
            if name not in olds:
                self._tell(place, "answer", "added", "added", "open")
            elif name not in news:
                self._tell(place, "answer", "removed", "removed", "other")
            else:
                old, new = self.old.part(olds[name]), self.new.part(news[name])
                self._required(place, bool(old.get("required")), bool(new.get("required")))
                self._schema(place, old.get("schema", {}), new.get("schema", {}))

    # Schemas. `part` is the place within the owner.

    def _schema(self, part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        (old_name, old_null), (new_name, new_null) = self.old.named(old), self.new.named(new)
        self._annotations(part, PLACE_KEYS, old, new)
        old_forms, new_forms = self.old.forms(old), self.new.forms(new)
        was_nullable, is_nullable = (any(form.type == "null" for form in forms) for forms in (old_forms, new_forms))
        if was_nullable != is_nullable:
            words, effect = ("may be null now", "wider") if is_nullable else ("is never null now", "narrower")
            owner = self.owner
            if old_name and old_name == new_name and old_null == new_null:  # the schema itself says so, wherever it is
                self.owner, part_of_owner = old_name, ""
            else:
                part_of_owner = part
            self._tell(part_of_owner, "nullability", "changed", words, effect)
            self.owner = owner
        if old_name and new_name and self._are_one(old_name, new_name):
            self._shared(old_name, new_name)
        else:
            self._forms(part, _without_null(old_forms), _without_null(new_forms))

    def _are_one(self, old_name: str, new_name: str) -> bool:
        """Whether two named schemas are the same one, perhaps under a new name."""
        if old_name == new_name:
            return True
        return old_name not in self.new.schemas and new_name not in self.old.schemas

    def _shared(self, old_name: str, new_name: str) -> None:
        """Compare a schema that several parts share, once for each side that it is on."""
        visit = (old_name, new_name, self.is_request, self.who, self.is_suggestion)
        if visit in self.seen:
            return
        self.seen.add(visit)
        if old_name != new_name:
            self.new_names[old_name] = new_name
        owner, self.owner = self.owner, old_name
        old, new = self.old.schemas[old_name], self.new.schemas[new_name]
        self._annotations("", PLACE_KEYS, old, new)
        (old_inner, _), (new_inner, _) = self.old.named(old), self.new.named(new)
        if old_inner and new_inner and self._are_one(old_inner, new_inner):
            self._shared(old_inner, new_inner)
        else:
            self._forms("", _without_null(self.old.forms(old)), _without_null(self.new.forms(new)))
        self.owner = owner

    def _forms(self, part: str, olds: list[Form], news: list[Form]) -> None:
        """Compare what a value may be on both sides, form by form."""
        pairs, gone, came = self._matched(olds, news)
        is_choice = len(olds) > 1 or len(news) > 1
        was_suggestion = self.is_suggestion
        for old, new in pairs:
            self.is_suggestion = was_suggestion or any(form.is_plain and form.type == new.type for form in news)
            if old.name and new.name and self._are_one(old.name, new.name):
                self._shared(old.name, new.name)
            else:
                self._form(f"{part} ({self._label(old)})" if is_choice else part, old, new)
            self.is_suggestion = was_suggestion
        for old in gone:
            covered = any(new.is_plain and new.type in (old.type, None) for new in news)
            self._tell(part, "type", "removed", f"is never {self._label(old)} now", "open" if covered else "narrower")
        for new in came:
            covered = any(old.is_plain and old.type in (new.type, None) for old in olds)
            is_kind = new.type == "object" and any(old.type == "object" for old in olds)
            effect: _Effect = "open" if covered or is_kind else "wider"
            self._tell(part, "type", "added", f"may be {self._label(new)} too", effect)

    def _matched(self, olds: list[Form], news: list[Form]) -> tuple[list[tuple[Form, Form]], list[Form], list[Form]]:
        """Pair forms that are of one name, of one kind or of one type, in this order; a lone one is paired anyhow."""
        pairs: list[tuple[Form, Form]] = []
        olds, news = list(olds), list(news)
        if len(olds) == len(news) == 1:
            return [(olds[0], news[0])], [], []

        def kind(side: Description, form: Form) -> Any:
            kinds = [each.values for each in side.forms(form.node.get("properties", {}).get("type", {}))]
            return kinds if any(kinds) else None

        def signs(side: Description, form: Form) -> tuple[Any, ...]:
            of_kind = kind(side, form)
            return (form.name, of_kind, None if of_kind else (form.type, form.is_plain), None if of_kind else form.type)

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
        return f"a list of {self._item_label(form)}" if form.type == "array" else _TYPE_WORDS[form.type]

    def _item_label(self, form: Form) -> str:
        name = self.old.named(form.node.get("items", {}))[0]
        return quoted(name) if name else str(form.node.get("items", {}).get("type", "anything"))

    def _form(self, part: str, old: Form, new: Form) -> None:
        if old.type != new.type:
            effect: _Effect = "other"
            if new.type is None or (old.type, new.type) == ("integer", "number"):
                effect = "wider"
            elif old.type is None or (new.type, old.type) == ("integer", "number"):
                effect = "narrower"
            words = f"is {self._label(new)} now, was {self._label(old)}"
            self._tell(part, "type", "changed", words, effect)
            if effect == "other":
                return
        self._values(part, old.values, new.values)
        self._bounds(part, old.node, new.node)
        self._annotations(part, FORMATS, old.node, new.node)
        self._fields(part, old.node, new.node)
        if "items" in old.node or "items" in new.node:
            self._schema(f"{part}[]", old.node.get("items", {}), new.node.get("items", {}))

    def _values(self, part: str, olds: list[Any] | None, news: list[Any] | None) -> None:
        if olds is None and news is not None:
            self._tell(part, "enum", "added", f"one of {_listed(news)} now, was any", "narrower")
        elif olds is not None and news is None:
            self._tell(part, "enum", "removed", f"any value now, was one of {_listed(olds)}", "open")
        elif olds is not None and news is not None and not any(value in news for value in olds):
            self._tell(part, "enum", "changed", f"{_listed(olds)} → {_listed(news)}", "other")
        elif olds is not None and news is not None:
            if gone := [value for value in olds if value not in news]:
                effect: _Effect = "open" if self.is_suggestion else "narrower"
                self._tell(part, "enum", "removed", f"no longer {_listed(gone)}", effect)
            if came := [value for value in news if value not in olds]:
                self._tell(part, "enum", "added", f"{_listed(came)} too", "open")

    def _bounds(self, part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in sorted((old.keys() | new.keys()) - _STRUCTURE):
            before, after = old.get(key), new.get(key)
            if before == after:
                continue
            effect: _Effect = "other"
            if before is None or after is None:
                effect = "narrower" if before is None else "wider"
            elif key in _LOWER_BOUNDS:
                effect = "narrower" if after > before else "wider"
            elif key in _UPPER_BOUNDS:
                effect = "narrower" if after < before else "wider"
            self._tell(part, "bound", _change(before, after), _from_to(key, before, after), effect)

    def _annotations(self, part: str, keys: Iterable[str], old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in keys:
            before, after = old.get(key), new.get(key)
            if before == after:
                continue
            # Who leaves out what has a default gets something else now.
            is_other = key == "default" and self.is_request and key in old and key in new
            kind: Kind = "bound" if is_other else "annotation"
            effect: _Effect = "other" if is_other else "open"
            self._tell(part, kind, _change(before, after), _from_to(key, before, after), effect)

    def _fields(self, part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        olds, news = old.get("properties", {}), new.get("properties", {})
        old_required, new_required = set(old.get("required", [])), set(new.get("required", []))
        for name in dict.fromkeys([*olds, *news]):
            place = f"{part}.{name}"
            if name not in olds:
                self._tell_added(place, "field", name in new_required)
            elif name not in news:
                self._tell(place, "field", "removed", "removed", "other")
            else:
                self._required(place, name in old_required, name in new_required)
                self._schema(place, olds[name], news[name])
        for name in sorted((old_required ^ new_required) - olds.keys() - news.keys()):
            self._required(f"{part}.{name}", name in old_required, name in new_required)
        old_rest, new_rest = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if old_rest is False or new_rest is False:
            if new_rest is not False:
                self._tell(part, "field", "added", "other fields may be there now", "open")
            elif old_rest is not False:
                self._tell(part, "field", "removed", "other fields are refused now", "narrower")
        else:
            schemas = [{} if rest is True else rest for rest in (old_rest, new_rest)]
            if any(schemas):
                self._schema(f"{part}.*", *schemas)

    # What is told

    def _required(self, part: str, was_required: bool, is_required: bool) -> None:
        if is_required and not was_required:
            self._tell(part, "required", "added", "is required now", "narrower")
        elif was_required and not is_required:
            self._tell(part, "required", "removed", "is no longer required", "wider")

    def _tell_added(self, part: str, kind: Kind, is_required: bool) -> None:
        words, effect = ("added, and required", "narrower") if is_required else ("added", "open")
        self._tell(part, kind, "added", words, effect)

    def _tell(self, part: str, kind: Kind, change: Change, words: str, effect: Any) -> None:
        """Note a difference. Seen from both sides it is one, that touches and breaks whom either says."""
        is_breaking = effect in (("narrower", "other") if self.is_request else ("wider", "other"))
        place = f"{self.owner}{part}"
        told = self.found.get((place, words))
        touches = self.who | (told.touches if told else frozenset())
        breaks = (self.who if is_breaking else frozenset()) | (told.breaks if told else frozenset())
        is_suggestion = kind == "enum" and self.is_suggestion and (told is None or told.is_suggestion)
        self.found[place, words] = Difference(
            self.owner, place, kind, change, words, touches, breaks, is_suggestion=is_suggestion
        )


def _blank(key: Key) -> str:
    """Give a request line without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", request_line(key))


def _audience(key: Key, is_request: bool) -> frozenset[Who]:
    """Say whom one side of an operation concerns: to read takes GET requests."""
    if not is_request:
        return _READERS
    return _READERS | _WRITERS if key[0] == "get" else _WRITERS


def _without_null(forms: list[Form]) -> list[Form]:
    return [form for form in forms if form.type != "null"]


def _listed(values: list[Any]) -> str:
    return ", ".join(map(quoted, values))


def _from_to(key: str, old: Any, new: Any) -> str:
    if old is None or new is None:
        return f"{key} {quoted(new)}, was not said" if old is None else f"{key} is no longer said, was {quoted(old)}"
    return f"{key} {quoted(old)} → {quoted(new)}"


def _change(old: Any, new: Any) -> Change:
    return "added" if old is None else "removed" if new is None else "changed"
