"""Anthropic's dialect, call by call: what is sent, what is read, and what nobody can tell."""

import json
import time
from typing import Any

import msgspec
import pytest

from batch_client import (
    PROFILES,
    AnthropicDialect,
    AuthenticationError,
    BatchClientError,
    CannotTell,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    FileTooLargeError,
    InvalidArgumentError,
    Job,
    Look,
    OpenAIDialect,
    ProtocolError,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
    Sign,
    State,
    TokenLimitError,
)
from batch_client import speak as speak_as
from batch_client.dialects import anthropic
from batch_client.dialects.anthropic_lines import mark_of
from tests.unit.batch_client.dialects.test_anthropic_lines import LOW, Source, answered, line
from tests.unit.batch_client.fake_service import (
    KEY,
    Answer,
    FakeClock,
    FakeService,
    Step,
    answer,
    client_of,
    lost_answers,
    reset,
)

CREATED = 1_790_000_000
JOB = Job(key="batch_1/0/2", endpoint="/v1/messages", model="m", window="24h", count=3, filename="x.jsonl")
OTHER = mark_of("batch_1/0/1")
LINES = Source(b"".join(line(name) + b"\n" for name in "abc"))
URL = "https://api.anthropic.com"


def speak(*steps: Step, **options: Any) -> tuple[AnthropicDialect, FakeService]:
    client, service = client_of(*steps, base_url=URL, profile="anthropic", **options)
    return AnthropicDialect(client), service


def batch(status: str = "in_progress", at: str = "2026-09-21T14:13:20Z", total: int = 3, **more: Any) -> dict[str, Any]:
    ended = status == "ended"
    counts = {"processing": 0 if ended else total, "succeeded": total if ended else 0}
    return {
        "id": "msgbatch_1", "type": "message_batch", "processing_status": status, "created_at": at,
        "expires_at": "2026-09-22T14:13:20.123456Z", "ended_at": None, "archived_at": None, "results_url": None,
        "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0}, **more,
    }  # fmt: skip


def refusal(kind: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_9"}


def listed(*batches: dict[str, Any], has_more: bool = False) -> Answer:
    return answer({"data": list(batches), "has_more": has_more, "first_id": None, "last_id": None})


def results(mark: str, count: int = 3) -> Answer:
    lines = [answered(f"{mark}-{number}", {"type": "expired"}) + b"\n" for number in range(count)]
    return Answer(b"".join(lines))


def test_a_create_carries_all_requests_with_their_length() -> None:
    dialect, service = speak(answer(batch()))
    assert dialect.prepare(JOB, LINES) is None
    made = dialect.submit(JOB, LINES)
    (sent,) = service.sent
    assert (sent.method, sent.url) == ("POST", f"{URL}/v1/messages/batches")
    assert int(sent.headers["Content-Length"]) == len(sent.body)
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "Authorization" not in sent.headers
    assert [each["custom_id"] for each in json.loads(sent.body)["requests"]] == [
        f"{mark_of(JOB.key)}-{number}" for number in range(3)
    ]
    assert made == Look(
        id="msgbatch_1", state=State.RUNNING, status="in_progress", counts=made.counts, created_at=CREATED,
        expires_at=CREATED + 86_400,
    )  # fmt: skip
    assert made.counts is not None
    assert (made.counts.total, made.counts.completed) == (3, 0)


def test_a_header_of_ones_own_takes_the_place_of_the_profiles() -> None:
    dialect, service = speak(answer(batch()))
    client, _ = client_of(answer(batch()), base_url=URL + "/proxy/v1", profile="anthropic")
    assert client.transport.address.base_url == URL + "/proxy/v1"
    dialect.look("msgbatch_1")
    assert service.sent[0].url == f"{URL}/v1/messages/batches/msgbatch_1"


@pytest.mark.parametrize("lost", lost_answers())
def test_a_create_whose_answer_is_lost_is_sent_once(lost: Step) -> None:
    dialect, service = speak(lost, answer(batch()))
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    ("status", "kind", "message", "error"),
    [
        (529, "overloaded_error", "Overloaded", RateLimitError),
        (429, "rate_limit_error", "queue", TokenLimitError),
        (400, "invalid_request_error", LOW, QuotaError),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", QuotaError),
        (429, "rate_limit_error", "You have reached the monthly spend limit of your tier.", QuotaError),
        (402, "billing_error", "pay", QuotaError),
        (401, "authentication_error", "invalid x-api-key", AuthenticationError),
        (413, "request_too_large", "too large", FileTooLargeError),
    ],
)
def test_a_refused_create_made_no_batch_and_says_why(
    status: int, kind: str, message: str, error: type[BatchClientError]
) -> None:
    dialect, service = speak(answer(refusal(kind, message), status, {"request-id": "req_9"}))
    with pytest.raises(error) as refused:
        dialect.submit(JOB, LINES)
    assert (refused.value.status, refused.value.request_id) == (status, "req_9")
    assert refused.value.body
    assert len(service.sent) == 1


