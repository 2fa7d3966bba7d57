"""Requests that are answered at once: sent where they belong, and never again if they may have been run."""

import pytest

from batch_client import (
    BadRequestError,
    BatchClientError,
    InvalidArgumentError,
    OutcomeUnknown,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
)
from tests.unit.batch_client.fake_service import KEY, Answer, Step, answer, client_of, envelope, lost_answers, refused

URL = "/v1/responses"
BODY = b'{"model": "m",  "input": "as it stands"}'


@pytest.mark.parametrize(
    ("base_url", "where"),
    [
        ("https://service.test/v1", "https://service.test/v1/responses"),
        ("https://service.test/openai/v1/", "https://service.test/openai/v1/responses"),
        ("https://service.test/openai/v1?api-version=7", "https://service.test/openai/v1/responses?api-version=7"),
        ("http://service.test/gateway", "http://service.test/gateway/responses"),
    ],
)
def test_a_body_goes_as_it_stands_below_the_base_url_which_stands_for_v1(base_url: str, where: str) -> None:
    client, service = client_of(answer({}), base_url=base_url)
    client.send(URL, BODY)
    assert (service.sent[0].method, service.sent[0].url, service.sent[0].body) == ("POST", where, BODY)
    assert service.sent[0].headers["Content-Type"] == "application/json"


def test_the_answer_is_given_as_it_came_with_status_and_request_id() -> None:
    said = b'{\n  "big": 123456789012345678901234567890, "half": "\\ud83d", "odd": NaN}'
    client, _ = client_of(Answer(said, 201, {"x-request-id": "req_7"}))
    given = client.send(URL, BODY)
    assert (given.data, given.status, given.request_id) == (said, 201, "req_7")


@pytest.mark.parametrize(
    "lost",
    [
        *lost_answers(),
        Answer(b'{"id": "resp_1"}', cut=4),
        Answer(b'{"id": "resp_1"}', length=False, cut=4),
    ],
    ids=str,
)
def test_what_may_have_been_run_is_sent_once_and_said_to_be_unknown(lost: Step) -> None:
    client, service = client_of(lost, answer({}))
    with pytest.raises(RequestOutcomeUnknown) as caught:
        client.send(URL, BODY)
    assert isinstance(caught.value, OutcomeUnknown)
    assert not caught.value.retryable
    assert len(service.sent) == 1


@pytest.mark.parametrize("not_run", [refused(), answer(envelope("rate_limit_exceeded"), 429)], ids=["refused", "429"])
def test_what_was_certainly_not_run_is_sent_again_but_not_for_ever(not_run: Step) -> None:
    client, service = client_of(not_run, not_run, answer({"id": "resp_1"}))
    assert client.send(URL, BODY).data == b'{"id": "resp_1"}'
    assert len(service.sent) == 3
    client, service = client_of(not_run)
    with pytest.raises(BatchClientError):
        client.send(URL, BODY)
    assert len(service.sent) == 5


def test_want_of_money_is_no_haste_and_is_not_tried_again() -> None:
    client, service = client_of(answer(envelope("insufficient_quota"), 429), answer({}))
    with pytest.raises(QuotaError) as caught:
        client.send(URL, BODY)
    assert not isinstance(caught.value, RateLimitError)
    assert len(service.sent) == 1


def test_a_refusal_has_its_body_without_the_key_that_it_may_quote() -> None:
    client, service = client_of(Answer(b'{"error": {"message": "not with ' + KEY.encode() + b'"}, "more": 1}', 400))
    with pytest.raises(BadRequestError) as caught:
        client.send(URL, BODY)
    assert caught.value.body == b'{"error": {"message": "not with [key]"}, "more": 1}'
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    "url", ["", "/v1", "/v1/", "responses", "https://elsewhere.test/v1/responses", "/v1/../files", "/v1/a?b"]
)
def test_only_the_url_of_an_endpoint_is_taken(url: str) -> None:
    client, service = client_of(answer({}))
    with pytest.raises(InvalidArgumentError):
        client.send(url, BODY)
    assert service.sent == []


def test_an_answer_is_waited_for_as_long_as_it_is_asked() -> None:
    client, service = client_of(answer({}), answer({}))
    client.send(URL, BODY)
    client.send(URL, BODY, 720.0)
    assert [timeout[1] for timeout in service.timeouts] == [240.0, 720.0]
