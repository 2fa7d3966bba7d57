"""Whatever events and executions left undone is seen to, in bounded time, and no failure keeps the rest."""

import json
from collections.abc import Callable

import msgspec
import pytest

from batchyard.domain.batch import InputObject
from batchyard.domain.errors import KeyMissing, StoreError
from batchyard.recovery.dead_executions import MOST_RESTARTS
from batchyard.recovery.sweep import sweep
from batchyard.recovery.sweep_run import RESERVE
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.bucket import MemoryBucket
from tests.fakes.planned import INPUT, dropped, planned
from tests.fakes.services import MemoryServices


def started(**members: object) -> MemoryServices:
    """Make services whose batch has an execution."""
    services = dropped()
    services.bucket.stored.clear()  # its upload is no concern here
    services.executions.start(BATCH_ID, {})
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(services.batch_store.batch(BATCH_ID), **members)
    return services


class OneUnreadable(MemoryBucket):
    """A bucket of which one object cannot be looked at just now."""

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        if version_id and "bad" in key:
            raise StoreError(key)
        return super().head(key, version_id)


def test_an_upload_that_cannot_be_taken_in_does_not_keep_the_others_and_is_told_at_the_end() -> None:
    services = MemoryServices()
    services.bucket = OneUnreadable()
    for name in ("a", "bad", "c"):
        services.bucket.put(f"inbox/default/{name}.jsonl", INPUT)
    with pytest.raises(StoreError, match=r"1 things .*bad"):
        sweep(services)
    taken = sorted(each.input.key for each in services.batch_store.batches.values())
    assert taken == ["inbox/default/a.jsonl", "inbox/default/c.jsonl"]
    assert sorted(services.executions.started) == sorted(services.batch_store.batches)


def clock(*readings: float) -> Callable[[], float]:
    """Tell these seconds left, the last one for good."""
    left = list(readings)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_task_that_runs_out_of_time_goes_on_in_the_next_run() -> None:
    services = MemoryServices()
    for name in "abcd":
        services.bucket.put(f"inbox/default/{name}.jsonl", INPUT)
    assert sweep(services, clock(600, 600, 600, RESERVE)) == {"UploadsStarted": 2}
    assert services.sweep_store.bookmark("inbox")["after"] == "inbox/default/b.jsonl"
    assert sweep(services) == {"UploadsStarted": 2}
    assert "after" not in services.sweep_store.bookmark("inbox")
    assert sweep(services) == {}


def test_one_task_that_takes_long_leaves_the_others_their_time() -> None:
    services = started()
    services.executions.statuses[BATCH_ID] = "ABORTED"
    for number in range(500):
        services.bucket.put(f"inbox/default/{number:03}.jsonl", INPUT)
    at = [600.0]

    def seconds_left() -> float:
        at[0] -= 1
        return at[0]

    done = sweep(services, seconds_left)
    assert done["ExecutionsRestarted"] == 1
    assert 0 < done["UploadsStarted"] < 500


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
@pytest.mark.parametrize("end", ["FAILED", "ABORTED", "SUCCEEDED"])
def test_a_dead_execution_of_a_batch_that_has_not_ended_is_started_anew_under_another_name(
    status: str, end: str
) -> None:
    services = started(status=status)
    services.executions.statuses[BATCH_ID] = end
    assert sweep(services) == {"ExecutionsRestarted": 1}
    assert services.batch_store.batch(BATCH_ID).restarts == 1
    assert services.executions.started == [BATCH_ID, f"{BATCH_ID}-2"]
    assert sweep(services) == {}


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_an_execution_that_lives_is_left_alone(status: str) -> None:
    services = started()
    services.executions.statuses[BATCH_ID] = status
    assert sweep(services) == {}


def test_executions_are_listed_and_only_one_that_is_not_among_those_that_run_is_looked_at() -> None:
    services = started()
    assert sweep(services) == {}
    assert services.executions.looked == []
    services.executions.statuses[BATCH_ID] = "FAILED"
    assert sweep(services) == {"ExecutionsRestarted": 1}
    assert services.executions.looked == [BATCH_ID]


