"""A batch that ends while nobody knows what came of a create leaves nothing running, though the provider shows no keys."""

import msgspec
import pytest

from batch_client import AnthropicDialect, BadRequestError, CannotTell, CreateOutcomeUnknown, ServerError
from batchyard.domain.numbers import DAY
from batchyard.domain.step import Step
from batchyard.recovery.ownership import LATEST_RECORD
from batchyard.recovery.sweep import sweep
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices
from tests.unit.batch_client.fake_service import Answer, answer, client_of

FIRST = Step(BATCH_ID, 0)


def left(*, made: bool = True, inline: bool = True, **settings: str) -> MemoryServices:
    """Make services whose batch has failed behind a lost create, at a provider that shows no keys unless it says so."""
    services = planned(**settings)
    services.provider.inline = inline

    def lose() -> None:
        raise CreateOutcomeUnknown("the answer was lost")

    (services.provider.on_the_way_back if made else services.provider.meanwhile)["create_batch"] = lose
    assert submit(services, FIRST).next == "submit"
    assert len(services.provider.batches) == made
    ended = {"status": "failed", "failed_at": services.now()}
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(services.batch_store.batch(BATCH_ID), **ended)
    services.wait(LATEST_RECORD)
    services.bucket.stored.clear()  # its upload is no concern here
    return services


def swept(services: MemoryServices) -> dict[str, int]:
    done = sweep(services)
    done.pop("ReservationsReleased", None)
    return done


def test_what_came_of_the_create_is_cancelled_where_the_provider_shows_our_key() -> None:
    services = left(inline=False)
    assert swept(services)["ProviderBatchesCancelled"] == 1
    assert services.provider.batches["pb-0"].status == "cancelling"
    assert services.sweep_store.unsettled(None) == [BATCH_ID]


def test_once_its_end_tells_whose_it_is_the_results_are_deleted_and_then_the_batch_is_settled() -> None:
    services = left()
    for _ in range(2):
        assert swept(services) == {}
        assert services.sweep_store.unsettled(None) == [BATCH_ID]
    assert "cancel_batch" not in services.provider.calls, "it may be another's"
    services.provider.files["out"] = b"paid\n"
    services.provider.end("pb-0", "completed", output_file_id="out")
    assert swept(services) == {"ProviderFilesDeleted": 1, "BatchesSettled": 1}
    assert "out" in services.provider.deleted
    assert services.sweep_store.unsettled(None) == []


def test_results_stay_where_they_are_to_be_kept() -> None:
    services = left(keep_provider_files="true")
    services.provider.end("pb-0", "completed", output_file_id="out")
    assert swept(services) == {"BatchesSettled": 1}
    assert services.provider.deleted == ["file-0"]  # the lines of the create, which are no file of its list


def test_where_nothing_was_made_the_batch_is_settled_at_once() -> None:
    assert swept(left(made=False)) == {"BatchesSettled": 1}


@pytest.mark.parametrize("error", [CannotTell("it shows 100 at most"), BadRequestError("no list", status=405)])
def test_where_nobody_can_tell_the_batch_is_settled_all_the_same(error: BadRequestError) -> None:
    services = left()
    services.provider.trouble["find_batch"] = [error]
    assert swept(services) == {"BatchesSettled": 1}


def test_where_a_later_look_may_tell_the_next_run_looks_again() -> None:
    services = left()
    services.provider.trouble["find_batch"] = [CannotTell("it may be one that runs", retryable=True)]
    assert swept(services) == {}
    assert services.sweep_store.unsettled(None) == [BATCH_ID]
    services.provider.end("pb-0", "completed")
    assert swept(services) == {"BatchesSettled": 1}


def test_a_list_that_is_garbled_once_settles_nothing() -> None:
    services = left()
    for page, done in ((Answer(b'{"data": ['), False), (answer({"data": [], "has_more": False}), True)):
        services.account().client = AnthropicDialect(client_of(page, profile="anthropic")[0])
        assert ("BatchesSettled" in swept(services)) is done


def test_a_provider_that_does_not_serve_us_now_is_asked_by_the_next_run() -> None:
    services = left()
    services.provider.trouble["find_batch"] = [ServerError("no", status=503)]
    assert swept(services) == {"ProviderFailures": 1}
    services.provider.end("pb-0", "completed")
    assert swept(services) == {"BatchesSettled": 1}


@pytest.mark.parametrize(
    ("url", "given_up"), [("http://127.0.0.1/v1", True), ("https://dashscope.aliyuncs.com/compatible-mode/v1", False)]
)
def test_a_batch_is_given_up_once_its_provider_has_surely_ended_all_of_it(url: str, *, given_up: bool) -> None:
    services = left(provider_base_url=url)
    services.wait(10 * DAY)
    services.provider.trouble["find_batch"] = [CannotTell("it may be one that runs", retryable=True)]
    assert ("BatchesSettled" in swept(services)) is given_up
