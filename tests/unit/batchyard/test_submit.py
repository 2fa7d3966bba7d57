"""An attempt is paid for once, whatever the provider refuses in between."""

import pytest

from batch_client import (
    APIStatusError,
    AuthenticationError,
    CreateOutcomeUnknown,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
)
from batchyard.shard import Step
from batchyard.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard
from tests.unit.batchyard.planned import planned

FIRST = Step(BATCH_ID, 0)
REFUSALS = [
    AuthenticationError("no", status=401),
    PermissionDeniedError("no", status=403),
    NotFoundError("no", status=404),
    QuotaError("no", status=429, type="insufficient_quota"),
    RateLimitError("no", status=429),
]


def lose_the_answer(yard: MemoryYard) -> None:
    """Let the provider make the batch, and lose its answer."""
    yard.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    assert submit(yard, FIRST).next == "submit"
    shard = yard.table.kept[BATCH_ID, 0]
    assert shard.attempt is not None
    assert shard.attempt.creating_at is not None
    yard.scripted.create_batch(
        input_file_id=shard.file_id or "", endpoint=shard.endpoint, completion_window="24h",
        metadata={"batchyard_attempt": shard.attempt_key},
    )  # fmt: skip
    yard.scripted.calls.clear()
    yard.now_is += 60


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refused_look_up_never_leads_to_a_second_batch(refusal: APIStatusError) -> None:
    yard = planned()
    lose_the_answer(yard)
    yard.scripted.trouble["find_batch"] = [refusal, refusal]
    step = submit(yard, FIRST)
    assert (step.next, step.wait_seconds >= 30) == ("submit", True)
    yard.scripted.trouble.clear()
    assert submit(yard, FIRST).next == "poll"
    assert "create_batch" not in yard.scripted.calls
    assert list(yard.scripted.batches) == ["pb-0"]


@pytest.mark.parametrize("refusal", REFUSALS[:-1], ids=lambda error: type(error).__name__)
def test_a_refused_create_made_no_batch_and_is_not_looked_for(refusal: APIStatusError) -> None:
    yard = planned()
    yard.scripted.trouble["create_batch"] = [refusal, refusal]  # a refused key is tried twice
    assert submit(yard, FIRST).next == "submit"
    yard.scripted.trouble.clear()
    assert submit(yard, FIRST).next == "poll"
    assert "find_batch" not in yard.scripted.calls
    assert len(yard.scripted.batches) == 1


def test_an_empty_account_pauses_the_batch_until_it_works_again() -> None:
    yard = planned()
    yard.scripted.trouble["create_batch"] = [QuotaError("pay first", status=402)]
    submit(yard, FIRST)
    assert "pay first" in (yard.table.batch(BATCH_ID).paused or "")
    assert submit(yard, FIRST).next == "poll"
    assert yard.table.batch(BATCH_ID).paused is None


def test_a_second_run_after_success_goes_on_to_poll_without_another_batch() -> None:
    yard = planned()
    assert [submit(yard, FIRST).next for _ in range(3)] == ["poll"] * 3
    assert yard.scripted.calls == ["create_file", "create_batch"]
    assert yard.table.others["PROVIDER#pb-0", "LINK"] == {"batch_id": BATCH_ID, "shard": 0}


def test_what_is_uploaded_is_the_input_s_own_bytes() -> None:
    yard = planned()
    submit(yard, FIRST)
    assert list(yard.scripted.files.values()) == [yard.bucket.stored["inbox/default/requests.jsonl"]]
