"""An archive's tables: equal to the archive in every library, exact, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pandas
import polars
import pyarrow
import pytest
from pyarrow import parquet
from timeline_sample import an_odd_thread

from facade import archive
from facade.archive import _target
from facade.archive.frames import _parquet
from facade.archive.frames._tables import TABLES
from facade.server import Store, write_sample

OBJECTS = ("threads", "messages", "runs", "steps", "assistants")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "archive.db"
    write_sample(path)
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An archive of odd objects, in texts of their own spelling."""
    held = an_odd_thread().held["thread_odd"]
    runs = [{**run, "id": f"run_{n}"} for n, run in enumerate(held["runs"])]
    ids = {"thread_id": "thread_odd", "run_id": "run_0"}
    steps = [{**step, **ids, "id": step.get("id") or "step"} for step in held["steps"]["run_bare"]]
    messages = [{**message, "thread_id": "thread_odd"} for message in held["messages"]]
    infinite = {item["id"] for item in (*runs, *steps) if "Infinity" in json.dumps(item)}
    with Store(tmp_path / "odd.db") as store:
        store.add(
            runs=[json.dumps(run, indent=1) for run in runs if run["id"] not in infinite],
            steps=[json.dumps(step) for step in steps if step["id"] not in infinite],
            messages=[json.dumps(message) for message in messages],
        )
        store.add(
            steps=[
                '{"id":"step_exact","thread_id":"thread_odd","run_id":"run_0","step_details": {"x":[1],'
                '"tool_calls" : [ {"id": "a", "n":1.00, "n":2.50e1} ,{"type":"code_interpreter","code_interpreter":'
                '{"input":"\\u00e9\\ud800"}}, 7 ], "y":{}}}'
            ]
        )
    return tmp_path / "odd.db"


def texts_in(path: Path, kind: str) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(f"SELECT id, json FROM {kind} WHERE json IS NOT NULL")
        return dict(found.fetchall())


def records(source: Any, table: str, library: Any) -> list[dict[str, Any]]:
    """A frame's rows, with None for whatever a library has for nothing."""
    found = archive.frame(source, table, library)
    if library == "pandas":
        rows = found.astype(object).where(found.notna(), None).to_dict("records")
        return [{name: plain(value) for name, value in row.items()} for row in rows]
    rows = found.to_dicts() if library == "polars" else found.to_pylist()
    return list(rows)


