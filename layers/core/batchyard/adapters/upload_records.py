"""The records of uploads in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.table import ANY, Table, changing, members
from batchyard.stored_upload import PENDING, StoredUpload

if TYPE_CHECKING:
    from batchyard.stored_upload import UploadPart


class UploadRecords(Table):
    """Read and write the records of uploads; every change is conditional."""

    def create(self, upload: StoredUpload) -> None:
        """Record an upload that begins."""
        self._put(_key(upload.upload_id), members(upload), ANY)

    def upload(self, upload_id: str) -> StoredUpload:
        """Read an upload; raises NotFound."""
        return msgspec.convert(self._get(_key(upload_id)), StoredUpload)

    def add_part(self, part: UploadPart) -> None:
        """Record a part whose object is written."""
        self._put({**_key(part.upload_id), "sk": f"PART#{part.part_id}"}, members(part), ANY)

    def part_sizes(self, upload_id: str) -> dict[str, int]:
        """Return the bytes of each part of an upload, by its id."""
        values = {":pk": _key(upload_id)["pk"], ":part": "PART#"}
        found = self._query("pk = :pk AND begins_with(sk, :part)", values, ConsistentRead=True)
        return {item["part_id"]: item["bytes"] for item in found}

    def end(self, upload_id: str, status: str) -> StoredUpload:
        """Give a pending upload its end; raises StaleRecord when it has one."""
        change = changing(_key(upload_id), {"status": status}, "#status = :pending", {":pending": PENDING})
        return msgspec.convert(self._change(change), StoredUpload)


def _key(upload_id: str) -> dict[str, str]:
    return {"pk": f"UPLOAD#{upload_id}", "sk": "UPLOAD"}
