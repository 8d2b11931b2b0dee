"""The options that both commands share, defined once, and the client they describe."""

from __future__ import annotations

import difflib
import logging
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

import facade
from facade.commands import _output

# The cmdlets' aliases, and plural forms; they work but are not shown.
_ALIASES = {
    "inputobject": "threadid",
    "thread": "threadid",
    "run": "runid",
    "step": "stepid",
    "orgid": "organization",
    "additionalqueries": "additionalquery",
    "additionalheaders": "additionalheader",
}

_HOW_TO_GIVE_A_KEY = "set OPENAI_API_KEY, or use --api-key-file FILE or --prompt-key"
_NO_API_KEY = (
    "there is no --api-key: other users see a command line (ps), and the shell's history keeps it; "
    + _HOW_TO_GIVE_A_KEY
)


def same_word(token: str) -> str:
    """One form for all spellings of a word: `thread-id`, `thread_id`, `ThreadId` and the alias `Thread`."""
    word = token.lower().replace("-", "").replace("_", "")
    return _ALIASES.get(word, word)


# The library's parameters that have another name here.
_OPTION_OF = {
    "api_base": "--api-base",
    "api_key": "--api-key-file",
    "auth_type": "--auth-type",
    "timeout_sec": "--timeout-sec",
    "deadline_sec": "--deadline-sec",
    "max_retry_count": "--max-retry-count",
    "additional_query": "--additional-query",
    "additional_headers": "--additional-header",
}


def in_options(message: str) -> str:
    """A message of the library with options in the place of its parameters."""
    return re.sub(rf"\b({'|'.join(_OPTION_OF)})\b", lambda found: _OPTION_OF[found[0]], message)


def as_written(error: click.UsageError, ctx: click.Context, words: list[str]) -> click.UsageError:
    """An error of these words with options and choices as they are written, where click shows their `same_word`."""
    options = {same_word(name): name for option in ctx.command.get_params(ctx) for name in option.opts}
    if isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        message = error.message
        for choice in error.param.type.choices:
            message = message.replace(repr(same_word(choice)), repr(choice))
        return click.BadParameter(message, ctx, error.param)
    if isinstance(error, click.BadOptionUsage):
        name = options.get(same_word(error.option_name), error.option_name)
        return click.BadOptionUsage(name, error.message.replace(error.option_name, name), ctx)
    if isinstance(error, click.NoSuchOption):
        for word in words:
            given = re.split("[=:]", word)[0]
            name = options.get(same_word(given), "")
            if given.startswith("--") and same_word(given) == same_word(error.option_name):
                return click.NoSuchOption(given, possibilities=_similar(given, options.values()), ctx=ctx)
            # As in PowerShell; click takes such a word for options of one letter each.
            if re.match("-[^-]", given) and name.startswith("--") and not error.option_name.startswith("--"):
                message = _NO_API_KEY if name == "--api-key" else f"options have two dashes here: {name}"
                return click.UsageError(message, ctx)
    return error


