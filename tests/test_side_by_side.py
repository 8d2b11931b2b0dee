"""Many lists read at once: as many requests as asked for, on first and later pages, whatever the many come in."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from conftest import Api, read_all
from wire import HANG, Gate, Request, Script, Serve, a_page, a_run, a_step, answer, error, ids, runs

import facade
from facade._answers import Page
from facade._paging import ListCursor, Window

AHEAD = 8
"""How many pages a list is read ahead of the caller, at most."""
PATIENCE_SEC = 5.0
"""How long a test waits for what should come at once, before it fails."""


async def _asynchronous(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


THREADS = [f"thread_{n}" for n in range(12)]
MANY: dict[str, Callable[[Any], Any]] = {
    "list": lambda client: THREADS,
    "tuple": lambda client: tuple(THREADS),
    "set": lambda client: set(THREADS),
    "frozenset": lambda client: frozenset(THREADS),
    "generator": lambda client: (each for each in THREADS),
    "map": lambda client: map(str, THREADS),
    "iterator": lambda client: iter(THREADS),
    "keys": lambda client: dict.fromkeys(THREADS).keys(),
    "values": lambda client: {each: each for each in THREADS}.values(),
    "deque": lambda client: deque(THREADS),
    "objects": lambda client: [{"id": each, "object": "thread"} for each in THREADS],
    "chain": lambda client: itertools.chain(THREADS[:1], iter(THREADS[1:])),
    "walk": lambda client: client.runs.all("thread_1"),
    "walk over many": lambda client: client.runs.all(("thread_1", "thread_2")),
    "page": lambda client: client.runs.list("thread_1"),
}
ASYNC_MANY: dict[str, Callable[[Any], Any]] = {"async generator": lambda client: _asynchronous(THREADS)}


def of_both_kinds(test: Any) -> Any:
    """For each way that many can come in, with the kinds of client that take it."""
    cases = [pytest.param(kind, name, id=f"{kind}-{name}") for kind in ("sync", "async") for name in MANY]
    cases += [pytest.param("async", name, id=f"async-{name}") for name in ASYNC_MANY]
    return pytest.mark.parametrize(("api", "name"), cases, indirect=["api"])(test)


def begin(client: Any, name: str, **options: Any) -> Any:
    """A walk over many lists: steps where the many are runs, else runs."""
    many = (MANY | ASYNC_MANY)[name](client)
    resource = client.steps if name.startswith(("walk", "page")) else client.runs
    return resource.all(many, **options)


def is_fed(request: Request, name: str) -> bool:
    """Whether a request is one of the walk over many, and not of what feeds it."""
    return not name.startswith(("walk", "page")) or request.path.endswith("/steps")


def cut(request: Request, pages: int, size: int = 2) -> bytes:
    """A list of so many pages of so many objects, whatever list is asked for; their ids begin with the list's name."""
    kind, parent = request.path.split("/")[-1], request.path.split("/")[-2]
    after = request.value("after")
    first = int(after.rpartition(".")[2]) + 1 if after else 1
    make: Any = a_step if kind == "steps" else a_run
    return answer(a_page([make(f"{parent}.{n}") for n in range(first, first + size)], first + size <= pages * size))


def page_number(request: Request, size: int = 2) -> int:
    """Which page of a list that is `cut` a request asks for, from 1."""
    after = request.value("after")
    return 1 + int(after.rpartition(".")[2]) // size if after else 1


def of_list(request: Request) -> str:
    """The id of the thread or run whose list is asked for."""
    return request.path.split("/")[-2]


def lists_of(items: Iterable[Any]) -> list[str]:
    """The list of each object, by its id; one after the other, repetitions left out."""
    return [name for name, _ in itertools.groupby(item.id.partition("_")[2].partition(".")[0] for item in items)]


def rest_until_quiet(api: Api, server: Any) -> None:
    """Waits until no more requests come."""
    count = -1
    while count != len(server.requests):
        count = len(server.requests)
        api.rest(0.15)


