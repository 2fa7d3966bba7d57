"""A yard with one batch planned: three requests in one shard."""

import json

from batchyard.planning.plan import plan
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard, batch

KEY = "inbox/default/requests.jsonl"
INPUT = b"".join(
    json.dumps({"custom_id": f"r{at}", "method": "POST", "url": "/v1/responses", "body": {"model": "m"}}).encode()
    + b"\n"
    for at in range(3)
)


def dropped(**settings: str | int) -> MemoryYard:
    """Make a yard with a batch of the input, not yet planned."""
    yard = MemoryYard(**settings)
    yard.bucket.put(KEY, INPUT)
    yard.table.create_batch(batch(input=yard.bucket.head(KEY)[0]))
    return yard


def planned(**settings: str | int) -> MemoryYard:
    """Make a yard whose batch may be submitted."""
    yard = dropped(**settings)
    assert plan(yard, BATCH_ID).next == "run"
    return yard
