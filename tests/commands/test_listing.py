"""What the commands read, and what they send for it."""

from __future__ import annotations

import json
import re

import pytest
from shell import KEY, Api, Cli, ids, is_one_line

import facade


def test_a_thread_gives_one_page_in_ascending_order(cli: Cli, api: Api) -> None:
    """As the cmdlet: 20 unless `--limit` says otherwise, oldest first."""
    api.add_runs("thread_a", "run_1", "run_2")
    assert cli("get-thread-run", "thread_a")[:2] == (0, cli("get-thread-run", "--thread-id", "thread_a")[1])
    path, query, headers = api.requests[0]
    assert (path, query) == ("/threads/thread_a/runs", {"limit": ["20"], "order": ["asc"]})
    assert headers["authorization"] == f"Bearer {KEY}"


def test_output_gives_back_what_the_server_sent(cli: Cli, api: Api) -> None:
    """A line of JSON is the object as it came: unknown keys, lone surrogates and big integers too."""
    api.add_runs("thread_a", "run_1", status="odd", text="caf\u00e9 \ud800 \u2028", big=2**70, extra={"a": [None]})
    code, out, _ = cli("get-thread-run", "thread_a")
    assert code == 0
    assert out.isascii()
    assert [json.loads(line) for line in out.splitlines()] == api.lists["/threads/thread_a/runs"]


def test_a_run_id_gives_that_run(cli: Cli, api: Api) -> None:
    """The run's place is the second, as in the cmdlet, and it is an option too."""
    api.add_runs("thread_a", "run_1", "run_2")
    for args in (["thread_a", "run_2"], ["thread_a", "--run-id", "run_2"], ["--run-id=run_2", "--thread-id=thread_a"]):
        code, out, _ = cli("get-thread-run", *args)
        assert (code, ids(out)) == (0, ["run_2"])


def test_all_follows_the_pages(cli: Cli, api: Api) -> None:
    """`--all` reads pages of 100 to the end, and `--limit` is ignored."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(250)])
    code, out, err = cli("get-thread-run", "thread_a", "--all", "--limit", "7", "--order", "desc")
    assert (code, err) == (0, "")
    assert ids(out) == [f"run_{n}" for n in reversed(range(250))]
    assert [query["limit"] for _, query, _ in api.requests] == [["100"]] * 3


def test_a_page_that_is_not_all_warns(cli: Cli, api: Api) -> None:
    """More than the page holds is a warning that says how to get it, unless a limit was asked for."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(25)])
    code, out, err = cli("get-thread-run", "thread_a")
    assert (code, len(ids(out))) == (0, 20)
    assert is_one_line(err)
    assert "warning: thread_a has more than these 20" in err
    assert "--all" in err
    assert cli("get-thread-run", "thread_a", "--limit", "3")[2] == ""


def test_after_and_before_bound_a_page(cli: Cli, api: Api) -> None:
    """Both cursors are sent, together too."""
    api.add_runs("thread_a", *[f"run_{n}" for n in range(6)])
    assert ids(cli("get-thread-run", "thread_a", "--after", "run_1", "--before", "run_4")[1]) == ["run_2", "run_3"]


def test_steps_take_run_thread_and_step(cli: Cli, api: Api) -> None:
    """The places are the cmdlet's: run, thread, step; each is an option too."""
    api.add_steps("thread_a", "run_1", "step_1", "step_2")
    assert ids(cli("get-thread-run-step", "run_1", "thread_a")[1]) == ["step_1", "step_2"]
    assert ids(cli("get-thread-run-step", "run_1", "thread_a", "step_2")[1]) == ["step_2"]
    named = cli("get-thread-run-step", "--thread-id", "thread_a", "--run-id", "run_1", "--step-id", "step_1")
    assert ids(named[1]) == ["step_1"]
    assert ids(cli("get-thread-run-step", "run_1", "--thread-id", "thread_a", "--all")[1]) == ["step_1", "step_2"]


@pytest.mark.parametrize("rest", [[], ["--all"], ["--step-id", "step_1"]])
def test_include_is_sent_repeated(cli: Cli, api: Api, rest: list[str]) -> None:
    """Each `--include` goes along, known or not, in every form of the command."""
    api.add_steps("thread_a", "run_1", "step_1")
    known = facade.FILE_SEARCH_RESULT_CONTENT
    assert cli("get-thread-run-step", "run_1", "thread_a", "--include", known, "--include", "new", *rest)[0] == 0
    assert api.requests[0][1]["include[]"] == [known, "new"]


