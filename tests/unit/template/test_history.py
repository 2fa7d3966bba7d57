"""What the histories of executions hold, counted in the definitions: 25,000 events each, and no execution comes near that."""

from batchyard.domain.step import LEAST_RETRY_CEILING, MOST_INLINE_SHARDS, MOST_SIDE_BY_SIDE, MOST_TURNS, fits_inline
from batchyard.shards.fail import RESTS
from tests.unit.template.documents import Json, state_machine, template

MOST_EVENTS = 25_000  # of a Standard execution
# Entered and exited, and for a task scheduled, started and ended; a nested execution is submitted, too
EVENTS_OF = {"Wait": 2, "Choice": 2, "Pass": 2, "Succeed": 2, "LambdaInvoke": 5, "StartExecutionSync": 6}
OF_ITERATION = 2  # started and ended
OF_RETRY = 3  # failed, scheduled and started
OF_THE_REST = 1_000  # events that Plan and Assemble may take, in as many turns as their inputs need
SHARD = state_machine("shard")["States"]
ITERATION = state_machine()["States"]["Shards"]["ItemProcessor"]["States"]


def events(states: Json, *names: str) -> int:
    """Count the events of these states, one after the other."""
    kinds = (states[name].get("Resource", states[name]["Type"]).strip("${}") for name in names)
    return sum(EVENTS_OF[kind] for kind in kinds)


RUN = events(ITERATION, "RunShard", "Again?")
ANOTHER_RUN = events(ITERATION, "NextRun") + RUN
ONE_RUN = OF_ITERATION + RUN + events(ITERATION, "ShardEnded")


def test_the_events_of_a_shard_are_those_that_the_limits_speak_of() -> None:
    assert (events(SHARD, "Poll", "Wait", "Next?"), ONE_RUN, ANOTHER_RUN) == (9, 12, 10)


def test_an_execution_of_a_shard_ends_long_before_its_history_is_full() -> None:
    assert events(SHARD, "Poll", "Wait", "Next?") * MOST_TURNS < 20_000 < MOST_EVENTS  # the rest is for retries


def test_each_shard_of_an_inline_map_may_go_on_three_times_and_have_two_retries_of_a_start() -> None:
    each = ONE_RUN + 3 * ANOTHER_RUN + 2 * OF_RETRY
    assert MOST_INLINE_SHARDS * each + OF_THE_REST <= MOST_EVENTS


def test_shards_may_wait_side_by_side_for_as_long_as_their_batch_may_run() -> None:
    turns = state_machine()["TimeoutSeconds"] / LEAST_RETRY_CEILING
    waiting = MOST_SIDE_BY_SIDE * ANOTHER_RUN * turns / MOST_TURNS
    assert MOST_INLINE_SHARDS * (ONE_RUN + OF_RETRY) + waiting + OF_THE_REST <= MOST_EVENTS


def test_half_of_the_shards_of_an_inline_map_may_die_and_drain_as_often_as_they_are_tried() -> None:
    died = (1 + len(RESTS)) * (ANOTHER_RUN + events(ITERATION, "FailShard", "Again?"))
    assert MOST_INLINE_SHARDS * ONE_RUN + MOST_INLINE_SHARDS // 2 * died + OF_THE_REST <= MOST_EVENTS


def test_the_numbers_of_an_inline_map_are_no_more_than_an_array_may_have() -> None:
    assert state_machine()["States"]["Numbers"]["Parameters"] == {"all.$": "States.ArrayRange(0, $.last_shard, 1)"}
    assert MOST_INLINE_SHARDS <= 1_000  # items of States.ArrayRange


def test_a_batch_is_run_inline_while_its_shards_and_what_runs_at_once_fit() -> None:
    assert fits_inline(1, 1, 600)
    assert fits_inline(500, 40, 60)
    assert fits_inline(40, 1_000, 600)
    assert not fits_inline(501, 40, 600)
    assert not fits_inline(41, 41, 600)
    assert not fits_inline(1, 1, 59)


def test_with_the_default_settings_only_a_batch_of_more_shards_than_that_takes_a_map_run() -> None:
    settings = template()["Parameters"]
    at_once, ceiling = settings["MaxConcurrentShards"]["Default"], settings["RetryCeilingSeconds"]["Default"]
    assert fits_inline(MOST_INLINE_SHARDS, at_once, ceiling)
