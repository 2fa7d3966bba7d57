"""What every dialect must do, against its emulator: the same tests for each, so that no caller has to know which it is."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from batch_client import (
    AuthenticationError,
    BatchClientError,
    CannotTell,
    CreateOutcomeUnknown,
    Dialect,
    DownloadIncomplete,
    Job,
    Look,
    NotFoundError,
    State,
)
from batch_client import BatchError as Problem
from batchyard.domain.batch import BatchError
from batchyard.domain.outcomes import outcome_of, parse
from batchyard.domain.policy import Outcome, Reaction, after_failed_batch, after_failed_call
from tests.fakes.s3_server import s3_server
from tests.integration.batch_client.dialects import DIALECTS, Entry
from tests.integration.local.emulator.running import Emulator, jsonl, started

SECONDS_TO_END: Final = 15.0
IDS: Final = [f"line {number}" for number in range(10)]  # with a space, as OpenAI takes it
LABELS: Final = {"yard_stack": "yard", "yard_batch": "batch_1"}
QUICK: Final = {"seconds_per_batch": 0.05}
BATCHES: Final = itertools.count(1)
pytestmark = pytest.mark.parametrize("entry", DIALECTS, ids=lambda entry: entry.name)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with s3_server() as s3, started("--aws", s3.url) as emulator:
        emulator.s3 = s3
        yield emulator


class Service:
    """One dialect, spoken to an emulator that follows a scenario."""

    def __init__(self, entry: Entry, emulator: Emulator, **scenario: Any) -> None:
        emulator.play(**{**QUICK, **entry.scenario, **scenario})
        self.entry, self.emulator = entry, emulator
        assert emulator.s3 is not None
        self.dialect: Dialect = entry.speak(emulator.url, emulator.api_key, emulator.s3)
        self.began = int(time.time()) - 60
        #: Of a batch, so that no two tests submit under one key.
        self.batch = f"batch_{next(BATCHES)}"
        #: Of each job that was submitted.
        self.keys: dict[str, str] = {}

    def job(self, attempt: int = 1, ids: list[str] = IDS) -> tuple[Job, bytes]:
        """Prepare a job of these lines."""
        key = f"{self.batch}/0/{attempt}"
        lines = jsonl([self.entry.line(custom_id) for custom_id in ids])
        job = Job(
            key=key, labels=LABELS, endpoint=self.entry.endpoint, model="m", window="24h", count=len(ids),
            filename=f"{key.replace('/', '-')}.jsonl",
        )  # fmt: skip
        laid = self.dialect.prepare(job, Bytes(lines))
        assert (laid is not None) is ("prepare" in self.entry.operations or self.entry.in_bucket)
        return Job(**{**as_dict(job), "prepared": laid.id if laid else None}), lines

    def submit(self, attempt: int = 1, ids: list[str] = IDS) -> tuple[Job, Look]:
        job, lines = self.job(attempt, ids)
        made = self.dialect.submit(job, Bytes(lines))
        self.keys[made.id] = job.key
        return job, made

    def until(self, job_id: str, *states: State) -> Look:
        """Look until the job is in one of these states."""
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            seen = self.dialect.look(job_id)
            if seen.state in states:
                return seen
            time.sleep(0.01)
        raise AssertionError(f"{seen.state} ({seen.status}) after {SECONDS_TO_END} s")

    def outcomes(self, seen: Look) -> list[Outcome]:
        """Tell what became of the lines of a job, as Batchyard would."""
        answers = [parse(json.dumps(line).encode()) for line in self.results(seen).values()]
        return [outcome_of(answer) for answer in answers if answer is not None]

    def results(self, seen: Look, ids: list[str] = IDS) -> dict[str, dict[str, Any]]:
        """Read all results; each line has one at most."""
        data = b"".join(chunk for name in seen.results for chunk in self.dialect.read(name, ids, self.keys[seen.id]))
        lines = [json.loads(line) for line in data.splitlines()]
        found = {line["custom_id"]: line for line in lines}
        assert len(found) == len(lines)
        return found

    def order(self, verb: str, fault: dict[str, Any], nth: str = "1-") -> None:
        """Have a call fail from now on."""
        self.emulator.play(
            **QUICK, **self.entry.scenario, calls=[{"operation": self.entry.operations[verb], "nth": nth, "do": fault}]
        )

    def made(self) -> list[str]:
        """Name the jobs that the emulator has made, by its own ledger."""
        return [str(entry["id"]) for entry in self.emulator.admin("/ledger?lines=false")["data"]]


class Bytes(bytes):
    """A source of an upload."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override]
        yield self[: len(self)]


def as_dict(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in job.__struct_fields__}


