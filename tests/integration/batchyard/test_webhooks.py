"""Webhooks to tenants over real records and real sockets of this machine: what is sent, and where nothing ever goes."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from openai import OpenAI

from batchyard.adapters import webhook_sender
from batchyard.adapters.webhook_sender import WebhookSender
from batchyard.api import webhook_endpoints
from batchyard.domain import webhook_delivery
from batchyard.domain.errors import DeliveryFailed, NotFound, StaleRecord
from batchyard.domain.webhook_delivery import DeliveryRequest, event_of
from batchyard.domain.webhook_endpoint import MOST_ENDPOINTS
from batchyard.services import Services
from batchyard.webhooks.deliver import deliver, end_delivery
from batchyard.webhooks.notify import notify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World

EVENT = event_of(f"batch_{'0' * 32}", "batch.completed", 1_790_000_000)
TYPES = ["batch.completed", "batch.failed", "batch.cancelled"]


@dataclass
class Receiver:
    """A server of this machine: what it was sent, and how it answers in turn, with 204 after that."""

    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = made.answers.pop(0) if made.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def services(world: World) -> Services:
    """Services that may call this machine."""
    return Services(replace(world.services.settings, webhooks_to_private_addresses="true"), world.provider)


def register(services: Services, url: str, *event_types: str) -> dict[str, Any]:
    body = {"name": "test", "url": url, "event_types": list(event_types or TYPES)}
    return webhook_endpoints.create_webhook_endpoint(services, "default", body)


def due(services: Services, url: str) -> tuple[DeliveryRequest, dict[str, Any]]:
    made = register(services, url)
    services.webhook_store.begin(webhook_delivery.new(EVENT, "default", made["id"], services.now()))
    return DeliveryRequest("default", made["id"], EVENT), made


def shown(services: Services, endpoint_id: str) -> dict[str, Any]:
    (delivery,) = webhook_endpoints.list_webhook_deliveries(services, "default", endpoint_id)["data"]
    return dict(delivery)


def test_an_event_is_refused_taken_and_shown_as_delivered(services: Services, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    order, made = due(services, receiver.url)
    with pytest.raises(DeliveryFailed):
        deliver(services, order)
    assert (shown(services, made["id"])["state"], shown(services, made["id"])["last_status_code"]) == ("pending", 500)
    assert deliver(services, order) == "delivered"
    assert deliver(services, order) == "delivered"
    assert end_delivery(services, order) == "delivered"
    state = shown(services, made["id"])
    assert (state["state"], state["attempts"], state["last_status_code"], state["last_error"]) == (
        "delivered",
        2,
        204,
        None,
    )
    (_, first, body), (path, second, again) = receiver.got
    assert (path, body, first["webhook-id"]) == ("/hook", again, second["webhook-id"])
    client = OpenAI(api_key="made-up", webhook_secret=made["signing_secret"])
    assert client.webhooks.unwrap(again, second).id == EVENT.event_id
    assert second["user-agent"].startswith("Batchyard/")
    assert "authorization" not in second


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(services: Services, receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"location": receiver.url.replace("/hook", "/elsewhere")})]
    order, _ = due(services, receiver.url)
    with pytest.raises(DeliveryFailed):
        deliver(services, order)
    assert [path for path, _, _ in receiver.got] == ["/hook"]


def test_nothing_of_the_answer_is_read_but_its_head(services: Services, receiver: Receiver) -> None:
    receiver.answers = [(200, {"content-length": "1000000000000"})]  # none of which ever comes
    order, _ = due(services, receiver.url)
    assert deliver(services, order) == "delivered"


def test_who_does_not_answer_has_ten_seconds_and_the_state_says_so(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook_sender.TIMEOUT[1] == 10
    monkeypatch.setattr(webhook_sender, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        order, made = due(services, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(DeliveryFailed):
            deliver(services, order)
    assert "did not answer" in shown(services, made["id"])["last_error"]
    with pytest.raises(DeliveryFailed):
        deliver(services, order)
    state = shown(services, made["id"])
    assert (state["attempts"], state["last_status_code"], state["last_error"]) == (
        2,
        None,
        "No connection to 127.0.0.1.",
    )


def test_no_proxy_and_no_netrc_of_the_machine_is_used(
    services: Services, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    order, _ = due(services, receiver.url)
    assert deliver(services, order) == "delivered"


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


def test_the_end_of_a_batch_starts_one_execution_for_each_endpoint(services: Services) -> None:
    register(services, "http://127.0.0.1:9/")
    register(services, "http://127.0.0.1:9/", "batch.expired")
    ended = {"id": EVENT.batch_id, "tenant": "default", "status": "completed", "completed_at": EVENT.created_at}
    (name,) = notify(services, ended)
    assert notify(services, ended) == [name]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=services.settings.webhook_state_machine_arn)
    assert [each["name"] for each in listed["executions"]] == [name]


def test_records_of_endpoints_and_deliveries_keep_their_conditions(services: Services, receiver: Receiver) -> None:
    order, made = due(services, receiver.url)
    batch_store = services.webhook_store
    before = batch_store.endpoint("default", made["id"])
    assert batch_store.begin(webhook_delivery.new(EVENT, "default", made["id"], 9)) == batch_store.delivery(
        made["id"], EVENT
    )
    batch_store.change(before, generation=2)
    with pytest.raises(StaleRecord):
        batch_store.change(before, name="another")
    with pytest.raises(NotFound):
        batch_store.endpoint("other", made["id"])
    assert deliver(services, order) == "delivered"
    with pytest.raises(StaleRecord):
        batch_store.attempt(batch_store.delivery(made["id"], EVENT), services.now())
    webhook_endpoints.delete_webhook_endpoint(services, "default", made["id"])
    assert batch_store.endpoints("default") == []
    with pytest.raises(NotFound):
        batch_store.endpoint("default", made["id"])


def test_a_request_to_record_an_endpoint_may_be_repeated_after_a_lost_answer(services: Services) -> None:
    made = services.webhook_store.endpoint("default", register(services, "http://127.0.0.1:9/")["id"])
    services.webhook_store.create(made)
    assert services.webhook_store.endpoints("default") == [made]


def test_deliveries_are_listed_newest_first_up_to_a_hundred(services: Services) -> None:
    made = register(services, "http://127.0.0.1:9/")
    for at in range(101):
        event = event_of(f"batch_{at:032x}", "batch.completed", 1_790_000_000 + at)
        services.webhook_store.begin(webhook_delivery.new(event, "default", made["id"], event.created_at))
    page = webhook_endpoints.list_webhook_deliveries(services, "default", made["id"])
    assert [each["created_at"] - 1_790_000_000 for each in page["data"]] == list(range(100, 0, -1))
    assert page["has_more"] is True


def test_endpoints_are_counted_in_the_table(services: Services) -> None:
    for _ in range(MOST_ENDPOINTS):
        register(services, "http://127.0.0.1:9/")
    assert len(services.webhook_store.endpoints("default")) == MOST_ENDPOINTS


class Killed(BaseException):
    """The end of a worker, in the middle of what it does."""


def killing(monkeypatch: pytest.MonkeyPatch, at: int, *, before: bool) -> list[str]:
    """Have the worker die before or after its call number `at` of AWS; return the calls it has made."""
    calls: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - where moto, too, takes the place of AWS

    def dying(self: BaseClient, operation: str, parameters: dict[str, Any]) -> object:
        calls.append(operation)
        if before and len(calls) == at:
            raise Killed
        answer = call(self, operation, parameters)
        if not before and len(calls) == at:
            raise Killed
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", dying)
    return calls


def begin_and_deliver(services: Services, endpoint_id: str) -> None:
    ended = {"id": EVENT.batch_id, "tenant": "default", "status": "completed", "completed_at": EVENT.created_at}
    notify(services, ended)
    assert deliver(services, DeliveryRequest("default", endpoint_id, EVENT)) == "delivered"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(1, 10))
def test_a_worker_may_die_at_any_call_and_the_event_is_delivered_when_it_is_done_again(
    services: Services, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, at: int, before: bool
) -> None:
    made = register(services, receiver.url)
    with monkeypatch.context() as patched:
        calls = killing(patched, at, before=before)
        try:
            begin_and_deliver(services, made["id"])
        except Killed:
            assert len(calls) == at
        else:
            assert len(calls) < at <= 9  # there are not so many calls
    begin_and_deliver(services, made["id"])
    assert shown(services, made["id"])["state"] == "delivered"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len(receiver.got) <= 2
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=services.settings.webhook_state_machine_arn)
    assert len(listed["executions"]) == 1
