"""What a person sees: bars on a terminal, plain lines in a pipe, or nothing."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_EVERY = 10.0  # seconds between two lines in a pipe
SMALL = 0.01  # dollars, of which a ten-thousandth is much


class Bar(Protocol):
    """One thing whose progress is shown."""

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show how much is done, of how much, and a few words."""

    def passed(self, count: int) -> None:
        """Show that more is done; less, if `count` is negative."""


class Screen(Protocol):
    """Where people are told."""

    def say(self, text: str) -> None:
        """Tell a sentence."""

    def bar(self, label: str, total: int | None, *, of_bytes: bool = False) -> AbstractContextManager[Bar]:
        """Show the progress of a thing while a block lasts."""


class QuietScreen:
    """Tell nothing."""

    def say(self, text: str) -> None:
        """Tell nothing."""

    @contextmanager
    def bar(self, label: str, total: int | None, *, of_bytes: bool = False) -> Iterator[Bar]:  # noqa: ARG002 - of Screen
        """Show nothing."""
        yield _QuietBar()


class PlainScreen:
    """Tell in lines, now and then."""

    def __init__(self, stream: TextIO | None = None, every: float = PLAIN_EVERY) -> None:
        """Write to a stream, standard error if none is given."""
        self._stream, self._every = stream, every

    def say(self, text: str) -> None:
        """Write a line; the work goes on if nobody reads it any more."""
        with suppress(BrokenPipeError):
            print(text, file=self._stream or sys.stderr, flush=True)

    @contextmanager
    def bar(self, label: str, total: int | None, *, of_bytes: bool = False) -> Iterator[Bar]:
        """Write a line now and then while a block lasts."""
        yield _PlainBar(self, label, total, of_bytes=of_bytes, every=self._every)


class RichScreen:
    """Show bars with rate and time left, on a terminal."""

    def __init__(self) -> None:
        """Draw on standard error."""
        from rich.console import Console  # noqa: PLC0415 - a tenth of a second, and only a terminal needs it

        self._console = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Write a line, above a bar that is shown."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, label: str, total: int | None, *, of_bytes: bool = False) -> Iterator[Bar]:
        """Draw a bar while a block lasts."""
        with _progress(self._console, of_bytes=of_bytes) as progress:
            yield _RichBar(progress, progress.add_task(label, total=total, note=""))


def choose_screen(*, quiet: bool = False, plain: bool = False) -> Screen:
    """Return the screen for standard error."""
    if quiet:
        return QuietScreen()
    return RichScreen() if sys.stderr.isatty() and not plain else PlainScreen()


class _QuietBar:
    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show nothing."""

    def passed(self, count: int) -> None:
        """Show nothing."""


class _PlainBar:
    def __init__(self, screen: PlainScreen, label: str, total: int | None, *, of_bytes: bool, every: float) -> None:
        self._screen, self._label, self._total, self._of_bytes, self._every = screen, label, total, of_bytes, every
        self._done, self._told, self._note = 0, time.monotonic(), ""
        self._lock = threading.Lock()

    def passed(self, count: int) -> None:
        with self._lock:
            self.show(self._done + count, self._total)

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        changed = (note != self._note and bool(note)) or (done == total and done != self._done)
        self._done, self._total, self._note = done, total or self._total, note
        now = time.monotonic()
        if changed or now - self._told >= self._every:
            self._told = now
            self._screen.say(f"{self._label}: {self._amount()}{f', {note}' if note else ''}")

    def _amount(self) -> str:
        shown = _size if self._of_bytes else "{:,}".format
        return f"{shown(self._done)} of {shown(self._total)}" if self._total else shown(self._done)


class _RichBar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress, self._task = progress, task

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        if total:
            self._progress.update(self._task, total=total)
        self._progress.update(self._task, completed=done, note=note)

    def passed(self, count: int) -> None:
        self._progress.advance(self._task, count)


def _progress(console: object, *, of_bytes: bool) -> "Progress":
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text  # noqa: PLC0415 - as above

    class Rate(ProgressColumn):
        def render(self, task: object) -> Text:
            speed = getattr(task, "finished_speed", None) or getattr(task, "speed", None)
            return Text("" if not speed else f"{speed:,.1f}/s" if speed < 10 else f"{speed:,.0f}/s")

    amounts = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(), Rate())
    return Progress(
        TextColumn("{task.description}"), BarColumn(), *amounts, TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
        console=console,  # type: ignore[arg-type] # the console of rich, which is imported late
    )  # fmt: skip


def _size(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{count} B" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    raise AssertionError  # never: TB ends the loop


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, as in `1 row` and `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def usd_words(usd: float) -> str:
    """Return dollars with four digits behind the point, or six where these would say too little."""
    return f"{usd:,.6f}" if 0 < usd < SMALL else f"{usd:,.4f}"


def reason_of(error: Mapping[str, Any]) -> str:
    """Say what is wrong, without the line."""
    code = f" ({error['code']})" if error.get("code") else ""
    return f"{error.get('message') or 'no reason was given'}{code}"
