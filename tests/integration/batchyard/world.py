"""What the tests of the services hold in their hands: a clock, a provider of memory, and the state machine played by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import boto3

from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.shard import Step
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit

if TYPE_CHECKING:
    from batchyard.services import Services
    from tests.fakes.endings import EndingsProvider
    from tests.integration.batchyard.roles import Roles

BUCKET, TABLE, BUS, SECRET, REGION = "yard-data", "yard-table", "yard-bus", "yard-secret", "us-east-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:batch"
MOST_STEPS: Final = 400


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    services: Services
    provider: EndingsProvider
    clock: Clock
    roles: Roles
    invoked: list[Any] = field(default_factory=list)  # the payloads of functions that were called and not waited for

    def __post_init__(self) -> None:
        assert boto3.DEFAULT_SESSION is not None
        boto3.DEFAULT_SESSION.events.register("before-call.lambda.Invoke", self._invoke)
        self.provider.key = Secret(self.services.settings.provider_secret_id)

    def _invoke(self, params: Any, **_: Any) -> Any:
        """Stand where Lambda stands, which takes an asynchronous invocation in."""
        self.invoked.append(json.loads(params["body"]))
        return SimpleNamespace(status_code=HTTPStatus.ACCEPTED, headers={}), {"StatusCode": HTTPStatus.ACCEPTED}

    def drop(self, data: bytes, key: str = "inbox/default/in.jsonl", **metadata: str) -> str:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=metadata)
        batch_id = intake(self.services, BUCKET, key)
        assert batch_id is not None
        return batch_id

    def run(self, batch_id: str) -> str:
        """Play the state machine to its end and answer the last `next`."""
        planned = plan(self.services, batch_id)
        following = planned.next
        if following == "assemble":
            return assemble(self.services, batch_id)
        while following == "run":
            for each in json.loads(self.read(planned.shards["key"])):
                self.run_shard(Step(batch_id, each["shard"]))
            following = assemble(self.services, batch_id)
        return following

    def run_until_submitted(self, batch_id: str) -> None:
        """Play the state machine up to where every shard has its provider batch."""
        for each in json.loads(self.read(plan(self.services, batch_id).shards["key"])):
            assert submit(self.services, Step(batch_id, each["shard"])).next == "poll"

    def run_shard(self, step: Step) -> None:
        for _ in range(MOST_STEPS):
            if step.next in {"done", "continue"}:
                return
            self.clock.now += step.wait_seconds
            step = self.step(step)
        raise AssertionError(f"{step} after {MOST_STEPS} steps")

    def step(self, step: Step) -> Step:
        doors = {"submit": submit, "poll": poll, "collect": collect}
        return doors[step.next](self.services, step)

    def read(self, key: str) -> bytes:
        return boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def result(self, batch_id: str, name: str) -> bytes:
        return self.read(f"results/default/{batch_id}/{name}")

    def answered(self, batch_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.result(batch_id, name).splitlines()]
