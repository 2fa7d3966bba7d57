"""The provider takes smaller files or fewer lines than was thought: the attempt is cut in halves.

The first half goes out in a file of its own, the other lines in later attempts. A size is remembered for the provider: batches
that are planned from then on have shards of at most that size. A number of lines is found out for each shard.
"""

from typing import Final

from batchyard.domain.batch import BatchError
from batchyard.domain.numbers import DAY
from batchyard.domain.policy import FILE_TOO_LARGE, TOO_MANY_LINES
from batchyard.domain.shard import Shard, with_members
from batchyard.domain.step import Next, Step
from batchyard.observability import logger
from batchyard.shards.turn import Turn

SMALL: Final = 1_000_000  # bytes; a smaller size is that of one shard, and not remembered for the provider
TRIES: Final = 4  # of a small file, or of one line, before it is cut or the line fails
REMEMBERED: Final = 30 * DAY  # then a file of the usual size is tried again


def is_doubtful(turn: Turn, code: str | None) -> bool:
    """Tell whether a refusal may pass: a gateway in trouble says 413, too, and any provider takes files as small as this."""
    if code in TOO_MANY_LINES:
        return False
    small = turn.attempt.bytes <= SMALL or not can_be_cut(turn)
    return small and turn.shard.failures_in_a_row + 1 < TRIES


def can_be_cut(turn: Turn) -> bool:
    """Tell whether the attempt holds more than one line."""
    return turn.attempt.lines > 1


def cut(turn: Turn, base: Shard, code: str | None) -> Step:
    """Have half as much sent at once, from now on and, unless it is the number of lines that is refused, to this provider."""
    size, lines, now = turn.attempt.bytes, turn.attempt.lines, turn.services.now()
    logger.warning(
        "too much for the provider", batch_id=base.batch_id, shard=base.shard, code=code, bytes=size, lines=lines
    )
    if size > SMALL and code not in TOO_MANY_LINES:
        turn.account.creations.learn_most_bytes(max(SMALL, size // 2), now, now + REMEMBERED)
    turn.save_answered(with_size(base, size))
    return turn.then(Next.SUBMIT)


def with_size(shard: Shard, size: int) -> Shard:
    """Return the shard with the size of a file that the provider refused; the file itself is not needed any more."""
    return with_members(shard, file_id=None, too_large_bytes=min(size, shard.too_large_bytes or size))


def error_of_line(turn: Turn, what: str, code: str | None) -> BatchError:
    """Say of a line that was sent alone that nothing is left to cut: the size, the provider's words, what a person can do."""
    size, most, what = turn.attempt.bytes, turn.account.entry.max_bytes_per_shard, what.strip().rstrip(".")
    if code in TOO_MANY_LINES:
        return BatchError(code or "", f"Sent alone, this request is too many: {what}.")
    message = (
        f"This request was sent alone in a file of {size:,} bytes, which is too large for the provider: {what}. Shorten "
        f"the request: a smaller MaxBytesPerShard ({most:,} now) parts requests from each other, and cuts none."
    )
    return BatchError(FILE_TOO_LARGE, message)
