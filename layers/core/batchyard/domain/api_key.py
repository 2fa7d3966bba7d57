"""An API key: how a request carries it, and what is recorded of it.

A key is `by_<key id>_<secret>`. Only a salted hash of the secret is recorded.
"""

import hashlib
import hmac
import re
from typing import Final, NamedTuple

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


class PresentedKey(NamedTuple):
    """The key that a caller sends."""

    key_id: str
    secret: str


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
