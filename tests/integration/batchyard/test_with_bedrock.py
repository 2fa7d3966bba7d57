"""Bedrock's two dialects between the real client and its emulator, judged by the emulator's books; AWS is in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch_client import BatchClient, RetryPolicy, speak
from batchyard.domain.job import ATTEMPT_LABEL
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.providers.objects import BucketFolder
from batchyard.results.assemble import assemble
from tests.fakes.objects import ROLE
from tests.fakes.s3_server import s3_server
from tests.faults.strikes import KINDS, Strike, some
from tests.integration.batchyard.spoken import Spoken, call, made, run, turn
from tests.integration.local.emulator.running import Emulator, chat_line, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World


IDS = [f"Kant, § {at}" for at in range(24)]
NOVA, GPT = "amazon.nova-lite-v1:0", "openai.gpt-oss-20b-1:0"
FEW: dict[str, Any] = {"least_records": 1}
PREFIX = "providers/bedrock/"
NO_ROOM = {"type": "ServiceQuotaExceededException", "message": "Sum of in-progress and submitted jobs: 10 at most."}


def converse_line(custom_id: str) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": [{"text": f"Say {custom_id}"}]}]}
    return {"custom_id": custom_id, "method": "POST", "url": f"/model/{NOVA}/converse", "body": body}


@dataclass(frozen=True)
class Api(Spoken):
    """One of the two APIs, and the calls of the emulator by what they do."""

    create: str = ""
    look: str = ""
    find: str = ""

    def world(self) -> World:
        """Make a world with one provider, which takes any number of lines in a batch."""
        world = super().world()
        account = world.services.account()
        facts = msgspec.structs.replace(account.profile.facts, least_lines=1)
        account.profile = msgspec.structs.replace(account.profile, facts=facts)
        return world

    def connect(self, world: World, emulator: Emulator) -> set[str]:
        assert emulator.s3 is not None
        emulator.s3.bucket = world.services.bucket  # type: ignore[assignment]  # of memory
        self.expose(world, emulator)
        world.clock.now = emulator.admin("/clock", {"seconds": 0})["now"]
        return made(emulator)

    def expose(self, world: World, emulator: Emulator, role: str = ROLE) -> None:
        """Have the services talk to the emulator, and both use the bucket of the services."""
        services = world.services
        client = BatchClient(
            emulator.api_key, emulator.url.removesuffix("/v1"), profile=self.profile,
            retry=RetryPolicy(floor=0.001, ceiling=0.002, max_retries=2),
        )  # fmt: skip
        objects = BucketFolder(lambda: services.bucket, PREFIX, role)
        services.account().client = speak(client, ATTEMPT_LABEL, objects)

    def text(self, body: dict[str, Any]) -> str:
        """Read the text of an answer."""
        message = body["choices"][0]["message"] if "choices" in body else body["output"]["message"]
        return str(message["content"] if isinstance(message["content"], str) else message["content"][0]["text"])


def api_of(profile: str, line: Callable[[str], dict[str, Any]], create: str, look: str, find: str) -> Api:
    return Api(profile, line, {"provider_profile": profile, "provider_role_arn": ROLE}, create, look, find)


JOBS = api_of(
    "bedrock-key", converse_line, "createModelInvocationJob", "getModelInvocationJob", "listModelInvocationJobs"
)
BATCHES = api_of(
    "bedrock-openai-key",
    lambda custom_id: chat_line(custom_id, model=GPT),
    "createBatch",
    "retrieveBatch",
    "listBatches",
)
APIS = [pytest.param(JOBS, id="jobs"), pytest.param(BATCHES, id="batches")]


def scenarios(api: Api) -> dict[str, dict[str, Any]]:
    return {
        "all is well": {},
        "a create lost after its effect": {"calls": [call(api.create, connection="reset", after_effect=True)]},
        "creates lost four times, two of them made": {"calls": [
            call(api.create, "1,3", status=502), call(api.create, "2,4", status=504, after_effect=True),
        ]},
        "a lost create that the list hides at first": {"calls": [
            call(api.create, connection="reset", after_effect=True), call(api.find, "1-2", hide_newest=1),
        ]},
        "no room for a while": {"calls": [call(api.create, "1-3", status=400, error=NO_ROOM)]},
        "a throttled create": {"calls": [call(api.create, "1-2", status=429)]},
        "no right for a while": {"calls": [call(api.create, "1-2", status=403)]},
        "a look that fails": {"calls": [call(api.look, "1-3", status=500)]},
        "a job that fails as a whole": {"batches": [{"batch": 1, "do": {"fail": "The model had a problem"}}]},
        "a job that ends with half of it": {"batches": [{"batch": 1, "do": {"expire_after": 0.5}}]},
        "lines that are throttled, missing, doubled or cut": {"batches": [{"batch": 1, "do": {"lines": [
            {"lines": "1-3", "do": {"status": 429}}, {"lines": "4", "do": {"status": 500, "missing": True}},
            {"lines": "5", "do": {"duplicate": True}}, {"lines": "6", "do": {"status": 500, "malformed": True}},
            {"lines": "7", "do": {"unknown_custom_id": True}},
        ]}}]},
    }  # fmt: skip


SCENARIOS = [(api, name) for api in (JOBS, BATCHES) for name in scenarios(api)]
OF_JOBS: dict[str, dict[str, Any]] = {
    "a job that expired before it began": {"batches": [{"batch": 1, "do": {"expire_after": 0.0}}]},
    "counts that are late": {"bedrock": {**FEW, "counts_lag": 100_000}},
    "records without a right": {
        "batches": [{"batch": "1-2", "do": {"lines": [{"lines": "3-", "do": {"status": 403}}]}}]
    },
    "a status that nobody knows": {"statuses": {"InProgress": "Pondering"}},
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with s3_server() as s3, started("--seconds-per-batch", "0.05", "--aws", s3.url) as emulator:
        emulator.s3 = s3
        yield emulator


def joined(emulator: Emulator, api: Api) -> tuple[World, set[str]]:
    """Make a world whose provider is the emulator; answer the batches that it has already."""
    world = api.world()
    return world, api.connect(world, emulator)


def check(world: World, emulator: Emulator, api: Api, batch_id: str, before: set[str], ids: list[str]) -> None:
    """Hold what came of a batch against what was asked, and against the bill."""
    answers = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answers] == ids
    assert [api.text(each["response"]["body"]) for each in answers] == [f"You asked: Say {each}" for each in ids]
    after_it = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sum(len(each["billed"]) for each in after_it) == len(ids)


@pytest.mark.parametrize(("api", "name"), SCENARIOS, ids=[f"{api.profile}: {name}" for api, name in SCENARIOS])
def test_every_line_has_its_answer_and_is_paid_once(emulator: Emulator, api: Api, name: str) -> None:
    emulator.play(**{"bedrock": FEW, **scenarios(api)[name]})
    world, before = joined(emulator, api)
    batch_id = api.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    check(world, emulator, api, batch_id, before, IDS)
    assert [key for key in world.services.bucket.stored if key.startswith("providers/")] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OF_JOBS)
def test_what_only_jobs_do_loses_nothing_and_costs_nothing_twice(emulator: Emulator, name: str) -> None:
    emulator.play(**{"bedrock": FEW, **OF_JOBS[name]})
    world, before = joined(emulator, JOBS)
    batch_id = JOBS.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    check(world, emulator, JOBS, batch_id, before, IDS)


def test_a_batch_without_a_file_of_errors_has_its_refused_lines_sent_again(emulator: Emulator) -> None:
    refused = {"lines": "2-3", "do": {"status": 500}}
    emulator.play(bedrock=FEW, batches=[{"batch": 1, "do": {"no_error_file": True, "lines": [refused]}}])
    world, before = joined(emulator, BATCHES)
    batch_id = BATCHES.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    check(world, emulator, BATCHES, batch_id, before, IDS)


@pytest.mark.parametrize("api", APIS)
def test_errors_of_lines_are_errors_of_the_batch_and_cost_nothing(emulator: Emulator, api: Api) -> None:
    emulator.play(bedrock=FEW, lines=[{"lines": "2", "do": {"status": 400, "message": "Malformed input"}}])
    world, before = joined(emulator, api)
    batch_id = api.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    (error,) = world.answered(batch_id, "errors.jsonl")
    assert (error["custom_id"], error["response"]["status_code"]) == (IDS[1], 400)
    assert error["response"]["body"]["error"]["message"] == "Malformed input"
    check(world, emulator, api, batch_id, before, [IDS[0], *IDS[2:]])


def test_a_job_has_the_tokens_of_its_manifest(emulator: Emulator) -> None:
    emulator.play(bedrock=FEW)
    world, before = joined(emulator, JOBS)
    batch_id = JOBS.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    (job,) = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    report = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    told = {name: report["usage"][name] for name in ("input_tokens", "output_tokens")}
    assert told == {name: job["usage"][name] for name in told}


def test_without_a_role_a_shard_says_what_it_waits_for_and_sends_nothing(emulator: Emulator) -> None:
    emulator.play(bedrock=FEW)
    world, before = joined(emulator, JOBS)
    JOBS.expose(world, emulator, role="")  # as a stack without one
    batch_id = JOBS.upload(world, IDS)
    assert plan(world.services, batch_id).next == "run"
    step = turn(world, emulator, Step(batch_id, 0))
    shard = world.services.batch_store.shard(batch_id, 0)
    assert shard is not None
    assert "name its ARN as `role` of the provider" in (shard.paused or "")
    assert made(emulator) == before
    JOBS.expose(world, emulator)
    for _ in range(100):
        if step.next == "done":
            break
        step = turn(world, emulator, step)
    assert assemble(world.services, batch_id) == "done"
    check(world, emulator, JOBS, batch_id, before, IDS)


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("api", APIS)
def test_whatever_effect_is_struck_each_line_is_paid_once(
    emulator: Emulator, api: Api, kind: str, *, after: bool
) -> None:
    ids = IDS[:5]
    lost = [call(api.create, connection="reset", after_effect=True)] if after else []
    order: dict[str, Any] = {"bedrock": FEW, "calls": lost, "seconds_per_batch": 0.02}
    emulator.play(**order)
    effects = api.struck_run(emulator, None, ids)[1].count
    assert effects > 20
    for at in some(range(effects), kind, after=after, every=12):
        emulator.play(**order)
        before = made(emulator)
        world, strikes, batch_id = api.struck_run(emulator, Strike(kind, at, after), ids)
        answers = world.answered(batch_id, "output.jsonl")
        assert [each["custom_id"] for each in answers] == ids, strikes.struck
        after_it = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
        assert sum(len(each["billed"]) for each in after_it) == 5, strikes.struck
