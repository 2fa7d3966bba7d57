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
from tests.faults.scene import Scene

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
    scene = Scene(max_requests_per_shard=4)
    scene.drop(SIX)
    scene.finish()
    return len(scene.provider.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_call_may_fail(kind: str, *, after: bool) -> None:
    if after and not isinstance(KINDS[kind]("create_batch"), type(lost("create_batch"))):
        after = False  # a refusal has no effect
    for at in range(calls_of_a_run()):
        scene = Scene(max_requests_per_shard=4)
        scene.provider.troubles = [*[None] * at, *[Trouble(KINDS[kind], after=after)] * 2]
        batch_id = scene.drop(SIX)
        scene.finish(calm=False)
        assert scene.wrongs() == [], f"call {at}"
        assert scene.record(batch_id)["status"] == "completed"
        assert len(scene.provider.made) == 2
        assert scene.record(batch_id)["counts"] == {"total": 6, "completed": 6, "failed": 0}


@pytest.mark.parametrize("made", [True, False], ids=["and it was made", "and it was not made"])
def test_the_answer_to_a_create_is_lost_ten_times(scene: Scene, *, made: bool) -> None:
    scene.provider.troubles = [Trouble(lost, operation="create_batch", after=made and at == 0) for at in range(10)]
    batch_id = scene.drop(SIX[:4])
    scene.finish(calm=False)
    assert scene.record(batch_id)["status"] == "completed"
    assert len(scene.provider.made) == 1


@pytest.mark.parametrize("kind", ["rate limited, not told when", "a server error", "a gateway's page"])
def test_nothing_works_for_an_hour(scene: Scene, kind: str) -> None:
    scene.provider.troubles = [Trouble(KINDS[kind]) for _ in range(40)]
    began = scene.clock.now
    batch_id = scene.drop(SIX)
    scene.finish(calm=False)
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.clock.now > began + 600
    assert len(scene.provider.made) == 2


@pytest.mark.parametrize("kind", ["a key that is refused", "no right", "no money"])
def test_the_operator_takes_half_a_day_to_see_to_it(scene: Scene, kind: str) -> None:
    scene.provider.troubles = [Trouble(KINDS[kind]) for _ in range(150)]
    batch_id = scene.drop(SIX)
    for _ in range(12):
        for execution in scene.machine.running:
            scene.machine.turn(execution)
    assert scene.record(batch_id)["status"] == "in_progress"
    assert scene.record(batch_id)["paused"]
    scene.finish(calm=False)
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.record(batch_id)["paused"] is None


def test_the_provider_does_not_find_its_batch_for_some_hours(scene: Scene) -> None:
    missing = Trouble(lambda _: NotFoundError("No batch found", status=404), operation="retrieve_batch")
    scene.provider.troubles = [missing] * 50
    scene.drop(SIX[:4])
    scene.finish(calm=False)
    assert len(scene.provider.made) == 1


def test_the_provider_never_finds_its_batch_again(scene: Scene) -> None:
    batch_id = scene.drop(SIX[:4])
    scene.play_until("retrieve_batch")
    forgotten = scene.provider.batches.pop("pb-0")
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.clock.now - (forgotten.created_at or 0) >= 86_400  # its whole window was waited out
