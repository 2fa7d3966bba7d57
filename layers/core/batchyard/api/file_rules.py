"""What OpenAI would refuse in a new file or a multipart upload, with OpenAI's words and codes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import PureWindowsPath
from typing import Final

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, invalid_request, missing_parameter
from batchyard.domain.multipart_upload import MOST_PARTS, PENDING, UPLOAD_ID, StoredUpload, Wanted
from batchyard.domain.numbers import whole
from batchyard.domain.stored_file import BATCH, LONGEST_LIFE, PROCESSED, SHORTEST_LIFE, StoredFile
from batchyard.lines import file_kinds
from batchyard.lines.line import diagnose

INPUT_NAMES: Final = (".jsonl", ".jsonl.gz")
PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
NAMELESS: Final = "upload"  # what OpenAI's client in Python names bytes
LONGEST_FILENAME: Final = 512  # characters
SHOWN_NAME, SHOWN_ID = 64, 200  # characters
LARGEST_PUT: Final = 5_000_000_000  # bytes that S3 takes in one request
SMALLEST_PART: Final = 5 * 1024 * 1024  # bytes that S3 asks of each part but the last
MOST_LINKS: Final = 1_000  # each has less than 2 kB, and an answer holds 6 MB


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


def check_announced(body: object, most: int, way_for_more: str) -> Wanted:
    """Read the file that a caller announces, of at most `most` bytes; raises ApiError 400."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    purpose = check_purpose(body.get("purpose"))
    filename = check_filename(body.get("filename"), purpose)
    size = body.get("bytes")
    if size is None:
        raise missing_parameter("bytes")
    if not isinstance(size, int) or isinstance(size, bool):
        raise invalid_request(BatchError("invalid_type", "'bytes' must be a whole number.", "bytes"))
    if size < 1:
        raise invalid_request(
            BatchError("integer_below_min_value", f"'bytes' must be at least 1, not {size}.", "bytes")
        )
    if size > most:
        raise invalid_request(
            BatchError("integer_above_max_value", f"'bytes' must be at most {most}. {way_for_more}", "bytes")
        )
    return Wanted(filename, purpose, size, check_life(body.get("expires_after"), purpose))


def check_part_bytes(body: object, whole: int) -> int | None:
    """Read the size of parts that a caller chose for a file of `whole` bytes, None if none; raises ApiError 400."""
    size = body.get("part_bytes") if isinstance(body, dict) else None
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool):
        raise invalid_request(BatchError("invalid_type", "'part_bytes' must be a whole number.", "part_bytes"))
    least = max(SMALLEST_PART, -(-whole // MOST_LINKS))
    if not least <= size <= LARGEST_PUT:
        message = f"'part_bytes' must be from {least} to {LARGEST_PUT} for this file, not {size}."
        raise invalid_request(BatchError("invalid_value", message, "part_bytes"))
    return size


def text_of(body: object, name: str) -> str | None:
    """Return a member of a body that is text, None if it is absent; raises ApiError 400 for anything else."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is not None and not isinstance(value, str):
        raise invalid_request(BatchError("invalid_type", f"'{name}' must be a string.", name))
    return value


def check_part_ids(body: object) -> list[str]:
    """Return the ids of the parts, in the order of their bytes; raises ApiError 400."""
    part_ids = body.get("part_ids") if isinstance(body, dict) else None
    if part_ids is None:
        raise missing_parameter("part_ids")
    if not isinstance(part_ids, list) or not all(isinstance(part_id, str) for part_id in part_ids):
        raise invalid_request(BatchError("invalid_type", "'part_ids' must be a list of strings.", "part_ids"))
    if len(part_ids) > MOST_PARTS:
        message = f"'part_ids' has at most {MOST_PARTS} entries, not {len(part_ids)}."
        raise invalid_request(BatchError("array_above_max_length", message, "part_ids"))
    return part_ids


def unknown_upload(upload_id: str) -> ApiError:
    """Make the error of an upload that is not there."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No such Upload object: {upload_id}", param="id")


def too_many_parts(upload: StoredUpload) -> ApiError:
    """Make the error of an upload that got more than it may, even if each part was sent twice."""
    sent = f"has had {upload.parts} parts of {upload.received} bytes together"
    message = f"The upload {sent}; it was announced with {upload.bytes} bytes. Begin another one."
    return ApiError(HTTPStatus.BAD_REQUEST, message, param="data")


def not_pending(status: str) -> ApiError:
    """Make the error of an upload that takes nothing more."""
    return ApiError(HTTPStatus.BAD_REQUEST, f"The upload is {status}; it must be {PENDING}.")
