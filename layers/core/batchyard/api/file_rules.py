"""What OpenAI would refuse in a new file, with OpenAI's words and codes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import PureWindowsPath
from typing import Final

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, invalid_request, missing_parameter
from batchyard.domain.multipart_upload import UPLOAD_ID
from batchyard.domain.numbers import whole
from batchyard.domain.stored_file import BATCH, LONGEST_LIFE, PROCESSED, SHORTEST_LIFE, StoredFile
from batchyard.lines import file_kinds
from batchyard.lines.line import diagnose

INPUT_NAMES: Final = (".jsonl", ".jsonl.gz")
PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
NAMELESS: Final = "upload"  # what OpenAI's client in Python names bytes
LONGEST_FILENAME: Final = 512  # characters
SHOWN_NAME, SHOWN_ID = 64, 200  # characters


def check_purpose(purpose: object) -> str:
    """Return the purpose if a user may give it; raises ApiError 400."""
    if purpose is None:
        raise missing_parameter("purpose")
    if purpose not in PURPOSES:
        message = f"{str(purpose)[:64]!r} is not one of {list(PURPOSES)} - 'purpose'"
        raise invalid_request(BatchError("invalid_value", message, "purpose"))
    return str(purpose)


def check_filename(filename: object, purpose: str) -> str:
    """Return the name that a file gets; raises ApiError 400 for a name that cannot be.

    Clients send bytes as `upload` or `file`, or with an empty name: only an extension can be wrong.
    """
    if filename is None:
        raise missing_parameter("filename")
    if not isinstance(filename, str):
        raise invalid_request(BatchError("invalid_type", "'filename' must be a string.", "filename"))
    if len(filename) > LONGEST_FILENAME:
        message = f"'filename' has at most {LONGEST_FILENAME} characters, not {len(filename)}."
        raise invalid_request(BatchError("string_above_max_length", message, "filename"))
    # A path of Windows may have slashes of both kinds. From Python 3.14 on, a name that ends in a point has the suffix ".".
    if purpose == BATCH and PureWindowsPath(filename).suffix.strip(".") and not filename.lower().endswith(INPUT_NAMES):
        named = f"the file is named {filename[:SHOWN_NAME]!r}{'…' if len(filename) > SHOWN_NAME else ''}"
        message = f"Invalid file format for Batch API. Must be {' or '.join(INPUT_NAMES)}, and {named}."
        raise ApiError(HTTPStatus.BAD_REQUEST, message)
    return filename or NAMELESS


def check_life(expires_after: object, purpose: str) -> int | None:
    """Return the seconds that a file is to live, None for good; without `expires_after`, an input lives 30 days."""
    if expires_after is None:
        return LONGEST_LIFE if purpose == BATCH else None
    if not isinstance(expires_after, Mapping):
        message = (
            "'expires_after' must be an object: in a form, the parts expires_after[anchor] and expires_after[seconds]."
        )
        raise invalid_request(BatchError("invalid_type", message, "expires_after"))
    if expires_after.get("anchor") != "created_at":
        raise invalid_request(
            BatchError("invalid_value", "'expires_after.anchor' must be 'created_at'.", "expires_after.anchor")
        )
    seconds = _whole(expires_after.get("seconds"))
    if seconds is None:
        message = "'expires_after.seconds' must be a whole number."
        raise invalid_request(BatchError("invalid_type", message, "expires_after.seconds"))
    if not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        side = "below_min" if seconds < SHORTEST_LIFE else "above_max"
        message = f"'expires_after.seconds' must be from {SHORTEST_LIFE} to {LONGEST_LIFE}, not {seconds}."
        raise invalid_request(BatchError(f"integer_{side}_value", message, "expires_after.seconds"))
    return seconds


def check_first_line(start: bytes, *, whole: bool) -> None:
    """Refuse an input whose first line is no JSON object, as OpenAI does at once; raises ApiError 400.

    Blank lines do not count. Plan checks the other lines, a gzip input, and a first line that is longer than `start`.
    """
    if start.startswith(file_kinds.GZIP):
        return
    if wrong_kind := file_kinds.wrong_kind(start, of_lines=False):
        raise _no_input(wrong_kind.message)
    for first in file_kinds.first_lines(start, 1, whole=whole):
        try:
            line = nesting.decode(first)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            raise _no_input(f"look at its first line. {diagnose(first).message}")
    if whole and not start.strip():
        raise _no_input("it has no requests. Write one JSON request object per line.")


def _no_input(why: str) -> ApiError:
    message = f"Invalid file format. Input file must be in .jsonl format for Batch API: {why}"
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def no_file() -> ApiError:
    """Make the error of a text that stands where the file belongs, such as its path."""
    message = "'file' came without a filename, and is no JSONL. Send it as a file: with curl, -F file=@mine.jsonl."
    return invalid_request(BatchError("missing_required_parameter", message, "file"))


def unknown(file_id: str) -> ApiError:
    """Make the error of a file that is not there, in OpenAI's words."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No such File object: {file_id}", param="id")


def no_input(file_id: str, file: StoredFile | None) -> BatchError:
    """Say why a batch cannot read this file: it has another purpose, its bytes have not come, or it is not there (None)."""
    why = "was not found, or is not yours."
    if re.fullmatch(UPLOAD_ID, file_id):
        why = "is an upload, and no file yet. Complete the upload: the answer has the id of its file."
    elif file is not None and file.purpose != BATCH:
        why = f"has the purpose '{file.purpose}', and a batch needs '{BATCH}'. Upload it again with this purpose."
    elif file is not None and file.status != PROCESSED:
        coming = f"It was announced with {file.bytes:,} bytes: PUT them to its addresses, then create the batch again."
        why = f"has not been uploaded yet. {coming}"
    return BatchError("invalid_request", f"The input file '{file_id[:SHOWN_ID]}' {why}", "file_id")


def _whole(value: object) -> int | None:
    """Read a whole number: a form has it as text, a JSON body as a number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else whole(value)
