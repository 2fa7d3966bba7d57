"""Batches whose execution is dead: they are restarted, and drained if restarts do not help."""

from typing import Final

from batchyard.domain.batch import Batch, execution_name
from batchyard.recovery.sweep_run import SweepRun
from batchyard.services import Services
from batchyard.shards.fail import fail_batch

ALIVE: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})
# An execution runs as long as its work files are kept, so that one which ran out of time is not restarted.
FINAL: Final = "TIMED_OUT"
MOST_RESTARTS: Final = 3


def restart(run: SweepRun, batch: Batch) -> None:
    """Restart the execution of a batch that has not ended, if the execution is dead; the records tell where to go on.

    This holds for an execution that was stopped by hand, too: to end a batch, cancel it. A restart is counted before it is
    made, and the count names the execution, so that two workers make one restart.
    """
    services, batch_id = run.services, batch.batch_id
    if execution_name(batch_id, batch.restarts) in run.running:
        return
    status = services.executions.status(execution_name(batch_id, batch.restarts))
    if status in ALIVE:
        return
    if status is None:
        _start(services, batch_id, batch.restarts)
        services.event_bus.announce(batch)  # a worker that died before the start may not have announced the batch
        run.count("ExecutionsStarted", batch_id=batch_id)
    elif status == FINAL or batch.restarts >= MOST_RESTARTS:
        cause = f"The execution ended {status}, after {batch.restarts} restarts."
        fail_batch(services, batch_id, {"Error": "ExecutionEnded", "Cause": cause})
        run.count("BatchesGivenUp", batch_id=batch_id)
    elif services.sweep_store.restart(batch_id, batch.restarts):
        _start(services, batch_id, batch.restarts + 1)
        run.count("ExecutionsRestarted", batch_id=batch_id, ended=status, restarts=batch.restarts + 1)


def _start(services: Services, batch_id: str, restarts: int) -> None:
    services.executions.start(execution_name(batch_id, restarts), {"batch_id": batch_id})
