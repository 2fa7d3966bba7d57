"""The statuses of a batch, as OpenAI names them, and the transitions that are allowed."""

from typing import Final

VALIDATING: Final = "validating"
FAILED: Final = "failed"
IN_PROGRESS: Final = "in_progress"
FINALIZING: Final = "finalizing"
COMPLETED: Final = "completed"
CANCELLING: Final = "cancelling"
CANCELLED: Final = "cancelled"

# What may happen to a batch without a change of its status.
PAUSED: Final = "paused"
RESUMED: Final = "resumed"

# The statuses that may follow each status. A message that comes late or twice finds no transition and changes nothing.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    VALIDATING: frozenset({IN_PROGRESS, FAILED, CANCELLING}),
    IN_PROGRESS: frozenset({FINALIZING, FAILED, CANCELLING}),
    FINALIZING: frozenset({COMPLETED, FAILED, CANCELLING}),
    CANCELLING: frozenset({CANCELLED, FAILED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
ENDED: Final = frozenset(status for status, following in TRANSITIONS.items() if not following)

# The member of the batch that tells when it reached a status.
STAMPS: Final = {status: f"{status}_at" for status in TRANSITIONS if status != VALIDATING}


def is_unsent(status: str, in_progress_at: int | None) -> bool:
    """Tell whether a batch ended before any request could be sent: it was refused, or cancelled while it was validated."""
    return status in {FAILED, CANCELLED} and in_progress_at is None


def sources_of(status: str) -> list[str]:
    """Return the statuses from which a batch may move to `status`."""
    return sorted(source for source, targets in TRANSITIONS.items() if status in targets)
