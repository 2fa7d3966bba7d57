"""What the sweep reads and writes: the batches that are not settled, and its bookmarks."""

from __future__ import annotations

from typing import Any, Final

from batchyard.adapters.stores.batch_store import ENDED, batch_key
from batchyard.adapters.stores.table import ANY, THERE, Table, behind, changing

UNSETTLED: Final = "unsettled"  # a member of such batches, and the index of the records that have the member
PAGE: Final = 100


class SweepStore(Table):
    """Find the batches that the sweep has to look at, and record what the sweep has done."""

    def unsettled(self, after: str | None) -> list[str]:
        """Return ids of batches that run or may have left something at the provider, in order, behind `after`."""
        rest, start = behind("pk", after and batch_key(after)["pk"])
        found = self._query(f"unsettled = :any{rest}", {":any": UNSETTLED, **start}, PAGE, IndexName=UNSETTLED)
        return [item["pk"].partition("#")[2] for item in found]

    def settle(self, batch_id: str) -> None:
        """Record that an ended batch has nothing left at the provider; raises StaleRecord if it has not ended."""
        self._change(changing(batch_key(batch_id), {}, *ENDED, removed=[UNSETTLED]))

    def forget_copy(self, batch_id: str, name: str) -> bool:
        """Record that `source` or `changed` of an ended batch is gone; False if another worker was faster."""
        ended, values = ENDED
        kept = f"{ended} AND attribute_exists(#{name})"
        return self._try_change(changing(batch_key(batch_id), {}, kept, values, removed=[name]))

    def restart(self, batch_id: str, restarts: int) -> bool:
        """Count a restart of a batch that had `restarts` so far; False if another worker was faster, or the batch has ended."""
        uncounted = "restarts = :restarts"
        ended, values = ENDED
        condition = f"{THERE} AND {uncounted} AND NOT {ended}"
        sets, seen = {"restarts": restarts + 1}, {":restarts": restarts, **values}
        return self._try_change(changing(batch_key(batch_id), sets, condition, seen))

    def bookmark(self, task: str) -> dict[str, Any]:
        """Read where a task of the sweep stopped; empty if there is no bookmark."""
        return self._find(_bookmark_key(task))

    def keep_bookmark(self, task: str, members: dict[str, object]) -> None:
        """Write where a task of the sweep stopped, over the bookmark before."""
        self._put(_bookmark_key(task), members, ANY)


def _bookmark_key(task: str) -> dict[str, str]:
    return {"pk": f"SWEEP#{task}", "sk": "BOOKMARK"}
