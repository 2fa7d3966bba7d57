"""The API keys of a tenant, as a key of the same tenant sees them; one with the right `admin` also makes and revokes them.

No route gives that right: the operator alone does. So a key that leaks can make no key that outlives its own end unseen: each
key names the one that made it.
"""

from http import HTTPStatus
from typing import Any, Final

from batchyard.api import api_keys
from batchyard.api.tenancy import own
from batchyard.domain.api_key import KEY_ID, ApiKey, shape
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, NotFound, invalid_request
from batchyard.gateway.paging import LIMITS, page, page_limit
from batchyard.services import Services

MOST_KEYS: Final = 100  # of one tenant that are good, for a key to make another
LONGEST_NAME: Final = 64  # characters
NAME, ITSELF = "name", "itself"


def list_api_keys(services: Services, caller: ApiKey, after: str | None, limit: str | None) -> dict[str, Any]:
    """List the keys of the caller's tenant, newest first, behind the key `after`; no secret is shown."""
    count, every = page_limit(limit, *LIMITS), services.api_key_store.of_tenant(caller.tenant)
    ids = [each.key_id for each in every]
    if after is not None and after not in ids:
        raise _unknown(after)
    rest = every[ids.index(after) + 1 :] if after is not None else every
    return page([shape(each, caller) for each in rest[:count]], more=len(rest) > count > 0)


def create_api_key(services: Services, caller: ApiKey, body: object) -> dict[str, Any]:
    """Make a key of the caller's tenant, without the right to make others, and return it; it is shown only now."""
    _check_admin(services, caller)
    name = _name(body)
    good = [each for each in services.api_key_store.of_tenant(caller.tenant) if each.revoked_at is None]
    if len(good) >= MOST_KEYS:
        message = f"There are {len(good)} keys already, and {MOST_KEYS} are the most there may be. Revoke one first."
        raise ApiError(HTTPStatus.FORBIDDEN, message, code="api_keys_limit_exceeded")
    record, key = api_keys.new(caller.tenant, services.now(), name=name, made_by=caller.key_id)
    services.api_key_store.create(record)
    return {**shape(record, caller), "key": key}


def revoke_api_key(services: Services, caller: ApiKey, key_id: str, body: object) -> dict[str, Any]:
    """Revoke a key of the caller's tenant; the caller's own only where the body says `itself`."""
    _check_admin(services, caller)
    record = own(caller.tenant, key_id, KEY_ID, services.api_key_store.key, _unknown)
    if key_id == caller.key_id and not _itself(body):
        message = f'This is the key that you ask with. Send {{"{ITSELF}": true}} to revoke it all the same.'
        raise ApiError(HTTPStatus.CONFLICT, message, param=ITSELF, code="revokes_itself")
    if record.revoked_at is None:
        services.api_key_store.revoke(key_id, services.now())
    return shape(services.api_key_store.key(key_id), caller)


def _check_admin(services: Services, caller: ApiKey) -> None:
    """Raise ApiError 403 unless the key may change keys; its record is read anew, for it may have been revoked just now."""
    try:
        record = services.api_key_store.key(caller.key_id)
    except NotFound:
        record = None
    if record is None or not record.admin or record.revoked_at is not None:
        message = (
            "This key may not make or revoke keys. Whoever runs this service makes one that may: make key … ADMIN=1."
        )
        raise ApiError(HTTPStatus.FORBIDDEN, message, code="admin_key_required")


def _name(body: object) -> str:
    name = _member(body, NAME, "")
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        message = f"'name' must be a string of at most {LONGEST_NAME} characters that can be printed."
        raise invalid_request(BatchError("invalid_value", message, NAME))
    return name


def _itself(body: object) -> bool:
    itself = _member(body, ITSELF, default=False)
    if not isinstance(itself, bool):
        raise invalid_request(BatchError("invalid_type", f"'{ITSELF}' must be true or false.", ITSELF))
    return itself


def _member(body: object, name: str, default: object) -> object:
    """Return the one member that a body may have; raises ApiError 400 for another one."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object, or be left out."))
    for other in body.keys() - {name}:
        raise invalid_request(BatchError("unknown_parameter", f"Unknown parameter: '{other[:64]}'.", other[:64]))
    return body.get(name, default)


def _unknown(key_id: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, f"No such API key: {key_id[:64]}", param="id")
