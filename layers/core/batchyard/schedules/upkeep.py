"""What keeps a schedule on AWS's clock or takes it off, and catches up what the clock could not tell."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from batchyard.adapters.stores.schedule_record import WAITING, Firing, Schedule
from batchyard.domain.errors import InvalidSchedule, NotFound, StaleRecord
from batchyard.domain.numbers import DAY, MINUTE
from batchyard.schedules import firing, thresholds
from batchyard.schedules.expression import Rate
from batchyard.services import Services

KEPT: Final = 30 * DAY  # a deleted schedule, and what an Idempotency-Key named
UNDER_WAY: Final = 20 * MINUTE  # a request to make a schedule, or whoever began a firing, is over by then


def put_on(services: Services, schedule: Schedule) -> Schedule:
    """Have AWS's clock fire a schedule if a time is to come.

    Raises InvalidSchedule, or StaleRecord if the schedule was changed or deleted meanwhile; then its record doubts the clock.
    """
    if firing.times_of(schedule).next(services.now()) is None:
        services.schedule_clock.remove(schedule)
    else:
        set_clock(services, schedule)
    try:
        return services.schedule_store.note_clock(schedule)
    except StaleRecord:
        _doubt(services, schedule)
        raise


def _doubt(services: Services, schedule: Schedule) -> None:
    """Doubt a clock that may have times of an older record, or take it off where the schedule is deleted."""
    for _ in range(firing.TRIES):
        there = services.schedule_store.schedule(schedule.tenant, schedule.schedule_id)
        with suppress(StaleRecord):  # another change came between
            if there.deleted_at is None:
                services.schedule_store.doubt_clock(there, services.now())
            else:
                services.schedule_clock.remove(there)
            return


def set_clock(services: Services, schedule: Schedule) -> None:
    """Give AWS's clock the times of a schedule; raises InvalidSchedule."""
    times = firing.times_of(schedule)
    # A rate counts from here; without it, AWS would fire at once, and we could not tell when it fires next.
    services.schedule_clock.put(schedule, times.next(services.now()) if isinstance(times, Rate) else None)


def take_off(services: Services, schedule: Schedule) -> None:
    """Have AWS's clock fire a deleted schedule no more.

    The sweep looks at it until its last firing has ended, and nobody can be giving it to the clock any more.
    """
    services.schedule_clock.remove(schedule)
    there = services.schedule_store.schedule(schedule.tenant, schedule.schedule_id)
    if there.open is None and not _is_being_set(there, services.now()):
        services.schedule_store.note_gone(there)


def _is_being_set(schedule: Schedule, now: int) -> bool:
    """Tell whether a request may be giving the clock times of a schedule; each notes before that the clock lacks them."""
    return not schedule.on_clock and now - (schedule.doubted_at or schedule.created_at) < UNDER_WAY


def mend(services: Services, schedule: Schedule) -> bool:
    """Put a schedule on the clock as its record says, or take it off, if a call left that undone; tell whether it did."""
    now = services.now()
    if schedule.deleted_at is not None:
        if schedule.open is None:
            take_off(services, schedule)
        return schedule.open is None and not _is_being_set(schedule, now)
    if not _was_left_off(schedule, now):
        return False
    schedule = services.schedule_store.schedule(schedule.tenant, schedule.schedule_id)  # the sweep's list may be older
    if not _was_left_off(schedule, now):
        return False
    if schedule.revision:  # from here on, whoever changes the times knows that we give the clock those of now
        schedule = services.schedule_store.doubt_clock(schedule, now)
    try:
        put_on(services, schedule)
    except InvalidSchedule:  # its caller was never told that it was made
        if schedule.revision:
            raise
        discard(services, schedule)
    return True


def _was_left_off(schedule: Schedule, now: int) -> bool:
    if schedule.on_clock or schedule.deleted_at is not None or _is_being_set(schedule, now):
        return False
    return schedule.doubted_at is not None or firing.times_of(schedule).next(now) is not None


def discard(services: Services, schedule: Schedule) -> None:
    """Delete a schedule that never came to be."""
    services.schedule_store.delete(schedule, services.now(), services.now() + KEPT)
    services.schedule_store.note_gone(schedule)


def must_fire(schedule: Schedule, now: int) -> bool:
    """Tell whether a firing waits or was left, the clock missed one, or what waits in a folder may start one."""
    return schedule.open is not None or was_missed(schedule, now) or _may_start(schedule)


def was_missed(schedule: Schedule, now: int) -> bool:
    """Tell whether the clock missed a firing, or whoever made one left it."""
    if schedule.open is not None:
        return schedule.waits_for is None and now - int(schedule.open[:10]) > UNDER_WAY
    return _missed(schedule, now) is not None


def _missed(schedule: Schedule, now: int) -> int | None:
    due = firing.latest_due(schedule, now - firing.LATE)
    missed = due is not None and due - schedule.fired_for >= firing.APART
    return due if missed and schedule.deleted_at is None else None


def _may_start(schedule: Schedule) -> bool:
    return schedule.deleted_at is None and thresholds.of(schedule).may_start


def catch_up(services: Services, tenant: str, schedule_id: str, seconds_left: Callable[[], float]) -> Firing | None:
    """Go on with the firing that waits or was left, fire once for all times that the clock missed, or for what waits."""
    try:
        schedule = services.schedule_store.schedule(tenant, schedule_id)
    except NotFound:
        return None
    if schedule.open is not None:
        left = services.schedule_store.firing(schedule, schedule.open)
        busy = left is None or (left.state != WAITING and services.now() - left.began_at < UNDER_WAY)
        return None if busy else firing.go_on(services, schedule, seconds_left)
    missed = _missed(schedule, services.now())
    if missed is not None:
        return firing.tell(services, tenant, schedule_id, missed, seconds_left)
    if firing.why_held(services, schedule) is None and thresholds.must_start(services, schedule):
        return firing.start(services, schedule, firing.key_of(services.now(), "early"), seconds_left)
    return None
