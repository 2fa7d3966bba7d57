"""The clock of AWS, EventBridge Scheduler: it invokes a function at the times of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from batchyard.adapters.aws import client, translated
from batchyard.domain import nesting
from batchyard.domain.errors import InvalidSchedule, NotFound

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from batchyard.adapters.stores.schedule_record import Schedule

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"  # which EventBridge Scheduler replaces
DELIVERED_FOR: Final = 86_400  # seconds, and tries: the most that EventBridge Scheduler makes
DELIVERIES: Final = 185


class ScheduleClock:
    """Have EventBridge Scheduler invoke a function at the times of a schedule."""

    def __init__(self, group: str, function_arn: str, role_arn: str, queue_arn: str) -> None:
        """Use this group of schedules, and this role to invoke the function; the queue takes what nobody takes."""
        self._group = group
        self._target = {"Arn": function_arn, "RoleArn": role_arn, "DeadLetterConfig": {"Arn": queue_arn}}
        self._scheduler: EventBridgeSchedulerClient = client("scheduler")

    def put(self, schedule: Schedule, start: int | None) -> None:
        """Have a schedule fire, from `start` on, and no more at times that it had; raises InvalidSchedule."""
        event = {"tenant": schedule.tenant, "schedule_id": schedule.schedule_id, "scheduled_at": SCHEDULED_TIME}
        retries = {"MaximumEventAgeInSeconds": DELIVERED_FOR, "MaximumRetryAttempts": DELIVERIES}
        request: Any = {
            "Name": schedule.schedule_id, "GroupName": self._group, "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone, "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {**self._target, "Input": nesting.encode(event), "RetryPolicy": retries},
            **({} if start is None else {"StartDate": datetime.fromtimestamp(start, UTC)}),
        }  # fmt: skip
        with translated(f"scheduling {schedule.schedule_id}"):
            try:
                self._create_or_update(schedule, request)
            except self._scheduler.exceptions.ValidationException as error:
                raise InvalidSchedule(error.response["Error"].get("Message", "")) from error

    def _create_or_update(self, schedule: Schedule, request: Any) -> None:  # noqa: ANN401 - members of a request
        once: Any = {} if schedule.revision else {"ClientToken": schedule.schedule_id}
        try:
            self._scheduler.create_schedule(**request, **once)
        except self._scheduler.exceptions.ConflictException:
            if schedule.revision:  # else an earlier call made the same
                self._scheduler.update_schedule(**request)

    def remove(self, schedule: Schedule) -> None:
        """Have a schedule fire no more, whether or not it still did."""
        try:
            with translated(f"removing {schedule.schedule_id}"):
                self._scheduler.delete_schedule(Name=schedule.schedule_id, GroupName=self._group)
        except NotFound:
            return  # it has fired for the last time, or was never on the clock
