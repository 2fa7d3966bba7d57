"""A gzip file is an input like any other, and its lines are sent unpacked."""

import gzip

import msgspec
import pytest
from msgspec.structs import replace

from batchyard.domain.batch import InputObject
from batchyard.domain.errors import BatchyardError, StaleRecord
from batchyard.domain.numbers import DAY
from batchyard.domain.step import Step
from batchyard.planning import decompress
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import INPUT, KEY
from tests.fakes.seconds_left import SecondsLeft
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


@pytest.mark.parametrize("data", [gzip.compress(INPUT), MEMBERS], ids=["one member", "two members"])
def test_an_input_that_takes_long_to_unpack_is_unpacked_in_several_invocations(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 40)
    services, following, invocations = waiting(data, 7), "plan", 0
    while following == "plan":
        looks = SecondsLeft(2 + 2 * invocations)  # each has to unpack again what the ones before it did
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
    assert plan(services, BATCH_ID, seconds_left=SecondsLeft(1)).next == "plan"
    with pytest.raises(BatchyardError, match="came no further"):
        plan(services, BATCH_ID, resume=True, seconds_left=SecondsLeft(1))


COPY = f"work/{BATCH_ID}/plan/{decompress.UNPACKED}"
MIB = 1 << 20


def refusal(services: MemoryServices) -> tuple[str, str, str | None, int | None]:
    """Plan an input that is refused, and say how; nothing of it is left, and nothing counted."""
    assert plan(services, BATCH_ID).next == "refused"
    assert COPY not in services.bucket.stored
    assert services.quota_store.read("default").bytes == 0
    (error,) = services.batch_store.batch(BATCH_ID).errors
    return error.code, error.message, error.param, error.line


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"\n" * 30 * MIB),
        gzip.compress(INPUT) + gzip.compress(b"\n" * 30 * MIB),
        b"".join(gzip.compress(INPUT) for _ in range(10_000)),
        gzip.compress(INPUT * 20_000),
    ],
    ids=["blank", "second member", "many members", "good lines"],
)
def test_an_input_unpacks_to_no_more_bytes_than_the_settings_allow(data: bytes) -> None:
    services = waiting(data, 65_536)
    services.settings = replace(services.settings, max_unpacked_bytes=2 * MIB)
    code, message, param, line = refusal(services)
    assert (code, param, line) == ("file_too_large", "file_id", None)
    assert "2,097,152 bytes" in message
    assert "MaxUnpackedBytes" in message


@pytest.mark.parametrize("on_invalid", ["refuse", "skip"])
@pytest.mark.parametrize("before", [b"", INPUT], ids=["first line", "fourth line"])
def test_a_line_over_the_limit_stops_the_unpacking_at_once(before: bytes, on_invalid: str) -> None:
    services = waiting(gzip.compress(before + b" " * 200 * MIB), 65_536)
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(
        services.batch_store.batch(BATCH_ID), on_invalid=on_invalid
    )
    services.settings = replace(services.settings, max_bytes_per_shard=4 * MIB)
    looks = SecondsLeft(10_000)
    assert plan(services, BATCH_ID, seconds_left=looks).next == "refused"
    assert looks.looked <= 5  # one look for each piece
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert (error.code, error.line) == ("invalid_request", 4 if before else 1)
    assert "longer than 4,194,304 bytes" in error.message
    assert COPY not in services.bucket.stored


def test_lines_up_to_the_limit_are_unpacked_wherever_the_pieces_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 7)
    services = waiting(gzip.compress(INPUT), 65_536)
    services.settings = replace(services.settings, max_unpacked_bytes=len(INPUT), max_bytes_per_shard=CUT)
    assert plan(services, BATCH_ID).next == "run"
    assert services.bucket.stored[COPY] == INPUT


def test_an_unpacked_copy_counts_from_its_first_bytes_until_the_batch_has_ended() -> None:
    services, following = dropped(gzip.compress(INPUT), 65_536)
    assert (following, services.quota_store.read("default").bytes) == ("run", len(INPUT))
    assert plan(services, BATCH_ID).next == "run"
    services.wait(DAY)
    services.executions.start(BATCH_ID, {})
    services.bucket.stored.pop(KEY)  # its upload is no concern here
    sweep(services)
    assert services.quota_store.read("default").bytes == len(INPUT)
    assert COPY in services.bucket.stored
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.batch_store.move_batch(BATCH_ID, "cancelled", services.now())
    assert sweep(services)["CopiesRemoved"] == 1
    assert services.quota_store.read("default").bytes == 0
    assert COPY not in services.bucket.stored
    assert "CopiesRemoved" not in sweep(services)


def test_a_copy_goes_though_the_provider_cannot_be_reached() -> None:
    services, _ = dropped(gzip.compress(INPUT), 65_536)
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.secret.text = ""
    services.bucket.stored.pop(KEY)
    assert sweep(services)["CopiesRemoved"] == 1


def test_a_copy_that_does_not_fit_into_what_the_tenant_may_store_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "COUNTED_TOGETHER", 100_000)
    services = waiting(gzip.compress(INPUT * 20_000), 65_536)
    services.quota_store.most_bytes = 1_000_000
    code, message, param, _ = refusal(services)
    assert (code, param) == ("storage_limit_exceeded", "file_id")
    assert "unpacked" in message


def test_copies_that_are_made_side_by_side_count_while_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 40)
    monkeypatch.setattr(decompress, "COUNTED_TOGETHER", 80)
    services = waiting(gzip.compress(INPUT), 7)
    assert plan(services, BATCH_ID, seconds_left=SecondsLeft(4)).next == "plan"
    counted = services.quota_store.read("default").bytes
    assert 0 < counted < len(INPUT)
    while plan(services, BATCH_ID, resume=True, seconds_left=SecondsLeft(12)).next == "plan":
        pass
    assert services.quota_store.read("default").bytes == len(INPUT)


def test_a_copy_of_a_batch_that_ended_meanwhile_goes_with_the_sweep() -> None:
    services = waiting(gzip.compress(INPUT), 65_536)
    head = services.bucket.head

    def ended(key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        if key == COPY:
            services.batch_store.move_batch(BATCH_ID, "failed", services.now())
        return head(key, version_id)

    services.bucket.head = ended  # type: ignore[method-assign]
    with pytest.raises(StaleRecord):
        plan(services, BATCH_ID)
    services.bucket.stored.pop(KEY)
    assert sweep(services)["CopiesRemoved"] == 1
    assert COPY not in services.bucket.stored
    assert services.quota_store.read("default").bytes == 0
