"""Says which extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ModuleNotFoundError):
    """What an extra brings is not installed; the text says how to get it."""


@contextmanager
def needed(what: str, extra: str, *packages: str) -> Iterator[None]:
    """Raises MissingExtraError where an import in the block finds no module that is not this project's own.

    `what` needs the `packages`, which are all or some of those that `extra` brings.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "facade", "openai_thread_runs_api"):
            raise
        remedy = f"pip install {' '.join(packages)} (in a checkout: pip install '.[{extra}]')"
        raise MissingExtraError(f"{what} needs {' and '.join(packages)}: {remedy}", name=error.name) from None
