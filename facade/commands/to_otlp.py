"""`to-otlp`: runs as OpenTelemetry traces, printed or sent."""

from __future__ import annotations

import json
import os
from urllib.parse import unquote

import click

from facade.commands import _output
from facade.commands._command import command
from facade.commands._connection import Connection, connected
from facade.commands._exits import Failure

_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")


@command("to-otlp")
@click.argument("source", metavar="(FILE|THREAD)")
@click.option(
    "--endpoint",
    metavar="URL",
    help="Send them there, such as http://localhost:4318, as protobuf; needs the extra `otlp`. Without it they are"
    " printed, as JSON Lines.",
)
@click.option("--content", is_flag=True, help="With what people and models said, and the tools' inputs and outputs.")
@click.option("--finished", is_flag=True, help="Without the runs that are still going on.")
@click.option(
    "--service", metavar="NAME", default="assistants", show_default=True, help="The name that viewers list them under."
)
@click.option(
    "--provider",
    metavar="NAME",
    default="openai",
    show_default=True,
    help="Who served the model, by the conventions' names, such as azure.ai.openai.",
)
@connected
def to_otlp(
    source: str,
    endpoint: str | None,
    content: bool,
    finished: bool,
    service: str,
    provider: str,
    connection: Connection,
) -> None:
    """Give THREAD's runs, or all runs in the archive FILE, as OpenTelemetry traces.

    A run is a trace. Sending a run again adds nothing where spans are known by their ids. A key that --endpoint wants
    comes from OTEL_EXPORTER_OTLP_HEADERS, as authorization=Bearer%20...

    \b
        thread-runs to-otlp archive.db --endpoint http://localhost:4318
    """
    from facade import traces

    count = 0
    with connection.open_threads(source) as (client, threads):
        requests = traces.read(client, threads, content=content, finished=finished, service=service, provider=provider)
        for request in requests:
            if endpoint is None:
                print(json.dumps(request, separators=(",", ":")), flush=True)
                continue
            try:
                count += traces.push(request, endpoint, headers=_headers())
            except traces.PushError as error:
                raise Failure(_code(error.status_code), f"after {count} spans: {error}") from None
    if endpoint is not None:
        _output.say(f"{count} spans sent")


def _headers() -> dict[str, str]:
    """What the exporters of OpenTelemetry take from the environment: `name=value,name=value`, percent-encoded."""
    given = next((value for name in _HEADERS if (value := os.environ.get(name, "").strip())), "")
    pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _code(status_code: int | None) -> int:
    """The exit code that such an answer has everywhere."""
    if status_code is None:
        return 9
    if status_code in (401, 403):
        return 5
    return 6 if status_code == 429 else 8 if status_code >= 500 else 7
