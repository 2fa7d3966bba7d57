"""Tables as request lines."""

import json
from collections.abc import Iterator

import pytest

from batchyard_client.tables import NullCell, Recipe, Table, read, requests
from batchyard_client.tables.requests import skips
from batchyard_client.tables.table import BLOCK_ROWS
from tests.unit.batchyard_client.tables.made import ASK, bodies


def test_a_line_has_these_very_bytes() -> None:
    recipe = Recipe(model="m", prompt="Sentiment of: {text}")
    found = b"".join(requests(read([{"text": 'é "q"\\\n\u2028\x01'}, {"text": "b"}]), recipe))
    assert found == (
        b'{"custom_id":"row-1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":'
        b'[{"role":"user","content":"Sentiment of: \xc3\xa9 \\"q\\"\\\\\\n\xe2\x80\xa8\\u0001"}]}}\n'
        b'{"custom_id":"row-2","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":'
        b'[{"role":"user","content":"Sentiment of: b"}]}}\n'
    )


def test_lines_are_the_same_each_time() -> None:
    table = read([{"a": n, "text": str(n)} for n in range(10_000)])
    recipe = Recipe(model="m", prompt="{text}{a}{text}", system="{a}")
    first = b"".join(requests(table, recipe))
    assert first == b"".join(requests(table, recipe))
    assert [json.loads(line)["custom_id"] for line in first.splitlines()] == [f"row-{n + 1}" for n in range(10_000)]


def test_skipped_rows_keep_the_numbers_of_the_others() -> None:
    rows = [{"text": None if n % 3 else str(n)} for n in range(2 * BLOCK_ROWS)]
    table, recipe = read(rows), Recipe(model="m", prompt="{text}", nulls="skip")
    found = [json.loads(line) for line in requests(table, recipe)]
    assert [(line["custom_id"], line["body"]["messages"][0]["content"]) for line in found] == [
        (f"row-{n + 1}", str(n)) for n in range(0, len(rows), 3)
    ]
    assert [skip for block in table.blocks() for skip in skips(table, recipe, block)] == [
        "text" if n % 3 else None for n in range(len(rows))
    ]


def test_a_null_far_down_is_told_with_its_row_and_all_before_it_were_given() -> None:
    table = read([{"text": "a"}] * BLOCK_ROWS + [{"text": "b"}, {"text": None}])
    given: list[bytes] = []
    with pytest.raises(NullCell, match=f"row {BLOCK_ROWS + 2}: the column 'text' is null"):
        given.extend(requests(table, ASK))
    assert len(given) == BLOCK_ROWS


@pytest.mark.parametrize("nulls", ["skip", "empty"])
def test_an_image_that_is_empty_counts_as_null(nulls: str) -> None:
    table = read([{"text": "a", "image": ""}, {"text": "b", "image": "https://x"}])
    recipe = Recipe(model="m", prompt="{text}", image_column="image", nulls=nulls)  # type: ignore[arg-type]
    (block,) = table.blocks()
    assert skips(table, recipe, block) == ["image" if nulls == "skip" else None, None]
    assert len(list(requests(table, recipe))) == (1 if nulls == "skip" else 2)


def test_a_column_may_be_text_and_image_at_once() -> None:
    table = read([{"image": "https://x"}])
    (body,) = bodies(requests(table, Recipe(model="m", prompt="{image}", image_column="image")))
    text = body["messages"][0]["content"]
    assert [part.get("text") or part["image_url"]["url"] for part in text] == ["https://x", "https://x"]


def test_lines_come_while_the_table_is_read() -> None:
    class Endless(Table):
        columns = ("text",)

        def blocks(self, columns: object = None) -> Iterator[object]:  # type: ignore[override]
            assert columns == ("text",)
            while True:
                yield from read([{"text": "a"}]).blocks()

        def fingerprint(self) -> str:
            return ""

    assert next(requests(Endless(), ASK)).startswith(b'{"custom_id":"row-1"')
