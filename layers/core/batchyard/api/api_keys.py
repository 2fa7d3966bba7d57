"""API keys of the front door: `by_<key id>_<secret>`, of which only a salted hash is stored.

`python -m batchyard.api.api_keys TABLE TENANT` makes a key and prints it, once; `TABLE --list` shows which there are, and
`TABLE --revoke KEY_ID` makes one worthless within a minute.
"""

import hashlib
import hmac
import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from batchyard.adapters.aws import translated
from batchyard.adapters.batch_store import BatchStore
from batchyard.domain import object_keys
from batchyard.domain.errors import BatchyardError, NotFound, StaleRecord

FRESH: Final = 30.0  # seconds; a revoked key must open nothing a minute later


PREFIX: Final = "by"
KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
BEARER: Final = "bearer "
ALL: Final = "KEYS"  # where the index has them
USAGE: Final = """usage: python -m batchyard.api.api_keys TABLE TENANT            make a key
       python -m batchyard.api.api_keys TABLE --list            show every key's id, tenant, birth and end
       python -m batchyard.api.api_keys TABLE --revoke KEY_ID   make a key worthless within a minute
   or: make key TABLE=… TENANT=default | LIST=1 | REVOKE=…
TABLE is the stack's output TableName; a tenant's name has no slash and at most 256 bytes."""


class NoSuchKey(NotFound):
    """The table was reached, and has no key of this id."""


class Key(NamedTuple):
    """What a caller brings."""

    key_id: str
    secret: str


def create(batch_store: BatchStore, tenant: str) -> str:
    """Make a key for a tenant and return it; it cannot be shown again."""
    key_id, secret, salt, now = secrets.token_hex(8), secrets.token_hex(24), secrets.token_hex(16), int(time.time())
    item = {
        "pk": f"KEY#{key_id}", "sk": "KEY", "gsi1pk": ALL, "gsi1sk": f"{tenant}#{now:010}#{key_id}",
        "key_id": key_id, "tenant": tenant, "created_at": now, "salt": salt, "hash": _hash(salt, secret),
    }  # fmt: skip
    batch_store.put_once(item)
    return f"{PREFIX}_{key_id}_{secret}"


def listed(batch_store: BatchStore) -> list[str]:
    """Show every key in a line of its own, by tenant and age, never its secret."""
    return [_line(item) for item in batch_store.items_of(ALL)]


def revoke(batch_store: BatchStore, key_id: str) -> None:
    """Make a key worthless; raises NoSuchKey if there is none of this id."""
    if not KEY_ID.fullmatch(key_id):
        raise NoSuchKey(f"{key_id!r} is no key id; the list shows them.")
    try:
        batch_store.change_item(f"KEY#{key_id}", "KEY", revoked_at=int(time.time()))
    except NotFound as error:
        if isinstance(error.__cause__, StaleRecord):  # else it is the table that is not there
            raise NoSuchKey(f"There is no key {key_id}; the list shows them.") from error
        raise


def parse(authorization: str) -> Key | None:
    """Read a key from an `Authorization: Bearer …` header; None for what cannot be one."""
    prefix, _, rest = _bearer(authorization).partition("_")
    key_id, _, secret = rest.partition("_")
    return Key(key_id, secret) if prefix == PREFIX and KEY_ID.fullmatch(key_id) and secret else None


def opened_by(record: dict[str, Any], key: Key) -> str | None:
    """Return the tenant of a key's record if the key is the right one and was not revoked."""
    right = hmac.compare_digest(record["hash"], _hash(record["salt"], key.secret))
    return record["tenant"] if right and "revoked_at" not in record else None


def _bearer(authorization: str) -> str:
    return authorization[len(BEARER) :].strip() if authorization[: len(BEARER)].lower() == BEARER else ""


def _hash(salt: str, secret: str) -> str:
    # the secret has 192 random bits: no stretching needed
    return hashlib.sha256(f"{salt}:{secret}".encode("utf-8", "surrogatepass")).hexdigest()


def _line(item: dict[str, Any]) -> str:
    ended = f"  revoked {_day(item['revoked_at'])}" if "revoked_at" in item else ""
    return f"{item['key_id']}  made {_day(item['created_at'])}  {item['tenant']}{ended}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def main(arguments: list[str]) -> str:
    """Do what the command line asks and return what to print; what is wrong becomes the exit's one sentence."""
    try:
        with translated("reaching the keys"):
            return _done(arguments)
    except NoSuchKey as error:
        sys.exit(f"Nothing was done: {error}")
    except BatchyardError as error:
        sys.exit(
            f"Nothing was done: {str(error).rstrip('.')}. AWS_REGION and the credentials must be those of the stack."
        )


def _done(arguments: list[str]) -> str:
    match arguments:
        case [table, "--list"] if table:
            return "\n".join(listed(BatchStore(table)))
        case [table, "--revoke", key_id] if table:
            revoke(BatchStore(table), key_id)
            return f"{key_id} is revoked."
        case [table, tenant] if table and object_keys.sound_tenant(tenant):
            return create(BatchStore(table), tenant)
    sys.exit(USAGE)


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")


class Keyring:
    """Tell whose key a request carries; a key's record is read again after `FRESH` seconds.

    Only records are kept, never a key or a verdict, and only of keys that there are: guesses take no room.
    """

    def __init__(self, batch_store: BatchStore, clock: Callable[[], float] = time.time) -> None:
        """Read keys from these records."""
        self._batch_store, self._clock = batch_store, clock
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def tenant_of(self, authorization: str) -> str | None:
        """Tell whose key an `Authorization: Bearer …` header carries; None for any that is not good."""
        key = parse(authorization)
        if key is None:
            return None
        try:
            record = self._record(key.key_id)
        except NotFound:
            return None
        return opened_by(record, key)

    def _record(self, key_id: str) -> dict[str, Any]:
        read_at, record = self._known.get(key_id, (float("-inf"), {}))
        now = self._clock()
        if not 0 <= now - read_at < FRESH:
            self._known.pop(key_id, None)
            record = self._batch_store.item(f"KEY#{key_id}", "KEY")
            self._known[key_id] = now, record
        return record
