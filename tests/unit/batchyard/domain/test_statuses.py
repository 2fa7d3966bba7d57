"""The life of a batch."""

from typing import get_args

import pytest
from openai.types import Batch

from batchyard.domain import statuses
from batchyard.domain.statuses import ENDED, STAMPS, TRANSITIONS, sources_of

OFFICIAL = set(get_args(Batch.model_fields["status"].annotation))
FORWARD = [statuses.VALIDATING, statuses.IN_PROGRESS, statuses.FINALIZING, statuses.COMPLETED]
ALLOWED = {
    (statuses.VALIDATING, statuses.IN_PROGRESS),
    (statuses.VALIDATING, statuses.FAILED),
    (statuses.VALIDATING, statuses.CANCELLING),
    (statuses.IN_PROGRESS, statuses.FINALIZING),
    (statuses.IN_PROGRESS, statuses.FAILED),
    (statuses.IN_PROGRESS, statuses.CANCELLING),
    (statuses.FINALIZING, statuses.COMPLETED),
    (statuses.FINALIZING, statuses.FAILED),
    (statuses.FINALIZING, statuses.CANCELLING),
    (statuses.CANCELLING, statuses.CANCELLED),
    (statuses.CANCELLING, statuses.FAILED),
}


@pytest.mark.parametrize("source", TRANSITIONS)
@pytest.mark.parametrize("target", TRANSITIONS)
def test_a_move_is_allowed_or_not_by_the_table(source: str, target: str) -> None:
    assert (source in sources_of(target)) == ((source, target) in ALLOWED)


@pytest.mark.parametrize("ended", [statuses.COMPLETED, statuses.FAILED, statuses.CANCELLED])
def test_nothing_leads_out_of_an_end(ended: str) -> None:
    assert ended in ENDED
    assert not TRANSITIONS[ended]


def test_every_other_status_leads_on_to_an_end() -> None:
    for status in TRANSITIONS.keys() - ENDED:
        reached: set[str] = set()
        for _ in TRANSITIONS:
            reached = {after for before in reached | {status} for after in TRANSITIONS[before]} | reached
        assert reached & ENDED
        assert status not in reached  # no way back


def test_the_words_are_openai_s() -> None:
    assert set(TRANSITIONS) <= OFFICIAL
    assert set(STAMPS.values()) <= set(Batch.model_fields)
    assert set(STAMPS) == set(TRANSITIONS) - {statuses.VALIDATING}
