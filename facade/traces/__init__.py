"""Runs as traces, by OpenTelemetry's names, for whatever shows traces: Jaeger, Phoenix, Langfuse, MLflow.

    import json
    from facade import archive, traces

    with archive.client("archive.db") as client:
        for request in traces.read(client, "thread_abc"):
            print(json.dumps(request))
            traces.push(request, "http://localhost:4318")

A run is a trace, its steps and tool calls are the spans in it. Ids are made of those of the thread, run, step and call,
so that what is sent twice is the same twice. Reading needs no extra, pushing needs `otlp`; nothing else in the package
imports this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import facade
from facade._arguments import is_one, thread_key
from facade.traces import _otlp, _reading
from facade.traces._otlp import SEMCONV_VERSION, Json
from facade.traces._push import PushError, push
from facade.traces._spans import Wanted, spans_of

__all__ = ["SEMCONV_VERSION", "PushError", "push", "read"]

# What a request holds at most, unless one run alone has more: collectors refuse large ones.
_MAX_SPANS, _MAX_CHARACTERS = 500, 2_000_000


def read(
    client: facade.Client,
    threads: Any,
    *,
    content: bool = False,
    finished: bool = False,
    service: str = "assistants",
    provider: str = "openai",
    concurrency: int = 8,
) -> Iterator[Json]:
    """Read threads and give their runs as traces.

    Args:
        client: reads them: an endpoint's client, or an archive's. Messages, assistants and steps that it does not serve
            (an answer of 404, 405 or 501) are left out.
        threads: a thread (an id, or an object or mapping, as `client.runs.all` takes it), or an iterable of such.
        content: whether what people and models said goes along: instructions, messages, the tools' inputs and outputs,
            and what errors say.
        finished: whether runs that are still going on are left out. With them, a run's trace ends where it was last
            seen, and what keeps the first of two equal spans will not take its end later.
        service: the name under which viewers list them (`service.name`).
        provider: who served the model (`gen_ai.provider.name`): `openai`, `azure.ai.openai` or another.
        concurrency: how many requests are under way at once, 1 to 64.

    Returns:
        Export requests of OTLP, as JSON has them: each is what a line of an OTLP file holds, and what `push` takes.
        Runs come in order and each is whole in one of them.

    Raises:
        facade.APIError: runs, or something else that is served, could not be read.
    """
    wanted = Wanted(provider, content)
    held: list[Json] = []
    characters = 0
    names = map(thread_key, [threads] if is_one(threads) else threads)
    for run in _reading.read(client, names, content=content, finished=finished, concurrency=concurrency):
        spans = list(spans_of(run, wanted))
        size = sum(_length(span["attributes"]) for span in spans)
        if held and (len(held) + len(spans) > _MAX_SPANS or characters + size > _MAX_CHARACTERS):
            yield _otlp.request(held, service)
            held, characters = [], 0
        held += spans
        characters += size
    if held:
        yield _otlp.request(held, service)


def _length(attributes: list[dict[str, Any]]) -> int:
    return sum(len(pair["value"].get("stringValue", "")) for pair in attributes)
