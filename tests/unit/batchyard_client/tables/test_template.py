"""Texts with columns in braces."""

import pytest

from batchyard_client.tables import MissingColumn, RecipeError
from batchyard_client.tables.template import Column, check_columns, parsed


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("{a}", (Column("a"),)),
        ("Of {a b}: {c.d}!", ("Of ", Column("a b"), ": ", Column("c.d"), "!")),
        ('{{"k": {v}}}', ('{"k": ', Column("v"), "}")),
        ("{{{a}}}", ("{", Column("a"), "}")),
        ("{{}}", ("{}",)),
        ("100%{a}%d", ("100%", Column("a"), "%d")),
    ],
)
def test_a_template_is_texts_and_columns(text: str, parts: tuple[object, ...]) -> None:
    assert parsed(text, "prompt") == parts


@pytest.mark.parametrize("text", ["{", "}", "a {b", "b} a", "{}", "{a{b}", "{{a}"])
def test_a_brace_that_is_alone_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^prompt: .*Write \{\{ and \}\} for braces"):
        parsed(text, "prompt")


def test_all_missing_columns_are_told_at_once_with_near_names() -> None:
    with pytest.raises(MissingColumn) as caught:
        check_columns(["Text", "n", "text", "lnag"], ["text", "lang", "n"], "t.csv")
    assert str(caught.value) == (
        "t.csv: there is no column 'Text' (did you mean 'text'?); there is no column 'lnag' (did you mean 'lang'?). "
        "Its columns: 'text', 'lang', 'n'"
    )


def test_a_column_that_looks_like_json_gets_the_hint_about_braces() -> None:
    with pytest.raises(MissingColumn, match=r"Write \{\{ and \}\}"):
        check_columns(['"a": 1'], ["text"], "t.csv")
