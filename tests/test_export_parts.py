"""What an export is made of, without I/O: cutting answers, how fast to ask, and what is still to be read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facade._answers import Page
from facade._exchange import Reply
from facade.archive._plan import Plan
from facade.archive._rate import Outcome, Rate, seconds_of_duration
from facade.archive._readings import NoteList, Put, Reading
from facade.archive._resume import StoredThread
from facade.archive._slicing import Item, slice_object, slice_page
from facade.archive._store import ListState
from facade.errors import APIError, APIResponseError, InternalServerError, NotFoundError, PaginationError


def reply(body: str | bytes) -> Reply:
    """An answer with a body."""
    return Reply(200, {}, body if isinstance(body, bytes) else body.encode(), str)


class TestSlicing:
    def test_objects_come_out_to_the_letter(self) -> None:
        """Spellings of numbers, keys that come twice, their order, escapes and spaces; what is around them goes."""
        items = ['{ "id": "a","x":1.00,"y" :1e5 ,"x":-0.0}', '{"id":"b", "s":"\\ud800 ]}\\u0041", "e": []}']
        page = slice_page(reply(f' {{"data":\n[ {items[0]} ,{items[1]}] ,"has_more" : true, "last_id":"b"}}\n'))
        assert [item.text for item in page] == items
        assert (page.has_more, page.last_id) == (True, "b")
        assert slice_object(reply(f"\n{items[0]} ")).text == items[0]

    @settings(deadline=None)
    @given(
        st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3), max_size=4),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        st.integers(0, 3) | st.none(),
        st.booleans(),
    )
    def test_any_page_is_cut_where_its_items_are(
        self, values: list[Any], encoding: str, indent: int | None, is_ascii: bool
    ) -> None:
        """Whatever is in them, and however the page is spelt."""
        body = json.dumps({"object": "list", "data": values, "has_more": False}, indent=indent, ensure_ascii=is_ascii)
        page = slice_page(reply(body.encode(encoding)))
        assert [item.value for item in page] == values
        assert [json.loads(item.text) for item in page] == values
        assert all(item.text in body for item in page)

    def test_a_lone_surrogate_that_is_not_escaped_comes_out(self) -> None:
        """As servers send it that encode it like any other character."""
        item = slice_object(reply(b'{"id": "a", "s": "\xed\xa0\x80"}'))
        assert item.text.encode("utf-8", "surrogatepass") == b'{"id": "a", "s": "\xed\xa0\x80"}'

    @pytest.mark.parametrize(
        "body",
        [
            b"", b" ", b"{", b'{"data"', b'{"data":[', b'{"data":[{]}', b'{"data":[{"a":1}', b'{"data":[{"a":1}]',
            b"[1]", b'{"data":[1]}', b'{"data":{}}', b'{"data":[]} x', b'{"data":[{"a":1},]}', b'{"data":[],}',
            b'{"data":[] "x":1}', b"{1:2}", b"\xff", b"<html>", b"null", b'{"data":[' + b"[" * 100_000,
            b'{"data":[{"a":' + b"1" * 5000 + b"}]}",
        ],
    )  # fmt: skip
    def test_what_is_no_page_is_refused(self, body: bytes) -> None:
        """With the error of an answer that cannot be read."""
        with pytest.raises(APIResponseError, match=r"the answer|item 0"):
            slice_page(reply(body))

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b'{"id": " "}', b'{"id": "a"} {}', b"<html>"])
    def test_what_is_no_object_is_refused(self, body: bytes) -> None:
        """It needs an id, and nothing behind it."""
        with pytest.raises(APIResponseError, match="the answer"):
            slice_object(reply(body))


class Clock:
    """Requests under a rate, at times that a test makes up."""

    def __init__(self, most: int = 16, max_rate: float | None = None) -> None:
        self.rate = Rate(most, max_rate)
        self.now = 0.0

    def send(self, outcome: Outcome = Outcome.GOOD, took_sec: float = 0.1) -> float:
        """One request that waits its turn; gives the time at which it went out."""
        self.now += self.rate.wait_sec(self.now)
        began_at = self.now
        self.rate.begin(self.now)
        self.now += took_sec
        self.rate.end(self.now, began_at, "steps", outcome)
        return began_at

    def windows(self, count: int, outcome: Outcome = Outcome.GOOD, took_sec: float = 0.1) -> list[int]:
        """The limit after each of so many windows."""
        limits = []
        for _ in range(count):
            for _ in range(self.rate.limit):
                self.send(outcome, took_sec)
            limits.append(self.rate.limit)
        return limits


class TestRate:
    def test_it_begins_with_four_and_adds_one_a_clean_window(self) -> None:
        """Up to the most that there may be."""
        clock = Clock(most=7)
        assert clock.rate.limit == 4
        assert clock.windows(5) == [5, 6, 7, 7, 7]
        assert Clock(most=2).rate.limit == 2

    def test_as_many_are_under_way_as_the_limit_says(self) -> None:
        """One more waits for another's end."""
        rate = Rate(16)
        for _ in range(4):
            assert rate.wait_sec(0) == 0
            rate.begin(0)
        assert rate.wait_sec(0) == float("inf")

    @pytest.mark.parametrize("outcome", [Outcome.SLOW_DOWN, Outcome.LOST])
    def test_it_halves_when_the_server_has_enough(self, outcome: Outcome) -> None:
        """Once for all that were under way at that moment, and never below one."""
        clock = Clock()
        clock.windows(12)
        assert clock.rate.limit == 16
        for _ in range(16):
            clock.rate.begin(clock.now)
        began_at, clock.now = clock.now, clock.now + 1
        for _ in range(16):
            clock.rate.end(clock.now, began_at, "steps", outcome)
        assert clock.rate.limit == 8
        for _ in range(9):
            clock.send(outcome)
        assert clock.rate.limit == 1

    def test_a_failure_that_says_nothing_of_the_load_only_keeps_it_from_growing(self) -> None:
        """A 500 in a window."""
        clock = Clock()
        clock.send(Outcome.BAD)
        clock.windows(1)
        assert clock.rate.limit == 4

    def test_it_halves_when_answers_take_longer(self) -> None:
        """More than twice what is usual, for that kind; and it gets used to it."""
        clock = Clock()
        clock.windows(8)
        before = clock.rate.limit
        assert clock.windows(1, took_sec=1.0)[0] == before // 2
        assert clock.windows(400, took_sec=1.0)[-1] == 16

    def test_retry_after_stops_everyone(self) -> None:
        """For as long as the server asks, a minute at most."""
        rate = Rate(16)
        rate.hold(10.0, 5.0)
        assert rate.wait_sec(12.0) == 3.0
        rate.hold(10.0, 1.0)
        assert rate.wait_sec(12.0) == 3.0
        rate.hold(10.0, 1e9)
        assert rate.wait_sec(10.0) == 60.0

    def test_headers_say_when_there_are_requests_again(self) -> None:
        """Where none is left, and until when is said."""
        rate = Rate(16)
        rate.hint(0, {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "9s"})
        rate.hint(0, {"x-ratelimit-remaining-requests": "0"})
        rate.hint(0, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"})
        assert rate.wait_sec(0) == 0
        rate.hint(0, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"})
        assert rate.wait_sec(2.5) == 57.5

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("1", 1), ("1.5", 1.5), ("20ms", 0.02), ("6m0s", 360), ("1h2m3s", 3723), ("2m", 120), ("", None), ("x", None)],
    )
    def test_durations(self, text: str, seconds: float | None) -> None:
        """As the headers spell them."""
        assert seconds_of_duration(text) == seconds

    @settings(deadline=None)
    @given(st.floats(0.5, 200), st.lists(st.floats(0, 3), max_size=60))
    def test_never_more_than_max_rate(self, max_rate: float, pauses: list[float]) -> None:
        """In any stretch of time, with a burst of one second's worth."""
        clock = Clock(64, max_rate)
        sent = []
        for pause in pauses:
            clock.now += pause
            sent += [clock.send(took_sec=0) for _ in range(5)]
        for first, began_at in enumerate(sent):
            for last, ended_at in enumerate(sent[first:], first):
                assert last - first + 1 <= max_rate * (ended_at - began_at) + max(1, max_rate) + 1e-6

    def test_silence_counts_while_something_is_asked(self) -> None:
        """From the first request after an answer on; not while everybody was told to wait."""
        rate = Rate(16)
        assert rate.silent_sec(100) == 0
        rate.begin(100)
        rate.end(101, 100, "runs", Outcome.LOST)
        rate.begin(110)
        assert rate.silent_sec(112) == 12
        rate.hold(112, 10)
        assert rate.silent_sec(125) == 3
        for _ in range(9):  # what it waits of itself is no reason
            rate.begin(125)
            rate.end(125, 125, "runs", Outcome.LOST)
        assert rate.wait_sec(125) > 0
        assert rate.silent_sec(125) == 3
        rate.end(126, 110, "runs", Outcome.BAD)  # an answer, if a bad one
        assert rate.silent_sec(200) == 0

    def test_where_nothing_comes_through_everybody_waits(self) -> None:
        """Else the attempts of everything would be used up in a moment."""
        clock = Clock()
        for _ in range(12):
            clock.send(Outcome.LOST, took_sec=0)
        assert clock.rate.wait_sec(clock.now) > 1
        clock.now += 10
        clock.send()
        assert clock.rate.wait_sec(clock.now) == 0


