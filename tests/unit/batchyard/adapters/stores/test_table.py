"""A change is shaped so that DynamoDB takes it: each name by an alias, nothing empty, and a list goes on where it stopped."""

from typing import Any

import pytest

from batchyard.adapters.stores.gather_store import GatherStore
from batchyard.adapters.stores.table import ANY, NEW, behind, changing, decode, encode, members
from batchyard.domain.errors import StoreError
from batchyard.domain.multipart_upload import StoredUpload

KEY = {"pk": "THING#1", "sk": "THING"}


def test_every_name_of_a_change_and_its_condition_goes_by_an_alias() -> None:
    change = changing(
        KEY, {"status": "done"}, f"{NEW} OR #size <= :most", {":most": 3}, adds={"count": 1}, removed=["queue"]
    )
    assert change == {
        "Key": encode(KEY),
        "UpdateExpression": "SET #status = :set_status ADD #count :add_count REMOVE #queue",
        "ConditionExpression": "attribute_not_exists(pk) OR #size <= :most",
        "ExpressionAttributeNames": {"#count": "count", "#queue": "queue", "#size": "size", "#status": "status"},
        "ExpressionAttributeValues": encode({":set_status": "done", ":most": 3, ":add_count": 1}),
    }


def test_what_a_change_does_not_need_is_left_out() -> None:
    assert changing(KEY, {}, ANY, removed=["queue"]) == {
        "Key": encode(KEY),
        "UpdateExpression": "REMOVE #queue",
        "ExpressionAttributeNames": {"#queue": "queue"},
    }


def test_a_list_goes_on_behind_what_was_seen_on_the_side_it_runs_to() -> None:
    assert behind("sk", None) == ("", {})
    assert behind("sk", "b") == (" AND sk > :after", {":after": "b"})
    assert behind("sk", "b", newest_first=True) == (" AND sk < :after", {":after": "b"})


def test_a_number_that_is_not_whole_is_left_to_whoever_reads_the_record() -> None:
    assert decode({name: {"N": text} for name, text in {"a": "-7", "b": "1.5", "c": "0"}.items()}) == {
        "a": -7, "b": "1.5", "c": 0,
    }  # fmt: skip


def test_a_member_that_says_nothing_is_no_member_of_the_record() -> None:
    upload = StoredUpload(
        upload_id="upload_1", tenant="t", bytes=1, filename="a", purpose="batch", created_at=0, expires_at=0,
        expires_at_ttl=0,
    )  # fmt: skip
    kept = members(upload)
    assert "life" not in kept
    assert kept["created_at"] == 0
    assert decode(encode(kept)) == kept


class Crowded:
    """A table of claims that serves so many keys of each call; it notes the sizes of the calls and the waits between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *serves: int) -> None:
        self.serves, self.asked, self.consistent = list(serves), list[int](), set[bool]()
        self.waits = list[float]()
        monkeypatch.setattr("batchyard.adapters.aws.time.sleep", self.waits.append)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        ((name, wanted),) = RequestItems.items()
        keys, served = wanted["Keys"], self.serves.pop(0) if self.serves else 0
        self.asked.append(len(keys))
        self.consistent.add(wanted["ConsistentRead"])
        found = [{**key, "batch_id": {"S": "batch_1"}} for key in keys[:served]]
        left = {name: {**wanted, "Keys": keys[served:]}} if served < len(keys) else {}
        return {"Responses": {name: found}, "UnprocessedKeys": left}


FILES = [str(at) for at in range(130)]


def test_records_that_a_crowded_table_leaves_are_waited_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    table: Any = Crowded(monkeypatch, 40, 0, 10, 50, 20, 10)
    assert set(GatherStore("table", table).claimed("default", "tickets", FILES)) == set(FILES)
    assert table.asked == [100, 60, 60, 50, 30, 10]
    for wait, most in zip(table.waits, (0.05, 0.1, 0.2, 0.05), strict=True):
        assert most / 2 <= wait <= most


@pytest.mark.parametrize("serves", [0, 1], ids=["nothing", "next to nothing"])
def test_a_table_without_room_is_told_after_some_seconds(monkeypatch: pytest.MonkeyPatch, serves: int) -> None:
    table: Any = Crowded(monkeypatch, *[serves] * 99)
    with pytest.raises(StoreError, match="no room"):
        GatherStore("table", table).claimed("default", "tickets", FILES)
    assert 4 < sum(table.waits) < 15


def test_claims_are_looked_up_for_half_the_room_as_a_claim_itself_is_conditional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table: Any = Crowded(monkeypatch, 100, 30)
    GatherStore("table", table).claimed("default", "tickets", FILES)
    assert (table.consistent, table.waits) == ({False}, [])
