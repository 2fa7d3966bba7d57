"""What keeps a schedule on AWS's clock or takes it off, and catches up what the clock could not tell."""

from typing import Final

from batchyard.adapters.schedule_store import WAITING, Firing, Schedule
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import MINUTE
from batchyard.schedules import firing
from batchyard.schedules.expression import Rate
from batchyard.services import Services

UNDER_WAY: Final = 15 * MINUTE  # a request to make a schedule, or whoever began a firing, is over by then


def put_on(services: Services, schedule: Schedule) -> Schedule:
    """Have AWS's clock fire a schedule; raises InvalidSchedule, or StaleRecord if it was deleted meanwhile."""
    times = firing.times_of(schedule)
    # A rate counts from here; without it, AWS would fire at once, and we could not tell when it fires next.
    services.schedule_clock.put(schedule, times.next(services.now()) if isinstance(times, Rate) else None)
    return services.schedule_store.note_clock(schedule)


def take_off(services: Services, schedule: Schedule) -> None:
    """Have AWS's clock fire a deleted schedule no more; the sweep looks at it until its last firing has ended, too."""
    services.schedule_clock.remove(schedule)
    if services.schedule_store.schedule(schedule.tenant, schedule.schedule_id).open is None:
        services.schedule_store.note_gone(schedule)


def mend(services: Services, schedule: Schedule) -> bool:
    """Put a schedule on the clock, or take it off, if a call left that undone; tell whether it did."""
    now = services.now()
    if schedule.deleted_at is not None:
        if schedule.open is None:
            take_off(services, schedule)
        return schedule.open is None
    if schedule.on_clock or now - schedule.created_at < UNDER_WAY or firing.times_of(schedule).next(now) is None:
        return False
    put_on(services, schedule)
    return True


def must_fire(schedule: Schedule, now: int) -> bool:
    """Tell whether a firing waits or was left, or the clock missed one."""
    missed = firing.latest_due(schedule, now - firing.LATE) or 0
    return schedule.open is not None or (schedule.deleted_at is None and missed > schedule.fired_for)


def catch_up(services: Services, tenant: str, schedule_id: str) -> Firing | None:
    """Go on with the firing that waits or was left, and fire once for all times that the clock missed."""
    try:
        schedule = services.schedule_store.schedule(tenant, schedule_id)
    except NotFound:
        return None
    if schedule.open is not None:
        left = services.schedule_store.firing(schedule, schedule.open)
        busy = left is None or (left.state != WAITING and services.now() - left.began_at < UNDER_WAY)
        return None if busy else firing.go_on(services, schedule)
    due = firing.latest_due(schedule, services.now() - firing.LATE)
    if schedule.deleted_at is None and due is not None and due > schedule.fired_for:
        return firing.tell(services, tenant, schedule_id, due)
    return None
