"""What a failed call costs: a wait, a pause, or the shard."""

from collections.abc import Callable

import pytest

from batch_client import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    CreateOutcomeUnknown,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    SourceError,
)
from batchyard.domain.errors import InputGone, KeyMissing, StoreError
from batchyard.domain.shard import with_members
from batchyard.domain.step import Next, Step
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_batch
from batchyard.shards.failed_calls import A_DAY_OF_LOOKS, MOST_FAILURES_IN_A_ROW, TRIES_OF_A_FILE
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.failures import EACH_FAILURE
from tests.fakes.planned import planned

FIRST = Step(BATCH_ID, 0)
UNSEEN = "Cannot find file file-1, or project p does not have access to it."


def test_a_shard_waits_for_money_as_long_as_it_takes() -> None:
    services = planned()
    services.provider.trouble["create_file"] = [
        QuotaError("pay first", status=429) for _ in range(3 * MOST_FAILURES_IN_A_ROW)
    ]
    steps = [submit(services, FIRST) for _ in range(3 * MOST_FAILURES_IN_A_ROW)]
    assert {step.next for step in steps} == {"submit"}
    assert steps[-1].wait_seconds == services.settings.retry_ceiling_seconds
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.batch(BATCH_ID).paused is None


def test_a_shard_waits_for_a_key_as_long_as_it_takes_says_what_to_type_and_goes_on_by_itself() -> None:
    services, tries = planned(), 3 * MOST_FAILURES_IN_A_ROW
    missing = KeyMissing("Type: make provider-key.")
    services.provider.trouble["create_file"] = [missing for _ in range(2 * tries)]  # the secret is read anew each time
    steps = [submit(services, FIRST) for _ in range(tries)]
    assert {step.next for step in steps} == {"submit"}
    assert steps[-1].wait_seconds == services.settings.retry_ceiling_seconds
    assert services.batch_store.batch(BATCH_ID).paused == "Type: make provider-key."
    assert services.event_bus.announced[1:] == ["paused"]
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert services.event_bus.announced[1:] == ["paused", "resumed"]


@pytest.mark.parametrize("step", [poll, collect])
def test_a_key_that_is_gone_is_waited_for_where_a_provider_batch_is_looked_at(
    step: Callable[[Services, Step], Step],
) -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    services.provider.trouble["retrieve_batch"] = [KeyMissing("Type it."), KeyMissing("Type it.")]
    assert step(services, Step(BATCH_ID, 0, next=Next.POLL)).next == "poll"
    assert services.batch_store.batch(BATCH_ID).paused == "Type it."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            AuthenticationError("no", status=401),
            "The provider refused our key: the upload of the input was answered 401: no.",
        ),
        (
            PermissionDeniedError("no", status=403, code="invalid_api_key"),
            "The provider refused our key: the upload of the input was answered 403 (invalid_api_key): no.",
        ),
        (
            PermissionDeniedError("no", status=403),
            "The provider refused us: the upload of the input was answered 403: no.",
        ),
        (QuotaError("no", status=429), "The provider refused us: the upload of the input was answered 429: no."),
    ],
)
def test_a_pause_tells_a_refused_key_from_other_refusals(error: BatchClientError, told: str) -> None:
    services = planned()
    services.provider.trouble["create_file"] = [error, error]  # a refused key is read anew and tried once more
    assert submit(services, FIRST).next == "submit"
    assert (services.batch_store.batch(BATCH_ID).paused or "").startswith(told)


@pytest.mark.parametrize(
    "error", [ServerError("down", status=503), NotFoundError("no such path", status=404)], ids=["down", "elsewhere"]
)
def test_a_service_that_is_not_there_is_given_up_in_the_end(error: BatchClientError) -> None:
    services = planned()
    services.provider.trouble["create_file"] = [error for _ in range(3 * MOST_FAILURES_IN_A_ROW)]
    answers = [submit(services, FIRST).next for _ in range(MOST_FAILURES_IN_A_ROW + 1)]
    assert answers == ["submit"] * MOST_FAILURES_IN_A_ROW + ["done"]
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "provider_unavailable"


