"""gzip and zstd around tables."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from batchyard_client.tables import TableError, UnreadableTable, read, write
from batchyard_client.tables.packing import packing_of
from tests.unit.batchyard_client.tables.made import ASK, chats

CONTENT = b"text\n" + b"some text of a line\n" * 100_000


def packed(content: bytes, kind: str) -> bytes:
    if kind == "gz":
        return gzip.compress(content[:70_000]) + gzip.compress(content[70_000:])  # as `cat a.gz b.gz` makes it
    found: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return found


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("name", ["t.csv.{}", "t.csv"])
def test_a_packed_file_is_known_by_its_bytes(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name.format(kind)
    path.write_bytes(packed(CONTENT, kind))
    assert sum(block.count for block in read(path).blocks()) == 100_000


def test_a_file_that_is_packed_by_its_name_alone_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(CONTENT)  # as browsers save it
    assert read(tmp_path / "t.csv.gz").columns == ("text",)


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_packed_file_that_is_damaged_is_told(tmp_path: Path, kind: str, damage: str) -> None:
    data = bytearray(packed(CONTENT, kind))
    if damage == "cut":
        data = data[:-6]
    else:
        data[len(data) // 2 : len(data) // 2 + 40] = b"\xee" * 40
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UnreadableTable, match=r"t\.csv is cut off or damaged"):
        list(read(path).rows())


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("format_", ["csv", "tsv", "jsonl", "json", "parquet", "arrow"])
def test_what_is_written_packed_reads_the_same(tmp_path: Path, kind: str, format_: str) -> None:
    table = read([{"text": f"some text {number}"} for number in range(9_000)])
    write(tmp_path / f"o.{format_}", table, ASK, chats(9_000))
    write(tmp_path / f"o.{format_}.{kind}", table, ASK, chats(9_000))
    plain, small = read(tmp_path / f"o.{format_}"), read(tmp_path / f"o.{format_}.{kind}")
    assert list(plain.rows()) == list(small.rows())
    assert (tmp_path / f"o.{format_}.{kind}").stat().st_size < (tmp_path / f"o.{format_}").stat().st_size


def test_what_is_packed_with_gzip_is_the_same_each_time(tmp_path: Path) -> None:
    table = read([{"text": "a"}])
    for name in ("a.csv.gz", "b.csv.gz"):
        write(tmp_path / name, table, ASK, chats(1))
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_only_these_packings_are_known(tmp_path: Path) -> None:
    assert [packing_of(name) for name in ("a.csv", "a.csv.GZ", "a.zst", "a.bz2")] == [None, "gz", "zst", None]
    with pytest.raises(TableError, match="tells no format"):
        write(tmp_path / "o.csv.bz2", read([{"text": "a"}]), ASK, chats(1))
