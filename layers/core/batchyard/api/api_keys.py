"""API keys: made, listed and revoked by an operator, and looked up for each request.

`python -m batchyard.api.api_keys TABLE TENANT` makes a key and prints it, once; with `--admin` it may make others of its
tenant. `TABLE --list` shows all keys; `TABLE --revoke KEY_ID` makes a key worthless within a minute; `TABLE --budget TENANT
USD` says what a tenant may spend in a month.
"""

import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Final

import msgspec

from batchyard.adapters.aws import translated
from batchyard.adapters.stores.api_key_store import ApiKeyStore
from batchyard.adapters.stores.quota_store import QuotaStore
from batchyard.costs.budget import Budget
from batchyard.costs.cost import PER_DOLLAR
from batchyard.costs.cost import dollars as shown
from batchyard.domain import api_key, object_keys
from batchyard.domain.api_key import KEY_ID, PREFIX, ApiKey
from batchyard.domain.errors import ApiError, BatchyardError, NotFound, StoreError
from batchyard.domain.numbers import HOUR, MINUTE, amount
from batchyard.observability import logger

FRESH: Final = 30.0  # seconds; a revoked key must open nothing a minute later
NO_BUDGET: Final = "none"
ADMIN: Final = "--admin"
USAGE: Final = """usage: python -m batchyard.api.api_keys TABLE TENANT [--budget USD]   make a key, and set its tenant's budget
       python -m batchyard.api.api_keys TABLE TENANT --admin          make a key that may make others
       python -m batchyard.api.api_keys TABLE --list                  show every key, and every tenant's budget
       python -m batchyard.api.api_keys TABLE --revoke KEY_ID         make a key worthless within a minute
       python -m batchyard.api.api_keys TABLE --budget TENANT USD     set a tenant's monthly budget; none removes it
   or: make key TABLE=… TENANT=default ADMIN=1 BUDGET_USD=… | LIST=1 | REVOKE=…, make budget TABLE=… TENANT=default BUDGET_USD=…
A key that is made with --admin may make and revoke keys of its tenant; no other may, and no key that it makes.
TABLE is the stack's output TableName; a tenant's name has no slash and at most 256 bytes; USD is an amount such as 250 or
99.50."""


class NoSuchKey(NotFound):
    """The table was reached, and has no key of this id."""


class KeyCache:
    """Tell whose key a request carries; the record of a key is read again after `FRESH` seconds.

    The cache keeps records, never a secret or a verdict. An unknown key is not kept, so that guesses take no memory.
    """

    def __init__(self, store: ApiKeyStore, clock: Callable[[], float] = time.time, most_per_minute: int = 0) -> None:
        """Read keys from this store; a key has `most_per_minute` requests in a minute of the clock, or any number with 0."""
        self._store, self._clock, self._most = store, clock, most_per_minute
        self._known: dict[str, tuple[float, ApiKey]] = {}
        self._used_up: dict[str, int] = {}

    def tenant_of(self, authorization: str) -> str | None:
        """Return the tenant whose key an `Authorization: Bearer …` header carries, as `opened`."""
        record = self.opened(authorization)
        return None if record is None else record.tenant

    def opened(self, authorization: str) -> ApiKey | None:
        """Return the record of the key that an `Authorization: Bearer …` header carries; None if the key is not good.

        The request is counted. Raises ApiError 429 if the key has had all its requests of this minute.
        """
        key = api_key.parse(authorization)
        if key is None:
            return None
        try:
            record = self._record(key.key_id)
        except NotFound:
            return None
        if api_key.opened_by(record, key) is None:
            return None
        if self._most:
            self._count(key.key_id)
        return self._with_use(record)

    def _with_use(self, record: ApiKey) -> ApiKey:
        """Note that a key is used, once in an hour; a note that fails refuses nobody."""
        now = int(self._clock())
        if now - (record.last_used_at or 0) < HOUR:
            return record
        try:
            self._store.note_use(record.key_id, now)
        except StoreError as error:
            logger.warning("the use of a key is not noted", key_id=record.key_id, error=str(error))
        used = msgspec.structs.replace(record, last_used_at=now)
        self._known[record.key_id] = self._known[record.key_id][0], used
        return used

    def _count(self, key_id: str) -> None:
        minute, second = divmod(int(self._clock()), MINUTE)
        if self._used_up.get(key_id) != minute and self._store.count_request(key_id, minute, self._most):
            return
        self._used_up[key_id] = minute  # what is refused anyway costs no more writes
        wait = MINUTE - second
        message = f"This key has {self._most} requests a minute, and has had them. Try again in {wait} seconds."
        error = ApiError(HTTPStatus.TOO_MANY_REQUESTS, message, code="rate_limit_exceeded")
        error.headers |= {"Retry-After": str(wait), "x-should-retry": "true"}
        raise error

    def _record(self, key_id: str) -> ApiKey:
        now, known = self._clock(), self._known.pop(key_id, None)
        if known is None or not 0 <= now - known[0] < FRESH:
            known = now, self._store.key(key_id)
        self._known[key_id] = known
        return known[1]


