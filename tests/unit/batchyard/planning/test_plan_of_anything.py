"""Whatever an input mixes and however its bytes come, the plan is the one a plain reader would make."""

import json
from array import array
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain import object_keys
from batchyard.domain.batch import REFUSE, SKIP
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.planning.plan import plan
from batchyard.planning.plan_end import SHARDS
from batchyard.planning.skipped import runs
from batchyard.planning.summary import read_summary
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import KEY
from tests.fakes.services import MemoryServices

TARGETS = [("/v1/responses", "m"), ("/v1/responses", "n"), ("/v1/embeddings", "m")]
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b" \n", b"\n\n", b"\n \r\n"])
# What stands in place of a request, and the code it is refused with.
FAULTS = {
    b"{": "invalid_json_line",
    b"[]": "invalid_json_line",
    b"}{": "invalid_json_line",
    b"{}{}": "invalid_json_line",
    b"{} {}": "invalid_json_line",
    b"\xef\xbb\xbf{}": "invalid_json_line",
    b'{"custom_id":"\xff"}': "invalid_json_line",
    b"{}": "missing_required_parameter",
}
Row = tuple[bytes, str | None]  # a line without its end, and the code of its fault


def request(custom_id: str, target: tuple[str, str], **members: object) -> bytes:
    url, model = target
    body = {"model": model, "input": ["é"], **members}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body}, ensure_ascii=False).encode()


@st.composite
def rows(draw: st.DrawFn, *, faulty: bool) -> list[Row]:
    """Draw lines: mostly alike, some of another target, and if `faulty` some that are refused."""
    drawn: list[Row] = []
    target = draw(st.sampled_from(TARGETS))
    for at in range(draw(st.integers(0, 25))):
        target = draw(st.sampled_from(TARGETS)) if draw(st.integers(0, 4)) == 0 else target
        chosen = draw(st.integers(0, 9)) if faulty else 9
        if chosen == 0:
            drawn.append(draw(st.sampled_from(list(FAULTS.items()))))
        elif chosen == 1:
            drawn.append((request(f"s{at}", target, stream=True), "streaming_unsupported"))
        elif chosen == 2 and any(line.startswith(b'{"custom_id": "r') for line, _ in drawn):
            first = next(line for line, _ in drawn if line.startswith(b'{"custom_id": "r'))
            drawn.append((request(json.loads(first)["custom_id"], target), "duplicate_custom_id"))
        else:
            drawn.append((request(f"r{at}", target, pad="x" * draw(st.integers(0, 40))), None))
    return drawn


def text_of(drawn: list[Row], ends: Iterator[bytes], *, last_end: bool) -> bytes:
    text = b"".join(line + next(ends) for line, _ in drawn)
    return text if last_end else text.rstrip()


def planned(text: bytes, chunk: int, on_invalid: str = REFUSE, **settings: str | int) -> tuple[MemoryServices, str]:
    services = MemoryServices(**settings)
    services.bucket.chunk = chunk
    services.bucket.put(KEY, text)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0], on_invalid=on_invalid))
    return services, plan(services, BATCH_ID).next


def requests_in(text: bytes) -> list[tuple[int, bytes]]:
    """Find number and text of every line that is not blank, the plain way."""
    return [(number, line) for number, line in enumerate(text.split(b"\n"), start=1) if line.strip()]


@given(st.data(), st.integers(1, 300), st.booleans())
def test_good_lines_are_all_in_shards_that_hold_their_very_bytes(
    draw: st.DataObject, chunk: int, last_end: bool
) -> None:
    drawn = draw.draw(rows(faulty=False))
    text = text_of(drawn, iter(lambda: draw.draw(ENDS), None), last_end=last_end)
    services, following = planned(text, chunk, max_requests_per_shard=draw.draw(st.integers(1, 9)))
    lines = requests_in(text)
    assert following == ("run" if lines else "refused")
    found: dict[int, tuple[str, bytes]] = {}
    for number in range(services.batch_store.batch(BATCH_ID).shards):
        shard = ShardLines.unpack(services.bucket.get(object_keys.shard_lines(BATCH_ID, number)))
        assert 1 <= len(shard) <= services.settings.max_requests_per_shard
        for ordinal, position in enumerate(shard.positions):
            ((start, stop),) = shard.ranges(array("I", [ordinal]))
            line = text[start:stop]
            members = json.loads(line)
            assert (members["url"], members["body"]["model"]) == (shard.endpoint, shard.model)
            assert position not in found
            found[position] = (shard.custom_ids[ordinal], line)
    assert [found[at][1].strip() for at in range(len(found))] == [line.strip() for _, line in lines]
    assert [found[at][0] for at in range(len(found))] == [json.loads(line)["custom_id"] for _, line in lines]


