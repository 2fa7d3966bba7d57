import json
from typing import TypedDict

import pytest
import requests

from batch_client import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    CreateOutcomeUnknown,
    ExpiresAfter,
    InvalidArgumentError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
)
from tests.unit.batch_client.fake_service import (
    BATCH,
    KEY,
    Answer,
    FakeClock,
    Step,
    answer,
    client_of,
    envelope,
    lost_answers,
    page,
    proxy_refused,
    refused,
    reset,
)


class Create(TypedDict):
    input_file_id: str
    endpoint: str


CREATE: Create = {"input_file_id": "file-1", "endpoint": "/v1/responses"}


def batch(number: int, created_at: int, **metadata: str) -> dict[str, object]:
    return {**BATCH, "id": f"batch_{number}", "created_at": created_at, "metadata": metadata}


def test_create_sends_compact_members_in_order_and_only_those_given() -> None:
    client, service = client_of(answer(BATCH))
    client.create_batch(**CREATE, metadata={"run": "7"}, output_expires_after=ExpiresAfter(3600))
    assert service.sent[0].body == (
        b'{"completion_window":"24h","endpoint":"/v1/responses","input_file_id":"file-1",'
        b'"metadata":{"run":"7"},"output_expires_after":{"seconds":3600,"anchor":"created_at"}}'
    )
    assert (service.sent[0].method, service.sent[0].url) == ("POST", "https://service.test/v1/batches")
    assert service.sent[0].headers["Authorization"] == f"Bearer {KEY}"


def test_create_passes_unknown_endpoints_and_windows_on() -> None:
    client, service = client_of(answer(BATCH))
    client.create_batch(input_file_id="file-1", endpoint="/v1/rerank", completion_window="7d")
    assert json.loads(service.sent[0].body)["endpoint"] == "/v1/rerank"
    assert json.loads(service.sent[0].body)["completion_window"] == "7d"


@pytest.mark.parametrize(
    "lost",
    [
        *lost_answers(),
        answer({"status": "validating"}),
        answer({"id": 7}),
        Answer(json.dumps(BATCH).encode(), cut=20),
        Answer(json.dumps(BATCH).encode(), length=False, cut=20),
    ],
    ids=lambda step: f"{type(step).__name__}-{getattr(step, 'status', '')}",
)
def test_a_create_whose_answer_is_lost_is_sent_once_and_says_that_its_outcome_is_unknown(lost: Step) -> None:
    client, service = client_of(lost)
    with pytest.raises(CreateOutcomeUnknown) as caught:
        client.create_batch(**CREATE)
    assert len(service.sent) == 1
    assert caught.value.retryable is False


@pytest.mark.parametrize("nothing_sent", [refused(), requests.ConnectTimeout(), proxy_refused()])
def test_a_create_that_never_left_is_sent_again(nothing_sent: Exception) -> None:
    client, service = client_of(nothing_sent, nothing_sent, answer(BATCH))
    assert client.create_batch(**CREATE).id == BATCH["id"]
    assert len(service.sent) == 3


def test_a_create_that_never_leaves_is_a_connection_error_that_can_be_repeated() -> None:
    client, service = client_of(refused(), retry=RetryPolicy(max_retries=2))
    with pytest.raises(APIConnectionError) as caught:
        client.create_batch(**CREATE)
    assert (caught.value.sent, caught.value.retryable, caught.value.attempts) == (False, True, 3)
    assert len(service.sent) == 3


def test_a_rate_limited_create_is_left_to_the_caller() -> None:
    client, service = client_of(answer(envelope("rate_limit_exceeded"), 429, {"retry-after": "7"}))
    with pytest.raises(RateLimitError) as caught:
        client.create_batch(**CREATE)
    assert (caught.value.retryable, caught.value.retry_after, len(service.sent)) == (True, 7.0, 1)


def test_a_redirected_create_was_refused_and_is_not_followed() -> None:
    client, service = client_of(Answer(b"", 307, {"location": "https://service.test/v2/batches"}))
    with pytest.raises(ProtocolError) as caught:
        client.create_batch(**CREATE)
    assert (caught.value.status, len(service.sent)) == (307, 1)


