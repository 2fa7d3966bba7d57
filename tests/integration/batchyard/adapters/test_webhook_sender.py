"""Webhooks over real sockets: which address is called and how, in whose name, and what is never followed or read."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from batchyard.adapters import webhook_sender
from batchyard.adapters.webhook_sender import WebhookSender
from batchyard.domain.errors import DeliveryFailed
from tests.integration.batchyard.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST, PUBLIC = "hooks.example.com", "8.8.8.8"


@dataclass
class Served:
    """What a TLS server of this machine was asked for."""

    port: int = 0
    server_names: list[str | None] = field(default_factory=list)
    hosts: list[str | None] = field(default_factory=list)


def certificate(place: Path) -> Path:
    """Write a certificate of `HOST` that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    place.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return place


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path / "host.pem")


@pytest.fixture
def served(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve TLS where every name leads to a public address, which is this machine."""
    made = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.hosts.append(self.headers["host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Let a handshake fail in silence: the caller tells of it."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _socket, name, _context: made.server_names.append(name)
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        lead(monkeypatch, made.port)
        yield made
        server.shutdown()
        thread.join()


def lead(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Have names lead to the public address, and a connection to that one come to this machine."""

    def look_up(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 443))]

    def connected(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        assert address == (PUBLIC, 443)
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.connect(("127.0.0.1", port))
        return made

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connected)


def test_a_webhook_goes_by_tls_in_the_name_of_its_host(
    served: Served, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    assert WebhookSender(private=False).post(f"https://{HOST}/hook", {}, b"{}") == 204
    assert (served.server_names, served.hosts) == ([HOST], [HOST])


def test_a_certificate_that_nobody_vouches_for_is_refused(served: Served) -> None:
    with pytest.raises(DeliveryFailed, match="No TLS"):
        WebhookSender(private=False).post(f"https://{HOST}/hook", {}, b"{}")
    assert served.hosts == []


def test_a_certificate_of_another_host_is_refused(served: Served, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    with pytest.raises(DeliveryFailed, match="No TLS"):
        WebhookSender(private=False).post("https://other.example.com/hook", {}, b"{}")
    assert served.hosts == []


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> Iterator[list[str]]:
    """Have each look-up of a name answered with the next of these addresses; yield the names that were asked for."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = left.pop(0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        yield asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::", "::ffff:10.0.0.1", "::7f00:1",  # noqa: S104 - refused
     "64:ff9b::a9fe:a9fe", "fe80::1", "fec0::1", "fd00:ec2::254"],
)  # fmt: skip
def test_a_name_that_leads_to_an_address_that_is_not_public_is_not_called(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with names(monkeypatch, address) as asked, pytest.raises(DeliveryFailed, match="not public") as refused:
        WebhookSender(private=False).post("https://hooks.example.com/", {}, b"{}")
    assert asked == ["hooks.example.com"]
    assert address not in str(refused.value)


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def connect(address: Any, *_: object, **__: object) -> Any:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    # a name that leads elsewhere when it is asked for again
    with names(monkeypatch, "8.8.8.8", "127.0.0.1") as asked, pytest.raises(DeliveryFailed, match="No connection"):
        WebhookSender(private=False).post("https://hooks.example.com/", {}, b"{}")
    assert (called, asked) == ([("8.8.8.8", 443)], ["hooks.example.com"])


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd"])
def test_nothing_but_https_is_spoken(url: str) -> None:
    with pytest.raises(DeliveryFailed):
        WebhookSender(private=False).post(url, {}, b"{}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"location": receiver.url.replace("/hook", "/elsewhere")})]
    assert WebhookSender(private=True).post(receiver.url, {}, b"{}") == status
    assert [path for path, _, _ in receiver.got] == ["/hook"]


def test_nothing_of_the_answer_is_read_but_its_head(receiver: Receiver) -> None:
    receiver.answers = [(200, {"content-length": "1000000000000"})]  # none of which ever comes
    assert WebhookSender(private=True).post(receiver.url, {}, b"{}") == 200


def test_who_does_not_answer_has_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhook_sender.TIMEOUT[1] == 10
    monkeypatch.setattr(webhook_sender, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(DeliveryFailed, match="did not answer"):
            WebhookSender(private=True).post(url, {}, b"{}")
    with pytest.raises(DeliveryFailed, match=r"^No connection to 127\.0\.0\.1\.$"):
        WebhookSender(private=True).post(url, {}, b"{}")


def test_no_proxy_and_no_netrc_of_the_machine_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert WebhookSender(private=True).post(receiver.url, {}, b"{}") == 204


HEAD = b"HTTP/1.1 200 OK\r\n"
#: What a receiver sends at once, and the byte that it repeats for ever after.
DRIPS = {
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "one header": (HEAD + b"x-long: ", b"a"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the handshake of TLS": (b"\x16\x03\x03\x40\x00", b"\x02"),
}


@contextmanager
def dripping(first: bytes, again: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Answer one call with a piece every hundredth of a second, without end; yield the port, and an event of the end."""
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        caller, _ = listening.accept()
        with caller, suppress(OSError):
            caller.recv(1)
            caller.sendall(first)
            while True:
                caller.sendall(again)
                time.sleep(0.01)
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1], ended


@pytest.mark.parametrize("what", DRIPS)
def test_who_drips_an_answer_has_ten_seconds_for_all_of_it_and_is_hung_up_on(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook_sender.DEADLINE == 10
    monkeypatch.setattr(webhook_sender, "DEADLINE", 0.5)
    began = time.monotonic()
    with dripping(*DRIPS[what]) as (port, ended):
        scheme = "https" if "TLS" in what else "http"
        with pytest.raises(DeliveryFailed, match="did not answer within"):
            WebhookSender(private=True).post(f"{scheme}://127.0.0.1:{port}/", {}, b"{}")
        assert time.monotonic() - began < 2
        assert ended.wait(2)


def test_a_name_that_is_looked_up_for_long_has_ten_seconds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "DEADLINE", 0.2)
    answered = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        answered.wait(5)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 443))]

    called: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("urllib3.util.connection.create_connection", lambda *to, **_: called.append(to))
    with pytest.raises(DeliveryFailed, match="did not answer within"):
        WebhookSender(private=False).post(f"https://{HOST}/", {}, b"{}")
    assert not called
    answered.set()


def test_the_body_of_a_redirect_is_not_read_either() -> None:
    with dripping(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n\r\n", b"a" * 65_536) as (port, ended):
        assert WebhookSender(private=True).post(f"http://127.0.0.1:{port}/", {}, b"{}") == 302
        assert ended.wait(2)
