"""A page of the lines of a batch: each request beside its answer or error, read by ranges, of bounded size."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.adapters.bucket import Bucket
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.errors import NotFound
from batchyard.inspection import answer_runs
from batchyard.inspection.sent_lines import SentLine, Wanted, select
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.file_places import FileLine, places_of
from batchyard.services import Services

MOST_BYTES: Final = (
    2_000_000  # of all texts of a page; as text in JSON they may be twice as long, and Lambda answers 6 MB
)
LONGEST: Final = 900_000  # bytes of a request or answer that is shown whole
SHOWN_START: Final = 4_000  # bytes of a longer one
BOM: Final = b"\xef\xbb\xbf"


class Text(NamedTuple):
    """A request, or an answer, as it lies in an object."""

    source: InputObject
    offset: int
    #: Bytes.
    size: int

    @property
    def read(self) -> int:
        """Return how many bytes of it are read."""
        return self.size if self.size <= LONGEST else SHOWN_START


class Row(NamedTuple):
    """A line of the page."""

    line: SentLine
    outcome: str | None
    request: Text
    result: Text | None

    @property
    def bytes(self) -> int:
        """Return how many bytes the row takes."""
        return self.request.read + (self.result.read if self.result else 0)


def line_page(services: Services, batch: Batch, wanted: Wanted) -> dict[str, Any]:
    """Return the lines from the number `wanted.first` on, as many as fit the answer; `next` is the number to go on with."""
    chosen, following = select(services, batch, wanted)
    rows, room = list[Row](), MOST_BYTES
    for row in _rows(services, batch, chosen):
        room -= row.bytes
        if rows and room < 0:
            following = row.line.number
            break
        rows.append(row)
    requests = _read(services.bucket, [row.request for row in rows])
    results = _read(services.bucket, [row.result for row in rows if row.result])
    data = [_shape(row, requests.get(row.request), results.get(row.result) if row.result else None) for row in rows]
    if batch.gathered:
        places = places_of(services.bucket, batch)
        data = [{**each, **_place(places.line(row.line.number))} for each, row in zip(data, rows, strict=True)]
    return {"object": "list", "data": data, "has_more": following is not None, "next": following}


def _place(line: FileLine) -> dict[str, Any]:
    return {"file": line.file, "file_line": line.number}


def _rows(services: Services, batch: Batch, lines: list[SentLine]) -> Iterator[Row]:
    """Find the answers of the lines, shard by shard, and yield the lines in their order."""
    answered: dict[int, tuple[str, Text]] = {}
    by_shard, runs_of = attrgetter("shard.shard"), answer_runs.AnswerRuns(services.bucket, batch)
    for _, same in groupby(sorted(lines, key=by_shard), key=by_shard):
        of = list(same)
        shard, positions = of[0].shard, sorted(line.position for line in of)
        runs = {"succeeded": runs_of.output(shard), "failed": runs_of.errors(shard)}
        for outcome, those in runs.items():
            left = [position for position in positions if position not in answered]
            for found in answer_runs.found(those, left):
                answered[found.position] = outcome, Text(found.source, found.offset, found.size)
    for line in lines:
        told, result = answered.get(line.position, ("failed" if batch.ended else None, None))
        yield Row(line, told, Text(line.source, line.offset, line.size), result)


def _read(bucket: Bucket, texts: Iterable[Text]) -> dict[Text, bytes]:
    """Read texts, neighbours by one request; those of an object that is gone are left out."""
    read: dict[Text, bytes] = {}
    in_order = sorted(texts, key=lambda text: (text.source.key, text.source.etag, text.offset))
    for source, same in groupby(in_order, key=attrgetter("source")):
        of = list(same)
        ranges = [(text.offset, text.offset + text.read) for text in of]
        try:
            data = b"".join(ByteRanges(bucket, source, ranges))
        except NotFound:
            continue  # the input was deleted or replaced; its answers are shown all the same
        at = 0
        for text in of:
            read[text] = data[at : at + text.read]
            at += text.read
    return read


def _shape(row: Row, request: bytes | None, result: bytes | None) -> dict[str, Any]:
    shown = {"request": _shown(row.request, request), "result": _shown(row.result, result)}
    cut = {
        name: {"bytes": text.size, "start": data.decode(errors="replace")}
        for name, text, data in (("request", row.request, request), ("result", row.result, result))
        if text is not None and data is not None and shown[name] is None
    }
    return {
        "object": "batch.line",
        "line": row.line.number,
        "custom_id": row.line.custom_id,
        "shard": row.line.shard.shard,
        "model": row.line.shard.model,
        "outcome": row.outcome,
        **shown,
        "cut": cut,
    }


def _shown(text: Text | None, data: bytes | None) -> msgspec.Raw | None:
    """Return JSON as it lies there; None if it is not there, too long, or not sound."""
    if text is None or data is None or text.size > LONGEST:
        return None
    try:
        data.decode()
        return msgspec.json.decode(data.removeprefix(BOM), type=msgspec.Raw)
    except (ValueError, RecursionError):
        return None
