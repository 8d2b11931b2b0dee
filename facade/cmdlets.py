"""The cmdlets that read, as functions with their parameters in their order: `Get-ThreadRun`, `Get-ThreadRunStep` and
`Get-ThreadMessage`."""

from __future__ import annotations

import atexit
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast, overload

from facade._answers import Page
from facade._arguments import MessageLike, Order, RunLike, ThreadLike, is_one, run_key, thread_key
from facade._auth import ApiKey, AuthType
from facade._options import LimitOptions, Settings, option, parameters, refuse_unknown, take_in
from facade._sync.client import Client, outside_stacklevel
from facade._sync.walks import Walk
from facade.errors import MoreDataWarning
from openai_thread_runs_api import models

if TYPE_CHECKING:
    from facade._sync.pool import Pool


T = TypeVar("T")


class CmdletOptions(LimitOptions, total=False):
    """The parameters that all cmdlets have, and this package's own; as `facade.Client` takes them.

    client: a client of yours to ask with, in the place of the others.
    """

    client: Client | None
    api_base: str | None
    api_key: ApiKey | None
    organization: str | None
    auth_type: AuthType
    additional_query: Mapping[str, Any] | None
    additional_headers: Mapping[str, str] | None


class _OfOne(CmdletOptions, total=False):
    """What one object is asked with; the cmdlets take an order there too."""

    order: Order


class _OfSeveral(_OfOne, total=False):
    """What a list is asked with."""

    limit: int | None


class _OfStep(_OfOne, total=False):
    """What a step is asked with."""

    include: str | Sequence[str]


class _OfSteps(_OfStep, _OfSeveral, total=False):
    """What a list of steps is asked with."""


class _OfMessages(_OfSeveral, total=False):
    """What a list of messages is asked with."""

    run_id: str | None


_Threads = ThreadLike | Iterable[ThreadLike]
_Runs = RunLike | Iterable[RunLike]
CMDLET_OPTIONS = tuple(CmdletOptions.__annotations__)
_connected_by: list[Any] = []


@cache
def _shared_pool() -> Pool:
    from facade._sync.pool import Pool

    pool = Pool()
    atexit.register(pool.close)
    return pool


def make_client(cmdlet: Callable[..., Any], given: CmdletOptions, known: Iterable[str] = ()) -> Client:
    """A client on the connections that all calls share; they hold no key. An error names what else is `known`."""
    client = given.pop("client", None)
    take_in(cmdlet.__name__, given, {*parameters(cmdlet), *known})
    if client is not None:
        refuse_unknown(cmdlet.__name__, given, LimitOptions.__annotations__)
        return client.with_options(**cast(LimitOptions, given))
    connected_by = [option(name, {}) for name in ("verify", "proxy", "transport")]
    if connected_by != _connected_by:  # what was connected by other means is not wanted any more
        _connected_by[:] = connected_by
        _shared_pool().close_idle()
    return Client.__new__(Client)._start(Settings.resolve(given), _shared_pool())


def _one_set(id_name: str, object_id: Any, all: bool, limit: int | None) -> None:  # noqa: A002  # -All
    if object_id is not None and (all or limit is not None):
        raise TypeError(f"{id_name} reads one object; all and limit belong to lists, so give one or the other")


def _first_pages(
    one_or_many: Any, limit: int | None, ask: Callable[..., Page[T]], name: Callable[[Any], str]
) -> Page[T]:
    """The first page of one list; of several, as from a pipeline, their first pages one behind the other."""
    is_many: bool = not is_one(one_or_many) and isinstance(one_or_many, Iterable)
    pages = []
    for one in one_or_many if is_many else (one_or_many,):
        page = ask(one, limit=20 if limit is None else limit)
        if page.has_more and limit is None:
            text = f"{name(one)} has more than these {len(page)}; ask for all=True, or say the limit"
            warnings.warn(text, MoreDataWarning, stacklevel=outside_stacklevel())
        pages.append(page)
    if not is_many:
        return pages[0]
    return Page([item for page in pages for item in page], {"has_more": any(page.has_more for page in pages)})