def test_a_body_too_large_for_the_gateway_is_too_large() -> None:
    dialect, _ = speak(Answer(b"<html><h1>413</h1></html>", 413, {"content-type": "text/html"}))
    with pytest.raises(FileTooLargeError):
        dialect.submit(JOB, LINES)


@pytest.mark.parametrize(
    ("fields", "state", "results_named", "partial", "whole"),
    [
        ({"status": "in_progress"}, State.RUNNING, (), False, True),
        ({"status": "canceling"}, State.ENDING, (), False, True),
        ({"status": "ended"}, State.ENDED, ("msgbatch_1",), False, True),
        ({"status": "ended", "archived_at": "2026-10-20T00:00:00Z"}, State.ENDED, (), False, False),
        ({"status": "dreaming"}, State.UNKNOWN, (), False, True),
        ({"status": "dreaming", "results_url": "https://x"}, State.UNKNOWN, ("msgbatch_1",), False, True),
        ({"status": None}, State.UNKNOWN, (), False, True),
        ({"status": 5, "request_counts": [], "created_at": {}}, State.UNKNOWN, (), False, True),
        (
            {"status": "ended", "request_counts": {
                "processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 2
            }}, State.ENDED, ("msgbatch_1",), True, True,
        ),
    ],
)  # fmt: skip
def test_whatever_a_batch_says_it_is_looked_at(
    fields: dict[str, Any], state: State, results_named: tuple[str, ...], partial: bool, whole: bool
) -> None:
    dialect, _ = speak(answer(batch(**fields)))
    seen = dialect.look("msgbatch_1")
    assert (seen.state, seen.results, seen.partial, seen.whole) == (state, results_named, partial, whole)


def test_a_running_batch_of_equal_size_and_time_may_be_the_one_so_nobody_can_tell() -> None:
    dialect, _ = speak(listed(batch()))
    with pytest.raises(CannotTell, match="msgbatch_1") as unsure:
        dialect.find(JOB, CREATED)
    assert unsure.value.retryable, "its end will tell"


@pytest.mark.parametrize(("mark", "found"), [(mark_of(JOB.key), True), (OTHER, False), ("", False)])
def test_results_tell_whose_a_batch_is(mark: str, found: bool) -> None:
    dialect, service = speak(listed(batch("ended")), results(mark))
    seen = dialect.find(JOB, CREATED)
    assert (seen is not None and seen.id == "msgbatch_1") is found
    assert service.sent[-1].url.endswith("/v1/messages/batches/msgbatch_1/results")


@pytest.mark.parametrize("gone", [answer(refusal("not_found_error"), 404), Answer(b""), Answer(b"{broken\n")])
def test_results_that_are_gone_tell_nothing(gone: Answer) -> None:
    dialect, _ = speak(listed(batch("ended")), gone)
    with pytest.raises(CannotTell) as unsure:
        dialect.find(JOB, CREATED)
    assert not unsure.value.retryable, "nothing will tell"


def test_the_proof_of_an_ended_batch_outweighs_one_that_runs() -> None:
    running, ended = batch(id="msgbatch_2"), batch("ended")
    dialect, _ = speak(listed(running, ended), results(mark_of(JOB.key)))
    found = dialect.find(JOB, CREATED)
    assert found is not None
    assert found.id == "msgbatch_1"


@pytest.mark.parametrize(
    "other",
    [batch(total=4), batch(at="2026-09-21T14:13:19Z"), batch(id="msgbatch_known")],
    ids=["another size", "an earlier time", "one that is known"],
)
def test_a_batch_that_cannot_be_the_one_is_passed_over(other: dict[str, Any]) -> None:
    dialect, _ = speak(listed(other))
    assert dialect.find(JOB, CREATED, {"msgbatch_known"}) is None


