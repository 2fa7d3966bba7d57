"""Lists of dictionaries."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from batchyard_client.tables import CellError, NullCell, Recipe, read, requests
from tests.unit.batchyard_client.tables.made import ASK, prompts


class Colour(Enum):
    RED = "red"


class Number:
    """A number as numpy has them."""

    def item(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        (0, "0"),
        (True, "true"),
        (1.0, "1.0"),
        (float("nan"), "nan"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(days=1), "1 day, 0:00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"caf\xc3\xa9", "café"),
        (Colour.RED, "red"),
        (Number(), "7"),
        (["a", {"b": Decimal("1.5")}], '["a",{"b":1.5}]'),
        (("a",), '["a"]'),
        ([dt.timedelta(hours=2), {"a": dt.timedelta(days=1)}], '["2:00:00",{"a":"1 day, 0:00:00"}]'),
    ],
)
def test_a_value_goes_into_a_prompt_as_people_write_it(value: Any, text: str) -> None:
    assert prompts(requests(read([{"text": value}]), ASK)) == [f"Say: {text}"]


@pytest.mark.parametrize("value", [object(), b"\xff", "\ud800", {"x": object()}, [float, 1]])
def test_a_value_that_is_no_text_is_told_with_its_row(value: Any) -> None:
    with pytest.raises(CellError, match="row 2, column 'text'") as caught:
        list(requests(read([{"text": "a"}, {"text": value}]), ASK))
    assert (caught.value.row, caught.value.column) == (2, "text")


def test_a_key_that_a_row_has_not_is_null() -> None:
    table = read([{"text": "a"}, {"other": 1}])
    assert table.columns == ("text", "other")
    with pytest.raises(NullCell, match="row 2: the column 'text' is null"):
        list(requests(table, ASK))
    skipping = Recipe(model="m", prompt="{text}", nulls="skip")
    assert prompts(requests(table, skipping)) == ["a"]


def test_empty_text_is_no_null() -> None:
    assert prompts(requests(read([{"text": ""}]), ASK)) == ["Say: "]


def test_the_fingerprint_is_of_the_values() -> None:
    rows = [{"text": "a", "at": dt.date(2026, 1, 1), "n": Decimal(1)}]
    assert read(rows).fingerprint() == read([dict(rows[0])]).fingerprint()
    assert read(rows).fingerprint() != read([{**rows[0], "n": 2}]).fingerprint()
    with pytest.raises(CellError, match=r"Row 2, column 'text'.*object"):
        read([{"text": 1}, {"text": object()}]).fingerprint()
