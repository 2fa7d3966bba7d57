"""What a watching person sees of a batch: a bar on a terminal, plain lines elsewhere, a table at the end."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from local.records import Progress

_PLAIN_SECONDS = 5.0
_SHOWN_ERRORS = 5
_VERDICTS = {
    "completed": "The batch is complete: every line has its outcome.",
    "failed": "The batch failed.",
    "cancelled": "The batch was cancelled; what was finished by then is kept.",
}


class Display:
    """Show a batch's progress on standard error while the block lasts."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("…", total=None)
        self._plain = (Progress("", ""), 0.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, now: Progress) -> None:
        """Show the batch as it stands now."""
        if self._console.is_terminal:
            self._bar.update(self._task, description=escape(_doing(now)), completed=now.done, total=now.total or None)
            return
        last, at = self._plain
        waited = time.monotonic() - at >= _PLAIN_SECONDS
        if now.status != last.status or (waited and now != last):
            self._plain = (now, time.monotonic())
            lines = f"{now.done:,}/{now.total:,} lines"
            self._console.print(f"{_doing(now)}, {lines}", markup=False, highlight=False, soft_wrap=True)


def _doing(now: Progress) -> str:
    shards = f", {now.shards_done}/{now.shards} shards" if now.shards else ""
    return f"{now.status}{shards}" + (f" (paused: {now.paused})" if now.paused else "")


def closing(last: Progress, fetched: list[Path], seconds: float) -> None:
    """Say on standard error how the batch went, what went wrong first, and where the results are."""
    console = Console(stderr=True, highlight=False)
    table = Table(show_header=False)
    table.add_row("batch", last.batch_id)
    table.add_row("status", last.status)
    table.add_row("lines", f"{last.total:,} ({last.completed:,} succeeded, {last.failed:,} failed)")
    table.add_row("shards", f"{last.shards:,}")
    table.add_row("seconds", f"{seconds:.1f}")
    for path in fetched:
        table.add_row(path.name, escape(str(path)))
    console.print(table)
    console.print(_VERDICTS[last.status])
    for line in error_lines(last):
        console.print(line, markup=False, soft_wrap=True)


def error_lines(last: Progress) -> list[str]:
    """Return the first errors of the batch in plain sentences, with their line numbers and what to do about them."""
    lines = []
    for error in last.errors[:_SHOWN_ERRORS]:
        where = f"line {int(error['line'])}: " if error.get("line") is not None else ""
        lines.append(f"  {where}{error['message']} ({error['code']})")
    more = last.errors_total - len(lines)
    if more > 0:
        lines.append(f"  … and {more:,} more; report.json and the batch's record list them.")
    if any(error.get("line") is not None for error in last.errors):
        lines.append("Nothing was sent. Correct these lines of the input and run it again.")
    return lines
