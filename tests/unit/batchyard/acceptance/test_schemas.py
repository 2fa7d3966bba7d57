import json
import time

import pytest

from batchyard.acceptance import schemas

SCHEMA = b'{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"string"}}}'


def test_the_schema_of_a_request_is_found_in_each_shape() -> None:
    chat = b'{"body":{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":%s}}}}' % SCHEMA
    response = b'{"body":{"text":{"format":{"type":"json_schema","name":"n","schema":%s}}}}' % SCHEMA
    message = b'{"body":{"output_config":{"effort":"low","format":{"type":"json_schema","schema":%s}}}}' % SCHEMA
    assert schemas.schema_of(chat) == schemas.schema_of(response) == schemas.schema_of(message) == SCHEMA


@pytest.mark.parametrize(
    "body",
    [
        {}, {"response_format": {"type": "json_object"}}, {"messages": [{"content": "json_schema"}]},
        {"response_format": "json_schema"}, {"text": {"format": {"type": "json_schema"}}},
    ],
)  # fmt: skip
def test_a_request_without_a_schema_names_none(body: object) -> None:
    assert schemas.schema_of(json.dumps({"body": body}).encode()) == b""


def test_a_text_fits_or_is_told_where_it_does_not() -> None:
    assert schemas.misfit(SCHEMA, '{"a": "x"}') is None
    assert (schemas.misfit(SCHEMA, '{"a": 1}') or "").startswith("the text does not fit the schema at /a: ")
    assert (schemas.misfit(SCHEMA, "[]") or "").startswith("the text does not fit the schema: ")
    assert (schemas.misfit(SCHEMA, '{"a":') or "").startswith("the text is not valid JSON: ")


@pytest.mark.parametrize(
    "schema", [b"[]", b'"x"', b'{"type": "strin"}', b'{"pattern": "("}', b'{"$ref": "http://127.0.0.1:9/schema"}']
)
def test_a_schema_that_cannot_be_followed_is_named_so(schema: bytes) -> None:
    with pytest.raises(schemas.Unusable):
        schemas.misfit(schema, "{}")


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}],
    ids=str,
)  # fmt: skip
def test_a_schema_that_refers_to_itself_has_an_end(schema: object) -> None:
    assert schemas.misfit(json.dumps(schema).encode(), '{"a": [1]}') is None


def test_a_pattern_that_would_take_ages_gives_up_and_is_no_fault_of_the_answer() -> None:
    schema = json.dumps({"pattern": r"(?=(x+x+)+y)\1"}).encode()
    began = time.monotonic()
    with pytest.raises(schemas.Unusable, match="backtracking"):
        schemas.misfit(schema, json.dumps("x" * 5_000))
    assert time.monotonic() - began < 1
    assert schemas.misfit(json.dumps({"pattern": "^(x+)+$"}).encode(), json.dumps("x" * 100_000 + "y")) is not None