def create(store: ApiKeyStore, tenant: str, *, admin: bool = False) -> str:
    """Make a key for a tenant and return the key; it cannot be shown again."""
    record, key = new(tenant, int(time.time()), admin=admin)
    store.create(record)
    return key


def new(
    tenant: str, now: int, *, admin: bool = False, name: str = "", made_by: str | None = None
) -> tuple[ApiKey, str]:
    """Make up a key, and return what is recorded of it, and the key itself."""
    key_id, secret, salt = secrets.token_hex(8), secrets.token_hex(24), secrets.token_hex(16)
    record = ApiKey(
        key_id=key_id, tenant=tenant, created_at=now, salt=salt, hash=api_key.digest(salt, secret), admin=admin, name=name,
        made_by=made_by,
    )  # fmt: skip
    return record, f"{PREFIX}_{key_id}_{secret}"


def listed(store: ApiKeyStore) -> list[str]:
    """Describe every key in one line, by tenant and age; no line shows a secret."""
    return [_line(key) for key in store.all()]


def revoke(store: ApiKeyStore, key_id: str) -> None:
    """Make a key worthless; raises NoSuchKey if there is none of this id."""
    if not re.fullmatch(KEY_ID, key_id):
        raise NoSuchKey(f"{key_id!r} is no key id; the list shows them.")
    if not store.revoke(key_id, int(time.time())):
        raise NoSuchKey(f"There is no key {key_id}; the list shows them.")


def set_budget(store: QuotaStore, tenant: str, dollars: Decimal | None) -> str:
    """Set what a tenant may spend in a month, and say so; with None it may spend without a limit."""
    if dollars is None:
        store.remove_budget(tenant)
        return f"{tenant} has no budget."
    budget = Budget(tenant=tenant, amount=int(dollars * PER_DOLLAR), changed_at=int(time.time()))
    store.set_budget(budget)
    return f"{_budget_line(budget)}. Of batches that run already, nothing more is sent once it is spent."


def _budget_line(budget: Budget) -> str:
    return f"{budget.tenant} may spend ${shown(budget.amount):,.2f} a month"


def _line(key: ApiKey) -> str:
    ended = "" if key.revoked_at is None else f"  revoked {_day(key.revoked_at)}"
    right = "  admin" if key.admin else ""
    made_by = f"  by {key.made_by}" if key.made_by else ""
    return f"{key.key_id}  made {_day(key.created_at)}  {key.tenant}{right}{made_by}{ended}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def main(arguments: list[str]) -> str:
    """Obey the command line and return the text to print; an error ends the process with one sentence."""
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
    admin = ADMIN in arguments
    match [each for each in arguments if each != ADMIN]:
        case [table, "--list"] if table:
            budgets = map(_budget_line, QuotaStore(table, 0).budgets())
            return "\n".join([*listed(ApiKeyStore(table)), *budgets])
        case [table, "--revoke", key_id] if table:
            revoke(ApiKeyStore(table), key_id)
            return f"{key_id} is revoked; no call is answered with it a minute from now."
        case [table, tenant] if table and object_keys.sound_tenant(tenant):
            return create(ApiKeyStore(table), tenant, admin=admin)
        case [table, tenant, "--budget", text] if table and object_keys.sound_tenant(tenant):
            set_budget(QuotaStore(table, 0), tenant, _dollars(text))  # before the key, which could spend without it
            return create(ApiKeyStore(table), tenant, admin=admin)
        case [table, "--budget", tenant, text] if table and object_keys.sound_tenant(tenant):
            return set_budget(QuotaStore(table, 0), tenant, _dollars(text))
    sys.exit(USAGE)


def _dollars(text: str) -> Decimal | None:
    """Read a budget; None for no budget. Anything else ends the process with one sentence."""
    dollars = amount(text)
    if dollars is None and text != NO_BUDGET:
        sys.exit(f"Nothing was done: BUDGET_USD is {text!r}. Write an amount such as 250 or 99.50, or none.")
    return dollars


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
