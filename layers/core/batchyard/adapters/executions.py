"""The state machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """Start one execution a batch."""

    def __init__(self, state_machine_arn: str, stepfunctions: SFNClient | None = None) -> None:
        """Use this state machine."""
        self._arn = state_machine_arn
        self._stepfunctions: SFNClient = stepfunctions or client("stepfunctions")

    def start(self, batch_id: str) -> bool:
        """Start the execution named after the batch; False when there was one already."""
        with translated(f"starting {batch_id}"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn, name=batch_id, input=json.dumps({"batch_id": batch_id})
                )
            except self._stepfunctions.exceptions.ExecutionAlreadyExists:
                return False
        return True
