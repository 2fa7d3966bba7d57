"""Read the lines of an input file, and make the lines of output and error files."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec


@dataclass(frozen=True)
class InputLine:
    """One request of a validated input file."""

    #: The number of the line, from 1.
    number: int
    custom_id: str
    body: dict[str, Any]


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line with its number from 1, without its line feed."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield number, line.rstrip(b"\r\n")


def input_lines(path: Path, model: str | None = None) -> Iterator[InputLine]:
    """Yield the requests of a file that has passed validation; `model` is that of those which name none."""
    for number, line in raw_lines(path):
        request = msgspec.json.decode(line)
        body = request["body"]
        yield InputLine(number, request["custom_id"], body if model is None else {"model": model, **body})


def answered(
    batch_id: str, line: InputLine, status: int, body: dict[str, Any], error: tuple[str, str] | None = None
) -> bytes:
    """Return the outcome line of a request that got an HTTP answer; `error` is code and message of an error beside it."""
    mark = _mark(batch_id, line.number)
    response = {"status_code": status, "request_id": f"req_{mark[::-1]}", "body": body}
    return _outcome(mark, line.custom_id, response, {"code": error[0], "message": error[1]} if error else None)


def unanswered(batch_id: str, line: InputLine, code: str, message: str) -> bytes:
    """Return the outcome line of a request that got no HTTP answer."""
    return _outcome(_mark(batch_id, line.number), line.custom_id, None, {"code": code, "message": message})


def bare(batch_id: str, line: InputLine) -> bytes:
    """Return a line with neither response nor error, as only a broken provider writes it."""
    return _outcome(_mark(batch_id, line.number), line.custom_id, None, None)


def stray(batch_id: str, line: InputLine) -> bytes:
    """Return an answer to a request that was never made."""
    unknown = InputLine(-line.number, f"unknown-{_mark(batch_id, line.number)[:8]}", {})
    return answered(batch_id, unknown, 200, {"object": "stray"})


def _outcome(mark: str, custom_id: str, response: object, error: object) -> bytes:
    outcome = {"id": f"batch_req_{mark}", "custom_id": custom_id, "response": response, "error": error}
    return msgspec.json.encode(outcome) + b"\n"


def _mark(batch_id: str, number: int) -> str:
    return hashlib.blake2b(f"{batch_id}/{number}".encode(), digest_size=16).hexdigest()
