"""The sweep tells what it saw on its way, however many runs the way takes, and nothing where there is nothing."""

import json
from typing import Any

import pytest

from batchyard.domain.step import Step
from batchyard.recovery.sweep import sweep
from batchyard.recovery.sweep_run import RESERVE
from batchyard.shards.submit import submit
from tests.fakes.batches import batch
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.recovery.test_sweep import clock

HOUR = 3_600


def told(printed: str) -> dict[str, Any]:
    """Return the last value of each metric, by name and dimension."""
    found = dict[str, Any]()
    for line in (json.loads(text) for text in printed.splitlines() if "CloudWatchMetrics" in text):
        for each in line["_aws"]["CloudWatchMetrics"]:
            names = [line[name] for name in each["Dimensions"][0] if name != "service"]
            found |= {"/".join([metric["Name"], *names]): line[metric["Name"]][0] for metric in each["Metrics"]}
    return found


def with_batches(count: int, **settings: str | int) -> MemoryServices:
    services = MemoryServices(**settings)
    for at in range(count):
        made = batch(batch_id=f"batch_{at:032x}", created_at=services.now() - at * HOUR, tenant=f"tenant-{at % 2}")
        services.batch_store.create_batch(made)
        services.executions.start(made.batch_id, {})
    return services


def test_open_batches_their_age_and_the_fullest_tenant_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(with_batches(3, max_open_batches=4))
    found = told(capsys.readouterr().out)
    assert (found["OpenBatches"], found["OldestBatchHours"], found["QuotaUse/open_batches"]) == (3, 2.0, 50.0)
    assert "PausedBatches" not in found


def test_a_way_of_several_runs_is_told_at_its_end_and_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    services = with_batches(4)
    sweep(services, clock(*[600] * 7, RESERVE))  # this task has time for some of them
    assert "OpenBatches" not in told(capsys.readouterr().out)
    assert services.sweep_store.bookmark("batches")["census"]["open"] in range(1, 4)
    sweep(services)
    assert told(capsys.readouterr().out)["OpenBatches"] == 4


def test_shards_are_told_by_their_reservations_and_the_room_of_a_model_by_its_limit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = planned(max_enqueued_tokens="1000")
    step = Step(next(iter(services.batch_store.batches)), 0)
    assert submit(services, step).next == "poll"
    services.executions.start(step.batch_id, {})
    sweep(services)
    found = told(capsys.readouterr().out)
    assert found["Shards/sent"] == 1
    assert 0 < found["QuotaUse/enqueued_tokens"] < 100
    assert not {"Shards/waiting", "Shards/at_provider"} & found.keys()


def test_bytes_are_told_for_the_tenant_that_stores_the_most(capsys: pytest.CaptureFixture[str]) -> None:
    services = MemoryServices(max_stored_bytes=1_000)
    for tenant, size in (("a", 100), ("b", 700), ("c", 300)):
        services.quota_store.count(tenant, size, services.now())
    sweep(services)
    assert told(capsys.readouterr().out)["QuotaUse/stored_bytes"] == 70.0


def test_a_stack_at_rest_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(MemoryServices())
    assert {name.partition("/")[0] for name in told(capsys.readouterr().out)} <= {"ProviderCallTime"}
