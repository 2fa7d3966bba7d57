"""Schedules of EventBridge Scheduler, fired at the times of their own zone, and told for which time."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
TICK = 2  # seconds between two looks at all schedules

Schedule = Mapping[str, Any]


def mend_schedules() -> None:
    """Fire schedules in their time zones and tell them the scheduled time, both of which ministack leaves out.

    ministack also takes each schedule for one of the group `default` when it asks what a role may do with it.
    """
    schedules: Any = import_module("ministack.services.scheduler")
    bus: Any = import_module("ministack.services.eventbridge")
    iam: Any = import_module("ministack.core.iam_actions")
    fired: dict[object, float] = {}

    def tick() -> None:
        now = time.time()
        for key, schedule in list(schedules._schedules._data.items()):
            last = max(fired.get(key, 0), schedule["LastModificationDate"] - 1)  # new times hold from the change on
            at = next_time(schedule, last, bus)
            if schedule["State"] == "ENABLED" and at is not None and at <= now:
                fired[key] = max(at, schedule["LastModificationDate"])
                _fire(schedules, bus, key, schedule, at)
                if schedule["ScheduleExpression"].startswith("at(") and schedule["ActionAfterCompletion"] == "DELETE":
                    schedules._schedules._data.pop(key, None)

    resource = iam.extract_resource_arn

    def of_group(
        service: str, method: str, path: str, headers: object, body: bytes, query: Mapping[str, Any], *where: str
    ) -> object:
        arn = resource(service, method, path, headers, body, query, *where)
        if service != "scheduler" or not path.startswith("/schedules/"):
            return arn
        asked = query.get("groupName") or json.loads(body or b"{}").get("GroupName", "default")
        group = asked if isinstance(asked, str) else asked[0]
        return str(arn).replace(":schedule/default/", f":schedule/{group}/")

    schedules._tick_schedules, schedules._SCHEDULE_TICK_INTERVAL = tick, TICK
    iam.extract_resource_arn = of_group


def next_time(schedule: Schedule, last: float, bus: Any) -> float | None:  # noqa: ANN401 - the engine ships no types
    """Return the first time after `last` at which a schedule fires; None if there is none."""
    expression, zone = schedule["ScheduleExpression"], ZoneInfo(schedule["ScheduleExpressionTimezone"])
    if expression.startswith("at("):
        at = datetime.fromisoformat(expression[3:-1]).replace(tzinfo=zone).timestamp()
        return at if last < schedule["LastModificationDate"] else None
    seconds = bus._parse_rate_seconds(expression)
    if seconds is not None:
        start = schedule.get("StartDate") or schedule["CreationDate"] + seconds
        return float(start + max(0, (last - start) // seconds + 1) * seconds)
    fields = bus._parse_cron_fields(expression)
    found = fields and bus._cron_next_fire(fields, datetime.fromtimestamp(last, zone))
    return found.timestamp() if found else None


def _fire(schedules: Any, bus: Any, key: Any, schedule: Schedule, at: float) -> None:  # noqa: ANN401 - as above
    """Invoke the target as ministack does, under the account and the region of the schedule."""
    account, region, name = key
    schedules.set_request_account_id(account)
    schedules.set_request_region(region)
    event = {
        "EventId": schedules.new_uuid(), "Source": "aws.scheduler", "DetailType": "Scheduled Event", "Detail": "{}",
        "Time": at, "Resources": [schedule["Arn"]], "Account": account, "Region": region,
    }  # fmt: skip
    target = dict(schedule["Target"])
    if "Input" in target:
        target["Input"] = target["Input"].replace(
            SCHEDULED_TIME, datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    try:
        bus._invoke_target(target, event, schedule)
    except Exception:
        logging.getLogger("scheduler").exception("dispatch error for %s", name)