def test_a_job_goes_its_way_and_each_line_has_one_result(entry: Entry, emulator: Emulator) -> None:
    which = {"custom_id": IDS[3]} if entry.names_lines else {"lines": 4}
    service = Service(entry, emulator, lines=[{**which, "do": entry.bad_line}])
    _, made = service.submit()
    assert made.state in {State.WAITING, State.RUNNING}
    ended = service.until(made.id, State.ENDED)
    assert (ended.id, ended.partial, ended.problems) == (made.id, False, ())
    assert ended.whole
    assert ended.counts is None or (ended.counts.total, ended.counts.completed, ended.counts.failed) == (10, 9, 1)
    found = service.results(ended)
    assert sorted(found) == IDS
    assert {each: line.get("response", {}).get("status_code") for each, line in found.items()} == {
        **dict.fromkeys(IDS, 200), IDS[3]: entry.bad_status,
    }  # fmt: skip


def test_what_is_forgotten_cannot_be_read_again_and_may_be_forgotten_twice(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    job, made = service.submit()
    ended = service.until(made.id, State.ENDED)
    names = [*ended.results, *filter(None, [job.prepared])]
    assert [service.dialect.forget(name) for name in names] == [True] * len(names)
    assert not any(service.dialect.forget(name) for name in names)
    for name in ended.results:
        with pytest.raises(NotFoundError):
            b"".join(service.dialect.read(name, IDS))


@pytest.mark.parametrize("how", [{"connection": "reset"}, {"connection": "close"}, {"status": 502}, {"html": True}])
def test_a_job_whose_answer_was_lost_is_found_and_made_once(
    entry: Entry, emulator: Emulator, how: dict[str, Any]
) -> None:
    service = Service(entry, emulator)
    before, _ = service.submit(1, [f"other {number}" for number in range(10)])
    job, lines = service.job(2)
    known = service.made()
    rule = {"operation": entry.operations["submit"], "nth": 1, "do": {"after_effect": True, **how}}
    pace = 0.5 if entry.finds_at_end else 0.05
    emulator.play(**{**entry.scenario, "seconds_per_batch": pace, "calls": [rule]})
    with pytest.raises(CreateOutcomeUnknown):
        service.dialect.submit(job, Bytes(lines))
    (lost,) = set(service.made()) - set(known)
    if not entry.finds:
        with pytest.raises(CannotTell):
            service.dialect.find(job, service.began)
        return
    if entry.finds_at_end:
        with pytest.raises(CannotTell, match=lost):
            service.dialect.find(job, service.began, service.keys)
        service.until(lost, State.ENDED)
    found = service.dialect.find(job, service.began, service.keys)
    assert found is not None
    assert found.id == lost
    assert before.key != job.key


@pytest.mark.parametrize("how", [{"connection": "reset"}, {"status": 502}])
def test_a_job_that_was_not_made_is_not_found(entry: Entry, emulator: Emulator, how: dict[str, Any]) -> None:
    service = Service(entry, emulator)
    service.submit(1, [f"other {number}" for number in range(10)])
    job, lines = service.job(2)
    known = service.made()
    service.order("submit", how, nth="1")
    with pytest.raises(CreateOutcomeUnknown):
        service.dialect.submit(job, Bytes(lines))
    assert service.made() == known
    if not (entry.finds and entry.denies):
        with pytest.raises(CannotTell):
            service.dialect.find(job, service.began)
        return
    assert service.dialect.find(job, service.began, service.keys) is None


def test_a_job_that_is_stopped_before_it_ran_ends_with_its_lines_not_run(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator, seconds_per_batch=600)
    _, made = service.submit()
    assert service.dialect.stop(made.id).state in {State.ENDING, State.ENDED}
    ended = service.until(made.id, State.ENDED)
    assert ended.partial
    assert service.outcomes(ended) == [Outcome.UNFINISHED] * (10 if "before it runs" in entry.tells_the_rest else 0)


def test_a_job_that_is_stopped_while_it_runs_keeps_what_is_finished(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator, seconds_per_batch=1.0)
    _, made = service.submit()
    time.sleep(0.7)
    service.dialect.stop(made.id)
    ended = service.until(made.id, State.ENDED)
    assert not ended.problems
    outcomes = service.outcomes(ended)
    billed = len(emulator.ledger(made.id)["billed"])
    rest = 10 - billed if "while it runs" in entry.tells_the_rest else 0
    assert sorted(outcomes) == [Outcome.SUCCEEDED] * billed + [Outcome.UNFINISHED] * rest
    assert 0 < billed < 10


def test_a_job_that_has_ended_is_not_changed_by_a_stop(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    _, made = service.submit()
    ended = service.until(made.id, State.ENDED)
    assert service.dialect.stop(made.id) == ended == service.dialect.look(made.id)


def test_an_odd_word_is_unknown_and_kept(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator, **entry.odd)
    _, made = service.submit()
    seen = service.until(made.id, State.UNKNOWN)
    assert (seen.status, seen.ended, seen.partial) == (entry.odd_word, False, False)


def verbs(service: Service, job: Job, lines: bytes, made: Look) -> dict[str, Callable[[], object]]:
    dialect, name = service.dialect, (made.results or (made.id,))[0]
    return {
        "prepare": lambda: dialect.prepare(job, Bytes(lines)),
        "submit": lambda: dialect.submit(job, Bytes(lines)),
        "look": lambda: dialect.look(made.id),
        "stop": lambda: dialect.stop(made.id),
        "find": lambda: dialect.find(job, service.began),
        "read": lambda: b"".join(dialect.read(name, IDS)),
        "forget": lambda: dialect.forget(name),
    }


def test_a_refused_key_is_told_by_each_call_and_asks_for_a_person(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    job, lines = service.job()
    ended = service.until(service.dialect.submit(job, Bytes(lines)).id, State.ENDED)
    emulator.play(**entry.scenario, api_key="rotated")
    calls = verbs(service, job, lines, ended)
    for verb in entry.operations:
        with pytest.raises(AuthenticationError) as refused:
            calls[verb]()
        assert after_failed_call(refused.value) is Reaction.PAUSE, verb


@pytest.mark.parametrize("verb", ["submit", "look", "stop", "find", "read"])
def test_a_busy_service_is_asked_again(entry: Entry, emulator: Emulator, verb: str) -> None:
    if verb not in entry.operations:
        pytest.skip("no call of the service: its results lie in a bucket of ours")
    service = Service(entry, emulator)
    job, lines = service.job()
    ended = service.until(service.dialect.submit(job, Bytes(lines)).id, State.ENDED)
    service.order(verb, {"status": 429, "headers": {"retry-after": "0"}})
    with pytest.raises(BatchClientError) as refused:
        verbs(service, job, lines, ended)[verb]()
    assert after_failed_call(refused.value) is Reaction.RETRY


def reaction_to(service: Service) -> tuple[Reaction | None, Look | None]:
    """Submit, and answer what the refusal asks for: at the submit, or when the job has ended."""
    try:
        _, made = service.submit()
    except BatchClientError as error:
        return after_failed_call(error), None
    ended = service.until(made.id, State.ENDED)
    return (after_failed_batch(map(ours, ended.problems)) if ended.problems else None), ended


def ours(problem: Problem) -> BatchError:
    return BatchError(problem.code or "", problem.message or "", problem.param, problem.line)


def test_a_service_without_room_is_told_from_one_that_refuses(entry: Entry, emulator: Emulator) -> None:
    reaction, ended = reaction_to(Service(entry, emulator, **entry.full))
    assert reaction == entry.when_full
    assert ended is None or emulator.ledger(ended.id)["billed"] == []


def test_an_empty_purse_makes_no_line_an_error(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator, **entry.broke)
    reaction, ended = reaction_to(service)
    if reaction is None:  # told line by line
        assert ended is not None
        assert service.outcomes(ended) == [Outcome.UNFINISHED] * 10
        return
    assert reaction is Reaction.PAUSE


def test_a_result_that_breaks_off_is_made_whole_or_refused(entry: Entry, emulator: Emulator) -> None:
    if entry.in_bucket:
        pytest.skip("no call of the service: its results lie in a bucket of ours")
    service = Service(entry, emulator)
    _, made = service.submit()
    ended = service.until(made.id, State.ENDED)
    whole = service.results(ended)
    for framing in ("length", "chunked", "close"):
        cut = {"cut": {"at": 0.6, "framing": framing}}
        service.order("read", cut, nth="1")
        assert service.results(ended) == whole
        service.order("read", cut)
        with pytest.raises(DownloadIncomplete):
            service.results(ended)


def test_jobs_are_listed_newest_first_and_behind_one_of_them(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    first, second = service.submit(1)[1], service.submit(2)[1]
    listed = [next(jobs) for jobs in [service.dialect.jobs(None)] for _ in range(2)]
    assert [each.id for each in listed] == [second.id, first.id]
    assert next(service.dialect.jobs(second.id)).id == first.id
    if entry.keeps_labels:
        assert [each.key for each in listed] == [f"{service.batch}/0/2", f"{service.batch}/0/1"]
        assert listed[0].labels == LABELS


def test_inputs_are_listed_by_their_names(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    job, _ = service.job()
    listed = {
        each.id: each.filename for each in itertools.islice(service.dialect.inputs(None), 10)
    }  # others' results, too
    if job.prepared is None:
        assert listed == {}
        return
    assert listed[job.prepared] == job.filename


def test_a_job_that_is_not_there_is_not_found(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    with pytest.raises(NotFoundError):
        service.dialect.look("batch_" + "0" * 32)


def test_one_request_is_answered_at_once(entry: Entry, emulator: Emulator) -> None:
    service = Service(entry, emulator)
    answer = service.dialect.send(entry.endpoint, json.dumps(entry.line("a")["body"]).encode(), 10.0)
    assert answer.status == 200
    assert json.loads(answer.data)["usage"]
