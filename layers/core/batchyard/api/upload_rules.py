"""What OpenAI would refuse in a multipart upload, with OpenAI's words and codes."""

from http import HTTPStatus
from typing import Final

from batchyard.api import file_rules
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, invalid_request, missing_parameter
from batchyard.domain.multipart_upload import MOST_PARTS, PENDING, StoredUpload, Wanted

LARGEST_PUT: Final = 5_000_000_000  # bytes that S3 takes in one request
SMALLEST_PART: Final = 5 * 1024 * 1024  # bytes that S3 asks of each part but the last
MOST_LINKS: Final = 1_000  # each has less than 2 kB, and an answer holds 6 MB


def check(body: object, most: int, way_for_more: str) -> Wanted:
    """Read the file that a caller announces, of at most `most` bytes; raises ApiError 400."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    purpose = file_rules.check_purpose(body.get("purpose"))
    filename = file_rules.check_filename(body.get("filename"), purpose)
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
    return Wanted(filename, purpose, size, file_rules.check_life(body.get("expires_after"), purpose))


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


def unknown(upload_id: str) -> ApiError:
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
