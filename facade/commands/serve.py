"""`serve`: an archive, over HTTP, for programs that read such endpoints."""

from __future__ import annotations

import os
import threading

import click

from facade import archive
from facade.commands import _output
from facade.commands._command import command
from facade.commands._exits import Failure

_KEY_VARIABLE = "THREAD_RUNS_SERVER_KEY"


@command("serve")
@click.argument("file", metavar="FILE")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="The port to listen on; 0 takes a free one.",
)
def serve(file: str, host: str, port: int) -> None:
    """Serve the archive FILE until Ctrl-C: threads, messages, runs, steps and assistants, as they were sent.

    Below any path (/v1, /api/projects/NAME, none), so that other programs read it with the SDK that they have.
    Elsewhere than on loopback it wants a key: the variable THREAD_RUNS_SERVER_KEY, which requests must then carry.
    """
    from facade import server

    api_key = os.environ.get(_KEY_VARIABLE) or None
    try:
        with archive.client(file):
            pass  # it is an archive
        with server.serve(file, host=host, port=port, api_key=api_key, whole=True) as base:
            click.echo(f"Serving {_output.one_line(file)} at {base} (Ctrl-C stops it)")
            threading.Event().wait()
    except archive.DamagedError:
        raise
    except ValueError as error:
        raise click.UsageError(f"{error} The key is the variable {_KEY_VARIABLE}.") from None
    except OSError as error:
        from facade.server.running import listening_problem

        raise Failure(1, listening_problem(error, host, port)) from None
