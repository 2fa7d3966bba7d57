"""The life of a batch, as OpenAI names it, and the moves that are allowed."""

from typing import Final

VALIDATING: Final = "validating"
FAILED: Final = "failed"
IN_PROGRESS: Final = "in_progress"
FINALIZING: Final = "finalizing"
COMPLETED: Final = "completed"
CANCELLING: Final = "cancelling"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"  # of a provider batch alone: ours never expire

# What may happen to a batch meanwhile, without a move.
PAUSED: Final = "paused"
RESUMED: Final = "resumed"

# From a status to those it may move to. A message that comes late or twice finds no move and changes nothing.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    VALIDATING: frozenset({IN_PROGRESS, FAILED, CANCELLING}),
    IN_PROGRESS: frozenset({FINALIZING, FAILED, CANCELLING}),
    FINALIZING: frozenset({COMPLETED, FAILED, CANCELLING}),
    CANCELLING: frozenset({CANCELLED, FAILED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
ENDED: Final = frozenset(status for status, moves in TRANSITIONS.items() if not moves)

# Of a provider batch: its tokens had room; it ends by itself; it has run some of its lines.
PROVIDER_TOOK_IN: Final = frozenset({IN_PROGRESS, FINALIZING, COMPLETED})
PROVIDER_ENDING: Final = frozenset({CANCELLING, FINALIZING})
PROVIDER_RAN: Final = frozenset({COMPLETED, EXPIRED, CANCELLED})

# The timestamp a status leaves on the batch.
STAMPS: Final = {status: f"{status}_at" for status in TRANSITIONS if status != VALIDATING}


def sources_of(status: str) -> list[str]:
    """Name the statuses from which `status` may be reached."""
    return sorted(source for source, targets in TRANSITIONS.items() if status in targets)
