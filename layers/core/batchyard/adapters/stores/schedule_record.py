"""What is recorded of a schedule, and of each firing."""

from __future__ import annotations

from typing import Final

import msgspec

BEGAN, WAITING, MAKING, ENDED = "began", "waiting", "making", "ended"
#: The members of a schedule that its batches are made of.
MADE_OF: Final = ("input_key", "input_prefix", "completion_window", "members")


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
    #: Whether EventBridge Scheduler fires it, at the times of this record.
    on_clock: bool = False
    #: How often it was changed, or was about to be.
    revision: int = 0
    #: When its times were last changed: a rate counts from then, and no earlier time is due.
    timed_at: int | None = None
    #: Since when the clock may have other times than this record: when somebody last began to give it some.
    doubted_at: int | None = None
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

    @property
    def since(self) -> int:
        """Return from when on its times count."""
        return self.timed_at or self.created_at


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """The record `FIRINGS#<schedule id>` / `<key>`: one firing, which becomes one batch or none."""

    #: The scheduled time in ten digits, and what fired it if that was not the clock.
    key: str
    state: str = BEGAN
    began_at: int
    batch_id: str | None = None
    #: Why there is no batch, or none yet.
    reason: str | None = None
    #: What the batch is made of, as JSON text: the members of the schedule when it was decided that there is one.
    content: str | None = None
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
