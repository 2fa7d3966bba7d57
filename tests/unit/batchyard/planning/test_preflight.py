"""An estimate of many shards takes as many invocations as it needs, and is the same as one that was made in a breath."""

import json

import pytest

from batchyard.planning.plan import plan
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import KEY
from tests.fakes.seconds_left import SecondsLeft
from tests.fakes.services import MemoryServices

LINE = {"method": "POST", "url": "/v1/responses"}
BODIES = [{"model": f"m{at % 3}", "max_output_tokens": 10 * at or 1} for at in range(12)]
TWELVE = b"".join(
    json.dumps({"custom_id": f"r{at}", "body": body, **LINE}).encode() + b"\n" for at, body in enumerate(BODIES)
)


def dry_run(*, skip: bool = False) -> MemoryServices:
    """Make services with a batch of twelve shards that is only to be estimated, of which one is a duplicate if wanted."""
    services = MemoryServices(max_requests_per_shard=1)
    services.bucket.put(KEY, TWELVE + (TWELVE.splitlines(keepends=True)[0] if skip else b""))
    members = {"on_invalid": "skip"} if skip else {}
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0], dry_run=True, **members))
    return services


@pytest.mark.parametrize(("looks", "skip"), [(1, False), (4, False), (30, True), (60, False), (60, True)])
def test_a_plan_that_runs_out_of_time_between_two_shards_weighs_each_once(looks: int, *, skip: bool) -> None:
    whole, parts = dry_run(skip=skip), dry_run(skip=skip)
    assert plan(whole, BATCH_ID).next == "assemble"
    runs = 1
    for more in range(100):
        if plan(parts, BATCH_ID, resume=more > 0, seconds_left=SecondsLeft(looks + more)).next == "assemble":
            break
        runs += 1
    assert parts.batch_store.batch(BATCH_ID).preflight == whole.batch_store.batch(BATCH_ID).preflight
    assert (runs > 1) == (looks < 60)
    found = json.loads(parts.batch_store.batch(BATCH_ID).preflight or "")
    assert (found["shards"], found["models_total"], found["bad_lines"]) == (12, 3, int(skip))
