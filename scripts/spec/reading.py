"""Read an OpenAPI document that somebody else wrote: YAML or JSON, as plain dicts, lists and scalars."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.composer import Composer

# A YAML alias costs a few bytes and can stand for a whole tree, so a short file can unfold into billions of nodes.
# The largest public document unfolds into about 150,000.
MAX_NODE_COUNT = 5_000_000


class SpecError(ValueError):
    """A document that cannot be pinned. The message is one line, made for the person who ran the command."""


class FileError(Exception):
    """What ends a command: names a file, and says what is wrong with it."""


@contextlib.contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file that an error is about.

    Raises:
        FileError: Anything was wrong with it.
    """
    try:
        yield
    except RecursionError:
        raise FileError(f"{path}: it is nested too deeply") from None
    except SpecError as error:
        raise FileError(f"{path}: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise FileError(f"{error.filename or path}: {error.strerror}") from None


class DuplicateKeyError(SpecError):
    """A mapping has a key twice."""


class _Loader(Composer, yaml.CSafeLoader):
    """libyaml's parser with the scalars of YAML 1.2's core schema, and mapping keys as they are written.

    PyYAML is YAML 1.1: there `200:` is a number, `on` a boolean and `2024-01-01` a date. Its composer refuses an anchor
    that is defined twice, which both versions of YAML allow; libyaml's events under Python's composer can be told so.
    """

    def __init__(self, stream: bytes) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)
        self.node_counts: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node; a later definition of an anchor takes the place of an earlier one, a tag is refused."""
        event = cast(Any, self.peek_event())
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
            if event.tag not in (None, "!"):
                raise SpecError(
                    f"line {event.start_mark.line + 1}: the tag {event.tag} is refused: only plain data is read"
                )
        return super().compose_node(parent, index)

    def get_single_node(self) -> yaml.Node | None:
        """Compose the document, and count what it unfolds into before anything walks it."""
        node = super().get_single_node()
        if node is not None:
            self.count_nodes(node)
        return node

    def count_nodes(self, node: yaml.Node) -> int:
        """Count the nodes that `node` stands for with every alias unfolded, each shared one counted once per use."""
        known = self.node_counts.get(id(node))
        if known is not None:
            if known == 0:
                raise SpecError(f"line {node.start_mark.line + 1}: an alias stands for a part that contains the alias")
            return known
        self.node_counts[id(node)] = 0
        count = 1
        if isinstance(node, yaml.MappingNode):
            count += sum(self.count_nodes(key) + self.count_nodes(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            count += sum(map(self.count_nodes, node.value))
        if count > MAX_NODE_COUNT:
            raise SpecError(f"its aliases unfold into more than {MAX_NODE_COUNT:,} nodes")
        self.node_counts[id(node)] = count
        return count

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:  # type: ignore[override]
        """Make a dict whose keys are the text of the keys, refusing one that is there twice."""
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(f"line {line}: a key is no plain text")
            if key.value == "<<" and not key.style:
                raise SpecError(f"line {line}: merge keys (<<) are not part of YAML 1.2: write the keys out")
            if key.value in mapping:
                raise DuplicateKeyError(f"line {line}: the key {key.value!r} is there twice")
            mapping[key.value] = self.construct_object(value, deep=deep)
        return mapping


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first_characters in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first_characters)


def load(path: Path | str) -> dict[str, Any]:
    """Read an OpenAPI document from a file.

    Args:
        path: A YAML 1.2 or JSON file. Nothing that it refers to is read.

    Returns:
        The document. Keys of mappings are strings, dates are too.

    Raises:
        SpecError: It is not text, not well formed or not a mapping at the top; a key is there twice; it uses tags of
            its own, or aliases that unfold without bounds.
        OSError: The file cannot be read.
    """
    return parse(Path(path).read_bytes())


def parse(content: bytes) -> dict[str, Any]:
    """Read an OpenAPI document from the bytes of a file. `load` says the rest."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"it is no UTF-8 text (byte {error.start})") from None
    try:
        document = _parse_json(text) if text.lstrip().startswith("{") else _parse_yaml(text)
    except RecursionError:
        raise SpecError("it is nested too deeply") from None
    except SpecError:
        raise
    except ValueError as error:
        raise SpecError(f"a number in it cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise SpecError("it is no OpenAPI document: the top is not a mapping")
    return document


def as_mapping(node: Any, what: str) -> dict[str, Any]:
    """Give a part of a document that must be a mapping.

    Raises:
        SpecError: It is none; `what` names it there.
    """
    if not isinstance(node, dict):
        raise SpecError(f"{what} is not a mapping")
    return node


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text.encode(), Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise SpecError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError(" ".join(str(error).split())) from None


def _parse_json(text: str) -> Any:
    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DuplicateKeyError(f"the key {twice!r} is there twice")
        return mapping

    try:
        return json.loads(text, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as error:
        # A YAML document may begin with a brace as well.
        try:
            return _parse_yaml(text)
        except SpecError:
            raise SpecError(f"line {error.lineno}: {error.msg}") from None
    except DuplicateKeyError:
        # The JSON reader does not say where it is. Nearly all JSON is YAML too, and that reader does.
        with contextlib.suppress(yaml.YAMLError):
            yaml.load(text.encode(), Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
        raise
