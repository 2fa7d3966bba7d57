"""Batches whose execution is dead: started anew, and given up when that does not help."""

from typing import Final

from batchyard.adapters.executions import execution_name
from batchyard.domain.batch import Batch
from batchyard.recovery.sweep_run import SweepRun
from batchyard.shards.fail import fail_batch

ALIVE: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})
# An execution lasts as long as the work files it needs, so what ran out of time is not started again.
FINAL: Final = "TIMED_OUT"
MOST_RESTARTS: Final = 3


def revive(run: SweepRun, batch: Batch) -> None:
    """See that a batch which has not ended has an execution; whatever ended the last one, the records tell where to go on.

    An execution is stopped by hand to be started anew: who wants a batch to end cancels it. A restart is counted before
    it is made, and its name follows from the count, so that two workers make one.
    """
    services, batch_id = run.services, batch.batch_id
    if execution_name(batch_id, batch.restarts) in run.running:
        return
    status = services.executions.status(batch_id, batch.restarts)
    if status in ALIVE:
        return
    if status is None:
        services.executions.start(batch_id, batch.restarts)
        services.event_bus.announce(batch)  # whoever ended before it could start the batch may not have told of it
        run.count("ExecutionsStarted", batch_id=batch_id)
    elif status == FINAL or batch.restarts >= MOST_RESTARTS:
        cause = f"The execution ended {status}, after {batch.restarts} restarts."
        fail_batch(services, batch_id, {"Error": "ExecutionEnded", "Cause": cause})
        run.count("BatchesGivenUp", batch_id=batch_id)
    elif services.sweep_store.restart(batch_id, batch.restarts):
        services.executions.start(batch_id, batch.restarts + 1)
        run.count("ExecutionsRestarted", batch_id=batch_id, ended=status, restarts=batch.restarts + 1)
