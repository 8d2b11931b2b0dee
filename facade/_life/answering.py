"""What a run waits for and how it is answered, without I/O: functions' outputs and approvals.

What does so is a generator, as `waiting` is: it yields what to do next; whoever drives it sends back what that gave, or
throws what it raised.
"""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, NoReturn

from facade import _operations
from facade._arguments import RunKey, RunLike, field, run_key
from facade._exchange import Ask, Call, Deadline
from facade._life.bodies import as_json, make_body, read_mapping, secrets_in
from facade._life.waiting import ENDED, Step, Steps, Wait, cancelling_late, goes_on, waiting
from facade._options import Limits, check_turns
from facade.errors import APIError, APIStatusError, APITimeoutError, BadRequestError
from openai_thread_runs_api import models

Functions = Mapping[str, Callable[..., Any]]
Approve = Callable[[Any], Any] | None
Kind = Literal["outputs", "approvals"]

ACTIONS: dict[str, Kind] = {"submit_tool_outputs": "outputs", "submit_tool_approval": "approvals"}

SERVER_CALLS = ("azure_function",)
"""The kinds of calls that the server itself runs; nobody else answers them."""

LAGGING_READS = 3
"""How often a run that took its answers may be read as waiting for them still."""


class Awaited(NamedTuple):
    """What a run waits for.

    Attributes:
        kind: of the answers
        calls: those that are to be answered, by their ids (None where one has none), as the server sent them
        of_server: those that the server itself runs
        is_clear: whether there are any, and each has an id of its own
    """

    kind: Kind
    calls: dict[Any, Any]
    of_server: dict[Any, Any]
    is_clear: bool


def awaited(run: Any) -> Awaited | None:
    """What a run waits for.

    Args:
        run: a run, of this package or another's, or a mapping

    Returns:
        None where it waits for nothing, or for something unknown.
    """
    run = getattr(run, "_json", run)
    action = field(run, "required_action") if field(run, "status") == "requires_action" else None
    for name, kind in ACTIONS.items():
        calls = field(field(action, name), "tool_calls")
        if field(action, "type") in (None, name) and isinstance(calls, (list, tuple)):
            own: dict[Any, Any] = {}
            of_server: dict[Any, Any] = {}
            for call in calls:
                call_id, is_own = field(call, "id"), kind != "outputs" or field(call, "type") not in SERVER_CALLS
                (own if is_own else of_server)[call_id if isinstance(call_id, str) else None] = call
            return Awaited(kind, own, of_server, 0 < len(calls) == len({*own, *of_server} - {None}))
    return None


def told_status(run: Any) -> Any:
    """The status that a run says; None where something only names a run."""
    return field(run, "status") if field(run, "run_id") is None else None


def check_awaited(run: Any, given: Mapping[str, Any], kind: Kind, name: str) -> None:
    """Refuses answers that a run does not wait for, where the run is given as one that says what it waits for.

    Raises:
        ValueError: it waits for none, or for other calls.
    """
    status, waits, run_id = told_status(run), awaited(run), field(run, "id")
    if status not in (None, "requires_action"):
        raise ValueError(f"{name}: run {run_id!r} is {status!r} and waits for none; where it has moved on, refresh it")
    if status is None or waits is None:
        return
    if waits.kind != kind:
        raise ValueError(f"{name}: run {run_id!r} waits for {waits.kind}; use submit_tool_{waits.kind}")
    unknown = sorted(given.keys() - waits.calls.keys() - waits.of_server.keys())
    missing = [call_id for call_id in waits.calls if call_id not in (None, *given)]
    if unknown:
        raise ValueError(f"{name} has {', '.join(map(repr, unknown))}, which run {run_id!r} does not wait for")
    if missing:
        raise ValueError(f"{name} lacks {', '.join(map(repr, missing))}: all that run {run_id!r} waits for go at once")


def read_answers(kind: Kind, given: Any, name: str) -> dict[str, dict[str, Any]]:
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
    if kind == "outputs" and isinstance(given, (list, tuple)):
        if not all(isinstance(item, Mapping) and "output" in item for item in given):
            raise ValueError(f"{name} is a list of mappings, each with a `tool_call_id` and an `output`")
        pairs = [(item.get("tool_call_id"), item["output"]) for item in given]
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
        where = f"{name}[{call_id!r}]"
        if kind == "outputs":
            said = {"output": output_text(where, value)}
        else:
            said = dict(value) if isinstance(value, Mapping) else {"approve": value}
            if not isinstance(said.get("approve"), bool):
                raise TypeError(f"{where} does not say whether it approves: True, False or a mapping with `approve`")
        answers[call_id] = {"tool_call_id": call_id, **said}
    return answers


def output_text(name: str, output: Any) -> str:
    """An output as it is sent: a text as it is, anything else as JSON.

    Raises:
        TypeError, ValueError: it has no JSON form.
    """
    return output if isinstance(output, str) else as_json(name, output, ascii_only=False)


class Write(NamedTuple):
    """A call that changes a run, and how to tell whether one that failed has done its work all the same.

    Attributes:
        call: what to send
        key: the run that it is about
        may_be_done: whether it may have, by the error
        is_done: whether it has, by the run as it is then
    """

    call: Call[models.RunObject]
    key: RunKey
    may_be_done: Callable[[APIError], bool]
    is_done: Callable[[models.RunObject], bool]


