"""What differs when a provider batch expired, or was cancelled, before all its lines ran.

Nothing else differs: Collect takes the answers there are as from any other provider batch, and `attempt_end` has the
unfinished lines sent again, at no try.
"""

from typing import Final

from batchyard.domain.batch import BatchError
from batchyard.domain.shard import Shard
from batchyard.domain.statuses import CANCELLED, EXPIRED
from batchyard.domain.stopping import WAITED_FOR

OUT_OF_TIME: Final = frozenset({EXPIRED, CANCELLED})  # by the provider, or by us at the deadline


def had_its_window(status: str, ran: float, window: int) -> bool:
    """Tell whether a provider batch ran out of time after most of its window; all times are seconds.

    An attempt that finished no line is no stall then: the provider may be slow.
    """
    return status in OUT_OF_TIME and ran >= WAITED_FOR * window


def no_answer(shard: Shard) -> BatchError:
    """Return the error of lines that got no answer in as many attempts as are allowed."""
    code = "batch_expired" if shard.attempts[-1].provider_status == EXPIRED else "no_answer"
    return BatchError(code, f"The provider answered none of the last {shard.stalls} attempts at this request.")
