"""The API of schedules: what it takes, refuses and shows, and whose schedules it shows."""

import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchyard.api.batches import of_schedule
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY, HOUR, MINUTE
from batchyard.schedules import requests
from batchyard.schedules.requests import MOST_SCHEDULES
from batchyard.schedules.trigger import trigger
from tests.fakes.batches import NOW
from tests.fakes.budgets import give, spend
from tests.fakes.services import MemoryServices

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "inbox/default/daily.jsonl"
BODY: dict[str, Any] = {
    "name": "nightly", "schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Berlin", "input": {"key": KEY},
    "endpoint": "/v1/chat/completions", "metadata": {"who": "me"}, "max_cost_usd": 2.5, "on-invalid": "skip",
}  # fmt: skip


@pytest.fixture
def services() -> MemoryServices:
    made = MemoryServices()
    made.bucket.put(KEY, b'{"custom_id": "1"}\n')
    return made


def made(services: MemoryServices, tenant: str = "default", key: str | None = None, **members: Any) -> dict[str, Any]:
    given = {name: value for name, value in {**BODY, **members}.items() if value is not None}
    return requests.create_schedule(services, tenant, given, of_schedule, key)


def refused(services: MemoryServices, **members: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        made(services, **members)
    assert services.schedule_store.known == {}
    assert services.schedule_clock.on == {}
    return caught.value


def test_a_schedule_is_made_put_on_the_clock_and_shown(services: MemoryServices) -> None:
    shown = made(services)
    assert shown == requests.retrieve_schedule(services, "default", shown["id"])
    assert services.schedule_clock.on == {shown["id"]: None}
    assert shown["next_firing_at"] == 1_790_035_200  # 2026-09-22T00:00:00Z, which is 2 in Berlin
    same = {"name": "nightly", "schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Berlin", "input": {"key": KEY}}
    options = {"metadata": {"who": "me"}, "max_cost_usd": 2.5, "on_invalid": "skip", "completion_window": "24h"}
    for name, value in {
        **same,
        **options,
        "overlap": "skip",
        "hours": None,
        "last_firing": None,
        "waits_for": None,
    }.items():
        assert shown[name] == value
    assert requests.list_schedules(services, "default", None, None)["data"] == [shown]


def test_null_makes_a_schedule_as_if_the_member_had_not_been_named(services: MemoryServices) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("completion_window", "timezone", "metadata", "max_cost_usd", "dry_run"))
    body = {**BODY, **nothing}
    shown = requests.create_schedule(services, "default", body, of_schedule)
    assert (shown["completion_window"], shown["timezone"]) == (services.settings.completion_window, "UTC")


def test_a_schedule_for_any_urls_is_shown_so(services: MemoryServices) -> None:
    shown = made(services, endpoint="*")
    assert requests.retrieve_schedule(services, "default", shown["id"])["endpoint"] == "*"
    assert made(services, name="b", endpoint="/v1/responses")["endpoint"] == "/v1/responses"


def test_a_rate_is_told_to_aws_with_its_first_time(services: MemoryServices) -> None:
    shown = made(services, schedule="rate(1 hour)")
    assert shown["next_firing_at"] == NOW - NOW % MINUTE + HOUR
    assert services.schedule_clock.on == {shown["id"]: shown["next_firing_at"]}