def submission(
    kind: Kind, run: RunLike, thread_id: str | None, given: Any, *, is_stream: bool = False, name: str = ""
) -> Write:
    """What answers the calls that a run waits for.

    Args:
        kind, given: as of `read_answers`
        run, thread_id: the run; it is checked against the answers where it says what it waits for
        is_stream: whether the answer may be a stream
        name: the parameter's name where it is not the kind's
    """
    key, answers = run_key(run, thread_id), read_answers(kind, given, name or kind)
    check_awaited(run, answers, kind, name or kind)
    body = make_body({f"tool_{kind}": list(answers.values()), "stream": is_stream or None})
    call = _operations.submit_tool_outputs(key, body)._replace(secrets=secrets_in(body))
    return Write(call, key, is_ambiguous, partial(waits_no_more, frozenset(answers)))


def is_ambiguous(error: APIError) -> bool:
    """Whether a request that failed so may have done its work all the same."""
    return error.status_code in (500, 502, 504) if isinstance(error, APIStatusError) else error.sent


def waits_no_more(answered: frozenset[str], run: models.RunObject) -> bool:
    """Whether a run waits for an answer to none of these calls."""
    waits = awaited(run)
    return waits is None or answered.isdisjoint({*waits.calls, *waits.of_server})


def cancellation(key: RunKey) -> Write:
    """What asks for a run to be stopped; where a repetition is refused the first one may have done it."""
    return Write(
        _operations.cancel_run(key),
        key,
        lambda error: isinstance(error, BadRequestError) and error.attempts > 1,
        lambda run: run.status in (*ENDED, "cancelling"),
    )


def writing(write: Write, limits: Limits, deadline: Deadline | None = None) -> Steps:
    """Changes a run; where that failed and may have done its work, reads the run once to see whether it did."""
    with deadline or Deadline(limits.deadline_sec) as deadline:
        try:
            run: models.RunObject = yield Ask(write.call, limits, deadline)
            return run
        except APIError as error:
            failure = error
        with contextlib.suppress(APIError):
            if write.may_be_done(failure):
                run = yield Ask(_operations.get_run(*write.key), limits._replace(max_retry_count=0), deadline)
                if write.is_done(run):
                    return run
    raise failure


def processing(wait: Wait, functions: Functions, approve: Approve, max_turns: int, report_errors: bool) -> Steps:
    """Carries a run on as long as it waits for what can be answered here.

    Args:
        wait: for which run, and how
        functions: by their names
        approve: is asked for approvals; None: there is nobody to ask
        max_turns: how often answers are submitted at most
        report_errors: whether a function's exception is told to the model, not raised

    Returns:
        The run at rest; or waiting, where what it waits for cannot be answered, or not once more.

    Raises:
        TypeError, ValueError: at once: what are no functions, or no number of turns.
    """
    check_turns("max_turns", max_turns)
    named = {f"functions[{name!r}]": function for name, function in read_mapping("functions", functions).items()}
    for name, function in (named if approve is None else {**named, "approve": approve}).items():
        if not callable(function):
            raise TypeError(f"{name} is a {type(function).__name__}, which cannot be called")
    answered = Awaited("outputs", {}, {}, is_clear=True)
    turns = may_lag = 0

    def is_at_work(run: models.RunObject) -> bool:
        """Whether it goes on, waits for its own server only, or is read as it was, from a replica that may lag."""
        nonlocal may_lag
        if (waits := awaited(run)) is None:
            return goes_on(run)
        if waits.of_server and waits.calls.keys() <= answered.calls.keys():
            return True
        may_lag -= 1
        return waits == answered and may_lag >= 0

    wait = wait._replace(goes_on=is_at_work)
    while True:
        run = yield from waiting(wait)
        waits = awaited(run)
        if waits is None or turns == max_turns or not _can_answer(waits, approve is not None):
            return run
        answers: dict[str, Any] = {}
        for call_id, call in waits.calls.items():
            if approve is not None and waits.kind == "approvals":
                answers[call_id] = (yield partial(approve, models.RequiredMcpToolCall.from_dict(call))) is True
            else:
                answers[call_id] = yield from _result(call["function"], functions, report_errors)
        try:
            write = submission(waits.kind, wait.key.run_id, wait.key.thread_id, answers)
            then = yield from writing(write, wait.limits, wait.deadline)
        except APITimeoutError as error:
            if wait.deadline.remaining_sec() <= 0:
                error.run = run
                yield from cancelling_late(wait)
            raise
        answered, may_lag = waits, LAGGING_READS if awaited(then) is None else 0
        turns += 1


def _can_answer(waits: Awaited, may_decide: bool) -> bool:
    """Whether each of the calls has an id to answer it by, and is of a kind that is answered here."""
    if waits.kind == "approvals" or not waits.is_clear:
        return may_decide and waits.is_clear
    calls = waits.calls.values()
    return all(call.get("type") in (None, "function") and isinstance(call.get("function"), Mapping) for call in calls)


def _result(function: Mapping[str, Any], functions: Functions, report_errors: bool) -> Generator[Step, Any, str]:
    """What a function call's output is; what the model did wrong is told to the model."""
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or name not in functions:
        return _told(f"there is no function {name!r}; there are: {', '.join(functions)}")
    try:
        arguments = json.loads(arguments, parse_constant=_refuse) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError) as error:
        return _told(f"the arguments of {name} are not a JSON object: {error}")
    if not isinstance(arguments, dict):  # which some servers send as it is
        return _told(f"the arguments of {name} are not a JSON object")
    try:
        return output_text(f"the output of {name}", (yield partial(functions[name], **arguments)))
    except Exception as error:
        if not report_errors:
            raise
        return _told("".join(traceback.format_exception_only(error)).strip())


def _told(problem: str) -> str:
    return as_json("error", {"error": problem}, ascii_only=False)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