def _similar(given: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(given.lower(), [name for name in names if name != "--api-key"])


def either(positional: str | None, option: str | None, name: str, option_name: str) -> str | None:
    """The value given in its place or as an option; both is a usage error."""
    if positional is not None and option is not None:
        raise click.UsageError(f"{name} is given twice, in its place and as {option_name}")
    return option if positional is None else positional


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; errors keep the text to themselves, since a header may carry a secret."""
    pairs = [value.partition("=") for value in values]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise click.BadParameter("write it as NAME=VALUE", ctx, param)
    return {name.strip(): value for name, _, value in pairs}


class _WholeNumber(click.IntRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is no whole number", param, ctx)
        return super().convert(value, param, ctx)


class _Seconds(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not number >= 0:
            self.fail(f"{value!r} is no number of seconds, 0 (no limit) or more", param, ctx)
        return number


def _refuse(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(_NO_API_KEY, ctx)


refused_api_key = click.option(
    "--api-key", is_flag=False, flag_value="", hidden=True, is_eager=True, expose_value=False, callback=_refuse
)

_SHARED = (
    click.option("--all", is_flag=True, help="Every object, over all pages; --limit is then ignored."),
    click.option("--limit", type=_WholeNumber(1, 100), metavar="N", help="At most N objects, 1 to 100.  [default: 20]"),
    click.option(
        "--order", type=click.Choice(["asc", "desc"]), default="asc", show_default=True, help="By time created."
    ),
    click.option("--after", metavar="ID", help="Only what follows this object: where an earlier call ended."),
    click.option("--before", metavar="ID", help="Only what precedes this object. Not with --all."),
    click.option(
        "--concurrency",
        type=_WholeNumber(1, 64),
        default=8,
        show_default=True,
        metavar="N",
        help="With --all and standard input: how many are read at once; 1 answers each line as it comes.",
    ),
    click.option(
        "--timeout-sec",
        type=_Seconds(min=0),
        default=0,
        show_default=True,
        metavar="SECONDS",
        help="Bound on one attempt of one request; 0: none.",
    ),
    click.option(
        "--deadline-sec",
        type=_Seconds(min=0),
        default=0,
        show_default=True,
        metavar="SECONDS",
        help="Bound on a whole call, with its retries, waits and pages; 0: none.",
    ),
    click.option(
        "--max-retry-count",
        type=_WholeNumber(0, 100),
        default=0,
        show_default=True,
        metavar="N",
        help="Further attempts after 429 and 5xx.",
    ),
    click.option(
        "--api-base",
        metavar="URL",
        help="The endpoint, such as http://localhost:8000/v1.  [default: OPENAI_API_BASE, OPENAI_BASE_URL]",
    ),
    click.option(
        "--organization",
        metavar="ID",
        help="The organization to ask for.  [default: OPENAI_ORGANIZATION, then OPENAI_ORG_ID]",
    ),
    click.option(
        "--auth-type",
        type=click.Choice(["openai", "azure", "azure_ad"]),
        metavar="[openai|azure|azure_ad]",
        default="openai",
        show_default=True,
        help="How the key is sent: as a Bearer token, as the `api-key` header, as an Entra token.",
    ),
    click.option(
        "--additional-query",
        "additional_query",
        multiple=True,
        callback=_pairs,
        metavar="NAME=VALUE",
        help="A query parameter for each request, such as api-version=v1; may be repeated.",
    ),
    click.option(
        "--additional-header",
        "additional_headers",
        multiple=True,
        callback=_pairs,
        metavar="NAME=VALUE",
        help="A header for each request; may be repeated.",
    ),
    click.option(
        "--api-key-file",
        metavar="FILE",
        help="A file that holds the key; without it OPENAI_API_KEY counts, else a terminal is asked.",
    ),
    click.option("--prompt-key", is_flag=True, help="Ask for the key on the terminal, whatever is set."),
    refused_api_key,
    click.option(
        "--output",
        type=click.Choice(["auto", "table", "jsonl"]),
        default="auto",
        show_default=True,
        help="auto: a table on a terminal, JSON Lines elsewhere.",
    ),
    click.option("--verbose", is_flag=True, help="Also log, on standard error, what was done."),
    click.option("--debug", is_flag=True, help="Also log, on standard error, each request."),
)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; it takes them as keywords and makes an `Options` of them."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Options:
    """The shared options of one call, and `wanted`: the id of the one object to read, or None for a list."""

    wanted: str | None
    all: bool
    limit: int | None
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None
    concurrency: int
    timeout_sec: float
    deadline_sec: float
    max_retry_count: int
    api_base: str | None
    organization: str | None
    auth_type: Literal["openai", "azure", "azure_ad"]
    additional_query: Mapping[str, str]
    additional_headers: Mapping[str, str]
    api_key_file: str | None
    prompt_key: bool
    output: Literal["auto", "table", "jsonl"]
    verbose: bool
    debug: bool

    def __post_init__(self) -> None:
        lists = {"--all": self.all, "--limit": self.limit, "--after": self.after, "--before": self.before}
        if self.wanted is not None and (given := [name for name, value in lists.items() if value]):
            raise click.UsageError(f"{given[0]} goes with a list: leave it out, or the id of the one object to read")
        if self.all and self.before:
            raise click.UsageError("--before goes with one page: leave out --all")

    def client(self) -> facade.Client:
        """The client that the options describe. Raises ConfigurationError for an unusable key, base or organization."""
        return facade.Client(
            self._api_key(),
            self.organization,
            self.api_base,
            timeout_sec=self.timeout_sec,
            deadline_sec=self.deadline_sec,
            max_retry_count=self.max_retry_count,
            auth_type=self.auth_type,
            additional_query=self.additional_query,
            additional_headers=self.additional_headers,
        )

    def _api_key(self) -> str | None:
        on_terminal = sys.stdin is not None and sys.stdin.isatty()
        if self.prompt_key and not on_terminal:
            raise facade.ConfigurationError("--prompt-key needs a terminal as standard input")
        if self.api_key_file is not None and not self.prompt_key:
            return _key_in(self.api_key_file)
        if os.environ.get("OPENAI_API_KEY", "").strip() and not self.prompt_key:
            return None  # the client reads the variable itself
        if on_terminal:
            return str(click.prompt("API key", hide_input=True, err=True))
        raise facade.ConfigurationError(f"no API key: {_HOW_TO_GIVE_A_KEY}")

    @contextmanager
    def diagnostics(self, program: str) -> Iterator[None]:
        """Show the library's log and warnings on standard error, a line each, while the context lasts."""
        logger = logging.getLogger("facade")
        handler = _OneLineHandler(program)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if self.debug else logging.INFO if self.verbose else logging.WARNING)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_, **__: logger.warning("%s", message)
                yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)


def _key_in(path: str) -> str:
    # The path stays out of the messages: it may be a key, given in the wrong place.
    if path == "-":
        raise facade.ConfigurationError("--api-key-file takes a file: standard input is for threads and runs")
    try:
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise facade.ConfigurationError(f"the file of --api-key-file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise facade.ConfigurationError("the file of --api-key-file holds no text") from None


class _OneLineHandler(logging.Handler):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{self._program}: {record.levelname.lower()}: {_output.one_line(record.getMessage())}"
        click.echo(text, err=True)