def _thread(thread: ThreadLike) -> str:
    return f"thread {thread_key(thread)}"


@overload
def get_thread_run(thread_id: ThreadLike, run_id: str, **options: Unpack[_OfOne]) -> models.RunObject: ...
@overload
def get_thread_run(
    thread_id: _Threads, run_id: None = None, *, all: Literal[True], **options: Unpack[_OfSeveral]
) -> Walk[models.RunObject]: ...
@overload
def get_thread_run(
    thread_id: _Threads, run_id: None = None, *, all: Literal[False] = False, **options: Unpack[_OfSeveral]
) -> Page[models.RunObject]: ...
@overload
def get_thread_run(
    thread_id: _Threads, run_id: None = None, *, all: bool, **options: Unpack[_OfSeveral]
) -> Walk[models.RunObject] | Page[models.RunObject]: ...
def get_thread_run(
    thread_id: Any,
    run_id: str | None = None,
    *,
    all: bool = False,  # noqa: A002  # -All
    limit: int | None = None,
    order: Order = "asc",
    **options: Unpack[CmdletOptions],
) -> models.RunObject | Walk[models.RunObject] | Page[models.RunObject]:
    """Reads runs, as the cmdlet `Get-ThreadRun` does.

    Args:
        thread_id: the thread's id, or an object or mapping that is a thread or has a `thread_id` (-ThreadId,
            earlier -InputObject), or an iterable of such
        run_id: the run's id: then that run is read (-RunId)
        all: whether to walk over all runs; `limit` is then ignored (-All)
        limit: the most that the page of each may hold, 1 to 100; None: 20, and a warning where there are more (-Limit)
        order: by creation, "asc" or "desc" (-Order)
        options: timeout_sec, max_retry_count, api_base, api_key, organization (the cmdlet's); deadline_sec, auth_type,
            additional_query, additional_headers; all as `facade.Client` takes them

    Returns:
        With `run_id` the run, with `all` a `Walk`, else a `Page`.

    Raises:
        TypeError: `run_id` together with `all` or `limit`: they are of different parameter sets.
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    runs = make_client(get_thread_run, options).runs
    _one_set("run_id", run_id, all, limit)
    if run_id is not None:
        return runs.get(thread_id, run_id)
    if all:
        return runs.all(thread_id, order=order)
    return _first_pages(thread_id, limit, partial(runs.list, order=order), _thread)


@overload
def get_thread_run_step(
    run_id: RunLike, thread_id: str | None, step_id: str, **options: Unpack[_OfStep]
) -> models.RunStepObject: ...
@overload
def get_thread_run_step(
    run_id: RunLike, thread_id: str | None = None, *, step_id: str, **options: Unpack[_OfStep]
) -> models.RunStepObject: ...
@overload
def get_thread_run_step(
    run_id: _Runs,
    thread_id: str | None = None,
    step_id: None = None,
    *,
    all: Literal[True],
    **options: Unpack[_OfSteps],
) -> Walk[models.RunStepObject]: ...
@overload
def get_thread_run_step(
    run_id: _Runs,
    thread_id: str | None = None,
    step_id: None = None,
    *,
    all: Literal[False] = False,
    **options: Unpack[_OfSteps],
) -> Page[models.RunStepObject]: ...
@overload
def get_thread_run_step(
    run_id: _Runs, thread_id: str | None = None, step_id: None = None, *, all: bool, **options: Unpack[_OfSteps]
) -> Walk[models.RunStepObject] | Page[models.RunStepObject]: ...
def get_thread_run_step(
    run_id: Any,
    thread_id: str | None = None,
    step_id: str | None = None,
    *,
    all: bool = False,  # noqa: A002  # -All
    limit: int | None = None,
    order: Order = "asc",
    include: str | Sequence[str] = (),
    **options: Unpack[CmdletOptions],
) -> models.RunStepObject | Walk[models.RunStepObject] | Page[models.RunStepObject]:
    """Reads run steps, as the cmdlet `Get-ThreadRunStep` does.

    Args:
        run_id: a run, an object or mapping with a `run_id` and `thread_id`, or a run's id (-RunId), or an
            iterable of such
        thread_id: the thread of a run that is given as an id (-ThreadId)
        step_id: the step's id: then that step is read (-StepId)
        all: whether to walk over all steps; `limit` is then ignored (-All)
        limit: the most that the page of each may hold, 1 to 100; None: 20, and a warning where there are more (-Limit)
        order: by creation, "asc" or "desc" (-Order)
        include: what else to send: one value or several, such as `facade.FILE_SEARCH_RESULT_CONTENT` (-Include)
        options: as of `get_thread_run`

    Returns:
        With `step_id` the step, with `all` a `Walk`, else a `Page`.

    Raises:
        TypeError: `step_id` together with `all` or `limit`: they are of different parameter sets.
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    steps = make_client(get_thread_run_step, options).steps
    _one_set("step_id", step_id, all, limit)
    if step_id is not None:
        return steps.get(run_id, step_id, thread_id=thread_id, include=include)
    if all:
        return steps.all(run_id, thread_id=thread_id, order=order, include=include)
    ask = partial(steps.list, thread_id=thread_id, order=order, include=include)
    return _first_pages(run_id, limit, ask, lambda run: f"run {run_key(run, thread_id).run_id}")


