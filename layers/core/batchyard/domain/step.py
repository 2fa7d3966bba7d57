"""What the state machines hand from step to step, how many steps of a shard one execution holds, and the time of one.

Step Functions fails a Standard execution after 25,000 events. An execution of a shard takes nine events a turn (a step,
Wait, Next?), and three more for each retry of a step. The execution of a batch takes, in an inline Map, twelve events a
shard, ten more for each further execution of the shard, and three for each retry of a start.
`tests/unit/template/test_history.py` counts all of these in the definitions.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from batchyard.domain.pacing import Seen

TIME_TO_END: Final = 60.0  # seconds to write a checkpoint, or to finish


#: Turns after which a fresh execution goes on with a shard.
MOST_TURNS: Final = 2_200
#: Shards of an inline Map: each may have three further executions, and two retries of a start.
MOST_INLINE_SHARDS: Final = 500
#: Iterations that an inline Map runs at once.
MOST_SIDE_BY_SIDE: Final = 40
#: Seconds. Shards that wait for room or an operator look as often as `RetryCeilingSeconds` says. If they look more often
#: than this for 60 days, their further executions do not fit one history.
LEAST_RETRY_CEILING: Final = 60
NOTHING_SEEN: Final = Seen(0)


class Next(StrEnum):
    """The step of a shard that follows: the word by which its state machine chooses the next state."""

    SUBMIT = "submit"
    POLL = "poll"
    COLLECT = "collect"
    CONTINUE = "continue"  # in a fresh execution
    DONE = "done"


class BatchNext(StrEnum):
    """What follows Plan or Assemble: the word by which the batch's state machine chooses the next state."""

    PLAN = "plan"
    RUN = "run"  # the shards, in the history of this execution
    RUN_DISTRIBUTED = "run_distributed"  # the shards of a batch that one history cannot hold
    ASSEMBLE = "assemble"
    REFUSED = "refused"
    FAILED = "failed"
    DONE = "done"


class Step(msgspec.Struct, frozen=True):
    """What a shard's state machine hands from state to state."""

    batch_id: str
    shard: int
    next: Next = Next.SUBMIT
    wait_seconds: int = 0
    #: What the last look at the provider batch showed; see `pacing.Seen`.
    seen_age: int = 0
    seen_finished: int = 0
    #: The steps of this execution so far.
    turns: int = 0

    def then(self, following: Next, wait_seconds: int = 0, look: Seen = NOTHING_SEEN) -> "Step":
        """Name the state that follows, after so many seconds, and what was seen of a provider batch that is looked at again."""
        return Step(self.batch_id, self.shard, following, wait_seconds, int(look.age), look.finished, self.turns + 1)


def fits_inline(shards: int, at_once: int, retry_ceiling: int) -> bool:
    """Tell whether the execution of a batch can itself start the executions of so many shards, so many `at_once`."""
    return (
        shards <= MOST_INLINE_SHARDS
        and min(shards, at_once) <= MOST_SIDE_BY_SIDE
        and retry_ceiling >= LEAST_RETRY_CEILING
    )


class OutOfTime(Exception):  # noqa: N818 - names what happened
    """The invocation ends soon: a checkpoint is due."""


class TimeBudget:
    """The time that an invocation has left."""

    def __init__(self, seconds_left: Callable[[], float] = lambda: math.inf) -> None:
        """Take the clock of the invocation; without one there is always time."""
        self._seconds_left = seconds_left

    @property
    def low(self) -> bool:
        """Tell whether too little time is left to begin anything more."""
        return self._seconds_left() < TIME_TO_END

    def check(self) -> None:
        """Raise OutOfTime when the time is low."""
        if self.low:
            raise OutOfTime
