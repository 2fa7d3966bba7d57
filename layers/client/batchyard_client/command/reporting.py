"""The report of a batch: as it is, or as one page that a browser shows without a network."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from batch_client import APIStatusError, NotFoundError
from batchyard_client.errors import ALL_GOOD, Refused
from batchyard_client.front import Front
from batchyard_client.home import naming
from batchyard_client.html_report import Pair, page
from batchyard_client.service import View

from .doing import watched_to_its_end
from .looking import printed, put
from .options import front_of

STRETCHES, STRETCH = 10, 20  # lines, from all parts of a batch
FAILED: Final = 100  # lines without success at most, beside these
MOST_PAGES: Final = 5  # in which these are looked for
BEGINNING: Final = 2_000_000  # bytes of each file, where the service has no single lines any more


def report(batch_id: str, out: str | None, *, html: bool, asked: Mapping[str, Any]) -> int:
    """Wait for the end, and print the report, or write its page; of the results no more is read than the page shows."""
    front = front_of(asked)
    with front.words():
        front.service.need_batchyard("report on a batch")
        view = watched_to_its_end(front, batch_id)
        data = _report(front, view)
        found = msgspec.json.decode(data)
        if not html:
            printed(found) if asked["as_json"] else put(data.decode())
            return ALL_GOOD
        record = front.records.of_batch(batch_id)
        if record is not None and (found.get("cost") or {}).get("estimate_usd", 0) is None:
            found["cost"]["estimate_usd"] = record.estimate_usd  # the estimate was a batch of its own
        target = Path(out or f"{batch_id}.html")
        total = (found.get("input") or {}).get("lines") or view.counts.total
        with suppress(APIStatusError):  # the service has it no longer, and the report tells a coarser one
            found["progress"] = front.service.inside(batch_id, "shards", {"limit": "1"})["progress"]
        shown = page(found, _pairs(front, view, total), total=total)
        with naming(target):
            target.write_text(shown, encoding="utf-8")
    if asked["as_json"]:
        printed({"batch_id": batch_id, "out": str(target)})
    front.screen.say(f"The page is {target}; a browser shows it without a network.")
    return ALL_GOOD


def _report(front: Front, view: View) -> bytes:
    path = f"/batches/{quote(view.id, safe='')}/report"
    try:
        return front.patience.run(lambda: b"".join(front.service.client.download(path)))
    except NotFoundError as error:
        why = " ".join(view.reasons[:3])
        raise Refused(f"{view.id} has no report.{f' {why}' if why else ''}") from error


def _pairs(front: Front, view: View, total: int) -> list[Pair]:
    """Return requests with their results: some without success, and some from all parts of the batch."""
    found: dict[int, Pair] = {}
    try:
        first: int | None = 1
        for _ in range(MOST_PAGES):
            query = {"from": str(first), "limit": str(FAILED), "outcome": "failed"}
            first = _add(found, front.patience.run(partial(front.service.inside, view.id, "lines", query)))
            if first is None or len(found) >= FAILED:
                break
        for at in range(STRETCHES):
            query = {"from": str(1 + at * total // STRETCHES), "limit": str(STRETCH)}
            _add(found, front.patience.run(partial(front.service.inside, view.id, "lines", query)))
    except APIStatusError:
        found.clear()  # the service has them no longer
    if found:
        return [found[number] for number in sorted(found)]
    return [
        (None, line) for file_id in (view.output_file_id, view.error_file_id) for line in _beginning(front, file_id)
    ]


def _add(found: dict[int, Pair], listed: Mapping[str, Any]) -> int | None:
    """Take the lines of a page whose answers are shown whole, and return the number to go on with."""
    for line in listed["data"]:
        if "result" in line["cut"]:
            continue
        request, result = line["request"], line["result"]
        if result is None:
            result = {"custom_id": line["custom_id"], "error": {"message": "No answer came."}}
        number = int(line["line"])
        found[number] = (msgspec.json.encode(request) if request else None, msgspec.json.encode(result), number)
    following: int | None = listed["next"]
    return following


def _beginning(front: Front, file_id: str | None) -> Iterator[bytes]:
    """Yield the first whole lines of a file of results; the rest is not read."""
    if file_id is None:
        return
    data = b""
    with suppress(NotFoundError):  # it was deleted, or has expired
        for chunk in front.service.client.download_file(file_id):
            data += chunk
            if len(data) >= BEGINNING:
                break  # the generator goes, and closes its connection
    whole, _, _ = data.rpartition(b"\n")
    yield from whole.split(b"\n") if whole else ()
