"""A new batch is recorded before its execution starts, and one cause makes one batch."""

import msgspec
import pytest

from batchyard.domain.batch import BatchError, InputObject
from batchyard.domain.errors import SettingsError, StoreError
from batchyard.planning import new_batch
from tests.fakes.batches import BATCH_ID, BUCKET, NOW, batch
from tests.fakes.services import MemoryExecutions, MemoryServices

SOURCE = InputObject(BUCKET, "inbox/acme/in.jsonl", "etag", 10, "v1")


def test_one_upload_has_one_id_however_often_it_is_told() -> None:
    again = msgspec.structs.replace(SOURCE, etag="another", size=11)
    assert new_batch.batch_id_of(SOURCE) == new_batch.batch_id_of(again)


@pytest.mark.parametrize("changes", [{"version_id": "v2"}, {"key": "inbox/acme/in2.jsonl"}, {"bucket": "b2"}])
def test_another_upload_has_another_id(changes: dict[str, str]) -> None:
    assert new_batch.batch_id_of(SOURCE) != new_batch.batch_id_of(msgspec.structs.replace(SOURCE, **changes))


def test_without_versions_the_etag_tells_uploads_apart() -> None:
    ids = {new_batch.batch_id_of(InputObject(BUCKET, "k", etag, 1, version)) for etag in "ab" for version in (None, "")}
    assert len(ids) == 2


def test_a_new_batch_expires_after_its_window_and_its_record_after_the_days_kept() -> None:
    services = MemoryServices(record_days=3)
    made = new_batch.build(services, BATCH_ID, "acme", SOURCE, "7d", metadata={"a": "b"})
    assert (made.status, made.created_at, made.expires_at) == ("validating", NOW, NOW + 7 * 86_400)
    assert made.expires_at_ttl == NOW + 3 * 86_400
    assert (made.input_file_id, made.metadata) == (SOURCE.uri, {"a": "b"})


@pytest.mark.parametrize(
    ("setting", "text", "named"),
    [
        ("price_list", '{"m": {"input": 1, "outptu": 2}}', "PriceList.*outptu"),
        ("accept", '{"jsn": true}', "Accept.*jsn"),
    ],
)
def test_a_setting_that_cannot_be_read_makes_no_batch_that_would_be_paid(setting: str, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        new_batch.build(MemoryServices(**{setting: text}), BATCH_ID, "acme", SOURCE, "24h")


def test_a_batch_is_recorded_and_started_once_even_if_told_twice() -> None:
    services = MemoryServices()
    assert new_batch.start(services, batch())
    assert not new_batch.start(services, batch())
    assert set(services.executions.started) == {BATCH_ID}


class Broken(MemoryExecutions):
    def start(self, name: str, payload: object) -> bool:
        raise StoreError(f"{name} of {payload}")


def test_a_start_that_was_lost_after_the_record_is_made_up_for() -> None:
    services = MemoryServices()
    started, services.executions = services.executions, Broken()
    with pytest.raises(StoreError):
        new_batch.start(services, batch())
    services.executions = started
    assert not new_batch.start(services, batch())
    assert services.executions.started == [BATCH_ID]


def test_a_batch_that_has_ended_is_not_started_again() -> None:
    services = MemoryServices()
    services.batch_store.create_batch(batch(status="completed"))
    assert not new_batch.start(services, batch())
    assert services.executions.started == []


def test_a_refused_batch_is_recorded_once_as_failed_from_the_start_and_told_each_time() -> None:
    services = MemoryServices()
    for _ in range(2):
        refused = new_batch.refuse(services, batch(), BatchError("invalid_type", "no", "metadata"))
        assert (refused.status, refused.failed_at, refused.errors_total) == ("failed", NOW, 1)
        services.now_is += 60
    assert services.event_bus.announced == ["failed", "failed"]  # the first run may have ended before it could tell
    assert services.executions.started == []


def test_the_same_body_in_another_order_has_the_same_fingerprint() -> None:
    assert new_batch.fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == new_batch.fingerprint(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert new_batch.fingerprint({"a": [1, 2]}) != new_batch.fingerprint({"a": [2, 1]})


def test_a_batch_that_fails_at_once_says_why_in_its_errors_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    services = MemoryServices()
    error = BatchError("invalid_request", "The input file 'file-x' was not found, or is not yours.", "file_id")
    refused = new_batch.refuse(services, batch(), error)
    assert (refused.status, refused.errors) == ("failed", [error])
    told = caplog.records.pop()
    assert (told.levelname, vars(told)["batch_id"], vars(told)["reason"]) == ("WARNING", BATCH_ID, error.message)
