"""A tenant is told of the end of its batch, by a signed webhook that is repeated until it is taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from openai import OpenAI

from tests.system.processes import eventually, up
from tests.system.running_stack import RunningStack, jsonl, request


@pytest.fixture
def trying() -> Iterator[RunningStack]:
    """A stack whose webhooks may come to this machine."""
    with up(BATCHYARD_WEBHOOKS_TO_PRIVATE_ADDRESSES="true") as doors:
        yield RunningStack(doors)


@contextmanager
def receiver(*answers: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Serve an endpoint that answers so, one after the other, and 200 after that; yield its URL and what it was sent."""
    got, left = list[tuple[dict[str, str], bytes]](), list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(left.pop(0) if left else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()


def test_the_end_of_a_batch_is_delivered_though_the_endpoint_failed_at_first(trying: RunningStack) -> None:
    client = OpenAI(base_url=trying.doors["base_url"], api_key=trying.doors["api_key"])
    with receiver(500) as (url, got):
        endpoint = client.webhooks.create(event_types=["batch.completed"], name="nightly", url=url)
        assert [each.id for each in client.webhooks.list()] == [endpoint.id]
        assert client.webhooks.test(endpoint.id, event_type="batch.failed").status_code == 500
        rotated = client.webhooks.rotate_secret(endpoint.id, keep_old_secret_active_for_24_hours=True)
        batch = trying.run("told.jsonl", jsonl([request(number) for number in range(3)]))
        states = f"/webhook_endpoints/{endpoint.id}/deliveries"

        def delivered() -> dict[str, object] | None:
            page = client.get(states, cast_to=object)
            (delivery,) = page["data"] or [{"state": "none"}]  # type: ignore[index]  # JSON
            return delivery if delivery["state"] == "delivered" else None

        state = eventually(delivered)
        (headers, body) = got[-1]
        event, again = (
            client.webhooks.unwrap(body, headers, secret=each.signing_secret) for each in (endpoint, rotated)
        )
        assert event == again
        assert (event.type, event.id) == ("batch.completed", state["id"])
        assert event.data.id == state["batch_id"] == batch.batch_id  # type: ignore[union-attr]  # some events of others have no id
        assert (len(got), state["attempts"], state["last_status_code"]) == (2, 1, 200)
        assert client.webhooks.delete(endpoint.id).deleted
