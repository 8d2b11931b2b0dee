"""What calls give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import Api
from wire import (
    PAGE,
    RUN,
    STEP,
    Serve,
    a_page,
    a_run,
    a_step,
    answer,
    ids,
    runs,
)

import facade


class TestAnswers:
    """What calls give."""

    def test_get(self, api: Api, serve: Serve) -> None:
        """`get` gives a typed run, its fields under the wire's names."""
        run = api.client(serve(RUN)).runs.get("thread_1", "run_1")
        assert type(run) is facade.Run
        assert (run.id, run.object_, run.status, run.model) == ("run_1", "thread.run", "completed", "gpt-4o")
        assert run.usage is not None
        assert run.usage.total_tokens == 42
        assert run.to_dict() == a_run()

    def test_get_step(self, api: Api, serve: Serve) -> None:
        """`steps.get` gives a typed step, its details by their type."""
        step = api.client(serve(STEP)).steps.get(a_run(), "step_1")
        assert type(step) is facade.RunStep
        assert (step.id, step.type_, step.run_id) == ("step_1", "message_creation", "run_1")
        assert isinstance(step.step_details, facade.MessageCreation)
        assert step.step_details.message_creation.message_id == "msg_1"

    def test_refresh(self, api: Api, serve: Serve) -> None:
        """`refresh` reads the same run or step afresh and leaves the one given as it is."""
        client = api.client(serve(answer(a_run(status="queued")), RUN, answer(a_step(status="in_progress")), STEP))
        run = client.runs.get("thread_1", "run_1")
        fresh = client.runs.refresh(run)
        assert (run.status, fresh.status) == ("queued", "completed")
        step = client.steps.get(fresh, "step_1")
        assert client.steps.refresh(step).status == "completed"
        assert step.status == "in_progress"

    @pytest.mark.parametrize(
        "step", ["step_1", b"step_1", {"id": "step_1"}, {"run_id": "run_1"}, None, a_run()], ids=str
    )
    def test_refresh_of_no_step(self, api: Api, serve: Serve, step: Any) -> None:
        """What does not know its run and thread cannot be refreshed."""
        server = serve(STEP)
        with pytest.raises((ValueError, TypeError)):
            api.client(server).steps.refresh(step)
        assert not server.requests

    def test_page(self, api: Api, serve: Serve) -> None:
        """A page is a sequence with data, has_more, first_id and last_id."""
        page = api.client(serve(answer(a_page(runs(3), True)))).runs.list("thread_1")
        assert isinstance(page, facade.Page)
        assert isinstance(page, Sequence)
        assert len(page) == 3
        assert ids(page) == ids(page.data) == ["run_1", "run_2", "run_3"]
        assert (page[0].id, page[-1].id, ids(page[1:])) == ("run_1", "run_3", ["run_2", "run_3"])
        assert page[1] in page
        assert (page.has_more, page.first_id, page.last_id) == (True, "run_1", "run_3")
        with pytest.raises(IndexError):
            page[3]
        assert "3 items" in repr(page)

    def test_small_page(self, api: Api, serve: Serve) -> None:
        """A page that is only its data has no more, and None for its ids."""
        page = api.client(serve(answer({"data": []}))).runs.list("thread_1")
        assert (len(page), page.has_more, page.first_id, page.last_id) == (0, False, None, None)
        assert not page

    def test_walk(self, api: Api, serve: Serve) -> None:
        """A walk is an iterator and a context manager with `close` and `after`."""
        walk = api.client(serve(PAGE)).runs.all("thread_1", after="run_0")
        target = getattr(walk, "target", walk)
        assert isinstance(target, facade.Walk if api.kind == "sync" else facade.AsyncWalk)
        assert iter(walk) is walk
        with walk:
            assert walk.after == "run_0"
            assert next(walk).id == "run_1"
            assert walk.after == "run_1"
        assert list(walk) == []
        assert walk.after == "run_1"
        walk.close()


def test_to_dict_is_json(api: Api, serve: Serve) -> None:
    """What `to_dict` gives can be written as JSON as it is."""
    for run in api.client(serve(PAGE)).runs.list("thread_1"):
        assert json.loads(json.dumps(run.to_dict())) == run.to_dict()
