"""Invented threads for the timeline's tests: one as they are in life, one as large as wanted, one as odd as can be.

python tests/timeline_sample.py FOLDER     # writes the pages of all of them there, to look at
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import facade
from facade import timeline

Json = dict[str, Any]

BEGAN = 1748844000  # Monday 2025-06-02, 06:00 UTC
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Thing(dict[str, Any]):
    """An object as a client gives one: `to_dict`, and keys as attributes."""

    def to_dict(self) -> Json:
        return dict(self)

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


class Walk:
    """What `all` gives."""

    def __init__(self, things: Iterator[Thing]) -> None:
        self._things = things

    def __iter__(self) -> Iterator[Thing]:
        return self._things

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class Resource:
    """One of a client's resources, of methods."""

    all: Any
    get: Any

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self.__dict__.update(methods)


class FakeClient:
    """Gives what it holds, as a client of a server that has it would."""

    def __init__(self, *threads: Json, assistants: dict[str, Json] | None = None) -> None:
        held = self.held = {one["thread"]["id"]: one for one in threads}

        def lists(name: str) -> Callable[..., Walk]:
            return lambda thread, **_: Walk(Thing(item) for item in held[thread].get(name, ()))

        def steps(runs: Any, **_: Any) -> Walk:
            found = ((held[run["thread_id"]].get("steps", {}).get(run["run_id"], ())) for run in runs)
            return Walk(Thing(step) for steps in found for step in steps)

        def run(thread: str, run_id: str) -> Thing:
            found = [run for run in held.get(thread, {}).get("runs", ()) if run["id"] == run_id]
            return Thing(found[0]) if found else missing()

        self.runs = Resource(all=lists("runs"), get=run)
        self.steps = Resource(all=steps)
        self.messages = Resource(all=lists("messages"))
        self.threads = Resource(get=lambda thread: Thing(held[thread]["thread"]))
        self.assistants = Resource(get=lambda id_: Thing((assistants or {}).get(id_) or missing()))


def missing() -> Any:
    """A server that has no such thing."""
    raise facade.NotFoundError("no such thing", status_code=404)


def usage(prompt: int, completion: int, cached: int = 0) -> Json:
    """Tokens, as a server counts them."""
    details = {"prompt_token_details": {"cached_tokens": cached}} if cached else {}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **details}


class Story:
    """A thread in the making: what happens next happens at `at`, in seconds."""

    def __init__(self, thread_id: str, at: float = BEGAN, assistant: str = "asst_orders") -> None:
        self.thread: Json = {"id": thread_id, "object": "thread", "created_at": at, "metadata": {}}
        self.runs: list[Json] = []
        self.steps: dict[str, list[Json]] = {}
        self.messages: list[Json] = []
        self.at = at
        self.assistant = assistant
        self._name = thread_id.removeprefix("thread_")

    def data(self) -> Json:
        """What a `FakeClient` holds."""
        return {"thread": self.thread, "runs": self.runs, "steps": self.steps, "messages": self.messages}

    def say(self, text: str, role: str = "user", run_id: str | None = None, *more: Json) -> str:
        """A message; its id."""
        message_id = f"msg_{self._name}_{len(self.messages) + 1}"
        content = [{"type": "text", "text": {"value": text, "annotations": []}}, *more]
        self.messages.append(
            {"id": message_id, "object": "thread.message", "created_at": self.at, "thread_id": self.thread["id"]}
            | {"role": role, "content": content, "run_id": run_id, "status": "completed", "metadata": {}}
        )
        return message_id

    def run(self, status: str = "completed", *, waits: float = 1, model: str = "gpt-4.1", **more: Any) -> Json:
        """A run, to be ended with `end`."""
        run_id = f"run_{self._name}_{len(self.runs) + 1:02}"
        run: Json = {"id": run_id, "object": "thread.run", "created_at": self.at, "thread_id": self.thread["id"]}
        run |= {"assistant_id": self.assistant, "status": status, "model": model, "instructions": "Be brief."}
        run |= {"started_at": self.at + waits, "expires_at": self.at + 600, "last_error": None, "usage": None, **more}
        self.at += waits
        self.runs.append(run)
        self.steps[run_id] = []
        return run

    def step(self, lasts: float, *calls: Json, says: str = "", status: str = "completed", **more: Any) -> Json:
        """A step of the last run: its calls, or what it says."""
        run = self.runs[-1]
        step: Json = {"id": f"step_{run['id'][4:]}_{len(self.steps[run['id']]) + 1}", "object": "thread.run.step"}
        step |= {"created_at": self.at, "run_id": run["id"], "thread_id": self.thread["id"], "status": status}
        self.at += lasts
        if status != "in_progress":
            step[f"{status}_at"] = self.at
        if says:
            message_id = self.say(says, "assistant", run["id"])
            step |= {"type": "message_creation", "usage": usage(900, 80)}
            step["step_details"] = {"type": "message_creation", "message_creation": {"message_id": message_id}}
        else:
            step |= {"type": "tool_calls", "usage": usage(700, 40), "step_details": {"type": "tool_calls"}}
            step["step_details"]["tool_calls"] = list(calls)
        self.steps[run["id"]].append(step | more)
        return step

    def end(self, *, prompt: int = 1600, completion: int = 120, cached: int = 0, **more: Any) -> None:
        """The last run ends now."""
        run = self.runs[-1]
        ends = {
            "completed": "completed_at",
            "incomplete": "completed_at",
            "failed": "failed_at",
            "cancelled": "cancelled_at",
        }
        run |= {ends[run["status"]]: self.at, "usage": usage(prompt, completion, cached), **more}


