"""The commands that only look: at batches, and at what was used."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from batchyard_client.errors import ALL_GOOD, SOME_FAILED, Refused, UsageFault
from batchyard_client.home import naming
from batchyard_client.screen import counted, usd_words
from batchyard_client.service import View
from batchyard_client.watching import details, estimate_words, reasons_told

from .options import front_of
from .words import status_rows

BATCHES: Final = ("batch", "status", "rows", "failed", "$", "made (UTC)")


def status(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Show one batch."""
    front = front_of(asked)
    with front.words():
        view = front.service.retrieve(batch_id)
    shown(view, asked)
    return ALL_GOOD


def listed(limit: int, asked: Mapping[str, Any], *, estimates: bool = False) -> int:
    """Show the newest batches; estimates, which sent nothing, only where these are asked for."""
    front = front_of(asked)
    with front.words():
        views = list(islice((view for view in front.service.batches() if estimates or not view.dry_run), limit))
    if asked["as_json"]:
        printed([status_rows(view) for view in views])
    else:
        table([row_of(view) for view in views], BATCHES)
    return ALL_GOOD


def usage(query: Mapping[str, str | None], asked: Mapping[str, Any]) -> int:
    """Show what was used."""
    if query["from"] and query["to"] and query["from"] > query["to"]:
        raise UsageFault(f"--from {query['from']} is after --to {query['to']}.")
    front = front_of(asked)
    with front.words():
        found = front.service.usage({name: value for name, value in query.items() if value})
    if asked["as_json"]:
        printed(found)
        return ALL_GOOD
    by = str(query["group_by"])
    parts = [(each.get(by, ""), each) for each in found["data"]] + [("total", found["total"])]
    rows = [
        (str(name), f"{each['lines']:,}", f"{each['usage']['input_tokens']:,}", f"{each['usage']['output_tokens']:,}",
         _usd(each["cost"]))
        for name, each in parts
    ]  # fmt: skip
    table(rows, (by, "rows", "tokens in", "tokens out", "$"))
    return ALL_GOOD


def _usd(cost: Mapping[str, Any]) -> str:
    """Say what was paid; where tokens have no price, what the others cost, and how many these are."""
    if cost["usd"] is not None:
        return usd_words(cost["usd"])
    known = sum(cost[name] for name in ("input_usd", "cached_usd", "output_usd"))
    return f"{usd_words(known)} + {counted(cost['unpriced_tokens'], 'unpriced token')}"


def shown(view: View, asked: Mapping[str, Any], *, ended: bool = True) -> int:
    """Print a batch, and return the status that its end asks for."""
    if asked["as_json"]:
        printed(status_rows(view))
    else:
        put(f"{view.id}: {_standing(view)}")
        for reason in reasons_told(view, 10):
            click.echo(f"  {reason}", err=True)
    if not ended:
        return ALL_GOOD
    if view.status == "failed":
        return Refused.status
    return ALL_GOOD if view.status == "completed" and not view.counts.failed else SOME_FAILED


def _standing(view: View) -> str:
    if view.dry_run:
        return (
            f"an estimate, {view.status}. {estimate_words(view)}" if view.preflight else f"an estimate, {view.status}"
        )
    counts = view.counts
    done = f"{counts.completed + counts.failed:,} of {counted(counts.total, 'row')} done"
    return ", ".join((view.status, done, *details(view)))


def row_of(view: View) -> tuple[str, ...]:
    """Return a batch as a row of a list."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only here

    made = datetime.fromtimestamp(view.created_at or 0, UTC).strftime("%Y-%m-%d %H:%M")
    spent = "" if view.usd is None else usd_words(view.usd)
    status = "estimate" if view.dry_run else view.status
    return (view.id, status, f"{view.counts.total:,}", f"{view.counts.failed:,}", spent, made)


def table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> None:
    """Print columns side by side, for people and for `awk`."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    put("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines))


def printed(value: object) -> None:
    """Print one JSON object, on one line."""
    put(msgspec.json.encode(value).decode())


def put(text: str) -> None:
    """Print a result, at once, so that a fault is told as one of standard output."""
    with naming(Path("standard output")):
        click.echo(text)
