"""Pin the subset of an OpenAPI description that this project is generated from.

    python scripts/pin.py SPEC [--output DIR] [--list-all]

Reads a whole description (OpenAPI 3.0 or 3.1, YAML or JSON), keeps the operations on runs and run steps, those that
read what these refer to (thread, messages, assistant), and exactly the components that all of them and the events of
streams refer to, puts them into plain OpenAPI 3.1, applies the project's overlay, validates the result, and writes
DIR/openapi.yaml with DIR/source.yaml, the record of where it came from. The same input gives the same bytes. Where
anything is wrong it says so in one line, writes nothing and ends with 2.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a file, it finds the modules beside it

from scripts.spec.comparing import describe  # noqa: E402
from scripts.spec.differences import as_text  # noqa: E402
from scripts.spec.normalising import METHODS  # noqa: E402
from scripts.spec.overlay import find, lines  # noqa: E402
from scripts.spec.pinning import pin  # noqa: E402
from scripts.spec.reading import FileError, SpecError, about, load, parse  # noqa: E402

FOLDER = ROOT / "openapi"
_NOTICE = "# Made by `make pin` (scripts/pin.py) from an upstream description and openapi/overlay.yaml: do not edit.\n"


def _size(document: dict[str, Any]) -> dict[str, int]:
    items = [item for item in document["paths"].values() if isinstance(item, dict)]
    components = document.get("components") or {}
    return {
        "paths": len(document["paths"]),
        "operations": sum(len(item.keys() & set(METHODS)) for item in items),
        "components": sum(len(section) for section in components.values() if isinstance(section, dict)),
    }


def _wrong_targets(placeless: list[str], size: dict[str, int]) -> list[str]:
    """Tell overlay entries that are wrong from those that a description is only too old for.

    A target that never had a place is a typo, whatever is pinned: it has none in the committed pin, and the committed
    record does not list it among those that it did without. Any other is fine in an older description, and an error in
    one that is as new as the committed pin, which has lost what the entry speaks of.

    Upstream's `info.version` stays the same for years, so age is read from size: upstream's description only grows.
    A committed pin that does without some entries is an old one itself, and nothing is read from its size.
    """
    if not (placeless and (FOLDER / "source.yaml").is_file() and (FOLDER / "openapi.yaml").is_file()):
        return placeless
    pinned, source = load(FOLDER / "openapi.yaml"), load(FOLDER / "source.yaml")
    done_without = source["overlay"]["without_place"]
    is_older: bool = bool(done_without) or size["components"] < source["whole"]["components"]
    return [target for target in placeless if not is_older or (target not in done_without and not find(target, pinned))]


def _named(targets: list[str], lists_all: bool) -> str:
    """Name entries of the overlay by their places in its file: all of them, or the first."""
    line_of = lines(FOLDER / "overlay.yaml")
    named = [f"\n  overlay.yaml, line {line_of[target]}: {target}" for target in targets]
    return "".join(named) if lists_all else f" {named[0].strip()}{' (--list-all names all)' * (len(targets) > 1)}"


class _Dumper(yaml.CSafeDumper):
    """Writes every part out where it stands, and `[string, 'null']` on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style="null" in sequence)


def _dump(document: dict[str, Any]) -> str:
    try:
        return _NOTICE + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    except UnicodeEncodeError as error:
        raise SpecError(f"it has a character that no file can hold: {error.object[error.start]!r}") from None


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write files whole or not at all: all are written beside their places before the first takes its place."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pin-") as scratch:
        for name, text in files.items():
            Path(scratch, name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            os.replace(Path(scratch, name), folder / name)


def pin_file(spec: Path, output: Path, *, lists_all: bool) -> list[str]:
    """Pin a file, and give what there is to say of it.

    Args:
        spec: A whole description.
        output: The folder to write to.
        lists_all: Whether to name all entries of the overlay that have to change.

    Raises:
        FileError: Nothing was pinned.
    """
    with about(FOLDER / "overlay.yaml"):
        overlay = load(FOLDER / "overlay.yaml")
    with about(spec):
        content = spec.read_bytes()
        document = parse(content)
        pinned, placeless = pin(document, overlay)
        if wrong := _wrong_targets(placeless, _size(document)):
            raise FileError(
                f"{spec}: overlay.yaml has {len(wrong)} entries without a place in it; let each target name the new"
                f" place, or take the entry out:{_named(wrong, lists_all)}"
            )
        source = {
            "title": document["info"].get("title"),
            "version": document["info"]["version"],
            "openapi": document["openapi"],
            "sha256": hashlib.sha256(content).hexdigest(),
            "whole": _size(document),
            "pinned": _size(pinned),
            "overlay": {"without_place": placeless},
        }
        texts = {"openapi.yaml": _dump(pinned), "source.yaml": _dump(source)}
    kept = output / "openapi.yaml"
    with about(kept):
        changes = [as_text(describe(load(kept), pinned))] if kept.is_file() else []
        _write(output, texts)
    counts = source["pinned"]
    said = f"{kept}: {counts['operations']} operations and {counts['components']} components"
    left = f"overlay.yaml has {len(placeless)} entries without a place in it, as it seems older than the last pinned:"
    named = [left + _named(placeless, lists_all)] if placeless else []
    return [f"{said} of {source['title']} {source['version']}", *changes, *named]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Give 0, or 2 where nothing was pinned."""
    parser = argparse.ArgumentParser(description="Pin the subset of an OpenAPI description that is generated from.")
    parser.add_argument("spec", type=Path, help="a whole OpenAPI 3.0 or 3.1 description, YAML or JSON")
    parser.add_argument("--output", type=Path, default=FOLDER, help="where to write (default: the project's openapi/)")
    named = "name every entry of the overlay that has no place, not only the first"
    parser.add_argument("--list-all", action="store_true", help=named)
    arguments = parser.parse_args(argv)
    try:
        print(*pin_file(arguments.spec, arguments.output, lists_all=arguments.list_all), sep="\n")
    except FileError as error:
        print(f"pin: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