@pytest.mark.parametrize(
    "args",
    [
        ["get-thread-run", "--thread", "thread_a", "--run_id", "run_1"],
        ["get-thread-run", "--InputObject", "thread_a", "--RunId", "run_1"],
        ["Get-ThreadRun", "--THREAD_ID=thread_a", "--run", "run_1", "--OrgId", "org_1"],
        ["get_thread_run", "thread_a", "--run-id", "run_1", "--TimeoutSec", "5", "--MaxRetryCount", "1"],
    ],
)
def test_the_cmdlets_spellings_work(cli: Cli, api: Api, args: list[str]) -> None:
    """Aliases, upper case and underscores are understood; the help shows one name of each."""
    api.add_runs("thread_a", "run_1")
    code, out, err = cli(*args)
    assert (code, ids(out), err) == (0, ["run_1"], "")
    assert ("openai-organization" in api.requests[0][2]) == ("--OrgId" in args)
    assert not re.search("inputobject|orgid|run_id", cli("get-thread-run", "--help")[1], re.IGNORECASE)


def test_options_describe_the_client(cli: Cli, api: Api) -> None:
    """Base, auth type, query and headers reach the request."""
    api.add_runs("thread_a", "run_1")
    query = ["--additional-query", "api-version=v1", "--additional-query", "x=a=b"]
    base = ["--api-base", api.base, "--auth-type", "azure"]
    assert cli("get-thread-run", "thread_a", *base, *query, "--additional-header", "X-Trace=on")[0] == 0
    _, sent, headers = api.requests[0]
    assert (sent["api-version"], sent["x"]) == (["v1"], ["a=b"])
    assert (headers["api-key"], headers["x-trace"]) == (KEY, "on")


def test_messages_take_thread_message_and_run(cli: Cli, api: Api) -> None:
    """The places are the cmdlet's: thread, message; a list may be that of one run."""
    messages = [{"id": f"msg_{n}", "object": "thread.message", "thread_id": "thread_a"} for n in (1, 2)]
    api.lists["/threads/thread_a/messages"] = messages
    assert ids(cli("get-thread-message", "thread_a")[1]) == ["msg_1", "msg_2"]
    assert ids(cli("Get-ThreadMessage", "--Thread", "thread_a", "--All", "--run-id", "run_1")[1]) == ["msg_1", "msg_2"]
    assert api.requests[-1][1]["run_id"] == ["run_1"]
    assert ids(cli("get-thread-message", "thread_a", "msg_2")[1]) == ["msg_2"]
    assert ids(cli("get-thread-message", "--all", stdin="thread_a\n")[1]) == ["msg_1", "msg_2"]
    code, _, err = cli("get-thread-message", "thread_a", "msg_2", "--run-id", "run_1")
    assert (code, "--run-id goes with a list" in err) == (2, True)


def test_limits_are_set_for_good_in_the_environment(cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over its variable; `--help` says that there is no limit without."""
    said = " ".join(cli("--help")[1].split())
    assert "no time limit unless you set one" in said
    assert "THREAD_RUNS_TIMEOUT_SEC" in said
    assert "THREAD_RUNS_DEADLINE_SEC" in cli("get-thread-run", "--help")[1]
    api.add_runs("thread_a", "run_1")
    api.answers["/threads/thread_a/runs"] = 503, {}
    monkeypatch.setenv("THREAD_RUNS_MAX_RETRY_COUNT", "1")
    monkeypatch.setenv("THREAD_RUNS_DEADLINE_SEC", "0.2")  # less than the wait before a second attempt
    assert cli("get-thread-run", "thread_a")[0] in (8, 10)
    assert cli("get-thread-run", "thread_a", "--max-retry-count", "0", "--deadline-sec", "0")[0] == 8
    monkeypatch.setenv("THREAD_RUNS_DEADLINE_SEC", "soon")
    code, _, err = cli("get-thread-run", "thread_a")
    assert (code, "THREAD_RUNS_DEADLINE_SEC" in err) == (2, True)


@pytest.mark.parametrize("value", ["--ThreadId", "--all", "-h", "--", "-x"])
def test_the_value_of_an_option_is_taken_as_it_is(cli: Cli, api: Api, value: str) -> None:
    """Though it be spelt as an option is."""
    api.add_runs("thread_a", "run_1")
    cli("get-thread-run", "thread_a", "--additional-header", f"x-a={value}", "--after", value)
    assert api.requests[0][1]["after"] == [value]
