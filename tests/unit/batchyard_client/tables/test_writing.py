"""Rows and answers, joined and written whole or not at all."""

import datetime as dt
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchyard_client.tables import Recipe, ResultsMismatch, TableError, UnwritableTable, check_target, read, write
from batchyard_client.tables.schema import Field
from batchyard_client.tables.table import BLOCK_ROWS
from batchyard_client.tables.writing import fresh
from tests.unit.batchyard_client.tables.made import ASK, chat, chats, expired, line, refused

SKIPPING = Recipe(model="m", prompt="{text}", nulls="skip")
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "arrow"]
SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"type": "string"},
        "score": {"type": "integer"},
        "share": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "by": {
            "type": "object",
            "properties": {"name": {"type": ["string", "null"]}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    },
    "required": ["mood", "score", "share", "tags", "by", "any"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("format_", FORMATS)
def test_each_row_has_its_answer_in_order(tmp_path: Path, format_: str) -> None:
    rows = [{"n": str(n), "text": f"t{n}"} for n in range(BLOCK_ROWS + 5)]
    results = [chat(row, f"answer of {row - 1}") for row in range(1, len(rows) + 1)]
    results[2], results[3] = refused(3), expired(4)
    summary = write(tmp_path / f"o.{format_}", read(rows), ASK, results)
    found = list(read(tmp_path / f"o.{format_}").rows())
    assert [(row["n"], row["answer"] or None) for row in found] == [
        (str(n), None if n in (2, 3) else f"answer of {n}") for n in range(len(rows))
    ]
    assert found[2]["error"] == "context_length_exceeded: Too long"
    assert (summary.rows, summary.answered, summary.failed, summary.skipped) == (len(rows), len(rows) - 2, 2, 0)
    assert (summary.input_tokens, summary.output_tokens, summary.cost_usd) == (
        3 * len(rows) - 6,
        4 * len(rows) - 8,
        None,
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_rows_that_were_not_asked_stand_there_and_say_so(tmp_path: Path, format_: str) -> None:
    table = read([{"text": None}, {"text": "a"}, {"text": None}])
    summary = write(tmp_path / f"o.{format_}", table, SKIPPING, [chat(2)])
    found = list(read(tmp_path / f"o.{format_}").rows())
    assert [row["answer"] or None for row in found] == [None, "good", None]
    assert found[0]["error"] == "skipped: row 1 was not asked, because its column 'text' is null"
    assert (summary.rows, summary.answered, summary.skipped) == (3, 1, 2)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("results", [[chat(1)], [chat(1), chat(2), chat(3)], [chat(1), chat(3)], [chat(1), b"{"]])
def test_results_that_do_not_fit_leave_nothing(tmp_path: Path, format_: str, results: list[bytes]) -> None:
    (tmp_path / f"o.{format_}").write_bytes(b"what was there")
    with pytest.raises(ResultsMismatch):
        write(tmp_path / f"o.{format_}", read([{"text": "a"}, {"text": "b"}]), ASK, results)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(f"o.{format_}", b"what was there")]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_death_while_writing_leaves_what_was_there(tmp_path: Path, format_: str) -> None:
    def dying() -> Iterator[bytes]:
        yield from chats(BLOCK_ROWS + 1)
        raise KeyboardInterrupt

    table = read([{"text": "a"}] * 2 * BLOCK_ROWS)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"o.{format_}", table, ASK, dying())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_what_breaks_while_results_are_read_is_not_said_of_the_target(tmp_path: Path, format_: str) -> None:
    def breaking() -> Iterator[bytes]:
        yield chat(1)
        raise ConnectionResetError("the line dropped")

    with pytest.raises(ConnectionResetError, match="the line dropped"):
        write(tmp_path / f"o.{format_}", read([{"text": "a"}] * 2), ASK, breaking())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path, format_: str) -> None:
    table = read([{"text": os.urandom(500).hex()} for _ in range(3_000)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(UnwritableTable, match=rf"o\.{format_} cannot be written: File too large"):
            write(tmp_path / f"o.{format_}", table, ASK, chats(3_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_schema_gives_typed_columns(tmp_path: Path) -> None:
    recipe = Recipe(model="m", prompt="{text}", schema=SCHEMA)
    member = {"mood": "good", "score": 5, "share": 1, "tags": ["a"], "by": {"name": None}, "any": 5}
    results = [chat(1, json.dumps(member)), refused(2), chat(3, "no JSON")]
    write(tmp_path / "o.parquet", read([{"text": "a"}] * 3), recipe, results)
    found = pq.read_table(tmp_path / "o.parquet")
    assert {field.name: str(field.type) for field in found.schema} == {
        "text": "string", "mood": "string", "score": "int64", "share": "double", "tags": "list<element: string>",
        "by": "struct<name: string>", "any": "string", "finish_reason": "string", "error": "string",
        "input_tokens": "int64", "output_tokens": "int64", "cost_usd": "double",
    }  # fmt: skip
    first, second, third = found.to_pylist()
    assert {name: first[name] for name in member} == {**member, "share": 1.0, "any": "5"}
    assert (second["mood"], third["error"]) == (None, "the answer is no JSON: no JSON")
    write(tmp_path / "o.csv", read([{"text": "a"}] * 3), recipe, results)
    (row, *_) = read(tmp_path / "o.csv").rows()
    assert (row["tags"], row["by"], row["score"]) == ('["a"]', '{"name":null}', "5")


def test_vectors_are_lists_of_32_bits(tmp_path: Path) -> None:
    recipe = Recipe(model="e", embed="text")
    body = {"data": [{"embedding": [0.25, -1]}], "usage": {"prompt_tokens": 1}}
    results = [line(1, body), refused(2)]
    write(tmp_path / "o.parquet", read([{"text": "a"}] * 2), recipe, results)
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.schema.field("embedding").type == pa.list_(pa.float32())
    assert found["embedding"].to_pylist() == [[0.25, -1.0], None]
    write(tmp_path / "o.csv", read([{"text": "a"}] * 2), recipe, results)
    assert [row["embedding"] for row in read(tmp_path / "o.csv").rows()] == ["[0.25,-1]", ""]


@pytest.mark.parametrize("format_", FORMATS)
def test_new_columns_make_way_for_those_that_are_there(tmp_path: Path, format_: str) -> None:
    write(tmp_path / f"a.{format_}", read([{"text": "a", "answer": "mine", "answer_2": "too"}]), ASK, chats(1))
    summary = write(tmp_path / f"b.{format_}", read(tmp_path / f"a.{format_}"), ASK, [chat(1, "new")])
    (row,) = read(tmp_path / f"b.{format_}").rows()
    assert [row[name] for name in ("answer", "answer_2", "answer_3", "answer_4")] == ["mine", "too", "good", "new"]
    assert summary.columns == (
        "answer_4",
        "finish_reason_2",
        "error_2",
        "input_tokens_2",
        "output_tokens_2",
        "cost_usd_2",
    )


def test_new_columns_make_way_for_each_other() -> None:
    named = fresh([Field("error", "text"), Field("error", "text"), Field("a", "text")], ["a", "a_2"])
    assert [field.name for field in named] == ["error", "error_2", "a_3"]


def test_dollars_are_summed(tmp_path: Path) -> None:
    summary = write(tmp_path / "o.csv", read([{"text": "a"}] * 2), ASK, chats(2), price=lambda *_: 0.25)
    assert summary.cost_usd == 0.5
    assert [row["cost_usd"] for row in read(tmp_path / "o.csv").rows()] == ["0.25", "0.25"]


@pytest.mark.parametrize("use", [lambda path, table: write(path, table, ASK, chats(1)), check_target])
def test_a_target_that_cannot_be_is_refused(tmp_path: Path, use: object) -> None:
    source = tmp_path / "t.csv"
    source.write_text("text\na\n")
    (tmp_path / "link.csv").symlink_to(source)
    (tmp_path / "folder.csv").mkdir()
    for name, told in [
        ("t.csv", "is the table itself"),
        ("link.csv", "is the table itself"),
        ("folder.csv", "is a folder"),
        ("none/o.csv", "cannot be written: No such file"),
        ("o.xlsx", "tells no format"),
    ]:
        with pytest.raises(TableError, match=told):
            use(tmp_path / name, read(source))  # type: ignore[operator]
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "link.csv", "folder.csv"}


def test_a_target_that_can_be_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_bytes(b"what was there")
    check_target(tmp_path / "o.csv", read([{"text": "a"}]))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"what was there"]


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    write(tmp_path / "o.csv", read([{"text": "a"}]), ASK, chats(1))
    (tmp_path / "other").write_bytes(b"")
    assert os.stat(tmp_path / "o.csv").st_mode == os.stat(tmp_path / "other").st_mode  # noqa: PTH116 - of both alike


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    (tmp_path / "o.csv").touch(mode=0o600)
    write(tmp_path / "o.csv", read([{"text": "a"}]), ASK, chats(1))
    assert (tmp_path / "o.csv").stat().st_mode & 0o777 == 0o600


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    name = "x" * 251 + ".csv"
    assert write(tmp_path / name, read([{"text": "a"}]), ASK, chats(1)).rows == 1


def test_values_that_a_format_cannot_hold_are_told(tmp_path: Path) -> None:
    odd = pa.table({"text": ["a"], "odd": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(UnwritableTable, match="cannot be written"):
        write(tmp_path / "o.parquet", read(odd), ASK, chats(1))
    with pytest.raises(UnwritableTable, match="Row 1 cannot be written as JSON"):
        write(tmp_path / "o.jsonl", read([{"text": "a", "odd": object()}]), ASK, chats(1))
    assert list(tmp_path.iterdir()) == []


def test_rows_without_a_result_are_written_where_that_is_asked_for(tmp_path: Path) -> None:
    summary = write(tmp_path / "o.csv", read([{"text": "a"}] * 3), ASK, [chat(1), chat(3)], absent="tell")
    assert [row["error"] for row in read(tmp_path / "o.csv").rows()] == [
        "",
        "no_result: there is no result for this row",
        "",
    ]
    assert (summary.rows, summary.answered, summary.failed) == (3, 2, 1)


def test_the_answers_of_another_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsMismatch, match="a result for row 3"):
        write(tmp_path / "o.csv", read([{"text": "a"}] * 2), ASK, chats(3))


KILLED = """
import os, signal, sys
from batchyard_client.tables import Recipe, read, write
def results():
    os.kill(os.getpid(), signal.SIGKILL)
    yield b""
write(sys.argv[1], read([{"text": "a"}]), Recipe(model="m", prompt="{text}"), results())
"""


def test_what_a_killed_process_left_beside_the_target_goes_with_the_next_file(tmp_path: Path) -> None:
    target, other = tmp_path / "a[1].csv", tmp_path / ".a[1].csv.mine.part"
    other.write_text("no file of ours")
    killed = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", KILLED, str(target)], check=False, env={**os.environ, "PYTHONPATH": "layers/client"}
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    write(target, read([{"text": "a"}]), ASK, [chat(1)])
    assert sorted(tmp_path.iterdir()) == sorted([other, target])


def test_a_file_that_another_process_writes_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"

    def results() -> Iterator[bytes]:
        write(target, read([{"text": "a"}]), ASK, [chat(1, "inner")])
        yield chat(1, "outer")

    write(target, read([{"text": "a"}]), ASK, results())
    assert [row["answer"] for row in read(target).rows()] == ["outer"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_duration_is_the_same_text_in_every_format(tmp_path: Path) -> None:
    table = read([{"text": dt.timedelta(hours=1, minutes=30), "l": [dt.timedelta(days=1)]}])
    write(tmp_path / "o.jsonl", table, ASK, chats(1))
    found = json.loads((tmp_path / "o.jsonl").read_bytes())
    assert (found["text"], found["l"]) == ("1:30:00", ["1 day, 0:00:00"])
