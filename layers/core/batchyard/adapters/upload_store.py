"""The records of multipart uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.table import ANY, INDEX, Table, changing, members
from batchyard.domain.errors import StaleRecord
from batchyard.domain.multipart_upload import PENDING, StoredUpload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchyard.domain.multipart_upload import UploadPart


class UploadStore(Table):
    """Read and write the records of multipart uploads; every change is conditional."""

    def create(self, upload: StoredUpload) -> None:
        """Record an upload that begins."""
        place = {"gsi1pk": f"UPLOADS#{upload.tenant}", "gsi1sk": f"{upload.expires_at:010}#{upload.upload_id}"}
        self._put(_key(upload.upload_id), {**members(upload), **place}, ANY)

    def pending(self, tenant: str, now: int) -> Iterator[StoredUpload]:
        """Yield a tenant's uploads that are pending."""
        values = {":tenant": f"UPLOADS#{tenant}", ":now": f"{now:010}$", ":pending": PENDING}
        found = self._query(
            "gsi1pk = :tenant AND gsi1sk > :now", values,
            IndexName=INDEX, FilterExpression="#status = :pending", ExpressionAttributeNames={"#status": "status"},
        )  # fmt: skip
        return (msgspec.convert(item, StoredUpload) for item in found)

    def count_part(self, upload_id: str, size: int, most_bytes: int, most_parts: int) -> bool:
        """Count a part that is about to be written; False if the upload may have no more parts or bytes."""
        fits = "attribute_not_exists(#received) OR (#received <= :room AND #parts < :most)"
        values = {":room": most_bytes - size, ":most": most_parts}
        try:
            self._change(changing(_key(upload_id), {}, fits, values, adds={"parts": 1, "received": size}))
        except StaleRecord:
            return False
        return True

    def upload(self, upload_id: str) -> StoredUpload:
        """Read an upload; raises NotFound."""
        return msgspec.convert(self._get(_key(upload_id)), StoredUpload)

    def add_part(self, part: UploadPart) -> None:
        """Record a part whose object is written."""
        self._put({**_key(part.upload_id), "sk": f"PART#{part.part_id}"}, members(part), ANY)

    def part_sizes(self, upload_id: str) -> dict[str, int]:
        """Return the size of each part of an upload, by the part's id."""
        values = {":pk": _key(upload_id)["pk"], ":part": "PART#"}
        found = self._query("pk = :pk AND begins_with(sk, :part)", values, ConsistentRead=True)
        return {item["part_id"]: item["bytes"] for item in found}

    def end(self, upload_id: str, status: str) -> StoredUpload:
        """End a pending upload; raises StaleRecord if it has ended."""
        change = changing(_key(upload_id), {"status": status}, "#status = :pending", {":pending": PENDING})
        return msgspec.convert(self._change(change), StoredUpload)


def _key(upload_id: str) -> dict[str, str]:
    return {"pk": f"UPLOAD#{upload_id}", "sk": "UPLOAD"}
