"""A look at a batch now and then, until it has ended."""

import time
from collections.abc import Callable
from typing import Final

from .patience import Patience
from .screen import Bar
from .service import Service, View

FIRST_PAUSE: Final = 0.5  # seconds
GROWTH: Final = 1.15
LONGEST_PAUSE: Final = 20.0  # seconds
DONE_WORDS: Final = {"validating": "is checked", "in_progress": "runs", "finalizing": "results are put together"}


def watch(
    service: Service, patience: Patience, batch_id: str, bar: Bar, sleep: Callable[[float], None] = time.sleep
) -> View:
    """Show the progress of a batch, and return it once it has ended."""
    pause = FIRST_PAUSE
    while True:
        view = patience.run(lambda: service.retrieve(batch_id))
        counts = view.counts
        bar.show(counts.completed + counts.failed, counts.total or None, note(view))
        if view.ended:
            return view
        sleep(pause)
        pause = min(pause * GROWTH, LONGEST_PAUSE)


def note(view: View) -> str:
    """Say in a few words how a batch stands."""
    if view.paused and not view.ended:
        return f"waits: {view.paused}"
    words = [DONE_WORDS.get(view.status, view.status)]
    if view.counts.failed:
        words.append(f"{view.counts.failed:,} failed")
    if view.usd:
        words.append(f"${view.usd:,.4f}")
    return ", ".join(words)
