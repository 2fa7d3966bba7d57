"""messages.jsonl has every line of both results, in input order, however often its writing is left."""

import json
from itertools import count

import msgspec
import pytest

from batchyard.domain.batch import INLINE
from batchyard.message_batches.result_lines import result_line
from batchyard.results.assemble import assemble
from tests.fakes.batches import BATCH_ID
from tests.fakes.seconds_left import SecondsLeft
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.results.test_checkpoint import CancelledMeanwhile, DyingObjects, by_turns, fresh, results

FILE, OUTPUT, ERRORS = (f"results/default/{BATCH_ID}/{name}.jsonl" for name in ("messages", "output", "errors"))


def asked() -> MemoryServices:
    """Make services whose batch Anthropic's route made."""
    services = fresh()
    known = services.batch_store.batches[BATCH_ID]
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(known, messages_input=INLINE)
    return services


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    services = asked()
    assert by_turns(services, lambda: SecondsLeft(10_000)) == 1
    return results(services)


def test_every_line_of_both_results_is_there_once_in_the_order_of_the_input(whole: dict[str, bytes]) -> None:
    lines = [*whole[OUTPUT].splitlines(keepends=True), *whole[ERRORS].splitlines(keepends=True)]
    written = whole[FILE].splitlines(keepends=True)
    assert sorted(written) == sorted(map(result_line, lines))
    names = [json.loads(line)["custom_id"] for line in written]
    skipped = {19: ["line-21", "r3"], 37: ["line-41"], 47: ["r5", "line-53"]}  # by the line before them
    assert names == [each for at in range(48) for each in (f"r{at}", *skipped.get(at, []))]


def test_the_batch_names_the_file_which_counts_as_every_result() -> None:
    services = asked()
    by_turns(services, lambda: SecondsLeft(10_000))
    batch = services.batch_store.batches[BATCH_ID]
    assert batch.messages_file_id is not None
    file = services.file_store.known[batch.messages_file_id]
    assert (file.key, file.bytes, file.purpose) == (FILE, len(services.bucket.stored[FILE]), "batch_output")
    stored = sum(len(services.bucket.stored[key]) for key in (FILE, OUTPUT, ERRORS))
    assert services.quota_store.read("default").bytes == stored


def test_a_batch_of_another_route_has_no_such_file() -> None:
    services = fresh()
    by_turns(services, lambda: SecondsLeft(10_000))
    assert FILE not in services.bucket.stored
    assert services.batch_store.batches[BATCH_ID].messages_file_id is None


@pytest.mark.parametrize("looks", [1, 2, 3, 7, 20])
def test_the_file_is_the_same_however_often_its_writing_is_left(whole: dict[str, bytes], looks: int) -> None:
    services = asked()
    assert by_turns(services, lambda: SecondsLeft(looks)) >= 30 // looks
    assert results(services) == whole


@pytest.mark.parametrize("looks", [1, 4, 9])
def test_a_death_at_any_look_at_the_clock_changes_nothing(whole: dict[str, bytes], looks: int) -> None:
    services, turn = asked(), count()
    by_turns(services, lambda: SecondsLeft(looks, dies_at=next(turn) % (looks + 3)))
    assert results(services) == whole


@pytest.mark.parametrize("name", ["progress.msgpack", "results/messages.msgpack"])
@pytest.mark.parametrize("after", [False, True])
def test_a_death_before_or_after_a_checkpoint_changes_nothing(
    whole: dict[str, bytes], name: str, *, after: bool
) -> None:
    services = asked()
    services.bucket = DyingObjects(services.bucket.stored, after=after, name=name)
    by_turns(services, lambda: SecondsLeft(5))
    assert results(services) == whole


def test_a_file_that_is_whole_is_not_written_again_when_the_batch_is_cancelled_at_the_end() -> None:
    services, late = asked(), CancelledMeanwhile()
    late.batches, late.kept = services.batch_store.batches, services.batch_store.kept
    services.batch_store = late
    while late.batch(BATCH_ID).status != "cancelling":
        assert assemble(services, BATCH_ID, SecondsLeft(9)) == "assemble"
    for key in {key for key in services.bucket.stored if "/attempt-" in key or "/left-" in key}:
        del services.bucket.stored[key]
    assert assemble(services, BATCH_ID, SecondsLeft(9)) == "done"
    assert late.batch(BATCH_ID).messages_file_id
