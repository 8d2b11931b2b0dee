"""Walks over pages: nothing is lost, nothing comes twice, and none goes on for ever."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Api, read_all
from wire import HANG, RESET, Request, Script, Serve, a_page, a_run, a_step, answer, error, library, runs, steps

import facade


def ids(items: Any) -> list[Any]:
    """The ids of runs or steps."""
    return [item.id for item in items]


def numbers(items: Any) -> list[int]:
    """The numbers in the ids of runs."""
    return [int(item.id.removeprefix("run_")) for item in items]


def page(*ids: Any, more: Any = False, **fields: Any) -> bytes:
    """A page of runs with these numbers; `fields` take the place of the list's own, and None leaves one out."""
    value = a_page([a_run(number) for number in ids], more, **fields)
    return answer({name: item for name, item in value.items() if item is not None or name not in fields})


GOES_ON: dict[str, tuple[list[bytes], list[int], list[str | None]]] = {
    "one page": ([page(1, 2)], [1, 2], [None]),
    "no page": ([page()], [], [None]),
    "three pages": (
        [page(1, 2, more=True), page(3, 4, more=True), page(5)],
        [1, 2, 3, 4, 5],
        [None, "run_2", "run_4"],
    ),
    "no last_id": ([page(1, 2, more=True, last_id=None), page(3)], [1, 2, 3], [None, "run_2"]),
    "last_id empty": ([page(1, 2, more=True, last_id=""), page(3)], [1, 2, 3], [None, "run_2"]),
    "last_id number": ([page(1, 2, more=True, last_id=5), page(3)], [1, 2, 3], [None, "run_2"]),
    "last_id of its own": ([page(1, 2, more=True, last_id="cursor_x"), page(3)], [1, 2, 3], [None, "cursor_x"]),
    "odd last_id": ([page(1, more=True, last_id="a/b?c#d&e=f ü"), page(2)], [1, 2], [None, "a/b?c#d&e=f ü"]),
    "empty page with a new cursor": (
        [page(1, more=True), page(more=True, last_id="cursor_x"), page(2)],
        [1, 2],
        [None, "run_1", "cursor_x"],
    ),
    "empty first page": ([page(more=True, last_id="cursor_x"), page(1)], [1], [None, "cursor_x"]),
    "empty last page": ([page(1, 2, more=True), page()], [1, 2], [None, "run_2"]),
    "last page without its ids": (
        [page(1, 2, more=True), answer({"data": [], "has_more": False})],
        [1, 2],
        [None, "run_2"],
    ),
    "more is null": ([page(1, 2, more=None)], [1, 2], [None]),
    "more is left out": ([answer({"data": runs(2)})], [1, 2], [None]),
    "more is text": ([page(1, 2, more="true"), page(3)], [1, 2, 3], [None, "run_2"]),
    "more is a number": ([page(1, 2, more=1), page(3)], [1, 2, 3], [None, "run_2"]),
    "more is another text": ([page(1, 2, more="yes")], [1, 2], [None]),
    "an item again at the next page's begin": (
        [page(1, 2, more=True), page(2, 3, more=True), page(3, 4)],
        [1, 2, 3, 4],
        [None, "run_2", "run_3"],
    ),
    "items again in another order": ([page(1, 2, 3, more=True), page(3, 4, 2)], [1, 2, 3, 4], [None, "run_3"]),
    "a page with nothing new": (
        [page(1, 2, more=True), page(1, 2, more=True, last_id="cursor_x"), page(3)],
        [1, 2, 3],
        [None, "run_2", "cursor_x"],
    ),
    "twice on one page": ([page(1, 1, 2)], [1, 1, 2], [None]),
}
ENDS: dict[str, tuple[list[bytes], list[int], int]] = {
    "the same page again and again": ([page(1, 2, more=True)], [1, 2], 2),
    "the same cursor with other items": (
        [page(1, more=True, last_id="x"), page(2, more=True, last_id="x"), page(3, more=True, last_id="x")],
        [1, 2],
        2,
    ),
    "a cycle of two": ([page(1, more=True), page(2, more=True), page(1, more=True)], [1, 2, 1], 3),
    "a cycle of empty pages": (
        [page(more=True, last_id="a"), page(more=True, last_id="b"), page(more=True, last_id="a")],
        [],
        3,
    ),
    "empty, and more promised": ([page(more=True)], [], 1),
    "empty after items, and more promised": ([page(1, 2, more=True), page(more=True)], [1, 2], 2),
    "nothing to name the next page by": (
        [answer({"data": [{"object": "thread.run", "status": "queued"}], "has_more": True})],
        [],
        1,
    ),
}


