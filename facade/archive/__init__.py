"""Archives: threads, messages, runs, steps and assistants in one SQLite file, read without a network.

archive.export(client, ["thread_abc"], "archive.db")    reads threads into a file
archive.export_many(threads, to="folder", executor=pool)    the same by many workers, into many files
archive.join("folder", "archive.db")    these files as one
archive.client("archive.db")    a `facade.Client` that reads the file
archive.verify("archive.db")    what is in it, and whether it is whole
archive.forget("archive.db", "thread_abd")    strikes out a thread of which nothing is here
archive.thread_ids("archive.db")    the ids of its threads
archive.frame("archive.db", "runs")    a table of it as a data frame: of pandas, polars or Arrow
archive.to_parquet("archive.db", "folder")    its tables as Parquet files
archive.to_jsonl("archive.db", "folder")    its objects as JSON Lines, as they were sent
archive.to_conversations("archive.db", "folder")    its threads as items for OpenAI's Conversations API
"""

from __future__ import annotations

from facade.archive._errors import BusyError, DamagedError
from facade.archive._export import export, forget
from facade.archive._going_on import Conversations, to_conversations, to_jsonl
from facade.archive._many import export_many
from facade.archive._report import Report
from facade.archive._shards import join
from facade.archive._store import thread_ids
from facade.archive._transport import async_client, client
from facade.archive._verify import verify
from facade.archive.frames import frame, to_parquet

__all__ = [
    "BusyError",
    "Conversations",
    "DamagedError",
    "Report",
    "async_client",
    "client",
    "export",
    "export_many",
    "forget",
    "frame",
    "join",
    "thread_ids",
    "to_conversations",
    "to_jsonl",
    "to_parquet",
    "verify",
]
