"""The executions of one state machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
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
