"""What each command does, between the words of the command line and the work."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from batchyard_client.delivering import Delivered, deliver, source_of
from batchyard_client.errors import ALL_GOOD, SOME_FAILED, Refused
from batchyard_client.front import Front
from batchyard_client.handle import Job
from batchyard_client.inputs import Input, check_out, usual_out
from batchyard_client.screen import choose_screen
from batchyard_client.sending import Sending, estimate_words
from batchyard_client.service import View
from batchyard_client.settings import Place, checked_url, find_place, keep_login, own_home
from batchyard_client.watching import note
from batchyard_client.watching import watch as watched

from .options import front_of, input_of, options_of
from .words import UNDER_WAY, delivered_words, status_rows, usd_words


def login(url: str, key: str) -> None:
    """Keep a login, once the service takes the key."""
    home = own_home()
    place = Place(checked_url(url), key.strip())
    front = Front(place, home, choose_screen())
    with front.words():
        kind = "Batchyard" if front.service.is_batchyard else "a provider"
        next(iter(front.service.batches()), None)
    click.echo(
        f"{place.host} is {kind} and takes the key. Kept in {keep_login(home, find_place(home, place.base_url, place.key))}.",
        err=True,
    )


def run(source: str, out: str | None, asked: Mapping[str, Any]) -> int:
    """Send, wait, and write."""
    front, made = front_of(asked), input_of(source, asked)
    target = out or usual_out(made)
    check_out(made, target)
    with front.words():
        record = Sending(front, made, options_of(asked)).run()
        return _through(front, str(record.batch_id), made, target, asked)


def submit(source: str, asked: Mapping[str, Any]) -> int:
    """Send, and print the id."""
    front, made = front_of(asked), input_of(source, asked)
    with front.words():
        record = Sending(front, made, options_of(asked)).run()
    if asked["as_json"]:
        printed({"batch_id": record.batch_id, "rows": record.lines, "estimated_usd": record.estimate_usd})
    else:
        click.echo(record.batch_id)
        front.screen.say(f"It runs. To have its answers: batchyard fetch {record.batch_id} --out {usual_out(made)}")
    return ALL_GOOD


def estimate(source: str, asked: Mapping[str, Any]) -> int:
    """Upload and estimate."""
    front, made = front_of(asked), input_of(source, asked)
    with front.words():
        view = Sending(front, made, options_of(asked)).estimate()
    if asked["as_json"]:
        printed({"rows": view.counts.total, **(view.preflight or {})})
    elif asked["quiet"]:
        click.echo(estimate_words(view))
    return ALL_GOOD


def watch(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Show progress until the end."""
    front = front_of(asked)
    with front.words():
        view = watched_to_its_end(front, batch_id)
    return _shown(view, asked)


