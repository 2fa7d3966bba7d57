"""Tables in S3, by boto3 on moto."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from batchyard_client.tables import (
    ChangedTable,
    Recipe,
    TableError,
    UnreadableTable,
    UnwritableTable,
    read,
    requests,
    write,
)
from tests.unit.batchyard_client.tables.made import chats

ASK = Recipe(model="m", prompt="{text}")
ROWS = 120_000


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        yield client


def put(s3: Any, key: str, data: bytes) -> str:
    s3.put_object(Bucket="bucket", Key=key, Body=data)
    return f"s3://bucket/{key}"


def test_a_csv_is_read_by_ranges_and_an_answer_is_stored(s3: Any) -> None:
    content = b"text\n" + b"some text of a line that is long enough, so that more ranges than one are read\n" * ROWS
    assert len(content) > 8 << 20
    table = read(put(s3, "a folder/t.csv", content.replace(b",", b"")))
    assert sum(1 for _ in requests(table, ASK)) == ROWS
    assert table.fingerprint() == table.fingerprint()
    small = read(put(s3, "small.csv", b"text\na\n"))
    assert write("s3://bucket/o.csv.gz", small, ASK, chats(1)).rows == 1
    assert [row["answer"] for row in read("s3://bucket/o.csv.gz").rows()] == ["good"]


@pytest.mark.parametrize("format_", ["parquet", "arrow", "jsonl", "json"])
def test_every_format_goes_there_and_back(s3: Any, tmp_path: Path, format_: str) -> None:
    del s3
    table = pa.table({"text": ["a", "b"], "n": [1, 2]})
    pq.write_table(table, tmp_path / "t.parquet")
    write(f"s3://bucket/o.{format_}", read(tmp_path / "t.parquet"), ASK, chats(2))
    back = read(f"s3://bucket/o.{format_}")
    assert [(row["text"], row["n"], row["answer"]) for row in back.rows()] == [("a", 1, "good"), ("b", 2, "good")]


def test_an_object_that_changed_is_not_read_on(s3: Any) -> None:
    table = read(put(s3, "t.csv", b"text\na\n"))
    before = table.fingerprint()
    put(s3, "t.csv", b"text\nb\n")
    with pytest.raises(ChangedTable, match="has changed since"):
        list(table.rows())
    assert read("s3://bucket/t.csv").fingerprint() != before


def test_an_object_that_changes_while_it_is_read_is_told(s3: Any) -> None:
    content = b"text\n" + b"x" * 99 + b"\n"
    table = read(put(s3, "t.csv", content + (b"y" * 99 + b"\n") * 200_000))
    rows = table.rows()
    next(rows)
    put(s3, "t.csv", content)
    with pytest.raises(ChangedTable, match="has changed while it was read"):
        list(rows)


@pytest.mark.parametrize("address", ["s3://bucket/none.csv", "s3://none/t.csv"])
def test_what_is_not_there_is_told(s3: Any, address: str) -> None:
    del s3
    with pytest.raises(UnreadableTable, match=f"{address} cannot be read"):
        read(address)


def test_what_cannot_be_stored_is_told(s3: Any) -> None:
    table = read(put(s3, "t.csv", b"text\na\n"))
    with pytest.raises(UnwritableTable, match=r"s3://none/o\.csv cannot be written"):
        write("s3://none/o.csv", table, ASK, chats(1))
    with pytest.raises(TableError, match="is the table itself"):
        write("s3://bucket/t.csv", table, ASK, chats(1))
    with pytest.raises(TableError, match="names no object"):
        read("s3://bucket.csv")
