"""Records that have no type of their own, as plain items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchyard.adapters.table import INDEX, THERE, Table, changing
from batchyard.domain.errors import NotFound, StaleRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Items(Table):
    """Read and write them."""

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        """Read a record, as plain values; raises NotFound."""
        return self._get({"pk": pk, "sk": sk})

    def put_once(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a record unless there is one, and return the one that is there then."""
        key = {"pk": item["pk"], "sk": item["sk"]}
        try:
            self._put(key, item)
        except StaleRecord:
            return self._get(key)
        return item

    def items_of(self, owner: str) -> Iterator[dict[str, Any]]:
        """Yield the records that the index has under `owner`, in its order."""
        return self._query("gsi1pk = :owner", {":owner": owner}, IndexName=INDEX)

    def change_item(self, pk: str, sk: str, **changes: object) -> None:
        """Change members of a record; raises NotFound."""
        try:
            self._change(changing({"pk": pk, "sk": sk}, changes, THERE))
        except StaleRecord as error:
            raise NotFound(f"no record {pk}") from error
