"""A change is shaped so that DynamoDB takes it: each name by an alias, nothing empty, and a list goes on where it stopped."""

from batchyard.adapters.stores.table import ANY, NEW, behind, changing, decode, encode, members
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
