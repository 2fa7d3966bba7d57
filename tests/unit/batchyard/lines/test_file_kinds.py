"""A file that holds no requests is told by its start, in one sentence."""

import bz2
import csv
import io
import json
import lzma
import tarfile
import zipfile

import pytest

from batchyard.lines.file_kinds import BOM, START, first_lines, without_requests, wrong_kind
from tests.fakes.planned import INPUT

REQUESTS = [json.loads(line) for line in INPUT.splitlines()]
TEXT = INPUT.decode()


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, INPUT)
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("requests.jsonl"))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (zipped("in.jsonl"), "a zip or spreadsheet file"),
        (zipped(), "an empty zip file"),
        (bz2.compress(INPUT), "a bzip2 file"),
        (lzma.compress(INPUT), "an xz file"),
        (b"\x1f\x8b\x08", "a gzip file in a gzip file"),
        (tarred(), "a tar file"),
        (b"PAR1\x15\x04\x15", "a Parquet file"),
        (b"%PDF-1.7\n", "a PDF file"),
        (TEXT.encode("utf-16"), "UTF-16 text"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16 text"),
        (TEXT.encode("utf-32"), "UTF-32 text"),
        (TEXT.encode("utf-16-le"), "UTF-16 text, or no text at all"),
        (TEXT.encode("utf-32-be"), "UTF-16 text, or no text at all"),
        (b"\0" * 512, "UTF-16 text, or no text at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_text_is_named_with_its_remedy(start: bytes, kind: str) -> None:
    error = wrong_kind(start)
    assert error is not None
    assert (error.code, error.line) == ("invalid_json_line", 1)
    assert f"it is {kind}. Write the requests as UTF-8 text, one JSON object per line." in error.message


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (json.dumps(REQUESTS, indent=2).encode(), "an array over several lines"),
        (b"[\n" + b",\n".join(INPUT.splitlines()) + b"\n]\n", "an array over several lines"),
        (b"\r\n[" + b",\r\n".join(INPUT.splitlines()) + b"]", "an array over several lines"),
        (b"\n".join(json.dumps(request, indent=4).encode() for request in REQUESTS), "line breaks in its objects"),
    ],
)
def test_one_document_over_many_lines_is_told_where_lines_are_not_skipped(start: bytes, said: str) -> None:
    error = wrong_kind(start, of_lines=False)
    assert error is not None
    assert said in error.message
    assert wrong_kind(start) is None


def test_a_line_about_mustard_is_no_tar_file() -> None:
    assert wrong_kind(b'{"custom_id": "'.ljust(256, b"a") + b'mustard"}') is None


@pytest.mark.parametrize(
    "start",
    [
        INPUT, b"", b"\n", b"\n\n" + INPUT, BOM + INPUT, b"hello\nworld\n", b"[]\n" + INPUT,
        b"[1,\n" + INPUT, b"{\n" + INPUT, b"[\n" + INPUT, b"[{}]\n" + INPUT, b"{", b"[", b"PK", b"B", b'{"a": "\0"}\n',
        json.dumps(REQUESTS).encode(), "é\n".encode("latin-1"),
    ],
)  # fmt: skip
def test_all_else_is_read_line_by_line(start: bytes) -> None:
    assert wrong_kind(start, of_lines=False) is None


def test_a_first_line_that_a_crash_filled_with_nuls_does_not_cost_the_others_where_bad_lines_are_skipped() -> None:
    torn = b"\0" * 4096 + b"\n" + INPUT
    assert wrong_kind(torn) is None
    assert wrong_kind(torn[: 4097 + INPUT.index(b"\n")]) is None  # of which only one is left, without a line end
    assert wrong_kind(torn, of_lines=False) is not None


def test_the_first_lines_are_those_that_are_not_blank() -> None:
    assert first_lines(b"\n \r\na\r\n\nb\nc", 2, whole=False) == [b"a\r", b"b"]
    assert first_lines(b"a\nb", 2, whole=False) == [b"a"]
    assert first_lines(b"a\nb", 2, whole=True) == [b"a", b"b"]
    assert first_lines(b"\n \t\n", 2, whole=True) == []


def table(mark: str, *rows: list[str], end: str = "\n") -> bytes:
    """Write rows as a spreadsheet does."""
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


HEAD, ROW = ["custom_id", "method", "url", "body"], ["a", "POST", "/v1/responses", json.dumps(REQUESTS[0]["body"])]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (table(",", HEAD, ROW), "it is a CSV file"),
        (table(",", HEAD, ROW, end="\r\n"), "it is a CSV file"),
        (BOM + table(";", HEAD, ROW, end="\r\n"), "it is a CSV file"),
        (table("\t", HEAD, ROW), "it is a TSV file"),
        (table(",", ["id", "prompt"], ["1", "Say, hello"]), "it is a CSV file"),
        (table(",", HEAD), "it is a CSV file"),
        (b'"custom_id","prompt text"\n"a","b"\n', "it is a CSV file"),
        (b'{"custom_id": "a"}\r{"custom_id": "b"}\r', "its lines end with a carriage return alone"),
        ("\n".join(map(str, REQUESTS)).encode(), "Python's own spelling. Write each line with json.dumps"),
        (str(REQUESTS).encode(), "Python's own spelling"),
    ],
    ids=str,
)
def test_tables_and_the_spelling_of_python_are_told_with_the_way_on(start: bytes, kind: str) -> None:
    error = wrong_kind(start, of_lines=False)
    assert error is not None
    assert kind in error.message
    assert wrong_kind(start) is None


