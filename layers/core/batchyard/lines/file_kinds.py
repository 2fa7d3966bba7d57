"""Files that hold no JSON lines, recognized by their first bytes: one error names the kind, in place of one for each line."""

import codecs
import re
from itertools import islice
from typing import Final

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError

START: Final = 64 * 1024  # bytes of a file that are looked at
REMEDY: Final = "Write the requests as UTF-8 text, one JSON object per line"
GZIP: Final = b"\x1f\x8b"
# Of two that begin alike, the longer one comes first.
MAGIC: Final = {
    GZIP: "a gzip file", b"PK\x03\x04": "a zip or spreadsheet file", b"PK\x05\x06": "an empty zip file",
    b"BZh": "a bzip2 file", b"\x28\xb5\x2f\xfd": "a zstd file", b"\xfd7zXZ": "an xz file", b"7z\xbc\xaf": "a 7z file",
    b"\xff\xfe\0\0": "UTF-32 text", b"\0\0\xfe\xff": "UTF-32 text", b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text",
    b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file", b"Obj\x01": "an Avro file", b"ORC": "an ORC file",
    b"SQLite format 3": "an SQLite database", b"%PDF": "a PDF file",
}  # fmt: skip
PACKED: Final = BatchError(
    "invalid_json_line", "The file is a gzip file. Unpack it: files of a gather folder are read as they lie there."
)
TAR: Final = b"ustar"
TAR_AT: Final = 257
# UTF-16 and UTF-32 without a byte order mark have a NUL in these first bytes; JSON has none anywhere.
NUL_WITHIN: Final = 4
BOM: Final = b"\xef\xbb\xbf"
# What parts the columns of a table, and how such a file is called.
COLUMNS: Final = {b"\t": "a TSV file", b",": "a CSV file", b";": "a CSV file"}
COLUMN_NAME: Final = rb"[A-Za-z_][\w.-]*( [\w.-]+)*"
ID_COLUMN: Final = b"custom_id"
ROWS: Final = "Write each row as one JSON object on a line of its own, with custom_id, method, url and body."


def kind_of(start: bytes) -> str | None:
    """Name the kind of a file by its first bytes; None for text and for an unknown kind."""
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def wrong_kind(start: bytes, *, of_lines: bool = True, cut: bool = False) -> BatchError | None:
    """Say why a file holds no JSON lines, by its first bytes; None if it may hold some.

    With `of_lines`, bad lines are skipped: then one JSON document over many lines is not refused here. `cut` says that
    the file goes on behind `start`.
    """
    kind = kind_of(start)
    if kind == MAGIC[GZIP]:  # a gzip file is decompressed before it is looked at
        kind = "a gzip file in a gzip file"
    if kind is None and start[TAR_AT:].startswith(TAR) and b"\0" in start[:TAR_AT]:  # not text with "ustar" in it
        kind = "a tar file"
    if kind is not None and of_lines and _is_text(start) and _has_request(start, cut=cut):
        kind = None  # a bad line that begins as such a file does
    if kind is None and b"\0" in start[:NUL_WITHIN] and not (of_lines and _has_request(start, cut=cut)):
        kind = "UTF-16 text, or no text at all"
    if kind is not None:
        return _no_lines(f"it is {kind}. {REMEDY}.")
    if of_lines:
        return None
    text = start.removeprefix(BOM)
    return _one_document(text) or _other_text(text)


def why_set_aside(first: bytes, size: int) -> BatchError | None:
    """Say why a file of a gather folder holds no requests, by the first of its bytes; None if it may hold some."""
    start = first[: min(START, size)]
    return PACKED if start.startswith(GZIP) else without_requests(start, cut=len(start) < size)


def without_requests(start: bytes, *, cut: bool = False) -> BatchError | None:
    """Say why a file among others holds no requests, by its first bytes; None if some line is meant as one.

    Unlike one input of its own, such a file is set aside, so that not each of its lines is an error. Where a text of no
    known kind is `cut`, good lines may follow.
    """
    if (kind := wrong_kind(start, cut=cut)) is not None:
        return kind
    text = start.removeprefix(BOM)
    lines = [line.strip() for line in first_lines(text, START, whole=True)]
    good = len(list(islice((line for line in lines if line.startswith(b"{") and is_json(line)), 2)))
    if good > 1 or (good and lines[0] != b"["):  # in an array, no comma stands behind the last object
        return None
    begun = cut and _is_begun(text)
    known = _one_document(text, cut=cut) or (None if good or begun else _other_text(text))
    meant = good or any(line.startswith(b"{") for line in lines)
    return known or (None if meant else _no_object(text, cut=cut))


