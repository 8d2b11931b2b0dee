"""What a run waits for and how it is answered: argument checks, outputs, and the turns of `process`, without I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest
from wire import a_run, waiting_run

import facade
from facade._arguments import RunKey
from facade._exchange import Ask, Call, Deadline, Pause
from facade._life.answering import (
    awaited,
    check_awaited,
    output_text,
    processing,
    read_answers,
    waits_no_more,
)
from facade._life.waiting import Wait
from facade._options import Limits


def call(number: int = 1, name: str = "add", arguments: Any = '{"a": 1, "b": 2}', **fields: Any) -> dict[str, Any]:
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **fields,
    }


def approval(number: int = 1) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "mcp", "name": "search", "arguments": "{}", "server_label": "docs"}


def azure(number: int = 9) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "azure_function", "azure_function": {"name": "queue", "arguments": "{}"}}


def a_model(json: dict[str, Any]) -> facade.Run:
    return facade.Run.from_dict(json)


class Turns:
    """Drives `processing`: gives it the runs one after the other, and keeps what is submitted.

    Attributes:
        submitted: the answers of each turn, with their kind
        result: the run that came out, or the exception
        invoked: the functions' arguments
    """

    def __init__(
        self,
        *runs: dict[str, Any],
        functions: dict[str, Callable[..., Any]] | None = None,
        approve: Callable[[Any], Any] | None = None,
        max_turns: int = 20,
        report_errors: bool = False,
        then: dict[str, Any] | None = None,
    ) -> None:
        self.submitted: list[tuple[str, dict[str, Any]]] = []
        self.invoked: list[dict[str, Any]] = []
        self._came, self._then = iter(runs), a_model(then or BUSY)
        noted = {name: self._noting(function) for name, function in (functions or {}).items()}
        limits: dict[str, Any] = {"max_turns": max_turns, "report_errors": report_errors}
        wait = Wait(RunKey("thread_1", "run_1"), Limits(None, None, 0), Deadline(None))
        steps = processing(wait, noted, approve, **limits)
        try:
            step: Any = next(steps)
            while True:
                try:
                    if isinstance(step, Pause):
                        value: Any = None
                    else:
                        value = self._asked(step.call) if isinstance(step, Ask) else step()
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(value)
        except StopIteration as end:
            self.result: Any = end.value
        except Exception as error:
            self.result = error

    def _asked(self, call: Call[Any]) -> Any:
        if call.method == "GET":
            return a_model(next(self._came)), {}
        [(name, answers)] = json.loads(call.body or b"").items()
        self.submitted.append(
            (
                name.removeprefix("tool_"),
                {each["tool_call_id"]: each.get("output", each.get("approve")) for each in answers},
            )
        )
        return self._then

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(**arguments: Any) -> Any:
            self.invoked.append(arguments)
            return function(**arguments)

        return noted


DONE = a_run()
BUSY = a_run(status="in_progress")


def add(a: int, b: int = 0) -> int:
    return a + b


def test_functions_are_answered() -> None:
    """All calls of a turn are answered together, a text as it is and anything else as JSON; then the run goes on."""
    functions: dict[str, Callable[..., Any]] = {"add": add, "say": lambda: "né", "give": lambda: {"é": [None]}}
    turns = Turns(
        BUSY,
        waiting_run(call(1), call(2, "say", "{}"), call(3, "give", "{}")),
        waiting_run(call(4)),
        DONE,
        functions=functions,
    )
    assert turns.invoked == [{"a": 1, "b": 2}, {}, {}, {"a": 1, "b": 2}]
    assert turns.submitted == [
        ("outputs", {"call_1": "3", "call_2": "né", "call_3": '{"é": [null]}'}),
        ("outputs", {"call_4": "3"}),
    ]
    assert turns.result.status == "completed"


def test_unknown_function_is_told() -> None:
    """A function that does not exist is told to the model, as it spelt it, with those that do."""
    turns = Turns(waiting_run(call(1, "zählen"), call(2)), DONE, functions={"add": add})
    assert turns.submitted[0][1]["call_1"] == '{"error": "there is no function \'zählen\'; there are: add"}'
    assert turns.submitted[0][1]["call_2"] == "3"


@pytest.mark.parametrize(
    "arguments", ["", "{", "[1]", "7", "null", '{"a": NaN}', '{"a": Infinity}', None, [["a", 1]], "[" * 9999]
)
def test_unreadable_arguments_are_told(arguments: Any) -> None:
    """Arguments that are no JSON object are told to the model; the function is not called."""
    turns = Turns(waiting_run(call(1, arguments=arguments)), DONE, functions={"add": add})
    assert "arguments of add" in json.loads(turns.submitted[0][1]["call_1"])["error"]
    assert turns.invoked == []


def test_arguments_as_an_object() -> None:
    """Arguments that come as an object, not as its text, are taken."""
    assert Turns(waiting_run(call(1, arguments={"a": 4})), DONE, functions={"add": add}).invoked == [{"a": 4}]


class OvenError(Exception):
    pass


class SilentError(Exception):
    def __str__(self) -> str:
        raise OvenError


def hush(**_: Any) -> None:
    raise SilentError


def burn(**_: Any) -> None:
    raise OvenError("too hot")


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (burn, OvenError),
        (hush, SilentError),
        (lambda x: x, TypeError),  # the arguments do not fit
        (lambda **_: {1, 2}, TypeError),
        (lambda **_: float("nan"), ValueError),
    ],
)
def test_functions_exception(function: Any, kind: type[Exception]) -> None:
    """What a function raises, or gives that cannot be sent, ends it and nothing is submitted; or it is reported."""
    turns = Turns(waiting_run(call(1), call(2)), DONE, functions={"add": function})
    assert isinstance(turns.result, kind)
    assert turns.submitted == []
    turns = Turns(waiting_run(call(1), call(2)), DONE, functions={"add": function}, report_errors=True)
    assert turns.result.status == "completed"
    assert kind.__name__ in json.loads(turns.submitted[0][1]["call_2"])["error"]


@pytest.mark.parametrize("said", [True, False, None, 1, "yes", {"approve": True}])
def test_only_true_approves(said: Any) -> None:
    """Only True approves."""
    seen = []

    def approve(call: Any) -> Any:
        seen.append((call.id, call["name"], call.type_))
        return said

    turns = Turns(waiting_run(approval(1), approvals=True), DONE, approve=approve)
    assert turns.submitted == [("approvals", {"call_1": said is True})]
    assert seen == [("call_1", "search", "mcp")]


def test_nobody_to_approve() -> None:
    """Without somebody to ask, a run that waits for an approval is given back waiting."""
    turns = Turns(waiting_run(approval(1), approvals=True))
    assert turns.result.status == "requires_action"
    assert turns.submitted == []


def test_approve_that_raises() -> None:
    """What `approve` raises is raised, reported errors or not: nobody has approved."""
    turns = Turns(waiting_run(approval(1), approvals=True), DONE, approve=lambda _: burn(), report_errors=True)
    assert isinstance(turns.result, OvenError)
    assert turns.submitted == []


def test_max_turns() -> None:
    """After so many submits the run is given back waiting, even where it waits for the same call again."""
    turns = Turns(*[waiting_run(call())] * 99, functions={"add": add}, max_turns=3)
    assert turns.result.status == "requires_action"
    assert len(turns.submitted) == 3
    assert Turns(waiting_run(call()), functions={"add": add}, max_turns=0).submitted == []


ODD = [
    waiting_run(call(1), {"id": "call_2", "type": "computer_use", "x": 1}),
    waiting_run({"type": "function", "function": {"name": "add", "arguments": "{}"}}),
    waiting_run(call(1), call(1)),
    waiting_run(call(1), "odd"),
    waiting_run(call(1, type="function", function=None)),
    waiting_run(),
    a_run(status="requires_action"),
    a_run(status="requires_action", required_action="odd"),
    a_run(
        status="requires_action",
        required_action={"type": "submit_signature", "submit_tool_outputs": {"tool_calls": [call()]}},
    ),
    a_run(status="requires_action", required_action={"type": "submit_tool_outputs", "submit_tool_outputs": None}),
]


@pytest.mark.parametrize("run", ODD, ids=[str(number) for number in range(len(ODD))])
def test_another_kind_is_given_back(run: dict[str, Any]) -> None:
    """A run that waits for anything else is given back waiting: no function is called, nothing is submitted."""
    turns = Turns(run, functions={"add": add}, approve=lambda _: True)
    assert turns.result.status == "requires_action"
    assert (turns.submitted, turns.invoked) == ([], [])


def test_server_runs_its_own_calls() -> None:
    """Calls that the server runs are waited for; others beside them are answered, once."""
    assert Turns(waiting_run(azure()), waiting_run(azure()), DONE).result.status == "completed"
    both = waiting_run(call(1), azure())
    turns = Turns(waiting_run(azure()), both, both, waiting_run(azure()), DONE, functions={"add": add})
    assert turns.submitted == [("outputs", {"call_1": "3"})]
    assert turns.result.status == "completed"
    turns = Turns(both, waiting_run(call(2), azure()), DONE, functions={"add": add})
    assert [answers for _, answers in turns.submitted] == [{"call_1": "3"}, {"call_2": "3"}]


NAMELESS = {"type": "azure_function", "azure_function": {"name": "queue", "arguments": "{}"}}


@pytest.mark.parametrize("calls", [(NAMELESS,), (NAMELESS, NAMELESS), (azure(), azure()), (azure(), NAMELESS)])
def test_server_runs_calls_without_an_id(calls: Any) -> None:
    """What the server runs is waited for, whatever its calls are called."""
    assert Turns(waiting_run(*calls), DONE).result.status == "completed"
    assert Turns(waiting_run(call(1)), waiting_run(call(1), *calls), DONE, functions={"add": add}).invoked != []


def test_approval_of_a_call_of_the_servers() -> None:
    """Approvals are asked for whatever kind of call they are about."""
    run = waiting_run(azure(), approvals=True)
    assert Turns(run).result.status == "requires_action"
    assert Turns(run, DONE, approve=lambda _: True).submitted == [("approvals", {"call_9": True})]


def test_lagging_reads() -> None:
    """A run that took its answers and reads as it was before is read three times more: no function is called twice."""
    turns = Turns(*[waiting_run(call())] * 4, BUSY, waiting_run(call(2)), DONE, functions={"add": add})
    assert [answers for _, answers in turns.submitted] == [{"call_1": "3"}, {"call_2": "3"}]
    assert len(turns.invoked) == 2
    assert len(Turns(*[waiting_run(call())] * 5, DONE, functions={"add": add}).invoked) == 2
    turns = Turns(*[waiting_run(approval(), approvals=True)] * 4, DONE, approve=lambda _: True)
    assert turns.submitted == [("approvals", {"call_1": True})]


def test_still_waiting_as_answered() -> None:
    """Where the answer to a submit says itself that the run waits for the same again, no read lags."""
    turns = Turns(*[waiting_run(call())] * 2, DONE, functions={"add": add}, then=waiting_run(call()))
    assert len(turns.submitted) == 2


def names(run: dict[str, Any]) -> Iterator[Any]:
    """A run as whatever a caller may have it as."""
    yield run
    yield MappingProxyType(run)
    yield a_model(run)


WAITING = waiting_run(call(1), call(2), azure())


@pytest.mark.parametrize("run", list(names(WAITING)), ids=["dict", "mapping", "model"])
def test_awaited_outputs(run: Any) -> None:
    """Outputs are checked against the calls that the run waits for, where it says them."""
    check_awaited(run, {"call_1": 1, "call_2": 2}, "outputs", "outputs")
    check_awaited(run, {"call_1": 1, "call_2": 2, "call_9": 3}, "outputs", "outputs")
    with pytest.raises(ValueError, match=r"^outputs lacks 'call_2'"):
        check_awaited(run, {"call_1": 1}, "outputs", "outputs")
    with pytest.raises(ValueError, match=r"^tool_output has 'call_3', 'call_4', which"):
        check_awaited(run, {"call_1": 1, "call_2": 2, "call_4": 4, "call_3": 3}, "outputs", "tool_output")
    with pytest.raises(ValueError, match=r"^approvals: .*submit_tool_outputs"):
        check_awaited(run, {"call_1": True}, "approvals", "approvals")


@pytest.mark.parametrize("calls", [(call(1), call(1)), ({"type": "function"},), ()], ids=["twice", "no id", "none"])
def test_awaited_outputs_without_ids_of_their_own(calls: Any) -> None:
    """What a run does not wait for is refused, even where its calls have no ids of their own."""
    with pytest.raises(ValueError, match=r"^outputs has 'call_2', which"):
        check_awaited(waiting_run(*calls), {"call_2": 1}, "outputs", "outputs")


@pytest.mark.parametrize("status", ["queued", "completed", "cancelling", "paused"])
def test_awaits_none(status: str) -> None:
    """A run that does not wait takes no outputs."""
    for run in names(a_run(status=status)):
        with pytest.raises(ValueError, match=f"^outputs: run 'run_1' is '{status}' and waits for none"):
            check_awaited(run, {"call_1": 1}, "outputs", "outputs")


@pytest.mark.parametrize(
    "run",
    [
        "run_1",
        {"id": "run_1", "thread_id": "thread_1"},
        {"run_id": "run_1", "thread_id": "thread_1", "status": "completed"},  # a step names its run
        a_run(status="requires_action"),
    ],
)
def test_not_known_what_it_awaits(run: Any) -> None:
    """Where the run does not say what it waits for, the server knows."""
    check_awaited(run, {"call_1": 1}, "outputs", "outputs")


def test_still_waits() -> None:
    """A run waits for these calls as long as one of them is named."""
    assert not waits_no_more(frozenset({"call_2"}), a_model(WAITING))
    assert waits_no_more(frozenset({"call_7"}), a_model(WAITING))
    assert waits_no_more(frozenset({"call_2"}), a_model(BUSY))
    assert not waits_no_more(frozenset({"call_9"}), a_model(WAITING))
    for unclear in (waiting_run(call(1), call(1)), waiting_run(call(1), {"type": "function"})):
        assert not waits_no_more(frozenset({"call_1"}), a_model(unclear))
    assert awaited(a_model(BUSY)) is None


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        ({}, ValueError),
        ([], ValueError),
        (None, TypeError),
        ("text", TypeError),
        ({"": "x"}, ValueError),
        ({1: "x"}, TypeError),
        ([{"output": "x"}], TypeError),
        ([{"tool_call_id": "c", "output": "x"}] * 2, ValueError),
        ({"c": {1, 2}}, TypeError),
        ({"c": iter(())}, TypeError),
        ({"c": b"x"}, TypeError),
        ({"c": object()}, TypeError),
        ({"c": float("nan")}, ValueError),
        ({"c": [float("inf")]}, ValueError),
    ],
)
def test_bad_outputs(outputs: Any, kind: type[Exception]) -> None:
    """Outputs that cannot be sent are refused, and the parameter is named."""
    with pytest.raises(kind, match=r"^tool_output"):
        read_answers("outputs", outputs, "tool_output")


def test_outputs() -> None:
    """A text goes as it is, anything else as JSON; a list of outputs is as good as a mapping."""
    expected = {"a": "né \ud800", "b": "null", "c": '[1, "é"]', "d": "true", "e": ""}
    answers = read_answers("outputs", {"a": "né \ud800", "b": None, "c": (1, "é"), "d": True, "e": ""}, "outputs")
    assert list(answers.values()) == [{"tool_call_id": name, "output": text} for name, text in expected.items()]
    several = [{"tool_call_id": "a", "output": 1}]
    assert read_answers("outputs", several, "outputs") == {"a": {"tool_call_id": "a", "output": "1"}}
    assert json.loads(output_text("x", a_model(a_run()))) == a_run()


@pytest.mark.parametrize(
    ("approvals", "kind"),
    [
        ({}, ValueError),
        ([], TypeError),
        ({"c": None}, TypeError),
        ({"c": "yes"}, TypeError),
        ({"c": {"headers": {"Authorization": "Bearer hush-hush"}}}, TypeError),
        ({"c": {"approve": 1, "headers": {"Authorization": "Bearer hush-hush"}}}, TypeError),
    ],
)
def test_bad_approvals(approvals: Any, kind: type[Exception]) -> None:
    """An approval says True or False; what else it says is not shown."""
    with pytest.raises(kind, match=r"^approvals") as caught:
        read_answers("approvals", approvals, "approvals")
    assert "hush" not in str(caught.value)


def test_approvals() -> None:
    """True, False, or a mapping with `approve`, which is merged in."""
    given = {"a": True, "b": False, "c": {"approve": True, "headers": {"X": "y"}}}
    assert list(read_answers("approvals", given, "approvals").values()) == [
        {"tool_call_id": "a", "approve": True},
        {"tool_call_id": "b", "approve": False},
        {"tool_call_id": "c", "approve": True, "headers": {"X": "y"}},
    ]
