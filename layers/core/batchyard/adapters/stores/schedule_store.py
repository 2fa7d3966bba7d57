"""The records of schedules and of their firings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import through_conflicts, translated
from batchyard.adapters.stores.table import ANY, INDEX, NEW, THERE, Table, behind, changing, members
from batchyard.domain.errors import StaleRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOT_NAMED: Final = "attribute_not_exists(schedule_id)"  # the condition of a name: no schedule has it
ALL: Final = "SCHEDULES"  # the name of all schedules in the index: the sweep's list
BEGAN, WAITING, MAKING, ENDED = "began", "waiting", "making", "ended"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The record `SCHEDULES#<tenant>` / `SCHEDULE#<id>`. Times are Unix seconds."""

    schedule_id: str
    tenant: str
    name: str
    #: `rate(…)`, `cron(…)` or `at(…)`, and the zone of its times.
    expression: str
    timezone: str
    created_at: int
    #: The object whose newest version each firing runs, or the folder whose new files it gathers.
    input_key: str | None = None
    input_prefix: str | None = None
    completion_window: str
    #: The members of each batch that the request named, as JSON text: the table holds whole numbers only.
    members: str
    #: A digest of the request's body.
    digest: str
    #: `skip` or `queue`: what a firing does while the batch before has not ended.
    overlap: str
    #: When a folder is gathered, as JSON text; None where nothing is said.
    gathering: str | None = None
    #: Hours of the clock in which batches may begin, as `22:00-06:00`.
    hours: str | None = None
    #: Whether EventBridge Scheduler fires it.
    on_clock: bool = False
    #: The scheduled time of the latest firing; at first, a minute before the schedule was made. An earlier one is none.
    fired_for: int
    #: The firing under way, and what it waits for.
    open: str | None = None
    waits_for: str | None = None
    #: The latest firing that ended.
    last: str | None = None
    last_reason: str | None = None
    #: The batch of the latest firing that made one.
    last_batch_id: str | None = None
    last_batch_of: str | None = None
    deleted_at: int | None = None
    #: When DynamoDB may drop the record.
    expires_at_ttl: int | None = None


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """The record `FIRINGS#<schedule id>` / `<key>`: one firing, which becomes one batch or none."""

    #: The scheduled time in ten digits, and what fired it if that was not the clock.
    key: str
    state: str = BEGAN
    began_at: int
    batch_id: str | None = None
    #: Why there is no batch, or none yet.
    reason: str | None = None
    expires_at_ttl: int

    @property
    def at(self) -> int:
        """Return the scheduled time."""
        return int(self.key.partition("#")[0])

    @property
    def by_clock(self) -> bool:
        """Tell whether a time of the schedule fired, and not a person or what waits."""
        return "#" not in self.key

    def counted(self, fired_for: int) -> int:
        """Return for which time of the clock a schedule has fired, with this firing."""
        return max(fired_for, self.at) if self.by_clock else fired_for


