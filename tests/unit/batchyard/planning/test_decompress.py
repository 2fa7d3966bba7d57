"""A gzip file is an input like any other, and its lines are sent unpacked."""

import gzip

import pytest

from batchyard.domain.errors import BatchyardError
from batchyard.domain.step import Step
from batchyard.planning import decompress
from batchyard.planning.plan import plan
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import INPUT, KEY
from tests.fakes.services import MemoryServices

CUT = INPUT.index(b"\n") + 1
MEMBERS = gzip.compress(INPUT[:CUT]) + gzip.compress(INPUT[CUT:])


def waiting(data: bytes, chunk: int) -> MemoryServices:
    services = MemoryServices()
    services.bucket.chunk = chunk
    services.bucket.put(KEY, data)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0]))
    return services


def dropped(data: bytes, chunk: int) -> tuple[MemoryServices, str]:
    services = waiting(data, chunk)
    return services, plan(services, BATCH_ID).next


@pytest.mark.parametrize("chunk", [1, 7, 65_536])
@pytest.mark.parametrize("data", [gzip.compress(INPUT), MEMBERS], ids=["one member", "two members"])
def test_what_is_sent_is_what_was_packed(data: bytes, chunk: int) -> None:
    services, following = dropped(data, chunk)
    assert following == "run"
    assert submit(services, Step(BATCH_ID, 0)).next == "poll"
    assert list(services.provider.files.values()) == [INPUT]


@pytest.mark.parametrize("data", [MEMBERS[:-9], MEMBERS[:2], MEMBERS[:40] + b"\0\0\0" + MEMBERS[43:]])
def test_a_damaged_file_is_refused_as_a_whole(data: bytes) -> None:
    services, following = dropped(data, 65_536)
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert (following, error.code, error.param, error.line) == ("refused", "invalid_request", "file_id", None)
    assert "gzip" in error.message


class Looks:
    """The seconds left of an invocation, enough for so many looks at the clock."""

    def __init__(self, enough: int) -> None:
        self.enough = enough

    def __call__(self) -> float:
        self.enough -= 1
        return 900.0 if self.enough >= 0 else 0.0


@pytest.mark.parametrize("data", [gzip.compress(INPUT), MEMBERS], ids=["one member", "two members"])
def test_an_input_that_takes_long_to_unpack_is_unpacked_in_several_invocations(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 40)
    services, following, invocations = waiting(data, 7), "plan", 0
    while following == "plan":
        looks = Looks(2 + 2 * invocations)  # each has to unpack again what the ones before it did
        following = plan(services, BATCH_ID, resume=invocations > 0, seconds_left=looks).next
        invocations += 1
    assert (following, invocations > 2) == ("run", True)
    assert submit(services, Step(BATCH_ID, 0)).next == "poll"
    assert list(services.provider.files.values()) == [INPUT]


def test_an_input_that_no_invocation_can_unpack_is_refused_rather_than_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 40)
    services = waiting(gzip.compress(INPUT), 7)
    assert plan(services, BATCH_ID, seconds_left=Looks(1)).next == "plan"
    with pytest.raises(BatchyardError, match="came no further"):
        plan(services, BATCH_ID, resume=True, seconds_left=Looks(1))
