"""A gzip file is an input like any other, and its lines are sent unpacked."""

import gzip

import pytest

from batchyard.plan import plan
from batchyard.shard import Step
from batchyard.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard, batch
from tests.unit.batchyard.planned import INPUT, KEY

CUT = INPUT.index(b"\n") + 1
MEMBERS = gzip.compress(INPUT[:CUT]) + gzip.compress(INPUT[CUT:])


def dropped(data: bytes, chunk: int) -> tuple[MemoryYard, str]:
    yard = MemoryYard()
    yard.bucket.chunk = chunk
    yard.bucket.put(KEY, data)
    yard.table.create_batch(batch(input=yard.bucket.head(KEY)[0]))
    return yard, plan(yard, BATCH_ID).next


@pytest.mark.parametrize("chunk", [1, 7, 65_536])
@pytest.mark.parametrize("data", [gzip.compress(INPUT), MEMBERS], ids=["one member", "two members"])
def test_what_is_sent_is_what_was_packed(data: bytes, chunk: int) -> None:
    yard, following = dropped(data, chunk)
    assert following == "run"
    assert submit(yard, Step(BATCH_ID, 0)).next == "poll"
    assert list(yard.scripted.files.values()) == [INPUT]


@pytest.mark.parametrize("data", [MEMBERS[:-9], MEMBERS[:2], MEMBERS[:40] + b"\0\0\0" + MEMBERS[43:]])
def test_a_damaged_file_is_refused_as_a_whole(data: bytes) -> None:
    yard, following = dropped(data, 65_536)
    (error,) = yard.table.batch(BATCH_ID).errors
    assert (following, error.code, error.param, error.line) == ("refused", "invalid_request", "file_id", None)
    assert "gzip" in error.message
