"""The sweep does what events and executions left undone; each run is bounded in time, and goes on where the last stopped."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.observability import publish
from batchyard.recovery.census import BatchCensus
from batchyard.recovery.dead_executions import restart
from batchyard.recovery.drain import drain
from batchyard.recovery.missed_firings import see_to_schedules
from batchyard.recovery.missed_uploads import start_missed
from batchyard.recovery.open_firings import fire_missed_runs, take_up_firings
from batchyard.recovery.orphans import look_for_batches, look_for_files
from batchyard.recovery.settle import settle
from batchyard.recovery.storage_audit import sum_up
from batchyard.recovery.stored_objects import remove_unowned
from batchyard.recovery.sweep_run import SweepRun
from batchyard.recovery.token_audit import correct_ledgers
from batchyard.services import Services

if TYPE_CHECKING:
    from batchyard.providers.account import Account

BOOKMARK: Final = "batches"


def sweep(services: Services, seconds_left: Callable[[], float] = lambda: 600.0) -> dict[str, int]:
    """Do every task of the sweep and return how often each action was taken, by the name of its metric.

    A task that fails does not stop the others. Raises StoreError at the end if a task failed for another reason than the
    provider.
    """
    run, accounts = SweepRun(services, seconds_left), services.accounts.values()
    tasks: list[tuple[Account | None, str, Callable[[], None]]] = [
        *((None, task.__name__, partial(task, run)) for task in TASKS),
        *((account, task.__name__, partial(task, run, account)) for account in accounts for task in AT_PROVIDER),
    ]
    for at, (account, name, task) in enumerate(tasks):
        run.allot(len(tasks) - at)
        with run.trying(account, task=name, provider=account.name if account else None):
            task()
    return _end(run)


def sweep_batch(services: Services, batch_id: str) -> dict[str, int]:
    """Do for one batch what the sweep would do, at once: the execution of the batch has ended badly."""
    run = SweepRun(services, lambda: 600.0)
    with run.trying(batch_id=batch_id):
        _see_to(run, batch_id, BatchCensus())
    return _end(run)


def see_to_batches(run: SweepRun) -> None:
    """See to the batches that are not settled, by id; the next run goes on behind the last.

    Executions are listed first, by the thousand: AWS allows some 15 looks at a single one a second.
    """
    run.running = run.services.executions.list_running()
    sweep_store, mark = run.services.sweep_store, run.services.sweep_store.bookmark(BOOKMARK)
    after, census = mark.get("after"), msgspec.convert(mark.get("census", {}), BatchCensus)
    while not run.over():
        found = sweep_store.unsettled(after)
        for batch_id in found:
            if run.over():
                break
            with run.trying(batch_id=batch_id):
                _see_to(run, batch_id, census)
            after = batch_id
        if not found:
            census.tell(run.services)
            sweep_store.keep_bookmark(BOOKMARK, {"after": None})
            return
    sweep_store.keep_bookmark(BOOKMARK, {"after": after, "census": census.kept()})


def _see_to(run: SweepRun, batch_id: str, census: BatchCensus) -> None:
    batch = run.services.batch_store.find_batch(batch_id)
    if batch is None:
        return  # the record has expired
    census.see(batch)
    if batch.ended:
        settle(run, batch)
    elif batch.drain_reason is not None:
        drain(run, batch, batch.drain_reason)
    else:
        restart(run, batch)


def _end(run: SweepRun) -> dict[str, int]:
    publish(run.done)
    return run.end()


TASKS: Final = (
    start_missed,
    take_up_firings,
    fire_missed_runs,
    see_to_schedules,
    see_to_batches,
    correct_ledgers,
    sum_up,
    remove_unowned,
)
AT_PROVIDER: Final = (look_for_batches, look_for_files)  # of each provider
