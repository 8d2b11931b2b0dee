"""The commands of `thread-runs`; extra `cli`.

One command is one module here, named after it (`get-thread-run` is `get_thread_run.py`), whose `command` is a click
command, and one line in `_app.COMMANDS`. The module is imported when its command is run. What it builds on:

    _command.py      @command: a click command that knows its options by the cmdlets' spellings
    _connection.py   @connected: the options of an endpoint, as a `Connection` that opens its client, or an archive's
    _listing.py      @listed: the options of a list, as a `Listing` that reads (`_reading.py`) and prints objects
    _input.py        standard input as threads or runs
    _output.py       @printed: --output, as a writer of tables, JSON Lines or CSV; what is said on standard error
    _kinds.py        what a table and CSV show of each kind of object
    _signals.py      how Ctrl-C and SIGTERM end a command; `how_far` says what it has done by then
    _exits.py        every exit code, and what each error means as one; `Failure` ends a command with a code
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from facade._extras import MissingExtraError, needed

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and leave with its exit code.

    `args` are the words after the program's name; None takes them from `sys.argv`.
    Raises SystemExit always; `thread-runs --help` lists its codes.
    """
    try:
        with needed("the command", "cli", "click", "rich"):
            from facade.commands._app import run

            code = run(args)  # rich is imported when something is shown
    except MissingExtraError as error:
        print(f"thread-runs: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)