class Api:
    """A server without I/O: what it has, and what a plan stored of it."""

    def __init__(self, **lists: Iterable[dict[str, Any]]) -> None:
        self.lists = {path.replace("__", "/"): list(items) for path, items in lists.items()}
        self.stored: dict[str, dict[str, str]] = {}
        self.notes: dict[tuple[str, str, str], NoteList] = {}
        self.states: dict[str, str] = {}
        self.asked: list[str] = []

    def keep(self, changes: Iterable[Any]) -> None:
        """Store changes."""
        for change in changes:
            if isinstance(change, Put):
                self.stored.setdefault(change.kind, {})[change.item.value["id"]] = change.item.text
            elif isinstance(change, NoteList):
                self.notes[change.kind, change.thread_id, change.run_id] = change
            else:
                self.states[change.id] = change.state

    def answer(self, reading: Reading) -> Any:
        """What a reading is answered with: an object, a page, or an error."""
        path = reading.call.path.strip("/")
        self.asked.append(path)
        query = dict(reading.call.query)
        if path in self.lists:
            items = self.lists[path]
            ids = [item["id"] for item in items]
            if "after" in query and query["after"] not in ids:
                return BadCursorError("no such cursor", status_code=400)
            begin = ids.index(query["after"]) + 1 if "after" in query else 0
            part = items[begin : begin + 2]
            has_more = begin + 2 < len(items)
            return Page([Item(json.dumps(item), item) for item in part], {"has_more": has_more})
        parent, _, name = path.rpartition("/")
        for item in self.lists.get(parent, ()):
            if item["id"] == name:
                return Item(json.dumps(item), item)
        return NotFoundError(f"no {path}", status_code=404)

    def serve(self, plan: Plan) -> None:
        """Answer until nothing is left to ask."""
        while (reading := plan.take()) is not None:
            self.tell(plan, reading, self.answer(reading))
        assert plan.has_ended

    def tell(self, plan: Plan, reading: Reading, answer: Any) -> None:
        """Hand a plan an answer."""
        if isinstance(answer, APIError):
            reading.call.about(answer)
            self.keep(plan.failed(reading, answer))
        else:
            self.keep(plan.took(reading, answer))


