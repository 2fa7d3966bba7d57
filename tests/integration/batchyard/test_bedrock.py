"""Jobs of Amazon Bedrock on S3 and DynamoDB, with the functions' policies and that of the role with which Bedrock comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
import requests
from botocore.exceptions import ClientError

from batch_client import BedrockDialect, Dialect
from batchyard.adapters.aws import RoleSigner
from batchyard.adapters.bucket import Bucket
from batchyard.domain.errors import StaleRecord
from batchyard.domain.job import ATTEMPT_LABEL
from batchyard.domain.object_keys import provider_filename
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.providers.objects import BucketFolder
from batchyard.recovery.advance import advance_named
from batchyard.recovery.sweep import sweep
from batchyard.services import Services
from batchyard.shards.cancel import cancel
from batchyard.shards.submit import submit
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl
from tests.fakes.moto import SETTINGS, MotoBacking
from tests.fakes.world import AnyWorld, Clock
from tests.integration.batchyard.bedrock_service import BASE, CREATE, NAMED_ROLE, ROLE, WHERE, BedrockService
from tests.integration.batchyard.roles import Roles, needed_by
from tests.integration.batchyard.test_permissions import left_begun
from tests.unit.batch_client.fake_service import answer, client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOVA, CLAUDE = "amazon.nova-lite-v1:0", "anthropic.claude-3-5-haiku-20241022-v1:0"
ENOUGH = 100
PREFIX = "providers/bedrock.us-east-1.amazonaws.com/"


class BedrockWorld(AnyWorld[BedrockDialect]):
    """A world of a stack at Bedrock."""

    service: BedrockService


class Backing(MotoBacking):
    """The real adapters, and the settings of such a stack."""

    settings = msgspec.structs.replace(SETTINGS, provider_base_url=BASE, provider_role_arn=ROLE)

    def services(self, provider: Dialect, clock: Callable[[], float], chance: Callable[[], float]) -> Services:
        return Services(self.settings, provider, clock, chance)


@pytest.fixture
def world(request: pytest.FixtureRequest, roles: Roles) -> Iterator[BedrockWorld]:
    assert boto3.DEFAULT_SESSION is not None
    service = BedrockService(roles)
    made = BedrockWorld(Backing(boto3.DEFAULT_SESSION), dialect_of(service, ROLE), Clock())
    made.service = service
    yield made
    assert needed_by(request.node) <= roles.used, f"uses.toml names this test for what it does not need: {roles.used}"


def dialect_of(service: BedrockService, role: str) -> BedrockDialect:
    client, _ = client_of(service, base_url=BASE, api_key=RoleSigner(), profile="bedrock")  # type: ignore[arg-type]
    return BedrockDialect(client, ATTEMPT_LABEL, BucketFolder(lambda: Bucket(BUCKET), PREFIX, role))


def line(at: int, model: str = NOVA, pad: str = "") -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": [{"text": f"hi{pad}"}]}]}
    return {"custom_id": f"{model}-{at}", "method": "POST", "url": f"/model/{model}/converse", "body": body}


def lines(nova: int = ENOUGH, claude: int = 0, pad: str = "") -> bytes:
    return jsonl([*(line(at, NOVA, pad) for at in range(nova)), *(line(at, CLAUDE, pad) for at in range(claude))])


def planned(world: BedrockWorld, data: bytes | None = None) -> Step:
    step = Step(world.drop(data or lines()), 0)
    plan(world.services, step.batch_id)
    return step


def left(prefix: str = "providers/") -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def test_a_job_and_lines_that_are_too_few_for_one_end_in_order_and_nothing_is_left(world: BedrockWorld) -> None:
    batch_id = world.drop(lines(ENOUGH, 20))
    assert world.run(batch_id) == "done"
    answered = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answered] == [
        *(f"{NOVA}-{at}" for at in range(ENOUGH)), *(f"{CLAUDE}-{at}" for at in range(20)),
    ]  # fmt: skip
    (job,) = world.service.jobs.values()
    assert (job["modelId"], job["modelInvocationType"], job["roleArn"]) == (NOVA, "Converse", ROLE)
    assert world.service.calls.count("POST /model/{id}/converse") == 20
    report = json.loads(world.result(batch_id, "report.json"))
    assert (report["lines_one_by_one"], report["usage"]["total_tokens"]) == (20, 7 * (ENOUGH + 20))
    assert report["answers"]["unmetered"] == 0
    assert left() == []


def test_a_role_that_a_provider_names_is_handed_over_if_the_stack_was_told_of_it(world: BedrockWorld) -> None:
    step = planned(world)
    world.services.account().client = dialect_of(world.service, NAMED_ROLE)
    assert world.step(step).next == "poll"
    assert [job["roleArn"] for job in world.service.jobs.values()] == [NAMED_ROLE]


def test_a_role_that_the_stack_was_not_told_of_is_not_handed_over(world: BedrockWorld, roles: Roles) -> None:
    step = planned(world)
    world.services.account().client = dialect_of(world.service, f"{NAMED_ROLE}-2")
    with pytest.raises(ClientError):
        world.step(step)
    (denied,) = roles.denied
    assert denied.startswith(f"submit may not iam:PassRole on {NAMED_ROLE}-2 ")
    roles.denied.clear()
    assert world.service.jobs == {}


def test_a_job_whose_create_was_lost_is_found_by_its_name(world: BedrockWorld) -> None:
    step = planned(world)
    world.service.lost[CREATE] = [requests.ConnectionError("the answer is lost")]
    step = world.step(step)
    assert step.next == "submit"
    while step.next == "submit":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    assert step.next == "poll"
    assert len(world.service.jobs) == 1
    assert "GET /model-invocation-jobs" in world.service.calls


def test_a_job_that_is_stopped_keeps_what_has_run_and_few_that_are_left_go_alone(world: BedrockWorld) -> None:
    world.service.endless = True
    step = planned(world)
    step = world.step(step)
    assert step.next == "poll"
    world.services.settings = msgspec.structs.replace(world.services.settings, deadline_action="resubmit")
    world.clock.now += 86_400
    while step.next == "poll":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    world.run_shard(step)
    assert len(world.service.jobs) == 1
    assert world.service.calls.count("POST /model/{id}/converse") == ENOUGH // 2
    assert left() == []


def test_an_input_that_is_too_large_for_bedrock_is_removed_and_a_half_goes_first(world: BedrockWorld) -> None:
    step = planned(world, lines(5 * ENOUGH // 2))
    no = answer({"message": "The input is too large."}, 413)
    world.service.refused[CREATE] = [no] * 4
    while step.next == "submit":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    assert step.next == "poll"
    (shard,) = world.services.batch_store.shards(step.batch_id)
    assert shard.attempts[-1].lines == pytest.approx(5 * ENOUGH // 4, abs=2)
    assert len(left()) == 1


def test_the_input_of_a_job_that_is_lost_is_removed(world: BedrockWorld) -> None:
    step = world.step(planned(world))
    world.clock.now += 2 * 86_400
    gone = answer({"message": "No such job."}, 404, {"x-amzn-errortype": "ResourceNotFoundException"})
    world.service.refused["GET /model-invocation-job/{id}"] = [gone] * 5
    while step.next == "poll":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    assert step.next == "submit"
    assert left() == []


def test_a_batch_is_cancelled_at_bedrock(world: BedrockWorld) -> None:
    world.service.endless = True
    step = planned(world)
    assert world.step(step).next == "poll"
    world.services.batch_store.move_batch(step.batch_id, "cancelling", world.services.now())
    assert cancel(world.services, step.batch_id) == 1
    (job,) = world.service.jobs.values()
    assert job["status"] == "Stopped"


def test_a_job_of_a_worker_that_was_overtaken_is_stopped(world: BedrockWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    step, known = planned(world), world.services.batch_store.save_shard

    def overtaken(before: Any, after: Any) -> Any:
        if after.attempts and after.attempts[-1].provider_batch_id:
            raise StaleRecord("another worker moved it")
        return known(before, after)

    monkeypatch.setattr(world.services.batch_store, "save_shard", overtaken)
    world.service.endless = True
    with pytest.raises(StaleRecord):
        submit(world.services, step)
    (job,) = world.service.jobs.values()
    assert job["status"] == "Stopped"


def test_an_input_that_cannot_be_written_whole_leaves_nothing_begun(world: BedrockWorld) -> None:
    step = planned(world, lines(pad="x" * 100_000))
    assert left_begun(world, lambda: world.step(step)) == []  # type: ignore[arg-type]


def test_the_event_of_a_job_has_its_shard_done_at_once_twice_and_without_it_polling_does(world: BedrockWorld) -> None:
    step = planned(world)
    event = {"detail": {"batchJobArn": "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/job000000000"}}
    assert advance_named(world.services, event) == {"next": "nothing"}, "it came before the job was recorded"
    assert world.step(step).next == "poll"
    assert advance_named(world.services, event)["next"] == "poll", "it came before the job had ended"
    assert advance_named(world.services, event)["next"] == "done"
    assert advance_named(world.services, event)["next"] == "done"
    assert len(world.answered(step.batch_id, "output.jsonl")) == ENOUGH
    assert len(world.service.jobs) == 1


def test_what_no_record_knows_is_stopped_and_removed(world: BedrockWorld) -> None:
    world.service.endless = True
    step = planned(world)
    assert world.step(step).next == "poll"
    (job,) = world.service.jobs.values()
    token = job["clientRequestToken"].replace("-2f0-2f1--", "-2f0-2f7--")  # of an attempt that there was not
    assert token != job["clientRequestToken"]
    world.service.jobs["job000000009"] = {**job, "jobArn": f"{WHERE}/job000000009", "clientRequestToken": token}
    stray = provider_filename(step.batch_id, 0, 7, 4, SETTINGS.stack)
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}{stray}", Body=b"{}")
    for _ in range(6):
        world.clock.now += 7 * 86_400
        sweep(world.services)
    assert [each["status"] for each in world.service.jobs.values()] == ["Submitted", "Stopped"]
    assert not [key for key in left() if stray in key]
