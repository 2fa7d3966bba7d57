"""The state machine that delivers webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from batchyard.domain.webhook_delivery import Order


class WebhookExecutions:
    """Start the one execution that a delivery has."""

    def __init__(self, state_machine_arn: str, stepfunctions: SFNClient | None = None) -> None:
        """Use this state machine."""
        self._arn = state_machine_arn
        self._stepfunctions: SFNClient = stepfunctions or client("stepfunctions")

    def start(self, order: Order) -> bool:
        """Start a delivery; again while it runs, it is the same execution, and False once that has ended."""
        with translated(f"starting {order.name}"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn, name=order.name, input=msgspec.json.encode(order).decode()
                )
            except self._stepfunctions.exceptions.ExecutionAlreadyExists:
                return False
        return True
