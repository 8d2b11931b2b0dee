"""What the commands of a run's life share: naming a run, printing one or its stream, and the exit code it gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

import facade
from facade._life.waiting import GOES_ON
from facade._reading.values import value_in
from facade.commands import _output, _signals
from facade.commands._command import PROGRAM
from facade.commands._exits import NOT_COMPLETED, WAITS_FOR_ANSWER, Failure
from facade.commands._input import Key, run_of
from facade.commands._kinds import RUNS, error, text

if TYPE_CHECKING:
    from collections.abc import Iterator


def named_run(run: str | None, thread: str | None, command: str) -> Key:
    """The run that a command line names. Raises UsageError where it names none."""
    if run is None or thread is None:
        raise click.UsageError(f"RUN needs its THREAD: {command} RUN THREAD")
    return run_of(run, thread)


def commands_for(run: facade.Run | None) -> str:
    """How to follow a run that goes on; nothing where it is not known."""
    return f"it goes on: {PROGRAM} wait-thread-run {run.id} {run.thread_id}" if run is not None else ""


def show(run: facade.Run, output: _output.Format) -> None:
    """Print a run."""
    writer = _output.writer(output, RUNS, is_one=True)
    writer.write(run.to_dict())
    writer.flush()


def end(run: facade.Run) -> None:
    """End the command with the code of a run that is no longer at work."""
    if run.status == "completed" or run.status in GOES_ON:
        return
    if run.status == "requires_action":
        _output.say(f"{run.id} waits for an answer: {_wanted(run.to_dict())}")
        raise click.exceptions.Exit(WAITS_FOR_ANSWER)
    _output.say(": ".join(part for part in (f"{run.id} is {text(run.status)}", error(run.to_dict())) if part))
    raise click.exceptions.Exit(NOT_COMPLETED)


def _wanted(run: Mapping[str, Any]) -> str:
    calls = value_in(value_in(run.get("required_action"), "submit_tool_outputs"), "tool_calls")
    if not isinstance(calls, list):
        return f"{text(value_in(run.get('required_action'), 'type')) or 'of an unknown kind'}"
    options = " ".join(f"--tool-output {text(value_in(call, 'id'))}=TEXT" for call in calls)
    return f"{PROGRAM} submit-tool-output {text(run.get('id'))} {text(run.get('thread_id'))} {options}"


def show_stream(stream: facade.RunStream, output: _output.Format) -> None:
    """Print what happens as it happens: the text for people, else a line of JSON an event; end as the run does."""
    if sys.stdout is None:
        raise click.ClickException("standard output is closed")
    if output == "csv":
        raise click.UsageError("--output csv goes with no --stream")
    try:
        with _signals.how_far(lambda: commands_for(stream.run)), stream:
            lines = _texts(stream) if _output.is_for_people(output) else _events(stream)
            for line in lines:
                print(line, end="", flush=True)
            run = stream.result()
    except facade.StreamCutError as cut:
        raise Failure(9, f"the stream was cut; {commands_for(cut.run) or 'it has not told its run'}") from None
    end(run)


def _texts(stream: facade.RunStream) -> Iterator[str]:
    encoding = sys.stdout.encoding or "utf-8"
    piece = ""
    for piece in stream.text():
        yield _output.clean(piece).encode(encoding, "replace").decode(encoding)
    if piece and not piece.endswith("\n"):
        yield "\n"


def _events(stream: facade.RunStream) -> Iterator[str]:
    for event in stream:
        data = event.data.to_dict() if hasattr(event.data, "to_dict") else event.data
        yield json.dumps({"event": event.event, "data": data}) + "\n"