def test_a_batch_that_shows_neither_size_nor_time_may_be_the_one() -> None:
    dialect, _ = speak(listed(batch(request_counts=None, created_at=None)))
    with pytest.raises(CannotTell):
        dialect.find(JOB, CREATED)


def test_a_list_goes_on_page_by_page_to_the_time_of_the_create() -> None:
    pages = [listed(batch(id="msgbatch_3", total=9), has_more=True), listed(batch(at="2026-09-20T00:00:00Z"))]
    dialect, service = speak(*pages)
    assert dialect.find(JOB, CREATED) is None
    assert [sent.url.partition("?")[2] for sent in service.sent] == ["limit=100", "limit=100&after_id=msgbatch_3"]


def test_a_list_with_the_oldest_first_is_read_to_its_end() -> None:
    oldest = batch("ended", at="2026-09-20T00:00:00Z", id="msgbatch_0")
    pages = [listed(oldest, has_more=True), listed(batch("ended"))]
    dialect, service = speak(*pages, results(mark_of(JOB.key)))
    found = dialect.find(JOB, CREATED)
    assert found is not None
    assert found.id == "msgbatch_1"
    assert len(service.sent) == 3, "an old batch is asked for nothing"


@pytest.mark.parametrize(
    ("page", "later"),
    [(listed(has_more=True), False), (Answer(b'{"data": [', 200), True), (answer({"first_id": None}), False)],
    ids=["promises more and shows none", "garbled", "no list"],
)
def test_a_list_that_cannot_be_read_excludes_nothing(page: Answer, *, later: bool) -> None:
    dialect, _ = speak(page)
    with pytest.raises(CannotTell, match="not to be trusted") as unsure:
        dialect.find(JOB, CREATED)
    assert unsure.value.retryable is later, "whether another look may tell"


def test_results_that_are_garbled_say_nothing_about_the_list() -> None:
    odd = Answer(results(mark_of(JOB.key)).body, headers={"content-encoding": "br"})
    dialect, _ = speak(listed(batch("ended")), odd)
    with pytest.raises(ProtocolError):
        dialect.find(JOB, CREATED)


def test_a_stop_of_an_ended_batch_returns_the_batch() -> None:
    dialect, service = speak(answer(refusal("invalid_request_error"), 400), answer(batch("ended")))
    assert dialect.stop("msgbatch_1").ended
    assert [sent.method for sent in service.sent] == ["POST", "GET"]


def test_a_refused_stop_of_a_running_batch_is_an_error() -> None:
    dialect, _ = speak(answer(refusal("invalid_request_error"), 400), answer(batch()))
    with pytest.raises(BatchClientError):
        dialect.stop("msgbatch_1")


