"""JSON Lines and JSON arrays: objects as they stand, and faults told with their place."""

import csv
import json
from pathlib import Path

import pytest

from batchyard_client.tables import Recipe, UnreadableTable, read, requests, write
from tests.unit.batchyard_client.tables.made import ASK, chat, chats, prompts


def made(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_columns_are_all_members_in_the_order_of_their_first_coming(tmp_path: Path) -> None:
    table = read(made(tmp_path, b'\xef\xbb\xbf{"b":1}\n\n{"a":[1,{"c":null}],"b":1.5}\r\n{}\n', "t.jsonl"))
    assert table.columns == ("b", "a")
    assert list(table.rows()) == [{"b": 1, "a": None}, {"b": 1.5, "a": [1, {"c": None}]}, {"b": None, "a": None}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.jsonl", b"", "is empty"),
        ("t.jsonl", b'{"a":1}\n{"a":\n', "line 2: this is no JSON"),
        ("t.jsonl", b'{"a":1}\n[1]\n', "line 2: this is no JSON object"),
        ("t.jsonl", b"[\n{}\n]", "line 1: this is no JSON"),
        ("t.jsonl", b'{"a":NaN}\n', "line 1: NaN is no number of JSON. Write null in its place"),
        ("t.jsonl", b'{"a":[-Infinity]}\n', "line 1: -Infinity is no number of JSON. Write null in its place"),
        ("t.jsonl", b'{"a":1}\n{"a":"NaN","b":{"c":1,"c":2}}\n', "line 2: the name 'c' stands twice in one object"),
        ("t.jsonl", b'{"a": "x\\\\" , "b":"\\":", "a" :2}\n', "line 1: the name 'a' stands twice in one object"),
        ("t.json", b'[{"a":1,"a":1}]', "element 1: the name 'a' stands twice in one object"),
        ("t.jsonl", b'{"a":"caf\xe9"}\n', "line 1: this is not text in utf-8"),
        ("t.json", b"", "is empty"),
        ("t.json", b'{"a":1}\n{"a":2}\n', "is no array of objects"),
        ("t.json", b'[{"a":1},', "element 2: this is no JSON"),
        ("t.json", b'[{"a":1}', "the file ends there: it is cut off"),
        ("t.json", b'[{"a":1} {"a":2}]', "after element 1 a comma or ] must follow"),
        ("t.json", b'[{"a":1},]', "element 2: this is no JSON"),
        ("t.json", b'[{"a":1}] x', "something follows the end of the array"),
        ("t.json", b'[{"a":1}, 5]', "element 2: this is no JSON object"),
        ("t.json", b'[{"a":Infinity}]', "element 1: Infinity is no number of JSON"),
        ("t.json", b"[" + b'{"a":' * 100_000, "element 1: this is no JSON"),
        ("t.json", b"[]", "is empty"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(UnreadableTable) as caught:
        _ = read(made(tmp_path, content, name)).columns
    assert told in str(caught.value)
    assert name in str(caught.value)


def test_an_array_is_read_a_piece_at_a_time(tmp_path: Path) -> None:
    rows = [{"text": 'ab]}[{,\\"' * 50_000, "n": number} for number in range(9)]
    path = made(tmp_path, b" \n" + json.dumps(rows, indent=1).encode(), "t.json")
    table = read(path)
    assert list(table.rows()) == rows
    assert len(list(table.blocks())) > 1


@pytest.mark.parametrize("name", ["o.jsonl", "o.json"])
@pytest.mark.parametrize("source", ["t.jsonl", "t.json"])
def test_objects_come_out_as_they_went_in(tmp_path: Path, name: str, source: str) -> None:
    texts = ['{"text": "\\u00e9", "n": 1.10, "big":123456789012345678901234567890 }', '{"text":"b"}']
    content = "\n".join(texts) if source == "t.jsonl" else f"[{','.join(texts)}]"
    table = read(made(tmp_path, content.encode(), source))
    write(tmp_path / name, table, ASK, chats(2))
    told = '"answer":"good","finish_reason":"stop","error":null,"input_tokens":3,"output_tokens":4,"cost_usd":null}'
    expected = [f"{text[:-1].rstrip()},{told}" for text in texts]
    assert [line.rstrip(",") for line in (tmp_path / name).read_text().splitlines() if line not in "[]"] == expected


def test_objects_of_several_lines_become_one_line_each(tmp_path: Path) -> None:
    table = read(made(tmp_path, json.dumps([{"text": "a"}, {}], indent=2).encode(), "t.json"))
    write(tmp_path / "o.jsonl", table, Recipe(model="m", prompt="{text}", nulls="empty"), chats(2))
    assert [json.loads(line).get("text") for line in (tmp_path / "o.jsonl").read_bytes().splitlines()] == ["a", None]


def test_values_go_into_prompts_as_people_write_them(tmp_path: Path) -> None:
    row = {"i": 10**30, "f": 1.5, "b": True, "l": [1, "é"], "o": {"k": None}, "t": 'a"b\\'}
    table = read(made(tmp_path, json.dumps(row).encode(), "t.jsonl"))
    recipe = Recipe(model="m", prompt="{i}|{f}|{b}|{l}|{o}|{t}")
    assert prompts(requests(table, recipe)) == [f'{10**30}|1.5|true|[1,"é"]|{{"k":null}}|a"b\\']


NUMBERS = ["12345678901234567890.123", "1.10", "1e3", "-0.0", "1E400", "123456789012345678901234567890", "0.1"]


@pytest.mark.parametrize("source", ["t.jsonl", "t.json"])
def test_numbers_arrive_as_they_stand(tmp_path: Path, source: str) -> None:
    rows = [f'{{"text":{number},"o":{{"k":[{number}]}}}}' for number in NUMBERS]
    content = "\n".join(rows) if source == "t.jsonl" else f"[{','.join(rows)}]"
    table = read(made(tmp_path, content.encode(), source))
    recipe = Recipe(model="m", prompt="{text} {o}")
    assert prompts(requests(table, recipe)) == [f'{number} {{"k":[{number}]}}' for number in NUMBERS]
    write(tmp_path / "o.csv", table, recipe, chats(len(NUMBERS)))
    with (tmp_path / "o.csv").open(newline="") as file:
        found = [(row["text"], row["o"]) for row in csv.DictReader(file)]
    assert found == [(number, f'{{"k":[{number}]}}') for number in NUMBERS]
    assert [row["text"] for row in table.rows()] == [json.loads(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        (["1.10", "1e3"], [1.1, 1000.0]),
        (["1.10", "12345678901234567890.123"], ["1.10", "12345678901234567890.123"]),
        (["1.5", "1E400"], ["1.5", "1E400"]),
    ],
)
def test_parquet_has_numbers_where_these_lose_no_digit_and_text_elsewhere(
    tmp_path: Path, numbers: list[str], kept: list[object]
) -> None:
    content = "".join(f'{{"text":{number}}}\n' for number in numbers)
    write(tmp_path / "o.parquet", read(made(tmp_path, content.encode(), "t.jsonl")), ASK, chats(2))
    assert [row["text"] for row in read(tmp_path / "o.parquet").rows()] == kept


def test_a_number_of_an_answer_is_written_as_the_model_wrote_it(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number"}, "any": {}}}
    recipe = Recipe(model="m", prompt="{text}", schema={"name": "a", "strict": False, "schema": schema})
    table = read(made(tmp_path, b'{"text":"a"}\n', "t.jsonl"))
    write(tmp_path / "o.csv", table, recipe, [chat(1, '{"n":1.10,"any":{"x":[12345678901234567890.123]}}')])
    with (tmp_path / "o.csv").open(newline="") as file:
        assert [(row["n"], row["any"]) for row in csv.DictReader(file)] == [
            ("1.10", '{"x":[12345678901234567890.123]}')
        ]


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_another_encoding_is_read_where_it_is_named(tmp_path: Path, name: str) -> None:
    text = '[{"text":"é"}]' if name == "t.json" else '{"text":"é"}\n'
    table = read(made(tmp_path, text.encode("utf-16"), name), encoding="utf-16")
    assert list(table.rows()) == [{"text": "é"}]


def test_columns_of_several_kinds_become_text_in_parquet(tmp_path: Path) -> None:
    content = b'{"text":"a","x":1,"y":1,"z":[1],"n":null}\n{"text":"b","x":"1","y":2.5,"z":[]}\n'
    write(tmp_path / "o.parquet", read(made(tmp_path, content, "t.jsonl")), ASK, chats(2))
    found = list(read(tmp_path / "o.parquet").rows())
    assert [(row["x"], row["y"], row["z"], row["n"]) for row in found] == [("1", 1.0, [1], None), ("1", 2.5, [], None)]
