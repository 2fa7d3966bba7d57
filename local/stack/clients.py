"""boto3 clients of the engine; no AWS setting of the user changes where they send requests."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.engine import CREDENTIALS, REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

# The engine runs on this machine. If it does not answer, it has ended, and ten tries would only delay the message.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 2})


class Clients:
    """Make clients of the engine at `endpoint_url`, with the key of its root user; each costs tens of milliseconds once."""

    def __init__(self, endpoint_url: str) -> None:
        #: The engine's address.
        self.endpoint_url = endpoint_url
        self._session = boto3.Session(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key, region_name=REGION)
        self._others = dict[str, Any]()

    @cached_property
    def s3(self) -> "S3Client":
        """A client of S3."""
        return self._session.client("s3", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def stepfunctions(self) -> "SFNClient":
        """A client of Step Functions."""
        return self._session.client("stepfunctions", endpoint_url=self.endpoint_url, config=_CONFIG)

    def table(self, name: str) -> "Table":
        """Return a DynamoDB table."""
        return self._dynamodb.Table(name)

    @cached_property
    def _dynamodb(self) -> "DynamoDBServiceResource":
        return self._session.resource("dynamodb", endpoint_url=self.endpoint_url, config=_CONFIG)

    def other(self, service: str, seconds: float | None = None) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time, and these have no stubs here
        """Return a client of any other service; its calls are made once if each may take so many `seconds`."""
        if seconds is not None:
            return self._made(service, Config(read_timeout=seconds, retries={"total_max_attempts": 1}))
        if service not in self._others:
            self._others[service] = self._made(service, _CONFIG)
        return self._others[service]

    def _made(self, service: str, config: Config) -> Any:  # noqa: ANN401 - as above
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]  # not a literal
