"""The objects of the API, frozen, with the members of the contract; a member that a service leaves out is None or empty."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

ENDED_STATUSES = frozenset({"completed", "failed", "expired", "cancelled"})


class ExpiresAfter(msgspec.Struct, frozen=True):
    """Say when a file expires."""

    #: The seconds after the anchor, 3,600 … 2,592,000.
    seconds: int
    #: The time from which the seconds count.
    anchor: str = "created_at"


class RequestCounts(msgspec.Struct, frozen=True):
    """Count the requests of a batch; unfinished requests are in `total` alone."""

    total: int
    completed: int
    failed: int


class BatchError(msgspec.Struct, frozen=True):
    """Say why a batch failed validation."""

    code: str | None = None
    message: str | None = None
    param: str | None = None
    #: The number of the line, from 1.
    line: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """Count the tokens that a batch used."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    #: Input tokens that were cached.
    cached_tokens: int = 0
    #: Output tokens that were spent on reasoning.
    reasoning_tokens: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Show a batch as the service described it; times are Unix seconds."""

    id: str
    #: The status as OpenAI spells it. Where the meaning of a service's word is not known, the word in lower case: such a
    #: batch has not ended.
    status: str
    object: str = "batch"
    endpoint: str = ""
    model: str | None = None
    errors: tuple[BatchError, ...] = ()
    input_file_id: str | None = None
    completion_window: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int | None = None
    in_progress_at: int | None = None
    expires_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts | None = None
    usage: Usage | None = None
    metadata: dict[str, str] = {}  # msgspec copies an empty default for each object

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in ENDED_STATUSES


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Show a file as the service described it; times are Unix seconds."""

    id: str
    object: str = "file"
    #: The size of the file.
    bytes: int | None = None
    created_at: int | None = None
    expires_at: int | None = None
    filename: str = ""
    purpose: str = ""
    #: `uploaded`, `processed` or `error`; `pending` if the service has yet to process it; "" if the service does not say.
    status: str = ""
    status_details: str | None = None


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """Confirm that a file was deleted."""

    id: str
    object: str = "file"
    deleted: bool = True


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Show one page of a list."""

    data: tuple[T, ...]
    first_id: str | None = None
    last_id: str | None = None
    #: Whether there is another page; None if the service does not say.
    has_more: bool | None = None


BatchPage = Page[Batch]
FilePage = Page[File]
