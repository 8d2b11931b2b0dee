"""The project's own server: its database, its answers over HTTP, its sample and its command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from facade import FILE_SEARCH_RESULT_CONTENT
from facade.server import Store, create_app, serve, write_sample
from facade.server.__main__ import main
from facade.server.sample import EMPTY_THREAD_ID, MILL_THREAD_ID, ORDER_THREAD_ID
from facade.server.sample_parts import SAMPLE_THREAD_ID

SPEC = json.loads(files("openai_thread_runs_api").joinpath("openapi.json").read_text("utf-8"))
BETA = {"OpenAI-Beta": "assistants=v2"}
RUNS = f"/threads/{SAMPLE_THREAD_ID}/runs"
STEPS = f"{RUNS}/run_bakery_01/steps"
WITH_CONTENT = {"include[]": FILE_SEARCH_RESULT_CONTENT, "order": "asc"}


def schema(name: str) -> Draft202012Validator:
    """A validator of one of the pinned spec's components."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]})


def a_run(number: int, **fields: Any) -> dict[str, Any]:
    """A run of the thread "thread_t" with only what a store needs."""
    return {"id": f"run_{number}", "thread_id": "thread_t", "created_at": 1700000000 + number, **fields}


def ids(answer: httpx.Response) -> list[str]:
    """The ids in a list answer, which must be a success."""
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the sample."""
    path = tmp_path_factory.mktemp("server") / "sample.db"
    assert write_sample(path) == SAMPLE_THREAD_ID
    return path


@pytest.fixture(scope="module")
def client(database: Path) -> Iterator[httpx.Client]:
    """A plain HTTP client of a server of the sample."""
    with serve(database) as base_url, httpx.Client(base_url=base_url, headers=BETA) as client:
        yield client


@pytest.fixture(scope="module")
def locked_url(database: Path) -> Iterator[str]:
    """The base URL of a server that wants a key."""
    with serve(database, api_key="sk-bakery") as base_url:
        yield base_url


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    """The result of a program in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


