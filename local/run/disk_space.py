"""Say before a run, not during it, that the disk is too small for the input."""

import shutil
from collections.abc import Callable

from local import ROOT
from local.errors import UsageError

_PLACE = ROOT / ".cache"


def check_disk_space(size: int, say: Callable[[str], None], free: int | None = None) -> None:
    """Say so if an input of `size` bytes may not fit on the disk that the stack works on; `free` is for tests.

    Raises:
        UsageError: the input cannot fit.

    """
    free = free_bytes() if free is None else free
    where = f"below {_PLACE}, where {_gb(free)} are free"
    if free < size:
        raise UsageError(f"The input needs more than {_gb(size)} {where}.")
    if free < 2 * size:  # one copy in S3, and one at the emulator
        say(f"The input may need up to {_gb(2 * size)} {where}.")


def free_bytes() -> int:
    """Return the free bytes of the disk that the stack works on."""
    return shutil.disk_usage(_PLACE if _PLACE.exists() else ROOT).free


def free_sentence() -> str:
    """Return a sentence with the free space of that disk."""
    return f"{_gb(free_bytes())} are free below {_PLACE}."


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
