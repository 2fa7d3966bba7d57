"""A schema: what providers take of it, and the columns that its members become."""

from typing import Any

import pytest

from batchyard_client.tables import RecipeError
from batchyard_client.tables.schema import Field, output_schema

STRICT: dict[str, Any] = {
    "title": "Mood of a review!",
    "type": "object",
    "properties": {
        "mood": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": ["integer", "null"]},
        "share": {"type": "number"},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "by": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "ref": {"$ref": "#/$defs/x"},
    },
    "required": ["mood", "score", "share", "sure", "tags", "by", "any", "ref"],
    "additionalProperties": False,
    "$defs": {"x": {"type": "string"}},
}


def test_members_become_columns_with_their_types() -> None:
    found = output_schema(STRICT)
    assert (found.name, found.strict) == ("Mood_of_a_review_", True)
    assert found.fields == (
        Field("mood", "text"),
        Field("score", "integer"),
        Field("share", "number"),
        Field("sure", "boolean"),
        Field("tags", "list", (Field("item", "text"),)),
        Field("by", "object", (Field("name", "text"),)),
        Field("any", "json"),
        Field("ref", "json"),
    )


@pytest.mark.parametrize(
    "given",
    [
        {"name": "n", "schema": STRICT, "strict": True},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": STRICT}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": STRICT}}},
    ],
)
def test_the_shapes_of_openai_are_taken(given: dict[str, Any]) -> None:
    found = output_schema(given)
    assert (found.name, found.strict, found.schema) == ("n", True, STRICT)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"additionalProperties": True}, 'the schema has no "additionalProperties": false'),
        ({"required": ["mood"]}, "the schema does not list 'score', "),
        (
            {"properties": {"mood": {"type": "object", "properties": {}}}, "required": ["mood"]},
            "the schema.mood has no",
        ),
        (
            {"properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}, "required": ["a"]},
            "the schema.a.items has no",
        ),
        ({"$defs": {"x": {"properties": {}}}}, "the schema.$defs.x has no"),
    ],
)
def test_what_the_strict_mode_refuses_is_told_before_a_line_is_sent(members: dict[str, Any], told: str) -> None:
    schema = {**STRICT, **members}
    with pytest.raises(RecipeError) as caught:
        output_schema(schema)
    assert told in str(caught.value)
    assert not output_schema({"strict": False, "schema": schema}).strict


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (Field("x", "text"), ["", None], [1, True, [], {}]),
        (Field("x", "integer"), [0, -5, None], [1.5, True, "1", 2**63]),
        (Field("x", "number"), [0, 1.5, None], [True, "1"]),
        (Field("x", "boolean"), [True, False], [0, "true"]),
        (Field("x", "json"), [1, "a", {}, [None]], []),
        (Field("x", "list", (Field("item", "integer"),)), [[], [1, None]], [1, ["a"], {}]),
        (Field("x", "object", (Field("a", "text"),)), [{}, {"a": "b"}], [{"a": 1}, {"b": 1}, []]),
    ],
)
def test_a_value_fits_its_type_or_not(field: Field, good: list[Any], bad: list[Any]) -> None:
    assert [field.fits(value) for value in good] == [True] * len(good)
    assert [field.fits(value) for value in bad] == [False] * len(bad)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "object", "properties": ["mood"]}, "must be of an object with members"),
        (
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False, "required": 1},
            "does not list 'a'",
        ),
        ({"schema": [1]}, "must be of an object with members"),
    ],
)
def test_a_schema_of_another_shape_is_a_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        output_schema(given)