def function(name: str, arguments: Any, output: Any = None) -> Json:
    """A call of a function."""
    part = {"name": name, "arguments": json.dumps(arguments), "output": output and json.dumps(output)}
    return {"id": f"call_{name}_{crc32(str(part).encode())}", "type": "function", "function": part}


def code(source: str, *outputs: Json) -> Json:
    """A call of the code interpreter."""
    part = {"input": source, "outputs": list(outputs)}
    return {"id": f"call_code_{len(source)}", "type": "code_interpreter", "code_interpreter": part}


def search(*found: tuple[str, float, str]) -> Json:
    """A file search."""
    results = [
        {"file_id": f"file-{n}", "file_name": n, "score": s, "content": [{"type": "text", "text": t}]}
        for n, s, t in found
    ]
    return {"id": f"call_search_{len(found)}", "type": "file_search", "file_search": {"results": results}}


def a_thread() -> FakeClient:
    """A thread of twelve runs and all kinds of calls, over days, with an agent that calls another."""
    story = Story("thread_9fK2mQxB7r")
    story.thread["metadata"] = {"customer": "hotel-lindenhof"}
    story.say("Good morning! Which of your breads are free of nuts? Two of our guests have an allergy.")
    story.at += 4
    story.run()
    story.step(
        3,
        search(
            ("allergens.md", 0.93, "Rye loaf, seeded loaf, baguette: no nuts, no traces."),
            ("recipes.md", 0.71, "Walnut spelt: 180 g of walnuts to the kilo of flour."),
        ),
    )
    story.step(
        5,
        says="Rye loaf, seeded loaf and baguette have no nuts and no traces. The walnut spelt has both.",
    )
    story.end(prompt=1480, completion=96, cached=1024)
    story.at += 40
    story.say("And sixty rye rolls for a wedding on Saturday, brought to us by nine? What would that cost?")
    story.at += 2
    story.run()
    story.step(
        4,
        function("check_stock", {"item": "rye roll", "count": 60}, {"free": 72}),
        function("quote_delivery", {"day": "Saturday", "by": "09:00", "km": 7}, {"eur": 8.5}),
        search(("prices.csv", 0.88, "rye roll;0.95\nspelt roll;1.10")),
    )
    story.step(6, code("print(60 * 0.95 + 8.5)", {"type": "logs", "logs": "65.5\n"}))
    story.step(
        4, says="Sixty rye rolls are free on Saturday. With delivery by nine that is 65.50 EUR. Shall I book it?"
    )
    story.end(prompt=3905, completion=518, cached=2048)
    story.at += 75
    story.say("Yes please. And how much flour does the whole week take you, out of interest?")
    story.run(model="gpt-4.1-mini")
    story.step(0, function("book_order", {"item": "rye roll", "count": 60, "day": "Saturday"}, {"order": "A-1042"}))
    chart = {"type": "image", "image": {"file_id": "file-flour-chart"}}
    story.step(
        11,
        code(
            "loaves = [40, 40, 45, 45, 60, 80]\nprint(sum(loaves) * 0.62, 'kg')\nplot(loaves)",
            {"type": "logs", "logs": "192.2 kg\n"},
            chart,
        ),
    )
    story.step(4, says="Booked: order A-1042. The week takes about 192 kg of flour, most of it on Saturday.")
    story.end(prompt=2310, completion=402)
    story.at += 2 * 86400 + 3 * 3600
    story.say("Can the invoice go to our head office instead?")
    story.run(
        "failed",
        last_error={
            "code": "rate_limit_exceeded",
            "message": "The tokens of this minute are used up: 30000 allowed, 29112 used, 2210 asked for.",
        },
    )
    story.at += 1
    story.end(prompt=0, completion=0, usage=None)
    story.at += 9
    story.run()
    mcp = {
        "id": "call_mcp_1",
        "type": "mcp",
        "name": "update_invoice",
        "server_label": "ledger",
        "arguments": '{"order":"A-1042","address":"head office"}',
        "output": '{"ok":true,"invoice":"2025-0613"}',
    }
    story.step(3, mcp)
    story.step(3, says="Done: invoice 2025-0613 goes to your head office.")
    story.end()
    story.at += 30
    story.say("Then plan the ovens for Saturday and check it against the rules for working hours.")
    story.run("failed", last_error={"code": "server_error", "message": "The oven plan could not be worked out."})
    story.step(2, says="One moment, I am working the plan out.")
    story.step(
        24,
        code("plan = fit(batches, ovens=2)\nprint(plan)"),
        status="failed",
        last_error={"code": "server_error", "message": "The sandbox stopped answering after 24 s."},
    )
    story.end(prompt=1260, completion=88)
    story.at += 50
    story.run(model="o4-mini")
    connected = {
        "name": "hours_agent",
        "arguments": '{"question":"May two people bake from 02:00 to 09:00?"}',
        "output": "Yes, with a break of 30 minutes.",
        "agent_id": "asst_hours",
        "thread_id": "thread_hours_1",
        "run_id": "run_hours_1_01",
    }
    asked_at = story.at + 1
    story.step(2, function("oven_plan", {"day": "Saturday"}, {"slots": [[2, 5], [5, 9]]}))
    story.step(19, {"id": "call_agent_1", "type": "connected_agent", "connected_agent": connected})
    story.step(5, says="Two ovens from 02:00 to 09:00 will do, with two people and a break of thirty minutes.")
    story.end(prompt=5210, completion=1210, cached=3000)
    story.at += 600
    story.say("Send me the whole catalogue with all recipes.")
    story.run("incomplete", incomplete_details={"reason": "max_completion_tokens"}, max_completion_tokens=512)
    story.step(
        14,
        says="Our catalogue, with all that goes into each loaf: 1. Rye loaf: 70 % rye, 30 % wheat, ...",
    )
    story.end(prompt=2100, completion=512)
    story.at += 26 * 3600
    story.say("Is brioche free for today?", "user", None, {"type": "image_url", "image_url": {"url": DOT}})
    run = story.run("expired")
    story.step(3, says="Let me see what is left.")
    step = story.step(597, function("check_stock", {"item": "brioche", "count": 12}), status="expired")
    step["expired_at"] = run["expires_at"]
    run["expired_at"] = run["expires_at"]
    story.at += 3600
    story.run("cancelled")
    story.step(7, function("check_stock", {"item": "nut cake", "count": 1}), status="cancelled")
    story.end(prompt=690, completion=12)
    story.at += 5
    story.say("Never mind the cake: five baguettes for Tuesday, then?")
    story.run()
    story.step(
        2,
        {
            "id": "call_bing_1",
            "type": "bing_grounding",
            "bing_grounding": {"requesturl": "https://search.example/?q=baguette", "response_metadata": "{}"},
        },
    )
    story.step(0, says="Five baguettes are no trouble.")
    story.end()
    story.at += 4
    story.say("Good, and bring them to us.")
    calls = [
        function("check_stock", {"item": "baguette", "count": 5}),
        function("quote_delivery", {"day": "Tuesday", "km": 3}),
    ]
    waits_for = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    story.run("requires_action", required_action=waits_for)
    story.step(8, *calls, status="in_progress")
    other = Story("thread_hours_1", asked_at, "asst_hours")
    other.say("May two people bake from 02:00 to 09:00?")
    other.run(model="gpt-4.1-mini")
    other.step(
        6, search(("working-hours.pdf", 0.91, "Night work: at most eight hours, with a break of 30 minutes after six."))
    )
    other.step(5, says="Yes, with a break of 30 minutes.")
    other.end(prompt=1100, completion=60)
    names = {
        "asst_orders": {"id": "asst_orders", "name": "Order desk"},
        "asst_hours": {"id": "asst_hours", "name": "Working hours"},
    }
    return FakeClient(story.data(), other.data(), assistants=names)


