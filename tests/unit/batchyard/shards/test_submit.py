"""An attempt is paid for once, whatever the provider refuses in between."""

import msgspec
import pytest

from batch_client import (
    APIStatusError,
    AuthenticationError,
    CreateOutcomeUnknown,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
)
from batchyard.domain.shard import Step
from batchyard.shards.retries import MOST_SETBACKS
from batchyard.shards.submit import BETWEEN_LOOKS, LISTED_WITHIN, LONGEST_CREATE, LOOKS, submit
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


def look_in_vain(yard: MemoryYard) -> None:
    """Look for a lost create as often as it takes; the next step makes another if enough time has passed, too."""
    for _ in range(LOOKS - 1):
        assert submit(yard, FIRST).next == "submit"
        yard.wait(BETWEEN_LOOKS)


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


def test_a_lost_create_is_looked_for_until_it_would_be_listed_and_then_made_again() -> None:
    yard = planned()
    yard.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(yard, FIRST)
    lost_at = yard.now()
    assert yard.table.kept[BATCH_ID, 0].attempts[0].lost_at == lost_at
    assert submit(yard, FIRST) == FIRST.then("submit", BETWEEN_LOOKS)
    yard.wait(LISTED_WITHIN - 1)
    assert submit(yard, FIRST) == FIRST.then("submit", 1)
    yard.wait(1)
    assert submit(yard, FIRST).next == "poll"
    assert yard.scripted.calls == ["create_file", "create_batch", *["find_batch"] * 3, "create_batch"]


def test_a_lost_create_is_found_where_the_provider_keeps_no_metadata() -> None:
    yard = planned()
    lose_the_answer(yard)
    (made,) = yard.scripted.batches.values()
    yard.scripted.batches[made.id] = msgspec.structs.replace(made, metadata={})
    yard.scripted.trouble.clear()
    assert submit(yard, FIRST).next == "poll"
    assert yard.table.kept[BATCH_ID, 0].attempts[-1].provider_batch_id == made.id


def test_however_late_a_lost_create_is_looked_for_one_look_at_the_list_is_not_enough() -> None:
    yard = planned()
    yard.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(yard, FIRST)
    for _ in range(LOOKS - 1):
        yard.wait(10 * LISTED_WITHIN)
        assert submit(yard, FIRST) == FIRST.then("submit", BETWEEN_LOOKS)
    assert submit(yard, FIRST).next == "poll"
    assert yard.table.kept[BATCH_ID, 0].attempts[0].lookups == 0
    assert yard.scripted.calls[-2:] == ["find_batch", "create_batch"]


class Killed(BaseException):
    """The end of a worker that could write nothing more."""


def die() -> None:
    raise Killed


def test_a_create_whose_worker_was_killed_is_looked_for_as_long_as_it_may_be_on_its_way() -> None:
    yard = planned()
    yard.scripted.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(yard, FIRST)
    killed = yard.table.kept[BATCH_ID, 0].attempts[0]
    assert (killed.creating_at, killed.lost_at, killed.provider_batch_id) == (yard.now(), None, None)
    yard.wait(LONGEST_CREATE - LISTED_WITHIN)
    look_in_vain(yard)
    assert submit(yard, FIRST).next == "poll"
    assert len(yard.scripted.batches) == 1


def test_a_create_whose_worker_was_killed_after_it_worked_is_adopted() -> None:
    yard = planned()
    yard.scripted.on_the_way_back["create_batch"] = die
    with pytest.raises(Killed):
        submit(yard, FIRST)
    assert submit(yard, FIRST).next == "poll"
    attempt = yard.table.kept[BATCH_ID, 0].attempts[0]
    assert (attempt.provider_batch_id, list(yard.scripted.batches)) == ("pb-0", ["pb-0"])


def test_a_create_that_was_made_again_and_lost_again_has_its_own_time() -> None:
    yard = planned()
    yard.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("lost")]
    submit(yard, FIRST)
    look_in_vain(yard)
    yard.scripted.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(yard, FIRST)
    look_in_vain(yard)
    yard.wait(LONGEST_CREATE - LISTED_WITHIN - 1)
    assert submit(yard, FIRST) == FIRST.then("submit", 1)


def test_a_cancelled_batch_ends_though_nobody_can_tell_what_became_of_a_lost_create() -> None:
    yard = planned(max_enqueued_tokens="1000")
    yard.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(yard, FIRST)
    yard.table.move_batch(BATCH_ID, "cancelling", yard.now())
    yard.scripted.trouble["find_batch"] = [ProtocolError("no way on") for _ in range(2 * MOST_SETBACKS)]
    started = yard.now()
    while (step := submit(yard, FIRST)).next == "submit":
        yard.wait(step.wait_seconds)
    assert yard.now() - started < 2 * 3_600
    assert [yard.room.read(name).enqueued for name in yard.room.names()] == [0]


def test_a_batch_cancelled_during_the_upload_is_not_created_at_the_provider() -> None:
    yard = planned()
    yard.scripted.meanwhile["create_file"] = lambda: yard.table.move_batch(BATCH_ID, "cancelling", yard.now())
    assert submit(yard, FIRST).next == "done"
    assert yard.scripted.batches == {}
    reason = yard.table.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "batch_cancelled"


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
    assert yard.table.others["PROVIDER#pb-0", "LINK"] == {
        "batch_id": BATCH_ID, "shard": 0, "expires_at_ttl": yard.table.batch(BATCH_ID).expires_at_ttl,
    }  # fmt: skip


def test_what_is_uploaded_is_the_input_s_own_bytes() -> None:
    yard = planned()
    submit(yard, FIRST)
    assert list(yard.scripted.files.values()) == [yard.bucket.stored["inbox/default/requests.jsonl"]]
