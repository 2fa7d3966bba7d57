import gc
import hashlib
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from local.engine.bodies import Body, Storing

DATA = bytes(range(256)) * 4_000


@pytest.fixture
def body(tmp_path: Path) -> Body:
    parts = [DATA[:700_000], DATA[700_000:700_001], DATA[700_001:]]
    return Body.joined([Body.stored(part, tmp_path) for part in parts])


def test_a_body_is_the_bytes_it_was_made_of(body: Body) -> None:
    assert len(body) == len(DATA)
    assert bytes(body) == bytes(iter(body)) == DATA


@pytest.mark.parametrize("start", [0, 1, 699_999, 700_000, 700_001, len(DATA) - 1, len(DATA)])
@pytest.mark.parametrize("stop", [0, 1, 700_000, 700_001, 700_002, len(DATA), 2 * len(DATA)])
def test_a_range_of_a_body_is_that_range_of_its_bytes(body: Body, start: int, stop: int) -> None:
    assert bytes(body[start:stop]) == DATA[start:stop]
    assert len(body[start:stop]) == len(DATA[start:stop])


def test_a_range_of_a_range_and_of_ranges_joined_is_right_too(body: Body) -> None:
    cuts = [0, 5, 650_000, 700_001, len(DATA)]
    again = Body.joined([body[start:stop] for start, stop in pairwise(cuts)])
    assert bytes(again[3:700_003][10:-7]) == DATA[3:700_003][10:-7]


def test_a_body_is_read_in_small_pieces(body: Body) -> None:
    assert max(len(chunk) for chunk in body.chunks()) <= 256 * 1024


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_a_body_has_the_hashes_of_its_bytes(body: Body, tmp_path: Path, kind: str) -> None:
    new = getattr(hashlib, kind)
    for one in (body, Body.stored(DATA, tmp_path)):
        assert one.digested(new).hexdigest() == new(DATA).hexdigest()
        assert one.crc32() == zlib.crc32(DATA)


def test_nothing_is_a_body_too(tmp_path: Path) -> None:
    nothing = Body.stored(b"", tmp_path)
    assert (len(nothing), bytes(nothing), bytes(nothing[0:9]), list(nothing.chunks())) == (0, b"", b"", [])


def test_a_file_goes_with_the_last_body_that_needs_it(tmp_path: Path) -> None:
    whole = Body.stored(DATA, tmp_path)
    part = whole[5:9]
    del whole
    gc.collect()
    assert bytes(part) == DATA[5:9]
    del part
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_what_never_became_a_body_leaves_no_file(tmp_path: Path) -> None:
    def broken_off() -> None:
        with Storing(tmp_path) as storing:
            storing.write(DATA)

    broken_off()
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_file_cut_short_is_not_taken_for_a_short_object(body: Body, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(OSError, match="cut short"):
        bytes(body)
