"""The results of a batch as files of the API."""

from typing import Final

from batchyard.domain import object_keys, stored_file
from batchyard.domain.batch import Batch
from batchyard.domain.numbers import DAY
from batchyard.domain.stored_file import BATCH_OUTPUT
from batchyard.services import Services

SHOWN_NAMES: Final = {object_keys.OUTPUT: "output", object_keys.ERRORS: "error", object_keys.MESSAGES: "messages"}


def keep(services: Services, batch: Batch, name: str, size: int) -> str:
    """Record a result of `size` bytes as a file of the tenant; return the file's id, which is the same each time.

    The file expires as the creator of the batch asked, and at the latest when the bucket removes all results.
    """
    file_id, key = stored_file.file_id(batch.batch_id, name), object_keys.result(batch.tenant, batch.batch_id, name)
    wished = batch.output_expires_after["seconds"] if batch.output_expires_after else None
    if wished is not None:
        services.file_bucket.tag(key, wished)
    lives = [life for life in (wished, services.settings.results_days * DAY) if life]
    file = stored_file.new(
        file_id, batch.tenant, services.clock(), min(lives, default=None), key=key, bytes=size,
        filename=f"{batch.batch_id}_{SHOWN_NAMES[name]}.jsonl", purpose=BATCH_OUTPUT,
    )  # fmt: skip
    if services.file_store.keep(file):
        services.quota_store.count(batch.tenant, size, services.now())
    return file_id
