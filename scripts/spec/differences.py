"""Differences between two pinned descriptions, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from scripts.spec.description import quoted

Who = Literal["readers", "writers"]
Bump = Literal["major", "minor", "patch", "none"]


class Difference(NamedTuple):
    """One difference between two pinned descriptions.

    Attributes:
        owner: the operation (by its id) or the schema that it is part of
        part: where in it, such as ` query parameter limit` or `.last_error.code`; `[]` stands for an item of a list,
            `*` for a field of any name
        words: what happened there
        touches: whom it concerns
        breaks: for whom it breaks something: some of `touches`, or nobody
        operations: the ids of the operations that a schema is part of
        is_annotation: whether it changes nothing that is sent or answered
    """

    owner: str
    part: str
    words: str
    touches: frozenset[Who]
    breaks: frozenset[Who]
    operations: tuple[str, ...] = ()
    is_annotation: bool = False

    @property
    def place(self) -> str:
        """Where it is, such as `listRuns query parameter limit` or `RunObject.last_error.code`."""
        return self.owner + self.part

    @property
    def told(self) -> str:
        """The words, and whom it breaks something for, else whom it concerns."""
        whom = " and ".join(sorted(self.breaks or self.touches))
        return f"{self.words} ({'breaks' if self.breaks else 'for'} {whom})"


def bump(differences: Iterable[Difference]) -> Bump:
    """Give the part of the version number that all of them together call to raise."""
    levels = {"major" if each.breaks else "patch" if each.is_annotation else "minor" for each in differences}
    ranks: tuple[Bump, ...] = ("major", "minor", "patch")
    return next((rank for rank in ranks if rank in levels), "none")


def as_text(differences: list[Difference]) -> str:
    """Word differences for a terminal: the verdict, which counts them, then the breaking ones, then the others.

    What is said of several places or owners in the same words stands in one line.
    """
    return _worded(differences, "\n{}:", "  {}", "    {}", str)


def as_markdown(differences: list[Difference]) -> str:
    """Word differences for a pull request or a changelog, as `as_text` does."""
    return _worded(differences, "\n### {}\n", "- {}", "  - {}", quoted)


def _worded(differences: list[Difference], title: str, owner: str, line: str, name: Callable[[str], str]) -> str:
    if not differences:
        return "No difference that matters to a caller: no new version is called for."
    count, breaking = len(differences), sum(bool(each.breaks) for each in differences)
    verdict = f"{count} difference{'s' * (count > 1)}, {breaking or 'none'} of them breaking"
    lines = [f"{verdict}: a new {bump(differences)} version is called for."]
    for heading, is_breaking in (("Breaking", True), ("Not breaking", False)):
        owners: dict[tuple[tuple[str, ...], str, str], list[str]] = {}
        for each in differences:
            if bool(each.breaks) == is_breaking:
                owners.setdefault((each.operations, each.part.lstrip(" ."), each.told), []).append(each.owner)
        blocks: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[tuple[bool, str], list[str]]] = {}
        for (operations, part, told), of in owners.items():
            blocks.setdefault((tuple(of), operations), {}).setdefault((bool(part), told), []).append(name(part))
        lines += [title.format(heading)] * bool(blocks)
        for (names, operations), said in blocks.items():
            part_of = f", part of {', '.join(map(name, operations))}" if operations else ""
            lines.append(owner.format(", ".join(map(name, names)) + part_of))
            lines += [line.format(f"{', '.join(parts)}: " * has + told) for (has, told), parts in said.items()]
    return "\n".join(lines)
