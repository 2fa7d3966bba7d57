"""The clock tells that a schedule is to fire, somebody asked for it, or a batch of it has ended."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from batchyard.adapters.stores.schedule_record import Firing
from batchyard.domain.errors import StaleRecord
from batchyard.domain.numbers import MINUTE
from batchyard.domain.step import OutOfTime
from batchyard.observability import logger
from batchyard.schedules import firing, upkeep
from batchyard.services import Services

USUAL: Final = 15 * MINUTE  # of a process that does not say how long it may work: a function has as much


def trigger(
    services: Services, event: Mapping[str, Any], seconds_left: Callable[[], float] | None = None
) -> str | None:
    """Fire a schedule for the time that an event names, go on with the firing it names, or else do what was left undone.

    The end of a batch is an event of the bus, and leaves undone the firing that waited for it.
    Return the id of the batch that was made, if there is one.
    """
    ended, until = event.get("detail"), services.clock() + USUAL
    left = seconds_left or (lambda: until - services.clock())
    tenant, schedule_id = (ended["tenant"], ended["schedule"]) if ended else (event["tenant"], event["schedule_id"])
    logger.append_keys(schedule_id=schedule_id)
    try:
        if "scheduled_at" in event:
            at = int(datetime.fromisoformat(event["scheduled_at"]).timestamp())
            fired = firing.tell(services, tenant, schedule_id, at, left)
        elif "firing" in event:
            fired = _asked(services, tenant, schedule_id, event["firing"], left)
        else:
            fired = upkeep.catch_up(services, tenant, schedule_id, left)
    except StaleRecord:
        logger.info("somebody else sees to it")  # and does so now: nothing is left undone
        return None
    except OutOfTime:
        logger.info("the firing goes on in another invocation")  # the sweep sees to that
        return None
    return fired.batch_id if fired else None


def _asked(
    services: Services, tenant: str, schedule_id: str, key: str, seconds_left: Callable[[], float]
) -> Firing | None:
    """Go on with a firing that the API began, unless somebody else has done so."""
    schedule = services.schedule_store.schedule(tenant, schedule_id)
    if schedule.open == key:
        return firing.go_on(services, schedule, seconds_left)
    return services.schedule_store.firing(schedule, key)
