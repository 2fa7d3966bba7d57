import http.client
import socket
import ssl

import pytest
import requests
import urllib3

from batch_client import APIConnectionError, APITimeoutError, BatchClientError, ProtocolError
from batch_client.transport_errors import translate
from tests.unit.batch_client.fake_service import proxy_refused, refused, reset

POOL = urllib3.HTTPConnectionPool("service.test")
CERTIFICATE = requests.exceptions.SSLError(
    urllib3.exceptions.MaxRetryError(
        POOL, "/", urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed"))
    )
)
HANDSHAKE = requests.exceptions.SSLError(
    urllib3.exceptions.MaxRetryError(POOL, "/", urllib3.exceptions.SSLError(ssl.SSLError("broken")))
)


@pytest.mark.parametrize(
    ("error", "kind", "sent", "retryable"),
    [
        (refused(), APIConnectionError, False, True),
        (proxy_refused(), APIConnectionError, False, True),
        (requests.ConnectTimeout(), APITimeoutError, False, True),
        (CERTIFICATE, APIConnectionError, False, False),
        (HANDSHAKE, APIConnectionError, True, True),
        (reset(), APIConnectionError, True, True),
        (requests.ReadTimeout(), APITimeoutError, True, True),
        (urllib3.exceptions.ReadTimeoutError(POOL, "/", "late"), APITimeoutError, True, True),
        (urllib3.exceptions.IncompleteRead(1, 2), APIConnectionError, True, True),
        (ConnectionResetError(), APIConnectionError, True, True),
        (TimeoutError(), APITimeoutError, True, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_connection_error_says_whether_anything_was_sent_and_whether_to_retry(
    error: Exception, kind: type[BatchClientError], sent: bool, retryable: bool
) -> None:
    found = translate(error, "service.test")
    assert isinstance(found, APIConnectionError)
    assert (type(found), found.sent, found.retryable) == (kind, sent, retryable)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused(), "the connection is refused"),
        (proxy_refused(), "the proxy does not let the call pass"),
        (requests.ConnectionError(urllib3.exceptions.ProtocolError("Aborted", http.client.RemoteDisconnected("Remote end"))),
         "it closes the connection without an answer"),
        (requests.ConnectionError(urllib3.exceptions.MaxRetryError(
            POOL, "/", urllib3.exceptions.NameResolutionError("service.test", POOL, socket.gaierror("secret")))),  # type: ignore[arg-type]
         "there is no such host"),
        (CERTIFICATE, "its certificate is not trusted"),
        (HANDSHAKE, "it speaks no TLS"),
        (requests.ReadTimeout(), "it takes the connection and does not answer"),
        (requests.ConnectTimeout(), "connecting takes too long"),
        (requests.exceptions.ChunkedEncodingError(urllib3.exceptions.IncompleteRead(1, 2)), "the answer broke off"),
        (OSError("secret"), "the connection broke"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_happened_is_said_in_words_and_not_by_a_class_of_python(error: Exception, words: str) -> None:
    assert str(translate(error, "service.test")) == f"No whole answer from service.test: {words}"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (urllib3.exceptions.DecodeError("gzip"), True),
        (requests.exceptions.InvalidHeader("length"), True),
        (ValueError("no URL"), False),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_protocol_error(error: Exception, retryable: bool) -> None:
    found = translate(error, "service.test")
    assert isinstance(found, ProtocolError)
    assert found.retryable is retryable


def test_the_text_of_a_foreign_error_is_not_repeated() -> None:
    assert "secret" not in str(translate(requests.exceptions.InvalidHeader("Bearer secret"), "service.test"))
