"""What may become of a call to the provider: each kind of trouble at each call of a run, and storms of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_client import (
    APITimeoutError,
    AuthenticationError,
    ConflictError,
    DownloadIncomplete,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from tests.faults.provider import Trouble, lost
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_client import BatchClientError

    Kind = Callable[[str], BatchClientError]

SIX = [f"r{at}" for at in range(6)]
POSTS = {"create_file", "create_batch"}


def read_or_lost(error: BatchClientError) -> Kind:
    """Make an error that a POST shows as a lost answer, for nobody can tell whether it had its effect."""
    return lambda call: lost(call) if call in POSTS else error


KINDS: dict[str, Kind] = {
    "the answer is lost": lost,
    "no answer in time": read_or_lost(APITimeoutError("too slow")),
    "rate limited, told when": lambda _: RateLimitError("slow down", status=429, retry_after=7),
    "rate limited, not told when": lambda _: RateLimitError("slow down", status=429),
    "rate limited for a day": lambda _: RateLimitError("slow down", status=429, retry_after=86_400),
    "rate limited, not to be retried": lambda _: RateLimitError("slow down", status=429, retryable=False),
    "a server error": read_or_lost(ServerError("oops", status=500)),
    "a gateway's page": read_or_lost(ServerError("<html>", status=502)),
    "overloaded": read_or_lost(ServerError("busy", status=503)),
    "an answer that is no answer": read_or_lost(ProtocolError("not JSON")),
    "a key that is refused": lambda _: AuthenticationError("bad key", status=401, code="invalid_api_key"),
    "no right": lambda _: PermissionDeniedError("not yours", status=403),
    "no money": lambda _: QuotaError("pay first", status=429, code="insufficient_quota"),
    "a conflict": lambda call: lost(call) if call in POSTS else ConflictError("busy", status=409),
    "a download that breaks off": lambda call: DownloadIncomplete("short") if call == "download_file" else lost(call),
}


def calls_of_a_run() -> int:
    world = StruckWorld(max_requests_per_shard=4)
    world.upload(SIX)
    world.finish()
    return len(world.provider.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_call_may_fail(kind: str, *, after: bool) -> None:
    if after and not isinstance(KINDS[kind]("create_batch"), type(lost("create_batch"))):
        after = False  # a refusal has no effect
    for at in range(calls_of_a_run()):
        world = StruckWorld(max_requests_per_shard=4)
        world.provider.troubles = [*[None] * at, *[Trouble(KINDS[kind], after=after)] * 2]
        batch_id = world.upload(SIX)
        world.finish(calm=False)
        assert world.wrongs() == [], f"call {at}"
        assert world.record(batch_id)["status"] == "completed"
        assert len(world.provider.made) == 2
        assert world.record(batch_id)["counts"] == {"total": 6, "completed": 6, "failed": 0}


@pytest.mark.parametrize("made", [True, False], ids=["and it was made", "and it was not made"])
def test_the_answer_to_a_create_is_lost_ten_times(world: StruckWorld, *, made: bool) -> None:
    world.provider.troubles = [Trouble(lost, operation="create_batch", after=made and at == 0) for at in range(10)]
    batch_id = world.upload(SIX[:4])
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert len(world.provider.made) == 1


@pytest.mark.parametrize("kind", ["rate limited, not told when", "a server error", "a gateway's page"])
def test_nothing_works_for_an_hour(world: StruckWorld, kind: str) -> None:
    world.provider.troubles = [Trouble(KINDS[kind]) for _ in range(40)]
    began = world.clock.now
    batch_id = world.upload(SIX)
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert world.clock.now > began + 600
    assert len(world.provider.made) == 2


@pytest.mark.parametrize("kind", ["a key that is refused", "no right", "no money"])
def test_the_operator_takes_half_a_day_to_see_to_it(world: StruckWorld, kind: str) -> None:
    world.provider.troubles = [Trouble(KINDS[kind]) for _ in range(150)]
    batch_id = world.upload(SIX)
    for _ in range(12):
        for execution in world.machine.running:
            world.machine.turn(execution)
    assert world.record(batch_id)["status"] == "in_progress"
    assert world.record(batch_id)["paused"]
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["paused"] is None


def test_the_provider_does_not_find_its_batch_for_some_hours(world: StruckWorld) -> None:
    missing = Trouble(lambda _: NotFoundError("No batch found", status=404), operation="retrieve_batch")
    world.provider.troubles = [missing] * 50
    world.upload(SIX[:4])
    world.finish(calm=False)
    assert len(world.provider.made) == 1


def test_the_provider_never_finds_its_batch_again(world: StruckWorld) -> None:
    batch_id = world.upload(SIX[:4])
    world.play_until("retrieve_batch")
    forgotten = world.provider.batches.pop("pb-0")
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    assert world.clock.now - (forgotten.created_at or 0) >= 86_400  # its whole window was waited out
