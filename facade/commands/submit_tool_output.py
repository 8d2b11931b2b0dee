"""`submit-tool-output`: answers the function calls that a run waits for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from facade._life.answering import read_answers
from facade.commands import _life, _output
from facade.commands._command import command, either
from facade.commands._connection import Connection, connected, name_and_value


@command("submit-tool-output")
@click.argument("run", required=False)
@click.argument("thread", required=False)
@click.option("--run-id", metavar="RUN", help="The run.")
@click.option("--thread-id", metavar="THREAD", help="The run's thread.")
@click.option(
    "--tool-output",
    multiple=True,
    callback=name_and_value,
    metavar="ID=TEXT",
    help="The output of the call with that id; repeated for each call.",
)
@click.option(
    "--tool-output-file",
    metavar="FILE",
    help='A file with the outputs as JSON, {"ID": OUTPUT} or [{"tool_call_id", "output"}]; "-" for standard input.',
)
@click.option("--stream", is_flag=True, help="Print what happens then as it happens, until the run rests.")
@_output.printed
@connected
def submit_tool_output(
    run: str | None,
    thread: str | None,
    run_id: str | None,
    thread_id: str | None,
    tool_output: dict[str, str],
    tool_output_file: str | None,
    stream: bool,
    output: _output.Format,
    connection: Connection,
) -> None:
    """Answer the function calls that RUN waits for.

    All calls are answered at once. A text goes as it is, anything else in a file as JSON. With --stream it prints and
    ends as start-thread-run does.

    \b
        thread-runs submit-tool-output RUN THREAD --tool-output call_1=21 --tool-output call_2='{"loaves": 3}'
    """
    run = either(run, run_id, "RUN", "--run-id")
    thread = either(thread, thread_id, "THREAD", "--thread-id")
    key = _life.named_run(run, thread, "submit-tool-output")
    outputs: dict[str, Any] = dict(tool_output)
    if tool_output_file is not None:
        found = {call_id: answer["output"] for call_id, answer in _read(tool_output_file).items()}
        if twice := sorted(found.keys() & outputs.keys()):
            raise click.UsageError(f"{', '.join(twice)} has an output in --tool-output-file and as --tool-output")
        outputs |= found
    if not outputs:
        raise click.UsageError("there is no output: give --tool-output ID=TEXT, or --tool-output-file FILE")
    with connection.open() as client:
        if stream:
            _life.show_stream(client.runs.stream_tool_outputs(key, outputs), output)
        else:
            _life.show(client.runs.submit_tool_outputs(key, outputs), output)


def _read(path: str) -> dict[str, dict[str, Any]]:
    """The outputs in a file, by their calls' ids. Raises UsageError where it holds none."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return read_answers("outputs", json.loads(data.decode("utf-8-sig")), "--tool-output-file")
    except OSError as error:
        raise click.UsageError(f"the file of --tool-output-file cannot be read: {error.strerror}") from None
    except RecursionError:
        problem = "it is nested too deep"
    except (ValueError, TypeError) as error:
        problem = "it is no JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
    raise click.UsageError(problem if problem.startswith("--") else f"--tool-output-file: {problem}")
