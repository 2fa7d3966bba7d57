"""What a web page of another place sends is foreign to whatever listens on this machine, and what a program sends is not."""

import pytest

from local.callers import is_foreign

OWN = [
    {"host": "127.0.0.1:4566"},
    {"host": "localhost:4566"},
    {"host": "LOCALHOST"},
    {"host": "[::1]:4566"},
    {"host": "127.0.1.1:80"},
    {"host": "batchyard-data.localhost:4566"},
    {"host": "batchyard-data.s3.localhost:4566"},
    {"host": "127.0.0.1:4566", "origin": "http://127.0.0.1:4566"},
    {"host": "127.0.0.1:4566", "sec-fetch-site": "same-origin"},
    {"host": "127.0.0.1:4566", "sec-fetch-site": "none"},
    {"host": "127.0.0.1:4566", "sec-fetch-mode": "cors"},  # Node's own fetch sends it
]
FOREIGN = [
    {},
    {"host": ""},
    {"host": "evil.example"},
    {"host": "evil.example:4566"},  # a name that was led to this machine
    {"host": "127.0.0.1.evil.example"},
    {"host": "localhost.evil.example"},
    {"host": "evillocalhost"},
    {"host": "evil.example#.localhost"},
    {"host": "127.0.0.1:4566@evil.example"},
    {"host": "10.0.0.1"},
    {"host": "0.0.0.0:4566"},
    {"host": "[::2]"},
    {"host": "127.0.0.1:4566", "origin": "https://evil.example"},
    {"host": "127.0.0.1:4566", "origin": "http://127.0.0.1:3000"},  # another program's page
    {"host": "127.0.0.1:4566", "origin": "http://localhost:4566"},
    {"host": "127.0.0.1:4566", "origin": "null"},
    {"host": "127.0.0.1:4566", "origin": ""},
    {"host": "127.0.0.1:4566", "origin": "http://127.0.0.1:4566.evil.example"},
    {"host": "127.0.0.1:4566", "sec-fetch-site": "cross-site"},  # an image or a form of another page has no origin
    {"host": "127.0.0.1:4566", "sec-fetch-site": "same-site"},
    {"host": "127.0.0.1:4566", "Origin": "https://evil.example"},
]


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_what_a_program_of_this_machine_sends_is_not_foreign(headers: dict[str, str]) -> None:
    assert not is_foreign(raw(headers))


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_host_and_a_page_of_another_place_are_foreign(headers: dict[str, str]) -> None:
    assert is_foreign(raw(headers))


def test_two_hosts_are_foreign_whatever_their_order() -> None:
    both = [(b"host", b"127.0.0.1"), (b"host", b"evil.example")]
    assert is_foreign(both)
    assert is_foreign(both[::-1])
