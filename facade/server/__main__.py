"""`python -m facade.server DATABASE`: serve a database until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sqlite3
from collections.abc import Sequence
from threading import Event

from facade.archive import BusyError
from facade.server import Store, write_sample

_KEY_VARIABLE = "THREAD_RUNS_SERVER_KEY"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as `arguments` (None: the command line) say, and print the base URL and the ids of the first threads."""
    parser = argparse.ArgumentParser(
        prog="python -m facade.server",
        description="Serve the threads, messages, runs and run steps in a database, for reading.",
        epilog=f"With the environment variable {_KEY_VARIABLE} set, requests must carry its value as their API key.",
    )
    parser.add_argument("database", help="the SQLite file, as facade.server.Store writes it")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--sample", action="store_true", help="write the sample thread into the database first")
    parser.add_argument(
        "--assistant", action="store_true", help="let a scripted assistant answer: runs can be started, and are written"
    )
    options = parser.parse_args(arguments)
    api_key = os.environ.get(_KEY_VARIABLE) or None
    try:
        from facade.server import serve
        from facade.server.app import is_loopback
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if api_key is None and not is_loopback(options.host):
        parser.error(f"others could read everything at {options.host!r}: set {_KEY_VARIABLE} to a key first")
    try:
        if options.sample:
            write_sample(options.database)
        with Store(options.database, read_only=not options.assistant) as store:
            thread_ids = store.thread_ids()
        asked = {"host": options.host, "port": options.port, "assistant": options.assistant}
        with serve(options.database, api_key=api_key, **asked) as base_url:
            print(f"Serving {_printable(options.database)} at {base_url} (Ctrl-C stops it)", flush=True)
            print(f"Threads: {len(thread_ids)}", *map(_printable, thread_ids[:5]), flush=True)
            Event().wait()
    except KeyboardInterrupt:
        pass
    except (OSError, ValueError, BusyError, ModuleNotFoundError, sqlite3.Error) as error:
        parser.exit(1, f"{parser.prog}: {_advice(error, options)}\n")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _printable(text: str) -> str:
    """A text with nothing in it that a terminal obeys."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _advice(error: Exception, options: argparse.Namespace) -> str:
    """What kept the server from starting, and what to do."""
    if isinstance(error, FileNotFoundError):
        return f"there is no database at {options.database!r}: --sample writes one to try"
    if isinstance(error, sqlite3.Error):
        return f"{options.database!r} cannot be opened ({error}): check the path"
    if not isinstance(error, OSError):
        return str(error)
    from facade.server.running import listening_problem

    return listening_problem(error, options.host, options.port)


if __name__ == "__main__":
    main()
