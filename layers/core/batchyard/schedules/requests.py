"""What the HTTP API does with schedules."""

import hashlib
import re
import secrets
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from batchyard.adapters.stores.idempotency_store import FirstUse
from batchyard.adapters.stores.schedule_record import ENDED, Firing, Schedule
from batchyard.domain.batch import BatchError
from batchyard.domain.batch import shape as shape_of_batch
from batchyard.domain.errors import ApiError, InvalidSchedule, NotFound, StaleRecord, StoreError, invalid_request
from batchyard.domain.numbers import DAY
from batchyard.gateway.paging import LIMITS, page, page_limit
from batchyard.planning import new_batch
from batchyard.schedules import rules
from batchyard.schedules.expression import FORMS
from batchyard.schedules.firing import TRIES, key_of, times_of, waits_for
from batchyard.schedules.upkeep import KEPT, discard, put_on, take_off
from batchyard.services import Services

MOST_SCHEDULES: Final = 100  # of one tenant
REMEDY: Final = (
    "So says EventBridge Scheduler, which fires it. Write the times in another way, such as "
    f"{FORMS}; if its words are about the time zone, name another one in 'timezone', such as 'Europe/Berlin'."
)


def create_schedule(
    services: Services, tenant: str, body: object, of_batch: rules.BatchReader, idempotency_key: str | None = None
) -> dict[str, Any]:
    """Make a schedule and put it on the clock; the same Idempotency-Key, or name and members, give the same schedule."""
    wanted = rules.check(services, tenant, _id_of(tenant, idempotency_key), body, new_batch.fingerprint(body), of_batch)
    for _ in range(TRIES):
        with suppress(StaleRecord):  # the call that recorded it has just taken it back
            made = _record(services, wanted)
            keep = idempotency_key is not None or made.schedule_id != wanted.schedule_id
            known = made.on_clock or made.revision  # or a change is under way, or was left: the sweep sees to that
            return shape(services, made if known else _put_on(services, made, keep=keep))
        wanted = replace(wanted, schedule_id=_id_of(tenant, idempotency_key))
    raise StaleRecord(f"{wanted.schedule_id}: schedules of its name come and go")


def _record(services: Services, wanted: Schedule) -> Schedule:
    """Record a schedule, or find the one that an earlier call has made of the same wish.

    Raises ApiError 403 or 409, or StaleRecord if the one that had its name has gone meanwhile.
    """
    made = services.schedule_store.create(wanted, MOST_SCHEDULES)
    if made is None:
        if len(services.schedule_store.schedules(wanted.tenant)) < MOST_SCHEDULES:
            raise StaleRecord(f"the name {wanted.name} has just become free")
        message = f"There are {MOST_SCHEDULES} schedules already, the most there may be. Delete one first."
        raise ApiError(HTTPStatus.FORBIDDEN, message, code="schedules_limit_exceeded")
    if made.schedule_id != wanted.schedule_id:
        if made.deleted_at is not None:
            raise StaleRecord(f"{made.schedule_id} has just been deleted")
        if rules.content(made) == rules.content(wanted):
            return made
        raise name_taken(made)
    if made.digest != wanted.digest or made.deleted_at is not None:
        message = (
            "This Idempotency-Key made another schedule, or one that was deleted. Use a new key for a new schedule."
        )
        raise ApiError(HTTPStatus.CONFLICT, message, code="idempotency_key_reused")
    return made


def _put_on(services: Services, made: Schedule, *, keep: bool) -> Schedule:
    """Put a new schedule on the clock, or take it back, unless a call with its key may come again, or it is another's."""
    try:
        return put_on(services, made)
    except StoreError:
        if not keep:  # what AWS may have made, the sweep takes off; what another call put on the clock stays
            services.schedule_store.delete(made, services.now(), services.now() + KEPT, if_off_clock=True)
        raise
    except InvalidSchedule as error:
        if not made.revision:
            discard(services, made)
        raise refused_by_clock(error) from error


def name_taken(holder: Schedule) -> ApiError:
    """Make the error of a name that another schedule has."""
    message = (
        f"The name '{holder.name}' is that of the schedule {holder.schedule_id}, which has other members. Choose another "
        f"name, or change that one (POST /v1/schedules/{holder.schedule_id}), or first delete it (DELETE)."
    )
    return ApiError(HTTPStatus.CONFLICT, message, code="schedule_exists", param="name")


def refused_by_clock(error: InvalidSchedule) -> ApiError:
    """Make the error of times that AWS's clock does not take."""
    message = f"'schedule' cannot be read: {str(error).rstrip('.')}. {REMEDY}"
    return invalid_request(BatchError("invalid_value", message, "schedule"))


