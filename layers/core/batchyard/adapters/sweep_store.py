"""What the sweep has to see to: batches that are not settled yet, and how far each chore came."""

from __future__ import annotations

from typing import Any, Final

from batchyard.adapters.batch_store import ENDED, batch_key
from batchyard.adapters.table import ANY, THERE, Table, behind, changing

INDEX: Final = "unsettled"  # it holds only the records that have the member of this name
PAGE: Final = 100


class SweepStore(Table):
    """Find the batches that need a look, and write down what the sweep did about them."""

    def unsettled(self, after: str | None) -> list[str]:
        """Name some batches that run, or have ended and may have left something at the provider, in order behind `after`."""
        rest, start = behind("pk", after and batch_key(after)["pk"])
        found = self._query(f"unsettled = :any{rest}", {":any": INDEX, **start}, PAGE, IndexName=INDEX)
        return [item["pk"].partition("#")[2] for item in found]

    def settled(self, batch_id: str) -> None:
        """Write down that an ended batch needs no look any more; raises StaleRecord for one that has not ended."""
        self._change(changing(batch_key(batch_id), {}, *ENDED, removed=[INDEX]))

    def restart(self, batch_id: str, restarts: int) -> bool:
        """Count one more restart of a running batch after so many; False when another worker did, or the batch has ended."""
        uncounted = "(restarts = :restarts OR attribute_not_exists(restarts))"  # recorded before restarts were
        ended, values = ENDED
        condition = f"{THERE} AND {uncounted} AND NOT {ended}"
        sets, seen = {"restarts": restarts + 1}, {":restarts": restarts, **values}
        return self._changed(changing(batch_key(batch_id), sets, condition, seen))

    def bookmark(self, chore: str) -> dict[str, Any]:
        """Read where a chore stopped; empty when it came to its end."""
        return self._find(_bookmark_key(chore))

    def keep_bookmark(self, chore: str, members: dict[str, object]) -> None:
        """Write down where a chore stopped, over what was written before."""
        self._put(_bookmark_key(chore), members, ANY)


def _bookmark_key(chore: str) -> dict[str, str]:
    return {"pk": f"SWEEP#{chore}", "sk": "BOOKMARK"}
