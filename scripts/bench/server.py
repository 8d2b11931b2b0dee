"""The server of the measurements: canned answers over a raw socket, so that it costs as little as it can.

    python -m scripts.bench.server

Prints its port, and serves until it is stopped. What it serves is said by the base address that it is asked under:
`http://127.0.0.1:PORT/LATENCY_MS/RUNS/STEPS` is an endpoint that waits LATENCY_MS before each answer, with RUNS runs
in every thread and STEPS steps in every run.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ID = "0" * 24
"""The number in an id, which is put in its place by `_numbered`."""
OBJECTS = json.loads(Path(__file__).with_name("objects.json").read_text("utf-8"))
"""One step of each kind, 771 bytes on average, and a run."""

_STEPS = [json.dumps(step).encode() for step in OBJECTS["steps"]]
_RUNS = [json.dumps(OBJECTS["run"]).encode()]


def _numbered(bodies: list[bytes], number: int) -> bytes:
    return bodies[number % len(bodies)].replace(ID.encode(), b"%024d" % number, 1)


def _number(object_id: str) -> int:
    digits = object_id.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0


def _beside(path: list[str]) -> bytes:
    """What an export asks for beside runs and steps: a thread or an assistant by its id, and no messages."""
    if path[-1] == "messages":
        return b'{"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false}'
    kind = "thread" if path[-2] == "threads" else "assistant"
    return json.dumps({"id": path[-1], "object": kind, "created_at": 1}).encode()


@lru_cache(512)
def answer(target: str) -> tuple[int, bytes]:
    """The latency in milliseconds and the body for the target of a request."""
    parts = urlsplit(target)
    _, latency_ms, runs, steps, *path = parts.path.split("/")
    if path[-2] in ("threads", "assistants") or path[-1] == "messages":
        return int(latency_ms), _beside(path)
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
