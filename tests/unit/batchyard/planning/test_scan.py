"""A pass over an input may be left between any two blocks, and goes on in another process as if nothing had been."""

import itertools
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.domain.batch import SHOWN_ERRORS, BatchError
from batchyard.planning import scan
from batchyard.planning.progress import PlanProgress
from batchyard.planning.scan import MOST_ERROR_BYTES, InputScan
from batchyard.planning.splitting import ShardLimits, Targets

Plan = tuple[dict[int, bytes], PlanProgress]
ODD = [b"", b"{}", b"?", b"{}{}", b"\xff", b"\r", b'{"custom_id":1}', b"x" * 500]


def request(custom_id: str, url: str, model: str, pad: int) -> bytes:
    body = {"model": model, "input": ["x"] * (1 + pad % 3), "pad": "x" * pad}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body}).encode()


REQUEST = st.builds(
    request, st.sampled_from("abcdef"), st.sampled_from(["/v1/responses", "/v1/responses", "/v1/embeddings"]),
    st.sampled_from("mmmn"), st.integers(0, 60),
)  # fmt: skip
TEXT = st.tuples(
    st.lists(REQUEST | REQUEST | REQUEST | st.sampled_from(ODD), max_size=30), st.sampled_from([b"", b"\n"])
).map(lambda drawn: b"\n".join(drawn[0]) + drawn[1])


def to_one(limits: ShardLimits) -> Targets:
    """Send every line to one provider, which has these limits."""
    return Targets({"": limits}, lambda *_: "", lambda *_: BatchError("no_provider", "none"))


def scanned(text: bytes, limits: ShardLimits, chunk: int, stops: set[int]) -> Plan:
    """Scan the input, with a stop after each block that `stops` names; return the shards and the progress at the end."""
    progress, shards, seen = PlanProgress(), {}, itertools.count()
    ended = False
    while not ended:
        scan = InputScan(to_one(limits), None, progress)
        left = text[progress.offset :]
        ended = True
        for full in scan.take(left[at : at + chunk] for at in range(0, len(left), chunk)):
            if full is not None:
                shards[full.shard] = full.pack()
            elif next(seen) in stops:
                ended = False
                break
        if not ended:
            scan.progress.open_shards = [shard.packed() for shard in scan.open_shards()]
            progress = msgspec.msgpack.decode(msgspec.msgpack.encode(scan.progress), type=PlanProgress)
    shards.update({shard.shard: shard.pack() for shard in scan.open_shards()})
    scan.progress.open_shards = []
    return shards, scan.progress


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "LINES_TOGETHER", 3)


@pytest.mark.usefixtures("small")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXT,
    limits=st.builds(ShardLimits, st.integers(1, 8), st.integers(300, 3_000), st.integers(3, 9)),
    chunk=st.integers(1, 2_000),
    stops=st.sets(st.integers(0, 30)),
)
def test_a_pass_that_was_left_and_gone_on_with_finds_what_an_uninterrupted_one_finds(
    text: bytes, limits: ShardLimits, chunk: int, stops: set[int]
) -> None:
    whole = scanned(text, limits, 10**6, set())
    assert scanned(text, limits, chunk, stops) == whole
    assert whole[1].offset == len(text)
    assert sorted(whole[0]) == list(range(whole[1].shards))


def test_errors_are_kept_only_as_far_as_the_record_holds_them_and_all_are_counted() -> None:
    scan = InputScan(to_one(ShardLimits(1, 1, 1)), None, PlanProgress())
    for number in range(SHOWN_ERRORS):
        scan.add_error(BatchError("invalid_value", "é" * 1_000), number)
    kept = scan.progress.errors
    assert scan.progress.errors_total == SHOWN_ERRORS
    assert 0.9 * MOST_ERROR_BYTES < len(msgspec.json.encode(kept)) < 400_000
    assert [error.line for error in kept] == list(range(len(kept)))
    scan.add_error(BatchError("invalid_value", "short"), SHOWN_ERRORS)
    assert scan.progress.errors[-1].message == "short" or len(scan.progress.errors) == len(kept)
    assert scan.progress.errors_total == SHOWN_ERRORS + 1


def test_the_bytes_of_errors_are_counted_on_when_the_pass_goes_on() -> None:
    first = InputScan(to_one(ShardLimits(1, 1, 1)), None, PlanProgress())
    for number in range(100):
        first.add_error(BatchError("invalid_value", "x" * 2_000), number)
    progress = msgspec.msgpack.decode(msgspec.msgpack.encode(first.progress), type=PlanProgress)
    second = InputScan(to_one(ShardLimits(1, 1, 1)), None, progress)
    for number in range(100, 200):
        second.add_error(BatchError("invalid_value", "x" * 2_000), number)
    assert (len(second.progress.errors), second.progress.errors_total) == (MOST_ERROR_BYTES // 2_100, 200)


@pytest.mark.usefixtures("small")
def test_inputs_of_embeddings_are_counted_in_every_block() -> None:
    line = request("a", "/v1/embeddings", "m", 2) + b"\n"
    shards, progress = scanned(line * 100, ShardLimits(1_000, 10**6, 9), 10**6, set())
    assert (len(shards), progress.lines) == (34, 100)
