"""An archive's tables as Parquet files: in shards, each whole or not there, and a manifest that names them last."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from facade._extras import needed
from facade._version import __version__
from facade.archive._shards import each_store
from facade.archive._target import MANIFEST, Target, manifest_of, put_text, scratch, target_of
from facade.archive.frames._tables import TABLES, Type, rows_of

FORMAT = "thread-runs-parquet"
VERSION = 1
"""Of the tables' columns and of the manifest."""

# What a shard holds at most: rows, and characters of JSON.
_MAX_ROWS, _MAX_CHARACTERS = 50_000, 64_000_000

_SHARD = re.compile(rf"(?:{'|'.join(TABLES)})/part-\d{{5}}-[0-9a-f]{{16}}\.parquet")

Json = dict[str, Any]


def to_parquet(source: str | os.PathLike[str], to: str | os.PathLike[str]) -> Json:
    """Write an archive's tables as Parquet files, one folder a table; needs the extra `arrow`.

    A file appears whole or not at all. The manifest comes last, so that what it names is there; what an earlier call
    wrote and the manifest does not name any more is removed after that. Files are named by what is in them: writing the
    same archive again changes nothing.

    Args:
        source: the archive's file, or the folder or address that `export_many` filled.
        to: a folder, made where there is none, or an address that fsspec knows, such as s3://bucket/folder. It is for
            these files alone.

    Returns:
        The manifest: for each table its rows, its columns and its files, each with its rows, bytes and SHA-256.

    Raises:
        ValueError: there is something else in the folder.
        ModuleNotFoundError: the extra `arrow` is not installed, or what fsspec needs for the address.
        DamagedError: there is no archive at `source`.
        OSError: a file cannot be written.
    """
    with needed("to write Parquet", "arrow", "pyarrow"):
        import pyarrow  # noqa: F401  # to say at once that it is missing

    target = target_of(to)
    there = target.names()
    if manifest_of(target, FORMAT) is None and not all(map(_SHARD.fullmatch, there)):
        raise ValueError(f"{str(target)!r} has other files in it: name a folder for these files alone")
    tables = {name: _write_table(source, name, target, there) for name in TABLES}
    manifest = {"format": FORMAT, "version": VERSION, "made_by": f"openai-thread-runs {__version__}", "tables": tables}
    put_text(target, MANIFEST, json.dumps(manifest, indent=1) + "\n")
    named = {file["path"] for table in tables.values() for file in table["files"]}
    for name in there:
        if _SHARD.fullmatch(name) and name not in named:
            target.remove(name)
    return manifest


def schema_of(columns: Mapping[str, Type]) -> Any:
    """A table's columns as Arrow has them."""
    import pyarrow

    types = {
        "text": pyarrow.string(),
        "time": pyarrow.timestamp("us", tz="UTC"),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])


def _write_table(source: str | os.PathLike[str], name: str, target: Target, there: Iterable[str]) -> Json:
    columns = TABLES[name].columns
    files = [_write_shard(rows, number, name, target, there) for number, rows in enumerate(_shards(source, name))]
    return {"rows": sum(file["rows"] for file in files), "columns": dict(columns), "files": files}


def _shards(source: str | os.PathLike[str], name: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in groups for one file each; one without rows where there are none, to say which columns there are."""
    place = list(TABLES[name].columns).index("json")
    held: list[tuple[Any, ...]] = []
    characters = count = 0
    for row in rows_of(each_store(source), name):
        if held and (len(held) == _MAX_ROWS or characters + len(row[place]) > _MAX_CHARACTERS):
            yield held
            held, characters, count = [], 0, count + 1
        held.append(row)
        characters += len(row[place])
    if held or not count:
        yield held


def _write_shard(rows: list[tuple[Any, ...]], number: int, name: str, target: Target, there: Iterable[str]) -> Json:
    import pyarrow
    from pyarrow import parquet

    schema = schema_of(TABLES[name].columns)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
    table = pyarrow.table(dict(zip(schema.names, columns, strict=True)), schema=schema)
    with scratch() as folder:
        path = folder / "shard"
        parquet.write_table(table, path, compression="zstd")
        digest = _digest(path)
        shard = f"{name}/part-{number:05}-{digest[:16]}.parquet"
        if shard not in there:
            target.put(shard, path)
        return {"path": shard, "rows": len(rows), "bytes": path.stat().st_size, "sha256": digest}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
