"""One result for each row, in order, or a refusal."""

import json
import random
from collections.abc import Iterable

import pytest

from batchyard_client.tables import ResultsMismatch
from batchyard_client.tables.results import MOST_HELD, Results
from tests.unit.batchyard_client.tables.made import chat


def taken(lines: Iterable[bytes], rows: int) -> list[str]:
    results = Results(lines)
    found = [results.of(row)["custom_id"] for row in range(1, rows + 1)]
    results.end()
    assert results.taken == rows
    return found


def names(rows: int) -> list[str]:
    return [f"row-{row}" for row in range(1, rows + 1)]


def test_lines_in_order_are_taken_as_they_come() -> None:
    assert taken(map(chat, range(1, 4)), 3) == names(3)


def test_pieces_of_many_lines_and_blank_lines_are_taken() -> None:
    assert taken([b"\n", chat(1) + chat(2) + b"\n", chat(3)], 3) == names(3)


def test_lines_out_of_order_wait_for_their_turn() -> None:
    lines = [chat(row) for row in range(1, 500)]
    random.Random(1).shuffle(lines)  # noqa: S311 - made the same each time
    assert taken(lines, 499) == names(499)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([chat(1), chat(3)], "no result for row 2: the results are not those of this table, or not whole"),
        ([chat(1), chat(2), chat(3), chat(4)], "a result for row 4, which is no row that was asked"),
        ([chat(4), chat(1), chat(2), chat(3)], "a result for row 4"),
        ([chat(1), chat(1), chat(2), chat(3)], "two results for row 1"),
        ([chat(2), chat(2), chat(1), chat(3)], "two results for row 2"),
        ([chat(0), chat(1), chat(2), chat(3)], "two results for row 0, or row 0 was not asked"),
        ([b'{"custom_id":"task-1"}'], "The result 'task-1' is of no row of a table"),
        ([b'{"custom_id":"row-\xc2\xb2"}'], "is of no row"),
        ([b'{"custom_id":1}'], "The result 1 is of no row"),
        ([b'{"id":"x"}'], "The result None is of no row"),
        ([b"[1]"], "A result is no JSON object"),
        ([b'{"custom_id":"row-1"'], "A result is no JSON: "),
        ([], "no result for row 1"),
    ],
)
def test_anything_but_one_result_for_each_row_is_refused(lines: list[bytes], told: str) -> None:
    with pytest.raises(ResultsMismatch) as caught:
        taken(lines, 3)
    assert told in str(caught.value)


def test_a_row_without_a_result_can_be_told_in_place_of_refusing_all() -> None:
    results = Results([chat(4), chat(1), chat(3)], "tell")
    found = [results.of(row).get("custom_id") for row in range(1, 6)]
    results.end()
    assert found == ["row-1", None, "row-3", "row-4", None]
    assert (results.taken, results.absent) == (3, 2)


def test_many_rows_without_results_are_told_while_lines_in_order_are_read() -> None:
    present = [row for row in range(1, 3 * MOST_HELD) if row % 1_000]
    results = Results((b'{"custom_id":"row-%d"}' % row for row in present), "tell")
    found = [results.of(row).get("custom_id") for row in range(1, 3 * MOST_HELD)]
    assert found == [f"row-{row}" if row % 1_000 else None for row in range(1, 3 * MOST_HELD)]
    results.end()


def test_what_is_of_no_row_is_refused_even_then() -> None:
    results = Results([chat(1), chat(9)], "tell")
    results.of(1)
    results.of(2)
    with pytest.raises(ResultsMismatch, match="a result for row 9"):
        results.end()


def test_only_so_many_lines_wait() -> None:
    lines = (b'{"custom_id":"row-%d"}' % row for row in range(2, 2 * MOST_HELD))
    with pytest.raises(
        ResultsMismatch, match="no result for row 1 where it should be: the results must be in the order"
    ):
        taken(lines, 2 * MOST_HELD)
    assert json.loads(next(lines))["custom_id"] == f"row-{MOST_HELD + 3}"


def test_numbers_beyond_all_bounds_are_read_as_null() -> None:
    line = b'{"custom_id":"row-1","response":{"status_code":200,"body":{"x":1e999}}}'
    assert Results([line]).of(1)["response"]["body"] == {"x": None}
