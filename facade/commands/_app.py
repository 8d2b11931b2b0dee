"""The program: the table of its commands, and what runs one of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from facade._version import __version__
from facade.commands import _output, _signals
from facade.commands._command import PROGRAM, SpellingCommand, refused_api_key, same_word
from facade.commands._exits import EPILOG, explain

# Each command's name, and what `--help` says of it without importing it: the first line of its own help.
COMMANDS = {
    "get-thread-run": "Read one run of THREAD, or list its runs.",
    "get-thread-run-step": "Read one step of RUN, or list its steps. RUN needs its THREAD.",
    "get-thread-message": "Read one message of THREAD, or list its messages.",
    "start-thread-run": "Start ASSISTANT on THREAD, or on a new thread.",
    "wait-thread-run": "Read RUN again and again until it rests, and print it.",
    "submit-tool-output": "Answer the function calls that RUN waits for.",
    "stop-thread-run": "Ask for RUN to be stopped.",
    "export": "Take THREADs home: everything of them into one file.",
    "verify": "Check the archive FILE: that nothing in it was changed and nothing has gone.",
    "serve": "Serve the archive FILE until Ctrl-C: threads, messages, runs, steps and assistants, as they were sent.",
    "timeline": "Draw THREAD, or the threads of the archive FILE, as one page.",
    "usage": "Sum the tokens, seconds and failures of THREAD's runs, or of all runs in the archive FILE.",
    "to-otlp": "Give THREAD's runs, or all runs in the archive FILE, as OpenTelemetry traces.",
    "to-parquet": "Write the tables of the archive FILE, or of THREAD, as Parquet files into DIR.",
    "to-jsonl": "Write every object of the archive FILE as JSON Lines, as it was sent.",
    "to-conversations": "Write the threads of the archive FILE as items for OpenAI's Conversations API.",
}


class _Program(SpellingCommand, click.Group):
    """The commands, each imported when it is asked for, by any spelling: `get-thread-run`, `Get-ThreadRun`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = {same_word(name): name for name in COMMANDS}.get(same_word(cmd_name))
        if name is None:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"facade.commands.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            similar = difflib.get_close_matches(args[0].lower(), COMMANDS)
            hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return command.name if command else None, command, args[1:]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would give 1
            _output.discard()
            raise click.exceptions.Exit(141) from None
        except KeyboardInterrupt as stop:
            _output.discard()  # what is still there may wait for a reader that has stopped
            _signals.say_how_far(_signals.code_of(stop))
            raise click.exceptions.Exit(_signals.code_of(stop)) from None


@click.group(
    cls=_Program,
    no_args_is_help=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=PROGRAM)
@refused_api_key
def app() -> None:
    """Read the runs, run steps and messages of threads on an Assistants-compatible endpoint.

    A table on a terminal, JSON Lines into a pipe.
    Without a THREAD or RUN, standard input is read as it comes: an id a line, or threads or runs as JSON Lines, so

    \b
        thread-runs get-thread-run THREAD --all | thread-runs get-thread-run-step --all

    gives every step of every run of a thread.

    There is no time limit unless you set one: --timeout-sec bounds one attempt, --deadline-sec a whole call; for good,
    set THREAD_RUNS_TIMEOUT_SEC and THREAD_RUNS_DEADLINE_SEC.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; every error is one line on standard error."""
    try:
        with _signals.watched():
            return app.main(args, prog_name=PROGRAM, standalone_mode=False) or 0
    except click.Abort:
        return 130
    except Exception as error:
        code, message = explain(error)
        if code == 1 and isinstance(error, OSError):
            _output.discard()
        _output.say(message)
        return code
