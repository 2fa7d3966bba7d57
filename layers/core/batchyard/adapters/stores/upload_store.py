"""The records of multipart uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.stores.table import ANY, INDEX, THERE, Table, changing, members
from batchyard.domain.errors import StaleRecord
from batchyard.domain.multipart_upload import KEEP_PARTS, PENDING, StoredUpload, UploadPart

if TYPE_CHECKING:
    from collections.abc import Iterator


class UploadStore(Table):
    """Read and write the records of multipart uploads; every change is conditional."""

    def create(self, upload: StoredUpload) -> None:
        """Record an upload that begins."""
        place = {"gsi1pk": f"UPLOADS#{upload.tenant}", "gsi1sk": f"{upload.expires_at:010}#{upload.upload_id}"}
        self._put(_key(upload.upload_id), {**members(upload), **place}, ANY)

    def stored(self, tenant: str, now: int) -> Iterator[StoredUpload]:
        """Yield a tenant's uploads that are pending, or whose parts may still lie in the bucket."""
        values = {":tenant": f"UPLOADS#{tenant}", ":since": f"{now - KEEP_PARTS:010}$"}
        found = self._query(
            "gsi1pk = :tenant AND gsi1sk > :since", values,
            IndexName=INDEX, FilterExpression="attribute_not_exists(removed_at)",
        )  # fmt: skip
        return (msgspec.convert(item, StoredUpload) for item in found)

    def count_part(self, upload_id: str, size: int, most_bytes: int, most_parts: int) -> bool:
        """Count a part that is about to be written; False if the upload has ended, or may have no more parts or bytes."""
        fits = "(attribute_not_exists(#received) OR (#received <= :room AND #parts < :most)) AND #status = :pending"
        values = {":room": most_bytes - size, ":most": most_parts, ":pending": PENDING}
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

    def parts(self, upload_id: str) -> list[UploadPart]:
        """Return the parts of an upload, by their ids."""
        values = {":pk": _key(upload_id)["pk"], ":part": "PART#"}
        found = self._query("pk = :pk AND begins_with(sk, :part)", values, ConsistentRead=True)
        return [msgspec.convert(item, UploadPart) for item in found]

    def note_removal(self, upload_id: str, now: int) -> None:
        """Record that the parts of an upload are gone."""
        self._change(changing(_key(upload_id), {"removed_at": now}, THERE))

    def end(self, upload_id: str, status: str) -> StoredUpload:
        """End a pending upload; raises StaleRecord if it has ended."""
        change = changing(_key(upload_id), {"status": status}, "#status = :pending", {":pending": PENDING})
        return msgspec.convert(self._change(change), StoredUpload)


def _key(upload_id: str) -> dict[str, str]:
    return {"pk": f"UPLOAD#{upload_id}", "sk": "UPLOAD"}
