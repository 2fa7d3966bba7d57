"""The state machines of batches and shards, run in process by moto's interpreter with scripted functions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

from tests.fakes.moto import REGION, empty_aws
from tests.unit.template.documents import INTEGRATIONS

DEFINITIONS = Path(__file__).resolve().parents[3] / "functions"
BUCKET = "data"
SHARDS_KEY = "work/batch_1/shards.json"
PATIENCE = 30.0  # seconds; an execution here takes well under one

Json = dict[str, Any]
Answer = Json | Exception
Answers = Answer | list[Answer] | Callable[[Json], Answer]


class HandlerError(Exception):
    """What a function raises: its class name is the error that the state machine sees."""


class ThrottledError(Exception):
    """Lambda itself refuses the call."""


@dataclass
class Functions:
    """Scripted functions: an answer, a list of answers to be given in turn (the last one for good), or a callable."""

    answers: dict[str, Answers]
    calls: list[tuple[str, Json]] = field(default_factory=list)

    def invoke(self, parameters: Mapping[str, Any], *_: object, **__: object) -> Json:
        name = parameters["FunctionName"].rsplit(":", 1)[-1]
        payload = json.loads(parameters["Payload"])
        self.calls.append((name, payload))
        answer = self._answer(name, payload)
        if isinstance(answer, ThrottledError):
            raise ClientError(_THROTTLE, "Invoke")  # type: ignore[arg-type]  # the stub wants what only boto fills in
        if isinstance(answer, Exception):
            error = {"errorType": type(answer).__name__, "errorMessage": str(answer)}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": error}
        return {"StatusCode": 200, "Payload": answer}

    def _answer(self, name: str, payload: Json) -> Answer:
        script = self.answers[name]
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script(payload) if callable(script) else script

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def payloads(self, function: str) -> list[Json]:
        return [payload for name, payload in self.calls if name == function]


_THROTTLE = {
    "Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."},
    "ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "request"},
}


@dataclass
class RunningStack:
    """One state machine with its scripted functions, and how long it waited and was held back, in seconds."""

    functions: Functions
    waits: list[float]
    backoffs: list[float]
    machine: str
    shard_machine: str = ""

    def has_shards(self, count: int, **planned: Any) -> None:
        """Have Plan answer that the batch has so many shards."""
        listed = json.dumps([{"shard": number} for number in range(count)]).encode()
        boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key=SHARDS_KEY, Body=listed)
        known = self.functions.answers["PlanFunction"]
        assert isinstance(known, dict)
        self.functions.answers["PlanFunction"] = {**known, "last_shard": count - 1, **planned}

    def shard_executions(self) -> dict[str, str]:
        """Return the status of each execution of the machine of shards, by its name."""
        client = boto3.client("stepfunctions", REGION)
        listed = client.list_executions(stateMachineArn=self.shard_machine)["executions"]
        return {each["name"]: each["status"] for each in listed}

    def run(self, batch_id: str = "batch_1", given: Json | None = None) -> Json:
        """Run a batch, or what is given, to its end and return the execution's description."""
        client = boto3.client("stepfunctions", REGION)
        execution = client.start_execution(
            stateMachineArn=self.machine, name=batch_id, input=json.dumps(given or {"batch_id": batch_id})
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            described = client.describe_execution(executionArn=execution["executionArn"])
            if described["status"] != "RUNNING":
                return dict(described)
            time.sleep(0.01)
        pytest.fail(f"the execution still runs after {PATIENCE} s; calls so far: {self.functions.names()}")


def step(**changes: object) -> Callable[[Json], Answer]:
    """Answer as a step does: what came in, with some of it changed."""
    return lambda payload: {**payload, **changes}


PLANNED: Json = {
    "batch_id": "batch_1",
    "next": "run",
    "max_concurrency": 2,
    "last_shard": 2,
    "shards": {"bucket": BUCKET, "key": SHARDS_KEY},
}


def smooth() -> dict[str, Answers]:
    """Return the answers of a batch that goes well."""
    return {
        "PlanFunction": PLANNED,
        "SubmitFunction": step(next="poll", wait_seconds=30),
        "PollFunction": step(next="collect", wait_seconds=0),
        "CollectFunction": step(next="done", wait_seconds=0),
        "AssembleFunction": {"batch_id": "batch_1", "next": "done"},
        "FailFunction": lambda payload: {"batch_id": payload["batch_id"], "next": "done"},
    }


# The states of both Maps are the same, which tests/unit/template holds; so only what is different outside needs both.
through_both_maps = pytest.mark.parametrize("stack", ["run", "run_distributed"], indirect=True)


@pytest.fixture
def stack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    """Make both state machines; Plan chooses the inline Map, or the Map that a test wants."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    functions, waits, backoffs = Functions(smooth()), list[float](), list[float]()
    # the one place where moto hands a task's call to its Lambda, which would want Docker
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", functions.invoke)
    # moto waits in real time; these are all its waiting, but for the looks at a nested execution
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=backoffs.append))
    monkeypatch.setattr(WaitFunction, "_wait_interval", lambda _self, env, wait_seconds: waits.append(wait_seconds))  # noqa: ARG005 - moto passes them by name
    monkeypatch.setattr(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.02)
    _let_nested_executions_start(monkeypatch)
    with empty_aws(machines_run=True):
        boto3.client("s3", REGION).create_bucket(Bucket=BUCKET)
        shard_machine = _create_machine("shard", {})
        machine = _create_machine("batch", {"ShardStateMachine": shard_machine})
        made = RunningStack(functions, waits, backoffs, machine, shard_machine)
        made.has_shards(3, next=getattr(request, "param", "run"))
        yield made


def _let_nested_executions_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have moto call its own API by boto3's names and read the answers by Step Functions' own, of which it mixes the case."""
    evaluate = StateTaskServiceSfn._eval_service_task  # noqa: SLF001 - moto offers no public way in

    def with_names_of_boto3(
        self: StateTaskServiceSfn,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: Json,
        **more: Any,
    ) -> None:
        parameters = {name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()}
        evaluate(self, env, resource_runtime_part, parameters, **more)

    def with_names_of_step_functions(_self: object, response: Json, *_: object, **__: object) -> None:
        for name in list(response):
            response[name[0].upper() + name[1:]] = response.pop(name)

    monkeypatch.setattr(StateTaskServiceSfn, "_eval_service_task", with_names_of_boto3)
    monkeypatch.setattr(StateTaskServiceSfn, "_normalise_response", with_names_of_step_functions)


def _create_machine(name: str, machines: Mapping[str, str]) -> str:
    text = (DEFINITIONS / f"{name}.asl.json").read_text(encoding="utf-8")
    functions = {each: f"arn:aws:lambda:{REGION}:123456789012:function:{each}" for each in smooth()}
    for each, arn in (functions | dict(machines) | INTEGRATIONS).items():
        text = text.replace(f"${{{each}}}", arn)
    # moto's grammar knows this percentage only with a decimal point; AWS takes both
    text = text.replace('"ToleratedFailurePercentage": 100', '"ToleratedFailurePercentage": 100.0')
    client = boto3.client("stepfunctions", REGION)
    role = "arn:aws:iam::123456789012:role/machine"
    return client.create_state_machine(name=name, definition=text, roleArn=role)["stateMachineArn"]
