"""ARCHITECTURE.md is true: what it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

# A file by its path from the root, or from the folder that its section is about.
FILES = sorted(set(re.findall(r"(?<![\w./])((?:[\w.]+/)*\w+\.(?:py|yaml|yml))(?![\w/])", TEXT)))
FOLDERS = sorted(set(re.findall(r"`((?:\w+/)+)`", TEXT)))
# Names beside the file they are in: in a row of a table, or in a line of the drawn call.
NAMED = sorted(
    {
        (file, name)
        for row in TEXT.splitlines()
        if row.startswith("| ")
        for file, names in re.findall(r"`((?:\w+/)+\w+\.py)`: ((?:`[\w.]+`(?:, )?)+)", row)
        for name in re.findall(r"`([\w.]+)`", names)
    }
    | {
        (f"facade/{file}", name)
        for names, file in re.findall(r"^  +(\w[\w., ]*?)(?:\(…\).*?)?  +(\w[\w/]*\.py)  ", TEXT, re.MULTILINE)
        for name in names.removesuffix(" -> Call").split(", ")
    }
)


def found(name: str) -> Path | None:
    """The file or folder of a name, from the root or from a room of it; None where there is none."""
    for room in ("", "facade", "facade/_life", "facade/_reading", "scripts", "tests"):
        if (ROOT / room / name).exists():
            return ROOT / room / name
    return None


def defined(path: Path) -> set[str]:
    """The functions, classes, methods and constants of a module."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_file(name: str) -> None:
    """Each file and folder that is named is there."""
    assert found(name)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_name(file: str, name: str) -> None:
    """Each function or class that is named is in the file beside it."""
    path = found(file)
    assert path is not None
    assert name in defined(path)


def test_much_is_named() -> None:
    """The tests above find what they look for."""
    assert len(FILES) > 40
    assert len(NAMED) > 20


def test_each_room_is_told() -> None:
    """Each module of the core, and each folder beside it, has its place in the text."""
    modules = [path for room in ("", "_life", "_reading") for path in (ROOT / "facade" / room).glob("*.py")]
    rooms = {path.name for path in modules} - {"_version.py", "__main__.py"}
    folders = {f"{path.name}/" for path in (ROOT / "facade").iterdir() if (path / "__init__.py").exists()}
    assert [name for name in sorted(rooms) if not re.search(rf"`{re.escape(name)}`", TEXT)] == []
    assert [name for name in sorted(folders - {"_async/", "_sync/"}) if f"`{name}`" not in TEXT] == []


OPTIONAL = {"archive", "commands", "server", "timeline", "traces", "usage", "_reading"}
CORE = sorted(
    path
    for path in (ROOT / "facade").rglob("*.py")
    if path.relative_to(ROOT / "facade").with_suffix("").parts[0] not in {*OPTIONAL, "__main__"}
)


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_imports_no_optional_part(path: Path) -> None:
    """No module of the core imports an optional part, be it inside a function or for types."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    assert {name for name in imported if name.startswith("facade.") and name.split(".")[1] in OPTIONAL} == set()
