import logging
import pickle
import traceback

import pytest
import requests

from batch_client import AuthenticationError, BatchClient, BatchClientError, CreateOutcomeUnknown, InvalidArgumentError
from tests.unit.batch_client.fake_service import BATCH, KEY, Answer, Step, answer, client_of, envelope, reset


def everything_of(error: BaseException | None) -> str:
    """Print an error and all its causes with all they hold."""
    text = ""
    while error is not None:
        text += repr(error) + str(vars(error)) + "".join(traceback.format_exception(error))
        request = getattr(error, "request", None)
        text += str(getattr(request, "headers", ""))
        error = error.__cause__ or error.__context__
    return text


def test_a_callable_is_asked_for_each_request() -> None:
    keys = iter(["first", "second", "third"])
    client, service = client_of(answer({}, 500), answer(BATCH), answer(BATCH), api_key=lambda: next(keys))
    client.retrieve_batch("batch_1")
    client.retrieve_batch("batch_1")
    assert [sent.headers["Authorization"] for sent in service.sent] == ["Bearer first", "Bearer second", "Bearer third"]


def test_white_space_around_a_key_is_not_sent() -> None:
    client, service = client_of(answer(BATCH), api_key=f" {KEY}\n")
    client.retrieve_batch("batch_1")
    assert service.sent[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("bad", ["", "  ", "secret\nkey", "secret key", "secret\x00key", "sécret", None])
def test_a_key_that_fits_in_no_header_is_refused_without_quoting_it(bad: str) -> None:
    client, service = client_of(answer(BATCH), api_key=lambda: bad)
    with pytest.raises(InvalidArgumentError) as caught:
        client.retrieve_batch("batch_1")
    assert service.sent == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "step",
    [
        reset(),
        answer(envelope("invalid_api_key", f"Incorrect API key provided: {KEY}"), 401),
        Answer(f"<html>{KEY}</html>".encode(), 502),
        Answer(f"<html>{KEY}</html>".encode(), 200),
        Answer(b"", 302, {"location": "https://elsewhere.test/"}),
        answer(envelope("invalid_api_key"), 401, {"x-request-id": f"req of {KEY}"}),
        answer(envelope("invalid_api_key"), 401, {"X-Request-ID": KEY * 2}),
        Answer(b"[", 200, {"x-request-id": KEY}),
        Answer(b"{}", 200, {"x-request-id": KEY}),
        Answer(b"no JSON", 502, {"content-type": f"text/{KEY}"}),
    ],
    ids=["reset", "echo", "page", "page-200", "redirect", "id", "id-twice", "id-200", "id-no-batch", "kind"],
)
def test_the_key_is_in_no_error(step: Step) -> None:
    client, _ = client_of(step)
    with pytest.raises(BatchClientError) as read:
        client.retrieve_batch("batch_1")
    with pytest.raises(BatchClientError) as created:
        client.create_batch(input_file_id="f", endpoint="/v1/responses")
    assert KEY not in everything_of(read.value)
    assert KEY not in everything_of(created.value)


def test_the_key_is_in_no_answer() -> None:
    said = {**BATCH, "errors": {"object": "list", "data": [{"code": "bad", "message": f"Incorrect API key: {KEY}"}]}}
    client, _ = client_of(answer(said, 200, {"x-request-id": KEY}), Answer(b'{"text": "' + KEY.encode() + b'"}', 200))
    shown = client.retrieve_batch_with_http_info("batch_1")
    assert KEY not in f"{shown} {shown.headers} {shown.request_id}"
    assert KEY not in str(client.send("/v1/responses", b"{}").data)


def test_a_word_that_a_service_without_keys_takes_for_one_stays_in_answers() -> None:
    client, _ = client_of(Answer(b'{"text": "EMPTY"}', 200, {"x-request-id": "req_1"}), api_key="EMPTY")
    assert client.send("/v1/responses", b"{}").data == b'{"text": "EMPTY"}'


def test_an_id_of_a_request_is_shown_in_part_if_it_is_long() -> None:
    client, _ = client_of(answer(envelope(None), 400, {"x-request-id": "r" * 60_000}))
    with pytest.raises(BatchClientError) as caught:
        client.retrieve_batch("batch_1")
    assert caught.value.request_id == "r" * 200


def test_a_real_error_of_requests_no_longer_holds_the_key() -> None:
    def fail(_: object) -> Answer:
        request = service.sent  # the fake records first: the error below is made like requests makes it
        assert request[0].headers["Authorization"] == f"Bearer {KEY}"
        raise requests.ReadTimeout

    client, service = client_of(fail)
    with pytest.raises(CreateOutcomeUnknown) as caught:
        client.create_batch(input_file_id="f", endpoint="/v1/responses")
    assert KEY not in everything_of(caught.value)


def test_the_key_is_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, _ = client_of(answer(envelope(None), 401))
    with pytest.raises(AuthenticationError):
        client.retrieve_batch("batch_1")
    assert KEY not in caplog.text
    assert KEY not in repr(client) + repr(vars(client)) + repr(vars(vars(client)["_transport"]))
    assert repr(client) == "BatchClient(base_url='https://service.test/v1', profile='compatible')"


def test_a_password_in_netrc_or_the_session_is_not_sent(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:  # noqa: PTH123 - tmp_path is only text here
        file.write("machine service.test login me password mine\n")
    monkeypatch.setenv("NETRC", netrc)
    client, service = client_of(answer(BATCH), profile="azure")
    vars(client)["_session"].trust_env = True
    vars(client)["_session"].auth = ("me", "mine")
    client.retrieve_batch("batch_1")
    assert "Authorization" not in service.sent[0].headers


@pytest.mark.parametrize(
    "bad", ["", "service.test/v1", "ftp://service.test", "https://", "https://me:pw@service.test/v1", "http://x:port"]
)
def test_a_base_url_that_is_none_or_holds_a_password_is_refused_without_quoting_it(bad: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        BatchClient(KEY, bad)
    assert "pw" not in str(caught.value)


def test_errors_survive_pickling() -> None:
    error = AuthenticationError("no", status=401, code="invalid_api_key")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(again), again.status, again.retryable) == (str(error), 401, False)
