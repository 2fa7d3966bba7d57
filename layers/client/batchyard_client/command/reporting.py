"""The report of a batch: as it is, or as one page that a browser shows without a network."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from batchyard_client.delivering import fetched, lines_of, proved, source_of
from batchyard_client.errors import ALL_GOOD, OtherInput
from batchyard_client.fetching import REPORT, Results
from batchyard_client.front import Front
from batchyard_client.html_report import page
from batchyard_client.inputs import Input
from batchyard_client.service import View

from .doing import watched_to_its_end
from .options import front_of


def report(batch_id: str, out: str | None, *, html: bool, asked: Mapping[str, Any]) -> int:
    """Wait for the end, and print the report, or write its page."""
    front = front_of(asked)
    with front.words():
        front.service.need_batchyard("report on a batch")
        view = watched_to_its_end(front, batch_id)
        source = _source(front, view) if html else None
        with fetched(front, view) as results:
            data = (results.folder / REPORT).read_bytes()
            if not html:
                click.echo(data)
                return ALL_GOOD
            target = Path(out or f"{batch_id}.html")
            target.write_text(page(msgspec.json.decode(data), _pairs(results, source)), encoding="utf-8")
    front.screen.say(f"The page is {target}; a browser shows it without a network.")
    return ALL_GOOD


def _source(front: Front, view: View) -> Input | None:
    """Return the input for the sample; without the one that was sent, answers stand alone."""
    source = source_of(front.records.of_batch(view.id))
    try:
        return None if source is None else proved(front, view, source)
    except OtherInput:
        front.screen.say("The input has changed since it was sent; the page shows answers without their requests.")
        return None


def _pairs(results: Results, source: Input | None) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield each request, if the input is at hand, with its result."""
    if source is not None:
        yield from zip(source.lines(), lines_of(results, source), strict=False)
        return
    for path in (results.output, results.errors):
        with path.open("rb") as file:
            yield from ((None, line) for line in file)