def _id_of(tenant: str, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return f"sched_{secrets.token_hex(16)}"
    digest = hashlib.sha256(f"{tenant}\0{idempotency_key}".encode("utf-8", "surrogatepass"))
    return f"sched_{digest.hexdigest()[:32]}"


def list_schedules(
    services: Services, tenant: str, after: str | None, limit: str | None, name: str | None = None
) -> dict[str, Any]:
    """List the tenant's schedules, newest first, behind the schedule `after`; only that of a name, if there is one."""
    count, every = page_limit(limit, *LIMITS), services.schedule_store.schedules(tenant)
    every = [each for each in every if name in {None, each.name}]
    ids = [each.schedule_id for each in every]
    if after is not None and after not in ids:
        raise unknown(after)
    rest = every[ids.index(after) + 1 :] if after is not None else every
    return page([shape(services, each) for each in rest[:count]], more=len(rest) > count > 0)


def retrieve_schedule(services: Services, tenant: str, schedule_id: str) -> dict[str, Any]:
    """Show a schedule; raises ApiError 404 if the tenant has no such schedule."""
    return shape(services, own(services, tenant, schedule_id))


def delete_schedule(services: Services, tenant: str, schedule_id: str) -> dict[str, Any]:
    """Delete a schedule, once or again; its batches stay, and those that run go on."""
    for _ in range(TRIES):
        schedule, now = _any(services, tenant, schedule_id), services.now()
        if schedule.deleted_at is not None or services.schedule_store.delete(schedule, now, now + KEPT):
            take_off(services, schedule)
            return {"id": schedule_id, "object": "schedule.deleted", "deleted": True}
    raise StaleRecord(f"{schedule_id} is renamed by many at once")


def run_schedule(
    services: Services, tenant: str, schedule_id: str, idempotency_key: str | None = None
) -> dict[str, Any]:
    """Fire a schedule now, beside its times, and show the firing; its batch is made a moment later."""
    schedule = own(services, tenant, schedule_id)
    moment = services.clock()
    # with milliseconds: firings are listed by their keys, and two may be in one second
    key = key_of(int(moment), f"run-{int(moment % 1 * 1_000):03}-{secrets.token_hex(8)}")
    if idempotency_key is not None:
        token = _id_of(tenant, f"{schedule_id}\0run\0{idempotency_key}")
        key = services.idempotency_store.remember(token, FirstUse(key, schedule_id), services.now() + KEPT).batch_id
    fired = services.schedule_store.firing(schedule, key)
    if fired is None:
        fired = _begin(services, schedule, key)
    if fired.state != ENDED:
        services.trigger_function.invoke({"tenant": tenant, "schedule_id": schedule_id, "firing": key})
    return {"schedule_id": schedule_id, **shape_of_firing(fired)}


def _begin(services: Services, schedule: Schedule, key: str) -> Firing:
    now = services.now()
    fired = Firing(key=key, began_at=now, expires_at_ttl=now + services.settings.record_days * DAY)
    try:
        if schedule.open is None:
            services.schedule_store.begin(schedule, fired)
            return fired
        reason = waits_for(services, schedule)
        why = f"It waits: {reason}." if reason else "Its batch is being made."
    except StaleRecord:
        why = "It has just begun."
    message = f"Another firing of this schedule is under way. {why} Run the schedule once that firing is over."
    raise ApiError(HTTPStatus.CONFLICT, message, code="schedule_is_firing")


def schedule_batches(
    services: Services, tenant: str, schedule_id: str, after: str | None, limit: str | None
) -> dict[str, Any]:
    """List the batches that a schedule made, newest firing first, behind the batch `after`; also of a deleted one."""
    schedule, count = _any(services, tenant, schedule_id), page_limit(limit, *LIMITS)
    behind = _firing_of(services, schedule, after) if after is not None else None
    made = services.schedule_store.firings_with_batch(schedule, behind)
    batches = (services.batch_store.find_batch(each.batch_id or "") for each in made)
    found = list(islice((batch for batch in batches if batch), count + 1))
    return page([shape_of_batch(batch) for batch in found[:count]], more=len(found) > count > 0)


def _firing_of(services: Services, schedule: Schedule, batch_id: str) -> str:
    batch = services.batch_store.find_batch(batch_id) if re.fullmatch("batch_[0-9a-f]{32}", batch_id) else None
    whose, _, key = ((batch and batch.firing) or "").partition("/")
    if whose != schedule.schedule_id:
        message = f"This schedule has made no batch with id '{batch_id[:64]}'."
        raise ApiError(HTTPStatus.NOT_FOUND, message)
    return key


def shape(services: Services, schedule: Schedule) -> dict[str, Any]:
    """Shape a schedule as the HTTP API shows it; times are Unix seconds."""
    return {
        "id": schedule.schedule_id,
        "object": "schedule",
        **rules.body_of(schedule),
        "created_at": schedule.created_at,
        "next_firing_at": times_of(schedule).next(services.now()),
        "waits_for": waits_for(services, schedule),
        "last_firing": _last(schedule),
    }


def _last(schedule: Schedule) -> dict[str, Any] | None:
    if schedule.last is None:
        return None
    batch_id = schedule.last_batch_id if schedule.last_batch_of == schedule.last else None
    fired = Firing(
        key=schedule.last, state=ENDED, began_at=0, batch_id=batch_id, reason=schedule.last_reason, expires_at_ttl=0
    )
    return shape_of_firing(fired)


def shape_of_firing(fired: Firing) -> dict[str, Any]:
    """Shape a firing: its scheduled time, where it stands, and its batch, or why there is none."""
    names = ("state", "batch_id", "reason")
    shown = {name: getattr(fired, name) for name in names}
    return {"id": fired.key, "object": "schedule.firing", "scheduled_for": fired.at, **shown}


def unknown(schedule_id: str) -> ApiError:
    """Make the error of a schedule that the tenant does not have."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No schedule found with id '{schedule_id[:64]}'.")


def _any(services: Services, tenant: str, schedule_id: str) -> Schedule:
    """Read a schedule of the tenant, also one that was deleted; raises ApiError 404."""
    if not re.fullmatch(rules.SCHEDULE_ID, schedule_id):
        raise unknown(schedule_id)
    try:
        return services.schedule_store.schedule(tenant, schedule_id)
    except NotFound as error:
        raise unknown(schedule_id) from error


def own(services: Services, tenant: str, schedule_id: str) -> Schedule:
    """Read a schedule of the tenant; raises ApiError 404, also of one that was deleted."""
    found = _any(services, tenant, schedule_id)
    if found.deleted_at is not None:
        raise unknown(schedule_id)
    return found
