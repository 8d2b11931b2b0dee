"""How a signal ends a command: with one line that says how far it came, and soon, whatever is waited for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from facade.commands import _output

# A signal's exception has this long to come through; in the system's name resolution, say, it does not.
_PATIENCE_SEC = 1.5
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

_tell: Callable[[], str] = str


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def how_far(tell: Callable[[], str]) -> Iterator[None]:
    """While the context lasts, `tell` says how far the command has come: what was done and how to go on."""
    global _tell  # there is one command in a process
    _tell = tell
    try:
        yield
    except KeyboardInterrupt:
        raise  # to be told of at the very end
    except BaseException:
        _tell = str
        raise
    _tell = str


def code_of(stop: KeyboardInterrupt) -> int:
    """The exit code that a shell gives for the signal."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def say_how_far(code: int) -> None:
    """Print the line of a command that a signal ends."""
    told = _tell()
    _output.say(_WORDS[signal.Signals(code - 128)] + (f": {told}" if told else ""))


@contextmanager
def watched() -> Iterator[None]:
    """While the context lasts, SIGTERM raises `Terminated`; a signal that is not heeded in time ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    is_over = threading.Event()
    threading.Thread(target=_watch, args=(heard, is_over), daemon=True).start()
    before = signal.signal(signal.SIGTERM, _terminate)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, before)
        os.close(told)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _watch(heard: int, is_over: threading.Event) -> None:
    with open(heard, "rb", buffering=0) as numbers:
        while number := numbers.read(1):
            if number[0] in _WORDS and not is_over.wait(_PATIENCE_SEC):
                say_how_far(128 + number[0])
                os._exit(128 + number[0])
