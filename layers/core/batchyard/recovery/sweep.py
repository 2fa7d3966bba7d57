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
from batchyard.recovery.sweep_run import Shift
from batchyard.recovery.token_audit import correct_ledgers
from batchyard.services import Services


def sweep(services: Services, seconds_left: Callable[[], float] = lambda: 600.0) -> dict[str, int]:
    """Do every chore of the sweep and return how often each action was taken, by the name of its metric.

    A chore that fails does not keep the others; what failed and is not the provider's fault is told by a StoreError.
    """
    shift = Shift(services, seconds_left)
    for at, chore in enumerate(CHORES):
        shift.allot(len(CHORES) - at)
        with shift.trying(chore=chore.__name__):
            chore(shift)
    return _ended(shift)


def sweep_batch(services: Services, batch_id: str) -> dict[str, int]:
    """Do at once for one batch what the sweep would do: its execution is said to have ended badly."""
    shift = Shift(services, lambda: 600.0)
    with shift.trying(batch_id=batch_id):
        _see_to(shift, batch_id)
    return _ended(shift)


def _look_after(shift: Shift) -> None:
    """See to the batches that are not settled, in the order of their ids and in turns."""
    sweep_store, after = shift.services.sweep_store, shift.services.sweep_store.bookmark("batches").get("after")
    while not shift.over():
        found = sweep_store.unsettled(after)
        for batch_id in found:
            if shift.over():
                break
            with shift.trying(batch_id=batch_id):
                _see_to(shift, batch_id)
            after = batch_id
        if not found:
            after = None
            break
    sweep_store.keep_bookmark("batches", {"after": after})


def _see_to(shift: Shift, batch_id: str) -> None:
    batch = shift.services.batch_store.find_batch(batch_id)
    if batch is None:
        return  # its days are over
    if batch.ended:
        settle(shift, batch)
    elif batch.given_up is not None:
        drain(shift, batch, batch.given_up)
    else:
        revive(shift, batch)


def _ended(shift: Shift) -> dict[str, int]:
    publish(shift.done)
    return shift.end()


CHORES: Final = (start_missed, _look_after, correct_ledgers, sum_up, look_for_batches, look_for_files)
