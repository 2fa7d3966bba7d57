"""How long a provider batch is waited for."""

import math

from batchyard.domain.deadline import ACTIONS, deadline
from batchyard.settings import Settings
from tests.unit.template.documents import template

DAY = 86_400


def test_a_tenth_of_the_window_is_left_to_what_is_sent_anew() -> None:
    assert deadline("resubmit", 1_000, DAY) == 1_000 + 0.9 * DAY


def test_without_a_wish_a_batch_is_waited_for() -> None:
    assert deadline(Settings.deadline_action, 1_000, DAY) == math.inf


def test_the_template_offers_what_we_can_do() -> None:
    assert set(template()["Parameters"]["DeadlineAction"]["AllowedValues"]) == ACTIONS
