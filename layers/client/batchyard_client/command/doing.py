"""What each command does, between the words of the command line and the work."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from batchyard_client.delivering import Delivered, deliver, source_of
from batchyard_client.errors import ALL_GOOD, SOME_FAILED, Refused, UsageFault
from batchyard_client.front import Front
from batchyard_client.handle import Job
from batchyard_client.inputs import Input, check_out, usual_out
from batchyard_client.screen import choose_screen
from batchyard_client.sending import Sending
from batchyard_client.service import View
from batchyard_client.settings import Place, checked_url, find_place, keep_login, own_home
from batchyard_client.watching import estimate_words, reasons_told, would_run
from batchyard_client.watching import watch as watched

from .file_folders import check_files, check_folder, write_folders
from .looking import printed, put, shown
from .options import front_of, input_of, options_of
from .words import UNDER_WAY, delivered_words


def login(url: str | None, key: str | None) -> None:
    """Keep a login, once the service takes the key; what is not named is asked for, or read from a pipe."""
    home = own_home()
    address = checked_url(url or _asked("Address of the API (…/v1)", "--url"))
    place = Place(address, (key or _asked("Key", "--key", hidden=True)).strip())
    front = Front(place, home, choose_screen())
    with front.words():
        kind = "Batchyard" if front.service.is_batchyard else "a provider"
        next(iter(front.service.batches()), None)
    click.echo(
        f"{place.host} is {kind} and takes the key. Kept in {keep_login(home, find_place(home, place.base_url, place.key))}.",
        err=True,
    )


def _asked(what: str, option: str, *, hidden: bool = False) -> str:
    """Ask a person, or take a line of standard input; raises UsageFault if there is none."""
    if sys.stdin is not None and sys.stdin.isatty():
        answer: str = click.prompt(what, hide_input=hidden, err=True)
        return answer
    line = "" if sys.stdin is None else sys.stdin.readline().strip()
    if not line:
        raise UsageFault(f"{what}: nothing came by standard input. Name it with {option}, or send it as a line.")
    return line


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
        put(str(record.batch_id))
        front.screen.say(f"It runs. To have its answers: batchyard fetch {record.batch_id} --out {usual_out(made)}")
    return ALL_GOOD


def estimate(source: str, asked: Mapping[str, Any]) -> int:
    """Upload and estimate."""
    front, made = front_of(asked), input_of(source, asked)
    with front.words():
        view = Sending(front, made, options_of(asked)).estimate()
    if asked["as_json"]:
        printed({"rows": view.counts.total, **(view.preflight or {})})
    else:
        put(estimate_words(view))
    if would_run(view):
        return ALL_GOOD
    raise Refused(" ".join(("The input is refused as it is.", *reasons_told(view))))


def watch(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Show progress until the end."""
    front = front_of(asked)
    with front.words():
        view = watched_to_its_end(front, batch_id)
    return shown(view, asked)


def fetch(batch_id: str, source: str | None, out: str | None, asked: Mapping[str, Any]) -> int:
    """Wait for the end, and write."""
    front = front_of(asked)
    if asked.get("files"):
        return _fetch_files(front, batch_id, out or f"{batch_id}-results/", asked)
    made = input_of(source, asked, front, batch_id) if source else source_of(front.records.of_batch(batch_id))
    target = out or (usual_out(made) if made is not None else f"{batch_id}-results/")
    if made is not None:
        check_out(made, target)
    with front.words():
        return _through(front, batch_id, made, target, asked)


def _fetch_files(front: Front, batch_id: str, out: str, asked: Mapping[str, Any]) -> int:
    """Fetch the results of a batch of a gather folder, and those of each of its files."""
    check_folder(out, batch_id)
    with front.words():
        front.service.need_batchyard("gather files")
        view = watched_to_its_end(front, batch_id)
        check_files(front, batch_id)
        told = deliver(front, view, None, out)
        write_folders(front, view, out)
        return _said(front, told, asked)


def cancel(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Cancel."""
    front = front_of(asked)
    with front.words():
        view = front.service.cancel(batch_id)
    if view.ended:
        front.screen.say(f"{batch_id} has ended before; there is nothing to cancel.")
    return shown(view, asked, ended=False)


def resume(batch_id: str, asked: Mapping[str, Any]) -> int:
    """Try at once."""
    front = front_of(asked)
    with front.words():
        view = front.service.resume(batch_id)
    if view.ended or not view.paused:
        front.screen.say(f"{batch_id} {'has ended' if view.ended else 'does not wait'}; there is nothing to resume.")
    return shown(view, asked, ended=False)


def retry(batch_id: str, out: str | None, asked: Mapping[str, Any]) -> int:
    """Send again what failed; with `out`, see it through."""
    import secrets  # noqa: PLC0415 - only here

    front = front_of(asked)
    body = {"lines": asked["lines"], "max_cost_usd": asked["max_cost"], "provider": asked["provider"]}
    given = {name: value for name, value in body.items() if value is not None}
    source = None if out is None else source_of(front.records.of_batch(batch_id))
    if out is not None and source is not None:
        check_out(source, out)
    made = Job(front, batch_id).retry(given, secrets.token_hex(8) if asked["new"] else "")
    if out is None:
        if asked["as_json"]:
            printed({"batch_id": made.id, "retry_of": batch_id})
        else:
            put(made.id)
        return ALL_GOOD
    with front.words():
        return _through(front, made.id, source_of(front.records.of_batch(made.id)), out, asked)


def open_results(batch_id: str, out: str | None, asked: Mapping[str, Any]) -> int:
    """Fetch, and open."""
    target = out or f"{batch_id}-results/"
    status = fetch(batch_id, None, target, asked)
    click.launch(str(Path(target).absolute()))
    return status


def open_console(batch_id: str | None, asked: Mapping[str, Any]) -> int:
    """Open the page for a browser that Batchyard has, at a batch if one is named."""
    front = front_of(asked)
    with front.words():
        front.service.need_batchyard("show a console")
    address = f"{front.place.base_url.removesuffix('/v1')}/console"
    address += f"#/batches/{batch_id}" if batch_id else ""
    if asked["as_json"]:
        printed({"console_url": address})
    else:
        put(address)
    click.launch(address)
    return ALL_GOOD


def _through(front: Front, batch_id: str, made: Input | None, out: str, asked: Mapping[str, Any]) -> int:
    """Watch a batch to its end, and write its answers."""
    view = watched_to_its_end(front, batch_id)
    return _said(front, deliver(front, view, made, out), asked)


def _said(front: Front, told: Delivered, asked: Mapping[str, Any]) -> int:
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
