"""Who uploads a file finds its results under the file's own key, whatever comes twice, late or out of order."""

import json
from itertools import permutations
from typing import Any

import pytest

from batchyard.domain.errors import StaleRecord
from batchyard.webhooks.by_input import point
from tests.fakes.batches import BATCH_ID, BUCKET, NOW
from tests.fakes.services import MemoryServices

KEY = "inbox/default/a.jsonl"
PLACE = f"results/default/by-input/{KEY}.json"


def ended(batch_id: str = BATCH_ID, **members: Any) -> dict[str, Any]:
    output = f"s3://{BUCKET}/results/default/{batch_id}/output.jsonl"
    return {
        "id": batch_id, "tenant": "default", "status": "completed", "created_at": NOW,
        "input_file_id": f"s3://{BUCKET}/{KEY}", "results": {"output.jsonl": output, "errors.jsonl": None}, **members,
    }  # fmt: skip


def read(services: MemoryServices) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(services.bucket.stored[PLACE])
    return found


def test_the_pointer_names_the_batch_its_status_and_the_results_that_there_are() -> None:
    services = MemoryServices()
    services.bucket.put(f"results/default/{BATCH_ID}/report.json", b"{}")
    assert point(services, ended(created_ms=7)) == PLACE
    assert read(services) == {
        "batch_id": BATCH_ID, "status": "completed", "created_at": NOW, "created_ms": 7, "errors": None,
        "output": f"results/default/{BATCH_ID}/output.jsonl", "report": f"results/default/{BATCH_ID}/report.json",
    }  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(["batch_a", "batch_b", "batch_c", "batch_c"])))
def test_the_newest_batch_of_a_key_wins_in_any_order(order: tuple[str, ...]) -> None:
    services = MemoryServices()
    made = {"batch_a": (NOW, 900), "batch_b": (NOW + 1, 5), "batch_c": (NOW + 1, 6)}
    for batch_id in order:
        created_at, created_ms = made[batch_id]
        point(services, ended(batch_id, created_at=created_at, created_ms=created_ms))
    assert read(services)["batch_id"] == "batch_c"


def test_a_batch_that_ends_meanwhile_is_not_overwritten_by_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    services = MemoryServices()
    replace = services.bucket.replace

    def overtaken(key: str, data: bytes, etag: str | None) -> None:
        monkeypatch.setattr(services.bucket, "replace", replace)
        point(services, ended("batch_new", created_at=NOW + 1))
        replace(key, data, etag)

    monkeypatch.setattr(services.bucket, "replace", overtaken)
    point(services, ended("batch_old"))
    assert read(services)["batch_id"] == "batch_new"


def test_who_is_overtaken_for_ever_is_told_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    services = MemoryServices()

    def never(*_: object) -> None:
        raise StaleRecord

    monkeypatch.setattr(services.bucket, "replace", never)
    with pytest.raises(StaleRecord):
        point(services, ended())


@pytest.mark.parametrize(
    "there", [b"not json", b"[]", b"{}", b'{"created_at": "soon", "created_ms": 0, "batch_id": ""}']
)
def test_what_a_person_wrote_there_is_replaced(there: bytes) -> None:
    services = MemoryServices()
    services.bucket.put(PLACE, there)
    point(services, ended())
    assert read(services)["batch_id"] == BATCH_ID


@pytest.mark.parametrize(
    "source",
    [
        "file-x",
        "s3://other/inbox/default/a.jsonl",
        f"s3://{BUCKET}/files/default/a.jsonl",
        f"s3://{BUCKET}/inbox/{'x' * 1_000}",
    ],
)
def test_what_no_upload_made_or_has_no_room_in_a_key_gets_none(source: str) -> None:
    services = MemoryServices()
    assert point(services, ended(input_file_id=source)) is None
    assert services.bucket.stored == {}


def test_a_retry_stands_there_only_if_it_has_results() -> None:
    services = MemoryServices()
    point(services, ended())
    nothing = {"output.jsonl": None, "errors.jsonl": None}
    assert point(services, ended("batch_dry", created_at=NOW + 1, retry_of=BATCH_ID, results=nothing)) is None
    assert read(services)["batch_id"] == BATCH_ID
    point(services, ended("batch_new", created_at=NOW + 2, retry_of=BATCH_ID))
    assert read(services)["batch_id"] == "batch_new"
