"""Whoever tells people dies before any of its effects, and the next try tells them."""

from typing import Any

import pytest

from batchyard.domain.errors import StoreError
from batchyard.webhooks.inform import inform
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.webhooks.test_notification import detail

#: What is written or told, in its order: a mail cannot be taken back, and is the last but the note that it went.
EFFECTS = ["take_notification", "begin", "start", "notify", "note_notified"]


class Dying:
    """Dies once, before the effect with this number."""

    def __init__(self, made: MemoryServices, dies_at: int) -> None:
        self.left, self.seen = dies_at, list[str]()
        owners = (made.webhook_store, made.webhook_executions, made.event_bus)
        for name in EFFECTS:
            (owner,) = (each for each in owners if hasattr(each, name))
            setattr(owner, name, self._struck(name, getattr(owner, name)))

    def _struck(self, name: str, real: Any) -> Any:
        def struck(*given: object) -> object:
            self.seen.append(name)
            self.left -= 1
            if self.left == 0:
                raise StoreError("killed")
            return real(*given)

        return struck


@pytest.mark.parametrize("dies_at", range(1, len(EFFECTS) + 1))
def test_whenever_a_worker_dies_the_next_try_tells_the_chat_once_and_sends_the_mail(dies_at: int) -> None:
    made = MemoryServices(notify_chat="slack")
    dying = Dying(made, dies_at)
    with pytest.raises(StoreError, match="killed"):
        inform(made, "Batch Paused", detail("batch-paused"))
    assert dying.seen == EFFECTS[:dies_at]
    told = inform(made, "Batch Paused", detail("batch-paused"))
    assert set(made.webhook_executions.started) == {f"{told}-chat"}  # by its name it runs once
    assert len(made.webhook_store.told) == 1
    assert len(made.event_bus.mails) == (2 if EFFECTS[dies_at - 1] == "note_notified" else 1)
    assert made.webhook_store.taken.popitem()[1] == 1
    inform(made, "Batch Paused", detail("batch-paused"))
    assert dying.seen.count("notify") <= 2
