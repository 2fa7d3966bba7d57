"""A shard tells where its lines lie; attempts are numbered once and for all, and only what left nothing is forgotten."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.costs.cost import Cost
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import InputObject
from batchyard.domain.shard import (
    KEPT_ATTEMPTS,
    Ranges,
    answer_runs,
    with_attempt_members,
    with_members,
    with_new_attempt,
    with_next_version,
)
from batchyard.lines.shard_lines import Place, ShardLines, new_shard
from tests.fakes.batches import NOW, batch


def test_attempts_keep_their_numbers_and_their_runs_however_many_there_are() -> None:
    lines = ShardLines(0, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    shard = new_shard(batch(), lines)
    for number in range(1, 3 * KEPT_ATTEMPTS + 1):
        shard = with_attempt_members(with_new_attempt(shard, NOW), ended_at=NOW, transient=int(number in {5, 50}))
    numbers = [attempt.number for attempt in shard.attempts]
    assert numbers[:2] == [5, 50]
    assert numbers[2:] == list(range(2 * KEPT_ATTEMPTS, 3 * KEPT_ATTEMPTS + 1))


@pytest.mark.parametrize(
    ("places", "ranges"),
    [
        ([Place(0, 1, 0), Place(1, 2, 10)], Ranges((0, 20), (0, 20), 1)),
        ([Place(0, 1, 0), Place(1, 2, 10), Place(5, 6, 50), Place(9, 10, 90)], Ranges((0, 20), (90, 100), 3)),
    ],
)
def test_the_ranges_are_those_of_the_input_even_if_the_lines_were_copied(places: list[Place], ranges: Ranges) -> None:
    lines = ShardLines(0, "/v1/responses", "m")
    for at, place in enumerate(places):
        lines.add(place, [f"r{at}"], [10])
    assert new_shard(batch(), lines).ranges == ranges
    lines.move(InputObject("bucket", "work/copy.jsonl", "etag", 1_000), array("Q", [0, 500]))
    assert new_shard(batch(), lines).ranges == ranges


def test_runs_with_answers_are_named_by_their_attempt_and_by_who_wrote_them() -> None:
    lines = ShardLines(3, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    attempts = [
        Attempt(number=1, started_at=1, lines=9, succeeded=2, failed=1, runs=4),
        Attempt(number=2, started_at=1, lines=6, transient=6, runs=7),
        Attempt(number=5, started_at=1, lines=6, failed=6, runs=12),
    ]
    shard = with_members(new_shard(batch(), lines), attempts=attempts)
    place = f"work/{shard.batch_id}/shards/00003"
    assert list(answer_runs(shard)) == [
        (1, "output", f"{place}/attempt-0001-4/output"),
        (1, "errors", f"{place}/attempt-0001-4/errors"),
        (5, "errors", f"{place}/attempt-0005-12/errors"),
    ]


@pytest.mark.parametrize(("seen", "expected"), [(None, 100), (0, 100), (30, 70), (100, 0), (130, 0)])
def test_what_a_look_has_seen_of_the_cost_is_expected_no_more(seen: int | None, expected: int) -> None:
    """Poll records what a provider that reports tokens while it runs has billed so far: it must not count twice."""
    lines = ShardLines(0, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    begun = with_new_attempt(new_shard(batch(), lines), NOW)
    assert with_attempt_members(begun, estimate=100).expected == 0  # nothing was sent yet
    cost = None if seen is None else Cost(output=seen)
    sent = with_attempt_members(begun, estimate=100, creating_at=NOW, cost=cost)
    assert sent.expected == expected
    assert with_attempt_members(sent, ended_at=NOW).expected == 0


@given(st.lists(st.tuples(st.sampled_from([None, "s3://b/1.jsonl", "s3://b/2.jsonl"]), st.booleans()), max_size=9))
def test_a_file_in_use_is_never_to_be_deleted_though_it_was_uploaded_anew_under_its_name(
    writes: list[tuple[str | None, bool]],
) -> None:
    lines = ShardLines(0, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    shard = new_shard(batch(), lines)
    known: set[str] = set()
    for file_id, done in writes:
        shard = with_next_version(shard, with_members(shard, file_id=file_id, status="done" if done else "waiting"))
        known |= {file_id} if file_id else set()
        assert shard.file_id not in shard.files_to_delete
        assert {*shard.files_to_delete, *([shard.file_id] if shard.file_id else [])} == known, "no file is forgotten"
