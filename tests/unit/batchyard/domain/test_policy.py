"""What is done about each answer of a provider, by code and never by text."""

import pytest

from batch_client import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    FileTooLargeError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
    SourceError,
    TokenLimitError,
    UploadOutcomeUnknown,
)
from batchyard.domain.batch import BatchError
from batchyard.domain.policy import Reaction, after_failed_batch, after_failed_call

MONEY = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
]

# What OpenAI says of a line, and what only Azure, gateways and emulators say, of a line or of the whole.
OF_A_LINE = [
    "invalid_json_line", "missing_required_parameter", "invalid_request", "duplicate_custom_id", "mismatched_model",
    "model_not_found", "invalid_url", "streaming_unsupported", "invalid_type", "invalid_value",
]  # fmt: skip
OF_OTHERS = [
    "url_mismatch", "model_mismatch", "empty_batch", "input_modified", "input_no_permissions",
    "missing_custom_id", "invalid_method", "batch_request_limit_exceeded", "batch_failed", "internal_error", "output_failed",
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "move"),
    [
        (BadRequestError("no", status=400, code="invalid_value"), Reaction.FAIL_LINES),
        (BadRequestError("no", status=400, code="invalid_request", param="file_id"), Reaction.UPLOAD),
        (BadRequestError("no", status=400), Reaction.ASK_AGAIN),
        (BadRequestError("no", status=400, code="a_code_of_tomorrow"), Reaction.ASK_AGAIN),
        (BadRequestError("no", status=400, code="400", type="invalid_request_error"), Reaction.ASK_AGAIN),
        (BadRequestError("no", status=405), Reaction.ASK_AGAIN),
        (FileTooLargeError("no", status=413), Reaction.CUT),
        (BadRequestError("no", status=400, code="too_many_tasks"), Reaction.CUT),
        (BadRequestError("no", status=400, code="too_many_tasks", param="input_file_id"), Reaction.CUT),
        (FileTooLargeError("no", status=400, code="file_too_large"), Reaction.CUT),
        (BadRequestError("no", status=422), Reaction.ASK_AGAIN),
        (BadRequestError("no", status=400, param="file_id"), Reaction.UPLOAD),
        (BadRequestError("no", status=400, param="input_file_id"), Reaction.UPLOAD),
        (BadRequestError("no", status=400, code="invalid_value", param="input_file_id"), Reaction.UPLOAD),
        (BadRequestError("no", status=400, code="invalid_type", param="input_file_id"), Reaction.FAIL_LINES),
        (BadRequestError("no", status=400, code="invalid_value", param="endpoint"), Reaction.FAIL_LINES),
        (BadRequestError("no", status=400, param="completion_window"), Reaction.FAIL_LINES),
        (BadRequestError("no", status=400, param="metadata.batchyard_batch"), Reaction.FAIL_LINES),
        (BadRequestError("no", status=400, code="model_not_found"), Reaction.FAIL_LINES),
        (NotFoundError("no", status=404, code="model_not_found"), Reaction.FAIL_LINES),
        (ConflictError("no", status=409), Reaction.RETRY),
        (BadRequestError("no", status=423), Reaction.RETRY),
        (BadRequestError("no", status=425), Reaction.RETRY),
        (InvalidArgumentError("no"), Reaction.PAUSE),
        (AuthenticationError("no", status=401), Reaction.PAUSE),
        (AuthenticationError("no", status=401, code="invalid_api_key"), Reaction.PAUSE),
        (AuthenticationError("no", status=400, code="API_KEY_INVALID"), Reaction.PAUSE),
        (PermissionDeniedError("no", status=403), Reaction.PAUSE),
        (NotFoundError("no", status=404), Reaction.UPLOAD),
        (APITimeoutError("no", status=408), Reaction.RETRY),
        (RateLimitError("no", status=429, code="rate_limit_exceeded"), Reaction.RETRY),
        (TokenLimitError("no", status=400, code="token_limit_exceeded"), Reaction.REUSE),
        (TokenLimitError("no", status=429, code="token_limit_exceeded"), Reaction.REUSE),
        (RateLimitError("no", status=429, code="quotaExceeded"), Reaction.REUSE),
        (QuotaError("no", status=402), Reaction.PAUSE),
        (QuotaError("no", status=429, type="insufficient_quota"), Reaction.PAUSE),
        (ServerError("no", status=500), Reaction.RETRY),
        (ServerError("no", status=502), Reaction.RETRY),
        (ServerError("no", status=503), Reaction.RETRY),
        (ServerError("no", status=504), Reaction.RETRY),
        (RateLimitError("no", status=429, code="slow_down"), Reaction.RETRY),
        (APIConnectionError("no"), Reaction.RETRY),
        (DownloadIncomplete("no"), Reaction.RETRY),
        (CreateOutcomeUnknown("no"), Reaction.RETRY),
        (UploadOutcomeUnknown("no"), Reaction.RETRY),
        (ProtocolError("no"), Reaction.RETRY),
        (SourceError("no"), Reaction.RETRY),
        *((QuotaError("no", status=429, code=code), Reaction.PAUSE) for code in MONEY),
        *((RateLimitError("no", status=429, code=code), Reaction.PAUSE) for code in MONEY),
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{value.status}-{value.code}" if isinstance(value, BatchClientError) else value
    ),
)
def test_a_failed_call_has_its_move(error: BatchClientError, move: Reaction) -> None:
    assert after_failed_call(error) is move


