"""boto3 clients of the engine; no AWS setting of the user changes where they send requests."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.engine import CREDENTIALS, REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

# The engine runs on this machine. If it does not answer, it has ended, and ten tries would only delay the message.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 2})


class Clients:
    """Make clients of the engine at `endpoint_url`, with the key of its root user."""

    def __init__(self, endpoint_url: str) -> None:
        #: The engine's address.
        self.endpoint_url = endpoint_url
        self._session = boto3.Session(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key, region_name=REGION)

    @property
    def s3(self) -> "S3Client":
        """Return a client of S3."""
        return self._session.client("s3", endpoint_url=self.endpoint_url, config=_CONFIG)

    @property
    def stepfunctions(self) -> "SFNClient":
        """Return a client of Step Functions."""
        return self._session.client("stepfunctions", endpoint_url=self.endpoint_url, config=_CONFIG)

    def table(self, name: str) -> "Table":
        """Return a DynamoDB table."""
        return self._session.resource("dynamodb", endpoint_url=self.endpoint_url, config=_CONFIG).Table(name)

    def other(self, service: str, seconds: float | None = None) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time, and these have no stubs here
        """Return a client of any other service; its calls are made once if each may take so many `seconds`."""
        config = _CONFIG if seconds is None else Config(read_timeout=seconds, retries={"total_max_attempts": 1})
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]  # not a literal
