"""How much must wait in a folder before a schedule gathers it, and how much, or how long, starts a batch between its times."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import invalid_request
from batchyard.domain.numbers import DAY, MINUTE
from batchyard.domain.step import OutOfTime
from batchyard.gathering.waiting import TIME_TO_COUNT, Waiting, count_waiting, rests
from batchyard.services import Services

LARGEST: Final = 10**15
LONGEST_WAIT: Final = 60 * DAY
EARLY: Final = ("start_at_lines", "start_at_bytes", "max_wait")  # they start a batch between the times of the clock


class Thresholds(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a schedule asks for; None where it asks for nothing."""

    #: A firing of the clock with less than this makes no batch.
    min_lines: int | None = None
    min_bytes: int | None = None
    #: So much starts a batch at once.
    start_at_lines: int | None = None
    start_at_bytes: int | None = None
    #: Seconds that a file may wait: then a batch is made, whatever the rest says.
    max_wait: int | None = None

    @property
    def counts_lines(self) -> bool:
        """Tell whether lines must be counted, for which the files are read."""
        return self.min_lines is not None or self.start_at_lines is not None

    @property
    def may_start(self) -> bool:
        """Tell whether a batch may begin between the times of the clock."""
        return any(getattr(self, name) is not None for name in EARLY)


MEMBERS: Final = Thresholds.__struct_fields__


def read(body: Mapping[str, Any]) -> str | None:
    """Read the thresholds of a body as the record keeps them, None if it names none; raises ApiError 400."""
    given = {name: body[name] for name in MEMBERS if body.get(name) is not None}
    for name, value in given.items():
        least, most = (MINUTE, LONGEST_WAIT) if name == "max_wait" else (1, LARGEST)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            unit = " of seconds" if name == "max_wait" else ""
            message = f"'{name}' must be a whole number{unit} from {least} to {most}."
            raise invalid_request(BatchError("invalid_value", message, name))
    for unit in ("lines", "bytes"):
        start, fewest = given.get(f"start_at_{unit}"), given.get(f"min_{unit}")
        if start is not None and fewest is not None and start < fewest:
            message = f"'start_at_{unit}' must be at least 'min_{unit}', {fewest}."
            raise invalid_request(BatchError("invalid_value", message, f"start_at_{unit}"))
    if body.get("dry_run") and (early := [name for name in EARLY if name in given]):
        message = (
            f"'{early[0]}' does not go with 'dry_run', which takes no file: the same ones would start a batch "
            "every few minutes. Leave one of them out."
        )
        raise invalid_request(BatchError("invalid_value", message, early[0]))
    return msgspec.json.encode(given).decode() if given else None


def of(schedule: Schedule) -> Thresholds:
    """Return the thresholds of a schedule."""
    return msgspec.json.decode(schedule.gathering or "{}", type=Thresholds)


class Held(NamedTuple):
    """Why a firing makes no batch now, or none at all."""

    reason: str
    for_good: bool


def too_few(services: Services, schedule: Schedule, seconds_left: Callable[[], float]) -> Held | None:
    """Say that less waits than a firing of the clock asks for, and how much; None if enough waits, or waits for too long.

    While lines are still being counted, the firing waits for that. Raises OutOfTime where a look may take longer than is left.
    """
    asked = of(schedule)
    if asked.min_lines is None and asked.min_bytes is None:
        return None
    if seconds_left() < TIME_TO_COUNT:
        raise OutOfTime
    found = _count(services, schedule, asked)
    if _too_long(services, asked, found):
        return None
    for unit, least in (("lines", asked.min_lines), ("bytes", asked.min_bytes)):
        waits = getattr(found, unit)
        if least is None or waits >= least:
            continue
        if found.unlisted:
            return Held(listing(schedule), for_good=False)
        if unit == "lines" and found.uncounted:
            return Held(counting(schedule), for_good=False)
        return Held(f"{waits} of at least {least} {unit} wait in {schedule.input_prefix}", for_good=True)
    return None


def listing(schedule: Schedule) -> str:
    """Say that a firing waits for its files to be listed."""
    return f"the files that wait in {schedule.input_prefix} are still being listed"


def counting(schedule: Schedule) -> str:
    """Say that a firing waits for its lines to be counted."""
    return f"the lines that wait in {schedule.input_prefix} are still being counted"


def must_start(services: Services, schedule: Schedule) -> bool:
    """Tell whether so much waits, or for so long, that a batch begins between the times of the clock.

    The files of a refused batch are left to the clock: else they would make a refused batch at every count, without end. A
    count that cost much is followed by a rest.
    """
    asked = of(schedule)
    if not asked.may_start or rests(services, schedule.schedule_id):
        return False
    found = _count(services, schedule, asked, only_new=True)
    return _too_long(services, asked, found) or any(
        start is not None and waits >= start
        for start, waits in ((asked.start_at_lines, found.lines), (asked.start_at_bytes, found.bytes))
    )


def _too_long(services: Services, asked: Thresholds, found: Waiting) -> bool:
    return asked.max_wait is not None and found.since is not None and services.now() - found.since >= asked.max_wait


def _count(services: Services, schedule: Schedule, asked: Thresholds, *, only_new: bool = False) -> Waiting:
    return count_waiting(
        services, schedule.input_prefix or "", with_lines=asked.counts_lines, only_new=only_new,
        watcher=schedule.schedule_id,
    )  # fmt: skip
