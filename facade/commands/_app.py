"""The commands themselves, and what an error of the library means as an exit code."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Literal

import click

import facade
from facade._arguments import run_key, thread_key
from facade._version import __version__
from facade.commands import _input, _options, _output

PROGRAM = "thread-runs"

EXIT_CODES = {
    0: "done",
    1: "something else",
    2: "a wrong command line, or a wrong line on standard input",
    3: "no usable key, organization or API base",
    4: "the server knows no such thread, run or step (404)",
    5: "the key was refused, or may not do this (401, 403)",
    6: "too many requests, or the quota is used up (429)",
    7: "any other refusal (4xx), or a redirect",
    8: "the server failed (5xx)",
    9: "no connection, or no whole answer",
    10: "--timeout-sec or --deadline-sec passed",
    11: "an answer that cannot be read",
    12: "pages that cannot be followed to their end",
    130: "interrupted (Ctrl-C)",
    141: "the reader of the output went away (`| head`)",
}
# The first class that fits decides: a subclass stands before its base.
_CODE_OF: tuple[tuple[type[facade.APIError], int], ...] = (
    (facade.NotFoundError, 4),
    (facade.AuthenticationError, 5),
    (facade.PermissionDeniedError, 5),
    (facade.RateLimitError, 6),
    (facade.InternalServerError, 8),
    (facade.APIStatusError, 7),
    (facade.APITimeoutError, 10),
    (facade.APIConnectionError, 9),
    (facade.APIResponseError, 11),
    (facade.PaginationError, 12),
    (facade.APIError, 1),
)
_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
_EPILOG_OF_COMMANDS = f"Exit codes: {PROGRAM} --help"

log = logging.getLogger("facade.commands")


class _Command(click.Command):
    """A command whose errors name options as they are written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _options.as_written(error, ctx, words) from None


