import pytest

from batchyard.api import files
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY
from batchyard.results import result_files
from tests.fakes.batches import BATCH_ID, NOW, batch
from tests.fakes.services import MemoryServices

KEY = f"results/default/{BATCH_ID}/output.jsonl"


def test_a_result_is_a_file_of_its_tenant_for_good() -> None:
    services = MemoryServices()
    services.bucket.put(KEY, b"{}\n")
    shown = files.retrieve_file(services, "default", result_files.keep(services, batch(), "output.jsonl", 3))
    assert (shown["purpose"], shown["filename"], shown["expires_at"]) == (
        "batch_output",
        f"{BATCH_ID}_output.jsonl",
        None,
    )
    assert files.file_content(services, "default", shown["id"]).data == b"{}\n"
    assert services.file_bucket.lives == {}


def test_a_result_expires_as_its_creator_wished() -> None:
    services = MemoryServices()
    wished = batch(output_expires_after={"anchor": "created_at", "seconds": 3_600})
    file_id = result_files.keep(services, wished, "errors.jsonl", 3)
    assert files.retrieve_file(services, "default", file_id)["expires_at"] == NOW + 3_600
    services.wait(3_600)
    with pytest.raises(ApiError):
        files.file_content(services, "default", file_id)
    assert list(services.file_bucket.lives.values()) == [3_600]


def test_a_result_expires_at_the_latest_with_all_results() -> None:
    services = MemoryServices(results_days=7)
    assert services.file_store.file(result_files.keep(services, batch(), "output.jsonl", 3)).expires_at == NOW + 7 * DAY
    month = batch(batch_id="batch_2", output_expires_after={"anchor": "created_at", "seconds": 30 * DAY})
    assert services.file_store.file(result_files.keep(services, month, "output.jsonl", 3)).expires_at == NOW + 7 * DAY


def test_a_result_written_twice_is_the_same_file() -> None:
    services = MemoryServices()
    first = result_files.keep(services, batch(), "output.jsonl", 3)
    known = services.file_store.file(first)
    services.wait(60)
    assert result_files.keep(services, batch(), "output.jsonl", 3) == first
    assert services.file_store.file(first) == known
    result_files.keep(services, batch(), "output.jsonl", 4)
    assert services.file_store.file(first).bytes == 4


def test_a_result_counts_once_and_whatever_the_limit() -> None:
    services, unlimited = MemoryServices(max_stored_bytes=2), MemoryServices(max_stored_bytes=0)
    for each in (services, services, unlimited):
        result_files.keep(each, batch(), "output.jsonl", 3)
    assert (services.quota_store.read("default").bytes, unlimited.quota_store.read("default").bytes) == (3, 0)
