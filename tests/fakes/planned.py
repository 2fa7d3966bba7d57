"""Services with one batch planned: three requests in one shard."""

import json

from batchyard.planning.plan import plan
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.services import MemoryServices

KEY = "inbox/default/requests.jsonl"
INPUT = b"".join(
    json.dumps({"custom_id": f"r{at}", "method": "POST", "url": "/v1/responses", "body": {"model": "m"}}).encode()
    + b"\n"
    for at in range(3)
)


def dropped(**settings: str | int) -> MemoryServices:
    """Make services with a batch of the input, not yet planned."""
    services = MemoryServices(**settings)
    services.bucket.put(KEY, INPUT)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0]))
    return services


def planned(**settings: str | int) -> MemoryServices:
    """Make services whose batch may be submitted."""
    services = dropped(**settings)
    assert plan(services, BATCH_ID).next == "run"
    return services
