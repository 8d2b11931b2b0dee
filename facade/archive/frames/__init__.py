"""An archive's objects as tables: frames of pandas, polars or Arrow, and Parquet files.

archive.frame("archive.db", "runs")    a data frame
archive.to_parquet("archive.db", "folder")    all tables as Parquet files

Each library is an extra of its own: `pandas`, `polars`, `arrow` (which writes Parquet too).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from facade._extras import needed
from facade.archive._shards import each_store
from facade.archive.frames._parquet import to_parquet
from facade.archive.frames._tables import TABLES, Type, rows_of

__all__ = ["frame", "to_parquet"]

Library = Literal["pandas", "polars", "arrow"]
Columns = Mapping[str, Type]
Values = Mapping[str, list[Any]]


def frame(source: str | os.PathLike[str], table: str, library: Library = "pandas") -> Any:
    """A table of an archive, whole in memory.

    Args:
        source: the archive's file, or the folder or address that `export_many` filled.
        table: `threads`, `runs`, `steps`, `tool_calls`, `messages` or `assistants`.
        library: what is wanted: a `pandas.DataFrame`, a `polars.DataFrame` or a `pyarrow.Table`.

    Returns:
        A row an object, thread by thread, within one by time created. Times are times in UTC, of microseconds; what an
        object has not, or has of another kind, is null. `json` has the object as the server sent it, to the letter; a
        tool call has the times of its step, and its inputs and outputs as text or JSON text.

    Raises:
        ValueError: there is no such table or library.
        ModuleNotFoundError: the library's extra is not installed.
        DamagedError: there is no such file, or it is no archive.
    """
    if table not in TABLES:
        raise ValueError(f"table is one of {', '.join(TABLES)}, not {table!r}")
    if library not in _MADE:
        raise ValueError(f"library is one of {', '.join(_MADE)}, not {library!r}")
    with needed(f"a frame of {library}", library, *_PACKAGES[library]):
        make = _MADE[library]()
    columns = TABLES[table].columns
    values: list[list[Any]] = [[] for _ in columns]
    for row in rows_of(each_store(source), table):
        for column, value in zip(values, row, strict=True):
            column.append(value)
    return make(columns, dict(zip(columns, values, strict=True)))


def _pandas() -> Callable[[Columns, Values], Any]:
    import numpy
    import pandas

    missing = numpy.iinfo("int64").min  # what numpy takes for no time

    def series(kind: Type, values: list[Any]) -> Any:
        if kind == "time":
            micros = numpy.array([missing if value is None else value for value in values], dtype="int64")
            return pandas.Series(micros.view("datetime64[us]")).dt.tz_localize("UTC")
        return pandas.Series(values, dtype={"text": "string", "integer": "Int64", "number": "float64"}[kind])

    return lambda columns, values: pandas.DataFrame(
        {name: series(kind, values[name]) for name, kind in columns.items()}
    )


def _polars() -> Callable[[Columns, Values], Any]:
    import polars

    types = {"text": polars.String, "integer": polars.Int64, "number": polars.Float64, "time": polars.Int64}

    def series(name: str, kind: Type, values: list[Any]) -> Any:
        made = polars.Series(name, values, dtype=types[kind])
        return made.cast(polars.Datetime("us", "UTC")) if kind == "time" else made

    return lambda columns, values: polars.DataFrame(
        [series(name, kind, values[name]) for name, kind in columns.items()]
    )


def _arrow() -> Callable[[Columns, Values], Any]:
    import pyarrow

    from facade.archive.frames._parquet import schema_of

    return lambda columns, values: pyarrow.table(values, schema=schema_of(columns))


_MADE = {"pandas": _pandas, "polars": _polars, "arrow": _arrow}
_PACKAGES = {"pandas": ["pandas"], "polars": ["polars"], "arrow": ["pyarrow"]}
