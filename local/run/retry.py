"""Write the requests of the failed lines into a file that is ready to be sent again.

The lines of `errors.jsonl` are in input order. So one walk through the input finds their requests, and memory stays flat.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from local.stack.running import Stack

RETRY = "retry.jsonl"
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UNREADABLE = (BotoCoreError, ClientError, EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError, RecursionError)


class _Request(msgspec.Struct):
    """A line of the input."""

    custom_id: str


class _Failed(msgspec.Struct):
    """A line of `errors.jsonl`."""

    custom_id: str | None = None
    #: The error of a line that was never sent has the number of the line as `line`.
    error: Any = None


_REQUEST = msgspec.json.Decoder(_Request)
_FAILED = msgspec.json.Decoder(_Failed)


def write_retry(stack: Stack, folder: Path, say: Callable[[str], None]) -> None:
    """Write the requests of failed lines beside the `errors.jsonl` in `folder`, if any can be sent again.

    Raises:
        OSError: the disk takes no more.

    """
    errors, report, target = folder / "errors.jsonl", folder / "report.json", folder / RETRY
    if not errors.exists() or not report.exists():
        return
    try:
        if next(_failed_ids(errors), None) is None:
            return
        source = json.loads(report.read_text(encoding="utf-8"))["input"]
        version = {"VersionId": source["version_id"]} if source.get("version_id") else {}
        body = stack.clients.s3.get_object(Bucket=stack.bucket, Key=source["key"], **version)["Body"]
        left = copy_requests(_failed_ids(errors), cast("IO[bytes]", body), target)
    except _UNREADABLE as error:
        target.unlink(missing_ok=True)
        say(f"{RETRY} could not be written, for the input or the errors could not be read: {error}")
        return
    if left is not None:
        say(f"{RETRY} is not whole: no request {left} was found in the input.")


def copy_requests(wanted: Iterator[str], source: IO[bytes], target: Path) -> str | None:
    """Copy the wanted requests, in input order, from `source` to `target`; return the first that is not there, or None."""
    custom_id = next(wanted, None)
    with target.open("wb") as copy:
        for line in _lines(source):
            if custom_id is None:
                break
            if _id_of(line) == custom_id:
                copy.write(line.strip() + b"\n")
                custom_id = next(wanted, None)
    return custom_id


def _failed_ids(errors: Path) -> Iterator[str]:
    """Yield the ids of the failed lines, without the lines that cannot be sent as they are."""
    with errors.open("rb") as lines:
        for line in lines:
            failed = _FAILED.decode(line)
            if failed.custom_id is not None and not _was_skipped(failed):
                yield failed.custom_id


def _was_skipped(failed: _Failed) -> bool:
    return isinstance(failed.error, dict) and bool(failed.error.get("line"))


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    reader = io.BufferedReader(source)  # type: ignore[type-var]  # S3's body reads as a raw stream does
    plain = gzip.GzipFile(fileobj=reader) if reader.peek(len(_GZIP)).startswith(_GZIP) else reader
    for number, line in enumerate(plain):
        yield line.removeprefix(_BOM) if number == 0 else line


def _id_of(line: bytes) -> str | None:
    try:
        return _REQUEST.decode(line).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # a blank line, or one that was skipped
