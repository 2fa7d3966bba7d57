"""The boto3 clients of the process, the errors that they raise, and the signatures of requests that are not boto3's."""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from batch_client import InvalidArgumentError
from batchyard.domain.errors import (
    BatchyardError,
    InputGone,
    KeyMissing,
    NotFound,
    StaleRecord,
    StoreError,
    UploadGone,
)

T = TypeVar("T")

CONFLICT_TRIES: Final = 8
CONFLICT_WAIT: Final = (0.02, 0.2)  # seconds
# Of a call that DynamoDB serves in part, as a partition has no more room this second: a quarter of a minute in all.
UNSERVED_TRIES: Final = 10
FIRST_UNSERVED_WAIT, LONGEST_UNSERVED_WAIT = 0.05, 2.0  # seconds
CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 6})
# A presigned URL names the region of the bucket only if the bucket is part of the host. botocore's default is the global
# address, which redirects and so breaks the signature (https://github.com/boto/boto3/issues/3015).
S3: Final = CONFIG.merge(Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))

_MEANINGS: Final[dict[str, type[BatchyardError]]] = {
    "404": NotFound,
    "NoSuchKey": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchUpload": UploadGone,
    "InvalidPart": UploadGone,
    "ResourceNotFoundException": NotFound,
    "PreconditionFailed": InputGone,
    "412": InputGone,
    "ConditionalCheckFailedException": StaleRecord,
    "TransactionCanceledException": StaleRecord,
}

# S3 answers this for a missing object if the caller may not list the bucket. From any other call it means a missing grant.
_HIDDEN: Final = frozenset({"403", "AccessDenied"})
_OF_THIS_MACHINE: Final = dict.fromkeys(("127.0.0.1", "localhost"), "us-east-1")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+){1,2}-[0-9]{1,2}")
_OF_OBJECTS: Final = frozenset({"GetObject", "HeadObject"})


@cache
def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time; each adapter names the type it wants
    """Return the process's one client of a service; several threads may use it at a time.

    A client costs tens of milliseconds to make, and each has connections of its own.
    """
    return boto3.client(service, config=S3 if service == "s3" else CONFIG)  # type: ignore[call-overload]  # the name is not a literal here


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the errors of boto3 into ours; `doing` says in the message what was being done."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise _meaning(error, code)(
            f"{doing}: AWS answered {code}: {error.response['Error'].get('Message', '')}"
        ) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreError(f"{doing}: {error}") from error


def _meaning(error: ClientError, code: str) -> type[BatchyardError]:
    """Return our class for an error; a transaction is stale only if a condition failed, and not if it was throttled."""
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    if reasons and "ConditionalCheckFailed" not in reasons:
        return StoreError
    if code in _HIDDEN and error.operation_name in _OF_OBJECTS:
        return NotFound
    return _MEANINGS.get(code, StoreError)


def through_conflicts(call: Callable[[], T]) -> T:
    """Repeat a DynamoDB write while it conflicts with another write under way; botocore does not repeat it."""
    for _ in range(CONFLICT_TRIES):
        try:
            return call()
        except ClientError as error:
            if not _is_conflict(error):
                raise
            time.sleep(random.uniform(*CONFLICT_WAIT))  # noqa: S311 - a wait is no secret
    return call()


def wait_for_room(tried: int) -> None:
    """Wait before the rest of a call is asked for, that was served in part; longer each time. Raises StoreError at last."""
    if tried >= UNSERVED_TRIES:
        raise StoreError("reading records: the table has had no room for some of them for seconds")
    longest = min(LONGEST_UNSERVED_WAIT, FIRST_UNSERVED_WAIT * 2**tried)
    time.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - a wait is no secret


def _is_conflict(error: ClientError) -> bool:
    if error.response["Error"]["Code"] == "TransactionConflictException":
        return True
    codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return "TransactionConflict" in codes and "ConditionalCheckFailed" not in codes


class RoleSigner:
    """Sign as AWS asks (Signature Version 4), with the credentials that boto3 finds; its session renews them."""

    def __init__(self, access_key: Callable[[], str | None] = lambda: None, region: str = "") -> None:
        """Sign with what `access_key` returns before each request, `ID:SECRET` or `ID:SECRET:TOKEN`, if it returns any.

        `region` holds where the address names none.
        """
        self._access_key, self._region = access_key, region

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session()

    def sign(
        self, service: str, method: str, url: str, headers: Mapping[str, str], body_sha256: str
    ) -> Mapping[str, str]:
        """Return the headers of the signature; raises KeyMissing where there are no credentials, StoreError where AWS fails."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - few stacks have such a provider
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
        from botocore.credentials import Credentials  # noqa: PLC0415 - as above

        with translated("signing a request to the provider"):
            key = self._access_key()
            credentials = Credentials(*key.split(":", 2)) if key else self._session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
        if frozen is None:
            raise KeyMissing.of_role()
        given = {**headers, "X-Amz-Content-SHA256": body_sha256}
        request = AWSRequest(method=method, url=url, headers=given)
        SigV4Auth(frozen, service, region_of(url, self._region)).add_auth(request)
        return {name: value for name, value in request.headers.items() if name not in headers}


def region_of(url: str, otherwise: str = "") -> str:
    """Return the region that the host of a provider on AWS names, as in `https://aws-external-anthropic.us-east-1.api.aws`.

    An emulator on this machine has another one. Raises InvalidArgumentError if there is none: an operator mends the address.
    """
    host = urlsplit(url).hostname or ""
    named = next(filter(_REGION.fullmatch, host.split(".")), None)
    if region := named or otherwise or _OF_THIS_MACHINE.get(host):
        return region
    raise InvalidArgumentError(
        f"The address {url[:100]} names no region of AWS: it must be https://service.region.api.aws"
    )
