"""An attempt is paid for once, whatever the provider refuses in between."""

import msgspec
import pytest

from batch_client import (
    CreateOutcomeUnknown,
    ProtocolError,
    QuotaError,
)
from batchyard.domain.step import Next, Step
from batchyard.shards.failed_calls import MOST_FAILURES_IN_A_ROW
from batchyard.shards.lost_create import BETWEEN_LOOKS, LISTED_WITHIN, LONGEST_CREATE, LOOKS
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.failures import Failure, each_failure
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def lose_the_answer(services: MemoryServices) -> None:
    """Let the provider make the batch, and lose its answer."""
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    assert submit(services, FIRST).next == "submit"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert shard.attempt is not None
    assert shard.attempt.creating_at is not None
    services.provider.create_batch(
        input_file_id=shard.file_id or "", endpoint=shard.endpoint, completion_window="24h",
        metadata={"batchyard_attempt": shard.attempt_key},
    )  # fmt: skip
    services.provider.calls.clear()
    services.now_is += 60


def look_in_vain(services: MemoryServices) -> None:
    """Look for a lost create as often as it takes; the next step makes another if enough time has passed, too."""
    for _ in range(LOOKS - 1):
        assert submit(services, FIRST).next == "submit"
        services.wait(BETWEEN_LOOKS)


@each_failure
def test_a_look_up_that_fails_never_leads_to_a_second_batch(failure: Failure) -> None:
    services = planned()
    lose_the_answer(services)
    services.provider.trouble["find_batch"] = [failure.error("find_batch")] * 2  # a refused key is tried again once
    step = submit(services, FIRST)
    assert (step.next, step.wait_seconds >= 30) == ("submit", True)
    services.provider.trouble.clear()
    assert submit(services, FIRST).next == "poll"
    assert "create_batch" not in services.provider.calls
    assert list(services.provider.batches) == ["pb-0"]


def test_a_lost_create_is_looked_for_until_it_would_be_listed_and_then_made_again() -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    lost_at = services.now()
    assert services.batch_store.kept[BATCH_ID, 0].attempts[0].lost_at == lost_at
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, BETWEEN_LOOKS)
    services.wait(LISTED_WITHIN - 1)
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, 1)
    services.wait(1)
    assert submit(services, FIRST).next == "poll"
    assert services.provider.calls == ["create_file", "create_batch", *["find_batch"] * 3, "create_batch"]


def test_a_lost_create_is_found_where_the_provider_keeps_no_metadata() -> None:
    services = planned()
    lose_the_answer(services)
    (made,) = services.provider.batches.values()
    services.provider.batches[made.id] = msgspec.structs.replace(made, metadata={})
    services.provider.trouble.clear()
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].attempts[-1].provider_batch_id == made.id


def test_however_late_a_lost_create_is_looked_for_one_look_at_the_list_is_not_enough() -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    for _ in range(LOOKS - 1):
        services.wait(10 * LISTED_WITHIN)
        assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, BETWEEN_LOOKS)
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].attempts[0].lookups == 0
    assert services.provider.calls[-2:] == ["find_batch", "create_batch"]


class Killed(BaseException):
    """The end of a worker that could write nothing more."""


def die() -> None:
    raise Killed


def test_a_create_whose_worker_was_killed_is_looked_for_as_long_as_it_may_be_on_its_way() -> None:
    services = planned()
    services.provider.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    killed = services.batch_store.kept[BATCH_ID, 0].attempts[0]
    assert (killed.creating_at, killed.lost_at, killed.provider_batch_id) == (services.now(), None, None)
    services.wait(LONGEST_CREATE - LISTED_WITHIN)
    look_in_vain(services)
    assert submit(services, FIRST).next == "poll"
    assert len(services.provider.batches) == 1


def test_a_create_whose_worker_was_killed_after_it_worked_is_adopted() -> None:
    services = planned()
    services.provider.on_the_way_back["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    assert submit(services, FIRST).next == "poll"
    attempt = services.batch_store.kept[BATCH_ID, 0].attempts[0]
    assert (attempt.provider_batch_id, list(services.provider.batches)) == ("pb-0", ["pb-0"])


def test_a_create_that_was_made_again_and_lost_again_has_its_own_time() -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("lost")]
    submit(services, FIRST)
    look_in_vain(services)
    services.provider.meanwhile["create_batch"] = die
    with pytest.raises(Killed):
        submit(services, FIRST)
    look_in_vain(services)
    services.wait(LONGEST_CREATE - LISTED_WITHIN - 1)
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, 1)


def test_a_cancelled_batch_ends_though_nobody_can_tell_what_became_of_a_lost_create() -> None:
    services = planned(max_enqueued_tokens="1000")
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.provider.trouble["find_batch"] = [ProtocolError("no way on") for _ in range(2 * MOST_FAILURES_IN_A_ROW)]
    started = services.now()
    while (step := submit(services, FIRST)).next == "submit":
        services.wait(step.wait_seconds)
    assert services.now() - started < 2 * 3_600
    assert [
        services.account().token_ledgers.read(name).enqueued for name in services.account().token_ledgers.names()
    ] == [0]


def test_a_batch_cancelled_during_the_upload_is_not_created_at_the_provider() -> None:
    services = planned()
    services.provider.meanwhile["create_file"] = lambda: services.batch_store.move_batch(
        BATCH_ID, "cancelling", services.now()
    )
    assert submit(services, FIRST).next == "done"
    assert services.provider.batches == {}
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "batch_cancelled"


def test_an_empty_account_pauses_the_batch_until_it_works_again() -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [QuotaError("pay first", status=402)]
    submit(services, FIRST)
    assert "pay first" in (services.batch_store.batch(BATCH_ID).paused or "")
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.batch(BATCH_ID).paused is None


def test_a_second_run_after_success_goes_on_to_poll_without_another_batch() -> None:
    services = planned()
    assert [submit(services, FIRST).next for _ in range(3)] == ["poll"] * 3
    assert services.provider.calls == ["create_file", "create_batch"]
    assert services.batch_store.links == {(services.account().name, "pb-0"): (BATCH_ID, 0)}


def test_what_is_uploaded_is_the_input_s_own_bytes() -> None:
    services = planned()
    submit(services, FIRST)
    assert list(services.provider.files.values()) == [services.bucket.stored["inbox/default/requests.jsonl"]]
