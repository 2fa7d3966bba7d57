"""Tell from an error that a file, or the request with it, is larger than the service takes.

Services say so by 413, by codes of their own, or by 400 and words alone: OpenAI's 400 has no code.
"""

import re

from .statuses import words_of

TOO_LARGE = "file_too_large"
_CODES = frozenset(
    f"{what}{says}"
    for what in ("", "batch_", "body_", "content_", "entity_", "file_", "input_", "input_file_", "payload_", "request_",
                 "request_body_", "request_entity_", "upload_")
    for says in ("too_large", "too_big", "size_exceeded", "size_limit_exceeded", "size_too_large")
) | {"max_file_size_exceeded", "max_size_exceeded", "maximum_file_size_exceeded", "file_exceeds_limit"}  # fmt: skip
_GENERIC = frozenset(
    {"", "bad_request", "invalid_request", "invalid_request_error", "invalid_file", "validation_error", "upload_failed"}
)
_THING = r"\b(?:file|upload|payload|body|entity|content|request)\b"
# A pattern is compiled when it is first needed, as a cold start pays for each.
_SAYS = (
    rf"{_THING}[^.;]{{0,80}}\btoo (?:large|big)\b"
    rf"|\btoo (?:large|big)\b[^.;]{{0,40}}{_THING}"
    rf"|{_THING}[^.;]{{0,80}}\b(?:exceed\w*|larger than|bigger than|greater than|over the)\b[^;]{{0,60}}"
    r"(?:\bsize\b|\bbytes\b|\d\s*[kmg]i?b\b)"
    r"|\b(?:file|upload|payload|body|request) size\b[^.;]{0,40}\b(?:exceed\w*|above|over|larger|greater)\b"
    r"|\bexceed\w*\b[^.;]{0,60}\b(?:file|upload|payload|body|request) size\b"
)
# Room for all files together, or for tokens: smaller files would not mend it.
_OTHERWISE = r"\b(?:tokens?|storage|quota|total|organi[sz]ation|project|account|rate|context)\b"


def is_too_large(code: str | None, message: str | None) -> bool:
    """Tell whether a code, or without a telling code a message, says that a file is too large."""
    code = words_of(code)
    if code in _CODES:
        return True
    generic = code in _GENERIC or code.isdigit()
    said, ignoring = message or "", re.IGNORECASE
    return generic and bool(re.search(_SAYS, said, ignoring)) and not re.search(_OTHERWISE, said, ignoring)
