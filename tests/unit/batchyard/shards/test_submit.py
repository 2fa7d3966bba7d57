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
from batchyard.domain.step import Next, Step
from batchyard.shards.retries import MOST_FAILURES_IN_A_ROW
from batchyard.shards.submit import BETWEEN_LOOKS, LISTED_WITHIN, LONGEST_CREATE, LOOKS, submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryServices
from tests.unit.batchyard.planned import planned

FIRST = Step(BATCH_ID, 0)
REFUSALS = [
    AuthenticationError("no", status=401),
    PermissionDeniedError("no", status=403),
    NotFoundError("no", status=404),
    QuotaError("no", status=429, type="insufficient_quota"),
    RateLimitError("no", status=429),
]


def lose_the_answer(services: MemoryServices) -> None:
    """Let the provider make the batch, and lose its answer."""
    services.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    assert submit(services, FIRST).next == "submit"
    shard = services.table.kept[BATCH_ID, 0]
    assert shard.attempt is not None
    assert shard.attempt.creating_at is not None
    services.scripted.create_batch(
        input_file_id=shard.file_id or "", endpoint=shard.endpoint, completion_window="24h",
        metadata={"batchyard_attempt": shard.attempt_key},
    )  # fmt: skip
    services.scripted.calls.clear()
    services.now_is += 60


def look_in_vain(services: MemoryServices) -> None:
    """Look for a lost create as often as it takes; the next step makes another if enough time has passed, too."""
    for _ in range(LOOKS - 1):
        assert submit(services, FIRST).next == "submit"
        services.wait(BETWEEN_LOOKS)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refused_look_up_never_leads_to_a_second_batch(refusal: APIStatusError) -> None:
    services = planned()
    lose_the_answer(services)
    services.scripted.trouble["find_batch"] = [refusal, refusal]
    step = submit(services, FIRST)
    assert (step.next, step.wait_seconds >= 30) == ("submit", True)
    services.scripted.trouble.clear()
    assert submit(services, FIRST).next == "poll"
    assert "create_batch" not in services.scripted.calls
    assert list(services.scripted.batches) == ["pb-0"]


def test_a_lost_create_is_looked_for_until_it_would_be_listed_and_then_made_again() -> None:
    services = planned()
    services.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    lost_at = services.now()
    assert services.table.kept[BATCH_ID, 0].attempts[0].lost_at == lost_at
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, BETWEEN_LOOKS)
    services.wait(LISTED_WITHIN - 1)
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, 1)
    services.wait(1)
    assert submit(services, FIRST).next == "poll"
    assert services.scripted.calls == ["create_file", "create_batch", *["find_batch"] * 3, "create_batch"]


def test_a_lost_create_is_found_where_the_provider_keeps_no_metadata() -> None:
    services = planned()
    lose_the_answer(services)
    (made,) = services.scripted.batches.values()
    services.scripted.batches[made.id] = msgspec.structs.replace(made, metadata={})
    services.scripted.trouble.clear()
    assert submit(services, FIRST).next == "poll"
    assert services.table.kept[BATCH_ID, 0].attempts[-1].provider_batch_id == made.id


def test_however_late_a_lost_create_is_looked_for_one_look_at_the_list_is_not_enough() -> None:
    services = planned()
    services.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    for _ in range(LOOKS - 1):
        services.wait(10 * LISTED_WITHIN)
        assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, BETWEEN_LOOKS)
    assert submit(services, FIRST).next == "poll"
    assert services.table.kept[BATCH_ID, 0].attempts[0].lookups == 0
    assert services.scripted.calls[-2:] == ["find_batch", "create_batch"]


class Killed(BaseException):
    """The end of a worker that could write nothing more."""


def die() -> None:
    raise Killed


def test_a_create_whose_worker_was_killed_is_looked_for_as_long_as_it_may_be_on_its_way() -> None:
    services = planned()
    services.scripted.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    killed = services.table.kept[BATCH_ID, 0].attempts[0]
    assert (killed.creating_at, killed.lost_at, killed.provider_batch_id) == (services.now(), None, None)
    services.wait(LONGEST_CREATE - LISTED_WITHIN)
    look_in_vain(services)
    assert submit(services, FIRST).next == "poll"
    assert len(services.scripted.batches) == 1


def test_a_create_whose_worker_was_killed_after_it_worked_is_adopted() -> None:
    services = planned()
    services.scripted.on_the_way_back["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    assert submit(services, FIRST).next == "poll"
    attempt = services.table.kept[BATCH_ID, 0].attempts[0]
    assert (attempt.provider_batch_id, list(services.scripted.batches)) == ("pb-0", ["pb-0"])


def test_a_create_that_was_made_again_and_lost_again_has_its_own_time() -> None:
    services = planned()
    services.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("lost")]
    submit(services, FIRST)
    look_in_vain(services)
    services.scripted.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    look_in_vain(services)
    services.wait(LONGEST_CREATE - LISTED_WITHIN - 1)
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, 1)


def test_a_cancelled_batch_ends_though_nobody_can_tell_what_became_of_a_lost_create() -> None:
    services = planned(max_enqueued_tokens="1000")
    services.scripted.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    services.table.move_batch(BATCH_ID, "cancelling", services.now())
    services.scripted.trouble["find_batch"] = [ProtocolError("no way on") for _ in range(2 * MOST_FAILURES_IN_A_ROW)]
    started = services.now()
    while (step := submit(services, FIRST)).next == "submit":
        services.wait(step.wait_seconds)
    assert services.now() - started < 2 * 3_600
    assert [services.room.read(name).enqueued for name in services.room.names()] == [0]


def test_a_batch_cancelled_during_the_upload_is_not_created_at_the_provider() -> None:
    services = planned()
    services.scripted.meanwhile["create_file"] = lambda: services.table.move_batch(
        BATCH_ID, "cancelling", services.now()
    )
    assert submit(services, FIRST).next == "done"
    assert services.scripted.batches == {}
    reason = services.table.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "batch_cancelled"


@pytest.mark.parametrize("refusal", REFUSALS[:-1], ids=lambda error: type(error).__name__)
def test_a_refused_create_made_no_batch_and_is_not_looked_for(refusal: APIStatusError) -> None:
    services = planned()
    services.scripted.trouble["create_batch"] = [refusal, refusal]  # a refused key is tried twice
    assert submit(services, FIRST).next == "submit"
    services.scripted.trouble.clear()
    assert submit(services, FIRST).next == "poll"
    assert "find_batch" not in services.scripted.calls
    assert len(services.scripted.batches) == 1


def test_an_empty_account_pauses_the_batch_until_it_works_again() -> None:
    services = planned()
    services.scripted.trouble["create_batch"] = [QuotaError("pay first", status=402)]
    submit(services, FIRST)
    assert "pay first" in (services.table.batch(BATCH_ID).paused or "")
    assert submit(services, FIRST).next == "poll"
    assert services.table.batch(BATCH_ID).paused is None


def test_a_second_run_after_success_goes_on_to_poll_without_another_batch() -> None:
    services = planned()
    assert [submit(services, FIRST).next for _ in range(3)] == ["poll"] * 3
    assert services.scripted.calls == ["create_file", "create_batch"]
    assert services.table.links == {"pb-0": (BATCH_ID, 0)}


def test_what_is_uploaded_is_the_input_s_own_bytes() -> None:
    services = planned()
    submit(services, FIRST)
    assert list(services.scripted.files.values()) == [services.fake_bucket.stored["inbox/default/requests.jsonl"]]
