"""Builds the documentation site: the guides in docs/, the API of the docstrings, the reference of the pinned spec.

    python -m scripts.docs [--output DIR]

Writes a static site to DIR (build/docs unless said otherwise), which is read without a network. Every warning is an
error. Needs the extra `docs`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from scripts.docs.reference import Reference

ROOT = Path(__file__).resolve().parents[2]
FROM_ROOT = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
"""Files of the project's top level that are pages too."""


def write_source(folder: Path) -> None:
    """Writes what the site is built from into a new folder: docs/, pages of the top level, and the generated ones."""
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, page in FROM_ROOT.items():
        (folder / page).write_text((ROOT / name).read_text("utf-8").replace("](docs/", "]("), "utf-8")
    for path in folder.rglob("*.md"):
        text = path.read_text("utf-8")
        for name, page in FROM_ROOT.items():
            text = text.replace(f"](../{name})", f"]({page})")
        path.write_text(text, "utf-8")
    spec = yaml.load((ROOT / "openapi" / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    reference = folder / "reference"
    reference.mkdir()
    for name, text in Reference(spec).pages().items():
        (reference / f"{name}.md").write_text(text, "utf-8")


def build(output: Path) -> int:
    """Builds the site into the folder `output`, in the place of what was there; gives 0, or 1 where anything is amiss.

    The site is written whole or not at all.
    """
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as scratch:
        source, site = Path(scratch) / "source", Path(scratch) / "site"
        write_source(source)
        code = build_main(
            ["--quiet", "--fail-on-warning", "--jobs=auto", "-d", f"{scratch}/doctrees", str(source), str(site)]
        )
        if code == 0:
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(output, ignore_errors=True)
            shutil.move(site, output)
    return 1 if code else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit code."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "docs", help="the folder to write the site to")
    arguments = parser.parse_args(argv)
    try:
        code = build(arguments.output)
    except ModuleNotFoundError as error:
        print(f"docs: {error.name} is not installed; pip install -e '.[docs]'", file=sys.stderr)
        return 1
    if code == 0:
        print(f"{arguments.output / 'index.html'}")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
