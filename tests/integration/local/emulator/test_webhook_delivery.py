"""Webhooks as an endpoint receives them."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from tests.integration.local.emulator.running import Emulator, started

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0"


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it receives; answers the statuses laid out for it, then 200."""

    received: ClassVar[list[tuple[dict[str, str], bytes]]] = []
    answers: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        """Keep one delivery."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def told() -> Iterator[Emulator]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        with started("--seconds-per-batch", "0.1", "--webhook", url, "--webhook-secret", SECRET) as emulator:
            yield emulator
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def emulator(told: Emulator) -> Emulator:
    told.play()
    Receiver.received.clear()
    Receiver.answers.clear()
    return told


def deliveries(count: int) -> list[tuple[dict[str, str], bytes]]:
    """Return the deliveries once `count` have come and 0.3 s brought no more."""
    for _ in range(500):
        if len(Receiver.received) >= count:
            break
        time.sleep(0.01)
    time.sleep(0.3)
    return list(Receiver.received)


def unwrap(headers: dict[str, str], body: bytes) -> tuple[str, str]:
    with OpenAI(api_key="x", webhook_secret=SECRET) as client:
        event = client.webhooks.unwrap(body, headers)
    assert event.type.startswith("batch.")
    return event.type, event.data.id  # type: ignore[union-attr] # every batch event has it


def test_the_end_of_a_batch_is_announced_with_its_id(emulator: Emulator) -> None:
    batch_id = emulator.run(1)["id"]
    assert [unwrap(*delivery) for delivery in deliveries(1)] == [("batch.completed", batch_id)]


def test_a_failure_is_announced_as_one(emulator: Emulator) -> None:
    emulator.play(batches=[{"do": {"fail": "token_limit_exceeded"}}])
    batch_id = emulator.run(1)["id"]
    assert [unwrap(*delivery) for delivery in deliveries(1)] == [("batch.failed", batch_id)]


def test_a_delivery_is_tried_again_under_the_same_id(emulator: Emulator) -> None:
    Receiver.answers.extend([500, 302])
    emulator.run(1)
    received = deliveries(3)
    assert len(received) == 3
    assert len({headers["webhook-id"] for headers, _ in received}) == 1


@pytest.mark.parametrize(("manner", "count"), [("lost", 0), ("twice", 2)])
def test_a_delivery_can_be_lost_or_come_twice(emulator: Emulator, manner: str, count: int) -> None:
    emulator.play(batches=[{"do": {"webhook": manner}}])
    emulator.run(1)
    received = deliveries(count)
    assert len(received) == count
    assert len({headers["webhook-id"] for headers, _ in received}) == min(count, 1)


@pytest.mark.parametrize("manner", ["forged", "late"])
def test_a_delivery_can_be_forged_or_too_old(emulator: Emulator, manner: str) -> None:
    emulator.play(batches=[{"do": {"webhook": manner}}])
    emulator.run(1)
    ((headers, body),) = deliveries(1)
    with pytest.raises(InvalidWebhookSignatureError):
        unwrap(headers, body)


def test_an_endpoint_can_be_tried_out(emulator: Emulator) -> None:
    (endpoint,) = emulator.get("/webhook_endpoints")["data"]
    path = f"/webhook_endpoints/{endpoint['id']}/test"
    tested = emulator.call("POST", path, json={"event_type": "batch.expired"}).json()
    assert (tested["success"], tested["status_code"]) == (True, 200)
    assert [unwrap(*delivery)[0] for delivery in deliveries(1)] == ["batch.expired"]
