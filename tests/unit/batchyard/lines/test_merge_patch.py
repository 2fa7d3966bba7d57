"""A JSON merge patch changes what it names, and leaves every other byte of a body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.merge_patch import BodyPatch

# RFC 7396, appendix A, as far as a body and its patch are objects; each is a member of a body here.
CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": [1, None]}, {"b": [None]}, {"a": [1, None], "b": [None]}),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("a\"é", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
BODY = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def line(body: object) -> bytes:
    return json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/x", "body": body}).encode() + b"\n"


def merged(target: Any, patch: Any) -> Any:
    """Follow the pseudocode of RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


@pytest.mark.parametrize(("body", "patch", "expected"), CASES)
def test_a_body_is_changed_as_the_rfc_shows(body: Any, patch: Any, expected: Any) -> None:
    assert json.loads(BodyPatch(patch).changed(line(body)))["body"] == expected


@given(BODY, BODY)
def test_any_body_is_changed_as_the_rfc_says_and_nothing_else_is(body: Any, patch: Any) -> None:
    changed = json.loads(BodyPatch(patch).changed(line(body)))
    assert changed == {"custom_id": "a", "method": "POST", "url": "/v1/x", "body": merged(body, patch)}


def test_what_is_not_named_keeps_its_bytes() -> None:
    text = b'{"custom_id" : "\\u00e9","body":{"model":"m","seed": 12345678901234567890123, "t":1.0,"d":{"x":[1e2 ],"y":0}}}\r\n'
    changed = BodyPatch({"model": "n", "d": {"y": None}}).changed(text)
    assert (
        changed
        == b'{"custom_id":"\\u00e9","body":{"model":"n","seed":12345678901234567890123,"t":1.0,"d":{"x":[1e2 ]}}}\n'
    )


@pytest.mark.parametrize(
    "text", [b"", b"?", b"{", b"[]", b"{}", b'{"body":null}', b'{"body":[]}', b'{"body":{"a":1}} x', b"[" * 2_000],
)  # fmt: skip
def test_a_line_without_a_body_is_told_of(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        BodyPatch({"a": 1}).changed(text)