def test_a_result_in_another_order_each_time_is_read_to_its_end_once() -> None:
    mark, ids = mark_of(JOB.key), [f"id {number}" for number in range(9)]
    lines = [answered(f"{mark}-{number}", {"type": "expired"}) + b"\n" for number in range(9)]
    first, second = b"".join(lines), b"".join(reversed(lines))
    steps = [Answer(first, cut=len(first) // 2), Answer(second, cut=len(second) - 200), Answer(second)]
    dialect, service = speak(*steps)
    found = [json.loads(text) for text in b"".join(dialect.read("msgbatch_1", ids, JOB.key)).splitlines()]
    assert sorted(each["custom_id"] for each in found) == ids
    assert len(service.sent) == 3


def test_a_stray_costs_no_more_time_the_more_requests_there_are() -> None:
    ids = [f"id {number}" for number in range(40_000)]
    dialect, _ = speak(results(OTHER, len(ids)))
    began = time.process_time()
    assert b"".join(dialect.read("msgbatch_1", ids, JOB.key)).count(b"\n") == len(ids)
    assert time.process_time() - began < 2.5


def test_an_empty_purse_looks_as_the_profile_says() -> None:
    anthropic_facts = PROFILES["anthropic"].facts
    facts = msgspec.structs.replace(anthropic_facts, purse_empty=(Sign(None, "wallet_error"),))
    own = msgspec.structs.replace(PROFILES["anthropic"], facts=facts)
    told = {"type": "errored", "error": refusal("wallet_error")}
    client, _ = client_of(
        Answer(answered(f"{mark_of(JOB.key)}-0", told)), answer(refusal("wallet_error"), 429), base_url=URL, profile=own
    )
    dialect = AnthropicDialect(client)
    (line_of_a,) = b"".join(dialect.read("msgbatch_1", ["a"], JOB.key)).splitlines()
    assert json.loads(line_of_a)["error"]["code"] == "credit_balance_exhausted"
    with pytest.raises(QuotaError):
        dialect.submit(JOB, LINES)


def test_a_line_without_end_is_not_held_and_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic, "LONGEST_LINE", 100_000)
    whole = results(mark_of(JOB.key)).body
    endless = Answer(b'{"x":"' + b"y" * 2_000_000 + b"\n" + whole)
    dialect, _ = speak(endless)
    found = [json.loads(text) for text in b"".join(dialect.read("msgbatch_1", ["a", "b", "c"], JOB.key)).splitlines()]
    assert [each["custom_id"] for each in found] == [None, "a", "b", "c"]
    dialect, _ = speak(listed(batch("ended")), endless)
    with pytest.raises(CannotTell):
        dialect.find(JOB, CREATED)


def test_results_that_stay_short_are_incomplete_and_what_came_is_given() -> None:
    whole = results(mark_of(JOB.key))
    cut = Answer(whole.body, cut=len(whole.body) // 2)
    dialect, service = speak(cut)
    given: list[bytes] = []
    with pytest.raises(DownloadIncomplete, match="1 of 3"):
        given.extend(dialect.read("msgbatch_1", ["a", "b", "c"], JOB.key))
    assert [json.loads(text)["custom_id"] for text in b"".join(given).splitlines()] == ["a"]
    assert len(service.sent) > 3


def test_results_without_a_proof_of_their_end_are_whole_if_each_request_has_one() -> None:
    whole = Answer(results(mark_of(JOB.key)).body, length=False)
    dialect, service = speak(whole)
    assert b"".join(dialect.read("msgbatch_1", ["a", "b", "c"], JOB.key)).count(b"\n") == 3
    assert len(service.sent) == 1
    with pytest.raises(DownloadIncomplete):
        list(dialect.read("msgbatch_1", ["a", "b", "c", "d"], JOB.key))


def test_results_of_another_job_answer_none_of_this_one() -> None:
    dialect, _ = speak(results(OTHER))
    found = b"".join(dialect.read("msgbatch_1", ["a", "b", "c"], JOB.key))
    assert [json.loads(text) for text in found.splitlines()] == [{"custom_id": None}] * 3


def test_a_single_request_is_sent_again_only_if_it_was_not_run() -> None:
    told = {"type": "message", "usage": {}}
    dialect, service = speak(answer(refusal("overloaded_error"), 529), answer(told))
    assert json.loads(dialect.send("/v1/messages", b"{}").data) == told
    assert service.sent[0].url == f"{URL}/v1/messages"
    dialect, service = speak(reset(), answer(told))
    with pytest.raises(RequestOutcomeUnknown):
        dialect.send("/v1/messages", b"{}")
    assert len(service.sent) == 1


def test_there_are_no_inputs() -> None:
    dialect, service = speak(answer({}))
    assert list(dialect.inputs()) == []
    with pytest.raises(InvalidArgumentError):
        dialect.prepared("file-1")
    assert not service.sent


def test_a_key_is_in_no_error_and_no_request_that_is_kept() -> None:
    dialect, _ = speak(answer(refusal("authentication_error", f"bad key {KEY}"), 401), clock=FakeClock())
    with pytest.raises(AuthenticationError) as refused:
        dialect.look("msgbatch_1")
    assert KEY not in str(refused.value)
    assert KEY.encode() not in refused.value.body


def test_a_create_that_is_to_wait_for_some_seconds_has_room() -> None:
    dialect, _ = speak(answer(refusal("rate_limit_error"), 429, {"retry-after": "7"}))
    with pytest.raises(RateLimitError) as refused:
        dialect.submit(JOB, LINES)
    assert (type(refused.value), refused.value.retry_after, refused.value.retryable) == (RateLimitError, 7.0, True)
    assert refused.value.__cause__ is not refused.value


def test_a_client_speaks_the_dialect_of_its_profile() -> None:
    assert isinstance(speak_as(client_of(answer({}), profile="anthropic")[0], "key"), AnthropicDialect)
    assert isinstance(speak_as(client_of(answer({}), profile="groq")[0], "key"), OpenAIDialect)
