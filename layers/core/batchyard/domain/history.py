"""What one Standard execution can hold: 25,000 events, then Step Functions fails it.

An execution of a shard takes nine events a turn (a step, Wait, Next?), and three more for each retry of a step. The
execution of a batch takes, in an inline Map, twelve events a shard, ten more for each further execution of the shard, and
three for each retry of a start. `tests/unit/template/test_history.py` counts all of these in the definitions.
"""

from typing import Final

#: Turns after which a fresh execution goes on with a shard.
MOST_TURNS: Final = 2_200
#: Shards of an inline Map: each may have three further executions, and two retries of a start.
MOST_INLINE_SHARDS: Final = 500
#: Iterations that an inline Map runs at once.
MOST_SIDE_BY_SIDE: Final = 40
#: Seconds. Shards that wait for room or an operator look as often as `RetryCeilingSeconds` says. If they look more often
#: than this for 60 days, their further executions do not fit one history.
LEAST_RETRY_CEILING: Final = 60


def fits_inline(shards: int, at_once: int, retry_ceiling: int) -> bool:
    """Tell whether the execution of a batch can itself start the executions of so many shards, so many `at_once`."""
    return (
        shards <= MOST_INLINE_SHARDS
        and min(shards, at_once) <= MOST_SIDE_BY_SIDE
        and retry_ceiling >= LEAST_RETRY_CEILING
    )
