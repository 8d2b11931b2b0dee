"""The timeline's page as text: what it is made of, what may not be in it, and where things stand in time."""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline_sample import (
    SCRIPT,
    FakeClient,
    Story,
    Thing,
    Walk,
    a_hostile_client,
    a_thread,
    an_odd_thread,
    function,
    missing,
)

import facade
from facade import timeline
from facade.server import serve, write_sample

THREAD = "thread_9fK2mQxB7r"
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def draw(client: Any, threads: Any = THREAD, **options: Any) -> str:
    """The page of a fake client's threads."""
    return timeline.render(client, threads, **options)


def data_of(page: str) -> dict[str, Any]:
    """What a page has for its script to draw."""
    (data,) = DATA.findall(page)
    found: dict[str, Any] = json.loads(data)
    return found


def rows_of(client: Any, threads: Any = THREAD, **options: Any) -> list[dict[str, Any]]:
    """The rows of the page."""
    found: list[dict[str, Any]] = data_of(draw(client, threads, **options))["rows"]
    return found


def row_of(rows: list[dict[str, Any]], item_id: str) -> dict[str, Any]:
    """The one row with this id."""
    (found,) = (row for row in rows if row.get("id") == item_id)
    return found


def one_run(run: dict[str, Any], *steps: dict[str, Any], messages: Any = ()) -> FakeClient:
    """A client of a thread "t" with one run."""
    run = {"id": "run_1", "thread_id": "t", **run}
    return FakeClient({"thread": {"id": "t"}, "runs": [run], "steps": {"run_1": steps}, "messages": messages})


def part_values(row: dict[str, Any], json_text: str) -> list[tuple[str, Any]]:
    """What a row's parts lead to."""
    found = []
    for name, _style, *path in row["parts"]:
        value = json.loads(json_text)
        for key in path:
            value = json.loads(row["said"]) if key == "@message" else value[key]
        found.append((name, value))
    return found


# The page


