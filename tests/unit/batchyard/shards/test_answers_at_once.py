"""Answers read at once say what reading them one by one says, or are left to that."""

import json
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.costs.usage import Usage
from batchyard.domain import outcomes
from batchyard.domain.policy import Outcome
from batchyard.lines.successes import Successes, is_empty, successes
from batchyard.shards.answers import Answers
from tests.fakes.nested import DEPTHS, nested

CHAT = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1}}
RESPONSES = {"input_tokens": 5, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}}


def answer(custom_id: object = "a", status: object = 200, error: object = None, **body: object) -> bytes:
    line = {"id": "x", "custom_id": custom_id, "response": {"status_code": status, "body": body}, "error": error}
    return json.dumps(line, ensure_ascii=False).encode()


GOOD = [
    answer("a"), answer("é\u2028", usage=CHAT), answer("b", usage=RESPONSES, choices=[{"text": "}{"}]),
    answer("c", usage=None), answer("d", usage={}), answer("e", data=[{"body": {}}]),
]  # fmt: skip
PIECES = [
    *GOOD,
    answer("a", 201), answer("a", 400), answer("a", "200"), answer("a", 200.0), answer("a", None), answer(7), answer(None),
    answer(error={"code": "batch_expired"}), answer(error={}), answer(error="no"), answer(error={"code": None}),
    answer(usage={"prompt_tokens": None}), answer(usage={"prompt_tokens": -1}), answer(usage={"prompt_tokens": 2**60}),
    answer(usage={"prompt_tokens": 1.5}), answer(usage={"total_tokens": "7"}), answer(usage=[]),
    answer(usage={**CHAT, **RESPONSES}),
    answer(usage={"prompt_tokens_details": {}, "input_tokens_details": {"cached_tokens": 8}}),
    GOOD[0][:-1] + b',"x":[{}\n,{}]}',
    GOOD[0][:-1] + b',"custom_id":"other"}',
    GOOD[0][:-1] + b',"response":null}',
    GOOD[0].replace(b"200", b'500,"status_code":200'),
    GOOD[0].replace(b"200", b'200,"status_code":500'),
    GOOD[0].replace(b'"x"', b'"\xff"'),
    GOOD[0].replace(b'"a"', b'"\xff"'),
    answer("b", text="x").replace(b"x", b"\xff"), answer("b", usage=CHAT, text="x").replace(b'"x"', b'"\xc3"'),
    answer("b", text="x").replace(b"x", b"\x01"), answer("b", x=0).replace(b"0", b"9" * 5_000),
    answer("b", x=0).replace(b"0", b"1e400"),
    GOOD[0].replace(b'"a"', b'"\\ud800"'),
    *(answer(x=0).replace(b'"x": 0', b'"x":' + nested(depth)) for depth in DEPTHS),
    answer(x=float("nan")), GOOD[0] + b"\r", b"\xef\xbb\xbf" + GOOD[0],
    GOOD[0][:40], GOOD[0][40:], b"{}", b"{", b"}", b"[", b" ", b"null", b"",
]  # fmt: skip


def one_by_one(lines: list[bytes]) -> Successes | None:
    """Read lines as they are read that cannot be read at once; None if one is no success."""
    known = [outcomes.parse(line) for line in lines]
    if any(each is None or outcomes.outcome_of(each) is not Outcome.SUCCEEDED for each in known):
        return None
    usages = [outcomes.usage_of(each) for each in known if each is not None]
    bare = [at for at, used in enumerate(usages) if used == Usage() and is_empty(lines[at])]
    unmetered = sum(not outcomes.tells_usage(each) for each in known if each is not None)
    return Successes([each.custom_id for each in known if each is not None], sum(usages, Usage()), bare, unmetered)


@given(st.lists(st.sampled_from([*GOOD, *GOOD, *GOOD, *PIECES]), min_size=1, max_size=8))
def test_whatever_the_lines_are_they_are_read_as_each_alone_or_left(lines: list[bytes]) -> None:
    found = successes(lines)
    assert found is None or found == one_by_one(lines)


@pytest.mark.parametrize("piece", PIECES)
def test_an_odd_line_is_read_as_it_is_alone_or_left(piece: bytes) -> None:
    found = successes([GOOD[0], piece + b"\n"])
    assert found is None or found == one_by_one([GOOD[0], piece])


@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=20))
def test_plain_successes_are_all_read_at_once(plain: list[bytes]) -> None:
    assert successes(plain) == one_by_one(plain) is not None


IDS = ["a", "é\u2028", "b", "c", "d", "e", "other", "7", "unanswered"]


def joined(files: list[list[bytes]], *, cut: bool) -> object:
    """Tell all that is known of the requests when these files were read: in blocks, or each line in a chunk of its own."""
    with Answers(IDS) as answers:
        for lines in files:
            text = b"\n".join(lines)
            answers.read(text.splitlines(keepends=True) if cut else [text])
        found = [answers.outcome(at) for at in range(len(IDS))]
        known = [at for at, outcome in enumerate(found) if outcome is not None]
        assert answers.parted()[0] == [at for at, outcome in enumerate(found) if outcome is Outcome.SUCCEEDED]
        sizes, data = zip(*answers.lines(known), strict=True) if known else ([], [])
        whole = [line if line.endswith(b"\n") else line + b"\n" for line in map(answers.line, known)]
        assert list(chain(*sizes)) == list(map(len, whole))
        assert b"".join(data) == b"".join(whole)
        known_of_lines = answers.mended, answers.empty
        return found, whole, answers.usage, answers.strays, answers.succeeded(), answers.missing(), known_of_lines


@given(st.lists(st.lists(st.sampled_from([*GOOD, *GOOD, *GOOD, *PIECES]), max_size=8), max_size=3))
def test_answers_read_in_blocks_are_those_read_line_by_line(files: list[list[bytes]]) -> None:
    files = [[piece.replace(b"\r", b" ") for piece in lines] for lines in files]  # splitlines would cut there
    assert joined(files, cut=False) == joined(files, cut=True)
