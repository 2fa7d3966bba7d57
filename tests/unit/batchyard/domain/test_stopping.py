"""Why nothing more of a shard is sent: the shard's own reason, the batch's, or its user's."""

import math

import pytest

from batchyard.domain.batch import BatchError
from batchyard.domain.shard import Shard, with_members
from batchyard.domain.stopping import ACTIONS, CANCELLED, CUT_SHORT, deadline, why_stopped
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.services import DEFAULTS
from tests.unit.template.documents import template

DAY = 86_400


OWN, ALL = BatchError("server_error", "the shard"), BatchError("server_error", "the batch")
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
    status: str, given_up: BatchError | None, own: BatchError | None, why: BatchError | None
) -> None:
    assert why_stopped(batch(status=status, drain_reason=given_up), with_members(SHARD, reason=own)) == why


def test_a_tenth_of_the_window_is_left_to_what_is_sent_anew() -> None:
    assert deadline("resubmit", 1_000, DAY) == 1_000 + 0.9 * DAY


def test_without_a_wish_a_batch_is_waited_for() -> None:
    assert deadline(DEFAULTS["deadline_action"], 1_000, DAY) == math.inf


def test_the_template_offers_what_we_can_do() -> None:
    assert set(template()["Parameters"]["DeadlineAction"]["AllowedValues"]) == ACTIONS