def test_the_policy_allows_this_script_and_this_style_and_nothing_else() -> None:
    """The hashes in the content security policy are those of the page's own script and style."""
    page = draw(a_thread())
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    script, style = (
        re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)[0],
        page.split("style>")[1][:-2],
    )
    hashes = ["sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_the_page_is_ascii_and_asks_for_nothing() -> None:
    """No address, import or reference to anything outside stands in the page's own parts."""
    page = DATA.sub("", draw(a_thread()))
    assert page.isascii()
    addresses = set(re.findall(r"https?://[^\s\"'`]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import|innerHTML|eval|url)\s*\(|innerHTML|@import", page)


def test_the_page_is_small_besides_its_data() -> None:
    """All parts of the page together are at most 40 kB."""
    assert len(DATA.sub("", draw(a_thread()))) <= 40_000
    folder = files("facade.timeline")
    assert (
        sum(len(folder.joinpath(name).read_bytes()) for name in ("page.html", "timeline.js", "timeline.css")) <= 40_000
    )


def test_data_cannot_end_its_element() -> None:
    """Of threads full of scripts the data hold no `<`, `>`, `&` or line separator, and no script stands elsewhere."""
    page = draw(a_hostile_client(), list(a_hostile_client().held), title=SCRIPT)
    (data,) = DATA.findall(page)
    assert not set("<>&\u2028\u2029") & set(data)
    assert data.isascii()
    bare = DATA.sub("", page)
    assert "hacked()" in html.unescape(bare)  # the title
    assert "<script>hacked" not in bare
    assert page.count("<script") == 2
    assert SCRIPT in data_of(page)["title"]


def test_what_a_text_holds_is_never_taken_for_the_template() -> None:
    """Braces in a title or in texts stay what they are."""
    page = draw(one_run({"status": "{{script}}"}), "t", title="{{data}}{{style}}")
    assert "<title>{{data}}{{style}} - timeline</title>" in page
    assert row_of(data_of(page)["rows"], "run_1")["status"] == "{{script}}"


def test_objects_stay_to_the_letter() -> None:
    """The JSON that the page shows of an object is what came: long numbers, lone surrogates, the order of keys."""
    run = {"id": "run_1", "thread_id": "t", "b": 12345678901234567890123, "a": "\ud800", "\udfff": [1.0, 1e22, None]}
    (row,) = (row for row in rows_of(one_run(run), "t") if row["is"] == "run")
    assert list(json.loads(row["json"])) == list(run)
    assert row["json"] == json.dumps(run, ensure_ascii=False, separators=(",", ":"))


def test_numbers_that_browsers_cannot_read_become_text() -> None:
    """Infinity, NaN and numbers of thousands of digits leave JSON that any reader takes."""
    numbers = [float("inf"), float("-inf"), float("nan"), 10**5000]
    (row,) = (row for row in rows_of(one_run({"numbers": numbers}), "t") if row["is"] == "run")
    assert json.loads(row["json"])["numbers"] == ["inf", "-inf", "nan", "an integer of 16610 bits"]


# The file


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The page has mode 0600 under any umask, and the call gives its path."""
    before = os.umask(0)
    try:
        path = timeline.write(a_thread(), THREAD, to=str(tmp_path / "page.html"))  # type: ignore[arg-type]
    finally:
        os.umask(before)
    assert path == tmp_path / "page.html"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text("ascii") == draw(a_thread())
    assert list(tmp_path.iterdir()) == [path]


def test_only_pages_are_replaced(tmp_path: Path) -> None:
    """An older page or an empty file is replaced; any other file is left alone, and nothing is read for it."""
    page, other, folder = tmp_path / "page.html", tmp_path / "archive.db", tmp_path / "folder"
    page.touch(mode=0o644)
    for _ in range(2):
        timeline.write(a_thread(), THREAD, to=page)  # type: ignore[arg-type]
    assert page.stat().st_mode & 0o777 == 0o600
    other.write_text("SQLite format 3")
    folder.mkdir()
    for path, complaint in (
        (other, "is there already"),
        (folder, "is no file"),
        (tmp_path / "no" / "page", "no folder"),
    ):
        with pytest.raises(ValueError, match=complaint):
            timeline.write(None, THREAD, to=path)  # type: ignore[arg-type]
    assert other.read_text() == "SQLite format 3"


def test_a_failed_read_leaves_no_file(tmp_path: Path) -> None:
    """Where the runs cannot be read, an older page stays as it is and nothing is left beside it."""
    client = a_thread()
    timeline.write(client, THREAD, to=tmp_path / "page.html")  # type: ignore[arg-type]
    before = (tmp_path / "page.html").read_bytes()
    client.runs.all = lambda *_, **__: missing()
    with pytest.raises(facade.NotFoundError):
        timeline.write(client, THREAD, to=tmp_path / "page.html")  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("page.html", before)]


def test_a_notebook_shows_it_in_a_frame_of_its_own() -> None:
    """The frame holds the whole page, may run scripts and nothing else, and has the height that was asked for."""
    shown = timeline.Timeline(a_thread(), THREAD, height_px=300)  # type: ignore[arg-type]
    frame = shown._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts" srcdoc="')
    assert html.unescape(re.findall(r'srcdoc="([^"]*)"', frame)[0]) == draw(a_thread())
    assert "height:300px" in frame
    with pytest.raises(ValueError, match="height_px"):
        timeline.Timeline(a_thread(), THREAD, height_px=0)  # type: ignore[arg-type]


def test_the_core_does_without() -> None:
    """Importing the client does not import the timeline, and the timeline needs no extra."""
    code = "import sys, facade; facade.Client; assert 'facade.timeline' not in sys.modules; import facade.timeline; "
    code += "assert not {'click', 'rich', 'starlette'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# What is read


def test_a_served_thread_is_drawn_whole(tmp_path: Path) -> None:
    """Through a real client: every run and step of the sample is a row, and its object what the client gives."""
    thread = write_sample(tmp_path / "sample.db")
    with serve(tmp_path / "sample.db") as api_base, facade.Client("key", api_base=api_base) as client:
        rows = data_of(timeline.render(client, thread, include=facade.FILE_SEARCH_RESULT_CONTENT))["rows"]
        runs = list(client.runs.all(thread))
        steps = list(client.steps.all(runs, include=facade.FILE_SEARCH_RESULT_CONTENT))
    assert [row["id"] for row in rows if row["is"] == "run"] == [run.id for run in runs]
    assert [json.loads(row["json"]) for row in rows if row["is"] == "step"] == [step.to_dict() for step in steps]


def test_messages_stand_with_their_steps_and_before_their_runs() -> None:
    """A step that made a message says its text; other messages are rows of their own, by time."""
    rows = rows_of(a_thread())
    kinds = [(row["is"], row.get("name")) for row in rows[:6]]
    assert kinds == [
        ("thread", "Thread"),
        ("message", "User"),
        ("run", "Run 1"),
        ("step", "File search"),
        ("call", "File search"),
        ("step", "Message"),
    ]
    assert rows[5]["text"].startswith("Rye loaf, seeded loaf")
    assert part_values(rows[5], rows[5]["json"])[0] == (
        "Text",
        json.loads(rows[5]["said"])["content"][0]["text"]["value"],
    )
    assert not [row for row in rows if row["is"] == "message" and row["name"] == "Assistant"]


def test_a_message_of_a_run_without_steps_stands_in_the_run() -> None:
    """Servers without steps still show what a run said."""
    message = {"id": "msg_1", "run_id": "run_1", "role": "assistant", "content": "Hello."}
    rows = rows_of(one_run({"status": "completed"}, messages=[message]), "t")
    assert [(row["is"], row["depth"]) for row in rows] == [("thread", 0), ("run", 1), ("message", 2)]


def test_what_a_server_does_not_have_is_left_out_and_named() -> None:
    """Without steps, messages, names or threads (404, 501) there is a page still; other errors are raised."""
    client = a_thread()
    client.steps.all = lambda *_, **__: missing()
    client.messages.all = client.threads.get = client.assistants.get = lambda *_, **__: missing()
    data = data_of(draw(client))
    assert {row["is"] for row in data["rows"]} == {"thread", "run"}
    assert data["notes"] == [
        f"{THREAD}: Not all steps could be read: the server answered 404.",
        f"{THREAD}: The server has no messages for this thread.",
    ]

    def fails(*_: Any, **__: Any) -> Any:
        raise facade.InternalServerError("broken", status_code=500)

    client.messages.all = fails
    with pytest.raises(facade.InternalServerError):
        draw(client)
    assert data_of(draw(client, messages=False))["rows"]


def test_steps_that_came_before_a_missing_list_are_kept() -> None:
    """Where one run's steps are not served, those of the runs before are drawn."""
    client = a_thread()
    whole = client.steps.all

    def cut(runs: Any, **_: Any) -> Walk:
        def steps() -> Any:
            yield from whole(runs[:2])
            missing()

        return Walk(steps())

    client.steps.all = cut
    rows = rows_of(client)
    assert len([row for row in rows if row["is"] == "step"]) == 5


def test_the_runs_of_connected_agents_are_read_along_and_linked() -> None:
    """The child's thread, run and steps are on the page, and the call names them; one that is gone is no failure."""
    client = a_thread()
    rows = rows_of(client)
    assert row_of(rows, "call_agent_1")["child"] == "run_hours_1_01"
    assert row_of(rows, "run_hours_1_01")["thread"] == "thread_hours_1"
    assert [row["text"] for row in rows if row["is"] == "thread"] == [THREAD, "thread_hours_1"]
    assert data_of(draw(client))["title"] == THREAD
    client.runs.get = lambda *_, **__: missing()
    rows = rows_of(client)
    assert row_of(rows, "call_agent_1")["child_thread"] == "thread_hours_1"
    assert len([row for row in rows if row["is"] == "thread"]) == 1


def test_agents_that_call_each_other_end() -> None:
    """A circle of runs is read once around."""
    stories = [Story("thread_a"), Story("thread_b")]
    for story, other in zip(stories, ("thread_b", "thread_a"), strict=True):
        story.run()
        agent = {"name": "n", "run_id": f"run_{other[7:]}_01", "thread_id": other}
        story.step(1, {"id": f"call_{other}", "type": "connected_agent", "connected_agent": agent})
        story.end()
    rows = rows_of(FakeClient(*(story.data() for story in stories)), "thread_a")
    assert sorted(row["id"] for row in rows if row["is"] == "run") == ["run_a_01", "run_b_01"]


def test_threads_are_taken_as_ids_and_objects_each_once() -> None:
    """Ids, objects and mappings name threads; none is a ValueError."""
    client = a_thread()
    client.runs.all = lambda thread, **_: Walk(iter(()))
    one = {"id": THREAD, "object": "thread"}
    for threads in (THREAD, one, Thing(one), [THREAD, one, Thing(one)]):
        assert data_of(draw(client, threads, messages=False))["title"] == THREAD
    assert data_of(draw(client, [THREAD, "thread_hours_1"]))["title"] == "2 threads"
    with pytest.raises(ValueError, match="no thread"):
        draw(client, [])


# What is drawn


def test_errors_are_said_in_the_row_and_come_first_in_the_parts() -> None:
    """A failed run or step has its error in words, and what did not go well is marked."""
    rows = rows_of(a_thread())
    failed = row_of(rows, "run_9fK2mQxB7r_04")
    assert failed["error"].startswith("rate_limit_exceeded: The tokens")
    assert part_values(failed, failed["json"])[0][0] == "rate_limit_exceeded"
    assert {row["status"] for row in rows if row.get("bad")} == {"failed", "incomplete", "expired", "requires_action"}


def test_a_run_says_what_it_waits_for() -> None:
    """A run that requires action names the calls whose output, or approval, it waits for."""
    assert rows_of(a_thread())[-6]["is"] in ("call", "step", "thread")
    run = next(row for row in rows_of(a_thread()) if row.get("status") == "requires_action")
    assert run["text"] == "waits for output of check_stock, quote_delivery"
    action = {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [{"type": "mcp", "name": "pay"}]}}
    rows = rows_of(one_run({"status": "requires_action", "required_action": action}), "t")
    assert row_of(rows, "run_1")["text"] == "waits for approval of pay"


def test_calls_share_the_time_of_their_step() -> None:
    """Each call has its step's interval and the number of those that share it."""
    rows = rows_of(a_thread())
    at = next(place for place, row in enumerate(rows) if row["name"] == "3 calls")
    step, *calls = rows[at : at + 4]
    assert [(call["at"], call["to"], call["shared"], call.get("n")) for call in calls] == [
        (step["at"], step["to"], 3, place) for place in range(3)
    ]
    assert step["kind"] == "tool_calls"
    assert step["text"] == "check_stock, quote_delivery, File search"


def test_a_step_of_one_call_says_what_the_call_says() -> None:
    """It has the call's name, kind, text and parts, so that nobody has to open it."""
    rows = rows_of(a_thread())
    step, call = next(
        (rows[i], rows[i + 1]) for i, row in enumerate(rows) if row["name"] == "ledger \u00b7 update_invoice"
    )
    assert (step["is"], call["is"]) == ("step", "call")
    assert [step[key] for key in ("name", "kind", "text")] == [call[key] for key in ("name", "kind", "text")]
    assert [part[0] for part in step["parts"]] == ["Input", "Output"]
    assert part_values(step, step["json"])[1][1] == '{"ok":true,"invoice":"2025-0613"}'


@pytest.mark.parametrize(
    ("call", "name", "values"),
    [
        (function("f", {"a": 1}, "done"), "f", {'{"a": 1}', '"done"'}),
        ({"type": "openapi", "function": {"name": "o", "arguments": "{}", "output": "x"}}, "o", {"{}", "x"}),
        ({"name": "local", "arguments": "in", "result": "out"}, "local", {"in", "out"}),
        ({"type": "file_search", "file_search": {"results": []}}, "File search", set()),
        ({"type": "mcp", "name": "m", "server_label": "s", "error": "refused"}, "s \u00b7 m", {"refused"}),
        ({"type": "bing_grounding", "bing_grounding": {"requesturl": "q"}}, "Bing grounding", {"q"}),
        ({"type": "nobody_knows", "nobody_knows": {"output": ["x"]}}, "nobody_knows", {'["x"]'}),
    ],
)
def test_calls_of_every_kind_have_a_name_and_what_went_in_and_out(
    call: dict[str, Any], name: str, values: set[str]
) -> None:
    """Known kinds and unknown ones, flat or with their particulars below their kind."""
    rows = rows_of(one_run({}, {"id": "s", "step_details": {"tool_calls": [call, call]}}), "t")
    found = next(row for row in rows if row["is"] == "call")
    assert found["name"] == name
    step = json.loads(row_of(rows, "s")["json"])
    shown = part_values({"parts": [], **found}, json.dumps(step["step_details"]["tool_calls"][0]))
    assert {value if isinstance(value, str) else json.dumps(value) for _, value in shown} == values


# Times


def test_times_of_every_kind_are_understood() -> None:
    """Whole seconds, fractions and milliseconds; anything else is no time."""
    rows = rows_of(an_odd_thread(), "thread_odd")
    times = {row["id"]: (row.get("since"), row.get("at"), row.get("to")) for row in rows if row["is"] == "run"}
    assert times["run_float"] == (1748844000.25, 1748844000.75, 1748844001.1)
    assert times["run_milli"] == (None, 1748844060.0, 1748844075.5)
    assert times["run_numbers"] == times["run_kinds"] == times["run_bare"] == (None, None, None)
    assert times["run_backwards"] == (None, 1748844200, 1748844200)
    assert row_of(rows, "run_milli")["tokens"] == [3, 4, 7, None]
    assert row_of(rows, "run_numbers").get("tokens") is None


def test_steps_without_times_are_drawn_with_their_run_and_say_so() -> None:
    """A step that says no time begins with its run and is marked."""
    rows = rows_of(one_run({"created_at": 100, "completed_at": 130, "status": "completed"}, {"id": "step_1"}), "t")
    step = row_of(rows, "step_1")
    assert (step["at"], step["to"], step["unsaid"]) == (100, 100, True)


def test_what_goes_on_is_drawn_to_the_last_known_time_at_most() -> None:
    """A run that goes on ends with the last time known, or when it would expire; its steps and calls with it."""
    story = Story("thread_t", at=1000)
    story.run("in_progress", waits=0)
    story.step(0, function("f", {}), function("g", {}), status="in_progress")
    story.at = 1200
    story.run()
    story.step(100, says="Later.")
    story.end()
    rows = rows_of(FakeClient(story.data()), "thread_t")
    assert [(row["is"], row["to"], row["live"]) for row in rows if row.get("live")] == [
        ("run", 1301, True),
        ("step", 1301, True),
        ("call", 1301, True),
        ("call", 1301, True),
    ]
    story.runs[0]["expires_at"] = 1050
    rows = rows_of(FakeClient(story.data()), "thread_t")
    assert [row["to"] for row in rows if row.get("live")] == [1050] * 4


def test_an_ended_run_without_a_time_of_its_end_ends_with_its_steps() -> None:
    """What its steps say is believed."""
    run = {"created_at": 100, "status": "incomplete"}
    rows = rows_of(one_run(run, {"id": "s", "created_at": 101, "completed_at": 107, "status": "completed"}), "t")
    assert row_of(rows, "run_1")["to"] == 107


def test_long_pauses_are_folded_short_ones_not() -> None:
    """Spans are joined over a pause that is short beside the runs, and parted by a long one."""
    story = Story("thread_t", at=1000)
    for pause in (15, 500, 90000, 0):
        story.run(waits=0)
        story.step(10, says="So.")
        story.end()
        story.at += pause
    data = data_of(draw(FakeClient(story.data()), "thread_t"))
    assert data["spans"] == [[1000, 1035], [1535, 1545], [91545, 91555]]


# Odd data


def test_odd_data_are_drawn() -> None:
    """Whatever stands in them, every object has a row."""
    rows = rows_of(an_odd_thread(), "thread_odd")
    assert len([row for row in rows if row["is"] == "run"]) == 8
    assert len([row for row in rows if row["is"] == "step"]) == 8
    assert len([row for row in rows if row["is"] == "call"]) == 11


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["completed", "function", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "value", "content", "function", "results", "error"]) | st.text(), inner
        )
    ),
    max_leaves=8,
)
RUN_KEYS = st.sampled_from(
    ["created_at", "completed_at", "status", "usage", "last_error", "required_action", "metadata"]
)
STEP_KEYS = st.sampled_from(["created_at", "failed_at", "status", "usage", "type", "last_error", "step_details"])