class TestSample:
    def test_every_object_is_as_the_spec_has_it(self, client: httpx.Client) -> None:
        """All runs and steps of the sample validate, and so do the lists that hold them."""
        runs = client.get(RUNS, params={"limit": 100}).json()
        schema("ListRunsResponse").validate(runs)
        assert len(runs["data"]) == 12
        for run in runs["data"]:
            steps = client.get(f"{RUNS}/{run['id']}/steps", params=WITH_CONTENT)
            if ids(steps):
                schema("ListRunStepsResponse").validate(steps.json())

    def test_threads_messages_and_assistants_are_as_the_spec_has_them(self, client: httpx.Client) -> None:
        """Lists and single objects validate; a message names the run that wrote it."""
        threads = client.get("/threads").json()
        schema("ListThreadsResponse").validate(threads)
        for thread in threads["data"]:
            schema("ThreadObject").validate(client.get(f"/threads/{thread['id']}").json())
        messages = client.get(f"/threads/{SAMPLE_THREAD_ID}/messages", params={"limit": 100}).json()
        schema("ListMessagesResponse").validate(messages)
        written = [item["id"] for item in messages["data"] if item["run_id"]]
        assert len(written) == 6
        schema("MessageObject").validate(client.get(f"/threads/{SAMPLE_THREAD_ID}/messages/{written[0]}").json())
        schema("AssistantObject").validate(client.get("/assistants/asst_bakery").json())

    def test_messages_of_one_run_can_be_asked_for(self, client: httpx.Client) -> None:
        """`run_id` picks them, and pages go on among them."""
        path = f"/threads/{SAMPLE_THREAD_ID}/messages"
        assert ids(client.get(path, params={"run_id": "run_bakery_02"})) == ["msg_flour"]
        assert ids(client.get(path, params={"run_id": "run_bakery_04"})) == []

    def test_a_message_step_names_a_message_that_is_there(self, client: httpx.Client) -> None:
        """In every thread of the sample."""
        for thread_id in ids(client.get("/threads")):
            for run_id in ids(client.get(f"/threads/{thread_id}/runs?limit=100")):
                for step in client.get(f"/threads/{thread_id}/runs/{run_id}/steps").json()["data"]:
                    if made := step["step_details"].get("message_creation"):
                        message = client.get(f"/threads/{thread_id}/messages/{made['message_id']}").json()
                        assert message["run_id"] == run_id

    def test_an_agents_call_names_the_run_that_it_led_to(self, client: httpx.Client) -> None:
        """The run of the agent that was called can be read where the call says."""
        steps = client.get(f"/threads/{ORDER_THREAD_ID}/runs/run_bakery_order/steps?order=asc").json()["data"]
        child = steps[0]["step_details"]["tool_calls"][0]["connected_agent"]
        run = client.get(f"/threads/{child['thread_id']}/runs/{child['run_id']}").json()
        calls = client.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc").json()["data"][0]
        assert {call["type"] for call in calls["step_details"]["tool_calls"]} == {"mcp"}

    def test_it_shows_every_state_and_every_kind_of_step(self, client: httpx.Client) -> None:
        """Each status of the spec, each tool and each kind of output occurs."""
        runs = client.get(RUNS, params={"limit": 100}).json()["data"]
        steps = [s for r in runs for s in client.get(f"{RUNS}/{r['id']}/steps", params=WITH_CONTENT).json()["data"]]
        calls = [call for step in steps for call in step["step_details"].get("tool_calls", [])]
        outputs = [output for call in calls for output in call.get("code_interpreter", {}).get("outputs", [])]
        statuses = SPEC["components"]["schemas"]
        assert {run["status"] for run in runs} == set(statuses["RunObject"]["properties"]["status"]["enum"])
        assert {step["status"] for step in steps} == set(statuses["RunStepObject"]["properties"]["status"]["enum"])
        assert {step["type"] for step in steps} == {"message_creation", "tool_calls"}
        assert {call["type"] for call in calls} == {"code_interpreter", "file_search", "function"}
        assert {output["type"] for output in outputs} == {"logs", "image"}
        assert {call["function"]["output"] is None for call in calls if "function" in call} == {True, False}
        assert any(step["last_error"] for step in steps)

    def test_writing_it_twice_changes_nothing(self, tmp_path: Path) -> None:
        """The sample is the same objects in the same order every time."""
        listings = []
        for _ in range(2):
            write_sample(tmp_path / "s.db")
            with Store(tmp_path / "s.db", read_only=True) as store:
                listings.append((store.thread_ids(), store.runs(SAMPLE_THREAD_ID, limit=100)))
        assert listings[0] == listings[1]
        assert listings[0][0] == [SAMPLE_THREAD_ID, EMPTY_THREAD_ID, ORDER_THREAD_ID, MILL_THREAD_ID]


