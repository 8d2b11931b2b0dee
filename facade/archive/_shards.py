"""One archive, or the many that an export by many workers has made, read one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator

from facade.archive._store import Store


def each_store(source: str | os.PathLike[str]) -> Iterator[Store]:
    """The archives of a file.

    Raises DamagedError: there is no such file, or it is no archive.
    """
    with Store(source, read_only=True) as store:
        yield store
