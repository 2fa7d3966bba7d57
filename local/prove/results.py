"""The results of one job, read line by line."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from batch_client import Look
from batchyard.costs.native_usage import usage_in_body
from batchyard.costs.usage import Usage
from local.prove.lines import Batch
from local.prove.seen import Job

_GOOD: Final = range(200, 300)
_NOT_RUN: Final = frozenset({"batch_expired", "batch_cancelled"})
_LONGEST: Final = 400  # characters of an error that are shown
_ENDING: Final = " line"  # of the custom_id of the line that is bad on purpose


class _Response(msgspec.Struct):
    status_code: int | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    custom_id: str | None = None
    response: _Response | None = None
    error: Any = None


def note_results(job: Job, batch: Batch, seen: Look, files: Iterable[Iterable[bytes]]) -> None:
    """Note what the results of an ended job hold; each of `files` is one result, in chunks."""
    places = {custom_id: at for at, custom_id in enumerate(batch.ids)}
    orders: list[list[int]] = []
    used: list[Usage] = []
    for chunks in files:
        orders.append([])
        for raw in _lines(chunks):
            line = _read(raw)
            place = places.pop(line.custom_id, None) if line is not None and line.custom_id else None
            if line is None or place is None:
                job.strays += 1
                continue
            orders[-1].append(place)
            _note_line(job, line, raw)
            used += _usage_of(line)
    job.without_answer = len(places)
    told = [order == sorted(order) for order in orders if len(order) > 1]
    job.in_input_order = all(told) if told else None
    job.usage_in_lines, job.used = len(used), sum(used, Usage())
    if seen.usage is not None:
        of_job, of_lines = (seen.usage, job.used)
        job.usage_adds_up = (of_job.input_tokens, of_job.output_tokens) == (
            of_lines.input_tokens,
            of_lines.output_tokens,
        )


def _note_line(job: Job, line: _Line, raw: bytes) -> None:
    code = line.error.get("code") if isinstance(line.error, dict) else None
    if line.response is not None and line.response.status_code in _GOOD:
        job.succeeded += 1
    elif code in _NOT_RUN:
        job.not_run += 1
    else:
        job.refused += 1
    if (line.custom_id or "").endswith(_ENDING):
        job.bad_line = raw.decode(errors="replace").strip()[:_LONGEST]


def _usage_of(line: _Line) -> list[Usage]:
    """Return the usage of an answer; none if it has none that can be read."""
    told = usage_in_body(bytes(line.response.body)) if line.response is not None else None
    return [told] if told is not None else []


def _read(raw: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(raw, type=_Line)
    except (ValueError, RecursionError):
        return None


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines that are not empty; a run has so few that they fit into memory."""
    yield from filter(None, map(bytes.strip, b"".join(chunks).split(b"\n")))
