"""A command that knows its options by the cmdlets' spellings too, and the options that every command is made of."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

import click

PROGRAM = "thread-runs"
HOW_TO_GIVE_A_KEY = "set OPENAI_API_KEY, or use --api-key-file FILE or --prompt-key"
_NO_API_KEY = (
    "there is no --api-key: other users see a command line (ps), and the shell's history keeps it; " + HOW_TO_GIVE_A_KEY
)
# The cmdlets' aliases, and plural forms; they work but are not shown.
_ALIASES = {
    "inputobject": "threadid",
    "thread": "threadid",
    "run": "runid",
    "step": "stepid",
    "message": "messageid",
    "orgid": "organization",
    "additionalqueries": "additionalquery",
    "additionalheaders": "additionalheader",
}

_PARTS = re.compile(r"(-*)([^=:]*)(.*)", re.DOTALL)

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def same_word(token: str) -> str:
    """One form for all spellings of a word: `thread-id`, `thread_id`, `ThreadId` and the alias `Thread`."""
    word = token.lower().replace("-", "").replace("_", "")
    return _ALIASES.get(word, word)


class SpellingCommand(click.Command):
    """A command that takes its options in any spelling: `--thread-id`, `--ThreadId`, `--thread_id`, `--Thread`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _as_declared(args, self.get_params(ctx), ctx))


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """What `click.command` is, for the commands of this program."""
    return click.command(name, cls=SpellingCommand, epilog=f"Exit codes: {PROGRAM} --help")


def gathered(name: str, kind: type[Any], options: Sequence[Option]) -> Option:
    """A decorator that gives a command these options, and hands it their values as one object.

    Args:
        name: the keyword by which the command takes the object
        kind: the object's dataclass: a field for each option's value
        options: what `click.option` gives, in the order in which the help shows them
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gather(*args: Any, **values: Any) -> Any:
            mine = {field.name: values.pop(field.name) for field in fields(kind)}
            return function(*args, **values, **{name: kind(**mine)})

        decorated: Callable[..., Any] = gather
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def either(positional: str | None, option: str | None, name: str, option_name: str) -> str | None:
    """The value given in its place or as an option; both is a usage error."""
    if positional is not None and option is not None:
        raise click.UsageError(f"{name} is given twice, in its place and as {option_name}")
    return option if positional is None else positional


def _as_declared(words: list[str], params: Iterable[click.Parameter], ctx: click.Context) -> list[str]:
    """The words with each option spelt as it is declared; what is no option, or the value of one, stays as it is."""
    options = {name: option for option in params if isinstance(option, click.Option) for name in option.opts}
    names = {same_word(name): name for name in options}
    declared: list[str] = []
    is_value = False
    for word in words:
        dashes, given, rest = _PARTS.fullmatch(word).groups()  # type: ignore[union-attr]  # it fits any text
        name = dashes + given if dashes + given in options else names.get(same_word(given)) if dashes else None
        if is_value or name is None:
            is_value = False
            if word == "--":
                return declared + words[len(declared) :]
        elif dashes == "--" and rest[:1] != ":":
            word = name + rest
            is_value = bool(not rest and not options[name].is_flag and not options[name].count)
        elif name.startswith("--") and len(given) > 1:
            # As in PowerShell; click takes such a word for options of one letter each.
            raise click.UsageError(_NO_API_KEY if name == "--api-key" else f"options have two dashes here: {name}", ctx)
        declared.append(word)
    return declared


def _refuse_api_key(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(_NO_API_KEY, ctx)


refused_api_key = click.option(
    "--api-key",
    "--key",
    is_flag=False,
    flag_value="",
    hidden=True,
    is_eager=True,
    expose_value=False,
    callback=_refuse_api_key,
)


class WholeNumber(click.IntRange):
    """An integer of a range, whose error says so in plain words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is no whole number", param, ctx)
        return super().convert(value, param, ctx)


def concurrency(default: int, help: str) -> Option:  # noqa: A002  # click's own word
    """How many requests are under way at most, for a command that reads several things."""
    number = WholeNumber(1, 64)
    return click.option("--concurrency", type=number, default=default, show_default=True, metavar="N", help=help)


class Seconds(click.FloatRange):
    """A time in seconds, 0 for none."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not number >= 0:
            self.fail(f"{value!r} is no number of seconds, 0 (no limit) or more", param, ctx)
        return number