@pytest.mark.parametrize(
    "start",
    [
        INPUT,
        b"Hello, world\nHow are you, then\n",
        b"one\ntwo\n",
        b"not json, at all",
        b"name,prompt\nno comma here\n",
        b"{'torn\n" + INPUT,
    ],
)
def test_other_text_is_left_to_the_check_of_each_line(start: bytes) -> None:
    assert wrong_kind(start, of_lines=False) is None


BYTES = bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (table(",", HEAD, ROW), "it is a CSV file"),
        (BOM + table(";", HEAD, ROW), "it is a CSV file"),
        (b"Name;Strasse 1!\nA;B\n", "none of its lines at the begin is a JSON object"),
        (b"[\n" + b",\n".join(INPUT.splitlines()) + b"\n]\n", "an array over several lines"),
        (json.dumps(REQUESTS, indent=2).encode(), "an array over several lines"),
        (json.dumps(REQUESTS).encode(), "it is a JSON array"),
        (json.dumps(REQUESTS * 300).encode()[:65_536], "it is a JSON array"),
        (b"\n".join(json.dumps(request, indent=4).encode() for request in REQUESTS), "line breaks in its objects"),
        ("\n".join(map(str, REQUESTS)).encode(), "Python's own spelling"),
        (INPUT.replace(b"\n", b"\r"), "a carriage return alone"),
        (TEXT.encode("utf-16"), "it is UTF-16 text"),
        (TEXT.encode("utf-16-be"), "UTF-16 text, or no text at all"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + BYTES, "it is no text"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + BYTES, "it is no text"),
        (b"\x7fELF\2\1\1\0" + BYTES, "it is no text"),
        ("Grüße;1\n".encode("latin-1"), "it is no text in UTF-8"),
        (b"# Tickets\n\nNothing today.\n", "none of its lines at the begin is a JSON object"),
        (b"null\n", "none of its lines at the begin is a JSON object"),
        (b"1\n2\n", "none of its lines at the begin is a JSON object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_among_others_that_holds_no_requests_is_named_with_its_remedy(start: bytes, said: str) -> None:
    error = without_requests(start)
    assert error is not None
    assert error.code == "invalid_json_line"
    assert said in error.message
    assert any(verb in error.message for verb in ("Write", "Save"))


@pytest.mark.parametrize(
    "start",
    [
        INPUT, b"", b"\n \n", BOM + INPUT, b"# header\n" + INPUT, b"[\n" + INPUT, b"a,b\n1,2\n" + INPUT, b'{"torn": \n',
        b"\n  " + INPUT, b"\0" * 9 + b"\n" + INPUT, BYTES + b"\n" + INPUT, b'{"custom_id": "' + b"x" * 70_000,
        b"{'a': 1}\n" + INPUT, "é".encode("latin-1") + b"\n" + INPUT, INPUT.replace(b"\n", b"\r\n"),
        INPUT[:-1] + b"\r", b'{"note": "\xe4"}\n',
    ],
    ids=lambda value: ascii(value[:20]),
)  # fmt: skip
def test_a_file_with_some_line_that_is_meant_as_a_request_is_read_line_by_line(start: bytes) -> None:
    assert without_requests(start) is None


GOOD = INPUT.splitlines(keepends=True)[0]
LONG = b'{"custom_id": "long", "body": {"input": "' + b"x" * START + b'"}}\n'


@pytest.mark.parametrize(
    "data",
    [
        b"oops\n" * START + GOOD, "Grüße;1\n".encode("latin-1") * START + GOOD, b"[1]\n" * START + GOOD,
        json.dumps(REQUESTS * 300).encode() + b"\n" + GOOD, b"id,prompt\n" + LONG, b"[\n" + LONG + b"]\n",
        b"\0" * 9 + b"\n" + LONG, b"ORC report\n" + LONG, b"%PDF\n" + GOOD * START, b"{'a': 1}\n" + LONG,
        b"\n" * START + GOOD, b"{\r" + LONG[1:] + GOOD, b'[{"a",' + b"," * START + b"]\n" + GOOD,
    ],
    ids=lambda value: ascii(value[:20]),
)  # fmt: skip
def test_no_good_line_is_lost_where_a_long_text_begins_without_any(data: bytes) -> None:
    assert without_requests(data[:START], cut=True) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (table(",", HEAD, *[ROW] * 1_900), "it is a CSV file"),
        (b"[\n" + b",\n".join(INPUT.splitlines() * 900) + b"\n]\n", "an array over several lines"),
        (json.dumps(REQUESTS * 900, indent=2).encode(), "an array over several lines"),
        (b"\n".join(json.dumps(request, indent=4).encode() for request in REQUESTS * 900), "line breaks"),
        ("\n".join(map(str, REQUESTS * 900)).encode(), "Python's own spelling"),
        (INPUT.replace(b"\n", b"\r") * 900, "a carriage return alone"),
        ((TEXT * 900).encode("utf-16-le"), "UTF-16 text, or no text at all"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + BYTES * 9, "it is no text"),
        (zipped(*map(str, range(900))), "a zip or spreadsheet file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_long_file_of_a_known_kind_is_set_aside_by_its_start(data: bytes, said: str) -> None:
    assert len(data) > START
    error = without_requests(data[:START], cut=True)
    assert error is not None
    assert said in error.message
