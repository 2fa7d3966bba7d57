"""Call the Batch and Files API of OpenAI and of services like it: typed, streaming, safe to retry.

The names in `__all__` are public. Every other name, and every module of this package, is private and may change.

>>> from batch_client import BatchClient
>>> client = BatchClient("made-up-key")
>>> client
BatchClient(base_url='https://api.openai.com/v1', profile='openai')
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import BatchClient
    from .credentials import RequestSigner
    from .dialect import PATIENCE, Dialect, Input, Job, Look, Prepared, State
    from .dialects import speak
    from .dialects.anthropic import AnthropicDialect
    from .dialects.bedrock import BedrockDialect
    from .dialects.bedrock_openai import BedrockOpenAIDialect
    from .dialects.mistral import MistralDialect
    from .dialects.openai import OpenAIDialect
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
    from .objects import Objects, Stored
    from .paging import ListEnd
    from .profiles import OPENAI_URLS, PROFILES, Facts, Profile, Sign, choose_profile
    from .refusals import MONEY_CODES
    from .retry import Clock, RetryPolicy
    from .sources import ByteRanges, Source

__all__ = [
    "ENDED_STATUSES",
    "MONEY_CODES",
    "OPENAI_URLS",
    "PATIENCE",
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
    "BedrockDialect",
    "BedrockOpenAIDialect",
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
    "ListEnd",
    "Look",
    "MistralDialect",
    "NotFoundError",
    "Objects",
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
    "Stored",
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

# Where each public name lives: its module is imported when the name is first used, so that whoever needs one pays for one.
_HOMES = {
    "dialects.anthropic": ("AnthropicDialect",),
    "dialects.bedrock": ("BedrockDialect",),
    "dialects.bedrock_openai": ("BedrockOpenAIDialect",),
    "client": ("BatchClient",),
    "credentials": ("RequestSigner",),
    "dialect": (
        "PATIENCE",
        "Dialect",
        "Input",
        "Job",
        "Look",
        "Prepared",
        "State",
    ),
    "dialects": ("speak",),
    "errors": (
        "APIConnectionError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "BatchClientError",
        "CannotTell",
        "ConflictError",
        "CreateOutcomeUnknown",
        "DownloadIncomplete",
        "FileTooLargeError",
        "InvalidArgumentError",
        "NotFoundError",
        "OutcomeUnknown",
        "PermissionDeniedError",
        "ProtocolError",
        "QuotaError",
        "RateLimitError",
        "RequestOutcomeUnknown",
        "ServerError",
        "SourceError",
        "TokenLimitError",
        "UploadOutcomeUnknown",
    ),
    "http_info": (
        "HttpInfo",
        "RateLimit",
    ),
    "mending": (
        "decode_mended",
        "is_sound",
        "mended",
    ),
    "models": (
        "ENDED_STATUSES",
        "Batch",
        "BatchError",
        "BatchPage",
        "ExpiresAfter",
        "File",
        "FileDeleted",
        "FilePage",
        "RequestCounts",
        "Usage",
    ),
    "nesting": ("shallow",),
    "objects": (
        "Objects",
        "Stored",
    ),
    "paging": ("ListEnd",),
    "dialects.openai": ("OpenAIDialect",),
    "dialects.mistral": ("MistralDialect",),
    "profiles": (
        "OPENAI_URLS",
        "PROFILES",
        "Facts",
        "Profile",
        "Sign",
        "choose_profile",
    ),
    "refusals": ("MONEY_CODES",),
    "retry": (
        "Clock",
        "RetryPolicy",
    ),
    "sources": (
        "ByteRanges",
        "Source",
    ),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # type checkers know the names by their imports, and refuse any other

    def __getattr__(name: str) -> object:
        """Import a public name from its module."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        return found


def __dir__() -> list[str]:
    """Name what is public."""
    return __all__
