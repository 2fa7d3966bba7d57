"""A schedule is changed: its record, and AWS's clock.

The clock cannot be changed together with the record. So the record doubts the clock before the clock is touched, and the sweep
puts a clock that is doubted for long right by the record, whoever died. A change ends the doubt that it began itself, and none
that it found.
"""

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.domain.errors import InvalidSchedule, StaleRecord
from batchyard.schedules import requests, rules
from batchyard.schedules.firing import TRIES
from batchyard.schedules.upkeep import set_clock
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
    """Give the clock new times, and then record them.

    The doubt stays where somebody else may be giving the clock times, too: the sweep ends it once they are over.
    """
    store, now, alone = services.schedule_store, services.now(), schedule.on_clock
    doubted = store.doubt_clock(schedule, now)
    new = replace(new, timed_at=now, on_clock=alone, revision=doubted.revision)
    try:
        set_clock(services, new)
    except InvalidSchedule as error:  # then AWS has changed nothing
        if alone:
            store.note_clock(doubted)
        raise requests.refused_by_clock(error) from error
    try:
        return store.change(doubted, new, now)
    except StaleRecord:
        if store.schedule(schedule.tenant, schedule.schedule_id).deleted_at is not None:
            services.schedule_clock.remove(schedule)
        raise
