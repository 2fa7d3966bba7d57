"""The records of schedules and of their firings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import through_conflicts, translated
from batchyard.adapters.stores.schedule_record import ENDED, MAKING, WAITING, Firing, Schedule
from batchyard.adapters.stores.table import ANY, INDEX, NEW, THERE, Table, behind, changing, members
from batchyard.domain.errors import StaleRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOT_NAMED: Final = "attribute_not_exists(schedule_id)"  # the condition of a name: no schedule has it
NOT_DELETED: Final = f"{THERE} AND attribute_not_exists(deleted_at)"
DELETED: Final = "attribute_exists(deleted_at)"
SAME: Final = f"{NOT_DELETED} AND revision = :seen"  # not changed since it was read
CHANGED: Final = (
    "name", "expression", "timezone", "input_key", "input_prefix", "completion_window", "members", "overlap", "gathering",
    "hours", "on_clock", "timed_at",
)  # fmt: skip
PAGE: Final = 101  # of firings: the longest page of the HTTP API, and whether there is more
ALL: Final = "SCHEDULES"  # the name of all schedules in the index: the sweep's list


class ScheduleStore(Table):
    """Read and write the records of schedules and firings; every change is conditional."""

    def create(self, schedule: Schedule, most: int) -> Schedule | None:
        """Record, count and name a new schedule and return it, or else the one that has its id or its name.

        None if its tenant has `most` schedules, and none of these.
        """
        key, fits = _key(schedule), "attribute_not_exists(#schedules) OR #schedules < :most"
        counted = changing(_count_key(schedule.tenant), {}, fits, {":most": most}, adds={"schedules": 1})
        try:
            self._together(
                {"Put": self._putting(key, {**members(schedule), **_listed(schedule)}, NEW)},
                self._update(counted),
                self._naming(schedule),
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

    def all(self, after: tuple[str, str] | None = None) -> Iterator[Schedule]:
        """Yield every schedule that is not wholly gone, as the index shows it, behind that of the tenant and the id `after`."""
        rest, start = behind("gsi1sk", after and _place(*after))
        items = self._query(f"gsi1pk = :all{rest}", {":all": ALL, **start}, IndexName=INDEX)
        return (msgspec.convert(item, Schedule) for item in items)

    def note_clock(self, schedule: Schedule) -> Schedule:
        """Record that EventBridge Scheduler has a schedule; raises StaleRecord if it was changed or deleted meanwhile.

        Whoever changes the times meanwhile finds another revision; nobody does while a new schedule has its first one.
        """
        more = {"revision": 1} if schedule.revision else {}
        seen = {":seen": schedule.revision}
        noted = changing(_key(schedule), {"on_clock": True}, SAME, seen, adds=more, removed=["doubted_at"])
        return msgspec.convert(self._change(noted), Schedule)

    def doubt_clock(self, schedule: Schedule, now: int) -> Schedule:
        """Record that the clock may have other times than the record; raises StaleRecord as `note_clock` does."""
        sets, seen = {"on_clock": False, "doubted_at": now}, {":seen": schedule.revision}
        doubted = changing(_key(schedule), sets, SAME, seen, adds={"revision": 1})
        return msgspec.convert(self._change(doubted), Schedule)

    def change(self, schedule: Schedule, new: Schedule, now: int) -> Schedule:
        """Record other members of a schedule; raises StaleRecord as `note_clock` does, or if another has its new name."""
        told = {name: getattr(new, name) for name in CHANGED}
        sets = {name: value for name, value in told.items() if value is not None}
        gone = [name for name in told if name not in sets]
        change = changing(_key(schedule), sets, SAME, {":seen": schedule.revision}, adds={"revision": 1},
                          removed=[*gone, *(["doubted_at"] if new.on_clock else [])])  # fmt: skip
        renamed = () if new.name == schedule.name else (self._naming(new), self._unnaming(schedule, now))
        self._together(self._update(change), *renamed)
        return self.schedule(schedule.tenant, schedule.schedule_id)

    def delete(self, schedule: Schedule, now: int, expires_at: int, *, if_off_clock: bool = False) -> bool:
        """Record that a schedule is deleted, count it no more and free its name; False if that was done before.

        Also False if the schedule has another name meanwhile, or, with `if_off_clock`, if it is on the clock.
        """
        gone = {"deleted_at": now, "expires_at_ttl": expires_at}
        kept = NOT_DELETED + (" AND on_clock = :off" if if_off_clock else "")
        try:
            self._together(
                self._update(changing(_key(schedule), gone, kept, {":off": False} if if_off_clock else {})),
                self._update(changing(_count_key(schedule.tenant), {}, ANY, adds={"schedules": -1})),
                self._unnaming(schedule, now),
            )
        except StaleRecord:
            return False
        return True

    def note_gone(self, schedule: Schedule) -> None:
        """Record that nothing fires a deleted schedule any more, and the sweep need not look at it.

        Raises StaleRecord if the schedule is not deleted.
        """
        self._change(changing(_key(schedule), {"on_clock": False}, DELETED, removed=["gsi1pk", "gsi1sk"]))

    def list_again(self, schedule: Schedule) -> None:
        """Have the sweep look at a deleted schedule again: something still fires it. Raises StaleRecord as `note_gone` does."""
        self._change(changing(_key(schedule), _listed(schedule), DELETED))

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

    def make(self, schedule: Schedule, firing: Firing, content: str) -> None:
        """Record that the firing under way becomes a batch of this; raises StaleRecord if somebody else decided about it."""
        self._decide(schedule, firing, {"state": MAKING, "content": content}, {"open": firing.key})  # as it is

    def end(self, schedule: Schedule, firing: Firing, batch_id: str | None, reason: str | None) -> None:
        """Record what became of the firing under way; raises StaleRecord if somebody else decided about it."""
        made = {"last_batch_id": batch_id, "last_batch_of": firing.key} if batch_id else {}
        sets = {"last": firing.key, "last_reason": reason, **made}
        ended = {
            "state": ENDED,
            "batch_id": batch_id,
            "reason": reason,
            **(_place_of(schedule, firing.key) if batch_id else {}),
        }
        self._decide(schedule, firing, ended, sets, removed=["open", "waits_for"])

    def _decide(
        self, schedule: Schedule, firing: Firing, told: Mapping[str, object], sets: Mapping[str, object], *,
        removed: tuple[str, ...] | list[str] = (),
    ) -> None:  # fmt: skip
        still = {":open": firing.key}
        change = changing(_key(schedule), sets, "#open = :open", still, removed=removed)
        same = changing(_firing_key(schedule, firing.key), told, "#state = :seen", {":seen": firing.state})
        self._together(self._update(same), self._update(change))

    def firing(self, schedule: Schedule, key: str) -> Firing | None:
        """Read a firing; None if it is not known."""
        found = self._find(_firing_key(schedule, key))
        return msgspec.convert(found, Firing) if found else None

    def firings_with_batch(self, schedule: Schedule, after: str | None) -> Iterator[Firing]:
        """Yield the firings of a schedule with a batch, newest first, behind the firing `after`, as the index shows them."""
        rest, start = behind("gsi1sk", after, newest_first=True)
        of_schedule = {":made": _place_of(schedule, "")["gsi1pk"], **start}
        items = self._query(f"gsi1pk = :made{rest}", of_schedule, page=PAGE, IndexName=INDEX, ScanIndexForward=False)
        return (msgspec.convert(item, Firing) for item in items)

    def _naming(self, schedule: Schedule) -> dict[str, Any]:
        return {"Put": self._putting(_name_key(schedule), {"schedule_id": schedule.schedule_id}, NOT_NAMED)}

    def _unnaming(self, schedule: Schedule, now: int) -> dict[str, Any]:
        own, removed = {":own": schedule.schedule_id}, ["schedule_id"]
        return self._update(
            changing(_name_key(schedule), {"expires_at_ttl": now}, "schedule_id = :own", own, removed=removed)
        )

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


def _listed(schedule: Schedule) -> dict[str, str]:
    return {"gsi1pk": ALL, "gsi1sk": _place(schedule.tenant, schedule.schedule_id)}


def _place(tenant: str, schedule_id: str) -> str:
    return f"{tenant}#{schedule_id}"


def _place_of(schedule: Schedule, key: str) -> dict[str, str]:
    """Name the place of a firing in the index, among those of its schedule that made a batch."""
    return {"gsi1pk": f"FIRINGS#{schedule.schedule_id}", "gsi1sk": key}


def _count_key(tenant: str) -> dict[str, str]:
    return {"pk": f"SCHEDULES#{tenant}", "sk": "COUNT"}


def _name_key(schedule: Schedule) -> dict[str, str]:
    return _name_key_of(schedule.tenant, schedule.name)


def _name_key_of(tenant: str, name: str) -> dict[str, str]:
    return {"pk": f"SCHEDULES#{tenant}", "sk": f"NAME#{name}"}


def _firing_key(schedule: Schedule, key: str) -> dict[str, str]:
    return {"pk": f"FIRINGS#{schedule.schedule_id}", "sk": key}