def plain(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("table", OBJECTS)
def test_a_frame_equals_the_archive(sample: Path, table: str, library: str) -> None:
    """Each object is a row, and its `json` is the stored text, to the letter."""
    rows = records(sample, table, library)
    assert {row["id"]: row["json"] for row in rows} == texts_in(sample, table)
    assert len(rows) == len({row["id"] for row in rows})
    assert list(rows[0]) == list(TABLES[table].columns)
    for row in rows:
        value = json.loads(row["json"])
        for name in {"status", "model", "thread_id", "run_id", "role"} & row.keys() & value.keys():
            assert row[name] == value[name], name


@pytest.mark.parametrize("table", TABLES)
def test_the_libraries_agree(sample: Path, odd: Path, table: str) -> None:
    """The same rows in each library, of odd objects too; an empty table has its columns and types."""
    for source in (sample, odd):
        expected = records(source, table, "arrow")
        assert records(source, table, "polars") == expected
        assert records(source, table, "pandas") == expected


def test_times_are_times(sample: Path) -> None:
    """In UTC, with a type that says so, in each library and in an empty table."""
    began = datetime.fromtimestamp(1_748_844_000, UTC)
    for library in ("pandas", "polars", "arrow"):
        row = next(row for row in records(sample, "runs", library) if row["id"] == "run_bakery_01")
        assert (row["created_at"], row["seconds"], row["total_tokens"]) == (began, 8.0, 1576)
        assert row["ended_at"] > row["started_at"] > row["created_at"]
    assert str(archive.frame(sample, "runs").dtypes["ended_at"]) == "datetime64[us, UTC]"
    assert archive.frame(sample, "runs", "polars").schema["ended_at"] == polars.Datetime("us", "UTC")
    assert archive.frame(sample, "runs", "arrow").schema.field("ended_at").type == pyarrow.timestamp("us", "UTC")


def test_a_tool_call_is_a_row_with_its_own_text(sample: Path) -> None:
    """Calls of every kind have names, inputs and outputs; together they are those of the steps."""
    rows = records(sample, "tool_calls", "arrow")
    steps = {step_id: json.loads(text) for step_id, text in texts_in(sample, "steps").items()}
    for row in rows:
        assert json.loads(row["json"]) == steps[row["step_id"]]["step_details"]["tool_calls"][row["number"]]
    assert len(rows) == sum(len(step["step_details"].get("tool_calls", ())) for step in steps.values())
    by_type = {row["type"]: row for row in rows}
    assert {"function", "code_interpreter", "file_search", "mcp", "connected_agent"} <= by_type.keys()
    assert by_type["connected_agent"]["child_thread_id"] == "thread_bakery_mill"
    assert by_type["mcp"]["output"]
    assert "allergens.md" in next(row for row in rows if row["type"] == "file_search")["output"]


def test_odd_objects_are_rows_all_the_same(odd: Path) -> None:
    """What has no text, number or time where one belongs is null; `json` is exact even then."""
    runs = records(odd, "runs", "arrow")
    assert {row["id"]: row["json"] for row in runs} == texts_in(odd, "runs")
    assert next(row["created_at"] for row in runs if row["status"] == "frozen solid").year == 2025
    [kinds] = [row for row in runs if row["status"] == "7"]
    assert (kinds["created_at"], kinds["model"], kinds["error_message"]) == (None, '{"a":1}', "broke")
    [milliseconds] = [row for row in runs if row["seconds"] == 15.5]
    assert milliseconds["created_at"] == datetime(2025, 6, 2, 6, 1, tzinfo=UTC)
    calls = [row for row in records(odd, "tool_calls", "arrow") if row["step_id"] == "step_exact"]
    assert [row["json"] for row in calls] == [
        '{"id": "a", "n":1.00, "n":2.50e1}',
        '{"type":"code_interpreter","code_interpreter":{"input":"\\u00e9\\ud800"}}',
        "7",
    ]
    assert calls[1]["input"] == "é\N{REPLACEMENT CHARACTER}"
    assert [row["text"] for row in records(odd, "messages", "arrow") if row["id"] == "msg_text"] == ["only text"]


def test_what_there_is_not_is_refused(sample: Path, tmp_path: Path) -> None:
    """A table or library that there is not, and a file that is no archive."""
    with pytest.raises(ValueError, match="runs, steps, tool_calls"):
        archive.frame(sample, "clouds")
    with pytest.raises(ValueError, match="pandas, polars, arrow"):
        archive.frame(sample, "runs", "excel")  # type: ignore[arg-type]
    with pytest.raises(archive.DamagedError):
        archive.frame(tmp_path / "none.db", "runs")


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_each_extra_works_alone(sample: Path, library: str) -> None:
    """A frame of one library is made where none of the others can be imported, and the archive needs none."""
    needed = {"pandas": {"pandas", "numpy"}, "polars": {"polars"}, "arrow": {"pyarrow"}}[library]
    others = {"pandas", "numpy", "polars", "pyarrow", "fsspec"} - needed
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({others!r}))\n"
        f"from facade import archive; print(len(archive.frame({str(sample)!r}, 'runs', {library!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "14\n", done.stderr