def status(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Show one batch."""
    front = front_of(asked)
    with front.words():
        view = front.service.retrieve(batch_id)
    _shown(view, asked)
    return ALL_GOOD


def listed(limit: int, asked: Mapping[str, Any]) -> int:
    """Show the newest batches."""
    front = front_of(asked)
    with front.words():
        views = [view for view, _ in zip(front.service.batches(), range(limit), strict=False)]
    if asked["as_json"]:
        printed([status_rows(view) for view in views])
    else:
        _table([_row(view) for view in views], ("batch", "status", "rows", "failed", "$", "made (UTC)"))
    return ALL_GOOD


def fetch(batch_id: str, source: str | None, out: str | None, asked: Mapping[str, Any]) -> int:
    """Wait for the end, and write."""
    front = front_of(asked)
    made = input_of(source, asked, front, batch_id) if source else source_of(front.records.of_batch(batch_id))
    target = out or (usual_out(made) if made is not None else f"{batch_id}-results/")
    if made is not None:
        check_out(made, target)
    with front.words():
        return _through(front, batch_id, made, target, asked)


def cancel(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Cancel."""
    front = front_of(asked)
    with front.words():
        view = front.service.cancel(batch_id)
    return _shown(view, asked, ended=False)


def resume(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Try at once."""
    front = front_of(asked)
    with front.words():
        view = front.service.resume(batch_id)
    return _shown(view, asked, ended=False)


def retry(batch_id: str, out: str | None, asked: Mapping[str, Any]) -> int:
    """Send again what failed; with `out`, see it through."""
    import secrets  # noqa: PLC0415 - only here

    front = front_of(asked)
    body = {"lines": asked["lines"], "max_cost_usd": asked["max_cost"]}
    given = {name: value for name, value in body.items() if value is not None}
    source = None if out is None else source_of(front.records.of_batch(batch_id))
    if out is not None and source is not None:
        check_out(source, out)
    made = Job(front, batch_id).retry(given, secrets.token_hex(8) if asked["new"] else "")
    if out is None:
        if asked["as_json"]:
            printed({"batch_id": made.id, "retry_of": batch_id})
        else:
            click.echo(made.id)
        return ALL_GOOD
    with front.words():
        return _through(front, made.id, source_of(front.records.of_batch(made.id)), out, asked)


def usage(query: Mapping[str, str | None], asked: Mapping[str, Any]) -> int:
    """Show what was used."""
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
         "?" if each["cost"]["usd"] is None else f"{each['cost']['usd']:,.4f}")
        for name, each in parts
    ]  # fmt: skip
    _table(rows, (by, "rows", "tokens in", "tokens out", "$"))
    return ALL_GOOD


def open_results(batch_id: str, out: str | None, asked: Mapping[str, Any]) -> int:
    """Fetch, and open."""
    target = out or f"{batch_id}-results/"
    status = fetch(batch_id, None, target, asked)
    click.launch(str(Path(target).absolute()))
    return status


def _through(front: Front, batch_id: str, made: Input | None, out: str, asked: Mapping[str, Any]) -> int:
    """Watch a batch to its end, and write its answers."""
    view = watched_to_its_end(front, batch_id)
    told = deliver(front, view, made, out)
    if asked["as_json"]:
        printed(msgspec.to_builtins(told))
    front.screen.say(delivered_words(told))
    return _status(told)


def _status(told: Delivered) -> int:
    return ALL_GOOD if told.all_good else SOME_FAILED


def watched_to_its_end(front: Front, batch_id: str) -> View:
    """Show the progress of a batch until it has ended."""
    UNDER_WAY.append(batch_id)
    front.screen.say(f"The batch is {batch_id}")
    with front.screen.bar("Running", None) as bar:
        view = watched(front.service, front.patience, batch_id, bar, front.sleep)
    UNDER_WAY.clear()
    return view


def _shown(view: View, asked: Mapping[str, Any], *, ended: bool = True) -> int:
    """Print a batch, and return the status that its end asks for."""
    if asked["as_json"]:
        printed(status_rows(view))
    else:
        counts = view.counts
        click.echo(
            f"{view.id}: {view.status}, {counts.completed + counts.failed:,} of {counts.total:,} done; {note(view)}"
        )
        for reason in view.reasons[:10]:
            click.echo(f"  {reason}", err=True)
    if not ended:
        return ALL_GOOD
    if view.status == "failed":
        return Refused.status
    return ALL_GOOD if view.status == "completed" and not view.counts.failed else SOME_FAILED


def _row(view: View) -> tuple[str, ...]:
    from datetime import UTC, datetime  # noqa: PLC0415 - only here

    made = datetime.fromtimestamp(view.created_at or 0, UTC).strftime("%Y-%m-%d %H:%M")
    spent = "" if view.usd is None else usd_words(view.usd)
    status = "estimate" if view.dry_run else view.status
    return (view.id, status, f"{view.counts.total:,}", f"{view.counts.failed:,}", spent, made)


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> None:
    """Print columns side by side, for people and for `awk`."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def printed(value: object) -> None:
    """Print one JSON object, on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
