"""What paths of the code publish, played on memory: a batch that goes well, one that waits, one that is given up, and so on."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import pytest

from batch_client import BatchClientError, Job, NotFoundError, QuotaError
from batchyard.domain import statuses
from batchyard.domain.create_limits import slot
from batchyard.domain.numbers import HOUR
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.providers.measured import MeasuredProvider
from batchyard.recovery.sweep import sweep
from batchyard.shards.cancel import cancel
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_batch
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.endings import answering, cancelled
from tests.fakes.failures import EACH_FAILURE
from tests.fakes.lines import bad, good
from tests.fakes.provider import ScriptedProvider
from tests.fakes.world import World, memory_world
from tests.unit.template.cloudwatch import Metric, emitted

MINI: Final = "gpt-4.1-mini"
#: Every call, by the name that the fake has for it, with that of the dialect.
JOB: Final = Job(
    key="k", endpoint="/v1/responses", model="m", window="24h", count=1, filename="x.jsonl", prepared="file-0"
)
CALLS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
    "create_file": ("prepare", lambda provider: provider.prepare(JOB, b"")),
    "retrieve_file": ("prepared", lambda provider: provider.prepared("file-0")),
    "create_batch": ("submit", lambda provider: provider.submit(JOB, b"")),
    "retrieve_batch": ("look", lambda provider: provider.look("pb-0")),
    "cancel_batch": ("stop", lambda provider: provider.stop("pb-0")),
    "find_batch": ("find", lambda provider: provider.find(JOB, 0)),
    "iter_batches": ("jobs", lambda provider: list(provider.jobs())),
    "iter_files": ("inputs", lambda provider: list(provider.inputs())),
    "delete_file": ("forget", lambda provider: provider.forget("file-0")),
    "download_file": ("read", lambda provider: list(provider.read("file-0"))),
    "send": ("send", lambda provider: provider.send("/v1/responses", b"{}")),
}


@cache
def published() -> frozenset[Metric]:
    """Return every metric that one of the paths has published, under the name that the template gives the stack."""
    printed = io.StringIO()
    with redirect_stdout(printed), patch.dict(os.environ, POWERTOOLS_SERVICE_NAME="AWS::StackName"):
        for path in (
            well,
            watched_by_the_sweep,
            an_hour_that_is_full,
            no_slot,
            stopped,
            sent_one_by_one,
            given_up,
            unread,
            late,
            failing,
        ):
            path()
    return frozenset(each for each, _, _ in emitted(printed.getvalue(), 0))


def lines(count: int, model: str = MINI) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": "Say a number."}]}
    rows = [
        {"custom_id": f"r{at}", "method": "POST", "url": "/v1/chat/completions", "body": body} for at in range(count)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def well() -> None:
    """Run a batch of which one line fails."""
    world = memory_world(provider_profile="openai")
    world.provider.endings = [
        answering(lambda custom_id: bad(custom_id, 400) if custom_id == "r1" else good(custom_id))
    ]
    assert world.run(world.drop(lines(3))) == "done"


def dropped(world: World, name: str, model: str = MINI) -> str:
    batch_id = world.drop(lines(1, model), f"inbox/default/{name}.jsonl")
    assert plan(world.services, batch_id).next == "run"
    return batch_id


def watched_by_the_sweep() -> None:
    """Let the sweep find a batch that runs, one that is sent, one that waits for tokens, and one that waits for money."""
    world = memory_world(max_enqueued_tokens="small=1,1000000")
    runs, is_sent, waits, unpaid = (
        dropped(world, name, model) for name, model in (("a", MINI), ("b", "small"), ("c", "small"), ("d", MINI))
    )
    assert submit(world.services, Step(runs, 0)).next == poll(world.services, Step(runs, 0)).next == "poll"
    assert submit(world.services, Step(is_sent, 0)).next == "poll"
    assert submit(world.services, Step(waits, 0)).next == "submit"
    world.provider.before = [None, QuotaError("pay first", status=429, code="insufficient_quota")]
    assert submit(world.services, Step(unpaid, 0)).next == "submit"
    world.clock.now += HOUR
    world.services.quota_store.count("default", 10**9, world.services.now())
    sweep(world.services)
    world.run_shard(Step(is_sent, 0))
    assert submit(world.services, Step(waits, 0)).next == "poll"


def an_hour_that_is_full() -> None:
    """Create as many provider batches as the hour holds, and one more."""
    world = memory_world(max_creates_per_hour=1)
    assert [submit(world.services, Step(dropped(world, name), 0)).next for name in "ab"] == ["poll", "submit"]


def no_slot() -> None:
    """Submit while another worker holds the one slot."""
    world = memory_world(max_concurrent_submits=1)
    assert world.services.account().creations.take_slot(slot("other", world.services.now()), 1)
    assert submit(world.services, Step(dropped(world, "a"), 0)).next == "submit"


def stopped() -> None:
    """Cancel a batch that is at the provider."""
    world = memory_world()
    batch_id = world.drop(lines(1))
    world.run_until_submitted(batch_id)
    world.services.batch_store.move_batch(batch_id, statuses.CANCELLING, world.services.now())
    assert cancel(world.services, batch_id) == 1


def sent_one_by_one() -> None:
    """Finish the tail of a shard whose provider batch met its deadline."""
    world = memory_world(deadline_action="finish")
    batch_id = world.drop(lines(1))
    world.run_until_submitted(batch_id)
    world.clock.now += 23 * HOUR
    world.provider.endings, world.provider.polls_before_end = [cancelled()], 0
    world.run_shard(Step(batch_id, 0))
    assert world.provider.direct == ["Say a number."]


def given_up() -> None:
    """Fail a batch, as a Catch of its state machine does."""
    world = memory_world()
    fail_batch(world.services, world.drop(lines(1)), {"Error": "States.Runtime", "Cause": "no"})


def unread() -> None:
    """Let the sweep meet a bookmark that it cannot read."""
    world = memory_world()
    world.services.sweep_store.keep_bookmark("inbox", {"rest_until": "soon"})
    assert sweep(world.services)["SetApart"] == 1


def late() -> None:
    """Fail to bring in what an ended provider batch answered, for a third of the time that the provider keeps it."""
    world = memory_world(provider_profile="openai")
    world.provider.polls_before_end = 0
    batch_id = world.drop(lines(1))
    world.run_until_submitted(batch_id)
    assert (step := poll(world.services, Step(batch_id, 0))).next == "collect"
    world.clock.now += 240 * HOUR
    world.provider.before = [QuotaError("pay first", status=402)]
    assert collect(world.services, step).next == "collect"


def failing() -> None:
    """Make each call, and have it fail in each way there is."""
    for name, (_, call) in CALLS.items():
        for error in ways(name):
            provider = ScriptedProvider(trouble={name: [error]})
            if name == "delete_file" and isinstance(error, NotFoundError):
                continue  # what is gone already is deleted
            with pytest.raises(type(error)) as raised:
                call(MeasuredProvider(provider))
            assert raised.value is error


def ways(name: str) -> Iterator[BatchClientError]:
    yield from (failure.error(name) for failure in EACH_FAILURE.values())
    yield BatchClientError("a kind that is not known yet")
