"""The state machine of functions/webhook.asl.json, executed: what is repeated, when, and what is recorded at the end."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

from tests.fakes.moto import REGION, empty_aws
from tests.integration.state_machine.conftest import Answers, Functions, HandlerError, RunningStack
from tests.unit.template.documents import INTEGRATIONS
from tests.unit.template.test_webhook_state_machine import delivery_retry, waits

ROOT = Path(__file__).resolve().parents[3]
ORDER = json.loads((ROOT / "events/deliver.attempt.json").read_text(encoding="utf-8"))


class DeliveryFailed(HandlerError):  # noqa: N818 - Step Functions sees the class's own name
    """What the function raises when the endpoint did not take the event."""


class StoreError(HandlerError):
    """What the function raises when the table could not be reached."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], RunningStack]]:
    """Make a state machine whose one function answers so."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    functions, backoffs = Functions({}), list[float]()
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", functions.invoke)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=backoffs.append))
    with empty_aws(machines_run=True):

        def make(answers: Answers) -> RunningStack:
            functions.answers["DeliverFunction"] = answers
            return RunningStack(functions, [], backoffs, _create())

        yield make


def _create() -> str:
    text = (ROOT / "functions/webhook.asl.json").read_text(encoding="utf-8")
    text = text.replace("${LambdaInvoke}", INTEGRATIONS["LambdaInvoke"])
    text = text.replace("${DeliverFunction}", f"arn:aws:lambda:{REGION}:123456789012:function:DeliverFunction")
    role = "arn:aws:iam::123456789012:role/machine"
    client = boto3.client("stepfunctions", REGION)
    return client.create_state_machine(name="webhooks", definition=text, roleArn=role)["stateMachineArn"]


def ended(machine: RunningStack) -> dict[str, Any]:
    return machine.run("delivery", ORDER)


def test_an_event_that_is_taken_is_delivered_by_one_call(told: Callable[[Answers], RunningStack]) -> None:
    machine = told({"state": "delivered"})
    assert ended(machine)["status"] == "SUCCEEDED"
    assert machine.functions.payloads("DeliverFunction") == [ORDER]


def test_an_event_that_is_refused_is_sent_again_as_it_was(told: Callable[[Answers], RunningStack]) -> None:
    machine = told([DeliveryFailed("no"), StoreError("no"), DeliveryFailed("no"), {"state": "delivered"}])
    assert ended(machine)["status"] == "SUCCEEDED"
    assert machine.functions.payloads("DeliverFunction") == [ORDER] * 4


def test_after_72_hours_it_is_recorded_as_given_up_and_the_execution_fails(
    told: Callable[[Answers], RunningStack],
) -> None:
    machine = told(lambda payload: {"state": "failed"} if "error" in payload else DeliveryFailed("down"))
    described = ended(machine)
    assert (described["status"], described["error"]) == ("FAILED", "DeliveryFailed")
    assert machine.backoffs == waits(delivery_retry())
    *tries, last = machine.functions.payloads("DeliverFunction")
    assert tries == [ORDER] * 26
    assert last == {**ORDER, "error": last["error"]}
    assert last["error"]["Error"] == "DeliveryFailed"


def test_a_fault_of_ours_is_not_repeated_for_days(told: Callable[[Answers], RunningStack]) -> None:
    machine = told(lambda payload: {"state": "failed"} if "error" in payload else HandlerError("odd"))
    assert ended(machine)["status"] == "FAILED"
    assert len(machine.functions.calls) == 5
