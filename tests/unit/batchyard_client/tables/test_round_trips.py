"""Any table of any text: as many rows out as in, in order, as they were."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given
from hypothesis import strategies as st

from batchyard_client.tables import Recipe, read, requests, write
from tests.unit.batchyard_client.tables.made import chat

TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', ",", "\r", "\n", "\r\n", " ", "\ufeff", "\0"]
)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=6)
NAMES = st.lists(NAME, min_size=1, max_size=4, unique=True)
VALUE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON_VALUE = st.recursive(VALUE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
OBJECTS = st.sampled_from(["jsonl", "json"])
ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def tables(draw: st.DrawFn, value: Any = TEXT) -> tuple[list[str], list[list[Any]]]:
    names = draw(NAMES)
    return names, draw(st.lists(st.lists(value, min_size=len(names), max_size=len(names)), max_size=5))


def asked(name: str) -> Recipe:
    return Recipe(model="m", prompt=f"{{{name}}}", nulls="empty")


def results(rows: int) -> list[bytes]:
    return [chat(row, f'"{row}",\n') for row in range(1, rows + 1)]


@given(
    tables(), ENDS, st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.sampled_from(["csv", "jsonl", "parquet"])
)
def test_any_csv(table: tuple[list[str], list[list[str]]], end: str, quoting: Any, format_: str) -> None:
    names, rows = table
    assume(quoting == csv.QUOTE_ALL or "\r" not in "".join(map("".join, [names, *rows])))  # Python writes it bare
    with tempfile.TemporaryDirectory() as folder:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=end, quoting=quoting).writerows([names, *rows])
        source = Path(folder, "t.csv")
        source.write_bytes(text.getvalue().encode())
        if text.getvalue().startswith("\ufeff"):
            names = [names[0].removeprefix("\ufeff"), *names[1:]]  # it is the mark of the file then
        found = read(source)
        if found.delimiter != ",":  # type: ignore[attr-defined]
            return  # another one fits as well and the comma does not: a table of one column
        assert list(found.columns) == names
        assert [list(row.values()) for row in found.rows()] == rows
        assert len(list(requests(found, asked(names[0])))) == len(rows)
        target = Path(folder, f"o.{format_}")
        assert write(target, found, asked(names[0]), results(len(rows))).rows == len(rows)
        if format_ == "jsonl" and not rows:
            return
        back = list(read(target).rows())
        assert [[row[name] for name in names] for row in back] == rows
        if format_ == "csv":
            texts = [[text for block in each.blocks() for text in block.texts] for each in (found, read(target))]
            assert all(after.startswith(before.removesuffix(end) + ",") for before, after in zip(*texts, strict=True))


@given(
    tables(JSON_VALUE),
    st.sampled_from(["jsonl", "json"]),
    st.sampled_from(["jsonl", "json"]),
    st.none() | st.integers(0, 2),
)
def test_any_objects(table: tuple[list[str], list[list[Any]]], source: str, format_: str, indent: int | None) -> None:
    names, values = table
    rows = [dict(zip(names, row, strict=True)) for row in values]
    if not rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"t.{source}")
        lines = "\n".join(map(json.dumps, rows)) + "\n"
        path.write_text(json.dumps(rows, indent=indent) if source == "json" else lines)
        found = read(path)
        assert list(found.rows()) == rows
        assert len(list(requests(found, asked(names[0])))) == len(rows)
        write(Path(folder, f"o.{format_}"), found, asked(names[0]), results(len(rows)))
        back = list(read(Path(folder, f"o.{format_}")).rows())
        assert [{name: row[name] for name in names} for row in back] == rows


COLUMNS = st.sampled_from(
    [
        (pa.string(), TEXT),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.float64(), st.floats(allow_nan=False)),
        (pa.bool_(), st.booleans()),
        (pa.binary(), st.binary(max_size=5)),
        (pa.date32(), st.dates()),
        (pa.timestamp("us"), st.datetimes()),
        (pa.decimal128(20, 3), st.decimals(-(10**15), 10**15, places=3, allow_nan=False)),
        (pa.list_(pa.int32()), st.lists(st.none() | st.integers(-5, 5), max_size=3)),
        (pa.dictionary(pa.int8(), pa.string()), TEXT),
        (pa.struct([("a", pa.string())]), st.fixed_dictionaries({"a": st.none() | TEXT})),
    ]
)


@given(st.data(), st.lists(COLUMNS, min_size=1, max_size=4), st.integers(0, 6), st.integers(1, 3))
def test_any_arrow_table(data: st.DataObject, columns: list[tuple[pa.DataType, Any]], count: int, group: int) -> None:
    arrays = [
        pa.array(data.draw(st.lists(st.none() | value, min_size=count, max_size=count)), kind)
        for kind, value in columns
    ]
    table = pa.table(arrays, names=[f"c{number}" for number in range(len(arrays))])
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder, "t.parquet"), row_group_size=group)
        saved = pq.read_table(Path(folder, "t.parquet"))
        for format_ in ("parquet", "arrow"):
            target = Path(folder, f"o.{format_}")
            recipe = Recipe(model="m", body={"input": "{answered}"}, nulls="empty")
            with_text = table.append_column("answered", pa.array(["x"] * count, pa.string()))
            pq.write_table(with_text, Path(folder, "t.parquet"), row_group_size=group)
            write(target, read(Path(folder, "t.parquet")), recipe, results(count))
            found = pq.read_table(target) if format_ == "parquet" else pa.ipc.open_file(target).read_all()
            assert found.select(table.column_names).schema.equals(saved.schema)
            assert found.select(table.column_names).to_pylist() == table.to_pylist()
