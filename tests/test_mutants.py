"""`make mutants` tries the whole core: each module of it has tests, and they are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_architecture import CORE, ROOT

from scripts.mutants import TESTS, modules


def test_each_module_has_tests() -> None:
    """The table names each module of the core that is written by hand, and no other."""
    assert sorted(TESTS) == modules()
    written = [path for path in CORE if not path.read_text("utf-8").startswith("# Derived")]
    names = {str(path.relative_to(ROOT / "facade").with_suffix("")) for path in written}
    assert {name for name in names if not name.endswith("/__init__")} - {"_version"} == set(modules())


@pytest.mark.parametrize("test", sorted({test for tests in TESTS.values() for test in tests.split()}))
def test_tests_are_there(test: str) -> None:
    """Each row names test files, and classes that are in them."""
    name, _, class_name = test.partition("::")
    text = (Path(__file__).parent / f"test_{name}.py").read_text("utf-8")
    assert f"class {class_name}:" in text or not class_name
