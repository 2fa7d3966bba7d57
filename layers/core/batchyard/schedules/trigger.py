"""The clock tells that a schedule is to fire, or somebody asked for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from batchyard.adapters.stores.schedule_store import Firing
from batchyard.domain.errors import StaleRecord
from batchyard.domain.step import OutOfTime
from batchyard.observability import logger
from batchyard.schedules import firing, upkeep
from batchyard.services import Services


def trigger(services: Services, event: Mapping[str, Any]) -> str | None:
    """Fire a schedule for the time that an event names, go on with the firing it names, or else do what was left undone.

    Return the id of the batch, if there is one.
    """
    logger.append_keys(schedule_id=event["schedule_id"])
    tenant, schedule_id = event["tenant"], event["schedule_id"]
    try:
        if "scheduled_at" in event:
            at = int(datetime.fromisoformat(event["scheduled_at"]).timestamp())
            fired = firing.tell(services, tenant, schedule_id, at)
        elif "firing" in event:
            fired = _asked(services, tenant, schedule_id, event["firing"])
        else:
            fired = upkeep.catch_up(services, tenant, schedule_id)
    except StaleRecord:
        logger.info("somebody else sees to it")  # and does so now: nothing is left undone
        return None
    except OutOfTime:
        logger.info("gathering goes on in another invocation")  # the sweep sees to that
        return None
    return fired.batch_id if fired else None


def _asked(services: Services, tenant: str, schedule_id: str, key: str) -> Firing | None:
    """Go on with a firing that the API began, unless somebody else has done so."""
    schedule = services.schedule_store.schedule(tenant, schedule_id)
    return firing.go_on(services, schedule) if schedule.open == key else services.schedule_store.firing(schedule, key)
