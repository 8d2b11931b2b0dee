"""A small server of threads, messages, runs, run steps and assistants over a SQLite file.

Optional: the extra `server` brings its needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade._extras import needed
from facade.archive._errors import NotStoredError, UnknownCursorError
from facade.archive._store import Store, StoredObject, StoredPage
from facade.server.sample import write_sample

if TYPE_CHECKING:
    from facade.server.app import create_app
    from facade.server.running import serve

# Imported when first asked for: only these need the extra.
_LATER = {"create_app": "facade.server.app", "serve": "facade.server.running"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needed("the server", "server", "starlette", "uvicorn"):
        value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


__all__ = [
    "NotStoredError",
    "Store",
    "StoredObject",
    "StoredPage",
    "UnknownCursorError",
    "create_app",
    "serve",
    "write_sample",
]
