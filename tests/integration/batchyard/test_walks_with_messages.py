"""Anthropic's dialect under anything that may go wrong at once, at random: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.strikes import Strike
from tests.integration.batchyard.test_with_messages import CLAUDE, IDS, LOW_CREDIT
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

WALKS = int(os.environ.get("WALKS", "150")) // 5
TWELVE = IDS[:12]
LOST: list[dict[str, Any]] = [
    {"connection": "reset"}, {"connection": "close", "after_effect": True}, {"status": 502, "after_effect": True},
    {"status": 504}, {"status": 503, "html": True}, {"status": 529, "html": True, "after_effect": True},
    {"body": "{broken", "after_effect": True}, {"cut": {"at": 0.5}},
]  # fmt: skip
REFUSED: list[dict[str, Any]] = [
    {"status": 529}, {"status": 429}, {"status": 429, "headers": {"retry-after": "1"}}, {"status": 401},
    {"status": 400, "error": {"message": LOW_CREDIT}}, {"status": 402},
]  # fmt: skip
OPERATIONS = [
    "createMessageBatch", "createMessageBatch", "listMessageBatches", "retrieveMessageBatch", "retrieveMessageBatchResults",
    "cancelMessageBatch", "deleteMessageBatch",
]  # fmt: skip
calls = st.builds(
    lambda operation, nth, do: {"operation": operation, "nth": nth, "do": do},
    st.sampled_from(OPERATIONS), st.integers(1, 4), st.sampled_from([*LOST, *REFUSED]),
) | st.builds(
    lambda nth, do: {"operation": "listMessageBatches", "nth": nth, "do": do}, st.integers(1, 2), st.just({"hide_newest": 1})
)  # fmt: skip
lines = st.builds(
    lambda number, do: {"lines": number, "do": do}, st.integers(1, 12),
    st.sampled_from([
        {"status": 529}, {"status": 500}, {"status": 429}, {"error": "expired"}, {"error": "canceled"},
        {"error": "pondered"}, {"status": 400, "message": LOW_CREDIT}, {"duplicate": True}, {"unknown_custom_id": True},
    ]),
)  # fmt: skip
# Two at most: a line that finds no answer in three attempts is an error, and rightly.
fates = st.fixed_dictionaries(
    {}, optional={"expire_after": st.sampled_from([0.0, 0.3, 0.9]), "seconds": st.sampled_from([0.01, 40.0, 4_000.0]),
                  "lines": st.lists(lines, max_size=5)}
)  # fmt: skip
strikes = (
    st.builds(Strike, st.sampled_from(["kill", "fail", "overtake"]), st.integers(0, 40), st.booleans()) | st.none()
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05") as emulator:
        yield emulator


@settings(
    max_examples=WALKS, deadline=None, derandomize="WALKS" not in os.environ, suppress_health_check=list(HealthCheck)
)
@given(
    troubles=st.lists(calls, max_size=6), befalls=st.lists(fates, max_size=2), bad=st.sets(st.integers(1, 12), max_size=2),
    strike=strikes, reshuffled=st.booleans(),
)  # fmt: skip
def test_whatever_happens_each_line_has_its_outcome_and_is_paid_once(
    emulator: Emulator, troubles: list[dict[str, Any]], befalls: list[dict[str, Any]], bad: set[int],
    strike: Strike | None, reshuffled: bool,
) -> None:  # fmt: skip
    refused = [{"lines": str(number), "do": {"status": 400}} for number in bad]
    first = [
        {
            "batch": 1,
            "do": {
                **(befalls[0] if befalls else {}),
                "lines": [*refused, *(befalls[0].get("lines", []) if befalls else [])],
            },
        }
    ]
    rest = [{"batch": at, "do": fate} for at, fate in enumerate(befalls[1:], start=2)]
    emulator.play(calls=troubles, batches=[*first, *rest], messages={"reshuffled": reshuffled}, seconds_per_batch=0.05)
    before = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}
    world, _, batch_id = CLAUDE.struck_run(emulator, strike, TWELVE)
    output = [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")]
    errors = [each["custom_id"] for each in json_lines(world.found(f"results/default/{batch_id}/errors.jsonl"))]
    assert sorted([*output, *errors], key=TWELVE.index) == TWELVE
    assert output == sorted(output, key=TWELVE.index)
    assert len(errors) <= len(bad)
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sum(len(each["billed"]) for each in made) == len(output)
    assert all(each["status"] == "ended" for each in made)


def json_lines(text: bytes | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (text or b"").splitlines()]
