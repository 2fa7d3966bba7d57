"""The tail of a shard, sent one by one near the end of its window."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batch_client import (
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    NotFoundError,
    RateLimitError,
    RequestCounts,
    RequestOutcomeUnknown,
)
from batchyard.domain.attempt import Attempt, End
from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.domain.policy import OUTCOME_UNKNOWN
from batchyard.domain.shard import Shard, with_attempt_members, with_members
from batchyard.domain.step import Next, Step
from batchyard.lines.runs import Run
from batchyard.lines.shard_lines import ShardLines, new_shard
from batchyard.planning.plan import plan
from batchyard.shards.collect import collect
from batchyard.shards.direct import AT_ONCE, LONGEST_SEND, TURN, is_due
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW, batch
from tests.fakes.planned import KEY
from tests.fakes.services import MemoryServices

STEP = Step(BATCH_ID, 0)
WINDOW = 86_400
LATE = NOW + int(WINDOW * 0.9)


def at_the_deadline(
    lines: int = 3,
    url: str = "/v1/responses",
    model: str = "m",
    extra: dict[str, Any] | None = None,
    **settings: str | int,
) -> MemoryServices:
    """Make services whose only provider batch was cancelled at its deadline, with nothing finished, and is collected."""
    services = MemoryServices(**{"deadline_action": "finish", **settings})
    asked = [
        {"custom_id": f"r{at}", "method": "POST", "url": url, "body": {"model": model, "at": at, **(extra or {})}}
        for at in range(lines)
    ]
    services.bucket.put(KEY, b"".join(json.dumps(each).encode() + b"\n" for each in asked))
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0]))
    assert plan(services, BATCH_ID).next == "run"
    assert submit(services, STEP).next == "poll"
    services.provider.end("pb-0", "in_progress", request_counts=RequestCounts(lines, 0, 0))
    services.now_is = float(LATE)
    assert poll(services, STEP).next == "poll"
    assert services.provider.calls[-1] == "cancel_batch"
    services.provider.end("pb-0", "cancelled")
    assert collect(services, STEP).next == "submit"
    services.provider.calls.clear()
    return services


def shard_of(services: MemoryServices) -> Shard:
    return services.batch_store.kept[BATCH_ID, 0]


def written(services: MemoryServices, name: str) -> dict[int, dict[str, Any]]:
    """Read what the last attempt that sent directly left as its run of this name, by position."""
    attempt = next(each for each in reversed(shard_of(services).attempts) if each.direct)
    prefix = f"work/{BATCH_ID}/shards/00000/attempt-{attempt.number:04}-{attempt.runs}/{name}"
    if f"{prefix}.index" not in services.bucket.stored:
        return {}
    return {position: json.loads(line) for position, line in Run(services.bucket, prefix).lines()}


def test_the_tail_is_answered_at_once_line_by_line_and_the_shard_is_done() -> None:
    services = at_the_deadline()
    assert submit(services, STEP).next == "done"
    shard = shard_of(services)
    assert sorted(services.provider.sent) == [("/v1/responses", b'{"model": "m", "at": %d}' % at) for at in range(3)]
    assert [each["custom_id"] for each in written(services, "output").values()] == ["r0", "r1", "r2"]
    assert (shard.done, shard.completed, shard.unfinished, shard.reason) == (True, 3, 0, None)
    assert (shard.attempts[-1].provider_status, shard.attempts[-1].provider_batch_id) == ("direct", None)
    assert services.batch_store.batch(BATCH_ID).counts.completed == 3


def test_usage_is_counted_and_no_tokens_stay_claimed() -> None:
    services = at_the_deadline()
    submit(services, STEP)
    used = services.batch_store.batch(BATCH_ID).usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == (15, 6, 21)
    (name,) = services.account().token_ledgers.names()
    assert services.account().token_ledgers.read(name).enqueued == 0
    assert not list(services.account().token_ledgers.reservations(name))


def test_before_lines_are_sent_it_is_recorded_that_they_are() -> None:
    services, seen = at_the_deadline(AT_ONCE + 1), []
    send = services.provider.send

    def looking(url: str, body: bytes, patience: float = 0) -> Any:
        seen.append((json.loads(body)["at"], shard_of(services).attempts[-1].sent))
        return send(url, body, patience)

    services.provider.send = looking  # type: ignore[method-assign]
    assert submit(services, STEP).next == "done"
    assert sorted(seen) == [*((at, AT_ONCE) for at in range(AT_ONCE)), (AT_ONCE, AT_ONCE + 1)]


@pytest.mark.parametrize(("budget", "by"), [(3, "direct"), (2, "batch"), (0, "batch")])
def test_more_than_the_budget_goes_by_batch_all_of_it(budget: int, by: str) -> None:
    services = at_the_deadline(deadline_budget_requests=budget)
    assert submit(services, STEP).next == ("done" if by == "direct" else "poll")
    assert len(services.provider.sent) == (3 if by == "direct" else 0)
    assert len(services.provider.batches) == (1 if by == "direct" else 2)


@pytest.mark.parametrize("url", ["/v1/videos", "/v1/images/edits"])
def test_what_is_not_answered_at_once_goes_by_batch(url: str) -> None:
    services = at_the_deadline(url=url)
    assert submit(services, STEP).next == "poll"
    assert services.provider.sent == []


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"ended_at": LATE - 1}, False),
        ({"end": End.PARTIAL}, True),
        ({"end": End.LOST}, False),
        ({"end": End.FAILED}, False),
        ({"end": End.DIRECT, "direct": True}, False),
        ({"sent": 98}, False),
    ],
    ids=str,
)
def test_it_is_due_after_a_provider_batch_that_was_collected_at_its_deadline(
    changes: dict[str, Any], due: bool
) -> None:
    services = at_the_deadline()
    assert is_due(services.settings, "24h", with_attempt_members(shard_of(services), **changes)) is due


def test_it_is_not_due_without_a_wish_for_it_nor_before_the_first_attempt() -> None:
    services = at_the_deadline()
    lines = ShardLines.unpack(services.bucket.get(f"work/{BATCH_ID}/shards/00000/lines.msgpack"))
    assert not is_due(services.settings, "24h", new_shard(services.batch_store.batch(BATCH_ID), lines))
    services.settings = MemoryServices(deadline_action="resubmit").settings
    assert not is_due(services.settings, "24h", shard_of(services))


def test_a_lost_answer_is_the_lines_outcome_and_what_was_not_sent_goes_by_batch() -> None:
    services = at_the_deadline(AT_ONCE + 2)
    services.provider.trouble["send"] = [RequestOutcomeUnknown("the line was cut")]
    assert submit(services, STEP).next == "submit"
    assert len(services.provider.sent) == AT_ONCE
    (error,) = written(services, "errors").values()
    assert error["error"]["code"] == OUTCOME_UNKNOWN
    shard = shard_of(services)
    assert (shard.completed, shard.failed, shard.unfinished, shard.codes) == (AT_ONCE - 1, 1, 2, {OUTCOME_UNKNOWN: 1})
    assert submit(services, STEP).next == "poll"
    sent = services.provider.files[
        shard_of(services).attempts[-1].file_id or services.provider.batches["pb-1"].input_file_id or ""
    ]
    assert [json.loads(line)["custom_id"] for line in sent.splitlines()] == [f"r{AT_ONCE}", f"r{AT_ONCE + 1}"]


@pytest.mark.parametrize(
    "refusal",
    [RateLimitError("slow", status=429), NotFoundError("no such endpoint", status=404)],
    ids=lambda error: type(error).__name__,
)
def test_lines_that_were_not_run_go_by_batch_without_a_try_or_a_stall(refusal: BatchClientError) -> None:
    services = at_the_deadline()
    before = shard_of(services)
    services.provider.trouble["send"] = [refusal] * 3
    assert submit(services, STEP) == STEP.then(Next.SUBMIT)
    shard = shard_of(services)
    assert (shard.unfinished, shard.completed, shard.failed, shard.stalls) == (3, 0, 0, before.stalls)
    assert submit(services, STEP).next == "poll"
    assert len(services.provider.batches) == 2
    assert len(services.provider.sent) == 3


def test_a_request_the_provider_refuses_keeps_its_answer_and_does_not_stop_the_others() -> None:
    services = at_the_deadline(AT_ONCE + 1)
    services.provider.trouble["send"] = [BadRequestError("no", status=400, body=b'{"error": {"code": "bad"}}')]
    assert submit(services, STEP).next == "done"
    (error,) = written(services, "errors").values()
    assert error["response"]["body"] == {"error": {"code": "bad"}}
    assert shard_of(services).codes == {"bad": 1}
    assert shard_of(services).completed == AT_ONCE


def test_a_refused_key_is_read_anew_once_for_each_line() -> None:
    services = at_the_deadline(1)
    services.provider.trouble["send"] = [AuthenticationError("rotated", status=401)]
    assert submit(services, STEP).next == "done"
    assert services.secret.forgotten == 1


def test_without_a_key_nothing_is_sent_or_recorded_as_sent_and_the_shard_waits_for_one() -> None:
    services = at_the_deadline()
    services.secret.text = ""
    assert submit(services, STEP).next == "submit"
    assert services.provider.sent == []
    assert shard_of(services).attempts[-1].sent == 0
    assert "make provider-key" in (services.batch_store.batch(BATCH_ID).paused or "")
    services.secret.text = "sk-made-up"
    assert submit(services, STEP).next == "done"
    assert len(services.provider.sent) == 3


def test_a_key_that_cannot_be_read_anew_loses_no_answer_of_the_others() -> None:
    services = at_the_deadline(3)
    forget = services.secret.forget

    def unreadable(older_than: float = 0.0) -> bool:
        forget(older_than)
        raise StoreError("the secret is throttled")

    services.secret.forget = unreadable  # type: ignore[method-assign]
    services.provider.trouble["send"] = [AuthenticationError("rotated", status=401)]
    assert submit(services, STEP).next == "submit"
    assert (shard_of(services).completed, shard_of(services).failed, shard_of(services).unfinished) == (2, 0, 1)


def test_an_answer_that_cannot_be_stored_at_first_is_stored_when_the_others_are() -> None:
    services, failures = at_the_deadline(3), [StoreError("slow down")]
    put = services.bucket.put

    def failing(key: str, data: bytes) -> None:
        if "direct-" in key and failures:
            raise failures.pop()
        put(key, data)

    services.bucket.put = failing  # type: ignore[method-assign]
    assert submit(services, STEP).next == "done"
    assert (shard_of(services).completed, len(services.provider.sent)) == (3, 3)


def died_while_sending(services: MemoryServices) -> None:
    """Leave the record as a worker does that dies before it stored any answer."""
    put_truly = services.bucket.put

    class DiedError(BaseException):
        pass

    def put(key: str, data: bytes) -> None:
        if "direct-" in key:
            raise DiedError
        put_truly(key, data)

    services.bucket.put = put  # type: ignore[method-assign]
    with pytest.raises(DiedError):
        submit(services, STEP)
    services.bucket.put = put_truly  # type: ignore[method-assign]


def test_lines_of_a_worker_that_died_are_waited_for_and_then_their_outcome_is_unknown() -> None:
    services = at_the_deadline(1)
    died_while_sending(services)
    assert submit(services, STEP) == STEP.then(Next.SUBMIT, LONGEST_SEND)
    services.wait(LONGEST_SEND - 7)
    assert submit(services, STEP) == STEP.then(Next.SUBMIT, 7)
    services.wait(7)
    assert submit(services, STEP).next == "done"
    assert len(services.provider.sent) == 1
    assert [each["error"]["code"] for each in written(services, "errors").values()] == [OUTCOME_UNKNOWN]


def test_answers_that_a_worker_stored_before_it_died_are_kept_without_a_wait() -> None:
    services = at_the_deadline(1)
    keep = services.batch_store.save_shard
    calls: list[Shard] = []

    def save(before: Shard | None, after: Shard) -> Shard:
        calls.append(after)
        if len(calls) == 3:  # the attempt, the mark, and then the place of its runs
            raise StaleRecord("died")
        return keep(before, after)

    services.batch_store.save_shard = save  # type: ignore[method-assign]
    with pytest.raises(StaleRecord):
        submit(services, STEP)
    services.batch_store.save_shard = keep  # type: ignore[method-assign]
    assert submit(services, STEP).next == "done"
    assert len(services.provider.sent) == 1
    assert shard_of(services).completed == 1


def test_a_batch_that_is_cancelled_sends_no_more_and_keeps_what_was_answered() -> None:
    services = at_the_deadline(AT_ONCE * 2)
    services.provider.meanwhile["send"] = lambda: services.batch_store.move_batch(
        BATCH_ID, "cancelling", services.now()
    )
    assert submit(services, STEP).next == "done"
    shard = shard_of(services)
    assert len(services.provider.sent) == AT_ONCE
    assert (shard.completed, shard.unfinished) == (AT_ONCE, AT_ONCE)
    assert shard.reason is not None
    assert shard.reason.code == "batch_cancelled"


def test_what_takes_too_long_for_one_invocation_goes_on_in_the_next() -> None:
    services, turns = at_the_deadline(AT_ONCE * 3), 0
    send = services.provider.send

    def slow(url: str, body: bytes, patience: float = 0) -> Any:
        services.now_is += TURN / AT_ONCE
        return send(url, body, patience)

    services.provider.send = slow  # type: ignore[method-assign]
    while (step := submit(services, STEP)).next == "submit":
        assert step.wait_seconds == 1
        turns += 1
    assert (turns, step.next, len(services.provider.sent)) == (2, "done", AT_ONCE * 3)


def test_two_workers_send_no_line_twice() -> None:
    services = at_the_deadline(AT_ONCE + 1)
    steps: list[Step] = []
    services.provider.meanwhile["send"] = lambda: steps.append(submit(services, STEP))
    assert submit(services, STEP).next == "done"
    assert steps == [STEP.then(Next.SUBMIT, LONGEST_SEND)]
    assert len(services.provider.sent) == AT_ONCE + 1


@pytest.mark.parametrize("gone", [True, False])
def test_of_an_input_that_is_gone_nothing_is_sent(gone: bool) -> None:
    services = at_the_deadline()
    if gone:
        services.bucket.put(KEY, b"replaced")
    submit(services, STEP)
    assert len(services.provider.sent) == (0 if gone else 3)


def test_an_attempt_of_an_older_version_reads_as_one_by_batch() -> None:
    old = msgspec.json.decode(b'{"number": 1, "started_at": 5, "lines": 3}', type=Attempt)
    assert (old.direct, old.sent, old.sending_at) == (False, 0, None)


@pytest.mark.parametrize(
    "mark", [lambda shard: with_members(shard, unfinished=101)], ids=["more than the usual budget"]
)
def test_the_budget_is_a_hundred_lines_unless_set(mark: Callable[[Shard], Shard]) -> None:
    services = at_the_deadline()
    assert not is_due(services.settings, "24h", mark(shard_of(services)))
    assert is_due(services.settings, "24h", with_members(shard_of(services), unfinished=100))
