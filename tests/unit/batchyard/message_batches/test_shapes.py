"""A batch of ours is what Anthropic's own client reads as a message batch, whatever its state."""

import json
from typing import Any

import pytest
from anthropic.types.messages import MessageBatch
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain import statuses
from batchyard.domain.batch import INLINE, BatchError, Counts
from batchyard.message_batches import shapes
from tests.fakes.batches import BATCH_ID, NOW, batch

ORIGIN = "https://api.example.com"


def shown(**members: Any) -> dict[str, Any]:
    made = shapes.shape(batch(messages_input=INLINE, **members), ORIGIN)
    MessageBatch.model_validate(made)
    return made


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("validating", "in_progress"), ("in_progress", "in_progress"), ("finalizing", "in_progress"),
        ("cancelling", "canceling"), ("cancelled", "ended"), ("completed", "ended"), ("failed", "ended"),
    ],
)  # fmt: skip
def test_each_status_has_one_of_anthropic_s(status: str, told: str) -> None:
    assert shown(status=status)["processing_status"] == told
    assert set(statuses.TRANSITIONS) == {
        "validating", "in_progress", "finalizing", "cancelling", "cancelled", "completed", "failed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "counts", "told"),
    [
        ("in_progress", Counts(10, 3, 2), (5, 3, 2, 0)),
        ("cancelling", Counts(10, 3, 2), (5, 3, 2, 0)),
        ("completed", Counts(10, 8, 2), (0, 8, 2, 0)),
        ("cancelled", Counts(10, 3, 2), (0, 3, 2, 5)),
        ("failed", Counts(10, 0, 10), (0, 0, 10, 0)),
        ("failed", Counts(10, 0, 0), (0, 0, 10, 0)),
        ("validating", Counts(), (0, 0, 0, 0)),
        ("validating", Counts(7), (7, 0, 0, 0)),
    ],
)
def test_the_counts_tell_how_far_it_is(status: str, counts: Counts, told: tuple[int, ...]) -> None:
    found = shown(status=status, counts=counts)["request_counts"]
    assert tuple(found[name] for name in ("processing", "succeeded", "errored", "canceled")) == told
    assert found["expired"] == 0


numbers = st.integers(0, 1_000)


@given(st.sampled_from(sorted(statuses.TRANSITIONS)), numbers, numbers, numbers)
def test_the_counts_always_sum_up_to_all_requests(status: str, good: int, bad: int, rest: int) -> None:
    found = shown(status=status, counts=Counts(good + bad + rest, good, bad))["request_counts"]
    assert sum(found.values()) == good + bad + rest


def test_times_and_address_are_written_as_anthropic_does() -> None:
    ended = shown(status="completed", completed_at=NOW + 60, cancelling_at=NOW + 1, messages_file_id="file-1")
    assert ended["ended_at"].endswith("Z")
    assert ended["cancel_initiated_at"] < ended["ended_at"]
    assert ended["results_url"] == f"{ORIGIN}/v1/messages/batches/msg{BATCH_ID}/results"
    running = shown(status="in_progress")
    assert (running["ended_at"], running["results_url"], running["cancel_initiated_at"]) == (None, None, None)


def test_what_anthropic_does_not_show_stands_in_one_member_of_ours() -> None:
    error = BatchError("invalid_request", "No.", None)
    found = shown(status="failed", errors=[error], metadata={"a": "b"})["batchyard"]
    assert (found["batch_id"], found["status"], found["metadata"]) == (BATCH_ID, "failed", {"a": "b"})
    assert found["errors"]["data"][0]["message"] == "No."
    assert json.dumps(found)


def test_both_ids_name_the_batch() -> None:
    assert shapes.batch_id_of(shapes.shown_id(BATCH_ID)) == shapes.batch_id_of(BATCH_ID) == BATCH_ID
