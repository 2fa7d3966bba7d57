"""What OpenAI would refuse of a file is refused at once."""

from typing import Any

import pytest

from batchyard.api.file_rules import check_filename, check_first_line, check_life, check_purpose
from batchyard.domain.errors import ApiError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.domain.numbers import DAY
from tests.fakes.nested import DEPTHS, nested


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(ApiError) as error:
        call(*arguments, **named)
    return error.value.status, error.value.code, error.value.param


def taken(start: bytes, *, whole: bool) -> bool:
    try:
        check_first_line(start, whole=whole)
    except ApiError:
        return False
    return True


def test_a_batch_s_input_lives_thirty_days_and_any_other_file_for_good() -> None:
    assert check_life(None, "batch") == 30 * DAY
    assert check_life(None, "vision") is None
    assert check_life({"anchor": "created_at", "seconds": "3600"}, "vision") == 3_600
    assert check_life({"anchor": "created_at", "seconds": 2_592_000}, "batch") == 2_592_000


@pytest.mark.parametrize(
    ("expires_after", "code", "param"),
    [
        ({"seconds": "3600"}, "invalid_value", "expires_after.anchor"),
        ({"anchor": "last_active_at", "seconds": "3600"}, "invalid_value", "expires_after.anchor"),
        ({"anchor": "created_at"}, "invalid_type", "expires_after.seconds"),
        ({"anchor": "created_at", "seconds": "soon"}, "invalid_type", "expires_after.seconds"),
        ({"anchor": "created_at", "seconds": "٣٦٠٠"}, "invalid_type", "expires_after.seconds"),
        ({"anchor": "created_at", "seconds": True}, "invalid_type", "expires_after.seconds"),
        ({"anchor": "created_at", "seconds": 3_599}, "integer_below_min_value", "expires_after.seconds"),
        ({"anchor": "created_at", "seconds": "2592001"}, "integer_above_max_value", "expires_after.seconds"),
        ("created_at", "invalid_type", "expires_after"),
    ],
)
def test_a_life_out_of_bounds_is_refused(expires_after: object, code: str, param: str) -> None:
    assert refused(check_life, expires_after, "batch") == (400, code, param)


def test_a_purpose_is_one_of_those_a_user_may_give() -> None:
    assert check_purpose("batch") == "batch"
    assert refused(check_purpose, "batch_output") == (400, "invalid_value", "purpose")
    assert refused(check_purpose, None) == (400, "missing_required_parameter", "purpose")


def test_a_batch_s_input_is_named_jsonl_packed_or_not() -> None:
    assert check_filename("a.jsonl", "batch") == "a.jsonl"
    assert check_filename("a.jsonl.gz", "batch") == "a.jsonl.gz"
    assert refused(check_filename, "a.gz", "batch") == (400, None, None)
    assert check_filename("a.txt", "vision") == "a.txt"
    assert refused(check_filename, "a.txt", "batch") == (400, None, None)
    assert refused(check_filename, None, "batch") == (400, "missing_required_parameter", "filename")
    assert refused(check_filename, 7, "batch") == (400, "invalid_type", "filename")
    assert refused(check_filename, "x" * 513, "vision") == (400, "string_above_max_length", "filename")


@pytest.mark.parametrize("purpose", ["batch", "vision"])
@pytest.mark.parametrize(
    "name", ["upload", "file", "blob", "mine.", "some.folder/upload", "MINE.JSONL", "a.Jsonl.GZ", "C:\\a.b\\upload"]
)
def test_a_name_without_an_extension_or_with_one_in_capitals_is_taken(name: str, purpose: str) -> None:
    assert check_filename(name, purpose) == name


@pytest.mark.parametrize("purpose", ["batch", "vision"])
def test_bytes_without_a_name_are_named_as_most_clients_name_them(purpose: str) -> None:
    assert check_filename("", purpose) == "upload"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("upload.txt", "'upload.txt'"), ("mine.csv", "'mine.csv'"), ("a.gz", "'a.gz'"),
     ("a.\n\ud800", "'a.\\n\\ud800'"),
     ("a." + "x" * 498, "'a." + "x" * 62 + "'…")],
)  # fmt: skip
def test_a_name_that_is_no_input_s_is_shown_as_it_came(name: str, shown: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_filename(name, "batch")
    assert str(caught.value) == (
        f"Invalid file format for Batch API. Must be .jsonl or .jsonl.gz, and the file is named {shown}."
    )


@pytest.mark.parametrize("start", [b'{"a": 1}\nnot json', b"{}", b' {"a": 1}\r\n', b"\x1f\x8b\x08\n", b"\n \r\n{}"])
def test_a_first_line_that_is_an_object_or_packed_is_enough(start: bytes) -> None:
    assert taken(start, whole=True)


@pytest.mark.parametrize(
    "start", [b"", b"\n\n", b"\nnot json\n", b"not json\n", b"[]\n", b"\xef\xbb\xbf{}\n", b"\xff\n", b"[" * 100_000]
)
def test_any_other_first_line_is_refused_at_once(start: bytes) -> None:
    assert refused(check_first_line, start, whole=True) == (400, None, None)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_first_line_may_nest_as_deep_as_any(depth: int) -> None:
    start = b'{"x":%s}\n{}' % nested(depth - 1)
    if depth <= MOST_LEVELS:
        assert taken(start, whole=True)
    else:
        with pytest.raises(ApiError, match=r"look at its first line.*nested too deeply"):
            check_first_line(start, whole=True)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ('{"a": 1}\n'.encode("utf-16"), "it is UTF-16 text."),
        (b"PK\x03\x04\x14\x00\x08\x00\xff\n", "it is a zip or spreadsheet file."),
        (b"\xef\xbb\xbf{}\n", "it begins with a byte order mark."),
        (b"[]\n", "it is an array."),
        (b"PAR1\x15\x04", "it is a Parquet file."),
        (b"\n", "it has no requests."),
    ],
)
def test_the_refusal_says_what_the_first_line_is(start: bytes, said: str) -> None:
    with pytest.raises(ApiError, match=said):
        check_first_line(start, whole=True)


@pytest.mark.parametrize("start", [b"", b"\n", b'{"a": ', b"\n\nnot json, as far as it goes"])
def test_a_first_line_that_goes_on_is_left_to_the_batch(start: bytes) -> None:
    assert taken(start, whole=False)
    assert not taken(start, whole=True)
