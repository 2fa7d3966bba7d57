from typing import Any

import pytest
import requests

from local.bridge.far_side import FarSide
from local.bridge.passing import to_batchyard, to_s3


@pytest.mark.parametrize(
    "url", ["https://api.example/v1", "https://api.example/v1/", "http://127.0.0.1:1/v1", "http://localhost:1/v1"]
)
def test_an_address_is_called_with_the_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[requests.PreparedRequest] = []

    def send(_: requests.Session, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        sent.append(request)
        return requests.Response()

    monkeypatch.setattr(requests.Session, "send", send)
    FarSide(url, "by_key").call("GET", "/v1/models")
    (request,) = sent
    assert request.url == f"{url.rstrip('/')}/models"
    assert request.headers["authorization"] == "Bearer by_key"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://api.example", "by_key"),
        ("api.example/v1", "by_key"),
        ("ftp://api.example/v1", "by_key"),
        ("https:///v1", "by_key"),
        ("http://api.example/v1", "by_key"),  # the key would travel in the clear
        ("http://localhost.evil.example/v1", "by_key"),
        ("https://api.example/v1", ""),
        ("https://api.example/v1", "by key"),
        ("https://api.example/v1", "by_key\r\nx: y"),
        ("https://api.example/v1", "schlüssel"),
    ],
)
def test_what_cannot_be_used_is_refused(url: str, key: str) -> None:
    with pytest.raises(ValueError, match="BATCHYARD_"):
        FarSide(url, key)


def test_no_secret_of_another_service_goes_on() -> None:
    given = [
        *(("Authorization", "Bearer sk-mine"), ("api-key", "mine"), ("X-Api-Key", "mine"), ("Cookie", "mine")),
        *(
            ("Proxy-Authorization", "mine"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Expect", "100-continue"),
        ),
        *(("Idempotency-Key", "7"), ("Accept-Encoding", "gzip"), ("Range", "bytes=0-1")),
    ]
    assert to_batchyard(given) == given[-3:]
    assert to_batchyard([("Host", "127.0.0.1:8137"), ("batchyard-bridge", "http://elsewhere")]) == [
        ("batchyard-bridge", "http://127.0.0.1:8137")
    ]
    assert to_s3(given) == [("Range", "bytes=0-1"), ("Accept-Encoding", "identity")]
