"""The report of a retry tells which lines were sent: those that the provider was asked, and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.api.batches import retry_batch
from batchyard.planning import progress
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.world import World, memory_world

if TYPE_CHECKING:
    from collections.abc import Iterable

IDS = [f"r{at:02}" for at in range(14)]
LONG = 2_000  # bytes that a shard holds


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=5, max_bytes_per_shard=LONG)


def text(sizes: dict[str, int] | None = None) -> list[bytes]:
    """Make one line for each custom_id, some of them so long that no member can be added."""
    return [
        jsonl([request(each, model=f"m{at % 2}", pad="x" * (sizes or {}).get(each, 0))]) for at, each in enumerate(IDS)
    ]


def parent(world: World, lines: Iterable[bytes], failed: set[str]) -> str:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each in failed else good(each))] * 20
    batch_id = world.drop(b"".join(lines), **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    world.provider.endings = []
    return batch_id


def retried(world: World, batch_id: str, positions: list[str], **body: Any) -> tuple[dict[str, Any], list[int]]:
    """Retry a batch; return what the report says was sent, and the positions of the lines that the provider was asked."""
    made = len(world.provider.batches)
    child = str(retry_batch(world.services, "default", batch_id, body)["id"])
    assert world.run(child) == "done"
    asked = [
        each for batch in list(world.provider.batches.values())[made:] for each in world.provider.custom_ids(batch)
    ]
    told: dict[str, Any] = json.loads(world.result(child, "report.json"))["sent"]
    return told, sorted(positions.index(each) for each in asked)


def check(told: dict[str, Any], asked: list[int]) -> None:
    shown = [position for first, last in told["first"] for position in range(first, last + 1)]
    assert shown == asked
    assert told["lines"] == len(asked)
    starts = [position for position in asked if position - 1 not in asked]
    assert (told["ranges"], [first for first, _ in told["first"]]) == (len(starts), starts)


@pytest.mark.parametrize("body", [None, {"seed": 1}], ids=["as they are", "changed"])
def test_a_retry_of_all_lines_tells_of_those_that_are_not_skipped(world: World, body: Any) -> None:
    lines = text()
    data = [*lines[:3], b"?\n", *lines[3:6], lines[1], *lines[6:12], lines[6], lines[7], *lines[12:], b"{}\n"]
    first = parent(world, data, {"r04"})
    positions = [*IDS[:3], "", *IDS[3:6], "", *IDS[6:12], "", "", *IDS[12:], ""]
    told, asked = retried(world, first, positions, lines="all", body=body)
    assert asked == [0, 1, 2, 4, 5, 6, *range(8, 14), 16, 17]
    check(told, asked)


def test_a_retry_of_all_lines_without_a_bad_one_tells_of_one_range(world: World) -> None:
    told, asked = retried(world, parent(world, text(), {"r04"}), IDS, lines="all")
    assert told == {"lines": 14, "ranges": 1, "first": [[0, 13]]}
    check(told, asked)


def test_a_line_that_is_skipped_after_its_change_was_not_sent(world: World) -> None:
    failed = {"r01", "r02", "r03", "r08", "r09", "r13"}
    first = parent(world, text({"r02": LONG - 300, "r08": LONG - 300}), failed)
    codes = [line["error"] for line in world.answered(first, "errors.jsonl")]
    assert codes == [None] * 6, "the provider was asked all of them"
    told, asked = retried(world, first, IDS, lines="errors", body={"user": "u" * 400})
    assert asked == [1, 3, 9, 13]
    check(told, asked)


def test_the_first_ranges_are_shown_and_all_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_RANGES", 2)
    first = parent(world, text(), {"r00", "r01", "r05", "r06", "r08", "r11"})
    told, _ = retried(world, first, IDS, lines="errors")
    assert told == {"lines": 6, "ranges": 4, "first": [[0, 1], [5, 6]]}