class TestPaging:
    def test_defaults_are_the_apis(self, tmp_path: Path) -> None:
        """Without parameters: the newest twenty first."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(n) for n in range(30)])
        with serve(tmp_path / "s.db") as base_url:
            answer = httpx.get(f"{base_url}/threads/thread_t/runs", headers=BETA)
        assert ids(answer) == [f"run_{n}" for n in range(29, 9, -1)]
        assert answer.json()["has_more"] is True

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("limit", [1, 5, 6, 12, 100])
    def test_following_after_gives_everything_once(self, client: httpx.Client, order: str, limit: int) -> None:
        """Pages of any size add up to the list, and has_more is true exactly when more follow."""
        params: dict[str, Any] = {"order": order, "limit": limit}
        seen: list[str] = []
        while True:
            answer = client.get(RUNS, params=params)
            seen += ids(answer)
            page = answer.json()
            assert page["object"] == "list"
            assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
            assert page["has_more"] == (len(seen) < 12)
            if not page["has_more"]:
                break
            params["after"] = page["last_id"]
        expected = [f"run_bakery_{n:02}" for n in range(1, 13)]
        assert seen == (expected if order == "asc" else expected[::-1])

    @pytest.mark.parametrize(
        ("query", "numbers", "has_more"),
        [
            ("order=asc&after=run_bakery_03&before=run_bakery_07", [4, 5, 6], False),
            ("order=asc&after=run_bakery_03&before=run_bakery_07&limit=2", [4, 5], True),
            ("order=desc&after=run_bakery_07&before=run_bakery_03", [6, 5, 4], False),
            ("order=asc&after=run_bakery_07&before=run_bakery_03", [], False),
            ("order=asc&before=run_bakery_05&limit=2", [3, 4], True),
            ("order=desc&before=run_bakery_05&limit=2", [7, 6], True),
            ("order=asc&before=run_bakery_03", [1, 2], False),
            ("order=asc&after=run_bakery_12", [], False),
        ],
    )
    def test_cursors_look_in_the_direction_of_the_order(
        self, client: httpx.Client, query: str, numbers: list[int], has_more: bool
    ) -> None:
        """`after` and `before` bound a page in the list's own direction; `before` alone is the page that ends there."""
        answer = client.get(f"{RUNS}?{query}")
        assert ids(answer) == [f"run_bakery_{n:02}" for n in numbers]
        assert answer.json()["has_more"] is has_more

    def test_an_empty_list_has_no_ends(self, client: httpx.Client) -> None:
        """A thread without runs is a list of none."""
        answer = client.get(f"/threads/{EMPTY_THREAD_ID}/runs").json()
        assert answer == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


