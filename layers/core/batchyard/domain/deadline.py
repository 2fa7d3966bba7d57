"""When a provider batch is no longer waited for, though its window is not over yet."""

import math
from typing import Final

WAIT, RESUBMIT, FINISH = "wait", "resubmit", "finish"
ACTIONS: Final = frozenset({WAIT, RESUBMIT, FINISH})
# The last tenth of the window is left to the cancel, which may take ten minutes, and to what is sent anew.
WAITED_FOR: Final = 0.9


def deadline(action: str, created_at: int, window: int) -> float:
    """Answer from when on (Unix seconds) what is unfinished is taken back to be sent anew; never, unless that is wanted."""
    return created_at + window * WAITED_FOR if action in {RESUBMIT, FINISH} else math.inf
