"""Translate the exceptions of requests and urllib3; no other module knows these exceptions."""

import http.client
import socket
import ssl

import requests
import urllib3

from .errors import APIConnectionError, APITimeoutError, BatchClientError, ProtocolError

# ValueError: an answer with an unreadable redirect or header can make requests raise one from the standard library.
TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)

_GARBLED = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.InvalidHeader,
)
_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_NEVER_CONNECTED = (
    requests.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,  # refused, or no such name
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,  # raised only before the proxy has opened the way
    ssl.SSLCertVerificationError,
)


#: What happened, by the class of the innermost reason: the first that fits.
_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((urllib3.exceptions.NameResolutionError, socket.gaierror), "there is no such host"),
    ((ssl.SSLCertVerificationError,), "its certificate is not trusted"),
    ((urllib3.exceptions.ProxyError, requests.exceptions.ProxyError), "the proxy does not let the call pass"),
    ((urllib3.exceptions.NewConnectionError, ConnectionRefusedError), "the connection is refused"),
    ((requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError), "connecting takes too long"),
    (_TIMEOUTS, "it takes the connection and does not answer"),
    (
        (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected),
        "it closes the connection without an answer",
    ),
    ((urllib3.exceptions.IncompleteRead, http.client.IncompleteRead), "the answer broke off"),
    ((ssl.SSLError, urllib3.exceptions.SSLError), "it speaks no TLS"),
    (_GARBLED, "its packing or a header is damaged"),
    ((OSError, urllib3.exceptions.HTTPError), "the connection broke"),
)


def translate(error: Exception, host: str) -> BatchClientError:
    """Return the error of this client for `error`; the message is in words of ours, because its text may quote the request."""
    reasons = _reasons(error)
    why = next(
        (words for kinds, words in _WORDS for each in reversed(reasons) if isinstance(each, kinds)),
        "it is none of HTTP",
    )
    if isinstance(error, _GARBLED):
        return ProtocolError(f"The answer of {host} cannot be read: {why}", retryable=True)
    if not isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | OSError):
        return ProtocolError(f"The answer of {host} cannot be understood: {why}")
    timed_out = isinstance(error, _TIMEOUTS)
    found = (APITimeoutError if timed_out else APIConnectionError)(f"No whole answer from {host}: {why}")
    found.sent = not any(isinstance(reason, _NEVER_CONNECTED) for reason in reasons)
    found.retryable = not any(isinstance(reason, ssl.SSLCertVerificationError) for reason in reasons)
    return found


def _reasons(error: BaseException) -> list[BaseException]:
    """Return an error and the errors in it: requests and urllib3 put the reason into `args` or `reason`."""
    chain = [error]
    while len(chain) < 10:
        last = chain[-1]
        inner = [getattr(last, "reason", None), getattr(last, "original_error", None), *last.args]
        deeper = next((item for item in inner if isinstance(item, BaseException) and item not in chain), None)
        if deeper is None:
            break
        chain.append(deeper)
    return chain