class TestAsManyAtOnce:
    """The server's count of open requests."""

    @of_both_kinds
    def test_first_pages(self, api: Api, serve: Serve, name: str) -> None:
        """As many lists are begun at once as `concurrency` says."""
        gate = Gate(8, PATIENCE_SEC)

        def say(request: Request) -> Script:
            if not is_fed(request, name):
                return answer(a_page(runs(12)))
            gate.pass_through()
            return cut(request, pages=1)

        with begin(api.client(serve(say)), name, concurrency=8) as walk:
            read_all(walk)
        assert gate.most[None] == 8

    @of_both_kinds
    def test_later_pages(self, api: Api, serve: Serve, name: str) -> None:
        """Lists go on side by side on their second and later pages."""
        gate = Gate(6, PATIENCE_SEC)

        def say(request: Request) -> Script:
            if not is_fed(request, name):
                return answer(a_page(runs(6)))
            if page_number(request) > 1:
                gate.pass_through()
            return cut(request, pages=3)

        with begin(api.client(serve(say)), name, concurrency=6) as walk:
            read_all(walk)
        assert gate.most[None] == 6

    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    @pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
    def test_eight_lists_of_ten_pages(self, api: Api, serve: Serve, in_order: bool, kind: Any) -> None:
        """Eight lists of ten pages go on side by side from the first page to the eighth; every object comes once."""
        gate = Gate(8, PATIENCE_SEC)

        def say(request: Request) -> Script:
            if page_number(request) <= AHEAD:
                gate.pass_through(page_number(request))
            return cut(request, pages=10)

        threads = kind([f"thread_{n}" for n in range(8)])
        server = serve(say)
        found, failure = read_all(api.client(server).runs.all(threads, concurrency=8, in_order=in_order))
        assert failure is None
        assert dict(gate.most) == dict.fromkeys(range(1, AHEAD + 1), 8)
        assert server.most_busy == 8
        assert sorted(ids(found)) == sorted(f"run_thread_{n}.{i}" for n in range(8) for i in range(1, 21))

    @pytest.mark.parametrize("concurrency", [2, 3, 16])
    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    def test_no_more_than_asked_for(self, api: Api, serve: Serve, concurrency: int, in_order: bool) -> None:
        """Never are more requests under way than `concurrency`, on first and later pages."""
        server = serve(lambda request: (0.001, cut(request, pages=1 + len(of_list(request)) % 4)))
        threads = (f"thread_{'x' * (n % 5)}{n}" for n in range(30))
        _, failure = read_all(api.client(server).runs.all(threads, concurrency=concurrency, in_order=in_order))
        assert failure is None
        assert server.most_busy <= concurrency

    @of_both_kinds
    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    def test_one_at_a_time(self, api: Api, serve: Serve, name: str, in_order: bool) -> None:
        """With a `concurrency` of 1 one list is read after the other, one request at a time."""
        server = serve(
            lambda request: (
                cut(request, pages=3) if is_fed(request, name) else answer(a_page(runs(3, of_list(request))))
            )
        )
        found, failure = read_all(begin(api.client(server), name, concurrency=1, in_order=in_order))
        assert failure is None
        asked = [request.path for request in server.requests if is_fed(request, name)]
        assert len([each for each, _ in itertools.groupby(asked)]) == len(set(asked))
        assert len(found) == 2 * len(asked)
        if name not in ("walk", "walk over many"):  # which reads on its own
            assert server.most_busy == 1

    def test_first_list_goes_first(self, api: Api, serve: Serve) -> None:
        """Where a request can begin, it is the one that the caller waits for longest."""
        server = serve(lambda request: cut(request, pages=3))
        walk = api.client(server).runs.all([f"thread_{n}" for n in range(8)], concurrency=2)
        read_all(walk)
        last = {of_list(request): request.number for request in server.requests}
        assert last["thread_0"] < last["thread_2"] < last["thread_4"] < last["thread_6"]


