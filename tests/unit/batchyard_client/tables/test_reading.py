"""Which kind of table a source is, and clear words for what is none."""

from pathlib import Path
from typing import Any

import pytest

from batchyard_client.tables import ChangedTable, Table, TableError, format_of, read
from batchyard_client.tables.table import RecordsTable


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.csv", "csv"), ("A.CSV.GZ", "csv"), ("a.b.tsv", "tsv"), ("a.parquet", "parquet"), ("a.feather", "arrow"),
        ("s3://b/k/a.jsonl.zst", "jsonl"), ("a.ndjson", "jsonl"), ("/x.y/a.json", "json"),
    ],
)  # fmt: skip
def test_the_end_of_a_name_tells_the_format(name: str, format_: str) -> None:
    assert format_of(name) == format_


@pytest.mark.parametrize("name", ["a", "a.txt", "a.gz", "a.xlsx", "x.csv/a", ""])
def test_a_name_that_tells_none_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(TableError, match=r"tells no format.*\.csv, \.tsv"):
        format_of(name)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("none.csv", "cannot be read: No such file"),
        (".", "tells no format"),
        (5, "A builtins.int is no table"),
        ({"text": ["a"]}, "A builtins.dict is no table"),
        (b"a.csv", "is no table"),
        ([1], "Row 1 is int"),
        ([{"a": 1}, {2: 1}], "Row 2 is dict: each row must be a dict whose keys are texts"),
    ],
)
def test_what_is_no_table_is_refused(source: Any, told: str) -> None:
    with pytest.raises(TableError) as caught:
        read(source)
    assert told in str(caught.value)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(TableError, match="is no regular file"):
        read(tmp_path / "a.csv")


def test_a_format_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\tb\n1\t2\n")
    assert list(read(path, format="tsv").rows()) == [{"a": "1", "b": "2"}]
    with pytest.raises(TableError, match="There is no format 'xls'"):
        read(path, format="xls")  # type: ignore[arg-type]


def test_an_encoding_is_for_text(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(TableError, match="no text file"):
        read(tmp_path / "a.parquet", encoding="utf-8")
    with pytest.raises(TableError, match="are for files"):
        read([{"a": 1}], format="csv")


def test_rows_of_any_iterable_are_kept() -> None:
    table = read({"n": number} for number in range(3))
    assert isinstance(table, RecordsTable)
    assert [list(table.rows()) for _ in range(2)] == [[{"n": 0}, {"n": 1}, {"n": 2}]] * 2
    assert read(table) is table


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.parquet", "t.arrow"])
def test_a_file_that_changed_since_is_not_read_on(tmp_path: Path, name: str) -> None:
    from batchyard_client.tables import Recipe, write  # noqa: PLC0415 - of this test alone
    from tests.unit.batchyard_client.tables.made import chats  # noqa: PLC0415

    rows = read([{"text": "a"}, {"text": "b"}])
    write(tmp_path / name, rows, Recipe(model="m", prompt="{text}"), chats(2))
    table = read(tmp_path / name)
    _ = table.columns
    write(tmp_path / name, rows, Recipe(model="m", prompt="{text}"), chats(2))
    for use in (table.fingerprint, lambda: list(table.rows())):
        with pytest.raises(ChangedTable, match="has changed since it was first read"):
            use()


def test_the_fingerprint_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    def made(name: str, content: bytes) -> Table:
        (tmp_path / name).write_bytes(content)
        return read(tmp_path / name)

    first = made("a.csv", b"text\na\n").fingerprint()
    assert made("b.csv", b"text\na\n").fingerprint() == first
    assert made("c.csv", b"text\nb\n").fingerprint() != first
    assert read(tmp_path / "a.csv", encoding="cp1252").fingerprint() != first
