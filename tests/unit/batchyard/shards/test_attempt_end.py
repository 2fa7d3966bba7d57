"""Attempts without an answer are counted, and give up no line that was not in all of them; a slow provider is no stall."""

import json

import pytest

from batch_client import NotFoundError, RequestCounts
from batchyard.domain.attempt import End
from batchyard.domain.batch import BatchError, window_seconds
from batchyard.domain.shard import Shard, with_members, with_stall
from batchyard.domain.step import Next, Step
from batchyard.results.assemble import assemble
from batchyard.shards.attempt_end import fail_lines, had_its_window
from batchyard.shards.collect import collect
from batchyard.shards.poll import LOST_AFTER, poll
from batchyard.shards.submit import submit
from batchyard.shards.turn import Turn
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import INPUT, planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
NO = BatchError("no_answer", "none came")
TWO_LINES = 2 * (len(INPUT.splitlines()[0]) + 1)
DAY = 86_400


def test_what_is_counted_is_the_least_that_was_sent_in_a_row() -> None:
    services = sent()
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert shard.attempts[-1].lines == 2
    once = with_stall(shard)
    assert (once.stalls, once.stalled_lines) == (1, 2)
    assert with_stall(with_members(once, stalled_lines=1)).stalled_lines == 1


def sent() -> MemoryServices:
    """Make services whose shard of three lines goes in waves of two, the first of which is at the provider."""
    services = planned(max_enqueued_tokens=str(TWO_LINES // 4 + 1))
    assert submit(services, FIRST).next == "poll"
    return services


def recorded(services: MemoryServices) -> Shard:
    return services.batch_store.kept[BATCH_ID, 0]


def answered(services: MemoryServices, provider_batch: str, status: int) -> None:
    lines = services.provider.files[services.provider.batches[provider_batch].input_file_id or ""].splitlines()
    answers = [{"custom_id": json.loads(line)["custom_id"], "response": {"status_code": status}} for line in lines]
    name = f"answers of {provider_batch}"
    services.provider.files[name] = b"".join(json.dumps(each).encode() + b"\n" for each in answers)
    services.provider.end(provider_batch, "completed", output_file_id=name)


def test_the_lines_of_a_wave_that_the_provider_lost_again_and_again_are_errors_and_the_rest_goes_on() -> None:
    services = sent()
    for number in range(3):
        assert submit(services, FIRST).next == "poll"
        services.now_is += DAY
        services.provider.trouble["retrieve_batch"] = [NotFoundError("gone", status=404)] * LOST_AFTER
        steps = [poll(services, FIRST.then(Next.POLL)).next for _ in range(LOST_AFTER)]
        assert steps == ["poll"] * (LOST_AFTER - 1) + ["submit"], number
    shard = recorded(services)
    assert (shard.done, shard.unfinished, shard.failed, shard.stalls, shard.stalled_lines) == (False, 1, 2, 0, 0)
    assert submit(services, FIRST).next == "poll"
    answered(services, "pb-3", 200)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert assemble(services, BATCH_ID) == "done"
    counts = services.batch_store.batch(BATCH_ID).counts
    assert (counts.completed, counts.failed) == (1, 2)
    assert services.bucket.stored[f"results/default/{BATCH_ID}/errors.jsonl"].count(b"lost every batch") == 2


def test_a_line_that_met_a_passing_error_before_has_that_as_its_outcome() -> None:
    services = sent()
    answered(services, "pb-0", 503)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    for number in (1, 2):
        assert submit(services, FIRST).next == "poll"
        services.provider.end(f"pb-{number}", "completed", request_counts=RequestCounts(total=2, completed=0, failed=2))
        assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    shard = recorded(services)
    assert (shard.unfinished, shard.failed, shard.codes) == (1, 2, {"http_503": 2})


def test_a_shard_of_which_all_lines_were_sent_in_vain_is_done() -> None:
    services = planned()
    submit(services, FIRST)
    shard = with_stall(recorded(services))
    turn = Turn(services, services.batch_store.batch(BATCH_ID), recorded(services), FIRST)
    done = fail_lines(turn, shard, NO)
    assert (done.done, done.unfinished, done.reason) == (True, 3, NO)


@pytest.mark.parametrize(
    ("end", "ran", "window", "slow"),
    [
        (End.WHOLE, 2 * DAY, "24h", False),
        (End.FAILED, DAY, "24h", False),
        (End.LOST, DAY, "24h", False),
        (End.PARTIAL, DAY, "24h", True),
        (End.PARTIAL, 0.9 * DAY, "24h", True),
        (End.PARTIAL, 0.8 * DAY, "24h", False),
        (End.PARTIAL, 60, "24h", False),
        (End.PARTIAL, DAY, "7d", False),
        (None, DAY, "24h", False),
    ],
)
def test_a_window_that_was_over_counts_for_nothing(end: End | None, ran: float, window: str, slow: bool) -> None:
    assert had_its_window(end, ran, window_seconds(window)) is slow
