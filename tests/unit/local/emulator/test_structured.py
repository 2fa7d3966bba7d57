import json
from typing import Any

import pytest

from local.emulator.structured import structured_text, wanted_schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["train", "car"]},
        "age": {"type": "integer", "minimum": 3},
        "weight": {"type": ["number", "null"]},
        "open": {"type": "boolean"},
        "nothing": {"type": "null"},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "cars": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/car"}},
    },
    "required": ["name", "kind", "age", "weight", "open", "nothing", "either", "cars"],
    "additionalProperties": False,
    "$defs": {"car": {"type": "object", "properties": {"number": {"const": 7}}, "required": ["number"]}},
}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


def test_the_answer_fits_the_schema_and_holds_the_text() -> None:
    assert json.loads(structured_text(SCHEMA, "hello")) == {
        "name": "hello",
        "kind": "train",
        "age": 3,
        "weight": 0,
        "open": False,
        "nothing": None,
        "either": "hello",
        "cars": [{"number": 7}, {"number": 7}],
    }


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert json.loads(structured_text(tree, "x"))["child"] is not None


def test_plain_json_mode_gets_an_object() -> None:
    assert json.loads(structured_text({}, "hello")) == {"answer": "hello"}


@pytest.mark.parametrize(
    ("endpoint", "body", "schema"),
    [
        (CHAT, {}, None),
        (CHAT, {"response_format": {"type": "text"}}, None),
        (CHAT, {"response_format": "odd"}, None),
        (CHAT, {"response_format": {"type": "json_object"}}, {}),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}, SCHEMA),
        (RESPONSES, {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}}, SCHEMA),
        (RESPONSES, {"text": {"format": {"type": "text"}}}, None),
        (RESPONSES, {"text": "odd"}, None),
    ],
)
def test_the_schema_is_found_where_each_endpoint_puts_it(
    endpoint: str, body: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    assert wanted_schema(endpoint, body) == schema


SELF = {"$ref": "#"}
STRANGE: list[dict[str, Any]] = [
    {"properties": dict.fromkeys("abcdefghij", SELF)},
    {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
    {"type": "array", "minItems": 1_000, "items": {"type": "array", "minItems": 1_000, "items": SELF}},
    {"type": "array", "minItems": "many"},
    {"type": "array", "minItems": -(10**400)},
    {"type": {"of": "thing"}},
    {"type": []},
    {"properties": ["a"]},
    {"enum": {"a": 1}},
    {"anyOf": "abc"},
    {"allOf": [7]},
    {"$ref": ["#"]},
]


@pytest.mark.parametrize("schema", STRANGE, ids=str)
def test_a_schema_that_is_none_or_has_no_end_is_answered_in_bounded_size(schema: dict[str, Any]) -> None:
    assert len(structured_text(schema, "text")) < 100_000