LASTING = [
    BadRequestError("no", status=400, code="invalid_value", param="endpoint"),
    BadRequestError("no", status=400, code="model_not_found"),
    BadRequestError("no", status=422, param="completion_window"),
    NotFoundError("no", status=404, code="model_not_found"),
]


@pytest.mark.parametrize("error", LASTING, ids=lambda error: f"{error.status}-{error.code}-{error.param}")
def test_a_refusal_that_no_time_can_mend_ends_the_shard_at_once_and_says_what_was_refused(
    error: BatchClientError,
) -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [error]
    assert submit(services, FIRST).next == "done"
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == (error.code or "provider_unavailable")
    assert f"the create of the batch was answered {error.status}" in reason.message
    assert reason.message.endswith(": no")


NOT_YET = [
    BadRequestError(UNSEEN, status=400, type="invalid_request_error", param="file_id"),
    BadRequestError(UNSEEN, status=400, type="invalid_request_error"),
    BadRequestError(UNSEEN, status=400, code="invalid_request", param="file_id"),
    BadRequestError(UNSEEN, status=400, code="invalid_value", param="input_file_id"),
    BadRequestError("The file is not ready.", status=400, code="a_code_of_tomorrow"),
    BadRequestError("No such route.", status=405),
    BadRequestError("Gone.", status=410),
    BadRequestError("Unprocessable.", status=422),
    NotFoundError(UNSEEN, status=404),
]
each_refusal_that_may_pass = pytest.mark.parametrize(
    "error", NOT_YET, ids=lambda error: f"{error.status}-{error.code}-{error.param}"
)


@pytest.mark.parametrize("call", ["create_file", "create_batch"])
@pytest.mark.parametrize("times", [1, 2, 9])
@each_refusal_that_may_pass
def test_what_was_refused_and_may_pass_is_asked_again_with_growing_waits(
    error: BatchClientError, times: int, call: str
) -> None:
    services = planned()
    services.provider.trouble[call] = [error] * times
    steps = [submit(services, FIRST) for _ in range(times)]
    assert [step.next for step in steps] == ["submit"] * times
    assert [step.wait_seconds for step in steps] == [30, 60, 120, 240, 480, 600, 600, 600, 600][:times]
    assert submit(services, FIRST).next == "poll"
    assert len(services.provider.batches) == 1
    assert "find_batch" not in services.provider.calls


@pytest.mark.parametrize("call", ["create_file", "create_batch"])
@each_refusal_that_may_pass
def test_what_is_refused_again_and_again_ends_the_shard_within_a_day_and_says_what_was_refused(
    error: BatchClientError, call: str
) -> None:
    services, step = planned(), FIRST
    services.provider.trouble[call] = [error] * 1_000
    started = services.now()
    while step.next == "submit":
        services.wait(step.wait_seconds)
        step = submit(services, FIRST)
    assert step.next == "done"
    assert 3_600 < services.now() - started < 24 * 3_600
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    asked = {"create_file": "the upload of the input", "create_batch": "the create of the batch"}[call]
    assert f"{asked} was answered {error.status}" in reason.message
    assert error.message in reason.message


def test_a_file_that_the_provider_does_not_see_is_shown_to_it_some_times_and_then_uploaded_again() -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [NOT_YET[0]] * (TRIES_OF_A_FILE + 1)
    for _ in range(TRIES_OF_A_FILE + 1):
        assert submit(services, FIRST).next == "submit"
    assert submit(services, FIRST).next == "poll"
    assert services.provider.calls.count("create_file") == 2
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == ["file-0"]


@pytest.mark.parametrize(("asked", "wait"), [(None, 30), (5, 30), (100, 100), (21_600, 600)])
def test_the_wait_a_provider_asks_for_is_kept_up_to_the_ceiling(asked: float | None, wait: int) -> None:
    services = planned()
    services.provider.trouble["create_file"] = [RateLimitError("slow down", status=429, retry_after=asked)]
    assert submit(services, FIRST).wait_seconds == wait


