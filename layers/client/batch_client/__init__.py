"""Call the Batch and Files API of OpenAI and of services like it: typed, streaming, safe to retry.

The names in `__all__` are public. Every other name, and every module of this package, is private and may change.

>>> from batch_client import BatchClient
>>> client = BatchClient("made-up-key")
>>> client
BatchClient(base_url='https://api.openai.com/v1', profile='openai')
"""

from .anthropic_dialect import AnthropicDialect
from .client import BatchClient
from .credentials import RequestSigner
from .dialect import Dialect, Input, Job, Look, Prepared, State
from .dialects import speak
from .errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    CannotTell,
    ConflictError,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    FileTooLargeError,
    InvalidArgumentError,
    NotFoundError,
    OutcomeUnknown,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
    ServerError,
    SourceError,
    TokenLimitError,
    UploadOutcomeUnknown,
)
from .http_info import HttpInfo, RateLimit
from .mending import decode_mended, is_sound, mended
from .models import (
    ENDED_STATUSES,
    Batch,
    BatchError,
    BatchPage,
    ExpiresAfter,
    File,
    FileDeleted,
    FilePage,
    RequestCounts,
    Usage,
)
from .nesting import shallow
from .openai_dialect import OpenAIDialect
from .profiles import PROFILES, Facts, Profile, Sign, choose_profile
from .refusals import MONEY_CODES
from .retry import Clock, RetryPolicy
from .sources import ByteRanges, Source

__all__ = [
    "ENDED_STATUSES",
    "MONEY_CODES",
    "PROFILES",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AnthropicDialect",
    "AuthenticationError",
    "BadRequestError",
    "Batch",
    "BatchClient",
    "BatchClientError",
    "BatchError",
    "BatchPage",
    "ByteRanges",
    "CannotTell",
    "Clock",
    "ConflictError",
    "CreateOutcomeUnknown",
    "Dialect",
    "DownloadIncomplete",
    "ExpiresAfter",
    "Facts",
    "File",
    "FileDeleted",
    "FilePage",
    "FileTooLargeError",
    "HttpInfo",
    "Input",
    "InvalidArgumentError",
    "Job",
    "Look",
    "NotFoundError",
    "OpenAIDialect",
    "OutcomeUnknown",
    "PermissionDeniedError",
    "Prepared",
    "Profile",
    "ProtocolError",
    "QuotaError",
    "RateLimit",
    "RateLimitError",
    "RequestCounts",
    "RequestOutcomeUnknown",
    "RequestSigner",
    "RetryPolicy",
    "ServerError",
    "Sign",
    "Source",
    "SourceError",
    "State",
    "TokenLimitError",
    "UploadOutcomeUnknown",
    "Usage",
    "choose_profile",
    "decode_mended",
    "is_sound",
    "mended",
    "shallow",
    "speak",
]
