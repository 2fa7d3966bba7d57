"""A gather folder on real S3 and DynamoDB: versions, listings, claims under conditions, and what each function may do."""

import json

import boto3
import pytest

from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.api.batches import batch_files, batch_lines, create_batch, file_result
from batchyard.budgets.spending import CODE
from batchyard.domain.errors import ApiError
from batchyard.gathering.fire import LONGEST_AT_WORK, id_of
from batchyard.gathering.gather import gather, take_up
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.budgets import give, spend
from tests.fakes.gathered import FOLDER, NAME, echoing, lines_of, put, report_of, said
from tests.fakes.moto import TABLE
from tests.fakes.world import World

RUN = f"{FOLDER}RUN"
FILES = {f"{name}.jsonl": lines_of(name, 3) for name in "abc"}


def run(world: World, **metadata: str) -> str | None:
    """Put a RUN into the folder; its notice comes at once."""
    made = boto3.client("s3").put_object(Bucket=BUCKET, Key=RUN, Body=b"", Metadata=metadata)
    batch = gather(world.services, BUCKET, RUN, made["VersionId"])
    return batch.batch_id if batch else None


def test_a_run_gathers_the_versions_that_lie_there_and_each_file_has_its_results(world: World) -> None:
    world.provider.endings = [echoing] * 3
    put(world, FILES)
    put(world, {"b.jsonl": lines_of("newer b", 2)})
    batch_id = run(world)
    assert batch_id is not None
    put(world, {"c.jsonl": lines_of("c of another firing", 1)})
    assert gather(world.services, BUCKET, RUN) == world.services.batch_store.batch(batch_id)
    assert world.run(batch_id) == "done"
    assert said(world, batch_id, "b.jsonl") == [("line-0", "newer b 0"), ("line-1", "newer b 1")]
    assert said(world, batch_id, "c.jsonl") == [(f"line-{at}", f"c {at}") for at in range(3)]
    whole = [world.read(f"results/default/{batch_id}/files/{name}.jsonl/output.jsonl") for name in "abc"]
    assert sorted(b"".join(whole).splitlines()) == sorted(world.result(batch_id, "output.jsonl").splitlines())
    assert {file["file"]: file["lines"] for file in report_of(world, batch_id)["files"]} == {
        "a.jsonl": 3,
        "b.jsonl": 2,
        "c.jsonl": 3,
    }
    later = run(world)
    assert later is not None
    assert world.run(later) == "done"
    assert said(world, later, "c.jsonl") == [("line-0", "c of another firing 0")]
    assert run(world) is None


def test_the_files_of_a_refused_batch_are_gathered_by_the_next_run(world: World) -> None:
    put(world, {**FILES, "bad.jsonl": b"?\n"})
    refused = run(world)
    assert world.run(refused or "") == "refused"
    batch_id = run(world, **{"on-invalid": "skip"}) or ""
    assert world.run(batch_id) == "done"
    assert len(report_of(world, batch_id)["files"]) == 4


def test_a_run_whose_tenant_has_spent_its_budget_is_refused(world: World) -> None:
    give(world.services, 5)
    put(world, FILES)
    spend(world.services, 5)
    batch = world.services.batch_store.batch(run(world) or "")
    assert (batch.status, batch.errors[0].code) == ("failed", CODE)


def test_answers_are_held_against_requests_of_files_and_lines_are_shown_by_file(world: World) -> None:
    world.provider.endings = [echoing] * 3
    put(world, FILES)
    batch_id = run(world, accept=json.dumps({"schema": True})) or ""
    world.run(batch_id)
    files = batch_files(world.services, "default", batch_id, "1", "1")
    assert [file["file"] for file in files["data"]] == ["b.jsonl"]
    results = [
        file_result(world.services, "default", batch_id, "2", f"{name}.jsonl").data for name in ("output", "errors")
    ]
    assert [(data or b"").count(b"\n") for data in results] == [3, 0]
    page = batch_lines(world.services, "default", batch_id, None, None)["data"]
    assert [(row["file"], row["file_line"]) for row in page] == [(name, at) for name in FILES for at in (1, 2, 3)]
    assert all(row["request"] for row in page)


