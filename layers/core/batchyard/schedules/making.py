"""The batch of a firing: of the newest version of one object, or of what came into a folder."""

from collections.abc import Callable
from typing import Any, Final

from batchyard.adapters.stores.schedule_record import Firing, Schedule
from batchyard.domain import nesting, object_keys
from batchyard.domain.batch import derived_id
from batchyard.domain.errors import NotFound
from batchyard.gathering.fire import WINDOW, fire
from batchyard.planning import new_batch
from batchyard.services import Services

GONE: Final = "there is no object s3://{}/{}"
EMPTY: Final = "no new file is in {}"


def make(
    services: Services, schedule: Schedule, firing: Firing, seconds_left: Callable[[], float]
) -> tuple[str | None, str | None]:
    """Make the batch of a firing and return its id, or else why there is none; the same however often it is called.

    Raises OutOfTime.
    """
    fired = f"{schedule.schedule_id}/{firing.key}"
    members: dict[str, Any] = {**nesting.decode(schedule.members), "firing": fired}
    if schedule.input_prefix is None:
        return _of_object(services, schedule, firing, schedule.input_key or "", members)
    owner = object_keys.owner_of_folder(schedule.input_prefix)
    if owner is None:
        raise ValueError(f"{schedule.input_prefix} is no gather folder")
    given = {WINDOW: schedule.completion_window, **members}
    batch = fire(services, *owner, fired, given, seconds_left=seconds_left)
    return (batch.batch_id, None) if batch else (None, EMPTY.format(schedule.input_prefix))


def _of_object(
    services: Services, schedule: Schedule, firing: Firing, key: str, members: dict[str, Any]
) -> tuple[str | None, str | None]:
    batch_id = derived_id("schedule", schedule.tenant, schedule.schedule_id, firing.key)
    known = services.batch_store.find_batch(batch_id)
    if known is not None:
        new_batch.start_execution(services, known, created=False)
        return batch_id, None
    try:
        source, _ = services.bucket.head(key)
    except NotFound:
        return None, GONE.format(services.settings.bucket, key)
    batch = new_batch.build(services, batch_id, schedule.tenant, source, schedule.completion_window, **members)
    error = new_batch.why_unaffordable(services, batch)
    if error is None:
        new_batch.start(services, batch)
    else:
        new_batch.refuse(services, batch, error)
    return batch_id, None
