import json
from pathlib import Path

import pytest

from batchyard_client.errors import Refused
from batchyard_client.fetching import Results
from batchyard_client.ordering import by_rows, ids_of, in_order


def line(custom_id: str | None, number: int | None = None) -> bytes:
    error = {"code": "x", "line": number} if number else None
    return json.dumps({"custom_id": custom_id, "error": error}).encode() + b"\n"


def results(tmp_path: Path, output: list[bytes], errors: list[bytes]) -> Results:
    (tmp_path / "output.jsonl").write_bytes(b"".join(output))
    (tmp_path / "errors.jsonl").write_bytes(b"".join(errors))
    return Results(tmp_path)


def ids(lines: list[bytes]) -> list[str | None]:
    return [json.loads(each)["custom_id"] for each in lines]


def test_output_and_errors_are_walked_side_by_side(tmp_path: Path) -> None:
    found = results(tmp_path, [line("a"), line("c"), line("d")], [line("b"), line("e")])
    assert ids(list(in_order(found, "abcde"))) == list("abcde")


def test_a_providers_answers_may_come_in_any_order(tmp_path: Path) -> None:
    found = results(tmp_path, [line("d"), line("a"), line("c")], [line("e"), line("b")])
    assert ids(list(in_order(found, "abcde"))) == list("abcde")


def test_a_bad_line_that_was_skipped_stands_at_its_number(tmp_path: Path) -> None:
    found = results(tmp_path, [line("a"), line("c")], [line(None, 2)])
    assert ids(list(in_order(found, ["a", None, "c"]))) == ["a", None, "c"]


@pytest.mark.parametrize(("asked", "words"), [("abx", "no result for request 3"), ("a", "more lines than the input")])
def test_results_of_another_input_are_refused(tmp_path: Path, asked: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        list(in_order(results(tmp_path, [line("a"), line("b")], []), asked))


@pytest.mark.parametrize("output", [[1, 3, 10], [10, 3, 1]], ids=["in order", "in any order"])
def test_rows_of_a_table_come_by_their_numbers(tmp_path: Path, output: list[int]) -> None:
    found = results(tmp_path, [line(f"row-{number}") for number in output], [line("row-2"), line("row-9")])
    assert ids(list(by_rows(found))) == ["row-1", "row-2", "row-3", "row-9", "row-10"]


def test_a_result_that_is_of_no_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="of no row of a table"):
        list(by_rows(results(tmp_path, [line("mine")], [])))


def test_the_id_of_a_line_that_is_no_json_is_none() -> None:
    assert list(ids_of([b'\xef\xbb\xbf{"custom_id": "a"}', b"{", b'{"url": 1}'])) == ["a", None, None]
