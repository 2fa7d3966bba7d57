"""Make ids in the form of the provider's own ids."""

import secrets
import string

_ALPHANUMERIC = string.ascii_letters + string.digits


def file_id() -> str:
    """Return `file-` and 22 letters and digits."""
    return "file-" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(22))


def hex_id(prefix: str) -> str:
    """Return `prefix` and 32 hex digits, as in `batch_…`, `req_…` and `upload_…`."""
    return prefix + secrets.token_hex(16)
