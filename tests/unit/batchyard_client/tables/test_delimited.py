"""CSV and TSV: cells and rows as they stand, and faults told with the line."""

from pathlib import Path

import pytest

from batchyard_client.tables import MissingColumn, NullCell, Recipe, UnreadableTable, read, requests, write
from batchyard_client.tables.delimited import LONGEST_CELL, quoted, row_of, sniffed
from tests.unit.batchyard_client.tables.made import ASK, chat, chats, prompts


def rows(folder: Path, content: bytes, name: str = "t.csv", encoding: str | None = None) -> list[dict[str, str]]:
    path = folder / name
    path.write_bytes(content)
    return list(read(path, encoding=encoding).rows())


def test_cells_are_the_text_that_stands_there(tmp_path: Path) -> None:
    found = rows(tmp_path, b"id,n,text\n007,12345678901234567890123,1e5\n-0, 1.10 ,TRUE\n")
    assert found == [
        {"id": "007", "n": "12345678901234567890123", "text": "1e5"},
        {"id": "-0", "n": " 1.10 ", "text": "TRUE"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like_and_quotes_hold_ends_and_delimiters(tmp_path: Path, end: str) -> None:
    text = f'id,text{end}1,"a, ""b""{end}c"{end}2,d'
    assert rows(tmp_path, text.encode()) == [{"id": "1", "text": f'a, "b"{end}c'}, {"id": "2", "text": "d"}]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path, b"\n\nid,text\n\n1,a\n\r\n2,b\n\n") == [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]


def test_a_row_of_one_empty_cell_in_quotes_is_a_row(tmp_path: Path) -> None:
    assert rows(tmp_path, b'text\n""\na\n') == [{"text": ""}, {"text": "a"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id,text\n1,a\n2\n", "line 3 (row 2): 1 cells, and the first line names 2"),
        (b'id,text\n1,"a\nb"\n2,b,c\n', "line 4 (row 2): 3 cells"),
        (b'id,text\n1,a\n2,"b\n3,c\n', "line 3: the quotes are not those of CSV"),
        (b'id,text\n1,"a"b\n', "line 2: the quotes are not those of CSV"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b,a\n1,2,3\n", "names columns twice: 'a'"),
        (b"id,text\n1,a\n2,caf\xe9\n", "line 3, is not text in utf-8"),
        (b"id,t\xe9xt\n1,a\n", "line 1, is not text in utf-8"),
        ("id,text\n1,ä".encode("utf-16"), "Read it with --encoding utf-16"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(UnreadableTable) as caught:
        rows(tmp_path, content)
    assert told in str(caught.value)
    assert "t.csv" in str(caught.value)


def test_a_bad_byte_far_down_is_told_with_its_line(tmp_path: Path) -> None:
    good = b"1,some text of a line\n" * 20_000
    with pytest.raises(UnreadableTable, match=r"line 20002, is not text in utf-8.*--encoding cp1252"):
        rows(tmp_path, b"id,text\n" + good + b"2,\xff\n" + good)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id,text\n")
    table = read(tmp_path / "t.csv")
    assert (table.columns, list(table.rows()), list(requests(table, ASK))) == (("id", "text"), [], [])
    summary = write(tmp_path / "o.csv", table, ASK, [])
    assert summary.rows == 0
    assert (tmp_path / "o.csv").read_bytes() == (
        b"id,text,answer,finish_reason,error,input_tokens,output_tokens,cost_usd\n"
    )


def test_a_mark_at_the_beginning_is_no_part_of_a_name_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbftext\r\na\r\n")
    table = read(path)
    assert table.columns == ("text",)
    write(tmp_path / "o.csv", table, ASK, chats(1))
    assert (tmp_path / "o.csv").read_bytes().startswith(b"\xef\xbb\xbftext,answer,")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "latin-1", "utf-8"])
def test_an_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    assert rows(tmp_path, "text\ncafé\n".encode(encoding), encoding=encoding) == [{"text": "café"}]


def test_an_unknown_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTable, match="There is no encoding 'utf8000'"):
        rows(tmp_path, b"text\na\n", encoding="utf8000")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1;2,5\n3;x\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a,b\n1,x;y\n", ","),
        ("a,b;c\n1,2;3\n", ","),  # both fit: the name says CSV
        ("a;b|c\n1;2|3\n", ","),  # two others fit
        ("text\nx; y\n", ","),
        ("text\n", ","),
        ("", ","),
        ('a;b\n"1;1";2\n', ";"),
        ("a;b\n1;2;3\n", ","),
    ],
)
def test_only_an_unambiguous_delimiter_is_found(text: str, delimiter: str) -> None:
    assert sniffed(text) == delimiter


