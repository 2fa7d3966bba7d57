"""Answers as the strictest of the clients decode them that are generated of OpenAI's description.

A member that is required is never null, and one that may be is there. Facts: OpenAI's API reference.
"""

from typing import Annotated, Literal

import msgspec

# Generated Rust, Java and Go read every whole number as 32 bits with a sign, and fail on the whole answer otherwise.
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """An object of OpenAI's: nothing of ours may stand inside it."""


class StrictError(Strict):
    """One entry of `errors.data`."""

    code: str
    message: str
    param: str | None
    line: Int32 | None


class StrictErrors(Strict):
    """`errors`."""

    object: Literal["list"]
    data: list[StrictError]


class StrictCounts(Strict):
    """`request_counts`: absent, or all three."""

    total: Int32
    completed: Int32
    failed: Int32


class Cached(Strict):
    """`usage.input_tokens_details`."""

    cached_tokens: Int32


class Reasoning(Strict):
    """`usage.output_tokens_details`."""

    reasoning_tokens: Int32


class StrictUsage(Strict):
    """`usage`: every member is required in it."""

    input_tokens: Int32
    input_tokens_details: Cached
    output_tokens: Int32
    output_tokens_details: Reasoning
    total_tokens: Int32


class StrictBatch(msgspec.Struct):
    """A batch as generated clients decode it: these never null, beside them what they do not know."""

    id: str
    object: Literal["batch"]
    endpoint: str
    input_file_id: str
    completion_window: str
    status: Status
    created_at: Int32
    request_counts: StrictCounts
    errors: StrictErrors | None
    usage: StrictUsage | None
    metadata: dict[str, str] | None
    output_file_id: str | None
    error_file_id: str | None
    in_progress_at: Int32 | None
    expires_at: Int32 | None
    finalizing_at: Int32 | None
    completed_at: Int32 | None
    failed_at: Int32 | None
    expired_at: Int32 | None
    cancelling_at: Int32 | None
    cancelled_at: Int32 | None


class StrictFile(msgspec.Struct):
    """A file; `fine-tune-results` and the assistants' outputs are purposes of OpenAI's that we never have."""

    id: str
    object: Literal["file"]
    bytes: Int32
    created_at: Int32
    filename: str
    purpose: Literal["assistants", "batch", "batch_output", "fine-tune", "vision", "user_data"]
    status: Literal["uploaded", "processed", "error"]
    expires_at: Int32 | None
    status_details: str | None


class StrictUpload(msgspec.Struct):
    """An upload."""

    id: str
    object: Literal["upload"]
    bytes: Int32
    created_at: Int32
    expires_at: Int32
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: StrictFile | None


class StrictPart(msgspec.Struct):
    """A part of an upload."""

    id: str
    object: Literal["upload.part"]
    created_at: Int32
    upload_id: str


class StrictFiles(msgspec.Struct):
    """A page of files: unlike those of batches, its ids are never null."""

    object: Literal["list"]
    data: list[StrictFile]
    first_id: str
    last_id: str
    has_more: bool


class StrictBatches(msgspec.Struct):
    """A page of batches."""

    object: Literal["list"]
    data: list[StrictBatch]
    has_more: bool
    first_id: str | None = None
    last_id: str | None = None


class StrictDeleted(Strict):
    """A file that is gone."""

    id: str
    object: Literal["file"]
    deleted: bool


class StrictRefusal(Strict):
    """`error`: all four, and nothing else."""

    message: str
    type: str
    param: str | None
    code: str | None


class StrictEnvelope(Strict):
    """Any refusal."""

    error: StrictRefusal


class StrictModel(Strict):
    """A model."""

    id: str
    object: Literal["model"]
    created: Int32
    owned_by: str


class StrictModels(Strict):
    """All models."""

    object: Literal["list"]
    data: list[StrictModel]
