"""Why a batch waits: the call, its status, the provider's words, since when, what happens next, and what a person can do."""

from collections.abc import Callable
from typing import Any

import pytest

from batch_client import (
    PROFILES,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    CannotTell,
    CreateOutcomeUnknown,
    Facts,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    Profile,
    QuotaError,
    RateLimitError,
    RequestCounts,
    ServerError,
    TokenLimitError,
)
from batch_client import BatchError as ProviderBatchError
from batchyard.domain.step import Next, Step
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.pauses import TOLD_AFTER, moment
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
WORDS = "what the provider says"
ERRORS: dict[str, tuple[BatchClientError, str]] = {
    "key": (AuthenticationError(WORDS, status=401), "make provider-key SECRET=secret"),
    "key, as others say it": (BadRequestError(WORDS, status=400, code="invalid_api_key"), "make provider-key"),
    "no right": (PermissionDeniedError(WORDS, status=403), "Give the key the right"),
    "no money": (QuotaError(WORDS, status=429, code="insufficient_quota"), "Pay"),
    "no room": (TokenLimitError(WORDS, status=429, code="token_limit_exceeded"), "ask the provider for a higher limit"),
    "rate limit": (RateLimitError(WORDS, status=429), "See how the provider does"),
    "down": (ServerError(WORDS, status=503), "See how the provider does"),
    "refused": (BadRequestError(WORDS, status=400), "ask the provider"),
    "file": (BadRequestError(WORDS, status=400, param="file_id"), "ask the provider"),
}
each_error = pytest.mark.parametrize(("error", "remedy"), ERRORS.values(), ids=ERRORS)


def told(services: MemoryServices) -> str:
    """Return why the batch waits; all that each reason must have stands in it."""
    paused = services.batch_store.batch(BATCH_ID).paused or ""
    assert "UTC. Batchyard " in paused
    assert "It has been so since 20" in paused
    assert "at most 10 minutes apart" in paused
    assert f"POST /v1/batches/{BATCH_ID}/resume tries at once; cancel the batch" in paused
    return paused


def fail(services: MemoryServices, call: str, error: BatchClientError, do: Callable[[Services, Step], Step]) -> None:
    services.provider.trouble[call] = [error] * 2 * TOLD_AFTER  # a refused key is read anew, and sent again
    step = FIRST.then(Next.SUBMIT if do is submit else Next.POLL)
    for _ in range(TOLD_AFTER):
        assert do(services, step).next == step.next
        services.wait(30)


CALLS = {"create_file": "the upload of the input", "create_batch": "the create of the batch"}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (call, kind) for call in CALLS for kind in ERRORS if (call, kind) != ("create_batch", "down")
    ],  # that may have worked
)
def test_an_upload_or_a_create_that_fails(call: str, kind: str) -> None:
    error, remedy = ERRORS[kind]
    services = planned()
    began = services.now()
    fail(services, call, error, submit)
    reason = told(services)
    code = f" ({error.code})" if error.code else ""
    assert f"{CALLS[call]} was answered {error.status}{code}: {WORDS}." in reason
    assert remedy in reason
    assert f"since {moment(began)}" in reason


@each_error
def test_a_look_that_fails(error: BatchClientError, remedy: str) -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    fail(services, "retrieve_batch", error, poll)
    reason = told(services)
    assert f"the look at the batch pb-0 was answered {error.status}" in reason
    assert remedy in reason
    assert "as long as it takes" in reason


def test_a_provider_batch_that_is_not_found_at_once_is_not_told_yet() -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    for tries in range(1, TOLD_AFTER + 1):
        services.provider.trouble["retrieve_batch"] = [NotFoundError("No batch found", status=404)]
        poll(services, FIRST.then(Next.POLL))
        assert bool(services.batch_store.batch(BATCH_ID).paused) is (tries == TOLD_AFTER)