class TestAhead:
    """What is held of a caller who takes his time."""

    @pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
    def test_pages_held(self, api: Api, serve: Serve, kind: Any) -> None:
        """Each list reads on ahead of a caller who does not take, eight pages at most."""
        server = serve(lambda request: cut(request, pages=30))
        with api.client(server).runs.all(kind(["thread_a", "thread_b", "thread_c"]), concurrency=3) as walk:
            next(walk)
            assert api.until(lambda: len(server.requests) >= 3 * AHEAD)
            rest_until_quiet(api, server)
            asked = Counter(of_list(request) for request in server.requests)
            assert asked["thread_a"] in (AHEAD, AHEAD + 1)  # one page is in the caller's hand
            assert asked["thread_b"] == asked["thread_c"] == AHEAD
            list(itertools.islice(walk, 2 * 5 - 1))  # to the end of the fifth page
            rest_until_quiet(api, server)
            asked = Counter(of_list(request) for request in server.requests)
            assert asked["thread_a"] <= 5 + AHEAD
            assert asked["thread_b"] == asked["thread_c"] == AHEAD

    def test_pages_held_as_they_come(self, api: Api, serve: Serve) -> None:
        """The bound holds for pages that are handed over as they come too."""
        server = serve(lambda request: cut(request, pages=50))
        with api.client(server).runs.all(["thread_a", "thread_b"], concurrency=2, in_order=False) as walk:
            next(walk)
            rest_until_quiet(api, server)
            asked = Counter(of_list(request) for request in server.requests)
            assert max(asked.values()) <= AHEAD + 1
            assert sum(asked.values()) <= 2 * AHEAD + 1

    def test_list_that_is_not_wanted_yet(self, api: Api, serve: Serve) -> None:
        """The next list is begun when a page of it is wanted, not while the last one's is in the caller's hand."""
        server = serve(lambda request: cut(request, pages=2))
        with api.client(server).runs.all(["thread_a", "thread_b"], concurrency=1) as walk:
            list(itertools.islice(walk, 4))
            rest_until_quiet(api, server)
            assert {of_list(request) for request in server.requests} == {"thread_a"}
            assert len(list(walk)) == 4

    def test_alone(self, api: Api, serve: Serve) -> None:
        """A walk over one list holds two pages at most, one in hand and one on its way."""
        server = serve(lambda request: cut(request, pages=30))
        with api.client(server).runs.all("thread_1") as walk:
            for taken in (1, 2, 3):
                next(walk)
                next(walk)
                rest_until_quiet(api, server)
                assert len(server.requests) <= taken + 1

    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    def test_endless_producer(self, api: Api, serve: Serve, in_order: bool) -> None:
        """Of an endless iterable no more is taken than the window holds, and one."""
        taken = 0

        def threads() -> Iterator[str]:
            nonlocal taken
            while True:
                taken += 1
                yield f"thread_{taken}"

        server = serve(lambda request: cut(request, pages=1))
        with api.client(server).runs.all(threads(), concurrency=4, in_order=in_order) as walk:
            next(walk)
            rest_until_quiet(api, server)
            assert taken <= 5
            assert len(list(itertools.islice(walk, 99))) == 99
            rest_until_quiet(api, server)
            assert taken <= 50 + 5
        closed = taken
        api.rest(0.05)
        assert taken == closed

    def test_slow_producer(self, api: Api, serve: Serve) -> None:
        """The first object is handed over as soon as it is there, though the producer is still looking for another."""
        handed = threading.Event()
        held = []

        def threads() -> Iterator[str]:
            yield "thread_1"
            held.append(not handed.wait(PATIENCE_SEC))
            yield "thread_2"

        async def async_threads() -> AsyncIterator[str]:
            yield "thread_1"
            held.append(not await asyncio.to_thread(handed.wait, PATIENCE_SEC))
            yield "thread_2"

        server = serve(lambda request: cut(request, pages=1))
        walk = api.client(server).runs.all(threads() if api.kind == "sync" else async_threads())
        assert next(walk).id == "run_thread_1.1"
        handed.set()
        assert ids(walk) == ["run_thread_1.2", "run_thread_2.1", "run_thread_2.2"]
        assert held == [False]

    def test_slow_producer_while_nothing_is_there(self, api: Api, serve: Serve) -> None:
        """A producer that takes its time does not wait for answers: it is asked on while they are on their way."""
        gate = Gate(3, PATIENCE_SEC)

        def threads() -> Iterator[str]:
            for number in range(3):
                yield f"thread_{number}"

        def say(request: Request) -> Script:
            gate.pass_through()
            return cut(request, pages=1)

        read_all(api.client(serve(say)).runs.all(threads(), concurrency=3))
        assert gate.most[None] == 3