class BadCursorError(InternalServerError):
    """An answer to a cursor that is none."""


def run(number: int, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A run."""
    return {"id": f"run_{number}", "status": status, "assistant_id": "asst_1", **fields}


def full(**lists: Any) -> Api:
    """A server with a thread of three runs."""
    return Api(
        **{
            "threads": [{"id": "t"}],
            "threads__t__runs": [run(1), run(2), run(3, "in_progress")],
            "threads__t__messages": [{"id": "msg_1"}, {"id": "msg_2"}, {"id": "msg_3"}],
            "threads__t__runs__run_1__steps": [{"id": f"step_{number}"} for number in range(5)],
            "threads__t__runs__run_2__steps": [],
            "threads__t__runs__run_3__steps": [{"id": "step_9"}],
            "assistants": [{"id": "asst_1"}],
            **lists,
        }
    )


class TestPlan:
    def test_everything_of_a_thread_is_read(self) -> None:
        """Thread, messages, runs, steps, the assistant once; what has ended is complete, the rest is open."""
        api, plan = full(), Plan()
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        counts = {kind: len(objects) for kind, objects in api.stored.items()}
        assert counts == {"threads": 1, "runs": 3, "messages": 3, "steps": 6, "assistants": 1}
        assert len(api.asked) == 1 + 2 + 2 + 3 + 1 + 1 + 1
        assert {key[2]: note.state for key, note in api.notes.items() if key[0] == "steps"} == {
            "run_1": "complete",
            "run_2": "complete",
            "run_3": "open",
        }
        assert api.notes["runs", "t", ""] == NoteList("runs", "t", "", "complete", "run_3", (), None)
        assert (plan.errors, plan.begun, plan.ended) == ({}, 1, 1)

    def test_messages_and_assistants_can_be_left_out(self) -> None:
        """Nothing of them is asked for or noted."""
        api, plan = full(), Plan(messages=False, assistants=False)
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert not [path for path in api.asked if "messages" in path or "assistants" in path]
        assert set(api.states) == {"t"}

    def test_a_thread_that_is_gone_costs_two_requests(self) -> None:
        """Its runs, and the thread itself; it is recorded with the error."""
        api, plan = Api(), Plan()
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert api.asked == ["threads/t/runs", "threads/t"]
        assert api.states == {"t": "failed"}
        assert isinstance(plan.errors["t"], NotFoundError)
        assert plan.errors["t"].thread_id == "t"

    def test_a_server_without_threads_or_messages_is_no_failure(self) -> None:
        """404 there while its runs answer."""
        api, plan = full(threads=[]), Plan()
        del api.lists["threads/t/messages"]
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert (plan.errors, api.states["t"], api.notes["messages", "t", ""].state) == ({}, "absent", "absent")

    def test_a_server_without_a_list_of_runs_gives_the_rest(self) -> None:
        """The thread is there, so its messages are read; the error is recorded."""
        api, plan = full(), Plan()
        del api.lists["threads/t/runs"]
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert len(api.stored["messages"]) == 3
        assert (api.notes["runs", "t", ""].state, list(plan.errors)) == ("failed", ["t"])

    def test_one_list_that_fails_stops_no_other(self) -> None:
        """The run's id is in the error, and in the archive the place to go on from."""
        api, plan = full(), Plan()
        del api.lists["threads/t/runs/run_1/steps"]
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert (plan.errors["t"].run_id, len(api.stored["messages"])) == ("run_1", 3)
        assert api.notes["steps", "t", "run_1"].state == "failed"
        assert api.notes["steps", "t", "run_2"].state == "complete"

    def test_an_assistant_that_is_gone_is_no_failure(self) -> None:
        """Any other error of it is."""
        api, plan = full(assistants=[]), Plan()
        api.keep(plan.begin(StoredThread("t")))
        api.serve(plan)
        assert (api.states["asst_1"], plan.errors) == ("absent", {})
        plan = Plan()
        api.keep(plan.begin(StoredThread("t")))
        while (reading := plan.take()) is not None:
            is_assistant = reading.kind == "assistant"
            failure = InternalServerError("no", status_code=500)
            api.tell(plan, reading, failure if is_assistant else api.answer(reading))
        assert (api.states["asst_1"], list(plan.errors)) == ("failed", ["t"])

    def test_what_is_whole_is_not_asked_for_again(self) -> None:
        """Where an export goes on: lists that it has read, ended runs with all that is asked for."""
        api, plan = full(), Plan(export=3, include=["a"])
        whole = ListState("complete", "run_3", (), None, 3, 3)
        unread = (("run_1", ListState("open", "step_1", ("a",))), ("run_2", ListState("complete", None, ("b",))))
        api.keep(plan.begin(StoredThread("t", "complete", whole, whole, "run_3", "msg_3", unread=unread)))
        queries = []
        while (reading := plan.take()) is not None:
            queries.append((reading.call.path, dict(reading.call.query).get("after"), reading.include))
            api.tell(plan, reading, api.answer(reading))
        assert {path for path, _, _ in queries} == {"/threads/t/runs/run_1/steps", "/threads/t/runs/run_2/steps"}
        assert ("/threads/t/runs/run_1/steps", "step_1", ("a",)) in queries
        assert ("/threads/t/runs/run_2/steps", None, ("a", "b")) in queries

    def test_a_later_export_looks_behind_what_it_has(self) -> None:
        """Lists that an earlier export has read go on behind their last objects."""
        api, plan = full(), Plan(export=4)
        before = ListState("complete", "run_2", (), None, 2, 3)
        stored = StoredThread("t", "complete", before, before._replace(cursor="msg_2"), "run_2", "msg_2")
        api.keep(plan.begin(stored))
        api.serve(plan)
        assert list(api.stored["runs"]) == ["run_3"]
        assert list(api.stored["messages"]) == ["msg_3"]
        assert "threads/t" not in api.asked

    def test_where_the_place_to_go_on_from_is_gone_the_list_begins_anew(self) -> None:
        """A run that was deleted meanwhile, say."""
        api, plan = full(), Plan(export=4)
        before = ListState("complete", "run_x", (), None, 2, 3)
        api.keep(plan.begin(StoredThread("t", "complete", before, before, "run_x", "msg_2")))
        api.serve(plan)
        assert (list(api.stored["runs"]), plan.errors) == (["run_1", "run_2", "run_3"], {})

    def test_lists_that_never_end_are_errors(self) -> None:
        """More is promised, and the cursor is the same again."""
        api, plan = full(), Plan(assistants=False, messages=False)
        api.keep(plan.begin(StoredThread("t")))
        page = Page([Item('{"id": "run_1"}', run(1))], {"has_more": True, "last_id": "run_1"})
        for _ in range(2):
            reading = next(reading for reading in iter(plan.take, None) if reading.kind == "runs")
            api.tell(plan, reading, page)
        assert isinstance(plan.errors["t"], PaginationError)
        assert list(api.stored["runs"]) == ["run_1"]

    def test_an_object_without_an_id_costs_no_other(self) -> None:
        """It is the list's error; what can be kept is."""
        api, plan = full(threads__t__messages=[{"id": "msg_1"}, {"id": 7}, {"id": "\ud800"}, {"id": "msg_2"}]), Plan()
        api.keep(plan.begin(StoredThread("t")))
        while (reading := plan.take()) is not None:
            answer = api.answer(reading)
            if reading.kind == "messages":
                answer = Page([Item(json.dumps(item), item) for item in api.lists["threads/t/messages"]], {})
            api.tell(plan, reading, answer)
        assert list(api.stored["messages"]) == ["msg_1", "msg_2"]
        assert isinstance(plan.errors["t"], APIResponseError)

    def test_threads_are_listed_where_the_server_does(self) -> None:
        """They come as the list gives them, and are begun; where it fails, that is told apart."""
        api, plan = Api(threads=[{"id": f"t{number}"} for number in range(3)]), Plan()
        plan.list_threads()
        api.serve(plan)
        assert (list(plan.listed), list(api.stored["threads"])) == (["t0", "t1", "t2"], ["t0", "t1", "t2"])
        plan, api = Plan(), Api()
        plan.list_threads()
        api.serve(plan)
        assert isinstance(plan.listing_error, NotFoundError)

    @settings(deadline=None)
    @given(st.integers(), st.integers(1, 7), st.integers(0, 9))
    def test_however_it_fails_everything_ends(self, seed: int, threads: int, most_failures: int) -> None:
        """In any order of answers, with any failures, each thread ends once, and what failed is named."""
        chance = random.Random(seed)
        lists: dict[str, Any] = {"threads": [{"id": f"t{number}"} for number in range(threads)]}
        for number in range(threads):
            runs = [run(count, chance.choice(["completed", "queued"])) for count in range(chance.randrange(6))]
            lists[f"threads__t{number}__runs"] = runs
            lists[f"threads__t{number}__messages"] = [{"id": f"m{count}"} for count in range(chance.randrange(5))]
            for one in runs:
                steps = [{"id": f"s{count}"} for count in range(chance.randrange(5))]
                lists[f"threads__t{number}__runs__{one['id']}__steps"] = steps
        api, plan = Api(**lists), Plan()
        for number in range(threads):
            api.keep(plan.begin(StoredThread(f"t{number}")))
        under_way: list[Reading] = []
        failed: set[str] = set()
        while True:
            while len(under_way) < 4 and (reading := plan.take()) is not None:
                under_way.append(reading)
            if not under_way:
                break
            reading = under_way.pop(chance.randrange(len(under_way)))
            if len(failed) < most_failures and chance.random() < 0.3:
                if reading.thread is not None:
                    failed.add(reading.thread.id)
                api.tell(plan, reading, InternalServerError("no", status_code=500))
            else:
                api.tell(plan, reading, api.answer(reading))
        assert plan.has_ended
        assert (plan.begun, plan.ended) == (threads, threads)
        assert set(plan.errors) == failed