def a_large_thread(steps: int, *, each: int = 12) -> FakeClient:
    """A thread of so many steps, `each` of them in a run, with about as many calls."""
    chance = random.Random(7)
    story = Story("thread_large")
    while steps > 0:
        story.say(f"Question {len(story.runs) + 1}: " + "how is it with " * chance.randint(1, 9) + "this?")
        bad = chance.random() < 0.06
        story.run("failed" if bad else "completed", model=chance.choice(["gpt-4.1", "gpt-4.1-mini", "o4-mini"]))
        for place in range(min(each, steps)):
            lasts = chance.randint(0, 7)
            if place % 3 == 2:
                story.step(lasts, says="An answer of some length. " * chance.randint(2, 12))
            else:
                kinds = [
                    function("look_up", {"key": chance.random()}, {"value": "x" * 120}),
                    search(("notes.md", 0.8, "A line of notes. " * 9)),
                    code("print(1 + 1)", {"type": "logs", "logs": "2\n"}),
                ]
                story.step(lasts, *chance.sample(kinds, chance.choice([1, 1, 1, 2])))
        steps -= each
        broke: dict[str, Any] = {"last_error": {"code": "server_error", "message": "It broke."}}
        story.end(**(broke if bad else {}))
        story.at += chance.choice([5, 30, 300, 40000])
    return FakeClient(story.data())