def test_a_post_after_a_pause_does_not_use_an_idle_connection() -> None:
    clock = FakeClock()
    client, service = client_of(answer(BATCH), clock=clock)
    client.create_batch(**CREATE)
    assert service.closed == 0
    clock.now += 60
    client.retrieve_batch("batch_1")
    clock.now += 60
    client.create_batch(**CREATE)
    assert service.closed == 1


def test_retrieve_is_repeated_until_it_succeeds() -> None:
    client, service = client_of(reset(), answer({}, 503), Answer(b"{", 200), answer(BATCH))
    assert client.retrieve_batch("batch_1").status == "validating"
    assert [sent.url for sent in service.sent] == ["https://service.test/v1/batches/batch_1"] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refused_retrieve_is_not_repeated(status: int) -> None:
    client, service = client_of(answer(envelope(None), status))
    with pytest.raises(BatchClientError) as caught:
        client.retrieve_batch("batch_1")
    assert (caught.value.status, caught.value.retryable, len(service.sent)) == (status, False, 1)


def test_an_answer_that_is_no_batch_is_a_protocol_error_with_its_request_id() -> None:
    client, _ = client_of(answer({"id": None}, headers={"x-request-id": "req_1"}))
    with pytest.raises(ProtocolError) as caught:
        client.retrieve_batch("batch_1")
    assert (caught.value.status, caught.value.request_id) == (200, "req_1")


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_an_id_that_would_name_another_path_is_not_sent(bad: str) -> None:
    client, service = client_of(answer(BATCH))
    with pytest.raises(InvalidArgumentError):
        client.retrieve_batch(bad)
    assert service.sent == []


def test_an_id_is_quoted() -> None:
    client, service = client_of(answer(BATCH))
    client.retrieve_batch("a/../b?c")
    assert service.sent[0].url == "https://service.test/v1/batches/a%2F..%2Fb%3Fc"


def test_cancel_gives_the_batch() -> None:
    client, service = client_of(answer({**BATCH, "status": "cancelling"}))
    assert client.cancel_batch("batch_1").status == "cancelling"
    assert (service.sent[0].method, service.sent[0].body) == ("POST", b"")


@pytest.mark.parametrize("status", [400, 409])
def test_cancelling_an_ended_batch_gives_it_as_it_is(status: int) -> None:
    client, service = client_of(answer(envelope(None), status), answer({**BATCH, "status": "completed"}))
    assert client.cancel_batch("batch_1").status == "completed"
    assert [sent.method for sent in service.sent] == ["POST", "GET"]


def test_a_conflict_on_a_running_batch_stays_an_error() -> None:
    client, _ = client_of(answer(envelope(None), 409), answer(BATCH))
    with pytest.raises(ConflictError):
        client.cancel_batch("batch_1")


def test_a_lost_answer_to_cancel_is_not_repeated_but_may_be() -> None:
    client, service = client_of(reset())
    with pytest.raises(APIConnectionError) as caught:
        client.cancel_batch("batch_1")
    assert (caught.value.retryable, len(service.sent)) == (True, 1)


def test_a_page_is_asked_for_with_its_cursor_and_limit() -> None:
    client, service = client_of(answer(page(BATCH, has_more=True, first_id="a", last_id="b")))
    found = client.list_batches(after="batch 1", limit=5)
    assert service.sent[0].url == "https://service.test/v1/batches?after=batch%201&limit=5"
    assert (len(found.data), found.has_more, found.first_id, found.last_id) == (1, True, "a", "b")


def test_find_batch_gives_the_newest_with_the_metadata() -> None:
    client, _ = client_of(answer(page(batch(3, 30), batch(2, 20, key="x"), batch(1, 10, key="x"))))
    found = client.find_batch("key", "x", since=0)
    assert found is not None
    assert found.id == "batch_2"


