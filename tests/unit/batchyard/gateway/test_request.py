"""Where a request says that its client is."""

import pytest

from batchyard.gateway.request import Request


def origin(**headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request({"requestContext": {"http": {"method": "GET"}}, "rawPath": "/v1", "headers": named}).origin


def test_the_origin_is_what_api_gateway_says() -> None:
    assert origin(Host="x.execute-api", X_Forwarded_Proto="https") == "https://x.execute-api"
    assert origin(Host="x.execute-api") == ""


@pytest.mark.parametrize("bridge", ["http://127.0.0.1:8137", "http://localhost:1"])
def test_a_bridge_on_the_caller_s_own_machine_says_where_it_is(bridge: str) -> None:
    assert origin(Host="x.execute-api", X_Forwarded_Proto="https", batchyard_bridge=bridge) == bridge


@pytest.mark.parametrize(
    "bridge", ["http://evil.example:80", "http://127.0.0.1:80@evil.example", "https://127.0.0.1:80/x", ""]
)
def test_no_other_address_is_believed(bridge: str) -> None:
    assert origin(Host="x", X_Forwarded_Proto="https", Batchyard_Bridge=bridge) == "https://x"
