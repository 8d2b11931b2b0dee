"""A large endpoint that fails now and then, in a process of its own: for tests of exports with real signals.

    python tests/endpoint.py --threads 10 --runs 100 --steps 30 --messages 20 --fail-every 20 --latency-ms 5

Prints its address, serves until it is stopped, and answers `GET /count` with how many requests came.
Every object is spelt oddly, so that what is kept can be compared to the letter; `object_of` makes each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from urllib.parse import parse_qs, unquote, urlsplit

ODD = '"odd": [1.00, 1e5, -0.0, 1E+2, 12345678901234567890123], "metadata": {"b": "\\ud800 \\u0041", "a":1, "a": 2 }'


def text_of(kind: str, object_id: str, number: int, **fields: object) -> str:
    """An object as the server spells it."""
    more = "".join(f', "{name}":{json.dumps(value)}' for name, value in fields.items())
    return f'{{"id": "{object_id}",  "object":"{kind}", "created_at": {1_700_000_000 + number}{more}, {ODD}}}'


def thread_text(thread: int) -> str:
    """A thread."""
    return text_of("thread", f"thread_{thread}", thread)


def message_text(thread: int, number: int) -> str:
    """A message of a thread."""
    return text_of("thread.message", f"msg_{thread}_{number}", number, thread_id=f"thread_{thread}", role="user")


def run_text(thread: int, number: int, status: str = "completed") -> str:
    """A run of a thread."""
    fields = {"thread_id": f"thread_{thread}", "assistant_id": "asst_1", "status": status}
    return text_of("thread.run", f"run_{thread}_{number}", number, **fields)


def step_text(thread: int, run: int, number: int) -> str:
    """A step of a run."""
    fields = {"thread_id": f"thread_{thread}", "run_id": f"run_{thread}_{run}", "status": "completed"}
    fields["padding"] = "x" * 500
    return text_of("thread.run.step", f"step_{thread}_{run}_{number}", number, **fields)


class Endpoint:
    """What is served: so many threads, with so many messages and runs, with so many steps."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.count = 0
        self.random = random.Random(options.seed)

    def answer(self, target: str) -> tuple[int, str]:
        """Status and body for a request's target."""
        parts = urlsplit(target)
        _, _, *path = [unquote(part) for part in parts.path.split("/")]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        numbers = [int(n) for n in path[-1].split("_")[1:] if n.isdigit()]
        options = self.options
        if path[0] == "assistants":
            return 200, text_of("assistant", path[1], 0)
        if len(path) == 1:
            return 200, self.page("thread", options.threads, lambda n: thread_text(n), query)
        thread = int(path[1].rpartition("_")[2])
        if thread >= options.threads:
            return 404, '{"error": {"message": "no such thread"}}'
        if len(path) == 2:
            return 200, thread_text(thread)
        if path[2] == "messages":
            return 200, self.page(f"msg_{thread}", options.messages, lambda n: message_text(thread, n), query)
        if len(path) == 3:
            status = ["completed"] * (options.runs - options.going_on) + ["in_progress"] * options.going_on
            return 200, self.page(f"run_{thread}", options.runs, lambda n: run_text(thread, n, status[n]), query)
        run = int(path[3].rpartition("_")[2])
        if len(path) == 5:
            prefix = f"step_{thread}_{run}"
            return 200, self.page(prefix, options.steps, lambda n: step_text(thread, run, n), query)
        return 200, run_text(thread, numbers[-1])

    def page(self, prefix: str, count: int, make: object, query: dict[str, str]) -> str:
        """A page of a list."""
        begin = int(query["after"].rpartition("_")[2]) + 1 if "after" in query else 0
        end = min(count, begin + int(query.get("limit", "20")))
        items = ", ".join(make(number) for number in range(begin, end))  # type: ignore[operator]
        ends = [f'"{prefix}_{number}"' if begin < end else "null" for number in (begin, end - 1)]
        has_more = json.dumps(end < count)
        return (
            f'{{"object": "list", "data": [ {items} ], "first_id": {ends[0]}, "last_id": {ends[1]}, '
            f'"has_more": {has_more}}}'
        )

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                if target == "/count":
                    self.say(writer, 200, str(self.count))
                    continue
                self.count += 1
                if self.options.latency_ms:
                    await asyncio.sleep(self.options.latency_ms / 1000)
                every = self.options.fail_every
                if every and self.random.randrange(every) == 0:
                    kind = self.random.randrange(4)
                    if kind == 0:
                        return
                    if kind == 1:
                        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                        return
                    self.say(writer, 500 if kind == 2 else 503, '{"error": {"message": "no luck"}}')
                    continue
                self.say(writer, *self.answer(target))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def say(self, writer: asyncio.StreamWriter, status: int, body: str) -> None:
        """Send an answer."""
        data = body.encode()
        writer.write(
            b"HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(data), data)
        )


async def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser()
    for name, default in (
        ("threads", 2),
        ("runs", 3),
        ("steps", 3),
        ("messages", 2),
        ("fail-every", 0),
        ("seed", 1),
        ("going-on", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--latency-ms", type=float, default=0)
    endpoint = Endpoint(parser.parse_args())
    server = await asyncio.start_server(endpoint.converse, "127.0.0.1", 0, limit=1 << 20)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
