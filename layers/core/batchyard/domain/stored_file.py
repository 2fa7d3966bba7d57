"""A file of the front door, as recorded and as OpenAI's clients see it, and what OpenAI would refuse in a new one."""

import hashlib
import re
import string
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.api.batch_request import LONGEST_LIFE, SHORTEST_LIFE, refusal
from batchyard.domain.batch import LineError
from batchyard.domain.errors import ApiError
from batchyard.lines import file_kinds
from batchyard.lines.line import GZIP, diagnose

INPUT_NAMES: Final = (".jsonl", ".jsonl.gz")
PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
BATCH, BATCH_OUTPUT = "batch", "batch_output"
UPLOADED, PROCESSED = "uploaded", "processed"  # `uploaded` shows a file whose bytes have not come yet
LONGEST_FILENAME: Final = 512  # characters
DAY: Final = 86_400
# An object that ends is tagged with the days until the bucket's lifecycle rules remove it: the next of these.
KEEP_TAG, KEEP_DAYS = "keep-days", (1, 3, 7, 14, 30)
LARGEST_SHOWN: Final = 2**31 - 1  # clients that OpenAI's description generates read sizes as 32 bits
FILE_ID: Final = re.compile(r"file-[0-9A-Za-z]{1,64}")
_DIGITS: Final = string.digits + string.ascii_letters
_ID_DIGITS: Final = 22


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """The record `FILE#<id>` / `FILE`. Times are Unix seconds; `position` orders a tenant's files by their creation.

    `version_id` pins the object where we wrote it ourselves. `multipart_id` is the S3 upload of a file that its owner
    sends in parts. A deleted file is kept a while, so that a list can go on behind it.
    """

    file_id: str
    tenant: str
    key: str
    bytes: int
    filename: str
    purpose: str
    created_at: int
    position: str
    status: str = PROCESSED
    version_id: str | None = None
    multipart_id: str | None = None
    expires_at: int | None = None
    expires_at_ttl: int | None = None
    deleted_at: int | None = None

    def there(self, now: int) -> bool:
        """Tell whether the file is neither deleted nor expired."""
        return self.deleted_at is None and (self.expires_at is None or now < self.expires_at)


def shape(file: StoredFile) -> dict[str, Any]:
    """Shape OpenAI's `File`; a size beyond 32 bits is shown as the largest there is, with the true one beside it."""
    true_size = {"true_bytes": file.bytes} if file.bytes > LARGEST_SHOWN else {}
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": min(file.bytes, LARGEST_SHOWN),
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status,
        "status_details": None,
        **true_size,
    }


def file_id(*causes: str) -> str:
    """Name a file after what made it, so that the same cause met twice names the same file."""
    number = int.from_bytes(hashlib.sha256("\0".join(causes).encode("utf-8", "surrogatepass")).digest())
    digits = ""
    while len(digits) < _ID_DIGITS:
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return f"file-{digits}"


def new(file_id: str, tenant: str, clock: float, life: int | None, **members: Any) -> StoredFile:  # noqa: ANN401 - members of StoredFile
    """Build the record of a file made at `clock`, in Unix seconds, that lives for `life` seconds or for good."""
    now = int(clock)
    expires_at = None if life is None else now + life
    return StoredFile(
        file_id=file_id, tenant=tenant, created_at=now, position=f"{int(clock * 1_000):013}#{file_id}",
        expires_at=expires_at, expires_at_ttl=None if expires_at is None else expires_at + DAY, **members,
    )  # fmt: skip


def keep_tag(life: int | None) -> str:
    """Write the tag of an object that lives so many seconds, as S3 takes it in a request; empty for one that stays."""
    if life is None:
        return ""
    return f"{KEEP_TAG}={next((days for days in KEEP_DAYS if days * DAY >= life), KEEP_DAYS[-1])}"


def check_purpose(purpose: object) -> str:
    """Return a purpose that a user may give, else raise ApiError 400."""
    if purpose is None:
        raise missing("purpose")
    if purpose not in PURPOSES:
        message = f"{str(purpose)[:64]!r} is not one of {list(PURPOSES)} - 'purpose'"
        raise refusal(LineError("invalid_value", message, "purpose"))
    return str(purpose)


def check_filename(filename: object, purpose: str) -> str:
    """Return a file's name if OpenAI would take it, else raise ApiError 400."""
    if filename is None or filename == "":
        raise missing("filename")
    if not isinstance(filename, str):
        raise refusal(LineError("invalid_type", "'filename' must be a string.", "filename"))
    if len(filename) > LONGEST_FILENAME:
        message = f"'filename' has at most {LONGEST_FILENAME} characters, not {len(filename)}."
        raise refusal(LineError("string_above_max_length", message, "filename"))
    if purpose == BATCH and not filename.endswith(INPUT_NAMES):
        message = f"Invalid file format for Batch API. Must be {' or '.join(INPUT_NAMES)}"
        raise ApiError(HTTPStatus.BAD_REQUEST, message)
    return filename


def check_life(expires_after: object, purpose: str) -> int | None:
    """Return the seconds a file is to live: 30 days for a batch's input, for good otherwise, or what `expires_after` says."""
    if expires_after is None:
        return LONGEST_LIFE if purpose == BATCH else None
    if not isinstance(expires_after, Mapping):
        message = (
            "'expires_after' must be an object: in a form, the parts expires_after[anchor] and expires_after[seconds]."
        )
        raise refusal(LineError("invalid_type", message, "expires_after"))
    if expires_after.get("anchor") != "created_at":
        raise refusal(
            LineError("invalid_value", "'expires_after.anchor' must be 'created_at'.", "expires_after.anchor")
        )
    seconds = _whole(expires_after.get("seconds"))
    if seconds is None:
        message = "'expires_after.seconds' must be a whole number."
        raise refusal(LineError("invalid_type", message, "expires_after.seconds"))
    if not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        side = "below_min" if seconds < SHORTEST_LIFE else "above_max"
        message = f"'expires_after.seconds' must be from {SHORTEST_LIFE} to {LONGEST_LIFE}, not {seconds}."
        raise refusal(LineError(f"integer_{side}_value", message, "expires_after.seconds"))
    return seconds


def check_first_line(start: bytes, *, whole: bool) -> None:
    """Refuse a batch's input whose first line is no JSON object, as OpenAI does at once; all else comes later.

    Blank lines are no lines. What is packed is looked into by the batch, and so is a line that ends behind the `start`.
    """
    if start.startswith(GZIP):
        return
    if wrong_kind := file_kinds.foreign(start, of_lines=False):
        raise _no_input(wrong_kind.message)
    for first in file_kinds.first_lines(start, 1, whole=whole):
        try:
            line = msgspec.json.decode(first)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise _no_input(f"look at its first line. {diagnose(first).message}")
    if whole and not start.strip():
        raise _no_input("it has no requests. Write one JSON request object per line.")


def _no_input(why: str) -> ApiError:
    message = f"Invalid file format. Input file must be in .jsonl format for Batch API: {why}"
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def missing(name: str) -> ApiError:
    """Say that a required member is missing."""
    return refusal(LineError("missing_required_parameter", f"Missing required parameter: '{name}'.", name))


def unknown(file_id: str) -> ApiError:
    """Say that there is no such file, in OpenAI's words."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No such File object: {file_id}", param="id")


def _whole(value: object) -> int | None:
    """Read a whole number as a form (text) or a JSON body (a number) gives it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < len(str(LARGEST_SHOWN)):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
