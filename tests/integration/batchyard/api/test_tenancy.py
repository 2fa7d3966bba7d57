"""Ids that no record has: the table refuses some as keys, and a caller is told the same of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchyard.api import batches, files, uploads, webhook_endpoints
from batchyard.domain.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchyard.services import Services
    from tests.fakes.world import World

LONG = "0" * 3_000  # longer than any key of DynamoDB, which refuses to look for it; moto finds nothing
READS: dict[str, tuple[str, Callable[[Services, str], Any]]] = {
    "batch": ("batch_", lambda services, wanted: batches.retrieve_batch(services, "default", wanted)),
    "batches after": ("batch_", lambda services, wanted: batches.list_batches(services, "default", wanted, None)),
    "cancel": ("batch_", lambda services, wanted: batches.cancel_batch(services, "default", wanted)),
    "file": ("file-", lambda services, wanted: files.retrieve_file(services, "default", wanted)),
    "delete": ("file-", lambda services, wanted: files.delete_file(services, "default", wanted)),
    "upload": ("upload_", lambda services, wanted: uploads.cancel_upload(services, "default", wanted)),
    "endpoint": ("we_", lambda services, wanted: webhook_endpoints.retrieve_webhook_endpoint(services, "default", wanted)),
}  # fmt: skip


@pytest.mark.parametrize("rest", ["", LONG, "\ud800", "\0"], ids=["empty", "long", "half a character", "zero"])
def test_an_id_that_can_be_no_key_of_the_table_is_not_found(world: World, rest: str) -> None:
    for read, (prefix, call) in READS.items():
        with pytest.raises(ApiError) as refused:
            call(world.services, prefix + rest)
        assert refused.value.status == 404, read
