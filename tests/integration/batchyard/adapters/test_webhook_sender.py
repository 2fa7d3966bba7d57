"""Webhooks by TLS: to the address that was checked, in the name of the host, and only with that host's certificate."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from batchyard.adapters.webhook_sender import WebhookSender
from batchyard.domain.errors import DeliveryFailed

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
