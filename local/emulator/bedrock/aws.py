"""The S3 and the event bus that the emulator uses as Bedrock does, at an address that it was told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_CHUNK: Final = 256 * 1024
#: The account and the access key of the engine of the local stack.
ACCOUNT, REGION, KEY = "000000000000", "us-east-1", "test"


class NoAccessError(Exception):
    """An object that cannot be read or written, or no address to do so."""


class Aws:
    """Objects and events at one endpoint; threads may share it."""

    def __init__(self, endpoint_url: str = "") -> None:
        #: Where S3 and EventBridge are; empty if nobody has told yet.
        self.endpoint_url = endpoint_url
        self._lock = threading.Lock()

    def read_to(self, address: str, path: Path) -> None:
        """Write the bytes of an object into a file; raise NoAccessError if it cannot be read."""
        bucket, key = _parts(address)
        with _translated(address), path.open("wb") as file:
            for chunk in self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK):
                file.write(chunk)

    def write(self, address: str, content: Path | bytes) -> None:
        """Write an object; raise NoAccessError if it cannot be written."""
        bucket, key = _parts(address)
        with _translated(address):
            if isinstance(content, bytes):
                self._client("s3").put_object(Bucket=bucket, Key=key, Body=content)
                return
            with content.open("rb") as file:
                self._client("s3").put_object(Bucket=bucket, Key=key, Body=file)

    def tell(self, kind: str, detail: str, resource: str) -> None:
        """Send an event of Bedrock to the default bus; one that does not arrive is lost, as from AWS."""
        entry = {"Source": "aws.bedrock", "DetailType": kind, "Detail": detail, "Resources": [resource]}
        self._client("events").put_events(Entries=[entry])

    def _client(self, service: str) -> Any:  # noqa: ANN401 - boto3's own
        if not self.endpoint_url:
            raise NoAccessError("the emulator was told no address of S3: start it with --aws")
        with self._lock:
            return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        """Make the clients when they are first needed: boto3 takes long to import."""
        import boto3  # noqa: PLC0415 - as said
        from botocore.config import Config  # noqa: PLC0415 - as said

        config = Config(
            s3={"addressing_style": "path"}, request_checksum_calculation="when_required", connect_timeout=5, read_timeout=60,
            response_checksum_validation="when_required", retries={"total_max_attempts": 3, "mode": "standard"},
        )  # fmt: skip
        where: Any = {
            "endpoint_url": self.endpoint_url, "region_name": REGION, "aws_access_key_id": KEY, "aws_secret_access_key": KEY,
            "config": config,
        }  # fmt: skip
        return {name: boto3.client(name, **where) for name in ("s3", "events")}


@contextmanager
def _translated(address: str) -> Iterator[None]:
    """Raise NoAccessError in place of an error of boto3, which takes long to import."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as said

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise NoAccessError(f"{address[:200]}: {error}") from error


def _parts(address: str) -> tuple[str, str]:
    place = urlsplit(address)
    if place.scheme != "s3" or not place.netloc or not place.path.strip("/"):
        raise NoAccessError(f"{address[:200]} is no address of an object of S3")
    return place.netloc, place.path.removeprefix("/")