class TestCursors:
    """From page to page."""

    @pytest.mark.parametrize("name", GOES_ON)
    def test_goes_on(self, api: Api, serve: Serve, name: str) -> None:
        """A walk follows last_id, else the last item's id, as long as more is promised, and hands all over once."""
        pages, wanted, cursors = GOES_ON[name]
        server = serve(*pages, error(500, message="a page too many"))
        walk = api.client(server).runs.all("thread_1")
        assert numbers(walk) == wanted
        assert [request.value("after") for request in server.requests] == cursors
        assert next(walk, None) is None

    @pytest.mark.parametrize("name", ENDS)
    def test_ends(self, api: Api, serve: Serve, name: str) -> None:
        """A cursor seen before, or more promised and nothing to follow, is a PaginationError after all items."""
        pages, wanted, most = ENDS[name]
        server = serve(*pages)
        walk = api.client(server).runs.all("thread_1")
        items, failure = read_all(walk)
        assert type(failure) is facade.PaginationError
        assert numbers(item for item in items if item.id) == wanted
        assert len(server.requests) <= max(most, 3)
        assert next(walk, None) is None

    def test_cursor_that_it_began_with(self, api: Api, serve: Serve) -> None:
        """A server that ignores `after` is found out, in three requests at most."""
        server = serve(page(1, 2, more=True))
        _, failure = read_all(api.client(server).runs.all("thread_1", after="run_2"))
        assert type(failure) is facade.PaginationError
        assert len(server.requests) <= 3

    def test_long_cycle(self, api: Api, serve: Serve) -> None:
        """A cycle of many pages is found out where it closes."""

        def say(request: Request) -> bytes:
            number = int((request.value("after") or "run_0").removeprefix("run_"))
            return page(number % 50 + 1, more=True)

        server = serve(say)
        _, failure = read_all(api.client(server).runs.all("thread_1"))
        assert type(failure) is facade.PaginationError
        assert len(server.requests) <= 52

    def test_item_without_id_last(self, api: Api, serve: Serve) -> None:
        """Items without ids are handed over, and do not stop a walk that has a cursor."""
        odd = {"object": "thread.run", "status": "queued"}
        server = serve(answer(a_page([a_run(1), odd], True, last_id="x")), answer(a_page([odd, odd])))
        walk = api.client(server).runs.all("thread_1")
        assert ids(walk) == ["run_1", None, None, None]

    def test_ids_that_are_no_texts(self, api: Api, serve: Serve) -> None:
        """Items whose ids are anything are handed over, each once."""
        server = serve(
            answer(a_page([a_run(1), a_run(id=["x"]), a_run(2)], True)), answer(a_page([a_run(2), a_run(id={})]))
        )
        assert ids(api.client(server).runs.all("thread_1")) == ["run_1", ["x"], "run_2", {}]

    def test_order_and_limit_stay(self, api: Api, serve: Serve) -> None:
        """Every page is asked for with the same limit and order, and `include[]`."""
        server = serve(answer(a_page(steps(2), True)), answer(a_page([])))
        list(api.client(server).steps.all(a_run(), order="desc", include=["x", "y"]))
        for request in server.requests:
            query = [pair for pair in request.query if pair[0] != "after"]
            assert sorted(query) == [("include[]", "x"), ("include[]", "y"), ("limit", "100"), ("order", "desc")]

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
    def test_whole_list(self, api: Api, serve: Serve, count: int, order: str) -> None:
        """A walk gives the whole list in its order, with no more requests than pages."""
        server = serve(library({"/threads/thread_1/runs": runs(count)}))
        found = numbers(api.client(server).runs.all("thread_1", order=order))
        assert found == sorted(range(1, count + 1), reverse=order == "desc")
        assert len(server.requests) == max(1, -(-count // 100))

    def test_after(self, api: Api, serve: Serve) -> None:
        """`after` begins a walk behind an object."""
        server = serve(library({"/threads/thread_1/runs": runs(250)}))
        assert numbers(api.client(server).runs.all("thread_1", after="run_120")) == list(range(121, 251))


def failing(at: int, how: Script) -> Callable[[Request], Script]:
    """A list of runs in pages of 10; the answer to request `at` is another one."""
    whole = library({"/threads/thread_1/runs": runs(45)})

    def say(request: Request) -> Script:
        if request.number == at:
            return how
        request.query = [("limit", "10") if pair[0] == "limit" else pair for pair in request.query]
        return whole(request)

    return say


FAILURES: dict[str, Script] = {
    "500": error(500),
    "404": error(404),
    "HTML": answer(b"<html>"),
    "reset": (RESET,),
    "hang": (HANG,),
    "odd list": answer({"data": [None]}),
}


class TestResume:
    """After a page that failed."""

    @pytest.mark.parametrize("name", FAILURES)
    @pytest.mark.parametrize("at", [1, 2, 4])
    def test_resume(self, api: Api, serve: Serve, name: str, at: int) -> None:
        """Everything before a failed page has been handed over; `error.after` gives the rest, and nothing twice."""
        client = api.client(serve(failing(at, FAILURES[name])))
        walk = client.runs.all("thread_1", timeout_sec=0.15)
        items, failure = read_all(walk)
        assert isinstance(failure, facade.APIError)
        assert numbers(items) == list(range(1, (at - 1) * 10 + 1))
        assert failure.after == walk.after == (f"run_{(at - 1) * 10}" if at > 1 else None)
        assert (failure.thread_id, failure.run_id) == (None, None)
        rest = client.runs.all("thread_1", after=failure.after)
        assert numbers(items) + numbers(rest) == list(range(1, 46))

    def test_resume_from_the_begin(self, api: Api, serve: Serve) -> None:
        """A walk that fails at once resumes with the `after` that it began with."""
        _, failure = read_all(api.client(serve(error(500))).runs.all("thread_1", after="run_7"))
        assert isinstance(failure, facade.APIError)
        assert failure.after == "run_7"

    def test_message_says_where(self, api: Api, serve: Serve) -> None:
        """The error's text says how to go on."""
        _, failure = read_all(api.client(serve(failing(2, error(500)))).runs.all("thread_1"))
        assert "run_10" in str(failure)

    @pytest.mark.parametrize("concurrency", [1, 3, 16])
    def test_which_of_many_runs(self, api: Api, serve: Serve, concurrency: int) -> None:
        """In a walk over many runs the error says which run failed and where in it; all before is handed over."""
        lists = {f"/threads/thread_1/runs/run_{n}/steps": steps(150, f"run_{n}") for n in (1, 2, 3, 4)}
        whole = library(lists)

        def say(request: Request) -> Script:
            fails = "run_3" in request.path and request.value("after")
            return error(500, message="no more") if fails else whole(request)

        client = api.client(serve(say))
        items, failure = read_all(client.steps.all([a_run(n) for n in (1, 2, 3, 4)], concurrency=concurrency))
        assert isinstance(failure, facade.InternalServerError)
        assert (failure.thread_id, failure.run_id, failure.after) == ("thread_1", "run_3", "step_run_3_100")
        assert ids(items) == ids_of(lists, 1) + ids_of(lists, 2) + ids_of(lists, 3)[:100]
        assert "run_3" in str(failure)

    @pytest.mark.parametrize("concurrency", [1, 16])
    def test_which_of_many_threads(self, api: Api, serve: Serve, concurrency: int) -> None:
        """In a walk over many threads the error says which thread failed; one that fails early waits its turn."""

        def say(request: Request) -> Script:
            if "thread_3" in request.path:
                return error(403)
            number = request.path.split("/")[3].removeprefix("thread_")
            return (0.1, answer(a_page([a_run(number)])))

        threads = [f"thread_{n}" for n in (1, 2, 3, 4)]
        items, failure = read_all(api.client(serve(say)).runs.all(threads, concurrency=concurrency))
        assert isinstance(failure, facade.PermissionDeniedError)
        assert (failure.thread_id, failure.run_id, failure.after) == ("thread_3", None, None)
        assert numbers(items) == [1, 2]

    def test_pipeline_whose_runs_fail(self, api: Api, serve: Serve) -> None:
        """Where the walk over runs fails that feeds a walk over steps, its error comes out, after the steps before."""
        lists: dict[str, Any] = {f"/threads/thread_1/runs/run_{n}/steps": steps(1, f"run_{n}") for n in (1, 2)}
        whole = library(lists)

        def say(request: Request) -> Script:
            if not request.path.endswith("/runs"):
                return whole(request)
            return error(500) if request.value("after") else page(1, 2, more=True)

        client = api.client(serve(say))
        items, failure = read_all(client.steps.all(client.runs.all("thread_1")))
        assert ids(items) == ["step_run_1_1", "step_run_2_1"]
        assert isinstance(failure, facade.InternalServerError)
        assert failure.after == "run_2"

    def test_pagination_error_of_many(self, api: Api, serve: Serve) -> None:
        """A PaginationError in a walk over many says which one it was."""

        def say(request: Request) -> Script:
            return page(more=True) if "thread_2" in request.path else page(1)

        items, failure = read_all(api.client(serve(say)).runs.all(["thread_1", "thread_2"]))
        assert type(failure) is facade.PaginationError
        assert failure.thread_id == "thread_2"
        assert numbers(items) == [1]


def ids_of(lists: dict[str, Any], run: int) -> list[str]:
    """The ids of a run's steps."""
    return [step["id"] for step in lists[f"/threads/thread_1/runs/run_{run}/steps"]]


class TestWalk:
    """What a walk does, and what it holds."""

    def test_after_follows(self, api: Api, serve: Serve) -> None:
        """`after` is the id of the last object handed over."""
        walk = api.client(serve(page(1, 2, more=True), page(3))).runs.all("thread_1")
        assert walk.after is None
        for number, run in enumerate(walk, 1):
            assert walk.after == run.id == f"run_{number}"
        assert walk.after == "run_3"

    def test_resume_in_the_middle(self, api: Api, serve: Serve) -> None:
        """A walk that is left in the middle of a page resumes with its `after`, across clients."""
        server = serve(library({"/threads/thread_1/runs": runs(250)}))
        with api.client(server).runs.all("thread_1") as walk:
            first = numbers(itertools.islice(walk, 130))
        rest = numbers(api.client(server).runs.all("thread_1", after=walk.after))
        assert first + rest == list(range(1, 251))

    def test_nothing_before_the_first_object(self, api: Api, serve: Serve) -> None:
        """Making a walk sends nothing; closing it unread sends nothing either."""
        server = serve(page(1))
        client = api.client(server)
        walk = client.runs.all("thread_1")
        many = client.runs.all(["thread_1", "thread_2"])
        api.rest(0.05)
        walk.close()
        many.close()
        assert list(walk) == list(many) == []
        assert not server.requests

    @pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
    def test_one_page_ahead(self, api: Api, serve: Serve, many: bool) -> None:
        """However long the caller takes, one page is ahead at most; of several lists, 8 pages of each."""
        ahead = 8 if many else 1

        def endless(request: Request) -> bytes:
            return page(request.number, more=True)

        server = serve(endless)
        with api.client(server).runs.all(["thread_1"] if many else "thread_1", concurrency=1) as walk:
            for taken in range(1, 5):
                next(walk)
                api.rest(0.05)
                assert len(server.requests) <= taken + ahead

    def test_pages_are_let_go(self, api: Api, serve: Serve) -> None:
        """A walk does not keep the objects of pages that the caller has let go."""
        walk = api.client(serve(*(page(n, more=True) for n in range(1, 50)), page(50))).runs.all("thread_1")
        seen = []
        for run in walk:
            seen.append(weakref.ref(run))
            del run
        gc.collect()
        assert sum(reference() is not None for reference in seen) <= 2

    def test_repr(self, api: Api, serve: Serve) -> None:
        """It says what is walked and how far that has come; one that was closed has ended, wherever it was."""
        client = api.client(serve(library({"/threads/thread_1/runs": runs(150)})))
        walk = client.runs.all("thread_1")
        assert "of runs of thread thread_1: not begun, 0 read>" in repr(walk)
        next(walk), next(walk)
        assert "under way, 100 read, after='run_2'>" in repr(walk)
        walk.close()
        assert ": ended, 100 read, after='run_2'>" in repr(walk)

    def test_closed_in_the_middle(self, api: Api, serve: Serve) -> None:
        """A closed walk gives nothing more, and closing it again is no error."""
        walk = api.client(serve(page(1, 2, 3))).runs.all("thread_1")
        assert next(walk).id == "run_1"
        walk.close()
        walk.close()
        assert list(walk) == []
        assert walk.after == "run_1"

    def test_over_after_an_error(self, api: Api, serve: Serve) -> None:
        """After an error a walk is at its end: it does not ask again."""
        server = serve(error(500), page(1))
        walk = api.client(server).runs.all("thread_1")
        _, failure = read_all(walk)
        assert failure is not None
        assert list(walk) == []
        assert len(server.requests) == 1

    def test_two_walks_at_once(self, api: Api, serve: Serve) -> None:
        """Walks of one client do not disturb each other."""
        server = serve(library({"/threads/thread_1/runs": runs(250), "/threads/thread_2/runs": runs(150, "thread_2")}))
        client = api.client(server)
        pairs = zip(client.runs.all("thread_1"), client.runs.all("thread_2"), strict=False)
        assert len([(one.thread_id, other.thread_id) for one, other in pairs]) == 150

    @pytest.mark.parametrize("concurrency", [1, 3, 8])
    def test_concurrency_is_kept(self, api: Api, serve: Serve, concurrency: int) -> None:
        """No more requests are under way at once than `concurrency`, and about as many."""

        def say(request: Request) -> Script:
            return (0.02, answer(a_page([])))

        server = serve(say)
        assert list(api.client(server).runs.all([f"thread_{n}" for n in range(16)], concurrency=concurrency)) == []
        assert len(server.requests) == 16
        assert concurrency // 2 < server.most_busy <= concurrency

    def test_pipeline_is_bounded_as_well(self, api: Api, serve: Serve) -> None:
        """A walk over the steps of a walk over runs reads no further ahead in the runs than it needs."""
        lists: dict[str, Any] = {"/threads/thread_1/runs": runs(1000)}
        whole = library(lists)

        def say(request: Request) -> bytes:
            return whole(request) if request.path.endswith("/runs") else answer(a_page([a_step()]))

        server = serve(say)
        client = api.client(server)
        with client.steps.all(client.runs.all("thread_1"), concurrency=4) as walk:
            next(walk)
            api.rest(0.1)
            assert len(server.requests) <= 8


@pytest.mark.parametrize("cursor", ["\ud800", "a" * 70_000], ids=["half a character", "too long"])
def test_cursor_that_cannot_be_sent(api: Api, serve: Serve, cursor: str) -> None:
    """A cursor that no address can hold ends the walk with a PaginationError, after what was read."""
    server = serve(answer({"object": "list", "data": [a_run()], "has_more": True, "last_id": cursor}))
    items, failure = read_all(api.client(server).runs.all("thread_1"))
    assert isinstance(failure, facade.PaginationError)
    assert (len(items), failure.after) == (1, items[0].id)


def test_object_without_an_id_resumes_from_before_it(api: Api, serve: Serve) -> None:
    """Where the last object handed over has no id, `after` falls back on what can resume the walk."""
    server = serve(answer({"object": "list", "data": [{"object": "thread.run"}], "has_more": False}))
    walk = api.client(server).runs.all("thread_1", after="run_before")
    next(walk)
    assert walk.after == "run_before"
