"""`thread-runs timeline`: from an endpoint and from an archive."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from shell import Api, Cli, error_body

import facade.archive
from facade.server import Store, write_sample


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """An archive with the sample's two threads."""
    write_sample(tmp_path / "sample.db")
    return str(tmp_path / "sample.db")


def rows_in(page: Path) -> list[dict[str, Any]]:
    """The rows that a page draws."""
    (data,) = re.findall(r'id="data">(.*?)</script>', page.read_text("ascii"))
    rows: list[dict[str, Any]] = json.loads(data)["rows"]
    return rows


def drawn(page: Path) -> set[str]:
    """The ids of the threads on a page."""
    return {row["id"] for row in rows_in(page) if row["is"] == "thread"}


def test_a_thread_of_an_endpoint_is_drawn(cli: Cli, api: Api, tmp_path: Path) -> None:
    """The page has the thread's runs and steps, is its owner's alone, and is named on standard output."""
    api.add_runs("thread_a", "run_1", status="completed")
    api.add_steps("thread_a", "run_1", "step_1", "step_2")
    page = tmp_path / "page.html"
    assert cli("timeline", "thread_a", "--to", str(page), "--title", "Mine") == (0, f"{page}\n", "")
    assert [row["id"] for row in rows_in(page)] == ["thread_a", "run_1", "step_1", "step_2"]
    assert page.stat().st_mode & 0o777 == 0o600
    assert "<title>Mine - timeline</title>" in page.read_text()


def test_an_archive_is_drawn_whole_or_one_thread_of_it(cli: Cli, archive: str, tmp_path: Path) -> None:
    """FILE alone is every thread in it, FILE THREAD the one; no request is made and no key is needed."""
    page = tmp_path / "page.html"
    assert cli("timeline", archive, "--to", str(page))[0] == 0
    with facade.archive.client(archive) as client:
        assert drawn(page) == {thread.id for thread in client.threads.all()} > {"thread_bakery", "thread_bakery_new"}
    assert cli("timeline", archive, "thread_bakery", "--to", str(page), "--no-messages")[0] == 0
    assert "thread_bakery" in drawn(page)
    assert "thread_bakery_new" not in drawn(page)
    assert len([row for row in rows_in(page) if row.get("thread") == "thread_bakery"]) == 12
    assert not [row for row in rows_in(page) if row["is"] == "message"]


def test_what_cannot_be_drawn_is_said_and_leaves_no_page(cli: Cli, api: Api, archive: str, tmp_path: Path) -> None:
    """A missing thread is 4, a wrong command line 2, and a file that is no page stays as it is."""
    page = tmp_path / "page.html"
    api.answers["/threads/thread_a/runs"] = (404, error_body("No thread."))
    assert cli("timeline", "thread_a", "--to", str(page))[0] == 4
    assert cli("timeline", archive, "thread_gone", "--to", str(page))[0] == 4
    assert cli("timeline", "thread_a", "thread_b", "--to", str(page))[0] == 2
    assert cli("timeline", "gone.db", "--to", str(page))[0] == 2
    assert cli("timeline", "thread_a")[0] == 2
    assert not page.exists()
    before = Path(archive).read_bytes()
    code, _, complaint = cli("timeline", archive, "--to", archive)
    assert (code, "is no page" in complaint) == (2, True)
    assert Path(archive).read_bytes() == before


def test_threads_that_are_known_by_their_runs_alone_are_drawn(cli: Cli, archive: str, tmp_path: Path) -> None:
    """An archive of a server without threads has runs and messages only, which are drawn as others are."""
    with Store(archive) as store:
        store.add(runs=[{"id": "run_bare", "thread_id": "thread_bare", "created_at": 5}])
    page = tmp_path / "page.html"
    assert cli("timeline", archive, "--to", str(page))[0] == 0
    assert {"thread_bare", "thread_bakery"} <= drawn(page)