def entry(code: str, param: str | None = None, line: int | None = None) -> BatchError:
    return BatchError(code, "whatever it says", param, line)


@pytest.mark.parametrize(
    ("errors", "move"),
    [
        ([entry("token_limit_exceeded")], Reaction.REUSE),
        ([entry("invalid_request", "file_id")], Reaction.UPLOAD),
        ([entry("unknown", "file_id")], Reaction.UPLOAD),
        ([entry("file_too_large")], Reaction.CUT),
        ([entry("file_too_large", None, 2)], Reaction.REJECT_LINES),
        ([entry("not_found", "input_file_id")], Reaction.UPLOAD),
        *(([entry(code)], Reaction.PAUSE) for code in MONEY),
        ([entry("invalid_json_line", None, 3)], Reaction.REJECT_LINES),
        ([entry("missing_required_parameter", "body", 1)], Reaction.REJECT_LINES),
        ([entry("invalid_request", "body.model", 1)], Reaction.REJECT_LINES),
        ([entry("duplicate_custom_id", "custom_id", 2)], Reaction.REJECT_LINES),
        ([entry("mismatched_model", "body.model", 2)], Reaction.REJECT_LINES),
        ([entry("model_not_found", "body.model", 2)], Reaction.REJECT_LINES),
        ([entry("invalid_url", "url", 2)], Reaction.REJECT_LINES),
        ([entry("streaming_unsupported", "body.stream", 2)], Reaction.REJECT_LINES),
        ([entry("a_code_of_tomorrow", "body.x", 2)], Reaction.REJECT_LINES),
        *(([entry(code, None, 2)], Reaction.REJECT_LINES) for code in (*OF_A_LINE, *OF_OTHERS)),
        *(([entry(code)], Reaction.RETRY) for code in OF_OTHERS),
        ([entry("empty_file")], Reaction.RETRY),
        ([entry("too_many_tasks")], Reaction.CUT),
        ([entry("too_many_requests_in_batch")], Reaction.CUT),
        ([entry("too_many_embedding_inputs")], Reaction.CUT),
        ([entry("too_many_tasks", "input_file_id")], Reaction.CUT),
        ([entry("too_many_tasks"), entry("insufficient_quota")], Reaction.PAUSE),
        ([entry("too_many_tasks", None, 2)], Reaction.REJECT_LINES),
        ([entry("internal_error")], Reaction.RETRY),
        ([entry("a_code_of_tomorrow")], Reaction.RETRY),
        ([], Reaction.RETRY),
        ([entry("model_not_found", None, 1), entry("token_limit_exceeded")], Reaction.REUSE),
        ([entry("token_limit_exceeded"), entry("insufficient_quota")], Reaction.PAUSE),
    ],
    ids=lambda value: "+".join(f"{each.code}@{each.line}" for each in value) if isinstance(value, list) else value,
)
def test_a_failed_batch_has_its_move(errors: list[BatchError], move: Reaction) -> None:
    assert after_failed_batch(errors) is move
    assert after_failed_batch(reversed(errors)) is move