class ByHand(Window[Any]):
    """A window over so many lists, whose pages are fetched by hand.

    Attributes:
        asked: the lists that wait for a page, in the order in which they asked
    """

    def __init__(self, lists: int) -> None:
        super().__init__(lambda item: item, (), lambda cursor, token: None, lists, in_order=True)
        self._items = iter([ListCursor[Any](lambda cursor: None) for _ in range(lists)])  # type: ignore[arg-type,return-value]
        self.asked: list[ListCursor[Any]] = []
        self._feed()

    def _start(self, cursor: ListCursor[Any]) -> None:
        self.asked.append(cursor)

    def take_in(self, cursor: ListCursor[Any], more: bool = True) -> None:
        """A list's next page, of one run, has been read."""
        self._page = cursor.take(Page([facade.Run.from_dict(a_run())], {"has_more": more}))

    def arrive(self, cursor: ListCursor[Any], more: bool = True) -> None:
        """It is there."""
        self.take_in(cursor, more)
        self.asked.remove(cursor)
        self._change(self._arrived, cursor, self._page)


class TestWindow:
    """What may be read ahead, without threads or tasks."""

    def test_room_that_is_left(self) -> None:
        """Lists that were handed over whole leave their room to those that are still read, and no more than that."""
        window = ByHand(3)
        short, *long = window.asked
        window.arrive(short, more=False)
        while window.asked:
            window.arrive(window.asked[0])
        assert [len(each.pages) for each in (short, *long)] == [1, AHEAD, AHEAD]
        assert window._look()
        window._feed()  # there are no more
        while window.asked:
            window.arrive(window.asked[-1])
        assert sum(len(each.pages) for each in long) == 3 * AHEAD

    def test_last_page_on_its_way(self) -> None:
        """A list is not over before its last page is there, even where that has been read already."""
        window = ByHand(1)
        (one,) = window.asked
        window.arrive(one)
        window.take_in(one, more=False)  # in a thread of its own
        assert window._look()
        assert window._look() is None
        window.arrive(one, more=False)
        assert window._look() is not None
        window._feed()
        assert window._is_over


