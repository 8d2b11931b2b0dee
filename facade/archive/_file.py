"""The file of an archive: opened with care for what else it might be, its mode, and its one writer."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from facade.archive import _schema
from facade.archive._errors import BusyError, DamagedError, MissingError

_WAIT_SEC = 0.1
"""How long SQLite waits at a time for a file that is held."""

_MODE = 0o600
"""Of the file and of all that lies beside it, whatever the umask: it holds what people said."""


def open_archive(path: str | os.PathLike[str], *, read_only: bool, busy_timeout_sec: float) -> sqlite3.Connection:
    """A connection to the archive at `path`, in autocommit mode; to write, the file is made where there is none.

    Raises MissingError, DamagedError, and ValueError where there is no folder for it. What is no archive is left as it
    is.
    """
    file, shown = Path(path).resolve(), repr(os.fspath(path))
    if not file.exists():
        if read_only:
            raise MissingError(f"There is no archive at {shown}: check the path.")
        _check_folder(file)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, _MODE))
    if not file.is_file():
        raise DamagedError(f"{shown} is no file: name an archive.")
    try:
        _refuse_others(file, shown)
        connection = _connect(file, "mode=rw", busy_timeout_sec)
        try:
            version = _version(connection, shown)
            if read_only:
                return _for_reading(connection, version, shown)
            _for_writing(connection, version, file, shown)
            return connection
        except BaseException:
            connection.close()
            raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter where a name in the file is damaged
        if is_busy(error):
            raise
        advice = ""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
            advice = " Its last writer was ended half way: copy it, with its -journal, to where it can be written."
        raise DamagedError(f"{shown} cannot be read as an archive: {error}.{advice}") from error


def _check_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise ValueError(f"cannot write {str(file)!r}: there is no folder {str(file.parent)!r}")


def is_busy(error: Exception) -> bool:
    """Whether SQLite gave up because another connection holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _Connection(sqlite3.Connection):
    """Waits for a file that another process holds, so many seconds in all, and can be interrupted meanwhile.

    No signal reaches SQLite's own wait, which is therefore a short one, again and again.
    """

    patience_sec = 0.0

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        return self._patiently(partial(super().execute, sql, values))

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        return self._patiently(partial(super().executescript, script))

    def _patiently(self, work: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        give_up_at: float | None = None
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                give_up_at = give_up_at or time.monotonic() + self.patience_sec
                if not is_busy(error) or time.monotonic() >= give_up_at:
                    raise
            time.sleep(0.01)


def _connect(file: Path, query: str, busy_timeout_sec: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.as_uri()}?{query}",
        uri=True,
        timeout=min(busy_timeout_sec, _WAIT_SEC),
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    connection.patience_sec = busy_timeout_sec
    return connection


def _refuse_others(file: Path, shown: str) -> None:
    """Look at a file's header without touching it: merely opening another program's database may change it."""
    # Beside a journal the header may be half written. SQLite itself has to look: were this file opened and closed by
    # other means, the locks that this process holds on it would be gone.
    if file.stat().st_size and not Path(f"{file}-journal").exists():
        connection = _connect(file, "mode=ro&immutable=1", 0)
        try:
            version = _version(connection, shown)
        finally:
            connection.close()
        if version == 0 and Path(f"{file}-wal").exists():  # an archive has no such log: what is in it is another's
            raise DamagedError(f"{shown} is no archive of threads and runs: name another file.")


def _version(connection: sqlite3.Connection, shown: str) -> int:
    """The version of a file's tables, 0 for an empty file. Raises DamagedError for what this version cannot read."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    is_empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if is_empty and application_id in (0, _schema.APPLICATION_ID):
        return 0
    if application_id != _schema.APPLICATION_ID or version < 1:
        raise DamagedError(f"{shown} is no archive of threads and runs: name another file.")
    if version > _schema.VERSION:
        raise DamagedError(f"{shown} was written by a newer version of this package: update it to read the file.")
    return int(version)


def _for_reading(connection: sqlite3.Connection, version: int, shown: str) -> sqlite3.Connection:
    if version == 0:
        raise DamagedError(f"{shown} is empty: it is no archive yet.")
    if version < _schema.VERSION:
        # A reader changes no file, so it reads a copy in memory.
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.backup(copy)
        connection.close()
        _schema.migrate(copy, version)
        return copy
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "cache_size = -16000"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _for_writing(connection: sqlite3.Connection, version: int, file: Path, shown: str) -> None:
    file.chmod(_MODE)  # SQLite gives the journal the file's mode
    # A spilling cache would lock readers out before the commit.
    settings = (
        "journal_mode = DELETE",
        "synchronous = FULL",
        "cache_spill = OFF",
        "temp_store = MEMORY",
        "secure_delete = ON",
    )
    for setting in (*settings, "trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    if version < _schema.VERSION:
        try:
            if version:
                _schema.migrate(connection, version)
            else:
                _schema.create(connection)
        except sqlite3.OperationalError:
            # Another process may have done it at the same moment.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if _version(connection, shown) != _schema.VERSION:
                raise
        connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def writer_lock(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold FILE.lock, which one process has at a time and the system takes from it when it ends, however it ends.

    Raises BusyError at once where another has it, and ValueError where there is no folder for it.
    """
    _check_folder(Path(path).resolve())
    lock = Path(f"{Path(path).resolve()}.lock")
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, _MODE)
        try:
            _take(descriptor)
            lock.chmod(_MODE)
            # Whoever had it before removes the file, maybe between opening and locking it here.
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                break
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(
                f"{os.fspath(path)!r} is being written by another process: wait for its end, or name another file."
            ) from None
        os.close(descriptor)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            lock.unlink()
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
