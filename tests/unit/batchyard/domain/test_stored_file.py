from typing import Any

import pytest

from batchyard.domain import stored_file
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.stored_file import KEEP_DAYS, QUIET, Stored, keep_tag, shape

NOW = 1_790_000_000


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