class TestOrder:
    """In which order objects come."""

    @of_both_kinds
    def test_in_order(self, api: Api, serve: Serve, name: str) -> None:
        """Objects come grouped by list, in the order given, however the answers are delayed."""

        def say(request: Request) -> Script:
            if not is_fed(request, name):
                return answer(a_page(runs(9)))
            return (0.001 * (request.number * 7 % 5), cut(request, pages=3))

        client = api.client(serve(say))
        threads = [getattr(each, "id", each) for each in (THREADS if not name.startswith(("walk", "page")) else [])]
        wanted = threads or [f"run_{n}" for n in range(1, 10)] * (2 if name == "walk over many" else 1)
        if name in ("set", "frozenset"):
            wanted = list(MANY[name](client))
        kind = "run" if threads else "step"
        found, failure = read_all(begin(client, name, concurrency=5))
        assert failure is None
        assert ids(found) == [f"{kind}_{each}.{i}" for each in wanted for i in range(1, 7)]

    def test_as_they_come(self, api: Api, serve: Serve) -> None:
        """With `in_order=False` a list that hangs holds no other up."""
        handed = threading.Event()

        def say(request: Request) -> Script:
            if of_list(request) == "thread_slow":
                handed.wait(PATIENCE_SEC)
            return cut(request, pages=2)

        walk = api.client(serve(say)).runs.all(["thread_slow", "thread_b", "thread_c"], in_order=False)
        first = ids(itertools.islice(walk, 8))
        on_time = not handed.is_set()
        handed.set()
        assert {each.partition(".")[0] for each in first} == {"run_thread_b", "run_thread_c"}
        assert on_time
        assert ids(walk) == [f"run_thread_slow.{i}" for i in range(1, 5)]

    def test_grouped_by_page(self, api: Api, serve: Serve) -> None:
        """With `in_order=False` pages come whole, each list's in its order, and nothing is lost or doubled."""
        server = serve(lambda request: (0.001 * (request.number * 5 % 7), cut(request, pages=4, size=3)))
        threads = [f"thread_{n}" for n in range(6)]
        found = ids(api.client(server).runs.all(iter(threads), concurrency=4, in_order=False))
        pages = [found[n : n + 3] for n in range(0, len(found), 3)]
        for page in pages:
            begin = page[0].rpartition(".")
            assert page == [f"{begin[0]}.{int(begin[2]) + n}" for n in range(3)]
        for thread in threads:
            assert [each for each in found if f"{thread}." in each] == [f"run_{thread}.{n}" for n in range(1, 13)]

    def test_window_moves_on(self, api: Api, serve: Serve) -> None:
        """With `in_order=False` a list that hangs keeps one request of `concurrency` busy and no more."""
        handed = threading.Event()

        def say(request: Request) -> Script:
            if of_list(request) == "thread_0":
                handed.wait(PATIENCE_SEC)
            return cut(request, pages=1)

        threads = (f"thread_{n}" for n in range(20))
        walk = api.client(serve(say)).runs.all(threads, concurrency=2, in_order=False)
        first = ids(itertools.islice(walk, 2 * 19))
        on_time = not handed.is_set()
        handed.set()
        assert on_time
        assert not [each for each in first if each.startswith("run_thread_0.")]
        assert ids(walk) == ["run_thread_0.1", "run_thread_0.2"]


class TestErrors:
    """What fails among many."""

    @pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
    @pytest.mark.parametrize("bad_page", [1, 2, 4])
    def test_in_its_place(self, api: Api, serve: Serve, kind: Any, bad_page: int) -> None:
        """A list that fails on any page does so after all that came before it, and the error says how to go on."""

        def say(request: Request) -> Script:
            if of_list(request) == "run_3" and page_number(request) == bad_page:
                return error(500)
            return (0.005, cut(request, pages=4))

        client = api.client(serve(say))
        found, failure = read_all(client.steps.all(kind([a_run(n) for n in range(1, 7)]), concurrency=6))
        assert isinstance(failure, facade.InternalServerError)
        after = None if bad_page == 1 else f"step_run_3.{2 * (bad_page - 1)}"
        assert (failure.thread_id, failure.run_id, failure.after) == ("thread_1", "run_3", after)
        wanted = [f"step_run_{n}.{i}" for n in (1, 2, 3) for i in range(1, 9)]
        assert ids(found) == wanted[: 16 + 2 * (bad_page - 1)]

    def test_as_they_come(self, api: Api, serve: Serve) -> None:
        """With `in_order=False` an error says which list it was and how to go on; what that list gave before came."""

        def say(request: Request) -> Script:
            if of_list(request) == "run_2" and page_number(request) == 3:
                return error(500)
            return cut(request, pages=4)

        client = api.client(serve(say))
        found, failure = read_all(client.steps.all([a_run(n) for n in (1, 2, 3)], concurrency=3, in_order=False))
        assert isinstance(failure, facade.InternalServerError)
        assert (failure.thread_id, failure.run_id, failure.after) == ("thread_1", "run_2", "step_run_2.4")
        assert [each for each in ids(found) if "run_2." in each] == [f"step_run_2.{n}" for n in range(1, 5)]

    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    def test_of_the_producer(self, api: Api, serve: Serve, in_order: bool) -> None:
        """An error of the caller's own iterable comes out after what was begun before it."""

        def threads() -> Iterator[str]:
            yield "thread_1"
            yield "thread_2"
            raise KeyError("the caller's own")

        server = serve(lambda request: cut(request, pages=3))
        found, failure = read_all(api.client(server).runs.all(threads(), in_order=in_order))
        assert isinstance(failure, KeyError)
        assert sorted(ids(found)) == [f"run_thread_{n}.{i}" for n in (1, 2) for i in range(1, 7)]

    def test_loop_on_a_later_page(self, api: Api, serve: Serve) -> None:
        """A list whose cursor comes again is asked three times at most, read ahead or not."""

        def say(request: Request) -> Script:
            if of_list(request) == "thread_1":
                return answer(a_page([a_run(1)], True))
            return (0.02, cut(request, pages=2))

        server = serve(say)
        found, failure = read_all(api.client(server).runs.all(["thread_0", "thread_1", "thread_2"]))
        assert type(failure) is facade.PaginationError
        assert failure.thread_id == "thread_1"
        assert lists_of(found) == ["thread_0", "1"]
        assert len([request for request in server.requests if of_list(request) == "thread_1"]) <= 3


