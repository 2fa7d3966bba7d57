"""Schedules and firings in memory, and a clock that only notes what it was given."""

from collections.abc import Iterator, Mapping

import msgspec

from batchyard.adapters.schedule_clock import ScheduleClock
from batchyard.adapters.stores.schedule_record import ENDED, MAKING, WAITING, Firing, Schedule
from batchyard.adapters.stores.schedule_store import CHANGED, ScheduleStore
from batchyard.domain.errors import InvalidSchedule, NotFound, StaleRecord


class MemoryScheduleStore(ScheduleStore):
    """Schedules and firings in dictionaries, under the real ones' conditions."""

    def __init__(self) -> None:
        self.known: dict[str, Schedule] = {}
        self.fired: dict[tuple[str, str], Firing] = {}
        self.gone: set[str] = set()
        self.names: dict[tuple[str, str], str] = {}

    def create(self, schedule: Schedule, most: int) -> Schedule | None:
        there = self.schedules(schedule.tenant)
        taken = self.known.get(schedule.schedule_id) or self.named(schedule.tenant, schedule.name)
        if taken is not None or len(there) >= most:
            return taken
        self.known[schedule.schedule_id] = schedule
        self.names[schedule.tenant, schedule.name] = schedule.schedule_id
        return schedule

    def named(self, tenant: str, name: str) -> Schedule | None:
        holder = self.names.get((tenant, name))
        return self.known[holder] if holder is not None else None

    def schedule(self, tenant: str, schedule_id: str) -> Schedule:
        found = self.known.get(schedule_id)
        if found is None or found.tenant != tenant:
            raise NotFound(schedule_id)
        return found

    def schedules(self, tenant: str) -> list[Schedule]:
        there = [each for each in self.known.values() if each.tenant == tenant and each.deleted_at is None]
        return sorted(there, key=lambda each: (each.created_at, each.schedule_id), reverse=True)

    def all(self, after: tuple[str, str] | None = None) -> Iterator[Schedule]:
        there = {f"{each.tenant}#{each.schedule_id}": each for each in self.known.values()}
        places = sorted(place for place, each in there.items() if each.schedule_id not in self.gone)
        return iter([there[place] for place in places if after is None or place > "#".join(after)])

    def note_clock(self, schedule: Schedule) -> Schedule:
        revision = self._same(schedule).revision
        return self._changed(schedule, on_clock=True, doubted_at=None, revision=revision + 1 if revision else revision)

    def doubt_clock(self, schedule: Schedule, now: int) -> Schedule:
        revision = self._same(schedule).revision + 1
        return self._changed(schedule, on_clock=False, doubted_at=now, revision=revision)

    def change(self, schedule: Schedule, new: Schedule, now: int) -> Schedule:  # noqa: ARG002 - a name's record expires by it
        there, holder = self._same(schedule), self.named(schedule.tenant, new.name)
        if holder is not None and holder.schedule_id != schedule.schedule_id:
            raise StaleRecord(new.name)
        self._unname(schedule)
        self.names[schedule.tenant, new.name] = schedule.schedule_id
        told = {name: getattr(new, name) for name in CHANGED}
        doubted_at = None if new.on_clock else there.doubted_at
        return self._changed(schedule, **told, revision=there.revision + 1, doubted_at=doubted_at)

    def _unname(self, schedule: Schedule) -> None:
        """Free the name that a schedule had when it was read; raises StaleRecord if it has another one now."""
        if self.names.get((schedule.tenant, schedule.name)) != schedule.schedule_id:
            raise StaleRecord(schedule.name)
        del self.names[schedule.tenant, schedule.name]

    def _same(self, schedule: Schedule) -> Schedule:
        there = self.known[schedule.schedule_id]
        if there.deleted_at is not None or there.revision != schedule.revision:
            raise StaleRecord(schedule.schedule_id)
        return there

    def delete(self, schedule: Schedule, now: int, expires_at: int, *, if_off_clock: bool = False) -> bool:
        there = self.known[schedule.schedule_id]
        if there.deleted_at is not None or (if_off_clock and there.on_clock):
            return False
        try:
            self._unname(schedule)
        except StaleRecord:
            return False
        self._changed(schedule, deleted_at=now, expires_at_ttl=expires_at)
        return True

    def note_gone(self, schedule: Schedule) -> None:
        if self.known[schedule.schedule_id].deleted_at is None:
            raise StaleRecord(schedule.schedule_id)
        self._changed(schedule, on_clock=False)
        self.gone.add(schedule.schedule_id)

    def list_again(self, schedule: Schedule) -> None:
        if self.known[schedule.schedule_id].deleted_at is None:
            raise StaleRecord(schedule.schedule_id)
        self.gone.discard(schedule.schedule_id)

    def begin(self, schedule: Schedule, firing: Firing) -> None:
        now = self.known[schedule.schedule_id]
        if now.open is not None or now.deleted_at is not None:
            raise StaleRecord(firing.key)
        self._record(schedule, firing, open=firing.key)

    def pass_over(self, schedule: Schedule, firing: Firing) -> None:
        if self.known[schedule.schedule_id].open != schedule.open:
            raise StaleRecord(firing.key)
        self._record(schedule, firing)

    def _record(self, schedule: Schedule, firing: Firing, **changes: object) -> None:
        stale = self.known[schedule.schedule_id].fired_for != schedule.fired_for
        if stale or (schedule.schedule_id, firing.key) in self.fired:
            raise StaleRecord(firing.key)
        self.fired[schedule.schedule_id, firing.key] = firing
        self._changed(schedule, fired_for=firing.counted(schedule.fired_for), **changes)

    def wait(self, schedule: Schedule, firing: Firing, reason: str) -> None:
        self._settle(schedule, firing, {"state": WAITING, "reason": reason}, {"waits_for": reason})

    def make(self, schedule: Schedule, firing: Firing, content: str) -> None:
        self._settle(schedule, firing, {"state": MAKING, "content": content}, {})

    def end(self, schedule: Schedule, firing: Firing, batch_id: str | None, reason: str | None) -> None:
        made = {"last_batch_id": batch_id, "last_batch_of": firing.key} if batch_id else {}
        told = {"last": firing.key, "last_reason": reason, "open": None, "waits_for": None, **made}
        self._settle(schedule, firing, {"state": ENDED, "batch_id": batch_id, "reason": reason}, told)

    def _settle(self, schedule: Schedule, firing: Firing, told: dict[str, object], sets: Mapping[str, object]) -> None:
        key = schedule.schedule_id, firing.key
        if self.known[schedule.schedule_id].open != firing.key or self.fired[key].state != firing.state:
            raise StaleRecord(firing.key)
        self.fired[key] = msgspec.structs.replace(self.fired[key], **told)
        self._changed(schedule, **sets)

    def _changed(self, schedule: Schedule, **changes: object) -> Schedule:
        self.known[schedule.schedule_id] = msgspec.structs.replace(self.known[schedule.schedule_id], **changes)
        return self.known[schedule.schedule_id]

    def firing(self, schedule: Schedule, key: str) -> Firing | None:
        return self.fired.get((schedule.schedule_id, key))

    def firings_with_batch(self, schedule: Schedule, after: str | None) -> Iterator[Firing]:
        own = [(key, each) for (owner, key), each in self.fired.items() if owner == schedule.schedule_id]
        made = sorted(((key, each) for key, each in own if each.batch_id), key=lambda one: one[0], reverse=True)
        return (each for key, each in made if after is None or key < after)


class MemoryScheduleClock(ScheduleClock):
    """The schedules on the clock, with their times, and from when on each fires; `refuses` is why none can be read."""

    def __init__(self) -> None:
        self.on: dict[str, int | None] = {}
        self.times: dict[str, tuple[str, str]] = {}
        self.refuses = self.refuses_changes = ""

    def put(self, schedule: Schedule, start: int | None) -> None:
        refuses = self.refuses or self.refuses_changes
        if refuses and (
            self.refuses or self.times.get(schedule.schedule_id) != (schedule.expression, schedule.timezone)
        ):
            raise InvalidSchedule(refuses)
        if schedule.schedule_id not in self.on or schedule.revision:  # as AWS, which refuses to make what is there
            self.on[schedule.schedule_id] = start
            self.times[schedule.schedule_id] = (schedule.expression, schedule.timezone)

    def remove(self, schedule: Schedule) -> None:
        self.on.pop(schedule.schedule_id, None)
        self.times.pop(schedule.schedule_id, None)
