"""A picture of threads: runs, steps and tool calls over time, as one HTML page that asks for nothing anywhere.

    import facade
    from facade import timeline

    with facade.Client() as client:
        timeline.write(client, "thread_abc", to="thread_abc.html")

The page works from a file, a share or a mail attachment, needs no network and may hold what nobody has vetted: all
content is data to it. It needs no extra; nothing else in the package imports this.
"""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import facade
from facade.timeline._page import DOCTYPE, page
from facade.timeline._reading import read
from facade.timeline._rows import page_data

__all__ = ["Timeline", "render", "write"]


def render(
    client: facade.Client,
    threads: Any,
    *,
    include: str | Iterable[str] = (),
    messages: bool = True,
    concurrency: int = 8,
    title: str | None = None,
) -> str:
    """Read threads and draw them as one HTML page.

    Args:
        client: reads them: an endpoint's client, or an archive's. What it does not serve (messages, names of
            assistants, steps: an answer of 404, 405 or 501) is left out, and the page says so.
        threads: a thread (an id, or an object or mapping, as `client.runs.all` takes it), or many.
        include: as for `client.steps.all`: more of each step, where the server gives more.
        messages: whether to read the messages too.
        concurrency: how many requests are under way at once, 1 to 64.
        title: the page's title; None: the thread's id, or how many threads.

    Returns:
        The page. Runs of connected agents are read along and linked, in whichever thread they are.

    Raises:
        ValueError: there is no thread to draw, or an argument is out of range.
        facade.APIError: runs, or something else that is served, could not be read.
    """
    read_threads = read(client, threads, include=include, messages=messages, concurrency=concurrency)
    return page(page_data(read_threads, title))


def write(
    client: facade.Client,
    threads: Any,
    *,
    to: str | os.PathLike[str],
    include: str | Iterable[str] = (),
    messages: bool = True,
    concurrency: int = 8,
    title: str | None = None,
) -> Path:
    """Read threads and write them as one HTML page, readable by its owner only (mode 0600).

    The file appears whole or not at all. An older page is replaced, any other file that is not empty is left alone.

    Args:
        client: as for `render`, and so are the rest.
        threads: a thread, or many.
        to: the file to write.
        include: more of each step.
        messages: whether to read the messages too.
        concurrency: how many requests are under way at once, 1 to 64.
        title: the page's title.

    Returns:
        The path of the page.

    Raises:
        ValueError: `to` is a file that is no page (before any request), or as for `render`.
        OSError: the file cannot be written.
        facade.APIError: as for `render`.
    """
    path = Path(to)
    _check_replaceable(path)
    text = render(client, threads, include=include, messages=messages, concurrency=concurrency, title=title)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
    try:
        with open(descriptor, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _check_replaceable(path: Path) -> None:
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    if not path.exists():
        return
    if not path.is_file():
        raise ValueError(f"cannot write {str(path)!r}: it is no file")
    with path.open("rb") as file:
        beginning = file.read(len(DOCTYPE))
    if beginning and beginning != DOCTYPE.encode():
        raise ValueError(f"cannot write {str(path)!r}: it is there already, and is no page: name another file")


class Timeline:
    """A timeline that a notebook shows in place: leave one as the last expression of a cell.

    It is read once, when it is made. The page runs in a frame that may run its own scripts and nothing else.
    """

    def __init__(self, client: facade.Client, threads: Any, *, height_px: int = 640, **options: Any) -> None:
        """Read the threads.

        Args:
            client: as for `render`.
            threads: a thread, or many.
            height_px: the frame's height in CSS pixels, above 0.
            options: `include`, `messages`, `concurrency`, `title`, as for `render`.

        Raises:
            ValueError: `height_px` is not above 0, or as for `render`.
            facade.APIError: as for `render`.
        """
        if height_px <= 0:
            raise ValueError(f"height_px must be above 0, not {height_px}")
        self.html = render(client, threads, **options)
        self.height_px = height_px

    def _repr_html_(self) -> str:
        source = html.escape(self.html, quote=True)
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{source}" title="Timeline" '
            f'style="width:100%;height:{int(self.height_px)}px;border:1px solid #8888;border-radius:6px"></iframe>'
        )
