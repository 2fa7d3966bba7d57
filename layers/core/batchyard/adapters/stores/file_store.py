"""The records of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.stores.table import INDEX, NEW, THERE, Table, behind, changing, members
from batchyard.domain.errors import StaleRecord
from batchyard.domain.stored_file import KEEP_DELETED, KEEP_READ, StoredFile

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

    def delete(self, file: StoredFile, now: int) -> StoredFile:
        """Record that a file is deleted; raises StaleRecord if it is already."""
        kept = KEEP_DELETED if file.read_at is None else KEEP_READ
        return self.change(file.file_id, deleted_at=now, expires_at_ttl=now + kept)

    def note_reader(self, file: StoredFile, now: int) -> StoredFile:
        """Record that a batch is about to be made from a file; raises StaleRecord if the file was deleted meanwhile."""
        ttl = {} if file.expires_at_ttl is None else {"expires_at_ttl": max(file.expires_at_ttl, now + KEEP_READ)}
        return self.change(file.file_id, read_at=now, **ttl)

    def note_removal(self, file: StoredFile, now: int) -> bool:
        """Record that the bytes of a file are gone; False if that is recorded, or nobody knows the file any more."""
        counted = f"{THERE} AND attribute_not_exists(removed_at)"
        return self._try_change(changing(_key(file.file_id), {"removed_at": now}, counted))

    def stored(self, tenant: str) -> Iterator[StoredFile]:
        """Yield the files of a tenant whose bytes are not known to be gone, deleted and expired ones too."""
        found = self._query(
            "gsi1pk = :tenant", {":tenant": f"FILES#{tenant}"},
            IndexName=INDEX, FilterExpression="attribute_not_exists(removed_at)",
        )  # fmt: skip
        return (msgspec.convert(item, StoredFile) for item in found)

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
