"""Read an OpenAPI document that somebody else wrote: YAML or JSON, as plain dicts, lists and scalars."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
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


class _Parser(Composer, yaml.CBaseLoader):
    """libyaml's parser under Python's composer.

    libyaml's own composer refuses an anchor that is defined twice, which both versions of YAML allow.
    """

    def __init__(self, stream: bytes) -> None:
        yaml.CBaseLoader.__init__(self, stream)
        Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node; a later definition of an anchor takes the place of an earlier one, a tag is refused."""
        event = cast(Any, self.peek_event())
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
            if event.tag not in (None, "!"):
                line = event.start_mark.line + 1
                raise SpecError(f"line {line}: the tag {event.tag} is refused: only plain data is read")
        return super().compose_node(parent, index)


# The scalars of YAML 1.2's core schema. PyYAML's are of 1.1: `on` is a boolean there, and 2024-01-01 a date.
_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), int),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
)


def _plain(node: yaml.Node, made: dict[int, tuple[Any, int]]) -> tuple[Any, int]:
    """Give what a node stands for, and how many nodes that is with every alias unfolded. Keys are as they are written.

    Args:
        node: a node of a document
        made: what was made of the document's nodes so far, by their identity
    """
    line = node.start_mark.line + 1
    if id(node) in made:
        value, count = made[id(node)]
        if count == 0:
            raise SpecError(f"line {line}: an alias stands for a part that contains the alias")
        return value, count
    made[id(node)] = None, 0
    value, count = node.value, 1
    if isinstance(node, yaml.SequenceNode):
        items = [_plain(item, made) for item in node.value]
        value, count = [item for item, _ in items], 1 + sum(size for _, size in items)
    elif isinstance(node, yaml.MappingNode):
        value = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(f"line {line}: a key is no plain text")
            if key.value == "<<" and not key.style:
                raise SpecError(f"line {line}: merge keys (<<) are not part of YAML 1.2: write the keys out")
            if key.value in value:
                raise DuplicateKeyError(f"line {line}: the key {key.value!r} is there twice")
            value[key.value], size = _plain(item, made)
            count += 1 + size
    elif isinstance(node, yaml.ScalarNode) and not node.style:
        value = next((read(node.value) for form, read in _SCALARS if form.fullmatch(node.value)), node.value)
    if count > MAX_NODE_COUNT:
        raise SpecError(f"its aliases unfold into more than {MAX_NODE_COUNT:,} nodes")
    made[id(node)] = value, count
    return value, count


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
        node = _Parser(text.encode()).get_single_node()
        return None if node is None else _plain(node, {})[0]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise SpecError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError(" ".join(str(error).split())) from None


def _parse_json(text: str) -> Any:
    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1:
                raise DuplicateKeyError(f"the key {name!r} is there twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as error:
        # A YAML document may begin with a brace as well.
        try:
            return _parse_yaml(text)
        except SpecError:
            raise SpecError(f"line {error.lineno}: {error.msg}") from None
    except DuplicateKeyError as error:
        # The JSON reader does not say where it is. Nearly all JSON is YAML too, and that reader does.
        try:
            _parse_yaml(text)
        except SpecError as closer:
            raise (closer if isinstance(closer, DuplicateKeyError) else error) from None
        raise