@pytest.mark.parametrize(
    ("members", "param", "says"),
    [
        ({"name": None}, "name", "Missing required parameter: 'name'"),
        ({"name": "x" * 65}, "name", "1 to 64 printable"),
        ({"name": 3}, "name", "must be a string"),
        ({"schedule": None}, "schedule", "Missing"),
        ({"schedule": "daily"}, "schedule", r"it must be like rate\(1 day\)"),
        ({"schedule": "at(2020-01-01T00:00:00)"}, "schedule", "its time is over"),
        ({"schedule": "at(9999-12-31T23:59:59)", "timezone": "America/New_York"}, "schedule", "a year from 1970 to 2199"),
        ({"schedule": "at(0001-01-01T00:00:00)", "timezone": "Europe/Berlin"}, "schedule", "a year from 1970 to 2199"),
        ({"timezone": "Europe/Munich"}, "timezone", "a time zone such as"),
        ({"timezone": 1}, "timezone", "must be a string"),
        ({"overlap": "wait"}, "overlap", "'skip' or 'queue'"),
        ({"overlap": ["skip"]}, "overlap", "'skip' or 'queue'"),
        ({"hours": "22-6"}, "hours", "such as '22:00-06:00'"),
        ({"hours": "02:00-02:01"}, "hours", "30 minutes or more"),
        ({"hours": "23:45-00:14"}, "hours", "30 minutes or more"),
        ({"input": None}, "input", "Missing"),
        ({"input": KEY}, "input", '{"key": "inbox/default/<name>.jsonl"} or'),
        ({"input": {"key": KEY, "prefix": "x"}}, "input", "must be"),
        ({"input": {"key": "inbox/other/x.jsonl"}}, "input.key", "below inbox/default/ or files/default/"),
        ({"input": {"key": "x" * 2000}}, "input.key", "at most 1024 bytes"),
        ({"input": {"prefix": "gather/other/x/"}}, "input.prefix", "gather/default/<name>/"),
        ({"input": {"prefix": "gather/default/x"}}, "input.prefix", "with '/' at its end. Write 'gather/default/x/'.$"),
        ({"input": {"key": "gather/default/x"}}, "input.key", '{"prefix": "gather/default/x/"}'),
        ({"input": {"key": "gather/default/x/"}}, "input.key", '{"prefix": "gather/default/x/"}'),
        ({"input": {"key": "gather/other/x"}}, "input.key", "files/default/.$"),
        ({"input": {"key": "inbox/default/"}}, "input.key", "the key of one object"),
        ({"input": {"key": "inbox/default/\x00.jsonl"}}, "input.key", "can be printed"),
        ({"input": {"prefix": "gather/default/a\nb/"}}, "input.prefix", "control characters"),
        ({"schedule": "cron(0 0 31 2 ? *)"}, "schedule", "never fires: there is no such time"),
        ({"schedule": "at(2027-03-28T02:30:00)"}, "schedule", "does not exist in Europe/Berlin"),
        ({"timezone": "posix/Europe/Berlin"}, "timezone", "of the IANA"),
        ({"input": {"prefix": 7}}, "input.prefix", "must be a string"),
        ({"min_lines": 5}, "min_lines", "goes with a folder"),
        ({"input": {"prefix": "gather/default/x/"}, "min_lines": 0}, "min_lines", "from 1 to"),
        ({"input": {"prefix": "gather/default/x/"}, "min_bytes": True}, "min_bytes", "whole number"),
        ({"input": {"prefix": "gather/default/x/"}, "max_wait": 5}, "max_wait", "of seconds from 60"),
        ({"input": {"prefix": "gather/default/x/"}, "min_lines": 9, "start_at_lines": 8}, "start_at_lines", "at least 'min"),
        ({"input": {"prefix": "gather/default/x/"}, "max_wait": 60, "dry_run": True}, "max_wait", "with 'dry_run'"),
        ({"endpoint": None}, "endpoint", "Missing"),
        ({"endpoint": "/v1/nothing"}, "endpoint", "Supported values"),
        ({"completion_window": "3h"}, None, "completion_window must be"),
        ({"max_cost_usd": -1}, "max_cost_usd", "above 0"),
        ({"overlaps": "skip"}, "overlaps", "Did you mean 'overlap'?"),
        ({"dry-runn": True}, "dry-runn", "Did you mean 'dry_run'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_member_and_the_remedy(
    services: MemoryServices, members: dict[str, Any], param: str | None, says: str
) -> None:
    error = refused(services, **members)
    assert error.status == 400
    assert param in {None, error.param}
    assert re.search(says, str(error)), str(error)


def test_what_aws_cannot_read_is_refused_with_its_words_and_leaves_nothing(services: MemoryServices) -> None:
    services.schedule_clock.refuses = "Invalid Schedule Expression cron(0 2 * * ? *)."
    with pytest.raises(
        ApiError, match=r"cannot be read: Invalid Schedule Expression .* such as rate\(1 day\)"
    ) as caught:
        made(services)
    assert (caught.value.status, caught.value.param) == (400, "schedule")
    assert requests.list_schedules(services, "default", None, None)["data"] == []
    assert [*services.schedule_store.all()] == []


def test_another_tenants_schedule_is_not_there(services: MemoryServices) -> None:
    schedule_id = made(services)["id"]
    assert requests.list_schedules(services, "other", None, None)["data"] == []
    calls: list[Callable[[], object]] = [
        partial(requests.retrieve_schedule, services, "other", schedule_id),
        partial(requests.delete_schedule, services, "other", schedule_id),
        partial(requests.run_schedule, services, "other", schedule_id),
        partial(requests.schedule_batches, services, "other", schedule_id, None, None),
        partial(requests.retrieve_schedule, services, "default", "sched_1"),
        partial(requests.list_schedules, services, "other", schedule_id, None),
    ]
    for call in calls:
        with pytest.raises(ApiError, match="No schedule found") as caught:
            call()
        assert caught.value.status == 404
    assert services.trigger_function.invoked == []


def test_a_tenant_has_so_many_schedules_and_no_more(services: MemoryServices) -> None:
    ids = [made(services, name=f"n{at}")["id"] for at in range(MOST_SCHEDULES)]
    with pytest.raises(ApiError, match="the most there may be") as caught:
        made(services, name="another")
    assert made(services, name="n7")["id"] == ids[7]
    assert (caught.value.status, caught.value.code) == (403, "schedules_limit_exceeded")
    made(services, "other", input={"key": "inbox/other/x.jsonl"})
    requests.delete_schedule(services, "default", ids[0])
    made(services, name="another")


def test_the_list_has_pages(services: MemoryServices) -> None:
    ids = set[str]()
    for at in range(5):
        services.wait(1)
        ids.add(made(services, name=f"n{at}")["id"])
    first = requests.list_schedules(services, "default", None, "3")
    rest = requests.list_schedules(services, "default", first["last_id"], "3")
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert {each["id"] for each in first["data"] + rest["data"]} == ids


def test_the_same_idempotency_key_gives_the_same_schedule_and_another_body_none(services: MemoryServices) -> None:
    one = made(services, key="k")
    assert made(services, key="k") == one
    assert made(services, "other", key="k", input={"key": "inbox/other/x"})["id"] != one["id"]
    with pytest.raises(ApiError, match="made another schedule") as caught:
        made(services, key="k", name="another")
    assert caught.value.code == "idempotency_key_reused"


def test_a_name_is_that_of_one_schedule_of_its_tenant(services: MemoryServices) -> None:
    one = made(services)
    same: dict[str, Any] = {"metadata": {"who": "me"}, "on-invalid": None, "on_invalid": "skip"}
    for key in (None, "k1", "k1"):
        assert made(services, key=key, **same)["id"] == one["id"]
    with pytest.raises(ApiError) as caught:
        made(services, schedule="rate(1 day)")
    error = caught.value
    assert (error.status, error.code, error.param) == (409, "schedule_exists", "name")
    assert one["id"] in str(error)
    assert f"change that one (POST /v1/schedules/{one['id']}), or first delete it" in str(error)
    with pytest.raises(ApiError, match="which has other members"):
        made(services, metadata={"who": "you"})
    assert made(services, "other", input={"key": "inbox/other/x"})["id"] != one["id"]
    assert [*services.schedule_clock.on].count(one["id"]) == 1
    requests.delete_schedule(services, "default", one["id"])
    assert made(services, schedule="rate(1 day)")["id"] != one["id"]


def test_a_schedule_is_found_by_its_name(services: MemoryServices) -> None:
    one = made(services)
    made(services, name="another")
    for name, found in (("nightly", [one]), ("nightl", []), ("", [])):
        assert requests.list_schedules(services, "default", None, None, name)["data"] == found
    assert requests.list_schedules(services, "other", None, None, "nightly")["data"] == []
    with pytest.raises(ApiError, match="look like the id"):
        made(services, name=one["id"])


def test_a_schedule_that_aws_could_not_take_leaves_its_name_free(services: MemoryServices) -> None:
    services.schedule_clock.refuses = "Invalid Schedule Expression cron(0 2 * * ? *)."
    with pytest.raises(ApiError, match="cannot be read"):
        made(services)
    services.schedule_clock.refuses = ""
    assert made(services, schedule="rate(1 day)")["schedule"] == "rate(1 day)"


def test_deleting_is_harmless_twice_and_leaves_the_batch_alone(services: MemoryServices) -> None:
    schedule_id = made(services, schedule="rate(1 hour)")["id"]
    services.wait(HOUR)
    batch_id = trigger(services, event(schedule_id, "2026-09-21T15:13:20Z"))
    assert batch_id is not None
    answers = [requests.delete_schedule(services, "default", schedule_id) for _ in range(2)]
    assert answers == [{"id": schedule_id, "object": "schedule.deleted", "deleted": True}] * 2
    assert services.schedule_clock.on == {}
    assert not services.batch_store.batch(batch_id).stopping
    services.wait(HOUR)
    assert trigger(services, event(schedule_id, "2026-09-21T16:13:20Z")) is None
    with pytest.raises(ApiError, match="No schedule found"):
        requests.retrieve_schedule(services, "default", schedule_id)
    assert [each["id"] for each in requests.schedule_batches(services, "default", schedule_id, None, None)["data"]] == [
        batch_id
    ]


def event(schedule_id: str, at: str) -> dict[str, str]:
    return {"tenant": "default", "schedule_id": schedule_id, "scheduled_at": at}


def test_a_firing_runs_the_newest_version_and_its_batch_names_the_schedule(services: MemoryServices) -> None:
    schedule_id = made(services, schedule="rate(1 hour)")["id"]
    services.bucket.put(KEY, b'{"custom_id": "2"}\n' * 3)
    services.wait(HOUR)
    batch_id = trigger(services, event(schedule_id, "2026-09-21T15:13:20Z"))
    batch = services.batch_store.batch(batch_id or "")
    assert (batch.input.size, batch.tenant, batch.completion_window) == (57, "default", "24h")
    assert (batch.on_invalid, batch.max_cost_usd, batch.metadata) == ("skip", "2.5", {"who": "me"})
    assert services.executions.started == [batch_id]
    (shown,) = requests.schedule_batches(services, "default", schedule_id, None, None)["data"]
    assert (shown["id"], shown["schedule"], shown["input_file_id"]) == (batch_id, schedule_id, batch.input.uri)
    last = requests.retrieve_schedule(services, "default", schedule_id)["last_firing"]
    assert last == {
        "id": f"{NOW + HOUR}",
        "object": "schedule.firing", "scheduled_for": NOW + HOUR, "state": "ended", "batch_id": batch_id, "reason": None,
    }  # fmt: skip
    assert schedule_id in services.event_bus.details[0]


def test_a_firing_without_an_object_is_none_and_says_so(services: MemoryServices) -> None:
    schedule_id = made(services, schedule="rate(1 hour)", input={"key": "inbox/default/not-yet.jsonl"})["id"]
    services.wait(HOUR)
    assert trigger(services, event(schedule_id, "2026-09-21T15:13:20Z")) is None
    last = requests.retrieve_schedule(services, "default", schedule_id)["last_firing"]
    assert (last["batch_id"], "there is no object s3://" in last["reason"]) == (None, True)


def test_the_batches_of_a_schedule_have_pages(services: MemoryServices) -> None:
    schedule_id, ids = made(services, schedule="rate(1 hour)")["id"], []
    for hour in range(1, 6):
        services.wait(HOUR)
        ids.append(trigger(services, event(schedule_id, _iso(NOW + hour * HOUR))) or "")
        services.batch_store.batches[ids[-1]] = replace(services.batch_store.batch(ids[-1]), status="completed")
    first = requests.schedule_batches(services, "default", schedule_id, None, "2")
    rest = requests.schedule_batches(services, "default", schedule_id, first["last_id"], "9")
    assert [each["id"] for each in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    with pytest.raises(ApiError, match="has made no batch"):
        requests.schedule_batches(services, "default", schedule_id, "batch_" + "0" * 32, None)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_run_by_hand_is_begun_and_made_by_the_function_and_counts_for_no_time_of_the_clock(
    services: MemoryServices,
) -> None:
    schedule_id = made(services, schedule="rate(1 hour)")["id"]
    services.wait(HOUR + MINUTE // 2)
    shown = requests.run_schedule(services, "default", schedule_id)
    assert (shown["schedule_id"], shown["state"], shown["batch_id"]) == (schedule_id, "began", None)
    with pytest.raises(ApiError, match="Another firing of this schedule") as caught:
        requests.run_schedule(services, "default", schedule_id)
    assert caught.value.status == 409
    (asked,) = services.trigger_function.invoked
    first = trigger(services, asked)
    assert trigger(services, asked) == first
    assert requests.run_schedule(services, "default", schedule_id, "key")["state"] == "began"
    assert trigger(services, event(schedule_id, "2026-09-21T15:13:20Z")) is None  # the time is over, and the batch runs
    last = requests.retrieve_schedule(services, "default", schedule_id)["last_firing"]
    assert last["scheduled_for"] == NOW + HOUR
    assert first is not None
    assert f"the batch {first} has not ended" in last["reason"]


def test_what_ran_in_one_second_is_listed_the_newest_first(services: MemoryServices) -> None:
    schedule_id, ids = made(services, schedule="rate(1 day)")["id"], []
    for number in range(5):
        services.now_is = NOW + number / 10
        requests.run_schedule(services, "default", schedule_id)
        ids.append(trigger(services, services.trigger_function.invoked[-1]) or "")
        services.batch_store.batches[ids[-1]] = replace(services.batch_store.batch(ids[-1]), status="completed")
    listed = requests.schedule_batches(services, "default", schedule_id, None, None)["data"]
    assert [each["id"] for each in listed] == ids[::-1]


def test_a_budget_that_is_spent_refuses_the_batch_and_tells_why(services: MemoryServices) -> None:
    give(services, 1)
    spend(services, 2)
    schedule_id = made(services, schedule="rate(1 hour)")["id"]
    services.wait(HOUR)
    batch_id = trigger(services, event(schedule_id, "2026-09-21T15:13:20Z"))
    batch = services.batch_store.batch(batch_id or "")
    assert (batch.status, batch.firing is not None) == ("failed", True)
    assert services.executions.started == []


def test_outside_its_hours_a_firing_waits_and_then_makes_its_batch(services: MemoryServices) -> None:
    schedule_id = made(services, schedule="rate(1 hour)", timezone="UTC", hours="22:00-23:00")["id"]
    services.wait(HOUR)
    assert trigger(services, event(schedule_id, "2026-09-21T15:13:20Z")) is None
    shown = requests.retrieve_schedule(services, "default", schedule_id)
    assert shown["waits_for"] == "it is not yet 22:00-23:00 in UTC"
    services.wait(6 * HOUR)
    assert trigger(services, {"tenant": "default", "schedule_id": schedule_id}) is None
    services.wait(50 * MINUTE)  # 22:03
    assert trigger(services, {"tenant": "default", "schedule_id": schedule_id}) is not None
    services.wait(DAY)
