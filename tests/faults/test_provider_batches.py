"""What may become of a provider batch: each is a named fault of the list in README.md, judged by the checker afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batch_client import BatchError as ProviderBatchError
from tests.faults.provider import Fate, no_room

if TYPE_CHECKING:
    from tests.faults.scene import Scene

FOUR = [f"r{at}" for at in range(4)]
TEN = [f"r{at}" for at in range(10)]


def ran(scene: Scene, ids: list[str], *fates: Fate) -> str:
    """Run a batch whose provider batches meet these fates, and return how it ended."""
    scene.provider.fates = list(fates)
    batch_id = scene.drop(ids)
    scene.finish()
    return str(scene.record(batch_id)["status"])


def results(scene: Scene) -> tuple[list[str], dict[str, str | None]]:
    """Return the custom_ids of the output, and the codes of the errors by custom_id."""
    output, errors = (
        [json.loads(line) for line in (scene.result(name) or b"").splitlines()]
        for name in ("output.jsonl", "errors.jsonl")
    )
    codes = {
        each["custom_id"]: (each["error"] or each["response"]["body"].get("error") or {}).get("code") for each in errors
    }
    return [each["custom_id"] for each in output], codes


def every(sort: str, ids: list[str] = FOUR) -> dict[str, str]:
    return dict.fromkeys(ids, sort)


def test_it_expires_at_30_percent_then_at_60_then_completes(scene: Scene) -> None:
    ids = [f"r{at}" for at in range(100)]
    scene.resize(1_000)
    assert ran(scene, ids, Fate("expired", share=0.3), Fate("expired", share=0.6)) == "completed"
    assert [len(made.custom_ids) for made in scene.provider.made.values()] == [100, 70, 28]
    assert set(scene.provider.ran.values()) == {1}
    assert results(scene) == (ids, {})


def test_it_expires_eight_times_and_each_time_finishes_a_little(scene: Scene) -> None:
    assert ran(scene, TEN, *[Fate("expired", share=0.5)] * 8) == "completed"
    assert results(scene) == (TEN, {})


def test_it_expires_again_and_again_without_an_answer(scene: Scene) -> None:
    assert ran(scene, FOUR, *[Fate("expired", share=0)] * 9) == "completed"
    assert results(scene) == ([], every("batch_expired"))
    assert len(scene.provider.made) == 3


def test_every_line_fails_and_there_is_no_output_file(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate(lines=every("refused"))) == "completed"
    assert results(scene) == ([], every("refused"))


def test_it_completes_without_any_file(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate(lines=every("missing"))) == "completed"
    assert results(scene) == (FOUR, {})


def test_file_ids_are_empty_texts(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate(empty_ids=True), Fate(empty_ids=True)) == "completed"
    assert results(scene) == (FOUR, {})


@pytest.mark.parametrize("sort", ["missing", "malformed", "zero", "timed out", "unavailable", "slow down", "expired"])
def test_a_line_has_no_true_answer_once(scene: Scene, sort: str) -> None:
    assert ran(scene, FOUR, Fate(lines={"r1": sort})) == "completed"
    assert results(scene) == (FOUR, {})
    assert [made.custom_ids for made in scene.provider.made.values()] == [FOUR, ["r1"]]


@pytest.mark.parametrize("sort", ["zero", "timed out", "unavailable", "slow down"])
def test_a_line_has_no_true_answer_however_often_it_is_tried(scene: Scene, sort: str) -> None:
    assert ran(scene, FOUR, *[Fate(lines={"r1": sort})] * 9) == "completed"
    assert results(scene)[0] == ["r0", "r2", "r3"]
    assert scene.provider.sent["r1"] == 3


@pytest.mark.parametrize("sort", ["twice", "stranger"])
def test_a_line_is_there_twice_or_is_a_strangers(scene: Scene, sort: str) -> None:
    assert ran(scene, FOUR, Fate(lines={"r1": sort})) == "completed"
    assert results(scene) == (FOUR, {})
    assert report(scene)["shards"][0]["attempts"][0]["strays"] == 1


@pytest.mark.parametrize("status", ["pondering", "validating", "in_progress", "cancelling"])
def test_it_shows_another_status_for_ten_looks(scene: Scene, status: str) -> None:
    assert ran(scene, FOUR, Fate(seconds=1, shown=[status] * 10)) == "completed"
    assert results(scene) == (FOUR, {})
    assert len(scene.provider.made) == 1


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
def test_it_fails_for_a_reason_that_passes(scene: Scene, error: ProviderBatchError, uploads: int) -> None:
    assert ran(scene, FOUR, Fate("failed", errors=(error,)), Fate("failed", errors=(error,))) == "completed"
    assert results(scene) == (FOUR, {})
    assert scene.provider.calls.count("create_file") == (1 if uploads == 1 else 3)


def test_it_fails_for_two_of_its_lines(scene: Scene) -> None:
    named = (
        ProviderBatchError("invalid_json_line", "bad", None, 1),
        ProviderBatchError("model_not_found", "bad", "body.model", 3),
    )
    assert ran(scene, FOUR, Fate("failed", errors=named)) == "completed"
    assert results(scene) == (["r1", "r3"], {"r0": "invalid_json_line", "r2": "model_not_found"})


def test_it_always_fails_and_does_not_say_why(scene: Scene) -> None:
    assert ran(scene, FOUR, *[Fate("failed", errors=())] * 9) == "failed"
    assert len(scene.provider.made) == 3


def test_its_files_are_late(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate(lines={"r0": "refused"}, late=1)) == "completed"
    assert results(scene) == (["r1", "r2", "r3"], {"r0": "refused"})
    assert len(scene.provider.made) == 1


def test_it_has_no_counts(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate(no_counts=True)) == "completed"
    assert results(scene) == (FOUR, {})


def test_the_provider_cancels_it_by_itself(scene: Scene) -> None:
    assert ran(scene, FOUR, Fate("cancelled", share=0.5)) == "completed"
    assert results(scene) == (FOUR, {})
    assert [len(made.custom_ids) for made in scene.provider.made.values()] == [4, 2]


def test_the_input_file_is_gone_from_the_provider(scene: Scene) -> None:
    batch_id = scene.drop(FOUR)
    scene.play_until("create_batch", before=True)
    scene.provider.deleted.extend(scene.provider.files)
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"
    assert results(scene) == (FOUR, {})


def test_two_shards_of_three_fail_each_in_its_own_way(scene: Scene) -> None:
    odd = Fate("failed", errors=(ProviderBatchError("invalid_request", "not found", "file_id"),))
    assert ran(scene, TEN, Fate(), odd, Fate("expired", share=0.3)) == "completed"
    assert results(scene) == (TEN, {})


def report(scene: Scene) -> Any:
    return json.loads(scene.result("report.json") or b"")
