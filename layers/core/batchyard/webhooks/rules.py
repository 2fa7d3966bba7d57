"""The bodies of requests about webhook endpoints: read, or refused."""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, invalid_request, missing_parameter
from batchyard.domain.webhook_endpoint import EVENT_TYPES, wrong_url

LONGEST_NAME: Final = 256


class Wanted(msgspec.Struct, frozen=True):
    """The members that a caller names of an endpoint; None if the caller does not name one."""

    name: str | None = None
    url: str | None = None
    event_types: list[str] | None = None

    def members(self) -> dict[str, Any]:
        """Return the members that the caller named."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


def check(body: object, *, whole: bool, private: bool) -> Wanted:
    """Read the members that a caller names, and demand all of them if `whole`; raises ApiError 400.

    With `private`, a URL may be plain http and lead anywhere.
    """
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    given = {name: body[name] for name in ("name", "url", "event_types") if body.get(name) is not None}
    missing = next((name for name in ("event_types", "name", "url") if whole and name not in given), None)
    if missing is not None:
        raise missing_parameter(missing)
    wrong = _wrong_name(given.get("name", "x")) or _wrong_types(given.get("event_types", [EVENT_TYPES[0]]))
    if "url" in given:
        wrong = wrong or wrong_url(given["url"], private=private)
    if wrong is not None:
        raise invalid_request(wrong)
    if "event_types" in given:
        given["event_types"] = list(dict.fromkeys(given["event_types"]))
    return Wanted(**given)


def check_event_type(body: object) -> str:
    """Read the `event_type` of a test; raises ApiError 400."""
    given = body.get("event_type") if isinstance(body, dict) else None
    if given is None:
        raise missing_parameter("event_type")
    wrong = _wrong_types([given])
    if wrong is not None:
        raise invalid_request(msgspec.structs.replace(wrong, param="event_type"))
    return str(given)


def check_keeping(body: object) -> bool:
    """Read whether a rotation keeps the old secret for a day, False if absent; raises ApiError 400."""
    given = body.get("keep_old_secret_active_for_24_hours", False) if isinstance(body, dict) else None
    if not isinstance(given, bool):
        name = "keep_old_secret_active_for_24_hours"
        raise invalid_request(
            BatchError("invalid_type", f"The body must be an object in which '{name}' is a boolean.", name)
        )
    return given


def unknown(endpoint_id: str) -> ApiError:
    """Make the error of an endpoint that the tenant does not have."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No webhook endpoint found with id '{endpoint_id[:64]}'.")


def _wrong_name(name: object) -> BatchError | None:
    if not isinstance(name, str):
        return BatchError("invalid_type", "'name' must be a string.", "name")
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        return BatchError("invalid_value", f"'name' must be 1 to {LONGEST_NAME} printable characters.", "name")
    return None


def _wrong_types(types: object) -> BatchError | None:
    if not isinstance(types, list) or not types or not all(isinstance(each, str) for each in types):
        return BatchError("invalid_type", "'event_types' must be a list of event types, and not empty.", "event_types")
    strange = next((each for each in types if each not in EVENT_TYPES), None)
    if strange is None:
        return None
    known = ", ".join(f"'{each}'" for each in EVENT_TYPES)
    return BatchError(
        "invalid_value", f"Invalid value: '{strange[:64]}'. Supported values are: {known}.", "event_types"
    )
