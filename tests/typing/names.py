"""Every way to reach a public name, as type checkers see it: checked by `make check`, and never run."""

from typing import assert_type

import facade
from facade import *  # noqa: F403
from facade import Run as OneRun
from openai_thread_runs_api.models import RunObject


def names(run: facade.Run, other: Run, one: OneRun) -> bool:  # noqa: F405
    """The short names are the generated classes, imported in any way."""
    assert_type(run, RunObject)
    assert_type(other, RunObject)
    assert_type(one, RunObject)
    assert_type(facade.Run.from_dict({}), RunObject)
    assert_type(Run.from_dict({}), RunObject)  # noqa: F405
    return isinstance(run.usage, facade.RunUsage)


def errors(error: facade.APIError, other: RateLimitError) -> None:  # noqa: F405
    """So are the errors."""
    if isinstance(error, facade.StreamError):
        assert_type(error.run, RunObject | None)
    assert_type(other.status_code, int)
