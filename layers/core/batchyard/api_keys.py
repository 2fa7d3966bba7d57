"""API keys of the front door: `by_<key id>_<secret>`, of which only a salted hash is stored.

`python -m batchyard.api_keys TABLE TENANT` makes a key and prints it, once.
"""

import hashlib
import hmac
import re
import secrets
import sys
from typing import Any, Final

from batchyard.adapters.aws import translated
from batchyard.adapters.records import Records
from batchyard.errors import BatchyardError, NotFound

PREFIX: Final = "by"
KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
BEARER: Final = "bearer "
USAGE: Final = """usage: python -m batchyard.api_keys TABLE TENANT
   or: make key TABLE=… TENANT=default
TABLE is the stack's output TableName."""


def create(records: Records, tenant: str) -> str:
    """Make a key for a tenant and return it; it cannot be shown again."""
    key_id, secret, salt = secrets.token_hex(8), secrets.token_hex(24), secrets.token_hex(16)
    item = {"pk": f"KEY#{key_id}", "sk": "KEY", "tenant": tenant, "salt": salt, "hash": _hash(salt, secret)}
    records.put_once(item)
    return f"{PREFIX}_{key_id}_{secret}"


def tenant_of(records: Records, authorization: str) -> str | None:
    """Tell whose key an `Authorization: Bearer …` header carries; None for any that is not good."""
    prefix, _, rest = _bearer(authorization).partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not KEY_ID.fullmatch(key_id) or not secret:
        return None
    try:
        item: dict[str, Any] = records.item(f"KEY#{key_id}", "KEY")
    except NotFound:
        return None
    return item["tenant"] if hmac.compare_digest(item["hash"], _hash(item["salt"], secret)) else None


def _bearer(authorization: str) -> str:
    return authorization[len(BEARER) :].strip() if authorization[: len(BEARER)].lower() == BEARER else ""


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(
        f"{salt}:{secret}".encode()
    ).hexdigest()  # the secret has 192 random bits: no stretching needed


def main(arguments: list[str]) -> str:
    """Make a key from the command line and return it; what is wrong becomes the exit's one sentence."""
    if len(arguments) != 2 or not all(arguments):
        sys.exit(USAGE)
    table, tenant = arguments
    try:
        with translated("making the key"):
            return create(Records(table), tenant)
    except BatchyardError as error:
        sys.exit(f"No key was made: {error} AWS_REGION and the credentials must be those of the stack.")


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
