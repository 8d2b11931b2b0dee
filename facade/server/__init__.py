"""A small server of threads, runs and run steps over a SQLite file. Optional: the extra `server` brings its needs."""

from __future__ import annotations

from facade.server.sample import write_sample
from facade.server.store import NotStoredError, Store, StoredObject, StoredPage, UnknownCursorError

try:
    from facade.server.app import create_app
    from facade.server.running import serve
except ModuleNotFoundError as error:
    message = f'The server needs {error.name}, which is not installed: pip install "openai-thread-runs[server]"'
    raise ModuleNotFoundError(message, name=error.name) from error

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
