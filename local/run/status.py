"""Show the batches of a stack, by its HTTP API: `make status`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from local.errors import LocalError, UsageError
from local.stack.door import find_doors

_URL, _KEY = "BATCHYARD_URL", "BATCHYARD_KEY"
_MOST = 100
_SECONDS = 15.0
_ENDED = ("completed", "failed", "expired", "cancelled")
HEAD = ("batch", "status", "done", "failed", "lines", "per minute", "time left")
_FRAME = 3  # columns of a terminal
_TEXTS = HEAD[:2]
_NONE_UP = (
    "No stack of make up runs here. Start one with make up, or name another by BATCHYARD_URL (its ApiUrl, which ends "
    "in /v1) and BATCHYARD_KEY (from make key)."
)


@dataclass(frozen=True)
class Door:
    """An HTTP API, and the key that opens it."""

    url: str
    key: str


def show_status(host: Mapping[str, str]) -> None:
    """Print a table of the batches of each stack: that of `host`, or those that are up on this machine.

    Raises:
        UsageError: only one of the two variables is set.
        LocalError: there is no stack, or it does not answer.

    """
    doors, console = _doors(host), Console()
    for number, door in enumerate(doors):
        if len(doors) > 1:
            print(f"\n{door.url}" if number else door.url)
        page = _batches(door)
        if not page["data"]:
            print("No batch was made yet.")
            continue
        rows = [_row(batch, time.time()) for batch in page["data"]]
        text = plain([HEAD, *rows])
        if console.is_terminal and console.width >= max(map(len, text)) + len(HEAD) + _FRAME:
            console.print(_table(rows))
        else:
            print("\n".join(text))
        print("".join(f"{line}\n" for line in _told_below(page)), end="", flush=True)


def _doors(host: Mapping[str, str]) -> list[Door]:
    url, key = host.get(_URL), host.get(_KEY)
    if url and key:
        return [Door(url.rstrip("/"), key)]
    if url or key:
        given, missing = (_URL, _KEY) if url else (_KEY, _URL)
        raise UsageError(f"{given} is set and {missing} is not. Set both, or none for the stack of make up.")
    found = [Door(each["base_url"], each["api_key"]) for each in find_doors()]
    if not found:
        raise LocalError(_NONE_UP)
    return found


def _batches(door: Door) -> dict[str, Any]:
    """Return the newest batches, newest first."""
    headers = {"Authorization": f"Bearer {door.key}"}
    try:
        answer = requests.get(f"{door.url}/batches", params={"limit": _MOST}, headers=headers, timeout=_SECONDS)
        page = answer.json()
        if answer.ok:
            return {"data": page["data"], "has_more": page["has_more"]}
        why = page["error"]["message"]
    except (KeyError, TypeError, requests.JSONDecodeError):
        why = f"Its answer, with the status {answer.status_code}, is none of this API. Does the address end in /v1?"
    except requests.RequestException as error:
        why = f"{_reason(error)}. Does {_URL} lead to a stack that runs?"
    raise LocalError(f"{door.url} did not show its batches: {why}")


def _reason(error: requests.RequestException) -> str:
    """Say in words why no answer came."""
    if isinstance(error, requests.Timeout):
        return f"no answer came within {_SECONDS:.0f} seconds"
    if isinstance(error, requests.exceptions.SSLError):
        return "no TLS connection came about"
    return "no connection came about" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _row(batch: Mapping[str, Any], now: float) -> tuple[str, ...]:
    counts = batch["request_counts"]
    rate = per_minute(batch, now)
    left = "" if rate is None else _left(batch, rate)
    shown_rate = "" if rate is None else f"{rate:,.0f}"
    numbers = (f"{counts[name]:,}" for name in ("completed", "failed", "total"))
    note = " (waits)" if batch.get("paused") else " (estimate)" if batch.get("dry_run") else ""
    return (batch["id"], batch["status"] + note, *numbers, shown_rate, left)


def per_minute(batch: Mapping[str, Any], now: float) -> float | None:
    """Return how many lines got their outcome in a minute since the batch began to run; None before the first of them."""
    counts, began = batch["request_counts"], batch.get("in_progress_at")
    done = counts["completed"] + counts["failed"]
    if began is None or not done:
        return None
    ended = next((batch[f"{name}_at"] for name in _ENDED if batch.get(f"{name}_at")), None)
    # Times are whole seconds, and the lines of a small batch may have their outcome within one.
    return float(done * 60 / max((ended or now) - began, 1))


def _left(batch: Mapping[str, Any], rate: float) -> str:
    """Say how long the rest takes at this rate; nothing of a batch that waits or ends, because no rate tells it."""
    counts = batch["request_counts"]
    rest = counts["total"] - counts["completed"] - counts["failed"]
    if batch["status"] != "in_progress" or batch.get("paused") or not rest:
        return ""
    return str(timedelta(seconds=round(rest * 60 / rate)))


def _told_below(page: Mapping[str, Any]) -> Iterator[str]:
    for batch in page["data"]:
        if batch.get("paused"):
            yield f"{batch['id']} waits: {batch['paused']}"
        elif batch["status"] == "failed" and batch.get("errors"):
            yield f"{batch['id']} failed: {batch['errors']['data'][0]['message']}"
    if page["has_more"]:
        yield f"These are the newest {_MOST}; there are more."


def plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """Set rows in columns, as text without colour; numbers stand at the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    edges = ["<" if name in _TEXTS else ">" for name in HEAD]
    return [
        "  ".join(f"{cell:{edge}{width}}" for cell, edge, width in zip(row, edges, widths, strict=True)).rstrip()
        for row in rows
    ]


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for name in HEAD:
        table.add_column(name, justify="left" if name in _TEXTS else "right", no_wrap=name == HEAD[0])
    for row in rows:
        table.add_row(*row)
    return table
