"""What may become of a provider batch: each is a named fault of the list in README.md, judged by the checker afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batch_client import BatchError as ProviderBatchError
from tests.faults.inputs import written
from tests.faults.provider import Fate, no_room

if TYPE_CHECKING:
    from tests.faults.struck import StruckWorld

FOUR = [f"r{at}" for at in range(4)]
TEN = [f"r{at}" for at in range(10)]


def ran(world: StruckWorld, ids: list[str], *fates: Fate) -> str:
    """Run a batch whose provider batches meet these fates, and return how it ended."""
    world.provider.fates = list(fates)
    batch_id = world.upload(ids)
    world.finish()
    return str(world.record(batch_id)["status"])


def results(world: StruckWorld) -> tuple[list[str], dict[str, str | None]]:
    """Return the custom_ids of the output, and the codes of the errors by custom_id."""
    output, errors = (
        [json.loads(line) for line in (world.first_result(name) or b"").splitlines()]
        for name in ("output.jsonl", "errors.jsonl")
    )
    codes = {
        each["custom_id"]: (each["error"] or each["response"]["body"].get("error") or {}).get("code") for each in errors
    }
    return [each["custom_id"] for each in output], codes


def every(sort: str, ids: list[str] = FOUR) -> dict[str, str]:
    return dict.fromkeys(ids, sort)


def test_it_expires_at_30_percent_then_at_60_then_completes(world: StruckWorld) -> None:
    ids = [f"r{at}" for at in range(100)]
    world.resize(1_000)
    assert ran(world, ids, Fate("expired", share=0.3), Fate("expired", share=0.6)) == "completed"
    assert [len(made.custom_ids) for made in world.provider.made.values()] == [100, 70, 28]
    assert set(world.provider.ran.values()) == {1}
    assert results(world) == (ids, {})


def test_it_expires_eight_times_and_each_time_finishes_a_little(world: StruckWorld) -> None:
    assert ran(world, TEN, *[Fate("expired", share=0.5)] * 8) == "completed"
    assert results(world) == (TEN, {})


def test_it_expires_again_and_again_without_an_answer(world: StruckWorld) -> None:
    assert ran(world, FOUR, *[Fate("expired", share=0)] * 9) == "completed"
    assert results(world) == ([], every("batch_expired"))
    assert len(world.provider.made) == 3


def test_every_line_fails_and_there_is_no_output_file(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines=every("refused"))) == "completed"
    assert results(world) == ([], every("refused"))
    assert world.record(world.cases[0].batch_id)["output_file_id"] is None


def test_its_status_is_a_word_that_nobody_knows(world: StruckWorld) -> None:
    lines = {"r1": "refused", "r2": "missing"}
    assert ran(world, FOUR, Fate(odd="odd", lines=lines)) == "completed"
    assert results(world) == (["r0", "r2", "r3"], {"r1": "refused"})


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_its_status_is_a_word_that_nobody_knows_and_its_batch_is_cancelled(world: StruckWorld, share: float) -> None:
    world.provider.fates = [Fate("cancelled", odd="odd", share=share, seconds=30)]
    batch_id = world.upload(FOUR)
    world.play_until("retrieve_batch")
    world.cancel()
    world.finish()
    assert world.record(batch_id)["status"] == "cancelled"
    assert world.wrongs() == []


@pytest.mark.parametrize("share", [0.9, 0.4, 0.15])
def test_the_provider_takes_smaller_files_than_its_documents_say(world: StruckWorld, share: float) -> None:
    ids = [f"r{at}" for at in range(40)]
    world.resize(100)
    whole = len(written(ids, ["m0"], {}).data)
    world.provider.most_bytes = int(whole * share)
    assert ran(world, ids) == "completed"
    assert results(world) == (ids, {})
    assert set(world.provider.ran.values()) == {1}
    assert max(len(data) for data in world.provider.files.values()) <= whole


def test_one_request_is_larger_than_the_provider_takes_and_the_others_are_answered(world: StruckWorld) -> None:
    ids = ["r0", "r1", "a-custom-id-that-makes-its-request-longer" + "x" * 300, "r3", "r4"]
    world.resize(100)
    world.provider.most_bytes = len(written(ids[:2], ["m0"], {}).data) + 50
    assert ran(world, ids) == "completed"
    output, errors = results(world)
    assert (output, list(errors.values())) == ([ids[0], ids[1], ids[3], ids[4]], ["file_too_large"])


def test_it_completes_without_any_file(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines=every("missing"))) == "completed"
    assert results(world) == (FOUR, {})


def test_file_ids_are_empty_texts(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(empty_ids=True), Fate(empty_ids=True)) == "completed"
    assert results(world) == (FOUR, {})


@pytest.mark.parametrize("sort", ["missing", "malformed", "zero", "timed out", "unavailable", "slow down", "expired"])
def test_a_line_has_no_true_answer_once(world: StruckWorld, sort: str) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": sort})) == "completed"
    assert results(world) == (FOUR, {})
    assert [made.custom_ids for made in world.provider.made.values()] == [FOUR, ["r1"]]


@pytest.mark.parametrize("sort", ["zero", "timed out", "unavailable", "slow down"])
def test_a_line_has_no_true_answer_however_often_it_is_tried(world: StruckWorld, sort: str) -> None:
    assert ran(world, FOUR, *[Fate(lines={"r1": sort})] * 9) == "completed"
    assert results(world)[0] == ["r0", "r2", "r3"]
    assert world.provider.sent["r1"] == 3


@pytest.mark.parametrize("sort", ["twice", "stranger"])
def test_a_line_is_there_twice_or_is_a_strangers(world: StruckWorld, sort: str) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": sort})) == "completed"
    assert results(world) == (FOUR, {})
    assert report(world)["shards"][0]["attempts"][0]["strays"] == 1


def test_a_line_that_is_not_utf8_is_mended_and_told(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": "mangled", "r3": "empty"})) == "completed"
    assert results(world) == (FOUR, {})
    assert report(world)["answers"] == {"strays": 0, "mended": 1, "empty": 1, "unmetered": 1, "never_came": 0}
    assert len(world.provider.made) == 1


@pytest.mark.parametrize(("sort", "code"), [("contradicted", "request_timeout"), ("coded", "invalid_value")])
def test_a_line_is_refused_in_other_words(world: StruckWorld, sort: str, code: str) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": sort})) == "completed"
    assert results(world)[0] == ["r0", "r2", "r3"]
    assert world.provider.sent["r1"] == 1
    (line,) = (world.first_result("errors.jsonl") or b"").splitlines()
    assert json.loads(line)["error"]["code"] == code


def test_a_line_succeeds_with_an_error_beside_it(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": "with an error"})) == "completed"
    assert results(world) == (FOUR, {})
    assert len(world.provider.made) == 1


def test_lines_of_status_0_are_counted_as_completed(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines={"r1": "zero"})) == "completed"
    assert results(world) == (FOUR, {})
    assert report(world)["answers"]["never_came"] == 0
    assert world.record(world.cases[0].batch_id)["counts"]["completed"] == 4


@pytest.mark.parametrize("vanish", [1, 2])
def test_a_cancel_loses_answers_that_were_counted(world: StruckWorld, vanish: int) -> None:
    world.provider.fates = [Fate("cancelled", seconds=9_000, share=0.5, vanish=vanish)]
    batch_id = world.upload(FOUR)
    world.play_until("retrieve_batch")
    world.clock.now += 600
    world.play_until("retrieve_batch")
    world.cancel()
    world.finish()
    assert world.record(batch_id)["status"] == "cancelled"
    assert results(world) == (FOUR[vanish:2], every("batch_cancelled", [*FOUR[:vanish], "r2", "r3"]))
    assert report(world)["answers"]["never_came"] == vanish
    assert world.record(batch_id)["counts"] == {"total": 4, "completed": 2 - vanish, "failed": 0}


@pytest.mark.parametrize("status", ["pondering", "validating", "in_progress", "cancelling"])
def test_it_shows_another_status_for_ten_looks(world: StruckWorld, status: str) -> None:
    assert ran(world, FOUR, Fate(seconds=1, shown=[status] * 10)) == "completed"
    assert results(world) == (FOUR, {})
    assert len(world.provider.made) == 1


@pytest.mark.parametrize(
    ("error", "uploads"),
    [
        (no_room("m0", 90_000), 1),
        (ProviderBatchError("invalid_request", "not found", "file_id"), 2),
        (ProviderBatchError("billing_hard_limit_reached", "pay"), 1),
        (ProviderBatchError("insufficient_quota", "pay"), 1),
        (ProviderBatchError("never_seen_before", "?"), 2),
    ],
    ids=lambda value: getattr(value, "code", None),
)  # fmt: skip
def test_it_fails_for_a_reason_that_passes(world: StruckWorld, error: ProviderBatchError, uploads: int) -> None:
    assert ran(world, FOUR, Fate("failed", errors=(error,)), Fate("failed", errors=(error,))) == "completed"
    assert results(world) == (FOUR, {})
    assert world.provider.calls.count("create_file") == (1 if uploads == 1 else 3)


def test_it_fails_for_two_of_its_lines(world: StruckWorld) -> None:
    named = (
        ProviderBatchError("invalid_json_line", "bad", None, 1),
        ProviderBatchError("model_not_found", "bad", "body.model", 3),
    )
    assert ran(world, FOUR, Fate("failed", errors=named)) == "completed"
    assert results(world) == (["r1", "r3"], {"r0": "invalid_json_line", "r2": "model_not_found"})


def test_it_always_fails_and_does_not_say_why(world: StruckWorld) -> None:
    assert ran(world, FOUR, *[Fate("failed", errors=())] * 9) == "failed"
    assert len(world.provider.made) == 3


def test_its_files_are_late(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(lines={"r0": "refused"}, late=1)) == "completed"
    assert results(world) == (["r1", "r2", "r3"], {"r0": "refused"})
    assert len(world.provider.made) == 1


def test_it_has_no_counts(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate(no_counts=True)) == "completed"
    assert results(world) == (FOUR, {})


def test_the_provider_cancels_it_by_itself(world: StruckWorld) -> None:
    assert ran(world, FOUR, Fate("cancelled", share=0.5)) == "completed"
    assert results(world) == (FOUR, {})
    assert [len(made.custom_ids) for made in world.provider.made.values()] == [4, 2]


def test_the_input_file_is_gone_from_the_provider(world: StruckWorld) -> None:
    batch_id = world.upload(FOUR)
    world.play_until("create_batch", before=True)
    world.provider.deleted.extend(world.provider.files)
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    assert results(world) == (FOUR, {})


def test_two_shards_of_three_fail_each_in_its_own_way(world: StruckWorld) -> None:
    odd = Fate("failed", errors=(ProviderBatchError("invalid_request", "not found", "file_id"),))
    assert ran(world, TEN, Fate(), odd, Fate("expired", share=0.3)) == "completed"
    assert results(world) == (TEN, {})


def report(world: StruckWorld) -> Any:
    return json.loads(world.first_result("report.json") or b"")
