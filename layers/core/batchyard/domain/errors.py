"""What can go wrong.

BatchyardError
├── ApiError            the HTTP API answers with an error, in OpenAI's envelope
├── SettingsError       the environment of a function is incomplete or of the wrong type
├── NotFound            a record or object that should be there is not
│   ├── InputGone       the input object was deleted or replaced while the batch needed it
│   ├── SecretMissing   a secret holds no value yet
│   └── UploadGone      a multipart upload to S3 cannot go on: it was completed or aborted
├── DiskFull            the answers of a provider batch do not fit the disk of the function
├── TooSlow             the answers of a provider batch take longer to store than a function may run
├── DeliveryFailed      a tenant's webhook endpoint did not take an event
├── InvalidSchedule     EventBridge Scheduler cannot read the expression of a schedule
├── StaleRecord         the record was changed since it was read; read it again
├── KeyMissing          no key of the provider is stored yet; batch_client's InvalidArgumentError, too
└── StoreError          AWS refused or failed a call for another reason
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final, Self

from batch_client import InvalidArgumentError
from batchyard.domain.batch import BatchError

_WORDS_OF_AWS: Final = r"(?s)(AWS answered \w+): .*"
_OF_AWS: Final = r"\barn:[\w-]+:\S*|\b\S+\.amazonaws\.\S+|\b\d{12}\b"
USUAL_KIND: Final = "invalid_request_error"
KINDS: Final = {HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error", HTTPStatus.PAYMENT_REQUIRED: "insufficient_quota"}
# OpenAI's clients repeat a 409 and a 429 by themselves; here the second answer would be the same.
HEADERS: Final[Mapping[HTTPStatus, Mapping[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.CONFLICT: {"x-should-retry": "false"},
    HTTPStatus.TOO_MANY_REQUESTS: {"x-should-retry": "false"},
}


class BatchyardError(Exception):
    """The root of every error this package raises."""


class ApiError(BatchyardError):
    """An answer of the HTTP API that is not 2xx, in OpenAI's envelope."""

    def __init__(self, status: HTTPStatus, message: str, *, code: str | None = None, param: str | None = None) -> None:
        """Keep the HTTP status and the envelope's members."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers: dict[str, str] = dict(HEADERS.get(status, {}))

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """Shape the body `{"error": {message, type, param, code}}`; characters that UTF-8 cannot carry are replaced."""
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
    """A multipart upload to S3 cannot go on: it was completed or aborted, or another writer sends its parts."""


class DiskFull(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """The answers of a provider batch do not fit the disk of the function."""


class TooSlow(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """The answers of a provider batch take longer to store than a function may run."""


class DeliveryFailed(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """A tenant's webhook endpoint did not take an event; the state machine sends the event again for three days."""


class InvalidSchedule(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """EventBridge Scheduler cannot read the expression of a schedule; the message has AWS's words."""


class StaleRecord(BatchyardError):  # noqa: N818 - names what was seen, as its kin do
    """The record was changed since it was read; read it again."""


class KeyMissing(BatchyardError, InvalidArgumentError):  # noqa: N818 - names what was seen, as its kin do
    """No key of the provider is stored yet, so nothing was sent; the message names the command that stores one."""

    @classmethod
    def of(cls, secret: str, provider: str | None = None) -> Self:
        """Tell that this secret holds no key of the only provider, or of this one of several."""
        whose = f"the provider {provider}" if provider else "the provider"
        command = key_command(secret, several=provider is not None)
        return cls(
            f"No API key of {whose} is stored yet. The operator stores one by: {command}. Then the batch goes on by itself."
        )

    @classmethod
    def of_role(cls) -> Self:
        """Tell that there is no role, or user, of AWS to sign with."""
        what = "There are no credentials of AWS to sign the provider's requests with."
        return cls(f"{what} The operator gives the function a role that has some. Then the batch goes on by itself.")

    @classmethod
    def of_unknown(cls, provider: str) -> Self:
        """Tell that the settings do not name a provider any more that a shard goes to."""
        what = f"Providers names no provider {provider} any more, which has shards of this batch."
        return cls(f"{what} The operator puts it back. Then the batch goes on by itself; cancel the batch to end it.")


class StoreError(BatchyardError):
    """AWS refused or failed a call; the message carries AWS's own code."""


def key_command(secret: str, *, several: bool) -> str:
    """Return the command by which an operator stores the key of the provider, or the keys of several."""
    return (
        f"make providers PROVIDERS=providers.json SECRET={secret}" if several else f"make provider-key SECRET={secret}"
    )


def meant(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known word that a misspelt one is most like, by difflib's ratio; None if none is that like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - a slip is rare, and each cold start would pay for the import

    return next(iter(get_close_matches(word, known, n=1, cutoff=likeness)), None)


def shown_to_tenants(text: str) -> str:
    """Take out of a text what only the operator is to see: AWS's own words, and names, addresses and accounts of AWS."""
    return re.sub(_OF_AWS, "…", re.sub(_WORDS_OF_AWS, r"\1; the log has its words", text))


def invalid_request(error: BatchError) -> ApiError:
    """Answer 400, with OpenAI's members."""
    return ApiError(HTTPStatus.BAD_REQUEST, error.message, code=error.code, param=error.param)


def missing_parameter(name: str, remedy: str = "") -> ApiError:
    """Answer 400 for a required member that is missing, in OpenAI's words; a `remedy` of ours stands behind them."""
    message = f"Missing required parameter: '{name}'.{remedy}"
    return invalid_request(BatchError("missing_required_parameter", message, name))
