"""The main job from nothing: serves a sample thread on loopback, reads all of it through the facade, and starts a run.

    python scripts/demo.py

Needs no key and no account: the server is the project's own, over a SQLite file that lasts as long as the demo.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import facade
from facade import archive, timeline
from facade.commands._kinds import RUNS, STEPS, Kind
from facade.commands._table import Table
from facade.server import serve, write_sample

PAGE = Path("build/timeline.html")
QUESTION = "Which loaves are free of nuts, and what does a seeded loaf cost?"


def main() -> None:
    """Prints the sample thread's runs and steps, writes the page that shows them, streams a run, and takes all home."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "sample.sqlite"
        thread_id = write_sample(database)
        with serve(database, assistant=True) as api_base, facade.Client("any key will do", api_base=api_base) as client:
            print(f"The runs of {thread_id}, read from {api_base}\n")
            runs = list(client.runs.all(thread_id))
            show(RUNS, runs)
            print("\nThe steps of these runs (some of the sample's runs and steps failed on purpose)\n")
            show(STEPS, client.steps.all(runs, include=facade.FILE_SEARCH_RESULT_CONTENT))
            PAGE.parent.mkdir(exist_ok=True)
            timeline.write(client, thread_id, to=PAGE, include=facade.FILE_SEARCH_RESULT_CONTENT)
            print(f"\nThe same to look at: {PAGE}")
            stream_a_run(client)
            report = archive.export(client, [thread_id], to=Path(folder) / "home.db")
        read_at_home(Path(folder) / "home.db", thread_id, report)


def show(kind: Kind, items: Iterable[Any]) -> None:
    """Prints a table of what is read, while it is read."""
    table = Table(kind)
    for item in items:
        table.write(item.to_dict())
    table.flush()


def read_at_home(path: Path, thread_id: str, report: archive.Report) -> None:
    """Reads on from the file, without the server."""
    print(f"\nTaken home: {report.runs} runs, {report.steps} steps and {report.messages} messages. The server is gone;")
    with archive.client(path) as client:
        last = client.runs.list(thread_id, limit=1, order="desc")[0]
        print(f"the file says that {last.id} of {thread_id} is {last.status}.")


def stream_a_run(client: facade.Client) -> None:
    """Asks the server's assistant, which is a script, and prints its answer as it comes."""
    print(f"\nA run, as it happens\n\n> {QUESTION}\n", flush=True)
    thread = {"messages": [{"role": "user", "content": QUESTION}]}
    with client.runs.stream_with_thread("asst_bakery", thread=thread) as stream:
        for piece in stream.text():
            print(piece, end="", flush=True)
    run = stream.result()
    print(f"\n\n{run.id} is {run.status}, with steps {', '.join(step.id for step in stream.steps)}")


if __name__ == "__main__":
    main()
