"""Where files are put, whole or not at all: a folder of this machine, or whatever fsspec has an address for."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from facade._extras import needed

MANIFEST = "manifest.json"
"""Written last: what is there counts when this names it."""


class Target(Protocol):
    """A folder of files, named by their paths within it with `/`."""

    def __str__(self) -> str: ...

    def names(self) -> list[str]:
        """The paths of all files in it, hidden ones aside; empty where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is no such file."""

    def put(self, name: str, local: Path) -> None:
        """Take a file of this machine in, in the place of one of that name: whole or not at all."""

    def remove(self, name: str) -> None:
        """Take a file away; nothing happens where there is none."""

    def local(self, name: str) -> Any:
        """A context that gives a file's path on this machine."""


def target_of(place: str | os.PathLike[str]) -> Target:
    """The folder at a path, or at an address such as s3://bucket/folder.

    Raises ModuleNotFoundError where an address needs fsspec, or what fsspec needs for it, and ValueError for a file.
    """
    text = os.fspath(place)
    return _Remote(text) if "://" in text else _Local(Path(text))


def manifest_of(target: Target, kind: str) -> dict[str, Any] | None:
    """What a folder's manifest says; None where it has none.

    Raises ValueError where the manifest, or what is there without one, is of another kind.
    """
    data = target.read(MANIFEST)
    if data is None:
        return None
    try:
        manifest = json.loads(data)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != kind:
        raise ValueError(f"{str(target)!r} has something else in it, by its {MANIFEST}: name another folder")
    return manifest


def put_text(target: Target, name: str, text: str) -> None:
    """Write a file."""
    with scratch() as folder:
        path = folder / "text"
        path.write_text(text, "utf-8")
        target.put(name, path)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for this machine's own files, readable by its owner only, which goes with the context."""
    with tempfile.TemporaryDirectory(prefix="thread-runs-") as folder:
        yield Path(folder)


class _Local:
    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{str(folder)!r} is no folder: name one")
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def names(self) -> list[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._folder).as_posix() for path in files if not path.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, local: Path) -> None:
        final = self._folder / name
        final.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=final.parent)  # with mode 0600
        try:
            with open(descriptor, "wb") as to, local.open("rb") as source:
                shutil.copyfileobj(source, to, 1 << 20)
                to.flush()
                os.fsync(to.fileno())
            os.replace(temporary, final)
        except BaseException:
            os.unlink(temporary)
            raise

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        yield self._folder / name


class _Remote:
    def __init__(self, address: str) -> None:
        with needed("an address", "arrow", "fsspec"):
            import fsspec

        self._address = address.rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self._address)
        self._root = self._root.rstrip("/")

    def __str__(self) -> str:
        return self._address

    def names(self) -> list[str]:
        self._files.invalidate_cache()
        found = self._files.find(self._root)
        names = (path[path.index(self._root) + len(self._root) :].lstrip("/") for path in found)
        return sorted(name for name in names if not name.rpartition("/")[2].startswith("."))

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def put(self, name: str, local: Path) -> None:
        # Not every kind of storage shows a file only once it is whole: under its own name it is put by moving it.
        final = f"{self._root}/{name}"
        folder, _, last = final.rpartition("/")
        temporary = f"{folder}/.{last}.{uuid4().hex}.part"
        self._files.makedirs(folder, exist_ok=True)
        try:
            self._files.put_file(str(local), temporary)
            self._files.mv(temporary, final)
        except BaseException:
            if self._files.exists(temporary):
                self._files.rm_file(temporary)
            raise

    def remove(self, name: str) -> None:
        if self._files.exists(f"{self._root}/{name}"):
            self._files.rm_file(f"{self._root}/{name}")

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with scratch() as folder:
            path = folder / name.rpartition("/")[2]
            self._files.get_file(f"{self._root}/{name}", str(path))
            yield path