class TestContent:
    def test_content_comes_only_when_asked_for(self, client: httpx.Client) -> None:
        """Lists and single steps leave out the results' content, unless `include[]` names it; nothing else differs."""
        step_id = "step_bakery_01_1"
        for path in (STEPS, f"{STEPS}/{step_id}"):
            bare, full = client.get(path, params={"order": "asc"}).json(), client.get(path, params=WITH_CONTENT).json()
            assert bare != full
            for result in self.results(full):
                assert result.pop("content")[0]["type"] == "text"
            assert bare == full

    @staticmethod
    def results(answer: dict[str, Any]) -> list[dict[str, Any]]:
        """The file search results of the first step in an answer."""
        step = answer["data"][0] if "data" in answer else answer
        found: list[dict[str, Any]] = step["step_details"]["tool_calls"][0]["file_search"]["results"]
        assert found
        return found

    def test_what_is_left_stands_as_it_was_stored(self, tmp_path: Path) -> None:
        """No number is respelt, no duplicate key dropped, no space moved; and what is asked for comes whole."""
        result = (
            '{ "score" : 1.00, "content": [{"text": "a \\"content\\": ]}"}] , "score": 1e999, "n": 1234567890123456789}'
        )
        text = (
            '{"id": "step_1", "thread_id": "thread_t", "run_id": "run_1", "content": 1.0,'
            f' "step_details": {{"tool_calls": [{{"file_search": {{"results": [{result},'
            ' {"content":[]}, {"content": null ,"a":1}]}}]}}'
        )
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(1)], steps=[text])
        path = "/threads/thread_t/runs/run_1/steps/step_1"
        with serve(tmp_path / "s.db") as base_url:
            bare, again = httpx.get(base_url + path).text, httpx.get(base_url + path).text
            full = httpx.get(base_url + path, params=WITH_CONTENT).text
        with serve(tmp_path / "s.db", whole=True) as base_url:
            whole = httpx.get(f"{base_url}{path}?include[]=whatever").text
        assert (full, whole) == (text, text)
        left = text.replace(', "content": [{"text": "a \\"content\\": ]}"}]', "").replace('"content":[]', "")
        assert bare == again == left.replace('"content": null ,', "")

    def test_values_may_come_joined_by_commas(self, client: httpx.Client) -> None:
        """As some clients send them."""
        joined = client.get(f"{STEPS}?include[]={FILE_SEARCH_RESULT_CONTENT},{FILE_SEARCH_RESULT_CONTENT}&order=asc")
        assert joined.json() == client.get(STEPS, params=WITH_CONTENT).json()

    @pytest.mark.parametrize(
        "details",
        [
            {"type": "tool_calls", "tool_calls": [None, {"file_search": {"results": None}}, {"file_search": []}]},
            {"type": "activities", "content": "tool_calls file_search results"},
            None,
        ],
    )
    def test_odd_steps_pass_as_they_are(self, tmp_path: Path, details: Any) -> None:
        """Steps of another shape are handed out unchanged."""
        words = ["tool_calls", "file_search", "results", "content"]
        step = {"id": "step_1", "thread_id": "thread_t", "run_id": "run_1", "words": words, "step_details": details}
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(1)], steps=[step])
        with serve(tmp_path / "s.db") as base_url:
            answer = httpx.get(f"{base_url}/threads/thread_t/runs/run_1/steps/step_1", headers=BETA)
        assert answer.json() == step


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "status", "param", "word"),
        [
            ("/threads/thread_x/runs", 404, "thread_id", "thread_x"),
            ("/threads/thread_x/runs/run_bakery_01", 404, "thread_id", "thread_x"),
            (f"/threads/{EMPTY_THREAD_ID}/runs/run_bakery_01/steps", 404, "run_id", "run_bakery_01"),
            (f"{RUNS}/run_x", 404, "run_id", "run_x"),
            (f"{RUNS}/run_x/steps", 404, "run_id", "run_x"),
            (f"{STEPS}/step_x", 404, "step_id", "step_x"),
            (f"{RUNS}/run_x/steps/step_bakery_01_1", 404, "run_id", "run_x"),
            (f"{RUNS}?limit=0", 400, "limit", "'0'"),
            (f"{RUNS}?limit=101", 400, "limit", "from 1 to 100"),
            (f"{RUNS}?limit=some", 400, "limit", "'some'"),
            (f"{RUNS}?limit=", 400, "limit", "whole number"),
            (f"{RUNS}?limit=%2B5", 400, "limit", "'+5'"),
            (f"{RUNS}?limit=1_0", 400, "limit", "'1_0'"),
            (f"{RUNS}?limit=%D9%A5", 400, "limit", "whole number"),
            (f"{RUNS}?limit={'1' * 5000}", 400, "limit", "whole number"),
            (f"{RUNS}?order=up", 400, "order", "asc"),
            (f"{RUNS}?after=run_x", 400, "after", "run_x"),
            (f"{RUNS}?before=step_bakery_01_1", 400, "before", "step_bakery_01_1"),
            (f"{RUNS}?after=", 400, "after", "empty"),
            (f"{STEPS}?include[]=everything", 400, "include[]", "everything"),
            ("/threads/thread_x/messages", 404, "thread_id", "thread_x"),
            ("/assistants/asst_x", 404, "assistant_id", "asst_x"),
            ("/vector_stores", 404, None, "/v1/vector_stores"),
            (f"{RUNS}/run_bakery_01%2Fsteps", 404, "run_id", "run_bakery_01/steps"),
            (f"{RUNS}/", 404, None, "/runs/"),
        ],
    )
    def test_errors_come_in_the_apis_envelope(
        self, client: httpx.Client, path: str, status: int, param: str | None, word: str
    ) -> None:
        """Status, envelope, parameter and a message that names the trouble."""
        answer = client.get(path)
        assert answer.status_code == status
        schema("ErrorResponse").validate(answer.json())
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["param"] == param
        assert word in error["message"]

    def test_the_beta_header_counts_for_nothing(self, client: httpx.Client) -> None:
        """Half of the clients that people have send none; `api-version`, which some send, is passed over."""
        for value in ("", "assistants=v1", "assistants=v2"):
            answer = client.get(f"{RUNS}?api-version=2025-05-01", headers={"OpenAI-Beta": value})
            assert answer.status_code == 200

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_only_reading_is_served(self, client: httpx.Client, method: str) -> None:
        """Other methods are 405 wherever they go, with the allowed ones in `allow`."""
        assert client.request(method, f"{RUNS}/run_bakery_01/cancel").status_code == 405
        answer = client.request(method, RUNS)
        assert answer.status_code == 405
        assert "GET" in answer.headers["allow"]
        assert method in answer.json()["error"]["message"]

    def test_each_answer_has_a_request_id_of_its_own(self, client: httpx.Client) -> None:
        """Successes and errors carry an `x-request-id` that no other answer has."""
        seen = [client.get(path).headers["x-request-id"] for path in (RUNS, RUNS, "/nothing", f"{RUNS}/run_x")]
        assert all(re.fullmatch(r"req_[0-9a-f]{32}", request_id) for request_id in seen)
        assert len(set(seen)) == 4

    def test_a_failure_tells_nothing_of_the_inside(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A broken database is a 500 in the envelope; the log has the request id."""
        write_sample(tmp_path / "s.db")
        with serve(tmp_path / "s.db") as base_url:
            breaker = sqlite3.connect(tmp_path / "s.db")
            breaker.execute("DROP TABLE runs")
            breaker.close()
            answer = httpx.get(base_url + RUNS, headers=BETA)
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "server_error"
        assert "table" not in answer.text
        lines = [record.getMessage() for record in caplog.records if record.name == "facade.server"]
        assert len(lines) == 1
        assert answer.headers["x-request-id"] in lines[0]


class TestKey:
    @pytest.mark.parametrize("header", [{"Authorization": "Bearer sk-bakery"}, {"api-key": "sk-bakery"}])
    def test_the_key_opens(self, locked_url: str, header: dict[str, str]) -> None:
        """As a Bearer token and in the `api-key` header."""
        assert httpx.get(locked_url + RUNS, headers=BETA | header).status_code == 200

    @pytest.mark.parametrize(
        "header",
        [
            {},
            {"Authorization": "Bearer sk-other"},
            {"Authorization": "Basic sk-bakery"},
            {"Authorization": "Bearer"},
            {"api-key": "sk-baker"},
            {"api-key": b"\xff\xfe"},
        ],
    )
    def test_anything_else_is_401(self, locked_url: str, header: dict[str, str]) -> None:
        """A missing or wrong key is refused, and neither key is repeated."""
        answer = httpx.get(locked_url + RUNS, headers={**BETA, **header})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "sk-" not in answer.text

    def test_a_blank_key_is_refused(self, database: Path) -> None:
        """A key that would open to everybody is an error at construction."""
        with pytest.raises(ValueError, match="blank"):
            create_app(database, api_key=" ")


class TestServing:
    @pytest.mark.parametrize("prefix", ["", "/v1", "/openai", "/api/projects/p", "/api/projects/threads", "//odd"])
    def test_any_prefix_will_do(self, client: httpx.Client, prefix: str) -> None:
        """Requests are answered below any path, or none."""
        address = client.base_url.join("/")
        assert client.get(f"{str(address).rstrip('/')}{prefix}{RUNS}").json()["object"] == "list"

    @pytest.mark.parametrize("prefix", ["", "/api/projects/p"])
    def test_the_base_address_has_the_prefix_that_was_asked_for(self, database: Path, prefix: str) -> None:
        """As a client wants to be told it."""
        with serve(database, prefix=prefix) as base_url:
            assert base_url.endswith(prefix or base_url[-1])
            assert httpx.get(base_url + RUNS).status_code == 200

    def test_ids_may_have_slashes(self, tmp_path: Path) -> None:
        """Percent-encoded in the address, they are part of an id."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[{"id": "run/1 %", "thread_id": "thread/steps", "created_at": 1}])
        with serve(tmp_path / "s.db") as base_url:
            answer = httpx.get(f"{base_url}/threads/thread%2Fsteps/runs/run%2f1%20%25")
            assert answer.json()["id"] == "run/1 %"
            assert ids(httpx.get(f"{base_url}/threads/thread%2Fsteps/runs")) == ["run/1 %"]

    def test_reading_goes_on_while_a_long_transaction_is_open(self, tmp_path: Path) -> None:
        """A writer that takes its time holds no reader up, whatever it has changed so far."""
        with Store(tmp_path / "s.db") as store:
            store.add(runs=[a_run(1)])
            with serve(tmp_path / "s.db") as base_url, httpx.Client(base_url=base_url, timeout=4) as client:
                with store.transaction():
                    for number in range(2, 6000):  # more than SQLite would keep in memory by itself
                        run = a_run(number, instructions="x" * 1000)
                        store.put("runs", json.dumps(run), run, thread_id="thread_t")
                    assert ids(client.get("/threads/thread_t/runs")) == ["run_1"]
                assert len(ids(client.get("/threads/thread_t/runs?limit=100"))) == 100

    def test_an_answer_waits_for_a_commit(self, tmp_path: Path) -> None:
        """While another process holds the file altogether the answer waits, and other answers do not wait for it."""
        write_sample(tmp_path / "s.db")
        holder = sqlite3.connect(tmp_path / "s.db", isolation_level=None, check_same_thread=False)
        with serve(tmp_path / "s.db") as base_url, ThreadPoolExecutor(1) as pool:
            holder.execute("BEGIN EXCLUSIVE")
            waiting = pool.submit(httpx.get, base_url + RUNS, timeout=20)
            assert httpx.post(base_url + RUNS).status_code == 405
            holder.execute("COMMIT")
            holder.close()
            assert waiting.result().status_code == 200

    def test_many_readers_at_once_get_whole_answers(self, client: httpx.Client) -> None:
        """Sixteen threads read the same lists and get what one gets."""
        paths = [f"{RUNS}/run_bakery_{n:02}/steps" for n in range(1, 13)] * 10
        alone = {path: client.get(path).json() for path in set(paths)}
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda path: client.get(path).json(), paths))
        assert together == [alone[path] for path in paths]

    def test_the_end_of_the_block_is_the_end_of_the_server(self, database: Path) -> None:
        """Afterwards nobody listens, though a client had kept its connection."""
        with serve(database) as base_url, httpx.Client(headers=BETA) as client:
            assert client.get(base_url + RUNS).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(base_url + RUNS)

    def test_a_taken_port_is_an_error(self, database: Path) -> None:
        """The caller gets the OSError."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = serve(database, port=taken.getsockname()[1])
            with pytest.raises(OSError, match="in use"):
                server.__enter__()

    def test_a_missing_extra_is_named(self) -> None:
        """Without the server's libraries the store works, and what needs them says what to install."""
        program = (
            "import sys; sys.modules['starlette'] = None; from facade.server import Store; print(Store.__name__); "
        )
        result = run_python(program + "from facade.server import serve")
        assert (result.returncode, result.stdout) == (1, "Store\n")
        assert "pip install starlette uvicorn" in result.stderr
        program += "import runpy; sys.argv = ['', 'x.db']; runpy.run_module('facade.server', run_name='__main__')"
        result = run_python(program)
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert "pip install starlette uvicorn" in result.stderr


