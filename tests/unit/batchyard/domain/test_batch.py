"""A batch is shown as OpenAI shows its own."""

import warnings
from typing import Any

import msgspec
import pytest
from openai.types import Batch as OfficialBatch

from batchyard.costs.usage import Usage
from batchyard.domain.batch import TIMES, BatchError, Counts, derived_id, shape, window_seconds
from batchyard.domain.statuses import ENDED, STAMPS, TRANSITIONS
from tests.fakes.batches import BATCH_ID, NOW, batch

MEMBERS = {
    "id", "object", "endpoint", "model", "errors", "input_file_id", "completion_window", "status", "output_file_id",
    "error_file_id", "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
    "cancelling_at", "cancelled_at", "request_counts", "usage", "metadata",
}  # fmt: skip
EXTRAS = {"paused", "errors_total"}  # beside OpenAI's members, never inside them
NEVER_NULL = {"id", "object", "endpoint", "input_file_id", "completion_window", "status", "created_at"}
FULL: dict[str, Any] = {
    "endpoint": "/v1/responses", "model": "m", "metadata": {"run": "7"}, "counts": Counts(3, 2, 1), "shards": 1,
    "usage": Usage(5, 1, 4, 2, 9), "errors": [BatchError("invalid_json_line", "no", None, 3)], "errors_total": 1,
    "output_file_id": "s3://b/o", "error_file_id": "s3://b/e", **{STAMPS[status]: NOW + 1 for status in STAMPS},
}  # fmt: skip


@pytest.mark.parametrize("status", TRANSITIONS)
@pytest.mark.parametrize("members", [{}, FULL], ids=["new", "full"])
def test_every_member_is_there_at_every_moment(status: str, members: dict[str, object]) -> None:
    shown = shape(batch(status=status, **members))
    assert set(shown) - EXTRAS == MEMBERS
    assert all(shown[name] is not None for name in NEVER_NULL)
    assert set(shown["request_counts"]) == {"total", "completed", "failed"}


@pytest.mark.parametrize("status", TRANSITIONS)
@pytest.mark.parametrize("members", [{}, FULL], ids=["new", "full"])
def test_the_official_client_s_model_takes_it_as_it_is(status: str, members: dict[str, object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        official = OfficialBatch.model_validate(shape(batch(status=status, **members)), strict=True)
    assert (official.id, official.status) == (BATCH_ID, status)
    if members:
        assert official.usage is not None
        assert official.usage.output_tokens_details.reasoning_tokens == 2
        assert official.errors is not None
        assert official.errors.data is not None
        assert official.errors.data[0].line == 3


def test_it_survives_json_with_whole_numbers_below_two_to_the_31st() -> None:
    shown = msgspec.json.decode(msgspec.json.encode(shape(batch(**FULL))))
    assert all(type(shown[name]) is int and shown[name] < 2**31 for name in (*TIMES, "created_at") if shown[name])


def test_errors_are_a_list_object_and_the_total_of_all_stands_beside_it() -> None:
    shown = shape(batch(errors=[BatchError("c", "m", "p", 1)], errors_total=2_000))
    assert shown["errors"] == {"object": "list", "data": [{"code": "c", "message": "m", "param": "p", "line": 1}]}
    assert shown["errors_total"] == 2_000
    assert shape(batch())["errors"] is None


def test_tokens_are_shown_as_long_as_32_bits_hold_them() -> None:
    assert shape(batch(usage=Usage(output_tokens=2**31 - 1)))["usage"]["output_tokens"] == 2**31 - 1
    assert shape(batch(usage=Usage(output_tokens=2**31)))["usage"] is None


def test_a_pause_is_shown_while_it_lasts() -> None:
    assert shape(batch(status="in_progress", paused="no money"))["paused"] == "no money"
    for ended in ENDED:
        assert "paused" not in shape(batch(status=ended, paused="no money"))


@pytest.mark.parametrize("text", ["1e400", "Infinity", "NaN", "soon", "\u0661"])
def test_an_amount_in_a_record_that_is_none_is_not_shown(text: str) -> None:
    assert "max_cost_usd" not in shape(msgspec.structs.replace(batch(), max_cost_usd=text))


def test_usages_add_up_member_by_member() -> None:
    assert sum([Usage(1, 2, 3, 4, 5), Usage(10, 20, 30, 40, 50)], Usage()) == Usage(11, 22, 33, 44, 55)


def test_a_derived_id_looks_like_a_batch_s_and_depends_on_every_part_and_its_place() -> None:
    ids = {derived_id(*parts) for parts in [("a", "b"), ("b", "a"), ("ab",), ("a", "b", ""), ("a", "B"), ("\ud800",)]}
    assert len(ids) == 6
    assert all(each.startswith("batch_") and len(each) == 38 and int(each[6:], 16) >= 0 for each in ids)
    assert derived_id("a", "b") == derived_id("a", "b")


@pytest.mark.parametrize(("window", "seconds"), [("24h", 86_400), ("1h", 3_600), ("7d", 604_800), ("336h", 1_209_600)])
def test_a_window_is_hours_or_days(window: str, seconds: int) -> None:
    assert window_seconds(window) == seconds


@pytest.mark.parametrize(
    "window",
    ["", "h", "24", "0h", "00d", "-1h", "1.5h", "24 h", " 24h", "24H", "24m", "²h", "٢٤h", "9" * 40 + "h", "1000d", "24h\n"]
)  # fmt: skip
def test_anything_else_is_no_window(window: str) -> None:
    with pytest.raises(ValueError, match="completion_window must look like 24h or 7d"):
        window_seconds(window)
