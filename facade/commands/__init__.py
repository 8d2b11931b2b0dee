"""The cmdlets as commands of `thread-runs`: `get-thread-run` and `get-thread-run-step`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and leave with its exit code.

    `args` are the words after the program's name; None takes them from `sys.argv`.
    Raises SystemExit always; `thread-runs --help` lists its codes.
    """
    try:
        from facade.commands._app import run

        code = run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        remedy = "pip install click rich (in a checkout: pip install '.[cli]')"
        print(f"thread-runs: the commands need click and rich: {remedy}", file=sys.stderr)
        code = 2
    sys.exit(code)
