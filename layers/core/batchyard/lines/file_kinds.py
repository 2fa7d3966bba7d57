"""Files that hold no requests, one a line, told by their start, so that one sentence says so instead of a thousand errors."""

from typing import Final

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError

START: Final = 64 * 1024  # bytes that tell
TEXT: Final = "Write the requests as UTF-8 text, one JSON object per line"
# The longer of two that begin alike comes first.
SIGNATURES: Final = {
    b"\x1f\x8b": "a gzip file in a gzip file", b"PK\x03\x04": "a zip or spreadsheet file", b"PK\x05\x06": "an empty zip file",
    b"BZh": "a bzip2 file", b"\x28\xb5\x2f\xfd": "a zstd file", b"\xfd7zXZ": "an xz file", b"7z\xbc\xaf": "a 7z file",
    b"\xff\xfe\0\0": "UTF-32 text", b"\0\0\xfe\xff": "UTF-32 text", b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text",
    b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file", b"Obj\x01": "an Avro file", b"ORC": "an ORC file",
    b"SQLite format 3": "an SQLite database", b"%PDF": "a PDF file",
}  # fmt: skip
TAR: Final = b"ustar"
TAR_AT: Final = 257
NUL_WITHIN: Final = 4  # bytes: text of 16 or 32 bits without a byte order mark has a NUL there, JSON nowhere


def foreign(start: bytes, *, of_lines: bool = True) -> BatchError | None:
    """Say what a file is if it is no text or, unless read line by line (`of_lines`), one JSON document over many."""
    kind = next((name for signature, name in SIGNATURES.items() if start.startswith(signature)), None)
    if kind is None and start[TAR_AT:].startswith(TAR) and b"\0" in start[:TAR_AT]:  # and not of mustard
        kind = "a tar file"
    if kind is None and b"\0" in start[:NUL_WITHIN] and not (of_lines and _has_request(start)):
        kind = "UTF-16 text, or no text at all"
    if kind is not None:
        return _no_lines(f"it is {kind}. {TEXT}.")
    return None if of_lines else _one_document(start)


def first_lines(start: bytes, count: int, *, whole: bool) -> list[bytes]:
    """Cut the first lines that are not blank off the start of a file; without its end unless this is the `whole` of it."""
    found = start.split(b"\n")
    return [line for line in (found if whole else found[:-1]) if line and not line.isspace()][:count]


def is_json(text: bytes) -> bool:
    """Tell whether a text is JSON that nests no deeper than a line may."""
    try:
        nesting.decode(text)
    except ValueError:
        return False
    return True


def _has_request(start: bytes) -> bool:
    """Tell whether some line is an object: then the NULs are of a line that a crash tore, and the others may be run."""
    return any(line.startswith(b"{") and is_json(line) for line in first_lines(start, START, whole=True))


def _one_document(start: bytes) -> BatchError | None:
    """Tell an array, or objects, that a program or an editor wrote over several lines."""
    first, second = [*(line.strip() for line in first_lines(start, 2, whole=True)), b"", b""][:2]
    opened = first == b"[" and second.startswith(b"{") and not is_json(second)
    if opened or (first.startswith(b"[{") and first.endswith((b",", b"{")) and not is_json(first)):
        return _no_lines(
            "it is an array over several lines. Write one request a line, without brackets and commas between."
        )
    if first == b"{" and second.startswith(b'"'):
        return _no_lines("it is JSON with line breaks in its objects. Write each object on one line.")
    return None


def _no_lines(why: str) -> BatchError:
    return BatchError("invalid_json_line", f"The file could not be read as JSON lines: {why}", line=1)