def test_a_request_gathers_a_folder_of_its_tenant(world: World) -> None:
    wanted = {"input_prefix": FOLDER, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    with pytest.raises(ApiError) as nothing:
        create_batch(world.services, "default", wanted)
    assert (nothing.value.status, nothing.value.code) == (400, "nothing_to_gather")
    put(world, FILES)
    made = create_batch(world.services, "default", wanted, "a key")
    assert create_batch(world.services, "default", wanted, "a key")["id"] == made["id"]
    assert (made["input_prefix"], made["input_files"]) == (FOLDER, 3)
    assert made["input_file_id"] == f"s3://{BUCKET}/{FOLDER}"


def deliver(world: World) -> list[str]:
    """Deliver what the gathering function is asked for, as Lambda does."""
    asked, world.invoked[:] = list(world.invoked), []
    made = []
    for each in asked:
        run = each.get("detail", {})
        made.append(
            take_up(world.services, **each["firing"])
            if "firing" in each
            else gather(world.services, run["bucket"]["name"], run["object"]["key"], run["object"]["version-id"])
        )
    return [batch.batch_id for batch in made if batch]


def test_the_sweep_has_a_firing_go_on_whose_process_died(world: World) -> None:
    put(world, FILES)
    firing = FolderFiring(
        tenant="default", name=NAME, key="clock", batch_id=id_of("default", NAME, "clock"), options="{}",
        created_at=world.services.now(), expires_at_ttl=2_000_000_000,
    )  # fmt: skip
    world.services.gather_store.open(firing)
    assert "FiringsTakenUp" not in sweep(world.services)
    world.clock.now += LONGEST_AT_WORK
    assert sweep(world.services)["FiringsTakenUp"] == 1
    assert "FiringsTakenUp" not in sweep(world.services)  # somebody was asked to
    assert deliver(world) == [firing.batch_id]
    assert world.services.batch_store.batch(firing.batch_id).input.file_count == 3
    assert list(world.services.gather_store.open_firings()) == []


def test_the_sweep_fires_a_folder_whose_run_nobody_heard_of(world: World) -> None:
    put(world, {**FILES, "RUN": b"", "below/RUN": b""})
    world.backing.put("gather/acme/a/RUN", b"", {})
    world.backing.put("gather/acme/b/c.jsonl", FILES["c.jsonl"], {})
    world.clock.now = boto3.client("s3").head_object(Bucket=BUCKET, Key=RUN)["LastModified"].timestamp() + 60
    assert sweep(world.services)["FiringsTakenUp"] == 2
    (batch_id,) = deliver(world)  # the folder of acme with a RUN has no file
    assert world.services.batch_store.batch(batch_id).input.file_count == 4
    world.clock.now += 3_600
    assert "FiringsTakenUp" not in sweep(world.services)


def test_a_request_that_runs_out_of_time_hands_the_firing_over_with_what_it_has_listed(world: World) -> None:
    wanted = {"input_prefix": FOLDER, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    put(world, FILES)
    readings = iter([world.clock.now] * 8)
    clock, world.services.clock = world.services.clock, lambda: next(readings, world.clock.now + 20)
    with pytest.raises(ApiError) as too_many:
        create_batch(world.services, "default", wanted, "a key")
    assert (too_many.value.status, too_many.value.code) == (503, "still_gathering")
    world.services.clock = clock
    assert len(world.invoked) == 1
    (firing,) = world.services.gather_store.open_firings()
    assert (firing.reached, firing.batch_id in str(too_many.value)) == (f"{FOLDER}c.jsonl", True)
    assert deliver(world) == [firing.batch_id]
    assert create_batch(world.services, "default", wanted, "a key")["id"] == firing.batch_id


def test_the_files_of_a_refused_batch_are_free_when_its_record_is_gone(world: World) -> None:
    put(world, {"bad.jsonl": b"?\n"})
    batch_id = run(world) or ""
    assert world.run(batch_id) == "refused"
    world.clock.now += 3_601
    assert sweep(world.services)["BatchesSettled"] == 1
    boto3.client("dynamodb").delete_item(TableName=TABLE, Key={"pk": {"S": f"BATCH#{batch_id}"}, "sk": {"S": "BATCH"}})
    again = run(world, **{"on-invalid": "skip"})
    assert again is not None
    assert world.services.batch_store.batch(again).input.file_count == 1
