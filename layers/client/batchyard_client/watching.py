"""A look at a batch now and then, until it has ended."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from .patience import Patience
from .screen import Bar, counted, reason_of, usd_words
from .service import Service, View

FIRST_PAUSE: Final = 0.5  # seconds
GROWTH: Final = 1.15
LONGEST_PAUSE: Final = 20.0  # seconds
MOST_REASONS: Final = 5
MOST_LINES: Final = 3  # that are named of one fault
ENDPOINT_WAY: Final = (
    "For a table, --endpoint is the url: /v1/messages for Anthropic, and /model/MODEL/converse with --body in place of --prompt"
    " for Amazon Bedrock."
)
WORDS: Final = {
    "validating": "is checked", "in_progress": "runs", "finalizing": "results are put together", "cancelling": "is cancelled",
}  # fmt: skip


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
    waits = view.paused and not view.ended
    return ", ".join([*([] if waits else [WORDS.get(view.status, view.status)]), *details(view)])


def details(view: View) -> Iterator[str]:
    """Say what there is to say of a batch beside its status and what is done."""
    if view.paused and not view.ended:
        call, command = f"POST /v1/batches/{view.id}/resume", f"batchyard resume {view.id}"
        yield f"waits: {view.paused.replace(f'{call} tries at once', f'{command} tries at once')}"
    if view.counts.failed:
        yield f"{view.counts.failed:,} failed"
    if view.usd:
        yield f"${usd_words(view.usd)}"


def reasons_told(view: View, most: int = MOST_REASONS) -> list[str]:
    """Return in words why the batch failed; lines with the same fault are told together."""
    lines: dict[str, list[int]] = {}
    for error in (view.errors or {}).get("data") or []:
        if isinstance(error, dict):
            number = error.get("line")
            lines.setdefault(reason_of(error), []).extend([number] if number else [])
    return [f"{_where(numbers)}{reason}" for reason, numbers in islice(lines.items(), most)]


def _where(numbers: list[int]) -> str:
    """Name lines: the first ones, and how many more there are."""
    shown, more = [f"{each:,}" for each in numbers[:MOST_LINES]], len(numbers) - MOST_LINES
    shown += [f"{more:,} more"] if more > 0 else []
    if len(shown) <= 1:
        return f"line {shown[0]}: " if shown else ""
    return f"lines {', '.join(shown[:-1])} and {shown[-1]}: "


def would_run(view: View) -> bool:
    """Tell of a dry run whether the batch would run as it is."""
    return (view.preflight or {}).get("would_run") is not False


def usd_of(view: View) -> float | None:
    """Return what a dry run estimates, in US dollars; None without a price."""
    usd: float | None = (view.preflight or {}).get("estimated_usd")
    return usd


def estimate_words(view: View) -> str:
    """Say what a dry run has found: of the good lines, with what becomes of the bad ones."""
    found = view.preflight or {}
    bad, usd = found.get("bad_lines") or 0, usd_of(view)
    tokens = (
        f"{found.get('estimated_input_tokens') or 0:,} tokens in, {found.get('estimated_output_tokens') or 0:,} out"
    )
    price = "of unknown price" if usd is None else f"at most about ${usd_words(usd)}"
    said = f"Estimate: {counted(view.counts.total - bad, 'request')}, {tokens}, {price}."
    if bad and bad == view.counts.total:
        said = "Estimate: there is no good request."
    if alone := found.get("lines_one_by_one"):
        said = f"{said} {counted(alone, 'request')} too few for a batch there: one by one, at the full price."
    if not bad:
        return said
    if would_run(view):
        return f"{said} {counted(bad, 'bad line')} left out."
    return f"{said} {counted(bad, 'bad line')}: the batch is refused as it is. --on-invalid skip leaves bad lines out."


def refused_words(view: View, *, is_table: bool) -> str:
    """Say why an estimate refuses the input; a table has its url from an option."""
    said = ("The input is refused, and nothing was sent.", *reasons_told(view))
    lost = is_table and any("(no_provider)" in each for each in said)
    return " ".join((*said, ENDPOINT_WAY)) if lost else " ".join(said)
