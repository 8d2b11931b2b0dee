"""A small server of threads, messages, runs, run steps and assistants over a SQLite file.

Optional: the extra `server` brings its needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade.archive._errors import NotStoredError, UnknownCursorError
from facade.archive._store import Store, StoredObject, StoredPage
from facade.server.sample import write_sample

if TYPE_CHECKING:
    from facade.server.app import create_app
    from facade.server.running import serve

# Imported when first asked for: only these need the extra.
_LATER = {"create_app": "facade.server.app", "serve": "facade.server.running"}
_EXTRA = ("starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_LATER[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        remedy = "pip install starlette uvicorn (in a checkout: pip install '.[server]')"
        message = f"the server needs starlette and uvicorn: {remedy}"
        raise ModuleNotFoundError(message, name=error.name) from error
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
