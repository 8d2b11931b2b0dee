"""The program: its log, its extra, and its table of commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from shell import Api, Cli, ids, is_one_line

import facade
from facade import archive
from facade._operations import OPERATIONS
from facade.commands._app import COMMANDS, app
from facade.commands._command import command
from facade.commands._connection import Connection, connected
from facade.commands._exits import EXIT_CODES, explain
from facade.server import write_sample


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


def test_each_cmdlet_function_has_its_command() -> None:
    """An operation that is declared with a cmdlet is a command of the same name."""
    assert {(op.cmdlet or "").replace("_", "-") for op in OPERATIONS} - {""} <= COMMANDS.keys()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("thread-runs get", ["get-thread-run", "get-thread-run-step", "get-thread-message"]),
        ("thread-runs get-thread-run --dead", ["--deadline-sec"]),
        ("thread-runs get-thread-run --output j", ["jsonl"]),
    ],
)
def test_a_shell_completes_words(environment: dict[str, str], words: str, found: list[str]) -> None:
    """As click does it, for commands, options and choices."""
    asked = {"_THREAD_RUNS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    command = [sys.executable, "-c", "from facade.commands import main; main()"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == found


@pytest.mark.parametrize("error", [name for name in facade.__all__ if name.endswith("Error")])
def test_every_error_of_the_library_has_an_exit_code(error: str) -> None:
    """None of them ends a command with a traceback."""
    kind = getattr(facade, error)
    raised = kind("It broke.")
    assert explain(raised)[0] in EXIT_CODES


def test_an_archives_errors_have_exit_codes() -> None:
    """Without importing archives for it."""
    assert explain(archive.DamagedError("It is damaged."))[0] == 16
    assert explain(archive.BusyError("It is busy."))[0] == 17


def test_an_argument_is_a_file_where_it_names_one(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file is read without a key; what looks like a path and names none is an error; else it is a thread."""
    found: list[tuple[list[str], str | None]] = []

    @command("look")
    @click.argument("source")
    @connected
    def look(source: str, connection: Connection) -> None:
        with connection.open_source(source) as (client, thread):
            found.append(([run.id for run in client.runs.list(thread or "thread_bakery", limit=2)], thread))

    write_sample(tmp_path / "thread_odd")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    look.main(["thread_odd"], standalone_mode=False)
    assert found == [(["run_bakery_01", "run_bakery_02"], None)]
    for missing in ("missing.db", "missing.sqlite", f"a{os.sep}b"):
        with pytest.raises(click.UsageError, match="no file"):
            look.main([missing], standalone_mode=False)
    with pytest.raises(facade.ConfigurationError):  # a thread, so a key is wanted
        look.main(["thread_bakery"], standalone_mode=False)
