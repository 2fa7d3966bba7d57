"""Schedules that a call left off the clock or on it, and firings that wait, were left, or were missed by the clock."""

from typing import Final

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.recovery.sweep_run import SweepRun
from batchyard.schedules.upkeep import mend, must_fire, was_missed

BOOKMARK: Final = "schedules"


def see_to_schedules(run: SweepRun) -> None:
    """Mend each schedule that needs it, and have those fire that must; the next run goes on behind the last."""
    sweep_store = run.services.sweep_store
    mark: list[str] | None = sweep_store.bookmark(BOOKMARK).get("after")
    after = (mark[0], mark[1]) if mark else None
    for schedule in run.services.schedule_store.all(after):
        if run.over():
            break
        with run.trying(schedule_id=schedule.schedule_id):
            _see_to(run, schedule)
        after = schedule.tenant, schedule.schedule_id
    else:
        after = None
    if (now := after and [*after]) != mark:
        sweep_store.keep_bookmark(BOOKMARK, {"after": now})


def _see_to(run: SweepRun, schedule: Schedule) -> None:
    whose = {"tenant": schedule.tenant, "schedule_id": schedule.schedule_id}
    if mend(run.services, schedule):
        run.count("SchedulesMended", **whose)
    if must_fire(schedule, run.services.now()):
        run.services.trigger_function.invoke(whose)
        if was_missed(schedule, run.services.now()):
            run.count("FiringsCaughtUp", **whose)
