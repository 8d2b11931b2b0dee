"""Serving a database from within a program."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn

from facade.server.app import create_app, is_loopback


def listening_problem(error: OSError, host: str, port: int) -> str:
    """Why `serve` cannot listen, and what to do, as commands say it."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: give another with --port (0 takes a free one)"
    return f"cannot listen at {host}, port {port} ({error.strerror}): check --host and --port"


@contextmanager
def serve(
    database: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    prefix: str = "/v1",
    whole: bool = False,
    assistant: bool = False,
) -> Iterator[str]:
    """Serve an archive from a thread of its own, as long as the `with` block lasts.

    Gives the base URL, such as `http://127.0.0.1:8000/v1`, at which requests are answered from the first line of the
    block on. Requests under way at its end get 5 s to finish.

    Args:
        database: the file
        host: the address to listen on; any but loopback needs an `api_key`
        port: 0 takes a free one
        api_key: requests must carry it; None asks for none
        prefix: the path of the base URL: "" or a path such as "/v1". Requests are answered below any other too
        whole, assistant: as for `create_app`

    Raises what `create_app` raises, ValueError for another host than loopback without a key, and OSError when `host`
    and `port` can't be listened on.
    """
    on_loopback = is_loopback(host)
    if api_key is None and not on_loopback:
        raise ValueError(f"Others could read everything at {host!r}: give an api_key, or serve at 127.0.0.1.")
    app = create_app(database, api_key=api_key, whole=whole, any_host=not on_loopback, assistant=assistant)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listener:
            # Else the second packet of an answer waits 40 ms for the first to be acknowledged.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # log_config=None: how the program logs is the program's own matter.
            config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
            server = uvicorn.Server(config)
            thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="facade-server", daemon=True)
            thread.start()
            while thread.is_alive() and not server.started:
                time.sleep(0.005)
            try:
                yield f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}{prefix}"
            finally:
                server.should_exit = True
                thread.join()
    finally:
        app.close()
