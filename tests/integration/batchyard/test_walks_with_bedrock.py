"""Bedrock's dialects under anything that may go wrong at once, at random: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.s3_server import s3_server
from tests.faults.strikes import Strike
from tests.integration.batchyard.test_walks_with_messages import json_lines
from tests.integration.batchyard.test_with_bedrock import BATCHES, FEW, IDS, JOBS, NO_ROOM, Api
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

WALKS = int(os.environ.get("WALKS", "150")) // 10
TWELVE = IDS[:12]
LOST: list[dict[str, Any]] = [
    {"connection": "reset"}, {"connection": "close", "after_effect": True}, {"status": 502, "after_effect": True},
    {"status": 503, "html": True}, {"body": "{broken", "after_effect": True}, {"cut": {"at": 0.5}},
]  # fmt: skip
REFUSED: list[dict[str, Any]] = [{"status": 400, "error": NO_ROOM}, {"status": 429}, {"status": 403}, {"status": 500}]
FAULTS: list[dict[str, Any]] = [
    {"status": 429}, {"status": 500}, {"status": 500, "missing": True}, {"duplicate": True}, {"unknown_custom_id": True},
    {"status": 500, "bare": True}, {"status": 500, "malformed": True},
]  # fmt: skip
NO_RIGHT = {
    "status": 403
}  # of a record of a job, whose role it is; a line of OpenAI's shape that is forbidden is an error


strikes = (
    st.builds(Strike, st.sampled_from(["kill", "fail", "overtake"]), st.integers(0, 50), st.booleans()) | st.none()
)


def fates(api: Api) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Befall two batches at most: a line that finds no answer in three attempts is an error, and rightly."""
    faults = st.sampled_from([*FAULTS, NO_RIGHT] if api is JOBS else FAULTS)
    lines = st.builds(lambda number, do: {"lines": number, "do": do}, st.integers(1, 12), faults)
    members = {
        "expire_after": st.sampled_from([0.0, 0.3, 0.9]), "seconds": st.sampled_from([0.01, 40.0]),
        "fail": st.just("The model had a problem"), "lines": st.lists(lines, max_size=5),
    }  # fmt: skip
    return st.lists(st.fixed_dictionaries({}, optional=members), max_size=2)


def calls(api: Api) -> st.SearchStrategy[list[dict[str, Any]]]:
    operations = [api.create, api.create, api.find, api.look]
    return st.lists(
        st.builds(
            lambda operation, nth, do: {"operation": operation, "nth": nth, "do": do},
            st.sampled_from(operations), st.integers(1, 4), st.sampled_from([*LOST, *REFUSED]),
        )
        | st.builds(lambda nth: {"operation": api.find, "nth": nth, "do": {"hide_newest": 1}}, st.integers(1, 2)),
        max_size=6,
    )  # fmt: skip


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with s3_server() as s3, started("--seconds-per-batch", "0.05", "--aws", s3.url) as emulator:
        emulator.s3 = s3
        yield emulator


@pytest.mark.parametrize("api", [pytest.param(JOBS, id="jobs"), pytest.param(BATCHES, id="batches")])
@settings(
    max_examples=WALKS, deadline=None, derandomize="WALKS" not in os.environ, suppress_health_check=list(HealthCheck)
)
@given(
    data=st.data(), bad=st.sets(st.integers(1, 12), max_size=2), strike=strikes,
    late=st.sampled_from([0, 100_000]),
)  # fmt: skip
def test_whatever_happens_each_line_has_its_outcome_and_is_paid_once(
    emulator: Emulator, api: Api, data: st.DataObject, bad: set[int],
    strike: Strike | None, late: int,
) -> None:  # fmt: skip
    befalls = data.draw(fates(api))
    refused = [{"lines": str(number), "do": {"status": 400}} for number in sorted(bad)]
    first = befalls[0] if befalls else {}
    rules = [{"batch": 1, "do": {**first, "lines": [*refused, *first.get("lines", [])]}}]
    rules += [{"batch": at, "do": fate} for at, fate in enumerate(befalls[1:], start=2)]
    emulator.play(
        calls=data.draw(calls(api)), batches=rules, bedrock={**FEW, "counts_lag": late}, seconds_per_batch=0.05
    )
    before = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}
    world, _, batch_id = api.struck_run(emulator, strike, TWELVE)
    output = [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")]
    errors = [each["custom_id"] for each in json_lines(world.found(f"results/default/{batch_id}/errors.jsonl"))]
    assert sorted([*output, *errors], key=TWELVE.index) == TWELVE
    assert output == sorted(output, key=TWELVE.index)
    assert len(errors) <= len(bad)
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sum(len(each["billed"]) for each in made) == len(output)
