"""What can go wrong in the services.

BatchyardError
├── ApiError            a caller of the front door is told so, in OpenAI's error envelope
├── SettingsError       the environment of a function is incomplete or of the wrong type
├── NotFound            a record or object that should be there is not
│   ├── InputGone       the input object was deleted or replaced while the batch needed it
│   ├── SecretMissing   a secret holds no value yet
│   └── UploadGone      an object that was begun can be written no further: it was completed or given up
├── DiskFull            the answers of a provider batch do not fit the function's own disk
├── TooSlow             the answers of a provider batch take longer to store than a function may run
├── DeliveryFailed      a tenant's webhook endpoint did not take an event
├── StaleRecord         somebody else moved the record first; read it again
├── KeyMissing          no key of the provider is stored yet; batch_client's InvalidArgumentError, too
└── StoreError          AWS refused or failed a call for another reason
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from batch_client import InvalidArgumentError
from batchyard.domain.batch import BatchError

USUAL_KIND: Final = "invalid_request_error"
KINDS: Final = {HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error"}
# OpenAI's own clients repeat a 409 and a 429 by themselves, which helps nobody here: what is ended stays so.
HEADERS: Final[Mapping[HTTPStatus, Mapping[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.CONFLICT: {"x-should-retry": "false"},
    HTTPStatus.TOO_MANY_REQUESTS: {"x-should-retry": "false"},
}


class BatchyardError(Exception):
    """The root of every error this package raises."""


class ApiError(BatchyardError):
    """An answer of the front door that is not 2xx, in OpenAI's envelope (contract of `POST /batches` and friends)."""

    def __init__(self, status: HTTPStatus, message: str, *, code: str | None = None, param: str | None = None) -> None:
        """Keep the HTTP status and the envelope's members."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers: dict[str, str] = dict(HEADERS.get(status, {}))

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """Shape the body `{"error": {message, type, param, code}}`; what is no text in UTF-8 is replaced."""
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else KINDS.get(self.status, USUAL_KIND)
        members = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": {name: text and text.encode("utf-8", "replace").decode() for name, text in members.items()}}


class SettingsError(BatchyardError):
    """The environment lacks a variable or holds one of the wrong type."""


class NotFound(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """A record or object that should be there is not."""


class InputGone(NotFound):
    """The input object was deleted or replaced while the batch needed it."""


class SecretMissing(NotFound):
    """A secret holds no value yet."""


class UploadGone(NotFound):
    """An object that was begun can be written no further: it was completed or given up, or others write its parts."""


class DiskFull(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """The answers of a provider batch do not fit the function's own disk."""


class TooSlow(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """The answers of a provider batch take longer to store than a function may run."""


class DeliveryFailed(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """A tenant's webhook endpoint did not take an event; the state machine tries again for three days."""


class StaleRecord(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """Somebody else moved the record first; read it again."""


class KeyMissing(BatchyardError, InvalidArgumentError):  # noqa: N818 - names what was seen, as its kin do
    """No key of the provider is stored yet, so nothing was sent; the message names the command that stores one."""


class StoreError(BatchyardError):
    """AWS refused or failed a call; the message carries AWS's own code."""


def refusal(error: BatchError) -> ApiError:
    """Turn what is wrong into a 400."""
    return ApiError(HTTPStatus.BAD_REQUEST, error.message, code=error.code, param=error.param)