def an_odd_thread() -> FakeClient:
    """Everything that servers, or nobody, would send."""
    big, tall = 10**400, float("inf")
    runs: list[Json] = [
        {"id": "run_bare"},
        {
            "id": "run_float",
            "created_at": 1748844000.25,
            "started_at": 1748844000.75,
            "completed_at": 1748844001.1,
            "status": "completed",
        },
        {
            "id": "run_milli",
            "created_at": 1748844060000,
            "completed_at": 1748844075500,
            "status": "completed",
            "usage": {"input_tokens": 3, "output_tokens": 4},
        },
        {
            "id": "run_numbers",
            "created_at": tall,
            "started_at": -5,
            "completed_at": big,
            "status": "completed",
            "usage": {"total_tokens": tall, "prompt_tokens": "12"},
        },
        {
            "id": "run_kinds",
            "created_at": "yesterday",
            "status": 7,
            "last_error": "broke",
            "incomplete_details": "text",
            "model": {"a": 1},
            "metadata": [1],
            "required_action": [],
        },
        {"id": "run_backwards", "created_at": 1748844200, "completed_at": 1748844100, "status": "frozen solid"},
        {
            "id": "run_surrogate",
            "created_at": 1748844210,
            "status": "completed",
            "instructions": "\ud800 lone \udfff",
            "metadata": {"\ud83d": "\u2028\u2029\u202e"},
        },
        {"id": "run_surrogate", "created_at": 1748844211, "status": "completed"},
    ]
    runs = [run | {"thread_id": "thread_odd"} for run in runs]
    steps: list[Json] = [
        {"id": "step_bare"},
        {"id": "step_null", "run_id": "run_bare", "status": None, "type": None, "step_details": None, "usage": None},
        {"id": "step_list", "step_details": [], "usage": [], "created_at": True},
        {
            "id": "step_calls",
            "step_details": {
                "tool_calls": [
                    None,
                    5,
                    "text",
                    {},
                    {"type": 3},
                    {"type": "warp"},
                    {"type": "warp", "warp": []},
                    {"type": "file_search", "file_search": {"results": [None, {"score": tall, "content": [4]}]}},
                    {
                        "type": "code_interpreter",
                        "code_interpreter": {"outputs": [None, {"type": "image"}, {"type": "logs"}]},
                    },
                    {"name": "local", "arguments": {"a": big}, "result": {"b": tall}},
                ]
            },
        },
        {
            "id": "step_mcp",
            "type": "mcp_call",
            "step_details": {"mcp_server": "x", "request_payload": {}, "response_payload": None},
        },
        {
            "id": "step_activities",
            "type": "activities",
            "step_details": {"type": "activities", "activities": [{"type": "mcp_list_tools", "id": "a"}]},
        },
        {
            "id": "step_message",
            "type": "message_creation",
            "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_odd"}},
        },
        {"id": "__proto__", "type": "constructor", "status": "__proto__", "step_details": {"type": "toString"}},
    ]
    messages: list[Json] = [
        {
            "id": "msg_odd",
            "content": [
                None,
                3,
                "plain",
                {"type": "text"},
                {"type": "text", "text": "flat"},
                {"type": "image_file"},
                {"type": "hologram", "hologram": {"x": 1}},
            ],
        },
        {"id": "msg_text", "content": "only text", "role": 5},
        {"id": "msg_none", "content": None, "created_at": 0},
    ]
    return FakeClient(
        {"thread": {"id": "thread_odd"}, "runs": runs, "steps": {"run_bare": steps}, "messages": messages}
    )