def test_an_execution_that_was_never_started_is_started_under_its_own_name() -> None:
    services = started()
    services.executions.started.clear()
    assert sweep(services) == {"ExecutionsStarted": 1}
    services.executions.started.clear()
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(services.batch_store.batch(BATCH_ID), restarts=1)
    assert sweep(services) == {"ExecutionsStarted": 1}  # the last worker died between counting a restart and making it
    assert services.executions.started == [f"{BATCH_ID}-2"]


def test_a_batch_whose_executions_die_again_and_again_fails() -> None:
    services = started(status="in_progress")
    for _ in range(MOST_RESTARTS):
        services.executions.statuses[services.executions.started[-1]] = "FAILED"
        assert sweep(services) == {"ExecutionsRestarted": 1}
    services.executions.statuses[services.executions.started[-1]] = "FAILED"
    assert sweep(services) == {"BatchesGivenUp": 1}
    given_up = services.batch_store.batch(BATCH_ID)
    assert (given_up.status, given_up.restarts) == ("failed", MOST_RESTARTS)
    assert "FAILED, after 3 restarts" in given_up.errors[0].message
    assert (services.event_bus.announced, services.cancel_function.invoked) == (["failed"], [{"batch_id": BATCH_ID}])


def test_an_execution_that_ran_out_of_its_sixty_days_is_not_started_again() -> None:
    services = started(status="in_progress")
    services.executions.statuses[BATCH_ID] = "TIMED_OUT"
    assert sweep(services) == {"BatchesGivenUp": 1}
    assert services.batch_store.batch(BATCH_ID).status == "failed"


def test_two_sweeps_that_see_the_same_dead_execution_start_one() -> None:
    services = started(status="in_progress")
    services.executions.statuses[BATCH_ID] = "ABORTED"
    look = services.executions.status

    def overtaken(name: str) -> str | None:
        services.executions.status = look  # type: ignore[method-assign]  # the other one meets no third
        seen = look(name)
        assert sweep(services) == {"ExecutionsRestarted": 1}
        return seen

    services.executions.status = overtaken  # type: ignore[method-assign]
    assert sweep(services) == {}
    assert services.executions.started == [BATCH_ID, f"{BATCH_ID}-2"]


def test_a_batch_that_ends_while_it_is_looked_at_is_not_started_again() -> None:
    services = started(status="finalizing")
    look = services.executions.status

    def ends(name: str) -> str | None:
        services.batch_store.move_batch(BATCH_ID, "completed", NOW)
        services.executions.statuses[BATCH_ID] = "SUCCEEDED"
        return look(name)

    services.executions.status = ends  # type: ignore[method-assign]
    assert sweep(services) == {}
    assert services.executions.started == [BATCH_ID]


def test_what_was_done_is_published_as_metrics_of_this_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack-1")
    services = started()
    services.executions.statuses[BATCH_ID] = "ABORTED"
    sweep(services)
    sweep(services)
    published = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ExecutionsRestarted" in line]
    published = [each for each in published if "_aws" in each]
    assert [(each["ExecutionsRestarted"], each["service"]) for each in published] == [([1.0], "stack-1")]
    (metrics,) = published[0]["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "Batchyard"


def test_before_a_key_is_stored_the_sweep_asks_the_provider_once_and_nothing_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = started()
    services.provider.trouble = {name: [KeyMissing("Type it.")] for name in ("iter_batches", "iter_files")}
    assert sweep(services) == {}
    assert services.provider.calls == ["iter_batches"]
    assert "ProviderFailures" not in capsys.readouterr().out


def test_a_batch_restarted_in_the_middle_is_not_planned_again() -> None:
    services = planned()
    services.bucket.stored.pop("inbox/default/requests.jsonl")
    services.executions.start(BATCH_ID, {})
    services.executions.statuses[BATCH_ID] = "ABORTED"
    assert sweep(services) == {"ExecutionsRestarted": 1}
    assert services.batch_store.batch(BATCH_ID).status == "in_progress"
