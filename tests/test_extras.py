"""What is said where an extra is not installed."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from facade import archive, traces
from facade._extras import MissingExtraError, needed
from facade.server import write_sample

EXTRAS = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]

Needs = Callable[[Path], Any]

CASES: dict[str, tuple[str, Needs, str]] = {
    "pandas": (
        "pandas",
        lambda file: archive.frame(file, "runs"),
        "a frame of pandas needs pandas: pip install pandas",
    ),
    "polars": (
        "polars",
        lambda file: archive.frame(file, "runs", "polars"),
        "a frame of polars needs polars: pip install polars",
    ),
    "arrow": (
        "pyarrow",
        lambda file: archive.frame(file, "runs", "arrow"),
        "a frame of arrow needs pyarrow: pip install pyarrow",
    ),
    "parquet": (
        "pyarrow",
        lambda file: archive.to_parquet(file, file.with_name("tables")),
        "to write Parquet needs pyarrow: pip install pyarrow",
    ),
    "address": (
        "fsspec",
        lambda file: archive.to_jsonl(file, "memory://folder"),
        "an address needs fsspec: pip install fsspec",
    ),
    "otlp": (
        "opentelemetry",
        lambda file: traces.push({}, "http://127.0.0.1:1"),
        "sending traces needs opentelemetry-proto: pip install opentelemetry-proto",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_missing_extra_says_how_to_get_it(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names what needs it, the packages, and the extra, which has these packages."""
    module, call, message = CASES[case]
    file = tmp_path / "archive.db"
    write_sample(file)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as caught:
        call(file)
    assert str(caught.value).startswith(message + " (in a checkout: ")
    packages = message.partition("pip install ")[2].split()
    extra = str(caught.value).partition("'.[")[2].partition("]")[0]
    assert all(any(line.startswith(package + ">") for line in EXTRAS[extra]) for package in packages)


def test_an_own_module_that_is_missing_is_no_missing_extra() -> None:
    """A broken installation of this package stays the error that it is."""
    with pytest.raises(ModuleNotFoundError) as caught, needed("it", "all", "it"):
        import_module("facade.no_such_module")
    assert not isinstance(caught.value, MissingExtraError)
