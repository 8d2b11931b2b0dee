"""Other people's clients read what the server serves: openai's SDK, and Azure's for agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from facade.server import serve, write_sample
from facade.server.sample import EMPTY_THREAD_ID
from facade.server.sample_parts import SAMPLE_THREAD_ID

RUNS = [f"run_bakery_{number:02}" for number in range(1, 13)]


@pytest.fixture(scope="module", params=[False, True], ids=["server", "archive"])
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, without a path, of a server of the sample: as the API would serve it, or as an archive."""
    path = tmp_path_factory.mktemp("official") / "sample.db"
    write_sample(path)
    with serve(path, prefix="", whole=request.param) as address:
        yield address


class TestOpenAI:
    """openai's SDK, pages of two so that it has to go on."""

    @pytest.fixture(params=["/v1", ""])
    def client(self, request: pytest.FixtureRequest, origin: str) -> Iterator[Any]:
        """With and without a path."""
        openai = pytest.importorskip("openai")
        with openai.OpenAI(api_key="any", base_url=origin + request.param) as client:
            yield client.beta

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize("headers", [{}, {"OpenAI-Beta": ""}], ids=["beta", "no beta"])
    def test_it_reads_everything(self, client: Any, headers: dict[str, str]) -> None:
        """Threads, messages, runs, steps and the assistant, one and many."""
        options: dict[str, Any] = {"extra_headers": headers}
        assert client.threads.retrieve(SAMPLE_THREAD_ID, **options).id == SAMPLE_THREAD_ID
        runs = list(client.threads.runs.list(SAMPLE_THREAD_ID, order="asc", limit=2, **options))
        assert [run.id for run in runs] == RUNS
        run = client.threads.runs.retrieve(RUNS[2], thread_id=SAMPLE_THREAD_ID, **options)
        assert run == runs[2]
        steps = list(
            client.threads.runs.steps.list(run.id, thread_id=SAMPLE_THREAD_ID, order="asc", limit=1, **options)
        )
        assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
        step = client.threads.runs.steps.retrieve(steps[0].id, thread_id=SAMPLE_THREAD_ID, run_id=run.id, **options)
        assert step == steps[0]
        made = steps[2].step_details.message_creation.message_id
        message = client.threads.messages.retrieve(made, thread_id=SAMPLE_THREAD_ID, **options)
        assert "65.50" in message.content[0].text.value
        messages = list(client.threads.messages.list(SAMPLE_THREAD_ID, limit=5, run_id=run.id, **options))
        assert messages == [message]
        assert client.assistants.retrieve(run.assistant_id, **options).name == "Counter"
        assert list(client.threads.runs.list(EMPTY_THREAD_ID, **options)) == []


class TestAzure:
    """azure-ai-agents, which sends an api-version and no OpenAI-Beta."""

    @pytest.fixture(params=["", "/api/projects/bakery"])
    def client(self, request: pytest.FixtureRequest, origin: str) -> Iterator[Any]:
        """With and without a project's path."""
        agents = pytest.importorskip("azure.ai.agents")
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy

        key: Any = AzureKeyCredential("any")
        policy = AzureKeyCredentialPolicy(key, "api-key")  # Azure's own tokens are not sent over plain http
        with agents.AgentsClient(origin + request.param, key, authentication_policy=policy) as client:
            yield client

    def test_it_reads_everything(self, client: Any) -> None:
        """Threads, messages, runs, steps and the assistant, one and many."""
        from azure.ai.agents.models import ListSortOrder

        assert SAMPLE_THREAD_ID in [thread.id for thread in client.threads.list(limit=1)]
        assert client.threads.get(SAMPLE_THREAD_ID).id == SAMPLE_THREAD_ID
        order = ListSortOrder.ASCENDING
        assert [run.id for run in client.runs.list(SAMPLE_THREAD_ID, limit=2, order=order)] == RUNS
        run = client.runs.get(SAMPLE_THREAD_ID, RUNS[2])
        steps = list(client.run_steps.list(SAMPLE_THREAD_ID, run.id, limit=1, order=order))
        assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
        assert client.run_steps.get(SAMPLE_THREAD_ID, run.id, steps[0].id).id == steps[0].id
        made = steps[2].step_details.message_creation.message_id
        assert "65.50" in client.messages.get(SAMPLE_THREAD_ID, made).text_messages[0].text.value
        assert made in [message.id for message in client.messages.list(SAMPLE_THREAD_ID, limit=5, run_id=run.id)]
        assert client.get_agent(run.agent_id).name == "Counter"
        assert list(client.runs.list(EMPTY_THREAD_ID)) == []
