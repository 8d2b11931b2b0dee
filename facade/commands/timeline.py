"""`timeline`: a thread, or an archive's threads, as a page to look at."""

from __future__ import annotations

import click

from facade.commands._command import command, concurrency
from facade.commands._connection import Connection, connected


@command("timeline")
@click.argument("source", metavar="(FILE|THREAD)")
@click.argument("thread", required=False)
@click.option("--to", "page", metavar="PAGE", required=True, help="The HTML file to write; an older page is replaced.")
@click.option("--title", metavar="TEXT", help="The page's title.  [default: the thread's id]")
@click.option("--no-messages", is_flag=True, help="Leave the messages out.")
@click.option("--include", metavar="FIELD", multiple=True, help="A further field of steps; may be repeated.")
@concurrency(8, "How many runs' steps are read at once.")
@connected
def timeline(
    source: str,
    thread: str | None,
    page: str,
    title: str | None,
    no_messages: bool,
    include: tuple[str, ...],
    concurrency: int,
    connection: Connection,
) -> None:
    """Draw THREAD, or the threads of the archive FILE, as one page.

    Give an archive FILE, with the THREAD in it where you want one alone, or a THREAD of the endpoint. The page shows
    runs, steps and tool calls over time. It needs no network, and only its owner may read it (mode 0600):

    \b
        thread-runs timeline archive.db thread_abc --to thread_abc.html
    """
    from facade.archive import thread_ids
    from facade.timeline import write

    with connection.open_source(source) as (client, asked):
        if thread is not None and asked is not None:
            raise click.UsageError(f"{source!r} is no file: give an archive FILE and a THREAD, or a THREAD alone")
        threads = thread or asked or thread_ids(source)
        path = write(
            client,
            threads,
            to=page,
            include=include,
            messages=not no_messages,
            concurrency=concurrency,
            title=title,
        )
        click.echo(path)
