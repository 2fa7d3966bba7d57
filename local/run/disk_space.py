"""Tell before a run, not in the midst of it, that the disk is too small for its input."""

import shutil
from collections.abc import Callable

from local import ROOT
from local.errors import UsageError

_PLACE = ROOT / ".cache"


def check_room(size: int, say: Callable[[str], None], free: int | None = None) -> None:
    """Say so when an input of `size` bytes may not fit on the disk the stack works on; `free` is for tests.

    Raises:
        UsageError: it cannot fit.

    """
    free = room() if free is None else free
    where = f"below {_PLACE}, where {_gb(free)} are free"
    if free < size:
        raise UsageError(f"The input needs more than {_gb(size)} {where}.")
    if free < 2 * size:  # a copy in S3, and what of it is at the emulator at one time
        say(f"The input may need up to {_gb(2 * size)} {where}.")


def room() -> int:
    """Return the bytes that are free on the disk the stack works on."""
    return shutil.disk_usage(_PLACE if _PLACE.exists() else ROOT).free


def told_room() -> str:
    """Say how much that is."""
    return f"{_gb(room())} are free below {_PLACE}."


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
