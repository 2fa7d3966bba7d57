"""The state machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from batchyard.domain.webhook_delivery import DeliveryRequest

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """Start executions of a batch, one after the other, and look at them."""

    def __init__(self, state_machine_arn: str, stepfunctions: SFNClient | None = None) -> None:
        """Use this state machine."""
        self._arn = state_machine_arn
        self._stepfunctions: SFNClient = stepfunctions or client("stepfunctions")

    def start(self, batch_id: str, restarts: int = 0) -> bool:
        """Start the execution a batch has after so many restarts; False when there was one already."""
        with translated(f"starting {batch_id}"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn,
                    name=execution_name(batch_id, restarts),
                    input=json.dumps({"batch_id": batch_id}),
                )
            except self._stepfunctions.exceptions.ExecutionAlreadyExists:
                return False
        return True

    def status(self, batch_id: str, restarts: int) -> str | None:
        """Tell how the batch's execution stands, in Step Functions' own word; None when it was never started."""
        arn = f"{self._arn.replace(':stateMachine:', ':execution:')}:{execution_name(batch_id, restarts)}"
        with translated(f"looking at {batch_id}"):
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


def execution_name(batch_id: str, restarts: int) -> str:
    """Name an execution: the first one after its batch, as a name cannot be used again for 90 days."""
    return f"{batch_id}-{restarts + 1}" if restarts else batch_id


class WebhookExecutions:
    """Start the one execution that a delivery has."""

    def __init__(self, state_machine_arn: str, stepfunctions: SFNClient | None = None) -> None:
        """Use this state machine."""
        self._arn = state_machine_arn
        self._stepfunctions: SFNClient = stepfunctions or client("stepfunctions")

    def start(self, order: DeliveryRequest) -> bool:
        """Start a delivery; again while it runs, it is the same execution, and False once that has ended."""
        with translated(f"starting {order.name}"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn, name=order.name, input=msgspec.json.encode(order).decode()
                )
            except self._stepfunctions.exceptions.ExecutionAlreadyExists:
                return False
        return True