@given(st.data(), st.integers(1, 300), st.booleans())
def test_every_faulty_line_is_told_once_with_its_number_and_code(
    draw: st.DataObject, chunk: int, last_end: bool
) -> None:
    drawn = draw.draw(rows(faulty=True).filter(lambda each: any(code for _, code in each)))
    text = text_of(drawn, iter(lambda: draw.draw(ENDS), None), last_end=last_end)
    services, following = planned(text, chunk)
    wanted = [(number, code) for (number, _), (_, code) in zip(requests_in(text), drawn, strict=True) if code]
    made = services.batch_store.batch(BATCH_ID)
    assert following == "refused"
    assert [(error.line, error.code) for error in made.errors] == wanted
    assert made.errors_total == len(wanted)


@given(st.data(), st.integers(1, 300), st.integers(1, 7), st.booleans())
def test_skipped_lines_and_lines_to_send_are_all_lines_each_once_at_its_place(
    draw: st.DataObject, chunk: int, most: int, last_end: bool
) -> None:
    drawn = draw.draw(rows(faulty=True).filter(lambda each: any(not code for _, code in each)))
    text = text_of(drawn, iter(lambda: draw.draw(ENDS), None), last_end=last_end)
    services, following = planned(text, chunk, SKIP, max_requests_per_shard=most)
    assert (following, services.batch_store.batch(BATCH_ID).counts.total) == ("run", len(drawn))
    found: dict[int, str | None] = {}
    for each in json.loads(services.bucket.get(object_keys.plan(BATCH_ID, SHARDS))):
        shard = ShardLines.unpack(services.bucket.get(object_keys.shard_lines(BATCH_ID, each["shard"])))
        ordinals = Unfinished.read(services.bucket, shard.left_key(BATCH_ID), len(shard)).ordinals
        assert len(ordinals) == len(shard) - shard.skipped > 0
        found.update({shard.positions[ordinal]: None for ordinal in ordinals})
    numbers = [number for number, _ in requests_in(text)]
    for _, run in runs(services.bucket, BATCH_ID, read_summary(services, BATCH_ID).skipped_runs):
        for position, line in run.lines():
            error = json.loads(line)["error"]
            assert (position in found, error["line"]) == (False, numbers[position])
            found[position] = error["code"]
    assert [found[at] for at in range(len(found))] == [code for _, code in drawn]


MANY = 2_000
ALIKE = [request(f"r{at}", TARGETS[0], pad="é" * (at % 90)) for at in range(MANY)]
ODD: list[tuple[bytes, str | None]] = [
    *FAULTS.items(),
    (request("r0", TARGETS[0], stream=True).replace(b'"r0"', b'"odd"'), "streaming_unsupported"),
    (ALIKE[0] + ALIKE[1], "invalid_json_line"),
    (b" " + request("odd", TARGETS[0]), None),
    (request("odd", TARGETS[0]) + b"\r", None),
    (request("odd", TARGETS[1]), None),
    (request("odd", TARGETS[2]), None),
    (request("odd", TARGETS[0], stream=False, input=None), None),
    (request("odd", TARGETS[0], pad="x" * 70_000), None),
]


@given(
    st.integers(0, MANY - 1),
    st.sampled_from(ODD),
    st.sampled_from([1_000, 65_535, 65_536, 65_537, 10**7]),
    st.integers(1, MANY),
)
def test_one_odd_line_among_thousands_alike_is_seen_wherever_it_stands(
    place: int, odd: tuple[bytes, str | None], chunk: int, most: int
) -> None:
    lines = [*ALIKE[:place], odd[0], *ALIKE[place + 1 :]]
    text = b"\n".join(lines) + b"\n"
    services, following = planned(text, chunk, max_requests_per_shard=max(most, 100))
    made = services.batch_store.batch(BATCH_ID)
    if odd[1] is not None:
        assert (following, [(error.line, error.code) for error in made.errors]) == ("refused", [(place + 1, odd[1])])
        return
    assert (following, made.counts.total) == ("run", MANY)
    found = {}
    for number in range(made.shards):
        shard = ShardLines.unpack(services.bucket.get(object_keys.shard_lines(BATCH_ID, number)))
        starts = zip(shard.positions, shard.offsets, shard.sizes, strict=True)
        found.update({position: text[start : start + size] for position, start, size in starts})
    assert [found[at] for at in range(MANY)] == [line + b"\n" for line in lines]
