"""The end of a batch, and a user who cancels just then."""

import json

from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.shard import as_done
from batchyard.domain.step import Step
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices
from tests.fakes.stores import MemoryBatchStore


def answered() -> MemoryServices:
    """Make services whose one shard is collected."""
    services = planned()
    step = submit(services, Step(BATCH_ID, 0))
    lines = [{"custom_id": f"r{at}", "response": {"status_code": 200, "body": {}}, "error": None} for at in (2, 0, 1)]
    services.provider.files["out"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    services.provider.end("pb-0", "completed", output_file_id="out")
    assert collect(services, step).next == "done"
    return services


def output(services: MemoryServices) -> list[str]:
    return [
        json.loads(line)["custom_id"]
        for line in services.bucket.stored[f"results/default/{BATCH_ID}/output.jsonl"].splitlines()
    ]


def test_the_answers_lie_in_input_order_and_running_again_changes_nothing() -> None:
    services = answered()
    assert assemble(services, BATCH_ID) == "done"
    before = dict(services.bucket.stored), services.batch_store.batch(BATCH_ID)
    assert output(services) == ["r0", "r1", "r2"]
    assert assemble(services, BATCH_ID) == "done"
    assert (services.bucket.stored, services.batch_store.batch(BATCH_ID)) == before


class CancelledMeanwhile(MemoryBatchStore):
    """The user cancels between the first result's byte and the last move."""

    def move_batch(self, batch_id: str, status: str, now: int, **changes: object) -> Batch | None:
        if status == "completed":
            super().move_batch(batch_id, "cancelling", NOW)
        return super().move_batch(batch_id, status, now, **changes)


def test_a_batch_cancelled_while_its_results_are_written_ends_as_cancelled_with_them() -> None:
    services, late = answered(), CancelledMeanwhile()
    late.batches, late.kept = services.batch_store.batches, services.batch_store.kept
    services.batch_store = late
    assert assemble(services, BATCH_ID) == "assemble"
    assert "cancelling" not in services.event_bus.announced
    assert assemble(services, BATCH_ID) == "done"
    ended = late.batch(BATCH_ID)
    assert (ended.status, ended.counts.completed) == ("cancelled", 3)
    assert services.event_bus.announced[-1] == "cancelled"
    assert output(services) == ["r0", "r1", "r2"]


def errors(services: MemoryServices) -> list[tuple[str, str]]:
    lines = map(json.loads, services.bucket.stored[f"results/default/{BATCH_ID}/errors.jsonl"].splitlines())
    return [(line["custom_id"], line["error"]["code"]) for line in lines]


def test_a_batch_of_which_nothing_ever_ran_has_failed_with_the_reason_on_every_line() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    shard, reason = services.batch_store.kept[BATCH_ID, 0], BatchError("batch_failed", "the provider said no")
    services.batch_store.save_shard(shard, as_done(shard, reason))
    assert assemble(services, BATCH_ID) == "failed"
    assert services.batch_store.batch(BATCH_ID).errors == [reason]
    assert errors(services) == [(f"r{at}", "batch_failed") for at in range(3)]


def test_a_shard_that_stopped_without_a_word_has_its_lines_all_the_same() -> None:
    services = planned()
    assert assemble(services, BATCH_ID) == "failed"
    assert errors(services) == [(f"r{at}", "server_error") for at in range(3)]


def test_a_cancelled_batch_that_ends_before_its_provider_told_says_so_of_what_was_sent_alone() -> None:
    services = planned(max_requests_per_shard=2)  # the second shard is never sent
    assert submit(services, Step(BATCH_ID, 0)).next == "poll"
    services.batch_store.move_batch(BATCH_ID, "cancelling", NOW)
    assert assemble(services, BATCH_ID) == "done"
    assert errors(services) == [("r0", "outcome_unknown"), ("r1", "outcome_unknown"), ("r2", "batch_cancelled")]
    first = json.loads(services.bucket.stored[f"results/default/{BATCH_ID}/errors.jsonl"].splitlines()[0])
    assert "pb-0" in first["error"]["message"]
    ended = services.batch_store.batch(BATCH_ID)
    assert (ended.status, ended.counts.failed) == ("cancelled", 2)
