"""The headers that the settings add to every call of a provider: none of them may hold a key, or say how a call is sent."""

import re
from collections.abc import Mapping
from typing import Final

MOST: Final = 10
NAME: Final = r"[a-z0-9-]{1,64}"
VALUE: Final = r"[!-~]([ -~]{0,510}[!-~])?"
#: Parts of names that tell of a secret, which no setting may hold.
SECRET: Final = ("auth", "key", "token", "secret", "password", "cookie", "signature", "credential")
#: What the client says of each call itself.
OF_CALLS: Final = re.compile(
    "host|connection|keep-alive|te|trailer|upgrade|expect|range|user-agent|accept(-.*)?|content-.*|transfer-.*|proxy-.*|x-amz-.*"
)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for a header that cannot be sent, or may not stand in a setting; no value is quoted."""
    if len(headers) > MOST:
        raise ValueError(f"headers has {len(headers)} members; at most {MOST} are allowed")
    for name, value in headers.items():
        told = f"headers: {name[:64]!r}"
        if not re.fullmatch(NAME, name):
            raise ValueError(f"{told} is no name of a header: it has small letters, digits and hyphens, 64 at most")
        if any(part in name for part in SECRET):
            raise ValueError(f"{told} would hold a secret, and a setting may not: keys are stored by make providers")
        if OF_CALLS.fullmatch(name):
            raise ValueError(f"{told} is said by Batchyard itself. Leave it out")
        if not re.fullmatch(VALUE, value):
            raise ValueError(f"{told} must have 1 to 512 printable ASCII characters, without a space at either end")
