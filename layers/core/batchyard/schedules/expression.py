"""When a schedule fires: rate(…), cron(…) and at(…), as EventBridge Scheduler reads them; and in which hours it may."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from batchyard.domain.numbers import DAY, HOUR, MINUTE
from batchyard.schedules import cron

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

UTC_ZONE: Final = "UTC"
UNITS: Final = {"minute": MINUTE, "hour": HOUR, "day": DAY}
LONGEST: Final = 256  # characters, of EventBridge Scheduler
LONGEST_ZONE: Final = 50
LONGEST_RATE: Final = 366 * DAY
#: Files of a time zone database that are no zone of the IANA's, and folders that repeat its zones in another way.
NO_ZONES: Final = frozenset({"Factory", "localtime", "posixrules"})
OTHER_FOLDERS: Final = ("posix/", "right/")
FORMS: Final = "rate(1 day), cron(0 2 * * ? *) or at(2026-12-31T08:00:00)"


class Times(Protocol):
    """The times at which a schedule fires, in Unix seconds."""

    def next(self, after: float) -> int | None:
        """Return the first time after this one; None if there is none."""
        ...

    def last(self, until: float) -> int | None:
        """Return the last time that is not after this one; None if there is none."""
        ...


class Rate(msgspec.Struct, frozen=True):
    """Times at one distance of each other; the first is one distance after the minute in which the schedule was made."""

    seconds: int
    start: int

    def next(self, after: float) -> int:
        """Return the first time after this one."""
        return self.start + self.seconds * max(1, int(after - self.start) // self.seconds + 1)

    def last(self, until: float) -> int | None:
        """Return the last time that is not after this one; None if there is none."""
        passed = int(until - self.start) // self.seconds
        return self.start + self.seconds * passed if passed >= 1 else None


class Once(msgspec.Struct, frozen=True):
    """One time."""

    at: int

    def next(self, after: float) -> int | None:
        """Return the time if it is after this one."""
        return self.at if self.at > after else None

    def last(self, until: float) -> int | None:
        """Return the time if it is not after this one."""
        return self.at if self.at <= until else None


class OnTheClock(msgspec.Struct, frozen=True):
    """The times of a cron expression on the clock of a place."""

    fields: cron.Cron
    zone: "ZoneInfo"

    def next(self, after: float) -> int | None:
        """Return the first time after this one; None if there is none for decades."""
        times = self._from(after, back=False)
        return next((found for found in times if found > after), None)

    def last(self, until: float) -> int | None:
        """Return the last time that is not after this one; None if there is none for decades."""
        times = self._from(until, back=True)
        return next((found for found in times if found <= until), None)

    def is_over(self, now: float) -> bool:
        """Tell whether there were times, and none is to come."""
        return self.last(now) is not None or max(self.fields.years) < datetime.fromtimestamp(now, self.zone).year

    def _from(self, moment: float, *, back: bool) -> Iterator[int]:
        day = datetime.fromtimestamp(moment, self.zone).date()
        for local in self.fields.from_(day, back=back):
            found = moment_of(local, self.zone)
            if found is not None:
                yield found


def parse(expression: str, zone: str, created_at: int) -> Times:
    """Read an expression in the time zone of this name; raises ValueError, which says what is wrong."""
    form = re.fullmatch(r"\s*(rate|cron|at)\((.+)\)\s*", expression)
    if form is None or len(expression) > LONGEST:
        raise ValueError(f"it must be like {FORMS}")
    kind, inside = form.groups()
    if kind == "rate":
        return Rate(_seconds(inside), created_at - created_at % MINUTE)
    if kind == "cron":
        return OnTheClock(cron.parse(inside), _zone(zone))
    return Once(_moment(inside, _zone(zone)))


def why_never(times: Times, now: float) -> str | None:
    """Say why there is no time to come; None if there is one."""
    if times.next(now) is not None:
        return None
    if isinstance(times, OnTheClock) and not times.is_over(now):
        return (
            f"there is no such time in {times.zone.key} in the next {cron.PATIENCE} years. Check day, month and year; "
            "and where the clock goes forward, it skips an hour"
        )
    return "its time is over. Name a time to come"


def _seconds(inside: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9}) (minute|hour|day)(s?)", inside)
    count = int(found[1]) if found else 0
    if found is None or count < 1:
        raise ValueError("a rate is a number and its unit, as in rate(1 hour) or rate(5 minutes)")
    if (count == 1) is bool(found[3]):
        right = f"rate({count} {found[2]}{'s' if count > 1 else ''})"
        raise ValueError(f"a rate is a number and its unit, of one or of several: write {right}")
    seconds = count * UNITS[found[2]]
    if seconds > LONGEST_RATE:
        raise ValueError("a rate is a year at most; cron(…) fires more rarely")
    return seconds


def _moment(inside: str, zone: "ZoneInfo") -> int:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", inside):
        raise ValueError("at takes a time as in at(2026-12-31T08:00:00); its zone is the member 'timezone'")
    try:
        local = datetime.fromisoformat(inside)
    except ValueError as error:
        raise ValueError(f"at({inside}) is no time: {error}") from error
    if not cron.YEAR.least <= local.year <= cron.YEAR.most:
        raise ValueError(f"at takes a year from {cron.YEAR.least} to {cron.YEAR.most}, not {inside[:4]}")
    found = moment_of(local, zone)
    if found is None:
        raise ValueError(
            f"at({inside}) does not exist in {zone.key}: the clock goes forward then. Name a time an hour later"
        )
    return found


def moment_of(local: datetime, zone: "ZoneInfo") -> int | None:
    """Return the moment of a time of the clock; None where the clock skips it. One that comes twice is the first of both."""
    there = local.replace(tzinfo=zone)
    moment = there.astimezone(UTC)
    return int(moment.timestamp()) if moment.astimezone(zone).replace(tzinfo=None) == local else None


def _zone(name: str) -> "ZoneInfo":
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few calls of the API need it, and each cold start would pay for the import

    return ZoneInfo(name)


def is_zone(name: str) -> bool:
    """Tell whether a time zone has this name in the database of the IANA, as EventBridge Scheduler takes it."""
    if name in NO_ZONES or name.startswith(OTHER_FOLDERS):
        return False
    if not 0 < len(name) <= LONGEST_ZONE or not name.isascii() or not name.isprintable():
        return False
    try:
        return bool(_zone(name))
    except (KeyError, ValueError, OSError):  # none, no name, or a folder of names
        return False


def within(hours: str, zone: str, moment: float) -> bool:
    """Tell whether a moment is within hours such as `22:00-06:00`, on the clock of this zone."""
    now = datetime.fromtimestamp(moment, _zone(zone)).strftime("%H:%M")
    begin, _, end = hours.partition("-")
    return begin <= now < end if begin < end else now >= begin or now < end


def are_hours(text: str) -> bool:
    """Tell whether a text is hours such as `22:00-06:00`."""
    clock = "([01][0-9]|2[0-3]):[0-5][0-9]"
    return bool(re.fullmatch(f"{clock}-{clock}", text)) and text[:5] != text[6:]


def minutes_of(hours: str) -> int:
    """Return how many minutes hours such as `22:00-06:00` have."""
    begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours.split("-"))
    return (end - begin) % (24 * 60)
