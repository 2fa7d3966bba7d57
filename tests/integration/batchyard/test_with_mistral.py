"""Mistral's dialect between the real client and its emulator, judged by the emulator's books; AWS is in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.fakes.lines import jsonl, request
from tests.faults.strikes import Strike, some
from tests.integration.batchyard.spoken import Spoken, at_any_service, call, emulator_of, run, turn

if TYPE_CHECKING:
    from tests.fakes.world import World
    from tests.integration.local.emulator.running import Emulator

IDS = [f"Kant, § {at}" for at in range(60)]
HOUR = 3_600


def mistral_line(custom_id: str) -> dict[str, Any]:
    return request(custom_id, model="mistral-small-latest")


MISTRAL = Spoken("mistral", mistral_line, {"provider_profile": "mistral"})
UNFINISHED = [
    {"lines": "1-3", "do": {"status": 500, "nameless": True}},
    {"lines": "7", "do": {"error": "x", "nameless": True}},
]
# A job that runs for longer than its window of a day; what it had by then is lost.
SLOW_AND_LOST = {"seconds": 200_000, "loses_answers": True}
SCENARIOS: dict[str, dict[str, Any]] = {
    "all is well": {},
    **at_any_service("createBatchJob", "downloadFile"),
    "a create lost, and a list that lags": {
        "calls": [
            call("createBatchJob", connection="close", after_effect=True), call("listBatchJobs", "1-4", hide_newest=1),
        ]
    },
    "an upload lost after its effect": {"calls": [call("createFile", connection="close", after_effect=True)]},
    "creates refused for a while": {"calls": [call("createBatchJob", "1-4", status=429)]},
    "no money for a while": {"calls": [call("createBatchJob", "1-2", status=402)]},
    "half the output at the timeout": {"batches": [{"batch": 1, "do": {"expire_after": 0.5}}]},
    "nothing at the timeout": {"batches": [{"batch": 1, "do": {"expire_after": 0.0}}]},
    "a job that fails": {"batches": [{"batch": 1, "do": {"fail": "internal"}}]},
    "error lines without a custom_id": {"batches": [{"batch": 1, "do": {"lines": UNFINISHED}}]},
    "lines that are missing, twice, or cut in half": {"batches": [{"batch": 1, "do": {"lines": [
        {"lines": "1-3", "do": {"status": 500, "missing": True}}, {"lines": "4", "do": {"duplicate": True}},
        {"lines": "5", "do": {"status": 500, "malformed": True}},
    ]}}]},
    "statuses that nobody knows": {"statuses": {"in_progress": "ODD", "completed": "ODD"}},
    "40 pending requests": {"pending_requests": 40},
    "files smaller than documented": {"max_file_bytes": 4_000},
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return MISTRAL.world()


emulator = emulator_of("--service", "mistral")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_line_has_its_answer_in_order_and_is_paid_once(world: World, emulator: Emulator, name: str) -> None:
    emulator.play(**SCENARIOS[name])
    before = MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    answers = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answers] == IDS
    assert [each["response"]["body"]["choices"][0]["message"]["content"] for each in answers] == [
        f"You asked: {each}" for each in IDS
    ]
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert Counter(custom_id for each in made for custom_id in each["billed"]) == Counter(IDS)
    assert {each["model"] for each in made} == {"mistral-small-latest"}


def test_answers_lost_at_a_timeout_are_paid_again_by_halves_and_at_most_max_attempts_times(
    world: World, emulator: Emulator
) -> None:
    emulator.play(batches=[{"do": SLOW_AND_LOST}])
    before, most = MISTRAL.connect(world, emulator), world.services.settings.max_attempts
    batch_id = MISTRAL.upload(world, IDS[:40])
    assert plan(world.services, batch_id).next == "run"
    step = Step(batch_id, 0)
    jobs: list[dict[str, Any]] = []
    while len(jobs) < most or step.next != "submit":
        step = turn(world, emulator, step)
        jobs = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sorted(each["request_counts"]["total"] for each in jobs) == [10, 20, 40]
    assert all(each["status"] == "expired" and each["billed"] for each in jobs)
    emulator.play()
    while step.next != "done":
        step = turn(world, emulator, step)
    assert assemble(world.services, batch_id) == "done"
    errors = world.answered(batch_id, "errors.jsonl")
    assert [each["custom_id"] for each in errors] == IDS[:10]
    assert {each["error"]["code"] for each in errors} == {"no_answer"}
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS[10:40]
    paid = Counter(
        each for job in emulator.admin("/ledger")["data"] if job["id"] not in before for each in job["billed"]
    )
    assert max(paid.values()) <= most


def test_answers_lost_at_one_timeout_come_with_the_next_jobs(world: World, emulator: Emulator) -> None:
    emulator.play(batches=[{"batch": 1, "do": SLOW_AND_LOST}])
    before = MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    paid = Counter(custom_id for each in made for custom_id in each["billed"])
    assert set(paid.values()) == {1, 2}, "what was lost at the service was paid there"


def test_errored_lines_are_errors_with_their_native_body_and_cost_nothing(world: World, emulator: Emulator) -> None:
    emulator.play(lines=[{"lines": "2", "do": {"status": 422, "code": "1500"}}])
    MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS[:5])
    assert run(world, emulator, batch_id) == "done"
    (failed,) = world.answered(batch_id, "errors.jsonl")
    assert (failed["custom_id"], failed["response"]["status_code"]) == (IDS[1], 422)
    assert failed["response"]["body"]["error"]["code"] == "1500"


def test_a_line_that_is_never_named_in_the_results_is_an_error_at_last_and_no_line_is_lost(
    world: World, emulator: Emulator
) -> None:
    emulator.play(lines=[{"custom_id": IDS[2], "do": {"status": 500, "nameless": True}}])
    MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS[:5])
    assert run(world, emulator, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [*IDS[:2], *IDS[3:5]]
    assert [each["custom_id"] for each in world.answered(batch_id, "errors.jsonl")] == [IDS[2]]


@pytest.mark.parametrize("window", ["24h", "6d"])
def test_the_window_of_a_batch_is_that_of_its_jobs_and_a_longer_one_is_refused(
    world: World, emulator: Emulator, window: str
) -> None:
    emulator.play()
    before = MISTRAL.connect(world, emulator)
    told = world.drop(jsonl([mistral_line(each) for each in IDS[:3]]), **{"completion-window": window})
    assert run(world, emulator, told) == "done"
    (made,) = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert made["completion_window"] == {"24h": "24h", "6d": "144h"}[window]
    late = world.drop(jsonl([mistral_line("a")]), "inbox/default/late.jsonl", **{"completion-window": "7d"})
    assert "completion_window must be '24h' to '6d'" in world.services.batch_store.batch(late).errors[0].message


def test_results_that_are_gone_after_a_day_are_asked_for_again_and_only_these_are_paid_again(
    world: World, emulator: Emulator
) -> None:
    emulator.play(calls=[])
    before = MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS[:5])
    assert plan(world.services, batch_id).next == "run"
    step = Step(batch_id, 0)
    while step.next != "collect":
        step = turn(world, emulator, step)
    emulator.admin("/clock", {"seconds": 25 * HOUR})
    for _ in range(200):
        if step.next == "done":
            break
        step = turn(world, emulator, step)
    assert assemble(world.services, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS[:5]
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert [len(each["billed"]) for each in made] == [5, 5], "what was lost at the service was paid there"


def test_a_waiting_job_is_looked_at_before_its_results_are_gone(world: World, emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=20 * HOUR)
    MISTRAL.connect(world, emulator)
    batch_id = MISTRAL.upload(world, IDS[:3])
    plan(world.services, batch_id)
    step, longest = Step(batch_id, 0), 0
    for _ in range(400):
        if step.next == "done":
            break
        longest = max(longest, step.wait_seconds)
        step = turn(world, emulator, step)
    assert step.next == "done"
    assert longest <= 6 * HOUR
    assert assemble(world.services, batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == 3


def test_a_finished_batch_leaves_no_file_at_the_service(world: World, emulator: Emulator) -> None:
    emulator.play()
    MISTRAL.connect(world, emulator)
    listed = {each.id for each in world.services.account().client.inputs()}
    batch_id = MISTRAL.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    assert {each.id for each in world.services.account().client.inputs()} == listed
    assert Counter(each["operation"] for each in emulator.admin("/calls")["data"])["deleteFile"] >= 2


@pytest.mark.parametrize(
    ("kind", "after", "lost"),
    [("kill", False, False), ("kill", True, True), ("fail", False, True), ("overtake", False, True)],
    ids=["killed before it", "killed after it, a create lost", "failed, a create lost", "overtaken, a create lost"],
)
def test_whatever_effect_is_struck_each_line_is_paid_once(
    emulator: Emulator, kind: str, *, after: bool, lost: bool
) -> None:
    calls = [call("createBatchJob", connection="reset", after_effect=True)] if lost else []
    emulator.play(calls=calls)
    effects = MISTRAL.struck_run(emulator, None, IDS[:5])[1].count
    assert effects > 20
    for at in some(range(effects), kind, after=after):
        emulator.play(calls=calls)
        before = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}
        world, strikes, batch_id = MISTRAL.struck_run(emulator, Strike(kind, at, after), IDS[:5])
        answers = world.answered(batch_id, "output.jsonl")
        assert [each["custom_id"] for each in answers] == IDS[:5], strikes.struck
        made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
        assert sum(len(each["billed"]) for each in made) == 5, strikes.struck
