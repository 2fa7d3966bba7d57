"""Why nothing more of a shard is sent: the shard's own reason, the batch's, or its user's."""

import pytest

from batchyard.domain.batch import LineError
from batchyard.domain.shard import Shard, change
from batchyard.domain.stopping import CANCELLED, CUT_SHORT, why_stopped
from tests.unit.batchyard.memory import BATCH_ID, batch

OWN, ALL = LineError("server_error", "the shard"), LineError("server_error", "the batch")
SHARD = Shard(
    batch_id=BATCH_ID, shard=0, expires_at_ttl=0, endpoint="/v1/responses", model="m", lines=1, first=0, last=0, unfinished=1
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "given_up", "own", "why"),
    [
        ("in_progress", None, None, None),
        ("in_progress", ALL, None, ALL),
        ("finalizing", ALL, None, ALL),
        ("cancelling", ALL, None, CANCELLED),
        ("in_progress", ALL, OWN, OWN),
        ("cancelling", None, OWN, OWN),
        ("finalizing", None, None, CUT_SHORT),
        ("failed", ALL, None, CANCELLED),
    ],
)
def test_it_tells_the_nearest_reason(
    status: str, given_up: LineError | None, own: LineError | None, why: LineError | None
) -> None:
    assert why_stopped(batch(status=status, given_up=given_up), change(SHARD, reason=own)) == why
