"""Make boto3 clients and translate what they raise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from batchyard.errors import BatchyardError, InputGone, NotFound, StaleRecord, StoreError

CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 6})

_MEANINGS: Final[dict[str, type[BatchyardError]]] = {
    "404": NotFound,
    "403": NotFound,  # what S3 answers for a missing object to those who may not list
    "AccessDenied": NotFound,  # the same, with a body
    "NoSuchKey": NotFound,
    "NoSuchVersion": NotFound,
    "ResourceNotFoundException": NotFound,
    "PreconditionFailed": InputGone,
    "412": InputGone,
    "ConditionalCheckFailedException": StaleRecord,
    "TransactionCanceledException": StaleRecord,
}


def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time; each adapter names the type it wants
    """Make a client of this process's region and credentials."""
    return boto3.client(service, config=CONFIG)  # type: ignore[call-overload]  # the name is not a literal here


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into our errors, saying what was being done."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise _MEANINGS.get(code, StoreError)(
            f"{doing}: AWS answered {code}: {error.response['Error'].get('Message', '')}"
        ) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreError(f"{doing}: {error}") from error