class _Cmdlets(_Command, click.Group):
    """A group that also knows its commands by the cmdlets' spelling, `Get-ThreadRun`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        word = _options.same_word(cmd_name)
        return super().get_command(ctx, next((name for name in self.commands if _options.same_word(name) == word), ""))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"there is no command {args[0]!r}, only {' and '.join(self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _discard_output()
            raise click.exceptions.Exit(141) from None


@click.group(
    cls=_Cmdlets,
    no_args_is_help=False,
    epilog=_EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _options.same_word,
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name=PROGRAM)
@_options.refused_api_key
def app() -> None:
    """Read the runs and run steps of threads on an Assistants-compatible endpoint.

    A table on a terminal, JSON Lines into a pipe.
    Without a THREAD or RUN, standard input is read as it comes: an id a line, or threads or runs as JSON Lines, so

    \b
        thread-runs get-thread-run THREAD --all | thread-runs get-thread-run-step --all

    gives every step of every run of a thread.
    """


@app.command("get-thread-run", cls=_Command, epilog=_EPILOG_OF_COMMANDS)
@click.argument("thread", required=False)
@click.argument("run", required=False)
@click.option("--thread-id", metavar="THREAD", help='The thread; "-" for standard input.')
@click.option("--run-id", metavar="RUN", help="The one run to read. Without it, the thread's runs are listed.")
@_options.shared
def get_thread_run(
    thread: str | None, run: str | None, thread_id: str | None, run_id: str | None, **shared: Any
) -> None:
    """Read one run of THREAD, or list its runs."""
    thread = _options.either(thread, thread_id, "THREAD", "--thread-id")
    options = _options.Options(wanted=_options.either(run, run_id, "RUN", "--run-id"), **shared)
    threads = _input.Pipeline.of(thread, "THREAD", thread_key) or thread
    _show(lambda client: _read(client.runs, threads, options), options, "runs")


@app.command("get-thread-run-step", cls=_Command, epilog=_EPILOG_OF_COMMANDS)
@click.argument("run", required=False)
@click.argument("thread", required=False)
@click.argument("step", required=False)
@click.option("--run-id", metavar="RUN", help='The run; "-" for standard input.')
@click.option("--thread-id", metavar="THREAD", help="The run's thread. Runs that come as JSON name it themselves.")
@click.option("--step-id", metavar="STEP", help="The one step to read. Without it, the run's steps are listed.")
@click.option("--include", metavar="FIELD", multiple=True, help="A further field to ask for; may be repeated.")
@_options.shared
def get_thread_run_step(
    run: str | None,
    thread: str | None,
    step: str | None,
    run_id: str | None,
    thread_id: str | None,
    step_id: str | None,
    include: tuple[str, ...],
    **shared: Any,
) -> None:
    """Read one step of RUN, or list its steps. RUN needs its THREAD.

    What a file search found is left out unless it is asked for:

    \b
        --include 'step_details.tool_calls[*].file_search.results[*].content'
    """
    run = _options.either(run, run_id, "RUN", "--run-id")
    thread = _options.either(thread, thread_id, "THREAD", "--thread-id")
    options = _options.Options(wanted=_options.either(step, step_id, "STEP", "--step-id"), **shared)
    pipeline = _input.Pipeline.of(run, "RUN", lambda line: run_key(line, thread)._asdict())
    if pipeline is None and thread is None:
        raise click.UsageError("RUN needs its THREAD: get-thread-run-step RUN THREAD")
    runs = pipeline or run_key(run, thread)._asdict()
    _show(lambda client: _read(client.steps, runs, options, include=include), options, "steps")


def _show(
    read: Callable[[facade.Client], Generator[Any, None, None]],
    options: _options.Options,
    kind: Literal["runs", "steps"],
) -> None:
    write = _output.writer(options.output, kind)
    began, count = time.monotonic(), 0
    with options.diagnostics(PROGRAM), options.client() as client, closing(read(client)) as items:
        for item in items:
            write(item)
            count += 1
        if not count and _output.is_table(options.output):
            click.echo(f"{PROGRAM}: no {kind}", err=True)
        log.info("%d read in %.1f s", count, time.monotonic() - began)


def _read(resource: Any, source: Any, options: _options.Options, **include: Any) -> Generator[Any, None, None]:
    """The objects of a thread, a run or a pipeline of such: one by its id, all, or a page of each."""
    is_pipeline = isinstance(source, _input.Pipeline)
    if is_pipeline and (options.after or options.before):
        raise click.UsageError("--after and --before go with one thread or run, not with standard input")
    at_once = options.all and options.concurrency > 1
    for parent in source if is_pipeline and not at_once else [source]:
        try:
            yield from _read_one(resource, parent, options, **include)
        except facade.APIError as error:
            if parent is not source and error.thread_id is None:
                # Each is a call of its own, which need not say of what; in a pipeline it must.
                ids = {"thread_id": parent} if isinstance(parent, str) else parent
                error.thread_id, error.run_id = ids["thread_id"], ids.get("run_id")
            raise
    if is_pipeline:
        source.check()


def _read_one(resource: Any, parent: Any, options: _options.Options, **include: Any) -> Generator[Any, None, None]:
    if options.wanted is not None:
        yield resource.get(parent, options.wanted, **include)
    elif options.all:
        settings = {"order": options.order, "after": options.after, "concurrency": options.concurrency}
        with resource.all(parent, **settings, **include) as walk:
            yield from walk
    else:
        settings = {"order": options.order, "after": options.after, "before": options.before}
        page = resource.list(parent, limit=options.limit or 20, **settings, **include)
        yield from page
        if page.has_more and options.limit is None:
            log.warning("%s has more than these %d: use --all, or say how many with --limit", _name(parent), len(page))


def _name(parent: str | dict[str, str]) -> str:
    return parent if isinstance(parent, str) else parent["run_id"]


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush does not fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; every error is one line on standard error."""
    try:
        return app.main(args, prog_name=PROGRAM, standalone_mode=False) or 0
    except facade.APIError as error:
        code = next(code for kind, code in _CODE_OF if isinstance(error, kind))
        # A status error's words are the server's.
        message = str(error) if isinstance(error, facade.APIStatusError) else _options.in_options(str(error))
    except facade.ConfigurationError as error:
        code, message = 3, _options.in_options(str(error))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else PROGRAM
        code, message = 2, f"{error.format_message()} (see: {where} --help)"
    except click.ClickException as error:
        code, message = error.exit_code, error.format_message()
    except click.Abort:
        return 130
    except ValueError as error:  # an argument that the library refuses
        code, message = 2, _options.in_options(str(error))
    except OSError as error:
        _discard_output()
        code, message = 1, f"standard input or output failed: {error.strerror}"
    click.echo(f"{PROGRAM}: {_output.one_line(message)}", err=True)
    return code
