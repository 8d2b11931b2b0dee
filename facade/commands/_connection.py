"""The options of an endpoint, and the client they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

import facade
from facade.commands import _output
from facade.commands._command import HOW_TO_GIVE_A_KEY, Option, Seconds, WholeNumber, gathered, refused_api_key


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What the options say of the endpoint, the limits of a call and the log."""

    timeout_sec: float
    deadline_sec: float
    max_retry_count: int | None
    api_base: str | None
    organization: str | None
    auth_type: Literal["openai", "azure", "azure_ad"]
    additional_query: Mapping[str, str]
    additional_headers: Mapping[str, str]
    api_key_file: str | None
    prompt_key: bool
    verbose: bool
    debug: bool

    @contextmanager
    def open(self) -> Iterator[facade.Client]:
        """The client that the options describe; its log and warnings go to standard error while the context lasts.

        Raises ConfigurationError for an unusable key, base or organization.
        """
        with _output.log_shown(verbose=self.verbose, debug=self.debug), self._client() as client:
            yield client

    @contextmanager
    def open_source(self, argument: str) -> Iterator[tuple[facade.Client, str | None]]:
        """The client to read FILE or THREAD with, and the thread; None stands for all threads of an archive FILE.

        `argument` is a FILE where it names an existing one, else a THREAD; one that looks like a path and names no
        file is a UsageError.
        """
        if os.path.isfile(argument):
            from facade import archive

            with _output.log_shown(verbose=self.verbose, debug=self.debug), archive.client(argument) as client:
                yield client, None
        elif any(mark and mark in argument for mark in (os.sep, os.altsep)) or argument.endswith((".db", ".sqlite")):
            raise click.UsageError(f"there is no file {argument!r}")
        else:
            with self.open() as client:
                yield client, argument

    @contextmanager
    def open_threads(self, argument: str) -> Iterator[tuple[facade.Client, list[str]]]:
        """The client to read FILE or THREAD with, and the ids of the file's threads, or the one THREAD."""
        with self.open_source(argument) as (client, thread):
            if thread is None:
                from facade import archive

                yield client, archive.thread_ids(argument)
            else:
                yield client, [thread]

    def _client(self) -> facade.Client:
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
        raise facade.ConfigurationError(f"no API key: {HOW_TO_GIVE_A_KEY}")


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


def name_and_value(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE texts, by whatever names, as a mapping; errors keep to themselves what may be a secret."""
    pairs = [value.partition("=") for value in values]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise click.BadParameter(f"write it as {param.make_metavar(ctx)}", ctx, param)
    named = {name.strip(): value for name, _, value in pairs}
    if len(named) < len(pairs):
        raise click.BadParameter("it gives one name two values", ctx, param)
    return named


def _limit(name: str, help: str) -> Option:  # noqa: A002  # click's own word
    return click.option(
        name,
        type=Seconds(),
        default=0,
        show_default=True,
        envvar=f"THREAD_RUNS_{name.strip('-').replace('-', '_').upper()}",
        show_envvar=True,
        metavar="SECONDS",
        help=help,
    )


connected = gathered(
    "connection",
    Connection,
    [
        _limit("--timeout-sec", "Bound on one attempt of one request; 0: no limit."),
        _limit("--deadline-sec", "Bound on a whole call, with its retries, waits and pages; 0: no limit."),
        click.option(
            "--max-retry-count",
            type=WholeNumber(0, 100),
            envvar="THREAD_RUNS_MAX_RETRY_COUNT",
            show_envvar=True,
            metavar="N",
            help="Further attempts after 429 and 5xx.  [default: 0; of an export: 5]",
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
            type=click.Choice(["openai", "azure", "azure_ad"], case_sensitive=False),
            metavar="[openai|azure|azure_ad]",
            default="openai",
            show_default=True,
            help="How the key is sent: as a Bearer token, as the `api-key` header, as an Entra token.",
        ),
        click.option(
            "--additional-query",
            multiple=True,
            callback=name_and_value,
            metavar="NAME=VALUE",
            help="A query parameter for each request, such as api-version=v1; may be repeated.",
        ),
        click.option(
            "--additional-header",
            "additional_headers",
            multiple=True,
            callback=name_and_value,
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
        click.option("--verbose", is_flag=True, help="Also log, on standard error, what was done."),
        click.option("--debug", is_flag=True, help="Also log, on standard error, each request."),
    ],
)
"""The options of an endpoint for a command, which takes them as `connection`."""
