"""Parquet, Arrow and data frames: types stay, and little is held at a time."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchyard_client.tables import Recipe, UnreadableTable, read, requests, write
from batchyard_client.tables.arrow_table import python_values
from batchyard_client.tables.table import BLOCK_BYTES, BLOCK_ROWS
from tests.unit.batchyard_client.tables.made import ASK, chats, prompts

DAY = dt.date(2026, 2, 3)
EVERY_TYPE = pa.table(
    {
        "text": pa.array(["a", None, "c"]),
        "decimal": pa.array([Decimal("1.10"), None, Decimal("-2.50")], pa.decimal128(12, 2)),
        "ns": pa.array([1, None, 1_700_000_000_000_000_000], pa.timestamp("ns")),
        "zoned": pa.array([0, 1, None], pa.timestamp("us", "Europe/Berlin")),
        "date": pa.array([DAY, None, DAY]),
        "lists": pa.array([[["x"], None], [], None], pa.list_(pa.list_(pa.string()))),
        "struct": pa.array([{"a": 1, "b": None}, None, {"a": None, "b": "y"}]),
        "dictionary": pa.array(["x", None, "y"]).dictionary_encode(),
        "small": pa.array([1, None, -3], pa.int8()),
        "unsigned": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "half": pa.array([1.5, None, 2.5], pa.float32()),
        "flag": pa.array([True, None, False]),
        "bytes": pa.array([b"\x00\xff", None, b""], pa.binary()),
        "large": pa.array(["l", None, ""], pa.large_string()),
        "fixed": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "null": pa.nulls(3),
    }
).replace_schema_metadata({"made": "here"})
NO_NULLS = Recipe(model="m", prompt="{text}", nulls="empty")


def saved(folder: Path, table: pa.Table, ending: str) -> Path:
    path = folder / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(table, path, row_group_size=2)
    elif ending == "arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        with pa.ipc.new_stream(path, table.schema) as file:
            file.write_table(table)
    return path


def back(path: Path, names: list[str]) -> pa.Table:
    table = pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()
    return table.select(names)


@pytest.mark.parametrize("source", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize("target", ["parquet", "arrow"])
def test_every_type_comes_out_as_it_went_in(tmp_path: Path, source: str, target: str) -> None:
    table = read(saved(tmp_path, EVERY_TYPE, source))
    write(tmp_path / f"o.{target}", table, NO_NULLS, chats(3))
    found = back(tmp_path / f"o.{target}", EVERY_TYPE.column_names)
    expected = pq.read_table(tmp_path / "t.parquet") if source == "parquet" else EVERY_TYPE
    assert found.schema.equals(expected.schema)
    assert found.equals(expected)


@pytest.mark.parametrize("target", ["csv", "tsv", "jsonl", "json"])
def test_every_type_can_be_written_as_text(tmp_path: Path, target: str) -> None:
    write(tmp_path / f"o.{target}", read(EVERY_TYPE), NO_NULLS, chats(3))
    (first, *_) = read(tmp_path / f"o.{target}").rows()
    told = {name: str(first[name]) for name in ("decimal", "ns", "date", "dictionary", "unsigned", "bytes")}
    assert told == {
        "decimal": "1.10" if target in ("csv", "tsv") else "1.1",
        "ns": "1970-01-01T00:00:00.000000001",
        "date": "2026-02-03",
        "dictionary": "x",
        "unsigned": str(2**64 - 1),
        "bytes": "AP8=",
    }


def test_the_words_of_pandas_in_the_metadata_stay(tmp_path: Path) -> None:
    write(tmp_path / "o.parquet", read(EVERY_TYPE), NO_NULLS, chats(3))
    assert pq.read_schema(tmp_path / "o.parquet").metadata[b"made"] == b"here"


def test_dictionaries_that_differ_by_part_become_one_that_grows(tmp_path: Path) -> None:
    parts = [pa.array(["a", "b", None]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    table = pa.table({"text": pa.chunked_array(parts)})
    write(tmp_path / "o.arrow", read(table), NO_NULLS, chats(5))
    assert back(tmp_path / "o.arrow", ["text"])["text"].to_pylist() == ["a", "b", None, "c", "a"]


def test_values_go_into_prompts_the_same_with_and_without_pandas() -> None:
    recipe = Recipe(model="m", prompt="{ns}|{zoned}|{decimal}|{date}|{lists}|{struct}|{flag}|{half}", nulls="empty")
    assert prompts(requests(read(EVERY_TYPE), recipe)) == [
        '1970-01-01T00:00:00.000000001|1970-01-01T01:00:00+01:00|1.10|2026-02-03|[["x"],null]|{"a":1,"b":null}|true|1.5',
        "|1970-01-01T01:00:00.000001+01:00|||[]|||",
        '2023-11-14T22:13:20||-2.50|2026-02-03||{"a":null,"b":"y"}|false|2.5',
    ]


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([1, None], pa.time64("ns")), ["00:00:00.000000001", None]),
        (pa.array([1500, 1], pa.duration("ns")), ["1500 ns", "1 ns"]),
        (pa.array([2000], pa.duration("ns")), [dt.timedelta(microseconds=2)]),
        (pa.array([-1], pa.timestamp("ns")), ["1969-12-31T23:59:59.999999999"]),
        (pa.array([-1], pa.timestamp("ns", "UTC")), ["1969-12-31T23:59:59.999999999+00:00"]),
    ],
)
def test_nanoseconds_are_kept(array: pa.Array, values: list[Any]) -> None:
    assert python_values(array) == values


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UnreadableTable, match="columns of one name: 'a'"):
        _ = read(pa.table([[1], [2]], names=["a", "a"])).columns


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize("content", [b"", b"no such thing at all", b"PAR1PAR1", b"ARROW1"])
def test_a_damaged_file_is_told(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    with pytest.raises(UnreadableTable, match="cannot be read"):
        read(path)


def test_a_file_that_is_damaged_in_the_middle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": [f"some text {number}" for number in range(50_000)]}), path)
    data = bytearray(path.read_bytes())
    data[1_000:200_000] = b"\xff" * 199_000
    path.write_bytes(data)
    with pytest.raises(UnreadableTable, match="cannot be read"):
        list(requests(read(path), ASK))


def test_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a"], "other": ["b"]}), path)
    (block,) = read(path).blocks(["text"])
    assert block.batch.schema.names == ["text"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_blocks_are_small_whatever_the_file_was_made_of(tmp_path: Path, ending: str) -> None:
    table = pa.table({"text": ["x" * 2_000] * 20_000})
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    counts = [block.count for block in read(path).blocks()]
    assert sum(counts) == 20_000
    assert max(counts) <= BLOCK_ROWS
    assert max(counts) * 2_000 <= 2 * BLOCK_BYTES


class Stream:
    """What Polars and DuckDB are to us: a thing that hands itself over."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class Dataset:
    """What a Dataset of Hugging Face is to us: rows in an order of its own."""

    def __init__(self, table: pa.Table, form: str = "") -> None:
        self._table, self._form = table, form
        self.features = type("Features", (), {"arrow_schema": table.schema})()

    def with_format(self, form: str) -> "Dataset":
        return Dataset(self._table, form)

    def iter(self, batch_size: int) -> Iterator[pa.Table]:
        assert self._form == "arrow"
        for start in range(0, len(self._table), batch_size):
            yield self._table.slice(start, batch_size)


