"""The server of the measurements: canned answers over a raw socket, so that it costs as little as it can.

    python scripts/bench/server.py

Prints its port, and serves until it is stopped. What it serves is said by the base address that it is asked under:
`http://127.0.0.1:PORT/LATENCY_MS/RUNS/STEPS` is an endpoint that waits LATENCY_MS before each answer, with RUNS runs
in every thread and STEPS steps in every run.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

ID = "0" * 24
"""The number in an id, which is put in its place by `_numbered`."""


def _step(details: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"step_{ID}",
        "object": "thread.run.step",
        "created_at": 1700000000,
        "run_id": "run_abcdefghijklmnopqrstuvwx",
        "assistant_id": "asst_abcdefghijklmnopqrstuvwx",
        "thread_id": "thread_abcdefghijklmnopqrstuvwx",
        "type": details["type"],
        "status": "completed",
        "cancelled_at": None,
        "completed_at": 1700000005,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "metadata": {},
        "usage": {"prompt_tokens": 1205, "completion_tokens": 120, "total_tokens": 1325},
    }


def _call(kind: str, call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_calls", "tool_calls": [{"id": "call_abcdefghijklmnopqrstuvwx", "type": kind, kind: call}]}


STEPS = [
    _step({"type": "message_creation", "message_creation": {"message_id": "msg_abcdefghijklmnopqrstuvwx"}}),
    _step(
        _call(
            "code_interpreter",
            {
                "input": "total = sum(row['amount'] for row in rows)\nprint(total)\n",
                "outputs": [{"type": "logs", "logs": "4512.75\n" * 9}],
            },
        )
    ),
    _step(
        _call(
            "file_search",
            {
                "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
                "results": [
                    {"file_id": f"file_abcdefghijklmnopqrstuvw{n}", "file_name": "price-list-2024.pdf", "score": 0.87}
                    for n in range(2)
                ],
            },
        )
    ),
    _step(
        _call(
            "function",
            {
                "name": "stock_of_article",
                "arguments": json.dumps({"article": "4711-0815", "warehouse": "north"}),
                "output": json.dumps({"free": 21, "reserved": 4}),
            },
        )
    ),
]
"""One step of each kind, 771 bytes on average."""

RUN = {
    "id": f"run_{ID}",
    "object": "thread.run",
    "created_at": 1700000000,
    "thread_id": "thread_abcdefghijklmnopqrstuvwx",
    "assistant_id": "asst_abcdefghijklmnopqrstuvwx",
    "status": "completed",
    "required_action": None,
    "last_error": None,
    "expires_at": None,
    "started_at": 1700000001,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": 1700000009,
    "incomplete_details": None,
    "model": "gpt-4o",
    "instructions": "Answer from the price lists, and say which one an answer is from.",
    "tools": [
        {"type": "code_interpreter"},
        {"type": "file_search"},
        {
            "type": "function",
            "function": {
                "name": "stock_of_article",
                "parameters": {"type": "object", "properties": {"article": {"type": "string"}}},
            },
        },
    ],
    "metadata": {"customer": "1042"},
    "usage": {"prompt_tokens": 1205, "completion_tokens": 120, "total_tokens": 1325},
    "temperature": 1.0,
    "top_p": 1.0,
    "max_prompt_tokens": None,
    "max_completion_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}

_STEPS = [json.dumps(step).encode() for step in STEPS]
_RUNS = [json.dumps(RUN).encode()]


def _numbered(bodies: list[bytes], number: int) -> bytes:
    return bodies[number % len(bodies)].replace(ID.encode(), b"%024d" % number, 1)


def _number(object_id: str) -> int:
    digits = object_id.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0


def answer(target: str) -> tuple[int, bytes]:
    """The latency in milliseconds and the body for the target of a request."""
    parts = urlsplit(target)
    _, latency_ms, runs, steps, *path = parts.path.split("/")
    bodies, count, prefix = (_STEPS, int(steps), "step") if "steps" in path else (_RUNS, int(runs), "run")
    if path[-1] not in ("runs", "steps"):
        return int(latency_ms), _numbered(bodies, _number(path[-1]))
    query = parse_qs(parts.query)
    begin = _number(query["after"][0]) + 1 if "after" in query else 0
    end = min(count, begin + int(query.get("limit", ["20"])[0]))
    first, last = (f'"{prefix}_{n:024}"' if begin < end else "null" for n in (begin, end - 1))
    body = b'{"object": "list", "data": [%b], "first_id": %b, "last_id": %b, "has_more": %b}' % (
        b", ".join([_numbered(bodies, number) for number in range(begin, end)]),
        first.encode(),
        last.encode(),
        b"true" if end < count else b"false",
    )
    return int(latency_ms), body


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                connection.close()
                return
            received += chunk
        head, received = received.split(b"\r\n\r\n", 1)
        latency_ms, body = answer(head.split(b" ", 2)[1].decode())
        if latency_ms:
            time.sleep(latency_ms / 1000)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


def main() -> None:
    """Listens on a free port of loopback and serves each connection in a thread."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
