import pytest

from batch_client import BatchError, Look, RequestCounts, State
from batchyard.domain.attempt import Attempt, End
from batchyard.domain.job import ATTEMPT_LABEL, end_of, has_taken_in, job_of, may_be_stopped
from batchyard.domain.object_keys import attempt_of_filename
from batchyard.domain.shard import Shard
from tests.fakes.batches import BATCH_ID, NOW

SHARD = Shard(
    batch_id=BATCH_ID, shard=3, expires_at_ttl=1, endpoint="/v1/responses", model="m", lines=9, first=0, last=8,
    unfinished=9, file_id="file-1", version=5, attempts=[Attempt(number=2, started_at=NOW, lines=7)],
)  # fmt: skip
PROBLEM = (BatchError(code="?"),)


def seen(state: State = State.ENDED, *, partial: bool = False, problems: tuple[BatchError, ...] = ()) -> Look:
    return Look(id="pb-0", state=state, status="its word", partial=partial, problems=problems)


def test_a_job_names_its_attempt_by_key_and_by_the_name_of_its_input() -> None:
    job = job_of(SHARD, "7d", "yard")
    assert (job.key, job.filename) == (f"{BATCH_ID}/3/2", f"{BATCH_ID}-00003-0002-5.yard.jsonl")
    assert attempt_of_filename(job.filename, "yard") == (BATCH_ID, 3, 2)
    assert attempt_of_filename(f"{BATCH_ID}-00003-0002.yard.jsonl", "yard") is None, "no version: not one of ours"
    assert (job.endpoint, job.model, job.window, job.count, job.prepared) == ("/v1/responses", "m", "7d", 7, "file-1")
    assert job.labels == {"batchyard_batch": BATCH_ID, "batchyard_stack": "yard"}
    assert ATTEMPT_LABEL not in job.labels


def test_how_an_attempt_ended_is_told_by_problems_first() -> None:
    assert end_of(seen()) is End.WHOLE
    assert end_of(seen(partial=True)) is End.PARTIAL
    assert end_of(seen(problems=PROBLEM)) is End.FAILED
    assert end_of(seen(partial=True, problems=PROBLEM)) is End.FAILED


@pytest.mark.parametrize("counts", [None, RequestCounts(3, 0, 0), RequestCounts(3, 1, 0), RequestCounts(3, 0, 1)])
@pytest.mark.parametrize("state", list(State))
def test_the_provider_had_room_for_what_runs_or_has_run(state: State, counts: RequestCounts | None) -> None:
    ran = counts is not None and counts.completed + counts.failed > 0
    look = Look(id="pb-0", state=state, status="its word", counts=counts)
    assert has_taken_in(look) is (ran or state in {State.RUNNING, State.ENDED})
    assert has_taken_in(seen(problems=PROBLEM)) is False
    assert has_taken_in(seen(partial=True)) is False


def test_what_ends_by_itself_is_not_stopped() -> None:
    assert [state for state in State if may_be_stopped(seen(state))] == [State.WAITING, State.RUNNING, State.UNKNOWN]
