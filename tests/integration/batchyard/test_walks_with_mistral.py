"""Mistral's dialect under anything that may go wrong at once: nothing is lost, and only what the service lost is paid twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.strikes import Strike
from tests.integration.batchyard.spoken import made
from tests.integration.batchyard.test_with_mistral import IDS, MISTRAL
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

WALKS = int(os.environ.get("WALKS", "150")) // 10
TWELVE = IDS[:12]
LOST: list[dict[str, Any]] = [
    {"connection": "reset"}, {"connection": "close", "after_effect": True}, {"status": 502, "after_effect": True},
    {"status": 504}, {"status": 503, "html": True}, {"body": "{broken", "after_effect": True}, {"cut": {"at": 0.5}},
]  # fmt: skip
REFUSED: list[dict[str, Any]] = [
    {"status": 429},
    {"status": 429, "headers": {"retry-after": "1"}},
    {"status": 401},
    {"status": 402},
]
OPERATIONS = [
    "createFile", "createBatchJob", "createBatchJob", "listBatchJobs", "retrieveBatchJob", "downloadFile",
    "cancelBatchJob", "deleteFile",
]  # fmt: skip
calls = st.builds(
    lambda operation, nth, do: {"operation": operation, "nth": nth, "do": do},
    st.sampled_from(OPERATIONS), st.integers(1, 4), st.sampled_from([*LOST, *REFUSED]),
) | st.builds(
    lambda nth, do: {"operation": "listBatchJobs", "nth": nth, "do": do}, st.integers(1, 2), st.just({"hide_newest": 1})
)  # fmt: skip
# A line of an error without its name is unanswered, and goes again; of an answer it would be paid for in vain.
lines = st.builds(
    lambda number, do: {"lines": number, "do": do}, st.integers(1, 12),
    st.sampled_from([
        {"status": 500}, {"status": 429}, {"status": 500, "nameless": True}, {"error": "odd", "nameless": True},
        {"error": "odd"}, {"status": 500, "missing": True}, {"duplicate": True}, {"unknown_custom_id": True},
    ]),
)  # fmt: skip
# Two at most: a line that finds no answer in three attempts is an error, and rightly.
fates = st.fixed_dictionaries(
    {}, optional={"expire_after": st.sampled_from([0.0, 0.5, 0.9]), "loses_answers": st.booleans(),
                  "seconds": st.sampled_from([0.01, 40.0, 4_000.0, 200_000.0]), "fail": st.just("internal"),
                  "lines": st.lists(lines, max_size=5)}
)  # fmt: skip
strikes = (
    st.builds(Strike, st.sampled_from(["kill", "fail", "overtake"]), st.integers(0, 40), st.booleans()) | st.none()
)


def emptied(jobs: list[dict[str, Any]], befalls: list[dict[str, Any]]) -> set[str]:
    """Name the jobs that lost their answers, though they were billed; `jobs` are in the order in which they were made."""
    return {
        job["id"] for job, fate in zip(jobs, befalls, strict=False)
        if fate.get("loses_answers") and job["status"] in {"expired", "cancelled"}
    }  # fmt: skip


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05", "--service", "mistral") as emulator:
        yield emulator


@settings(
    max_examples=WALKS, deadline=None, derandomize="WALKS" not in os.environ, suppress_health_check=list(HealthCheck)
)
@given(
    troubles=st.lists(calls, max_size=6), befalls=st.lists(fates, max_size=2), bad=st.sets(st.integers(1, 12), max_size=2),
    strike=strikes,
)  # fmt: skip
def test_whatever_happens_each_line_has_its_outcome_and_is_paid_once(
    emulator: Emulator, troubles: list[dict[str, Any]], befalls: list[dict[str, Any]], bad: set[int],
    strike: Strike | None,
) -> None:  # fmt: skip
    refused = [{"custom_id": TWELVE[number - 1], "do": {"status": 400}} for number in bad]
    fated = [
        {"batch": at, "do": {**fate, "lines": [*refused, *fate.get("lines", [])]}} for at, fate in enumerate(befalls, 1)
    ]
    emulator.play(calls=troubles, batches=fated, lines=refused)
    before = made(emulator)
    world, _, batch_id = MISTRAL.struck_run(emulator, strike, TWELVE)
    output = [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")]
    found = world.found(f"results/default/{batch_id}/errors.jsonl") or b""
    errors = [json.loads(line)["custom_id"] for line in found.splitlines()]
    assert sorted([*output, *errors], key=TWELVE.index) == TWELVE
    assert output == sorted(output, key=TWELVE.index)
    assert set(errors) <= {TWELVE[number - 1] for number in bad}
    jobs = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    lost = [paid for each in jobs if each["id"] in emptied(jobs, befalls) for paid in each["billed"]]
    kept = [paid for each in jobs if each["id"] not in emptied(jobs, befalls) for paid in each["billed"]]
    assert sorted(kept, key=TWELVE.index) == output
    assert max(Counter(lost).values(), default=0) <= len(befalls)
    assert all(each["status"] in {"completed", "expired", "failed", "cancelled"} for each in jobs)
