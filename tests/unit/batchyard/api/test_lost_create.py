"""What a person may say of a create whose answer was lost, where the provider lists no batches."""

from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from batch_client import (
    AuthenticationError,
    BadRequestError,
    CannotTell,
    CreateOutcomeUnknown,
    RequestCounts,
    ServerError,
)
from batchyard.api import lost_create
from batchyard.api.batches import cancel_batch, resume_batch
from batchyard.domain.attempt import Attempt
from batchyard.domain.errors import ApiError, StaleRecord
from batchyard.domain.job import ATTEMPT_LABEL, CLOCK_SKEW
from batchyard.domain.step import Step
from batchyard.recovery.advance import advance
from batchyard.shards.lost_create import LONGEST_CREATE
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
NO_LIST = BadRequestError("Method Not Allowed", status=405)
NONE = {"provider_batch_id": None}


def lost(*shards: int, made: bool = True, lines: int = 3, **settings: int) -> MemoryServices:
    """Make services that lost the answer to the creates of these shards, at a provider that lists no batches."""
    services = planned(max_requests_per_shard=lines, **settings)
    for shard in shards or (0,):
        services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
        submit(services, Step(BATCH_ID, shard))
        if made:
            make(services, shard)
    services.wait(LONGEST_CREATE)
    services.provider.trouble["find_batch"] = [NO_LIST] * 100
    for shard in shards or (0,):
        submit(services, Step(BATCH_ID, shard))
    services.provider.calls.clear()
    return services


def make(services: MemoryServices, shard: int = 0, **members: Any) -> str:
    """Have the provider make the batch of a shard, or one that is much like it; answer its id."""
    known = services.batch_store.kept[BATCH_ID, shard]
    batch = services.provider.make(known.file_id or "", known.endpoint, "24h", {ATTEMPT_LABEL: known.attempt_key})
    services.provider.batches[batch.id] = msgspec.structs.replace(batch, **members)
    return batch.id


def say(services: MemoryServices, body: object) -> dict[str, Any]:
    """Resume the batch with a body, and have done what that asks for."""
    shape = resume_batch(services, "default", BATCH_ID, body)
    for asked in services.advance_function.invoked:
        advance(services, str(asked["batch_id"]), int(str(asked["shard"])))
    services.advance_function.invoked.clear()
    return shape


def refused(services: MemoryServices, body: object) -> ApiError:
    with pytest.raises(ApiError) as raised:
        say(services, body)
    return raised.value


def attempt(services: MemoryServices, shard: int = 0) -> Attempt:
    return services.batch_store.kept[BATCH_ID, shard].attempts[-1]


def paused(services: MemoryServices) -> str:
    return services.batch_store.batch(BATCH_ID).paused or ""


def created(services: MemoryServices) -> int:
    return services.provider.calls.count("create_batch")


def test_the_batch_says_the_exact_command_for_both_answers() -> None:
    reason = paused(lost())
    assert f'send POST /v1/batches/{BATCH_ID}/resume {{"provider_batch_id": "its id", "shard": 0}}' in reason
    assert 'If there is none, send {"provider_batch_id": null, "shard": 0}' in reason


def test_a_batch_that_a_person_names_is_adopted() -> None:
    services = lost()
    say(services, {"provider_batch_id": "pb-0"})
    assert attempt(services).provider_batch_id == "pb-0"
    assert services.batch_store.linked(services.account().name, "pb-0") == (BATCH_ID, 0)
    assert (created(services), paused(services)) == (0, "")
    assert services.event_bus.announced[-1] == "resumed"


def test_a_batch_of_a_provider_without_metadata_is_known_by_its_file() -> None:
    services = lost(made=False)
    named = make(services, metadata={})
    say(services, {"provider_batch_id": named, "shard": 0})
    assert attempt(services).provider_batch_id == named


def test_if_a_person_says_that_there_is_none_it_is_created_again_of_the_same_file() -> None:
    services = lost(made=False)
    say(services, NONE)
    assert (created(services), services.provider.calls.count("create_file")) == (1, 0)
    assert attempt(services).provider_batch_id == "pb-0"
    assert paused(services) == ""


def test_nothing_is_created_before_a_person_said_so() -> None:
    services = lost(made=False)
    for _ in range(5):
        services.wait(600)
        say(services, {})
        submit(services, FIRST)
    assert created(services) == 0


