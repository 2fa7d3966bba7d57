"""Whether a provider of the user's own answers, asked of true sockets."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.credentials import signed
from local.errors import ProviderError
from local.run import provider_check
from local.run.provider_check import check_provider
from local.stack.provider_choice import Provider
from tests.integration.local.emulator.running import Emulator, started


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started() as running:
        yield running


@pytest.mark.parametrize("status", [200, 404, 405, 429, 500, 503])
def test_a_provider_that_answers_is_gone_on_with(emulator: Emulator, status: int) -> None:
    emulator.play(calls=[{"operation": "listBatches", "do": {"status": status, "html": True}}])
    before = len(emulator.calls("listBatches"))
    told: list[str] = []
    check_provider(Provider(emulator.url, emulator.api_key), told.append)
    assert len(emulator.calls("listBatches")) == before + 1
    assert [f"HTTP {status}" in text for text in told] == ([True] if status == 429 or status >= 500 else [])


def test_a_service_without_inputs_is_not_asked_for_any(emulator: Emulator) -> None:
    emulator.play(calls=[{"operation": "listMessageBatches", "do": {"status": 404, "html": True}}])
    before = len(emulator.calls("listFiles"))
    with pytest.raises(ProviderError, match="No batch API answers"):
        check_provider(Provider(emulator.url, emulator.api_key, "anthropic"), print)
    assert len(emulator.calls("listFiles")) == before


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told(emulator: Emulator, status: int) -> None:
    emulator.play(calls=[{"operation": "listBatches", "do": {"status": status}}])
    with pytest.raises(ProviderError, match=rf"refused PROVIDER_API_KEY \(HTTP {status}\)\. Nothing was sent\."):
        check_provider(Provider(emulator.url, "sk-very-secret"), print)


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(
        ProviderError,
        match=rf"Nothing answers at http://127\.0\.0\.1:{port}/v1 \(the connection is refused\).*Nothing was",
    ):
        check_provider(Provider(f"http://127.0.0.1:{port}/v1", "sk-1"), print)


def test_a_server_that_never_ends_its_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_check, "_MOST_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                for _ in range(20):
                    connection.sendall(b" ")
                    time.sleep(0.1)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        with pytest.raises(ProviderError, match=f"No whole answer came from {url} within"):
            check_provider(Provider(url, "sk-1"), print)
        thread.join()


def test_a_key_that_fits_in_no_header_is_told_without_it() -> None:
    with pytest.raises(ProviderError, match="API key") as caught:
        check_provider(Provider("http://127.0.0.1:1/v1", "sk very secret"), print)
    assert "very" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["", "/", "/v1/chat/completions", "/v1/batches", "/v1/files/", "/chat/completions", "/v1/embeddings"]
)
def test_an_address_that_is_nearly_right_is_told_with_the_right_one(emulator: Emulator, wrong: str) -> None:
    emulator.play()
    root = emulator.url.removesuffix("/v1")
    with pytest.raises(
        ProviderError, match=rf"Write: PROVIDER_BASE_URL={re.escape(emulator.url)}\. Nothing was sent\."
    ):
        check_provider(Provider(root + wrong, emulator.api_key), print)


def test_https_at_an_http_port_is_told_with_the_right_address(emulator: Emulator) -> None:
    emulator.play()
    with pytest.raises(
        ProviderError, match=rf"Write: PROVIDER_BASE_URL={re.escape(emulator.url)}\. Nothing was sent\."
    ):
        check_provider(Provider(emulator.url.replace("http:", "https:"), emulator.api_key), print)


@contextmanager
def web_server(
    status: int, body: bytes, kind: str = "text/html", location: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server that answers everything alike, and the keys that it was given."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Location", location)):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", keys
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "kind", "how"),
    [
        (404, b"<h1>Not found</h1>", "text/html", "HTTP 404"),
        (200, b"<h1>Welcome</h1>", "text/html", "its answer is no list of batches"),
        (200, b'{"ok": true}', "application/json", "its answer is no list of batches"),
        (404, b'{"detail": "Not Found"}', "application/json", "HTTP 404"),
        (400, b"<h1>The plain HTTP request was sent to HTTPS port</h1>", "text/html", "HTTP 400"),
    ],
)
def test_a_web_server_that_is_no_batch_api_is_told(status: int, body: bytes, kind: str, how: str) -> None:
    with web_server(status, body, kind) as (url, keys), pytest.raises(ProviderError, match=how) as caught:
        check_provider(Provider(f"{url}/v1", "sk-very-secret"), print)
    assert "such as https://api.openai.com/v1. Nothing was sent." in str(caught.value)
    assert {"Bearer none", "Bearer sk-very-secret"} >= set(keys)
    assert keys.count("Bearer sk-very-secret") == 2  # what the user wrote: its batches and its files


def test_a_redirect_is_told() -> None:
    moved = web_server(301, b"", location="https://127.0.0.1:1/v1/batches")
    with moved as (url, _), pytest.raises(ProviderError, match=r"\(HTTP 301\)"):
        check_provider(Provider(f"{url}/v1", "sk-1"), print)


def test_an_api_that_words_its_refusal_as_openai_does_is_gone_on_with() -> None:
    refusal = (
        b'{"error": {"message": "Listing is not supported", "type": "invalid_request_error", "code": "not_found"}}'
    )
    with web_server(404, refusal, "application/json") as (url, _):
        check_provider(Provider(f"{url}/v1", "sk-1"), print)


@pytest.mark.parametrize("path", ["", "/v1"])
def test_bedrock_is_found_with_the_v1_that_the_emulator_prints(emulator: Emulator, path: str) -> None:
    emulator.play()
    check_provider(Provider(emulator.url.removesuffix("/v1") + path, emulator.api_key, "bedrock-key"), print)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("bedrock-key", "The address of Amazon Bedrock has no path, such as"),
        ("bedrock-openai-key", "The API of Amazon Bedrock, OpenAI's batches with an API key begins at /openai/v1"),
        ("compatible", "A base URL mostly ends with /v1"),
    ],
)
def test_an_address_with_a_wrong_path_is_told_what_the_service_has(profile: str, told: str) -> None:
    with web_server(404, b"<h1>Not found</h1>") as (url, _), pytest.raises(ProviderError, match=re.escape(told)):
        check_provider(Provider(f"{url}/api/v1", "sk-1", profile), print)


def test_a_signature_that_is_refused_is_told_with_what_made_it() -> None:
    with web_server(403, b"{}", "application/json") as (url, _), pytest.raises(ProviderError) as caught:
        check_provider(signed(Provider(url, "", "bedrock"), None), print)
    assert "refused the signature of our requests, which are signed by a made-up access key (HTTP 403)" in str(
        caught.value
    )