SCRIPT = (
    "</script><script>hacked()</script><img src=x onerror=hacked()><svg onload=hacked()><!--\"'>"
    "<a href=javascript:hacked()>http://attacker.example/{{script}}</a>"
)
TELLING = {"id", "run_id", "thread_id", "message_id", "assistant_id", "type", "status", "role"}
"""The keys whose values decide how an object is drawn."""


def poisoned(value: Any, *, kept: Collection[str] = (), key: str = "") -> Any:
    """With a script behind every text, but for those of some keys, and under one more key of every object."""
    if isinstance(value, dict):
        return {name: poisoned(item, kept=kept, key=name) for name, item in value.items()} | {SCRIPT: SCRIPT}
    if isinstance(value, list):
        return [poisoned(item, kept=kept) for item in value]
    return value + SCRIPT if isinstance(value, str) and key not in kept else value


def a_hostile_client() -> FakeClient:
    """`a_thread`'s threads with scripts everywhere: in the texts, and once more in the kinds, states and ids too."""
    threads = []
    for one in a_thread().held.values():
        threads.append(poisoned(one, kept=TELLING) | {"thread": poisoned(one["thread"], kept=TELLING)})
        threads[-1]["thread"]["metadata"]["title"] = SCRIPT
        whole = poisoned(one)
        threads.append(whole | {"steps": {run_id + SCRIPT: steps for run_id, steps in whole["steps"].items()}})
    return FakeClient(*threads, assistants={"asst_orders": {"name": SCRIPT}, "asst_hours": {"name": SCRIPT}})


def main(folder: str) -> None:
    """Writes the pages."""
    empty = FakeClient({"thread": {"id": "thread_empty"}})
    pages = {"sample": a_thread(), "large": a_large_thread(30_000), "odd": an_odd_thread(), "empty": empty}
    client: Any
    for name, client in pages.items():
        print(timeline.write(client, next(iter(client.held)), to=Path(folder) / f"{name}.html"))


if __name__ == "__main__":
    main(sys.argv[1])
