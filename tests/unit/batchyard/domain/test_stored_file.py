from typing import Any

import pytest

from batchyard.api.file_rules import check_filename, check_first_line, check_life, check_purpose
from batchyard.domain import stored_file
from batchyard.domain.durations import DAY, HOUR
from batchyard.domain.errors import ApiError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.domain.stored_file import KEEP_DAYS, QUIET, Stored, keep_tag, shape
from tests.fakes.nested import DEPTHS, nested

NOW = 1_790_000_000


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


def test_a_file_is_named_after_its_cause_in_openai_s_look() -> None:
    assert stored_file.file_id("a", "b") == stored_file.file_id("a", "b") != stored_file.file_id("ab")
    assert stored_file.file_id("a").removeprefix("file-").isalnum()
    assert len(stored_file.file_id("a")) == len("file-") + 22


def made(**members: Any) -> stored_file.StoredFile:
    given = {"key": "k", "bytes": 5, "filename": "a.jsonl", "purpose": "batch", **members}
    return stored_file.new("file-1", "default", 1_790_000_000.25, 3_600, **given)


def test_a_shape_has_every_member_and_no_required_one_is_null() -> None:
    shown = shape(made())
    assert [name for name, value in shown.items() if value is None] == ["status_details"]
    assert (shown["created_at"], shown["expires_at"]) == (1_790_000_000, 1_790_003_600)


def test_a_size_beyond_32_bits_is_shown_beside_the_largest_that_clients_can_read() -> None:
    shown = shape(made(bytes=5_000_000_000))
    assert (shown["bytes"], shown["true_bytes"]) == (2**31 - 1, 5_000_000_000)
    assert "true_bytes" not in shape(made())


def test_a_file_is_there_until_it_expires() -> None:
    assert made().there(1_790_003_599)
    assert not made().there(1_790_003_600)
    assert not stored_file.new("file-1", "t", 1.0, None, key="", bytes=0, filename="", purpose="", deleted_at=3).there(
        2
    )


@pytest.mark.parametrize("life", [3_600, DAY, DAY + 1, 5 * DAY, 20 * DAY, 30 * DAY])
def test_an_object_outlives_its_file_by_the_least_that_a_rule_allows(life: int) -> None:
    name, _, days = keep_tag(life).partition("=")
    assert name == "keep-days"
    assert int(days) * DAY >= life
    assert all(shorter * DAY < life for shorter in KEEP_DAYS if shorter < int(days))


def test_an_object_that_stays_has_no_tag() -> None:
    assert keep_tag(None) == ""


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
    assert refused(check_filename, "", "batch") == (400, "missing_required_parameter", "filename")
    assert refused(check_filename, 7, "batch") == (400, "invalid_type", "filename")
    assert refused(check_filename, "x" * 513, "vision") == (400, "string_above_max_length", "filename")


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
        (b"[]\n", "it is not a JSON object."),
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


@pytest.mark.parametrize(
    ("counted", "changed", "due"),
    [
        (HOUR, QUIET, True),
        (HOUR - 1, DAY, False),
        (HOUR, QUIET - 1, False),
        (DAY, 0, True),
        (NOW, 0, True),
    ],
)
def test_when_it_is_due(counted: int, changed: int, due: bool) -> None:
    assert Stored(tenant="t", counted_at=NOW - counted, changed_at=NOW - changed).due(NOW) is due
