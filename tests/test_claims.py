"""What README and docs claim in numbers: each number is found in the text and counted, without a clock."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from conftest import Api
from test_cost import calls_of, read
from wire import KEY, Request, Serve, a_page, a_run, a_step, answer, library, runs, steps, until

import facade

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text("utf-8")
PIPELINES = " ".join((ROOT / "docs" / "pipelines.md").read_text("utf-8").split())

RUNS = "/threads/thread_1/runs"


async def _asynchronous(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


INPUTS: dict[str, Callable[[Any], Any]] = {
    "list": lambda client: list(client.runs.all("thread_1")),
    "generator": lambda client: (run for run in list(client.runs.all("thread_1"))),
    "walk": lambda client: client.runs.all("thread_1"),
    "async generator": lambda client: _asynchronous(list(client.runs.all("thread_1"))),
}


class Crowd:
    """Answers for lists, and holds answers back until as many requests as hoped for are open, or a while has passed.

    Args:
        hoped: how many
        lists: what is in each list, by its path
        later: hold back, and count, what asks for later pages only

    Attributes:
        most: how many were held back at once, at most
    """

    def __init__(self, hoped: int, lists: dict[str, Any], *, later: bool) -> None:
        self._hoped = hoped
        self._said = library(lists)
        self._later = later
        self._lock = Lock()
        self._now = 0
        self.most = 0

    def __call__(self, request: Request) -> bytes:
        if request.path.endswith("/steps") and (not self._later or request.value("after")):
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            until(lambda: self.most >= self._hoped, 0.3)
            with self._lock:
                self._now -= 1
        return self._said(request)


def open_requests(api: Api, serve: Serve, *, inputs: str, pages: int = 1, **options: int) -> int:
    """How many requests for steps are open at once, at most, in a walk over runs whose lists have so many pages.

    Of lists of several pages only the later ones are counted.
    """
    count = options.get("concurrency", 8)
    each = 100 * pages if pages > 1 else 1
    lists = {f"{RUNS}/run_{n}/steps": steps(each, f"run_{n}") for n in range(1, count + 5)}
    crowd = Crowd(count, {RUNS: runs(count + 4)} | lists, later=pages > 1)
    client = api.client(serve(crowd))
    assert read(client.steps.all(INPUTS[inputs](client), **options)) == each * (count + 4)
    return crowd.most


def pages_ahead(api: Api, serve: Serve) -> int:
    """How many pages of the second list have been read when nothing but one object of the first was taken."""

    def say(request: Request) -> bytes:
        number = int((request.value("after") or "step_0").removeprefix("step_"))
        return answer(a_page([a_step(number + 1)], has_more=number < 30))

    server = serve(say)
    walk = api.client(server).steps.all([a_run(1), a_run(2)], concurrency=2)

    def asked() -> int:
        return sum(1 for request in server.requests if "/run_2/" in request.path)

    with walk:
        next(iter(walk))
        api.until(lambda: asked() >= 8)
        api.rest(0.05)
        return asked()


def requests_of(work: Callable[[Any], Any]) -> Callable[[Api, Serve], int]:
    """Counts the requests of some work over one connection, or over none."""

    def count(api: Api, serve: Serve) -> int:
        server = serve(library({RUNS: [a_run()], f"{RUNS}/run_1/steps": steps(250)}))
        work(api.client(server))
        assert server.connections <= 1
        return len(server.requests)

    return count


def calls_of_a_step(_: Api, serve: Serve) -> float:
    """How many Python functions one more step of a walk calls."""

    def calls(count: int) -> int:
        server = serve(library({f"{RUNS}/run_1/steps": steps(count)}))
        with facade.Client(KEY, api_base=server.url) as client:
            return calls_of(lambda: read(client.steps.all("run_1", thread_id="thread_1")))

    return (calls(100) - calls(1)) / 99


def blocks_of_a_model(*_: Any) -> float:
    """How many blocks of memory a model takes beside the JSON object."""
    sent = [a_step(number) for number in range(1000)]
    kept: list[Any] = [None] * len(sent)
    facade.RunStep._of(sent[0])
    before = sys.getallocatedblocks()
    for index, step in enumerate(sent):
        kept[index] = facade.RunStep._of(step)
    return round((sys.getallocatedblocks() - before) / len(sent))


LATER = "open requests for later pages at once, in 12 lists of 10 pages, with the usual concurrency"
CLAIMS: dict[str, Callable[[Api, Serve], float]] = {
    "requests for 250 steps, over 1 connection": requests_of(
        lambda client: read(client.steps.all("run_1", thread_id="thread_1"))
    ),
    "requests for a get": requests_of(lambda client: client.runs.get("thread_1", "run_1")),
    "requests of a walk that nobody reads": requests_of(lambda client: client.runs.all("thread_1").close()),
    "blocks of memory that a model takes beside its JSON object, at most": blocks_of_a_model,
    "Python functions called for one more step of a walk, its status and usage read, at most": calls_of_a_step,
    "pages that a list is read ahead": pages_ahead,
    **{
        f"open requests at once with `concurrency=16`, the runs in a{'n' * (name[0] in 'aeiou')} {name}": (
            partial(open_requests, inputs=name, concurrency=16)
        )
        for name in INPUTS
    },
    "open requests for later pages at once, in 12 lists of 10 pages, with the usual concurrency": lambda api, serve: (
        open_requests(api, serve, inputs="list", pages=10)
    ),
}
ROWS = dict(re.findall(r"^\| ([^|]+?) +\| +(\d+) \|$", PERFORMANCE.partition("## What guards it")[2], re.MULTILINE))


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_guards_the_costs(claim: str, api: Api, serve: Serve) -> None:
    """Each count that docs/performance.md names is what is counted."""
    if "async generator" in claim and api.kind == "sync":
        pytest.skip("the sync client takes none")
    counted = CLAIMS[claim](api, serve)
    if claim.endswith("at most"):
        assert counted <= int(ROWS[claim])
    else:
        assert counted == int(ROWS[claim])


def test_every_count_is_checked() -> None:
    """The page names no count that no test counts."""
    assert set(ROWS) == set(CLAIMS)


def test_what_is_said_of_concurrency(api: Api, serve: Serve) -> None:
    """The default, the bounds and the pages ahead that the guide names are the package's."""
    said = re.search(r"from (\d+) to (\d+); it is (\d+) if you say nothing", PIPELINES)
    assert said
    low, high, usual = map(int, said.groups())
    client = api.client(serve(b""))
    for walk in (client.runs.all, client.steps.all):
        for bound in (low, high):
            walk([], concurrency=bound)
        for beyond in (low - 1, high + 1):
            with pytest.raises(ValueError, match="concurrency"):
                walk([], concurrency=beyond)
    assert usual == int(
        ROWS["open requests for later pages at once, in 12 lists of 10 pages, with the usual concurrency"]
    )
    ahead = re.search(r"at most (\d+) pages ahead", PIPELINES)
    assert ahead
    assert ahead[1] == ROWS["pages that a list is read ahead"]