def test_a_create_that_may_still_arrive_is_waited_for_though_a_person_saw_none() -> None:
    services = planned()
    services.provider.meanwhile["create_batch"] = _die
    with pytest.raises(_Killed):
        submit(services, FIRST)
    services.provider.trouble["find_batch"] = [NO_LIST] * 9
    services.wait(LONGEST_CREATE - 30)
    submit(services, FIRST)
    say(services, NONE)
    assert submit(services, FIRST).wait_seconds == 30
    assert len(services.provider.batches) == 0
    services.wait(30)
    assert submit(services, FIRST).next == "poll"


class _Killed(BaseException):
    pass


def _die() -> None:
    raise _Killed


def test_the_list_is_believed_rather_than_a_person_who_saw_none() -> None:
    services = lost()
    services.provider.trouble["find_batch"] = []
    say(services, NONE)
    assert (created(services), attempt(services).provider_batch_id) == (0, "pb-0")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "key": ({"metadata": {ATTEMPT_LABEL: "batch_other/0/1"}}, f"its metadata.{ATTEMPT_LABEL} is not {BATCH_ID}/0/1"),
    "no key": ({"metadata": {"other": "x"}}, f"its metadata.{ATTEMPT_LABEL} is not {BATCH_ID}/0/1"),
    "file": ({"metadata": {}, "input_file_id": "file-9"}, "its input_file_id is not file-0"),
    "no file": ({"metadata": {}, "input_file_id": None}, "its input_file_id is not file-0"),
    "count": ({"metadata": {}, "request_counts": RequestCounts(7, 0, 0)}, "it is of 7 requests, not of 3"),
    "age": ({"metadata": {}, "created_at": 1}, "its created_at is before 20"),
}  # fmt: skip


@pytest.mark.parametrize(("members", "words"), WRONG.values(), ids=WRONG)
def test_a_batch_that_is_another_is_not_adopted(members: dict[str, Any], words: str) -> None:
    services = lost(made=False)
    named = make(services, **members)
    say(services, {"provider_batch_id": named})
    assert attempt(services).provider_batch_id is None
    assert f"The batch that was named last was not taken: {named}: " in paused(services)
    assert words in paused(services)
    assert "batch_other" not in paused(services)  # it may be another tenant's
    services.wait(60)
    say(services, {"provider_batch_id": make(services)})
    assert (attempt(services).provider_batch_id, created(services)) == ("pb-1", 0)


def test_the_batch_of_an_earlier_attempt_is_not_adopted() -> None:
    services = lost()
    shard = services.batch_store.kept[BATCH_ID, 0]
    past = msgspec.structs.replace(attempt(services), number=0, provider_batch_id="pb-0", ended_at=1)
    services.batch_store.save_shard(shard, msgspec.structs.replace(shard, attempts=[past, *shard.attempts]))
    say(services, {"provider_batch_id": "pb-0"})
    assert attempt(services).provider_batch_id is None
    assert "its id is that of an earlier attempt" in paused(services)


def hidden(*, made: bool = False, asked: bool = True) -> MemoryServices:
    """Make services whose first shard lost its create at a provider that shows neither keys nor inputs; a sibling runs."""
    services = planned(max_requests_per_shard=1)
    services.provider.inline = True
    for shard in (0, 1):
        lose = services.provider.on_the_way_back if made else services.provider.meanwhile
        if not shard:
            lose["create_batch"] = _lose
        submit(services, Step(BATCH_ID, shard))
    services.wait(LONGEST_CREATE)
    if asked:
        services.provider.trouble["find_batch"] = [CannotTell("it shows too little")]
        submit(services, FIRST)
    services.provider.calls.clear()
    return services


def _lose() -> None:
    raise CreateOutcomeUnknown("the answer was lost")


def looks(services: MemoryServices) -> None:
    """Let the first shard look, until it does something else."""
    for _ in range(5):
        services.wait(600)
        submit(services, FIRST)


def test_the_running_batches_of_other_shards_are_no_reason_to_wait() -> None:
    services = hidden(asked=False)
    for _ in range(4):
        assert paused(services) == ""
        services.wait(submit(services, FIRST).wait_seconds)
    assert (created(services), attempt(services).provider_batch_id) == (1, "pb-1")


