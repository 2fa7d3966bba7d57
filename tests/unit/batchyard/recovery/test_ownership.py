"""A record tells whose a provider batch or a file is; only what no record can still want is an orphan."""

import pytest

from batchyard.domain.batch import BatchError
from batchyard.domain.numbers import HOUR
from batchyard.domain.shard import (
    Shard,
    as_done,
    with_attempt_members,
    with_files_to_delete,
    with_members,
    with_new_attempt,
)
from batchyard.recovery.ownership import (
    LATEST_LOOK,
    LATEST_RECORD,
    LEAST_AT_PROVIDER,
    Owner,
    Verdict,
    longest_at_provider,
    of_batch,
    of_file,
)
from tests.fakes.batches import NOW, batch
from tests.fakes.services import MemoryServices

RUNNING, ENDED = batch(status="in_progress"), batch(status="cancelled")
OLD, NEW = LATEST_RECORD + 1, 1
NEW_SHARD = Shard(
    batch_id=RUNNING.batch_id, shard=0, expires_at_ttl=0, endpoint="/v1/responses", model="m", lines=3, first=0, last=2,
    unfinished=3,
)  # fmt: skip
BEGUN = with_new_attempt(NEW_SHARD, NOW)
UPLOADED = with_members(BEGUN, file_id="file-1")
CREATING = with_attempt_members(UPLOADED, creating_at=NOW)
SUBMITTED = with_attempt_members(CREATING, provider_batch_id="pb-1", file_id="file-1")
COLLECTED = with_files_to_delete(
    with_members(with_attempt_members(SUBMITTED, ended_at=NOW), file_id=None), "file-1", "file-2"
)
AGAIN = with_attempt_members(with_new_attempt(COLLECTED, NOW), creating_at=NOW)
GIVEN_UP = as_done(CREATING, BatchError("server_error", "no"))
OVERTAKEN = with_attempt_members(CREATING, provider_batch_id="pb-2")


@pytest.mark.parametrize(
    ("shard", "number", "age", "verdict"),
    [
        (SUBMITTED, 1, OLD, Verdict.OWNED),
        (COLLECTED, 1, OLD, Verdict.OWNED),
        (as_done(SUBMITTED), 1, OLD, Verdict.OWNED),
        (CREATING, 1, LATEST_LOOK, Verdict.UNCLEAR),
        (CREATING, 1, LATEST_LOOK + 1, Verdict.AWAITED),
        (OVERTAKEN, 1, NEW, Verdict.ORPHAN),
        (AGAIN, 1, OLD, Verdict.OWNED),
        (GIVEN_UP, 1, NEW, Verdict.ORPHAN),
        (None, 1, NEW, Verdict.ORPHAN),
    ],
)
def test_a_provider_batch_of_a_running_batch(shard: Shard | None, number: int, age: int, verdict: Verdict) -> None:
    assert of_batch(Owner(RUNNING, shard, number), "pb-1", age) is verdict


def test_a_provider_batch_of_a_further_attempt() -> None:
    assert of_batch(Owner(RUNNING, AGAIN, 2), "pb-9", OLD) is Verdict.AWAITED
    assert of_batch(Owner(RUNNING, AGAIN, 1), "pb-9", OLD) is Verdict.ORPHAN
    overtaken = with_attempt_members(AGAIN, provider_batch_id="pb-3")
    assert of_batch(Owner(RUNNING, overtaken, 2), "pb-9", OLD) is Verdict.ORPHAN


@pytest.mark.parametrize("owner", [Owner(None, None, 1), Owner(ENDED, None, 1), Owner(ENDED, CREATING, 1)])
def test_nothing_waits_for_a_provider_batch_or_file_whose_batch_ended_or_has_no_record(owner: Owner) -> None:
    assert of_batch(owner, "pb-1", NEW) is Verdict.ORPHAN
    assert of_file(owner, "file-9", NEW) is Verdict.ORPHAN


@pytest.mark.parametrize(
    ("shard", "file_id", "number", "age", "verdict"),
    [
        (BEGUN, "file-1", 1, LATEST_RECORD - 1, Verdict.UNCLEAR),  # a worker may be about to record it
        (BEGUN, "file-1", 1, LATEST_RECORD, Verdict.ORPHAN),
        (UPLOADED, "file-1", 1, OLD, Verdict.OWNED),
        (UPLOADED, "file-0", 1, OLD, Verdict.ORPHAN),
        (SUBMITTED, "file-1", 1, OLD, Verdict.OWNED),
        (with_members(SUBMITTED, file_id=None), "file-1", 1, OLD, Verdict.OWNED),
        (
            with_attempt_members(SUBMITTED, ended_at=NOW),
            "file-1",
            1,
            OLD,
            Verdict.OWNED,
        ),  # used again when there is room
        (COLLECTED, "file-2", 1, OLD, Verdict.OWNED),  # its shard sees to it
        (with_members(COLLECTED, files_to_delete=[]), "file-1", 1, OLD, Verdict.ORPHAN),
        (AGAIN, "file-0", 1, NEW, Verdict.ORPHAN),
    ],
)
def test_a_file_of_a_running_batch(shard: Shard, file_id: str, number: int, age: int, verdict: Verdict) -> None:
    assert of_file(Owner(RUNNING, shard, number), file_id, age) is verdict


@pytest.mark.parametrize(("number", "verdict"), [(2, Verdict.UNCLEAR), (1, Verdict.ORPHAN)])
def test_an_input_whose_name_its_attempt_may_write_anew_is_no_orphan_before_the_attempt_has_ended(
    number: int, verdict: Verdict
) -> None:
    owner = Owner(RUNNING, AGAIN, number)
    assert of_file(owner, "s3://b/of-the-attempt", OLD, named_by_attempt=True) is verdict
    assert of_file(owner, "file-0", OLD) is Verdict.ORPHAN


@pytest.mark.parametrize(
    ("url", "windows", "seconds"),
    [
        ("https://api.openai.com/v1", [], LEAST_AT_PROVIDER),
        ("https://api.groq.com/openai/v1", [], (7 * 24 + 12) * HOUR),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", ["24h"], (336 + 12) * HOUR),
        ("http://127.0.0.1/v1", ["30d"], (30 * 24 + 12) * HOUR),
    ],
)
def test_a_provider_may_run_a_batch_for_its_longest_window_and_some_hours(
    url: str, windows: list[str], seconds: int
) -> None:
    assert longest_at_provider(MemoryServices(provider_base_url=url).account(), *windows) == seconds
