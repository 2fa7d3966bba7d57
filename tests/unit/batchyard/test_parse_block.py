"""A block of lines read at once says what reading them one by one says, or leaves it to that."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchyard.batch import LineError
from batchyard.lines import parse, parse_block, refuse

URL, MODEL = "/v1/responses", "m"


def request(custom_id: str = "a", *, url: str = URL, model: object = MODEL, **members: object) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, **members}}
    return json.dumps(line, ensure_ascii=False).encode()


GOOD = [request(), request("é\u2028"), request("b", stream=False), request("c", stream=None, input=[{}, {"x": "}{"}])]
# Each alone, beside others or cut in two may look like plain lines to a reader that counts only ends or only objects.
PIECES = [
    *GOOD,
    GOOD[0][:-1] + b',"x":[{}\n,{}]}',
    GOOD[0][:-1] + b',"x":[{},\n{}]}',
    GOOD[0][:-1] + b',"x":"}\n{"}',
    GOOD[0][:-1] + b',\n"x":{}}',
    GOOD[0][:40],
    GOOD[0][40:],
    request(""),
    request(stream=True),
    request(model="n"),
    request(model=None),
    request(url="/v1/embeddings"),
    request().replace(b"POST", b"GET"),
    request().replace(b'"a"', b"7"),
    request().replace(b'"m"', b'"m","stream":true,"stream":false'),
    request().replace(b'"m"', b'"m","model":"n"'),
    request().replace(b'"m"', b'"n","model":"m"'),
    request().replace(b'"a"', b'"\xff"'),
    request(x="\xe9").replace("\xe9".encode(), b"\xff"),
    request(x=float("nan")),
    b"{}", b"{", b"}", b"}{", b"[", b",", b" ", b"\r", b"\n", b"\xef\xbb\xbf", b"{\n}", b'"',
]  # fmt: skip
BLOCKS = st.lists(st.sampled_from([*PIECES, b"\n", b"\n", b"\n"]), max_size=14).map(b"".join)
MOSTLY_PLAIN = st.lists(st.sampled_from([*GOOD, *GOOD, *GOOD, *PIECES]), min_size=1, max_size=8).map(
    lambda each: b"\n".join(each) + b"\n"
)


def one_by_one(block: bytes) -> tuple[list[str], list[int]] | None:
    """Read a block as the plan reads what it cannot read at once; None if a line is refused or goes elsewhere."""
    custom_ids, sizes = [], []
    for text in re.findall(rb"[^\n]*\n|[^\n]+$", block):
        try:
            line = parse(text)
        except (ValueError, RecursionError):
            return None
        if isinstance(refuse(line, None), LineError) or (line.url, line.body.model) != (URL, MODEL):
            return None
        custom_ids.append(line.custom_id)
        sizes.append(len(text))
    return custom_ids, sizes


@given(BLOCKS | MOSTLY_PLAIN)
@example(GOOD[0] + GOOD[1] + b"\n" + GOOD[0][:-1] + b',"x":[{}\n,{}]}\n')
@example(GOOD[0] + b" " + GOOD[1] + b"\n" + GOOD[2] + b"\n")
@example(GOOD[0] + b"\n\n" + GOOD[1] + GOOD[2] + b"\n")
def test_whatever_a_block_holds_it_is_read_as_line_by_line_or_left(block: bytes) -> None:
    found = parse_block(block, URL, MODEL)
    assert found is None or found == one_by_one(block)


@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=20))
def test_plain_lines_are_all_read_at_once(plain: list[bytes]) -> None:
    block = b"\n".join(plain) + b"\n"
    assert parse_block(block, URL, MODEL) == one_by_one(block) is not None


@pytest.mark.parametrize("at", range(len(GOOD[3])))
def test_a_line_cut_anywhere_is_not_read_as_two(at: int) -> None:
    cut = GOOD[3][:at] + b"\n" + GOOD[3][at:] + b"\n"
    for block in (cut, GOOD[0] + GOOD[1] + b"\n" + cut, cut + GOOD[0] + GOOD[1] + b"\n"):
        assert parse_block(block, URL, MODEL) is None


@pytest.mark.parametrize(
    "block", [b"", b"\n", GOOD[0], GOOD[0] + b"\n" + GOOD[1], GOOD[0] + b"\r\n", b" " + GOOD[0] + b"\n"]
)
def test_what_is_no_row_of_whole_plain_lines_is_left(block: bytes) -> None:
    assert parse_block(block, URL, MODEL) is None


def test_the_line_ends_stand_where_the_sizes_say() -> None:
    block = b"\n".join(GOOD) + b"\n"
    found = parse_block(block, URL, MODEL)
    assert found is not None
    assert found[1] == [len(line) + 1 for line in GOOD]
    assert sum(found[1]) == len(block)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("place", range(3))
def test_one_odd_piece_among_plain_lines_is_read_as_line_by_line_or_left(piece: bytes, place: int) -> None:
    plain = GOOD[:2]
    block = b"\n".join([*plain[:place], piece, *plain[place:]]) + b"\n"
    found = parse_block(block, URL, MODEL)
    assert found is None or found == one_by_one(block)
