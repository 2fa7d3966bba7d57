"""The body of `POST /batches`: read, or refused as OpenAI would, with OpenAI's codes."""

from collections.abc import Collection, Set
from typing import Any, Final

import msgspec

from batchyard.domain.batch import ANY_ENDPOINT, BatchError
from batchyard.domain.errors import invalid_request, missing_parameter
from batchyard.domain.stored_file import LONGEST_LIFE, SHORTEST_LIFE
from batchyard.lines import model_urls
from batchyard.lines.line import ENDPOINTS
from batchyard.planning import options
from batchyard.providers.windows import Windows, wrong_window

EXPIRY_MEMBERS: Final = {"anchor", "seconds"}
FILE, PREFIX = "input_file_id", "input_prefix"  # one of them names the input
NO_INPUT: Final = f" Name a file, or a gather folder in '{PREFIX}' in its place."
# An operation stands for lines of any model that have the model in their url.
KNOWN: Final = ENDPOINTS.union(model_urls.OPERATIONS.values(), {ANY_ENDPOINT})
MEMBERS: Final = ("endpoint", "completion_window")


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A body that was checked."""

    input_file_id: str
    #: The gather folder whose new files are the input; None if a file is.
    input_prefix: str | None
    #: The url that every line must have; None when the lines decide.
    endpoint: str | None
    completion_window: str
    metadata: dict[str, str] | None
    output_expires_after: dict[str, Any] | None
    #: Our own options that the body names, by member of `Batch`.
    options: dict[str, Any]
    #: The whole body, in which the names of our options have underscores.
    body: dict[str, Any]

    def members(self) -> dict[str, Any]:
        """Return the members of the batch that follow from the request alone."""
        names = ("endpoint", "metadata", "output_expires_after")
        file = {} if self.input_prefix is not None else {"input_file_id": self.input_file_id}
        return {**{name: getattr(self, name) for name in names}, **file, **self.options}


def check(
    body: object, windows: Collection[Windows], providers: Collection[str] = (), endpoints: Set[str] = frozenset()
) -> BatchRequest:
    """Read a body if OpenAI would take it, and its options can be followed; raises ApiError 400 for any other.

    `windows` are those of the providers, and `endpoints` what these take beside OpenAI's.
    """
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    gathers = body.get(PREFIX) is not None
    for name in (PREFIX if gathers else FILE, *MEMBERS):
        if body.get(name) is None:
            raise missing_parameter(name, NO_INPUT if name == FILE else "")
        if not isinstance(body[name], str):
            raise invalid_request(BatchError("invalid_type", f"'{name}' must be a string.", name))
    if gathers and body.get(FILE) is not None:
        message = f"'{FILE}' and '{PREFIX}' name one input each. Name one of them."
        raise invalid_request(BatchError("invalid_value", message, PREFIX))
    wrong = _wrong_endpoint(body, KNOWN | endpoints) or wrong_window(windows, body["completion_window"])
    wrong = wrong or _wrong_metadata(body) or _wrong_expiry(body)
    spelled = options.spelled(body)
    named = options.of_body(spelled)
    wrong = wrong or options.misspelled(body) or options.twice(body) or options.wrong(named, providers)
    if wrong is not None:
        raise invalid_request(wrong)
    names = (PREFIX, *MEMBERS, "metadata", "output_expires_after")
    given: dict[str, Any] = {FILE: spelled.get(FILE) or "", **{name: spelled.get(name) for name in names}}
    if given["endpoint"] == ANY_ENDPOINT:
        given["endpoint"] = None
    return BatchRequest(**given, options=named, body=spelled)


def _wrong_endpoint(body: dict[str, Any], endpoints: Set[str]) -> BatchError | None:
    asked = body["endpoint"]
    if asked in endpoints or model_urls.operation_of(asked) in endpoints:
        return None
    known = ", ".join(f"'{endpoint}'" for endpoint in sorted(endpoints))
    return BatchError("invalid_value", f"Invalid value: '{asked[:64]}'. Supported values are: {known}.", "endpoint")


def _wrong_metadata(body: dict[str, Any]) -> BatchError | None:
    metadata = body.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        return BatchError("invalid_type", "'metadata' must be an object of strings.", "metadata")
    return options.check_metadata(metadata)


def _wrong_expiry(body: dict[str, Any]) -> BatchError | None:
    expiry = body.get("output_expires_after")
    if expiry is None:
        return None
    seconds = expiry.get("seconds") if isinstance(expiry, dict) else None
    in_range = isinstance(seconds, int) and not isinstance(seconds, bool) and SHORTEST_LIFE <= seconds <= LONGEST_LIFE
    if in_range and set(expiry) == EXPIRY_MEMBERS and expiry["anchor"] == "created_at":
        return None
    message = f"'output_expires_after' needs anchor 'created_at' and seconds from {SHORTEST_LIFE} to {LONGEST_LIFE}."
    return BatchError("invalid_value", message, "output_expires_after")
