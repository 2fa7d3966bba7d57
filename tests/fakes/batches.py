"""A batch as it is when it was just created, and what it belongs to."""

import msgspec

from batchyard.domain import statuses
from batchyard.domain.batch import Batch, InputObject

BUCKET = "batchyard-data-example"


NOW = 1_790_000_000


BATCH_ID = "batch_5f0c1e8a9b7d4c3e8f2a6b1d0e9c8a7f"


def batch(**members: object) -> Batch:
    """Make a batch as it is when it was just created, but for these members."""
    source = InputObject(BUCKET, "inbox/default/requests.jsonl", "etag", 10, "v1")
    new = Batch(
        batch_id=BATCH_ID, tenant="default", status=statuses.VALIDATING, created_at=NOW, input=source,
        completion_window="24h", expires_at=NOW + 86_400, expires_at_ttl=NOW + 90 * 86_400, input_file_id=source.uri,
    )  # fmt: skip
    return msgspec.structs.replace(new, **members)
