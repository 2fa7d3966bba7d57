"""The records of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.table import INDEX, NEW, THERE, Table, behind, changing, members
from batchyard.domain.errors import StaleRecord
from batchyard.domain.stored_file import StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator


class FileStore(Table):
    """Read and write the records of files; every write is conditional."""

    def keep(self, file: StoredFile) -> bool:
        """Record a file; False if it is recorded with the same size already, as by an earlier run of the step."""
        index = {"gsi1pk": f"FILES#{file.tenant}", "gsi1sk": file.position}
        changed = "#bytes <> :bytes"
        try:
            self._put(_key(file.file_id), {**members(file), **index}, f"{NEW} OR {changed}", {":bytes": file.bytes})
        except StaleRecord:
            return False
        return True

    def file(self, file_id: str) -> StoredFile:
        """Read a file, also one that is deleted or expired; raises NotFound."""
        return msgspec.convert(self._get(_key(file_id)), StoredFile)

    def change(self, file_id: str, **changes: object) -> StoredFile:
        """Change members of a file; raises StaleRecord if the file is deleted or was never there."""
        kept = f"{THERE} AND attribute_not_exists(deleted_at)"
        return msgspec.convert(self._change(changing(_key(file_id), changes, kept)), StoredFile)

    def files(
        self, tenant: str, now: int, purpose: str | None, after: str | None, *, newest_first: bool
    ) -> Iterator[StoredFile]:
        """Yield a tenant's files that are neither deleted nor expired, behind the position `after`."""
        rest, start = behind("gsi1sk", after, newest_first=newest_first)
        there = "attribute_not_exists(deleted_at) AND (attribute_not_exists(expires_at) OR expires_at > :now)"
        wanted, kind = (" AND purpose = :purpose", {":purpose": purpose}) if purpose else ("", {})
        values = {":tenant": f"FILES#{tenant}", ":now": now, **start, **kind}
        found = self._query(
            f"gsi1pk = :tenant{rest}", values,
            IndexName=INDEX, FilterExpression=there + wanted, ScanIndexForward=not newest_first,
        )  # fmt: skip
        return (msgspec.convert(item, StoredFile) for item in found)


def _key(file_id: str) -> dict[str, str]:
    return {"pk": f"FILE#{file_id}", "sk": "FILE"}
