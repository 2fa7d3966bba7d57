"""See to what events and executions left undone; each run is bounded in time, and goes on where the last one stopped."""

from collections.abc import Callable
from typing import Final

from batchyard.observability import publish
from batchyard.recovery.drain import drain
from batchyard.recovery.missed_uploads import start_missed
from batchyard.recovery.orphans import look_for_batches, look_for_files
from batchyard.recovery.restarts import revive
from batchyard.recovery.settle import settle
from batchyard.recovery.storage_audit import sum_up
from batchyard.recovery.sweep_run import SweepRun
from batchyard.recovery.token_audit import correct_ledgers
from batchyard.services import Services


def sweep(services: Services, seconds_left: Callable[[], float] = lambda: 600.0) -> dict[str, int]:
    """Do every chore of the sweep and return how often each action was taken, by the name of its metric.

    A chore that fails does not keep the others; what failed and is not the provider's fault is told by a StoreError.
    """
    run = SweepRun(services, seconds_left)
    for at, chore in enumerate(CHORES):
        run.allot(len(CHORES) - at)
        with run.trying(chore=chore.__name__):
            chore(run)
    return _ended(run)


def sweep_batch(services: Services, batch_id: str) -> dict[str, int]:
    """Do at once for one batch what the sweep would do: its execution is said to have ended badly."""
    run = SweepRun(services, lambda: 600.0)
    with run.trying(batch_id=batch_id):
        _see_to(run, batch_id)
    return _ended(run)


def _look_after(run: SweepRun) -> None:
    """See to the batches that are not settled, in the order of their ids and in turns.

    Executions are listed first, by the thousand: AWS allows some 15 looks at a single one a second.
    """
    run.running = run.services.executions.list_running()
    sweep_store, after = run.services.sweep_store, run.services.sweep_store.bookmark("batches").get("after")
    while not run.over():
        found = sweep_store.unsettled(after)
        for batch_id in found:
            if run.over():
                break
            with run.trying(batch_id=batch_id):
                _see_to(run, batch_id)
            after = batch_id
        if not found:
            after = None
            break
    sweep_store.keep_bookmark("batches", {"after": after})


def _see_to(run: SweepRun, batch_id: str) -> None:
    batch = run.services.batch_store.find_batch(batch_id)
    if batch is None:
        return  # its days are over
    if batch.ended:
        settle(run, batch)
    elif batch.drain_reason is not None:
        drain(run, batch, batch.drain_reason)
    else:
        revive(run, batch)


def _ended(run: SweepRun) -> dict[str, int]:
    publish(run.done)
    return run.end()


CHORES: Final = (start_missed, _look_after, correct_ledgers, sum_up, look_for_batches, look_for_files)
