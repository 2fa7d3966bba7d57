"""What a function may do: every test here plays operations under the policies of their functions; these look at that itself.

Those below the line take paths that the others do not, for permissions that are needed only there.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from datetime import UTC, datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from batch_client import BatchError as ProviderBatchError
from batch_client import HttpInfo, NotFoundError
from batchyard import services
from batchyard.api import api_keys, app, batches, files, webhook_endpoints
from batchyard.domain import webhook_delivery
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import DeliveryFailed, StoreError
from batchyard.domain.step import Step
from batchyard.domain.webhook_delivery import DeliveryRequest
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.recovery.advance import advance
from batchyard.results.assemble import assemble
from batchyard.services import Services
from batchyard.shards import too_large
from batchyard.shards.cancel import cancel
from batchyard.shards.fail import end_batch, fail_shard
from batchyard.webhooks.deliver import deliver
from batchyard.webhooks.notify import notify
from batchyard.webhooks.receive import receive
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering, failed
from tests.fakes.lines import good, jsonl, request
from tests.fakes.moto import REGION, TABLE
from tests.integration.batchyard.permissions import ACCOUNT, Permission
from tests.integration.batchyard.roles import DOORS, Grant, Roles
from tests.unit.template.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
ONE = jsonl([request("a")])
EIGHT = [f"r{at}" for at in range(8)]
FILL = "x" * 1_100_000  # eight of them are more than a part


def test_every_door_has_an_operation_that_is_known_when_it_calls_aws() -> None:
    assert set(DOORS.values()) == {path.parent.name for path in ROOT.glob("functions/*/handler.py")}


def test_a_function_that_reaches_for_what_is_not_its_own_is_denied(world: World, roles: Roles) -> None:
    batch_id = world.drop(ONE)
    elsewhere = replace(world.services.settings, table="another-table")
    with pytest.raises(StoreError, match="AccessDenied"):
        plan(Services(elsewhere, world.provider), batch_id)
    (denied,) = roles.denied
    assert denied.startswith("plan may not dynamodb:GetItem")
    roles.denied.clear()


def test_what_a_function_uses_is_told_by_statement_and_a_test_itself_uses_nothing(world: World, roles: Roles) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", Body=ONE)
    world.services.bucket.get("inbox/default/in.jsonl")
    assert roles.used == set()
    plan(world.services, world.drop(ONE))
    assert Grant("plan", "ReadInbox", "s3:GetObjectVersion") in roles.used
    assert {grant.function for grant in roles.used} == {"intake", "plan"}


@pytest.mark.parametrize("door", [deliver, notify, intake], ids=lambda door: door.__name__)
def test_who_hears_from_outside_is_denied_the_api_keys(door: Callable[..., object], roles: Roles) -> None:
    name = DOORS[door.__module__]
    for action in ("GetItem", "PutItem", "UpdateItem", "Query"):
        for begin in ("KEY#0f9a2c4e6b8d1357", "KEYS", "IDEMPOTENCY#1", "WEBHOOK#1", "SWEEP#1"):
            asked = Permission(f"dynamodb:{action}", TABLE_ARN, (("dynamodb:LeadingKeys", begin),))
            assert roles.grant(name, asked) is None


@pytest.mark.parametrize("name", sorted(set(DOORS.values())))
def test_nobody_may_read_the_list_of_api_keys(name: str, roles: Roles) -> None:
    asked = Permission("dynamodb:Query", TABLE_ARN, (("dynamodb:LeadingKeys", "KEYS"),))
    assert roles.grant(name, asked) is None


@pytest.mark.parametrize(
    ("begin", "may"),
    [
        ("KEY#0f9a2c4e6b8d1357", ["GetItem", "PutItem", "UpdateItem"]),
        ("KEYSOF#acme", ["PutItem", "Query"]),
        ("KEYS", ["PutItem"]),  # so that the operator sees each key, and a caller those of its tenant
    ],
)
def test_the_front_door_makes_and_revokes_keys_and_deletes_none(begin: str, may: list[str], roles: Roles) -> None:
    keys = (("dynamodb:LeadingKeys", begin),)
    allowed = [action for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
               if roles.grant("api", Permission(f"dynamodb:{action}", TABLE_ARN, keys))]  # fmt: skip
    assert allowed == may


def test_a_key_is_read_and_its_requests_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = Services(replace(world.services.settings, max_requests_per_minute=1), world.provider, world.clock)
    monkeypatch.setattr(services, "current", lambda: limited)
    key = api_keys.create(limited.api_key_store, "default")
    http = {"method": "GET", "path": "/v1/no-such-route", "sourceIp": "203.0.113.17"}
    event = {
        "version": "2.0", "routeKey": "$default", "rawPath": http["path"], "rawQueryString": "",
        "headers": {"authorization": f"Bearer {key}"}, "isBase64Encoded": False,
        "requestContext": {"http": http, "stage": "$default", "requestId": "r"},
    }  # fmt: skip
    context: Any = SimpleNamespace(aws_request_id="r")
    assert [app.answer(event, context)["statusCode"] for _ in range(2)] == [404, 429]


# ---- Paths that are seldom taken ----------------------------------------------------------------------------------------


def left_begun(world: World, work: Callable[[], object]) -> list[str]:
    """Have S3 take no part of any object, so that the work fails; list the objects that it has left begun."""

    def refused(**_: Any) -> Any:
        told = {"Error": {"Code": "InternalError", "Message": "no"}}
        return SimpleNamespace(status_code=HTTPStatus.BAD_REQUEST, headers={}), told

    s3 = world.services.bucket._s3  # noqa: SLF001 - the store that is to fail
    for call in ("UploadPart", "UploadPartCopy"):
        s3.meta.events.register(f"before-call.s3.{call}", refused)
    with pytest.raises(StoreError, match="InternalError"):
        work()
    return [each["Key"] for each in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def filled(custom_id: str) -> bytes:
    return good(custom_id).replace(b'"object"', b'"text": "' + FILL.encode() + b'", "object"')


def collecting(world: World) -> Step:
    """Bring a batch of one shard with large answers to where they are to be collected."""
    world.provider.endings = [answering(filled)]
    step = Step(world.drop(jsonl([request(each) for each in EIGHT])), 0)
    plan(world.services, step.batch_id)
    while step.next != "collect":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    return step


def test_an_input_that_cannot_be_unpacked_whole_leaves_nothing_begun(world: World) -> None:
    batch_id = world.drop(gzip.compress(jsonl([request(each, note=FILL) for each in EIGHT])))
    assert left_begun(world, lambda: plan(world.services, batch_id)) == []


def test_answers_that_cannot_be_stored_whole_leave_nothing_begun(world: World) -> None:
    step = collecting(world)
    assert left_begun(world, lambda: world.step(step)) == []


def test_answers_to_requests_sent_one_by_one_that_cannot_be_stored_whole_leave_nothing_begun(world: World) -> None:
    world.services.settings = replace(world.services.settings, deadline_action="finish")
    world.provider.endings = [answering(lambda _: None, "cancelled")]
    world.provider.send = lambda *_: HttpInfo(json.dumps({"text": FILL}).encode(), 200, {})  # type: ignore[method-assign]
    step = Step(world.drop(jsonl([request(each) for each in EIGHT])), 0)
    plan(world.services, step.batch_id)
    step = world.step(step)
    world.clock.now += 86_400
    while step.next != "submit":
        world.clock.now += step.wait_seconds
        step = world.step(step)
    assert left_begun(world, lambda: world.step(step)) == []


def test_results_that_cannot_be_written_whole_leave_nothing_begun(world: World) -> None:
    step = collecting(world)
    assert world.step(step).next == "done"
    assert left_begun(world, lambda: assemble(world.services, step.batch_id)) == []


def test_lines_given_up_that_cannot_be_written_whole_leave_nothing_begun(world: World) -> None:
    long = [f"{at:05}".ljust(500, "x") for at in range(14_000)]
    batch_id = world.drop(jsonl([request(each) for each in long]))
    plan(world.services, batch_id)
    fail_shard(world.services, batch_id, 0, {"Error": "Killed"})
    assert left_begun(world, lambda: assemble(world.services, batch_id)) == []


def run_ten(world: World) -> None:
    """Run a batch of ten lines, all of which are answered."""
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(10)]))
    assert world.run(batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == 10


def test_a_provider_batch_that_is_lost_is_made_again(world: World) -> None:
    retrieve, lost = world.provider.retrieve_batch, []

    def show(batch_id: str) -> Any:
        if batch_id == "pb-0":
            lost.append(batch_id)
            raise NotFoundError("no batch found", status=404)
        return retrieve(batch_id)

    world.provider.retrieve_batch = show  # type: ignore[method-assign]
    run_ten(world)
    assert lost  # looked at until its window was over: a provider may lose sight of a batch for a while
    assert len(world.provider.batches) == 2


def test_the_lines_of_a_wave_that_is_lost_at_every_attempt_are_errors_and_the_rest_goes_on(world: World) -> None:
    world.services.settings = replace(world.services.settings, max_attempts=1)
    body = jsonl([request(each) for each in EIGHT])
    ours, retrieve = world.drop(body), world.provider.retrieve_batch
    plan(world.services, ours)  # one shard; then the provider takes half of it
    world.services.account().creations.learn_most_bytes(
        len(body) // 2, world.services.now(), world.services.now() + 10**7
    )

    def show(batch_id: str) -> Any:
        if batch_id == "pb-0":
            raise NotFoundError("no batch found", status=404)
        return retrieve(batch_id)

    world.provider.retrieve_batch = show  # type: ignore[method-assign]
    assert world.run(ours) == "done"
    errors, output = world.answered(ours, "errors.jsonl"), world.answered(ours, "output.jsonl")
    assert {each["error"]["code"] for each in errors} == {"no_answer"}
    assert [each["custom_id"] for each in [*errors, *output]] == EIGHT


def test_a_file_that_is_too_large_is_remembered_and_kept_to_by_the_next_plan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(too_large, "SMALL", 0)  # bytes, of a file that is too small to teach anything
    world.provider.endings = [failed(ProviderBatchError("file_too_large", "The file is too large."))]
    batch_id = world.drop(jsonl([request(each) for each in EIGHT]))
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == EIGHT
    another = world.drop(jsonl([request(each) for each in EIGHT]), "inbox/default/another.jsonl")
    assert plan(world.services, another).last_shard > 0


def test_answers_that_are_gone_are_looked_for_and_then_asked_for_again(world: World) -> None:
    download, gone = world.provider.download_file, list[str]()

    def lose(file_id: str) -> Any:
        if len(world.provider.batches) == 1:
            gone.append(file_id)
            raise NotFoundError("no such file", status=404)
        yield from download(file_id)  # the real client, too, speaks only once it is read from

    world.provider.download_file = lose  # type: ignore[method-assign]
    run_ten(world)
    assert (len(world.provider.batches), len(gone) > 3) == (2, True)


def test_answers_are_held_against_the_requests_of_an_upload_a_file_and_an_unpacked_copy(world: World) -> None:
    schema = {"type": "object", "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    rows, accept = jsonl([request(each, response_format=form) for each in "ab"]), {"schema": True}

    def said(custom_id: str) -> bytes:
        choice = {"finish_reason": "stop", "message": {"content": '{"n": 1}' if custom_id == "a" else "[]"}}
        answer = json.loads(good(custom_id))
        answer["response"]["body"]["choices"] = [choice]
        return json.dumps(answer).encode() + b"\n"

    world.provider.endings = [answering(said)] * 3 * 3
    boto3.client("s3").put_object(Bucket=BUCKET, Key="files/default/in.jsonl", Body=rows)
    wanted = {"input_file_id": f"s3://{BUCKET}/files/default/in.jsonl", "endpoint": "/v1/chat/completions",
              "completion_window": "24h", "accept": accept}  # fmt: skip
    made = [
        world.drop(rows, accept=json.dumps(accept)),
        world.drop(gzip.compress(rows), "inbox/default/in.jsonl.gz", accept=json.dumps(accept)),
        str(batches.create_batch(world.services, "default", wanted)["id"]),
    ]
    for batch_id in made:
        assert world.run(batch_id) == "done"
        assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["a"]
        assert [each["error"]["code"] for each in world.answered(batch_id, "errors.jsonl")] == ["answer_not_accepted"]


def test_a_shard_fails_before_it_was_begun(world: World) -> None:
    batch_id = world.drop(ONE)
    plan(world.services, batch_id)
    fail_shard(world.services, batch_id, 0, {"Error": "Killed"})
    assert world.invoked == [{"batch_id": batch_id}]
    assert assemble(world.services, batch_id) == "failed"


def test_a_batch_that_failed_gives_back_the_room_it_held(world: World) -> None:
    batch_id = world.drop(ONE)
    world.run_until_submitted(batch_id)
    end_batch(world.services, batch_id, BatchError("server_error", "No more."))
    assert cancel(world.services, world.invoked.pop()["batch_id"]) == 1
    (name,) = world.services.account().token_ledgers.names()
    assert world.services.account().token_ledgers.read(name).enqueued == 0


def test_the_very_version_that_an_event_names_is_taken_in(world: World) -> None:
    put = boto3.client("s3").put_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", Body=ONE)
    batch_id = intake(world.services, BUCKET, "inbox/default/in.jsonl", put["VersionId"])
    assert batch_id is not None
    assert world.services.batch_store.batch(batch_id).input.version_id == put["VersionId"]


def test_a_webhook_of_the_provider_has_its_shard_done_at_once(world: World) -> None:
    batch_id = world.drop(ONE)
    world.run_until_submitted(batch_id)
    (provider_batch_id,) = world.provider.batches
    world.provider.polls_before_end = 0
    secret = "whsec_" + base64.b64encode(b"a secret of the provider").decode()
    named = world.services.settings.provider_webhook_secret_id
    boto3.client("secretsmanager").put_secret_value(SecretId=named, SecretString=secret)
    body = json.dumps({"type": "batch.completed", "data": {"id": provider_batch_id}})
    now = datetime.fromtimestamp(time.time(), UTC)
    signature = Webhook(secret).sign("wh_1", now, body)
    world.clock.now = now.timestamp()
    headers = {"webhook-id": "wh_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    assert receive(world.services, headers, body.encode()) == {"received": True}
    assert world.invoked == [{"batch_id": batch_id, "shard": 0}]
    assert advance(world.services, **world.invoked.pop()) == "done"


def test_an_event_is_signed_by_a_process_that_has_not_read_the_secret_yet(world: World) -> None:
    settings = replace(world.services.settings, webhooks_to_private_addresses="true")
    services = Services(settings, world.provider, world.clock)
    wanted = {"name": "test", "url": "http://127.0.0.1:9/", "event_types": ["batch.completed"]}
    made = webhook_endpoints.create_webhook_endpoint(services, "default", wanted)
    event = webhook_delivery.event_of(f"batch_{'0' * 32}", "batch.completed", services.now())
    services.webhook_store.begin(webhook_delivery.new(event, "default", made["id"], services.now()))
    with pytest.raises(DeliveryFailed):  # nobody listens there
        deliver(Services(settings, world.provider, world.clock), DeliveryRequest("default", made["id"], event))


def test_lines_are_looked_at_while_a_batch_runs_and_when_it_has_ended(world: World) -> None:
    rows = jsonl([request(f"r{at}") for at in range(3)])
    batch_id = world.drop(gzip.compress(rows))  # whose lines are read from the unpacked copy, a version of it
    world.run_until_submitted(batch_id)
    running = batches.batch_lines(world.services, "default", batch_id, None, None)["data"]
    assert [(row["custom_id"], row["outcome"], row["request"] is None) for row in running] == [
        ("r0", None, False), ("r1", None, False), ("r2", None, False),
    ]  # fmt: skip
    assert world.run(batch_id) == "done"
    ended = batches.batch_lines(world.services, "default", batch_id, "2", "1")
    assert [(row["custom_id"], row["outcome"], row["result"] is None) for row in ended["data"]] == [
        ("r1", "succeeded", False)
    ]
    assert ended["next"] == 3
    assert batches.batch_errors(world.services, "default", batch_id)["data"] == []
    assert batches.batch_shards(world.services, "default", batch_id, None, None)["begun"] == 1


def test_results_are_linked_to_if_large_and_removed_if_the_user_wants(world: World) -> None:
    batch_id = world.drop(ONE)
    world.run(batch_id)
    key = f"results/default/{batch_id}/report.json"
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b" " * batches.MOST_INLINE + world.read(key))
    assert "versionId=" in str(batches.batch_report(world.services, "default", batch_id).url)
    output = batches.retrieve_batch(world.services, "default", batch_id)["output_file_id"]
    assert files.delete_file(world.services, "default", output)["deleted"] is True
