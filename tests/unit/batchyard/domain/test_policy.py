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
from batchyard.domain.batch import LineError
from batchyard.domain.policy import Move, after_failed_batch, after_failed_call

MONEY = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
]

# What OpenAI says of a line, and what only Azure, gateways and emulators say, of a line or of the whole.
OF_A_LINE = [
    "invalid_json_line", "missing_required_parameter", "invalid_request", "duplicate_custom_id", "mismatched_model",
    "model_not_found", "invalid_url", "streaming_unsupported", "invalid_type", "invalid_value",
]  # fmt: skip
OF_OTHERS = [
    "too_many_tasks", "url_mismatch", "model_mismatch", "empty_batch", "input_modified", "input_no_permissions",
    "missing_custom_id", "invalid_method", "batch_request_limit_exceeded", "batch_failed", "internal_error", "output_failed",
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "move"),
    [
        (BadRequestError("no", status=400, code="invalid_value"), Move.GIVE_UP),
        (BadRequestError("no", status=400, code="invalid_request", param="file_id"), Move.UPLOAD),
        (BadRequestError("no", status=413), Move.GIVE_UP),
        (BadRequestError("no", status=422), Move.GIVE_UP),
        (ConflictError("no", status=409), Move.RETRY),
        (BadRequestError("no", status=423), Move.RETRY),
        (BadRequestError("no", status=425), Move.RETRY),
        (InvalidArgumentError("no"), Move.PAUSE),
        (AuthenticationError("no", status=401), Move.PAUSE),
        (AuthenticationError("no", status=401, code="invalid_api_key"), Move.PAUSE),
        (PermissionDeniedError("no", status=403), Move.PAUSE),
        (NotFoundError("no", status=404), Move.UPLOAD),
        (APITimeoutError("no", status=408), Move.RETRY),
        (RateLimitError("no", status=429, code="rate_limit_exceeded"), Move.RETRY),
        (TokenLimitError("no", status=400, code="token_limit_exceeded"), Move.REUSE),
        (TokenLimitError("no", status=429, code="token_limit_exceeded"), Move.REUSE),
        (RateLimitError("no", status=429, code="quotaExceeded"), Move.REUSE),
        (QuotaError("no", status=402), Move.PAUSE),
        (QuotaError("no", status=429, type="insufficient_quota"), Move.PAUSE),
        (ServerError("no", status=500), Move.RETRY),
        (ServerError("no", status=502), Move.RETRY),
        (ServerError("no", status=503), Move.RETRY),
        (ServerError("no", status=504), Move.RETRY),
        (RateLimitError("no", status=429, code="slow_down"), Move.RETRY),
        (APIConnectionError("no"), Move.RETRY),
        (DownloadIncomplete("no"), Move.RETRY),
        (CreateOutcomeUnknown("no"), Move.RETRY),
        (UploadOutcomeUnknown("no"), Move.RETRY),
        (ProtocolError("no"), Move.RETRY),
        (SourceError("no"), Move.RETRY),
        *((QuotaError("no", status=429, code=code), Move.PAUSE) for code in MONEY),
        *((RateLimitError("no", status=429, code=code), Move.PAUSE) for code in MONEY),
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{value.status}-{value.code}" if isinstance(value, BatchClientError) else value
    ),
)
def test_a_failed_call_has_its_move(error: BatchClientError, move: Move) -> None:
    assert after_failed_call(error) is move


def entry(code: str, param: str | None = None, line: int | None = None) -> LineError:
    return LineError(code, "whatever it says", param, line)


@pytest.mark.parametrize(
    ("errors", "move"),
    [
        ([entry("token_limit_exceeded")], Move.REUSE),
        ([entry("invalid_request", "file_id")], Move.UPLOAD),
        *(([entry(code)], Move.PAUSE) for code in MONEY),
        ([entry("invalid_json_line", None, 3)], Move.SET_ASIDE),
        ([entry("missing_required_parameter", "body", 1)], Move.SET_ASIDE),
        ([entry("invalid_request", "body.model", 1)], Move.SET_ASIDE),
        ([entry("duplicate_custom_id", "custom_id", 2)], Move.SET_ASIDE),
        ([entry("mismatched_model", "body.model", 2)], Move.SET_ASIDE),
        ([entry("model_not_found", "body.model", 2)], Move.SET_ASIDE),
        ([entry("invalid_url", "url", 2)], Move.SET_ASIDE),
        ([entry("streaming_unsupported", "body.stream", 2)], Move.SET_ASIDE),
        ([entry("a_code_of_tomorrow", "body.x", 2)], Move.SET_ASIDE),
        *(([entry(code, None, 2)], Move.SET_ASIDE) for code in (*OF_A_LINE, *OF_OTHERS)),
        *(([entry(code)], Move.RETRY) for code in OF_OTHERS),
        ([entry("empty_file")], Move.RETRY),
        ([entry("too_many_tasks")], Move.RETRY),
        ([entry("internal_error")], Move.RETRY),
        ([entry("a_code_of_tomorrow")], Move.RETRY),
        ([], Move.RETRY),
        ([entry("model_not_found", None, 1), entry("token_limit_exceeded")], Move.REUSE),
        ([entry("token_limit_exceeded"), entry("insufficient_quota")], Move.PAUSE),
    ],
    ids=lambda value: "+".join(f"{each.code}@{each.line}" for each in value) if isinstance(value, list) else value,
)
def test_a_failed_batch_has_its_move(errors: list[LineError], move: Move) -> None:
    assert after_failed_batch(errors) is move
    assert after_failed_batch(reversed(errors)) is move