# Parquet


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_parquet_files_have_the_frames_rows(sample: Path, tmp_path: Path) -> None:
    """Each table's files read as its frame, with its types, and the manifest names each with its digest."""
    manifest = archive.to_parquet(sample, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8")) == manifest
    assert list(manifest["tables"]) == list(TABLES)
    for name, table in manifest["tables"].items():
        read = pyarrow.concat_tables(parquet.read_table(tmp_path / "out" / file["path"]) for file in table["files"])
        assert read.equals(archive.frame(sample, name, "arrow"))
        assert table["rows"] == len(read)
        for file in table["files"]:
            data = (tmp_path / "out" / file["path"]).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["bytes"])
    named = {file["path"] for table in manifest["tables"].values() for file in table["files"]}
    assert set(files_in(tmp_path / "out")) == {*named, "manifest.json"}


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_files_are_their_owner_s(sample: Path, tmp_path: Path) -> None:
    """Whatever the umask: they hold what people said."""
    archive.to_parquet(sample, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_tables_come_in_shards_with_one_schema(
    sample: Path, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows a file has, and even none, its columns are the table's; no row is lost between files."""
    monkeypatch.setattr(_parquet, "_MAX_ROWS", 3)
    for number, source in enumerate((sample, odd)):
        manifest = archive.to_parquet(source, tmp_path / str(number))
        for name, table in manifest["tables"].items():
            schemas = {str(parquet.read_schema(tmp_path / str(number) / file["path"])) for file in table["files"]}
            assert schemas == {str(_parquet.schema_of(TABLES[name].columns))}
            assert all(file["rows"] <= 3 for file in table["files"])
            assert sum(file["rows"] for file in table["files"]) == len(archive.frame(source, name, "arrow"))


def test_writing_again_changes_what_has_changed(sample: Path, tmp_path: Path) -> None:
    """The same archive gives the same files; where a table has changed its file is replaced, and the old one goes."""
    write_sample(tmp_path / "archive.db")
    first = archive.to_parquet(tmp_path / "archive.db", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    assert archive.to_parquet(tmp_path / "archive.db", tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before
    with Store(tmp_path / "archive.db") as store:
        store.add(runs=[{"id": "run_new", "thread_id": "thread_bakery"}])
    second = archive.to_parquet(tmp_path / "archive.db", tmp_path / "out")
    assert second["tables"]["runs"]["rows"] == 15
    assert second["tables"]["steps"] == first["tables"]["steps"]
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 1


def test_a_broken_off_write_leaves_nothing_half(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, the files that are there are whole, the manifest is the last whole one, and again works."""
    put, count = _target._Local.put, 0

    def fail(self: Any, name: str, local: Path) -> None:
        nonlocal count
        count += 1
        if count == 3:
            with monkeypatch.context() as broken:
                broken.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
                put(self, name, local)
        put(self, name, local)

    with monkeypatch.context() as patched:
        patched.setattr(_target._Local, "put", fail)
        with pytest.raises(OSError, match="the disk is full"):
            archive.to_parquet(sample, tmp_path / "out")
    left = files_in(tmp_path / "out")
    assert len(left) == 2
    assert all(name.endswith(".parquet") for name in left)
    for name in left:
        parquet.read_table(tmp_path / "out" / name)
    assert archive.to_parquet(sample, tmp_path / "out")["tables"]["runs"]["rows"] == 14


def test_other_people_s_files_are_left_alone(sample: Path, tmp_path: Path) -> None:
    """A folder with something else in it is refused before anything is written."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="other files"):
        archive.to_parquet(sample, tmp_path)
    assert files_in(tmp_path) == {"notes.txt": b"mine"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"format": "a web app"}')
    with pytest.raises(ValueError, match="something else"):
        archive.to_parquet(sample, tmp_path / "other")


def test_an_address_of_fsspec_takes_the_same_files(sample: Path, tmp_path: Path) -> None:
    """What is written to an address is what is written to a folder, and nothing half is left there."""
    archive.to_parquet(sample, tmp_path / "out")
    address = f"memory://{tmp_path.name}/out"
    for _ in range(2):
        archive.to_parquet(sample, address)
    files = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}/out/"
    assert {path.removeprefix(root): files.cat_file(path) for path in files.find(root)} == files_in(tmp_path / "out")


# The recipes


def test_duckdb_reads_times_and_numbers(sample: Path, tmp_path: Path) -> None:
    """Its own types are times and numbers, and what it sums is what the archive has."""
    archive.to_parquet(sample, tmp_path / "out")
    with duckdb.connect() as connection:
        shards = f"'{tmp_path}/out/runs/*.parquet'"
        [(tokens, days)] = connection.sql(
            f"SELECT sum(total_tokens), count(DISTINCT date_trunc('day', created_at)) FROM {shards}"
        ).fetchall()
        types = dict(zip(*(getattr(connection.sql(f"FROM {shards}"), of) for of in ("columns", "types")), strict=True))
    assert (tokens, days) == (15801, 1)
    assert (str(types["created_at"]), str(types["total_tokens"])) == ("TIMESTAMP WITH TIME ZONE", "BIGINT")


def test_datasette_shows_an_archive(sample: Path) -> None:
    """The views answer over its JSON interface, as the recipe has it."""
    pytest.importorskip("datasette", reason="datasette is not installed")
    query = "/archive.json?_shape=array&sql=select+status,count(*)+as+runs+from+run_facts+group+by+status"
    command = [sys.executable, "-W", "ignore", "-m", "datasette", str(sample), "--get", query]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sum(row["runs"] for row in json.loads(done.stdout)) == 14
