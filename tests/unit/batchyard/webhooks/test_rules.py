"""What the body of a request for a webhook endpoint must say."""

import pytest

from batchyard.domain.errors import ApiError
from batchyard.domain.webhook_endpoint import (
    EVENT_TYPES,
)
from batchyard.webhooks.rules import check

BODY = {"name": "ci", "url": "https://hooks.example.com/", "event_types": ["batch.completed"]}


def test_an_event_type_that_is_named_twice_is_kept_once() -> None:
    body = {**BODY, "event_types": [*EVENT_TYPES, "batch.failed"]}
    assert check(body, whole=True, private=False).event_types == list(EVENT_TYPES)


@pytest.mark.parametrize("name", list(BODY))
def test_an_endpoint_needs_name_url_and_event_types_and_a_change_any_of_them(name: str) -> None:
    rest = {each: value for each, value in BODY.items() if each != name}
    with pytest.raises(ApiError) as refused:
        check(rest, whole=True, private=False)
    assert (refused.value.code, refused.value.param) == ("missing_required_parameter", name)
    assert check(rest, whole=False, private=False).members() == rest


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", ""), ("name", "x" * 257), ("name", "a\nb"), ("name", 7), ("name", "\ud800"), ("event_types", []),
        ("event_types", "batch.completed"), ("event_types", [7]), ("event_types", [["batch.completed"]]),
        ("event_types", ["response.completed"]), ("event_types", ["batch.completed", ""]), ("url", "http://a.example/"),
    ],
)  # fmt: skip
def test_a_member_that_makes_no_sense_is_named(member: str, value: object) -> None:
    with pytest.raises(ApiError) as refused:
        check({**BODY, member: value}, whole=True, private=False)
    assert (refused.value.status, refused.value.param) == (400, member)


@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(ApiError):
        check(body, whole=False, private=False)
