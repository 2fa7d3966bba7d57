"""The one strict reader of numbers that users write: digits, a point, and bounds."""

from decimal import Decimal

import pytest

from batchyard.domain.numbers import amount, in_digits, whole

# What Python's own int, float or Decimal take, and no user may mean.
FOREIGN: list[object] = [
    "", " ", " 5", "5 ", "5\n", "+5", "1_0", "+1_0", "\u0661\u0662", "\u09e9", "\uff11\uff12", "²",
    "1e2", "1e400", "1E+2", "0x10", "NaN", "nan", "sNaN",
    "Infinity", "-Infinity", "inf", "1,000", "--1", "1" * 5_000, None, True, [], b"5",
]  # fmt: skip


@pytest.mark.parametrize("text", [*FOREIGN, "1.0", "1" * 16, "-"])
def test_what_is_no_whole_number_in_digits_is_none(text: object) -> None:
    assert whole(text) is None


@pytest.mark.parametrize("number", [0, 7, -7, 10**15 - 1])
def test_a_whole_number_is_read(number: int) -> None:
    assert whole(str(number)) == number


@pytest.mark.parametrize(
    "text", [*FOREIGN, "-1", "1.", ".5", "1.2.3", "1" * 13, "1." + "1" * 13, "\u0661\u0662.\u0665"]
)
def test_what_is_no_amount_in_digits_is_none(text: object) -> None:
    assert amount(text) is None


@pytest.mark.parametrize("text", ["0", "12", "12.50", "0.000000000001", "9" * 12])
def test_an_amount_is_read(text: str) -> None:
    assert amount(text) == Decimal(text)


@pytest.mark.parametrize("number", [0.1, 1e-7, 1e9, 5, 5.0, 12.5, 100, 999_999_999_999])
def test_a_number_of_json_is_written_as_it_is_read(number: float) -> None:
    assert amount(in_digits(number)) == Decimal(str(number))
