"""An API key: how a request carries it, and what is recorded of it.

A key is `by_<key id>_<secret>`. Only a salted hash of the secret is recorded.
"""

import hashlib
import hmac
import re
from typing import Any, Final, NamedTuple

import msgspec

PREFIX: Final = "by"
KEY_ID: Final = r"[0-9a-f]{16}"
BEARER: Final = "bearer "


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """The record `KEY#<key id>` / `KEY`. Times are Unix seconds."""

    key_id: str
    tenant: str
    created_at: int
    salt: str
    #: `digest` of the salt and the secret.
    hash: str
    #: None while the key is good.
    revoked_at: int | None = None
    #: What its tenant calls it.
    name: str = ""
    #: Whether it may make and revoke keys of its tenant; the operator alone gives this right.
    admin: bool = False
    #: The id of the key that made it; None where the operator made it.
    made_by: str | None = None
    #: Within an hour; None while it was never used.
    last_used_at: int | None = None
    #: When DynamoDB may drop the record of a key that was revoked.
    expires_at_ttl: int | None = None


class PresentedKey(NamedTuple):
    """The key that a caller sends."""

    key_id: str
    secret: str


def shape(record: ApiKey, caller: ApiKey) -> dict[str, Any]:
    """Shape a key as `caller`, a key of the same tenant, sees it: without its salt and hash."""
    return {
        "id": record.key_id,
        "object": "api_key",
        "name": record.name,
        "admin": record.admin,
        "current": record.key_id == caller.key_id,
        "created_at": record.created_at,
        "made_by": record.made_by,
        "last_used_at": record.last_used_at,
        "revoked_at": record.revoked_at,
    }


def parse(authorization: str) -> PresentedKey | None:
    """Read the key of an `Authorization: Bearer …` header; None for what cannot be a key."""
    prefix, _, rest = _bearer(authorization).partition("_")
    key_id, _, secret = rest.partition("_")
    return PresentedKey(key_id, secret) if prefix == PREFIX and re.fullmatch(KEY_ID, key_id) and secret else None


def opened_by(record: ApiKey, key: PresentedKey) -> str | None:
    """Return the tenant of a recorded key; None if the secret differs or the key was revoked."""
    right = hmac.compare_digest(record.hash, digest(record.salt, key.secret))
    return record.tenant if right and record.revoked_at is None else None


def digest(salt: str, secret: str) -> str:
    """Hash a secret, in hex; the secret has 192 random bits, so that a fast hash is enough."""
    return hashlib.sha256(f"{salt}:{secret}".encode("utf-8", "surrogatepass")).hexdigest()


def _bearer(authorization: str) -> str:
    return authorization[len(BEARER) :].strip() if authorization[: len(BEARER)].lower() == BEARER else ""
