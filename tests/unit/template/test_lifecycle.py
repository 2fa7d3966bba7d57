"""How long bytes stay in the bucket: its lifecycle rules, played as S3 plays them on an object and its versions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from batchyard.domain.stored_file import KEEP_DAYS, KEEP_TAG
from tests.unit.template.documents import Json, resources, state_machine, template

EXECUTION = state_machine()["TimeoutSeconds"] / 86_400  # days a batch may last
DEFAULTS = {name: rules["Default"] for name, rules in template()["Parameters"].items()}


class Life(NamedTuple):
    """Days until an object is seen no more, and until its bytes are gone; None is never."""

    seen: int | None
    bytes: int | None


def resolved(node: Json, values: Mapping[str, int]) -> Json:
    """Put a stack's parameters in; the two conditions of the rules are that days are 0."""
    if isinstance(node, Mapping):
        if "Ref" in node:
            return values[node["Ref"]]
        if "Fn::If" in node:
            condition, if_so, otherwise = node["Fn::If"]
            parameter, zero = template()["Conditions"][condition]["Fn::Equals"]
            return resolved(if_so if values[parameter["Ref"]] == zero else otherwise, values)
        return {key: resolved(value, values) for key, value in node.items()}
    return [resolved(each, values) for each in node] if isinstance(node, list) else node


def rules_for(key: str, tags: Mapping[str, str], **set_: int) -> Iterator[Json]:
    """Yield the enabled rules that fit an object, in a stack with these parameters."""
    (bucket,) = resources("AWS::S3::Bucket").values()
    for rule in resolved(bucket["LifecycleConfiguration"]["Rules"], {**DEFAULTS, **set_}):
        fits = all(tags.get(tag["Key"]) == tag["Value"] for tag in rule.get("TagFilters", ()))
        if rule["Status"] == "Enabled" and fits and key.startswith(rule.get("Prefix", "")):
            yield rule


def noncurrent(key: str, tags: Mapping[str, str], **set_: int) -> int:
    """Return the days that the bytes of a version stay after it was overwritten, deleted or expired: S3 takes the fewest."""
    found = (rule.get("NoncurrentVersionExpiration") for rule in rules_for(key, tags, **set_))
    return min(int(each["NoncurrentDays"]) for each in found if each)


def life(key: str, tags: Mapping[str, str] | None = None, **set_: int) -> Life:
    """Return how long an object lives that nobody touches."""
    days = [int(rule["ExpirationInDays"]) for rule in rules_for(key, tags or {}, **set_) if "ExpirationInDays" in rule]
    return Life(min(days), min(days) + noncurrent(key, tags or {}, **set_)) if days else Life(None, None)


WORK, PART, RESULT = (
    "work/batch_1/plan/plan.msgpack",
    "work/uploads/upload_1/part_1",
    "results/default/batch_1/output.jsonl",
)
UPLOAD, FILE = "inbox/default/a.jsonl", "files/default/file-1"


def test_intermediate_files_outlive_the_longest_batch_and_their_bytes_go_a_week_after_them() -> None:
    assert life(WORK) == Life(90, 97)
    least = template()["Parameters"]["WorkDays"]["MinValue"]
    assert least > EXECUTION
    assert life(WORK, WorkDays=least) == Life(61, 68)
    assert noncurrent(WORK, {}) == 7


def test_parts_of_uploads_go_at_once() -> None:
    assert life(PART) == Life(1, 2)


def test_results_stay_for_good_unless_days_are_set_after_which_their_bytes_are_gone_a_day_later() -> None:
    assert life(RESULT) == Life(None, None)
    assert life(RESULT, ResultsDays=30) == Life(30, 31)
    assert life(RESULT, ResultsDays=400, WorkDays=3_650) == Life(400, 401)


@pytest.mark.parametrize("days", KEEP_DAYS)
def test_results_with_days_of_their_own_go_by_these_and_their_bytes_within_a_week(days: int) -> None:
    tags = {KEEP_TAG: str(days)}
    assert life(RESULT, tags) == Life(days, days + 7)
    assert life(RESULT, tags, ResultsDays=2) == Life(min(days, 2), min(days, 2) + 1)


def test_a_result_that_was_deleted_can_be_had_again_for_a_week() -> None:
    assert noncurrent(RESULT, {}) == 7


def test_uploads_stay_unless_days_are_set() -> None:
    assert life(UPLOAD) == Life(None, None)
    assert life(UPLOAD, InboxDays=10) == Life(10, 100)


@pytest.mark.parametrize("key", [UPLOAD, FILE])
@pytest.mark.parametrize("tags", [{}, {KEEP_TAG: "1"}])
def test_an_input_that_was_overwritten_deleted_or_has_expired_can_be_read_by_its_batch_to_the_end(
    key: str, tags: dict[str, str]
) -> None:
    for work_days in (template()["Parameters"]["WorkDays"]["MinValue"], DEFAULTS["WorkDays"]):
        assert noncurrent(key, tags, WorkDays=work_days, InboxDays=1) > EXECUTION


def test_files_of_the_api_go_by_their_own_days_alone() -> None:
    assert life(FILE, InboxDays=1, ResultsDays=1) == Life(None, None)
    assert life(FILE, {KEEP_TAG: "3"}) == Life(3, 93)


def test_every_tag_that_a_file_may_have_has_a_rule_that_removes_it() -> None:
    assert {life(FILE, {KEEP_TAG: str(days)}).seen for days in KEEP_DAYS} == set(KEEP_DAYS)
    (bucket,) = resources("AWS::S3::Bucket").values()
    tagged = [rule["TagFilters"] for rule in bucket["LifecycleConfiguration"]["Rules"] if "TagFilters" in rule]
    assert tagged == [[{"Key": KEEP_TAG, "Value": str(days)}] for days in KEEP_DAYS]


def test_what_was_begun_and_never_ended_and_marks_of_what_is_gone_are_removed() -> None:
    (rule,) = [each for each in rules_for("anything", {}) if "AbortIncompleteMultipartUpload" in each]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["ExpiredObjectDeleteMarker"] is True
    # S3 refuses such a rule for objects with a tag, and one that also expires objects
    assert not {"TagFilters", "ExpirationInDays"} & set(rule)
