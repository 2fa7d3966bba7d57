"""What is started and not waited for: the executions of one state machine, and functions of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.aws import client, translated
from batchyard.domain import nesting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """Start executions by name, and look at them. A name can be used once in 90 days."""

    def __init__(self, state_machine_arn: str, stepfunctions: SFNClient | None = None) -> None:
        """Use this state machine."""
        self._arn = state_machine_arn
        self._stepfunctions: SFNClient = stepfunctions or client("stepfunctions")

    def start(self, name: str, payload: object) -> bool:
        """Start an execution with a payload, written as JSON; False where the name is that of one which has ended.

        An execution that runs with the same name and payload is left alone.
        """
        with translated(f"starting {name}"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn, name=name, input=msgspec.json.encode(payload).decode()
                )
            except self._stepfunctions.exceptions.ExecutionAlreadyExists:
                return False
        return True

    def status(self, name: str) -> str | None:
        """Return the status of an execution, in Step Functions' own word; None where no execution has this name."""
        arn = f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"
        with translated(f"looking at {name}"):
            try:
                return self._stepfunctions.describe_execution(executionArn=arn)["status"]
            except self._stepfunctions.exceptions.ExecutionDoesNotExist:
                return None

    def list_running(self) -> frozenset[str]:
        """Name the executions that run, 1,000 a call; one that has just begun or ended may be told wrongly."""
        with translated("listing executions"):
            listing = self._stepfunctions.get_paginator("list_executions").paginate(
                stateMachineArn=self._arn, statusFilter="RUNNING", PaginationConfig={"PageSize": 1_000}
            )
            return frozenset(each["name"] for page in listing for each in page["executions"])


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
