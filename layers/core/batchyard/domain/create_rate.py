"""How many provider batches may be made in an hour: a sliding window of short pieces."""

from typing import Final

import msgspec

from batchyard.domain.durations import HOUR

PIECE: Final = 300  # seconds
# The last part of the hour's number is kept for those who have waited long, so that many new ones starve nobody.
KEPT_SHARE: Final = 10
LONG: Final = 1_800  # seconds


class Creations(msgspec.Struct, frozen=True, kw_only=True):
    """The record `CREATES#<provider>` / `HOUR`: creations by the number of their piece of time."""

    counts: dict[str, int] = {}
    version: int = 0


def one_more(seen: Creations, most: int, since: int, now: int) -> Creations | int:
    """Count one more creation, for an attempt that began at `since`; or answer the seconds until there may be one."""
    within = {piece: count for piece, count in seen.counts.items() if _end(piece) > now - HOUR}
    allowed = most if now - since >= LONG else most - most // KEPT_SHARE
    if sum(within.values()) < allowed:
        piece = str(now // PIECE)
        return Creations(counts={**within, piece: within.get(piece, 0) + 1}, version=seen.version)
    return min(_end(piece) for piece in within) + HOUR - now if within else HOUR


def _end(piece: str) -> int:
    return (int(piece) + 1) * PIECE
