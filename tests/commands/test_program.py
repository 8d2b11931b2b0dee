"""The program: its log, its extra, and its table of commands."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from shell import Api, Cli, ids, is_one_line

from facade.commands._app import COMMANDS, app


def test_the_log_is_shown_when_asked_for(cli: Cli, api: Api) -> None:
    """Nothing by default, what was read with `--verbose`, each request with `--debug`; a line each."""
    api.add_runs("thread_a", "run_1")
    assert cli("get-thread-run", "thread_a")[2] == ""
    verbose = cli("get-thread-run", "thread_a", "--verbose")[2]
    assert re.fullmatch(r"thread-runs: info: 1 read in [\d.]+ s\n", verbose)
    debug = cli("get-thread-run", "thread_a", "--debug")[2]
    assert re.search(r"^thread-runs: debug: .*/threads/thread_a/runs", debug, re.MULTILINE)
    assert all(line.startswith("thread-runs: ") for line in debug.splitlines())


def test_a_failed_run_is_warned_of(cli: Cli, api: Api) -> None:
    """The library's warning reaches standard error without being asked for."""
    api.add_runs("thread_a", "run_1", status="failed", last_error={"code": "rate_limit_exceeded", "message": "No."})
    code, out, err = cli("get-thread-run", "thread_a", "run_1")
    assert (code, ids(out)) == (0, ["run_1"])
    assert err.startswith("thread-runs: warning: ")
    assert "rate_limit_exceeded" in err


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_says_how_to_install_it(environment: dict[str, str], missing: str) -> None:
    """One line with the command, and the code of a usage error."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
from facade.commands import main
main(["get-thread-run", "thread_a", "--output", "table"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, is_one_line(done.stderr)) == (2, "", True)
    assert "pip install click rich" in done.stderr


def test_the_library_loads_nothing_of_the_commands() -> None:
    """`import facade`, and the commands' own package too, leave click and rich alone."""
    # httpx loads both for a command of its own, where they are there; that is not what is looked at.
    code = """
import sys
sys.modules["httpx._main"] = None
import facade, facade.commands
print(sorted({"click", "rich"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_table_of_commands_says_what_each_says_of_itself() -> None:
    """Each command has its module, and `--help` says its first line without importing it."""
    for name, said in COMMANDS.items():
        command = app.get_command(click.Context(app), name)
        assert command is not None
        assert (command.name, (command.help or "").partition("\n")[0]) == (name, said)


def test_help_imports_no_command() -> None:
    """However many there are, `--help` takes as long as before."""
    code = """
import sys
from facade.commands import main
try:
    main(["--help"])
finally:
    print([name for name in sys.modules if name.startswith(("facade.commands.get", "rich"))], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "get-thread-run-step" in done.stdout
    assert done.stderr == "[]\n"
