"""What a run waits for and how it is answered, without I/O: functions' outputs and approvals.

`processing` is a generator, as `exchange` is: it yields what is to be done next (follow the run, call a function, ask
for an approval, submit); whoever drives it sends back what that gave, or throws the exception that it raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from facade._arguments import field
from facade._life.bodies import as_json, read_mapping
from facade._life.waiting import goes_on

if TYPE_CHECKING:
    from openai_thread_runs_api.models import RunObject

Kind = Literal["outputs", "approvals"]

ACTIONS: dict[str, Kind] = {"submit_tool_outputs": "outputs", "submit_tool_approval": "approvals"}

SERVER_CALLS = ("azure_function",)
"""The kinds of calls that the server itself runs; nobody else answers them."""


class Awaited(NamedTuple):
    """What a run waits for: the calls, as the server sent them."""

    kind: Kind
    calls: tuple[Any, ...]

    def ids(self, of_server: bool) -> list[str]:
        """The ids of the calls, with or without those that the server itself runs."""
        calls = [call for call in self.calls if of_server or field(call, "type") not in SERVER_CALLS]
        return [call_id for call in calls if isinstance(call_id := field(call, "id"), str)]


def awaited(run: Any) -> Awaited | None:
    """What a run waits for.

    Args:
        run: a run, of this package or another's, or a mapping

    Returns:
        None where it waits for nothing, or for something unknown.
    """
    run = getattr(run, "_json", run)
    if field(run, "status") != "requires_action":
        return None
    action = field(run, "required_action")
    said = field(action, "type")
    for name, kind in ACTIONS.items():
        calls = field(field(action, name), "tool_calls")
        if said in (None, name) and isinstance(calls, (list, tuple)):
            return Awaited(kind, tuple(calls))
    return None


def check_awaited(run: Any, given: Mapping[str, Any], kind: Kind, name: str = "") -> None:
    """Refuses answers that a run does not wait for, where the run is given as one that says what it waits for.

    Raises:
        ValueError: it waits for none, or for other calls.
    """
    run, name = getattr(run, "_json", run), name or kind
    status = field(run, "status")
    if isinstance(run, str) or status is None or field(run, "run_id") is not None:  # something that names a run only
        return
    run_id = field(run, "id")
    if status != "requires_action":
        raise ValueError(f"{name}: run {run_id!r} is {status!r} and waits for none; where it has moved on, refresh it")
    if (waits := awaited(run)) is None:
        return
    if waits.kind != kind:
        raise ValueError(f"{name}: run {run_id!r} waits for {waits.kind}; use submit_tool_{waits.kind}")
    unknown = sorted(given.keys() - set(waits.ids(True)))
    missing = [call_id for call_id in waits.ids(False) if call_id not in given]
    if unknown:
        raise ValueError(f"{name} has {', '.join(map(repr, unknown))}, which run {run_id!r} does not wait for")
    if missing:
        raise ValueError(f"{name} lacks {', '.join(map(repr, missing))}: all that run {run_id!r} waits for go at once")


def check_functions(functions: Any) -> None:
    """Refuses what is no mapping of names to functions.

    Raises:
        TypeError: it is none.
    """
    for name, function in read_mapping("functions", functions).items():
        if not callable(function):
            raise TypeError(f"functions[{name!r}] is a {type(function).__name__}, which cannot be called")


def still_waits(run: RunObject, given: Collection[str]) -> bool:
    """Whether a run waits for an answer to one of these calls."""
    waits = awaited(run)
    return waits is not None and any(call_id in given for call_id in waits.ids(True))


def read_answers(kind: Kind, given: Any, name: str = "") -> dict[str, dict[str, Any]]:
    """What a caller answers, as it is sent, by the calls' ids.

    Args:
        kind: what is answered
        given: a mapping of call ids to outputs (a text goes as it is, anything else as JSON), or a sequence of mappings
            with `tool_call_id` and `output`; or of call ids to approvals: True, False, or a mapping that has `approve`
            and more
        name: the parameter's name, for errors

    Raises:
        TypeError, ValueError: there is none, an id is no id, an output has no JSON form, or an approval does not say
            whether it approves.
    """
    name = name or kind
    if kind == "outputs" and isinstance(given, (list, tuple)):
        pairs = [(field(item, "tool_call_id"), field(item, "output")) for item in given]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise TypeError(f"{name} is a mapping of call ids to {kind}, not {type(given).__name__}")
    if not pairs:
        raise ValueError(f"{name} is empty; give an answer for each call that the run waits for")
    answers: dict[str, dict[str, Any]] = {}
    for call_id, value in pairs:
        if not isinstance(call_id, str):
            raise TypeError(f"{name} names a call by a {type(call_id).__name__}; its id is a str")
        if not call_id.strip() or call_id in answers:
            raise ValueError(f"{name} has {call_id!r} twice" if call_id.strip() else f"{name} has a blank call id")
        said = {"output": output_text(f"{name}[{call_id!r}]", value)} if kind == "outputs" else value
        said = dict(said) if isinstance(said, Mapping) else {"approve": said}
        if kind == "approvals" and "approve" not in said:
            raise ValueError(f"{name}[{call_id!r}] does not say `approve`: True or False")
        if kind == "approvals" and not isinstance(said["approve"], bool):
            raise TypeError(f"{name}[{call_id!r}] approves with True or False, not {type(said['approve']).__name__}")
        answers[call_id] = {"tool_call_id": call_id, **said}
    return answers


def output_text(name: str, output: Any) -> str:
    """An output as it is sent: a text as it is, anything else as JSON.

    Raises:
        TypeError, ValueError: it has no JSON form.
    """
    return output if isinstance(output, str) else as_json(name, output, ascii_only=False)


class Follow(NamedTuple):
    """Wait for the run; send it back when it does not go on."""

    goes_on: Callable[[RunObject], bool]


class Invoke(NamedTuple):
    """Call a function; send back what it gives, or throw what it raises."""

    function: Callable[..., Any]
    arguments: dict[str, Any]


class Decide(NamedTuple):
    """Ask whether a call is approved; send back what is said."""

    call: Any


class Submit(NamedTuple):
    """Submit the answers of one turn."""

    run: RunObject
    kind: Kind
    answers: dict[str, Any]


Step = Follow | Invoke | Decide | Submit


def processing(
    functions: Mapping[str, Callable[..., Any]], *, may_decide: bool, max_turns: int, report_errors: bool
) -> Generator[Step, Any, RunObject]:
    """Carries a run on as long as it waits for what can be answered here.

    Args:
        functions: by their names
        may_decide: whether there is somebody to ask for approvals
        max_turns: how often answers are submitted at most
        report_errors: whether a function's exception is told to the model, not raised

    Returns:
        The run at rest; or waiting, where what it waits for cannot be answered, or not once more.
    """
    from openai_thread_runs_api.models import RequiredMcpToolCall

    def is_at_work(run: RunObject) -> bool:
        return goes_on(run) or _is_servers_turn(run, answered)

    answered: set[str] = set()
    turns = 0
    while True:
        run: RunObject = yield Follow(is_at_work)
        waits = awaited(run)
        if waits is None or turns == max_turns or not _can_answer(waits, may_decide):
            return run
        answers: dict[str, Any] = {}
        for call in waits.calls:
            if waits.kind == "approvals":
                answers[call["id"]] = (yield Decide(RequiredMcpToolCall.from_dict(call))) is True
            elif call.get("type") not in SERVER_CALLS:
                answers[call["id"]] = yield from _output(call, functions, report_errors)
        yield Submit(run, waits.kind, answers)
        answered = set(answers)
        turns += 1


def _can_answer(waits: Awaited, may_decide: bool) -> bool:
    """Whether each of the calls has an id to answer it by, and is of a kind that is answered here."""
    ids = waits.ids(True)
    if not ids or len(set(ids)) < len(waits.calls) or (waits.kind == "approvals" and not may_decide):
        return False
    return waits.kind == "approvals" or all(_is_function(c) or c.get("type") in SERVER_CALLS for c in waits.calls)


def _is_function(call: Mapping[str, Any]) -> bool:
    return call.get("type") in (None, "function") and isinstance(call.get("function"), Mapping)


def _is_servers_turn(run: RunObject, answered: set[str]) -> bool:
    """Whether a run waits for its own server only: whatever else it waited for was answered."""
    waits = awaited(run)
    if waits is None or waits.kind != "outputs" or not waits.calls:
        return False
    mine = waits.ids(False)
    others = [call for call in waits.calls if field(call, "type") not in SERVER_CALLS]
    return len(others) < len(waits.calls) and len(mine) == len(others) and set(mine) <= answered


def _output(
    call: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], report_errors: bool
) -> Generator[Invoke, Any, str]:
    """What a function call's output is; what the model did wrong is told to the model."""
    name = call["function"].get("name")
    if not isinstance(name, str) or name not in functions:
        return _told(f"there is no function {name!r}; there are: {', '.join(functions)}")
    try:
        arguments = _arguments(call["function"].get("arguments"))
    except ValueError as error:
        return _told(f"the arguments of {name} are not a JSON object: {error}")
    try:
        return output_text(f"the output of {name}", (yield Invoke(functions[name], arguments)))
    except Exception as error:
        if not report_errors:
            raise
        return _told(f"{type(error).__name__}: {error}")


def _told(problem: str) -> str:
    return as_json("error", {"error": problem}, ascii_only=False)


def _arguments(text: Any) -> dict[str, Any]:
    """A function's arguments: the JSON object in a text; some servers send the object itself.

    Raises:
        ValueError: they are no JSON object.
    """

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no number")

    try:
        arguments = json.loads(text, parse_constant=refuse) if isinstance(text, str) else text
    except RecursionError:
        raise ValueError("they are nested too deep") from None
    if not isinstance(arguments, dict):
        raise ValueError("they are something else")
    return dict(arguments)
