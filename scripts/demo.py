"""The main job from nothing: serves a sample thread on loopback and reads all of it through the facade.

    python scripts/demo.py

Needs no key and no account: the server is the project's own, over a SQLite file that lasts as long as the demo.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import facade
from facade import timeline
from facade.commands._kinds import RUNS, STEPS
from facade.commands._table import Table
from facade.server import serve, write_sample

PAGE = Path("build/timeline.html")


def main() -> None:
    """Prints every run of the sample thread, then every step of every run, and writes the page that shows them."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "sample.sqlite"
        thread_id = write_sample(database)
        with serve(database) as api_base, facade.Client("any key will do", api_base=api_base) as client:
            print(f"The runs of {thread_id}, read from {api_base}\n")
            runs = []
            table = Table(RUNS)
            for run in client.runs.all(thread_id):
                table.write(run.to_dict())
                runs.append(run)
            table.flush()
            print("\nThe steps of these runs (some of the sample's runs and steps failed on purpose)\n")
            table = Table(STEPS)
            for step in client.steps.all(runs, include=facade.FILE_SEARCH_RESULT_CONTENT):
                table.write(step.to_dict())
            table.flush()
            PAGE.parent.mkdir(exist_ok=True)
            timeline.write(client, thread_id, to=PAGE, include=facade.FILE_SEARCH_RESULT_CONTENT)
            print(f"\nThe same to look at: {PAGE}")


if __name__ == "__main__":
    main()