@pytest.mark.parametrize("wrap", [Stream, Dataset, lambda table: table, lambda table: table.to_batches()[0]])
def test_data_frames_are_tables(wrap: Any) -> None:
    table = pa.table({"text": ["a", "b"], "n": [1, 2]})
    found = read(wrap(table))
    assert found.columns == ("text", "n")
    assert prompts(requests(found, Recipe(model="m", prompt="{text}{n}"))) == ["a1", "b2"]
    assert list(found.rows()) == table.to_pylist()  # again


def test_views_of_texts_as_polars_has_them_become_plain_texts(tmp_path: Path) -> None:
    view = pa.string_view()
    table = pa.table(
        {
            "text": pa.array(["a", None], view),
            "lists": pa.array([["a"], None], pa.large_list(view)),
            "struct": pa.array([{"a": "x", "b": 1}, None], pa.struct([("a", view), ("b", pa.int8())])),
            "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, None], pa.uint32()), pa.array(["x"], view)),
            "bytes": pa.array([b"x", None], pa.binary_view()),
        }
    )
    for format_ in ("parquet", "arrow", "csv"):
        write(tmp_path / f"o.{format_}", read(Stream(table)), NO_NULLS, chats(2))
    assert back(tmp_path / "o.parquet", table.column_names).to_pylist() == table.to_pylist()
    assert back(tmp_path / "o.arrow", table.column_names).to_pylist() == table.to_pylist()


def test_the_fingerprint_follows_from_the_values_and_not_from_how_they_lie() -> None:
    table = pa.table({"text": ["a", None, "c"]})
    parts = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    other_nulls = pa.table({"text": pa.array(["a", "xx", "c"], mask=[False, True, False])})
    assert read(table).fingerprint() == read(parts).fingerprint() == read(other_nulls).fingerprint()
    for other in ({"text": ["a", "", "c"]}, {"texts": ["a", None, "c"]}, {"text": ["a", None]}):
        assert read(pa.table(other)).fingerprint() != read(table).fingerprint()