class TestLeaving:
    """Walks over many that are left before their end."""

    @pytest.mark.parametrize("in_order", [True, False], ids=["in order", "as they come"])
    @pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
    @pytest.mark.parametrize("taken", [0, 1, 7, 40])
    def test_close(self, api: Api, serve: Serve, in_order: bool, kind: Any, taken: int) -> None:
        """A walk that is closed anywhere leaves no request, thread or task, and asks no more; the client goes on."""
        server = serve(lambda request: (0.003, cut(request, pages=20)))
        client = api.client(server)
        threads = kind([f"thread_{n}" for n in range(8)])
        with client.runs.all(threads, concurrency=4, in_order=in_order) as walk:
            assert len(list(itertools.islice(walk, taken))) == taken
        assert not api.threads()
        assert not api.tasks()
        assert api.until(lambda: server.busy == 0)
        rest_until_quiet(api, server)
        asked = len(server.requests)
        assert list(walk) == []
        assert len(client.runs.list("thread_9")) == 2
        assert len(server.requests) == asked + 1
        client.close()
        assert api.until(lambda: server.open_connections == 0)

    def test_close_while_later_pages_hang(self, api: Api, serve: Serve) -> None:
        """Closing does not wait for later pages that never come."""
        server = serve(lambda request: cut(request, pages=3) if page_number(request) == 1 else (HANG,))
        client = api.client(server)
        walk = client.runs.all(iter([f"thread_{n}" for n in range(4)]), concurrency=4)
        next(walk)
        assert api.until(lambda: server.busy == 4)
        walk.close()
        assert not api.threads()
        assert not api.tasks()
        assert api.until(lambda: server.busy == 0)
        assert client.runs.list("thread_1")[0].id == "run_thread_1.1"

    def test_slow_producer_is_left(self, api: Api, serve: Serve) -> None:
        """Closing a walk closes no generator of the caller's, which goes on where it was."""
        made = (f"thread_{n}" for n in range(100))
        with api.client(serve(lambda request: cut(request, pages=1))).runs.all(made, concurrency=3) as walk:
            next(walk)
        assert int(next(made).removeprefix("thread_")) <= 4

    def test_connections_are_used_again(self, api: Api, serve: Serve) -> None:
        """A walk over many opens no more connections than requests are under way at once."""
        server = serve(lambda request: (0.001, cut(request, pages=5)))
        found, failure = read_all(api.client(server).runs.all((f"thread_{n}" for n in range(20)), concurrency=4))
        assert (len(found), failure) == (200, None)
        assert server.connections <= 4
