"""A schedule is changed: its record, and AWS's clock.

The clock cannot be changed together with the record. So the record doubts the clock before the clock is touched, and the sweep
puts a clock that is doubted for long right by the record, whoever died.
"""

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.domain.errors import InvalidSchedule, StaleRecord
from batchyard.schedules import requests, rules
from batchyard.schedules.firing import TRIES
from batchyard.schedules.upkeep import put_on, set_clock
from batchyard.services import Services


def change_schedule(
    services: Services, tenant: str, schedule_id: str, body: object, of_batch: rules.BatchReader
) -> dict[str, Any]:
    """Change members of a schedule, and show it; a batch that is being made is made as it was decided.

    A change that is repeated changes nothing more. Raises ApiError 400, 404 or 409.
    """
    for _ in range(TRIES):
        schedule = requests.own(services, tenant, schedule_id)
        new = rules.changed(services, schedule, body, of_batch)
        with suppress(StaleRecord):  # another change came between: the members that this one names are laid upon it
            return requests.shape(services, _change(services, schedule, new))
    raise StaleRecord(f"{schedule_id} is changed by many at once")


def _change(services: Services, schedule: Schedule, new: Schedule) -> Schedule:
    if new == schedule:
        return schedule
    holder = services.schedule_store.named(schedule.tenant, new.name)
    if holder is not None and holder.schedule_id != schedule.schedule_id and holder.deleted_at is None:
        raise requests.name_taken(holder)
    if (new.expression, new.timezone) == (schedule.expression, schedule.timezone):
        return services.schedule_store.change(schedule, new, services.now())
    return _change_times(services, schedule, new)


def _change_times(services: Services, schedule: Schedule, new: Schedule) -> Schedule:
    store, now = services.schedule_store, services.now()
    doubted = store.doubt_clock(schedule, now)
    new = replace(new, timed_at=now, on_clock=True, revision=doubted.revision)
    try:
        set_clock(services, new)
    except InvalidSchedule as error:  # then AWS has changed nothing
        put_on(services, doubted)
        raise requests.refused_by_clock(error) from error
    try:
        return store.change(doubted, new, now)
    except StaleRecord:
        _put_back(services, schedule)
        raise


def _put_back(services: Services, schedule: Schedule) -> None:
    """Give the clock the times of the record again, or take it off where that is deleted."""
    there = services.schedule_store.schedule(schedule.tenant, schedule.schedule_id)
    if there.deleted_at is None:
        put_on(services, there)
    else:
        services.schedule_clock.remove(there)