def test_a_tsv_has_tabs_and_nothing_else(tmp_path: Path) -> None:
    assert rows(tmp_path, b"a,b\tc\n1,2\t3\n", "t.tsv") == [{"a,b": "1,2", "c": "3"}]


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    text = "x" * 200_000  # longer than the csv module takes by itself
    assert rows(tmp_path, f"text\n{text}\n".encode()) == [{"text": text}]
    assert LONGEST_CELL > 1 << 20


def test_an_empty_cell_is_null_and_told_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'id,text\n1,a\n2,""\n')
    with pytest.raises(NullCell, match=r"row 2: the column 'text' is empty.*--nulls skip.*--nulls empty") as caught:
        list(requests(read(path), ASK))
    assert (caught.value.row, caught.value.column) == (2, "text")
    emptied = Recipe(model="m", prompt="Say: {text}", nulls="empty")
    assert prompts(requests(read(path), emptied)) == ["Say: a", "Say: "]


def test_a_missing_column_is_told_before_a_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'Text,tags\n"never closed\n')
    with pytest.raises(MissingColumn, match=r"no column 'text'.*did you mean 'Text'.*'Text', 'tags'"):
        requests(read(path), ASK)


def test_csv_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'"id",text;x\r\n"1","a ""b"""\n 02 ,\'c\'\r\n,"d\r\ne"')
    table = read(path)
    recipe = Recipe(model="m", prompt="{text;x}", nulls="skip")
    write(tmp_path / "o.csv", table, recipe, [chat(1, 'say "no", no'), chat(2, "two\nlines"), chat(3, " s ")])
    assert (tmp_path / "o.csv").read_bytes().decode() == (
        '"id",text;x,answer,finish_reason,error,input_tokens,output_tokens,cost_usd\r\n'
        '"1","a ""b""","say ""no"", no",stop,,3,4,\n'
        " 02 ,'c',\"two\nlines\",stop,,3,4,\r\n"
        ',"d\r\ne"," s ",stop,,3,4,\r\n'
    )


@pytest.mark.parametrize(
    ("source", "content", "target", "row"),
    [
        ("t.tsv", b"text\tn\na,b\t1\n", "o.csv", '"a,b",1,good,stop,,3,4,'),
        ("t.csv", b"text,n\na\t,1\n", "o.tsv", '"a\t"\t1\tgood\tstop\t\t3\t4\t'),
        ("t.csv", b"text\tn\na\t1\n", "o.csv", "a\t1\tgood\tstop\t\t3\t4\t"),
        ("t.csv", b"text\tn\na\t'1'\n", "o.tsv", "a\t'1'\tgood\tstop\t\t3\t4\t"),
        ("t.tsv", b"text\tn\na\t'1'\n", "o.tsv", "a\t'1'\tgood\tstop\t\t3\t4\t"),
    ],
)
def test_the_name_of_the_target_tells_whether_it_has_tabs(
    tmp_path: Path, source: str, content: bytes, target: str, row: str
) -> None:
    (tmp_path / source).write_bytes(content)
    write(tmp_path / target, read(tmp_path / source), ASK, chats(1))
    assert (tmp_path / target).read_text().splitlines()[1] == row


def test_a_semicolon_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text;n\na;1,5\n")
    write(tmp_path / "o.csv", read(path), ASK, [chat(1, "x;y")])
    assert (tmp_path / "o.csv").read_text().splitlines()[1] == 'a;1,5;"x;y";stop;;3;4;'


@pytest.mark.parametrize("text", ["a", "", " a", "a,b", 'a"b', "a\nb", "a\rb"])
def test_what_is_quoted_reads_the_same(tmp_path: Path, text: str) -> None:
    cell = quoted(text, ",") or '""'
    assert rows(tmp_path, f"text\n{cell}\n".encode()) == [{"text": text}]
    assert row_of([""], ",") == '""'
    assert row_of(["", ""], ",") == ","
