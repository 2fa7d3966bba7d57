"""Firings of gather folders that nobody brought to their end: their process died, and nobody called again."""

from typing import Final

from batchyard.gathering.fire import go_on
from batchyard.recovery.sweep_run import SweepRun

LATEST: Final = 1_200  # seconds after which no process works on a firing any more: a function runs for 900 at most


def end_firings(run: SweepRun) -> None:
    """Bring the firings that are open for long to their end."""
    now = run.services.now()
    for firing in run.services.gather_store.open_firings():
        if run.over():
            return
        if firing.created_at > now - LATEST:
            continue
        with run.trying(batch_id=firing.batch_id):
            go_on(run.services, firing)
            run.count("FiringsEnded", batch_id=firing.batch_id)
