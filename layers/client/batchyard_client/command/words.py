"""Sentences for people about where a command stands."""

import shlex
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from batchyard_client.delivering import Delivered
from batchyard_client.screen import counted, usd_words
from batchyard_client.service import View

#: The batch that the running command waits for, so that whoever stops the command is told.
UNDER_WAY: Final[list[str]] = []
_LEFT_OUT: Final = ("--new",)
_MOST_CODES: Final = 3
_MOST_WORDS: Final = 300  # characters of what was said of a row


def stopped_words(arguments: list[str]) -> str:
    """Say what goes on after a command was stopped, and how to go on; no key is shown."""
    again = shlex.join(["batchyard", *_shown(arguments)])
    if UNDER_WAY:
        return f"Stopped looking. {UNDER_WAY[-1]} runs on without this command. To go on:\n  {again}"
    return f"Stopped. Nothing is lost; to go on where this stopped:\n  {again}"


def _shown(arguments: list[str]) -> list[str]:
    shown, hidden = [], False
    for each in arguments:
        if hidden or each in _LEFT_OUT or each.startswith("--key="):
            hidden = False
        elif each == "--key":
            hidden = True
        else:
            shown.append(each)
    return shown


def delivered_words(told: Delivered) -> str:
    """Say what came of a batch."""
    spent = "" if told.usd is None else f" ${usd_words(told.usd)} spent."
    failed = f", {told.failed - told.skipped:,} failed" if told.failed > told.skipped else ""
    whole = "" if told.status == "completed" else f" The batch is {told.status}."
    are = "is" if told.rows == 1 else "are"
    said = f"{told.succeeded:,} of {counted(told.rows, 'row')} {are} answered{failed}: {told.out}.{whole}{spent}"
    return "\n".join((said, *_next_steps(told)))


def _next_steps(told: Delivered) -> Iterator[str]:
    """Say why rows failed, and of each kind of row without a good answer what can be done."""
    if told.causes:
        codes = ", ".join(f"{count:,} {code}" for code, count in islice(told.causes.items(), _MOST_CODES))
        more = ", …" if len(told.causes) > _MOST_CODES else ""
        words = " ".join(told.cause.split())[:_MOST_WORDS]
        yield f"Failed: {codes}{more}.{f' The first of these: {words}' if words else ''}"
    left = told.failed - told.retryable - told.skipped - told.unfit - told.bad
    if told.retryable:
        which = "" if told.retryable == told.failed else f" ({counted(told.retryable, 'row')})"
        yield f"To send what failed again{which}: batchyard retry {told.batch_id}"
    if left > 0:
        yield f"A provider has no retry: to send what failed again ({counted(left, 'row')}), put it into a file of its own."
    if told.unfit:
        yield (
            f"{counted(told.unfit, 'row')} with an answer that is not what was asked for, as the column error says: no retry"
            " sends them again; put them into a table of their own."
        )
    if told.bad:
        yield f"{counted(told.bad, 'bad line')} left out, as errors.jsonl says: mend the input to send them."
    if told.skipped:
        yield f"{counted(told.skipped, 'row')} not asked, because a cell is null: --nulls empty would ask them."


def status_rows(view: View) -> dict[str, Any]:
    """Return a batch as machines read it."""
    counts = view.counts
    return {
        "batch_id": view.id, "status": view.status, "rows": counts.total, "succeeded": counts.completed,
        "failed": counts.failed, "usd": view.usd, "paused": view.paused, "model": view.model,
        "created_at": view.created_at, "endpoint": view.endpoint, "dry_run": view.dry_run, "errors": view.reasons,
    }  # fmt: skip