def test_setbacks_in_a_row_double_the_wait_and_success_forgets_them() -> None:
    services = planned()
    services.provider.trouble["create_file"] = [ServerError("down", status=500) for _ in range(4)]
    assert [submit(services, FIRST).wait_seconds for _ in range(4)] == [30, 60, 120, 240]
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].failures_in_a_row == 0


def test_an_input_that_was_deleted_ends_the_shard_with_the_provider_s_code_and_other_trouble_with_it_does_not() -> None:
    for cause, following in ((InputGone("gone"), "done"), (StoreError("slow down"), "submit")):
        services, error = planned(), SourceError("the source failed")
        error.__cause__ = cause
        services.provider.trouble["create_file"] = [error]
        assert submit(services, FIRST).next == following
        reason = services.batch_store.kept[BATCH_ID, 0].reason
        assert reason is None or (reason.code, reason.param) == ("invalid_request", "file_id")
        assert (reason is None) is (following == "submit")


MADE_NONE = [failure.error("create_batch") for failure in EACH_FAILURE.values()]
MADE_NONE = [error for error in MADE_NONE if not isinstance(error, CreateOutcomeUnknown)]


@pytest.mark.parametrize(
    "refusal",
    [*MADE_NONE, QuotaError("pay", status=402), BadRequestError("locked", status=423)],
    ids=lambda error: f"{type(error).__name__}-{error.status}",
)
def test_a_create_that_was_surely_refused_is_made_again_without_being_looked_for(refusal: BatchClientError) -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [refusal, refusal]  # a key is read anew once
    while services.provider.trouble["create_batch"]:
        assert submit(services, FIRST).next == "submit"
        attempt = services.batch_store.kept[BATCH_ID, 0].attempts[-1]
        assert (attempt.creating_at, attempt.lost_at) == (None, None)
    assert submit(services, FIRST).next == "poll"
    assert "find_batch" not in services.provider.calls
    assert len(services.provider.batches) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        CreateOutcomeUnknown("lost"), ServerError("oops", status=503), ConflictError("busy", status=409),
        APITimeoutError("late", status=408), BadRequestError("late", status=408), APIConnectionError("cut off"),
    ],
    ids=lambda error: f"{type(error).__name__}-{error.status}",
)  # fmt: skip
def test_a_create_that_may_have_made_a_batch_is_looked_for_first(trouble: BatchClientError) -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [trouble]
    assert submit(services, FIRST).next == "submit"
    assert services.batch_store.kept[BATCH_ID, 0].attempts[-1].creating_at == services.now()
    assert submit(services, FIRST).next == "submit"
    assert services.provider.calls.count("create_batch") == 1
    assert services.provider.calls.count("find_batch") == 1


def test_a_create_that_is_lost_at_last_is_looked_for_before_the_shard_is_given_up() -> None:
    def lost() -> None:
        raise CreateOutcomeUnknown("lost")

    services = planned()
    services.provider.trouble["create_file"] = [RateLimitError("slow down", status=429)]
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, with_members(shard, failures_in_a_row=MOST_FAILURES_IN_A_ROW))
    services.provider.on_the_way_back["create_batch"] = lost
    assert submit(services, FIRST).next == "submit"
    assert services.batch_store.kept[BATCH_ID, 0].draining
    assert submit(services, FIRST).next == "poll"
    services.provider.end("pb-0", "expired")
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "provider_unavailable"


@pytest.mark.parametrize(("cancelled", "looks"), [(True, MOST_FAILURES_IN_A_ROW), (False, A_DAY_OF_LOOKS)])
def test_a_provider_that_serves_us_no_more_is_waited_for_longer_when_nobody_has_cancelled(
    *, cancelled: bool, looks: int
) -> None:
    services = planned()
    submit(services, FIRST)
    if cancelled:
        services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    else:
        fail_batch(services, BATCH_ID, {"Error": "ExecutionEnded"})
    services.provider.trouble["retrieve_batch"] = [ServerError("down", status=503) for _ in range(2 * looks)]
    answers = [poll(services, FIRST.then(Next.POLL)).next for _ in range(looks + 1)]
    assert answers == ["poll"] * looks + ["done"]
