"""Lines that are read together say what reading them one by one says, or are left to that."""

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchyard.domain.batch import BatchError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.lines.line import fault_of, parse, parse_alike
from tests.fakes.nested import DEPTHS, nested

URL, MODEL = "/v1/responses", "m"


def request(custom_id: str = "a", *, url: str = URL, model: object = MODEL, **members: object) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, **members}}
    return json.dumps(line, ensure_ascii=False).encode()


GOOD = [request(), request("é\u2028"), request("b", stream=False), request("c", stream=None, input=[{}, {"x": "}{"}])]
# Each alone, beside others or cut in two may look like plain lines to a reader that skips what it need not know.
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
    *(request(x=0).replace(b"0", nested(depth - 2)) for depth in DEPTHS),
    b"[" * 1_000,
    b"{}", b"{", b"}", b"}{", b"[", b",", b" ", b"\r", b"\n", b"\xef\xbb\xbf", b"{\n}", b'"',
]  # fmt: skip
LINES = st.lists(st.sampled_from([*PIECES, b"\n"]), max_size=14).map(b"".join).map(io.BytesIO).map(io.BytesIO.readlines)
MOSTLY_PLAIN = st.lists(st.sampled_from([*GOOD, *GOOD, *GOOD, *PIECES]), min_size=1, max_size=8).map(
    lambda each: [line + b"\n" for line in each]
)


def one_by_one(lines: list[bytes]) -> list[str] | None:
    """Read lines as the plan reads what it cannot read together; None if one is refused or goes elsewhere."""
    custom_ids = []
    for text in lines:
        try:
            line = parse(text)
        except ValueError:
            return None
        if isinstance(fault_of(line, None), BatchError) or (line.url, line.body.model) != (URL, MODEL):
            return None
        custom_ids.append(line.custom_id)
    return custom_ids


@given(LINES | MOSTLY_PLAIN)
@example([GOOD[0] + GOOD[1] + b"\n", GOOD[0][:-1] + b',"x":[{}\n', b",{}]}\n"])
@example([GOOD[0] + b" " + GOOD[1] + b"\n", GOOD[2] + b"\n"])
@example([GOOD[0] + b"\n", b"\n", GOOD[1] + GOOD[2] + b"\n"])
def test_whatever_lines_hold_they_are_read_as_one_by_one_or_left(lines: list[bytes]) -> None:
    found = parse_alike(lines, URL, MODEL)
    assert found is None or found == one_by_one(lines)


@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=20), st.sampled_from([b"", b"\n", b"\r\n"]))
def test_plain_lines_are_all_read_together(plain: list[bytes], end: bytes) -> None:
    lines = [line + end for line in plain]
    assert parse_alike(lines, URL, MODEL) == one_by_one(lines) is not None


@pytest.mark.parametrize("depth", DEPTHS)
def test_lines_are_read_together_if_none_nests_too_deeply(depth: int) -> None:
    lines = [*GOOD, request(x=0).replace(b"0", nested(depth - 2)), *GOOD]
    assert (parse_alike(lines, URL, MODEL) is None) == (one_by_one(lines) is None) == (depth > MOST_LEVELS)


@pytest.mark.parametrize("at", range(1, len(GOOD[3])))
def test_a_line_cut_anywhere_is_not_read_as_two(at: int) -> None:
    cut = [GOOD[3][:at] + b"\n", GOOD[3][at:] + b"\n"]
    for lines in (cut, [GOOD[0] + GOOD[1] + b"\n", *cut], [*cut, GOOD[0] + GOOD[1] + b"\n"]):
        assert parse_alike(lines, URL, MODEL) is None


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("place", range(3))
def test_one_odd_piece_among_plain_lines_is_read_as_one_by_one_or_left(piece: bytes, place: int) -> None:
    plain = GOOD[:2]
    lines = io.BytesIO(b"\n".join([*plain[:place], piece, *plain[place:]]) + b"\n").readlines()
    found = parse_alike(lines, URL, MODEL)
    assert found is None or found == one_by_one(lines)
