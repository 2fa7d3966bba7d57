"""Tell of each batch of a whole stack in a line: when it begins, when it waits, and how it ends."""

import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from local.run.records import Progress, read_batches
from local.run.reporting import counts_told, without_ids
from local.stack.running import Stack

_SECONDS = 2.0
_IDLE_SHARE = 20  # a look at many records may take long, and must not keep the engine busy


class Announcer:
    """Look at the batches of a stack now and then, and say what is new."""

    def __init__(self, stack: Stack, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._table = stack.clients.table(stack.table)
        self._say = say
        self._clock = clock
        self._next = 0.0
        self._seen: dict[str, Progress] = {}
        self._began: dict[str, float] = {}

    def look(self) -> None:
        """Say what is new since the last look; return at once if that was a moment ago."""
        now = self._clock()
        if now < self._next:
            return
        try:
            found = read_batches(self._table)
        except (BotoCoreError, ClientError):
            return  # whoever calls this watches the engine's process, and names its end
        took = self._clock() - now
        self._next = self._clock() + max(_SECONDS, took * _IDLE_SHARE)
        for batch in found:
            self._tell(batch, now)

    def _tell(self, batch: Progress, now: float) -> None:
        before = self._seen.get(batch.batch_id)
        self._seen[batch.batch_id] = batch
        if before is None:
            self._began[batch.batch_id] = now
            self._say(f"{batch.batch_id} begins: {batch.source}")
        if before is not None and before.ended:
            return
        if batch.ended:
            self._say(_end_of(batch, now - self._began.pop(batch.batch_id)))
        elif without_ids(batch.paused) != without_ids(before.paused if before else None):
            self._say(f"{batch.batch_id} waits: {batch.paused}" if batch.paused else f"{batch.batch_id} goes on.")


def _end_of(batch: Progress, seconds: float) -> str:
    noun = "line" if batch.total == 1 else "lines"
    counts = "estimated, nothing was sent" if batch.dry_run else counts_told(batch)
    lines = f", {batch.total:,} {noun} ({counts})" if batch.total else ""
    reason = f" {batch.errors[0]['message']}" if batch.errors else ""
    more = f" … and {batch.errors_total - 1:,} more" if batch.errors_total > 1 else ""
    return f"{batch.batch_id} ends: {batch.status} after {seconds:.0f} s{lines}.{reason}{more}"