class ScheduleStore(Table):
    """Read and write the records of schedules and firings; every change is conditional."""

    def create(self, schedule: Schedule, most: int) -> Schedule | None:
        """Record, count and name a new schedule and return it, or else the one that has its id or its name.

        None if its tenant has `most` schedules, and none of these.
        """
        key, fits = _key(schedule), "attribute_not_exists(#schedules) OR #schedules < :most"
        counted = changing(_count_key(schedule.tenant), {}, fits, {":most": most}, adds={"schedules": 1})
        listed = {"gsi1pk": ALL, "gsi1sk": f"{schedule.tenant}#{schedule.schedule_id}"}
        try:
            self._together(
                {"Put": self._putting(key, {**members(schedule), **listed}, NEW)},
                self._update(counted),
                {"Put": self._putting(_name_key(schedule), {"schedule_id": schedule.schedule_id}, NOT_NAMED)},
            )
        except StaleRecord:
            found = self._find(key)
            return msgspec.convert(found, Schedule) if found else self.named(schedule.tenant, schedule.name)
        return schedule

    def named(self, tenant: str, name: str) -> Schedule | None:
        """Read the schedule of this name; None if the tenant has none."""
        holder = self._find(_name_key_of(tenant, name)).get("schedule_id")
        found = self._find(_key_of(tenant, holder)) if holder else {}
        return msgspec.convert(found, Schedule) if found else None

    def schedule(self, tenant: str, schedule_id: str) -> Schedule:
        """Read a schedule, also a deleted one; raises NotFound."""
        return msgspec.convert(self._get(_key_of(tenant, schedule_id)), Schedule)

    def schedules(self, tenant: str) -> list[Schedule]:
        """Return a tenant's schedules, newest first."""
        of_tenant = {":pk": f"SCHEDULES#{tenant}", ":schedule": "SCHEDULE#"}
        items = self._query("pk = :pk AND begins_with(sk, :schedule)", of_tenant, ConsistentRead=True)
        there = [each for item in items if (each := msgspec.convert(item, Schedule)).deleted_at is None]
        return sorted(there, key=lambda each: (each.created_at, each.schedule_id), reverse=True)

    def all(self) -> Iterator[Schedule]:
        """Yield every schedule that is not wholly gone, as the index shows it."""
        return (
            msgspec.convert(item, Schedule) for item in self._query("gsi1pk = :all", {":all": ALL}, IndexName=INDEX)
        )

    def note_clock(self, schedule: Schedule) -> Schedule:
        """Record that EventBridge Scheduler has a schedule; raises StaleRecord if the schedule was deleted."""
        kept = f"{THERE} AND attribute_not_exists(deleted_at)"
        return msgspec.convert(self._change(changing(_key(schedule), {"on_clock": True}, kept)), Schedule)

    def delete(self, schedule: Schedule, now: int, expires_at: int, *, if_off_clock: bool = False) -> bool:
        """Record that a schedule is deleted, count it no more and free its name; False if that was done before.

        With `if_off_clock`, also False if the schedule is on the clock.
        """
        gone = {"deleted_at": now, "expires_at_ttl": expires_at}
        kept = f"{THERE} AND attribute_not_exists(deleted_at)" + (" AND on_clock = :off" if if_off_clock else "")
        try:
            self._together(
                self._update(changing(_key(schedule), gone, kept, {":off": False} if if_off_clock else {})),
                self._update(changing(_count_key(schedule.tenant), {}, ANY, adds={"schedules": -1})),
                self._update(changing(_name_key(schedule), {"expires_at_ttl": now}, "schedule_id = :own",
                                      {":own": schedule.schedule_id}, removed=["schedule_id"])),
            )  # fmt: skip
        except StaleRecord:
            return False
        return True

    def note_gone(self, schedule: Schedule) -> None:
        """Record that nothing fires a deleted schedule any more: the sweep need not look at it."""
        self._change(changing(_key(schedule), {"on_clock": False}, THERE, removed=["gsi1pk", "gsi1sk"]))

    def begin(self, schedule: Schedule, firing: Firing) -> None:
        """Record a new firing and that it is under way; raises StaleRecord if it is known, or the schedule has changed."""
        sets = {"open": firing.key, "fired_for": firing.counted(schedule.fired_for)}
        free = "attribute_not_exists(#open) AND attribute_not_exists(deleted_at) AND fired_for = :seen"
        change = changing(_key(schedule), sets, free, {":seen": schedule.fired_for})
        self._write_both(self._putting(_firing_key(schedule, firing.key), members(firing), NEW), change)

    def pass_over(self, schedule: Schedule, firing: Firing) -> None:
        """Record a firing that is none, while another is under way; raises StaleRecord as `begin` does."""
        sets = {"fired_for": firing.counted(schedule.fired_for)}
        change = changing(_key(schedule), sets, "#open = :open AND fired_for = :seen",
                          {":open": schedule.open, ":seen": schedule.fired_for})  # fmt: skip
        self._write_both(self._putting(_firing_key(schedule, firing.key), members(firing), NEW), change)

    def wait(self, schedule: Schedule, firing: Firing, reason: str) -> None:
        """Record what the firing under way waits for; raises StaleRecord if somebody else decided about it."""
        self._decide(schedule, firing, {"state": WAITING, "reason": reason}, {"waits_for": reason})

    def make(self, schedule: Schedule, firing: Firing) -> None:
        """Record that the firing under way becomes a batch; raises StaleRecord if somebody else decided about it."""
        self._decide(schedule, firing, {"state": MAKING}, {})

    def end(self, schedule: Schedule, firing: Firing, batch_id: str | None, reason: str | None) -> None:
        """Record what became of the firing under way; raises StaleRecord if somebody else decided about it."""
        made = {"last_batch_id": batch_id, "last_batch_of": firing.key} if batch_id else {}
        sets = {"last": firing.key, "last_reason": reason, **made}
        ended = {"state": ENDED, "batch_id": batch_id, "reason": reason}
        self._decide(schedule, firing, ended, sets, removed=["open", "waits_for"])

    def _decide(
        self, schedule: Schedule, firing: Firing, told: Mapping[str, object], sets: Mapping[str, object], *,
        removed: tuple[str, ...] | list[str] = (),
    ) -> None:  # fmt: skip
        change = changing(_key(schedule), {"open": firing.key, **sets} if not removed else sets, "#open = :open",
                          {":open": firing.key}, removed=removed)  # fmt: skip
        same = changing(_firing_key(schedule, firing.key), told, "#state = :seen", {":seen": firing.state})
        self._together(self._update(same), self._update(change))

    def firing(self, schedule: Schedule, key: str) -> Firing | None:
        """Read a firing; None if it is not known."""
        found = self._find(_firing_key(schedule, key))
        return msgspec.convert(found, Firing) if found else None

    def firings(self, schedule: Schedule, after: str | None) -> Iterator[Firing]:
        """Yield the firings of a schedule, newest first, behind the firing `after`."""
        rest, start = behind("sk", after, newest_first=True)
        of_schedule = {":pk": _firing_key(schedule, "")["pk"], **start}
        items = self._query(f"pk = :pk{rest}", of_schedule, page=100, ConsistentRead=True, ScanIndexForward=False)
        return (msgspec.convert(item, Firing) for item in items)

    def _update(self, change: Mapping[str, Any]) -> dict[str, Any]:
        return {"Update": {"TableName": self._table, **change}}

    def _together(self, *writes: dict[str, Any]) -> None:
        both: Any = writes
        with translated("changing a schedule"):
            through_conflicts(lambda: self._dynamodb.transact_write_items(TransactItems=both))


def _key(schedule: Schedule) -> dict[str, str]:
    return _key_of(schedule.tenant, schedule.schedule_id)


def _key_of(tenant: str, schedule_id: str) -> dict[str, str]:
    return {"pk": f"SCHEDULES#{tenant}", "sk": f"SCHEDULE#{schedule_id}"}


def _count_key(tenant: str) -> dict[str, str]:
    return {"pk": f"SCHEDULES#{tenant}", "sk": "COUNT"}


def _name_key(schedule: Schedule) -> dict[str, str]:
    return _name_key_of(schedule.tenant, schedule.name)


def _name_key_of(tenant: str, name: str) -> dict[str, str]:
    return {"pk": f"SCHEDULES#{tenant}", "sk": f"NAME#{name}"}


def _firing_key(schedule: Schedule, key: str) -> dict[str, str]:
    return {"pk": f"FIRINGS#{schedule.schedule_id}", "sk": key}
