"""Functions of ours that are invoked asynchronously."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchyard.adapters.aws import client, translated
from batchyard.domain import nesting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient


class LambdaFunction:
    """Invoke one function asynchronously."""

    def __init__(self, function: str, lambda_client: LambdaClient | None = None) -> None:
        """Use this function, by name or ARN."""
        self._function = function
        self._lambda: LambdaClient = lambda_client or client("lambda")

    def invoke(self, payload: Mapping[str, object]) -> None:
        """Queue an invocation; Lambda repeats an invocation that fails."""
        with translated(f"invoking {self._function}"):
            self._lambda.invoke(
                FunctionName=self._function, InvocationType="Event", Payload=nesting.encode(payload).encode()
            )
