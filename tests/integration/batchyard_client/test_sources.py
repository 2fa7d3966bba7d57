"""Sources that can be read once only."""

from collections.abc import Callable

import pyarrow as pa
import pytest

import batchyard_client as by
from tests.fakes.front_door import Books

pytestmark = pytest.mark.usefixtures("_here")
ROWS = [{"text": "a"}, {"text": "b"}]


def reader() -> object:
    made = pa.Table.from_pylist(ROWS)
    return pa.RecordBatchReader.from_batches(made.schema, made.to_batches())


@pytest.mark.parametrize("source", [lambda: (row for row in ROWS), reader])
def test_a_source_that_can_be_read_once_is_read_once(source: Callable[[], object], books: Books) -> None:
    answers = by.run(source(), model="m", prompt="Say {text}")
    for _ in range(2):
        assert [(answer.row, answer.text) for answer in answers] == [
            (ROWS[0], "answer to row-1"), (ROWS[1], "answer to row-2"),
        ]  # fmt: skip
    again = by.job(books.paid[0], source())
    assert again.fetch("x.csv").succeeded == len(ROWS)
    assert [answer.row for answer in again.results()] == ROWS
    assert len(books.paid) == 1