@pytest.mark.parametrize("error", [ServerError(WORDS, status=503), AuthenticationError(WORDS, status=401)])
def test_a_file_that_cannot_be_read(error: BatchClientError) -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    services.provider.end("pb-0", "completed", output_file_id="file-out")
    services.provider.trouble["download_file"] = [error] * 9
    for _ in range(TOLD_AFTER):
        collect(services, FIRST.then(Next.COLLECT))
    assert f"the reading of the results file-out was answered {error.status}: {WORDS}." in told(services)


def test_answers_that_are_counted_and_not_there() -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    services.provider.end("pb-0", "completed", request_counts=RequestCounts(3, 3, 0))
    collect(services, FIRST.then(Next.COLLECT))
    assert told(services).startswith("3 answers are not in the provider's results yet: its batch pb-0 ")


@pytest.mark.parametrize("code", ["token_limit_exceeded", "insufficient_quota", "invalid_request"])
def test_a_provider_batch_that_fails(code: str) -> None:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    param = "file_id" if code == "invalid_request" else None
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError(code, WORDS, param),))
    collect(services, FIRST.then(Next.COLLECT))
    assert f"the provider failed the batch pb-0 ({code}): {WORDS}." in told(services)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_provider_without_files(status: int) -> None:
    services = planned()
    kind = {404: NotFoundError, 405: BadRequestError, 501: ServerError}[status]
    services.provider.trouble["create_file"] = [kind("Not Found", status=status)]
    submit(services, FIRST)
    reason = told(services)
    assert f"may take no inputs at this address: the upload of the input was answered {status}: Not Found." in reason
    assert "Check that ProviderBaseUrl" in reason


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_provider_that_lists_no_batches_after_a_lost_create(status: int) -> None:
    services = planned()
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    began = services.now()
    submit(services, FIRST)
    kind = {400: BadRequestError, 404: NotFoundError, 405: BadRequestError, 501: ServerError}[status]
    services.provider.trouble["find_batch"] = [kind("Method Not Allowed", status=status)]
    services.wait(60)
    assert submit(services, FIRST).next == "submit"
    reason = told(services)
    assert f"cannot tell whether batch {BATCH_ID}/0/1 exists" in reason
    assert f"the list of the batches was answered {status}: Method Not Allowed." in reason
    assert f"lost at {moment(began)}" in reason
    assert "Look in the provider's console for a batch of the file file-0" in reason
    assert services.event_bus.announced[-1] == "paused"
    assert services.provider.calls.count("create_batch") == 1


@pytest.mark.parametrize("lookup", ["metadata", "time"])
def test_a_person_is_sent_to_our_key_only_where_the_service_may_keep_it(
    lookup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROFILES, "odd", Profile(name="odd", facts=Facts(source="made up, 2026", lookup=lookup)))
    services = planned(provider_profile="odd")
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    submit(services, FIRST)
    services.provider.trouble["find_batch"] = [CannotTell("not shown")]
    services.wait(60)
    assert submit(services, FIRST).next == "submit"
    assert ("in its metadata" in told(services)) is (lookup == "metadata")


def test_an_address_that_cannot_be_sent() -> None:
    services = planned()
    services.provider.trouble["create_file"] = [InvalidArgumentError("no such address")] * 2
    submit(services, FIRST)
    reason = told(services)
    assert reason.startswith("The key or the address cannot be sent: the upload of the input failed: no such address.")
    assert "ProviderBaseUrl" in reason


def test_the_words_of_a_provider_are_cut_and_the_advice_stays() -> None:
    services = planned()
    services.provider.trouble["create_file"] = [QuotaError("x" * 100_000, status=429, code="y" * 100_000)]
    submit(services, FIRST)
    assert len(told(services)) < 1_500


def test_since_when_it_has_been_so_stays_and_begins_anew_after_a_success() -> None:
    services = planned()
    services.provider.trouble["create_file"] = [QuotaError(WORDS, status=429)] * 3
    began = services.now()
    for _ in range(3):
        submit(services, FIRST)
        services.wait(600)
    assert f"since {moment(began)}" in told(services)
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].failing_since == 0
