"""What a webhook endpoint is told and what that is signed with."""

import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.webhook_endpoint import (
    WebhookEndpoint,
    hint_of,
    public,
    secret_of,
    secrets_of,
    wrong_url,
)

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.255", "0.1.2.3", "255.255.255.255",
    "0.0.0.0",  # noqa: S104 - an address that is refused, not one to bind to
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "192.0.0.170", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1",
    "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::7f00:1", "::a9fe:a9fe",
    "::ffff:0:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001::1", "2001:db8::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "3fff::1", "5f00::1", "4000::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "169.253.0.1", "2606:4700::1111", "2a00:1450::1",
]  # fmt: skip
GOOD = [
    "https://hooks.example.com", "https://hooks.example.com/", "https://hooks.example.com:443/a?b=c&d=%20", "HTTPS://HOOKS.example.com/",
    "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://xn--bcher-kva.example/",
]  # fmt: skip
BAD = [
    "", "hooks.example.com", "//hooks.example.com/", "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd",
    "https://", "https:///path", "https://:443/", "https://user@hooks.example.com/", "https://user:pass@hooks.example.com/",
    "https://@hooks.example.com/", "https://hooks.example.com/#part", "https://hooks.example.com:8443/", "https://hooks.example.com:0/",
    "https://hooks.example.com:99999/", "https://hooks.example.com:x/", "https://localhost/", "https://metadata/", "https://2130706433/",
    "https://0/", "https://hooks.example.com/ x", "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com/\r\nx: y", "https://127.1/", "https://hooks..example.com/", "https://*.example.com/",
    "https://hooks.example.com/ä", "https://[::1/", "https://[v1.x]/", "https://" + "a" * 2_048 + ".example.com/",
]  # fmt: skip


ROOT = "a secret of the stack"
ENDPOINT = WebhookEndpoint(
    endpoint_id="we_1", tenant="acme", name="ci", url="https://hooks.example.com/", event_types=["batch.completed"],
    created_at=1, updated_at=1,
)  # fmt: skip


def test_each_endpoint_and_each_generation_has_a_secret_of_its_own() -> None:
    secrets = {secret_of(root, name, at) for root in (ROOT, "other") for name in ("we_1", "we_2") for at in (1, 2)}
    assert len(secrets) == 8
    assert secret_of(ROOT, "we_1", 1) == secret_of(ROOT, "we_1", 1)
    assert len({hint_of(secret) for secret in secrets}) == 8


def test_a_secret_that_was_rotated_is_good_until_it_is_said_to_end_and_the_one_before_it_never() -> None:
    rotated = msgspec.structs.replace(ENDPOINT, generation=3, previous_until=100)
    now, before = secret_of(ROOT, "we_1", 3), secret_of(ROOT, "we_1", 2)
    assert secrets_of(ROOT, rotated, 99) == [now, before]
    assert secrets_of(ROOT, rotated, 100) == [now]
    assert secrets_of(ROOT, ENDPOINT, 0) == [secret_of(ROOT, "we_1", 1)]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_open_internet_is_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_of_the_open_internet_is_public(address: str) -> None:
    assert public(address)


@given(st.ip_addresses())
def test_no_address_that_python_calls_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert address.is_global or not public(str(address))


@pytest.mark.parametrize("url", GOOD)
def test_an_https_url_of_a_name_or_a_public_address_is_good(url: str) -> None:
    assert wrong_url(url, private=False) is None


@pytest.mark.parametrize(
    "url", [*BAD, *(f"https://[{each}]/" if ":" in each else f"https://{each}/" for each in PRIVATE)]
)
def test_any_other_url_is_refused(url: str) -> None:
    error = wrong_url(url, private=False)
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "url")


@pytest.mark.parametrize("url", [None, 7, ["https://hooks.example.com/"], {}])
def test_what_is_no_text_is_no_url(url: object) -> None:
    error = wrong_url(url, private=False)
    assert error is not None
    assert error.code == "invalid_type"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/hook", "https://localhost:8443/", "http://[::1]/"])
def test_a_trial_on_one_machine_may_call_itself(url: str) -> None:
    assert wrong_url(url, private=True) is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://user@127.0.0.1/", "http://", "http://127.0.0.1/#x"])
def test_even_there_a_url_is_one_of_http(url: str) -> None:
    assert wrong_url(url, private=True) is not None


@given(st.text())
def test_no_text_is_a_fault(text: str) -> None:
    for url in (text, f"https://{text}", f"https://[{text}]/", f"https://a.example:{text}/"):
        error = wrong_url(url, private=False)
        assert error is None or error.param == "url"