def first_lines(start: bytes, count: int, *, whole: bool) -> list[bytes]:
    """Return the first lines that are not blank; the last line of `start` only if `start` is the `whole` file."""
    found = start.split(b"\n")
    return [line for line in (found if whole else found[:-1]) if line and not line.isspace()][:count]


def is_json(text: bytes) -> bool:
    """Tell whether a text is JSON that nests no deeper than a line may."""
    try:
        nesting.decode(text)
    except ValueError:
        return False
    return True


def _has_request(start: bytes, *, cut: bool) -> bool:
    """Tell whether some line is a JSON object: then a crash tore another line, and the good lines may run."""
    lines = first_lines(start, START, whole=True)
    return any(line.startswith(b"{") and is_json(line) for line in lines) or (cut and _is_begun(start))


def _is_begun(start: bytes) -> bool:
    """Tell whether the start of a file ends within a line that may be a JSON object: a long one is seen in part."""
    last = start.rpartition(b"\n")[2].strip()
    return (
        last.startswith(b"{")
        and not last.startswith(b"{'")
        and b"\0" not in last
        and not is_json(last.partition(b"\r")[0])
    )


def _is_text(start: bytes) -> bool:
    """Tell whether these bytes are UTF-8 without NULs; a character may be cut off at the end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def _one_document(start: bytes, *, cut: bool = False) -> BatchError | None:
    """Recognize an array, or objects, that a program or an editor wrote over several lines; the last may be cut."""
    first, second = [*(line.strip() for line in first_lines(start, 2, whole=not cut)), b"", b""][:2]
    opened = first == b"[" and second.startswith(b"{") and not is_json(second)
    if opened or (first.startswith(b"[{") and first.endswith((b",", b"{")) and not is_json(first)):
        return _no_lines(
            "it is an array over several lines. Write one request a line, without brackets and commas between."
        )
    if first == b"{" and second.startswith(b'"'):
        return _no_lines("it is JSON with line breaks in its objects. Write each object on one line.")
    return None


def _other_text(start: bytes) -> BatchError | None:
    """Recognize rows of a table, objects in the spelling of a program, and text that is no JSON at all."""
    if b"\r" in start and b"\n" not in start:
        return _no_lines("its lines end with a carriage return alone. Save it with line feeds (LF).")
    first, second = [*(line.strip() for line in first_lines(start, 2, whole=True)), b"", b""][:2]
    if all(line.startswith((b"{'", b"[{'")) for line in (first, second or first)):
        return _no_lines("its objects are in Python's own spelling. Write each line with json.dumps.")
    for mark, kind in COLUMNS.items():
        names = [name.strip(b'"') for name in first.split(mark)]
        rows = ID_COLUMN in names or second.count(mark) >= len(names) - 1
        if len(names) > 1 and rows and all(re.fullmatch(COLUMN_NAME, name) for name in names):
            return _no_lines(f"it is {kind}. {ROWS}")
    return None


def _no_object(start: bytes, *, cut: bool) -> BatchError | None:
    """Say what a file is that begins without any JSON object; None if all of its start is blank.

    None also for text that is `cut`: its lines are told one by one, as a good line may stand behind them.
    """
    first = next(iter(first_lines(start, 1, whole=True)), b"").strip()
    if not first or (cut and b"\0" not in start):  # 64 KiB of a picture or an archive have NULs, those of a text none
        return None
    if not _is_text(start):
        return _no_lines(f"it is no text in UTF-8. {REMEDY}.")
    if first.startswith(b"["):
        return _no_lines("it is a JSON array. Write one request a line, without brackets and commas between.")
    return _no_lines(f"none of its lines at the begin is a JSON object. {REMEDY}.")


def _no_lines(why: str) -> BatchError:
    return BatchError("invalid_json_line", f"The file could not be read as JSON lines: {why}", line=1)
