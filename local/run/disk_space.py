"""Watch the room on the disk that the stack works on, and on the disk that takes the results."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from local import ROOT
from local.errors import DiskFullError, UsageError
from local.stack.running import Stack

_PLACE = ROOT / ".cache"
#: With fewer free bytes the stack cannot work: a disk that is quite full stops the local AWS without a word.
LEAST = 100_000_000
_LEAST_FOR_RESULTS = 1_000_000
_LOOK_SECONDS = 15.0


def check_disk_space(size: int, say: Callable[[str], None], free: int | None = None) -> None:
    """Say so if an input of `size` bytes may not fit on the disk that the stack works on; `free` is for tests.

    Raises:
        UsageError: the input cannot fit.

    """
    free = free_bytes() if free is None else free
    where = f"below {_PLACE}, where {_gb(free)} are free"
    if free < size + LEAST:
        raise UsageError(f"The input needs more than {_gb(size + LEAST)} {where}.")
    if free < 2 * size:  # one copy in S3, and one at the emulator
        say(f"The input may need up to {_gb(2 * size)} {where}.")


def check_room_for_results(out: Path, size: int, say: Callable[[str], None]) -> None:
    """Say so if results that are as large as an input of `size` bytes do not fit into `out`.

    Raises:
        UsageError: next to nothing fits.

    """
    free = shutil.disk_usage(out).free
    if free < _LEAST_FOR_RESULTS:
        raise UsageError(f"There is no room for results in {out}: {_gb(free)} are free. Name another folder with OUT=…")
    if free < size:
        say(f"The results may need {_gb(size)} or more in {out}, where {_gb(free)} are free.")


def check_stack(stack: Stack) -> None:
    """Check that the stack can go on.

    Raises:
        ProcessEnded: a process of the stack has ended by itself.
        DiskFullError: the disk that the stack works on is full.

    """
    stack.check()
    free = shutil.disk_usage(stack.folder).free
    if free < LEAST:
        raise DiskFullError(f"The disk is full: {_gb(free)} are free in {stack.folder}, and the run cannot go on.")


class GrowingResults:
    """Compare the answers of a batch that have come so far with the room in the folder that takes the results."""

    def __init__(self, stack: Stack, batch_id: str, out: Path, say: Callable[[str], None]) -> None:
        self._stack, self._prefix, self._out, self._say = stack, f"work/{batch_id}/shards/", out, say
        self._next = time.monotonic() + _LOOK_SECONDS
        self._told = False

    def look(self) -> None:
        """Say once that the results will not fit; return at once if the last look was a moment ago."""
        if self._told or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_SECONDS
        size = self._size()
        try:
            free = shutil.disk_usage(self._out).free
        except OSError:
            free = 0  # the folder has gone, with its disk perhaps
        if free < size:
            self._told = True
            self._say(
                f"The answers so far need {_gb(size)} in {self._out}, where {_gb(free)} are free. Make room there; "
                f"else the results are kept below {_PLACE}."
            )

    def _size(self) -> int:
        pages = self._stack.clients.s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self._stack.bucket, Prefix=self._prefix)
        return sum(item["Size"] for page in found for item in page.get("Contents", []) if "/attempt-" in item["Key"])


def free_bytes() -> int:
    """Return the free bytes of the disk that the stack works on."""
    return shutil.disk_usage(_PLACE if _PLACE.exists() else ROOT).free


def free_sentence() -> str:
    """Return a sentence with the free space of that disk."""
    return f"{_gb(free_bytes())} are free below {_PLACE}."


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 100_000_000 else f"{size / 1e6:,.1f} MB"