@overload
def get_thread_message(
    thread_id: ThreadLike, message_id: MessageLike, **options: Unpack[_OfOne]
) -> models.MessageObject: ...
@overload
def get_thread_message(
    thread_id: _Threads, message_id: None = None, *, all: Literal[True], **options: Unpack[_OfMessages]
) -> Walk[models.MessageObject]: ...
@overload
def get_thread_message(
    thread_id: _Threads, message_id: None = None, *, all: Literal[False] = False, **options: Unpack[_OfMessages]
) -> Page[models.MessageObject]: ...
@overload
def get_thread_message(
    thread_id: _Threads, message_id: None = None, *, all: bool, **options: Unpack[_OfMessages]
) -> Walk[models.MessageObject] | Page[models.MessageObject]: ...
def get_thread_message(
    thread_id: Any,
    message_id: MessageLike | None = None,
    *,
    all: bool = False,  # noqa: A002  # -All
    limit: int | None = None,
    order: Order = "asc",
    run_id: str | None = None,
    **options: Unpack[CmdletOptions],
) -> models.MessageObject | Walk[models.MessageObject] | Page[models.MessageObject]:
    """Reads messages, as the cmdlet `Get-ThreadMessage` does.

    Args:
        thread_id: as of `get_thread_run` (-ThreadId)
        message_id: the message's id, or the run step that made it: then that message is read (-MessageId)
        all, limit, order: as of `get_thread_run`
        run_id: only the messages that this run made; None for all (-RunId)
        options: as of `get_thread_run`

    Returns:
        With `message_id` the message, with `all` a `Walk`, else a `Page`.

    Raises:
        TypeError: `message_id` together with `all`, `limit` or `run_id`: they are of different parameter sets.
        ValueError, TypeError, ConfigurationError, APIError: as `facade.Client` and its methods raise them.
    """
    messages = make_client(get_thread_message, options).messages
    _one_set("message_id", message_id, all or run_id is not None, limit)
    if message_id is not None:
        return messages.get(thread_id, message_id)
    if all:
        return messages.all(thread_id, run_id=run_id, order=order)
    return _first_pages(thread_id, limit, partial(messages.list, run_id=run_id, order=order), _thread)


def spell_out(function: Any) -> None:
    """Shows the options one by one, with their defaults, where Python would show `**options`."""
    signature, of_client = inspect.signature(function), inspect.signature(Client).parameters
    shown = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Client | None")
    for name in CMDLET_OPTIONS:
        shown.append(of_client.get(name, client).replace(kind=inspect.Parameter.KEYWORD_ONLY))
    function.__signature__ = signature.replace(parameters=shown)


spell_out(get_thread_run)
spell_out(get_thread_run_step)
spell_out(get_thread_message)
