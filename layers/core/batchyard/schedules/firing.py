"""What a firing becomes: one batch or none, once, however often, late or out of order the clock tells of it.

A schedule has one firing under way at most. Each step is recorded before it is taken, so that whoever comes next, the clock
again or the sweep, goes on with the firing that was left.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeGuard

from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import ENDED, MADE_OF, MAKING, WAITING, Firing, Schedule
from batchyard.domain import nesting
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.numbers import DAY, HOUR, MINUTE
from batchyard.observability import logger
from batchyard.schedules import expression, thresholds
from batchyard.schedules.making import make
from batchyard.schedules.thresholds import Held
from batchyard.services import Services

SKIP, QUEUE = "skip", "queue"
# A firing that is told of this much later was missed, as all others since; they are caught up by the latest of them.
LATE: Final = HOUR // 4
# Two times of a schedule are a minute apart at least. What is told with less between is the same time, told otherwise.
APART: Final = MINUTE
TRIES: Final = 5  # in a row that another worker may be faster


def times_of(schedule: Schedule) -> expression.Times:
    """Return the times at which a schedule fires."""
    return expression.parse(schedule.expression, schedule.timezone, schedule.since)


def key_of(at: int, fired_by: str = "") -> str:
    """Name a firing by its scheduled time, and by what fired it if that was not the clock."""
    return f"{at:010}#{fired_by}" if fired_by else f"{at:010}"


def latest_due(schedule: Schedule, now: float) -> int | None:
    """Return the latest time before now at which the schedule was to fire; None if there was none since it has its times."""
    due = times_of(schedule).last(now)
    return due if due is not None and due > schedule.since else None


def tell(
    services: Services, tenant: str, schedule_id: str, at: int, seconds_left: Callable[[], float]
) -> Firing | None:
    """Fire a schedule for a time of the clock, and return what becomes of it; None if it is no firing of its own.

    Raises OutOfTime; the sweep goes on with what is left.
    """
    for _ in range(TRIES):
        schedule = _find(services, tenant, schedule_id)
        if schedule is None or _is_of_other_times(services, schedule, at):
            return None
        latest = latest_due(schedule, services.now()) or at
        if services.now() - at > LATE and latest - at >= APART:
            at = latest
        if at - schedule.fired_for < APART and schedule.open != key_of(at):
            same = schedule.fired_for if abs(at - schedule.fired_for) < APART else at
            return services.schedule_store.firing(schedule, key_of(same))
        try:
            return start(services, schedule, key_of(at), seconds_left)
        except StaleRecord:
            continue  # somebody else told of a firing meanwhile: look again
    raise StaleRecord(f"{schedule_id} is fired by many at once")


def _find(services: Services, tenant: str, schedule_id: str) -> Schedule | None:
    try:
        schedule = services.schedule_store.schedule(tenant, schedule_id)
    except NotFound:
        return None
    if schedule.deleted_at is not None:
        logger.warning("a deleted schedule fires", schedule_id=schedule_id)
        services.schedule_store.list_again(schedule)  # so the sweep takes it off the clock
        return None
    return schedule


def _is_of_other_times(services: Services, schedule: Schedule, at: int) -> bool:
    """Tell whether the clock tells a time that a changed schedule does not have; then the sweep puts the clock right."""
    if not schedule.revision:
        return False
    if at <= schedule.since:
        return services.now() - at > LATE
    due = times_of(schedule).last(at + APART - 1)
    if due is not None and due > at - APART:
        return False
    logger.warning("the clock has other times than the schedule", scheduled_at=_utc(at))
    if schedule.on_clock:
        services.schedule_store.doubt_clock(schedule, services.now())
    return True


def start(services: Services, schedule: Schedule, key: str, seconds_left: Callable[[], float]) -> Firing:
    """Begin a firing, or go on with it, after the one that was left; raises StaleRecord if another worker was faster."""
    store, now = services.schedule_store, services.now()
    new = Firing(key=key, began_at=now, expires_at_ttl=now + services.settings.record_days * DAY)
    if schedule.open == key:
        return go_on(services, schedule, seconds_left)
    if schedule.open is not None:
        left = go_on(services, schedule, seconds_left)
        if left.state != ENDED:
            passed = replace(new, state=ENDED, reason=f"the firing of {_utc(left.at)} still waits: {left.reason}")
            store.pass_over(schedule, passed)
            return passed
        before, schedule = schedule.fired_for, store.schedule(schedule.tenant, schedule.schedule_id)
        if schedule.fired_for != before:
            raise StaleRecord(f"{schedule.schedule_id} has fired meanwhile")
    store.begin(schedule, new)
    return go_on(services, store.schedule(schedule.tenant, schedule.schedule_id), seconds_left)


def go_on(services: Services, schedule: Schedule, seconds_left: Callable[[], float]) -> Firing:
    """Take the firing under way as far as it goes now, and return it; raises StaleRecord if another worker was faster."""
    store = services.schedule_store
    firing = store.firing(schedule, schedule.open) if schedule.open is not None else None
    if firing is None:
        raise StaleRecord(f"{schedule.schedule_id} has no firing under way")
    if firing.state == MAKING:
        return _make_batch(services, schedule, firing, seconds_left)
    firing, held = _hold(services, schedule, firing)
    if held is None and firing.by_clock:
        held = thresholds.too_few(services, schedule, seconds_left)
    if held is None:
        content = nesting.encode({name: getattr(schedule, name) for name in MADE_OF})
        store.make(schedule, firing, content)
        return _make_batch(services, schedule, replace(firing, state=MAKING, content=content), seconds_left)
    if held.for_good:
        return _end(services, schedule, firing, None, held.reason)
    return _wait(services, schedule, firing, held) if _is_news(held, firing) else firing


def _make_batch(services: Services, schedule: Schedule, firing: Firing, seconds_left: Callable[[], float]) -> Firing:
    made_of = replace(schedule, **nesting.decode(firing.content or "{}"))  # whatever has been changed since
    return _end(services, schedule, firing, *make(services, made_of, firing, seconds_left))


def _hold(services: Services, schedule: Schedule, firing: Firing) -> tuple[Firing, Held | None]:
    """Record what a firing waits for, if that is new, and say why it makes no batch now; None if it may."""
    held = why_held(services, schedule)
    if not _is_news(held, firing):
        return firing, held
    waits = _wait(services, schedule, firing, held)
    return waits, why_held(services, schedule)  # what ended before the record of the wait woke nobody


def _is_news(held: Held | None, firing: Firing) -> TypeGuard[Held]:
    return held is not None and not held.for_good and firing.reason != held.reason


def _wait(services: Services, schedule: Schedule, firing: Firing, held: Held) -> Firing:
    services.schedule_store.wait(schedule, firing, held.reason)
    return replace(firing, state=WAITING, reason=held.reason)


def waits_for(services: Services, schedule: Schedule) -> str | None:
    """Say what the firing under way waits for; None if it waits no more, though nobody has gone on with it yet."""
    if schedule.waits_for is None:
        return None
    held = why_held(services, schedule)
    if held is not None:
        return held.reason
    looks = {thresholds.listing(schedule), thresholds.counting(schedule)}
    return schedule.waits_for if schedule.waits_for in looks else None


def why_held(services: Services, schedule: Schedule) -> Held | None:
    """Say why a firing makes no batch now; None if it may."""
    if schedule.deleted_at is not None:
        return Held("the schedule was deleted", for_good=True)
    before = schedule.last_batch_id and services.batch_store.find_batch(schedule.last_batch_id)
    if before and not before.ended:
        return Held(f"the batch {before.batch_id} has not ended", for_good=schedule.overlap == SKIP)
    if schedule.hours is not None and not expression.within(schedule.hours, schedule.timezone, services.now()):
        return Held(f"it is not yet {schedule.hours} in {schedule.timezone}", for_good=False)
    return None


def _end(services: Services, schedule: Schedule, firing: Firing, batch_id: str | None, reason: str | None) -> Firing:
    services.schedule_store.end(schedule, firing, batch_id, reason)
    logger.info("fired", schedule_id=schedule.schedule_id, firing=firing.key, batch_id=batch_id, reason=reason)
    return replace(firing, state=ENDED, batch_id=batch_id, reason=reason)


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
