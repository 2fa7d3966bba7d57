"""What the state machine of a shard hands from step to step."""

from enum import StrEnum
from typing import Final

import msgspec

from batchyard.domain.pacing import Look

NOTHING_SEEN: Final = Look(0)


class Next(StrEnum):
    """The step of a shard that follows: the word by which its state machine chooses the next state."""

    SUBMIT = "submit"
    POLL = "poll"
    COLLECT = "collect"
    CONTINUE = "continue"  # in a fresh execution
    DONE = "done"


class Step(msgspec.Struct, frozen=True):
    """What a shard's state machine hands from state to state."""

    batch_id: str
    shard: int
    next: Next = Next.SUBMIT
    wait_seconds: int = 0
    #: What the last look at the provider batch showed; see `pacing.Look`.
    seen_age: int = 0
    seen_finished: int = 0
    #: The steps of this execution so far.
    turns: int = 0

    def then(self, following: Next, wait_seconds: int = 0, look: Look = NOTHING_SEEN) -> "Step":
        """Name the state that follows, after so many seconds, and what was seen of a provider batch that is looked at again."""
        return Step(self.batch_id, self.shard, following, wait_seconds, int(look.age), look.finished, self.turns + 1)