def test_in_order_or_as_they_come(api: Api, serve: Serve) -> None:
    """In order or not, the same objects come, each page's together."""
    lists = {f"{RUNS}/run_{n}/steps": steps(150, f"run_{n}") for n in range(1, 5)}
    walks = [api.client(serve(library(lists))).steps.all(runs(4), in_order=in_order) for in_order in (True, False)]
    ordered, as_they_come = ([(step.run_id, step.id) for step in walk] for walk in walks)
    assert ordered != []
    assert sorted(as_they_come) == sorted(ordered)
    changes = sum(1 for one, other in pairwise(as_they_come) if one[0] != other[0])
    assert changes <= 7  # 8 pages


def test_what_the_readme_says_of_costs() -> None:
    """Each number of the README's section on costs stands in the measured tables, or in the counted one."""
    section = README.partition("## What it costs")[2].partition("\n## ")[0]
    numbers = re.findall(r"(?<![\w.=`])\d+(?:,\d{3})*(?:\.\d+)?(?![\w.]*`)", section)
    tables = PERFORMANCE.partition("<!-- tables")[2]
    assert numbers
    assert [number for number in numbers if not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", tables)] == []


def test_the_tables_say_where_they_come_from() -> None:
    """The measured tables name their commit, and how long measuring took."""
    assert re.search(
        r"^Measured at commit `[0-9a-f]{7,}`( with changes)?, Python .* in \d+ s; ", PERFORMANCE, re.MULTILINE
    )
