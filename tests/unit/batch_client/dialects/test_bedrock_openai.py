"""OpenAI's batches on Bedrock, call by call: as OpenAI's, but for the places of inputs and results."""

import json
from typing import Any

import pytest

from batch_client import (
    BedrockOpenAIDialect,
    CreateOutcomeUnknown,
    InvalidArgumentError,
    Job,
    NotFoundError,
    State,
    TokenLimitError,
)
from batch_client import speak as speak_as
from batch_client.sources import BytesSource
from tests.fakes.objects import ROLE, MemoryObjects
from tests.unit.batch_client.dialects.test_bedrock import refusal
from tests.unit.batch_client.fake_service import BATCH, KEY, FakeService, Step, answer, client_of, page, reset

BASE = "https://bedrock-runtime.eu-central-1.amazonaws.com"
MODEL = "openai.gpt-oss-120b-1:0"
JOB = Job(
    key="batch_1/0/2", labels={"stack": "yard"}, endpoint="/v1/chat/completions", model=MODEL, window="24h", count=1,
    filename="in.jsonl", prepared="s3://bucket/p/in.jsonl",
)  # fmt: skip
LINE = b'{"custom_id": "\xc3\xbc 1", "body": {"a": 1.0}}\n'
LINES = BytesSource(LINE)


def speak(*steps: Step, objects: MemoryObjects | None = None) -> tuple[BedrockOpenAIDialect, FakeService]:
    client, service = client_of(*steps, base_url=BASE, profile="bedrock-openai-key")
    return BedrockOpenAIDialect(client, "key", objects or MemoryObjects()), service


def batch(status: str = "in_progress", completed: int = 0, **more: Any) -> dict[str, Any]:
    return {
        **BATCH, "id": "b1", "status": status, "input_file_id": JOB.prepared, "metadata": {"key": JOB.key, "stack": "yard"},
        "request_counts": {"total": 1, "completed": completed, "failed": 0}, **more,
    }  # fmt: skip


def test_an_input_is_written_as_it_is() -> None:
    objects = MemoryObjects()
    dialect, _ = speak(answer({}), objects=objects)
    made = dialect.prepare(JOB, LINES)
    assert made is not None
    assert objects.stored == {made.id: LINE} == {"s3://bucket/p/in.jsonl": LINE}
    assert dialect.prepared(made.id) == made


def test_a_create_carries_the_role_and_the_model_and_no_other_call_does() -> None:
    dialect, service = speak(answer(batch("validating")))
    made = dialect.submit(JOB, LINES)
    assert (made.id, made.key, made.labels, made.input) == ("b1", JOB.key, JOB.labels, JOB.prepared)
    dialect.look("b1")
    create, look = service.sent
    assert (create.method, create.url) == ("POST", f"{BASE}/openai/v1/batches")
    assert create.headers["X-Amzn-Bedrock-RoleArn"] == ROLE
    assert create.headers["X-Amzn-Bedrock-ModelId"] == MODEL
    assert create.headers["Authorization"] == f"Bearer {KEY}"
    assert json.loads(create.body) == {
        "input_file_id": JOB.prepared, "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": {"key": JOB.key, "stack": "yard"},
    }  # fmt: skip
    assert not [name for name in look.headers if name.lower().startswith("x-amzn")]


def test_refusals_are_those_of_bedrock_and_a_lost_create_is_looked_for_by_its_key() -> None:
    dialect, _ = speak(refusal("ServiceQuotaExceededException", "Too many jobs"))
    with pytest.raises(TokenLimitError):
        dialect.submit(JOB, LINES)
    dialect, _ = speak(reset(), answer(page(batch())))
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    found = dialect.find(JOB, 0)
    assert found is not None
    assert found.id == "b1"


@pytest.mark.parametrize("ends", [("out",), ("out", "err"), ("err",)])
def test_results_are_what_lies_beside_the_input(ends: tuple[str, ...]) -> None:
    objects = MemoryObjects()
    names = [objects.store(f"s3://bucket/p/b1/in.jsonl.{end}", b"") for end in ends]
    objects.store("s3://bucket/p/b2/in.jsonl.out", b"")
    dialect, _ = speak(answer(batch("completed", 1)), objects=objects)
    seen = dialect.look("b1")
    assert (seen.results, seen.state, seen.whole) == (tuple(names), State.ENDED, True)


def test_results_that_are_nowhere_are_told_by_the_counts_and_looked_for_where_the_service_says() -> None:
    dialect, _ = speak(answer(batch("completed", 1)))
    assert (dialect.look("b1").results, dialect.look("b1").whole) == ((), False)
    dialect, _ = speak(answer(batch("expired", 0)))
    assert (dialect.look("b1").results, dialect.look("b1").whole, dialect.look("b1").partial) == ((), True, True)
    dialect, _ = speak(answer(batch("completed", 1, output_file_id="s3://bucket/p/else.jsonl.out")))
    assert dialect.look("b1").results == ("s3://bucket/p/else.jsonl.out",)


def test_a_batch_of_a_list_names_results_by_the_rule_and_a_running_one_none() -> None:
    dialect, _ = speak(answer(page(batch("completed", 1), batch())))
    ended, running = dialect.jobs()
    assert ended.results == ("s3://bucket/p/b1/in.jsonl.out", "s3://bucket/p/b1/in.jsonl.err")
    assert running.results == ()


def test_a_batch_that_has_ended_is_stopped_by_nothing() -> None:
    dialect, _ = speak(refusal("ConflictException"), answer(batch("completed", 1)))
    assert dialect.stop("b1").status == "completed"


def test_results_are_read_as_they_are_and_forgotten() -> None:
    objects = MemoryObjects()
    name = objects.store("s3://bucket/p/b1/in.jsonl.out", LINE)
    dialect, _ = speak(answer({}), objects=objects)
    assert b"".join(dialect.read(name, ["x"])) == LINE
    assert dialect.forget(name)
    assert not dialect.forget(name)
    with pytest.raises(NotFoundError):
        b"".join(dialect.read(name))
    assert list(dialect.inputs()) == []


def test_a_request_on_its_own_goes_to_the_same_host() -> None:
    dialect, service = speak(answer({"usage": {}}))
    dialect.send("/v1/chat/completions", b"{}")
    assert service.sent[0].url == f"{BASE}/openai/v1/chat/completions"


def test_without_objects_it_can_be_looked_at_alone() -> None:
    client, _ = client_of(answer(batch("completed", 1)), base_url=BASE, profile="bedrock-openai-key")
    dialect = speak_as(client, "key")
    assert isinstance(dialect, BedrockOpenAIDialect)
    assert dialect.look("b1").results == ("s3://bucket/p/b1/in.jsonl.out", "s3://bucket/p/b1/in.jsonl.err")
    with pytest.raises(InvalidArgumentError, match="objects"):
        dialect.prepare(JOB, LINES)