@settings(max_examples=60, deadline=None)
@given(
    run=st.dictionaries(RUN_KEYS, JSON),
    step=st.dictionaries(STEP_KEYS, JSON),
    calls=st.lists(JSON, max_size=3),
    message=st.dictionaries(st.sampled_from(["content", "role", "created_at", "status"]), JSON),
)
def test_anything_at_all_is_drawn(run: Any, step: Any, calls: Any, message: Any) -> None:
    """No value in any place keeps the page from being made, or its data from being read."""
    made = {"id": "step_2", "step_details": {"message_creation": {"message_id": "msg_1"}}}
    steps = ({**step, "id": "step_1"}, {"id": "step_3", "step_details": {"tool_calls": calls}}, made)
    client = one_run(run, *steps, messages=[{**message, "id": "msg_1"}])
    before = copy.deepcopy(client.held)
    rows = rows_of(client, "t")
    assert [row["id"] for row in rows if row["is"] == "step"] == ["step_1", "step_3", "step_2"]
    assert repr(client.held) == repr(before)
    for row in rows:
        json.loads(row.get("json", "null"), parse_constant=pytest.fail)


# Colours


def test_colours_can_be_read_in_light_and_dark() -> None:
    """Texts have a contrast of 4.5 and bars of 3 (WCAG AA) against what they stand on, in both themes."""
    css = files("facade.timeline").joinpath("timeline.css").read_text()
    pairs = dict(re.findall(r"--([a-z]+): light-dark\((#\w+, #\w+)\)", css))
    themes = [{name: both.split(", ")[place] for name, both in pairs.items()} for place in (0, 1)]
    for theme in themes:
        for ground in ("bg", "panel", "picked"):
            for text in ("text", "dim", "focus", "good", "bad", "warn"):
                assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground, theme[text])
            for bar in ("run", "message", "function", "code", "search", "mcp", "agent"):
                assert contrast(theme[bar], theme[ground]) >= 3, (bar, ground, theme[bar])


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG 2."""
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