class TestStrangers:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1", ""])
    def test_a_name_that_is_not_this_machines_is_refused(self, client: httpx.Client, host: str) -> None:
        """A page in a browser whose own name leads to this machine reads nothing."""
        answer = client.get(RUNS, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == "misdirected_request"

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:80", "[::1]:8000", "localhost."]
    )
    def test_this_machines_names_pass(self, client: httpx.Client, host: str) -> None:
        """With and without a port."""
        assert client.get(RUNS, headers={"Host": host}).status_code == 200

    def test_a_key_does_not_make_another_name_right(self, locked_url: str) -> None:
        """On loopback the name counts even for those who have the key."""
        headers = {"Host": "evil.example", "api-key": "sk-bakery"}
        assert httpx.get(locked_url + RUNS, headers=headers).status_code == 421

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "server.example"])
    def test_others_are_served_with_a_key_only(self, database: Path, host: str) -> None:
        """The function refuses it too, before it listens anywhere."""
        with pytest.raises(ValueError, match="give an api_key"):
            serve(database, host=host).__enter__()

    def test_ids_cannot_write_to_the_terminal(self, tmp_path: Path) -> None:
        """Control characters in an id, or in the file's name, are shown as escapes."""
        file = tmp_path / "s\x1b[31m.db"
        with Store(file) as store:
            store.add(threads=[{"id": "thread_\x1b]0;title\x07", "created_at": 1}])
        command = [sys.executable, "-m", "facade.server", str(file), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            shown = process.stdout.readline() + process.stdout.readline()
            process.terminate()
        assert "\x1b" not in shown
        assert "\\x1b]0;title" in shown


class TestCommand:
    @pytest.mark.skipif(os.name == "nt", reason="ends the server as Ctrl-C does on POSIX")
    def test_it_serves_until_interrupted(self, tmp_path: Path) -> None:
        """`python -m facade.server` prints where it serves, wants the key of the environment, and ends quietly."""
        command = [sys.executable, "-m", "facade.server", str(tmp_path / "s.db"), "--sample", "--port", "0"]
        environment = os.environ | {"THREAD_RUNS_SERVER_KEY": "sk-bakery"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout
            assert process.stderr
            first, second = process.stdout.readline(), process.stdout.readline()
            base_url = re.findall(r"http://127\.0\.0\.1:\d+/v1", first)[0]
            refused = httpx.get(base_url + RUNS, headers=BETA)
            served = httpx.get(base_url + RUNS, headers=BETA | {"Authorization": "Bearer sk-bakery"})
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            assert process.stderr.read() == ""
        assert (refused.status_code, served.status_code) == (401, 200)
        assert SAMPLE_THREAD_ID in second

    def test_a_missing_database_is_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No traceback, and exit code 1."""
        with pytest.raises(SystemExit) as caught:
            main([str(tmp_path / "gone.db")])
        assert caught.value.code == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "gone.db': --sample writes one to try" in err

    def test_a_path_that_cannot_be_written_is_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As in a folder that is not there."""
        with pytest.raises(SystemExit) as caught:
            main([str(tmp_path / "gone" / "s.db"), "--sample"])
        assert caught.value.code == 1
        assert capsys.readouterr().err.count("\n") == 1

    def test_a_taken_port_says_how_to_take_another(self, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The error names the port and the option."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(SystemExit) as caught:
                main([str(database), "--port", str(port)])
        assert caught.value.code == 1
        assert f"port {port} is taken: give another with --port" in capsys.readouterr().err

    @pytest.mark.parametrize("port", ["65536", "-1", "x", "\u0665"])
    def test_a_port_out_of_range_is_a_wrong_command_line(
        self, database: Path, capsys: pytest.CaptureFixture[str], port: str
    ) -> None:
        """Refused before anything is opened."""
        with pytest.raises(SystemExit) as caught:
            main([str(database), f"--port={port}"])
        assert caught.value.code == 2
        assert "0 to 65535" in capsys.readouterr().err

    def test_an_open_address_needs_a_key(
        self, database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is served to other machines without a key."""
        monkeypatch.delenv("THREAD_RUNS_SERVER_KEY", raising=False)
        with pytest.raises(SystemExit) as caught:
            main([str(database), "--host", "0.0.0.0"])
        assert caught.value.code == 2
        assert "THREAD_RUNS_SERVER_KEY" in capsys.readouterr().err
