"""Sources that can be read once only, and those whose name tells no format."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import batchyard_client as by
from batchyard_client.__main__ import main
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


@pytest.mark.parametrize(
    ("name", "out"), [("noext", "noext.answers.csv"), ("data.txt", "data.answers.csv"), ("x.csv", "x.answers.csv")]
)
def test_answers_of_a_table_whose_format_was_named_have_that_format(name: str, out: str) -> None:
    Path("c").write_text("id,text\n1,a\n")
    shutil.copy("c", name)
    assert main(["run", name, "--format", "csv", "--model", "m", "--prompt", "{text}", "--quiet"]) == 0
    assert Path(out).read_text().startswith("id,text,answer")
