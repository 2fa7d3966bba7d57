"""Schedules that a call left off the clock or on it, and firings that wait, were left, or were missed by the clock."""

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.recovery.sweep_run import SweepRun
from batchyard.schedules.upkeep import mend, must_fire, was_missed


def see_to_schedules(run: SweepRun) -> None:
    """Mend each schedule that needs it, and have those fire that must."""
    for schedule in run.services.schedule_store.all():
        if run.over():
            return
        with run.trying(schedule_id=schedule.schedule_id):
            _see_to(run, schedule)


def _see_to(run: SweepRun, schedule: Schedule) -> None:
    whose = {"tenant": schedule.tenant, "schedule_id": schedule.schedule_id}
    if mend(run.services, schedule):
        run.count("SchedulesMended", **whose)
    if must_fire(schedule, run.services.now()):
        run.services.trigger_function.invoke(whose)
        if was_missed(schedule, run.services.now()):
            run.count("FiringsCaughtUp", **whose)
