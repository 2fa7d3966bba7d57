"""How deep JSON may nest is our own rule: exact to one level, whatever stands between the levels, on every Python."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain import nesting
from batchyard.domain.nesting import MOST_LEVELS, TooDeep
from tests.fakes.nested import DEPTHS, SHAPES, nested

SHALLOW = b'{"text":"%s"}' % (b"x" * 5_000)
SCALAR = st.none() | st.integers() | st.text() | st.sampled_from(['"', "\\", "[" * 600, '{"' * 600, "]" * 600, '\\"['])
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def levels(value: Any) -> int:
    """Count the levels of a value, one after the other."""
    level, count = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        count += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return count


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_does_not_have_is_written_as_null(number: float) -> None:
    written = nesting.encode({"a": number, "b": [1.5, {"c": number}], "d": (number, "\ud800")})
    assert written == '{"a": null, "b": [1.5, {"c": null}], "d": [null, "\\ud800"]}'
    assert nesting.encode([number], (",", ":")) == "[null]"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_bound_is_exact(shape: str, depth: int) -> None:
    text = nested(depth, shape)
    assert nesting.is_too_deep(text) == (depth > MOST_LEVELS)
    assert nesting.is_any_too_deep([text]) == (depth > MOST_LEVELS)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pad", [b"", b"x" * 5_000, b"[" * 5_000, b"]" * 5_000])
def test_a_text_among_others_is_found_wherever_its_levels_lie(shape: str, pad: bytes) -> None:
    for depth in (MOST_LEVELS, MOST_LEVELS + 1):
        text = b'{"before":"%s","x":%s,"behind":"%s"}' % (pad, nested(depth - 1, shape), pad)
        assert nesting.is_any_too_deep([SHALLOW, text, SHALLOW]) == (depth > MOST_LEVELS)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_only_what_nests_counts_whatever_the_text_holds(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    for room in (0, 1):
        deep = nested(MOST_LEVELS - levels(value) + room, around=text)
        assert nesting.is_too_deep(deep) == nesting.is_any_too_deep([deep, SHALLOW]) == bool(room)


@pytest.mark.parametrize(
    "text", [b"[" * MOST_LEVELS, b"]" * 10_000, b'"' + b"[" * 10_000, b"", b"\\" * 3, b"[]" * 10_000]
)
def test_a_text_that_is_no_json_is_deep_only_by_what_it_opens(text: bytes) -> None:
    assert not nesting.is_too_deep(text)
    assert nesting.is_too_deep(b"[" * (MOST_LEVELS + 1) + text)


def test_no_text_at_all_is_too_deep() -> None:
    assert not nesting.is_any_too_deep([])


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_decoded_is_bounded(depth: int) -> None:
    text = nested(depth)
    if depth <= MOST_LEVELS:
        assert levels(nesting.decode(text)) == levels(nesting.decode(text.decode())) == depth
    else:
        with pytest.raises(TooDeep, match=f"nested too deeply, more than {MOST_LEVELS} levels"):
            nesting.decode(text)


@pytest.mark.parametrize("text", ["", "{", "\ud800", b"\xff", "[1", '{"a":1} x', "[" * MOST_LEVELS])
def test_what_is_no_json_is_told_by_the_decoder(text: str | bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeError)):
        nesting.decode(text)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_what_lies_too_deep_is_null_and_the_rest_as_it_was(shape: str, depth: int) -> None:
    text = b'{"a":%s,"b":"[{"}' % nested(depth - 1, shape)
    cut = nesting.with_few_levels(text)
    assert json.loads(cut)["b"] == "[{"
    assert (cut == text) == (depth <= MOST_LEVELS)
    assert levels(json.loads(cut)) == min(depth, MOST_LEVELS)
