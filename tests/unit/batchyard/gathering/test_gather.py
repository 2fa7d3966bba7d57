"""RUN fires its folder, with the options of its user metadata; and so does a request."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from batchyard.adapters.bucket import InboxPage
from batchyard.api.batches import create_batch, retrieve_batch
from batchyard.domain.batch import Batch
from batchyard.domain.errors import ApiError
from batchyard.gathering.gather import gather, take_up
from tests.fakes.batches import BUCKET
from tests.fakes.bucket import MemoryBucket
from tests.fakes.gathered import FOLDER, bucket_of, lines_of, put
from tests.fakes.services import MemoryLambdaFunction
from tests.fakes.world import World, memory_world

ASKED = {"input_prefix": FOLDER, "endpoint": "/v1/chat/completions", "completion_window": "24h"}


@pytest.fixture
def world() -> World:
    made = memory_world(tenants="default")
    put(made, {"a.jsonl": lines_of("a", 1)})
    return made


def run(world: World, folder: str = FOLDER, version: str = "v1", **metadata: str) -> Batch:
    world.backing.put(f"{folder}RUN", b"", metadata)
    batch = gather(world.services, BUCKET, f"{folder}RUN", version)
    assert batch is not None
    return batch


def test_the_user_metadata_of_run_are_the_options_of_the_batch(world: World) -> None:
    given = {"on-invalid": "skip", "completion-window": "24h", "metadata": '{"job": "nightly"}', "max-cost-usd": "2.50"}
    batch = run(world, **given)
    assert (batch.on_invalid, batch.completion_window, batch.metadata) == ("skip", "24h", {"job": "nightly"})
    assert batch.max_cost_usd == "2.50"
    assert batch.input_file_id == f"s3://{BUCKET}/{FOLDER}"


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({"on-invalid": "ignore"}, "on_invalid"),
        ({"on_invald": "skip"}, "on_invald"),
        ({"completion-window": "soon"}, "completion_window"),
        ({"metadata": "[]"}, "metadata"),
        ({"retry-of": "batch_1"}, "retry_of"),
    ],
)
def test_options_that_cannot_be_followed_refuse_the_run_and_no_file_is_claimed(
    world: World, metadata: dict[str, str], param: str
) -> None:
    batch = run(world, **metadata)
    assert (batch.status, batch.errors[0].param) == ("failed", param)
    assert run(world, version="v2").input.file_count == 1


def test_a_tenant_that_is_not_listed_gathers_nothing(world: World) -> None:
    world.backing.put("gather/defualt/x/a.jsonl", lines_of("a", 1), {})
    batch = run(world, "gather/defualt/x/")
    assert (batch.status, batch.errors[0].code) == ("failed", "unknown_tenant")


@pytest.mark.parametrize(
    "key", ["inbox/default/RUN", "gather/RUN", "gather/default/RUN", f"{FOLDER}RUN.jsonl", f"{FOLDER}x/RUN"]
)
def test_only_the_run_of_a_folder_fires(world: World, key: str) -> None:
    world.backing.put(key, b"", {})
    assert gather(world.services, BUCKET, key) is None
    assert gather(world.services, "another-bucket", f"{FOLDER}RUN") is None


def test_folders_hidden_files_and_old_files_are_not_gathered(world: World) -> None:
    put(
        world,
        {
            "below/": b"",
            ".hidden": b"x",
            "below/.DS_Store": b"x",
            ".ipynb_checkpoints/a.jsonl": b"x",
            "old.jsonl": lines_of("old", 1),
            "RUN": b"",
        },
    )
    bucket_of(world).arrived[f"{FOLDER}old.jsonl"] = world.clock.now - 366 * 86_400
    files = bucket_of(world).file_list(run(world).input).files
    assert [file.name for file in files] == ["a.jsonl"]


def test_files_are_in_the_order_of_their_arrival(world: World) -> None:
    put(world, {name: lines_of(name, 1) for name in "cbd"})
    for at, name in enumerate(["d", "b", "c"]):
        bucket_of(world).arrived[FOLDER + name] = world.clock.now + (at + 1) // 2  # b and c in the same second
    bucket_of(world).arrived[f"{FOLDER}a.jsonl"] = world.clock.now + 9
    assert [file.name for file in bucket_of(world).file_list(run(world).input).files] == ["d", "b", "c", "a.jsonl"]


def test_a_request_gathers_and_the_same_key_gives_the_same_batch(world: World) -> None:
    made = create_batch(world.services, "default", {**ASKED, "metadata": {"a": "b"}}, "key")
    assert (made["input_prefix"], made["input_files"], made["metadata"]) == (FOLDER, 1, {"a": "b"})
    assert create_batch(world.services, "default", {**ASKED, "metadata": {"a": "b"}}, "key")["id"] == made["id"]
    with pytest.raises(ApiError) as reused:
        create_batch(world.services, "default", ASKED, "key")
    assert reused.value.code == "idempotency_key_reused"
    with pytest.raises(ApiError) as nothing:
        create_batch(world.services, "default", ASKED)
    assert (nothing.value.status, nothing.value.code, nothing.value.param) == (400, "nothing_to_gather", "input_prefix")
    assert FOLDER in str(nothing.value)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input_prefix": "gather/acme/tickets/"}, "input_prefix"),
        ({"input_prefix": "gather/default/tickets"}, "input_prefix"),
        ({"input_prefix": "inbox/default/"}, "input_prefix"),
        ({"input_prefix": 7}, "input_prefix"),
        ({"input_prefix": FOLDER, "input_file_id": "file-1"}, "input_prefix"),
        ({"input_prefix": FOLDER, "endpoint": None}, "endpoint"),
        ({"input_prefix": None}, "input_file_id"),
        ({"input_prefix": None, "input_file_id": None}, "input_file_id"),
        ({"input_prefix": ""}, "input_prefix"),
        ({"input_prefix": ["gather/default/tickets/"]}, "input_prefix"),
        ({"input_prefix": False}, "input_prefix"),
        ({"input_prefix": f"{FOLDER}a.jsonl"}, "input_prefix"),
        ({"input_prefix": f"{FOLDER}sub/"}, "input_prefix"),
        ({"input_prefix": "gather/default/../"}, "input_prefix"),
        ({"input_prefix": "gather/default/./"}, "input_prefix"),
        ({"input_prefix": "gather/default/tickets/../other/"}, "input_prefix"),
        ({"input_prefix": "gather/default//"}, "input_prefix"),
        ({"input_prefix": f"s3://bucket/{FOLDER}"}, "input_prefix"),
        ({"input_prefix": f"gather/default/{'x' * 1_024}/"}, "input_prefix"),
        ({"input_prefix": "gather/default/\ud800/"}, "input_prefix"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_request_that_names_no_folder_of_its_tenant_is_refused(
    world: World, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(ApiError) as refused:
        create_batch(world.services, "default", {**ASKED, **body})
    assert (refused.value.status, refused.value.param) == (400, param)
    assert param == "endpoint" or "'input_prefix'" in str(refused.value)
    assert world.services.gather_store.claimed("default", "tickets", ["a.jsonl"]) == {}
    assert world.services.batch_store.list_batches("default", None, 9) == ([], False)


@pytest.mark.parametrize(
    ("prefix", "remedy"),
    [
        ("", "gather/default/<name>/"),
        ("gather/default/tickets", "Write 'gather/default/tickets/'."),
        (f"{FOLDER}a.jsonl", "Write 'gather/default/tickets/'."),
        ("gather/acme/tickets/", "another tenant"),
        ("gather/default/../", "'..'"),
    ],
)
def test_what_is_no_folder_is_refused_with_the_remedy(world: World, prefix: str, remedy: str) -> None:
    with pytest.raises(ApiError) as refused:
        create_batch(world.services, "default", {**ASKED, "input_prefix": prefix})
    assert remedy in str(refused.value)


def test_a_key_that_found_nothing_makes_the_batch_once_files_are_there(world: World) -> None:
    first = create_batch(world.services, "default", ASKED, "first")
    for _ in range(2):
        with pytest.raises(ApiError) as nothing:
            create_batch(world.services, "default", ASKED, "second")
        assert nothing.value.code == "nothing_to_gather"
    put(world, {"b.jsonl": lines_of("b", 1)})
    made = create_batch(world.services, "default", ASKED, "second")
    assert (made["input_files"], made["id"] != first["id"]) == (1, True)
    assert create_batch(world.services, "default", ASKED, "second")["id"] == made["id"]
    put(world, {"c.jsonl": lines_of("c", 1)})
    assert create_batch(world.services, "default", ASKED, "second")["input_files"] == 1


def test_a_run_that_found_nothing_stays_nothing(world: World) -> None:
    run(world)
    world.backing.put(f"{FOLDER}RUN", b"", {})
    assert gather(world.services, BUCKET, f"{FOLDER}RUN", "v2") is None
    put(world, {"b.jsonl": lines_of("b", 1)})
    assert gather(world.services, BUCKET, f"{FOLDER}RUN", "v2") is None
    assert run(world, version="v3").input.file_count == 1


def test_a_request_for_a_large_folder_is_answered_in_time_and_each_try_comes_farther(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket_of(world).page, listed, real = 2, list[str](), MemoryBucket.inbox

    def slowly(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
        for page in real(bucket, prefix, after):
            listed.extend(each.object.key for each in page.newest)
            world.clock.now += 7
            yield page

    monkeypatch.setattr(MemoryBucket, "inbox", slowly)
    put(world, {f"{at:02}": lines_of(str(at), 1) for at in range(19)})
    answers, began = list[ApiError](), world.clock.now
    for _ in range(3):
        with pytest.raises(ApiError) as still:
            create_batch(world.services, "default", ASKED, "key")
        answers.append(still.value)
    assert (world.clock.now - began) / 3 < 25  # the HTTP API gives up after 30 seconds
    made = create_batch(world.services, "default", ASKED, "key")
    assert made["input_files"] == len(listed) == len(set(listed)) == 20
    for each in answers:
        assert (each.status, each.code, each.param) == (503, "still_gathering", "input_prefix")
        assert made["id"] in str(each)
        assert "Ask again with the same Idempotency-Key" in str(each)
        assert each.headers == {"Retry-After": "30", "x-should-retry": "true"}
    function = world.services.gather_function
    assert isinstance(function, MemoryLambdaFunction)
    (asked,) = function.invoked  # once, and not with each try
    assert asked == {"firing": {"tenant": "default", "name": "tickets", "batch_id": made["id"]}}


def test_a_client_is_told_not_to_repeat_a_request_by_itself_that_names_no_firing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchyard.api.create_batch.GATHERED_FOR", -1)
    with pytest.raises(ApiError) as still:
        create_batch(world.services, "default", ASKED)
    assert still.value.headers["x-should-retry"] == "false"
    (firing,) = world.services.gather_store.open_firings()
    assert f"GET /v1/batches/{firing.batch_id}" in str(still.value)
    assert take_up(world.services, "default", "tickets", firing.batch_id) is not None
    assert retrieve_batch(world.services, "default", firing.batch_id)["input_files"] == 1


def test_a_request_is_refused_while_its_tenant_has_all_the_batches_that_may_be_open(world: World) -> None:
    world.services.settings = msgspec.structs.replace(world.services.settings, max_open_batches=1)
    create_batch(world.services, "default", ASKED)
    put(world, {"b.jsonl": lines_of("b", 1)})
    with pytest.raises(ApiError) as refused:
        create_batch(world.services, "default", ASKED)
    assert refused.value.status == 429


def test_a_run_with_bytes_fires_and_one_in_a_folder_below_is_a_file(world: World) -> None:
    world.backing.put(f"{FOLDER}sub/RUN", lines_of("sub", 1), {})
    assert gather(world.services, BUCKET, f"{FOLDER}sub/RUN") is None
    world.backing.put(f"{FOLDER}RUN", lines_of("run", 1), {})
    batch = gather(world.services, BUCKET, f"{FOLDER}RUN")
    assert batch is not None
    assert {file.name for file in bucket_of(world).file_list(batch.input).files} == {"a.jsonl", "sub/RUN"}