def test_a_batch_that_may_be_the_one_is_left_to_tell_by_its_end() -> None:
    services = hidden(made=True, asked=False)
    submit(services, FIRST)
    assert paused(services) == "", "a batch of another shard may be recorded soon"
    looks(services)
    assert "There is nothing to do: a later look tells" in paused(services)
    assert attempt(services).provider_batch_id is None
    services.provider.end("pb-0", "completed")
    looks(services)
    assert (attempt(services).provider_batch_id, created(services), paused(services)) == ("pb-0", 0, "")


def test_the_batch_of_another_shard_is_not_adopted() -> None:
    services = hidden()
    assert services.batch_store.linked(services.account().name, "pb-0") == (BATCH_ID, 1)
    services.provider.trouble["find_batch"] = [CannotTell("it shows too little")] * 2
    say(services, {"provider_batch_id": "pb-0", "shard": 0})
    assert attempt(services).provider_batch_id is None
    assert attempt(services).misnamed == "pb-0: its id is that of a batch of another shard"


@pytest.mark.parametrize("ours", [True, False])
def test_a_name_is_no_proof_where_a_batch_shows_nothing_of_its_origin(*, ours: bool) -> None:
    services = hidden(made=ours)
    named = "pb-0" if ours else make(services, input_file_id="file-0", metadata={ATTEMPT_LABEL: "others/0/1"})
    say(services, {"provider_batch_id": named})
    looks(services)
    assert (attempt(services).provider_batch_id, attempt(services).said, created(services)) == (None, named, 0)
    services.provider.end(named, "completed")
    submit(services, FIRST)
    assert attempt(services).provider_batch_id == (named if ours else None)
    assert ours or attempt(services).misnamed == f"{named}: its results do not show that it is of this shard's requests"


def test_a_clock_that_differs_is_no_reason_to_refuse_a_batch() -> None:
    services = lost(made=False)
    named = make(services, metadata={}, created_at=(attempt(services).creating_at or 0) - CLOCK_SKEW)
    say(services, {"provider_batch_id": named})
    assert attempt(services).provider_batch_id == named


def test_a_batch_that_the_provider_does_not_have_is_told_and_the_shard_waits_on() -> None:
    services = lost(made=False)
    say(services, {"provider_batch_id": "pb-77"})
    assert "was not taken: pb-77: retrieving it was answered 404: no such batch" in paused(services)
    assert (created(services), attempt(services).said) == (0, None)


@pytest.mark.parametrize("error", [ServerError("down", status=503), AuthenticationError("bad key", status=401)])
def test_a_named_batch_that_cannot_be_read_just_now_is_read_later(error: Any) -> None:
    services = lost()
    services.provider.trouble["retrieve_batch"] = [error] * 2
    say(services, {"provider_batch_id": "pb-0"})
    assert attempt(services).provider_batch_id is None
    services.wait(600)
    services.provider.trouble["retrieve_batch"] = []
    assert submit(services, FIRST).next == "poll"
    assert attempt(services).provider_batch_id == "pb-0"


def test_of_two_shards_that_wait_one_must_be_named() -> None:
    services = lost(0, 2, lines=1)
    error = refused(services, {"provider_batch_id": "pb-1"})
    assert (error.status, error.param) == (HTTPStatus.BAD_REQUEST, "shard")
    assert "Shards 0, 2 wait for this" in str(error)
    say(services, {"provider_batch_id": "pb-1", "shard": 2})
    say(services, {"provider_batch_id": "pb-0"})  # one alone is left
    assert [attempt(services, shard).provider_batch_id for shard in (0, 2)] == ["pb-0", "pb-1"]
    assert created(services) == 0


def test_the_batch_of_the_other_shard_is_not_adopted() -> None:
    services = lost(0, 2, lines=1)
    say(services, {"provider_batch_id": "pb-1", "shard": 0})
    assert attempt(services).provider_batch_id is None
    assert f"its metadata.{ATTEMPT_LABEL} is not {BATCH_ID}/0/1" in paused(services)


def test_a_word_that_is_repeated_changes_nothing() -> None:
    services = lost()
    for _ in range(3):
        assert say(services, {"provider_batch_id": "pb-0"})["id"] == BATCH_ID
    assert services.provider.calls.count("retrieve_batch") <= 2  # to verify, and the shard's own look
    assert (created(services), attempt(services).provider_batch_id) == (0, "pb-0")


