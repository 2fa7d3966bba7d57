"""A retry is made once, and gives way if other retries of the same batch are first each time, however it is asked for."""

from typing import Any

import pytest

from batchyard.api.batches import retrieve_batch, retry_batch
from batchyard.domain.errors import ApiError
from tests.fakes.endings import answering
from tests.fakes.lines import bad, jsonl, request
from tests.fakes.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1)


def parent(world: World) -> str:
    world.provider.endings = [answering(lambda each: bad(each, 400))] * 9
    batch_id = world.drop(jsonl([request("r0")]))
    assert world.run(batch_id) == "done"
    return batch_id


def others_first(world: World, times: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let other retries be first so often; return what each try was told of as the parent's last retry."""
    tries: list[Any] = []
    create = world.services.batch_store.create_retry

    def late(batch: Any, retried_by: str | None) -> bool:
        tries.append(retried_by)
        return create(batch, retried_by) if len(tries) > times else False

    monkeypatch.setattr(world.services.batch_store, "create_retry", late)
    return tries


@pytest.mark.parametrize("times", [0, 1, 4])
@pytest.mark.parametrize("uploads", [False, True])
def test_a_retry_is_tried_again_while_others_come_and_go(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int, *, uploads: bool
) -> None:
    first = parent(world)
    tries = others_first(world, times, monkeypatch)
    made = world.drop(b"", "inbox/default/again", **{"retry-of": first}) if uploads else retried(world, first)
    assert len(tries) == times + 1
    assert retrieve_batch(world.services, "default", first)["retried_by"] == made
    assert world.run(made) == "done"


def retried(world: World, batch_id: str) -> str:
    return str(retry_batch(world.services, "default", batch_id, {})["id"])


def test_a_request_that_is_never_first_is_told_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parent(world)
    tries = others_first(world, 99, monkeypatch)
    with pytest.raises(ApiError, match="retried by others") as told:
        retried(world, first)
    assert (told.value.status, len(tries)) == (409, 5)


def test_an_upload_that_is_never_first_fails_its_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parent(world)
    tries = others_first(world, 99, monkeypatch)
    told = retrieve_batch(world.services, "default", world.drop(b"", "inbox/default/again", **{"retry-of": first}))
    assert (told["status"], len(tries)) == ("failed", 5)
    assert "being retried by others" in told["errors"]["data"][0]["message"]