def test_where_a_service_keeps_no_metadata_the_batch_made_of_the_file_is_found() -> None:
    bare = {**BATCH, "metadata": None}
    made: list[dict[str, object]] = [
        {**bare, "id": "later", "input_file_id": "file-2"},
        batch(3, 30, key="other"),
        {**bare, "id": "known"},
        {**bare, "id": "lost"},
    ]
    client, _ = client_of(answer(page(*made)))
    found = client.find_batch("key", "x", since=0, input_file_id=str(BATCH["input_file_id"]), but={"known"})
    assert found is not None
    assert found.id == "lost"
    client, _ = client_of(answer(page(*made)))
    assert client.find_batch("key", "x", since=0) is None


def test_find_batch_walks_pages_until_they_are_too_old() -> None:
    pages = [
        answer(page(batch(4, 40), has_more=True)),
        answer(page(batch(3, 30), batch(2, 20), has_more=True)),
        answer(page(batch(1, 10, key="x"))),
    ]
    client, service = client_of(*pages)
    assert client.find_batch("key", "x", since=25) is None
    assert len(service.sent) == 2


def test_find_batch_looks_at_all_where_the_oldest_come_first_or_times_are_missing() -> None:
    rising = page(batch(1, 10), batch(2, 20), {**BATCH, "id": "b", "created_at": None}, batch(3, 30, key="x"))
    client, _ = client_of(answer(rising))
    found = client.find_batch("key", "x", since=25)
    assert found is not None
    assert found.id == "batch_3"


def test_find_batch_fails_rather_than_say_no_when_the_list_cannot_be_read() -> None:
    client, _ = client_of(answer(page(has_more=True)))
    with pytest.raises(ProtocolError):
        client.find_batch("key", "x", since=0)


def test_every_form_with_http_info_gives_status_and_headers() -> None:
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "9"}
    client, _ = client_of(answer({**BATCH, **page(BATCH)}, headers=headers))
    for info in (
        client.create_batch_with_http_info(**CREATE),
        client.retrieve_batch_with_http_info("batch_1"),
        client.cancel_batch_with_http_info("batch_1"),
        client.list_batches_with_http_info(),
    ):
        assert (info.status, info.request_id, info.rate_limit().remaining) == (200, "req_1", 9)


def test_a_timeout_is_a_timeout_error() -> None:
    client, _ = client_of(requests.ReadTimeout(), retry=RetryPolicy(max_retries=0))
    with pytest.raises(APITimeoutError):
        client.retrieve_batch("batch_1")


def test_a_refusal_too_long_to_read_is_still_that_refusal() -> None:
    client, _ = client_of(Answer(b"x" * 1_500_000, 400))
    with pytest.raises(BadRequestError, match="xxx"):
        client.retrieve_batch("batch_1")


_LONG_BATCH = b'{"id":"batch_1","errors":["%s"]}' % (b"x" * 2_000)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ((b"[", b" ", 33 * 1024 * 1024, b"]"), "longer than"),
        ((b'{"data":[', _LONG_BATCH + b",", 29_999, _LONG_BATCH + b"]}"), "longer than"),
        ((b"[", b"[],", 1_500_000, b"[]]"), "more than 2,000,000 values"),
        ((b"[", b"1,", 3_000_000, b"1]"), "more than 2,000,000 values"),
    ],
    ids=["spaces", "60 MB of batches", "arrays", "numbers"],
)
def test_an_answer_too_long_to_be_one_is_refused(body: tuple[bytes, bytes, int, bytes], said: str) -> None:
    begin, repeated, times, end = body  # put together here, for 110 MB would stay in each worker
    client, service = client_of(Answer(begin + repeated * times + end))
    with pytest.raises(ProtocolError, match=said):
        client.list_batches()
    assert len(service.sent) == 1


def test_a_batch_with_as_many_errors_as_it_may_have_lines_is_read() -> None:
    error = {"code": "mismatched_model", "message": "m" * 200, "param": "body.model", "line": 7}
    client, _ = client_of(answer({**BATCH, "errors": {"data": [error] * 100_000}}))
    assert len(client.retrieve_batch("batch_1").errors) == 100_000


def test_an_answer_that_takes_longer_than_the_total_is_given_up() -> None:
    client, _ = client_of(Answer(b" " * 200_000), retry=RetryPolicy(total=-1))
    with pytest.raises(APITimeoutError):
        client.retrieve_batch("batch_1")