def test_a_second_none_creates_no_second_batch() -> None:
    services = lost(made=False)
    say(services, NONE)
    error = refused(services, NONE)
    assert error.status == HTTPStatus.CONFLICT
    assert "No shard of this batch waits to be told" in str(error)
    assert created(services) == 1


def test_a_late_worker_creates_no_second_batch() -> None:
    services = lost(made=False)
    resume_batch(services, "default", BATCH_ID, NONE)
    resume_batch(services, "default", BATCH_ID, NONE)
    submit(services, FIRST)
    for _ in range(3):  # one for each resume, and one that is delivered again
        advance(services, BATCH_ID, 0)
    assert (created(services), len(services.provider.batches)) == (1, 1)


def test_what_was_said_of_one_create_does_not_count_for_the_next() -> None:
    services = lost(made=False)
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("lost again")]
    say(services, NONE)
    services.wait(LONGEST_CREATE)
    for _ in range(3):
        submit(services, FIRST)
    assert created(services) == 1
    assert (attempt(services).said, "cannot tell whether" in paused(services)) == (None, True)
    say(services, NONE)
    assert created(services) == 2


def test_the_provider_is_asked_about_another_name_once_a_minute() -> None:
    services = lost()
    say(services, {"provider_batch_id": "pb-8"})
    error = refused(services, {"provider_batch_id": "pb-9"})
    assert (error.status, error.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "60")
    services.wait(60)
    say(services, {"provider_batch_id": "pb-0"})
    assert attempt(services).provider_batch_id == "pb-0"


def test_a_word_is_not_kept_if_the_shard_went_on_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    services = lost()

    def overtaken(*_: object) -> None:
        raise StaleRecord("moved")

    monkeypatch.setattr(services.batch_store, "save_shard", overtaken)
    error = refused(services, NONE)
    assert (error.status, "went on meanwhile" in str(error)) == (HTTPStatus.CONFLICT, True)


def test_a_word_for_a_shard_that_does_not_wait_is_a_conflict() -> None:
    services = lost(1, lines=1)
    for shard in (0, 7):
        error = refused(services, {"provider_batch_id": "pb-0", "shard": shard})
        assert (error.status, f"Shard {shard} waits" in str(error)) == (HTTPStatus.CONFLICT, True)
        assert "These wait: 1." in str(error)


def test_a_cancelled_batch_keeps_what_a_named_batch_finished() -> None:
    services = lost()
    cancel_batch(services, "default", BATCH_ID)
    say(services, {"provider_batch_id": "pb-0"})
    assert attempt(services).provider_batch_id == "pb-0"
    advance(services, BATCH_ID, 0)
    assert "cancel_batch" in services.provider.calls
    assert not services.batch_store.kept[BATCH_ID, 0].done


def test_a_cancelled_batch_creates_nothing_and_ends_at_once() -> None:
    services = lost(made=False)
    cancel_batch(services, "default", BATCH_ID)
    say(services, NONE)
    assert (created(services), services.batch_store.kept[BATCH_ID, 0].done) == (0, True)


def test_an_ended_batch_takes_no_word() -> None:
    services = lost()
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    error = refused(services, NONE)
    assert (error.status, str(error)) == (HTTPStatus.CONFLICT, "Cannot resume a batch with status 'failed'.")


@pytest.mark.parametrize(("body", "param"), [
    ([], None),
    (None, None),
    ({"provider_batch_id": ""}, "provider_batch_id"),
    ({"provider_batch_id": 5}, "provider_batch_id"),
    ({"provider_batch_id": "x" * 513}, "provider_batch_id"),
    ({"provider_batch_id": "a b"}, "provider_batch_id"),
    ({"provider_batch_id": "a\n"}, "provider_batch_id"),
    ({"shard": 0}, "provider_batch_id"),
    ({"provider_batch_id": "pb-0", "shard": -1}, "shard"),
    ({"provider_batch_id": "pb-0", "shard": True}, "shard"),
    ({"provider_batch_id": "pb-0", "shard": "0"}, "shard"),
    ({"batch_id": "pb-0"}, "batch_id"),
])  # fmt: skip
def test_a_body_that_says_something_else_is_refused(body: object, param: str | None) -> None:
    with pytest.raises(ApiError) as raised:
        lost_create.read(body)
    assert (raised.value.status, raised.value.param) == (HTTPStatus.BAD_REQUEST, param)
