"""Tables for people."""

from __future__ import annotations

import json

import pytest
from shell import KEY, RUN_ID, STEP_ID, Api, Cli, on_terminal, sample

LONG_MODEL = "ft:gpt-4o-mini-2024-07-18:acme-corporation:support:Ab3dEfGh0"


def table(cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: int, *args: str, stdin: str = "") -> list[str]:
    """The lines of a table in a terminal of that width, none of which is wider."""
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = cli(*args, "--output", "table", stdin=stdin)
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    assert "\x1b" not in out
    assert "…" not in out
    return lines


def add_real_runs(api: Api, thread: str = "thread_a", model: str = "gpt-4o-mini") -> list[str]:
    """Five runs as a server has them: ids of 28 characters, one failed."""
    run_ids = [f"run_{name * 24}" for name in "ABCDE"]
    times = {"created_at": 1_714_564_800, "started_at": 1_714_564_801, "completed_at": 1_714_564_893}
    usage = {"usage": {"prompt_tokens": 1000, "completion_tokens": 234, "total_tokens": 1234}}
    api.add_runs(thread, *run_ids[:4], status="completed", model=model, **times, **usage)
    error = {"code": "rate_limit_exceeded", "message": "You exceeded your current quota."}
    api.add_runs(thread, run_ids[4], status="failed", model=model, created_at=1_714_564_800, last_error=error)
    return run_ids


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("model", ["gpt-4o-mini", LONG_MODEL])
def test_what_matters_is_whole_at_every_width(
    cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int, model: str
) -> None:
    """A line a run with its id, status, duration and tokens; what has no room stands below, or once above."""
    run_ids = add_real_runs(api, model=model)
    lines = table(cli, monkeypatch, columns, "get-thread-run", "thread_a")
    for run_id in run_ids[:4]:
        [line] = [line for line in lines if run_id in line]
        assert line.split()[:5] == [run_id, "completed", "1m", "32s", "1,234"]
    words = [word.rstrip(";") for line in lines for word in line.split()]
    assert model in words
    assert "rate_limit_exceeded" in words
    assert ("created" in words) is (columns > 60)
    assert len(lines) <= 9


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_each_step_has_its_kind_and_each_run_its_steps(
    cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Steps of several runs of several threads stand below the run and thread that they are of."""
    sample(api)
    calls = {"type": "tool_calls", "tool_calls": [{"type": "file_search"}]}
    api.add_steps("thread_b", "run_b", "step_b", type="tool_calls", step_details=calls, status="completed")
    runs = [{"run_id": RUN_ID, "thread_id": "thread_a"}, {"run_id": "run_b", "thread_id": "thread_b"}]
    stdin = "\n".join(map(json.dumps, runs))
    lines = table(cli, monkeypatch, columns, "get-thread-run-step", "--all", stdin=stdin)
    place = {word.rstrip(";"): number for number, line in enumerate(lines) for word in line.split()}
    assert place[RUN_ID] < place[STEP_ID] < place["step_2"] < place["run_b"] < place["step_b"]
    assert (place["thread_a"], place["thread_b"]) == (place[RUN_ID], place["run_b"])
    assert place["message_creation"] == place["step_2"]
    for word in ("code_interpreter", "function", "x2", "file_search"):
        assert word.rstrip(",") in " ".join(lines)


def test_several_threads_show_their_thread(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread is named above its runs, on a page of each as with --all."""
    for thread in ("thread_a", "thread_b"):
        api.add_runs(thread, f"run_{thread}", status="completed")
    for rest in ([], ["--all"]):
        lines = table(cli, monkeypatch, 80, "get-thread-run", *rest, stdin="thread_a\nthread_b\n")
        assert lines[0] == "thread: thread_a"
        assert lines[3] == "thread: thread_b"
        assert lines[4].split() == ["run_thread_b", "completed"]


def test_columns_are_sized_by_the_first_page(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short first row leaves the longer ones whole; what is longer still on a later page breaks nothing."""
    api.add_runs("thread_a", "run_1", status="queued", model="m")
    add_real_runs(api)
    api.add_runs("thread_a", *[f"run_{n}" for n in range(200)], status="queued", model="m")
    api.add_runs("thread_a", "run_" + "Z" * 40, status="requires_action", model=LONG_MODEL)
    lines = table(cli, monkeypatch, 120, "get-thread-run", "thread_a", "--all")
    assert "status     duration" in lines[1]
    place = lines[1].index("status")
    assert {line[place:].split()[0] for line in lines[2:-2]} == {"queued", "completed", "failed"}
    assert lines[-2:] == ["run_" + "Z" * 40, f"  status: requires_action; model: {LONG_MODEL}"]


@pytest.mark.parametrize("columns", [1, 2, 7, 20, 21, 25, 30])
def test_the_narrowest_terminal_is_wide_enough(
    cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Nothing crashes, and every character of an id and a model is there."""
    add_real_runs(api, model=LONG_MODEL)
    sample(api)
    lines = table(cli, monkeypatch, columns, "get-thread-run", "thread_a")
    assert "run_" + "A" * 24 in "".join(line.strip() for line in lines)
    assert LONG_MODEL in "".join(line.strip() for line in lines)
    for args in (["get-thread-run", "thread_a", RUN_ID], ["get-thread-run-step", RUN_ID, "thread_a", STEP_ID]):
        table(cli, monkeypatch, columns, *args)


@pytest.mark.parametrize(
    "total", ["1" + "0" * 400, "1" + "0" * 5000, "-1", "1e999", "1.5", "true", '"many"', "[1]"], ids=range(8)
)
def test_a_token_total_of_any_size_or_kind_is_shown_or_left_out(cli: Cli, api: Api, total: str) -> None:
    """Beyond floats, beyond what Python writes, and what is no number at all."""
    run = f'{{"id": "run_1", "object": "thread.run", "thread_id": "thread_a", "usage": {{"total_tokens": {total}}}}}'
    body = f'{{"object": "list", "data": [{run}], "has_more": false}}'
    api.answers["/threads/thread_a/runs"] = 200, body.encode()
    api.answers["/threads/thread_a/runs/run_1"] = 200, run.encode()
    for args in (["thread_a"], ["thread_a", "run_1"]):
        for output in ("table", "csv"):
            code, out, err = cli("get-thread-run", *args, "--output", output)
            assert code in (0, 11), err  # 11: the answer cannot be read at all
            assert code == 11 or "run_1" in out


def test_what_a_server_sends_steers_no_terminal(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes and line breaks in ids, statuses and errors are shown as such, in every form for people."""
    hostile = "x\x1b[2J\x07\r\ny\u202e"
    error = {"code": hostile, "message": hostile}
    api.add_runs("thread_a", "run_1", status=hostile, model=hostile, last_error=error, metadata={hostile: hostile})
    for args in (["--output", "table"], ["run_1", "--output", "table"], ["--output", "csv"]):
        out = cli("get-thread-run", "thread_a", *args)[1]
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set(out)


@pytest.mark.parametrize("rest", [[], ["--all"]])
def test_a_table_of_nothing_says_so(cli: Cli, api: Api, rest: list[str]) -> None:
    """No runs, no heading, but a word to people; JSON Lines stay without."""
    api.add_runs("thread_a")
    api.lists["/threads/thread_a/runs/run_1/steps"] = []
    table = ["--output", "table", *rest]
    assert cli("get-thread-run", "thread_a", *table) == (0, "", "thread-runs: no runs\n")
    assert cli("get-thread-run-step", "run_1", "thread_a", *table) == (0, "", "thread-runs: no steps\n")
    assert cli("get-thread-run", "thread_a", *rest) == (0, "", "")


@pytest.mark.parametrize(("columns", "error_has_column"), [(60, False), (120, True)])
def test_a_text_that_few_rows_have_goes_below_where_room_is_short(
    cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch, columns: int, error_has_column: bool
) -> None:
    """So that what every row has keeps its column."""
    add_real_runs(api)
    lines = table(cli, monkeypatch, columns, "get-thread-run", "thread_a")
    assert ("error" in lines[1].split()) is error_has_column
    assert lines[-1].strip().startswith("error: rate_limit_exceeded") is not error_has_column


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(59.4, "59.4s"), (59.7, "1m 00s"), (599.8, "10m 00s"), (3599.9, "1h 00m"), (108_000, "30h 00m")],
)
def test_durations_are_rounded_as_a_whole(cli: Cli, api: Api, seconds: float, shown: str) -> None:
    """No sixty seconds, and hours from an hour on."""
    start = 1_714_564_800
    api.add_runs("thread_a", "run_1", status="completed", started_at=start, completed_at=start + seconds)
    out = cli("get-thread-run", "thread_a", "--output", "table")[1]
    assert out.splitlines()[2].split(None, 2)[2].strip() == shown


def test_a_terminal_gets_a_table_and_is_asked_for_the_key(
    api: Api, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal a table is printed, a missing THREAD is an error, and a key that is typed is not shown."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    sample(api)
    monkeypatch.delenv("OPENAI_API_KEY")
    code, shown = on_terminal(pty, ["get-thread-run", "thread_a"], KEY)
    assert code == 0
    assert KEY not in shown
    assert f"{RUN_ID}  completed" in shown
    assert api.requests[-1][2]["authorization"] == f"Bearer {KEY}"
    code, shown = on_terminal(pty, ["get-thread-run"])
    assert (code, "THREAD is missing: give its id, or pipe ids" in shown) == (2, True)
