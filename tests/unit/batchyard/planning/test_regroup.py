"""A shard whose lines lie scattered is copied once, and what is sent of it is what it was before."""

import json
import random
from array import array
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.domain import object_keys
from batchyard.domain.step import Step
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning import regroup
from batchyard.planning.plan import plan
from batchyard.planning.regroup import cut, scattered
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import KEY
from tests.fakes.services import MemoryServices

MODELS, LINES = 10, 1_000


def request(at: int, model: int) -> bytes:
    body = {"model": f"m{model}", "input": "x" * (at % 50)}
    return json.dumps({"custom_id": f"r{at}", "method": "POST", "url": "/v1/responses", "body": body}).encode() + b"\n"


ROWS = [request(at, (at * 3 + at // MODELS) % MODELS) for at in range(LINES)]


def dropped(data: bytes, chunk: int, **settings: int) -> MemoryServices:
    services = MemoryServices(**settings)
    services.bucket.chunk = chunk
    services.bucket.put(KEY, data)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0]))
    return services


def lists(services: MemoryServices) -> list[ShardLines]:
    shards = range(services.batch_store.batch(BATCH_ID).shards)
    return [ShardLines.unpack(services.bucket.get(object_keys.shard_lines(BATCH_ID, number))) for number in shards]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so low that a thousand lines are many."""
    monkeypatch.setattr(regroup, "FEW_BYTES", 0)
    monkeypatch.setattr(regroup, "MOST_TIMES", 3)
    monkeypatch.setattr(regroup, "MOST_GATHERED", 3_000)
    monkeypatch.setattr(regroup, "MOST_LINES", 400)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("chunk", [1, 100, 10**6])
def test_finely_mixed_models_are_copied_once_and_sent_as_they_were(chunk: int) -> None:
    services = dropped(b"\n".join(ROWS), chunk, max_requests_per_shard=60)
    assert plan(services, BATCH_ID).next == "run"
    shards = lists(services)
    assert all(shard.source is not None and shard.source.key != KEY for shard in shards)
    for shard in shards:
        assert submit(services, Step(BATCH_ID, shard.shard)).next == "poll"
    sent = list(services.provider.files.values())
    for shard, file in zip(shards, sent, strict=True):
        assert file == b"".join(ROWS[position] for position in shard.positions)
    assert sorted(position for shard in shards for position in shard.positions) == list(range(LINES))


@pytest.mark.usefixtures("little")
def test_what_is_left_of_a_copied_shard_is_read_from_the_copy() -> None:
    services = dropped(b"".join(ROWS), 1_000)
    plan(services, BATCH_ID)
    for shard in lists(services):
        assert shard.source is not None
        wanted = sorted(random.Random(3).sample(range(len(shard)), 40))  # noqa: S311 - made the same each time
        data = services.bucket.get(shard.source.key)
        ranges = list(shard.ranges(array("I", wanted)))
        assert b"".join(data[start:stop] for start, stop in ranges) == b"".join(
            ROWS[shard.positions[at]] for at in wanted
        )


@pytest.mark.usefixtures("little")
def test_a_copy_that_runs_out_of_time_goes_on_in_the_next_invocation() -> None:
    whole = dropped(b"".join(ROWS), 10**6, max_requests_per_shard=60)
    plan(whole, BATCH_ID)
    services, invocations = dropped(b"".join(ROWS), 10**6, max_requests_per_shard=60), 0
    following = "plan"
    while following == "plan":
        looks = iter([900.0])
        following = plan(services, BATCH_ID, resume=invocations > 0, seconds_left=partial(next, looks, 0.0)).next
        invocations += 1
    assert following == "run"
    assert invocations > 2
    assert [shard.pack() for shard in lists(services)] == [shard.pack() for shard in lists(whole)]


def test_three_models_in_turn_are_not_copied() -> None:
    services = dropped(b"".join(request(at, at % 3) for at in range(600)), 10**6)
    plan(services, BATCH_ID)
    assert [shard.source for shard in lists(services)] == [None] * 3


def test_a_shard_is_scattered_by_many_requests_or_by_many_bytes_in_vain() -> None:
    def shard(lines: int, size: int, apart: int) -> ShardLines:
        made = ShardLines(0, "/v1/responses", "m")
        for at in range(lines):
            made.add(Place(at, at + 1, at * (size + apart)), ["a"], [size])
        return made

    assert not scattered(shard(2_000, 1_000, 0))
    assert not scattered(shard(1_000, 1_000, 300_000))
    assert scattered(shard(1_001, 1_000, 300_000))
    assert not scattered(shard(2_000, 1_000, 6_000))
    assert scattered(shard(2_000, 1_000, 100_000))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1), st.integers(1, 12))
def test_lines_are_cut_however_the_bytes_come(gaps: list[tuple[int, int]], chunk: int) -> None:
    offset, lines = 3, []
    for at, (gap, size) in enumerate(gaps):
        lines.append((offset + gap, at, size))
        offset += gap + size
    data = bytes(at % 251 for at in range(offset))
    chunks = (data[at : at + chunk] for at in range(3, len(data), chunk))
    assert list(cut(chunks, 3, lines)) == [(at, data[start : start + size]) for start, at, size in lines]
