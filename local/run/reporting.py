"""Show a batch to the person who watches: a bar on a terminal, plain lines elsewhere, and a table at the end."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from local.run.money import cost_told, estimate_lines, tokens_told
from local.run.records import Progress
from local.run.summary import closing_sentence, outcome_lines

_PLAIN_SECONDS = 5.0
_SHOWN_ERRORS = 5
_SHOWN_LINES = 3
_JOINING = "finalizing (joins the answers in input order)"
_CORRECT = " Correct these lines of the input and run it again."
_WAITS = "The batch waits for the provider, and goes on by itself once it can. Ctrl-C ends it."
_KEY_REFUSED = "The provider refused our key"  # as the application words it
_NEW_KEY = "Check PROVIDER_API_KEY; a key cannot be changed in a running make run: end it with Ctrl-C and start again."


class _Clock(ProgressColumn):
    """Show the time since a start; the clock of rich stands still once all lines have their outcome."""

    def __init__(self, started: float | None) -> None:
        super().__init__()
        self._started = time.monotonic() if started is None else started

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the time is that of the run
        return Text(str(timedelta(seconds=int(time.monotonic() - self._started))), style="progress.elapsed")


class Display:
    """Show the progress of a batch on standard error while the block lasts."""

    def __init__(self, *, own_provider: bool = False, started: float | None = None) -> None:
        """Show the time since `started`, by the monotonic clock; without it, since now."""
        self._own_provider = own_provider
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Clock(started))
        self._bar = Bar(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("…", total=None)
        self._plain = (Progress("", ""), 0.0)
        self._explained: set[str] = set()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, now: Progress, waits: str | None = None) -> None:
        """Show the state `now`; of a batch that is being ended, with what its end `waits` for, again and again."""
        if waits is not None:
            now = replace(now, paused=None)
        elif now.paused:
            self._explain(now.paused)
        note = f" ({waits})" if waits else ""
        if self._console.is_terminal:
            text = escape(_status_text(now) + note)
            self._bar.update(self._task, description=text, completed=now.done, total=now.total or None)
            return
        last, at = self._plain
        waited = time.monotonic() - at >= _PLAIN_SECONDS
        if now.status != last.status or (waited and (note or _without_ids(now) != _without_ids(last))):
            self._plain = (now, time.monotonic())
            same = _without_ids(now).paused == _without_ids(last).paused
            told = replace(now, paused="as before") if now.paused and same else now
            self._say(f"{_status_text(told)}{note}{_lines_text(now)}")

    def _explain(self, reason: str) -> None:
        advice = _NEW_KEY if self._own_provider and reason.startswith(_KEY_REFUSED) else _WAITS
        if advice not in self._explained:
            self._explained.add(advice)
            self._say(advice)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _status_text(now: Progress) -> str:
    shards = f", {now.shards_done}/{now.shards} {'shard' if now.shards == 1 else 'shards'}" if now.shards else ""
    status = _JOINING if now.status == "finalizing" else now.status
    if now.dry_run:
        return "estimated" if now.status == "completed" else f"estimated: {now.status}" if now.ended else "estimating"
    return f"{status}{shards}" + (f" (paused: {now.paused})" if now.paused else "")


def counts_told(last: Progress) -> str:
    """Tell how the lines of a batch that has ended went; those that neither succeeded nor failed were cancelled."""
    left = last.total - last.done if last.status == "cancelled" else 0
    return f"{last.completed:,} succeeded, {last.failed:,} failed" + (f", {left:,} cancelled" if left > 0 else "")


def _lines_text(now: Progress) -> str:
    """Tell how many lines are done; nothing before anybody knows how many there are."""
    done = "" if now.dry_run else f"{now.done:,}/"
    return f", {done}{now.total:,} {'line' if now.total == 1 else 'lines'}" if now.total else ""


def _without_ids(now: Progress) -> Progress:
    return replace(now, paused=without_ids(now.paused))


def without_ids(reason: str | None) -> str | None:
    """Return the reason of a pause without ids and counts, which differ from one failed call to the next."""
    return reason and re.sub(r"\S*\d\S*", "…", reason)


def print_closing(
    last: Progress, fetched: list[Path], seconds: float | None = None, provider: str | None = None
) -> None:
    """Print on standard error how the batch went at the `provider`, its first errors, and where the results are."""
    console = Console(stderr=True, highlight=False)
    report = next((path for path in fetched if path.name == "report.json"), None)
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # a path that is cut is of no use
    for name, value in _rows(last, report, seconds, provider):
        table.add_row(name, value)
    for path in fetched:
        table.add_row(path.name, escape(str(path)))
    console.print(table)
    console.print(closing_sentence(last))
    estimate = estimate_lines(last.preflight) if last.dry_run and last.preflight else []
    for line in (*outcome_lines(fetched), *estimate, *error_lines(last, report)):
        console.print(line, markup=False, soft_wrap=True)


def _rows(
    last: Progress, report: Path | None, seconds: float | None, provider: str | None
) -> Iterator[tuple[str, str]]:
    yield "batch", last.batch_id
    yield "status", last.status
    if last.shards and not last.dry_run:  # a refused batch has neither lines nor shards
        yield "lines", f"{last.total:,} ({counts_told(last)})"
        yield "shards", f"{last.shards:,}"
    if report and (tokens := tokens_told(report)):
        yield "tokens", tokens
    if report and (cost := cost_told(report)):
        yield "cost", cost
    if provider:
        yield "provider", escape(provider)
    if seconds is not None:
        yield "seconds", f"{seconds:.1f}"


def error_lines(last: Progress, report: Path | None) -> list[str]:
    """Return the first faults of the batch, each told once with its lines, and what to do about them."""
    faults = dict[tuple[str, str], tuple[str, list[int | None]]]()
    for error in last.errors:
        line = error.get("line")
        _, numbers = faults.setdefault((_without_places(error["message"]), error["code"]), (error["message"], []))
        numbers.append(None if line is None else int(line))
    shown = list(islice(faults.items(), _SHOWN_ERRORS))
    lines = [f"  {_where(numbers)}{message} ({code})" for (_, code), (message, numbers) in shown]
    more = last.errors_total - sum(len(numbers) for _, (_, numbers) in shown)
    if more > 0:
        listed = "" if len(last.errors) == last.errors_total else f" the first {len(last.errors):,} of"
        lines.append(f"  … and {more:,} more" + (f"; {report} lists{listed} them all." if report else "."))
    if last.status == "failed" and not last.shards:
        lines.append("Nothing was sent." + (_CORRECT if any(error.get("line") for error in last.errors) else ""))
    return lines


def _without_places(message: str) -> str:
    """Return a message without the place in the line, which differs from one line with this fault to the next."""
    return re.sub(r"at (character|byte) \d+", "", message)


def _where(numbers: list[int | None]) -> str:
    """Name the lines of a fault: the first ones, and how many there are."""
    known = [f"{number}" for number in numbers if number is not None]
    if len(known) <= 1:
        return f"line {known[0]}: " if known else ""
    if len(known) <= _SHOWN_LINES:
        return f"lines {', '.join(known[:-1])} and {known[-1]}: "
    return f"{len(known):,} lines, the first are {', '.join(known[:_SHOWN_LINES])}: "
